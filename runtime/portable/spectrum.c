/* spectrum.c - discrete Fourier transforms by their definition, and determinants. */
#include <math.h>

#include "runtime/portable/kernel.h"

static const double pi = 3.14159265358979323846;

/* The scratch memory: cos and sin of 2 pi i / length, for each i. */
static void fill_turns(double *turns, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        turns[2 * i] = cos(2 * pi * (double)i / (double)length);
        turns[2 * i + 1] = sin(2 * pi * (double)i / (double)length);
    }
}

static size_t turn_bytes(const dv_kernel_call *call)
{
    size_t bytes;
    return dv_mul_size((size_t)call->op->params.spectrum.length, 2 * sizeof(double), &bytes)
               ? bytes
               : SIZE_MAX;
}

/* A line of numbers: first element, elements between two, how many; parts 1 real, 2 complex. */
typedef struct line {
    const dv_operand *from;
    size_t first, step, count, parts;
    const dv_operand *window; /* NULL: none */
} line;

typedef struct number {
    double re, im;
} number;

static number number_at(const line *l, size_t i)
{
    if (i >= l->count)
        return (number){0, 0};
    size_t at = l->first + i * l->step;
    double weight = l->window ? dv_at(l->window, i) : 1;
    return (number){weight * dv_at(l->from, at),
                    l->parts == 2 ? weight * dv_at(l->from, at + 1) : 0};
}

/* The k-th of the sums over n of x[n] e^(sign 2 pi i k n / length). */
static number sum_of(const line *l, const double *turns, size_t length, size_t k, double sign)
{
    number sum = {0, 0};
    size_t turn = 0;
    for (size_t n = 0; n < length && n < l->count; n++) {
        number x = number_at(l, n);
        double c = turns[2 * turn], s = sign * turns[2 * turn + 1];
        sum.re += x.re * c - x.im * s;
        sum.im += x.re * s + x.im * c;
        turn = (turn + k) % length;
    }
    return sum;
}

/* Element n of the real signal whose spectrum's first half is l. */
static double real_at(const line *l, const double *turns, size_t length, size_t n)
{
    double sum = number_at(l, 0).re;
    for (size_t k = 1; k <= length / 2; k++) {
        number x = number_at(l, k);
        size_t turn = k * n % length;
        bool middle = 2 * k == length; /* its own mirror image */
        sum += middle ? x.re * turns[2 * turn]
                      : 2 * (x.re * turns[2 * turn] - x.im * turns[2 * turn + 1]);
    }
    return sum / (double)length;
}

dv_status dv_kernel_dft(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    const dv_spectrum_params *p = &call->op->params.spectrum;
    size_t axis = (size_t)p->axis, length = (size_t)p->length, inner = 1;
    size_t many_in = (size_t)in->shape.dim[axis], many_out = (size_t)out->shape.dim[axis];
    size_t parts_in = (size_t)in->shape.dim[in->shape.rank - 1];
    size_t parts_out = (size_t)out->shape.dim[out->shape.rank - 1];
    double *turns = call->scratch, sign = p->inverse ? 1 : -1;
    double scale = p->inverse ? 1 / (double)length : 1;
    fill_turns(turns, length);
    for (int d = (int)axis + 1; d < in->shape.rank - 1; d++)
        inner *= (size_t)in->shape.dim[d];
    for (size_t at = 0; at < out->count / parts_out; at++) {
        size_t column = at % inner, k = at / inner % many_out, row = at / inner / many_out;
        line l = {
            in,  (row * many_in * inner + column) * parts_in, inner * parts_in, many_in, parts_in,
            NULL};
        if (parts_out == 1) {
            dv_put(out, at, real_at(&l, turns, length, k));
            continue;
        }
        number sum = sum_of(&l, turns, length, k, sign);
        dv_put(out, 2 * at, sum.re * scale);
        dv_put(out, 2 * at + 1, sum.im * scale);
    }
    return DV_OK;
}

size_t dv_scratch_dft(const dv_kernel_call *call)
{
    return turn_bytes(call);
}

static const char *check_parts(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0];
    if (!dv_dtype_is_float(in->dtype) || !dv_same_dtype(call))
        return "signal and spectrum must be floats of one type";
    if (in->shape.rank < 2 || call->op->params.spectrum.length < 1 ||
        call->op->params.spectrum.length > 1 << 24)
        return "it is not in core form: lower the graph first";
    int64_t parts = in->shape.dim[in->shape.rank - 1];
    return parts == 1 || parts == 2 ? NULL : "its numbers are neither real nor complex";
}

const char *dv_check_dft(const dv_kernel_call *call)
{
    const dv_spectrum_params *p = &call->op->params.spectrum;
    const char *fault = check_parts(call);
    if (fault)
        return fault;
    dv_shape expected = call->inputs[0].shape;
    if (p->axis < 0 || p->axis >= expected.rank - 1)
        return "the axis is out of range";
    bool half = p->onesided && !p->inverse;
    expected.dim[p->axis] = half ? p->length / 2 + 1 : p->length;
    expected.dim[expected.rank - 1] = p->inverse && p->onesided ? 1 : 2;
    return dv_shape_equal(&expected, &call->outputs[0].shape) ? NULL : "the output does not fit";
}

