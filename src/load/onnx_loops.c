/* onnx_loops.c - Loop and Scan whose number of turns is known become that many bodies.

   Each turn is built in a scope of its own, named "loop.turn/": the values carried are the results
   of the turn before, what every turn adds to an output is stacked at the end. A loop that depends
   on data stays opaque; one with more turns than any exported network has is an error. */
#include "load/onnx_build.h"

enum { MOST_TURNS = 1024 };

typedef struct loop {
    dv_onnx_graph body;
    uint32_t lead;          /* inputs of the body before the values carried */
    uint32_t skipped;       /* outputs of the body before the values carried */
    uint32_t carried, each; /* values carried; outputs made of every turn's */
    int64_t turns;
    bool is_scan;
    uint32_t scanned;     /* inputs of a Scan that are taken apart */
    dv_tensor_id *values; /* carried, as of now */
    dv_tensor_id *made;   /* turns x each */
    dv_tensor_id *results;
} loop;

/* ---- what is known before anything is built ---- */

static bool constant_integer(const dv_onnx_builder *b, dv_tensor_id id, int64_t *out)
{
    if (id == DV_NONE)
        return false;
    const dv_tensor *tensor = &b->graph->tensors[id];
    size_t elements;
    return tensor->role == DV_ROLE_CONSTANT && tensor->data.storage != DV_STORAGE_NONE &&
           dv_shape_elements(&tensor->shape, &elements) && elements == 1 &&
           dv_tensor_read_i64(tensor, 0, 1, out);
}

static dv_status name_at(const dv_onnx_builder *b, const dv_onnx_spans *values, uint32_t i,
                         dv_span *name, bool *is_tensor)
{
    dv_onnx_value value;
    DV_TRY(dv_onnx_read_value(values->items[i], b->file, &value));
    *name = value.name;
    *is_tensor &= value.is_tensor && value.name.size > 0;
    return DV_OK;
}

/* Every input and output of the body is a tensor with a name; a type may be left open. */
static dv_status check_borders(const dv_onnx_builder *b, const loop *l, bool *fits)
{
    for (uint32_t i = 0; *fits && i < l->body.outputs.count; i++) {
        dv_span name;
        DV_TRY(name_at(b, &l->body.outputs, i, &name, fits));
    }
    return DV_OK;
}

/* Does the body's condition stay what it is, or come from a constant? Then only its first value and
   that constant decide; anything else is data. */
static dv_status condition_is_plain(const dv_onnx_builder *b, const dv_onnx_at *at, const loop *l,
                                    bool *plain)
{
    dv_span in, out;
    bool tensor = true;
    DV_TRY(name_at(b, &l->body.inputs, 1, &in, &tensor));
    DV_TRY(name_at(b, &l->body.outputs, 0, &out, &tensor));
    *plain = dv_span_equal(in, out);
    for (uint32_t i = l->body.nodes.count; i > 0 && !*plain; i--) {
        dv_onnx_node node;
        DV_TRY(dv_onnx_read_node(l->body.nodes.items[i - 1], b->file, at->arena, &node));
        if (node.outputs.count != 1 || !dv_span_equal(node.outputs.items[0], out))
            continue;
        if (dv_span_is(node.op_type, "Constant")) {
            *plain = true;
        } else if (node.inputs.count == 1 &&
                   (dv_span_is(node.op_type, "Identity") || dv_span_is(node.op_type, "Cast"))) {
            out = node.inputs.items[0];
            *plain = dv_span_equal(in, out);
        } else {
            return DV_OK;
        }
    }
    return DV_OK;
}

static dv_status read_loop(dv_onnx_builder *b, dv_onnx_at *at, loop *l, bool *fits)
{
    int64_t turns, on = 1;
    uint32_t given = at->op.input_count;
    l->lead = 2;
    l->skipped = 1;
    *fits = given >= 2 && l->body.inputs.count == given && l->body.outputs.count >= given - 1 &&
            l->body.outputs.count - 1 == at->op.output_count &&
            constant_integer(b, at->inputs[0], &turns) &&
            (at->inputs[1] == DV_NONE || constant_integer(b, at->inputs[1], &on));
    if (!*fits)
        return DV_OK;
    l->carried = given - 2;
    l->each = at->op.output_count - l->carried;
    l->turns = on && turns > 0 ? turns : 0;
    DV_TRY(condition_is_plain(b, at, l, fits));
    return DV_OK;
}

