/* ideal_level.c - ideals found again by their hash, and described once. */
#include "solver/ideal_level.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"

bool dv_ideal_costs_init(const dv_problem *problem, const dv_labels *labels, dv_ideal_costs *costs)
{
    const dv_problem *p = problem;
    *costs = (dv_ideal_costs){0};
    costs->dearest_us =
        calloc((size_t)p->tensor_count * p->target_count + 1, sizeof *costs->dearest_us);
    costs->last_unit = calloc((size_t)p->device_count + 1, sizeof *costs->last_unit);
    if (!costs->dearest_us || !costs->last_unit)
        return false;
    for (uint32_t t = 0; t < p->tensor_count; t++)
        for (dv_target_id a = 0; a < p->target_count; a++) {
            dv_unit_id maker = p->producer[t];
            bool here = maker == DV_NONE ? a == p->host : dv_label(labels, maker, a);
            for (dv_target_id b = 0; here && b < p->target_count; b++) {
                double us = dv_problem_move_us(p, t, a, b);
                double *dearest = &costs->dearest_us[(size_t)t * p->target_count + b];
                *dearest = us > *dearest ? us : *dearest;
            }
        }
    for (dv_device_id d = 0; d < p->device_count; d++) {
        costs->sessions = costs->sessions || p->session_us[d] > 0.0;
        costs->last_unit[d] = DV_NONE;
    }
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        for (dv_target_id a = 0; a < p->target_count; a++)
            if (dv_label(labels, u, a))
                costs->last_unit[p->device[a]] = u;
    return true;
}

void dv_ideal_costs_free(dv_ideal_costs *costs)
{
    free(costs->dearest_us);
    free(costs->last_unit);
    *costs = (dv_ideal_costs){0};
}

bool dv_ideal_level_init(const dv_problem *problem, const dv_labels *labels,
                         const dv_ideal_costs *costs, dv_ideal_level *level)
{
    *level = (dv_ideal_level){
        .problem = problem, .labels = labels, .costs = costs, .arena = dv_arena_create()};
    level->table_size = 64;
    level->table = calloc(level->table_size, sizeof *level->table);
    return level->arena && level->table;
}

void dv_ideal_level_free(dv_ideal_level *level)
{
    for (uint32_t i = 0; i < level->count; i++)
        dv_states_free(&level->ideal[i].states);
    free(level->ideal);
    free(level->table);
    free(level->child);
    dv_arena_destroy(level->arena);
    *level = (dv_ideal_level){0};
}

double dv_ideal_least_us(const dv_problem *problem, const dv_labels *labels, dv_unit_id u)
{
    double least = INFINITY;
    for (dv_target_id a = 0; a < problem->target_count; a++)
        if (dv_label(labels, u, a))
            least = fmin(least, dv_problem_time_us(problem, u, a));
    return least;
}

/* Writes the set of from with unit u added to the level's child; false without memory. */
static bool make_child(dv_ideal_level *level, const dv_ideal *from, dv_unit_id u,
                       uint32_t *first_word, uint32_t *word_count)
{
    uint32_t first = from->first_word, count = from->word_count;
    if (u / 64 >= first + count)
        count = u / 64 - first + 1;
    void *items = level->child;
    if (!dv_grow(&items, &level->child_capacity, count, sizeof *level->child))
        return false;
    level->child = items;
    memset(level->child, 0, count * sizeof *level->child);
    if (from->word_count > 0)
        memcpy(level->child, from->done, from->word_count * sizeof *level->child);
    level->child[u / 64 - first] |= UINT64_C(1) << u % 64;
    uint32_t full = 0;
    while (full < count && level->child[full] == UINT64_MAX)
        full++;
    memmove(level->child, level->child + full, (count - full) * sizeof *level->child);
    *first_word = first + full;
    *word_count = count - full;
    return true;
}

static bool grow_table(dv_ideal_level *level)
{
    size_t size = 2 * level->table_size;
    uint32_t *table = calloc(size, sizeof *table);
    if (!table)
        return false;
    for (uint32_t i = 0; i < level->count; i++) {
        size_t at = level->ideal[i].hash & (size - 1);
        while (table[at])
            at = (at + 1) & (size - 1);
        table[at] = i + 1;
    }
    free(level->table);
    level->table = table;
    level->table_size = size;
    return true;
}

