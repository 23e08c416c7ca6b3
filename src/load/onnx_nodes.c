/* onnx_nodes.c - nodes of an ONNX graph become operators and constants. */
#include <string.h>

#include "load/onnx_build.h"
#include "load/onnx_sparse.h"
#include "load/unfold.h"

enum { SHOWN = 120 }; /* bytes of a name in a message */

/* A node of more bytes counts as several. */
enum { BYTES_OF_A_NODE = 256 };

int dv_onnx_shown(dv_span text)
{
    return text.size > SHOWN ? SHOWN : (int)text.size;
}

const char *dv_onnx_bytes(dv_span text)
{
    return text.size ? (const char *)text.data : "";
}

/* ---- names ---- */

static dv_tensor_id find(const dv_onnx_builder *b, dv_span name)
{
    dv_tensor_id id = DV_NONE;
    for (const dv_onnx_scope *scope = b->scope; scope && id == DV_NONE; scope = scope->outer)
        id = dv_names_find(&scope->ids, name, DV_NONE);
    return id;
}

/* The name behind the scope's prefix, up to a NUL; NULL without memory. */
static char *scoped_name(const dv_onnx_builder *b, dv_arena *arena, dv_span name)
{
    size_t prefix = strlen(b->scope->prefix);
    size_t length = strnlen(dv_onnx_bytes(name), name.size), room;
    char *text = dv_add_size(prefix, length + 1, &room) ? dv_arena_alloc(arena, room) : NULL;
    if (!text)
        return NULL;
    memcpy(text, b->scope->prefix, prefix);
    memcpy(text + prefix, dv_onnx_bytes(name), length);
    return text; /* the arena's memory is zeroed */
}

