/* infer_compute.c - shapes of convolutions, matrix products, pooling. */
#include <math.h>

#include "lower/infer.h"

/* Bounds what a window is made of, so that products of two with a dim stay far below 2^63. */
static bool in_range(int64_t value, int64_t least)
{
    return value >= least && value < (int64_t)1 << 24;
}

/* Places `total` padding around one dim, the odd pixel at the end (upper) or the beginning. */
static void split_padding(int64_t total, bool upper, int64_t *begin, int64_t *end)
{
    *begin = upper ? total / 2 : total - total / 2;
    *end = total - *begin;
}

/* One window dim of a convolution or a pool. */
typedef struct window_dim {
    int64_t in, kernel, stride, dilation, extent; /* extent: kernel with its holes */
} window_dim;

static dv_status check_window(const dv_infer *infer, window_dim *w, int64_t pad_begin,
                              int64_t pad_end)
{
    if (!in_range(w->kernel, 1))
        return dv_infer_fail(infer, "a kernel of size %lld", (long long)w->kernel);
    if (!in_range(w->stride, 1))
        return dv_infer_fail(infer, "a stride of %lld", (long long)w->stride);
    if (!in_range(w->dilation, 1))
        return dv_infer_fail(infer, "a dilation of %lld", (long long)w->dilation);
    if (!in_range(pad_begin, 0) || !in_range(pad_end, 0))
        return dv_infer_fail(infer, "a padding of %lld and %lld", (long long)pad_begin,
                             (long long)pad_end);
    w->extent = w->dilation * (w->kernel - 1) + 1;
    return DV_OK;
}

/* Turns auto_pad into explicit padding. */
static void resolve_auto_pad(dv_auto_pad mode, const window_dim *w, int64_t *begin, int64_t *end)
{
    if (mode == DV_PAD_EXPLICIT)
        return;
    *begin = *end = 0;
    if (mode == DV_PAD_VALID)
        return;
    int64_t out = (w->in + w->stride - 1) / w->stride;
    int64_t total = (out - 1) * w->stride + w->extent - w->in;
    if (total > 0)
        split_padding(total, mode == DV_PAD_SAME_UPPER, begin, end);
}

static dv_status window_output(const dv_infer *infer, const window_dim *w, int64_t begin,
                               int64_t end, int64_t *out)
{
    int64_t room = w->in + begin + end - w->extent;
    if (w->in < 1 || room < 0)
        return dv_infer_fail(infer, "a window of %lld does not fit into %lld padded pixels",
                             (long long)w->extent, (long long)(w->in + begin + end));
    *out = room / w->stride + 1;
    return DV_OK;
}

/* Transposed: the padding that gives the output shape asked for; what it falls short is output
   padding, as in the reference implementation of ONNX. */
static void resolve_transposed(dv_conv_params *conv, unsigned d, const window_dim *w)
{
    int64_t want = conv->output_shape[d];
    if (want == 0 && (conv->auto_pad == DV_PAD_SAME_UPPER || conv->auto_pad == DV_PAD_SAME_LOWER))
        want = w->in * w->stride;
    if (want == 0) {
        if (conv->auto_pad == DV_PAD_VALID)
            conv->pad_begin[d] = conv->pad_end[d] = 0;
        return;
    }
    int64_t total = (w->in - 1) * w->stride + w->extent + conv->output_padding[d] - want;
    if (total < 0) {
        conv->output_padding[d] -= total;
        total = 0;
    }
    split_padding(total, conv->auto_pad != DV_PAD_SAME_LOWER, &conv->pad_begin[d],
                  &conv->pad_end[d]);
    conv->output_shape[d] = 0;
}

