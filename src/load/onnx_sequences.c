/* onnx_sequences.c - sequences and optionals, which no operator of ours has, resolved into tensors.

   A sequence is a list of tensors kept beside the graph: as long as its length and the positions
   that nodes ask for follow from the model, all that is left of it are the tensors. An optional is
   the value that it holds, or left out. */
#include <string.h>

#include "load/onnx_build.h"

enum { LONGEST = 1 << 14 }; /* of a sequence; longer than any export has */

/* ---- the list of sequences ---- */

dv_status dv_onnx_add_sequence(dv_onnx_builder *b, uint32_t count, dv_tensor_id *id,
                               dv_tensor_id **items)
{
    if (count > LONGEST)
        return dv_fail(DV_BAD_INPUT, "a sequence of %u tensors is too long; at most %d are kept",
                       count, LONGEST);
    DV_TRY(dv_onnx_count_expanded(b, (size_t)count + 1));
    if (b->sequence_count == b->sequence_room) {
        uint32_t room = b->sequence_room ? 2 * b->sequence_room : 16;
        dv_onnx_sequence *more = dv_arena_array(b->arena, room, sizeof *more);
        if (!more)
            return dv_fail(DV_NO_MEMORY, "out of memory");
        if (b->sequence_count > 0)
            memcpy(more, b->sequences, b->sequence_count * sizeof *more);
        b->sequences = more;
        b->sequence_room = room;
    }
    *items = dv_arena_array(b->arena, (size_t)count + 1, sizeof **items);
    if (!*items)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    *id = DV_ONNX_SEQUENCE | b->sequence_count;
    b->sequences[b->sequence_count++] = (dv_onnx_sequence){count, *items};
    return DV_OK;
}

dv_onnx_sequence dv_onnx_sequence_of(const dv_onnx_builder *b, dv_tensor_id id)
{
    return b->sequences[id & ~DV_ONNX_SEQUENCE];
}

dv_status dv_onnx_pass_on(dv_onnx_builder *b, dv_onnx_at *at, dv_tensor_id value, uint32_t i)
{
    if (i >= at->op.output_count || at->outputs[i] == DV_NONE)
        return DV_OK;
    if (value == DV_NONE || dv_onnx_is_sequence(value))
        return dv_names_put(&b->scope->ids, at->node->outputs.items[i],
                            value == DV_NONE ? DV_ONNX_ABSENT : value);
    dv_op same = at->op;
    same.kind = DV_OP_IDENTITY;
    memset(&same.params, 0, sizeof same.params);
    same.inputs = &value;
    same.outputs = &at->outputs[i];
    same.input_count = same.output_count = 1;
    return dv_onnx_add(at, &same);
}

dv_status dv_onnx_known_integer(dv_onnx_builder *b, dv_tensor_id id, bool *known, int64_t *out)
{
    const dv_tensor *tensor;
    size_t elements;
    *known = false;
    if (id == DV_NONE || dv_onnx_is_sequence(id))
        return DV_OK;
    DV_TRY(dv_onnx_know(&b->known, id, &tensor));
    *known = tensor->role == DV_ROLE_CONSTANT && tensor->data.storage != DV_STORAGE_NONE &&
             dv_shape_elements(&tensor->shape, &elements) && elements == 1 &&
             dv_tensor_read_i64(tensor, 0, 1, out);
    return DV_OK;
}

/* ---- what nodes are made of ---- */

static bool has_sequence(const dv_onnx_at *at, uint32_t i)
{
    return i < at->op.input_count && dv_onnx_is_sequence(at->inputs[i]);
}