dv_status dv_onnx_add_tensor(dv_onnx_builder *b, dv_span name, dv_tensor *tensor, dv_tensor_id *id)
{
    tensor->name = scoped_name(b, b->arena, name);
    if (!tensor->name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    DV_TRY(dv_graph_add_tensor(b->graph, tensor, id));
    return dv_names_put(&b->scope->ids, name, *id);
}

static dv_status add_activation(dv_onnx_builder *b, dv_span name, dv_tensor_id *id)
{
    dv_tensor tensor = {.role = DV_ROLE_ACTIVATION, .shape = {.rank = DV_RANK_UNKNOWN}};
    return dv_onnx_add_tensor(b, name, &tensor, id);
}

dv_status dv_onnx_value_named(dv_onnx_builder *b, dv_span name, dv_tensor_id *id)
{
    *id = name.size == 0 ? DV_NONE : find(b, name);
    if (name.size > 0 && *id == DV_NONE)
        return add_activation(b, name, id);
    if (*id == DV_ONNX_ABSENT)
        *id = DV_NONE;
    return DV_OK;
}

/* What a node makes belongs to its own graph, whatever an outer one calls by the same name. */
dv_status dv_onnx_output_named(dv_onnx_builder *b, dv_span name, dv_tensor_id *id)
{
    *id = name.size == 0 ? DV_NONE : dv_names_find(&b->scope->ids, name, DV_NONE);
    if (dv_onnx_is_sequence(*id) || *id == DV_ONNX_ABSENT)
        return dv_fail(DV_BAD_INPUT, "its output '%.*s' is the name of a sequence or an optional",
                       dv_onnx_shown(name), dv_onnx_bytes(name));
    return name.size == 0 || *id != DV_NONE ? DV_OK : add_activation(b, name, id);
}

/* Adds the constant that the data of tensor is, under a new name of the innermost graph. */
static dv_status add_initialiser(dv_onnx_builder *b, dv_span name, dv_status status,
                                 dv_tensor *tensor)
{
    dv_tensor_id id;
    if (status == DV_OK && dv_names_find(&b->scope->ids, name, DV_NONE) != DV_NONE)
        status = dv_fail(DV_BAD_INPUT, "the name is given twice");
    if (status == DV_OK)
        status = dv_onnx_add_tensor(b, name, tensor, &id);
    dv_buffer_release(tensor->data.buffer);
    return dv_within(status, "initialiser '%.*s'", dv_onnx_shown(name), dv_onnx_bytes(name));
}

static dv_status add_dense(dv_onnx_builder *b, dv_span bytes)
{
    dv_onnx_tensor view;
    dv_tensor tensor = {0};
    DV_TRY(dv_onnx_read_tensor(bytes, b->file, &view));
    if (view.name.size == 0)
        return dv_fail(DV_BAD_INPUT, "an initialiser has no name");
    dv_status status = dv_onnx_tensor_data(&b->files, &view, &tensor);
    return add_initialiser(b, view.name, status, &tensor);
}

static dv_status add_sparse(dv_onnx_builder *b, dv_span bytes)
{
    dv_onnx_sparse view;
    dv_tensor tensor = {0};
    DV_TRY(dv_onnx_read_sparse(bytes, b->file, &view));
    if (view.values.name.size == 0)
        return dv_fail(DV_BAD_INPUT, "a sparse initialiser has no name");
    dv_status status = dv_onnx_sparse_data(&b->files, &view, &tensor);
    return add_initialiser(b, view.values.name, status, &tensor);
}

dv_status dv_onnx_add_initialisers(dv_onnx_builder *b, const dv_onnx_graph *graph)
{
    for (uint32_t i = 0; i < graph->initialisers.count; i++)
        DV_TRY(add_dense(b, graph->initialisers.items[i]));
    for (uint32_t i = 0; i < graph->sparse.count; i++)
        DV_TRY(add_sparse(b, graph->sparse.items[i]));
    return DV_OK;
}

/* ---- nodes ---- */

bool dv_onnx_is_standard(dv_span domain)
{
    return domain.size == 0 || dv_span_is(domain, "ai.onnx");
}

static bool find_opset(const dv_onnx_opset *opsets, uint32_t count, dv_span domain, int64_t *out)
{
    for (uint32_t i = 0; i < count; i++) {
        dv_span imported = opsets[i].domain;
        bool same = dv_onnx_is_standard(domain) ? dv_onnx_is_standard(imported)
                                                : dv_span_equal(imported, domain);
        if (same) {
            *out = opsets[i].version;
            return true;
        }
    }
    return false;
}

/* A function imports operator sets of its own; what it leaves open is the model's. */
dv_status dv_onnx_opset_of(const dv_onnx_builder *b, dv_span domain, int64_t *out)
{
    bool standard = dv_onnx_is_standard(domain);
    const dv_onnx_function *f = b->call ? &b->call->callee->function : NULL;
    if (f && find_opset(f->opsets, f->opset_count, domain, out))
        return DV_OK;
    if (find_opset(b->model.opsets, b->model.opset_count, domain, out))
        return DV_OK;
    *out = 1; /* files of IR version 1 and 2 name no operator sets */
    if (standard && b->model.ir_version >= 3)
        return dv_fail(DV_BAD_INPUT, "the model does not say which operator set it uses");
    return DV_OK;
}

/* Is name one of the words of list? */
static bool is_listed(const char *list, dv_span name)
{
    while (*list) {
        size_t length = strcspn(list, " ");
        if (dv_span_equal(name, (dv_span){(const uint8_t *)list, length}))
            return true;
        list += length + (list[length] == ' ');
    }
    return false;
}

/* How many outputs of a node are understood; the reader sees all of these. */
static uint32_t outputs_of(const dv_onnx_rule *rule)
{
    static const struct {
        const char *type;
        uint32_t outputs;
    } several[] = {
        {"Attention", 4},
        {"BatchNormalization", 3},
        {"Dropout", 2},
        {"DynamicQuantizeLinear", 3},
        {"GRU", 2},
        {"LSTM", 3},
        {"LayerNormalization", 3},
        {"MaxPool", 2},
        {"RNN", 2},
        {"SoftmaxCrossEntropyLoss", 2},
        {"Split", DV_MANY},
        {"TopK", 2},
        {"Unique", 4},
        {"ai.onnx.ml.LinearClassifier", 2},
        {"ai.onnx.preview.training.Adagrad", DV_MANY},
        {"ai.onnx.preview.training.Adam", DV_MANY},
        {"ai.onnx.preview.training.Momentum", DV_MANY},
        {"com.microsoft.EmbedLayerNormalization", 3},
        {"com.microsoft.GroupQueryAttention", 3},
        {"com.microsoft.MultiHeadAttention", 3},
        {"com.microsoft.SkipLayerNormalization", 4},
        {"com.microsoft.SkipSimplifiedLayerNormalization", 4},
    };
    for (size_t i = 0; i < sizeof several / sizeof several[0]; i++)
        if (strcmp(several[i].type, rule->type) == 0)
            return several[i].outputs;
    return 1;
}

/* Reasons to leave a node opaque that hold for any type. */
static dv_status check_generally(dv_onnx_at *at, const dv_onnx_rule *rule)
{
    for (uint32_t i = 0; i < at->node->attribute_count; i++) {
        const dv_onnx_attribute *attribute = &at->node->attributes[i];
        if (!is_listed(rule->attributes, attribute->name))
            return dv_onnx_opaque(at, "attribute '%.*s' (opset %lld) is not supported",
                                  dv_onnx_shown(attribute->name), dv_onnx_bytes(attribute->name),
                                  (long long)at->opset);
    }
    for (uint32_t i = 0; i < at->op.input_count; i++) {
        if (at->inputs[i] == DV_NONE)
            continue;
        const dv_tensor *tensor = &at->graph->tensors[at->inputs[i]];
        bool ours = tensor->dtype != DV_DTYPE_NONE && tensor->dtype != DV_DTYPE_STRING;
        if (!ours && tensor->role != DV_ROLE_ACTIVATION)
            return dv_onnx_opaque(at, "its input '%.*s' has an element type that is not supported",
                                  SHOWN, tensor->name);
    }
    for (uint32_t i = outputs_of(rule); i < at->op.output_count; i++)
        if (at->outputs[i] != DV_NONE)
            return dv_onnx_opaque(at, "its output %u '%.*s' is used, which is not supported", i,
                                  SHOWN, at->graph->tensors[at->outputs[i]].name);
    return DV_OK;
}

static dv_status check_inputs(const dv_onnx_at *at, const dv_onnx_rule *rule)
{
    uint32_t count = at->op.input_count;
    if (count > rule->most)
        return dv_fail(DV_BAD_INPUT, "it has %u inputs; at most %u are allowed", count, rule->most);
    for (uint32_t i = 0; i < rule->least; i++)
        if (!dv_onnx_given_input(at, i))
            return dv_fail(DV_BAD_INPUT, "its input %u is missing", i);
    return DV_OK;
}

static dv_status translate(dv_onnx_at *at)
{
    const dv_onnx_node *node = at->node;
    bool standard = dv_onnx_is_standard(node->domain);
    const dv_onnx_rule *rule =
        standard ? dv_onnx_rule_of(node->op_type) : dv_onnx_rule_in(node->domain, node->op_type);
    if (!rule && dv_span_is(node->domain, "com.microsoft.nchwc"))
        return dv_onnx_opaque(at, "it is in ONNX Runtime's layout for one kind of processor; save "
                                  "the model at the optimisation level 'extended', not 'all'");
    if (!rule)
        return dv_onnx_opaque(
            at, "operator %.*s (%.*s, opset %lld) is not supported", dv_onnx_shown(node->op_type),
            dv_onnx_bytes(node->op_type), standard ? 7 : dv_onnx_shown(node->domain),
            standard ? "ai.onnx" : dv_onnx_bytes(node->domain), (long long)at->opset);
    at->op.kind = rule->kind;
    DV_TRY(check_generally(at, rule));
    if (at->op.kind == DV_OP_OPAQUE)
        return DV_OK;
    while (at->op.input_count > rule->least && at->inputs[at->op.input_count - 1] == DV_NONE)
        at->op.input_count--;
    DV_TRY(check_inputs(at, rule));
    if (at->op.output_count > outputs_of(rule))
        at->op.output_count = outputs_of(rule);
    return rule->read(at);
}

/* Names that the inner graphs of an opaque node read and the outer graph has become its inputs, so
   that it stays behind their makers. */
static dv_status capture(dv_onnx_builder *b, dv_onnx_at *at, const dv_onnx_reads *inner)
{
    size_t most = at->op.input_count + inner->read.count;
    dv_tensor_id *inputs = dv_arena_array(at->arena, most, sizeof *inputs);
    if (!inputs)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    if (at->op.input_count > 0)
        memcpy(inputs, at->inputs, at->op.input_count * sizeof *inputs);
    dv_span name;
    for (size_t place = 0; dv_names_next(&inner->read, &place, &name);) {
        dv_tensor_id id = find(b, name);
        if (id != DV_NONE && id != DV_ONNX_ABSENT && !dv_onnx_is_sequence(id) &&
            !dv_names_find(&inner->made, name, 0))
            inputs[at->op.input_count++] = id;
    }
    at->inputs = inputs;
    return DV_OK;
}

static dv_status add_captures(dv_onnx_builder *b, dv_onnx_at *at)
{
    dv_onnx_reads inner = {.file = b->file};
    dv_status status = dv_onnx_reads_inner(&inner, at->node, at->arena);
    if (status == DV_OK && inner.read.count > 0)
        status = capture(b, at, &inner);
    dv_onnx_reads_free(&inner);
    return status;
}

/* ---- Constant nodes: a constant tensor, not an operator ---- */

static dv_status read_constant(dv_onnx_builder *b, const dv_onnx_node *node, dv_arena *arena,
                               dv_tensor *tensor)
{
    if (node->attribute_count != 1)
        return dv_fail(DV_BAD_INPUT, "a Constant needs exactly one attribute");
    const dv_onnx_attribute *a = &node->attributes[0];
    if (dv_span_is(a->name, "value") && (a->given & DV_ONNX_T)) {
        dv_onnx_tensor view;
        DV_TRY(dv_onnx_read_tensor(a->t, b->file, &view));
        return dv_onnx_tensor_data(&b->files, &view, tensor);
    }
    if (dv_span_is(a->name, "sparse_value") && a->sparse.data) {
        dv_onnx_sparse view;
        DV_TRY(dv_onnx_read_sparse(a->sparse, b->file, &view));
        return dv_onnx_sparse_data(&b->files, &view, tensor);
    }
    if (dv_span_is(a->name, "value_int") && (a->given & DV_ONNX_I))
        return dv_onnx_tensor_of(DV_DTYPE_I64, &a->i, 1, 0, tensor);
    if (dv_span_is(a->name, "value_float") && (a->given & DV_ONNX_F))
        return dv_onnx_tensor_of(DV_DTYPE_F32, &a->f, 1, 0, tensor);
    size_t count, most = a->body.size; /* an element takes at least a byte */
    void *values = dv_arena_array(arena, most, sizeof(int64_t));
    if (!values)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    if (dv_span_is(a->name, "value_ints") && (a->given & DV_ONNX_INTS)) {
        DV_TRY(dv_onnx_read_ints(a, b->file, most, values, &count));
        return dv_onnx_tensor_of(DV_DTYPE_I64, values, count, 1, tensor);
    }
    if (dv_span_is(a->name, "value_floats") && (a->given & DV_ONNX_FLOATS)) {
        DV_TRY(dv_onnx_read_floats(a, b->file, most, values, &count));
        return dv_onnx_tensor_of(DV_DTYPE_F32, values, count, 1, tensor);
    }
    tensor->role = DV_ROLE_CONSTANT; /* strings: whoever reads it stays opaque */
    tensor->shape.rank = DV_RANK_UNKNOWN;
    return DV_OK;
}

static dv_status add_constant(dv_onnx_builder *b, const dv_onnx_node *node, dv_arena *arena)
{
    if (node->outputs.count != 1 || node->outputs.items[0].size == 0)
        return dv_fail(DV_BAD_INPUT, "a Constant needs exactly one output");
    dv_span name = node->outputs.items[0];
    dv_tensor tensor = {0};
    dv_status status = read_constant(b, node, arena, &tensor);
    dv_tensor_id id = dv_names_find(&b->scope->ids, name, DV_NONE);
    if (status == DV_OK && id == DV_NONE) {
        status = dv_onnx_add_tensor(b, name, &tensor, &id);
    } else if (status == DV_OK) {
        /* read by an earlier node already */
        dv_tensor *early = dv_graph_tensor_mutable(b->graph, id);
        tensor.name = early->name;
        if (early->role == DV_ROLE_ACTIVATION) {
            *early = tensor;
            return DV_OK; /* the graph has our reference now */
        }
        status = dv_fail(DV_BAD_INPUT, "its output '%.*s' is already made elsewhere",
                         dv_onnx_shown(name), dv_onnx_bytes(name));
    }
    dv_buffer_release(tensor.data.buffer);
    return status;
}

/* ---- nodes ---- */

/* The tensors of a list of names, with room for a few more. */
static dv_status ids_of(dv_onnx_builder *b, const dv_onnx_spans *names, dv_arena *arena,
                        dv_status (*tensor)(dv_onnx_builder *, dv_span, dv_tensor_id *),
                        dv_tensor_id **out)
{
    *out = dv_arena_array(arena, (size_t)names->count + DV_ONNX_SPARE, sizeof **out);
    if (!*out)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < names->count; i++)
        DV_TRY(tensor(b, names->items[i], &(*out)[i]));
    return DV_OK;
}

