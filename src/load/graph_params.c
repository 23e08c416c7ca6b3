#include "load/graph_params.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static const char *const auto_pads[] = {"explicit", "same_upper", "same_lower", "valid", NULL};
static const char *const pad_modes[] = {"constant", "reflect", "edge", "wrap", NULL};
static const char *const scatter_modes[] = {"set", "add", "mul", "max", "min", NULL};
static const char *const activations[] = {"sigmoid", "tanh", "relu", NULL};
static const char *const coordinates[] = {
    "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "symmetric", "crop", NULL};
static const char *const resize_policies[] = {"stretch", "not_larger", "not_smaller", NULL};
static const char *const nearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil",
                                      NULL};

#define FLAG(s, m)                                       \
    {                                                    \
#m, DV_FIELD_FLAG, offsetof(s, m), 0, 0, 0, NULL \
    }
#define INTEGER(s, m, a)                                    \
    {                                                       \
#m, DV_FIELD_INTEGER, offsetof(s, m), 0, 0, a, NULL \
    }
#define NUMBER(s, m, a)                                    \
    {                                                      \
#m, DV_FIELD_NUMBER, offsetof(s, m), 0, 0, a, NULL \
    }
#define CHOICE(s, m, n)                                 \
    {                                                   \
#m, DV_FIELD_CHOICE, offsetof(s, m), 0, 0, 0, n \
    }
#define DTYPE(s, m)                                       \
    {                                                     \
#m, DV_FIELD_DTYPE, offsetof(s, m), 0, 0, 0, NULL \
    }
#define SHAPE(s, m)                                       \
    {                                                     \
#m, DV_FIELD_SHAPE, offsetof(s, m), 0, 0, 0, NULL \
    }
#define LIST(s, m, c, n, a)                                           \
    {                                                                 \
#m, DV_FIELD_LIST, offsetof(s, m), offsetof(s, c), n, a, NULL \
    }
#define BYTES(s, m, c, n)                                              \
    {                                                                  \
#m, DV_FIELD_BYTES, offsetof(s, m), offsetof(s, c), n, 0, NULL \
    }
#define SIZES(s, m)                                                        \
    {                                                                      \
#m, DV_FIELD_SIZES, offsetof(s, m), offsetof(s, count), 0, 0, NULL \
    }
#define END                                   \
    {                                         \
        NULL, DV_FIELD_FLAG, 0, 0, 0, 0, NULL \
    }

static const char *const sample_modes[] = {"nearest", "linear", "cubic", NULL};
static const char *const borders[] = {"zeros", "edge", "reflect", NULL};

