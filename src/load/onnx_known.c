#include "load/onnx_known.h"

#include <stdlib.h>
#include <string.h>

/* More questions than any export asks; a hostile file shall not buy endless work with them. */
enum { MOST_INFERRED = 1 << 12 };

/* ---- tables ---- */

static dv_status out_of_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "out of memory");
}

/* Grows the tables to what the graph has by now. */
static dv_status cover(dv_onnx_known *k)
{
    const dv_graph *graph = k->graph;
    if (!k->facts && !(k->facts = dv_graph_create("facts", graph->format)))
        return out_of_memory();
    if (graph->tensor_count > k->tensor_count) {
        size_t room = (size_t)graph->tensor_count + graph->tensor_count / 2;
        dv_tensor_id *fact = realloc(k->fact, room * sizeof *fact);
        k->fact = fact ? fact : k->fact;
        dv_op_id *producer = realloc(k->producer, room * sizeof *producer);
        k->producer = producer ? producer : k->producer;
        if (!fact || !producer)
            return out_of_memory();
        for (size_t t = k->tensor_count; t < room; t++)
            fact[t] = producer[t] = DV_NONE;
        k->tensor_count = (uint32_t)room;
    }
    for (; k->op_count < graph->op_count; k->op_count++) {
        const dv_op *op = &graph->ops[k->op_count];
        for (uint32_t i = 0; i < op->output_count; i++)
            if (op->outputs[i] != DV_NONE)
                k->producer[op->outputs[i]] = k->op_count;
    }
    return DV_OK;
}

static dv_status add_fact(dv_onnx_known *k, dv_tensor_id id, const dv_tensor *like,
                          const dv_tensor *value)
{
    dv_tensor fact = {.name = "", .dtype = like->dtype, .shape = like->shape, .role = like->role};
    if (value && value->role == DV_ROLE_CONSTANT) {
        fact.role = DV_ROLE_CONSTANT;
        fact.data = value->data;
    }
    return dv_graph_add_tensor(k->facts, &fact, &k->fact[id]);
}

/* ---- what is given from outside ---- */

static bool is_set(const dv_onnx_known *k, const dv_tensor *input, double *value)
{
    const dv_load_options *options = k->options;
    for (size_t i = 0; options && i < options->value_count; i++)
        if (strcmp(options->values[i].name, input->name) == 0) {
            *value = options->values[i].value;
            return true;
        }
    return false;
}

static dv_status note_given(dv_onnx_known *k, dv_tensor_id id)
{
    const dv_tensor *tensor = &k->graph->tensors[id];
    dv_tensor set = {.role = DV_ROLE_CONSTANT, .data = {.storage = DV_STORAGE_FILL}};
    bool fixed = tensor->role == DV_ROLE_INPUT && is_set(k, tensor, &set.data.shift);
    return add_fact(k, id, tensor, fixed ? &set : tensor);
}

/* ---- a part of the graph by itself ---- */

typedef struct part {
    dv_graph *graph;
    dv_tensor_id *asked; /* tensors of the whole graph that are outputs of the part */
    uint32_t asked_count, capacity;
    dv_op_id *ops; /* ascending once collected */
    uint32_t op_count;
    dv_tensor_id *map; /* per tensor of the whole graph */
} part;

static int by_id(const void *left, const void *right)
{
    dv_op_id a = *(const dv_op_id *)left, b = *(const dv_op_id *)right;
    return (a > b) - (a < b);
}

static dv_status push(part *p, dv_tensor_id id, bool *seen)
{
    if (seen[id])
        return DV_OK;
    seen[id] = true;
    if (p->asked_count == p->capacity) {
        uint32_t more = p->capacity ? 2 * p->capacity : 64;
        dv_tensor_id *asked = realloc(p->asked, more * sizeof *asked);
        if (!asked)
            return out_of_memory();
        p->asked = asked;
        p->capacity = more;
    }
    p->asked[p->asked_count++] = id;
    return DV_OK;
}

