/* Whatever the shapes, types and parameters: the reference says no with a reason, or computes. A
   sanitizer run of this suite sees every access outside an operand. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "lower/lower.h"
#include "runtime/portable/kernel.h"
#include "tests/unit/kernel_case.h"

/* --- random parameters, one function for each member of dv_op_params -----------------------------
 */

static int64_t small(dv_rng *rng, int64_t low, int64_t high)
{
    return low + (int64_t)dv_rng_below(rng, (uint64_t)(high - low + 1));
}

/* Now and then a number that overflows whatever is computed from it without care. */
static int64_t number(dv_rng *rng, int64_t low, int64_t high)
{
    static const int64_t extremes[] = {INT64_MIN, INT64_MAX, INT32_MIN, INT32_MAX, -1, 1 << 24};
    return dv_rng_below(rng, 200) == 0 ? extremes[dv_rng_below(rng, 6)] : small(rng, low, high);
}

static bool coin(dv_rng *rng)
{
    return dv_rng_below(rng, 2) == 0;
}

static double real(dv_rng *rng)
{
    static const double extremes[] = {NAN, INFINITY, -INFINITY, 0, 1e300, -1e300};
    return dv_rng_below(rng, 5) == 0 ? extremes[dv_rng_below(rng, 6)] : dv_rng_normal(rng);
}

static void random_none(dv_rng *rng, dv_op_params *p)
{
    (void)rng;
    (void)p;
}

static void random_conv(dv_rng *rng, dv_op_params *p)
{
    p->conv.spatial = (uint8_t)small(rng, 1, 3);
    p->conv.transposed = coin(rng);
    p->conv.groups = number(rng, 1, 2);
    for (int d = 0; d < DV_MAX_SPATIAL; d++) {
        p->conv.stride[d] = number(rng, 1, 2);
        p->conv.dilation[d] = number(rng, 1, 2);
        p->conv.pad_begin[d] = number(rng, -1, 2);
        p->conv.pad_end[d] = number(rng, -1, 2);
        p->conv.output_padding[d] = p->conv.transposed ? number(rng, 0, 1) : 0;
    }
}

static void random_pool(dv_rng *rng, dv_op_params *p)
{
    p->pool.spatial = (uint8_t)small(rng, 1, 3);
    p->pool.ceil_mode = coin(rng);
    p->pool.count_include_pad = coin(rng);
    for (int d = 0; d < DV_MAX_SPATIAL; d++) {
        p->pool.kernel[d] = number(rng, 1, 3);
        p->pool.stride[d] = number(rng, 1, 3);
        p->pool.dilation[d] = number(rng, 1, 2);
        p->pool.pad_begin[d] = number(rng, 0, 2);
        p->pool.pad_end[d] = number(rng, 0, 2);
        p->pool.image[d] = number(rng, 0, 8);
    }
    p->pool.whole = coin(rng);
    p->pool.by_column = coin(rng);
    p->pool.p = real(rng);
}

static void random_grid(dv_rng *rng, dv_op_params *p)
{
    p->grid = (dv_grid_params){.mode = (dv_sample_mode)small(rng, 0, 2),
                               .border = (dv_border)small(rng, 0, 2),
                               .align_corners = coin(rng)};
    p->grid.shape.rank = (uint8_t)small(rng, 3, 6);
    for (int d = 0; d < DV_MAX_RANK; d++)
        p->grid.shape.dim[d] = number(rng, 0, 3);
}

static void random_region(dv_rng *rng, dv_op_params *p)
{
    p->region = (dv_region_params){.height = number(rng, 0, 3),
                                   .width = number(rng, 0, 3),
                                   .samples = number(rng, 0, 2),
                                   .scale = real(rng),
                                   .largest = coin(rng),
                                   .half_pixel = coin(rng)};
}

static void random_spectrum(dv_rng *rng, dv_op_params *p)
{
    p->spectrum = (dv_spectrum_params){.axis = number(rng, 0, 3),
                                       .length = number(rng, 0, 4),
                                       .step = number(rng, 0, 2),
                                       .inverse = coin(rng),
                                       .onesided = coin(rng)};
}