static dv_status read_scan(dv_onnx_builder *b, dv_onnx_at *at, loop *l, bool *fits)
{
    int64_t scanned;
    uint32_t given = at->op.input_count;
    DV_TRY(dv_onnx_int(at, "num_scan_inputs", 0, &scanned));
    *fits = at->opset >= 9 && at->node->attribute_count == 2 && scanned >= 1 && scanned <= given &&
            l->body.inputs.count == given && l->body.outputs.count == at->op.output_count &&
            l->body.outputs.count >= given - scanned;
    if (!*fits)
        return DV_OK;
    l->is_scan = true;
    l->scanned = (uint32_t)scanned;
    l->carried = given - l->scanned;
    l->each = at->op.output_count - l->carried;
    for (uint32_t i = l->carried; i < given && *fits; i++) {
        const dv_tensor *x = at->inputs[i] == DV_NONE ? NULL : &b->graph->tensors[at->inputs[i]];
        *fits = x && dv_shape_known(&x->shape) && x->shape.rank > 0 &&
                (i == l->carried || x->shape.dim[0] == l->turns);
        l->turns = *fits ? x->shape.dim[0] : 0;
    }
    return DV_OK;
}

/* ---- turns ---- */

static dv_status scan_inputs(dv_onnx_at *at, const loop *l, int64_t turn, dv_tensor_id *ids)
{
    dv_op_params params = {.select = {.axis = 0, .index = turn}};
    for (uint32_t i = 0; i < l->scanned; i++)
        DV_TRY(
            dv_onnx_emit(at, DV_OP_SELECT, &params, at->inputs[l->carried + i], DV_NONE, &ids[i]));
    return DV_OK;
}

/* Names the inputs of one turn's body. */
static dv_status bind_turn(dv_onnx_builder *b, dv_onnx_at *at, const loop *l, int64_t turn)
{
    uint32_t count = l->body.inputs.count;
    dv_tensor_id *ids = dv_arena_array(at->arena, (size_t)count + 2, sizeof *ids);
    if (!ids)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    if (!l->is_scan) {
        DV_TRY(dv_onnx_scalar(at, DV_DTYPE_I64, (double)turn, &ids[0]));
        DV_TRY(dv_onnx_scalar(at, DV_DTYPE_BOOL, 1, &ids[1]));
    }
    for (uint32_t i = 0; i < l->carried; i++)
        ids[l->lead + i] = l->values[i];
    DV_TRY(scan_inputs(at, l, turn, ids + l->lead + l->carried));
    for (uint32_t i = 0; i < count; i++) {
        dv_span name;
        bool tensor = true;
        DV_TRY(name_at(b, &l->body.inputs, i, &name, &tensor));
        if (name.size > 0)
            DV_TRY(dv_names_put(&b->scope->ids, name, ids[i]));
    }
    return DV_OK;
}

static dv_status fill_turn(dv_onnx_builder *b, dv_onnx_at *at, loop *l, int64_t turn)
{
    DV_TRY(bind_turn(b, at, l, turn));
    DV_TRY(dv_onnx_add_initialisers(b, &l->body));
    for (uint32_t i = 0; i < l->body.nodes.count; i++)
        DV_TRY(dv_onnx_add_node(b, &l->body, i));
    for (uint32_t i = 0; i < l->body.outputs.count; i++) {
        dv_span name;
        bool tensor = true;
        DV_TRY(name_at(b, &l->body.outputs, i, &name, &tensor));
        DV_TRY(dv_onnx_tensor_named(b, name, &l->results[i]));
        if (l->results[i] == DV_NONE)
            return dv_fail(DV_BAD_INPUT, "output %u of its body is left out", i);
    }
    return DV_OK;
}

static dv_status build_turn(dv_onnx_builder *b, dv_onnx_at *at, loop *l, int64_t turn)
{
    dv_onnx_scope scope = {
        .outer = b->scope,
        .prefix = dv_arena_printf(at->arena, "%s.%lld/", at->op.name, (long long)turn)};
    if (!scope.prefix)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    b->scope = &scope;
    b->depth++;
    dv_status status = fill_turn(b, at, l, turn);
    b->depth--;
    b->scope = scope.outer;
    dv_names_free(&scope.ids);
    if (status != DV_OK)
        return dv_within(status, "turn %lld", (long long)turn);
    for (uint32_t i = 0; i < l->carried; i++)
        l->values[i] = l->results[l->skipped + i];
    for (uint32_t i = 0; i < l->each; i++)
        l->made[(uint32_t)turn * l->each + i] = l->results[l->skipped + l->carried + i];
    return DV_OK;
}