/* A node goes by its name, or by the first output that has one. */
static dv_span name_of(const dv_onnx_node *node)
{
    if (node->name.size > 0)
        return node->name;
    for (uint32_t i = 0; i < node->outputs.count; i++)
        if (node->outputs.items[i].size > 0)
            return node->outputs.items[i];
    return node->op_type;
}

/* No operator of ours takes a sequence. */
static dv_status refuse_sequences(dv_onnx_at *at, bool *refused)
{
    for (uint32_t i = 0; i < at->op.input_count; i++)
        if (dv_onnx_is_sequence(at->inputs[i])) {
            dv_span name = at->node->inputs.items[i];
            if (!*refused && at->op.reason == NULL)
                DV_TRY(dv_onnx_opaque(at,
                                      "its input '%.*s' is a sequence, which only operators on "
                                      "sequences can take",
                                      dv_onnx_shown(name), dv_onnx_bytes(name)));
            at->inputs[i] = DV_NONE;
            *refused = true;
        }
    return DV_OK;
}

/* What the node is made into; *done false: at->op is still to be added. */
static dv_status build_node(dv_onnx_builder *b, dv_onnx_at *at, bool *done)
{
    dv_span type = at->node->op_type;
    bool standard = dv_onnx_is_standard(at->node->domain), refused = false;
    DV_TRY(dv_onnx_add_call(b, at, done));
    if (*done)
        return DV_OK;
    if (standard)
        DV_TRY(dv_onnx_add_sequences(b, at, done));
    if (*done)
        return DV_OK;
    if (standard && dv_span_is(type, "If"))
        DV_TRY(dv_onnx_add_branches(b, at, done));
    bool loops = standard && (dv_span_is(type, "Loop") || dv_span_is(type, "Scan"));
    if (loops)
        DV_TRY(dv_onnx_add_loop(b, at, done));
    if (*done)
        return DV_OK;
    b->has_leftovers |= at->op.reason != NULL;
    DV_TRY(refuse_sequences(at, &refused));
    return refused || loops || at->op.reason ? DV_OK : translate(at);
}

