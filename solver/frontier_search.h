/* frontier_search.h - one run of the frontier's dynamic program: its tables, layers and trails.

   Shared by frontier_search.c, which fills the tables, and frontier_dp.c, which goes from layer to
   layer. */
#ifndef DV_SOLVER_FRONTIER_SEARCH_H
#define DV_SOLVER_FRONTIER_SEARCH_H

#include "solver/frontier.h"
#include "solver/frontier_states.h"

typedef struct dv_frontier_trail { /* of one layer, to walk back along */
    uint32_t *parent;
    dv_target_id *choice;
} dv_frontier_trail;

typedef struct dv_frontier_search {
    const dv_problem *problem;
    const dv_labels *labels;
    const dv_unit_id *order;
    const dv_frontier_settings *settings;
    uint32_t *place;            /* per unit: its place in the order */
    uint32_t *last_read;        /* per tensor: place of its last consumer; UINT32_MAX: none */
    uint32_t *slot;             /* per tensor: its slot in the current layer, or UINT32_MAX */
    uint32_t *next_slot;        /* the same in the next */
    bool *on_path;              /* per unit; NULL: dispatch is paid along the order */
    uint32_t *live, *next_live; /* per slot: tensor */
    uint32_t live_count, next_count;
    uint32_t *group_index; /* per unit: 0.., or UINT32_MAX */
    uint32_t *group_end;   /* per unit of a group: place of the group's last unit */
    uint32_t *group_last;  /* per number: the same, of the group that has it now */
    uint32_t group_count;
    double *rest_us;      /* per place + 1: least times of the units from there on */
    uint32_t *last_use;   /* per device: the last place whose unit may run there, plus one */
    double *session_us;   /* of devices still to come */
    uint32_t *readers;    /* per tensor: consumers to come */
    uint32_t *readers_on; /* [tensor * targets + target]: those of them that may be there */
    bool *readable;       /* [slot * targets + target], of the next layer */
    bool *single;
    double *need; /* one state being made */
    dv_device_id *group;
    double *spent;
    uint32_t budgets;
    double *amount_to_come; /* [(place + 1) * budgets + budget]: at least, from there on */
    double *roomy;          /* the same: spent up to that, all that may follow will do */
    dv_prefix prefix;       /* one state, for settings->rest */
    dv_states now, next;
    dv_frontier_trail *trails;
    double dropped_us;
    size_t states, bytes;
    uint32_t most, ended_at; /* place before which the search ended */
} dv_frontier_search;

/* Allocates and fills all tables of a search whose problem, labels, order and settings are set and
   the rest 0; these four are borrowed. False without memory; free it in either case.
   O((units * (1 + budgets) + tensors + consumers) * targets + units * groups). */
DV_MUST_USE bool dv_frontier_search_init(dv_frontier_search *search);

/* What the search owns, the layers under way and the trails too, not itself. */
void dv_frontier_search_free(dv_frontier_search *search);

#endif
