/* labels.h - which targets each unit may still have, and safe ways to rule some out. */
#ifndef DV_SOLVER_LABELS_H
#define DV_SOLVER_LABELS_H

#include "core/plan.h"
#include "core/progress.h"

/* Unit u had target from ruled out in favour of to. */
typedef struct dv_label_swap {
    dv_unit_id u;
    dv_target_id from, to;
} dv_label_swap;

typedef struct dv_labels {
    uint32_t unit_count, target_count;
    bool *allowed;       /* [unit * target_count + target] */
    uint32_t *count;     /* per unit: how many are allowed; at least 1 */
    dv_label_swap *swap; /* by dv_labels_dominate, in the order of time */
    size_t swap_count;
} dv_labels;

/* All that support and pins allow. */
DV_MUST_USE dv_status dv_labels_create(const dv_problem *problem, dv_labels *labels);
void dv_labels_free(dv_labels *labels);

static inline bool dv_label(const dv_labels *labels, dv_unit_id u, dv_target_id a)
{
    return labels->allowed[(size_t)u * labels->target_count + a];
}

/* Rules out one label. */
void dv_labels_drop(dv_labels *labels, dv_unit_id u, dv_target_id a);

/* Rules out every label that alone makes a plan cost more than incumbent_us, with all other units
   at their least time. Valid with every limit. O(units * targets). */
void dv_labels_cut(const dv_problem *problem, double incumbent_us, dv_labels *labels);

/* Rules out label d of a unit if another label e costs no more whatever its neighbours do: the
   worst change of time, incoming and outgoing moves, dispatch and session is not positive. Keeps an
   optimal plan with the given order (order NULL: of any order). Does nothing where a limit binds: a
   dearer label may then be needed. Repeats to a fixed point, or to the deadline (on progress's
   clock). O(rounds * moves * targets^3), further rounds only where something changed. */
void dv_labels_dominate(const dv_problem *problem, const dv_unit_id *order,
                        const dv_progress *progress, double deadline_s, dv_labels *labels);

/* Replays the swaps on a placement that costs no more than the incumbent of dv_labels_cut: it then
   uses allowed labels only and costs no more than before. O(swaps). */
void dv_labels_follow(const dv_labels *labels, dv_target_id *target);

/* A lower bound of any plan: every unit at its least time, and one dispatch. O(units * targets). */
double dv_labels_floor_us(const dv_problem *problem, const dv_labels *labels);

/* Can the limit matter at all, or do even the largest choices stay below it? O(units * targets). */
bool dv_limit_capacity_binds(const dv_problem *problem, dv_device_id d);
bool dv_limit_energy_binds(const dv_problem *problem);
bool dv_limit_loss_binds(const dv_problem *problem);
bool dv_limit_segments_binds(const dv_problem *problem);

/* Any of them (groups and pins are not limits in this sense). */
bool dv_limits_bind(const dv_problem *problem);

#endif