/* Copies what is ready in from but u, and adds what u makes ready; in ascending order. */
static bool find_ready(dv_ideal_level *level, const dv_ideal *from, dv_unit_id u, dv_ideal *to)
{
    const dv_problem *p = level->problem;
    uint32_t fresh = u == DV_NONE ? p->unit_count : p->next_start[u + 1] - p->next_start[u];
    uint32_t old = from ? from->ready_count : 0;
    to->ready = dv_arena_array(level->arena, (size_t)old + fresh, sizeof *to->ready);
    if (!to->ready)
        return false;
    uint32_t i = 0;
    for (uint32_t n = 0; n < fresh; n++) {
        dv_unit_id v = u == DV_NONE ? n : p->next[p->next_start[u] + n];
        bool ready = true;
        for (uint32_t k = p->previous_start[v]; ready && k < p->previous_start[v + 1]; k++)
            ready = dv_ideal_has(to, p->previous[k]);
        if (!ready)
            continue;
        for (; i < old && from->ready[i] < v; i++)
            if (from->ready[i] != u)
                to->ready[to->ready_count++] = from->ready[i];
        to->ready[to->ready_count++] = v;
    }
    for (; i < old; i++)
        if (from->ready[i] != u)
            to->ready[to->ready_count++] = from->ready[i];
    return true;
}

static bool reads(const dv_problem *p, dv_unit_id u, uint32_t t)
{
    for (uint32_t i = p->unit_tensor_start[u]; i < p->unit_tensor_start[u + 1]; i++)
        if (p->unit_tensors[i] == t)
            return true;
    return false;
}

/* Counts the readers of tensor t, none of which has run. */
static void count_readers(const dv_ideal_level *level, uint32_t t, uint32_t *readers,
                          uint32_t *readers_on)
{
    const dv_problem *p = level->problem;
    *readers = p->consumer_start[t + 1] - p->consumer_start[t];
    memset(readers_on, 0, p->target_count * sizeof *readers_on);
    for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++)
        for (dv_target_id a = 0; a < p->target_count; a++)
            readers_on[a] += dv_label(level->labels, p->consumers[i], a);
}

/* Fills the slot's row from the slot that tensor t has in from (UINT32_MAX: it is new); false if
   nobody will read it. */
static bool describe_slot(const dv_ideal_level *level, const dv_ideal *from, uint32_t old,
                          dv_unit_id u, dv_ideal *to, uint32_t t)
{
    const dv_problem *p = level->problem;
    uint32_t slot = to->live_count, *on = to->readers_on + (size_t)slot * p->target_count;
    bool *readable = to->readable + (size_t)slot * p->target_count;
    if (old == UINT32_MAX) {
        count_readers(level, t, &to->readers[slot], on);
    } else {
        to->readers[slot] = from->readers[old];
        memcpy(on, from->readers_on + (size_t)old * p->target_count, p->target_count * sizeof *on);
        if (reads(p, u, t)) {
            to->readers[slot]--;
            for (dv_target_id a = 0; a < p->target_count; a++)
                on[a] -= dv_label(level->labels, u, a);
        }
    }
    double most = 0.0, all = 0.0;
    for (dv_target_id a = 0; a < p->target_count; a++) {
        double us = on[a] > 0 ? level->costs->dearest_us[(size_t)t * p->target_count + a] : 0.0;
        readable[a] = on[a] > 0;
        most = us > most ? us : most;
        all += us;
    }
    to->single[slot] = to->readers[slot] == 1;
    to->spread_us += to->readers[slot] == 1 ? most : to->readers[slot] > 0 ? all : 0.0;
    return to->readers[slot] > 0;
}

static bool find_live(dv_ideal_level *level, const dv_ideal *from, dv_unit_id u, dv_ideal *to)
{
    const dv_problem *p = level->problem;
    uint32_t old = from ? from->live_count : p->tensor_count;
    uint32_t made = u == DV_NONE ? 0 : p->unit_output_start[u + 1] - p->unit_output_start[u];
    size_t most = (size_t)old + made;
    to->live = dv_arena_array(level->arena, most, sizeof *to->live);
    to->readers = dv_arena_array(level->arena, most, sizeof *to->readers);
    to->readers_on = dv_arena_array(level->arena, most * p->target_count, sizeof *to->readers_on);
    to->single = dv_arena_array(level->arena, most, sizeof *to->single);
    to->readable = dv_arena_array(level->arena, most * p->target_count, sizeof *to->readable);
    if (!to->live || !to->readers || !to->readers_on || !to->single || !to->readable)
        return false;
    for (uint32_t i = 0; i < old + made; i++) {
        uint32_t t = i >= old ? p->unit_outputs[p->unit_output_start[u] + i - old]
                     : from   ? from->live[i]
                              : i;
        if (!from && p->producer[t] != DV_NONE)
            continue;
        uint32_t slot = from && i < old ? i : UINT32_MAX;
        to->live[to->live_count] = t;
        to->live_count += describe_slot(level, from, slot, u, to, t);
    }
    return true;
}

