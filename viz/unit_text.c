/* unit_text.c - units in words: short types for boxes, full ones and shapes for the panel. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "viz/unit_text.h"

typedef struct short_type {
    dv_op_kind kind;
    const char *text;
} short_type;

/* Where the ATen name, stripped of its ornaments, is not what people say. */
static const short_type short_types[] = {
    {DV_OP_CONVOLUTION, "conv"},
    {DV_OP_MATMUL, "matmul"},
    {DV_OP_BATCH_NORM, "batchnorm"},
    {DV_OP_LAYER_NORM, "layernorm"},
    {DV_OP_GROUP_NORM, "groupnorm"},
    {DV_OP_LRN, "lrn"},
    {DV_OP_MAX_POOL, "maxpool"},
    {DV_OP_AVG_POOL, "avgpool"},
    {DV_OP_UPSAMPLE_NEAREST, "resize"},
    {DV_OP_UPSAMPLE_BILINEAR, "resize"},
    {DV_OP_CAT, "concat"},
    {DV_OP_SPLIT, "split"},
    {DV_OP_PAD, "pad"},
    {DV_OP_INDEX_SELECT, "gather"},
    {DV_OP_CAST, "cast"},
    {DV_OP_PERMUTE, "transpose"},
    {DV_OP_VIEW, "reshape"},
};

/* "aten._softmax.default" is "softmax", "aten.slice_copy.Tensor" is "slice". */
static void strip(const char *name, char *out, size_t room)
{
    const char *start = strchr(name, '.');
    start = start ? start + 1 : name;
    while (*start == '_')
        start++;
    size_t length = strcspn(start, ".");
    if (length > 5 && memcmp(start + length - 5, "_copy", 5) == 0)
        length -= 5;
    snprintf(out, room, "%.*s", (int)length, start);
}

/* "conv 3x3", "dwconv 5x5": the kernel is in the weight's trailing dimensions. */
static void conv_type(const dv_graph *graph, const dv_op *op, char *out, size_t room)
{
    const dv_shape *weight = NULL, *input = NULL;
    if (op->input_count >= 2 && op->inputs[1] != DV_NONE && op->inputs[0] != DV_NONE) {
        weight = &graph->tensors[op->inputs[1]].shape;
        input = &graph->tensors[op->inputs[0]].shape;
    }
    bool known = weight && dv_shape_known(weight) && weight->rank >= 3;
    bool depthwise = known && op->params.conv.groups > 1 && dv_shape_known(input) &&
                     input->rank >= 2 && op->params.conv.groups == input->dim[1];
    int length = snprintf(out, room, "%s%s", depthwise ? "dw" : "",
                          op->params.conv.transposed ? "deconv" : "conv");
    for (unsigned d = 2; known && d < weight->rank && length > 0 && (size_t)length < room; d++)
        length += snprintf(out + length, room - (size_t)length, "%c%lld", d == 2 ? ' ' : 'x',
                           (long long)weight->dim[d]);
}

static void op_type(const dv_graph *graph, dv_op_id id, char *out, size_t room)
{
    const dv_op *op = &graph->ops[id];
    if (op->kind == DV_OP_CONVOLUTION) {
        conv_type(graph, op, out, room);
        return;
    }
    if (op->kind == DV_OP_CLAMP && op->params.clamp.min == 0 && op->params.clamp.max == 6) {
        snprintf(out, room, "relu6");
        return;
    }
    if (op->kind == DV_OP_OPAQUE) {
        snprintf(out, room, "%s", op->source_type ? op->source_type : "opaque");
        return;
    }
    for (size_t i = 0; i < sizeof short_types / sizeof short_types[0]; i++)
        if (short_types[i].kind == op->kind) {
            snprintf(out, room, "%s", short_types[i].text);
            return;
        }
    strip(dv_op_info_of(op->kind)->name, out, room);
}