/* ---- results ---- */

static dv_status add_result(dv_onnx_at *at, dv_op_kind kind, const dv_op_params *params,
                            const dv_tensor_id *inputs, uint32_t count, dv_tensor_id output)
{
    dv_op op = at->op;
    op.kind = kind;
    op.params = *params;
    op.inputs = inputs;
    op.input_count = count;
    op.outputs = &output;
    op.output_count = 1;
    return output == DV_NONE ? DV_OK : dv_onnx_add(at, &op);
}

/* What each turn made, one behind the other along a new first dim. */
static dv_status stack(dv_onnx_at *at, const loop *l, uint32_t i)
{
    dv_op_params none = {.axis = {0}}, front = {.axes = {.count = 1}};
    dv_tensor_id *parts = dv_arena_array(at->arena, (size_t)l->turns, sizeof *parts);
    if (!parts)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (int64_t turn = 0; turn < l->turns; turn++)
        DV_TRY(dv_onnx_emit(at, DV_OP_UNSQUEEZE, &front, l->made[(uint32_t)turn * l->each + i],
                            DV_NONE, &parts[turn]));
    return add_result(at, DV_OP_CAT, &none, parts, (uint32_t)l->turns, at->outputs[l->carried + i]);
}

static dv_status build(dv_onnx_builder *b, dv_onnx_at *at, loop *l)
{
    dv_op_params none = {.axis = {0}};
    /* borders are work too, and memory that a short file could ask for */
    DV_TRY(dv_onnx_count_expanded(b, (size_t)l->turns *
                                         ((size_t)l->body.inputs.count + l->body.outputs.count)));
    l->values = dv_arena_array(at->arena, l->carried, sizeof *l->values);
    l->made = dv_arena_array(at->arena, (size_t)l->turns * l->each, sizeof *l->made);
    l->results = dv_arena_array(at->arena, l->body.outputs.count, sizeof *l->results);
    if (!l->values || !l->made || !l->results)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < l->carried; i++)
        l->values[i] = at->inputs[l->lead + i];
    for (int64_t turn = 0; turn < l->turns; turn++) {
        int64_t on = 1;
        DV_TRY(build_turn(b, at, l, turn));
        if (!l->is_scan && constant_integer(b, l->results[0], &on) && !on)
            l->turns = turn + 1;
    }
    for (uint32_t i = 0; i < l->carried; i++)
        DV_TRY(add_result(at, DV_OP_IDENTITY, &none, &l->values[i], 1, at->outputs[i]));
    for (uint32_t i = 0; i < l->each; i++)
        DV_TRY(stack(at, l, i));
    return DV_OK;
}

dv_status dv_onnx_add_loop(dv_onnx_builder *b, dv_onnx_at *at, bool *done)
{
    loop l = {0};
    bool scan = dv_span_is(at->node->op_type, "Scan"), fits;
    const dv_onnx_attribute *body = dv_onnx_attribute_of(at, "body");
    *done = false;
    if (!body || !(body->given & DV_ONNX_G) || b->depth >= DV_ONNX_MAX_NESTING)
        return DV_OK;
    DV_TRY(dv_onnx_read_graph(body->g, b->file, at->arena, &l.body));
    DV_TRY(scan ? read_scan(b, at, &l, &fits) : read_loop(b, at, &l, &fits));
    if (fits)
        DV_TRY(check_borders(b, &l, &fits));
    for (uint32_t i = 0; fits && i < l.carried; i++)
        fits = at->inputs[l.lead + i] != DV_NONE;
    if (!fits || (l.turns == 0 && l.each > 0))
        return DV_OK;
    if (l.turns > MOST_TURNS)
        return dv_fail(
            DV_BAD_INPUT,
            "it would run %lld times; at most %d turns are unrolled, so export the model "
            "with a shorter loop",
            (long long)l.turns, MOST_TURNS);
    DV_TRY(build(b, at, &l));
    *done = true;
    return DV_OK;
}
