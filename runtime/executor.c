/* executor.c - makes a plan's segments ready on their devices, and runs them in order. */
#include "runtime/executor.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/rng.h"
#include "runtime/executor_parts.h"
#include "runtime/memplan.h"

/* A worker on a core of its own may be waited for by looking; it wakes from sleep in 30 to 50 us.
 */
enum { SPIN_US = 50 };
static const double command_limit_s = 600.0;

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "no memory for the tensors between segments");
}

void *dv_executor_copy(const executor_lane *lane, dv_tensor_id tensor)
{
    uint32_t low = 0, high = lane->tensor_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (lane->tensors[middle] < tensor)
            low = middle + 1;
        else
            high = middle;
    }
    return low < lane->tensor_count && lane->tensors[low] == tensor ? lane->memory[low] : NULL;
}

static dv_status allocate_lane(dv_executor *executor, executor_lane *lane)
{
    size_t total = 0;
    for (uint32_t i = 0; i < lane->tensor_count; i++) {
        size_t bytes = 0, padded = 0;
        if (!dv_tensor_bytes(&executor->graph->tensors[lane->tensors[i]], &bytes) ||
            !dv_memplan_padded(bytes, &padded) || !dv_add_size(total, padded, &total))
            return no_memory();
        if (!lane->is_worker && !(lane->memory[i] = dv_memplan_allocate(bytes)))
            return no_memory();
    }
    if (!lane->is_worker)
        return DV_OK;
    lane->shared_bytes = total;
    lane->shared = dv_worker_share(total);
    if (!lane->shared)
        return no_memory();
    char *next = lane->shared;
    for (uint32_t i = 0; i < lane->tensor_count; i++) {
        size_t bytes = 0, padded = 0;
        lane->memory[i] = next;
        if (dv_tensor_bytes(&executor->graph->tensors[lane->tensors[i]], &bytes) &&
            dv_memplan_padded(bytes, &padded))
            next += padded;
    }
    return DV_OK;
}

/* The borders of a segment: layouts and memory. */
static dv_status place_borders(dv_executor *executor, executor_segment *segment)
{
    const executor_lane *lane = &executor->lanes[segment->lane];
    dv_segment_spec *spec = &segment->spec;
    dv_arena *arena = executor->arena;
    segment->input_layout = dv_arena_array(arena, spec->input_count, sizeof(dv_layout));
    segment->output_layout = dv_arena_array(arena, spec->output_count, sizeof(dv_layout));
    segment->input_memory = dv_arena_array(arena, spec->input_count, sizeof(void *));
    segment->output_memory = dv_arena_array(arena, spec->output_count, sizeof(void *));
    if (!segment->input_layout || !segment->output_layout || !segment->input_memory ||
        !segment->output_memory)
        return no_memory();
    for (uint32_t i = 0; i < spec->input_count; i++) {
        segment->input_layout[i] = executor->layout[segment->inputs[i]];
        segment->input_memory[i] = dv_executor_memory(executor, segment->lane, segment->inputs[i]);
    }
    for (uint32_t i = 0; i < spec->output_count; i++) {
        segment->output_layout[i] = executor->layout[segment->outputs[i]];
        segment->output_memory[i] =
            dv_executor_memory(executor, segment->lane, segment->outputs[i]);
    }
    spec->graph = executor->graph;
    spec->ops = segment->ops;
    spec->inputs = segment->inputs;
    spec->outputs = segment->outputs;
    spec->input_layout = segment->input_layout;
    spec->output_layout = segment->output_layout;
    spec->precision = DV_DTYPE_F32;
    spec->threads = lane->realisation->threads > 0 ? lane->realisation->threads : 1;
    return DV_OK;
}

static dv_status place_all(dv_executor *executor)
{
    for (uint32_t l = 0; l < executor->lane_count; l++)
        DV_TRY(allocate_lane(executor, &executor->lanes[l]));
    for (uint32_t s = 0; s < executor->segment_count; s++)
        DV_TRY(place_borders(executor, &executor->segments[s]));
    for (uint32_t i = 0; i < executor->move_count; i++) {
        executor_move *move = &executor->moves[i];
        move->source = dv_executor_memory(executor, move->from_lane, move->tensor);
        move->destination = dv_executor_copy(&executor->lanes[move->to_lane], move->tensor);
    }
    for (uint32_t i = 0; i < executor->graph->output_count; i++) { /* constants as outputs */
        dv_tensor_id t = executor->graph->outputs[i];
        size_t elements = 0;
        const dv_tensor *tensor = &executor->graph->tensors[t];
        if (tensor->role == DV_ROLE_CONSTANT && dv_shape_elements(&tensor->shape, &elements))
            dv_tensor_read(tensor, 0, elements, dv_executor_copy(&executor->lanes[0], t));
    }
    return dv_executor_place_states(executor);
}

/* ---- workers ---- */

static uint32_t worker_count(const dv_executor *executor)
{
    uint32_t count = 0;
    for (uint32_t l = 0; l < executor->lane_count; l++)
        count += executor->lanes[l].is_worker;
    return count;
}

