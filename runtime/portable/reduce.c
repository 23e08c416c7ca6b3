/* reduce.c - reductions over any set of dims, the extreme element, and running sums. */
#include <math.h>
#include <string.h>

#include "runtime/portable/kernel.h"

/* The two index spaces of a reduction: one row-major over what is kept, and for each element of it
   one over what is reduced (again row-major). Both walk array 0, the input. */
typedef struct reduction {
    dv_walk kept, reduced;
    size_t count; /* elements reduced into one */
} reduction;

static bool is_reduced(const dv_reduce_params *params, int dim)
{
    for (int i = 0; i < params->count; i++)
        if (params->axes[i] == dim)
            return true;
    return false;
}

static void split_dims(const dv_kernel_call *call, reduction *r)
{
    const dv_shape *shape = &call->inputs[0].shape;
    ptrdiff_t stride[DV_WALK_RANK], split[2][1][DV_WALK_RANK];
    int64_t dim[2][DV_MAX_RANK];
    size_t rank[2] = {0, 0};
    dv_strides(shape, stride);
    r->count = 1;
    for (int d = 0; d < shape->rank; d++) {
        int side = is_reduced(&call->op->params.reduce, d);
        dim[side][rank[side]] = shape->dim[d];
        split[side][0][rank[side]++] = stride[d];
        if (side)
            r->count *= (size_t)shape->dim[d];
    }
    dv_walk_start(&r->kept, rank[0], dim[0], 1, split[0]);
    dv_walk_start(&r->reduced, rank[1], dim[1], 1, split[1]);
}

typedef struct accumulator {
    double (*floats)(double sum, double x);
    int64_t (*integers)(int64_t sum, int64_t x);
    double float_start;
    int64_t integer_start;
    bool mean;
} accumulator;

static double reduce_floats(const dv_operand *in, dv_walk walk, size_t first,
                            const accumulator *how)
{
    double sum = how->float_start, block[DV_BLOCK];
    if (walk.empty)
        return sum;
    do {
        for (size_t i = 0; i < walk.length; i += DV_BLOCK) {
            size_t count = walk.length - i < DV_BLOCK ? walk.length - i : DV_BLOCK;
            dv_load_f64(in, first + dv_walk_index(&walk, 0, i), walk.step[0], count, block);
            for (size_t k = 0; k < count; k++)
                sum = how->floats(sum, block[k]);
        }
    } while (dv_walk_next(&walk));
    return sum;
}

static int64_t reduce_integers(const dv_operand *in, dv_walk walk, size_t first,
                               const accumulator *how)
{
    int64_t sum = how->integer_start, block[DV_BLOCK];
    if (walk.empty)
        return sum;
    do {
        for (size_t i = 0; i < walk.length; i += DV_BLOCK) {
            size_t count = walk.length - i < DV_BLOCK ? walk.length - i : DV_BLOCK;
            dv_load_i64(in, first + dv_walk_index(&walk, 0, i), walk.step[0], count, block);
            for (size_t k = 0; k < count; k++)
                sum = how->integers(sum, block[k]);
        }
    } while (dv_walk_next(&walk));
    return sum;
}

/* The extreme of no elements is the type's least or largest. */
static void fill_extreme(const dv_operand *out, double extreme)
{
    double value = out->dtype == DV_DTYPE_BOOL ? extreme > 0 : extreme; /* storing holds the rest */
    for (size_t i = 0; i < out->count; i++)
        dv_store_f64(out, i, 1, 1, &value);
}

static dv_status reduce(const dv_kernel_call *call, const accumulator *how)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    bool floats = dv_dtype_is_float(in->dtype);
    reduction r;
    if (in->count == 0 && isinf(how->float_start)) {
        fill_extreme(out, how->float_start);
        return DV_OK;
    }
    split_dims(call, &r);
    if (r.kept.empty)
        return DV_OK;
    size_t at = 0;
    do {
        for (size_t i = 0; i < r.kept.length; i++, at++) {
            size_t first = dv_walk_index(&r.kept, 0, i);
            if (floats) {
                double sum = reduce_floats(in, r.reduced, first, how);
                dv_put(out, at, how->mean ? sum / (double)r.count : sum);
            } else {
                int64_t sum = reduce_integers(in, r.reduced, first, how);
                dv_store_i64(out, at, 1, 1, &sum);
            }
        }
    } while (dv_walk_next(&r.kept));
    return DV_OK;
}

