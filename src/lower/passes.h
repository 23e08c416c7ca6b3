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

#endif
