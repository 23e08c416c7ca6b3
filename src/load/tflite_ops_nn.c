/* tflite_ops_nn.c - convolutions, matrix products, pooling, resampling. */
#include <string.h>

#include "load/tflite_build.h"

/* Orders of a weight's dims: OHWI to OIHW, 1HWC to C1HW, OHWI to IOHW. */
static const uint8_t ohwi_to_oihw[] = {0, 3, 1, 2}, hwc_to_chw[] = {3, 0, 1, 2},
                     ohwi_to_iohw[] = {3, 0, 1, 2};

/* Padding: 0 SAME, 1 VALID. */
static dv_status read_padding(const dv_tfl_at *at, dv_auto_pad *out)
{
    uint8_t padding = dv_fb_u8(&at->options, 0, 0);
    if (padding > 1)
        return dv_fail(DV_BAD_INPUT, "its padding %u is neither SAME nor VALID", (unsigned)padding);
    *out = padding == 0 ? DV_PAD_SAME_UPPER : DV_PAD_VALID;
    return DV_OK;
}

/* A weight in the order perm: converted once where it is a constant, else permuted as it runs. */
static dv_status weight(dv_tfl_at *at, uint32_t i, const uint8_t *perm, dv_tensor_id *id)
{
    uint32_t slot = dv_tfl_slot_of(at, i);
    if (at->b->scope->slots[slot].constant != DV_NONE)
        return dv_tfl_weight(at->b, slot, perm, id);
    dv_op_params params = {.permute = {.rank = 4}};
    memcpy(params.permute.perm, perm, 4);
    DV_TRY(dv_tfl_plain_input(at, i, id));
    return dv_tfl_emit1(at, DV_OP_PERMUTE, &params, *id, id);
}

/* Emits a convolution of input `image` by the weight in input 1 and the bias in input `bias`, if it
   is given. */
static dv_status convolve(dv_tfl_at *at, const dv_op_params *params, uint32_t image,
                          const uint8_t *perm, uint32_t bias, dv_tensor_id *id)
{
    dv_tensor_id ids[3];
    DV_TRY(dv_tfl_planar_input(at, image, &ids[0]));
    DV_TRY(weight(at, 1, perm, &ids[1]));
    bool biased = dv_tfl_given(at, bias);
    if (biased)
        DV_TRY(dv_tfl_plain_input(at, bias, &ids[2]));
    return dv_tfl_emit(at, DV_OP_CONVOLUTION, params, ids, biased ? 3 : 2, id);
}

/* The image and the weight have four dims; their channels. */
static dv_status check_image(dv_tfl_at *at, uint32_t image, uint32_t weights, dv_tfl_tensor *x,
                             dv_tfl_tensor *w)
{
    DV_TRY(dv_tfl_input(at, image, x));
    DV_TRY(dv_tfl_input(at, weights, w));
    if (x->shape.rank == 0) { /* none are recorded behind a computed size */
        x->shape = (dv_shape){.rank = 4, .dim = {1, 1, 1, 1}};
        x->open = 15;
    }
    if (x->shape.rank != 4 || w->shape.rank != 4)
        return dv_fail(DV_BAD_INPUT, "its image has %u dimensions and its weight %u; both need 4",
                       (unsigned)x->shape.rank, (unsigned)w->shape.rank);
    return DV_OK;
}

dv_status dv_tfl_op_conv(dv_tfl_at *at)
{
    dv_tfl_tensor x, w;
    dv_tensor_id id;
    const dv_fb_table *o = &at->options;
    DV_TRY(check_image(at, 0, 1, &x, &w));
    dv_op_params params = {.conv = {.spatial = 2,
                                    .groups = 1,
                                    .stride = {dv_fb_i32(o, 2, 0), dv_fb_i32(o, 1, 0)},
                                    .dilation = {dv_fb_i32(o, 5, 1), dv_fb_i32(o, 4, 1)}}};
    DV_TRY(read_padding(at, &params.conv.auto_pad));
    int64_t channels = x.shape.dim[3], each = w.shape.dim[3];
    if (each > 0 && channels > each && channels % each == 0)
        params.conv.groups = channels / each;
    DV_TRY(convolve(at, &params, 0, ohwi_to_oihw, 2, &id));
    return dv_tfl_result_activated(at, 3, id, true);
}

