/* plan.h - an answer: where each unit runs, and in which order.

   A segment is a maximal run of consecutive units on one device; it becomes one delegate call. */
#ifndef DV_CORE_PLAN_H
#define DV_CORE_PLAN_H

#include "core/problem.h"

/* What a strategy found. None of these is an error. */
typedef enum dv_outcome {
    DV_OUTCOME_NONE,       /* nothing found before the deadline */
    DV_OUTCOME_OPTIMAL,    /* cost and bound agree within the tolerance asked for */
    DV_OUTCOME_FEASIBLE,   /* a certified plan with a gap */
    DV_OUTCOME_INFEASIBLE, /* proven: no plan meets the limits */
} dv_outcome;

const char *dv_outcome_name(dv_outcome outcome); /* "none", "optimal", "feasible", "infeasible" */

typedef struct dv_cost {
    double total_us; /* the sum of the four */
    double compute_us, dispatch_us, session_us, move_us;
    double moved_bytes;
    uint32_t segments, moves;
} dv_cost;

typedef struct dv_plan {
    uint32_t unit_count;
    dv_target_id *target; /* per unit */
    dv_unit_id *order;    /* order[k]: the k-th unit to run */
    dv_cost cost;         /* by dv_evaluate */

    char strategy[64];
    char proved_by[64]; /* the method behind the bound; "" if none */
    dv_outcome outcome;
    double load_us;       /* the largest load of a device if that was the objective, else NAN */
    double makespan_us;   /* when everything is done, devices overlapping, if that was, else NAN */
    double bound_us;      /* proven: no plan of the class in proof_scope has a lower value;
                             -INFINITY if none */
    char proof_scope[64]; /* "given order", "any order", "contiguous splits", "any split", "" */
    double solve_ms;
} dv_plan;

typedef struct dv_segment {
    dv_device_id device;
    uint32_t first, count; /* units order[first .. first + count) */
} dv_segment;

/* Every unit on target 0 in the problem's order. */
DV_MUST_USE dv_status dv_plan_create(const dv_problem *problem, dv_plan **out);
void dv_plan_destroy(dv_plan *plan);

/* Copies all but nothing shared; both made for the same problem. */
void dv_plan_copy(dv_plan *to, const dv_plan *from);

/* What the plan was made for: its largest load where load_us is set, its makespan where that is,
   else its total cost. */
double dv_plan_value_us(const dv_plan *plan);

/* (value - bound) / value, 0 if both are 0, INFINITY without a bound. */
double dv_plan_gap(const dv_plan *plan);

/* Segments of the plan into a malloc'ed array that the caller frees. O(units). */
DV_MUST_USE dv_status dv_plan_segments(const dv_problem *problem, const dv_plan *plan,
                                       dv_segment **segments, uint32_t *count);

/* plan/1 for the compiler: each segment with device, delegate, precision and predicted time, and
   every operator by its source name. graph and platform may be NULL (a bare problem): then units
   stand for operators. */
DV_MUST_USE dv_status dv_plan_write(const dv_problem *problem, const dv_plan *plan,
                                    const dv_graph *graph, const dv_platform *platform,
                                    dv_text *out);

/* Reads a plan/1 file back for problem: DV_BAD_INPUT if it was made for another model (sha256, or a
   unit that is missing or unknown). */
DV_MUST_USE dv_status dv_plan_parse(const char *file, const char *text, size_t size,
                                    const dv_problem *problem, dv_plan **out);

#endif
