/* ideal_extend.h - one run of the dynamic program over ideals, and the step from an ideal to those
   with one unit more.

   Shared by ideal_extend.c, which makes that step, and ideal_dp.c, which goes from level to level
   and decides what is kept. */
#ifndef DV_SOLVER_IDEAL_EXTEND_H
#define DV_SOLVER_IDEAL_EXTEND_H

#include "solver/groups.h"
#include "solver/ideal.h"
#include "solver/ideal_level.h"

typedef struct dv_ideal_step { /* how a kept state was reached */
    uint32_t parent;           /* step before; UINT32_MAX: the first */
    uint32_t choice;           /* unit * targets + target */
} dv_ideal_step;

typedef struct dv_ideal_search {
    const dv_problem *problem;
    const dv_labels *labels;
    const dv_ideal_settings *settings;
    dv_ideal_costs costs;
    dv_ideal_level now, next;
    dv_ideal_step *trail;
    size_t trail_count, trail_capacity;
    uint32_t *slot; /* per tensor: its slot in the ideal being extended, or UINT32_MAX */
    dv_unit_groups groups;
    bool some_open;   /* any of these: */
    bool *group_open; /* per group: in the ideal being made, has it units that ran and others? */
    double *need;     /* one state being made */
    dv_device_id *group;
    double *spent;
    uint32_t budgets;
    double *least, *largest;        /* [unit * budgets + budget]: what a unit takes */
    double *left_least, *left_most; /* per budget: the units to come of the ideal being extended */
    double *to_come, *roomy; /* of the ideal being made: at least; spent up to that will do */
    double dropped_us;
    size_t made, states, ideals, most;
    size_t floor_bytes, bytes; /* that the states of level now and of the next one take */
    bool abandoned;
} dv_ideal_search;

/* Adds all states that follow those of one ideal of level now to level next, each ready unit in
   turn; time that is up leaves some out. forced: device_count entries to work in. False without
   memory. O(states * ready units * targets) states are made. */
DV_MUST_USE bool dv_ideal_extend(dv_ideal_search *search, const dv_ideal *from, dv_unit_id *forced);

/* What the states of an ideal may still cost; borrows from both. */
dv_layer_costs dv_ideal_layer_costs(const dv_ideal_search *search, const dv_ideal *ideal);

/* Is the deadline over, or was the search told to end? */
bool dv_ideal_time_is_up(const dv_ideal_search *search);

#endif
