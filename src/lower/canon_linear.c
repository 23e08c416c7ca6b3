/* canon_linear.c - matrix products: ONNX's Gemm and MatMul become linear layers where they are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lower/canon.h"
#include "lower/scale.h"

/* A constant of f64 or f16 times factor; f32 may be scaled without computing it (scale.h). */
static dv_status scaled_constant(dv_rewrite *rewrite, double factor, dv_tensor_id *id)
{
    dv_tensor tensor = *dv_rewrite_at(rewrite, *id);
    size_t count, bytes;
    if (!dv_shape_elements(&tensor.shape, &count) || !dv_tensor_bytes(&tensor, &bytes))
        return dv_fail(DV_INTERNAL, "a constant of unknown shape");
    dv_data data = {.storage = DV_STORAGE_BUFFER, .buffer = dv_buffer_create(bytes)};
    if (!data.buffer)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    uint8_t *out = dv_buffer_writable(data.buffer);
    for (size_t i = 0; i < count; i++) {
        double wide;
        float narrow = 0;
        if (tensor.dtype == DV_DTYPE_F64) {
            dv_tensor_read(&tensor, i, 1, &wide);
            wide *= factor;
            memcpy(out + i * sizeof wide, &wide, sizeof wide);
            continue;
        }
        (void)dv_tensor_read_f32(&tensor, i, 1, &narrow);
        uint16_t half = dv_f32_to_f16((float)((double)narrow * factor));
        memcpy(out + i * sizeof half, &half, sizeof half);
    }
    dv_status status =
        dv_rewrite_constant(rewrite, tensor.name, "scaled", tensor.dtype, &tensor.shape, &data, id);
    dv_buffer_release(data.buffer);
    return status;
}

/* *id times factor: folded into a constant, or computed. */
static dv_status times(dv_rewrite *rewrite, const dv_op *op, const char *suffix, double factor,
                       dv_tensor_id *id)
{
    dv_tensor tensor = *dv_rewrite_at(rewrite, *id);
    if (factor == 1)
        return DV_OK;
    if (tensor.role == DV_ROLE_CONSTANT && tensor.dtype == DV_DTYPE_F32)
        return dv_scale_constant(rewrite, &(dv_factors){1, 1, &factor}, "scaled", id);
    if (tensor.role == DV_ROLE_CONSTANT &&
        (tensor.dtype == DV_DTYPE_F64 || tensor.dtype == DV_DTYPE_F16))
        return scaled_constant(rewrite, factor, id);
    dv_tensor_id inputs[2] = {*id};
    dv_shape scalar = {0};
    dv_data data = {.storage = DV_STORAGE_FILL, .shift = factor};
    DV_TRY(dv_rewrite_constant(rewrite, tensor.name, "factor", tensor.dtype, &scalar, &data,
                               &inputs[1]));
    dv_made made = {.source = op, .kind = DV_OP_MUL, .input_count = 2, .inputs = inputs};
    return dv_rewrite_step(rewrite, &made, suffix, tensor.dtype, &tensor.shape, id);
}

/* A constant bias that is the same in every row, as [N]; else DV_NONE and it must be added. */
static dv_status row_bias(dv_rewrite *rewrite, dv_tensor_id bias, int64_t n, dv_tensor_id *id)
{
    dv_tensor tensor = *dv_rewrite_at(rewrite, bias);
    dv_shape row = {.rank = 1, .dim = {n}};
    size_t count;
    *id = DV_NONE;
    if (tensor.role != DV_ROLE_CONSTANT || !dv_dtype_is_float(tensor.dtype) ||
        !dv_shape_elements(&tensor.shape, &count))
        return DV_OK;
    if (dv_shape_equal(&tensor.shape, &row)) {
        *id = bias;
        return DV_OK;
    }
    if (count == 1) {
        float value = 0;
        double wide = 0;
        if (tensor.dtype == DV_DTYPE_F64)
            dv_tensor_read(&tensor, 0, 1, &wide);
        else if (dv_tensor_read_f32(&tensor, 0, 1, &value))
            wide = (double)value;
        dv_data data = {.storage = DV_STORAGE_FILL, .shift = wide};
        return dv_rewrite_constant(rewrite, tensor.name, "row", tensor.dtype, &row, &data, id);
    }
    bool one_row =
        tensor.shape.rank > 0 && tensor.shape.dim[tensor.shape.rank - 1] == n && count == (size_t)n;
    return one_row ? dv_rewrite_constant(rewrite, tensor.name, "row", tensor.dtype, &row,
                                         &tensor.data, id)
                   : DV_OK;
}

