/* names.h - names of a model file to numbers: an open-addressing table keyed by spans. */
#ifndef DV_LOAD_NAMES_H
#define DV_LOAD_NAMES_H

#include "load/protobuf.h"

/* Zero-initialise; free with dv_names_free. The spans' bytes must outlive the table. */
typedef struct dv_names {
    struct dv_names_entry *entries;
    size_t capacity, count;
} dv_names;

/* The value of name, or missing. O(1) expected. */
uint32_t dv_names_find(const dv_names *names, dv_span name, uint32_t missing);

/* Sets the value of name, replacing an earlier one. DV_NO_MEMORY. */
DV_MUST_USE dv_status dv_names_put(dv_names *names, dv_span name, uint32_t value);

/* Walks the table: start with *place 0; false at the end. The order is the table's own. */
bool dv_names_next(const dv_names *names, size_t *place, dv_span *name);

void dv_names_free(dv_names *names);

#endif