dv_status dv_tfl_op_depthwise(dv_tfl_at *at)
{
    dv_tfl_tensor x, w;
    dv_tensor_id id;
    const dv_fb_table *o = &at->options;
    DV_TRY(check_image(at, 0, 1, &x, &w));
    int32_t each = dv_fb_i32(o, 3, 0); /* results of a channel */
    bool told = x.open & 8 && each > 0 && w.shape.dim[3] % each == 0;
    dv_op_params params = {.conv = {.spatial = 2,
                                    .groups = told ? w.shape.dim[3] / each : x.shape.dim[3],
                                    .stride = {dv_fb_i32(o, 2, 0), dv_fb_i32(o, 1, 0)},
                                    .dilation = {dv_fb_i32(o, 6, 1), dv_fb_i32(o, 5, 1)}}};
    DV_TRY(read_padding(at, &params.conv.auto_pad));
    DV_TRY(convolve(at, &params, 0, hwc_to_chw, 2, &id));
    return dv_tfl_result_activated(at, 4, id, true);
}

/* Transposed: the output's size is stated, and says how much is padded. */
static dv_status transposed(dv_tfl_at *at, uint32_t image, uint32_t weights, dv_auto_pad padding,
                            int64_t stride_h, int64_t stride_w, const int64_t *size,
                            dv_op_params *params)
{
    dv_tfl_tensor x, w;
    DV_TRY(check_image(at, image, weights, &x, &w));
    *params = (dv_op_params){.conv = {.spatial = 2,
                                      .transposed = true,
                                      .auto_pad = padding,
                                      .groups = 1,
                                      .stride = {stride_h, stride_w},
                                      .dilation = {1, 1},
                                      .output_shape = {size[0], size[1]}}};
    return DV_OK;
}

/* Volumes are NDHWC, their weights DHWIO (transposed: DHWOI). */
static const uint8_t to_volume[] = {0, 4, 1, 2, 3}, from_volume[] = {0, 2, 3, 4, 1};
static const uint8_t volume_weight[] = {4, 3, 0, 1, 2};

static dv_status permute5(dv_tfl_at *at, const uint8_t *perm, dv_tensor_id *id)
{
    dv_op_params params = {.permute = {.rank = 5}};
    memcpy(params.permute.perm, perm, 5);
    return dv_tfl_emit1(at, DV_OP_PERMUTE, &params, *id, id);
}

/* Input `volume` by the weight in input 1 and the bias in input `bias`. */
static dv_status convolve_volume(dv_tfl_at *at, dv_op_params *params, uint32_t volume,
                                 uint32_t bias)
{
    const dv_fb_table *o = &at->options;
    dv_tfl_tensor x, w;
    dv_tensor_id ids[3];
    DV_TRY(dv_tfl_input(at, volume, &x));
    DV_TRY(dv_tfl_input(at, 1, &w));
    if (x.shape.rank != 5 || w.shape.rank != 5)
        return dv_fail(DV_BAD_INPUT, "its volume has %u dimensions and its weight %u; both need 5",
                       (unsigned)x.shape.rank, (unsigned)w.shape.rank);
    dv_conv_params *conv = &params->conv;
    int64_t channels = x.shape.dim[4], each = w.shape.dim[3];
    conv->spatial = 3;
    conv->groups = !conv->transposed && each > 0 && channels > each && channels % each == 0
                       ? channels / each
                       : 1;
    const unsigned stride[] = {1, 3, 2}, dilation[] = {5, 7, 6};
    for (int d = 0; d < 3; d++) {
        conv->stride[d] = dv_fb_i32(o, stride[d], 0);
        conv->dilation[d] = dv_fb_i32(o, dilation[d], 1);
    }
    DV_TRY(read_padding(at, &conv->auto_pad));
    DV_TRY(dv_tfl_plain_input(at, volume, &ids[0]));
    DV_TRY(permute5(at, to_volume, &ids[0]));
    if (at->b->scope->slots[dv_tfl_slot_of(at, 1)].constant != DV_NONE) {
        DV_TRY(dv_tfl_weight(at->b, dv_tfl_slot_of(at, 1), volume_weight, &ids[1]));
    } else {
        DV_TRY(dv_tfl_plain_input(at, 1, &ids[1]));
        DV_TRY(permute5(at, volume_weight, &ids[1]));
    }
    bool biased = dv_tfl_given(at, bias);
    if (biased)
        DV_TRY(dv_tfl_plain_input(at, bias, &ids[2]));
    DV_TRY(dv_tfl_emit(at, DV_OP_CONVOLUTION, params, ids, biased ? 3 : 2, &ids[0]));
    DV_TRY(permute5(at, from_volume, &ids[0]));
    return dv_tfl_result_activated(at, 4, ids[0], false);
}

