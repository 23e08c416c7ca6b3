/* onnx_loops.c - Loop and Scan whose number of turns is known become that many bodies.

   Each turn is built in a scope of its own, named "loop.turn/": the values carried are the results
   of the turn before, what every turn adds to an output is stacked at the end. Number of turns and
   condition may follow from shapes and constants; a loop that depends on data stays opaque; one
   with more turns than any exported network has is an error. */
#include "load/onnx_build.h"

enum { MOST_TURNS = 1024, MOST_SCANNED = 64 };

typedef struct loop {
    dv_onnx_graph body;
    uint32_t lead;          /* inputs of the body before the values carried */
    uint32_t skipped;       /* outputs of the body before the values carried */
    uint32_t carried, each; /* values carried; outputs made of every turn's */
    int64_t turns;          /* at most, for a Loop */
    bool is_scan;
    bool is_batched;  /* a Scan before opset 9: inputs and outputs have a batch in front */
    uint32_t scanned; /* inputs of a Scan that are taken apart */
    int64_t in_axes[MOST_SCANNED], out_axes[MOST_SCANNED];
    int64_t in_backwards[MOST_SCANNED], out_backwards[MOST_SCANNED];
    const dv_tensor_id *sources; /* the inputs that are taken apart */
    dv_tensor_id *values;        /* carried, as of now; a Loop's may be sequences */
    dv_tensor_id *made;          /* turns x each */
    dv_tensor_id *results;
} loop;

/* ---- what is known before anything is built ---- */

static dv_status name_at(const dv_onnx_builder *b, const dv_onnx_spans *values, uint32_t i,
                         dv_span *name)
{
    dv_onnx_value value;
    DV_TRY(dv_onnx_read_value(values->items[i], b->file, &value));
    *name = value.name;
    return DV_OK;
}

static dv_status check_borders(const dv_onnx_builder *b, const loop *l)
{
    for (uint32_t i = 0; i < l->body.outputs.count; i++) {
        dv_span name;
        DV_TRY(name_at(b, &l->body.outputs, i, &name));
        if (name.size == 0)
            return dv_fail(DV_BAD_INPUT, "output %u of its body has no name", i);
    }
    return DV_OK;
}

static dv_status read_loop(dv_onnx_builder *b, dv_onnx_at *at, loop *l)
{
    int64_t on = 1;
    bool known = true;
    uint32_t given = at->op.input_count;
    l->lead = 2;
    l->skipped = 1;
    if (given < 2 || l->body.inputs.count != given || l->body.outputs.count < given - 1 ||
        l->body.outputs.count - 1 != at->op.output_count)
        return dv_onnx_opaque(
            at,
            "its body has %u inputs and %u outputs, which do not fit the node's %u and "
            "%u",
            l->body.inputs.count, l->body.outputs.count, given, at->op.output_count);
    l->carried = given - 2;
    l->each = at->op.output_count - l->carried;
    l->turns = INT64_MAX;
    if (at->inputs[0] != DV_NONE)
        DV_TRY(dv_onnx_known_integer(b, at->inputs[0], &known, &l->turns));
    if (!known)
        return dv_onnx_opaque(at, "its number of turns is computed from data while the model runs; "
                                  "only one that follows from shapes, constants and --set is "
                                  "supported");
    if (at->inputs[1] != DV_NONE)
        DV_TRY(dv_onnx_known_integer(b, at->inputs[1], &known, &on));
    if (!known)
        return dv_onnx_opaque(at, "its condition is computed from data while the model runs; only "
                                  "one that follows from shapes, constants and --set is supported");
    if (!on || l->turns < 0)
        l->turns = 0;
    return DV_OK;
}

/* An attribute with a number for each of count inputs or outputs. */
static dv_status read_each(dv_onnx_at *at, const char *name, uint32_t count, int64_t *values)
{
    size_t given;
    DV_TRY(dv_onnx_ints(at, name, MOST_SCANNED, values, &given));
    if (given != 0 && given != count)
        return dv_fail(DV_BAD_INPUT, "attribute '%s' has %zu numbers for %u tensors", name, given,
                       count);
    for (size_t i = 0; i < given; i++)
        if (values[i] < -DV_MAX_RANK || values[i] > DV_MAX_RANK)
            return dv_fail(DV_BAD_INPUT, "attribute '%s' is out of range", name);
    return DV_OK;
}