/* The place that input i names in a sequence of count; places may count from the end. */
static dv_status read_place(dv_onnx_builder *b, dv_onnx_at *at, uint32_t i, uint32_t count,
                            uint32_t absent, bool *known, uint32_t *place)
{
    int64_t value = absent;
    *known = true;
    if (dv_onnx_given_input(at, i))
        DV_TRY(dv_onnx_known_integer(b, at->inputs[i], known, &value));
    if (!*known)
        return dv_onnx_opaque(at, "its position in the sequence is computed while the model runs; "
                                  "only one that follows from the model is supported");
    bool inserts = dv_span_is(at->node->op_type, "SequenceInsert");
    if (value < 0)
        value += count;
    if (value < 0 || value >= (int64_t)count + inserts)
        return dv_fail(DV_BAD_INPUT, "its position is outside a sequence of %u tensors", count);
    *place = (uint32_t)value;
    return DV_OK;
}

static dv_status add_truth(dv_onnx_builder *b, dv_onnx_at *at, bool truth)
{
    dv_tensor_id id;
    DV_TRY(dv_onnx_scalar(at, DV_DTYPE_BOOL, truth ? 1 : 0, &id));
    return dv_onnx_pass_on(b, at, id, 0);
}

/* ---- sequences of given tensors ---- */

static dv_status construct(dv_onnx_builder *b, dv_onnx_at *at)
{
    dv_tensor_id made, *items;
    DV_TRY(dv_onnx_add_sequence(b, at->op.input_count, &made, &items));
    for (uint32_t i = 0; i < at->op.input_count; i++) {
        if (at->inputs[i] == DV_NONE || has_sequence(at, i))
            return dv_fail(DV_BAD_INPUT, "its input %u is no tensor", i);
        items[i] = at->inputs[i];
    }
    return dv_onnx_pass_on(b, at, made, 0);
}

static dv_status insert(dv_onnx_builder *b, dv_onnx_at *at)
{
    dv_onnx_sequence old = dv_onnx_sequence_of(b, at->inputs[0]);
    dv_tensor_id made, *items;
    uint32_t place;
    bool known;
    if (!dv_onnx_given_input(at, 1) || has_sequence(at, 1))
        return dv_fail(DV_BAD_INPUT, "its input 1 is no tensor");
    DV_TRY(read_place(b, at, 2, old.count, old.count, &known, &place));
    if (!known)
        return DV_OK;
    DV_TRY(dv_onnx_add_sequence(b, old.count + 1, &made, &items));
    for (uint32_t i = 0; i <= old.count; i++)
        items[i] = i < place ? old.items[i] : i == place ? at->inputs[1] : old.items[i - 1];
    return dv_onnx_pass_on(b, at, made, 0);
}

static dv_status erase(dv_onnx_builder *b, dv_onnx_at *at)
{
    dv_onnx_sequence old = dv_onnx_sequence_of(b, at->inputs[0]);
    dv_tensor_id made, *items;
    uint32_t place;
    bool known;
    if (old.count == 0)
        return dv_fail(DV_BAD_INPUT, "there is nothing to take out of an empty sequence");
    DV_TRY(read_place(b, at, 1, old.count, old.count - 1, &known, &place));
    if (!known)
        return DV_OK;
    DV_TRY(dv_onnx_add_sequence(b, old.count - 1, &made, &items));
    for (uint32_t i = 0; i + 1 < old.count; i++)
        items[i] = old.items[i < place ? i : i + 1];
    return dv_onnx_pass_on(b, at, made, 0);
}

static dv_status take(dv_onnx_builder *b, dv_onnx_at *at)
{
    dv_onnx_sequence from = dv_onnx_sequence_of(b, at->inputs[0]);
    uint32_t place;
    bool known;
    DV_TRY(read_place(b, at, 1, from.count, 0, &known, &place));
    return known ? dv_onnx_pass_on(b, at, from.items[place], 0) : DV_OK;
}

static dv_status count(dv_onnx_builder *b, dv_onnx_at *at)
{
    dv_tensor_id id;
    DV_TRY(dv_onnx_scalar(at, DV_DTYPE_I64, dv_onnx_sequence_of(b, at->inputs[0]).count, &id));
    return dv_onnx_pass_on(b, at, id, 0);
}

/* ---- tensors cut into sequences, and joined ---- */

