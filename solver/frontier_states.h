/* frontier_states.h - the states of one layer: equal ones merged, dominated ones dropped. */
#ifndef DV_SOLVER_FRONTIER_STATES_H
#define DV_SOLVER_FRONTIER_STATES_H

#include "core/progress.h"
#include "solver/budgets.h"

typedef struct dv_states {
    uint32_t count;
    size_t capacity;  /* of states */
    uint32_t width;   /* doubles of need per state: slots * targets */
    uint32_t groups;  /* devices of groups per state */
    uint32_t budgets; /* amounts spent per state */
    double *cost;
    dv_device_id *last;   /* DV_NONE before the first unit */
    uint64_t *used;       /* devices whose session is paid */
    double *need;         /* [state * width + slot * targets + target] */
    dv_device_id *group;  /* [state * groups + group]; DV_NONE: open */
    double *spent;        /* [state * budgets + budget]; 0: whatever follows, it will do */
    uint32_t *parent;     /* state of the layer before */
    dv_target_id *choice; /* of the unit of this layer */
    uint32_t cheapest;    /* state of least cost */
    uint32_t rival;       /* the state that dominated another last */
    uint32_t *table;      /* hash table: 1 + state; 0: free */
    size_t table_size;    /* power of two */
} dv_states;

/* A state about to be added; need, group and spent have the widths of the layer. */
typedef struct dv_state {
    double cost;
    dv_device_id last;
    uint64_t used;
    const double *need;
    const dv_device_id *group;
    const double *spent;
    uint32_t parent;
    dv_target_id choice;
} dv_state;

/* What a layer's states may still cost. */
typedef struct dv_layer_costs {
    uint32_t slots, targets;
    const bool *single; /* per slot: one consumer remains, so one of its needs is paid at most */
    const double *dispatch_us; /* per device */
    const double *session_us;  /* per device; of those that a unit to come may use, else 0 */
    uint32_t device_count;
    const dv_budget *budget; /* per budget of the states */
    const double *promise;   /* per state: no plan that goes on from it costs less; NULL: its cost
                                tells as much */
    const dv_progress *progress; /* asked now and then whether to end; may be NULL */
    double deadline_s;           /* on its clock */
} dv_layer_costs;

/* Empties states for a layer of these widths. */
void dv_states_reset(dv_states *states, uint32_t width, uint32_t groups, uint32_t budgets);
void dv_states_free(dv_states *states);

/* What the states take, roughly. */
size_t dv_states_bytes(const dv_states *states);

/* The needs of a tensor newly made on target a (an input: on the host): what it costs to move it to
   each target, 0 where it is held or, readable being false, nobody will read it. readable and need
   have one entry per target. */
void dv_need_fill(const dv_problem *problem, uint32_t tensor, dv_target_id a, const bool *readable,
                  double *need);

/* Adds a state, or lowers the cost of an equal one. False without memory. */
DV_MUST_USE bool dv_states_add(dv_states *states, const dv_state *state);

/* The same, but not where the cheapest state, or the one that did so last, dominates it. */
DV_MUST_USE bool dv_states_offer(dv_states *states, const dv_layer_costs *costs,
                                 const dv_state *state);

/* Leaves the first count states. False without memory. */
DV_MUST_USE bool dv_states_cut(dv_states *states, uint32_t count);

/* Sorts by promise, drops dominated states and all but the limit best of the others; *dropped_us is
   lowered to the least promise among states dropped for the limit. Once it must end, the limit is
   what is kept by then. Parents and choices stay with their states. False without memory. */
DV_MUST_USE bool dv_states_thin(dv_states *states, const dv_layer_costs *costs, uint32_t limit,
                                double *dropped_us);

#endif
