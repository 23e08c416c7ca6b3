/* pt2_regions.c - graphs inside the nodes of a torch.export graph: they become part of it.

   Higher-order operators take graphs among their arguments. Wrappers (a mode of autograd's) are
   dissolved. cond(predicate, then, else, operands), while_loop(condition, body, carried, others),
   scan(body, carried, scanned, others) and map_impl(body, mapped, others) are unrolled where it is
   known how often a body runs; names inside are "NODE/INNER" or "NODE.TURN/INNER". */
#include <math.h>
#include <string.h>

#include "load/pt2_build.h"
#include "load/unfold.h"

enum { MOST_DEPTH = 16, MOST_TURNS = 1024 };

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "out of memory");
}

/* ---- graphs that are only wrapped ---- */

static bool only_wraps(const dv_pt2_node *n)
{
    static const char *const wrappers[] = {"wrap_with_set_grad_enabled", "wrap_with_autocast",
                                           "wrap_activation_checkpoint",
                                           "tag_activation_checkpoint", "invoke_subgraph"};
    for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0]; i++)
        if (strcmp(n->op, wrappers[i]) == 0)
            return true;
    return false;
}

/* Lets inner values stand for the tensors that follow the graph among the node's arguments. */
static dv_status pass_operands(dv_pt2 *b, dv_pt2_scope *outer, dv_pt2_scope *inner,
                               const dv_json_at *behind)
{
    dv_json_at inputs = dv_json_member(&inner->graph, "inputs"), to = dv_json_first(&inputs);
    for (dv_json_at from = *behind; from.node && to.node;
         from = dv_json_next(&from), to = dv_json_next(&to)) {
        dv_json_at tensor = dv_json_member(&to, "as_tensor"),
                   name = dv_json_member(&tensor, "name");
        const char *text;
        uint32_t given, index;
        dv_tensor_id id;
        b->scope = outer;
        DV_TRY(dv_pt2_argument_value(b, &from, &given));
        if (given == DV_NONE || !dv_json_present(&name))
            continue;
        DV_TRY(dv_pt2_read(b, given, &id));
        b->scope = inner;
        DV_TRY(dv_json_string(&name, &text));
        DV_TRY(dv_pt2_value_of(b, text, &index));
        b->values[index].id = id;
        b->values[index].view_of = given;
        dv_pt2_refresh(b, index);
    }
    return DV_OK;
}

static dv_status pass_results(dv_pt2 *b, const dv_pt2_node *n, dv_pt2_scope *outer,
                              dv_pt2_scope *inner)
{
    dv_json_at outputs = dv_json_member(&inner->graph, "outputs"), from = dv_json_first(&outputs);
    for (uint32_t i = 0; i < n->output_count && from.node; i++, from = dv_json_next(&from)) {
        dv_json_at tensor = dv_json_member(&from, "as_tensor"),
                   name = dv_json_member(&tensor, "name");
        const char *text;
        uint32_t made, index;
        dv_tensor_id id;
        if (!n->outputs[i] || !dv_json_present(&name))
            continue;
        b->scope = inner;
        DV_TRY(dv_json_string(&name, &text));
        DV_TRY(dv_pt2_value_of(b, text, &made));
        DV_TRY(dv_pt2_read(b, made, &id));
        b->scope = outer;
        DV_TRY(dv_pt2_value_of(b, n->outputs[i], &index));
        b->values[index].id = id;
        b->values[index].view_of = made;
        dv_pt2_refresh(b, index);
    }
    return DV_OK;
}

dv_status dv_pt2_add_wrapped(dv_pt2 *b, const dv_pt2_node *n, bool *done)
{
    dv_json_at inputs = dv_json_member(n->at, "inputs"), input = dv_json_first(&inputs),
               graph = {0};
    dv_json_at arg, holder;
    for (; input.node && !graph.node; input = dv_json_next(&input)) {
        arg = dv_json_member(&input, "arg");
        holder = dv_json_member(&arg, "as_graph");
        graph = dv_json_member(&holder, "graph");
    }
    *done = graph.node && only_wraps(n);
    if (!*done)
        return DV_OK;
    dv_pt2_scope *outer = b->scope, inner = {.graph = dv_json_root(graph.node, "model"),
                                             .prefix = outer->prefix,
                                             .depth = outer->depth + 1};
    if (inner.depth > MOST_DEPTH)
        return dv_fail(DV_BAD_INPUT, "graphs are nested more than %d deep", MOST_DEPTH);
    b->scope = &inner;
    dv_status status = dv_pt2_open_scope(b, &inner);
    if (status == DV_OK)
        status = pass_operands(b, outer, &inner, &input);
    b->scope = &inner;
    if (status == DV_OK)
        status = dv_pt2_add_nodes(b);
    if (status == DV_OK)
        status = pass_results(b, n, outer, &inner);
    b->scope = outer;
    dv_names_free(&inner.names);
    return status;
}

