/* problem.c - checks a problem and builds the adjacency that solvers walk. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/problem.h"

dv_problem *dv_problem_create(void)
{
    dv_arena *arena = dv_arena_create();
    dv_problem *problem = arena ? dv_arena_alloc(arena, sizeof *problem) : NULL;
    if (!problem) {
        dv_arena_destroy(arena);
        return NULL;
    }
    problem->arena = arena;
    problem->name = "";
    problem->max_segments = UINT32_MAX;
    problem->energy_budget_uj = INFINITY;
    problem->loss_budget = INFINITY;
    return problem;
}

void dv_problem_destroy(dv_problem *problem)
{
    if (problem)
        dv_arena_destroy(problem->arena);
}

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "problem: out of memory");
}

/* A cost is finite and not negative; where infinite is set, +inf is fine too. */
static bool is_cost(double value, bool infinite)
{
    return value >= 0.0 && (infinite || isfinite(value));
}

static dv_status check_unit_costs(const dv_problem *p, const double *values, const char *what,
                                  bool infinite)
{
    if (!values)
        return DV_OK;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        for (dv_target_id a = 0; a < p->target_count; a++) {
            double value = values[(size_t)u * p->target_count + a];
            if (!is_cost(value, infinite))
                return dv_fail(DV_BAD_INPUT,
                               "unit '%s' on %s: the %s is %g; it must be 0 or more%s",
                               p->unit_name[u], p->target_name[a], what, value,
                               infinite ? " (infinite: not supported)" : " and finite");
        }
    return DV_OK;
}

/* Do all units together stay finite even on their dearest targets? A sum that does not is no cost.
 */
static dv_status check_sum(const dv_problem *p, const double *values, const char *what)
{
    double sum = 0.0, dearest = -1.0;
    dv_unit_id unit = 0;
    for (dv_unit_id u = 0; values && u < p->unit_count; u++) {
        double most = 0.0;
        for (dv_target_id a = 0; a < p->target_count; a++) {
            double value = values[(size_t)u * p->target_count + a];
            most = isfinite(value) && value > most ? value : most;
        }
        sum += most;
        if (most > dearest) {
            dearest = most;
            unit = u;
        }
    }
    return isfinite(sum) ? DV_OK
                         : dv_fail(DV_BAD_INPUT,
                                   "the %s of all units is more than a number can hold; unit '%s' "
                                   "alone has %g: choose a larger measure",
                                   what, p->unit_name[unit], dearest);
}

static dv_status check_targets(const dv_problem *p)
{
    if (p->unit_count == 0 || p->target_count == 0 || p->device_count == 0)
        return dv_fail(DV_BAD_INPUT, "a problem needs at least one unit, target and device");
    if (p->host >= p->target_count)
        return dv_fail(DV_BAD_INPUT, "the host is target %u of %u", p->host, p->target_count);
    for (dv_target_id a = 0; a < p->target_count; a++)
        if (p->device[a] >= p->device_count)
            return dv_fail(DV_BAD_INPUT, "target %s: device %u of %u", p->target_name[a],
                           p->device[a], p->device_count);
    for (dv_device_id d = 0; d < p->device_count; d++) {
        bool fine = is_cost(p->dispatch_us[d], false) && is_cost(p->session_us[d], false) &&
                    is_cost(p->capacity_bytes[d], true);
        if (!fine)
            return dv_fail(DV_BAD_INPUT,
                           "device %s: dispatch %g us, session %g us, capacity %g bytes; "
                           "each must be a number, 0 or more",
                           p->device_name[d], p->dispatch_us[d], p->session_us[d],
                           p->capacity_bytes[d]);
    }
    for (dv_target_id a = 0; a < p->target_count; a++)
        for (dv_target_id b = 0; b < p->target_count; b++) {
            size_t pair = (size_t)a * p->target_count + b;
            if (!is_cost(p->move_latency_us[pair], false) ||
                !is_cost(p->move_us_per_byte[pair], false))
                return dv_fail(DV_BAD_INPUT,
                               "move from %s to %s: latency %g us, %g us per byte; each must be "
                               "a number, 0 or more",
                               p->target_name[a], p->target_name[b], p->move_latency_us[pair],
                               p->move_us_per_byte[pair]);
        }
    bool limits = p->energy_budget_uj >= 0.0 && p->loss_budget >= 0.0 && p->max_segments > 0;
    return limits ? DV_OK
                  : dv_fail(DV_BAD_INPUT, "limits: budgets must be 0 or more, segments 1 or more");
}

