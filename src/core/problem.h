/* problem.h - a placement problem: numbers only.

   Units in a topological order, targets on devices, tensors between units, and what everything
   costs. No operator and no device name is needed to solve one; names are for people. */
#ifndef DV_CORE_PROBLEM_H
#define DV_CORE_PROBLEM_H

#include <math.h>

#include "core/graph.h"
#include "core/platform.h"
#include "core/text.h"

typedef struct dv_problem {
    const char *name;      /* of the instance, for people */
    char model_sha256[65]; /* "" if unknown */
    char platform_sha256[65];
    uint32_t unit_count, target_count, device_count, tensor_count;
    dv_target_id host; /* inputs start and outputs end here */

    const char *const *unit_name, *const *target_name, *const *device_name;
    const dv_device_id *device; /* per target */

    const double *time_us;      /* [unit * target_count + target]; INFINITY: unsupported */
    const double *memory_bytes; /* the same layout: constants of the unit on the target; or NULL */
    const double *energy_uj;    /* or NULL */
    const double *loss;         /* or NULL */

    /* Tensors that cross units or the host. */
    const char *const *tensor_name;
    const dv_unit_id *producer;     /* per tensor; DV_NONE: an input, made by the host */
    const uint32_t *consumer_start; /* tensor_count + 1 */
    const dv_unit_id *consumers;    /* ascending, distinct, never the producer */
    const bool *host_needs;         /* per tensor: the host reads it (an output) */
    const double *bytes;            /* [tensor * target_count + producer's target] */

    /* move_us(t, a, b) = move_latency_us[a][b] + bytes[t][a] * move_us_per_byte[a][b]; 0 if a = b
     */
    const double *move_latency_us;  /* [a * target_count + b] */
    const double *move_us_per_byte; /* [a * target_count + b] */

    const double *dispatch_us;    /* per device, per segment */
    const double *session_us;     /* per device, per inference that uses it */
    const double *capacity_bytes; /* per device; INFINITY: unlimited */

    uint32_t max_segments;   /* UINT32_MAX: unlimited */
    double energy_budget_uj; /* INFINITY: none */
    double loss_budget;      /* INFINITY: none */
    const dv_target_id *pin; /* per unit; DV_NONE: free; or NULL */
    const uint32_t *group;   /* per unit: units of one group share a device; DV_NONE; or NULL */
    uint32_t subgraphs_per_device; /* 0: makespans by the rules of solver/makespan.h; else those of
                                      solver/subgraphs.h, with so many a device at most */
    const bool *backward; /* per unit: of the backward pass of a training step; or NULL. Splits
                             are called contiguous by their forward units alone */

    /* by dv_problem_finish: */
    const uint32_t *unit_tensor_start; /* unit_count + 1: tensors that a unit reads */
    const uint32_t *unit_tensors;
    const uint32_t *unit_output_start; /* unit_count + 1: tensors that a unit makes */
    const uint32_t *unit_outputs;
    const uint32_t *next_start; /* unit_count + 1: distinct units that read what a unit makes */
    const dv_unit_id *next;
    const uint32_t *previous_start;
    const dv_unit_id *previous;

    dv_arena *arena;
} dv_problem;

/* An empty problem whose arrays (of the header's counts) the caller fills from problem->arena. */
dv_problem *dv_problem_create(void);
void dv_problem_destroy(dv_problem *problem);

/* Checks every number (no NaN, nothing negative, host can run or is not needed), that ids are in
   range and that unit order is topological (every producer below its consumers; cycles are named),
   that each unit has a supported target allowed by its pin (else the units are named,
   DV_BAD_INPUT), and builds adjacency. O(size). */
DV_MUST_USE dv_status dv_problem_finish(dv_problem *problem);

/* Only the adjacency, of numbers that are known to be fine; readers may stand before producers. For
   problems that a solver derives from a finished one. O(size). */
DV_MUST_USE dv_status dv_problem_link(dv_problem *problem);

/* problem/1 JSON, or an instance of the device-placement paper (doc/formats.md). */
DV_MUST_USE dv_status dv_problem_parse(const char *file, const char *text, size_t size,
                                       dv_problem **out);
DV_MUST_USE dv_status dv_problem_write(const dv_problem *problem, dv_text *out);

static inline double dv_problem_time_us(const dv_problem *problem, dv_unit_id u, dv_target_id a)
{
    return problem->time_us[(size_t)u * problem->target_count + a];
}

static inline double dv_problem_move_us(const dv_problem *problem, uint32_t tensor, dv_target_id a,
                                        dv_target_id b)
{
    if (a == b)
        return 0.0;
    size_t pair = (size_t)a * problem->target_count + b;
    double bytes = problem->bytes[(size_t)tensor * problem->target_count + a];
    return problem->move_latency_us[pair] + bytes * problem->move_us_per_byte[pair];
}

/* May unit u be placed on target a: supported, and not pinned elsewhere? */
static inline bool dv_problem_allows(const dv_problem *problem, dv_unit_id u, dv_target_id a)
{
    return isfinite(dv_problem_time_us(problem, u, a)) &&
           (!problem->pin || problem->pin[u] == DV_NONE || problem->pin[u] == a);
}

#endif
