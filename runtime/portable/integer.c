/* integer.c - products of 8-bit integers without their zero points, exact in 32 bits (which wrap).
 */
#include "runtime/portable/conv_geometry.h"

static int32_t byte_at(const dv_operand *operand, size_t i)
{
    return operand->dtype == DV_DTYPE_U8 ? ((const uint8_t *)operand->data)[i]
                                         : ((const int8_t *)operand->data)[i];
}

/* The zero point of row i of `input`'s operand; one for all, or none. */
static int32_t zero_of(const dv_kernel_call *call, uint32_t input, size_t i)
{
    const dv_operand *zero = &call->inputs[input];
    if (input >= call->input_count || !dv_given(zero))
        return 0;
    return byte_at(zero, zero->count == 1 ? 0 : i);
}

static bool is_byte(dv_dtype dtype)
{
    return dtype == DV_DTYPE_U8 || dtype == DV_DTYPE_I8;
}

static const char *check_bytes(const dv_kernel_call *call)
{
    if (!is_byte(call->inputs[0].dtype) || !is_byte(call->inputs[1].dtype) ||
        call->outputs[0].dtype != DV_DTYPE_I32)
        return "8-bit integers go in, i32 comes out";
    for (uint32_t i = 2; i < call->input_count; i++)
        if (dv_given(&call->inputs[i]) && call->inputs[i].dtype != call->inputs[i - 2].dtype)
            return "a zero point is not of its operand's type";
    return NULL;
}

static bool zeros_fit(const dv_kernel_call *call, uint32_t input, size_t count)
{
    const dv_operand *zero = &call->inputs[input];
    return input >= call->input_count || !dv_given(zero) || zero->count == 1 ||
           (count > 0 && zero->count == count);
}

/* ---- convolution ---- */

/* The sizes of the convolution of the first two operands. */
static const char *geometry(const dv_kernel_call *call, dv_conv_geometry *g)
{
    dv_operand operands[3] = {call->inputs[0], call->inputs[1]};
    dv_kernel_call without = *call;
    without.inputs = operands;
    without.input_count = 2;
    return dv_conv_geometry_of(&without, g);
}

typedef struct site { /* an output: image, output channel, pixel */
    size_t image, channel, pixel;
} site;

static uint32_t output_of(const dv_kernel_call *call, const dv_conv_geometry *g, site s)
{
    int64_t at[DV_MAX_SPATIAL];
    size_t rest = s.pixel, group = s.channel / g->out_per_group;
    for (int d = DV_MAX_SPATIAL - 1; d >= 0; d--) {
        at[d] = (int64_t)(rest % (size_t)g->out[d]) * g->stride[d] - g->pad[d];
        rest /= (size_t)g->out[d];
    }
    int32_t x_zero = zero_of(call, 2, 0), w_zero = zero_of(call, 3, s.channel);
    size_t weight = s.channel * g->depth;
    size_t plane = (s.image * g->groups + group) * g->in_per_group * g->in_pixels;
    uint32_t sum = 0;
    for (size_t c = 0; c < g->in_per_group; c++, plane += g->in_pixels)
        for (int64_t z = 0; z < g->kernel[0]; z++)
            for (int64_t y = 0; y < g->kernel[1]; y++)
                for (int64_t x = 0; x < g->kernel[2]; x++, weight++) {
                    int64_t in_z = at[0] + z * g->dilation[0], in_y = at[1] + y * g->dilation[1];
                    int64_t in_x = at[2] + x * g->dilation[2];
                    if (in_z < 0 || in_z >= g->in[0] || in_y < 0 || in_y >= g->in[1] || in_x < 0 ||
                        in_x >= g->in[2])
                        continue; /* the padding is the zero point */
                    size_t from = plane + (size_t)((in_z * g->in[1] + in_y) * g->in[2] + in_x);
                    int32_t term = (byte_at(&call->inputs[0], from) - x_zero) *
                                   (byte_at(&call->inputs[1], weight) - w_zero);
                    sum += (uint32_t)term;
                }
    return sum;
}