static dv_status check_tensors(const dv_problem *p)
{
    if (p->tensor_count && p->consumer_start[0] != 0)
        return dv_fail(DV_BAD_INPUT, "tensors: the list of consumers must start at 0");
    for (uint32_t t = 0; t < p->tensor_count; t++) {
        const char *name = p->tensor_name[t];
        if (p->producer[t] != DV_NONE && p->producer[t] >= p->unit_count)
            return dv_fail(DV_BAD_INPUT, "tensor '%s': made by unit %u of %u", name, p->producer[t],
                           p->unit_count);
        if (p->consumer_start[t + 1] < p->consumer_start[t])
            return dv_fail(DV_BAD_INPUT, "tensor '%s': its list of consumers runs backwards", name);
        for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++) {
            if (p->consumers[i] >= p->unit_count)
                return dv_fail(DV_BAD_INPUT, "tensor '%s': read by unit %u of %u", name,
                               p->consumers[i], p->unit_count);
            if (i > p->consumer_start[t] && p->consumers[i] <= p->consumers[i - 1])
                return dv_fail(DV_BAD_INPUT, "tensor '%s': consumers must ascend, each once", name);
            if (p->consumers[i] == p->producer[t])
                return dv_fail(DV_BAD_INPUT, "tensor '%s': unit '%s' reads what it makes itself",
                               name, p->unit_name[p->producer[t]]);
        }
        for (dv_target_id a = 0; a < p->target_count; a++)
            if (!is_cost(p->bytes[(size_t)t * p->target_count + a], false))
                return dv_fail(DV_BAD_INPUT, "tensor '%s' on %s: %g bytes; it must be 0 or more",
                               name, p->target_name[a], p->bytes[(size_t)t * p->target_count + a]);
    }
    return DV_OK;
}

/* A pin on a target that cannot run the unit. */
static dv_status check_pin(const dv_problem *p, dv_unit_id u)
{
    if (!p->pin || p->pin[u] == DV_NONE)
        return DV_OK;
    if (p->pin[u] >= p->target_count)
        return dv_fail(DV_BAD_INPUT, "unit '%s': pinned to target %u of %u", p->unit_name[u],
                       p->pin[u], p->target_count);
    return isfinite(dv_problem_time_us(p, u, p->pin[u]))
               ? DV_OK
               : dv_fail(DV_BAD_INPUT, "unit '%s': pinned to %s, which cannot run it",
                         p->unit_name[u], p->target_name[p->pin[u]]);
}

/* Units that no target can run, named: up to a few. */
static dv_status check_support(const dv_problem *p)
{
    enum { SHOWN = 5 };
    dv_text names = {0};
    uint32_t count = 0;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        dv_status pinned = check_pin(p, u);
        if (pinned != DV_OK) {
            dv_text_free(&names);
            return pinned;
        }
        bool some = false;
        for (dv_target_id a = 0; a < p->target_count && !some; a++)
            some = dv_problem_allows(p, u, a);
        if (some)
            continue;
        if (count++ < SHOWN)
            dv_text_append(&names, "%s'%s'", count > 1 ? ", " : "", p->unit_name[u]);
    }
    dv_status status = DV_OK;
    if (count)
        status =
            dv_fail(DV_BAD_INPUT, "no target can run %u unit%s: %s%s; allow another target", count,
                    count > 1 ? "s" : "", dv_text_string(&names), count > SHOWN ? ", ..." : "");
    dv_text_free(&names);
    return status;
}

static int compare_ids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Rows of ids: counts in start[row + 1] become offsets. */
static void sum_up(uint32_t *start, uint32_t rows)
{
    for (uint32_t i = 0; i < rows; i++)
        start[i + 1] += start[i];
}