/* ---- one graph for given tensors ---- */

/* What a region is made of: the graphs among its arguments, and the tensors in lists behind. */
typedef struct region {
    dv_json_at graphs[2];
    uint32_t graph_count;
    dv_aten_value condition; /* of a cond */
    dv_aten_value lists[3];
    uint32_t list_count;
} region;

static dv_status read_region(dv_pt2 *b, const dv_pt2_node *n, bool conditional, region *out,
                             const char **reason)
{
    dv_json_at inputs = dv_json_member(n->at, "inputs"), input = dv_json_first(&inputs);
    *out = (region){0};
    for (bool first = conditional; input.node; input = dv_json_next(&input), first = false) {
        dv_json_at arg = dv_json_member(&input, "arg"), holder = dv_json_member(&arg, "as_graph");
        dv_json_at graph = dv_json_member(&holder, "graph");
        dv_aten_value value;
        if (graph.node && out->graph_count < 2) {
            out->graphs[out->graph_count++] = dv_json_root(graph.node, "model");
            continue;
        }
        DV_TRY(dv_pt2_argument(b, &arg, &value));
        if (first)
            out->condition = value;
        else if (value.type != DV_ATEN_TENSORS && !(value.type == DV_ATEN_INTS && !value.count))
            *reason = "it takes other things than tensors";
        else if (out->list_count == 3)
            *reason = "it takes more than is understood";
        else
            out->lists[out->list_count++] = value;
    }
    return DV_OK;
}

/* A graph to be built once: its inputs in order, and room for what it gives. */
typedef struct body {
    dv_json_at graph;
    const char *prefix;
    uint32_t input_count, result_count;
    dv_tensor_id *inputs, *results;
} body;

static dv_status make_body(dv_pt2 *b, const dv_json_at *graph, uint32_t inputs, uint32_t results,
                           body *out)
{
    *out = (body){.graph = *graph, .input_count = inputs, .result_count = results};
    out->inputs = dv_arena_array(b->arena, inputs, sizeof *out->inputs);
    out->results = dv_arena_array(b->arena, results, sizeof *out->results);
    return out->inputs && out->results ? DV_OK : no_memory();
}

static void give(body *to, uint32_t first, const dv_aten_value *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        to->inputs[first + i] = list->tensors[i];
}

static dv_status name_of(const dv_json_at *item, const char **name)
{
    dv_json_at tensor = dv_json_member(item, "as_tensor"), text = dv_json_member(&tensor, "name");
    if (!dv_json_present(&text))
        return dv_fail(DV_BAD_INPUT, "its graph takes or gives other things than tensors");
    return dv_json_string(&text, name);
}

static dv_status fill(dv_pt2 *b, body *in)
{
    dv_json_at inputs = dv_json_member(&b->scope->graph, "inputs"), at = dv_json_first(&inputs);
    dv_json_at outputs = dv_json_member(&b->scope->graph, "outputs");
    dv_json_at nodes = dv_json_member(&b->scope->graph, "nodes");
    const char *name;
    uint32_t index;
    if (dv_json_count(&inputs) != in->input_count || dv_json_count(&outputs) != in->result_count)
        return dv_fail(DV_BAD_INPUT, "its graph takes %zu tensors and gives %zu, not %u and %u",
                       dv_json_count(&inputs), dv_json_count(&outputs), in->input_count,
                       in->result_count);
    size_t most = dv_unfold_most(dv_buffer_size(b->buffer));
    size_t made = dv_json_count(&nodes) + in->input_count + in->result_count + 1;
    b->unrolled += made + dv_unfold_names(made, strlen(b->scope->prefix ? b->scope->prefix : ""));
    if (b->unrolled > most)
        return dv_fail(DV_BAD_INPUT, "it unrolls to more than %zu nodes, the most for its size",
                       most);
    for (uint32_t i = 0; i < in->input_count; i++, at = dv_json_next(&at)) {
        DV_TRY(name_of(&at, &name));
        DV_TRY(dv_pt2_value_of(b, name, &index));
        b->values[index].id = in->inputs[i];
        dv_pt2_refresh(b, index);
    }
    DV_TRY(dv_pt2_add_nodes(b));
    at = dv_json_first(&outputs);
    for (uint32_t i = 0; i < in->result_count; i++, at = dv_json_next(&at)) {
        DV_TRY(name_of(&at, &name));
        DV_TRY(dv_pt2_value_of(b, name, &index));
        DV_TRY(dv_pt2_read(b, index, &in->results[i]));
    }
    return DV_OK;
}

