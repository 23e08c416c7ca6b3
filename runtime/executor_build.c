/* executor_build.c - from a plan to segments with borders, moves between lanes, and who holds what.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/executor_parts.h"
#include "runtime/layout.h"

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "no memory for the executor");
}

/* ---- lanes ---- */

/* The platform's device behind a device of the problem. */
static dv_status find_realisation(const dv_executor *executor, dv_device_id device,
                                  const dv_realisation **out)
{
    const dv_platform *platform = executor->platform;
    const char *name = executor->problem->device_name[device];
    dv_device_id found = dv_platform_device(platform, name);
    if (found == DV_NONE)
        return dv_fail(DV_BAD_INPUT, "device '%s' is not in platform '%s'", name, platform->name);
    *out = &platform->devices[found].realisation;
    return DV_OK;
}

static dv_status find_backend(executor_lane *lane, const dv_platform *platform)
{
    const dv_realisation *real = lane->realisation;
    char why[160];
    if (!real->backend)
        return dv_fail(DV_BAD_INPUT,
                       "device '%s' of platform '%s' is a model only; to run, use a platform made "
                       "by 'divvy calibrate' (--platform host)",
                       lane->name, platform->name);
    lane->is_worker = strcmp(real->backend, "worker") == 0;
    const char *name = lane->is_worker ? real->inner : real->backend;
    lane->backend = name ? dv_backend_find(name) : NULL;
    if (!lane->backend)
        return dv_fail(DV_UNAVAILABLE, "device '%s' needs backend '%s', which this build lacks",
                       lane->name, name ? name : "none");
    if (!lane->backend->probe(why, sizeof why))
        return dv_fail(DV_UNAVAILABLE, "device '%s': %s", lane->name, why);
    return DV_OK;
}

static uint32_t lane_of(dv_executor *executor, dv_device_id device)
{
    for (uint32_t i = 0; i < executor->lane_count; i++)
        if (executor->lanes[i].device == device)
            return i;
    executor->lanes[executor->lane_count] =
        (executor_lane){.device = device, .name = executor->problem->device_name[device]};
    return executor->lane_count++;
}

/* ---- segments ---- */

/* Its units run, and every operator of theirs. */
static dv_status check_support(const dv_executor *executor, const executor_lane *lane,
                               dv_unit_id unit)
{
    const dv_graph *graph = executor->graph;
    const dv_problem *problem = executor->problem;
    const char *target = problem->target_name[executor->plan->target[unit]];
    dv_target_id id = dv_platform_target(executor->platform, target);
    char why[160];
    if (id == DV_NONE)
        return dv_fail(DV_BAD_INPUT, "target '%s' is not in platform '%s'", target,
                       executor->platform->name);
    dv_dtype precision = executor->platform->targets[id].precision;
    if (precision != DV_DTYPE_F32)
        return dv_fail(DV_BAD_INPUT,
                       "unit '%s' is placed on '%s', but only f32 runs on this machine",
                       problem->unit_name[unit], target);
    for (uint32_t i = 0; i < graph->units[unit].op_count; i++) {
        dv_op_id op = graph->units[unit].ops[i];
        if (graph->ops[op].kind == DV_OP_OPAQUE)
            return dv_fail(DV_BAD_INPUT,
                           "operator '%s' (%s) is known by name alone and cannot be run%s%s; "
                           "partition and simulate can plan around it",
                           graph->ops[op].name,
                           graph->ops[op].source_type ? graph->ops[op].source_type : "?",
                           graph->ops[op].reason ? ": " : "",
                           graph->ops[op].reason ? graph->ops[op].reason : "");
        if (!lane->backend->supports(graph, op, precision, why, sizeof why))
            return dv_fail(DV_BAD_INPUT, "operator '%s' (%s) does not run on device '%s': %s",
                           graph->ops[op].name, dv_op_info_of(graph->ops[op].kind)->name,
                           lane->name, why);
    }
    return DV_OK;
}