static dv_status build_tensor_lists(dv_problem *p)
{
    uint32_t units = p->unit_count;
    size_t reads = p->tensor_count ? p->consumer_start[p->tensor_count] : 0;
    uint32_t *read_start = dv_arena_array(p->arena, (size_t)units + 1, sizeof *read_start);
    uint32_t *made_start = dv_arena_array(p->arena, (size_t)units + 1, sizeof *made_start);
    uint32_t *read = dv_arena_array(p->arena, reads, sizeof *read);
    uint32_t *made = dv_arena_array(p->arena, p->tensor_count, sizeof *made);
    uint32_t *fill = calloc((size_t)units * 2, sizeof *fill);
    if (!read_start || !made_start || !read || !made || !fill) {
        free(fill);
        return no_memory();
    }
    for (uint32_t t = 0; t < p->tensor_count; t++) {
        if (p->producer[t] != DV_NONE)
            made_start[p->producer[t] + 1]++;
        for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++)
            read_start[p->consumers[i] + 1]++;
    }
    sum_up(read_start, units);
    sum_up(made_start, units);
    for (uint32_t t = 0; t < p->tensor_count; t++) {
        dv_unit_id producer = p->producer[t];
        if (producer != DV_NONE)
            made[made_start[producer] + fill[producer]++] = t;
        for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++) {
            dv_unit_id u = p->consumers[i];
            read[read_start[u] + fill[units + u]++] = t;
        }
    }
    free(fill);
    p->unit_tensor_start = read_start;
    p->unit_tensors = read;
    p->unit_output_start = made_start;
    p->unit_outputs = made;
    return DV_OK;
}

/* Sorts each row and drops repeats, in place. */
static void make_distinct(uint32_t *start, uint32_t *ids, uint32_t rows)
{
    uint32_t to = 0, begin = 0;
    for (uint32_t row = 0; row < rows; row++) {
        uint32_t end = start[row + 1], first = to;
        qsort(ids + begin, end - begin, sizeof *ids, compare_ids);
        for (uint32_t i = begin; i < end; i++)
            if (to == first || ids[to - 1] != ids[i])
                ids[to++] = ids[i];
        start[row + 1] = to;
        begin = end;
    }
}

static dv_status build_neighbours(dv_problem *p)
{
    uint32_t units = p->unit_count;
    size_t reads = p->tensor_count ? p->consumer_start[p->tensor_count] : 0;
    uint32_t *next_start = dv_arena_array(p->arena, (size_t)units + 1, sizeof *next_start);
    uint32_t *previous_start = dv_arena_array(p->arena, (size_t)units + 1, sizeof *previous_start);
    uint32_t *next = dv_arena_array(p->arena, reads, sizeof *next);
    uint32_t *previous = dv_arena_array(p->arena, reads, sizeof *previous);
    uint32_t *fill = calloc((size_t)units * 2, sizeof *fill);
    if (!next_start || !previous_start || !next || !previous || !fill) {
        free(fill);
        return no_memory();
    }
    for (uint32_t t = 0; t < p->tensor_count; t++)
        for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++)
            if (p->producer[t] != DV_NONE) {
                next_start[p->producer[t] + 1]++;
                previous_start[p->consumers[i] + 1]++;
            }
    sum_up(next_start, units);
    sum_up(previous_start, units);
    for (uint32_t t = 0; t < p->tensor_count; t++)
        for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++) {
            dv_unit_id from = p->producer[t], to = p->consumers[i];
            if (from == DV_NONE)
                continue;
            next[next_start[from] + fill[from]++] = to;
            previous[previous_start[to] + fill[units + to]++] = from;
        }
    free(fill);
    make_distinct(next_start, next, units);
    make_distinct(previous_start, previous, units);
    p->next_start = next_start;
    p->next = next;
    p->previous_start = previous_start;
    p->previous = previous;
    return DV_OK;
}

/* Walks back from unit, each time to a producer that Kahn's algorithm left over, until a unit
   repeats: a cycle, which is named. */