static dv_status build(dv_pt2 *b, body *in)
{
    dv_pt2_scope *outer = b->scope,
                 inner = {.graph = in->graph, .prefix = in->prefix, .depth = outer->depth + 1};
    if (inner.depth > MOST_DEPTH)
        return dv_fail(DV_BAD_INPUT, "graphs are nested more than %d deep", MOST_DEPTH);
    b->scope = &inner;
    dv_status status = dv_pt2_open_scope(b, &inner);
    if (status == DV_OK)
        status = fill(b, in);
    b->scope = outer;
    dv_names_free(&inner.names);
    return status;
}

static dv_status add_result(dv_pt2 *b, const dv_pt2_node *n, dv_op_kind kind,
                            const dv_op_params *params, const dv_tensor_id *inputs, uint32_t count,
                            dv_tensor_id output)
{
    dv_op op = {.kind = kind,
                .name = n->name,
                .source_type = n->target,
                .params = *params,
                .input_count = count,
                .inputs = inputs,
                .output_count = 1,
                .outputs = &output,
                .debug_handle = b->handle};
    dv_op_id id;
    return output == DV_NONE ? DV_OK : dv_graph_add_op(b->graph, &op, &id);
}

/* ---- branches ---- */

/* 0 then, 1 else, 2 if it is not known before the network runs. */
static dv_status branch_taken(dv_pt2 *b, const dv_aten_value *condition, uint32_t *taken)
{
    double number = (double)condition->integer;
    bool known = condition->type == DV_ATEN_BOOL || condition->type == DV_ATEN_INT;
    if (condition->type == DV_ATEN_TENSOR)
        DV_TRY(dv_known_number(&b->known, b->graph, condition->tensor, &known, &number));
    *taken = !known ? 2 : number != 0 ? 0 : 1;
    return DV_OK;
}

static dv_status add_cond(dv_pt2 *b, const dv_pt2_node *n, const region *r,
                          const dv_tensor_id *outputs)
{
    dv_op_params none = {0}, choose = {.flag = {.on = true}};
    body branches[2] = {0};
    uint32_t taken;
    DV_TRY(branch_taken(b, &r->condition, &taken));
    for (uint32_t i = 0; i < 2; i++) {
        if (taken != 2 && taken != i)
            continue;
        DV_TRY(make_body(b, &r->graphs[i], r->lists[0].count, n->output_count, &branches[i]));
        branches[i].prefix = dv_arena_printf(b->arena, "%s/", n->name);
        if (!branches[i].prefix)
            return no_memory();
        give(&branches[i], 0, &r->lists[0]);
        DV_TRY(dv_within(build(b, &branches[i]), i ? "else" : "then"));
    }
    for (uint32_t k = 0; k < n->output_count; k++) {
        if (taken == 2) {
            dv_tensor_id both[3] = {r->condition.tensor, branches[0].results[k],
                                    branches[1].results[k]};
            DV_TRY(add_result(b, n, DV_OP_WHERE, &choose, both, 3, outputs[k]));
        } else {
            DV_TRY(add_result(b, n, DV_OP_IDENTITY, &none, &branches[taken].results[k], 1,
                              outputs[k]));
        }
    }
    return DV_OK;
}

/* ---- loops ---- */

static dv_status turn_prefix(dv_pt2 *b, const dv_pt2_node *n, int64_t turn, body *in)
{
    in->prefix = dv_arena_printf(b->arena, "%s.%lld/", n->name, (long long)turn);
    return in->prefix ? DV_OK : no_memory();
}

