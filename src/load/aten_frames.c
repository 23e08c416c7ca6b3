/* aten_frames.c - signals in frames: windows, short-time Fourier transforms and their inverse. */
#include <math.h>
#include <string.h>

#include "load/aten_complex.h"

enum { MOST_LENGTH = 1 << 20 };

/* ---- windows ---- */

/* a - b cos(2 pi i / n) + c cos(4 pi i / n), n one less for a window that is not periodic. */
static dv_status finish_window(dv_aten_at *at, bool periodic, double a, double b, double c)
{
    int64_t length;
    dv_tensor_id id;
    DV_TRY(dv_aten_int(at, 0, &length));
    if (length < 1 || length > MOST_LENGTH)
        return dv_aten_opaque(at, "a window of %lld", (long long)length);
    double *weights = dv_arena_array(dv_graph_arena(at->graph), (size_t)length, sizeof *weights);
    if (!weights)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    double turn = 2 * M_PI / (double)(periodic ? length : length > 1 ? length - 1 : 1);
    for (int64_t i = 0; i < length; i++)
        weights[i] =
            length == 1 ? 1 : a - b * cos(turn * (double)i) + c * cos(2 * turn * (double)i);
    dv_shape shape = {1, {length}};
    DV_TRY(dv_aten_numbers(at, dv_aten_made_dtype(at, DV_DTYPE_F32), &shape, weights, &id));
    return dv_aten_finish(at, DV_OP_IDENTITY, NULL, id, DV_NONE, DV_NONE);
}

/* (window_length, periodic, alpha, beta) */
dv_status dv_aten_read_window(dv_aten_at *at)
{
    const char *name = dv_aten_name(at->call->rule);
    bool periodic = true;
    double alpha = 0.54, beta = 0.46;
    if (dv_aten_given(at, 1))
        DV_TRY(dv_aten_flag(at, 1, &periodic));
    if (dv_aten_given(at, 2))
        DV_TRY(dv_aten_real(at, 2, &alpha));
    if (dv_aten_given(at, 3))
        DV_TRY(dv_aten_real(at, 3, &beta));
    if (strcmp(name, "hann_window") == 0)
        return finish_window(at, periodic, 0.5, 0.5, 0);
    if (strcmp(name, "hamming_window") == 0)
        return finish_window(at, periodic, alpha, beta, 0);
    return finish_window(at, periodic, 0.42, 0.5, 0.08); /* Blackman's */
}

/* ---- both directions ---- */

typedef struct frames {
    int64_t length, step, window; /* of a frame; window: how much of it the window covers */
    uint32_t window_at, normalized_at, onesided_at; /* places of arguments */
    dv_tensor_id weights;                           /* of a whole frame; DV_NONE: ones */
    dv_dtype dtype;
} frames;

/* (self, n_fft, hop_length, win_length, window, ...) */
static dv_status read_frames(dv_aten_at *at, frames *f)
{
    DV_TRY(dv_aten_int(at, 1, &f->length));
    f->step = f->length / 4;
    f->window = f->length;
    if (dv_aten_given(at, 2))
        DV_TRY(dv_aten_int(at, 2, &f->step));
    if (dv_aten_given(at, 3))
        DV_TRY(dv_aten_int(at, 3, &f->window));
    DV_TRY(dv_aten_option(at, 4, &f->weights));
    if (f->length < 1 || f->length > MOST_LENGTH || f->step < 1 || f->step > MOST_LENGTH ||
        f->window < 1 || f->window > f->length)
        return dv_fail(DV_BAD_INPUT, "frames of %lld every %lld, windows of %lld",
                       (long long)f->length, (long long)f->step, (long long)f->window);
    return DV_OK;
}

/* The window in the middle of its frame. */
static dv_status place_window(dv_aten_at *at, frames *f)
{
    dv_op_params pad = {.pad = {.rank = 1, .mode = DV_PAD_CONSTANT}};
    dv_op_params wide = {.view = {.shape = {1, {f->window}}}};
    int64_t rest = f->length - f->window;
    if (f->weights == DV_NONE && rest == 0)
        return DV_OK;
    if (f->weights == DV_NONE) {
        DV_TRY(dv_aten_scalar(at, f->dtype, 1, &f->weights));
        DV_TRY(dv_aten_emit(at, DV_OP_EXPAND, &wide, f->weights, DV_NONE, &f->weights));
    }
    DV_TRY(dv_aten_cast(at, f->dtype, &f->weights));
    pad.pad.begin[0] = rest / 2;
    pad.pad.end[0] = rest - rest / 2;
    return rest ? dv_aten_emit(at, DV_OP_PAD, &pad, f->weights, DV_NONE, &f->weights) : DV_OK;
}