static dv_status read_scan_attributes(dv_onnx_at *at, loop *l)
{
    if (l->scanned > MOST_SCANNED || l->each > MOST_SCANNED)
        return dv_fail(DV_BAD_INPUT, "more than %d tensors to scan", MOST_SCANNED);
    if (l->is_batched)
        return read_each(at, "directions", l->scanned, l->in_backwards);
    DV_TRY(read_each(at, "scan_input_axes", l->scanned, l->in_axes));
    DV_TRY(read_each(at, "scan_input_directions", l->scanned, l->in_backwards));
    DV_TRY(read_each(at, "scan_output_axes", l->each, l->out_axes));
    return read_each(at, "scan_output_directions", l->each, l->out_backwards);
}

/* The number of turns is the size of the dim that is taken apart. */
static dv_status read_turns(dv_onnx_at *at, loop *l)
{
    for (uint32_t i = 0; i < l->scanned; i++) {
        const dv_shape *x = dv_onnx_shape_of(at, l->sources[i]);
        if (!dv_shape_known(x))
            return dv_onnx_opaque(at,
                                  "the shape of its scanned input %u does not follow from the "
                                  "model, so its number of turns is not known",
                                  i);
        int64_t axis = l->in_axes[i] + l->is_batched;
        axis += axis < 0 ? x->rank : 0;
        if (axis < 0 || axis >= x->rank)
            return dv_fail(DV_BAD_INPUT, "attribute 'scan_input_axes' is out of range");
        l->in_axes[i] = axis - l->is_batched;
        if (i > 0 && x->dim[axis] != l->turns)
            return dv_fail(DV_BAD_INPUT, "its scanned inputs are of %lld and %lld turns",
                           (long long)l->turns, (long long)x->dim[axis]);
        l->turns = x->dim[axis];
    }
    return DV_OK;
}

static dv_status read_scan(dv_onnx_at *at, loop *l)
{
    int64_t scanned;
    l->is_batched = at->opset < 9;
    uint32_t lead = l->is_batched, given = at->op.input_count;
    DV_TRY(dv_onnx_int(at, "num_scan_inputs", 0, &scanned));
    if (given < lead || scanned < 1 || scanned > given - lead ||
        l->body.inputs.count != given - lead || l->body.outputs.count != at->op.output_count ||
        l->body.outputs.count < given - lead - scanned)
        return dv_onnx_opaque(
            at,
            "its body has %u inputs and %u outputs, which do not fit the node's %u and "
            "%u",
            l->body.inputs.count, l->body.outputs.count, given, at->op.output_count);
    l->is_scan = true;
    l->scanned = (uint32_t)scanned;
    l->carried = given - lead - l->scanned;
    l->each = at->op.output_count - l->carried;
    l->sources = at->inputs + lead + l->carried;
    if (lead == 1 && at->inputs[0] != DV_NONE)
        return dv_onnx_opaque(at, "sequences of different lengths (opset 8) are not supported; "
                                  "convert the model to opset 9 or later");
    for (uint32_t i = lead; i < given; i++)
        if (at->inputs[i] == DV_NONE || dv_onnx_is_sequence(at->inputs[i]))
            return dv_fail(DV_BAD_INPUT, "its input %u is no tensor", i);
    DV_TRY(read_scan_attributes(at, l));
    return read_turns(at, l);
}

/* ---- turns ---- */