static void random_reverse(dv_rng *rng, dv_op_params *p)
{
    p->reverse = (dv_reverse_params){number(rng, 0, 2), number(rng, 0, 2)};
}

static void random_rows(dv_rng *rng, dv_op_params *p)
{
    p->rows.rows = number(rng, 0, 3);
}

static void random_unique(dv_rng *rng, dv_op_params *p)
{
    p->unique = (dv_unique_params){number(rng, 0, 2), number(rng, 0, 3), coin(rng), coin(rng)};
}

static void random_nms(dv_rng *rng, dv_op_params *p)
{
    p->nms = (dv_nms_params){number(rng, 0, 3), number(rng, 0, 3), real(rng), real(rng), coin(rng)};
}

static void random_detect(dv_rng *rng, dv_op_params *p)
{
    p->detect = (dv_detect_params){.most = number(rng, 0, 3),
                                   .classes = number(rng, 1, 3),
                                   .classes_per_box = number(rng, 0, 2),
                                   .by_class = coin(rng),
                                   .most_per_class = number(rng, 0, 3),
                                   .score = real(rng),
                                   .overlap = coin(rng) ? 0.5 : real(rng),
                                   .y_scale = real(rng),
                                   .x_scale = real(rng),
                                   .h_scale = real(rng),
                                   .w_scale = real(rng)};
}

static void random_suppress(dv_rng *rng, dv_op_params *p)
{
    p->suppress.most = number(rng, 0, 4);
}

static void random_mel(dv_rng *rng, dv_op_params *p)
{
    p->mel = (dv_mel_params){.bins = number(rng, 0, 3),
                             .length = number(rng, 0, 4),
                             .rate = number(rng, 0, 9),
                             .low = real(rng),
                             .high = real(rng),
                             .dtype = DV_DTYPE_F32};
}

static void random_linear(dv_rng *rng, dv_op_params *p)
{
    p->linear = (dv_linear_params){.weight_kn = coin(rng), .alpha = 1, .beta = 1};
}

static void random_norm(dv_rng *rng, dv_op_params *p)
{
    p->norm.eps = real(rng);
    p->norm.axes = number(rng, 0, 3);
    p->norm.groups = number(rng, 0, 2);
}

static void random_lrn(dv_rng *rng, dv_op_params *p)
{
    p->lrn = (dv_lrn_params){number(rng, 0, 5), real(rng), real(rng), real(rng)};
}

static void random_flag(dv_rng *rng, dv_op_params *p)
{
    p->flag.on = coin(rng);
}

static void random_scalar(dv_rng *rng, dv_op_params *p)
{
    p->scalar = (dv_scalar_params){real(rng), real(rng)};
}

static void random_clamp(dv_rng *rng, dv_op_params *p)
{
    p->clamp = (dv_clamp_params){real(rng), real(rng)};
}

static void random_reduce(dv_rng *rng, dv_op_params *p)
{
    p->reduce.count = (uint8_t)small(rng, 0, 3);
    p->reduce.keep_dims = coin(rng);
    for (int i = 0; i < DV_MAX_RANK; i++)
        p->reduce.axes[i] = number(rng, 0, 3);
}

static void random_axes(dv_rng *rng, dv_op_params *p)
{
    p->axes.count = (uint8_t)small(rng, 0, 2);
    for (int i = 0; i < DV_MAX_RANK; i++)
        p->axes.axes[i] = number(rng, 0, 3);
}

static void random_axis(dv_rng *rng, dv_op_params *p)
{
    p->axis =
        (dv_axis_params){.axis = number(rng, 0, 2), .exclusive = coin(rng), .reverse = coin(rng)};
}

static dv_shape random_shape(dv_rng *rng)
{
    dv_shape shape = {.rank = (uint8_t)small(rng, 0, 5)};
    for (int d = 0; d < shape.rank; d++)
        shape.dim[d] = small(rng, dv_rng_below(rng, 4) ? 1 : 0, 3);
    return shape;
}

