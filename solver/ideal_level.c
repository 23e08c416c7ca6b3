/* ideal_level.c - ideals found again by their hash, and described once. */
#include "solver/ideal_level.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"

bool dv_ideal_level_init(const dv_problem *problem, const dv_labels *labels, dv_ideal_level *level)
{
    *level = (dv_ideal_level){.problem = problem, .labels = labels, .arena = dv_arena_create()};
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

static size_t word_count(const dv_problem *problem)
{
    return (size_t)problem->unit_count / 64 + 1;
}

/* Is other the ideal from plus u? */
static bool is_child(const dv_problem *problem, const dv_ideal *other, const dv_ideal *from,
                     dv_unit_id u)
{
    for (size_t w = 0; w < word_count(problem); w++) {
        uint64_t expected = from->done[w];
        if (w == u / 64)
            expected |= UINT64_C(1) << u % 64;
        if (other->done[w] != expected)
            return false;
    }
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

/* Fills the slot's row; false if nobody will read tensor t. */
static bool describe_slot(const dv_ideal_level *level, const dv_ideal *to, uint32_t t,
                          uint32_t slot)
{
    const dv_problem *p = level->problem;
    bool *readable = to->readable + (size_t)slot * p->target_count;
    memset(readable, 0, p->target_count * sizeof *readable);
    uint32_t remaining = 0;
    for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++) {
        if (dv_ideal_has(to, p->consumers[i]))
            continue;
        remaining++;
        for (dv_target_id a = 0; a < p->target_count; a++)
            readable[a] = readable[a] || dv_label(level->labels, p->consumers[i], a);
    }
    to->single[slot] = remaining == 1;
    return remaining > 0;
}

static bool find_live(dv_ideal_level *level, const dv_ideal *from, dv_unit_id u, dv_ideal *to)
{
    const dv_problem *p = level->problem;
    uint32_t old = from ? from->live_count : p->tensor_count;
    uint32_t made = u == DV_NONE ? 0 : p->unit_output_start[u + 1] - p->unit_output_start[u];
    size_t most = (size_t)old + made;
    to->live = dv_arena_array(level->arena, most, sizeof *to->live);
    to->single = dv_arena_array(level->arena, most, sizeof *to->single);
    to->readable = dv_arena_array(level->arena, most * p->target_count, sizeof *to->readable);
    if (!to->live || !to->single || !to->readable)
        return false;
    for (uint32_t i = 0; i < old + made; i++) {
        uint32_t t = i >= old ? p->unit_outputs[p->unit_output_start[u] + i - old]
                     : from   ? from->live[i]
                              : i;
        if (!from && p->producer[t] != DV_NONE)
            continue;
        to->live[to->live_count] = t;
        to->live_count += describe_slot(level, to, t, to->live_count);
    }
    return true;
}

/* Which devices the rest may use at once, and at all. */
static bool find_devices(dv_ideal_level *level, dv_ideal *to)
{
    const dv_problem *p = level->problem;
    to->dispatch_us = dv_arena_array(level->arena, p->device_count, sizeof *to->dispatch_us);
    to->session_us = dv_arena_array(level->arena, p->device_count, sizeof *to->session_us);
    if (!to->dispatch_us || !to->session_us)
        return false;
    bool sessions = false;
    for (dv_device_id d = 0; d < p->device_count; d++)
        sessions = sessions || p->session_us[d] > 0.0;
    for (dv_target_id a = 0; a < p->target_count; a++) {
        dv_device_id d = p->device[a];
        for (uint32_t i = 0; i < to->ready_count; i++)
            if (dv_label(level->labels, to->ready[i], a))
                to->dispatch_us[d] = p->dispatch_us[d];
        for (dv_unit_id u = 0; sessions && u < p->unit_count && to->session_us[d] == 0.0; u++)
            if (!dv_ideal_has(to, u) && dv_label(level->labels, u, a))
                to->session_us[d] = p->session_us[d];
    }
    return true;
}

static bool describe(dv_ideal_level *level, const dv_ideal *from, dv_unit_id u, dv_ideal *to)
{
    const dv_problem *p = level->problem;
    to->done = dv_arena_array(level->arena, word_count(p), sizeof *to->done);
    if (!to->done)
        return false;
    if (from) {
        memcpy(to->done, from->done, word_count(p) * sizeof *to->done);
        to->done[u / 64] |= UINT64_C(1) << u % 64;
        /* Rounding must not make the last states look dear. */
        to->rest_us = fmax(0.0, from->rest_us - dv_ideal_least_us(p, level->labels, u));
    } else {
        for (dv_unit_id v = 0; v < p->unit_count; v++)
            to->rest_us += dv_ideal_least_us(p, level->labels, v);
    }
    return find_ready(level, from, u, to) && find_live(level, from, u, to) &&
           find_devices(level, to);
}

uint32_t dv_ideal_level_add(dv_ideal_level *level, const dv_ideal *from, dv_unit_id u)
{
    uint64_t hash = from ? from->hash ^ dv_rng_at(1, u) : 0;
    size_t at = hash & (level->table_size - 1);
    for (; level->table[at]; at = (at + 1) & (level->table_size - 1)) {
        uint32_t i = level->table[at] - 1;
        if (level->ideal[i].hash == hash && from &&
            is_child(level->problem, &level->ideal[i], from, u))
            return i;
    }
    void *items = level->ideal;
    if (!dv_grow(&items, &level->capacity, (size_t)level->count + 1, sizeof *level->ideal))
        return UINT32_MAX;
    level->ideal = items;
    dv_ideal to = {.hash = hash};
    if (level->count == UINT32_MAX - 1 || !describe(level, from, u, &to))
        return UINT32_MAX;
    level->ideal[level->count] = to;
    level->table[at] = ++level->count;
    if (2 * (size_t)level->count > level->table_size && !grow_table(level))
        return UINT32_MAX;
    return level->count - 1;
}