/* The unit's operators, joined by " + ". */
static dv_status describe_ops(const dv_graph *graph, const dv_op_id *ops, uint32_t count,
                              dv_arena *arena, dv_unit_text *text)
{
    dv_text type = {0}, full = {0};
    for (uint32_t i = 0; i < count; i++) {
        char one[96];
        op_type(graph, ops[i], one, sizeof one);
        dv_text_append(&type, "%s%s", i ? " + " : "", one);
        dv_text_append(&full, "%s%s", i ? " + " : "", dv_op_info_of(graph->ops[ops[i]].kind)->name);
    }
    text->type = dv_arena_copy(arena, dv_text_string(&type));
    text->full = dv_arena_copy(arena, dv_text_string(&full));
    bool done = !type.failed && !full.failed && text->type && text->full;
    dv_text_free(&type);
    dv_text_free(&full);
    return done ? DV_OK : dv_fail(DV_NO_MEMORY, "no memory to describe the operators");
}

static bool is_inner(const dv_graph *graph, dv_tensor_id tensor, const dv_op_id *ops,
                     uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (graph->producer[tensor] == ops[i])
            return true;
    return false;
}

/* What enters from outside the unit (constants aside) and what its last operator gives. */
static dv_status describe_shapes(const dv_graph *graph, const dv_op_id *ops, uint32_t count,
                                 dv_arena *arena, dv_unit_text *text)
{
    dv_text shapes = {0};
    char one[DV_SHAPE_TEXT];
    for (uint32_t i = 0; i < count; i++) {
        const dv_op *op = &graph->ops[ops[i]];
        for (uint32_t k = 0; k < op->input_count; k++) {
            dv_tensor_id t = op->inputs[k];
            if (t == DV_NONE || graph->tensors[t].role == DV_ROLE_CONSTANT ||
                is_inner(graph, t, ops, count) || shapes.length > 200)
                continue;
            dv_text_append(&shapes, "%s%s", shapes.length ? ", " : "",
                           dv_shape_text(&graph->tensors[t].shape, one));
        }
    }
    const dv_op *last = &graph->ops[ops[count - 1]];
    if (last->output_count > 0 && last->outputs[0] != DV_NONE)
        dv_text_append(&shapes, " \xE2\x86\x92 %s",
                       dv_shape_text(&graph->tensors[last->outputs[0]].shape, one));
    text->shapes = dv_arena_copy(arena, dv_text_string(&shapes));
    bool done = !shapes.failed && text->shapes;
    dv_text_free(&shapes);
    return done ? DV_OK : dv_fail(DV_NO_MEMORY, "no memory to describe the operators");
}

typedef struct typed_unit {
    const char *type;
    dv_unit_id unit;
} typed_unit;

static int by_type(const void *a, const void *b)
{
    const typed_unit *x = a, *y = b;
    int order = strcmp(x->type, y->type);
    return order ? order : x->unit < y->unit ? -1 : x->unit > y->unit;
}

/* Units of the same type get the same number. */
static dv_status number_types(dv_unit_text *texts, uint32_t count, dv_arena *arena)
{
    typed_unit *sorted = dv_arena_array(arena, count, sizeof *sorted);
    if (!sorted)
        return dv_fail(DV_NO_MEMORY, "no memory to describe the operators");
    for (uint32_t u = 0; u < count; u++)
        sorted[u] = (typed_unit){texts[u].type, u};
    qsort(sorted, count, sizeof *sorted, by_type);
    for (uint32_t i = 0, number = 0; i < count; i++) {
        if (i > 0 && strcmp(sorted[i].type, sorted[i - 1].type) != 0)
            number++;
        texts[sorted[i].unit].type_number = number;
    }
    return DV_OK;
}

dv_status dv_unit_texts(const dv_problem *problem, const dv_graph *graph, dv_arena *arena,
                        dv_unit_text **out)
{
    dv_unit_text *texts = dv_arena_array(arena, problem->unit_count, sizeof *texts);
    if (!texts)
        return dv_fail(DV_NO_MEMORY, "no memory to describe the operators");
    *out = texts;
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        texts[u] = (dv_unit_text){problem->unit_name[u], "", "", 0};
        if (!graph || u >= graph->unit_count || graph->units[u].op_count == 0)
            continue;
        const dv_unit *unit = &graph->units[u];
        DV_TRY(describe_ops(graph, unit->ops, unit->op_count, arena, &texts[u]));
        DV_TRY(describe_shapes(graph, unit->ops, unit->op_count, arena, &texts[u]));
    }
    return number_types(texts, problem->unit_count, arena);
}
