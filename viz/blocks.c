/* blocks.c - the parts of a network that repeat: runs of units whose types come again and again, as
   the layers of a transformer do. */
#include "viz/blocks.h"

#include <math.h>

enum { SHORTEST = 3, LONGEST = 256, LEAST_REPEATS = 2, MOST_RUNS = 64 };

typedef struct finder {
    const uint32_t *type;     /* per unit; a compact copy: it is walked a thousand times */
    const uint32_t *crossing; /* per unit: values that cross from before it to it or beyond */
    dv_blocks *blocks;
} finder;

/* The best run with that period in [low, high): units i with type(i) = type(i + period). */
static dv_block_run best_of_period(const finder *f, uint32_t low, uint32_t high, uint32_t period)
{
    dv_block_run best = {low, period, 0};
    uint32_t equal = 0, longest = 0;
    for (uint32_t i = low; i + period < high; i++) {
        equal = f->type[i] == f->type[i + period] ? equal + 1 : 0;
        if (equal > longest) {
            longest = equal;
            best.first = i + 1 - equal;
        }
    }
    best.repeats = longest >= period ? longest / period + 1 : 0;
    return best;
}

/* The end of the stretch that repeats with the run's period from its start on. */
static uint32_t stretch_end(const finder *f, const dv_block_run *run, uint32_t high)
{
    uint32_t i = run->first;
    while (i + run->period < high && f->type[i] == f->type[i + run->period])
        i++;
    return i + run->period;
}

/* Moves the start so that as few values as possible cross into a block. */
static void align(const finder *f, dv_block_run *run, uint32_t high)
{
    uint32_t end = stretch_end(f, run, high), best = run->first;
    for (uint32_t first = run->first; first < run->first + run->period; first++) {
        uint32_t repeats = (end - first) / run->period;
        uint32_t best_repeats = (end - best) / run->period;
        if (repeats < LEAST_REPEATS || repeats + 1 < best_repeats)
            break;
        if (f->crossing[first + run->period] < f->crossing[best + run->period])
            best = first;
    }
    run->first = best;
    run->repeats = (end - best) / run->period;
}

static bool of_one_type(const finder *f, const dv_block_run *run)
{
    for (uint32_t i = 1; i < run->period; i++)
        if (f->type[run->first + i] != f->type[run->first])
            return false;
    return true;
}

/* Many repeats count for more than long ones: two halves of a network may agree, but what people
   call its blocks are the smaller parts within. */
static double merit(const dv_block_run *run)
{
    return run->repeats < LEAST_REPEATS ? 0 : (run->repeats - 1) * pow(run->period, 0.3);
}

/* Finds the best run in [low, high), the shortest where that is a draw, then looks on both sides
   of it. */
static void find_runs(finder *f, uint32_t low, uint32_t high)
{
    while (f->blocks->run_count < MOST_RUNS) {
        dv_block_run best = {0, 0, 0};
        for (uint32_t p = SHORTEST; p <= LONGEST && 2 * p <= high - low; p++) {
            dv_block_run trial = best_of_period(f, low, high, p);
            if (merit(&trial) > merit(&best) * (1 + 1e-12) && !of_one_type(f, &trial))
                best = trial;
        }
        if (best.repeats < LEAST_REPEATS)
            return;
        align(f, &best, high);
        f->blocks->runs[f->blocks->run_count++] = best;
        find_runs(f, low, best.first);
        low = best.first + best.repeats * best.period;
    }
}

static void count_crossing(const dv_problem *problem, uint32_t *crossing)
{
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        dv_unit_id last = u;
        for (uint32_t e = problem->next_start[u]; e < problem->next_start[u + 1]; e++)
            if (problem->next[e] > last)
                last = problem->next[e];
        crossing[u + 1]++;
        crossing[last + 1]--;
    }
    for (uint32_t u = 1; u <= problem->unit_count; u++)
        crossing[u] += crossing[u - 1];
}

dv_status dv_blocks_find(const dv_problem *problem, const dv_unit_text *texts, dv_arena *arena,
                         dv_blocks *out)
{
    uint32_t count = problem->unit_count;
    uint32_t *crossing = dv_arena_array(arena, (size_t)count + 2, sizeof *crossing);
    uint32_t *type = dv_arena_array(arena, count, sizeof *type);
    *out = (dv_blocks){.runs = dv_arena_array(arena, MOST_RUNS, sizeof *out->runs),
                       .block_of = dv_arena_array(arena, count, sizeof *out->block_of)};
    if (!crossing || !type || !out->runs || !out->block_of)
        return dv_fail(DV_NO_MEMORY, "no memory to look for repeated blocks");
    for (dv_unit_id u = 0; u < count; u++)
        type[u] = texts[u].type_number;
    count_crossing(problem, crossing);
    find_runs(&(finder){type, crossing, out}, 0, count);
    for (dv_unit_id u = 0; u < count; u++)
        out->block_of[u] = DV_NONE;
    for (uint32_t r = 0; r < out->run_count; r++)
        for (uint32_t i = 0; i < out->runs[r].repeats; i++, out->block_count++)
            for (uint32_t k = 0; k < out->runs[r].period; k++)
                out->block_of[out->runs[r].first + i * out->runs[r].period + k] = out->block_count;
    return DV_OK;
}