static void random_view(dv_rng *rng, dv_op_params *p)
{
    p->view.shape = random_shape(rng);
}

static void random_permute(dv_rng *rng, dv_op_params *p)
{
    p->permute.rank = (uint8_t)small(rng, 0, 4);
    for (uint8_t d = 0; d < p->permute.rank; d++)
        p->permute.perm[d] = d;
    for (uint8_t d = 0; d + 1 < p->permute.rank; d++) {
        uint8_t with = (uint8_t)small(rng, d, p->permute.rank - 1), held = p->permute.perm[d];
        p->permute.perm[d] = p->permute.perm[with];
        p->permute.perm[with] = held;
    }
    if (p->permute.rank && dv_rng_below(rng, 10) == 0)
        p->permute.perm[0] = (uint8_t)small(rng, 0, 255);
}

static void random_split(dv_rng *rng, dv_op_params *p)
{
    static int64_t sizes[2]; /* the graph copies them */
    sizes[0] = number(rng, 0, 3);
    sizes[1] = number(rng, 0, 2);
    p->split = (dv_split_params){.axis = number(rng, 0, 2), .count = 2, .sizes = sizes};
}

static void random_slice(dv_rng *rng, dv_op_params *p)
{
    p->slice.count = (uint8_t)small(rng, 0, 4);
    for (int d = 0; d < DV_MAX_RANK; d++) {
        p->slice.axes[d] = d;
        p->slice.step[d] = number(rng, coin(rng) ? 1 : -2, 2);
        p->slice.begin[d] = number(rng, 0, 2);
        p->slice.end[d] = number(rng, -1, 3);
    }
}

static void random_select(dv_rng *rng, dv_op_params *p)
{
    p->select = (dv_select_params){number(rng, 0, 3), number(rng, 0, 3)};
}

static void random_pad(dv_rng *rng, dv_op_params *p)
{
    p->pad.mode = (dv_pad_mode)small(rng, 0, 3);
    p->pad.rank = (uint8_t)small(rng, 0, 4);
    p->pad.value = real(rng);
    for (int d = 0; d < DV_MAX_RANK; d++) {
        p->pad.begin[d] = number(rng, -2, 3);
        p->pad.end[d] = number(rng, -2, 3);
    }
}

static void random_resize(dv_rng *rng, dv_op_params *p)
{
    p->resize.coordinate = (dv_coordinate_mode)small(rng, 0, 5);
    p->resize.antialias = coin(rng);
    for (int i = 0; i < 4; i++)
        p->resize.roi[i] = real(rng);
    p->resize.nearest = (dv_nearest_mode)small(rng, 0, 3);
    p->resize.scale_h = coin(rng) ? (double)small(rng, 1, 3) : real(rng);
    p->resize.scale_w = coin(rng) ? (double)small(rng, 1, 3) : real(rng);
}

static void random_shuffle(dv_rng *rng, dv_op_params *p)
{
    p->shuffle = (dv_shuffle_params){number(rng, 0, 2), coin(rng)};
}

static void random_tri(dv_rng *rng, dv_op_params *p)
{
    p->tri = (dv_tri_params){number(rng, -3, 3), coin(rng)};
}

static dv_dtype random_dtype(dv_rng *rng)
{
    if (dv_rng_below(rng, 4))
        return DV_DTYPE_F32;
    return (dv_dtype)small(rng, DV_DTYPE_F32, DV_DTYPE_BOOL);
}

static void random_cast(dv_rng *rng, dv_op_params *p)
{
    p->cast.dtype = random_dtype(rng);
}

static void random_full(dv_rng *rng, dv_op_params *p)
{
    p->full = (dv_full_params){random_shape(rng), random_dtype(rng), real(rng)};
}