static dv_status view_as(dv_aten_at *at, const int64_t *dims, size_t count, dv_tensor_id *id)
{
    dv_op_params params = {.view = {.shape = dv_shape_make(dims, count), .allow_zero = true}};
    return dv_aten_emit(at, DV_OP_VIEW, &params, *id, DV_NONE, id);
}

/* ---- to spectra ---- */

/* The signals with half a frame more at either end. */
static dv_status centre(dv_aten_at *at, const frames *f, uint32_t mode, dv_tensor_id *id)
{
    const char *name = at->args[mode].type == DV_ATEN_TEXT ? at->args[mode].text : "reflect";
    dv_op_params pad = {.pad = {.rank = 3, .begin = {0, f->length / 2}, .end = {0, f->length / 2}}};
    pad.pad.mode = strcmp(name, "reflect") == 0     ? DV_PAD_REFLECT
                   : strcmp(name, "replicate") == 0 ? DV_PAD_EDGE
                                                    : DV_PAD_CONSTANT;
    return dv_aten_emit(at, DV_OP_PAD, &pad, *id, DV_NONE, id);
}

/* [signals, samples] to [signals, bins, frames] of complex numbers. */
static dv_status to_spectra(dv_aten_at *at, frames *f, uint32_t centre_at)
{
    dv_tensor_id x, out = at->call->outputs[0];
    bool normalized, onesided, centred = false, complex;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(read_frames(at, f));
    DV_TRY(dv_aten_flag(at, f->normalized_at, &normalized));
    DV_TRY(dv_aten_flag(at, f->onesided_at, &onesided));
    if (centre_at)
        DV_TRY(dv_aten_flag(at, centre_at, &centred));
    const dv_shape shape = *dv_aten_shape_of(at, x);
    complex = dv_aten_is_complex(at, x);
    uint8_t rank = dv_aten_file_rank(at, x);
    onesided = dv_aten_given(at, f->onesided_at) ? onesided : !complex;
    if (!dv_shape_known(&shape) || rank < 1 || rank > 2 || out == DV_NONE ||
        !dv_shape_known(dv_aten_shape_of(at, out)))
        return dv_aten_opaque(at, "its input is no signal, or a list of signals");
    f->dtype = dv_aten_made_dtype(at, DV_DTYPE_F32);
    DV_TRY(dv_aten_cast(at, f->dtype, &x));
    DV_TRY(view_as(at, (int64_t[]){rank == 2 ? shape.dim[0] : 1, shape.dim[rank - 1], complex + 1},
                   3, &x));
    if (centred)
        DV_TRY(centre(at, f, centre_at + 1, &x));
    DV_TRY(place_window(at, f));
    dv_op_params stft = {.spectrum = {.length = f->length, .step = f->step, .onesided = onesided}};
    dv_op_params turn = {.permute = {.rank = 4, .perm = {0, 2, 1, 3}}};
    dv_op_params last = {.view = {.shape = *dv_aten_shape_of(at, out), .allow_zero = true}};
    DV_TRY(dv_aten_emit(at, DV_OP_STFT, &stft, x, f->weights, &x));
    if (normalized)
        DV_TRY(dv_aten_times(at, 1 / sqrt((double)f->length), &x));
    DV_TRY(dv_aten_emit(at, DV_OP_PERMUTE, &turn, x, DV_NONE, &x));
    return dv_aten_finish(at, DV_OP_VIEW, &last, x, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_stft(dv_aten_at *at)
{
    return to_spectra(at, &(frames){.normalized_at = 5, .onesided_at = 6}, 0);
}

dv_status dv_aten_read_stft_centre(dv_aten_at *at)
{
    return to_spectra(at, &(frames){.normalized_at = 7, .onesided_at = 8}, 5);
}

/* ---- back ---- */

/* [signals, frame, frames] to the sum of all frames, each `step` behind the last. */
static dv_status overlap(dv_aten_at *at, const frames *f, int64_t samples, dv_tensor_id *id)
{
    dv_op_params sum = {.pool = {.spatial = 1,
                                 .kernel = {f->length},
                                 .stride = {f->step},
                                 .dilation = {1},
                                 .image = {samples}}};
    return dv_aten_emit(at, DV_OP_COL2IM, &sum, *id, DV_NONE, id);
}

/* What the squares of overlapping windows add up to. */
static dv_status envelope(dv_aten_at *at, const frames *f, int64_t count, int64_t samples,
                          dv_tensor_id *id)
{
    dv_op_params wide = {.view = {.shape = {3, {1, f->length, count}}}};
    if (f->weights == DV_NONE)
        DV_TRY(dv_aten_scalar(at, f->dtype, 1, id));
    else
        DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, f->weights, f->weights, id));
    if (f->weights != DV_NONE)
        DV_TRY(view_as(at, (int64_t[]){1, f->length, 1}, 3, id));
    DV_TRY(dv_aten_emit(at, DV_OP_EXPAND, &wide, *id, DV_NONE, id));
    return overlap(at, f, samples, id);
}