/* Turns until the condition is false; *known is false if that cannot be told. */
static dv_status unroll(dv_pt2 *b, const dv_pt2_node *n, body *condition, body *turn,
                        uint32_t carried, bool *known)
{
    for (int64_t i = 0;; i++) {
        double on = 0;
        DV_TRY(turn_prefix(b, n, i, turn));
        condition->prefix = turn->prefix;
        memcpy(condition->inputs, turn->inputs, turn->input_count * sizeof *turn->inputs);
        DV_TRY(dv_within(build(b, condition), "its condition"));
        DV_TRY(dv_known_number(&b->known, b->graph, condition->results[0], known, &on));
        if (!*known || on == 0)
            return DV_OK;
        if (i == MOST_TURNS)
            return dv_fail(DV_BAD_INPUT,
                           "it runs more than %d times, which is as many turns as are unrolled; "
                           "export the model with a shorter loop",
                           MOST_TURNS);
        DV_TRY(dv_within(build(b, turn), "turn %lld", (long long)i));
        memcpy(turn->inputs, turn->results, carried * sizeof *turn->inputs);
    }
}

static dv_status add_while(dv_pt2 *b, const dv_pt2_node *n, const region *r,
                           const dv_tensor_id *outputs, bool *known)
{
    dv_op_params none = {0};
    body condition, turn;
    uint32_t carried = r->lists[0].count, inputs = carried + r->lists[1].count;
    DV_TRY(make_body(b, &r->graphs[0], inputs, 1, &condition));
    DV_TRY(make_body(b, &r->graphs[1], inputs, carried, &turn));
    give(&turn, 0, &r->lists[0]);
    give(&turn, carried, &r->lists[1]);
    DV_TRY(unroll(b, n, &condition, &turn, carried, known));
    for (uint32_t i = 0; *known && i < carried; i++)
        DV_TRY(add_result(b, n, DV_OP_IDENTITY, &none, &turn.inputs[i], 1, outputs[i]));
    return DV_OK;
}

/* How many rows the tensors of a list have, which scan and map walk along; -1 if they differ. */
static int64_t rows_of(const dv_pt2 *b, const dv_aten_value *list)
{
    int64_t rows = -1;
    for (uint32_t i = 0; i < list->count; i++) {
        const dv_shape *shape = &b->graph->tensors[list->tensors[i]].shape;
        if (!dv_shape_known(shape) || shape->rank == 0 || (i > 0 && shape->dim[0] != rows))
            return -1;
        rows = shape->dim[0];
    }
    return rows;
}

static dv_status part(dv_pt2 *b, const char *name, dv_op_kind kind, const dv_op_params *params,
                      dv_tensor_id from, dv_tensor_id *id)
{
    dv_tensor tensor = {
        .name = name, .dtype = b->graph->tensors[from].dtype, .shape = {.rank = DV_RANK_UNKNOWN}};
    dv_op op = {.kind = kind,
                .name = name,
                .source_type = "a row of a loop",
                .params = *params,
                .input_count = 1,
                .inputs = &from,
                .output_count = 1,
                .outputs = id,
                .debug_handle = b->handle};
    const dv_shape whole = b->graph->tensors[from].shape;
    dv_op_id op_id;
    if (kind == DV_OP_SELECT && dv_shape_known(&whole)) {
        tensor.shape.rank = (uint8_t)(whole.rank - 1);
        memcpy(tensor.shape.dim, whole.dim + 1, tensor.shape.rank * sizeof *whole.dim);
    }
    DV_TRY(dv_graph_add_tensor(b->graph, &tensor, id));
    return dv_graph_add_op(b->graph, &op, &op_id);
}

/* Rows of every turn, one behind the other along a new first dim. */
static dv_status stack(dv_pt2 *b, const dv_pt2_node *n, const dv_tensor_id *made, size_t stride,
                       int64_t turns, dv_tensor_id output)
{
    dv_op_params front = {.axes = {.count = 1}}, join = {.axis = {0}};
    dv_tensor_id *rows = dv_arena_array(b->arena, (size_t)turns, sizeof *rows);
    if (!rows)
        return no_memory();
    for (int64_t t = 0; t < turns; t++)
        DV_TRY(part(b, n->name, DV_OP_UNSQUEEZE, &front, made[(size_t)t * stride], &rows[t]));
    return add_result(b, n, DV_OP_CAT, &join, rows, (uint32_t)turns, output);
}