static dv_status name_cycle(const dv_problem *p, dv_unit_id unit, const uint32_t *missing,
                            uint32_t *seen)
{
    enum { SHOWN = 8 };
    memset(seen, 0, p->unit_count * sizeof *seen);
    while (!seen[unit]) {
        seen[unit] = 1;
        for (uint32_t i = p->previous_start[unit]; i < p->previous_start[unit + 1]; i++)
            if (missing[p->previous[i]]) {
                unit = p->previous[i];
                break;
            }
    }
    dv_text path = {0};
    dv_unit_id at = unit;
    for (int shown = 0; shown < SHOWN; shown++) {
        dv_text_append(&path, "'%s' <- ", p->unit_name[at]);
        for (uint32_t i = p->previous_start[at]; i < p->previous_start[at + 1]; i++)
            if (missing[p->previous[i]] && seen[p->previous[i]]) {
                at = p->previous[i];
                break;
            }
        if (at == unit)
            break;
    }
    dv_text_append(&path, at == unit ? "'%s'" : "... '%s'", p->unit_name[unit]);
    dv_status status = dv_fail(DV_BAD_INPUT, "the units form a cycle: %s", dv_text_string(&path));
    dv_text_free(&path);
    return status;
}

/* Some edge runs backwards: is it a cycle, or only a bad order? */
static dv_status explain_order(const dv_problem *p, dv_unit_id from, dv_unit_id to)
{
    uint32_t *missing = calloc((size_t)p->unit_count * 2, sizeof *missing);
    if (!missing)
        return no_memory();
    uint32_t *queue = missing + p->unit_count, head = 0, tail = 0;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        missing[u] = p->previous_start[u + 1] - p->previous_start[u];
        if (missing[u] == 0)
            queue[tail++] = u;
    }
    while (head < tail) {
        dv_unit_id u = queue[head++];
        for (uint32_t i = p->next_start[u]; i < p->next_start[u + 1]; i++)
            if (--missing[p->next[i]] == 0)
                queue[tail++] = p->next[i];
    }
    dv_status status;
    if (tail == p->unit_count) {
        status = dv_fail(DV_BAD_INPUT,
                         "unit '%s' reads what '%s' makes later; list units in the order in which "
                         "they can run",
                         p->unit_name[to], p->unit_name[from]);
    } else {
        dv_unit_id start = 0;
        while (missing[start] == 0)
            start++;
        status = name_cycle(p, start, missing, queue);
    }
    free(missing);
    return status;
}

static dv_status check_order(const dv_problem *p)
{
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        for (uint32_t i = p->next_start[u]; i < p->next_start[u + 1]; i++)
            if (p->next[i] <= u)
                return explain_order(p, u, p->next[i]);
    return DV_OK;
}

/* A training step runs its forward pass first. */
static dv_status check_passes(const dv_problem *p)
{
    for (dv_unit_id u = 0; p->backward && u < p->unit_count; u++)
        for (uint32_t i = p->next_start[u]; i < p->next_start[u + 1]; i++)
            if (p->backward[u] && !p->backward[p->next[i]])
                return dv_fail(DV_BAD_INPUT,
                               "unit '%s' of the forward pass reads what '%s' of the backward pass "
                               "makes; mark both as backward, or neither",
                               p->unit_name[p->next[i]], p->unit_name[u]);
    return DV_OK;
}

dv_status dv_problem_link(dv_problem *problem)
{
    DV_TRY(build_tensor_lists(problem));
    return build_neighbours(problem);
}

dv_status dv_problem_finish(dv_problem *problem)
{
    DV_TRY(check_targets(problem));
    DV_TRY(check_unit_costs(problem, problem->time_us, "time", true));
    DV_TRY(check_unit_costs(problem, problem->memory_bytes, "memory", false));
    DV_TRY(check_unit_costs(problem, problem->energy_uj, "energy", false));
    DV_TRY(check_unit_costs(problem, problem->loss, "loss", false));
    DV_TRY(check_sum(problem, problem->time_us, "time"));
    DV_TRY(check_sum(problem, problem->memory_bytes, "memory"));
    DV_TRY(check_sum(problem, problem->energy_uj, "energy"));
    DV_TRY(check_sum(problem, problem->loss, "loss"));
    DV_TRY(check_tensors(problem));
    DV_TRY(dv_problem_link(problem));
    DV_TRY(check_order(problem));
    DV_TRY(check_passes(problem));
    return check_support(problem);
}