dv_status dv_kernel_stft(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    const dv_spectrum_params *p = &call->op->params.spectrum;
    size_t parts = (size_t)in->shape.dim[2], length = (size_t)p->length;
    size_t frames = (size_t)out->shape.dim[1], bins = (size_t)out->shape.dim[2];
    bool weighted = call->input_count > 1 && dv_given(&call->inputs[1]);
    fill_turns(call->scratch, length);
    for (size_t at = 0; at < out->count / 2; at++) {
        size_t bin = at % bins, frame = at / bins % frames, signal = at / bins / frames;
        size_t first = (signal * (size_t)in->shape.dim[1] + frame * (size_t)p->step) * parts;
        line l = {in, first, parts, length, parts, weighted ? &call->inputs[1] : NULL};
        number sum = sum_of(&l, call->scratch, length, bin, -1);
        dv_put(out, 2 * at, sum.re);
        dv_put(out, 2 * at + 1, sum.im);
    }
    return DV_OK;
}

size_t dv_scratch_stft(const dv_kernel_call *call)
{
    return turn_bytes(call);
}

const char *dv_check_stft(const dv_kernel_call *call)
{
    const dv_spectrum_params *p = &call->op->params.spectrum;
    const dv_shape *x = &call->inputs[0].shape;
    const dv_operand *window = &call->inputs[1];
    const char *fault = check_parts(call);
    if (fault)
        return fault;
    if (x->rank != 3 || p->step < 1 || x->dim[1] < p->length)
        return "the frames do not fit the signal";
    if (call->input_count > 1 && dv_given(window) &&
        (!dv_dtype_is_float(window->dtype) || window->shape.rank != 1 ||
         window->shape.dim[0] != p->length))
        return "the window does not fit the frames";
    int64_t frames = 1 + (x->dim[1] - p->length) / p->step;
    int64_t bins = p->onesided ? p->length / 2 + 1 : p->length;
    dv_shape expected = dv_shape_make((int64_t[]){x->dim[0], frames, bins, 2}, 4);
    return dv_shape_equal(&expected, &call->outputs[0].shape) ? NULL : "the output does not fit";
}

/* ---- determinants ---- */

static void swap_rows(double *m, size_t n, size_t a, size_t b)
{
    for (size_t k = 0; k < n; k++) {
        double kept = m[a * n + k];
        m[a * n + k] = m[b * n + k];
        m[b * n + k] = kept;
    }
}

/* By elimination with the largest pivot of each column; m is overwritten. */
static double determinant(double *m, size_t n)
{
    double product = 1;
    for (size_t c = 0; c < n; c++) {
        size_t pivot = c;
        for (size_t r = c + 1; r < n; r++)
            if (fabs(m[r * n + c]) > fabs(m[pivot * n + c]))
                pivot = r;
        if (m[pivot * n + c] == 0)
            return 0;
        if (pivot != c) {
            swap_rows(m, n, pivot, c);
            product = -product;
        }
        product *= m[c * n + c];
        for (size_t r = c + 1; r < n; r++) {
            double factor = m[r * n + c] / m[c * n + c];
            for (size_t k = c; k < n; k++)
                m[r * n + k] -= factor * m[c * n + k];
        }
    }
    return product;
}

dv_status dv_kernel_det(const dv_kernel_call *call)
{
    const dv_operand *in = &call->inputs[0], *out = &call->outputs[0];
    size_t n = (size_t)in->shape.dim[in->shape.rank - 1];
    double *m = call->scratch;
    for (size_t i = 0; i < out->count; i++) {
        dv_load_f64(in, i * n * n, 1, n * n, m);
        dv_put(out, i, determinant(m, n));
    }
    return DV_OK;
}

size_t dv_scratch_det(const dv_kernel_call *call)
{
    const dv_shape *x = &call->inputs[0].shape;
    size_t n = (size_t)x->dim[x->rank - 1], bytes;
    return dv_mul_size(n, n, &bytes) && dv_mul_size(bytes, sizeof(double), &bytes) ? bytes
                                                                                   : SIZE_MAX;
}

const char *dv_check_det(const dv_kernel_call *call)
{
    dv_shape expected = call->inputs[0].shape;
    if (!dv_dtype_is_float(call->inputs[0].dtype) || !dv_same_dtype(call))
        return "matrices and determinants must be floats of one type";
    if (expected.rank < 2 || expected.dim[expected.rank - 1] != expected.dim[expected.rank - 2])
        return "the matrices are not square";
    expected.rank = (uint8_t)(expected.rank - 2);
    return dv_shape_equal(&expected, &call->outputs[0].shape) ? NULL : "the output does not fit";
}