static dv_status scan_inputs(dv_onnx_at *at, const loop *l, int64_t turn, dv_tensor_id *ids)
{
    for (uint32_t i = 0; i < l->scanned; i++) {
        int64_t index = l->in_backwards[i] == 1 ? l->turns - 1 - turn : turn;
        dv_op_params params = {.select = {.axis = l->in_axes[i], .index = index}};
        DV_TRY(dv_onnx_emit(at, DV_OP_SELECT, &params, l->sources[i], DV_NONE, &ids[i]));
    }
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
        ids[l->lead + i] = l->values[i] == DV_NONE ? DV_ONNX_ABSENT : l->values[i];
    DV_TRY(scan_inputs(at, l, turn, ids + l->lead + l->carried));
    for (uint32_t i = 0; i < count; i++) {
        dv_span name;
        DV_TRY(name_at(b, &l->body.inputs, i, &name));
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
        DV_TRY(name_at(b, &l->body.outputs, i, &name));
        DV_TRY(dv_onnx_value_named(b, name, &l->results[i]));
        bool carried = i >= l->skipped && i < l->skipped + l->carried;
        if (!carried && (l->results[i] == DV_NONE || dv_onnx_is_sequence(l->results[i])))
            return dv_fail(DV_BAD_INPUT, "output %u of its body is no tensor", i);
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
    /* borders are work too, and memory that a short file could ask for */
    DV_TRY(dv_onnx_count_expanded(b, (size_t)l->body.inputs.count + l->body.outputs.count));
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

/* Does a Loop go on after the turn that was built last? Its condition has to follow from the model,
   else at becomes opaque. */
static dv_status goes_on(dv_onnx_builder *b, dv_onnx_at *at, const loop *l, int64_t turn, bool *on)
{
    int64_t value = 1;
    bool known = true;
    *on = turn + 1 < l->turns;
    if (!l->is_scan)
        DV_TRY(dv_onnx_known_integer(b, l->results[0], &known, &value));
    if (!known && *on)
        return dv_onnx_opaque(at,
                              "its condition after turn %lld is computed from data while the model "
                              "runs; only one that follows from shapes, constants and --set is "
                              "supported",
                              (long long)turn);
    *on = *on && value;
    return DV_OK;
}

static dv_status too_many(int64_t turns)
{
    if (turns == INT64_MAX)
        return dv_fail(DV_BAD_INPUT,
                       "it does not end within %d turns; at most that many are unrolled, so export "
                       "the model with a shorter loop",
                       MOST_TURNS);
    return dv_fail(DV_BAD_INPUT,
                   "it would run %lld times; at most %d turns are unrolled, so export the model "
                   "with a shorter loop",
                   (long long)turns, MOST_TURNS);
}

static dv_status build_turns(dv_onnx_builder *b, dv_onnx_at *at, loop *l)
{
    int64_t turn = 0;
    for (bool on = l->turns > 0; on; turn++) {
        if (turn == MOST_TURNS)
            return too_many(l->turns);
        DV_TRY(build_turn(b, at, l, turn));
        DV_TRY(goes_on(b, at, l, turn, &on));
        if (at->op.reason)
            return DV_OK;
    }
    l->turns = turn;
    return DV_OK;
}

/* ---- results ---- */

/* What each turn made, one behind the other along a new dim. */
static dv_status stack(dv_onnx_at *at, const dv_tensor_id *parts, int64_t count, int64_t axis,
                       dv_tensor_id output)
{
    dv_op_params along = {.axis = {.axis = axis}}, wide = {.axes = {.count = 1, .axes = {axis}}};
    dv_tensor_id *rows = dv_arena_array(at->arena, (size_t)count, sizeof *rows);
    if (!rows)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (int64_t i = 0; i < count; i++)
        DV_TRY(dv_onnx_emit(at, DV_OP_UNSQUEEZE, &wide, parts[i], DV_NONE, &rows[i]));
    dv_op cat = at->op;
    cat.kind = DV_OP_CAT;
    cat.params = along;
    cat.inputs = rows;
    cat.input_count = (uint32_t)count;
    cat.outputs = &output;
    cat.output_count = 1;
    return dv_onnx_add(at, &cat);
}

/* Output i of those that gather every turn's values. */
static dv_status gather(dv_onnx_at *at, const loop *l, uint32_t i, dv_tensor_id output)
{
    dv_tensor_id *parts = dv_arena_array(at->arena, (size_t)l->turns, sizeof *parts);
    if (!parts)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (int64_t turn = 0; turn < l->turns; turn++) {
        int64_t place = l->out_backwards[i] == 1 ? l->turns - 1 - turn : turn;
        parts[place] = l->made[(uint32_t)turn * l->each + i];
    }
    return stack(at, parts, l->turns, l->out_axes[i], output);
}

static dv_status take_memory(dv_onnx_at *at, loop *l)
{
    size_t turns = (size_t)(l->turns < MOST_TURNS ? l->turns : MOST_TURNS);
    l->values = dv_arena_array(at->arena, l->carried, sizeof *l->values);
    l->made = dv_arena_array(at->arena, turns * l->each, sizeof *l->made);
    l->results = dv_arena_array(at->arena, l->body.outputs.count, sizeof *l->results);
    return l->values && l->made && l->results ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory");
}

static dv_status build(dv_onnx_builder *b, dv_onnx_at *at, loop *l)
{
    DV_TRY(take_memory(at, l));
    for (uint32_t i = 0; i < l->carried; i++)
        l->values[i] = at->inputs[l->lead + i];
    DV_TRY(build_turns(b, at, l));
    if (l->turns == 0 && l->each > 0 && !at->op.reason)
        return dv_onnx_opaque(at, "it makes no turn, so the shape of what its turns would make is "
                                  "not known");
    for (uint32_t i = 0; i < l->carried && !at->op.reason; i++)
        DV_TRY(dv_onnx_pass_on(b, at, l->values[i], i));
    for (uint32_t i = 0; i < l->each && !at->op.reason; i++)
        if (at->outputs[l->carried + i] != DV_NONE)
            DV_TRY(gather(at, l, i, at->outputs[l->carried + i]));
    return DV_OK;
}

/* Before opset 9 the body sees one sample of the batch at a time. */
static dv_status build_samples(dv_onnx_builder *b, dv_onnx_at *at, loop *l)
{
    int64_t batch = dv_onnx_shape_of(at, l->sources[0])->dim[0];
    uint32_t outputs = at->op.output_count, inputs = l->carried + l->scanned;
    const dv_tensor_id *whole = at->inputs + 1;
    if (batch < 1 || batch > MOST_TURNS || l->turns == 0)
        return dv_fail(DV_BAD_INPUT, "its batch of %lld samples of %lld turns is refused",
                       (long long)batch, (long long)l->turns);
    dv_tensor_id *made = dv_arena_array(at->arena, (size_t)batch * outputs, sizeof *made);
    dv_tensor_id *one = dv_arena_array(at->arena, inputs, sizeof *one);
    DV_TRY(take_memory(at, l));
    if (!made || !one)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (int64_t sample = 0; sample < batch; sample++) {
        dv_op_params params = {.select = {.axis = 0, .index = sample}};
        for (uint32_t i = 0; i < inputs; i++)
            DV_TRY(dv_onnx_emit(at, DV_OP_SELECT, &params, whole[i], DV_NONE, &one[i]));
        for (uint32_t i = 0; i < l->carried; i++)
            l->values[i] = one[i];
        l->sources = one + l->carried;
        DV_TRY(build_turns(b, at, l));
        for (uint32_t i = 0; i < outputs; i++) {
            dv_tensor_id *to = &made[(int64_t)i * batch + sample];
            *to = i < l->carried ? l->values[i] : DV_NONE;
            if (i < l->carried)
                continue;
            DV_TRY(dv_onnx_part(at, to));
            DV_TRY(gather(at, l, i - l->carried, *to));
        }
    }
    for (uint32_t i = 0; i < outputs; i++)
        if (at->outputs[i] != DV_NONE)
            DV_TRY(stack(at, &made[(int64_t)i * batch], batch, 0, at->outputs[i]));
    return DV_OK;
}

dv_status dv_onnx_add_loop(dv_onnx_builder *b, dv_onnx_at *at, bool *done)
{
    loop l = {0};
    const dv_onnx_attribute *body = dv_onnx_attribute_of(at, "body");
    *done = false;
    if (!body || !(body->given & DV_ONNX_G))
        return dv_fail(DV_BAD_INPUT, "attribute 'body' is missing");
    if (b->depth >= DV_ONNX_MAX_NESTING)
        return dv_fail(DV_BAD_INPUT, "graphs are nested more than %d deep", DV_ONNX_MAX_NESTING);
    DV_TRY(dv_onnx_read_graph(body->g, b->file, at->arena, &l.body));
    DV_TRY(check_borders(b, &l));
    DV_TRY(dv_span_is(at->node->op_type, "Scan") ? read_scan(at, &l) : read_loop(b, at, &l));
    if (at->op.reason)
        return DV_OK;
    if (l.is_scan && l.turns > MOST_TURNS)
        return too_many(l.turns);
    DV_TRY(l.is_batched ? build_samples(b, at, &l) : build(b, at, &l));
    *done = !at->op.reason;
    return DV_OK;
}