/* Everything that id is made of and that nobody asked about before. */
static dv_status collect(dv_onnx_known *k, dv_tensor_id id, part *p)
{
    const dv_graph *graph = k->graph;
    bool *seen = calloc((size_t)graph->tensor_count + 1, sizeof *seen);
    bool *taken = calloc((size_t)graph->op_count + 1, sizeof *taken);
    p->ops = calloc((size_t)graph->op_count + 1, sizeof *p->ops);
    dv_status status = seen && taken && p->ops ? push(p, id, seen) : out_of_memory();
    for (uint32_t next = 0; status == DV_OK && next < p->asked_count; next++) {
        dv_op_id maker = k->producer[p->asked[next]];
        if (maker == DV_NONE || taken[maker])
            continue;
        taken[maker] = true;
        p->ops[p->op_count++] = maker;
        const dv_op *op = &graph->ops[maker];
        for (uint32_t i = 0; status == DV_OK && i < op->input_count; i++)
            if (op->inputs[i] != DV_NONE && k->fact[op->inputs[i]] == DV_NONE)
                status = push(p, op->inputs[i], seen);
        /* all that it makes, so that it is asked about once */
        for (uint32_t i = 0; status == DV_OK && i < op->output_count; i++)
            if (op->outputs[i] != DV_NONE && k->fact[op->outputs[i]] == DV_NONE)
                status = push(p, op->outputs[i], seen);
    }
    free(seen);
    free(taken);
    return status;
}

/* A tensor of the part that stands for one of the whole graph. */
static dv_status add_tensor(dv_onnx_known *k, part *p, dv_tensor_id id)
{
    dv_tensor_id fact = k->fact[id];
    dv_tensor tensor = k->graph->tensors[id];
    tensor.is_output = tensor.is_kept = false;
    if (tensor.role == DV_ROLE_ACTIVATION && fact != DV_NONE) {
        const dv_tensor *is = &k->facts->tensors[fact];
        tensor.dtype = is->dtype;
        tensor.shape = is->shape;
        if (is->role == DV_ROLE_CONSTANT) {
            tensor.role = DV_ROLE_CONSTANT;
            tensor.data = is->data;
        } else if (dv_shape_known(&is->shape)) {
            tensor.role = DV_ROLE_INPUT;
        }
    } else if (fact != DV_NONE && k->facts->tensors[fact].role == DV_ROLE_CONSTANT) {
        tensor.role = DV_ROLE_CONSTANT; /* an input whose value is set */
        tensor.data = k->facts->tensors[fact].data;
    }
    DV_TRY(dv_graph_add_tensor(p->graph, &tensor, &p->map[id]));
    if (tensor.role != DV_ROLE_ACTIVATION || (fact == DV_NONE && k->producer[id] != DV_NONE))
        return DV_OK;
    dv_op unknown = {.kind = DV_OP_OPAQUE,
                     .name = tensor.name,
                     .source_type = "",
                     .output_count = 1,
                     .outputs = &p->map[id],
                     .reason = "nothing is known of it"};
    dv_op_id made;
    return dv_graph_add_op(p->graph, &unknown, &made);
}

static dv_status add_op(dv_onnx_known *k, part *p, dv_op_id id)
{
    dv_op op = k->graph->ops[id];
    size_t operands = (size_t)op.input_count + op.output_count;
    dv_tensor_id *ids = malloc((operands + 1) * sizeof *ids);
    if (!ids)
        return out_of_memory();
    dv_status status = DV_OK;
    for (size_t i = 0; status == DV_OK && i < operands; i++) {
        dv_tensor_id old = i < op.input_count ? op.inputs[i] : op.outputs[i - op.input_count];
        if (old != DV_NONE && p->map[old] == DV_NONE)
            status = add_tensor(k, p, old);
        ids[i] = old == DV_NONE ? DV_NONE : p->map[old];
    }
    op.inputs = ids;
    op.outputs = ids + op.input_count;
    dv_op_id made;
    if (status == DV_OK)
        status = dv_graph_add_op(p->graph, &op, &made);
    free(ids);
    return status;
}

