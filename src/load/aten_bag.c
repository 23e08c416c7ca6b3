/* aten_bag.c - what is gathered and reduced by index: bags of embeddings, scatter_reduce, products
   by expert, histograms. */
#include <math.h>
#include <string.h>

#include "load/aten_build.h"

/* A number everywhere in that shape. */
static dv_status filled(dv_aten_at *at, dv_dtype dtype, double value, const dv_shape *shape,
                        dv_tensor_id *id)
{
    dv_op_params wide = {.view = {.shape = *shape, .allow_zero = true}};
    DV_TRY(dv_aten_scalar(at, dtype, value, id));
    return dv_aten_emit(at, DV_OP_EXPAND, &wide, *id, DV_NONE, id);
}

static dv_status scatter(dv_aten_at *at, dv_op_kind kind, const dv_scatter_params *how,
                         const dv_tensor_id inputs[3], dv_tensor_id *id)
{
    dv_op_params params = {.scatter = *how};
    return dv_aten_emit_all(at, kind, &params, inputs, 3, id);
}

static dv_status at_least_one(dv_aten_at *at, dv_tensor_id *counts)
{
    dv_op_params held = {.clamp = {1, INFINITY}};
    return dv_aten_emit(at, DV_OP_CLAMP, &held, *counts, DV_NONE, counts);
}

/* ---- counted places ---- */

/* For each of `count` places how many of the list's numbers are at it or before: i64. */
static dv_status count_reached(dv_aten_at *at, int64_t count, dv_tensor_id list, dv_tensor_id *id)
{
    dv_op_params open = {.axes = {.count = 1, .axes = {-1}}};
    dv_op_params over = {.reduce = {.count = 1, .axes = {-1}}};
    dv_tensor_id ends[3];
    DV_TRY(dv_aten_scalar(at, DV_DTYPE_I64, 0, &ends[0]));
    DV_TRY(dv_aten_scalar(at, DV_DTYPE_I64, (double)count, &ends[1]));
    DV_TRY(dv_aten_scalar(at, DV_DTYPE_I64, 1, &ends[2]));
    DV_TRY(dv_aten_emit_all(at, DV_OP_ARANGE, NULL, ends, 3, id));
    DV_TRY(dv_aten_cast(at, DV_DTYPE_I64, &list));
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, *id, DV_NONE, id));
    DV_TRY(dv_aten_emit(at, DV_OP_GE, NULL, *id, list, id));
    DV_TRY(dv_aten_cast(at, DV_DTYPE_I64, id));
    return dv_aten_emit(at, DV_OP_SUM, &over, *id, DV_NONE, id);
}

/* (self, repeats, dim, output_size): each slice as often as its number says; how many there are
   together must be known. */
dv_status dv_aten_read_repeat_by(dv_aten_at *at)
{
    dv_op_params along = {0}, ends = {0}, flat = {.view = {.shape = {1, {-1}}}};
    dv_tensor_id x, repeats, out = at->call->outputs[0];
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_input(at, 1, &repeats));
    const dv_shape made =
        out == DV_NONE ? (dv_shape){.rank = DV_RANK_UNKNOWN} : *dv_aten_shape_of(at, out);
    if (!dv_shape_known(&made) || made.rank < 1 || dv_aten_rank_of(at, repeats) != 1)
        return dv_aten_opaque(at, "how much it makes is not known");
    if (dv_aten_given(at, 2))
        DV_TRY(dv_aten_axis(at, 2, x, &along.axis.axis));
    else
        DV_TRY(dv_aten_emit(at, DV_OP_VIEW, &flat, x, DV_NONE, &x));
    if (along.axis.axis >= made.rank)
        return dv_fail(DV_BAD_INPUT, "what it makes has no such dim");
    DV_TRY(dv_aten_cast(at, DV_DTYPE_I64, &repeats));
    DV_TRY(dv_aten_emit(at, DV_OP_CUMSUM, &ends, repeats, DV_NONE, &repeats));
    DV_TRY(count_reached(at, made.dim[along.axis.axis], repeats, &repeats));
    return dv_aten_finish(at, DV_OP_INDEX_SELECT, &along, x, repeats, DV_NONE);
}

