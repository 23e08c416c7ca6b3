/* executor_state.c - what is kept from one inference to the next.

   A state lies on the one lane where it is touched and never moves. A tensor that is written into
   its state in place (dv_op_in_place) shares the state's memory; any other next value is copied
   there when the inference is over. */
#include <string.h>

#include "runtime/executor_parts.h"

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "no memory for the states of the model");
}

/* The lane that touches the state: of the maker of its next value, or of its readers; DV_NONE if
   there are none. */
static uint32_t lane_of_state(const dv_executor *executor, dv_tensor_id state)
{
    const dv_graph *graph = executor->graph;
    for (uint32_t i = 0; i < graph->state_count; i++)
        if (graph->states[i].tensor == state)
            return dv_executor_maker_lane(executor, graph->states[i].next);
    uint32_t first = graph->consumer_start[state];
    if (first == graph->consumer_start[state + 1])
        return DV_NONE;
    return executor->segments[executor->segment_of[graph->consumers[first]]].lane;
}

static dv_status check_lane(const dv_executor *executor, dv_tensor_id state)
{
    const dv_graph *graph = executor->graph;
    uint32_t lane = lane_of_state(executor, state);
    for (uint32_t c = graph->consumer_start[state]; c < graph->consumer_start[state + 1]; c++) {
        uint32_t other = executor->segments[executor->segment_of[graph->consumers[c]]].lane;
        if (other != lane)
            return dv_fail(DV_BAD_INPUT,
                           "the plan touches state '%s' on two devices, '%s' and '%s'",
                           graph->tensors[state].name, executor->lanes[lane].name,
                           executor->lanes[other].name);
    }
    return DV_OK;
}

dv_status dv_executor_find_states(dv_executor *executor)
{
    const dv_graph *graph = executor->graph;
    executor->written_into =
        dv_arena_array(executor->arena, graph->tensor_count, sizeof *executor->written_into);
    if (!executor->written_into)
        return no_memory();
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++) {
        executor->written_into[t] = DV_NONE;
        if (graph->tensors[t].role == DV_ROLE_STATE)
            DV_TRY(check_lane(executor, t));
    }
    for (uint32_t i = 0; i < graph->state_count; i++) {
        dv_tensor_id next = graph->states[i].next;
        dv_op_id maker = graph->producer[next];
        /* an output's memory is the caller's to keep, so it is no state's */
        if (!graph->tensors[next].is_output && dv_op_in_place(graph, maker) &&
            graph->ops[maker].inputs[0] == graph->states[i].tensor)
            executor->written_into[next] = graph->states[i].tensor;
    }
    return DV_OK;
}

void dv_executor_hold_states(const dv_executor *executor, bool *held)
{
    const dv_graph *graph = executor->graph;
    for (uint32_t i = 0; i < graph->state_count; i++) {
        size_t lane = lane_of_state(executor, graph->states[i].tensor);
        held[lane * graph->tensor_count + graph->states[i].tensor] = true;
    }
}

void *dv_executor_memory(const dv_executor *executor, uint32_t lane, dv_tensor_id tensor)
{
    dv_tensor_id state = executor->written_into[tensor];
    if (state != DV_NONE && dv_executor_maker_lane(executor, tensor) == lane)
        return dv_executor_copy(&executor->lanes[lane], state);
    return dv_executor_copy(&executor->lanes[lane], tensor);
}

void *dv_executor_state(dv_executor *executor, dv_tensor_id state)
{
    uint32_t lane = lane_of_state(executor, state);
    return lane == DV_NONE ? NULL : dv_executor_copy(&executor->lanes[lane], state);
}

void dv_executor_reset(dv_executor *executor)
{
    const dv_graph *graph = executor->graph;
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++) {
        const dv_tensor *tensor = &graph->tensors[t];
        size_t bytes = 0, elements = 0;
        void *memory;
        if (tensor->role != DV_ROLE_STATE || !(memory = dv_executor_state(executor, t)) ||
            !dv_tensor_bytes(tensor, &bytes) || !dv_shape_elements(&tensor->shape, &elements))
            continue;
        if (tensor->data.storage == DV_STORAGE_NONE)
            memset(memory, 0, bytes);
        else
            dv_tensor_read(tensor, 0, elements, memory);
    }
}

dv_status dv_executor_place_states(dv_executor *executor)
{
    const dv_graph *graph = executor->graph;
    executor->changes =
        dv_arena_array(executor->arena, graph->state_count, sizeof *executor->changes);
    if (!executor->changes)
        return no_memory();
    for (uint32_t i = 0; i < graph->state_count; i++) {
        dv_tensor_id state = graph->states[i].tensor, next = graph->states[i].next;
        executor_change change = {.destination = dv_executor_state(executor, state)};
        uint32_t lane = dv_executor_maker_lane(executor, next);
        change.source = dv_executor_memory(executor, lane, next);
        if (!dv_tensor_bytes(&graph->tensors[state], &change.bytes))
            return dv_fail(DV_BAD_INPUT, "state '%s' has no static size",
                           graph->tensors[state].name);
        if (executor->written_into[next] != state)
            executor->changes[executor->change_count++] = change;
    }
    dv_executor_reset(executor);
    return DV_OK;
}
