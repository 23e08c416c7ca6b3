/* frontier_states.c - merging and dominance. */
#include "solver/frontier_states.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A state is held against this many of the best kept ones; more hardly ever drop another. Where
   budgets are kept too, fewer states dominate. */
enum { RIVALS = 40, RIVALS_WITHIN_BUDGETS = 150 };

void dv_states_free(dv_states *states)
{
    free(states->cost);
    free(states->last);
    free(states->used);
    free(states->need);
    free(states->group);
    free(states->spent);
    free(states->parent);
    free(states->choice);
    free(states->table);
    *states = (dv_states){0};
}

void dv_states_reset(dv_states *states, uint32_t width, uint32_t groups, uint32_t budgets)
{
    /* Capacity counts states; the rows of need, group and spent are made anew for other widths. */
    if (width > states->width || groups > states->groups || budgets > states->budgets)
        dv_states_free(states);
    states->width = width;
    states->groups = groups;
    states->budgets = budgets;
    states->count = states->cheapest = states->rival = 0;
    if (states->table)
        memset(states->table, 0, states->table_size * sizeof *states->table);
}

size_t dv_states_bytes(const dv_states *states)
{
    size_t state = sizeof *states->cost + sizeof *states->last + sizeof *states->used +
                   states->width * sizeof *states->need + states->groups * sizeof *states->group +
                   states->budgets * sizeof *states->spent + sizeof *states->parent +
                   sizeof *states->choice;
    return states->capacity * state + states->table_size * sizeof *states->table;
}

static bool resize(void *items, size_t count, size_t size)
{
    void **at = items;
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return false;
    void *more = realloc(*at, bytes + 1);
    if (more)
        *at = more;
    return more != NULL;
}