/* (repeats, output_size): the number of each slice as often as it says. */
dv_status dv_aten_read_repeat_places(dv_aten_at *at)
{
    dv_op_params ends = {0};
    dv_tensor_id repeats, out = at->call->outputs[0];
    DV_TRY(dv_aten_input(at, 0, &repeats));
    const dv_shape *made = out == DV_NONE ? NULL : dv_aten_shape_of(at, out);
    if (!made || !dv_shape_known(made) || made->rank != 1 || dv_aten_rank_of(at, repeats) != 1)
        return dv_aten_opaque(at, "how much it makes is not known");
    DV_TRY(dv_aten_cast(at, DV_DTYPE_I64, &repeats));
    DV_TRY(dv_aten_emit(at, DV_OP_CUMSUM, &ends, repeats, DV_NONE, &repeats));
    DV_TRY(count_reached(at, made->dim[0], repeats, &repeats));
    return dv_aten_finish(at, DV_OP_IDENTITY, NULL, repeats, DV_NONE, DV_NONE);
}

/* ---- bags ---- */

enum { BAG_SUM, BAG_MEAN, BAG_MAX };

typedef struct bags {
    int64_t entries, count, width, mode;
    dv_dtype dtype;
    dv_tensor_id rows, places, counts; /* [entries, width], [entries, 1]: the bag; [entries, 1] */
} bags;

/* The rows of all entries, times their weights; a padding row counts nowhere. */
static dv_status read_rows(dv_aten_at *at, bags *b)
{
    dv_op_params open = {.axes = {.count = 1, .axes = {-1}}};
    dv_tensor_id weight, indices, factors, never;
    int64_t padding = -1;
    DV_TRY(dv_aten_input(at, 0, &weight));
    DV_TRY(dv_aten_input(at, 1, &indices));
    DV_TRY(dv_aten_option(at, 6, &factors));
    if (dv_aten_given(at, 8))
        DV_TRY(dv_aten_int(at, 8, &padding));
    DV_TRY(dv_aten_emit(at, DV_OP_EMBEDDING, NULL, weight, indices, &b->rows));
    if (factors != DV_NONE) {
        DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, factors, DV_NONE, &factors));
        DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, b->rows, factors, &b->rows));
    }
    DV_TRY(filled(at, b->dtype, 1, &(dv_shape){2, {b->entries, 1}}, &b->counts));
    if (padding < 0)
        return DV_OK;
    DV_TRY(dv_aten_cast(at, DV_DTYPE_I64, &indices));
    DV_TRY(dv_aten_scalar(at, DV_DTYPE_I64, (double)padding, &never));
    DV_TRY(dv_aten_emit(at, DV_OP_NE, NULL, indices, never, &b->counts));
    DV_TRY(dv_aten_cast(at, b->dtype, &b->counts));
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, b->counts, DV_NONE, &b->counts));
    return b->mode == BAG_MAX ? DV_OK
                              : dv_aten_emit(at, DV_OP_MUL, NULL, b->rows, b->counts, &b->rows);
}

/* The rows of each bag put together, of values or counts. */
static dv_status collect(dv_aten_at *at, const bags *b, double from, int64_t width,
                         dv_scatter_mode mode, dv_tensor_id rows, dv_tensor_id *id)
{
    dv_tensor_id inputs[3] = {DV_NONE, b->places, rows};
    DV_TRY(filled(at, b->dtype, from, &(dv_shape){2, {b->count, width}}, &inputs[0]));
    return scatter(at, DV_OP_SCATTER_ND, &(dv_scatter_params){.mode = mode}, inputs, id);
}

