/* aten_shape.c - ATen's views and data movement. */
#include <limits.h>
#include <string.h>

#include "load/aten_build.h"

/* ---- views ---- */

dv_status dv_aten_known_shape(dv_aten_at *at, dv_tensor_id a, dv_shape *out)
{
    *out = *dv_aten_shape_of(at, a);
    return dv_shape_known(out) ? DV_OK : dv_aten_opaque(at, "the shape of its input is not known");
}

static dv_status finish_view(dv_aten_at *at, dv_tensor_id a, const int64_t *dims, size_t count)
{
    dv_op_params params = {.view = {.shape = dv_shape_make(dims, count), .allow_zero = true}};
    return dv_aten_finish(at, DV_OP_VIEW, &params, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_view(dv_aten_at *at)
{
    dv_tensor_id a;
    int64_t dims[DV_MAX_RANK];
    size_t count;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_ints(at, 1, dims, DV_MAX_RANK, &count));
    return finish_view(at, a, dims, count);
}

dv_status dv_aten_read_flatten(dv_aten_at *at)
{
    dv_tensor_id a;
    int64_t first, last, dims[DV_MAX_RANK];
    size_t count = 0;
    dv_shape x;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_known_shape(at, a, &x));
    if (at->reason)
        return DV_OK;
    if (x.rank == 0)
        return finish_view(at, a, (int64_t[]){1}, 1);
    DV_TRY(dv_aten_axis(at, 1, a, &first));
    DV_TRY(dv_aten_axis(at, 2, a, &last));
    if (first > last)
        return dv_fail(DV_BAD_INPUT, "it flattens from %lld to %lld", (long long)first,
                       (long long)last);
    for (int64_t d = 0; d < x.rank; d++)
        if (d <= first || d > last)
            dims[count++] = d == first && first < last ? -1 : x.dim[d];
    return finish_view(at, a, dims, count);
}

dv_status dv_aten_read_unflatten(dv_aten_at *at)
{
    dv_tensor_id a;
    int64_t axis, sizes[DV_MAX_RANK], dims[DV_MAX_RANK];
    size_t count, made = 0;
    dv_shape x;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_known_shape(at, a, &x));
    if (at->reason)
        return DV_OK;
    DV_TRY(dv_aten_axis(at, 1, a, &axis));
    DV_TRY(dv_aten_ints(at, 2, sizes, DV_MAX_RANK, &count));
    if (x.rank - 1 + count > DV_MAX_RANK)
        return dv_aten_opaque(at, "it makes more than %d dimensions", DV_MAX_RANK);
    for (int64_t d = 0; d < x.rank; d++)
        for (size_t k = 0; k < (d == axis ? count : 1); k++)
            dims[made++] = d == axis ? sizes[k] : x.dim[d];
    return finish_view(at, a, dims, made);
}

static dv_status read_perm(dv_aten_at *at, dv_tensor_id a, uint32_t i, dv_permute_params *permute)
{
    int64_t dims[DV_MAX_RANK];
    size_t count;
    unsigned seen = 0;
    DV_TRY(dv_aten_ints(at, i, dims, DV_MAX_RANK, &count));
    uint8_t rank = dv_aten_rank_of(at, a);
    bool ok = rank == DV_RANK_UNKNOWN || rank == count;
    permute->rank = (uint8_t)count;
    for (size_t d = 0; ok && d < count; d++) {
        int64_t from = dims[d] < 0 ? dims[d] + (int64_t)count : dims[d];
        ok = from >= 0 && from < (int64_t)count && !(seen & 1u << from);
        if (ok)
            seen |= 1u << from;
        permute->perm[d] = (uint8_t)from;
    }
    return ok ? DV_OK : dv_fail(DV_BAD_INPUT, "its dims are not a permutation");
}

dv_status dv_aten_read_permute(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(read_perm(at, a, 1, &params.permute));
    if (params.permute.rank == 0)
        return dv_aten_finish(at, DV_OP_IDENTITY, NULL, a, DV_NONE, DV_NONE);
    return dv_aten_finish(at, DV_OP_PERMUTE, &params, a, DV_NONE, DV_NONE);
}

