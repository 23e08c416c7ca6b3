/* onnx_attention.h - attention over heads, for the operators that spell it: the standard's own and
   those of com.microsoft. */
#ifndef DV_LOAD_ONNX_ATTENTION_H
#define DV_LOAD_ONNX_ATTENTION_H

#include "load/onnx_ops.h"

typedef struct dv_onnx_attention {
    bool
        flat; /* operands are [batch, position, heads joined]; else [batch, head, position, size] */
    bool causal; /* a position sees those up to its own, and all of the past */
    int64_t heads, key_heads;
    int64_t mode; /* which scores are output 3, as qk_matmul_output_mode says */
    double scale; /* of the scores, where has_scale; else 1 / sqrt(size of a head) */
    double cap;   /* of the scores, by tanh; 0: none */
    bool has_scale;
    bool mask_is_finite;       /* no position is forbidden to look anywhere */
    dv_dtype dtype, precision; /* of the operands; of the softmax */
    dv_tensor_id query, key, value;
    dv_tensor_id mask;                   /* added to the scores, or of booleans; DV_NONE: none */
    dv_tensor_id past_key, past_value;   /* [batch, key head, position, size]; DV_NONE: none */
    uint32_t present_key, present_value; /* outputs of the node that take past and present */
} dv_onnx_attention;

enum { DV_ONNX_MOST_HEADS = 1 << 16 };

/* Makes op softmax(cap(q k^T scale) + mask) v. */
DV_MUST_USE dv_status dv_onnx_attend(dv_onnx_at *at, dv_onnx_attention *a);

/* Rotary positions: pairs of numbers are turned by an angle for each position. */
typedef struct dv_onnx_rotation {
    bool interleaved;          /* pairs are neighbours, else from either half */
    int64_t turned;            /* leading numbers of a head that are; 0: all */
    dv_tensor_id cosine, sine; /* dv_onnx_angles */
} dv_onnx_rotation;

/* Turns *x [batch, position, head, size]. */
DV_MUST_USE dv_status dv_onnx_rotate(dv_onnx_at *at, const dv_onnx_rotation *r, dv_tensor_id *x);

/* Rows of a table of cosines or sines by positions (DV_NONE: in order), for all heads. */
DV_MUST_USE dv_status dv_onnx_angles(dv_onnx_at *at, dv_tensor_id table, dv_tensor_id positions,
                                     dv_tensor_id *id);

/* Dims as in the list: 0 copies one, -1 takes the rest. */
DV_MUST_USE dv_status dv_onnx_view_as(dv_onnx_at *at, const int64_t *dims, size_t count,
                                      dv_tensor_id *id);

/* The tensor as that element type. */
DV_MUST_USE dv_status dv_onnx_cast_to(dv_onnx_at *at, dv_dtype dtype, dv_tensor_id *id);

#endif