static dv_status finish_bags(dv_aten_at *at, const bags *b)
{
    dv_tensor_id all, counts, zero;
    if (b->mode == BAG_SUM) {
        DV_TRY(collect(at, b, 0, b->width, DV_SCATTER_ADD, b->rows, &all));
        return dv_aten_finish_one(at, 0, DV_OP_IDENTITY, NULL, all, DV_NONE);
    }
    DV_TRY(collect(at, b, 0, 1, DV_SCATTER_ADD, b->counts, &counts));
    if (b->mode == BAG_MEAN) {
        DV_TRY(collect(at, b, 0, b->width, DV_SCATTER_ADD, b->rows, &all));
        DV_TRY(at_least_one(at, &counts));
        return dv_aten_finish_one(at, 0, DV_OP_DIV, NULL, all, counts);
    }
    DV_TRY(collect(at, b, -INFINITY, b->width, DV_SCATTER_MAX, b->rows, &all));
    DV_TRY(dv_aten_scalar(at, b->dtype, 0, &zero));
    DV_TRY(dv_aten_emit(at, DV_OP_GT, NULL, counts, zero, &counts));
    DV_TRY(dv_aten_choose(at, counts, all, zero, &all));
    return dv_aten_finish_one(at, 0, DV_OP_IDENTITY, NULL, all, DV_NONE);
}

/* (weight, indices, offsets, scale_grad_by_freq, mode, sparse, per_sample_weights,
   include_last_offset, padding_idx): entry i is in the last bag that begins at i or before. */
dv_status dv_aten_read_embedding_bag(dv_aten_at *at)
{
    dv_op_params open = {.axes = {.count = 1, .axes = {-1}}};
    dv_op_params but_last = {.slice = {.count = 1, .step = {1}}};
    bags b = {0};
    dv_tensor_id weight, indices, offsets;
    bool ends;
    DV_TRY(dv_aten_input(at, 0, &weight));
    DV_TRY(dv_aten_input(at, 1, &indices));
    DV_TRY(dv_aten_input(at, 2, &offsets));
    DV_TRY(dv_aten_int(at, 4, &b.mode));
    DV_TRY(dv_aten_flag(at, 7, &ends));
    const dv_shape *table = dv_aten_shape_of(at, weight), *list = dv_aten_shape_of(at, indices);
    const dv_shape *begins = dv_aten_shape_of(at, offsets);
    if (!dv_shape_known(table) || !dv_shape_known(list) || !dv_shape_known(begins) ||
        table->rank != 2 || list->rank != 1 || begins->rank != 1 || begins->dim[0] <= ends)
        return dv_aten_opaque(at, "its indices are not one list, or of unknown length");
    int64_t padding = -1;
    if (dv_aten_given(at, 8))
        DV_TRY(dv_aten_int(at, 8, &padding));
    if (b.mode < BAG_SUM || b.mode > BAG_MAX || (b.mode == BAG_MAX && padding >= 0))
        return dv_aten_opaque(at, "bags reduced in this way are not supported");
    b.entries = list->dim[0];
    b.width = table->dim[1];
    b.count = begins->dim[0] - ends;
    b.dtype = dv_aten_dtype_of(at, weight);
    but_last.slice.end[0] = b.count;
    DV_TRY(read_rows(at, &b));
    if (ends)
        DV_TRY(dv_aten_emit(at, DV_OP_SLICE, &but_last, offsets, DV_NONE, &offsets));
    DV_TRY(count_reached(at, b.entries, offsets, &b.places));
    dv_tensor_id one;
    DV_TRY(dv_aten_scalar(at, DV_DTYPE_I64, 1, &one));
    DV_TRY(dv_aten_emit(at, DV_OP_SUB, NULL, b.places, one, &b.places));
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, b.places, DV_NONE, &b.places));
    return finish_bags(at, &b);
}

/* ---- scatter_reduce: (self, dim, index, src, reduce, include_self) ---- */

static const struct {
    const char *name;
    dv_scatter_mode mode;
    double neutral;
} reductions[] = {{"sum", DV_SCATTER_ADD, 0},
                  {"mean", DV_SCATTER_ADD, 0},
                  {"prod", DV_SCATTER_MUL, 1},
                  {"amax", DV_SCATTER_MAX, -INFINITY},
                  {"amin", DV_SCATTER_MIN, INFINITY}};

