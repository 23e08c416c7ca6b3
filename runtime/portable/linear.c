/* linear.c - the product with a weight matrix, and the batched matrix product.

   Both gather DV_LANES columns of one factor into a panel [depth][DV_LANES] and multiply the rows
   of the other by it. Types other than f32 go the plain way. */
#include "runtime/portable/kernel.h"

/* panel[k][lane] = from[lane * lane_step + k * depth_step]; lanes that are not there stay zero. */
static void gather(const float *from, size_t lanes, size_t lane_step, size_t depth,
                   size_t depth_step, double *panel)
{
    for (size_t k = 0; k < depth; k++, panel += DV_LANES)
        for (size_t lane = 0; lane < DV_LANES; lane++)
            panel[lane] = lane < lanes ? (double)from[lane * lane_step + k * depth_step] : 0.0;
}

/* out[m][n] = sum over k of a[m][k] * b[k][n] */
static void product(const float *a, const float *b, float *out, size_t rows, size_t depth,
                    size_t columns, const float *bias, double *panel)
{
    double sums[16 * DV_LANES];
    for (size_t n = 0; n < columns; n += DV_LANES) {
        size_t lanes = columns - n < DV_LANES ? columns - n : DV_LANES;
        gather(b + n, lanes, 1, depth, columns, panel);
        for (size_t m = 0; m < rows; m += 16) {
            size_t some = rows - m < 16 ? rows - m : 16;
            dv_panel_product(a + m * depth, some, depth, panel, depth, sums);
            for (size_t r = 0; r < some; r++)
                for (size_t lane = 0; lane < lanes; lane++)
                    out[(m + r) * columns + n + lane] =
                        (float)(sums[r * DV_LANES + lane] + (bias ? (double)bias[n + lane] : 0));
        }
    }
}

/* out[m][n] = sum over k of a[m][k] * b[n][k]: the rows of a make the panel. */
static void product_transposed(const float *a, const float *b, float *out, size_t rows,
                               size_t depth, size_t columns, const float *bias, double *panel)
{
    double sums[16 * DV_LANES];
    for (size_t m = 0; m < rows; m += DV_LANES) {
        size_t lanes = rows - m < DV_LANES ? rows - m : DV_LANES;
        gather(a + m * depth, lanes, depth, depth, 1, panel);
        for (size_t n = 0; n < columns; n += 16) {
            size_t some = columns - n < 16 ? columns - n : 16;
            dv_panel_product(b + n * depth, some, depth, panel, depth, sums);
            for (size_t lane = 0; lane < lanes; lane++)
                for (size_t r = 0; r < some; r++)
                    out[(m + lane) * columns + n + r] =
                        (float)(sums[r * DV_LANES + lane] + (bias ? (double)bias[n + r] : 0));
        }
    }
}

/* A product of any numbers: elements of the factors and of the bias follow from these. */
typedef struct plain {
    const dv_operand *a, *b, *bias, *out;
    size_t first_a, first_b, first_out, rows, depth, columns;
    size_t b_row, b_column; /* elements from b[k][n] to b[k + 1][n], to b[k][n + 1] */
} plain;

static double float_sum(const plain *p, size_t m, size_t n)
{
    double sum = dv_given(p->bias) ? dv_at(p->bias, n) : 0;
    for (size_t k = 0; k < p->depth; k++)
        sum += dv_at(p->a, p->first_a + m * p->depth + k) *
               dv_at(p->b, p->first_b + k * p->b_row + n * p->b_column);
    return sum;
}

/* Wraps, as integers do. */
static int64_t integer_sum(const plain *p, size_t m, size_t n)
{
    uint64_t sum = 0;
    int64_t x = 0, y = 0;
    if (dv_given(p->bias))
        dv_load_i64(p->bias, n, 1, 1, &x);
    sum = (uint64_t)x;
    for (size_t k = 0; k < p->depth; k++) {
        dv_load_i64(p->a, p->first_a + m * p->depth + k, 1, 1, &x);
        dv_load_i64(p->b, p->first_b + k * p->b_row + n * p->b_column, 1, 1, &y);
        sum += (uint64_t)x * (uint64_t)y;
    }
    return (int64_t)sum;
}