static dv_status transposed_output(const dv_infer *infer, dv_conv_params *conv, unsigned d,
                                   const window_dim *w, int64_t *out)
{
    if (!in_range(conv->output_padding[d], 0) || !in_range(conv->output_shape[d], 0))
        return dv_infer_fail(infer, "an output padding of %lld",
                             (long long)conv->output_padding[d]);
    resolve_transposed(conv, d, w);
    *out = (w->in - 1) * w->stride + w->extent + conv->output_padding[d] - conv->pad_begin[d] -
           conv->pad_end[d];
    if (w->in < 1 || *out < 1)
        return dv_infer_fail(infer, "its padding leaves nothing of the output");
    return DV_OK;
}

static dv_status conv_channels(const dv_infer *infer, const dv_conv_params *conv, const dv_shape *x,
                               const dv_shape *w, int64_t *out)
{
    int64_t groups = conv->groups;
    if (groups < 1 || groups > DV_DIM_LIMIT || x->dim[1] % groups != 0 || w->dim[0] % groups != 0)
        return dv_infer_fail(infer, "%lld groups do not divide %lld channels into %lld",
                             (long long)groups, (long long)x->dim[1], (long long)w->dim[0]);
    int64_t in = conv->transposed ? w->dim[0] : w->dim[1] * groups;
    if (x->dim[1] != in)
        return dv_infer_fail(infer, "input has %lld channels, the weight expects %lld",
                             (long long)x->dim[1], (long long)in);
    *out = conv->transposed ? w->dim[1] * groups : w->dim[0];
    return DV_OK;
}

static dv_status check_vector(const dv_infer *infer, uint32_t i, const char *what, int64_t length)
{
    const dv_tensor *tensor = dv_infer_input(infer, i);
    char text[DV_SHAPE_TEXT];
    if (tensor && (tensor->shape.rank != 1 || tensor->shape.dim[0] != length))
        return dv_infer_fail(infer, "its %s is %s, not %lld", what,
                             dv_shape_text(&tensor->shape, text), (long long)length);
    return DV_OK;
}

static dv_status check_same_dtype(const dv_infer *infer, uint32_t i)
{
    const dv_tensor *first = dv_infer_input(infer, 0), *other = dv_infer_input(infer, i);
    if (other && first->dtype != other->dtype)
        return dv_infer_fail(infer, "inputs of %s and %s do not match", dv_dtype_name(first->dtype),
                             dv_dtype_name(other->dtype));
    return DV_OK;
}

static dv_status conv_shape(dv_infer *infer)
{
    dv_conv_params *conv = &infer->params.conv;
    const dv_shape *x = &dv_infer_input(infer, 0)->shape, *w = &dv_infer_input(infer, 1)->shape;
    char xs[DV_SHAPE_TEXT], ws[DV_SHAPE_TEXT];
    if (w->rank < 3 || w->rank > 2 + DV_MAX_SPATIAL || x->rank != w->rank ||
        (conv->spatial != 0 && conv->spatial != w->rank - 2))
        return dv_infer_fail(infer, "input %s and weight %s do not match", dv_shape_text(x, xs),
                             dv_shape_text(w, ws));
    conv->spatial = (uint8_t)(w->rank - 2);
    dv_shape *y = &infer->shapes[0];
    *y = *x;
    DV_TRY(conv_channels(infer, conv, x, w, &y->dim[1]));
    for (unsigned d = 0; d < conv->spatial; d++) {
        window_dim window = {.in = x->dim[2 + d],
                             .kernel = w->dim[2 + d],
                             .stride = conv->stride[d],
                             .dilation = conv->dilation[d]};
        int64_t *begin = &conv->pad_begin[d], *end = &conv->pad_end[d];
        DV_TRY(check_window(infer, &window, *begin, *end));
        if (conv->transposed) {
            DV_TRY(transposed_output(infer, conv, d, &window, &y->dim[2 + d]));
        } else {
            resolve_auto_pad(conv->auto_pad, &window, begin, end);
            DV_TRY(window_output(infer, &window, *begin, *end, &y->dim[2 + d]));
        }
    }
    conv->auto_pad = DV_PAD_EXPLICIT;
    return DV_OK;
}

