/* onnx_ops_deform.c - deformable convolution (Dai et al. 2017; Zhu et al. 2019) from parts that are
   known: for each place of the kernel the image is sampled where the offsets say, and a convolution
   of 1 x 1 adds up what was sampled. */
#include <string.h>

#include "load/onnx_ops.h"

enum { MOST_PLACES = 256, MOST_SIZE = 2048, MOST_CHANNELS = 1 << 20 };

typedef struct deformed {
    int64_t batch, channels, size[2], out[2], kernel[2]; /* height, width */
    int64_t stride[2], pad[4], dilation[2], groups, offset_groups, made;
    dv_tensor_id image, offset, mask; /* by group of offsets; mask may be DV_NONE */
    dv_tensor_id rows, columns;       /* where a place of the kernel lies without its offset */
} deformed;

static dv_status read_pair(dv_onnx_at *at, const char *name, int64_t absent, int64_t *out)
{
    size_t count;
    out[0] = out[1] = absent;
    DV_TRY(dv_onnx_ints(at, name, 2, out, &count));
    return (count == 0 || count == 2) && out[0] >= 1 && out[1] >= 1 && out[0] <= MOST_SIZE &&
                   out[1] <= MOST_SIZE
               ? DV_OK
               : dv_fail(DV_BAD_INPUT, "attribute '%s' is not two numbers from 1 to %d", name,
                         MOST_SIZE);
}

static dv_status read_attributes(dv_onnx_at *at, deformed *d)
{
    size_t count;
    DV_TRY(read_pair(at, "strides", 1, d->stride));
    DV_TRY(read_pair(at, "dilations", 1, d->dilation));
    DV_TRY(dv_onnx_ints(at, "pads", 4, d->pad, &count));
    DV_TRY(dv_onnx_int(at, "group", 1, &d->groups));
    DV_TRY(dv_onnx_int(at, "offset_group", 1, &d->offset_groups));
    for (int i = 0; i < 4; i++)
        if (d->pad[i] < 0 || d->pad[i] > MOST_SIZE)
            return dv_fail(DV_BAD_INPUT, "attribute 'pads' is out of range");
    bool fit = d->groups >= 1 && d->offset_groups >= 1 && d->groups <= MOST_CHANNELS &&
               d->offset_groups <= MOST_CHANNELS;
    return fit ? DV_OK
               : dv_fail(DV_BAD_INPUT, "attributes 'group' and 'offset_group' are out of range");
}

static dv_status read_shapes(dv_onnx_at *at, deformed *d)
{
    const dv_shape *x = dv_onnx_shape_of(at, at->inputs[0]);
    const dv_shape *w = dv_onnx_shape_of(at, at->inputs[1]);
    if (!dv_shape_known(x) || !dv_shape_known(w))
        return dv_onnx_opaque(at,
                              "the shapes of its image and weight do not follow from the model");
    if (x->rank != 4 || w->rank != 4)
        return dv_onnx_opaque(at, "images of other than 2 spatial dimensions are not supported");
    d->batch = x->dim[0];
    d->channels = x->dim[1];
    d->made = w->dim[0];
    for (int i = 0; i < 2; i++) {
        d->size[i] = x->dim[2 + i];
        d->kernel[i] = w->dim[2 + i];
        int64_t reach = (d->kernel[i] - 1) * d->dilation[i] + 1;
        if (d->size[i] < 1 || d->size[i] > MOST_SIZE || d->kernel[i] < 1 ||
            d->kernel[i] > MOST_PLACES)
            return dv_onnx_opaque(at, "an image of %lld x %lld is not supported; at most %d a side",
                                  (long long)d->size[0], (long long)d->size[1], MOST_SIZE);
        d->out[i] = (d->size[i] + d->pad[i] + d->pad[2 + i] - reach) / d->stride[i] + 1;
        if (d->size[i] + d->pad[i] + d->pad[2 + i] < reach)
            return dv_fail(DV_BAD_INPUT, "its kernel is larger than its image");
    }
    if (d->kernel[0] * d->kernel[1] > MOST_PLACES || d->channels > MOST_CHANNELS ||
        d->batch > MOST_CHANNELS || d->made > MOST_CHANNELS || w->dim[1] > MOST_CHANNELS)
        return dv_onnx_opaque(at, "a kernel of more than %d places is not supported", MOST_PLACES);
    return d->channels % d->offset_groups == 0 && d->channels == w->dim[1] * d->groups
               ? DV_OK
               : dv_fail(DV_BAD_INPUT, "its %lld channels do not fit its groups and its weight",
                         (long long)d->channels);
}

static dv_status view(dv_onnx_at *at, const int64_t *dims, size_t count, dv_tensor_id *id)
{
    dv_op_params open = {.view = {.shape = {.rank = DV_RANK_UNKNOWN}}};
    dv_tensor_id shape;
    DV_TRY(dv_onnx_list(at, dims, count, &shape));
    return dv_onnx_emit(at, DV_OP_VIEW, &open, *id, shape, id);
}

/* Numbers along the rows (axis 0) or columns (axis 1) of a grid, which says x before y, from -1 to
   1 between the outer edges of the image. */
static dv_status emit_line(dv_onnx_at *at, const deformed *d, int axis, dv_tensor_id *id)
{
    int64_t count = d->out[axis];
    float *line = dv_arena_array(at->arena, (size_t)count * 2, sizeof *line);
    if (!line)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (int64_t i = 0; i < count; i++) {
        double pixel = (double)(i * d->stride[axis] - d->pad[axis]);
        line[2 * i + 1 - axis] = (float)((2 * pixel + 1) / (double)d->size[axis] - 1);
    }
    DV_TRY(dv_onnx_floats(at, line, (size_t)count * 2, id));
    const int64_t rows[] = {1, count, 1, 2}, columns[] = {1, 1, count, 2};
    return view(at, axis == 0 ? rows : columns, 4, id);
}

