/* onnx_named.c - nodes that are kept by name, and what is known of what they make: the types and
   shapes that the file records (value_info and the graph's outputs), and those that the attributes
   of classical models tell (https://onnx.ai/onnx/operators/#ai-onnx-ml). */
#include <string.h>

#include "load/onnx_build.h"

/* ---- what the file records ---- */

enum { OUTPUT = 12, VALUE_INFO = 13 }; /* fields of GraphProto */

/* Every value of the model's own graph that has a type, by name: made once somebody asks, since
   most models ask for none. */
static dv_status index_values(dv_onnx_builder *b)
{
    dv_onnx_recorded *r = &b->recorded;
    if (r->is_read)
        return DV_OK;
    r->is_read = true;
    for (int pass = 0; pass < 2; pass++) {
        dv_pb_cursor cursor = dv_pb_open(b->model.graph, b->file);
        dv_pb_field field;
        uint32_t count = 0;
        while (dv_pb_next(&cursor, &field)) {
            if ((field.number != OUTPUT && field.number != VALUE_INFO) ||
                !dv_pb_expect(&cursor, &field, DV_PB_BYTES))
                continue;
            if (pass == 1) {
                dv_onnx_value value;
                DV_TRY(dv_onnx_read_value(field.bytes, b->file, &value));
                r->items[count] = field.bytes;
                DV_TRY(dv_names_put(&r->names, value.name, count));
            }
            count++;
        }
        DV_TRY(cursor.status);
        if (pass == 0 && !(r->items = dv_arena_array(b->arena, count, sizeof *r->items)))
            return dv_fail(DV_NO_MEMORY, "out of memory");
    }
    return DV_OK;
}

static dv_status recorded(dv_onnx_builder *b, dv_span name, dv_dtype *dtype, dv_shape *shape)
{
    dv_onnx_value value;
    DV_TRY(index_values(b));
    uint32_t at = dv_names_find(&b->recorded.names, name, DV_NONE);
    if (at == DV_NONE)
        return DV_OK;
    DV_TRY(dv_onnx_read_value(b->recorded.items[at], b->file, &value));
    if (!value.is_tensor)
        return DV_OK;
    *dtype = dv_onnx_dtype(value.type);
    if (!value.has_shape || !dv_onnx_dims_recorded(&b->dims, &value, shape))
        *shape = (dv_shape){.rank = DV_RANK_UNKNOWN};
    return DV_OK;
}

/* ---- what attributes tell ---- */

/* How many elements the first given attribute of those names has; 0: none of them is given. */
static dv_status length_of(const dv_onnx_at *at, const char *const *names, size_t *count)
{
    *count = 0;
    for (; *names && *count == 0; names++) {
        const dv_onnx_attribute *a = dv_onnx_attribute_of(at, *names);
        if (!a)
            continue;
        size_t most = a->body.size; /* an element takes at least a byte */
        void *values = dv_arena_array(at->arena, most, sizeof(dv_span));
        if (!values)
            return dv_fail(DV_NO_MEMORY, "out of memory");
        if (a->given & DV_ONNX_STRINGS)
            DV_TRY(dv_onnx_read_texts(a, at->file, most, values, count));
        else if (a->given & DV_ONNX_INTS)
            DV_TRY(dv_onnx_read_ints(a, at->file, most, values, count));
        else if (a->given & DV_ONNX_FLOATS)
            DV_TRY(dv_onnx_read_floats(a, at->file, most, values, count));
    }
    return DV_OK;
}

/* What an operator of ai.onnx.ml makes: a label or a row of numbers a line of its input. */
typedef struct classical {
    const char *type;
    enum { SAME, NUMBERS, LABELS } makes;
    const char *width[3];    /* attributes with an element for each number of a row, or */
    const char *columns;     /* one that says how many; neither: one number */
    const char *as_texts[2]; /* LABELS, SAME: these give strings */
    const char *as_reals;    /* SAME: this gives floats; else whole numbers */
} classical;

