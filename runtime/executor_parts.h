/* executor_parts.h - the inside of an executor, for executor*.c alone.

   A *lane* is a device in use: its backend and the memory in which it sees tensors. A tensor that
   two lanes need has a copy in each; a move fills one from the other. */
#ifndef DV_RUNTIME_EXECUTOR_PARTS_H
#define DV_RUNTIME_EXECUTOR_PARTS_H

#include "runtime/backend.h"
#include "runtime/executor.h"
#include "runtime/worker/worker.h"

typedef struct executor_lane {
    dv_device_id device; /* of the problem */
    const char *name;
    const dv_realisation *realisation;
    const dv_backend *backend; /* the inner one of a worker; NULL if nothing runs here */
    bool is_worker;
    uint32_t segment_count;

    /* Copies, in the order of `tensors`. */
    uint32_t tensor_count;
    dv_tensor_id *tensors;
    void **memory;
    void *shared; /* a worker's, all copies */
    size_t shared_bytes;

    /* A worker's own view of its segments. */
    dv_worker *worker;
    dv_segment_spec *specs;
    void *const **inputs, *const **outputs;
} executor_lane;

typedef struct executor_segment {
    uint32_t lane;
    uint32_t in_lane;                /* ordinal among the lane's segments */
    uint32_t first_unit, unit_count; /* of the plan's order */
    uint32_t first_move, move_count; /* done before it */
    dv_segment_spec spec;
    dv_op_id *ops;
    dv_tensor_id *inputs, *outputs;
    dv_layout *input_layout, *output_layout;
    void **input_memory, **output_memory;
    dv_executable *executable; /* NULL on a worker */
    uint64_t *op_end_ns;       /* profile mode */
} executor_segment;

typedef struct executor_move {
    dv_tensor_id tensor; /* of the graph */
    uint32_t problem_tensor;
    uint32_t from_lane, to_lane;
    dv_target_id from, to;
    size_t bytes;
    const void *source;
    void *destination;
} executor_move;

/* A state's new value, made beside it and put in its place when an inference is over. */
typedef struct executor_change {
    const void *source;
    void *destination;
    size_t bytes;
} executor_change;

/* When things happened in one run, ns. */
typedef struct executor_stamps {
    uint64_t begin, end;
    uint64_t (*segments)[4]; /* called, begun on the device, ended there, returned */
    uint64_t (*moves)[2];
} executor_stamps;

struct dv_executor {
    const dv_graph *graph;
    const dv_platform *platform;
    const dv_problem *problem;
    const dv_plan *plan;
    dv_arena *arena; /* of everything below that isn't tensor memory */

    uint32_t lane_count;
    executor_lane *lanes; /* the host's is the first */
    uint32_t segment_count;
    executor_segment *segments;
    uint32_t move_count; /* those after the last segment bring outputs home */
    executor_move *moves;

    dv_tensor_id *written_into; /* per tensor: the state in whose memory it is made, or DV_NONE */
    uint32_t change_count;      /* of the states that are not written in place */
    executor_change *changes;

    dv_layout *layout;        /* per tensor of the graph */
    uint32_t *segment_of;     /* per operator of the graph */
    uint32_t *problem_tensor; /* per tensor of the graph; DV_NONE */
    executor_stamps stamps;   /* of the last run */
    uint32_t found_count;     /* of the last check */
    dv_found *found;
};

/* Fills segments, moves, lanes' tensors (executor_build.c). */
dv_status dv_executor_build(dv_executor *executor);

/* A lane's copy of a tensor; NULL if it has none. O(log tensors). */
void *dv_executor_copy(const executor_lane *lane, dv_tensor_id tensor);

/* The memory in which a lane sees a tensor: its copy, or that of the state it is written into. */
void *dv_executor_memory(const dv_executor *executor, uint32_t lane, dv_tensor_id tensor);

/* States (executor_state.c): which tensors are written into one; that each is on one lane, which
   holds it; the copies to make after a run, once there is memory. */
dv_status dv_executor_find_states(dv_executor *executor);
void dv_executor_hold_states(const dv_executor *executor, bool *held);
dv_status dv_executor_place_states(dv_executor *executor);

/* The lane of a tensor's maker; 0 if the host gives it. */
uint32_t dv_executor_maker_lane(const dv_executor *executor, dv_tensor_id tensor);

/* One run; profile fills op_end_ns of the segments. Stamps always. */
dv_status dv_executor_run_once(dv_executor *executor, bool profile);

#endif