static dv_status collect_ops(dv_executor *executor, uint32_t index)
{
    const dv_graph *graph = executor->graph;
    executor_segment *segment = &executor->segments[index];
    const dv_unit_id *order = executor->plan->order + segment->first_unit;
    uint32_t count = 0;
    for (uint32_t k = 0; k < segment->unit_count; k++)
        count += graph->units[order[k]].op_count;
    segment->ops = dv_arena_array(executor->arena, count, sizeof *segment->ops);
    segment->op_end_ns = dv_arena_array(executor->arena, count, sizeof(uint64_t));
    if (!segment->ops || !segment->op_end_ns)
        return no_memory();
    count = 0;
    for (uint32_t k = 0; k < segment->unit_count; k++) {
        const dv_unit *unit = &graph->units[order[k]];
        DV_TRY(check_support(executor, &executor->lanes[segment->lane], order[k]));
        for (uint32_t i = 0; i < unit->op_count; i++) {
            executor->segment_of[unit->ops[i]] = index;
            segment->ops[count++] = unit->ops[i];
        }
    }
    segment->spec.op_count = count;
    return DV_OK;
}

static bool is_activation(const dv_graph *graph, dv_tensor_id tensor)
{
    return tensor != DV_NONE && graph->tensors[tensor].role != DV_ROLE_CONSTANT;
}

static bool needed_outside(const dv_executor *executor, dv_tensor_id tensor, uint32_t segment)
{
    const dv_graph *graph = executor->graph;
    if (graph->tensors[tensor].is_output || graph->tensors[tensor].is_kept)
        return true;
    for (uint32_t c = graph->consumer_start[tensor]; c < graph->consumer_start[tensor + 1]; c++)
        if (executor->segment_of[graph->consumers[c]] != segment)
            return true;
    return false;
}

/* The tensors that a segment reads from and leaves to the outside. mark[t] = index + 1 keeps them
   distinct. */
static dv_status collect_borders(dv_executor *executor, uint32_t index, uint32_t *mark)
{
    const dv_graph *graph = executor->graph;
    executor_segment *segment = &executor->segments[index];
    size_t most_in = 0, most_out = 0;
    for (uint32_t i = 0; i < segment->spec.op_count; i++) {
        most_in += graph->ops[segment->ops[i]].input_count;
        most_out += graph->ops[segment->ops[i]].output_count;
    }
    segment->inputs = dv_arena_array(executor->arena, most_in, sizeof *segment->inputs);
    segment->outputs = dv_arena_array(executor->arena, most_out, sizeof *segment->outputs);
    if (!segment->inputs || !segment->outputs)
        return no_memory();
    for (uint32_t i = 0; i < segment->spec.op_count; i++) {
        const dv_op *op = &graph->ops[segment->ops[i]];
        for (uint32_t k = 0; k < op->input_count; k++) {
            dv_tensor_id t = op->inputs[k];
            if (!is_activation(graph, t) || mark[t] == index + 1)
                continue;
            dv_op_id producer = graph->producer[t];
            if (producer != DV_NONE && executor->segment_of[producer] == index)
                continue;
            mark[t] = index + 1;
            segment->inputs[segment->spec.input_count++] = t;
        }
        for (uint32_t k = 0; k < op->output_count; k++)
            if (op->outputs[k] != DV_NONE && needed_outside(executor, op->outputs[k], index))
                segment->outputs[segment->spec.output_count++] = op->outputs[k];
    }
    return DV_OK;
}