/* The sizes of the parts along the axis, of which the tensor has `whole`; *single: all are 1, and
   not by a list, so that the axis may be left out of them. */
static dv_status read_parts(dv_onnx_builder *b, dv_onnx_at *at, int64_t whole, int64_t **sizes,
                            size_t *parts, bool *single)
{
    int64_t each = 1;
    const dv_tensor *split = NULL;
    *sizes = NULL;
    if (dv_onnx_given_input(at, 1)) {
        DV_TRY(dv_onnx_know(&b->known, at->inputs[1], &split));
        if (split->role != DV_ROLE_CONSTANT || split->data.storage == DV_STORAGE_NONE ||
            !dv_shape_elements(&split->shape, parts))
            return dv_onnx_opaque(at, "its sizes are computed while the model runs; only ones that "
                                      "follow from the model are supported");
    }
    bool listed = split && split->shape.rank == 1;
    *single = false;
    if (split && !listed && (*parts != 1 || !dv_tensor_read_i64(split, 0, 1, &each)))
        return dv_fail(DV_BAD_INPUT, "its sizes are neither a number nor a list of numbers");
    if (each < 1 || whole / each >= LONGEST || (listed && *parts > LONGEST))
        return dv_fail(DV_BAD_INPUT,
                       "parts of %lld in a dimension of %lld are refused; a sequence "
                       "has at most %d tensors",
                       (long long)each, (long long)whole, LONGEST);
    *single = !listed && each == 1;
    if (!listed)
        *parts = (size_t)((whole + each - 1) / each);
    *sizes = dv_arena_array(at->arena, *parts + 1, sizeof **sizes);
    if (!*sizes)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    if (listed && *parts > 0 && !dv_tensor_read_i64(split, 0, *parts, *sizes))
        return dv_fail(DV_BAD_INPUT, "its sizes are no numbers");
    for (size_t i = 0; !listed && i < *parts; i++)
        (*sizes)[i] = whole - (int64_t)i * each < each ? whole - (int64_t)i * each : each;
    return DV_OK;
}

static dv_status cut(dv_onnx_builder *b, dv_onnx_at *at)
{
    int64_t axis, *sizes;
    size_t parts;
    bool keeps, single;
    DV_TRY(dv_onnx_int(at, "axis", 0, &axis));
    DV_TRY(dv_onnx_flag(at, "keepdims", true, &keeps));
    if (!dv_onnx_given_input(at, 0) || has_sequence(at, 0) || has_sequence(at, 1))
        return dv_fail(DV_BAD_INPUT, "its input is no tensor");
    const dv_shape *x = dv_onnx_shape_of(at, at->inputs[0]);
    if (!dv_shape_known(x))
        return dv_onnx_opaque(at, "the shape of its input does not follow from the model, so the "
                                  "length of the sequence is not known");
    if (axis < -x->rank || axis >= x->rank)
        return dv_fail(DV_BAD_INPUT, "attribute 'axis' is out of range");
    axis += axis < 0 ? x->rank : 0;
    DV_TRY(read_parts(b, at, x->dim[axis], &sizes, &parts, &single));
    dv_tensor_id made, *items;
    if (!sizes)
        return DV_OK;
    DV_TRY(dv_onnx_add_sequence(b, (uint32_t)parts, &made, &items));
    for (size_t i = 0; i < parts; i++)
        DV_TRY(dv_onnx_part(at, &items[i]));
    dv_op split = at->op;
    split.kind = DV_OP_SPLIT;
    split.params =
        (dv_op_params){.split = {.axis = axis, .count = (uint32_t)parts, .sizes = sizes}};
    split.inputs = at->inputs;
    split.input_count = 1;
    split.outputs = items;
    split.output_count = (uint32_t)parts;
    if (parts > 0)
        DV_TRY(dv_onnx_add(at, &split));
    dv_op_params flat = {.axes = {.count = 1, .axes = {axis}}};
    for (size_t i = 0; i < parts && single && !keeps; i++)
        DV_TRY(dv_onnx_emit(at, DV_OP_SQUEEZE, &flat, items[i], DV_NONE, &items[i]));
    return dv_onnx_pass_on(b, at, made, 0);
}

