/* tflite_ops_slice.c - parts of tensors, and images taken apart into batches. Axes count in NHWC.
 */
#include <string.h>

#include "load/tflite_build.h"

/* ---- slices ---- */

/* Emits the slice of input 0, planar where that saves a permutation. */
static dv_status cut(dv_tfl_at *at, dv_op_params *params, bool plain, dv_tensor_id *x, bool *planar)
{
    dv_tfl_tensor tensor;
    dv_slice_params *slice = &params->slice;
    DV_TRY(dv_tfl_input(at, 0, &tensor));
    *planar = !plain && tensor.shape.rank == 4 && dv_tfl_prefers_planar(at, 0);
    DV_TRY(*planar ? dv_tfl_planar_input(at, 0, x) : dv_tfl_plain_input(at, 0, x));
    for (uint8_t i = 0; i < slice->count; i++)
        slice->axes[i] = *planar ? dv_tfl_planar_axis(slice->axes[i]) : slice->axes[i];
    /* counted from the end, so that bounds are always read as the source form's */
    if (slice->count > 0 && slice->count == tensor.shape.rank && !*planar)
        slice->axes[0] -= tensor.shape.rank;
    return dv_tfl_emit1(at, DV_OP_SLICE, params, *x, x);
}

/* Where `special` equals id, `other`, else `id`. */
static dv_status unless(dv_tfl_at *at, dv_tensor_id id, double special, dv_tensor_id test,
                        double other, dv_tensor_id *out)
{
    dv_tensor_id ids[3] = {DV_NONE, DV_NONE, id}, value;
    DV_TRY(dv_tfl_scalar(at, DV_DTYPE_I64, special, &value));
    DV_TRY(dv_tfl_scalar(at, DV_DTYPE_I64, other, &ids[1]));
    DV_TRY(dv_tfl_emit2(at, DV_OP_EQ, NULL, test, value, &ids[0]));
    return dv_tfl_emit(at, DV_OP_WHERE, NULL, ids, 3, out);
}

/* Bounds that are computed from shapes are parameter inputs. */
static const double far_away = (double)((int64_t)1 << 40);

static dv_status computed_slice(dv_tfl_at *at)
{
    dv_tensor_id ids[3];
    DV_TRY(dv_tfl_plain_input(at, 0, &ids[0]));
    DV_TRY(dv_tfl_long_input(at, 1, &ids[1]));
    DV_TRY(dv_tfl_long_input(at, 2, &ids[2]));
    dv_tensor_id size = ids[2];
    DV_TRY(dv_tfl_emit2(at, DV_OP_ADD, NULL, ids[1], size, &ids[2]));
    DV_TRY(unless(at, ids[2], -1, size, far_away, &ids[2]));
    DV_TRY(dv_tfl_emit(at, DV_OP_SLICE, NULL, ids, 3, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], false);
}

dv_status dv_tfl_op_slice(dv_tfl_at *at)
{
    int64_t size[DV_MAX_RANK];
    int count, sizes;
    bool planar;
    dv_tensor_id x;
    dv_op_params params = {0};
    dv_slice_params *slice = &params.slice;
    DV_TRY(dv_tfl_ints(at, 1, DV_MAX_RANK, slice->begin, &count));
    DV_TRY(dv_tfl_ints(at, 2, DV_MAX_RANK, size, &sizes));
    if (count < 0 || sizes < 0)
        return computed_slice(at);
    if (count != sizes)
        return dv_fail(DV_BAD_INPUT, "its begins and sizes differ in number");
    slice->count = (uint8_t)count;
    for (int i = 0; i < count; i++) {
        if (slice->begin[i] < 0 || slice->begin[i] > INT32_MAX || size[i] < -1 ||
            size[i] > INT32_MAX)
            return dv_fail(DV_BAD_INPUT, "%lld elements from %lld", (long long)size[i],
                           (long long)slice->begin[i]);
        slice->end[i] = size[i] == -1 ? INT64_MAX : slice->begin[i] + size[i];
        slice->step[i] = 1;
        slice->axes[i] = i;
    }
    DV_TRY(cut(at, &params, false, &x, &planar));
    return dv_tfl_result(at, 0, x, planar);
}