/* How often each element of a tensor of that shape is written to. */
static dv_status count_writes(dv_aten_at *at, const dv_scatter_params *how, dv_dtype dtype,
                              const dv_shape *shape, dv_tensor_id index, double from,
                              dv_tensor_id *id)
{
    dv_tensor_id inputs[3] = {DV_NONE, index, DV_NONE};
    dv_scatter_params add = {.axis = how->axis, .mode = DV_SCATTER_ADD};
    DV_TRY(filled(at, dtype, from, shape, &inputs[0]));
    DV_TRY(filled(at, dtype, 1, dv_aten_shape_of(at, index), &inputs[2]));
    return scatter(at, DV_OP_SCATTER, &add, inputs, id);
}

dv_status dv_aten_read_scatter_reduce(dv_aten_at *at)
{
    const char *name = at->args[4].type == DV_ATEN_TEXT ? at->args[4].text : "";
    dv_tensor_id inputs[3], counts, neutral, zero;
    dv_scatter_params how = {0};
    dv_shape shape, corner;
    size_t row = 0;
    bool self;
    while (row < sizeof reductions / sizeof reductions[0] && strcmp(reductions[row].name, name))
        row++;
    for (uint32_t i = 0; i < 3; i++)
        DV_TRY(dv_aten_input(at, i == 0 ? 0 : i + 1, &inputs[i]));
    DV_TRY(dv_aten_axis(at, 1, inputs[0], &how.axis));
    DV_TRY(dv_aten_flag(at, 5, &self));
    DV_TRY(dv_aten_known_shape(at, inputs[0], &shape));
    DV_TRY(dv_aten_known_shape(at, inputs[1], &corner));
    dv_dtype dtype = dv_aten_dtype_of(at, inputs[0]);
    if (at->reason)
        return DV_OK;
    bool mean = strcmp(name, "mean") == 0;
    if (row == sizeof reductions / sizeof reductions[0] ||
        (!dv_dtype_is_float(dtype) && (mean || (!self && !isfinite(reductions[row].neutral)))))
        return dv_aten_opaque(at, "a reduction '%.20s' of %s is not supported", name,
                              dv_dtype_name(dtype));
    how.mode = reductions[row].mode;
    dv_op_params cut = {.slice = {.count = corner.rank}};
    for (uint8_t d = 0; d < corner.rank; d++) {
        cut.slice.axes[d] = d;
        cut.slice.end[d] = corner.dim[d];
        cut.slice.step[d] = 1;
    }
    if (!dv_shape_equal(dv_aten_shape_of(at, inputs[2]), &corner))
        DV_TRY(dv_aten_emit(at, DV_OP_SLICE, &cut, inputs[2], DV_NONE, &inputs[2]));
    if (mean || !self)
        DV_TRY(count_writes(at, &how, dtype, &shape, inputs[1], self, &counts));
    if (!self) { /* what is written to begins anew */
        dv_tensor_id touched;
        DV_TRY(dv_aten_scalar(at, dtype, reductions[row].neutral, &neutral));
        DV_TRY(dv_aten_scalar(at, dtype, 0, &zero));
        DV_TRY(dv_aten_emit(at, DV_OP_GT, NULL, counts, zero, &touched));
        DV_TRY(dv_aten_choose(at, touched, neutral, inputs[0], &inputs[0]));
    }
    dv_op_params params = {.scatter = how};
    if (!mean)
        return dv_aten_finish_all(at, DV_OP_SCATTER, &params, inputs, 3);
    DV_TRY(scatter(at, DV_OP_SCATTER, &how, inputs, &inputs[0]));
    DV_TRY(at_least_one(at, &counts));
    return dv_aten_finish(at, DV_OP_DIV, NULL, inputs[0], counts, DV_NONE);
}

/* ---- mixtures of experts ---- */

/* (input [T, K], weight [E, K, N], offs [E]): rows up to offs[0] times the first matrix, the next
   up to offs[1] times the second, and so on. Every row is multiplied with every matrix, and the one
   that counts taken: which rows are whose is only known when the network runs. */