static const dv_field none_fields[] = {END};
static const dv_field conv_fields[] = {
    FLAG(dv_conv_params, transposed),
    CHOICE(dv_conv_params, auto_pad, auto_pads),
    INTEGER(dv_conv_params, groups, 1),
    LIST(dv_conv_params, stride, spatial, DV_MAX_SPATIAL, 1),
    LIST(dv_conv_params, dilation, spatial, DV_MAX_SPATIAL, 1),
    LIST(dv_conv_params, pad_begin, spatial, DV_MAX_SPATIAL, 0),
    LIST(dv_conv_params, pad_end, spatial, DV_MAX_SPATIAL, 0),
    LIST(dv_conv_params, output_padding, spatial, DV_MAX_SPATIAL, 0),
    LIST(dv_conv_params, output_shape, spatial, DV_MAX_SPATIAL, 0),
    END,
};
static const dv_field pool_fields[] = {
    LIST(dv_pool_params, kernel, spatial, DV_MAX_SPATIAL, 1),
    LIST(dv_pool_params, stride, spatial, DV_MAX_SPATIAL, 1),
    LIST(dv_pool_params, dilation, spatial, DV_MAX_SPATIAL, 1),
    LIST(dv_pool_params, pad_begin, spatial, DV_MAX_SPATIAL, 0),
    LIST(dv_pool_params, pad_end, spatial, DV_MAX_SPATIAL, 0),
    CHOICE(dv_pool_params, auto_pad, auto_pads),
    FLAG(dv_pool_params, ceil_mode),
    FLAG(dv_pool_params, count_include_pad),
    FLAG(dv_pool_params, global),
    FLAG(dv_pool_params, whole),
    FLAG(dv_pool_params, by_column),
    LIST(dv_pool_params, image, spatial, DV_MAX_SPATIAL, 0),
    NUMBER(dv_pool_params, p, 2),
    END,
};
static const dv_field grid_fields[] = {
    CHOICE(dv_grid_params, mode, sample_modes),
    CHOICE(dv_grid_params, border, borders),
    FLAG(dv_grid_params, align_corners),
    SHAPE(dv_grid_params, shape),
    END,
};
static const dv_field region_fields[] = {
    INTEGER(dv_region_params, height, 1),
    INTEGER(dv_region_params, width, 1),
    INTEGER(dv_region_params, samples, 0),
    NUMBER(dv_region_params, scale, 1),
    FLAG(dv_region_params, largest),
    FLAG(dv_region_params, half_pixel),
    END,
};
static const dv_field spectrum_fields[] = {
    INTEGER(dv_spectrum_params, axis, -2), INTEGER(dv_spectrum_params, length, 0),
    INTEGER(dv_spectrum_params, step, 0),  FLAG(dv_spectrum_params, inverse),
    FLAG(dv_spectrum_params, onesided),    END,
};
static const dv_field rows_fields[] = {INTEGER(dv_rows_params, rows, 0), END};
static const dv_field unique_fields[] = {
    INTEGER(dv_unique_params, axis, 0),
    INTEGER(dv_unique_params, rows, 0),
    FLAG(dv_unique_params, flat),
    FLAG(dv_unique_params, sorted),
    END,
};
static const dv_field nms_fields[] = {
    INTEGER(dv_nms_params, most, 0),   INTEGER(dv_nms_params, rows, 0),
    NUMBER(dv_nms_params, overlap, 0), NUMBER(dv_nms_params, score, -INFINITY),
    FLAG(dv_nms_params, centred),      END,
};
static const dv_field detect_fields[] = {
    INTEGER(dv_detect_params, most, 0),
    INTEGER(dv_detect_params, classes, 1),
    INTEGER(dv_detect_params, classes_per_box, 1),
    FLAG(dv_detect_params, by_class),
    INTEGER(dv_detect_params, most_per_class, 100),
    NUMBER(dv_detect_params, score, 0),
    NUMBER(dv_detect_params, overlap, 0.5),
    NUMBER(dv_detect_params, y_scale, 1),
    NUMBER(dv_detect_params, x_scale, 1),
    NUMBER(dv_detect_params, h_scale, 1),
    NUMBER(dv_detect_params, w_scale, 1),
    END,
};
static const dv_field suppress_fields[] = {INTEGER(dv_suppress_params, most, 0), END};
static const dv_field mel_fields[] = {
    INTEGER(dv_mel_params, bins, 0),
    INTEGER(dv_mel_params, length, 0),
    INTEGER(dv_mel_params, rate, 0),
    NUMBER(dv_mel_params, low, 0),
    NUMBER(dv_mel_params, high, 0),
    DTYPE(dv_mel_params, dtype),
    END,
};
static const dv_field reverse_fields[] = {
    INTEGER(dv_reverse_params, axis, 0),
    INTEGER(dv_reverse_params, batch, 1),
    END,
};
static const dv_field linear_fields[] = {
    FLAG(dv_linear_params, weight_kn),
    FLAG(dv_linear_params, input_transposed),
    NUMBER(dv_linear_params, alpha, 1),
    NUMBER(dv_linear_params, beta, 1),
    END,
};
static const dv_field norm_fields[] = {
    NUMBER(dv_norm_params, eps, 1e-5),
    INTEGER(dv_norm_params, axes, 0),
    INTEGER(dv_norm_params, groups, 0),
    END,
};
static const dv_field lrn_fields[] = {
    INTEGER(dv_lrn_params, size, 5),
    NUMBER(dv_lrn_params, alpha, 1e-4),
    NUMBER(dv_lrn_params, beta, 0.75),
    NUMBER(dv_lrn_params, bias, 1),
    END,
};
static const dv_field flag_fields[] = {FLAG(dv_flag_params, on), END};
static const dv_field scalar_fields[] = {
    NUMBER(dv_scalar_params, alpha, 0),
    NUMBER(dv_scalar_params, beta, 0),
    END,
};
static const dv_field clamp_fields[] = {
    NUMBER(dv_clamp_params, min, -INFINITY),
    NUMBER(dv_clamp_params, max, INFINITY),
    END,
};
static const dv_field reduce_fields[] = {
    LIST(dv_reduce_params, axes, count, DV_MAX_RANK, 0),
    FLAG(dv_reduce_params, keep_dims),
    FLAG(dv_reduce_params, noop_when_empty),
    FLAG(dv_reduce_params, last),
    END,
};
static const dv_field topk_fields[] = {
    INTEGER(dv_topk_params, axis, -1),
    INTEGER(dv_topk_params, k, 1),
    FLAG(dv_topk_params, smallest),
    END,
};
static const dv_field rnn_fields[] = {
    INTEGER(dv_rnn_params, hidden, 0),
    INTEGER(dv_rnn_params, directions, 1),
    FLAG(dv_rnn_params, reverse),
    FLAG(dv_rnn_params, batch_first),
    FLAG(dv_rnn_params, reset_after),
    FLAG(dv_rnn_params, coupled),
    NUMBER(dv_rnn_params, clip, 0),
    CHOICE(dv_rnn_params, gate, activations),
    CHOICE(dv_rnn_params, cell, activations),
    CHOICE(dv_rnn_params, state, activations),
    END,
};
static const dv_field quant_fields[] = {
    INTEGER(dv_quant_params, axis, 0),
    DTYPE(dv_quant_params, dtype),
    END,
};
static const dv_field scatter_fields[] = {
    INTEGER(dv_scatter_params, axis, 0),
    CHOICE(dv_scatter_params, mode, scatter_modes),
    END,
};
static const dv_field axes_fields[] = {
    LIST(dv_axes_params, axes, count, DV_MAX_RANK, 0),
    FLAG(dv_axes_params, lenient),
    END,
};
static const dv_field axis_fields[] = {
    INTEGER(dv_axis_params, axis, 0), FLAG(dv_axis_params, flatten_2d),
    FLAG(dv_axis_params, exclusive),  FLAG(dv_axis_params, reverse),
    FLAG(dv_axis_params, guarded),    END,
};
static const dv_field view_fields[] = {
    SHAPE(dv_view_params, shape),
    FLAG(dv_view_params, allow_zero),
    END,
};
static const dv_field permute_fields[] = {
    BYTES(dv_permute_params, perm, rank, DV_MAX_RANK),
    END,
};
static const dv_field split_fields[] = {
    INTEGER(dv_split_params, axis, 0),
    SIZES(dv_split_params, sizes),
    END,
};
static const dv_field slice_fields[] = {
    LIST(dv_slice_params, axes, count, DV_MAX_RANK, 0),
    LIST(dv_slice_params, begin, count, DV_MAX_RANK, 0),
    LIST(dv_slice_params, end, count, DV_MAX_RANK, 0),
    LIST(dv_slice_params, step, count, DV_MAX_RANK, 1),
    END,
};
static const dv_field select_fields[] = {
    INTEGER(dv_select_params, axis, 0),
    INTEGER(dv_select_params, index, 0),
    END,
};
static const dv_field pad_fields[] = {
    CHOICE(dv_pad_params, mode, pad_modes),
    LIST(dv_pad_params, begin, rank, DV_MAX_RANK, 0),
    LIST(dv_pad_params, end, rank, DV_MAX_RANK, 0),
    NUMBER(dv_pad_params, value, 0),
    END,
};
static const dv_field resize_fields[] = {
    CHOICE(dv_resize_params, coordinate, coordinates),
    CHOICE(dv_resize_params, nearest, nearest),
    NUMBER(dv_resize_params, scale_h, 0),
    NUMBER(dv_resize_params, scale_w, 0),
    NUMBER(dv_resize_params, cubic, -0.75),
    FLAG(dv_resize_params, exclude_outside),
    FLAG(dv_resize_params, antialias),
    {"roi_top", DV_FIELD_NUMBER, offsetof(dv_resize_params, roi[0]), 0, 0, 0, NULL},
    {"roi_left", DV_FIELD_NUMBER, offsetof(dv_resize_params, roi[1]), 0, 0, 0, NULL},
    {"roi_bottom", DV_FIELD_NUMBER, offsetof(dv_resize_params, roi[2]), 0, 0, 1, NULL},
    {"roi_right", DV_FIELD_NUMBER, offsetof(dv_resize_params, roi[3]), 0, 0, 1, NULL},
    NUMBER(dv_resize_params, outside, 0),
    CHOICE(dv_resize_params, policy, resize_policies),
    LIST(dv_resize_params, axes, axis_count, DV_MAX_RANK, 0),
    END,
};
static const dv_field shuffle_fields[] = {
    INTEGER(dv_shuffle_params, block, 1),
    FLAG(dv_shuffle_params, dcr),
    END,
};
static const dv_field tri_fields[] = {
    INTEGER(dv_tri_params, diagonal, 0),
    FLAG(dv_tri_params, upper),
    END,
};
static const dv_field cast_fields[] = {DTYPE(dv_cast_params, dtype), END};
static const dv_field full_fields[] = {
    SHAPE(dv_full_params, shape),
    DTYPE(dv_full_params, dtype),
    NUMBER(dv_full_params, value, 0),
    END,
};

