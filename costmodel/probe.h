/* probe.h - networks made to be measured: together they hold every family of operators at the sizes
   that real networks have, in the order and the company in which real networks have them.

   They are drawn up for calibration and are none of the published ones, so that predictions of
   those are predictions. */
#ifndef DV_COSTMODEL_PROBE_H
#define DV_COSTMODEL_PROBE_H

#include "core/graph.h"

typedef struct dv_probe {
    const char *name;
    dv_status (*build)(dv_graph **out); /* a finished graph in core form, with units */
} dv_probe;

/* The i-th; NULL past the last. */
const dv_probe *dv_probe_at(size_t i);

/* x of that many floats, one cheap element-wise operator, y: to time calls and hand-overs. */
DV_MUST_USE dv_status dv_probe_copy(size_t elements, dv_graph **out);

#endif
