/* zoo.h - published networks, built by code from their papers' tables, weights from a seed. */
#ifndef DV_DATASETS_ZOO_H
#define DV_DATASETS_ZOO_H

#include "core/graph.h"

typedef struct dv_zoo_entry dv_zoo_entry;

struct dv_zoo_entry {
    const char *name;     /* "mobilenet_v2" */
    const char *summary;  /* "image classification, 224x224" */
    const char *citation; /* paper or configuration, and where the counts were published */
    double parameters;    /* as published (weights, biases, norm scale and shift); exact */
    double multiply_adds; /* as published; 2 % */
    const char *options;  /* keys it takes after ':', separated by spaces */
    const char *variants; /* the forms it has, of which one may be named first after ':', separated
                             by spaces: "prefill=N decode=N"; NULL: one form only */
    const void *variant;  /* what tells it from others of its family; its builder's own */
    /* options: checked keys, may be NULL */
    dv_status (*build)(const dv_zoo_entry *entry, const char *options, dv_graph **out);
};

/* The i-th network, NULL past the last. */
const dv_zoo_entry *dv_zoo_at(size_t i);

/* "mobilenet_v2", "name:variant", "name:variant,key=value": a finished graph in source form.
   DV_BAD_PARAMETER with the nearest name. Weights are generated lazily: building costs no memory
   for them. */
DV_MUST_USE dv_status dv_zoo_build(const char *name, dv_graph **out);

#endif