static dv_status transpose(dv_rewrite *rewrite, const dv_op *op, dv_tensor_id *id)
{
    dv_tensor tensor = *dv_rewrite_at(rewrite, *id);
    dv_shape shape = {.rank = 2, .dim = {tensor.shape.dim[1], tensor.shape.dim[0]}};
    dv_tensor_id input = *id;
    dv_made made = {.source = op,
                    .kind = DV_OP_PERMUTE,
                    .params.permute = {.rank = 2, .perm = {1, 0}},
                    .input_count = 1,
                    .inputs = &input};
    return dv_rewrite_step(rewrite, &made, "transposed", tensor.dtype, &shape, id);
}

/* A constant weight behind a transposition needs none: it is read the other way round. */
static dv_status untransposed(dv_rewrite *rewrite, dv_tensor_id *weight, bool *turned)
{
    const dv_op *before = dv_rewrite_producer(rewrite, *weight);
    *turned = before && before->kind == DV_OP_PERMUTE && before->params.permute.rank == 2 &&
              dv_rewrite_at(rewrite, before->inputs[0])->role == DV_ROLE_CONSTANT;
    if (*turned)
        *weight = before->inputs[0];
    return DV_OK;
}

dv_status dv_canon_linear(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    const dv_linear_params *p = &op->params.linear;
    const dv_tensor *y = dv_old_output(rewrite, op);
    dv_tensor_id inputs[3] = {DV_NONE, DV_NONE, DV_NONE};
    for (uint32_t i = 0; i < op->input_count && i < 3; i++)
        DV_TRY(dv_rewrite_tensor(rewrite, op->inputs[i], &inputs[i]));
    int64_t n = y->shape.dim[y->shape.rank - 1];
    bool turned;
    dv_tensor_id weight = inputs[1], row = DV_NONE;
    DV_TRY(untransposed(rewrite, &weight, &turned));
    bool has_bias = inputs[2] != DV_NONE;
    dv_shape bias = has_bias ? dv_rewrite_at(rewrite, inputs[2])->shape : (dv_shape){0};
    bool core = p->alpha == 1 && !p->input_transposed && !turned &&
                (!has_bias || (p->beta == 1 && bias.rank == 1 && bias.dim[0] == n));
    if (core)
        return DV_OK;
    dv_op_params params = {.linear = {.weight_kn = p->weight_kn != turned, .alpha = 1, .beta = 1}};
    *done = true;
    if (p->input_transposed)
        DV_TRY(transpose(rewrite, op, &inputs[0]));
    inputs[1] = weight;
    DV_TRY(times(rewrite, op, "alpha", p->alpha, &inputs[1]));
    if (has_bias && p->beta != 0) {
        DV_TRY(times(rewrite, op, "beta", p->beta, &inputs[2]));
        DV_TRY(row_bias(rewrite, inputs[2], n, &row));
    } else {
        has_bias = false;
    }
    dv_made made = {.source = op,
                    .kind = DV_OP_LINEAR,
                    .params = params,
                    .input_count = row != DV_NONE ? 3 : 2,
                    .inputs = (dv_tensor_id[]){inputs[0], inputs[1], row}};
    if (!has_bias || row != DV_NONE)
        return dv_rewrite_replace(rewrite, &made);
    dv_tensor_id product[2] = {DV_NONE, inputs[2]};
    DV_TRY(dv_rewrite_step(rewrite, &made, "product", y->dtype, &y->shape, &product[0]));
    dv_made sum = {.source = op, .kind = DV_OP_ADD, .input_count = 2, .inputs = product};
    return dv_rewrite_replace(rewrite, &sum);
}

static dv_status viewed(dv_rewrite *rewrite, const dv_op *op, const char *suffix,
                        const dv_shape *shape, dv_tensor_id *id)
{
    dv_tensor tensor = *dv_rewrite_at(rewrite, *id);
    if (tensor.role == DV_ROLE_CONSTANT)
        return dv_rewrite_constant(rewrite, tensor.name, suffix, tensor.dtype, shape, &tensor.data,
                                   id);
    dv_tensor_id input = *id;
    dv_made made = {.source = op,
                    .kind = DV_OP_VIEW,
                    .params = dv_view_to(shape),
                    .input_count = 1,
                    .inputs = &input};
    return dv_rewrite_step(rewrite, &made, suffix, tensor.dtype, shape, id);
}