/* The part of the signals that was there before centring. */
static dv_status cut_out(dv_aten_at *at, int64_t begin, int64_t end, dv_tensor_id *id)
{
    dv_op_params slice = {
        .slice = {.count = 1, .axes = {2}, .begin = {begin}, .end = {end}, .step = {1}}};
    return dv_aten_emit(at, DV_OP_SLICE, &slice, *id, DV_NONE, id);
}

/* (self, n_fft, hop_length, win_length, window, center, normalized, onesided, length,
   return_complex): each frame transformed back, times the window; the overlapping sum of them over
   that of the squared windows. */
dv_status dv_aten_read_istft(dv_aten_at *at)
{
    frames f = {0};
    dv_tensor_id z, out = at->call->outputs[0], whole;
    bool centred, normalized, onesided = true, complex;
    int64_t wanted = -1;
    DV_TRY(dv_aten_input(at, 0, &z));
    DV_TRY(read_frames(at, &f));
    DV_TRY(dv_aten_flag(at, 5, &centred));
    DV_TRY(dv_aten_flag(at, 6, &normalized));
    DV_TRY(dv_aten_flag(at, 9, &complex));
    if (dv_aten_given(at, 7))
        DV_TRY(dv_aten_flag(at, 7, &onesided));
    if (dv_aten_given(at, 8))
        DV_TRY(dv_aten_int(at, 8, &wanted));
    const dv_shape shape = *dv_aten_shape_of(at, z);
    if (!dv_shape_known(&shape) || !dv_aten_is_complex(at, z) || shape.rank < 3 || shape.rank > 4 ||
        !onesided || complex || out == DV_NONE || !dv_shape_known(dv_aten_shape_of(at, out)) ||
        wanted > INT32_MAX)
        return dv_aten_opaque(at, "only halves of real signals' spectra are supported");
    int64_t bins = shape.dim[shape.rank - 3], count = shape.dim[shape.rank - 2];
    int64_t samples = f.length + f.step * (count - 1), signals = shape.rank == 4 ? shape.dim[0] : 1;
    dv_op_params back = {
        .spectrum = {.axis = 1, .length = f.length, .inverse = true, .onesided = true}};
    dv_op_params last = {.view = {.shape = *dv_aten_shape_of(at, out), .allow_zero = true}};
    int64_t begin = centred ? f.length / 2 : 0;
    int64_t end = wanted < 0 ? samples - begin : begin + wanted, missing = end - samples;
    dv_op_params longer = {.pad = {.rank = 3, .mode = DV_PAD_CONSTANT, .end = {0, 0, missing}}};
    end = missing > 0 ? samples : end;
    if (end <= begin)
        return dv_fail(DV_BAD_INPUT, "its frames leave nothing of the signal");
    if (count < 1 || bins != f.length / 2 + 1)
        return dv_fail(DV_BAD_INPUT, "%lld bins are not those of frames of %lld", (long long)bins,
                       (long long)f.length);
    f.dtype = dv_aten_made_dtype(at, DV_DTYPE_F32);
    DV_TRY(view_as(at, (int64_t[]){signals, bins, count, 2}, 4, &z));
    DV_TRY(dv_aten_emit(at, DV_OP_DFT, &back, z, DV_NONE, &z));
    DV_TRY(view_as(at, (int64_t[]){signals, f.length, count}, 3, &z));
    if (normalized)
        DV_TRY(dv_aten_times(at, sqrt((double)f.length), &z));
    DV_TRY(place_window(at, &f));
    if (f.weights != DV_NONE) {
        dv_tensor_id column = f.weights;
        DV_TRY(view_as(at, (int64_t[]){1, f.length, 1}, 3, &column));
        DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, z, column, &z));
    }
    DV_TRY(overlap(at, &f, samples, &z));
    DV_TRY(envelope(at, &f, count, samples, &whole));
    DV_TRY(cut_out(at, begin, end, &z));
    DV_TRY(cut_out(at, begin, end, &whole));
    DV_TRY(dv_aten_emit(at, DV_OP_DIV, NULL, z, whole, &z));
    if (missing > 0)
        DV_TRY(dv_aten_emit(at, DV_OP_PAD, &longer, z, DV_NONE, &z));
    return dv_aten_finish(at, DV_OP_VIEW, &last, z, DV_NONE, DV_NONE);
}