static const classical models[] = {
    {"TreeEnsembleClassifier",
     LABELS,
     {"classlabels_strings", "classlabels_int64s"},
     NULL,
     {"classlabels_strings"},
     NULL},
    {"LinearClassifier",
     LABELS,
     {"classlabels_strings", "classlabels_ints"},
     NULL,
     {"classlabels_strings"},
     NULL},
    {"SVMClassifier",
     LABELS,
     {"classlabels_strings", "classlabels_ints"},
     NULL,
     {"classlabels_strings"},
     NULL},
    {"TreeEnsembleRegressor", NUMBERS, {NULL}, "n_targets", {NULL}, NULL},
    {"TreeEnsemble", NUMBERS, {NULL}, "n_targets", {NULL}, NULL},
    {"LinearRegressor", NUMBERS, {NULL}, "targets", {NULL}, NULL},
    {"SVMRegressor", NUMBERS, {NULL}, NULL, {NULL}, NULL},
    {"LabelEncoder", SAME, {NULL}, NULL, {"values_strings", "default_string"}, "values_floats"},
    {"Normalizer", SAME, {NULL}, NULL, {NULL}, "norm"},
};

static dv_status told(dv_onnx_at *at, uint32_t i, dv_dtype *dtype, dv_shape *shape)
{
    const classical *m = NULL;
    for (size_t k = 0; k < sizeof models / sizeof models[0] && !m; k++)
        if (dv_span_is(at->node->op_type, models[k].type))
            m = &models[k];
    if (!m || !dv_span_is(at->node->domain, "ai.onnx.ml") || at->op.input_count == 0)
        return DV_OK;
    const dv_shape *x = dv_onnx_shape_of(at, at->inputs[0]);
    if (!dv_shape_known(x) || x->rank == 0)
        return DV_OK;
    bool texts = (m->as_texts[0] && dv_onnx_has(at, m->as_texts[0])) ||
                 (m->as_texts[1] && dv_onnx_has(at, m->as_texts[1]));
    *dtype = texts                                         ? DV_DTYPE_STRING
             : m->as_reals && dv_onnx_has(at, m->as_reals) ? DV_DTYPE_F32
                                                           : DV_DTYPE_I64;
    *shape = *x;
    if (m->makes == SAME)
        return DV_OK;
    size_t width = 1;
    int64_t columns = 1;
    DV_TRY(length_of(at, m->width, &width));
    if (m->columns)
        DV_TRY(dv_onnx_int(at, m->columns, 1, &columns));
    int64_t lines = x->rank == 1 ? 1 : x->dim[0];
    *shape = (dv_shape){.rank = 1, .dim = {lines}};
    if (m->makes == LABELS && i == 0)
        return DV_OK;
    *dtype = DV_DTYPE_F32;
    shape->rank = 2;
    shape->dim[1] = m->makes == LABELS ? (int64_t)width : columns;
    if (shape->dim[1] < 1 || shape->dim[1] > DV_ONNX_MAX_ITEMS || i > 1)
        *shape = (dv_shape){.rank = DV_RANK_UNKNOWN};
    return DV_OK;
}

/* A loop or a choice: what it takes is in graphs of its own, which its bytes say nothing of. */
static bool has_graphs(const dv_onnx_node *node)
{
    bool has = false;
    for (uint32_t i = 0; i < node->attribute_count; i++)
        has |= (node->attributes[i].given & DV_ONNX_G) != 0;
    return has;
}

dv_status dv_onnx_record_outputs(dv_onnx_builder *b, dv_onnx_at *at)
{
    if (has_graphs(at->node))
        return DV_OK;
    for (uint32_t i = 0; i < at->op.output_count; i++) {
        dv_dtype dtype = DV_DTYPE_NONE;
        dv_shape shape = {.rank = DV_RANK_UNKNOWN};
        if (at->outputs[i] == DV_NONE)
            continue;
        if (b->depth == 0 && !b->call && i < at->node->outputs.count)
            DV_TRY(recorded(b, at->node->outputs.items[i], &dtype, &shape));
        if (dtype == DV_DTYPE_NONE || !dv_shape_known(&shape))
            DV_TRY(told(at, i, &dtype, &shape));
        dv_tensor *made = dv_graph_tensor_mutable(b->graph, at->outputs[i]);
        size_t bytes;
        if (made->role != DV_ROLE_ACTIVATION || dtype == DV_DTYPE_NONE || !dv_shape_known(&shape))
            continue;
        made->dtype = dtype;
        made->shape = shape;
        if (!dv_tensor_bytes(made, &bytes))
            return dv_fail(DV_BAD_INPUT, "its output %u has more elements than memory can hold", i);
    }
    return DV_OK;
}