static void random_topk(dv_rng *rng, dv_op_params *p)
{
    p->topk = (dv_topk_params){number(rng, 0, 2), number(rng, 0, 3), coin(rng)};
}

static void random_scatter(dv_rng *rng, dv_op_params *p)
{
    p->scatter = (dv_scatter_params){number(rng, 0, 2), (dv_scatter_mode)small(rng, 0, 4)};
}

static void random_rnn(dv_rng *rng, dv_op_params *p)
{
    p->rnn = (dv_rnn_params){.hidden = number(rng, 0, 2),
                             .directions = number(rng, 1, 2),
                             .reverse = coin(rng),
                             .batch_first = coin(rng),
                             .reset_after = coin(rng),
                             .coupled = coin(rng),
                             .clip = real(rng)};
}

static void random_quant(dv_rng *rng, dv_op_params *p)
{
    p->quant =
        (dv_quant_params){number(rng, 0, 2), (dv_dtype)small(rng, DV_DTYPE_F32, DV_DTYPE_BOOL)};
}

static void (*const random_params[DV_OP_COUNT])(dv_rng *, dv_op_params *) = {
#define OP(kind, name, family, least, most, params, shape, work) random_##params,
#include "core/ops.def"
#undef OP
};

/* --- random operands
 * ------------------------------------------------------------------------------ */

/* A shape near another: what is right for most kinds, and what is just wrong. */
static dv_shape near_shape(dv_rng *rng, dv_shape shape)
{
    switch (dv_rng_below(rng, 6)) {
    case 0:
        return random_shape(rng);
    case 1:
        if (shape.rank > 0)
            shape.dim[dv_rng_below(rng, shape.rank)] = small(rng, 0, 3);
        return shape;
    case 2:
        if (shape.rank > 0)
            shape.rank--;
        return shape;
    default:
        return shape;
    }
}

static void add_operand(dv_rng *rng, kernel_case *c, dv_dtype dtype, dv_shape shape, bool input)
{
    char text[DV_SHAPE_TEXT];
    if (shape.rank == 0)
        text[0] = '\0';
    else
        dv_shape_text(&shape, text);
    if (!input) {
        kernel_output(c, dtype, text);
        return;
    }
    unsigned char bytes[8 * 3 * 3 * 3 * 3 * 3];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)dv_rng_next(rng);
    if (dtype == DV_DTYPE_I64 && coin(rng))
        kernel_input(c, dtype, text, NULL); /* small: indices that are in range */
    else
        kernel_input(c, dtype, text, bytes);
}

/* The output that lowering infers for the case's operator; false if it says no. */
static bool inferred(const kernel_case *c, dv_dtype *dtype, dv_shape *shape)
{
    dv_graph *graph = dv_graph_create("case", "graph"), *out = NULL;
    dv_tensor_id inputs[KERNEL_OPERANDS], output;
    dv_tensor unknown = {.name = "y", .shape = {.rank = DV_RANK_UNKNOWN}};
    dv_status status = DV_OK;
    for (uint32_t i = 0; i < c->input_count && status == DV_OK; i++) {
        dv_tensor tensor = {.name = "x",
                            .dtype = c->inputs[i].dtype,
                            .shape = c->inputs[i].shape,
                            .role = DV_ROLE_INPUT};
        status = dv_graph_add_tensor(graph, &tensor, &inputs[i]);
    }
    if (status == DV_OK)
        status = dv_graph_add_tensor(graph, &unknown, &output);
    dv_op op = {.kind = c->kind,
                .name = "it",
                .source_type = "It",
                .input_count = c->input_count,
                .output_count = 1,
                .inputs = inputs,
                .outputs = &output,
                .params = c->params};
    dv_op_id id;
    if (status == DV_OK)
        status = dv_graph_add_op(graph, &op, &id);
    if (status == DV_OK)
        status = dv_graph_add_output(graph, output);
    if (status == DV_OK)
        status = dv_graph_finish(graph);
    for (size_t i = 0; status == DV_OK && dv_pass_at(i); i++)
        if (strcmp(dv_pass_at(i)->name, "infer") == 0) {
            dv_lower_options options = {0};
            status = dv_pass_at(i)->run(graph, &options, &out);
            break;
        }
    bool known = status == DV_OK && out && out->op_count == 1 && out->ops[0].output_count == 1;
    if (known) {
        *dtype = out->tensors[out->ops[0].outputs[0]].dtype;
        *shape = out->tensors[out->ops[0].outputs[0]].shape;
        known = dv_shape_known(shape) && *dtype != DV_DTYPE_NONE;
    }
    dv_graph_destroy(out);
    dv_graph_destroy(graph);
    return known;
}