/* What a STRIDED_SLICE says, one entry a place between its brackets. */
typedef struct strided {
    int count;
    int64_t begin[DV_MAX_RANK], end[DV_MAX_RANK], step[DV_MAX_RANK];
    unsigned open_begin, open_end, ellipsis, new_axis, shrink;
    dv_axes_params gone, fresh; /* axes dropped after slicing; axes put in after that */
} strided;

/* One entry that takes the input's dim `axis`. */
static void take_dim(strided *s, int i, int64_t axis, dv_slice_params *slice)
{
    uint8_t n = slice->count++;
    bool back = s->step[i] < 0;
    slice->axes[n] = axis;
    slice->begin[n] = s->begin[i];
    slice->end[n] = s->end[i];
    slice->step[n] = s->step[i];
    if (s->shrink & 1u << i) {
        slice->step[n] = 1;
        slice->end[n] = s->begin[i] == -1 ? INT64_MAX : s->begin[i] + 1;
        s->gone.axes[s->gone.count++] = axis;
        return;
    }
    if (s->open_begin & 1u << i)
        slice->begin[n] = back ? INT64_MAX : 0;
    if (s->open_end & 1u << i)
        slice->end[n] = back ? INT64_MIN : INT64_MAX;
}

/* Reads the entries from the first to the last; an ellipsis stands for the dims that no other
   entry takes. */
static dv_status take_entries(strided *s, int64_t rank, dv_slice_params *slice)
{
    int64_t axis = 0, made = 0, takers = 0;
    for (int i = 0; i < s->count; i++)
        takers += !(s->ellipsis & 1u << i) && !(s->new_axis & 1u << i);
    if (rank == 0 && s->ellipsis == 0)
        rank = takers; /* no dims are recorded behind a computed size */
    for (int i = 0; i < s->count; i++) {
        if (s->ellipsis & 1u << i) {
            int64_t skipped = rank > takers ? rank - takers : 0;
            axis += skipped;
            made += skipped;
        } else if (s->new_axis & 1u << i) {
            s->fresh.axes[s->fresh.count++] = made++;
        } else if (axis < rank) {
            take_dim(s, i, axis++, slice);
            made += !(s->shrink & 1u << i);
        } else {
            return dv_fail(DV_BAD_INPUT, "it slices more than the %lld dimensions of its input",
                           (long long)rank);
        }
    }
    return DV_OK;
}

static dv_status read_strided(dv_tfl_at *at, strided *s, bool *constant)
{
    int ends, steps;
    const dv_fb_table *o = &at->options;
    *s = (strided){.open_begin = dv_fb_u32(o, 0, 0),
                   .open_end = dv_fb_u32(o, 1, 0),
                   .ellipsis = dv_fb_u32(o, 2, 0),
                   .new_axis = dv_fb_u32(o, 3, 0),
                   .shrink = dv_fb_u32(o, 4, 0)};
    DV_TRY(dv_tfl_ints(at, 1, DV_MAX_RANK, s->begin, &s->count));
    DV_TRY(dv_tfl_ints(at, 2, DV_MAX_RANK, s->end, &ends));
    DV_TRY(dv_tfl_ints(at, 3, DV_MAX_RANK, s->step, &steps));
    *constant = s->count >= 0 && ends >= 0 && steps >= 0;
    if (*constant && (s->count != ends || s->count != steps))
        return dv_fail(DV_BAD_INPUT, "its begins, ends and strides differ in number");
    for (int i = 0; *constant && dv_fb_flag(o, 5, false) && i < s->count; i++) {
        if (s->begin[i] > INT32_MAX || s->end[i] > INT32_MAX || s->begin[i] < INT32_MIN ||
            s->end[i] < INT32_MIN)
            return dv_fail(DV_BAD_INPUT, "its bounds are too large");
        s->end[i] += s->begin[i]; /* given as an offset */
    }
    return DV_OK;
}

