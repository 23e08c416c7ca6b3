/* xnnblob_data.c - the constants of an XNNPACK graph become constants of ours, in our order of
   dimensions: i8 with its scales behind a DEQUANTIZE, else f32. What needs no other order stays in
   the mapped file. */
#include <math.h>
#include <string.h>

#include "load/xnnblob.h"

enum {
    FP32 = 1,
    FP16 = 2,
    QINT8 = 3,
    QUINT8 = 4,
    QINT32 = 5,
    QCINT8 = 6,
    QCINT32 = 7,
    QCINT4 = 8,
    QBINT4 = 10,
    INT32 = 12,
    BF16 = 14,
};

enum { PER_CHANNEL = 1, PER_TENSOR = 2, PER_GROUP = 4 };

static size_t bits_of(int16_t type)
{
    switch (type) {
    case FP32:
    case QINT32:
    case QCINT32:
    case INT32:
        return 32;
    case FP16:
    case BF16:
        return 16;
    case QCINT4:
    case QBINT4:
        return 4;
    case QINT8:
    case QUINT8:
    case QCINT8:
        return 8;
    default:
        return 0;
    }
}

/* The bytes of constant i, in the blob or in the program's named data. */
static dv_status bytes_of(dv_xnn_builder *x, uint32_t i, dv_span *out, dv_buffer **buffer)
{
    dv_fb_table row = dv_fb_table_at(&x->graph.data, i);
    uint64_t offset = dv_fb_u64(&row, 0, 0), size = dv_fb_u64(&row, 1, 0);
    dv_span key = dv_fb_string(&row, 2);
    bool outside = false;
    *out = (dv_span){0};
    DV_TRY(x->graph.fb.status);
    if (key.size > 0) {
        DV_TRY(dv_pte_named(x->b->pte->file, key, out, &outside));
        if (!out->data)
            return dv_fail(DV_BAD_INPUT,
                           "its weights '%.*s' are neither in the program nor in a .ptd file "
                           "beside it",
                           (int)(key.size > 64 ? 64 : key.size), (const char *)key.data);
    } else {
        dv_span all = x->graph.constants;
        if (offset > all.size || size > all.size - offset)
            return dv_fail(DV_BAD_INPUT, "constant %u lies outside its blob", i);
        *out = (dv_span){all.data + offset, (size_t)size};
    }
    *buffer = outside ? x->b->pte->weights : x->b->pte->buffer;
    return DV_OK;
}

/* ---- scales ---- */

typedef struct scales {
    uint8_t kind;
    float scale;         /* per tensor */
    int32_t zero;        /* per tensor */
    dv_span list;        /* f32 per channel, bf16 per group */
    dv_fb_vector inside; /* f32, in the flatbuffer (older files) */
    dv_buffer *buffer;   /* that list is in */
    size_t count;
    int64_t axis, group; /* the channel's dim; elements a group */
} scales;

static dv_status read_scales(dv_xnn_builder *x, const dv_xnn_value *value, scales *out)
{
    const dv_fb_table *table = &value->quant_table;
    *out = (scales){.kind = value->quant, .scale = 1};
    if (value->quant == PER_TENSOR) {
        out->scale = dv_fb_f32(table, 0, 1);
        out->zero = dv_fb_i32(table, 1, 0);
    }
    if (value->quant != PER_CHANNEL && value->quant != PER_GROUP)
        return x->graph.fb.status;
    bool grouped = value->quant == PER_GROUP;
    out->inside = dv_fb_list(table, 0, 4);
    out->axis = dv_fb_i32(table, 1, 0);
    out->group = grouped ? dv_fb_i32(table, 2, 0) : 1;
    uint32_t index = dv_fb_u32(table, grouped ? 4 : 2, 0);
    out->count = out->inside.count;
    if (out->count == 0) {
        out->count = dv_fb_u32(table, grouped ? 5 : 3, 0);
        DV_TRY(bytes_of(x, index, &out->list, &out->buffer));
        if (out->count > out->list.size / (grouped ? 2 : 4))
            return dv_fail(DV_BAD_INPUT, "it has fewer scales than it says");
    }
    bool fits = out->axis >= 0 && out->axis < value->shape.rank && out->group > 0 && out->count > 0;
    return fits ? x->graph.fb.status : dv_fail(DV_BAD_INPUT, "its scales do not fit its shape");
}