/* One element for each index of a dim of x. */
static bool along(const dv_shape *x, int64_t axis, dv_shape *shape)
{
    if (axis < 0 || axis >= x->rank)
        return false;
    *shape = dv_shape_make(&x->dim[axis], 1);
    return true;
}

/* What the i-th input of a kind should be, given the first; other kinds take shapes near it. */
static bool fitting_shape(dv_rng *rng, const kernel_case *c, uint32_t i, dv_shape *shape)
{
    const dv_shape *x = &c->inputs[0].shape;
    const dv_conv_params *conv = &c->params.conv;
    int64_t channels = x->rank > 1 ? x->dim[1] : 1, width = x->rank > 0 ? x->dim[x->rank - 1] : 1;
    bool zero_point = c->kind == DV_OP_CONV_INTEGER || c->kind == DV_OP_MATMUL_INTEGER;
    if (zero_point && i >= 2) {
        *shape = (dv_shape){0};
        return true;
    }
    switch (c->kind) {
    case DV_OP_CONV_INTEGER:
    case DV_OP_CONVOLUTION: {
        int64_t out = small(rng, 1, 2) * 2, g = conv->groups == 2 ? 2 : 1;
        *shape = dv_shape_make((int64_t[]){out, channels / g, 1, 2, 2}, conv->spatial + 2u);
        if (conv->transposed)
            *shape = dv_shape_make((int64_t[]){channels, out / g, 1, 2, 2}, conv->spatial + 2u);
        if (i == 2)
            *shape = dv_shape_make((int64_t[]){conv->transposed ? c->inputs[1].shape.dim[1] * g
                                                                : c->inputs[1].shape.dim[0]},
                                   1);
        return true;
    }
    case DV_OP_LINEAR:
        *shape = dv_shape_make((int64_t[]){c->params.linear.weight_kn ? width : 3,
                                           c->params.linear.weight_kn ? 3 : width},
                               2);
        if (i == 2)
            *shape = dv_shape_make((int64_t[]){3}, 1);
        return true;
    case DV_OP_RNN:
    case DV_OP_GRU:
    case DV_OP_LSTM: {
        const dv_rnn_params *rnn = &c->params.rnn;
        if (rnn->hidden < 0 || rnn->hidden > 3 || rnn->directions < 0 || rnn->directions > 2)
            return false;
        int64_t rows = rnn->hidden * (c->kind == DV_OP_LSTM ? 4 : c->kind == DV_OP_GRU ? 3 : 1);
        *shape = dv_shape_make(
            (int64_t[]){rnn->directions, i == 3 ? 2 * rows : rows, i == 1 ? width : rnn->hidden},
            i == 3 ? 2 : 3);
        return true;
    }
    case DV_OP_BATCH_NORM:
    case DV_OP_GROUP_NORM:
        *shape = dv_shape_make((int64_t[]){channels}, 1);
        return true;
    case DV_OP_MAX_UNPOOL:
        *shape = *x;
        return true;
    case DV_OP_ROI_ALIGN:
    case DV_OP_MAX_ROI_POOL:
        *shape = dv_shape_make((int64_t[]){2, c->kind == DV_OP_ROI_ALIGN ? 4 : 5}, i == 2 ? 1 : 2);
        return true;
    case DV_OP_SUPPRESS:
        *shape = dv_shape_make(&x->dim[0], i == 1 ? 1 : 0);
        return x->rank > 0;
    case DV_OP_DETECT: /* scores, with a background or not, and anchors */
        if (x->rank < 2 || c->params.detect.classes < 1 || c->params.detect.classes > 3)
            return false;
        *shape = dv_shape_make((int64_t[]){1, x->dim[1], c->params.detect.classes + coin(rng)}, 3);
        if (i == 2)
            *shape = dv_shape_make((int64_t[]){x->dim[1], 4}, 2);
        return true;
    case DV_OP_REVERSE_SEQUENCE:
        return along(x, c->params.reverse.batch, shape);
    case DV_OP_QUANTIZE_CHANNEL:
    case DV_OP_DEQUANTIZE_CHANNEL:
        return along(x, c->params.quant.axis, shape);
    case DV_OP_LAYER_NORM:
        *shape = dv_shape_make((int64_t[]){width}, 1);
        return true;
    case DV_OP_NMS:
        *shape = dv_shape_make((int64_t[]){x->rank > 0 ? x->dim[0] : 1, 2, channels}, 3);
        return true;
    default:
        return false;
    }
}