/* Vectors become matrices of one row or column, and the result is viewed without that dim. */
static dv_status matrix_of_vectors(dv_rewrite *rewrite, const dv_op *op, dv_tensor_id inputs[2])
{
    dv_shape a = dv_rewrite_at(rewrite, inputs[0])->shape;
    dv_shape b = dv_rewrite_at(rewrite, inputs[1])->shape;
    const dv_tensor *y = dv_old_output(rewrite, op);
    dv_shape wide = y->shape;
    if (b.rank == 1) {
        wide.dim[wide.rank++] = 1;
        dv_shape column = {.rank = 2, .dim = {b.dim[0], 1}};
        DV_TRY(viewed(rewrite, op, "column", &column, &inputs[1]));
    }
    if (a.rank == 1) {
        wide.dim[wide.rank] = wide.rank > 0 ? wide.dim[wide.rank - 1] : 1;
        wide.dim[wide.rank > 0 ? wide.rank - 1 : 0] = 1;
        wide.rank++;
        dv_shape row = {.rank = 2, .dim = {1, a.dim[0]}};
        DV_TRY(viewed(rewrite, op, "row", &row, &inputs[0]));
    }
    dv_made product = {.source = op, .kind = DV_OP_MATMUL, .input_count = 2, .inputs = inputs};
    dv_tensor_id matrix;
    DV_TRY(dv_rewrite_step(rewrite, &product, "matrix", y->dtype, &wide, &matrix));
    dv_made view = {.source = op,
                    .kind = DV_OP_VIEW,
                    .params = dv_view_to(&y->shape),
                    .input_count = 1,
                    .inputs = &matrix};
    return dv_rewrite_replace(rewrite, &view);
}

/* A product with a constant matrix is a linear layer. */
dv_status dv_canon_matmul(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    dv_tensor_id inputs[2];
    DV_TRY(dv_rewrite_tensor(rewrite, op->inputs[0], &inputs[0]));
    DV_TRY(dv_rewrite_tensor(rewrite, op->inputs[1], &inputs[1]));
    dv_shape a = dv_rewrite_at(rewrite, inputs[0])->shape;
    dv_shape b = dv_rewrite_at(rewrite, inputs[1])->shape;
    if (a.rank == 1 || b.rank == 1) {
        *done = true;
        return matrix_of_vectors(rewrite, op, inputs);
    }
    bool turned = false;
    dv_tensor_id weight = inputs[1];
    DV_TRY(untransposed(rewrite, &weight, &turned));
    bool flat = true;
    for (int d = 0; d + 2 < b.rank; d++)
        flat &= b.dim[d] == 1;
    if (dv_rewrite_at(rewrite, weight)->role != DV_ROLE_CONSTANT || !flat || a.rank < b.rank)
        return DV_OK;
    if (b.rank > 2) {
        dv_shape matrix = {.rank = 2, .dim = {b.dim[b.rank - 2], b.dim[b.rank - 1]}};
        DV_TRY(viewed(rewrite, op, "matrix", &matrix, &weight));
    }
    dv_made made = {.source = op,
                    .kind = DV_OP_LINEAR,
                    .params.linear = {.weight_kn = !turned, .alpha = 1, .beta = 1},
                    .input_count = 2,
                    .inputs = (dv_tensor_id[]){inputs[0], weight}};
    *done = true;
    return dv_rewrite_replace(rewrite, &made);
}

/* Softmax as it was before opset 13: over all dims from the axis on. */
dv_status dv_canon_softmax(dv_rewrite *rewrite, const dv_op *op, bool *done)
{
    const dv_tensor *x = dv_old_input(rewrite, op, 0);
    int64_t axis = op->params.axis.axis;
    if (!op->params.axis.flatten_2d)
        return DV_OK;
    dv_shape flat = {.rank = 2, .dim = {1, 1}};
    int64_t wide = axis, wide_count = 0;
    for (int64_t d = 0; d < x->shape.rank; d++) {
        flat.dim[d >= axis] *= x->shape.dim[d];
        if (d >= axis && x->shape.dim[d] != 1) {
            wide = d;
            wide_count++;
        }
    }
    dv_op_params params = {.axis = {.axis = wide, .guarded = op->params.axis.guarded}};
    if (wide_count <= 1)
        return dv_become(rewrite, op, op->kind, &params, 1, done);
    dv_tensor_id id;
    DV_TRY(dv_rewrite_tensor(rewrite, op->inputs[0], &id));
    *done = true;
    DV_TRY(viewed(rewrite, op, "flat", &flat, &id));
    dv_tensor_id rows;
    params.axis.axis = 1;
    dv_made made = {
        .source = op, .kind = op->kind, .params = params, .input_count = 1, .inputs = &id};
    DV_TRY(dv_rewrite_step(rewrite, &made, "rows", x->dtype, &flat, &rows));
    dv_made view = {.source = op,
                    .kind = DV_OP_VIEW,
                    .params = dv_view_to(&x->shape),
                    .input_count = 1,
                    .inputs = &rows};
    return dv_rewrite_replace(rewrite, &view);
}