static dv_status add_operator(dv_onnx_builder *b, const dv_onnx_node *node, dv_arena *arena)
{
    bool done = false;
    dv_span name = name_of(node);
    const dv_onnx_reads *reads = b->call ? &b->call->callee->reads : &b->reads;
    dv_onnx_at at = {.graph = b->graph,
                     .files = &b->files,
                     .file = b->file,
                     .arena = arena,
                     .known = &b->known,
                     .dims_used = &b->dims.used,
                     .node = node,
                     .in_branch = b->depth > 0,
                     .op = {.kind = DV_OP_OPAQUE,
                            .input_count = node->inputs.count,
                            .output_count = node->outputs.count,
                            .debug_handle = b->handle}};
    if (node->outputs.count == 0)
        return dv_fail(DV_BAD_INPUT, "it has no output");
    DV_TRY(dv_onnx_opset_of(b, node->domain, &at.opset));
    DV_TRY(ids_of(b, &node->inputs, arena, dv_onnx_value_named, &at.inputs));
    /* outputs behind the first that nobody reads are not asked for */
    for (uint32_t i = 0; i < node->outputs.count; i++)
        if (i > 0 && !dv_names_find(&reads->read, node->outputs.items[i], 0))
            node->outputs.items[i] = (dv_span){0};
    DV_TRY(ids_of(b, &node->outputs, arena, dv_onnx_output_named, &at.outputs));
    at.op.name = scoped_name(b, arena, name);
    at.op.source_type = dv_arena_copy_n(arena, dv_onnx_bytes(node->op_type), node->op_type.size);
    if (!at.op.name || !at.op.source_type)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    DV_TRY(dv_onnx_count_expanded(
        b, dv_unfold_names((size_t)node->inputs.count + node->outputs.count, strlen(at.op.name))));
    DV_TRY(build_node(b, &at, &done));
    if (done)
        return DV_OK;
    if (at.op.kind == DV_OP_OPAQUE)
        DV_TRY(add_captures(b, &at));
    at.op.inputs = at.inputs;
    at.op.outputs = at.outputs;
    DV_TRY(dv_onnx_add(&at, &at.op));
    return at.op.kind == DV_OP_OPAQUE ? dv_onnx_record_outputs(b, &at) : DV_OK;
}