static double add(double sum, double x)
{
    return sum + x;
}

static double multiply(double product, double x)
{
    return product * x;
}

/* A NaN anywhere comes out. */
static double larger(double most, double x)
{
    return isnan(x) || x > most ? x : most;
}

static double smaller(double least, double x)
{
    return isnan(x) || x < least ? x : least;
}

static int64_t add_integer(int64_t sum, int64_t x)
{
    return (int64_t)((uint64_t)sum + (uint64_t)x);
}

static int64_t multiply_integer(int64_t product, int64_t x)
{
    return (int64_t)((uint64_t)product * (uint64_t)x);
}

static int64_t larger_integer(int64_t most, int64_t x)
{
    return x > most ? x : most;
}

static int64_t smaller_integer(int64_t least, int64_t x)
{
    return x < least ? x : least;
}

dv_status dv_kernel_sum(const dv_kernel_call *call)
{
    return reduce(call, &(accumulator){add, add_integer, 0, 0, false});
}

dv_status dv_kernel_mean(const dv_kernel_call *call)
{
    return reduce(call, &(accumulator){add, add_integer, 0, 0, true});
}

dv_status dv_kernel_prod(const dv_kernel_call *call)
{
    return reduce(call, &(accumulator){multiply, multiply_integer, 1, 1, false});
}

dv_status dv_kernel_amax(const dv_kernel_call *call)
{
    return reduce(call, &(accumulator){larger, larger_integer, -INFINITY, INT64_MIN, false});
}

dv_status dv_kernel_amin(const dv_kernel_call *call)
{
    return reduce(call, &(accumulator){smaller, smaller_integer, INFINITY, INT64_MAX, false});
}

/* The shape that is left of the input when the dims are reduced. */
static dv_shape reduced_shape(const dv_kernel_call *call)
{
    const dv_shape *in = &call->inputs[0].shape;
    const dv_reduce_params *params = &call->op->params.reduce;
    dv_shape out = {0};
    for (int d = 0; d < in->rank; d++) {
        if (!is_reduced(params, d))
            out.dim[out.rank++] = in->dim[d];
        else if (params->keep_dims)
            out.dim[out.rank++] = 1;
    }
    return out;
}

static const char *check_axes(const dv_kernel_call *call)
{
    const dv_reduce_params *params = &call->op->params.reduce;
    for (int i = 0; i < params->count && i < DV_MAX_RANK; i++)
        if (params->axes[i] < 0 || params->axes[i] >= call->inputs[0].shape.rank)
            return "a reduced axis is out of range";
    dv_shape shape = reduced_shape(call);
    if (params->count > DV_MAX_RANK || !dv_shape_equal(&shape, &call->outputs[0].shape))
        return "the output's shape does not follow from the input's";
    return NULL;
}

const char *dv_check_reduce(const dv_kernel_call *call)
{
    if (!dv_same_dtype(call) || !dv_dtype_is_number(call->inputs[0].dtype) ||
        call->inputs[0].dtype == DV_DTYPE_U64)
        return "input and output must be numbers of one type (other than u64)";
    return check_axes(call);
}

const char *dv_check_reduce_float(const dv_kernel_call *call)
{
    if (!dv_dtype_is_float(call->inputs[0].dtype))
        return "the mean of integers is not defined here";
    return dv_check_reduce(call);
}

/* Is x a better extreme than best? Of equals the first, or, with `last`, the last; NaN beats all.
 */
static bool is_better(double x, double best, bool least, bool last)
{
    if (isnan(x) || isnan(best))
        return isnan(x) && (last || !isnan(best));
    return x == best ? last : least ? x < best : x > best;
}

static bool is_better_integer(int64_t x, int64_t best, bool least, bool last)
{
    return x == best ? last : least ? x < best : x > best;
}