/* One element taken from a vector at a place that is computed. */
static dv_status computed_strided(dv_tfl_at *at, const strided *s)
{
    int64_t step[DV_MAX_RANK], axes[DV_MAX_RANK];
    int steps;
    dv_tfl_tensor begins;
    dv_tensor_id ids[5];
    DV_TRY(dv_tfl_input(at, 1, &begins));
    DV_TRY(dv_tfl_ints(at, 3, DV_MAX_RANK, step, &steps));
    int64_t count = begins.shape.rank == 1 ? begins.shape.dim[0] : -1;
    unsigned all = count > 0 && count <= DV_MAX_RANK ? (1u << count) - 1 : 0;
    if (steps < 0 || steps != count || s->ellipsis || s->new_axis || s->shrink ||
        dv_fb_flag(&at->options, 5, 0))
        return dv_tfl_opaque(at, "its bounds are computed, which is not supported with its masks");
    bool open_begin = (s->open_begin & all) == all, open_end = (s->open_end & all) == all;
    if ((s->open_begin & all && !open_begin) || (s->open_end & all && !open_end))
        return dv_tfl_opaque(at, "its bounds are computed, which is not supported with its masks");
    int64_t first[DV_MAX_RANK], last[DV_MAX_RANK];
    for (int i = 0; i < steps; i++) {
        axes[i] = i;
        first[i] = step[i] < 0 ? INT64_MAX : 0;
        last[i] = step[i] < 0 ? INT64_MIN : INT64_MAX;
    }
    DV_TRY(dv_tfl_plain_input(at, 0, &ids[0]));
    DV_TRY(open_begin ? dv_tfl_longs(at, first, (size_t)steps, &ids[1])
                      : dv_tfl_long_input(at, 1, &ids[1]));
    DV_TRY(open_end ? dv_tfl_longs(at, last, (size_t)steps, &ids[2])
                    : dv_tfl_long_input(at, 2, &ids[2]));
    DV_TRY(dv_tfl_longs(at, axes, (size_t)steps, &ids[3]));
    DV_TRY(dv_tfl_longs(at, step, (size_t)steps, &ids[4]));
    DV_TRY(dv_tfl_emit(at, DV_OP_SLICE, NULL, ids, 5, &ids[0]));
    return dv_tfl_result(at, 0, ids[0], false);
}

dv_status dv_tfl_op_strided_slice(dv_tfl_at *at)
{
    strided s;
    bool constant, planar;
    dv_tfl_tensor tensor;
    dv_tensor_id x;
    dv_op_params params = {0}, gone = {0}, fresh = {0};
    DV_TRY(read_strided(at, &s, &constant));
    if (!constant)
        return computed_strided(at, &s);
    DV_TRY(dv_tfl_input(at, 0, &tensor));
    DV_TRY(take_entries(&s, tensor.shape.rank, &params.slice));
    bool reshapes = s.gone.count > 0 || s.fresh.count > 0;
    DV_TRY(cut(at, &params, reshapes, &x, &planar));
    gone.axes = s.gone;
    fresh.axes = s.fresh;
    if (s.gone.count > 0)
        DV_TRY(dv_tfl_emit1(at, DV_OP_SQUEEZE, &gone, x, &x));
    if (s.fresh.count > 0)
        DV_TRY(dv_tfl_emit1(at, DV_OP_UNSQUEEZE, &fresh, x, &x));
    return dv_tfl_result(at, 0, x, planar);
}

dv_status dv_tfl_op_reverse(dv_tfl_at *at)
{
    int count;
    dv_tensor_id x;
    dv_op_params params = {0};
    dv_slice_params *slice = &params.slice;
    DV_TRY(dv_tfl_ints(at, 1, DV_MAX_RANK, slice->axes, &count));
    if (count < 0)
        return dv_tfl_opaque(at, "its axes are computed, which is not supported");
    dv_tfl_tensor tensor;
    DV_TRY(dv_tfl_input(at, 0, &tensor));
    slice->count = (uint8_t)count;
    for (int i = 0; i < count; i++) {
        slice->axes[i] -= slice->axes[i] >= 0 ? tensor.shape.rank : 0; /* the source form */
        slice->begin[i] = INT64_MAX;
        slice->end[i] = INT64_MIN;
        slice->step[i] = -1;
    }
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(dv_tfl_emit1(at, DV_OP_SLICE, &params, x, &x));
    return dv_tfl_result(at, 0, x, false);
}

