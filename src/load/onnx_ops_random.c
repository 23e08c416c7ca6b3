/* onnx_ops_random.c - random numbers: drawn once, when the model is loaded, so that every run of a
   plan sees the same. They are elements of a constant that is generated, never stored. */
#include <math.h>
#include <string.h>

#include "load/onnx_ops.h"

/* Uniform in (low, high), of that shape; streams of one node differ. */
static dv_status uniform(dv_onnx_at *at, const dv_shape *shape, uint64_t stream, double low,
                         double high, dv_tensor_id *id)
{
    dv_tensor tensor = {.name = dv_arena_printf(at->arena, "%s.random", at->op.name),
                        .dtype = DV_DTYPE_F32,
                        .role = DV_ROLE_CONSTANT,
                        .shape = *shape};
    if (!tensor.name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    double seed;
    uint64_t bits;
    DV_TRY(dv_onnx_float(at, "seed", (double)at->op.debug_handle, &seed));
    memcpy(&bits, &seed, sizeof bits);
    tensor.data = (dv_data){.storage = DV_STORAGE_GENERATED,
                            .seed = bits + stream,
                            .scale = (high - low) / 2,
                            .shift = (low + high) / 2};
    return dv_graph_add_tensor(at->graph, &tensor, id);
}

/* sqrt(-2 ln u) cos(2 pi v) of two uniform numbers (Box and Muller 1958), none of them 0. */
static dv_status normal(dv_onnx_at *at, const dv_shape *shape, dv_tensor_id *id)
{
    enum { SCALED = 2 };
    dv_tensor_id radius, turn, factor;
    DV_TRY(uniform(at, shape, 0, 1e-6, 1, &radius));
    DV_TRY(uniform(at, shape, 1, 0, 2 * M_PI, &turn));
    DV_TRY(dv_onnx_emit(at, DV_OP_LOG, NULL, radius, DV_NONE, &radius));
    DV_TRY(dv_onnx_scalar(at, DV_DTYPE_F32, -SCALED, &factor));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, radius, factor, &radius));
    DV_TRY(dv_onnx_emit(at, DV_OP_SQRT, NULL, radius, DV_NONE, &radius));
    DV_TRY(dv_onnx_emit(at, DV_OP_COS, NULL, turn, DV_NONE, &turn));
    return dv_onnx_emit(at, DV_OP_MUL, NULL, radius, turn, id);
}

static dv_status become_random(dv_onnx_at *at, const dv_shape *shape, bool is_normal, dv_dtype like)
{
    int64_t type;
    double low, high;
    dv_tensor_id id;
    DV_TRY(dv_onnx_int(at, "dtype", dv_onnx_type_of(like), &type));
    dv_dtype dtype = type < 0 || type > UINT32_MAX ? DV_DTYPE_NONE : dv_onnx_dtype((uint32_t)type);
    if (!dv_dtype_is_float(dtype))
        return dv_onnx_opaque(at, "elements of type %lld are not supported", (long long)type);
    DV_TRY(dv_onnx_float(at, is_normal ? "mean" : "low", 0, &low));
    DV_TRY(dv_onnx_float(at, is_normal ? "scale" : "high", 1, &high));
    if (!isfinite(low) || !isfinite(high))
        return dv_fail(DV_BAD_INPUT, "its range is not finite");
    if (is_normal) {
        dv_tensor_id scale, mean;
        DV_TRY(normal(at, shape, &id));
        DV_TRY(dv_onnx_scalar(at, DV_DTYPE_F32, high, &scale));
        DV_TRY(dv_onnx_scalar(at, DV_DTYPE_F32, low, &mean));
        DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, id, scale, &id));
        DV_TRY(dv_onnx_emit(at, DV_OP_ADD, NULL, id, mean, &id));
    } else {
        DV_TRY(uniform(at, shape, 0, low, high, &id));
    }
    dv_onnx_become(at, DV_OP_CAST, id, DV_NONE, DV_NONE);
    at->op.params.cast.dtype = dtype;
    return DV_OK;
}

static bool is_normal(const dv_onnx_at *at)
{
    return dv_span_is(at->node->op_type, "RandomNormal") ||
           dv_span_is(at->node->op_type, "RandomNormalLike");
}

/* Of the shape that an attribute gives. */
dv_status dv_onnx_op_random(dv_onnx_at *at)
{
    size_t count;
    dv_shape shape = {0};
    DV_TRY(dv_onnx_ints(at, "shape", DV_MAX_RANK, shape.dim, &count));
    shape.rank = (uint8_t)count;
    for (size_t d = 0; d < count; d++)
        if (shape.dim[d] < 0)
            return dv_fail(DV_BAD_INPUT, "its dimension %zu is %lld; a size cannot be negative", d,
                           (long long)shape.dim[d]);
    return become_random(at, &shape, is_normal(at), DV_DTYPE_F32);
}

/* Of the input's shape, and its type if no other is given. */
dv_status dv_onnx_op_random_like(dv_onnx_at *at)
{
    const dv_shape *shape = dv_onnx_shape_of(at, at->inputs[0]);
    if (!dv_shape_known(shape))
        return dv_onnx_opaque(at,
                              "the shape of its input is not known, so no numbers of that shape "
                              "can be drawn");
    return become_random(at, shape, is_normal(at), dv_onnx_input_dtype(at, 0));
}