static void plain_product(const plain *p)
{
    bool floats = dv_dtype_is_float(p->out->dtype);
    for (size_t m = 0; m < p->rows; m++)
        for (size_t n = 0; n < p->columns; n++) {
            size_t at = p->first_out + m * p->columns + n;
            int64_t integer = floats ? 0 : integer_sum(p, m, n);
            if (floats)
                dv_put(p->out, at, float_sum(p, m, n));
            else
                dv_store_i64(p->out, at, 1, 1, &integer);
        }
}

/* Are the factors, the bias and the product numbers of one type? */
static bool same_numbers(const dv_kernel_call *call)
{
    dv_dtype dtype = call->inputs[0].dtype;
    bool same = dv_dtype_is_number(dtype) && dtype != DV_DTYPE_BOOL;
    for (uint32_t i = 1; i < call->input_count; i++)
        same &= !dv_given(&call->inputs[i]) || call->inputs[i].dtype == dtype;
    return same && call->outputs[0].dtype == dtype;
}

/* Elements before the last dim: the rows of a matrix [..., K]. */
static size_t rows_of(const dv_shape *shape)
{
    size_t rows = 1;
    for (int d = 0; d + 1 < shape->rank; d++)
        rows *= (size_t)shape->dim[d];
    return rows;
}

dv_status dv_kernel_linear(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    size_t depth = (size_t)in->shape.dim[in->shape.rank - 1];
    size_t columns = (size_t)out->shape.dim[out->shape.rank - 1];
    size_t rows = rows_of(&in->shape);
    bool kn = call->op->params.linear.weight_kn;
    if (in->dtype != DV_DTYPE_F32) {
        plain p = {.a = in,
                   .b = &call->inputs[1],
                   .bias = &call->inputs[2],
                   .out = out,
                   .rows = rows,
                   .depth = depth,
                   .columns = columns,
                   .b_row = kn ? columns : 1,
                   .b_column = kn ? 1 : depth};
        plain_product(&p);
        return DV_OK;
    }
    if (call->op->params.linear.weight_kn)
        product(in->data, call->inputs[1].data, out->data, rows, depth, columns,
                call->inputs[2].data, call->scratch);
    else
        product_transposed(in->data, call->inputs[1].data, out->data, rows, depth, columns,
                           call->inputs[2].data, call->scratch);
    return DV_OK;
}

const char *dv_check_linear(const dv_kernel_call *call)
{
    const dv_linear_params *p = &call->op->params.linear;
    const dv_shape *in = &call->inputs[0].shape, *weight = &call->inputs[1].shape;
    const dv_shape *out = &call->outputs[0].shape;
    if (!same_numbers(call))
        return "input, weight, bias and output must be numbers of one type";
    if (p->input_transposed || p->alpha != 1 || p->beta != 1)
        return "the linear operator is not in core form";
    if (in->rank < 1 || in->rank != out->rank || weight->rank != 2)
        return "the ranks of input, weight and output do not fit";
    int64_t depth = weight->dim[p->weight_kn ? 0 : 1], columns = weight->dim[p->weight_kn ? 1 : 0];
    for (int d = 0; d + 1 < in->rank; d++)
        if (in->dim[d] != out->dim[d])
            return "input and output differ in their rows";
    if (in->dim[in->rank - 1] != depth || out->dim[out->rank - 1] != columns)
        return "the weight does not fit input and output";
    if (dv_given(&call->inputs[2]) && call->inputs[2].count != (size_t)columns)
        return "the bias does not have one element a column";
    return NULL;
}

size_t dv_scratch_linear(const dv_kernel_call *call)
{
    const dv_shape *in = &call->inputs[0].shape;
    return dv_panel_bytes((size_t)in->dim[in->rank - 1]);
}