dv_status dv_infer_conv(dv_infer *infer)
{
    DV_TRY(check_same_dtype(infer, 1));
    DV_TRY(check_same_dtype(infer, 2));
    DV_TRY(conv_shape(infer));
    return check_vector(infer, 2, "bias", infer->shapes[0].dim[1]);
}

/* Both operands of a product of integers are of 8 bits, their zero points of the same type. */
static dv_status check_bytes(const dv_infer *infer)
{
    for (uint32_t i = 0; i < infer->input_count; i++) {
        const dv_tensor *tensor = dv_infer_input(infer, i);
        if (!tensor)
            continue;
        if (tensor->dtype != DV_DTYPE_U8 && tensor->dtype != DV_DTYPE_I8)
            return dv_infer_fail(infer, "input %u is %s, not an 8-bit integer", i + 1,
                                 dv_dtype_name(tensor->dtype));
        if (i >= 2 && tensor->dtype != dv_infer_input(infer, i - 2)->dtype)
            return dv_infer_fail(infer, "a zero point is not of its operand's type");
    }
    return DV_OK;
}

dv_status dv_infer_conv_integer(dv_infer *infer)
{
    DV_TRY(check_bytes(infer));
    if (infer->params.conv.transposed)
        return dv_infer_fail(infer, "a transposed convolution of integers");
    DV_TRY(conv_shape(infer));
    infer->dtypes[0] = DV_DTYPE_I32;
    return DV_OK;
}

dv_status dv_infer_linear(dv_infer *infer)
{
    const dv_linear_params *linear = &infer->params.linear;
    const dv_shape *x = &dv_infer_input(infer, 0)->shape, *w = &dv_infer_input(infer, 1)->shape;
    char xs[DV_SHAPE_TEXT], ws[DV_SHAPE_TEXT];
    DV_TRY(check_same_dtype(infer, 1));
    DV_TRY(check_same_dtype(infer, 2));
    if (x->rank < 1 || w->rank != 2 || (linear->input_transposed && x->rank != 2))
        return dv_infer_fail(infer, "input %s and weight %s do not match", dv_shape_text(x, xs),
                             dv_shape_text(w, ws));
    dv_shape y = *x;
    int64_t k = x->dim[x->rank - 1];
    if (linear->input_transposed) {
        k = x->dim[0];
        y.dim[0] = x->dim[1];
    }
    y.dim[y.rank - 1] = w->dim[linear->weight_kn ? 1 : 0];
    if (k != w->dim[linear->weight_kn ? 0 : 1])
        return dv_infer_fail(infer, "inputs %lld and %lld do not match", (long long)k,
                             (long long)w->dim[linear->weight_kn ? 0 : 1]);
    const dv_tensor *bias = dv_infer_input(infer, 2);
    dv_shape wide;
    if (bias && (!dv_shape_broadcast(&bias->shape, &y, &wide) || !dv_shape_equal(&wide, &y)))
        return dv_infer_fail(infer, "its bias %s does not match the output %s",
                             dv_shape_text(&bias->shape, ws), dv_shape_text(&y, xs));
    if (!isfinite(linear->alpha) || !isfinite(linear->beta))
        return dv_infer_fail(infer, "alpha and beta must be finite");
    infer->shapes[0] = y;
    return DV_OK;
}