/* `count` elements of x along an axis (counted from the end), backwards from the one at `from`. */
static dv_status mirrored(dv_tfl_at *at, dv_tensor_id x, int64_t axis, int64_t from, int64_t count,
                          dv_tensor_id *id)
{
    dv_op_params params = {
        .slice = {
            .count = 1, .axes = {axis}, .begin = {from}, .end = {from - count}, .step = {-1}}};
    if (from >= 0 && from - count < 0)
        params.slice.end[0] = INT64_MIN;
    return dv_tfl_emit1(at, DV_OP_SLICE, &params, x, id);
}

dv_status dv_tfl_pad_symmetric(dv_tfl_at *at, const int64_t *pads, int count)
{
    dv_tfl_tensor tensor;
    dv_tensor_id x;
    DV_TRY(dv_tfl_input(at, 0, &tensor));
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    if (count != 2 * tensor.shape.rank)
        return dv_fail(DV_BAD_INPUT, "%d pads for %u dimensions", count,
                       (unsigned)tensor.shape.rank);
    for (int64_t d = 0; d < tensor.shape.rank; d++) {
        dv_tensor_id parts[3];
        uint32_t used = 0;
        int64_t before = pads[2 * d], after = pads[2 * d + 1], size = tensor.shape.dim[d];
        dv_op_params cat = {.axis = {.axis = d}};
        if (before < 0 || after < 0 ||
            (!(tensor.open & 1u << d) && (before > size || after > size)))
            return dv_fail(DV_BAD_INPUT, "%lld and %lld pads for a size of %lld", (long long)before,
                           (long long)after, (long long)size);
        if (before > 0)
            DV_TRY(mirrored(at, x, d - tensor.shape.rank, before - 1, before, &parts[used++]));
        parts[used++] = x;
        if (after > 0)
            DV_TRY(mirrored(at, x, d - tensor.shape.rank, -1, after, &parts[used++]));
        if (used > 1)
            DV_TRY(dv_tfl_emit(at, DV_OP_CAT, &cat, parts, used, &x));
    }
    return dv_tfl_result(at, 0, x, false);
}

/* ---- batches of blocks ---- */

/* SPACE_TO_BATCH_ND and back: of a tensor [N, S..., R...], S has as many dims as there are block
   sizes. */
typedef struct blocks {
    int spatial;
    int64_t size[DV_MAX_RANK], around[2 * DV_MAX_RANK]; /* pads or crops */
    dv_tfl_tensor tensor;
    bool usable;
} blocks;

static dv_status read_blocks(dv_tfl_at *at, blocks *k)
{
    int around;
    DV_TRY(dv_tfl_ints(at, 1, DV_MAX_RANK, k->size, &k->spatial));
    DV_TRY(dv_tfl_ints(at, 2, 2 * DV_MAX_RANK, k->around, &around));
    DV_TRY(dv_tfl_input(at, 0, &k->tensor));
    int rank = k->tensor.shape.rank;
    k->usable = k->spatial > 0 && around == 2 * k->spatial && k->spatial < rank &&
                rank + k->spatial <= DV_MAX_RANK && !(k->tensor.open & ~1u);
    for (int i = 0; k->usable && i < k->spatial; i++)
        k->usable = k->size[i] > 0 && k->size[i] <= 1 << 16 && k->around[2 * i] >= 0 &&
                    k->around[2 * i + 1] >= 0 && k->around[2 * i] <= 1 << 20 &&
                    k->around[2 * i + 1] <= 1 << 20;
    return k->usable
               ? DV_OK
               : dv_tfl_opaque(at, "its blocks are computed, or its image's size is not known");
}

static dv_status viewed(dv_tfl_at *at, const int64_t *dims, int count, dv_tensor_id *x)
{
    dv_tensor_id shape;
    DV_TRY(dv_tfl_longs(at, dims, (size_t)count, &shape));
    return dv_tfl_emit2(at, DV_OP_VIEW, NULL, *x, shape, x);
}