/* A matrix product with numpy's meaning: vectors are a row (left) or a column (right), leading
   dims are batches and broadcast. */
typedef struct matrices {
    size_t rows, depth, columns;
    dv_shape batch, batch_a, batch_b; /* the leading dims */
} matrices;

static const char *matrices_of(const dv_kernel_call *call, matrices *m)
{
    const dv_shape *a = &call->inputs[0].shape, *b = &call->inputs[1].shape;
    if (a->rank < 1 || b->rank < 1)
        return "a factor of the matrix product is a scalar";
    int64_t depth_b = b->rank == 1 ? b->dim[0] : b->dim[b->rank - 2];
    if (a->dim[a->rank - 1] != depth_b)
        return "the factors' inner dimensions differ";
    m->depth = (size_t)depth_b;
    m->rows = a->rank == 1 ? 1 : (size_t)a->dim[a->rank - 2];
    m->columns = b->rank == 1 ? 1 : (size_t)b->dim[b->rank - 1];
    m->batch_a = dv_shape_make(a->dim, a->rank > 2 ? a->rank - 2u : 0);
    m->batch_b = dv_shape_make(b->dim, b->rank > 2 ? b->rank - 2u : 0);
    if (!dv_shape_broadcast(&m->batch_a, &m->batch_b, &m->batch))
        return "the factors' batches do not broadcast";
    dv_shape out = m->batch;
    if (a->rank > 1 && out.rank < DV_MAX_RANK)
        out.dim[out.rank++] = (int64_t)m->rows;
    if (b->rank > 1 && out.rank < DV_MAX_RANK)
        out.dim[out.rank++] = (int64_t)m->columns;
    if (!dv_shape_equal(&out, &call->outputs[0].shape))
        return "the output's shape does not follow from the factors'";
    return NULL;
}

dv_status dv_kernel_matmul(const dv_kernel_call *call)
{
    matrices m;
    (void)matrices_of(call, &m); /* checked before */
    const float *a = call->inputs[0].data, *b = call->inputs[1].data;
    float *out = call->outputs[0].data;
    ptrdiff_t stride[2][DV_WALK_RANK];
    dv_broadcast_strides(&m.batch_a, &m.batch, stride[0]);
    dv_broadcast_strides(&m.batch_b, &m.batch, stride[1]);
    dv_walk walk;
    dv_walk_start(&walk, m.batch.rank, m.batch.dim, 2, stride);
    plain p = {.a = &call->inputs[0],
               .b = &call->inputs[1],
               .bias = &call->inputs[2],
               .out = &call->outputs[0],
               .rows = m.rows,
               .depth = m.depth,
               .columns = m.columns,
               .b_row = m.columns,
               .b_column = 1};
    if (walk.empty)
        return DV_OK;
    do {
        for (size_t i = 0; i < walk.length; i++, p.first_out += m.rows * m.columns) {
            size_t at_a = (size_t)(walk.at[0] + (ptrdiff_t)i * walk.step[0]);
            size_t at_b = (size_t)(walk.at[1] + (ptrdiff_t)i * walk.step[1]);
            p.first_a = at_a * m.rows * m.depth;
            p.first_b = at_b * m.depth * m.columns;
            if (p.a->dtype != DV_DTYPE_F32)
                plain_product(&p);
            else
                product(a + p.first_a, b + p.first_b, out + p.first_out, m.rows, m.depth, m.columns,
                        NULL, call->scratch);
        }
    } while (dv_walk_next(&walk));
    return DV_OK;
}

const char *dv_check_matmul(const dv_kernel_call *call)
{
    matrices m;
    if (!same_numbers(call))
        return "factors and product must be numbers of one type";
    return matrices_of(call, &m);
}

size_t dv_scratch_matmul(const dv_kernel_call *call)
{
    const dv_shape *a = &call->inputs[0].shape;
    return dv_panel_bytes((size_t)a->dim[a->rank - 1]);
}
