/* aten_fourier.c - ATen's discrete Fourier transforms, over one dim after another.

   DFT is the forward sum or, inverse, the sum divided by its length; what torch's norms ask for
   beyond that is one factor. */
#include <math.h>
#include <string.h>

#include "load/aten_complex.h"

typedef struct transform {
    dv_tensor_id x;
    uint8_t rank; /* of the file's */
    size_t count;
    int64_t axes[DV_MAX_RANK], lengths[DV_MAX_RANK]; /* of the signals */
    bool inverse, half;                              /* half: of a real signal */
    double factor;                                   /* of the sum without a norm */
} transform;

enum { MOST_LENGTH = 1 << 24 };

/* The lengths as they are where none was given (0). The half of a real signal is that of an even
   length. */
static dv_status fill_lengths(dv_aten_at *at, transform *t)
{
    const dv_shape *shape = dv_aten_shape_of(at, t->x);
    double all = 1;
    for (size_t i = 0; i < t->count; i++) {
        int64_t *axis = &t->axes[i], *length = &t->lengths[i];
        *axis += *axis < 0 ? t->rank : 0;
        if (*axis < 0 || *axis >= t->rank)
            return dv_fail(DV_BAD_INPUT, "a dim is none of its input's");
        for (size_t k = 0; k < i; k++)
            if (t->axes[k] == *axis)
                return dv_fail(DV_BAD_INPUT, "it transforms a dim twice");
        bool shrinks = t->inverse && t->half && i + 1 == t->count;
        if (*length <= 0)
            *length = shrinks ? 2 * (shape->dim[*axis] - 1) : shape->dim[*axis];
        if (*length < 1 || *length > MOST_LENGTH)
            return dv_fail(DV_BAD_INPUT, "it transforms %lld numbers", (long long)*length);
        all *= (double)*length;
    }
    t->factor *= t->inverse ? all : 1; /* the operator has divided */
    return DV_OK;
}

/* One number for all signals together, by the norm: "backward" divides the inverse by n, "forward"
   the transform, "ortho" both by its root. */
static dv_status apply_norm(dv_aten_at *at, uint32_t i, transform *t)
{
    const char *norm = at->args[i].type == DV_ATEN_TEXT ? at->args[i].text : "backward";
    double all = 1;
    for (size_t k = 0; k < t->count; k++)
        all *= (double)t->lengths[k];
    if (strcmp(norm, "ortho") == 0)
        t->factor /= sqrt(all);
    else if ((strcmp(norm, "forward") == 0) != t->inverse)
        t->factor /= all;
    return DV_OK;
}

static dv_status transform_axis(dv_aten_at *at, const transform *t, size_t i, dv_tensor_id *id)
{
    bool onesided = t->half && i + 1 == t->count;
    dv_op_params params = {.spectrum = {.axis = t->axes[i],
                                        .length = t->lengths[i],
                                        .inverse = t->inverse,
                                        .onesided = onesided}};
    return dv_aten_emit(at, DV_OP_DFT, &params, *id, DV_NONE, id);
}

/* A real signal's half comes first, the half that gives a real signal goes last. */
static dv_status finish(dv_aten_at *at, transform *t)
{
    dv_op_params drop = {.select = {.axis = -1}};
    bool to_real = t->inverse && t->half;
    dv_dtype dtype = dv_aten_made_dtype(at, DV_DTYPE_F32);
    dv_tensor_id id = t->x, factor;
    if (t->count == 0)
        return dv_aten_opaque(at, "it transforms no dim");
    DV_TRY(dv_aten_cast(at, dtype, &id));
    if (!dv_aten_is_complex(at, t->x))
        DV_TRY(dv_aten_open_last(at, &id));
    if (!to_real)
        DV_TRY(transform_axis(at, t, t->count - 1, &id));
    for (size_t i = 0; i + 1 < t->count; i++)
        DV_TRY(transform_axis(at, t, i, &id));
    if (to_real)
        DV_TRY(transform_axis(at, t, t->count - 1, &id));
    if (t->factor != 1) {
        DV_TRY(dv_aten_scalar(at, dtype, t->factor, &factor));
        if (!to_real)
            return dv_aten_finish(at, DV_OP_MUL, NULL, id, factor, DV_NONE);
        DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, id, factor, &id));
    }
    return to_real ? dv_aten_finish(at, DV_OP_SELECT, &drop, id, DV_NONE, DV_NONE)
                   : dv_aten_finish(at, DV_OP_IDENTITY, NULL, id, DV_NONE, DV_NONE);
}

/* The input of a transform; *is_known is false where the call became opaque. */
static dv_status begin(dv_aten_at *at, transform *t, bool *is_known)
{
    DV_TRY(dv_aten_input(at, 0, &t->x));
    const dv_shape *shape = dv_aten_shape_of(at, t->x);
    bool complex = dv_aten_is_complex(at, t->x);
    bool wants_real = t->half && !t->inverse;
    *is_known = false;
    t->factor = 1;
    if (!dv_shape_known(shape) || shape->rank >= DV_MAX_RANK + complex)
        return dv_aten_opaque(at, "the shape of its input is not known");
    if (complex && wants_real)
        return dv_fail(DV_BAD_INPUT, "a transform of real numbers is given complex ones");
    t->rank = dv_aten_file_rank(at, t->x);
    *is_known = true;
    return DV_OK;
}

/* ---- torch.fft: (self, n, dim, norm) or (self, s, dim, norm) ---- */

