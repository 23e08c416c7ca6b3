/* graph_params.h - the parameters of every kind of operator as rows of a table.

   graph/1 files are read and written from these rows, so that what one writes the other reads. */
#ifndef DV_LOAD_GRAPH_PARAMS_H
#define DV_LOAD_GRAPH_PARAMS_H

#include "core/op.h"

typedef enum dv_field_type {
    DV_FIELD_FLAG,
    DV_FIELD_INTEGER, /* int64_t */
    DV_FIELD_NUMBER,  /* double */
    DV_FIELD_CHOICE,  /* an enum; names lists its values */
    DV_FIELD_DTYPE,
    DV_FIELD_SHAPE, /* dv_shape; unknown: left out */
    DV_FIELD_LIST,  /* int64_t[most], *count of them: a uint8_t at count_offset that lists share */
    DV_FIELD_BYTES, /* uint8_t[most], likewise */
    DV_FIELD_SIZES, /* a split's sizes */
} dv_field_type;

typedef struct dv_field {
    const char *name; /* in the file; NULL ends the rows of a kind */
    dv_field_type type;
    size_t offset;       /* in the member of dv_op_params */
    size_t count_offset; /* LIST, BYTES */
    size_t most;
    double absent;            /* the value of a field that is left out */
    const char *const *names; /* CHOICE, NULL-terminated */
} dv_field;

/* The rows of a kind's parameters. O(1). */
const dv_field *dv_fields_of(dv_op_kind kind);

/* Parameters as they are when nothing is given. */
void dv_params_default(dv_op_kind kind, dv_op_params *params);

#endif