static int64_t extreme_of(const dv_kernel_call *call, dv_walk walk, size_t first, bool least)
{
    const dv_operand *in = &call->inputs[0];
    bool floats = dv_dtype_is_float(in->dtype), last = call->op->params.reduce.last;
    int64_t position = 0, best = 0, most_integer = 0;
    double most = 0;
    do {
        for (size_t k = 0; k < walk.length; k++, position++) {
            size_t at = first + dv_walk_index(&walk, 0, k);
            int64_t integer = 0;
            double x = floats ? dv_at(in, at) : 0;
            if (!floats)
                dv_load_i64(in, at, 1, 1, &integer);
            bool better =
                position == 0 || (floats ? is_better(x, most, least, last)
                                         : is_better_integer(integer, most_integer, least, last));
            if (better) {
                most = x;
                most_integer = integer;
                best = position;
            }
        }
    } while (dv_walk_next(&walk));
    return best;
}

/* Where the extreme element is, counted along the reduced dims. */
static dv_status find_extremes(const dv_kernel_call *call, bool least)
{
    reduction r;
    split_dims(call, &r);
    if (r.kept.empty)
        return DV_OK;
    size_t at = 0;
    do {
        for (size_t i = 0; i < r.kept.length; i++, at++) {
            int64_t best = extreme_of(call, r.reduced, dv_walk_index(&r.kept, 0, i), least);
            dv_store_i64(&call->outputs[0], at, 1, 1, &best);
        }
    } while (dv_walk_next(&r.kept));
    return DV_OK;
}

dv_status dv_kernel_argmax(const dv_kernel_call *call)
{
    return find_extremes(call, false);
}

dv_status dv_kernel_argmin(const dv_kernel_call *call)
{
    return find_extremes(call, true);
}

const char *dv_check_argmax(const dv_kernel_call *call)
{
    dv_dtype in = call->inputs[0].dtype, out = call->outputs[0].dtype;
    if (!dv_dtype_is_number(in) || in == DV_DTYPE_U64)
        return "argmax takes floats and integers other than u64";
    if (out != DV_DTYPE_I64 && out != DV_DTYPE_I32)
        return "argmax gives i64 or i32";
    const char *fault = check_axes(call);
    if (fault)
        return fault;
    for (int i = 0; i < call->op->params.reduce.count; i++)
        if (call->inputs[0].shape.dim[call->op->params.reduce.axes[i]] == 0)
            return "argmax over no elements";
    return NULL;
}

/* Sums or products up to each element of a line, without it if exclusive. */
static dv_status cumulate(const dv_kernel_call *call, bool product)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    const dv_axis_params *p = &call->op->params.axis;
    bool floats = dv_dtype_is_float(in->dtype);
    size_t length = (size_t)in->shape.dim[p->axis], inner = 1;
    for (int d = (int)p->axis + 1; d < in->shape.rank; d++)
        inner *= (size_t)in->shape.dim[d];
    for (size_t line = 0; in->count && line < in->count / length; line++) {
        size_t first = line / inner * length * inner + line % inner;
        double sum = product;
        int64_t integer_sum = product;
        for (size_t k = 0; k < length; k++) {
            size_t at = first + (p->reverse ? length - 1 - k : k) * inner;
            int64_t integer = 0;
            double x = floats ? dv_at(in, at) : 0;
            if (!floats)
                dv_load_i64(in, at, 1, 1, &integer);
            double with = product ? sum * x : sum + x;
            int64_t integer_with = product ? multiply_integer(integer_sum, integer)
                                           : add_integer(integer_sum, integer);
            if (floats)
                dv_put(out, at, p->exclusive ? sum : with);
            else
                dv_store_i64(out, at, 1, 1, p->exclusive ? &integer_sum : &integer_with);
            sum = with;
            integer_sum = integer_with;
        }
    }
    return DV_OK;
}

dv_status dv_kernel_cumsum(const dv_kernel_call *call)
{
    return cumulate(call, false);
}

dv_status dv_kernel_cumprod(const dv_kernel_call *call)
{
    return cumulate(call, true);
}

const char *dv_check_cumsum(const dv_kernel_call *call)
{
    const char *fault = dv_check_map(call);
    int64_t axis = call->op->params.axis.axis;
    if (!fault && (axis < 0 || axis >= call->inputs[0].shape.rank))
        return "the axis is out of range";
    return fault;
}