static dv_status start_worker(dv_executor *executor, uint32_t index)
{
    executor_lane *lane = &executor->lanes[index];
    dv_arena *arena = executor->arena;
    lane->specs = dv_arena_array(arena, lane->segment_count, sizeof *lane->specs);
    lane->inputs = dv_arena_array(arena, lane->segment_count, sizeof *lane->inputs);
    lane->outputs = dv_arena_array(arena, lane->segment_count, sizeof *lane->outputs);
    if (!lane->specs || !lane->inputs || !lane->outputs)
        return no_memory();
    for (uint32_t s = 0; s < executor->segment_count; s++) {
        const executor_segment *segment = &executor->segments[s];
        if (segment->lane != index)
            continue;
        lane->specs[segment->in_lane] = segment->spec;
        lane->inputs[segment->in_lane] = segment->input_memory;
        lane->outputs[segment->in_lane] = segment->output_memory;
    }
    bool own_core = lane->realisation->core >= 0 &&
                    sysconf(_SC_NPROCESSORS_ONLN) > (long)worker_count(executor);
    dv_worker_options options = {.name = lane->name,
                                 .backend = lane->backend,
                                 .core = lane->realisation->core,
                                 .spin_us = own_core ? SPIN_US : 0,
                                 .limit_s = command_limit_s,
                                 .segment_count = lane->segment_count,
                                 .segments = lane->specs,
                                 .inputs = lane->inputs,
                                 .outputs = lane->outputs};
    return dv_worker_start(&options, &lane->worker);
}

/* Workers compile while this process does. */
static dv_status compile_all(dv_executor *executor)
{
    for (uint32_t l = 0; l < executor->lane_count; l++)
        if (executor->lanes[l].is_worker)
            DV_TRY(start_worker(executor, l));
    for (uint32_t s = 0; s < executor->segment_count; s++) {
        executor_segment *segment = &executor->segments[s];
        const executor_lane *lane = &executor->lanes[segment->lane];
        if (lane->is_worker)
            continue;
        DV_TRY(dv_within(lane->backend->compile(&segment->spec, &segment->executable),
                         "device '%s'", lane->name));
        DV_TRY(dv_within(
            lane->backend->bind(segment->executable, segment->input_memory, segment->output_memory),
            "device '%s'", lane->name));
    }
    for (uint32_t l = 0; l < executor->lane_count; l++)
        if (executor->lanes[l].is_worker)
            DV_TRY(dv_worker_ready(executor->lanes[l].worker));
    return DV_OK;
}

static dv_status prepare_stamps(dv_executor *executor)
{
    executor_stamps *stamps = &executor->stamps;
    stamps->segments =
        dv_arena_array(executor->arena, executor->segment_count, sizeof *stamps->segments);
    stamps->moves = dv_arena_array(executor->arena, executor->move_count, sizeof *stamps->moves);
    return stamps->segments && stamps->moves ? DV_OK : no_memory();
}

dv_status dv_executor_create(const dv_graph *graph, const dv_platform *platform,
                             const dv_problem *problem, const dv_plan *plan, dv_executor **out)
{
    *out = NULL;
    dv_executor *executor = calloc(1, sizeof *executor);
    if (!executor || !(executor->arena = dv_arena_create())) {
        free(executor);
        return no_memory();
    }
    executor->graph = graph;
    executor->platform = platform;
    executor->problem = problem;
    executor->plan = plan;
    dv_status status = dv_executor_build(executor);
    if (status == DV_OK)
        status = place_all(executor);
    if (status == DV_OK)
        status = prepare_stamps(executor);
    if (status == DV_OK)
        status = compile_all(executor);
    if (status != DV_OK) {
        dv_executor_destroy(executor);
        return status;
    }
    *out = executor;
    return DV_OK;
}

void dv_executor_destroy(dv_executor *executor)
{
    if (!executor)
        return;
    for (uint32_t l = 0; l < executor->lane_count; l++)
        dv_worker_destroy(executor->lanes[l].worker);
    for (uint32_t s = 0; s < executor->segment_count; s++) {
        executor_segment *segment = &executor->segments[s];
        const executor_lane *lane = &executor->lanes[segment->lane];
        if (segment->executable)
            lane->backend->destroy(segment->executable);
    }
    for (uint32_t l = 0; l < executor->lane_count; l++) {
        executor_lane *lane = &executor->lanes[l];
        dv_worker_unshare(lane->shared, lane->shared_bytes);
        for (uint32_t i = 0; !lane->is_worker && i < lane->tensor_count && lane->memory; i++)
            free(lane->memory[i]);
    }
    dv_arena_destroy(executor->arena);
    free(executor);
}

void *dv_executor_input(dv_executor *executor, uint32_t i)
{
    return dv_executor_copy(&executor->lanes[0], executor->graph->inputs[i]);
}

const void *dv_executor_output(dv_executor *executor, uint32_t i)
{
    return dv_executor_copy(&executor->lanes[0], executor->graph->outputs[i]);
}

/* ---- inputs ---- */

/* Integers below this are valid for every reader of the tensor, views of it included: the rows of
   a table that it indexes, else 0 (masks, token types: 2 do). */