static dv_status build(dv_onnx_known *k, part *p)
{
    size_t tensors = (size_t)k->graph->tensor_count + 1;
    p->graph = dv_graph_create("part", k->graph->format);
    p->map = malloc(tensors * sizeof *p->map);
    if (!p->graph || !p->map)
        return out_of_memory();
    memset(p->map, 0xff, tensors * sizeof *p->map); /* DV_NONE */
    qsort(p->ops, p->op_count, sizeof *p->ops, by_id);
    for (uint32_t i = 0; i < p->op_count; i++)
        DV_TRY(add_op(k, p, p->ops[i]));
    uint32_t kept = 0;
    for (uint32_t i = 0; i < p->asked_count; i++) {
        dv_tensor_id old = p->asked[i], id = p->map[old];
        if (k->producer[old] == DV_NONE || id == DV_NONE)
            continue; /* given from outside, or made by an operator still to come */
        DV_TRY(dv_graph_add_output(p->graph, id));
        p->asked[kept++] = old;
    }
    p->asked_count = kept;
    return dv_graph_finish(p->graph);
}

/* A value that follows is a constant behind a view, since an output has to be made. */
static const dv_tensor *value_of(const dv_graph *graph, dv_tensor_id output)
{
    dv_op_id maker = graph->producer[output];
    if (maker == DV_NONE)
        return &graph->tensors[output];
    const dv_op *op = &graph->ops[maker];
    return op->kind == DV_OP_VIEW && op->inputs[0] != DV_NONE ? &graph->tensors[op->inputs[0]]
                                                              : NULL;
}

static dv_status note_part(dv_onnx_known *k, const part *p, const dv_graph *known)
{
    for (uint32_t i = 0; i < p->asked_count; i++) {
        dv_tensor nothing = {.shape = {.rank = DV_RANK_UNKNOWN}};
        const dv_tensor *is = known ? &known->tensors[known->outputs[i]] : &nothing;
        DV_TRY(add_fact(k, p->asked[i], is, known ? value_of(known, known->outputs[i]) : NULL));
    }
    return DV_OK;
}

/* Asks the rules about a tensor that an operator makes, and all that it is made of. */
static dv_status infer(dv_onnx_known *k, dv_tensor_id id)
{
    part p = {0};
    dv_graph *known = NULL;
    dv_status status = collect(k, id, &p);
    for (uint32_t i = 0; status == DV_OK && i < p.asked_count; i++)
        if (k->producer[p.asked[i]] == DV_NONE &&
            k->graph->tensors[p.asked[i]].role != DV_ROLE_ACTIVATION)
            status = note_given(k, p.asked[i]);
    if (status == DV_OK)
        status = build(k, &p);
    if (status == DV_OK)
        status = k->options->infer(p.graph, &known);
    if (status != DV_NO_MEMORY) /* what is wrong with the part is told when it is lowered */
        status = note_part(k, &p, known);
    dv_graph_destroy(known);
    dv_graph_destroy(p.graph);
    free(p.asked);
    free(p.ops);
    free(p.map);
    return status;
}

/* The tensor that an operator only passes on, in long loops a condition, needs no rules. */
static dv_tensor_id behind_identities(const dv_onnx_known *k, dv_tensor_id id)
{
    enum { LONGEST_CHAIN = 64 };
    for (int i = 0; i < LONGEST_CHAIN && k->producer[id] != DV_NONE; i++) {
        const dv_op *op = &k->graph->ops[k->producer[id]];
        if (op->kind != DV_OP_IDENTITY || op->inputs[0] == DV_NONE)
            break;
        id = op->inputs[0];
    }
    return id;
}

dv_status dv_onnx_know(dv_onnx_known *known, dv_tensor_id id, const dv_tensor **out)
{
    static const dv_tensor nothing = {.name = "", .shape = {.rank = DV_RANK_UNKNOWN}};
    *out = &nothing;
    if (id >= known->graph->tensor_count)
        return DV_OK;
    DV_TRY(cover(known));
    id = behind_identities(known, id);
    bool made = known->producer[id] != DV_NONE;
    if (known->fact[id] == DV_NONE && !made && known->graph->tensors[id].role != DV_ROLE_ACTIVATION)
        DV_TRY(note_given(known, id));
    else if (known->fact[id] == DV_NONE && made && known->options && known->options->infer &&
             known->inferred++ < MOST_INFERRED)
        DV_TRY(infer(known, id));
    if (known->fact[id] != DV_NONE)
        *out = &known->facts->tensors[known->fact[id]];
    return DV_OK;
}

void dv_onnx_known_free(dv_onnx_known *known)
{
    dv_graph_destroy(known->facts);
    free(known->fact);
    free(known->producer);
}