/* May a unit to come run on device d? */
static bool has_use_for(const dv_ideal_level *level, const dv_ideal *to, dv_device_id d)
{
    const dv_problem *p = level->problem;
    dv_unit_id last = level->costs->last_unit[d];
    if (last == DV_NONE)
        return false;
    if (!dv_ideal_has(to, last))
        return true;
    for (dv_unit_id u = 64 * to->first_word; u < last; u++)
        for (dv_target_id a = 0; a < p->target_count; a++)
            if (p->device[a] == d && dv_label(level->labels, u, a) && !dv_ideal_has(to, u))
                return true;
    return false;
}

/* Which devices the rest may use at once, and at all. */
static bool find_devices(dv_ideal_level *level, dv_ideal *to)
{
    const dv_problem *p = level->problem;
    double dearest = 0.0;
    to->dispatch_us = dv_arena_array(level->arena, p->device_count, sizeof *to->dispatch_us);
    to->session_us = dv_arena_array(level->arena, p->device_count, sizeof *to->session_us);
    if (!to->dispatch_us || !to->session_us)
        return false;
    for (dv_target_id a = 0; a < p->target_count; a++)
        for (uint32_t i = 0; i < to->ready_count; i++)
            if (dv_label(level->labels, to->ready[i], a))
                to->dispatch_us[p->device[a]] = p->dispatch_us[p->device[a]];
    for (dv_device_id d = 0; d < p->device_count; d++) {
        if (level->costs->sessions && has_use_for(level, to, d))
            to->session_us[d] = p->session_us[d];
        to->spread_us += to->session_us[d];
        dearest = to->dispatch_us[d] > dearest ? to->dispatch_us[d] : dearest;
    }
    to->spread_us += dearest;
    return true;
}

/* The set itself is in place. */
static bool describe(dv_ideal_level *level, const dv_ideal *from, dv_unit_id u, dv_ideal *to)
{
    const dv_problem *p = level->problem;
    to->least_us = INFINITY;
    if (from) /* Rounding must not make the last states look dear. */
        to->rest_us = fmax(0.0, from->rest_us - dv_ideal_least_us(p, level->labels, u));
    else
        for (dv_unit_id v = 0; v < p->unit_count; v++)
            to->rest_us += dv_ideal_least_us(p, level->labels, v);
    return find_ready(level, from, u, to) && find_live(level, from, u, to) &&
           find_devices(level, to);
}

/* The index of the ideal whose set is the level's child, or UINT32_MAX; *at: its place in the
   table, or a free one. */
static uint32_t find_child(const dv_ideal_level *level, const dv_ideal *like, size_t *at)
{
    *at = like->hash & (level->table_size - 1);
    for (; level->table[*at]; *at = (*at + 1) & (level->table_size - 1)) {
        const dv_ideal *other = &level->ideal[level->table[*at] - 1];
        if (other->hash == like->hash && other->first_word == like->first_word &&
            other->word_count == like->word_count &&
            (like->word_count == 0 ||
             memcmp(other->done, level->child, like->word_count * sizeof *level->child) == 0))
            return level->table[*at] - 1;
    }
    return UINT32_MAX;
}

uint32_t dv_ideal_level_add(dv_ideal_level *level, const dv_ideal *from, dv_unit_id u)
{
    const dv_problem *p = level->problem;
    dv_ideal to = {.hash = from ? from->hash ^ dv_rng_at(1, u) : 0};
    size_t at;
    if (from && !make_child(level, from, u, &to.first_word, &to.word_count))
        return UINT32_MAX;
    uint32_t known = find_child(level, &to, &at);
    if (known != UINT32_MAX)
        return known;
    void *items = level->ideal;
    if (level->count == UINT32_MAX - 1 ||
        !dv_grow(&items, &level->capacity, (size_t)level->count + 1, sizeof *level->ideal))
        return UINT32_MAX;
    level->ideal = items;
    to.done = dv_arena_array(level->arena, (size_t)to.word_count + 1, sizeof *to.done);
    if (!to.done)
        return UINT32_MAX;
    if (to.word_count > 0)
        memcpy(to.done, level->child, to.word_count * sizeof *to.done);
    if (!describe(level, from, u, &to))
        return UINT32_MAX;
    level->bytes +=
        2 * sizeof to + to.word_count * sizeof *to.done + 16 + to.ready_count * sizeof *to.ready +
        to.live_count * (p->target_count * (sizeof *to.readers_on + sizeof *to.readable) +
                         sizeof *to.live + sizeof *to.readers + sizeof *to.single) +
        2 * p->device_count * sizeof(double);
    level->ideal[level->count] = to;
    level->table[at] = ++level->count;
    if (2 * (size_t)level->count > level->table_size && !grow_table(level))
        return UINT32_MAX;
    return level->count - 1;
}