static dv_status swap(dv_aten_at *at, dv_tensor_id a, int64_t first, int64_t second)
{
    dv_op_params params = {.permute = {.rank = dv_aten_rank_of(at, a)}};
    for (uint8_t d = 0; d < params.permute.rank; d++)
        params.permute.perm[d] = d;
    params.permute.perm[first] = (uint8_t)second;
    params.permute.perm[second] = (uint8_t)first;
    return dv_aten_finish(at, DV_OP_PERMUTE, &params, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_transpose(dv_aten_at *at)
{
    dv_tensor_id a;
    int64_t first, second;
    DV_TRY(dv_aten_input(at, 0, &a));
    uint8_t rank = dv_aten_rank_of(at, a);
    if (rank == DV_RANK_UNKNOWN)
        return dv_aten_opaque(at, "the rank of its input is not known");
    if (rank == 0)
        return dv_aten_finish(at, DV_OP_IDENTITY, NULL, a, DV_NONE, DV_NONE);
    DV_TRY(dv_aten_axis(at, 1, a, &first));
    DV_TRY(dv_aten_axis(at, 2, a, &second));
    return swap(at, a, first, second);
}

dv_status dv_aten_read_t(dv_aten_at *at)
{
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    uint8_t rank = dv_aten_rank_of(at, a);
    if (rank < 2)
        return dv_aten_finish(at, DV_OP_IDENTITY, NULL, a, DV_NONE, DV_NONE);
    return rank == 2 ? swap(at, a, 0, 1) : dv_aten_opaque(at, "its input is no matrix");
}

/* numpy_T turns all dims around; mT and adjoint of real numbers swap the last two. */
dv_status dv_aten_read_numpy_t(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    params.permute.rank = dv_aten_rank_of(at, a);
    if (params.permute.rank == DV_RANK_UNKNOWN)
        return dv_aten_opaque(at, "the rank of its input is not known");
    if (params.permute.rank < 2)
        return dv_aten_finish(at, DV_OP_IDENTITY, NULL, a, DV_NONE, DV_NONE);
    for (uint8_t d = 0; d < params.permute.rank; d++)
        params.permute.perm[d] = (uint8_t)(params.permute.rank - 1 - d);
    return dv_aten_finish(at, DV_OP_PERMUTE, &params, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_matrix_t(dv_aten_at *at)
{
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    uint8_t rank = dv_aten_rank_of(at, a);
    if (rank == DV_RANK_UNKNOWN || rank < 2)
        return dv_aten_opaque(at, "its input is no matrix");
    return swap(at, a, rank - 2, rank - 1);
}

/* Axes that are not 1 stay, as in ATen. */
dv_status dv_aten_read_squeeze(dv_aten_at *at)
{
    dv_op_params params = {.axes = {.lenient = true}};
    dv_tensor_id a;
    size_t count = 0;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_ints(at, 1, params.axes.axes, DV_MAX_RANK, &count));
    params.axes.count = (uint8_t)count;
    if ((dv_aten_given(at, 1) && count == 0) || dv_aten_rank_of(at, a) == 0)
        return dv_aten_finish(at, DV_OP_IDENTITY, NULL, a, DV_NONE, DV_NONE);
    return dv_aten_finish(at, DV_OP_SQUEEZE, &params, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_unsqueeze(dv_aten_at *at)
{
    dv_op_params params = {.axes = {.count = 1}};
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_int(at, 1, &params.axes.axes[0]));
    return dv_aten_finish(at, DV_OP_UNSQUEEZE, &params, a, DV_NONE, DV_NONE);
}

/* ---- copies ---- */

/* (a, sizes or counts): an operator whose parameter is that list. */
static dv_status copied(dv_aten_at *at, dv_op_kind kind)
{
    dv_op_params params = {0};
    dv_tensor_id a;
    int64_t dims[DV_MAX_RANK];
    size_t count;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_ints(at, 1, dims, DV_MAX_RANK, &count));
    params.view.shape = dv_shape_make(dims, count);
    return dv_aten_finish(at, kind, &params, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_expand(dv_aten_at *at)
{
    return copied(at, DV_OP_EXPAND);
}

dv_status dv_aten_read_expand_as(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id a, b;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_input(at, 1, &b));
    DV_TRY(dv_aten_known_shape(at, b, &params.view.shape));
    if (at->reason)
        return DV_OK;
    return dv_aten_finish(at, DV_OP_EXPAND, &params, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_repeat(dv_aten_at *at)
{
    return copied(at, DV_OP_REPEAT);
}

/* Fewer counts than dims: the first dims are taken once. */
dv_status dv_aten_read_tile(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id a;
    int64_t given[DV_MAX_RANK], counts[DV_MAX_RANK];
    size_t count;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_ints(at, 1, given, DV_MAX_RANK, &count));
    uint8_t rank = dv_aten_rank_of(at, a);
    if (rank == DV_RANK_UNKNOWN)
        return dv_aten_opaque(at, "the rank of its input is not known");
    size_t once = rank > count ? rank - count : 0;
    for (size_t d = 0; d < once + count; d++)
        counts[d] = d < once ? 1 : given[d - once];
    params.view.shape = dv_shape_make(counts, once + count);
    return dv_aten_finish(at, DV_OP_REPEAT, &params, a, DV_NONE, DV_NONE);
}

/* ---- padding ---- */

/* Pairs from the last dimension on. */
static dv_status finish_pad(dv_aten_at *at, dv_pad_mode mode, double value)
{
    dv_op_params params = {.pad = {.mode = mode, .value = value}};
    dv_tensor_id a;
    int64_t pads[2 * DV_MAX_RANK];
    size_t count;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_ints(at, 1, pads, 2 * DV_MAX_RANK, &count));
    uint8_t rank = dv_aten_rank_of(at, a);
    if (rank == DV_RANK_UNKNOWN)
        return dv_aten_opaque(at, "the rank of its input is not known");
    if (count % 2 != 0 || count / 2 > rank)
        return dv_fail(DV_BAD_INPUT, "it has %zu pads for %u dimensions", count, (unsigned)rank);
    params.pad.rank = rank;
    for (size_t i = 0; i < count / 2; i++) {
        params.pad.begin[rank - 1 - i] = pads[2 * i];
        params.pad.end[rank - 1 - i] = pads[2 * i + 1];
    }
    return dv_aten_finish(at, DV_OP_PAD, &params, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_constant_pad(dv_aten_at *at)
{
    double value;
    DV_TRY(dv_aten_real(at, 2, &value));
    return finish_pad(at, DV_PAD_CONSTANT, value);
}

dv_status dv_aten_read_pad_reflect(dv_aten_at *at)
{
    return finish_pad(at, DV_PAD_REFLECT, 0);
}

dv_status dv_aten_read_pad_edge(dv_aten_at *at)
{
    return finish_pad(at, DV_PAD_EDGE, 0);
}

/* One dim with its own end in front and its own beginning behind. */
static dv_status wrap(dv_aten_at *at, int64_t axis, int64_t size, int64_t begin, int64_t end,
                      dv_tensor_id *id)
{
    dv_op_params slice = {.slice = {.count = 1, .axes = {axis}, .step = {1}}};
    dv_op_params join = {.axis = {.axis = axis}};
    dv_tensor_id parts[3];
    uint32_t count = 0;
    if (begin < 0 || end < 0 || begin > size || end > size)
        return dv_fail(DV_BAD_INPUT, "pads of %lld and %lld do not go once around %lld",
                       (long long)begin, (long long)end, (long long)size);
    slice.slice.begin[0] = size - begin;
    slice.slice.end[0] = size;
    if (begin > 0)
        DV_TRY(dv_aten_emit(at, DV_OP_SLICE, &slice, *id, DV_NONE, &parts[count++]));
    parts[count++] = *id;
    slice.slice.begin[0] = 0;
    slice.slice.end[0] = end;
    if (end > 0)
        DV_TRY(dv_aten_emit(at, DV_OP_SLICE, &slice, *id, DV_NONE, &parts[count++]));
    return count == 1 ? DV_OK : dv_aten_emit_all(at, DV_OP_CAT, &join, parts, count, id);
}

static dv_status pad_around(dv_aten_at *at)
{
    dv_tensor_id id;
    int64_t pads[2 * DV_MAX_RANK];
    size_t count;
    dv_shape x;
    DV_TRY(dv_aten_input(at, 0, &id));
    DV_TRY(dv_aten_ints(at, 1, pads, 2 * DV_MAX_RANK, &count));
    DV_TRY(dv_aten_known_shape(at, id, &x));
    if (at->reason)
        return DV_OK;
    if (count % 2 != 0 || count / 2 > x.rank)
        return dv_fail(DV_BAD_INPUT, "it has %zu pads for %u dimensions", count, (unsigned)x.rank);
    for (size_t i = 0; i < count / 2; i++) {
        size_t axis = x.rank - 1 - i;
        DV_TRY(wrap(at, (int64_t)axis, x.dim[axis], pads[2 * i], pads[2 * i + 1], &id));
    }
    return dv_aten_finish(at, DV_OP_IDENTITY, NULL, id, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_pad(dv_aten_at *at)
{
    const char *mode = at->args[2].type == DV_ATEN_TEXT ? at->args[2].text : "constant";
    double value = 0;
    if (dv_aten_given(at, 3))
        DV_TRY(dv_aten_real(at, 3, &value));
    if (strcmp(mode, "constant") == 0)
        return finish_pad(at, DV_PAD_CONSTANT, value);
    if (strcmp(mode, "reflect") == 0)
        return finish_pad(at, DV_PAD_REFLECT, 0);
    if (strcmp(mode, "replicate") == 0)
        return finish_pad(at, DV_PAD_EDGE, 0);
    if (strcmp(mode, "circular") == 0)
        return pad_around(at);
    return dv_aten_opaque(at, "padding mode '%.40s' is not supported", mode);
}

dv_status dv_aten_read_tril(dv_aten_at *at)
{
    bool upper = strstr(at->call->source_type, "triu") != NULL;
    dv_op_params params = {.tri = {.upper = upper}};
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_int(at, 1, &params.tri.diagonal));
    return dv_aten_finish(at, DV_OP_TRIL, &params, a, DV_NONE, DV_NONE);
}

/* ---- pixels and channels ---- */

dv_status dv_aten_read_pixel_shuffle(dv_aten_at *at)
{
    dv_op_params params = {0};
    dv_tensor_id a;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_int(at, 1, &params.shuffle.block));
    if (params.shuffle.block < 1 || params.shuffle.block > INT_MAX)
        return dv_fail(DV_BAD_INPUT, "a factor of %lld", (long long)params.shuffle.block);
    return dv_aten_finish(at, at->kind, &params, a, DV_NONE, DV_NONE);
}

dv_status dv_aten_read_channel_shuffle(dv_aten_at *at)
{
    dv_op_params wide = {0}, swapped = {.permute = {.rank = 5, .perm = {0, 2, 1, 3, 4}}};
    dv_tensor_id a;
    int64_t groups;
    dv_shape x;
    DV_TRY(dv_aten_input(at, 0, &a));
    DV_TRY(dv_aten_int(at, 1, &groups));
    DV_TRY(dv_aten_known_shape(at, a, &x));
    if (at->reason)
        return DV_OK;
    if (x.rank != 4 || groups < 1 || x.dim[1] % groups != 0)
        return dv_aten_opaque(at, "its channels are not an image's, or not in such groups");
    wide.view.shape =
        dv_shape_make((int64_t[]){x.dim[0], groups, x.dim[1] / groups, x.dim[2], x.dim[3]}, 5);
    DV_TRY(dv_aten_emit(at, DV_OP_VIEW, &wide, a, DV_NONE, &a));
    DV_TRY(dv_aten_emit(at, DV_OP_PERMUTE, &swapped, a, DV_NONE, &a));
    return finish_view(at, a, x.dim, x.rank);
}