dv_status dv_kernel_conv_integer(const dv_kernel_call *call)
{
    dv_conv_geometry g;
    (void)geometry(call, &g); /* checked before */
    uint32_t *out = call->outputs[0].data;
    site s;
    for (s.image = 0; s.image < g.batch; s.image++)
        for (s.channel = 0; s.channel < g.groups * g.out_per_group; s.channel++)
            for (s.pixel = 0; s.pixel < g.out_pixels; s.pixel++)
                *out++ = output_of(call, &g, s);
    return DV_OK;
}

const char *dv_check_conv_integer(const dv_kernel_call *call)
{
    dv_conv_geometry g;
    const char *fault = check_bytes(call);
    if (!fault)
        fault = geometry(call, &g);
    if (fault)
        return fault;
    if (g.transposed)
        return "transposed convolutions of integers are not computed";
    return zeros_fit(call, 2, 0) && zeros_fit(call, 3, g.groups * g.out_per_group)
               ? NULL
               : "a zero point must be one, or one an output channel";
}

/* ---- matrix product ---- */

static dv_shape batch_of(const dv_shape *shape)
{
    dv_shape batch = *shape;
    batch.rank = (uint8_t)(shape->rank - 2);
    return batch;
}

/* One matrix of the batch. */
static void multiply(const dv_kernel_call *call, size_t a, size_t b, size_t to)
{
    const dv_operand *left = &call->inputs[0], *right = &call->inputs[1];
    size_t rows = (size_t)left->shape.dim[left->shape.rank - 2];
    size_t depth = (size_t)left->shape.dim[left->shape.rank - 1];
    size_t columns = (size_t)right->shape.dim[right->shape.rank - 1];
    uint32_t *out = (uint32_t *)call->outputs[0].data + to;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            int32_t a_zero = zero_of(call, 2, i), b_zero = zero_of(call, 3, j);
            uint32_t sum = 0;
            for (size_t k = 0; k < depth; k++)
                sum += (uint32_t)((byte_at(left, a + i * depth + k) - a_zero) *
                                  (byte_at(right, b + k * columns + j) - b_zero));
            *out++ = sum;
        }
}

dv_status dv_kernel_matmul_integer(const dv_kernel_call *call)
{
    const dv_shape *out = &call->outputs[0].shape;
    dv_shape over = batch_of(out);
    ptrdiff_t stride[2][DV_WALK_RANK];
    size_t size[2], result = (size_t)(out->dim[out->rank - 2] * out->dim[out->rank - 1]), to = 0;
    for (size_t i = 0; i < 2; i++) {
        const dv_shape *shape = &call->inputs[i].shape;
        dv_shape batch = batch_of(shape);
        size[i] = (size_t)(shape->dim[shape->rank - 2] * shape->dim[shape->rank - 1]);
        dv_broadcast_strides(&batch, &over, stride[i]);
    }
    dv_walk walk;
    dv_walk_start(&walk, over.rank, over.dim, 2, stride);
    if (walk.empty || call->outputs[0].count == 0)
        return DV_OK;
    do {
        for (size_t i = 0; i < walk.length; i++, to += result)
            multiply(call, dv_walk_index(&walk, 0, i) * size[0],
                     dv_walk_index(&walk, 1, i) * size[1], to);
    } while (dv_walk_next(&walk));
    return DV_OK;
}

const char *dv_check_matmul_integer(const dv_kernel_call *call)
{
    const dv_shape *a = &call->inputs[0].shape, *b = &call->inputs[1].shape;
    const char *fault = check_bytes(call);
    if (fault)
        return fault;
    if (a->rank < 2 || b->rank < 2 || a->dim[a->rank - 1] != b->dim[b->rank - 2])
        return "the operands are no matrices that match";
    dv_shape batch_a = batch_of(a), batch_b = batch_of(b), expected;
    if (!dv_shape_broadcast(&batch_a, &batch_b, &expected))
        return "the batches do not match";
    int64_t rows = a->dim[a->rank - 2], columns = b->dim[b->rank - 1];
    expected.dim[expected.rank++] = rows;
    expected.dim[expected.rank++] = columns;
    if (!dv_shape_equal(&expected, &call->outputs[0].shape))
        return "the output's shape does not follow from the operands";
    return zeros_fit(call, 2, (size_t)rows) && zeros_fit(call, 3, (size_t)columns)
               ? NULL
               : "a zero point must be one, or one a row of the left or a column of the right";
}