/* As numpy's matmul: a vector is a row on the left, a column on the right, and leaves no dim. */
static dv_status matmul_shape(dv_infer *infer)
{
    const dv_shape *a = &dv_infer_input(infer, 0)->shape, *b = &dv_infer_input(infer, 1)->shape;
    char as[DV_SHAPE_TEXT], bs[DV_SHAPE_TEXT];
    if (a->rank < 1 || b->rank < 1)
        return dv_infer_fail(infer, "inputs %s and %s are no matrices", dv_shape_text(a, as),
                             dv_shape_text(b, bs));
    int64_t k = a->dim[a->rank - 1], other = b->dim[b->rank > 1 ? b->rank - 2 : 0];
    if (k != other)
        return dv_infer_fail(infer, "inputs %lld and %lld do not match", (long long)k,
                             (long long)other);
    dv_shape batch_a = *a, batch_b = *b, y;
    batch_a.rank = (uint8_t)(a->rank > 1 ? a->rank - 2 : 0);
    batch_b.rank = (uint8_t)(b->rank > 1 ? b->rank - 2 : 0);
    if (!dv_shape_broadcast(&batch_a, &batch_b, &y))
        return dv_infer_fail(infer, "batches of %s and %s do not match", dv_shape_text(a, as),
                             dv_shape_text(b, bs));
    if (a->rank > 1)
        y.dim[y.rank++] = a->dim[a->rank - 2];
    if (b->rank > 1)
        y.dim[y.rank++] = b->dim[b->rank - 1];
    infer->shapes[0] = y;
    return DV_OK;
}

dv_status dv_infer_matmul(dv_infer *infer)
{
    DV_TRY(check_same_dtype(infer, 1));
    return matmul_shape(infer);
}

dv_status dv_infer_matmul_integer(dv_infer *infer)
{
    DV_TRY(check_bytes(infer));
    DV_TRY(matmul_shape(infer));
    infer->dtypes[0] = DV_DTYPE_I32;
    return DV_OK;
}

/* With ceil_mode a last window that would begin behind the image is left out, as in ATen. */
static int64_t ceil_output(const window_dim *w, int64_t begin, int64_t end)
{
    int64_t room = w->in + begin + end - w->extent;
    int64_t out = (room + w->stride - 1) / w->stride + 1;
    return (out - 1) * w->stride >= w->in + begin ? out - 1 : out;
}

dv_status dv_infer_pool(dv_infer *infer)
{
    dv_pool_params *pool = &infer->params.pool;
    const dv_shape *x = &dv_infer_input(infer, 0)->shape;
    char text[DV_SHAPE_TEXT];
    if (x->rank < 3 || x->rank > 2 + DV_MAX_SPATIAL ||
        (pool->spatial != 0 && pool->spatial != x->rank - 2))
        return dv_infer_fail(infer, "an input of %s cannot be pooled", dv_shape_text(x, text));
    pool->spatial = (uint8_t)(x->rank - 2);
    dv_shape *y = &infer->shapes[0];
    *y = *x;
    for (unsigned d = 0; d < pool->spatial; d++) {
        int64_t *begin = &pool->pad_begin[d], *end = &pool->pad_end[d];
        if (pool->global) {
            pool->kernel[d] = x->dim[2 + d];
            pool->stride[d] = pool->dilation[d] = 1;
            *begin = *end = 0;
        }
        window_dim window = {.in = x->dim[2 + d],
                             .kernel = pool->kernel[d],
                             .stride = pool->stride[d],
                             .dilation = pool->dilation[d]};
        DV_TRY(check_window(infer, &window, *begin, *end));
        resolve_auto_pad(pool->auto_pad, &window, begin, end);
        if (*begin >= window.extent || *end >= window.extent)
            return dv_infer_fail(infer, "its padding is as wide as its window");
        DV_TRY(window_output(infer, &window, *begin, *end, &y->dim[2 + d]));
        if (pool->ceil_mode)
            y->dim[2 + d] = ceil_output(&window, *begin, *end);
    }
    pool->auto_pad = DV_PAD_EXPLICIT;
    pool->global = false;
    if (infer->kind == DV_OP_MAX_POOL && infer->output_count > 1) {
        infer->known_outputs = 2;
        infer->shapes[1] = *y;
        infer->dtypes[1] = DV_DTYPE_I64;
    }
    return DV_OK;
}