dv_status dv_onnx_add_node(dv_onnx_builder *b, const dv_onnx_graph *graph, uint32_t index)
{
    dv_arena *arena = dv_arena_create();
    dv_onnx_node node = {0};
    dv_status status = arena ? dv_onnx_read_node(graph->nodes.items[index], b->file, arena, &node)
                             : dv_fail(DV_NO_MEMORY, "out of memory");
    if (b->depth == 0 && !b->call)
        b->handle = index;
    else if (status ==
             DV_OK) /* what the node holds, a constant's elements too, is read each time */
        status = dv_onnx_count_expanded(b, 1 + graph->nodes.items[index].size / BYTES_OF_A_NODE);
    if (status == DV_OK)
        status = dv_onnx_resolve(b, &node);
    if (status == DV_OK) {
        bool constant = dv_span_is(node.op_type, "Constant") && dv_onnx_is_standard(node.domain);
        status = constant ? add_constant(b, &node, arena) : add_operator(b, &node, arena);
    }
    dv_span name = name_of(&node);
    if (!b->call || b->call->depth <= DV_ONNX_TOLD)
        status = dv_within(status, "node %u '%.*s' (%.*s)", index, dv_onnx_shown(name),
                           dv_onnx_bytes(name), dv_onnx_shown(node.op_type),
                           dv_onnx_bytes(node.op_type));
    dv_arena_destroy(arena);
    return status;
}