static uint64_t mixed(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

/* Four sums at once: a chain of multiplications would wait for each. */
static uint64_t hash_of(const dv_states *states, const dv_state *state)
{
    uint64_t lane[4] = {mixed(state->last, state->used), 1, 2, 3};
    uint32_t width = states->width, i = 0;
    for (; i + 4 <= width; i += 4) {
        uint64_t word[4];
        memcpy(word, &state->need[i], sizeof word);
        for (int n = 0; n < 4; n++)
            lane[n] = mixed(lane[n], word[n]);
    }
    for (; i < width; i++) {
        uint64_t word;
        memcpy(&word, &state->need[i], sizeof word);
        lane[i % 4] = mixed(lane[i % 4], word);
    }
    uint64_t hash = mixed(mixed(lane[0], lane[1]), mixed(lane[2], lane[3]));
    for (i = 0; i < states->groups; i++)
        hash = mixed(hash, state->group[i]);
    for (i = 0; i < states->budgets; i++) {
        uint64_t word;
        memcpy(&word, &state->spent[i], sizeof word);
        hash = mixed(hash, word);
    }
    return hash;
}

static inline dv_state state_at(const dv_states *states, uint32_t i)
{
    return (dv_state){.cost = states->cost[i],
                      .last = states->last[i],
                      .used = states->used[i],
                      .need = states->need + (size_t)i * states->width,
                      .group = states->group + (size_t)i * states->groups,
                      .spent = states->spent + (size_t)i * states->budgets,
                      .parent = states->parent[i],
                      .choice = states->choice[i]};
}

static bool equal(const dv_states *states, const dv_state *a, const dv_state *b)
{
    if (a->last != b->last || a->used != b->used)
        return false;
    for (uint32_t i = 0; i < states->width; i++)
        if (a->need[i] != b->need[i])
            return false;
    for (uint32_t i = 0; i < states->groups; i++)
        if (a->group[i] != b->group[i])
            return false;
    for (uint32_t i = 0; i < states->budgets; i++)
        if (a->spent[i] != b->spent[i])
            return false;
    return true;
}

/* The place of an equal state, or of a free one. */
static size_t find(const dv_states *states, const dv_state *state)
{
    size_t at = hash_of(states, state) & (states->table_size - 1);
    while (states->table[at]) {
        dv_state other = state_at(states, states->table[at] - 1);
        if (equal(states, state, &other))
            break;
        at = (at + 1) & (states->table_size - 1);
    }
    return at;
}

static bool grow(dv_states *states)
{
    size_t capacity = states->capacity ? 2 * states->capacity : 8;
    if (capacity >= UINT32_MAX || !resize(&states->cost, capacity, sizeof *states->cost) ||
        !resize(&states->last, capacity, sizeof *states->last) ||
        !resize(&states->used, capacity, sizeof *states->used) ||
        !resize(&states->need, capacity * states->width, sizeof *states->need) ||
        !resize(&states->group, capacity * states->groups, sizeof *states->group) ||
        !resize(&states->spent, capacity * states->budgets, sizeof *states->spent) ||
        !resize(&states->parent, capacity, sizeof *states->parent) ||
        !resize(&states->choice, capacity, sizeof *states->choice) ||
        !resize(&states->table, 2 * capacity, sizeof *states->table))
        return false;
    states->capacity = capacity;
    states->table_size = 2 * capacity;
    memset(states->table, 0, states->table_size * sizeof *states->table);
    for (uint32_t i = 0; i < states->count; i++) {
        dv_state state = state_at(states, i);
        states->table[find(states, &state)] = i + 1;
    }
    return true;
}

/* The C library's functions take no null pointers, not even for nothing. */
static void copy(void *to, const void *from, size_t bytes)
{
    if (bytes)
        memmove(to, from, bytes);
}

static void put(dv_states *states, uint32_t i, const dv_state *state)
{
    states->cost[i] = state->cost;
    states->last[i] = state->last;
    states->used[i] = state->used;
    copy(states->need + (size_t)i * states->width, state->need,
         states->width * sizeof *states->need);
    copy(states->group + (size_t)i * states->groups, state->group,
         states->groups * sizeof *states->group);
    copy(states->spent + (size_t)i * states->budgets, state->spent,
         states->budgets * sizeof *states->spent);
    states->parent[i] = state->parent;
    states->choice[i] = state->choice;
}

void dv_need_fill(const dv_problem *p, uint32_t t, dv_target_id a, const bool *readable,
                  double *need)
{
    for (dv_target_id e = 0; e < p->target_count; e++) {
        bool held = e == a || (e == p->host && p->host_needs[t]);
        need[e] = readable[e] && !held ? dv_problem_move_us(p, t, a, e) : 0.0;
    }
}

bool dv_states_add(dv_states *states, const dv_state *state)
{
    if (states->count == states->capacity && !grow(states))
        return false;
    size_t at = find(states, state);
    if (states->table[at]) {
        uint32_t i = states->table[at] - 1;
        if (state->cost < states->cost[i])
            put(states, i, state);
        if (states->cost[i] < states->cost[states->cheapest])
            states->cheapest = i;
        return true;
    }
    put(states, states->count, state);
    if (state->cost < states->cost[states->cheapest])
        states->cheapest = states->count;
    states->table[at] = ++states->count;
    return true;
}

/* Can the rest spend from a all that it may from b? */
static bool affords(const dv_states *states, const dv_layer_costs *costs, const dv_state *a,
                    const dv_state *b)
{
    bool enters = a->last != b->last && b->last != DV_NONE;
    for (uint32_t i = 0; i < states->budgets; i++) {
        double first = enters && !costs->budget[i].amount ? 1.0 : 0.0;
        if (a->spent[i] > 0.0 && a->spent[i] + first > b->spent[i])
            return false;
    }
    return true;
}

/* At most how much more the rest may cost from a than from b; stops early once over limit. */
static double handicap_us(const dv_states *states, const dv_layer_costs *costs, const dv_state *a,
                          const dv_state *b, double limit)
{
    double sum = 0.0;
    if (!affords(states, costs, a, b))
        return INFINITY;
    if (a->last != b->last && b->last != DV_NONE)
        sum += costs->dispatch_us[b->last];
    for (uint64_t left = b->used & ~a->used; left; left &= left - 1)
        sum += costs->session_us[__builtin_ctzll(left)];
    for (uint32_t g = 0; g < states->groups; g++)
        if (a->group[g] != b->group[g])
            return INFINITY;
    const double *need_a = a->need, *need_b = b->need;
    for (uint32_t s = 0; s < costs->slots && sum <= limit; s++) {
        double most = 0.0, all = 0.0;
        for (uint32_t e = 0; e < costs->targets; e++, need_a++, need_b++) {
            double more = *need_a - *need_b;
            more = more > 0.0 ? more : 0.0;
            all += more;
            most = more > most ? more : most;
        }
        sum += costs->single[s] ? most : all;
    }
    return sum;
}

static bool is_dominated_by(const dv_states *states, const dv_layer_costs *costs, uint32_t i,
                            const dv_state *b)
{
    dv_state a = state_at(states, i);
    double slack = b->cost - a.cost;
    return slack >= 0.0 && handicap_us(states, costs, &a, b, slack) <= slack;
}

bool dv_states_offer(dv_states *states, const dv_layer_costs *costs, const dv_state *state)
{
    if (states->count > 0) {
        if (is_dominated_by(states, costs, states->rival, state))
            return true;
        if (states->cheapest != states->rival &&
            is_dominated_by(states, costs, states->cheapest, state)) {
            states->rival = states->cheapest;
            return true;
        }
    }
    return dv_states_add(states, state);
}

typedef struct ranked {
    double promise;
    uint32_t state;
} ranked;

static int by_promise(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->promise != y->promise)
        return x->promise < y->promise ? -1 : 1;
    return x->state < y->state ? -1 : x->state > y->state;
}