static dv_status slice(dv_onnx_at *at, dv_tensor_id x, int64_t begin, int64_t count,
                       dv_tensor_id *id)
{
    dv_op_params cut = {
        .slice = {.count = 1, .axes = {1}, .begin = {begin}, .end = {begin + count}, .step = {1}}};
    return dv_onnx_emit(at, DV_OP_SLICE, &cut, x, DV_NONE, id);
}

/* What place k of the kernel sees: [batch, channels, 1, height, width]. */
static dv_status emit_place(dv_onnx_at *at, const deformed *d, int64_t k, dv_tensor_id *id)
{
    dv_op_params last = {.permute = {.rank = 4, .perm = {0, 2, 3, 1}}},
                 along = {.axis = {.axis = 3}};
    dv_op_params sample = {.grid = {.mode = DV_SAMPLE_LINEAR, .border = DV_BORDER_ZEROS}};
    int64_t y = k / d->kernel[1] * d->dilation[0], x = k % d->kernel[1] * d->dilation[1];
    const float scale[2] = {2.0f / (float)d->size[1], 2.0f / (float)d->size[0]};
    const float shift[2] = {(float)(2.0 * (double)x / (double)d->size[1]),
                            (float)(2.0 * (double)y / (double)d->size[0])};
    dv_tensor_id order, factor, move, weight, grid;
    sample.grid.shape.rank = DV_RANK_UNKNOWN;
    DV_TRY(dv_onnx_list(at, (int64_t[]){1, 0}, 2, &order)); /* offsets say y first */
    DV_TRY(dv_onnx_floats(at, scale, 2, &factor));
    DV_TRY(dv_onnx_floats(at, shift, 2, &move));
    DV_TRY(slice(at, d->offset, 2 * k, 2, &grid));
    DV_TRY(dv_onnx_emit(at, DV_OP_PERMUTE, &last, grid, DV_NONE, &grid));
    DV_TRY(dv_onnx_emit(at, DV_OP_INDEX_SELECT, &along, grid, order, &grid));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, grid, factor, &grid));
    DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, grid, d->rows, &grid));
    DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, grid, d->columns, &grid));
    DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, grid, move, &grid));
    DV_TRY(dv_onnx_emit(at, DV_OP_GRID_SAMPLE, &sample, d->image, grid, id));
    if (d->mask != DV_NONE) {
        DV_TRY(slice(at, d->mask, k, 1, &weight));
        DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, *id, weight, id));
    }
    return view(at, (int64_t[]){d->batch, d->channels, 1, d->out[0], d->out[1]}, 5, id);
}

/* All places side by side, as the channels of one image. */
static dv_status emit_places(dv_onnx_at *at, const deformed *d, dv_tensor_id *id)
{
    int64_t places = d->kernel[0] * d->kernel[1];
    dv_tensor_id *parts = dv_arena_array(at->arena, (size_t)places, sizeof *parts);
    if (!parts)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (int64_t k = 0; k < places; k++)
        DV_TRY(emit_place(at, d, k, &parts[k]));
    DV_TRY(dv_onnx_part(at, id));
    dv_op cat = at->op;
    cat.kind = DV_OP_CAT;
    cat.params = (dv_op_params){.axis = {.axis = 2}};
    cat.inputs = parts;
    cat.input_count = (uint32_t)places;
    cat.outputs = id;
    cat.output_count = 1;
    DV_TRY(dv_onnx_add(at, &cat));
    return view(at, (int64_t[]){d->batch, d->channels * places, d->out[0], d->out[1]}, 4, id);
}

/* Inputs (image, weight, offsets[, bias, mask]). */
dv_status dv_onnx_op_deform_conv(dv_onnx_at *at)
{
    deformed d = {.mask = DV_NONE};
    dv_tensor_id places, weight = at->inputs[1];
    DV_TRY(read_attributes(at, &d));
    DV_TRY(read_shapes(at, &d));
    if (at->op.reason)
        return DV_OK;
    int64_t grouped = d.batch * d.offset_groups, k = d.kernel[0] * d.kernel[1];
    d.image = at->inputs[0];
    d.offset = at->inputs[2];
    DV_TRY(view(at, (int64_t[]){grouped, -1, d.size[0], d.size[1]}, 4, &d.image));
    DV_TRY(view(at, (int64_t[]){grouped, 2 * k, d.out[0], d.out[1]}, 4, &d.offset));
    if (dv_onnx_given_input(at, 4)) {
        d.mask = at->inputs[4];
        DV_TRY(view(at, (int64_t[]){grouped, k, d.out[0], d.out[1]}, 4, &d.mask));
    }
    DV_TRY(emit_line(at, &d, 0, &d.rows));
    DV_TRY(emit_line(at, &d, 1, &d.columns));
    DV_TRY(emit_places(at, &d, &places));
    DV_TRY(view(at, (int64_t[]){d.made, -1, 1, 1}, 4, &weight));
    dv_tensor_id bias = dv_onnx_given_input(at, 3) ? at->inputs[3] : DV_NONE;
    dv_onnx_become(at, DV_OP_CONVOLUTION, places, weight, bias);
    at->op.params.conv =
        (dv_conv_params){.spatial = 2, .groups = d.groups, .stride = {1, 1}, .dilation = {1, 1}};
    return DV_OK;
}