/* What the first input of a few kinds must be, where random shapes seldom are. */
static bool first_shape(dv_rng *rng, const kernel_case *c, dv_shape *shape)
{
    const dv_shape *image = &c->params.grid.shape;
    switch (c->kind) {
    case DV_OP_AFFINE_GRID:
        *shape = dv_shape_make((int64_t[]){image->dim[0], image->rank - 2, image->rank - 1}, 3);
        return image->rank >= 2 && image->dim[0] >= 0 && image->dim[0] < 4;
    case DV_OP_SUPPRESS:
        *shape = dv_shape_make((int64_t[]){small(rng, 0, 6), 4}, 2);
        return true;
    case DV_OP_DETECT:
        *shape = dv_shape_make((int64_t[]){1, small(rng, 0, 6), small(rng, 3, 5)}, 3);
        return true;
    default:
        return false;
    }
}

static dv_shape random_input_shape(dv_rng *rng, const kernel_case *c, uint32_t i, dv_shape last)
{
    dv_shape shape;
    bool convolves = c->kind == DV_OP_CONVOLUTION || c->kind == DV_OP_CONV_INTEGER;
    if (i == 0 && convolves && dv_rng_below(rng, 8)) {
        shape = random_shape(rng);
        shape.rank = (uint8_t)(c->params.conv.spatial + 2);
        for (int d = 0; d < shape.rank; d++)
            shape.dim[d] = d == 1 ? 2 : small(rng, dv_rng_below(rng, 6) ? 1 : 0, 3);
        return shape;
    }
    if (i == 0 && c->kind == DV_OP_NMS)
        return dv_shape_make((int64_t[]){small(rng, 0, 2), small(rng, 0, 5), 4}, 3);
    if (i == 0 && dv_rng_below(rng, 8) && first_shape(rng, c, &shape))
        return shape;
    if (i == 0)
        return random_shape(rng);
    if (dv_rng_below(rng, 8) && fitting_shape(rng, c, i, &shape))
        return shape;
    return near_shape(rng, last);
}

/* The outputs of a split, of the sizes it states where they are reasonable. */
static void add_parts(dv_rng *rng, kernel_case *c)
{
    dv_split_params *p = &c->params.split;
    for (int part = 0; part < 2; part++) {
        dv_shape shape = c->inputs[0].shape;
        if (p->axis >= 0 && p->axis < shape.rank && p->sizes[part] >= 0 && p->sizes[part] < 8)
            shape.dim[p->axis] = p->sizes[part];
        add_operand(rng, c, c->inputs[0].dtype,
                    dv_rng_below(rng, 10) ? shape : near_shape(rng, shape), false);
    }
}