static dv_status join(dv_onnx_builder *b, dv_onnx_at *at)
{
    dv_onnx_sequence from = dv_onnx_sequence_of(b, at->inputs[0]);
    int64_t axis;
    bool stacks;
    DV_TRY(dv_onnx_int(at, "axis", 0, &axis));
    DV_TRY(dv_onnx_flag(at, "new_axis", false, &stacks));
    if (axis < -DV_MAX_RANK || axis > DV_MAX_RANK)
        return dv_fail(DV_BAD_INPUT, "attribute 'axis' is out of range");
    if (from.count == 0)
        return dv_fail(DV_BAD_INPUT, "an empty sequence cannot be joined");
    dv_tensor_id *parts = dv_arena_array(at->arena, from.count, sizeof *parts);
    if (!parts)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    dv_op_params wide = {.axes = {.count = 1, .axes = {axis}}};
    for (uint32_t i = 0; i < from.count; i++) {
        parts[i] = from.items[i];
        if (stacks)
            DV_TRY(dv_onnx_emit(at, DV_OP_UNSQUEEZE, &wide, parts[i], DV_NONE, &parts[i]));
    }
    dv_op cat = at->op;
    cat.kind = DV_OP_CAT;
    cat.params = (dv_op_params){.axis = {.axis = axis}};
    cat.inputs = parts;
    cat.input_count = from.count;
    cat.outputs = at->outputs;
    cat.output_count = 1;
    return dv_onnx_add(at, &cat);
}

/* ---- optionals ---- */

static dv_status pass(dv_onnx_builder *b, dv_onnx_at *at)
{
    bool given = at->op.input_count > 0 && at->inputs[0] != DV_NONE;
    return dv_onnx_pass_on(b, at, given ? at->inputs[0] : DV_NONE, 0);
}

static dv_status get(dv_onnx_builder *b, dv_onnx_at *at)
{
    if (at->op.input_count == 0 || at->inputs[0] == DV_NONE)
        return dv_fail(DV_BAD_INPUT, "its optional is left out, so there is nothing to get");
    return dv_onnx_pass_on(b, at, at->inputs[0], 0);
}

static dv_status ask(dv_onnx_builder *b, dv_onnx_at *at)
{
    return add_truth(b, at, at->op.input_count > 0 && at->inputs[0] != DV_NONE);
}

/* ---- a graph for each tensor of a sequence ---- */

static dv_status map_one(dv_onnx_builder *b, dv_onnx_at *at, const dv_onnx_graph *body, uint32_t i,
                         dv_tensor_id **lists)
{
    for (uint32_t k = 0; k < body->inputs.count; k++) {
        dv_onnx_value value;
        dv_tensor_id id = at->inputs[k];
        DV_TRY(dv_onnx_read_value(body->inputs.items[k], b->file, &value));
        if (dv_onnx_is_sequence(id)) {
            dv_onnx_sequence from = dv_onnx_sequence_of(b, id);
            if (i >= from.count)
                return dv_fail(DV_BAD_INPUT, "its sequences are not of the same length");
            id = from.items[i];
        }
        if (value.name.size > 0)
            DV_TRY(dv_names_put(&b->scope->ids, value.name, id));
    }
    DV_TRY(dv_onnx_add_initialisers(b, body));
    for (uint32_t k = 0; k < body->nodes.count; k++)
        DV_TRY(dv_onnx_add_node(b, body, k));
    for (uint32_t k = 0; k < body->outputs.count; k++) {
        dv_onnx_value value;
        DV_TRY(dv_onnx_read_value(body->outputs.items[k], b->file, &value));
        DV_TRY(dv_onnx_value_named(b, value.name, &lists[k][i]));
        if (lists[k][i] == DV_NONE || dv_onnx_is_sequence(lists[k][i]))
            return dv_fail(DV_BAD_INPUT, "output %u of its body is no tensor", k);
    }
    return DV_OK;
}