/* *hit: the rival that dominated another state last, which often does so again. */
static bool is_dominated(const dv_states *states, const dv_layer_costs *costs, const ranked *kept,
                         uint32_t kept_count, uint32_t state, uint32_t *hit)
{
    dv_state b = state_at(states, state);
    uint32_t most = states->budgets ? RIVALS_WITHIN_BUDGETS : RIVALS;
    uint32_t rivals = kept_count < most ? kept_count : most, first = *hit;
    for (uint32_t n = 0; n <= rivals; n++) {
        uint32_t i = n == 0 ? first : n - 1;
        if (i >= rivals || (n > 0 && i == first))
            continue;
        if (is_dominated_by(states, costs, kept[i].state, &b)) {
            *hit = i;
            return true;
        }
    }
    return false;
}

/* Makes states hold the count ones of kept (NULL: the first count), in that order and in little
   more room than they need. */
static bool gather(dv_states *states, const ranked *kept, uint32_t count)
{
    dv_states out = {0};
    dv_states_reset(&out, states->width, states->groups, states->budgets);
    for (uint32_t i = 0; i < count; i++) {
        dv_state state = state_at(states, kept ? kept[i].state : i);
        if (out.count == out.capacity && !grow(&out)) {
            dv_states_free(&out);
            return false;
        }
        put(&out, out.count++, &state);
    }
    dv_states_free(states);
    *states = out;
    return true;
}

bool dv_states_cut(dv_states *states, uint32_t count)
{
    return count == states->count || gather(states, NULL, count);
}

bool dv_states_thin(dv_states *states, const dv_layer_costs *costs, uint32_t limit,
                    double *dropped_us)
{
    ranked *rank = malloc(((size_t)states->count + 1) * sizeof *rank);
    if (!rank)
        return false;
    for (uint32_t i = 0; i < states->count; i++)
        rank[i] = (ranked){costs->promise ? costs->promise[i] : states->cost[i], i};
    qsort(rank, states->count, sizeof *rank, by_promise);
    uint32_t kept = 0, hit = 0;
    for (uint32_t i = 0; i < states->count; i++) {
        if (i % 64 == 63 && dv_progress_must_end(costs->progress, costs->deadline_s))
            limit = kept;
        if (isinf(rank[i].promise))
            break; /* it and all later ones are of no use */
        if (is_dominated(states, costs, rank, kept, rank[i].state, &hit))
            continue;
        if (kept >= limit) { /* later ones promise less */
            *dropped_us = fmin(*dropped_us, rank[i].promise);
            break;
        }
        rank[kept++] = rank[i];
    }
    bool ok = gather(states, rank, kept);
    free(rank);
    return ok;
}