static dv_status make_segments(dv_executor *executor)
{
    const dv_graph *graph = executor->graph;
    dv_segment *rows = NULL;
    uint32_t count = 0;
    DV_TRY(dv_plan_segments(executor->problem, executor->plan, &rows, &count));
    dv_status status = DV_OK;
    uint32_t *mark = calloc((size_t)graph->tensor_count + 1, sizeof *mark);
    executor->segments = dv_arena_array(executor->arena, count, sizeof *executor->segments);
    executor->lanes = dv_arena_array(executor->arena, (size_t)count + 1, sizeof *executor->lanes);
    executor->segment_of = dv_arena_array(executor->arena, graph->op_count, sizeof(uint32_t));
    if (!mark || !executor->segments || !executor->lanes || !executor->segment_of) {
        status = no_memory();
        goto done;
    }
    executor->segment_count = count;
    lane_of(executor, executor->problem->device[executor->problem->host]);
    for (uint32_t s = 0; s < count && status == DV_OK; s++) {
        executor_segment *segment = &executor->segments[s];
        segment->lane = lane_of(executor, rows[s].device);
        segment->first_unit = rows[s].first;
        segment->unit_count = rows[s].count;
        executor_lane *lane = &executor->lanes[segment->lane];
        segment->in_lane = lane->segment_count++;
        if (!lane->backend) {
            status = find_realisation(executor, lane->device, &lane->realisation);
            if (status == DV_OK)
                status = find_backend(lane, executor->platform);
        }
        if (status == DV_OK)
            status = collect_ops(executor, s);
    }
    for (uint32_t s = 0; s < count && status == DV_OK; s++)
        status = collect_borders(executor, s, mark);
done:
    free(mark);
    free(rows);
    return status;
}

/* ---- layouts ---- */

/* A tensor between segments is channels-last if it can be and everyone who touches it prefers so;
   graph inputs and outputs are plain. */
static dv_status choose_layouts(dv_executor *executor)
{
    const dv_graph *graph = executor->graph;
    executor->layout = dv_arena_array(executor->arena, graph->tensor_count, sizeof(dv_layout));
    if (!executor->layout)
        return no_memory();
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++) {
        const dv_tensor *tensor = &graph->tensors[t];
        if (tensor->role != DV_ROLE_ACTIVATION || tensor->is_output || tensor->is_kept ||
            graph->producer[t] == DV_NONE ||
            !dv_layout_may_be_channels_last(tensor->dtype, &tensor->shape))
            continue;
        executor->layout[t] = DV_LAYOUT_CHANNELS_LAST;
        uint32_t producer = executor->segment_of[graph->producer[t]];
        if (!executor->lanes[executor->segments[producer].lane].backend->prefers_channels_last)
            executor->layout[t] = DV_LAYOUT_PLAIN;
        for (uint32_t c = graph->consumer_start[t]; c < graph->consumer_start[t + 1]; c++) {
            uint32_t consumer = executor->segment_of[graph->consumers[c]];
            if (!executor->lanes[executor->segments[consumer].lane].backend->prefers_channels_last)
                executor->layout[t] = DV_LAYOUT_PLAIN;
        }
    }
    return DV_OK;
}

/* ---- moves ---- */

typedef struct named {
    const char *name;
    uint32_t id;
} named;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

/* problem_tensor[t] by the names, which both sides keep. */
static dv_status match_tensors(dv_executor *executor)
{
    const dv_graph *graph = executor->graph;
    const dv_problem *problem = executor->problem;
    named *names = calloc((size_t)problem->tensor_count + 1, sizeof *names);
    executor->problem_tensor =
        dv_arena_array(executor->arena, graph->tensor_count, sizeof(uint32_t));
    if (!names || !executor->problem_tensor) {
        free(names);
        return no_memory();
    }
    for (uint32_t i = 0; i < problem->tensor_count; i++)
        names[i] = (named){problem->tensor_name[i], i};
    qsort(names, problem->tensor_count, sizeof *names, by_name);
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++) {
        named key = {graph->tensors[t].name, 0};
        const named *found = bsearch(&key, names, problem->tensor_count, sizeof *names, by_name);
        executor->problem_tensor[t] = found ? found->id : DV_NONE;
    }
    free(names);
    return DV_OK;
}

uint32_t dv_executor_maker_lane(const dv_executor *executor, dv_tensor_id tensor)
{
    dv_op_id producer = executor->graph->producer[tensor];
    return producer == DV_NONE ? 0 : executor->segments[executor->segment_of[producer]].lane;
}