static int64_t index_bound(const dv_graph *graph, dv_tensor_id tensor)
{
    int64_t bound = 0;
    for (uint32_t c = graph->consumer_start[tensor]; c < graph->consumer_start[tensor + 1]; c++) {
        const dv_op *op = &graph->ops[graph->consumers[c]];
        int64_t rows = 0;
        if (op->input_count > 1 && op->inputs[1] == tensor && op->inputs[0] != DV_NONE) {
            const dv_shape *table = &graph->tensors[op->inputs[0]].shape;
            if (op->kind == DV_OP_EMBEDDING)
                rows = table->dim[0];
            else if (op->kind == DV_OP_INDEX_SELECT || op->kind == DV_OP_GATHER)
                rows = table->dim[op->params.axis.axis];
            for (uint8_t d = 0; op->kind == DV_OP_SCATTER_ND && d < table->rank; d++)
                rows = rows == 0 || table->dim[d] < rows ? table->dim[d] : rows;
        }
        if (dv_op_info_of(op->kind)->family == DV_FAMILY_VIEW && op->outputs[0] != DV_NONE)
            rows = index_bound(graph, op->outputs[0]);
        if (rows > 0 && (bound == 0 || rows < bound))
            bound = rows;
    }
    return bound;
}

static void fill(const dv_tensor *tensor, uint64_t bound, uint64_t seed, void *memory)
{
    size_t elements = 0, bytes = dv_dtype_bytes(tensor->dtype);
    if (!dv_shape_elements(&tensor->shape, &elements))
        return;
    for (size_t i = 0; i < elements; i++) {
        uint64_t bits = dv_rng_at(seed, i);
        double uniform = (double)(bits >> 11) * 0x1p-52 - 1.0; /* [-1, 1) */
        if (tensor->dtype == DV_DTYPE_F32)
            ((float *)memory)[i] = (float)(bits >> 40) * 0x1p-23f - 1.0f;
        else if (tensor->dtype == DV_DTYPE_F64)
            ((double *)memory)[i] = uniform;
        else if (tensor->dtype == DV_DTYPE_F16)
            ((uint16_t *)memory)[i] = dv_f32_to_f16((float)uniform);
        else if (tensor->dtype == DV_DTYPE_BOOL)
            ((uint8_t *)memory)[i] = 1;
        else if (bytes > 0 && tensor->dtype != DV_DTYPE_BF16) {
            uint64_t most = bytes < 8 ? (1ULL << (8 * bytes - 1)) - 1 : INT64_MAX;
            uint64_t value = bits % (bound < most ? bound : most);
            memcpy((char *)memory + i * bytes, &value, bytes); /* little-endian */
        }
    }
}

void dv_executor_fill_inputs(dv_executor *executor, uint64_t seed)
{
    const dv_graph *graph = executor->graph;
    for (uint32_t i = 0; i < graph->input_count; i++) {
        int64_t bound = index_bound(graph, graph->inputs[i]);
        fill(&graph->tensors[graph->inputs[i]], bound > 0 ? (uint64_t)bound : 2, dv_rng_at(seed, i),
             dv_executor_input(executor, i));
    }
}

/* ---- one inference ---- */

static void run_moves(dv_executor *executor, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        const executor_move *move = &executor->moves[i];
        executor->stamps.moves[i][0] = dv_clock_ns();
        memcpy(move->destination, move->source, move->bytes);
        executor->stamps.moves[i][1] = dv_clock_ns();
    }
}

static dv_status run_segment(dv_executor *executor, executor_segment *segment, uint64_t stamps[4],
                             bool profile)
{
    const executor_lane *lane = &executor->lanes[segment->lane];
    uint64_t *op_end_ns = profile ? segment->op_end_ns : NULL;
    dv_status status;
    stamps[0] = dv_clock_ns();
    if (lane->is_worker) {
        status = dv_worker_run(lane->worker, segment->in_lane, &stamps[1], op_end_ns);
        stamps[3] = dv_clock_ns();
    } else {
        status = lane->backend->run(segment->executable, op_end_ns);
        stamps[1] = stamps[0];
        stamps[2] = stamps[3] = dv_clock_ns();
    }
    return status;
}

dv_status dv_executor_run_once(dv_executor *executor, bool profile)
{
    executor_stamps *stamps = &executor->stamps;
    uint32_t moved = 0;
    stamps->begin = dv_clock_ns();
    for (uint32_t s = 0; s < executor->segment_count; s++) {
        executor_segment *segment = &executor->segments[s];
        run_moves(executor, segment->first_move, segment->move_count);
        moved = segment->first_move + segment->move_count;
        DV_TRY(run_segment(executor, segment, stamps->segments[s], profile));
    }
    run_moves(executor, moved, executor->move_count - moved);
    for (uint32_t i = 0; i < executor->change_count; i++)
        memcpy(executor->changes[i].destination, executor->changes[i].source,
               executor->changes[i].bytes);
    stamps->end = dv_clock_ns();
    return DV_OK;
}

dv_status dv_executor_run(dv_executor *executor)
{
    return dv_executor_run_once(executor, false);
}