dv_status dv_tfl_op_conv_3d(dv_tfl_at *at)
{
    dv_op_params params = {0};
    return convolve_volume(at, &params, 0, 2);
}

/* The output's shape: a constant, or where it is computed (of a batch that is open, mostly) what
   the file has recorded. Of a batch's size nobody makes use. */
static dv_status output_size(dv_tfl_at *at, int rank, int64_t *size, int *count)
{
    dv_tfl_tensor out, image;
    DV_TRY(dv_tfl_ints(at, 0, (size_t)rank, size, count));
    DV_TRY(dv_tfl_output(at, 0, &out));
    DV_TRY(dv_tfl_input(at, 2, &image));
    unsigned inner = (1u << (rank - 1)) - 2;
    if (*count >= 0 || out.shape.rank != rank || (out.open | image.open) & inner)
        return DV_OK;
    memcpy(size, out.shape.dim, (size_t)rank * sizeof *size);
    *count = rank;
    return DV_OK;
}

/* (output's shape, weight, volume, bias) */
dv_status dv_tfl_op_transpose_conv_3d(dv_tfl_at *at)
{
    int64_t size[5];
    int count;
    dv_op_params params = {.conv = {.transposed = true}};
    DV_TRY(output_size(at, 5, size, &count));
    if (count != 5)
        return dv_tfl_opaque(at, "its output's shape is computed, which is not supported");
    memcpy(params.conv.output_shape, size + 1, 3 * sizeof *size);
    return convolve_volume(at, &params, 2, 3);
}

dv_status dv_tfl_op_transpose_conv(dv_tfl_at *at)
{
    int64_t size[4];
    int count;
    dv_op_params params;
    dv_auto_pad padding = DV_PAD_VALID;
    dv_tensor_id id;
    DV_TRY(read_padding(at, &padding));
    DV_TRY(output_size(at, 4, size, &count));
    if (count != 4)
        return dv_tfl_opaque(at, "its output's shape is computed, which is not supported");
    DV_TRY(transposed(at, 2, 1, padding, dv_fb_i32(&at->options, 2, 0),
                      dv_fb_i32(&at->options, 1, 0), size + 1, &params));
    DV_TRY(convolve(at, &params, 2, ohwi_to_iohw, 3, &id));
    return dv_tfl_result_activated(at, 3, id, true);
}

/* MediaPipe's Convolution2DTransposeBias: (image, weight OHWI, bias), and as options the C struct
   {int32 padding (1 SAME, 2 VALID), stride width, stride height}; transpose_conv_bias.cc of
   MediaPipe. */
dv_status dv_tfl_op_custom_transposed(dv_tfl_at *at)
{
    dv_fb_vector options = dv_fb_list(&at->node, 5, 1);
    dv_fb_vector fields = {options.fb, options.at, options.count / 4, 4};
    dv_tfl_tensor x, w;
    dv_op_params params;
    dv_tensor_id id;
    if (at->inputs.count != 3 || fields.count < 3)
        return dv_tfl_opaque(at, "its options are not those that MediaPipe writes");
    int32_t padding = dv_fb_i32_at(&fields, 0);
    int64_t stride_w = dv_fb_i32_at(&fields, 1), stride_h = dv_fb_i32_at(&fields, 2);
    DV_TRY(check_image(at, 0, 1, &x, &w));
    if ((padding != 1 && padding != 2) || stride_w < 1 || stride_h < 1 || x.open & 6)
        return dv_tfl_opaque(at, "its options are not those that MediaPipe writes");
    int64_t size[] = {x.shape.dim[1] * stride_h, x.shape.dim[2] * stride_w};
    if (padding == 2) {
        size[0] += w.shape.dim[1] - stride_h;
        size[1] += w.shape.dim[2] - stride_w;
    }
    DV_TRY(transposed(at, 0, 1, padding == 1 ? DV_PAD_SAME_UPPER : DV_PAD_VALID, stride_h, stride_w,
                      size, &params));
    DV_TRY(convolve(at, &params, 0, ohwi_to_iohw, 2, &id));
    return dv_tfl_result(at, 0, id, true);
}