/* The lane and target where a tensor is made. */
static void made_at(const dv_executor *executor, dv_tensor_id tensor, uint32_t *lane,
                    dv_target_id *target)
{
    dv_op_id producer = executor->graph->producer[tensor];
    *lane = dv_executor_maker_lane(executor, tensor);
    *target = producer == DV_NONE ? executor->problem->host
                                  : executor->plan->target[executor->graph->unit_of[producer]];
}

/* The target on which a segment first reads a tensor. */
static dv_target_id read_at(const dv_executor *executor, uint32_t segment, dv_tensor_id tensor)
{
    const dv_graph *graph = executor->graph;
    for (uint32_t c = graph->consumer_start[tensor]; c < graph->consumer_start[tensor + 1]; c++) {
        dv_op_id op = graph->consumers[c];
        if (executor->segment_of[op] == segment)
            return executor->plan->target[graph->unit_of[op]];
    }
    return executor->problem->host;
}

typedef struct move_list {
    executor_move *rows;
    size_t count, capacity;
    bool *there; /* [tensor * lanes + lane]: already brought there */
} move_list;

static dv_status add_move(dv_executor *executor, move_list *list, dv_tensor_id tensor,
                          uint32_t to_lane, dv_target_id to)
{
    executor_move move = {.tensor = tensor, .to_lane = to_lane, .to = to};
    if (executor->graph->tensors[tensor].role == DV_ROLE_STATE)
        return DV_OK; /* it stays where it is touched */
    made_at(executor, tensor, &move.from_lane, &move.from);
    bool *there = &list->there[(size_t)tensor * executor->lane_count + to_lane];
    if (move.from_lane == to_lane || *there)
        return DV_OK;
    *there = true;
    move.problem_tensor = executor->problem_tensor[tensor];
    if (move.problem_tensor == DV_NONE)
        return dv_fail(DV_BAD_INPUT,
                       "the plan's problem has no tensor '%s': it is not this model's",
                       executor->graph->tensors[tensor].name);
    if (!dv_tensor_bytes(&executor->graph->tensors[tensor], &move.bytes))
        return dv_fail(DV_BAD_INPUT, "tensor '%s' has no static size",
                       executor->graph->tensors[tensor].name);
    void *rows = list->rows;
    if (!dv_grow(&rows, &list->capacity, list->count + 1, sizeof move))
        return no_memory();
    list->rows = rows;
    list->rows[list->count++] = move;
    return DV_OK;
}

/* Each tensor goes once to each lane that reads it, just before the first segment that does;
   outputs go home after the last. */
static dv_status list_moves(dv_executor *executor, move_list *list)
{
    const dv_graph *graph = executor->graph;
    for (uint32_t s = 0; s < executor->segment_count; s++) {
        executor_segment *segment = &executor->segments[s];
        segment->first_move = (uint32_t)list->count;
        for (uint32_t i = 0; i < segment->spec.input_count; i++)
            DV_TRY(add_move(executor, list, segment->inputs[i], segment->lane,
                            read_at(executor, s, segment->inputs[i])));
        segment->move_count = (uint32_t)list->count - segment->first_move;
    }
    for (uint32_t i = 0; i < graph->output_count; i++)
        if (graph->producer[graph->outputs[i]] != DV_NONE)
            DV_TRY(add_move(executor, list, graph->outputs[i], 0, executor->problem->host));
    return DV_OK;
}

static dv_status make_moves(dv_executor *executor)
{
    move_list list = {0};
    list.there = calloc((size_t)executor->graph->tensor_count * executor->lane_count + 1, 1);
    dv_status status = list.there ? list_moves(executor, &list) : no_memory();
    if (status == DV_OK) {
        executor->moves = dv_arena_array(executor->arena, list.count, sizeof *executor->moves);
        if (!executor->moves)
            status = no_memory();
        else if (list.count > 0)
            memcpy(executor->moves, list.rows, list.count * sizeof *list.rows);
        executor->move_count = (uint32_t)list.count;
    }
    free(list.there);
    free(list.rows);
    return status;
}

/* ---- who holds what ---- */