/* The type that the i-th input of a kind should have, where the others have dtype. */
static dv_dtype input_dtype(dv_op_kind kind, uint32_t i, dv_dtype dtype)
{
    bool dequantises = kind == DV_OP_DEQUANTIZE || kind == DV_OP_DEQUANTIZE_CHANNEL;
    bool indexed = dv_op_info_of(kind)->family == DV_FAMILY_GATHER && kind != DV_OP_GRID_SAMPLE &&
                   kind != DV_OP_NMS && kind != DV_OP_SUPPRESS && kind != DV_OP_DETECT;
    if (dequantises)
        return i == 1 ? DV_DTYPE_F32 : DV_DTYPE_U8;
    if (kind == DV_OP_WHERE && i == 0)
        return DV_DTYPE_BOOL;
    if ((i == 1 && (indexed || kind == DV_OP_MAX_UNPOOL || kind == DV_OP_REVERSE_SEQUENCE)) ||
        (i == 2 && kind == DV_OP_ROI_ALIGN))
        return DV_DTYPE_I64;
    return dtype;
}

static kernel_case random_case(dv_rng *rng, dv_op_kind kind)
{
    const dv_op_info *info = dv_op_info_of(kind);
    kernel_case c = kernel_case_of(kind);
    uint32_t most = info->most_inputs > 5 ? 5 : info->most_inputs;
    uint32_t inputs = (uint32_t)small(rng, info->least_inputs, most);
    dv_dtype dtype = random_dtype(rng);
    dv_shape shape = {0}, first;
    random_params[kind](rng, &c.params);
    if ((kind == DV_OP_CONV_INTEGER || kind == DV_OP_MATMUL_INTEGER) && dv_rng_below(rng, 8))
        dtype = coin(rng) ? DV_DTYPE_U8 : DV_DTYPE_I8;
    for (uint32_t i = 0; i < inputs; i++) {
        shape = random_input_shape(rng, &c, i, shape);
        bool odd = dv_rng_below(rng, 20) == 0;
        add_operand(rng, &c, odd ? random_dtype(rng) : input_dtype(kind, i, dtype), shape, true);
    }
    bool regular = dv_rng_below(rng, 3) > 0 && inferred(&c, &dtype, &first);
    size_t elements;
    if (!regular || !dv_shape_elements(&first, &elements) || elements > 100000)
        first = near_shape(rng, c.input_count ? c.inputs[0].shape : shape);
    if (kind == DV_OP_SPLIT)
        add_parts(rng, &c);
    else
        add_operand(rng, &c, dtype, first, false);
    return c;
}

static void test_every_kind_says_no_or_computes_inside_its_operands(void)
{
    enum { CASES = 1000 };
    for (int kind = 0; kind < DV_OP_COUNT; kind++) {
        uint32_t run = 0, refused = 0;
        for (uint64_t seed = 0; seed < CASES; seed++) {
            dv_rng rng = dv_rng_seeded(seed * DV_OP_COUNT + (uint64_t)kind);
            kernel_case c = random_case(&rng, (dv_op_kind)kind);
            dv_status status = kernel_run(&c);
            bool no = c.why[0] != '\0';
            if (status != DV_OK && status != DV_BAD_INPUT) {
                printf("\n    %s, seed %lu: %s", dv_op_info_of((dv_op_kind)kind)->name,
                       (unsigned long)seed, dv_message());
                CU_FAIL("neither an answer nor a no");
            }
            run += !no;
            refused += no;
            kernel_end(&c);
        }
        if (getenv("DIVVY_TEST_VERBOSE"))
            printf("\n    %-44s %5u run %5u refused", dv_op_info_of((dv_op_kind)kind)->name, run,
                   refused);
        bool has_kernel = dv_kernel_of((dv_op_kind)kind)->run != NULL;
        if (has_kernel && run == 0)
            printf("\n    %s never ran", dv_op_info_of((dv_op_kind)kind)->name);
        CU_ASSERT_EQUAL(run > 0, has_kernel);
    }
}

DV_SUITE(property_portable_shapes,
         DV_TEST(test_every_kind_says_no_or_computes_inside_its_operands));