/* (grad, input_sizes, dim, size, step): frames added where unfold took them from, as the inverse
   transform needs them. Lists of frames along the dim before the last only. */
dv_status dv_aten_read_unfold_backward(dv_aten_at *at)
{
    frames f = {0};
    dv_tensor_id x;
    int64_t sizes[DV_MAX_RANK], axis;
    size_t rank;
    dv_shape shape;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_ints(at, 1, sizes, DV_MAX_RANK, &rank));
    DV_TRY(dv_aten_int(at, 2, &axis));
    DV_TRY(dv_aten_int(at, 3, &f.length));
    DV_TRY(dv_aten_int(at, 4, &f.step));
    DV_TRY(dv_aten_known_shape(at, x, &shape));
    if (at->reason)
        return DV_OK;
    axis += axis < 0 ? (int64_t)rank : 0;
    if (rank < 1 || axis + 1 != (int64_t)rank || shape.rank != rank + 1 || f.length < 1 ||
        f.length > MOST_LENGTH || f.step < 1 || f.step > MOST_LENGTH ||
        shape.dim[rank] != f.length || sizes[axis] < f.length)
        return dv_aten_opaque(at, "its frames do not lie along the last dim");
    int64_t count = shape.dim[axis], lists = 1, used = f.length + f.step * (count - 1);
    dv_op_params turn = {.permute = {.rank = 3, .perm = {0, 2, 1}}};
    dv_op_params pad = {
        .pad = {.rank = 3, .mode = DV_PAD_CONSTANT, .end = {0, 0, sizes[axis] - used}}};
    dv_op_params last = {.view = {.shape = dv_shape_make(sizes, rank), .allow_zero = true}};
    for (size_t d = 0; d + 1 < rank; d++)
        lists *= shape.dim[d];
    if (count < 1 || used > sizes[axis])
        return dv_fail(DV_BAD_INPUT, "its frames reach beyond the signal");
    DV_TRY(view_as(at, (int64_t[]){lists, count, f.length}, 3, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_PERMUTE, &turn, x, DV_NONE, &x));
    DV_TRY(overlap(at, &f, used, &x));
    if (used < sizes[axis])
        DV_TRY(dv_aten_emit(at, DV_OP_PAD, &pad, x, DV_NONE, &x));
    return dv_aten_finish(at, DV_OP_VIEW, &last, x, DV_NONE, DV_NONE);
}

/* ---- images from their windows ---- */

/* (self, output_size, kernel_size, dilation, padding, stride) */
dv_status dv_aten_read_col2im(dv_aten_at *at)
{
    dv_op_params params = {.pool = {.spatial = 2}};
    dv_pool_params *pool = &params.pool;
    dv_tensor_id x;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_spatial(at, 1, 2, 1, pool->image));
    DV_TRY(dv_aten_spatial(at, 2, 2, 1, pool->kernel));
    DV_TRY(dv_aten_spatial(at, 3, 2, 1, pool->dilation));
    DV_TRY(dv_aten_spatial(at, 4, 2, 0, pool->pad_begin));
    DV_TRY(dv_aten_spatial(at, 5, 2, 1, pool->stride));
    memcpy(pool->pad_end, pool->pad_begin, sizeof pool->pad_end);
    dv_tensor_id out = at->call->outputs[0];
    dv_op_params open = {.axes = {.count = 1}};
    if (dv_aten_rank_of(at, x) == 3)
        return dv_aten_finish(at, DV_OP_COL2IM, &params, x, DV_NONE, DV_NONE);
    if (dv_aten_rank_of(at, x) != 2 || out == DV_NONE)
        return dv_aten_opaque(at, "its input is no list of windows");
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, x, DV_NONE, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_COL2IM, &params, x, DV_NONE, &x));
    return dv_aten_finish(at, DV_OP_SQUEEZE, &open, x, DV_NONE, DV_NONE);
}
