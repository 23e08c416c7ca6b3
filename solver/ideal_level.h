/* ideal_level.h - the ideals (sets closed under producers) of one size, and what is known of each.

   An ideal is what has run so far in some order. All that the rest may cost depends on the ideal
   and on a state (frontier_states.h) that says where its live tensors are held. */
#ifndef DV_SOLVER_IDEAL_LEVEL_H
#define DV_SOLVER_IDEAL_LEVEL_H

#include "solver/frontier_states.h"
#include "solver/labels.h"

typedef struct dv_ideal {
    uint64_t *done; /* bit u: unit u has run */
    uint64_t hash;
    dv_unit_id *ready; /* those that could run next, ascending */
    uint32_t ready_count;
    uint32_t *live; /* tensors that have a reader to come, by slot */
    uint32_t live_count;
    bool *readable;      /* [slot * targets + target]: may a reader to come be there? */
    bool *single;        /* per slot: one reader to come */
    double *dispatch_us; /* per device; 0 where no ready unit may run */
    double *session_us;  /* per device; 0 where no unit to come may run */
    double rest_us;      /* least times of the units to come */
    dv_states states;
} dv_ideal;

typedef struct dv_ideal_level {
    const dv_problem *problem; /* borrowed, as are labels */
    const dv_labels *labels;
    dv_arena *arena;
    dv_ideal *ideal;
    size_t capacity;
    uint32_t count;
    uint32_t *table; /* hash table: 1 + index; 0: free */
    size_t table_size;
} dv_ideal_level;

/* A level without ideals. False without memory; free it all the same. */
DV_MUST_USE bool dv_ideal_level_init(const dv_problem *problem, const dv_labels *labels,
                                     dv_ideal_level *level);
void dv_ideal_level_free(dv_ideal_level *level);

static inline bool dv_ideal_has(const dv_ideal *ideal, dv_unit_id u)
{
    return ideal->done[u / 64] >> u % 64 & 1u;
}

/* The index of from with unit u added, made if it is new; u = DV_NONE and from = NULL: the empty
   ideal. UINT32_MAX without memory. May move the level's ideals. O(units / 64 + what it reads). */
DV_MUST_USE uint32_t dv_ideal_level_add(dv_ideal_level *level, const dv_ideal *from, dv_unit_id u);

/* The least time of u on the labels left to it. */
double dv_ideal_least_us(const dv_problem *problem, const dv_labels *labels, dv_unit_id u);

#endif
