/* lower.h - a graph in source form becomes one of core operators with static shapes and units.

   Passes run in the order of passes.def; each builds a new graph and keeps the numbers. */
#ifndef DV_LOWER_LOWER_H
#define DV_LOWER_LOWER_H

#include "core/graph.h"
#include "core/text.h"

typedef struct dv_lower_options {
    bool keep_opaque;       /* for `info`: what follows an opaque operator stays without shape */
    size_t most_folded;     /* elements that may be computed; 0: what the file's size justifies */
    const char *dump_after; /* name of a pass, or "all"; NULL: none */
    void (*dump)(void *context, const char *pass, const dv_graph *graph);
    void *context;
} dv_lower_options;

typedef struct dv_pass {
    const char *name;
    const char *summary;
    /* Reads graph, makes *out (finished); leaves it NULL if there is nothing to change. */
    dv_status (*run)(const dv_graph *graph, const dv_lower_options *options, dv_graph **out);
} dv_pass;

/* Runs all passes; graph stays the caller's. options may be NULL. DV_BAD_INPUT with "node 17
   'name' (Type): what". The result has units. */
DV_MUST_USE dv_status dv_lower(const dv_graph *graph, const dv_lower_options *options,
                               dv_graph **out);

/* Shapes and small constants as far as they follow in a graph that may hold opaque operators, for
   loaders (dv_load_options.infer). Tensors that do not follow have no shape; output i of *out is
   that of graph. DV_BAD_INPUT if an operator's operands do not fit it. */
DV_MUST_USE dv_status dv_lower_known(const dv_graph *graph, dv_graph **out);

/* The i-th pass, NULL past the last; one pass by itself. */
const dv_pass *dv_pass_at(size_t i);

/* A lowered graph without quantised tensors: where there were, conversions (QUANTIZE, DEQUANTIZE)
   stand around operators on floats, as formats have them that know no other way. It has no units.
 */
DV_MUST_USE dv_status dv_spell_quantisation(const dv_graph *graph, dv_graph **out);

/* One operator a line, with its parameters and, after fusion, its unit:
     "  17 %y f32[1x64x56x56] = aten.relu.default(%x) 'name' unit 9". */
DV_MUST_USE dv_status dv_graph_print(const dv_graph *graph, dv_text *out);

#endif