static dv_status read_pool(dv_tfl_at *at, dv_op_params *params)
{
    dv_tfl_tensor x;
    const dv_fb_table *o = &at->options;
    DV_TRY(dv_tfl_input(at, 0, &x));
    if (x.shape.rank != 4)
        return dv_fail(DV_BAD_INPUT, "its image has %u dimensions, not 4", (unsigned)x.shape.rank);
    *params = (dv_op_params){.pool = {.spatial = 2,
                                      .kernel = {dv_fb_i32(o, 4, 0), dv_fb_i32(o, 3, 0)},
                                      .stride = {dv_fb_i32(o, 2, 0), dv_fb_i32(o, 1, 0)},
                                      .dilation = {1, 1}}};
    return read_padding(at, &params->pool.auto_pad);
}

dv_status dv_tfl_op_pool(dv_tfl_at *at)
{
    dv_tensor_id id;
    dv_op_params params;
    DV_TRY(read_pool(at, &params));
    DV_TRY(dv_tfl_planar_input(at, 0, &id));
    DV_TRY(dv_tfl_emit1(at, at->rule->kind, &params, id, &id));
    return dv_tfl_result_activated(at, 5, id, true);
}

/* The root of the mean square of each window. */
dv_status dv_tfl_op_l2_pool(dv_tfl_at *at)
{
    dv_tensor_id id;
    dv_op_params params;
    DV_TRY(read_pool(at, &params));
    DV_TRY(dv_tfl_planar_input(at, 0, &id));
    DV_TRY(dv_tfl_emit2(at, DV_OP_MUL, NULL, id, id, &id));
    DV_TRY(dv_tfl_emit1(at, DV_OP_AVG_POOL, &params, id, &id));
    DV_TRY(dv_tfl_emit1(at, DV_OP_SQRT, NULL, id, &id));
    return dv_tfl_result_activated(at, 5, id, true);
}

/* TFLite does not divide alpha by the number of channels summed. */
dv_status dv_tfl_op_lrn(dv_tfl_at *at)
{
    dv_tfl_tensor x;
    dv_tensor_id id;
    const dv_fb_table *o = &at->options;
    int64_t size = 2 * (int64_t)dv_fb_i32(o, 0, 0) + 1;
    DV_TRY(dv_tfl_input(at, 0, &x));
    if (x.shape.rank != 4 || size < 1)
        return dv_tfl_opaque(at, "an input of %u dimensions is not supported",
                             (unsigned)x.shape.rank);
    dv_op_params params = {.lrn = {.size = size,
                                   .alpha = (double)dv_fb_f32(o, 2, 0) * (double)size,
                                   .beta = (double)dv_fb_f32(o, 3, 0),
                                   .bias = (double)dv_fb_f32(o, 1, 0)}};
    DV_TRY(dv_tfl_planar_input(at, 0, &id));
    DV_TRY(dv_tfl_emit1(at, DV_OP_LRN, &params, id, &id));
    return dv_tfl_result(at, 0, id, true);
}

/* ---- matrix products ---- */