const dv_field *dv_fields_of(dv_op_kind kind)
{
    static const dv_field *const rows[] = {
#define OP(kind, name, family, least, most, params, shape, work) params##_fields,
#include "core/ops.def"
#undef OP
    };
    return rows[kind];
}

static void set_default(const dv_field *field, dv_op_params *params)
{
    char *at = (char *)params + field->offset;
    int64_t whole = isfinite(field->absent) ? (int64_t)field->absent : 0;
    switch (field->type) {
    case DV_FIELD_INTEGER:
        memcpy(at, &whole, sizeof whole);
        break;
    case DV_FIELD_NUMBER:
        memcpy(at, &field->absent, sizeof field->absent);
        break;
    case DV_FIELD_SHAPE:
        ((dv_shape *)(void *)at)->rank = DV_RANK_UNKNOWN;
        break;
    case DV_FIELD_LIST:
        for (size_t i = 0; i < field->most; i++)
            memcpy(at + i * sizeof whole, &whole, sizeof whole);
        break;
    case DV_FIELD_DTYPE:
        *(dv_dtype *)(void *)at = DV_DTYPE_F32;
        break;
    default:
        break; /* zero */
    }
}

void dv_params_default(dv_op_kind kind, dv_op_params *params)
{
    memset(params, 0, sizeof *params);
    for (const dv_field *field = dv_fields_of(kind); field->name; field++)
        set_default(field, params);
}
