/* pin_input.h - an input whose value is known before the model runs. */
#ifndef DV_CLI_PIN_INPUT_H
#define DV_CLI_PIN_INPUT_H

#include "core/graph.h"

/* A copy of graph in which the input of that name is a constant, every element value: what shapes
   depend on (a sequence length, a flag) can then be computed when the model is lowered.
   DV_BAD_PARAMETER for a name that is no input (the nearest is suggested) or an input of unknown
   shape. O(size of graph). */
DV_MUST_USE dv_status dv_pin_input(const dv_graph *graph, const char *name, double value,
                                   dv_graph **out);

#endif