dv_status dv_tfl_op_fully_connected(dv_tfl_at *at)
{
    dv_tfl_tensor x, w;
    dv_tensor_id ids[3], shape;
    dv_op_params params = {.linear = {.alpha = 1, .beta = 1}};
    if (dv_fb_u8(&at->options, 1, 0) != 0)
        return dv_tfl_opaque(at, "shuffled weights are not supported");
    DV_TRY(dv_tfl_input(at, 0, &x));
    DV_TRY(dv_tfl_input(at, 1, &w));
    if (w.shape.rank != 2)
        return dv_fail(DV_BAD_INPUT, "its weight has %u dimensions, not 2", (unsigned)w.shape.rank);
    DV_TRY(dv_tfl_plain_input(at, 0, &ids[0]));
    DV_TRY(dv_tfl_plain_input(at, 1, &ids[1]));
    bool biased = dv_tfl_given(at, 2);
    if (biased)
        DV_TRY(dv_tfl_plain_input(at, 2, &ids[2]));
    bool keeps = dv_fb_flag(&at->options, 2, false);
    if (x.shape.rank != 2 && !(keeps && x.shape.rank > 0)) {
        const int64_t rows[] = {-1, w.shape.dim[1]};
        DV_TRY(dv_tfl_longs(at, rows, 2, &shape));
        DV_TRY(dv_tfl_emit2(at, DV_OP_VIEW, NULL, ids[0], shape, &ids[0]));
    }
    DV_TRY(dv_tfl_emit(at, DV_OP_LINEAR, &params, ids, biased ? 3 : 2, &ids[0]));
    return dv_tfl_result_activated(at, 0, ids[0], false);
}

static dv_status adjoint(dv_tfl_at *at, uint32_t i, dv_tensor_id *id)
{
    dv_tfl_tensor tensor;
    DV_TRY(dv_tfl_input(at, i, &tensor));
    uint8_t rank = tensor.shape.rank;
    if (rank < 2)
        return dv_fail(DV_BAD_INPUT, "its operand %u is no matrix", i);
    dv_op_params params = {.permute = {.rank = rank}};
    for (uint8_t d = 0; d < rank; d++)
        params.permute.perm[d] = d;
    params.permute.perm[rank - 2] = (uint8_t)(rank - 1);
    params.permute.perm[rank - 1] = (uint8_t)(rank - 2);
    return dv_tfl_emit1(at, DV_OP_PERMUTE, &params, *id, id);
}

dv_status dv_tfl_op_batch_matmul(dv_tfl_at *at)
{
    dv_tensor_id ids[2];
    for (uint32_t i = 0; i < 2; i++) {
        DV_TRY(dv_tfl_plain_input(at, i, &ids[i]));
        if (dv_fb_flag(&at->options, i, false))
            DV_TRY(adjoint(at, i, &ids[i]));
    }
    DV_TRY(dv_tfl_emit(at, DV_OP_MATMUL, NULL, ids, 2, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], false);
}

/* ---- resampling ---- */

/* TFLite's nearest pixel is the floor of the scaled index, rounded up from a half with aligned
   corners; half-pixel centres move it by a half before. */
static dv_status read_modes(dv_tfl_at *at, dv_resize_params *resize)
{
    bool bilinear = at->rule->kind == DV_OP_UPSAMPLE_BILINEAR;
    bool aligned = dv_fb_flag(&at->options, bilinear ? 2 : 0, false);
    bool half = dv_fb_flag(&at->options, bilinear ? 3 : 1, false);
    if (aligned && half)
        return dv_fail(DV_BAD_INPUT, "its corners cannot be aligned with half-pixel centers");
    resize->coordinate = aligned ? DV_COORDINATE_ALIGN_CORNERS
                         : half  ? DV_COORDINATE_HALF_PIXEL
                                 : DV_COORDINATE_ASYMMETRIC;
    /* floor((i + 0.5) * scale) is the pixel nearest to (i + 0.5) * scale - 0.5, halves up */
    resize->nearest = aligned || half ? DV_NEAREST_ROUND_PREFER_CEIL : DV_NEAREST_FLOOR;
    return DV_OK;
}

dv_status dv_tfl_op_resize(dv_tfl_at *at)
{
    dv_op_params params = {0}, batch = {.slice = {.count = 1, .end = {2}, .step = {1}}}, cat = {0};
    dv_tensor_id x, lead, sizes;
    DV_TRY(read_modes(at, &params.resize));
    DV_TRY(dv_tfl_planar_input(at, 0, &x));
    DV_TRY(dv_tfl_long_input(at, 1, &sizes));
    DV_TRY(dv_tfl_emit1(at, DV_OP_SHAPE, &batch, x, &lead));
    DV_TRY(dv_tfl_emit2(at, DV_OP_CAT, &cat, lead, sizes, &sizes));
    const dv_tensor_id ids[] = {x, DV_NONE, DV_NONE, sizes};
    DV_TRY(dv_tfl_emit(at, at->rule->kind, &params, ids, 4, &x));
    return dv_tfl_result(at, 0, x, true);
}
