/* rewrite.h - building a changed copy of a finished graph, for passes.

   A pass walks the operators of the old graph in order and, for each, either copies it or makes
   something else that stands for its outputs. Tensors of the old graph are mapped to the new one on
   first use, so what nobody needs any more is not copied; what was copied in vain is swept out at
   the end. Names, source types and debug handles travel along. */
#ifndef DV_LOWER_REWRITE_H
#define DV_LOWER_REWRITE_H

#include "core/graph.h"

typedef struct dv_rewrite {
    const dv_graph *from;
    dv_graph *to;       /* NULL: dry */
    dv_tensor_id *map;  /* per tensor of `from`: its stand-in, DV_NONE until it is needed */
    dv_op_id *producer; /* per tensor of `to` */
    size_t producer_capacity;
    bool changed; /* set by the pass when it does more than copy */
    size_t spare; /* elements that may still be computed; see dv_rewrite_afford */
} dv_rewrite;

/* Starts a copy: a new graph with the marks and the inputs of from. */
DV_MUST_USE dv_status dv_rewrite_begin(dv_rewrite *rewrite, const dv_graph *from);

/* A rewrite that makes nothing: the old graph stands for the new one, and the first call that would
   add or replace something sets `changed` and fails (DV_INTERNAL, without a message). It tells
   whether there is anything to do at all, and is not to be ended. */
dv_rewrite dv_rewrite_dry(const dv_graph *from);

/* Ends it. If status is a failure, frees all and returns it. Else names the outputs as they were
   (one that has become an input, a constant or another output is made by a VIEW), drops what
   reaches no output, finishes the graph and gives it to *out. */
DV_MUST_USE dv_status dv_rewrite_end(dv_rewrite *rewrite, dv_status status, dv_graph **out);

/* The same for a pass that may find nothing to do: *out is NULL then. */
DV_MUST_USE dv_status dv_rewrite_end_if_changed(dv_rewrite *rewrite, dv_status status,
                                                dv_graph **out);

/* The same for an exact copy: no operator is added or dropped. */
DV_MUST_USE dv_status dv_rewrite_end_as_is(dv_rewrite *rewrite, dv_status status, dv_graph **out);

/* The stand-in of an old tensor, copied now if it has none yet. DV_NONE gives DV_NONE. */
DV_MUST_USE dv_status dv_rewrite_tensor(dv_rewrite *rewrite, dv_tensor_id old, dv_tensor_id *id);

/* Adds a tensor to the new graph. */
DV_MUST_USE dv_status dv_rewrite_add(dv_rewrite *rewrite, const dv_tensor *tensor,
                                     dv_tensor_id *id);

/* Adds an operator, whose tensors are the new graph's. */
DV_MUST_USE dv_status dv_rewrite_add_op(dv_rewrite *rewrite, const dv_op *op);

/* Copies an operator as it is. */
DV_MUST_USE dv_status dv_rewrite_copy(dv_rewrite *rewrite, const dv_op *op);

/* What a pass makes in place of `source`: inputs are the new graph's. */
typedef struct dv_made {
    const dv_op *source;
    dv_op_kind kind;
    dv_op_params params;
    uint32_t input_count;
    const dv_tensor_id *inputs;
} dv_made;

/* Adds it as the maker of source's first output (the others must be unused). */
DV_MUST_USE dv_status dv_rewrite_replace(dv_rewrite *rewrite, const dv_made *made);

/* Adds it as the maker of a further tensor, "<first output>.<suffix>". */
DV_MUST_USE dv_status dv_rewrite_step(dv_rewrite *rewrite, const dv_made *made, const char *suffix,
                                      dv_dtype dtype, const dv_shape *shape, dv_tensor_id *id);

/* Lets tensor id of the new graph stand for source's first output. A graph output passes its name
   on to what source read, or, if that cannot take it, is made by a VIEW. */
DV_MUST_USE dv_status dv_rewrite_alias(dv_rewrite *rewrite, const dv_op *source, dv_tensor_id id);

/* A constant f32 tensor "<base>.<suffix>" of those elements. */
DV_MUST_USE dv_status dv_rewrite_floats(dv_rewrite *rewrite, const char *base, const char *suffix,
                                        const dv_shape *shape, const float *values,
                                        dv_tensor_id *id);

/* A constant "<base>.<suffix>" with the data given. */
DV_MUST_USE dv_status dv_rewrite_constant(dv_rewrite *rewrite, const char *base, const char *suffix,
                                          dv_dtype dtype, const dv_shape *shape,
                                          const dv_data *data, dv_tensor_id *id);

/* May the pass compute so many elements more? Counts them if so. What a pass computes in all is
   bounded by a few times the bytes of its files, and some more for all that is made of nothing: a
   short file must not cost much memory or time. */
bool dv_rewrite_afford(dv_rewrite *rewrite, size_t elements);

/* The tensor of the new graph; the operator there that makes it, or NULL. */
const dv_tensor *dv_rewrite_at(const dv_rewrite *rewrite, dv_tensor_id id);
const dv_op *dv_rewrite_producer(const dv_rewrite *rewrite, dv_tensor_id id);

/* In a finished graph: the operator that makes the tensor, or NULL; how many operators read it, a
   graph output counting as one more. */
const dv_op *dv_graph_maker(const dv_graph *graph, dv_tensor_id id);
uint32_t dv_graph_readers(const dv_graph *graph, dv_tensor_id id);

/* "node 17 'attn/MatMul' (MatMul): " and the message. DV_BAD_INPUT. */
DV_MUST_USE dv_status dv_node_fail(const dv_op *op, const char *format, ...) DV_PRINTF(2, 3);

/* A name made fit for one line of text: unprintable bytes become '?'; long names are cut. */
enum { DV_NAME_TEXT = 120 };
char *dv_name_text(const char *name, char out[DV_NAME_TEXT]);

#endif