dv_status dv_aten_read_grouped_mm(dv_aten_at *at)
{
    dv_op_params open = {.axes = {.count = 1, .axes = {0}}}, along = {.axis = {.axis = 0}};
    dv_op_params ends = {.axes = {.count = 2, .axes = {0, 2}}}, wide = {0}, drop = {.select = {0}};
    dv_tensor_id x, weight, offsets, expert;
    dv_shape rows, table;
    DV_TRY(dv_aten_input(at, 0, &x));
    DV_TRY(dv_aten_input(at, 1, &weight));
    DV_TRY(dv_aten_option(at, 2, &offsets));
    DV_TRY(dv_aten_known_shape(at, x, &rows));
    DV_TRY(dv_aten_known_shape(at, weight, &table));
    if (at->reason)
        return DV_OK;
    if (offsets == DV_NONE || rows.rank != 2 || table.rank != 3 || dv_aten_given(at, 3))
        return dv_aten_opaque(at, "only rows of one list times a matrix each are supported");
    DV_TRY(count_reached(at, rows.dim[0], offsets, &expert));
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &ends, expert, DV_NONE, &expert));
    wide.view.shape = (dv_shape){3, {1, rows.dim[0], table.dim[2]}};
    DV_TRY(dv_aten_emit(at, DV_OP_EXPAND, &wide, expert, DV_NONE, &expert));
    DV_TRY(dv_aten_emit(at, DV_OP_UNSQUEEZE, &open, x, DV_NONE, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_MATMUL, NULL, x, weight, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_GATHER, &along, x, expert, &x));
    return dv_aten_finish(at, DV_OP_SELECT, &drop, x, DV_NONE, DV_NONE);
}

/* (self, bins, min, max): how many elements lie in each of equal parts of a range that is given. */
dv_status dv_aten_read_histc(dv_aten_at *at)
{
    dv_op_params flat = {.view = {.shape = {2, {-1, 1}}}}, over = {.reduce = {.count = 1}};
    dv_op_params last = {.clamp = {.min = -INFINITY}};
    dv_tensor_id x, places[3], inside, above, bound;
    double low, high;
    int64_t bins;
    DV_TRY(dv_aten_operand(at, 0, &x));
    DV_TRY(dv_aten_int(at, 1, &bins));
    DV_TRY(dv_aten_real(at, 2, &low));
    DV_TRY(dv_aten_real(at, 3, &high));
    if (!(low < high) || bins < 1 || bins > 1 << 20)
        return dv_aten_opaque(at, "its range is that of its input");
    last.clamp.max = (double)bins - 1;
    dv_dtype dtype = dv_aten_made_dtype(at, DV_DTYPE_F32);
    DV_TRY(dv_aten_emit(at, DV_OP_VIEW, &flat, x, DV_NONE, &x));
    inside = above = x;
    DV_TRY(dv_aten_cast(at, DV_DTYPE_F64, &x));
    DV_TRY(dv_aten_scalar(at, DV_DTYPE_F64, low, &bound));
    DV_TRY(dv_aten_emit(at, DV_OP_SUB, NULL, x, bound, &x));
    DV_TRY(dv_aten_scalar(at, DV_DTYPE_F64, (double)bins / (high - low), &bound));
    DV_TRY(dv_aten_emit(at, DV_OP_MUL, NULL, x, bound, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_FLOOR, NULL, x, DV_NONE, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_CLAMP, &last, x, DV_NONE, &x)); /* max is in the last */
    for (int i = 0; i < 3; i++)
        DV_TRY(dv_aten_scalar(at, DV_DTYPE_F64,
                              i == 0   ? 0
                              : i == 1 ? (double)bins
                                       : 1,
                              &places[i]));
    DV_TRY(dv_aten_emit_all(at, DV_OP_ARANGE, NULL, places, 3, &places[0]));
    DV_TRY(dv_aten_emit(at, DV_OP_EQ, NULL, x, places[0], &x));
    DV_TRY(dv_aten_with(at, DV_OP_LE, high, &above));
    DV_TRY(dv_aten_with(at, DV_OP_GE, low, &inside));
    DV_TRY(dv_aten_emit(at, DV_OP_LOGICAL_AND, NULL, x, above, &x));
    DV_TRY(dv_aten_emit(at, DV_OP_LOGICAL_AND, NULL, x, inside, &x));
    DV_TRY(dv_aten_cast(at, dtype, &x));
    return dv_aten_finish(at, DV_OP_SUM, &over, x, DV_NONE, DV_NONE);
}
