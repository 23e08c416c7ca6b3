/* ideal_level.h - the ideals (sets closed under producers) of one size, and what is known of each.

   An ideal is what has run so far in some order. All that the rest may cost depends on the ideal
   and on a state (frontier_states.h) that says where its live tensors are held. */
#ifndef DV_SOLVER_IDEAL_LEVEL_H
#define DV_SOLVER_IDEAL_LEVEL_H

#include "solver/frontier_states.h"
#include "solver/labels.h"

typedef struct dv_ideal {
    /* Units below 64 * first_word have run, those from 64 * (first_word + word_count) on have not;
       bit u % 64 of word u / 64 - first_word: unit u has run. The first word is never full. */
    uint64_t *done;
    uint32_t first_word, word_count;
    uint64_t hash;
    dv_unit_id *ready; /* those that could run next, ascending */
    uint32_t ready_count;
    uint32_t *live; /* tensors that have a reader to come, by slot */
    uint32_t live_count;
    uint32_t *readers;    /* per slot: how many are to come */
    uint32_t *readers_on; /* [slot * targets + target]: how many of them may be there */
    bool *readable;       /* the same, not 0 */
    bool *single;         /* per slot: one reader to come */
    double *dispatch_us;  /* per device; 0 where no ready unit may run */
    double *session_us;   /* per device; 0 where no unit to come may run */
    double rest_us;       /* least times of the units to come */
    double spread_us;     /* at most so much can one state save over another in what is to come */
    double least_us;      /* of the costs of its states; INFINITY: none yet */
    dv_states states;
} dv_ideal;

/* Of the problem and the labels, for all levels. */
typedef struct dv_ideal_costs {
    double *dearest_us;    /* [tensor * targets + target]: to have it there, wherever it is made */
    dv_unit_id *last_unit; /* per device: the highest unit that may run there; DV_NONE: none */
    bool sessions;         /* are there any? */
} dv_ideal_costs;

DV_MUST_USE bool dv_ideal_costs_init(const dv_problem *problem, const dv_labels *labels,
                                     dv_ideal_costs *costs);
void dv_ideal_costs_free(dv_ideal_costs *costs);

typedef struct dv_ideal_level {
    const dv_problem *problem; /* borrowed, as are labels */
    const dv_labels *labels;
    dv_arena *arena;
    dv_ideal *ideal;
    size_t capacity;
    uint32_t count;
    uint32_t *table; /* hash table: 1 + index; 0: free */
    size_t table_size;
    size_t bytes;    /* that the ideals take, without their states */
    uint64_t *child; /* the set of one ideal, to look it up */
    size_t child_capacity;
    const dv_ideal_costs *costs; /* borrowed */
} dv_ideal_level;

/* A level without ideals. False without memory; free it all the same. */
DV_MUST_USE bool dv_ideal_level_init(const dv_problem *problem, const dv_labels *labels,
                                     const dv_ideal_costs *costs, dv_ideal_level *level);
void dv_ideal_level_free(dv_ideal_level *level);

static inline bool dv_ideal_has(const dv_ideal *ideal, dv_unit_id u)
{
    uint32_t word = u / 64;
    if (word < ideal->first_word)
        return true;
    return word - ideal->first_word < ideal->word_count &&
           (ideal->done[word - ideal->first_word] >> u % 64 & 1u);
}

/* The index of from with unit u added, made if it is new; u = DV_NONE and from = NULL: the empty
   ideal. UINT32_MAX without memory. May move the level's ideals. O(units between
   the first that has not run and the last that has / 64 + tensors at hand * targets). */
DV_MUST_USE uint32_t dv_ideal_level_add(dv_ideal_level *level, const dv_ideal *from, dv_unit_id u);

/* The least time of u on the labels left to it. */
double dv_ideal_least_us(const dv_problem *problem, const dv_labels *labels, dv_unit_id u);

#endif