static dv_status read_fft(dv_aten_at *at)
{
    const char *name = dv_aten_name(at->call->rule) + strlen("fft_");
    size_t sizes;
    bool known;
    transform t = {.inverse = name[0] == 'i', .half = strchr(name, 'r')};
    DV_TRY(begin(at, &t, &known));
    if (!known)
        return DV_OK;
    DV_TRY(dv_aten_ints(at, 1, t.lengths, DV_MAX_RANK, &sizes));
    DV_TRY(dv_aten_ints(at, 2, t.axes, DV_MAX_RANK, &t.count));
    if (t.count == 0) { /* all, or as many of the last as sizes are given */
        bool image = name[strlen(name) - 1] == '2';
        t.count = sizes ? sizes : image && t.rank > 2 ? 2 : t.rank;
        for (size_t i = 0; i < t.count; i++)
            t.axes[i] = (int64_t)i - (int64_t)t.count;
    }
    if (sizes > 0 && sizes != t.count)
        return dv_fail(DV_BAD_INPUT, "it has %zu sizes for %zu dims", sizes, t.count);
    DV_TRY(fill_lengths(at, &t));
    DV_TRY(apply_norm(at, 3, &t));
    return finish(at, &t);
}

dv_status dv_aten_read_fft(dv_aten_at *at)
{
    return read_fft(at);
}

/* ---- what decomposition leaves: (self, dim, normalization, ...) ---- */

static dv_status read_plain(dv_aten_at *at, transform *t, int64_t last)
{
    int64_t norm;
    bool known;
    DV_TRY(begin(at, t, &known));
    if (!known)
        return DV_OK;
    DV_TRY(dv_aten_ints(at, 1, t->axes, DV_MAX_RANK, &t->count));
    DV_TRY(dv_aten_int(at, 2, &norm));
    if (t->count > 0)
        t->lengths[t->count - 1] = last;
    DV_TRY(fill_lengths(at, t));
    double all = 1;
    for (size_t i = 0; i < t->count; i++)
        all *= (double)t->lengths[i];
    t->factor /= norm == 1 ? sqrt(all) : norm == 2 ? all : 1;
    return finish(at, t);
}

dv_status dv_aten_read_fft_r2c(dv_aten_at *at)
{
    transform t = {0};
    DV_TRY(dv_aten_flag(at, 3, &t.half));
    return read_plain(at, &t, 0);
}

dv_status dv_aten_read_fft_c2r(dv_aten_at *at)
{
    transform t = {.inverse = true, .half = true};
    int64_t last;
    DV_TRY(dv_aten_int(at, 3, &last));
    return read_plain(at, &t, last);
}

dv_status dv_aten_read_fft_c2c(dv_aten_at *at)
{
    transform t = {0};
    bool forward;
    DV_TRY(dv_aten_flag(at, 3, &forward));
    t.inverse = !forward;
    return read_plain(at, &t, 0);
}

/* ---- around them ---- */

/* A roll by half of each dim: (self, dim). */
static dv_status shift(dv_aten_at *at, bool back)
{
    dv_tensor_id x;
    DV_TRY(dv_aten_input(at, 0, &x));
    const dv_shape *shape = dv_aten_shape_of(at, x);
    if (!dv_shape_known(shape))
        return dv_aten_opaque(at, "the shape of its input is not known");
    uint8_t rank = dv_aten_file_rank(at, x);
    int64_t axes[DV_MAX_RANK], shifts[DV_MAX_RANK];
    size_t count;
    DV_TRY(dv_aten_count_axes(at, 1, rank));
    DV_TRY(dv_aten_ints(at, 1, axes, DV_MAX_RANK, &count));
    for (uint8_t d = 0; count == 0 && d < rank; d++)
        axes[d] = d;
    count = dv_aten_given(at, 1) ? count : rank;
    if (count == 0)
        return dv_aten_finish(at, DV_OP_IDENTITY, NULL, x, DV_NONE, DV_NONE);
    for (size_t i = 0; i < count; i++) {
        if (axes[i] < 0 || axes[i] >= rank)
            return dv_fail(DV_BAD_INPUT, "a dim is none of its input's");
        shifts[i] = (shape->dim[axes[i]] + back) / 2;
    }
    at->args[1] =
        (dv_aten_value){.type = DV_ATEN_INTS, .count = (uint32_t)count, .integers = shifts};
    at->args[2] = (dv_aten_value){.type = DV_ATEN_INTS, .count = (uint32_t)count, .integers = axes};
    return dv_aten_read_roll(at);
}

dv_status dv_aten_read_fftshift(dv_aten_at *at)
{
    return shift(at, false);
}

dv_status dv_aten_read_ifftshift(dv_aten_at *at)
{
    return shift(at, true);
}

/* The frequencies of n bins: (n, d). */
static dv_status frequencies(dv_aten_at *at, bool half)
{
    int64_t n;
    double spacing;
    dv_tensor_id id;
    DV_TRY(dv_aten_int(at, 0, &n));
    DV_TRY(dv_aten_real(at, 1, &spacing));
    if (n < 1 || n > MOST_LENGTH / 16)
        return dv_aten_opaque(at, "%lld frequencies", (long long)n);
    size_t count = (size_t)(half ? n / 2 + 1 : n);
    double *bins = dv_arena_array(dv_graph_arena(at->graph), count, sizeof *bins);
    if (!bins)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++) {
        int64_t k = (int64_t)i;
        bins[i] = (double)(half || k < (n + 1) / 2 ? k : k - n) / ((double)n * spacing);
    }
    dv_shape shape = {1, {(int64_t)count}};
    DV_TRY(dv_aten_numbers(at, dv_aten_made_dtype(at, DV_DTYPE_F32), &shape, bins, &id));
    return dv_aten_finish(at, DV_OP_IDENTITY, NULL, id, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_fftfreq(dv_aten_at *at)
{
    return frequencies(at, false);
}

dv_status dv_aten_read_rfftfreq(dv_aten_at *at)
{
    return frequencies(at, true);
}
