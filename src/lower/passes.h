/* passes.h - the passes of passes.def. A pass that finds nothing to do may leave *out NULL. */
#ifndef DV_LOWER_PASSES_H
#define DV_LOWER_PASSES_H

#include "lower/lower.h"

#define PASS(name, repeat, summary)                                                              \
    DV_MUST_USE dv_status dv_pass_##name(const dv_graph *graph, const dv_lower_options *options, \
                                         dv_graph **out);
#include "lower/passes.def"
#undef PASS

/* Tells graph, which source was lowered to, what became of operators that it has not under their
   own names. */
DV_MUST_USE dv_status dv_lower_tell_merged(const dv_graph *source, dv_graph *graph);

/* block_of[o] of every operator: the last matched operator of the block that o belongs to, or
   DV_NONE (composite.c). Blocks share no operator, and no path leaves one and comes back. */
void dv_composites_find(const dv_graph *graph, dv_op_id *block_of);

/* Is it of those that backends compute in passing, behind a product or a sum? */
bool dv_op_is_activation(dv_op_kind kind);

#endif