/* Adds (or, by -1, takes away) what is around the image. */
static dv_status surround(dv_tfl_at *at, const blocks *k, int64_t sign, dv_tensor_id *x)
{
    dv_op_params params = {.pad = {.rank = k->tensor.shape.rank}};
    for (int i = 0; i < k->spatial; i++) {
        params.pad.begin[i + 1] = sign * k->around[2 * i];
        params.pad.end[i + 1] = sign * k->around[2 * i + 1];
    }
    return dv_tfl_emit1(at, DV_OP_PAD, &params, *x, x);
}

dv_status dv_tfl_op_space_to_batch(dv_tfl_at *at)
{
    blocks k;
    dv_tensor_id x;
    DV_TRY(read_blocks(at, &k));
    if (!k.usable)
        return DV_OK;
    int rank = k.tensor.shape.rank, m = k.spatial, wide = rank + m;
    int64_t apart[DV_MAX_RANK] = {0}, together[DV_MAX_RANK] = {-1};
    dv_op_params permute = {.permute = {.rank = (uint8_t)wide}};
    for (int i = 0; i < m; i++) {
        int64_t size = k.tensor.shape.dim[i + 1] + k.around[2 * i] + k.around[2 * i + 1];
        if (size % k.size[i] != 0)
            return dv_fail(DV_BAD_INPUT, "blocks of %lld do not divide a size of %lld",
                           (long long)k.size[i], (long long)size);
        apart[1 + 2 * i] = together[1 + i] = size / k.size[i];
        apart[2 + 2 * i] = k.size[i];
        permute.permute.perm[i] = (uint8_t)(2 + 2 * i);
        permute.permute.perm[m + 1 + i] = (uint8_t)(1 + 2 * i);
    }
    for (int d = m + 1; d < rank; d++) {
        apart[d + m] = together[d] = k.tensor.shape.dim[d];
        permute.permute.perm[d + m] = (uint8_t)(d + m);
    }
    permute.permute.perm[m] = 0;
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(surround(at, &k, 1, &x));
    DV_TRY(viewed(at, apart, wide, &x));
    DV_TRY(dv_tfl_emit1(at, DV_OP_PERMUTE, &permute, x, &x));
    DV_TRY(viewed(at, together, rank, &x));
    return dv_tfl_result(at, 0, x, false);
}

dv_status dv_tfl_op_batch_to_space(dv_tfl_at *at)
{
    blocks k;
    dv_tensor_id x;
    DV_TRY(read_blocks(at, &k));
    if (!k.usable)
        return DV_OK;
    int rank = k.tensor.shape.rank, m = k.spatial, wide = rank + m;
    int64_t apart[DV_MAX_RANK], together[DV_MAX_RANK] = {-1};
    dv_op_params permute = {.permute = {.rank = (uint8_t)wide}};
    apart[m] = -1;
    permute.permute.perm[0] = (uint8_t)m;
    for (int i = 0; i < m; i++) {
        apart[i] = k.size[i];
        apart[m + 1 + i] = k.tensor.shape.dim[i + 1];
        together[1 + i] = k.size[i] * k.tensor.shape.dim[i + 1];
        permute.permute.perm[1 + 2 * i] = (uint8_t)(m + 1 + i);
        permute.permute.perm[2 + 2 * i] = (uint8_t)i;
    }
    for (int d = m + 1; d < rank; d++) {
        apart[d + m] = together[d] = k.tensor.shape.dim[d];
        permute.permute.perm[d + m] = (uint8_t)(d + m);
    }
    DV_TRY(dv_tfl_plain_input(at, 0, &x));
    DV_TRY(viewed(at, apart, wide, &x));
    DV_TRY(dv_tfl_emit1(at, DV_OP_PERMUTE, &permute, x, &x));
    DV_TRY(viewed(at, together, rank, &x));
    DV_TRY(surround(at, &k, -1, &x));
    return dv_tfl_result(at, 0, x, false);
}