static dv_status map(dv_onnx_builder *b, dv_onnx_at *at)
{
    const dv_onnx_attribute *attribute = dv_onnx_attribute_of(at, "body");
    dv_onnx_graph body;
    if (!attribute || !(attribute->given & DV_ONNX_G) || b->depth >= DV_ONNX_MAX_NESTING)
        return dv_fail(DV_BAD_INPUT, "attribute 'body' is missing or nested too deeply");
    DV_TRY(dv_onnx_read_graph(attribute->g, b->file, at->arena, &body));
    uint32_t length = dv_onnx_sequence_of(b, at->inputs[0]).count, outputs = body.outputs.count;
    if (body.inputs.count != at->op.input_count || outputs != at->op.output_count)
        return dv_fail(DV_BAD_INPUT, "its body has %u inputs and %u outputs, the node %u and %u",
                       body.inputs.count, outputs, at->op.input_count, at->op.output_count);
    dv_tensor_id *made = dv_arena_array(at->arena, outputs, sizeof *made);
    dv_tensor_id **lists = dv_arena_array(at->arena, outputs, sizeof *lists);
    if (!made || !lists)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t k = 0; k < outputs; k++)
        DV_TRY(dv_onnx_add_sequence(b, length, &made[k], &lists[k]));
    for (uint32_t i = 0; i < length; i++) {
        dv_onnx_scope scope = {.outer = b->scope,
                               .prefix = dv_arena_printf(at->arena, "%s.%u/", at->op.name, i)};
        if (!scope.prefix)
            return dv_fail(DV_NO_MEMORY, "out of memory");
        DV_TRY(dv_onnx_count_expanded(b, (size_t)body.inputs.count + outputs));
        b->scope = &scope;
        b->depth++;
        dv_status status = map_one(b, at, &body, i, lists);
        b->depth--;
        b->scope = scope.outer;
        dv_names_free(&scope.ids);
        DV_TRY(dv_within(status, "tensor %u of the sequence", i));
    }
    for (uint32_t k = 0; k < outputs; k++)
        DV_TRY(dv_onnx_pass_on(b, at, made[k], k));
    return DV_OK;
}

/* ---- the types ---- */

typedef struct sequence_rule {
    const char *type;
    bool of_sequence; /* input 0 has to be one; else it is built in any case */
    dv_status (*build)(dv_onnx_builder *b, dv_onnx_at *at);
} sequence_rule;

static const sequence_rule *rule_of(dv_span type)
{
    static const sequence_rule rules[] = {
        {"ConcatFromSequence", true, join},  {"Optional", false, pass},
        {"OptionalGetElement", false, get},  {"OptionalHasElement", false, ask},
        {"SequenceAt", true, take},          {"SequenceConstruct", false, construct},
        {"SequenceEmpty", false, construct}, {"SequenceErase", true, erase},
        {"SequenceInsert", true, insert},    {"SequenceLength", true, count},
        {"SequenceMap", true, map},          {"SplitToSequence", false, cut},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (dv_span_is(type, rules[i].type))
            return &rules[i];
    return NULL;
}

dv_status dv_onnx_add_sequences(dv_onnx_builder *b, dv_onnx_at *at, bool *done)
{
    static const sequence_rule identity = {"Identity", true, pass};
    bool is_identity =
        dv_span_is(at->node->op_type, "Identity") &&
        (has_sequence(at, 0) || (at->op.input_count == 1 && at->inputs[0] == DV_NONE));
    const sequence_rule *rule = is_identity ? &identity : rule_of(at->node->op_type);
    *done = false;
    if (!rule)
        return DV_OK;
    if (rule->of_sequence && !is_identity && !has_sequence(at, 0))
        return dv_onnx_opaque(at, "its input is no sequence whose length follows from the model");
    DV_TRY(rule->build(b, at));
    *done = at->op.reason == NULL;
    return DV_OK;
}
