/* ops.h - how operators become oneDNN primitives; for the files of this folder alone.

   Images are blocked by channels (nChw8c, or nChw16c with AVX-512) wherever the library prefers
   that: its 3x3 convolutions are up to twice as fast so. Primitives and packed weights are made at
   compile; scratch memory comes from the program's arena, so a run allocates nothing. */
#ifndef DV_RUNTIME_ONEDNN_OPS_H
#define DV_RUNTIME_ONEDNN_OPS_H

#include <dnnl.h>

#include "runtime/program.h"

typedef struct dv_dnn_context {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_format_tag_t blocked; /* of DV_LAYOUT_OWN */
    int64_t block;             /* channels of it */
    uint32_t threads;
} dv_dnn_context;

/* Tensors that a primitive reads or writes: bound to a program's value at bind, or a constant whose
   memory the step owns from dv_dnn_add on. */
typedef struct dv_dnn_operand {
    int arg; /* DNNL_ARG_... */
    dnnl_memory_desc_t desc;
    dv_value value; /* DV_NONE: constant */
    dnnl_memory_t constant;
    void *constant_data;
} dv_dnn_operand;

/* The context of a program. */
const dv_dnn_context *dv_dnn_context_of(const dv_program *program);

/* The description of a shape in a layout; rank 0 becomes one dim of 1. */
dnnl_memory_desc_t dv_dnn_desc(const dv_dnn_context *context, const dv_shape *shape,
                               uint32_t layout);
/* The same with leading dims of 1 up to rank, plain. */
dnnl_memory_desc_t dv_dnn_desc_padded(const dv_shape *shape, uint8_t rank);
/* The layout that desc is of that shape; DV_LAYOUT_COUNT if none of ours. */
uint32_t dv_dnn_layout_of(const dv_dnn_context *context, const dv_shape *shape,
                          const dnnl_memory_desc_t *desc);

/* A layout that the tensor is at hand in: own, then channels-last, then plain. */
uint32_t dv_dnn_at_hand(const dv_program *program, dv_tensor_id tensor);

/* Is the tensor a constant? */
bool dv_dnn_is_constant(const dv_graph *graph, dv_tensor_id tensor);

/* A primitive description, or NULL if the library has none for it. attr may be NULL, else it is
   set to user scratchpads. With fast_only, plain reference implementations do not count. */
dnnl_primitive_desc_t dv_dnn_describe(const dv_program *program, const void *op_desc,
                                      dnnl_primitive_attr_t attr, bool fast_only);
dnnl_memory_desc_t dv_dnn_query(dnnl_primitive_desc_t pd, dnnl_query_t what);

/* A constant operand: elements of tensor, which lie as `from` says, repacked as `to`. */
DV_MUST_USE dv_status dv_dnn_constant(const dv_program *program, const dv_tensor *tensor, int arg,
                                      const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                                      dv_dnn_operand *out);
void dv_dnn_free_operands(dv_dnn_operand *operands, uint32_t count);

/* Adds the primitive of pd over the operands. Owns pd and the constants from here on. */
DV_MUST_USE dv_status dv_dnn_add(dv_program *program, dnnl_primitive_desc_t pd,
                                 dv_dnn_operand *operands, uint32_t count);

/* A copy from one description to another. */
DV_MUST_USE dv_status dv_dnn_add_reorder(dv_program *program, const dnnl_memory_desc_t *from_desc,
                                         dv_value from, const dnnl_memory_desc_t *to_desc,
                                         dv_value to);

/* Appends an element-wise operator to post-ops; false if the library has none for it. */
bool dv_dnn_append(dnnl_post_ops_t post_ops, const dv_op *op);

/* Attributes with what may ride along with the operator at `at`: element-wise followers, and with
   residual not NULL an addition of a tensor that is there already (*residual, else DV_NONE; its
   description is `like`). *last is the index of the last operator taken in, *output what the step
   writes. Nothing is taken yet: dv_dnn_take does that. NULL without memory. */
typedef struct dv_dnn_fusion {
    uint32_t taken[4], count;
    dv_tensor_id output;
    dv_tensor_id residual;
    int residual_arg;
} dv_dnn_fusion;

dnnl_primitive_attr_t dv_dnn_fuse(const dv_program *program, uint32_t at,
                                  const dnnl_memory_desc_t *like, dv_dnn_fusion *fusion);
void dv_dnn_take(dv_program *program, const dv_dnn_fusion *fusion);

dv_status dv_dnn_lower_convolution(dv_program *program, uint32_t at, bool *done);
dv_status dv_dnn_lower_linear(dv_program *program, uint32_t at, bool *done);
dv_status dv_dnn_lower_matmul(dv_program *program, uint32_t at, bool *done);
dv_status dv_dnn_lower_elementwise(dv_program *program, uint32_t at, bool *done);
dv_status dv_dnn_lower_binary(dv_program *program, uint32_t at, bool *done);
dv_status dv_dnn_lower_pool(dv_program *program, uint32_t at, bool *done);
dv_status dv_dnn_lower_mean(dv_program *program, uint32_t at, bool *done);
dv_status dv_dnn_lower_softmax(dv_program *program, uint32_t at, bool *done);
dv_status dv_dnn_lower_batch_norm(dv_program *program, uint32_t at, bool *done);
dv_status dv_dnn_lower_layer_norm(dv_program *program, uint32_t at, bool *done);
dv_status dv_dnn_lower_cat(dv_program *program, uint32_t at, bool *done);
dv_status dv_dnn_lower_permute(dv_program *program, uint32_t at, bool *done);
dv_status dv_dnn_lower_slice(dv_program *program, uint32_t at, bool *done);
dv_status dv_dnn_lower_split(dv_program *program, uint32_t at, bool *done);

#endif