static void hold(const dv_executor *executor, bool *held, dv_tensor_id tensor, uint32_t lane)
{
    if (executor->written_into[tensor] != DV_NONE &&
        dv_executor_maker_lane(executor, tensor) == lane)
        return; /* its state is held there */
    held[(size_t)lane * executor->graph->tensor_count + tensor] = true;
}

static void mark_held(const dv_executor *executor, bool *held)
{
    const dv_graph *graph = executor->graph;
    for (uint32_t s = 0; s < executor->segment_count; s++) {
        const executor_segment *segment = &executor->segments[s];
        for (uint32_t i = 0; i < segment->spec.input_count; i++)
            hold(executor, held, segment->inputs[i], segment->lane);
        for (uint32_t i = 0; i < segment->spec.output_count; i++)
            hold(executor, held, segment->outputs[i], segment->lane);
    }
    for (uint32_t i = 0; i < executor->move_count; i++) {
        hold(executor, held, executor->moves[i].tensor, executor->moves[i].from_lane);
        hold(executor, held, executor->moves[i].tensor, executor->moves[i].to_lane);
    }
    for (uint32_t i = 0; i < graph->input_count; i++)
        hold(executor, held, graph->inputs[i], 0);
    for (uint32_t i = 0; i < graph->output_count; i++)
        hold(executor, held, graph->outputs[i], 0);
    dv_executor_hold_states(executor, held);
}

static dv_status list_held(dv_executor *executor)
{
    uint32_t tensor_count = executor->graph->tensor_count;
    bool *held = calloc((size_t)executor->lane_count * tensor_count + 1, 1);
    dv_status status = held ? DV_OK : no_memory();
    if (held)
        mark_held(executor, held);
    for (uint32_t l = 0; status == DV_OK && l < executor->lane_count; l++) {
        executor_lane *lane = &executor->lanes[l];
        const bool *row = held + (size_t)l * tensor_count;
        for (dv_tensor_id t = 0; t < tensor_count; t++)
            lane->tensor_count += row[t];
        lane->tensors = dv_arena_array(executor->arena, lane->tensor_count, sizeof *lane->tensors);
        lane->memory = dv_arena_array(executor->arena, lane->tensor_count, sizeof *lane->memory);
        if (!lane->tensors || !lane->memory) {
            status = no_memory();
            break;
        }
        uint32_t count = 0;
        for (dv_tensor_id t = 0; t < tensor_count; t++)
            if (row[t])
                lane->tensors[count++] = t;
    }
    free(held);
    return status;
}

static dv_status check_graph(const dv_executor *executor)
{
    const dv_graph *graph = executor->graph;
    if (graph->unit_count == 0 || graph->unit_count != executor->problem->unit_count ||
        graph->unit_count != executor->plan->unit_count)
        return dv_fail(DV_BAD_INPUT,
                       "the plan was made for another model: it has %u units, '%s' "
                       "has %u",
                       executor->plan->unit_count, graph->name, graph->unit_count);
    for (dv_unit_id u = 0; u < graph->unit_count; u++)
        if (strcmp(graph->units[u].name, executor->problem->unit_name[u]) != 0)
            return dv_fail(DV_BAD_INPUT,
                           "the plan was made for another model: its unit %u is '%s', that of "
                           "'%s' is '%s'",
                           u, executor->problem->unit_name[u], graph->name, graph->units[u].name);
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++) {
        size_t bytes = 0;
        if (!dv_tensor_bytes(&graph->tensors[t], &bytes))
            return dv_fail(DV_BAD_INPUT, "tensor '%s' has no static size", graph->tensors[t].name);
    }
    return DV_OK;
}

dv_status dv_executor_build(dv_executor *executor)
{
    DV_TRY(check_graph(executor));
    DV_TRY(make_segments(executor));
    DV_TRY(choose_layouts(executor));
    DV_TRY(dv_executor_find_states(executor));
    DV_TRY(match_tensors(executor));
    DV_TRY(make_moves(executor));
    return list_held(executor);
}