/* One body for each row of the tensors in `walked`, with `carried` handed on from one to the next.
 */
static dv_status add_rows(dv_pt2 *b, const dv_pt2_node *n, const dv_json_at *graph,
                          const dv_aten_value *carried, const dv_aten_value *walked,
                          const dv_aten_value *others, const dv_tensor_id *outputs)
{
    dv_op_params none = {0};
    body turn;
    int64_t turns = rows_of(b, walked);
    uint32_t each = n->output_count - carried->count;
    DV_TRY(make_body(b, graph, carried->count + walked->count + others->count, n->output_count,
                     &turn));
    dv_tensor_id *made = dv_arena_array(b->arena, (size_t)turns * each, sizeof *made);
    if (!made)
        return no_memory();
    give(&turn, 0, carried);
    give(&turn, carried->count + walked->count, others);
    for (int64_t t = 0; t < turns; t++) {
        dv_op_params row = {.select = {.axis = 0, .index = t}};
        DV_TRY(turn_prefix(b, n, t, &turn));
        for (uint32_t i = 0; i < walked->count; i++)
            DV_TRY(part(b, n->name, DV_OP_SELECT, &row, walked->tensors[i],
                        &turn.inputs[carried->count + i]));
        DV_TRY(dv_within(build(b, &turn), "turn %lld", (long long)t));
        memcpy(turn.inputs, turn.results, carried->count * sizeof *turn.inputs);
        memcpy(made + (size_t)t * each, turn.results + carried->count, each * sizeof *made);
    }
    for (uint32_t i = 0; i < carried->count; i++)
        DV_TRY(add_result(b, n, DV_OP_IDENTITY, &none, &turn.inputs[i], 1, outputs[i]));
    for (uint32_t i = 0; i < each; i++)
        DV_TRY(stack(b, n, made + i, each, turns, outputs[carried->count + i]));
    return DV_OK;
}

/* ---- the four ---- */

static dv_status add_walk(dv_pt2 *b, const dv_pt2_node *n, const region *r, bool carries,
                          const dv_tensor_id *outputs, bool *done, const char **reason)
{
    static const dv_aten_value nothing = {.type = DV_ATEN_TENSORS};
    const dv_aten_value *carried = carries ? &r->lists[0] : &nothing;
    const dv_aten_value *walked = &r->lists[carries], *others = &r->lists[carries + 1];
    int64_t turns = rows_of(b, walked);
    *done = turns >= 1 && turns <= MOST_TURNS && n->output_count >= carried->count;
    if (!*done)
        *reason = "how often its body runs is not known, or more than 1024 times";
    return *done ? add_rows(b, n, &r->graphs[0], carried, walked, others, outputs) : DV_OK;
}

dv_status dv_pt2_add_region(dv_pt2 *b, const dv_pt2_node *n, const dv_tensor_id *outputs,
                            bool *done, const char **reason)
{
    bool cond = strcmp(n->op, "cond") == 0, loop = strcmp(n->op, "while_loop") == 0;
    bool scan = strcmp(n->op, "scan") == 0, map = strcmp(n->op, "map_impl") == 0;
    region r;
    *done = false;
    if (!cond && !loop && !scan && !map)
        return DV_OK;
    DV_TRY(read_region(b, n, cond, &r, reason));
    uint32_t graphs = cond || loop ? 2 : 1, lists = cond ? 1 : scan ? 3 : 2;
    if (!*reason && (r.graph_count != graphs || r.list_count != lists))
        *reason = "its arguments are not those of torch's operator";
    if (*reason)
        return DV_OK;
    if (scan || map)
        return add_walk(b, n, &r, scan, outputs, done, reason);
    if (cond && r.condition.type != DV_ATEN_TENSOR && r.condition.type != DV_ATEN_BOOL) {
        *reason = "its condition is neither a tensor nor a constant";
        return DV_OK;
    }
    *done = true;
    if (cond)
        return add_cond(b, n, &r, outputs);
    if (n->output_count != r.lists[0].count)
        return dv_fail(DV_BAD_INPUT, "it carries %u tensors and gives %u", r.lists[0].count,
                       n->output_count);
    DV_TRY(add_while(b, n, &r, outputs, done));
    if (!*done)
        *reason = "how often its body runs depends on data";
    return DV_OK;
}