static float half_at(const uint8_t *bytes)
{
    uint32_t bits = (uint32_t)(bytes[0] | bytes[1] << 8) << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float scale_at(const scales *s, size_t i)
{
    float value;
    i = i < s->count ? i : s->count - 1;
    if (s->inside.count > 0)
        return dv_fb_f32_at(&s->inside, (uint32_t)i);
    if (s->kind == PER_GROUP)
        return half_at(s->list.data + 2 * i);
    memcpy(&value, s->list.data + 4 * i, sizeof value);
    return value;
}

/* ---- elements ---- */

typedef struct source {
    const uint8_t *bytes;
    int16_t type;
    scales scales;
    size_t inner;         /* elements behind the channel's dim */
    size_t channels, row; /* row: elements of the last dim, stored as whole bytes if of 4 bits */
} source;

/* 4-bit numbers are stored low half first, 8 more than they are; a row begins a byte. */
static int64_t integer_at(const source *s, size_t i)
{
    int32_t wide;
    switch (s->type) {
    case QINT8:
    case QCINT8:
        return (int8_t)s->bytes[i];
    case QUINT8:
        return s->bytes[i];
    case QCINT4:
    case QBINT4: {
        size_t stride = (s->row + 1) / 2, column = i % s->row;
        uint8_t pair = s->bytes[i / s->row * stride + column / 2];
        return (column % 2 ? pair >> 4 : pair & 15) - 8;
    }
    default:
        memcpy(&wide, s->bytes + 4 * i, sizeof wide);
        return wide;
    }
}

static float element_at(const source *s, size_t i)
{
    float value;
    if (s->type == FP32) {
        memcpy(&value, s->bytes + 4 * i, sizeof value);
        return value;
    }
    if (s->type == FP16)
        return dv_f16_to_f32((uint16_t)(s->bytes[2 * i] | s->bytes[2 * i + 1] << 8));
    if (s->type == BF16)
        return half_at(s->bytes + 2 * i);
    double number = (double)integer_at(s, i);
    switch (s->scales.kind) {
    case PER_TENSOR:
        return (float)((number - s->scales.zero) * (double)s->scales.scale);
    case PER_CHANNEL:
        return (float)(number * (double)scale_at(&s->scales, i / s->inner % s->channels));
    case PER_GROUP: {
        size_t group = (size_t)s->scales.group, groups = (s->row + group - 1) / group;
        return (float)(number *
                       (double)scale_at(&s->scales, i / s->row * groups + i % s->row / group));
    }
    default:
        return (float)number;
    }
}

/* ---- order ---- */

/* The shape in our order, and the source's stride for each of its dims. */
typedef struct order {
    dv_shape shape;
    size_t dim[5], stride[5]; /* as loops, outermost first */
    unsigned loops;
} order;

static order order_of(const dv_shape *have, dv_xnn_layout layout, int64_t groups)
{
    order o = {.shape = *have};
    const int64_t *d = have->dim;
    if (layout == DV_XNN_AS_IS)
        return o;
    size_t channels = (size_t)d[3], width = (size_t)d[2], height = (size_t)d[1];
    if (layout == DV_XNN_TRANSPOSED) { /* [group, in, out, h, w] of [group, out, h, w, in] */
        size_t g = (size_t)groups, out = (size_t)d[0] / g;
        o.shape = dv_shape_make((int64_t[]){d[3] * groups, d[0] / groups, d[1], d[2]}, 4);
        memcpy(o.dim, (size_t[]){g, channels, out, height, width}, sizeof o.dim);
        memcpy(o.stride,
               (size_t[]){out * height * width * channels, 1, height * width * channels,
                          width * channels, channels},
               sizeof o.stride);
        o.loops = 5;
        return o;
    }
    bool deep = layout == DV_XNN_DEPTHWISE;
    o.shape = deep ? dv_shape_make((int64_t[]){d[3], d[0], d[1], d[2]}, 4)
                   : dv_shape_make((int64_t[]){d[0], d[3], d[1], d[2]}, 4);
    size_t image = height * width * channels;
    memcpy(o.dim,
           deep ? (size_t[]){channels, (size_t)d[0], height, width}
                : (size_t[]){(size_t)d[0], channels, height, width},
           4 * sizeof *o.dim);
    memcpy(o.stride,
           deep ? (size_t[]){1, image, width * channels, channels}
                : (size_t[]){image, 1, width * channels, channels},
           4 * sizeof *o.stride);
    o.loops = 4;
    return o;
}

static void convert(const source *s, const order *o, size_t count, float *out)
{
    size_t index[5] = {0}, from = 0;
    for (size_t i = 0; i < count; i++) {
        out[i] = element_at(s, o->loops ? from : i);
        for (unsigned k = o->loops; k-- > 0;) {
            from += o->stride[k];
            if (++index[k] < o->dim[k])
                break;
            from -= o->stride[k] * index[k];
            index[k] = 0;
        }
    }
}

/* Is the order that of the bytes? (a 1 x 1 kernel's is) */
static bool in_order(const order *o)
{
    size_t next = 1;
    for (unsigned k = o->loops; k-- > 0;) {
        if (o->dim[k] == 1)
            continue;
        if (o->stride[k] != next)
            return false;
        next *= o->dim[k];
    }
    return true;
}

static dv_status add(dv_xnn_builder *x, dv_dtype dtype, const dv_shape *shape, dv_buffer *buffer,
                     size_t offset, dv_tensor_id *id)
{
    dv_tensor tensor = {.name = dv_arena_printf(x->b->arena, "%s.weight", x->name),
                        .dtype = dtype,
                        .shape = *shape,
                        .role = DV_ROLE_CONSTANT,
                        .data = {.storage = DV_STORAGE_BUFFER, .buffer = buffer, .offset = offset}};
    if (!tensor.name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    return dv_graph_add_tensor(x->b->graph, &tensor, id);
}

/* A bias in the integers of its product has the scales of the filter times that of the input,
   which the writer has multiplied already. */
static dv_status open_source(dv_xnn_builder *x, const dv_xnn_value *value, dv_span bytes, source *s)
{
    size_t elements = 0, bits = bits_of(value->type), needed;
    (void)dv_shape_elements(&value->shape, &elements);
    *s = (source){.bytes = bytes.data, .type = value->type, .inner = 1, .channels = 1, .row = 1};
    if (bits == 0)
        return dv_fail(DV_BAD_INPUT, "a constant of XNNPACK's type %d is not supported",
                       value->type);
    DV_TRY(read_scales(x, value, &s->scales));
    if (value->shape.rank > 0)
        s->row = (size_t)value->shape.dim[value->shape.rank - 1];
    if (s->scales.kind == PER_CHANNEL) {
        s->channels = (size_t)value->shape.dim[s->scales.axis];
        for (int64_t d = s->scales.axis + 1; d < value->shape.rank; d++)
            s->inner *= (size_t)value->shape.dim[d];
    }
    needed = bits == 4 && s->row ? elements / s->row * ((s->row + 1) / 2) : elements * bits / 8;
    if (needed > bytes.size)
        return dv_fail(DV_BAD_INPUT, "a constant of %zu elements has %zu bytes", elements,
                       bytes.size);
    return DV_OK;
}

/* ---- 8-bit weights stay what they are ---- */

/* The dim of the result that the scales are for; -1: none. */
static int64_t channel_axis(const scales *s, const dv_shape *have, dv_xnn_layout layout,
                            int64_t groups)
{
    switch (layout) {
    case DV_XNN_AS_IS:
        return s->axis;
    case DV_XNN_OHWI:
        return s->axis == 0 ? 0 : -1;
    case DV_XNN_DEPTHWISE:
        return s->axis == 3 && have->dim[0] == 1 ? 0 : -1;
    case DV_XNN_TRANSPOSED:
    default:
        return s->axis == 0 && groups == 1 ? 1 : -1;
    }
}

static dv_status add_bytes(dv_xnn_builder *x, const source *from, const order *o, size_t count,
                           dv_buffer *buffer, dv_tensor_id *id)
{
    dv_buffer *made = NULL;
    size_t index[5] = {0}, at = 0;
    if (!in_order(o)) {
        DV_TRY(dv_pte_new_buffer(x->b, count, &made));
        uint8_t *out = dv_buffer_writable(made);
        for (size_t i = 0; i < count; i++) {
            out[i] = from->bytes[at];
            for (unsigned k = o->loops; k-- > 0;) {
                at += o->stride[k];
                if (++index[k] < o->dim[k])
                    break;
                at -= o->stride[k] * index[k];
                index[k] = 0;
            }
        }
    }
    dv_buffer *held = made ? made : buffer;
    size_t offset = made ? 0 : (size_t)(from->bytes - dv_buffer_data(buffer));
    dv_status status = add(x, DV_DTYPE_I8, &o->shape, held, offset, id);
    dv_buffer_release(made);
    return status;
}

/* The scales as a tensor: of the mapped file where they are there. */
static dv_status add_scales(dv_xnn_builder *x, const scales *s, dv_buffer *buffer, dv_tensor_id *id)
{
    dv_shape shape = {1, {(int64_t)s->count}};
    dv_buffer *made;
    if (s->kind == PER_TENSOR)
        return dv_xnn_scalar(x, DV_DTYPE_F32, (double)s->scale, id);
    if (s->list.data)
        return add(x, DV_DTYPE_F32, &shape, buffer, (size_t)(s->list.data - dv_buffer_data(buffer)),
                   id);
    DV_TRY(dv_pte_new_buffer(x->b, s->count * sizeof(float), &made));
    float *out = (float *)(void *)dv_buffer_writable(made);
    for (size_t i = 0; i < s->count; i++)
        out[i] = scale_at(s, i);
    dv_status status = add(x, DV_DTYPE_F32, &shape, made, 0, id);
    dv_buffer_release(made);
    return status;
}

static dv_status add_dequantised(dv_xnn_builder *x, const source *from, const order *o,
                                 int64_t axis, size_t count, dv_buffer *buffer, dv_tensor_id *id)
{
    bool channels = from->scales.kind == PER_CHANNEL;
    dv_op_params params = {.quant = {.axis = channels ? axis : 0, .dtype = DV_DTYPE_I8}};
    dv_tensor_id inputs[3];
    DV_TRY(add_bytes(x, from, o, count, buffer, &inputs[0]));
    DV_TRY(add_scales(x, &from->scales, from->scales.buffer, &inputs[1]));
    if (!channels)
        DV_TRY(dv_xnn_scalar(x, DV_DTYPE_I8, from->scales.zero, &inputs[2]));
    return dv_xnn_emit(x, channels ? DV_OP_DEQUANTIZE_CHANNEL : DV_OP_DEQUANTIZE, &params, inputs,
                       channels ? 2 : 3, id);
}

static dv_status check_layout(const dv_shape *shape, dv_xnn_layout layout, int64_t groups)
{
    if (layout != DV_XNN_AS_IS && shape->rank != 4)
        return dv_fail(DV_BAD_INPUT, "a filter has %u dimensions, not 4", (unsigned)shape->rank);
    if (layout == DV_XNN_TRANSPOSED && (groups < 1 || shape->dim[0] % groups != 0))
        return dv_fail(DV_BAD_INPUT, "%lld groups do not divide %lld channels", (long long)groups,
                       (long long)shape->dim[0]);
    return DV_OK;
}

dv_status dv_xnn_constant(dv_xnn_builder *x, uint32_t index, dv_xnn_layout layout, int64_t groups,
                          dv_tensor_id *id)
{
    const dv_xnn_value *value = &x->graph.values[index];
    dv_span bytes;
    dv_buffer *buffer;
    source from;
    size_t count = 0, size;
    DV_TRY(check_layout(&value->shape, layout, groups));
    DV_TRY(bytes_of(x, value->constant, &bytes, &buffer));
    DV_TRY(open_source(x, value, bytes, &from));
    order o = order_of(&value->shape, layout, groups);
    if (value->type == FP32 && in_order(&o))
        return add(x, DV_DTYPE_F32, &o.shape, buffer, (size_t)(bytes.data - dv_buffer_data(buffer)),
                   id);
    int64_t axis = channel_axis(&from.scales, &value->shape, layout, groups);
    bool bytewise = value->type == QINT8 || value->type == QCINT8;
    bool fits = from.scales.kind == PER_TENSOR ? from.scales.zero >= -128 && from.scales.zero <= 127
                                               : from.scales.kind == PER_CHANNEL && axis >= 0 &&
                                                     from.scales.count == from.channels;
    if (!dv_shape_elements(&o.shape, &count) || !dv_mul_size(count, sizeof(float), &size))
        return dv_fail(DV_BAD_INPUT, "a constant has more elements than memory can hold");
    if (bytewise && fits)
        return add_dequantised(x, &from, &o, axis, count, buffer, id);
    dv_buffer *made;
    DV_TRY(dv_pte_new_buffer(x->b, size, &made));
    convert(&from, &o, count, (float *)(void *)dv_buffer_writable(made));
    dv_status status = add(x, DV_DTYPE_F32, &o.shape, made, 0, id);
    dv_buffer_release(made);
    return status == DV_OK ? x->graph.fb.status : status;
}
