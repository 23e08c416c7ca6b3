/* infer.h - what the shape rules share.

   A rule sees one operator with the stand-ins of its inputs (shapes known), reads parameter inputs
   into parameters, drops them, and fills the shapes and element types of the outputs. */
#ifndef DV_LOWER_INFER_H
#define DV_LOWER_INFER_H

#include "lower/rewrite.h"

typedef struct dv_infer {
    dv_rewrite *rewrite;
    const dv_op *source; /* of the old graph */
    dv_op_kind kind;     /* what it becomes */
    dv_op_params params;
    uint32_t input_count; /* a rule lowers it to drop parameter inputs */
    dv_tensor_id *inputs; /* of the new graph */
    uint32_t output_count;
    uint32_t known_outputs; /* the rule fills so many; 1 unless it says otherwise */
    dv_shape *shapes;
    dv_dtype *dtypes;
} dv_infer;

/* Dims and parameters beyond this are refused, so that sums and products of two fit an int64_t. */
#define DV_DIM_LIMIT ((int64_t)1 << 31)

/* The i-th input, NULL if it was left out. */
const dv_tensor *dv_infer_input(const dv_infer *infer, uint32_t i);

/* DV_BAD_INPUT naming the operator. */
DV_MUST_USE dv_status dv_infer_fail(const dv_infer *infer, const char *format, ...) DV_PRINTF(2, 3);

/* The elements of the constant i-th input, at most most of them; fails if it is no constant. */
DV_MUST_USE dv_status dv_infer_ints(const dv_infer *infer, uint32_t i, const char *what,
                                    int64_t *out, size_t most, size_t *count);
DV_MUST_USE dv_status dv_infer_float(const dv_infer *infer, uint32_t i, const char *what,
                                     double *out);

/* *axis counted from 0; fails if it is outside [-rank, rank). */
DV_MUST_USE dv_status dv_infer_axis(const dv_infer *infer, int64_t *axis, int64_t rank);

/* Sorts axes in place after counting them from 0; fails on repeats. */
DV_MUST_USE dv_status dv_infer_axes(const dv_infer *infer, int64_t *axes, size_t count,
                                    int64_t rank);

/* One rule for each name in ops.def's column. */
/* clang-format off */
#define DV_INFER_RULES(X) \
    X(conv) X(linear) X(matmul) X(same) X(boolean) X(broadcast) X(compare) X(where) X(reduce) \
    X(argmax) X(pool) X(resize) X(view) X(permute) X(squeeze) X(unsqueeze) X(flatten) X(expand) \
    X(repeat) X(cat) X(split) X(slice) X(select) X(pad) X(gather) X(embedding) \
    X(gather_elements) X(pixel_shuffle) X(cast) X(shape) X(numel) X(full) X(arange) X(opaque) \
    X(topk) X(gather_nd) X(scatter) X(scatter_nd) X(pixel_unshuffle) X(rnn) X(conv_integer) \
    X(max_unpool) X(col2im) X(grid_sample) X(affine_grid) X(roi_align) X(max_roi_pool) X(dft) \
    X(stft) X(det) X(reverse_sequence) X(nonzero) X(unique) X(nms) X(suppress) X(detect) X(mel_weights) X(matmul_integer) X(quantize) X(dequantize) X(choose_qparams)
/* clang-format on */

#define DV_INFER_DECLARE(rule) dv_status dv_infer_##rule(dv_infer *infer);
DV_INFER_RULES(DV_INFER_DECLARE)
#undef DV_INFER_DECLARE

#endif
