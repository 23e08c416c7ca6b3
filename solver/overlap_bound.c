/* overlap_bound.c - heads and tails. */
#include "solver/overlap_bound.h"

#include <math.h>
#include <stdlib.h>

double dv_overlap_edge_us(const dv_overlap_bound *bound, uint32_t tensor, uint32_t reader,
                          dv_target_id from, dv_target_id to)
{
    const dv_problem *p = bound->problem;
    double move = dv_problem_move_us(p, tensor, from, to);
    dv_device_id d = p->device[to];
    if (p->device[from] == d)
        return move;
    return fmax(move + bound->entry_us[(size_t)reader * p->device_count + d],
                bound->wait_us[(size_t)p->producer[tensor] * p->device_count + d]);
}

/* Where u stands among the readers of t. */
static uint32_t reader_of(const dv_problem *p, uint32_t t, dv_unit_id u)
{
    uint32_t low = p->consumer_start[t], high = p->consumer_start[t + 1];
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (p->consumers[middle] <= u)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static bool share_group(const dv_problem *p, dv_unit_id u, dv_unit_id v)
{
    return p->group && p->group[u] != DV_NONE && p->group[u] == p->group[v];
}

static bool open_at(const dv_overlap_bound *b, dv_unit_id u, dv_target_id a)
{
    return isfinite(b->head_us[(size_t)u * b->problem->target_count + a]);
}

/* The earliest arrival on target a of tensor t, which u reads. */
static double arrival_us(const dv_overlap_bound *b, uint32_t t, dv_unit_id u, dv_target_id a)
{
    const dv_problem *p = b->problem;
    dv_unit_id maker = p->producer[t];
    if (maker == DV_NONE)
        return dv_problem_move_us(p, t, p->host, a);
    bool together = share_group(p, u, maker);
    uint32_t reader = reader_of(p, t, u);
    double best = INFINITY;
    for (dv_target_id from = 0; from < p->target_count; from++)
        if (open_at(b, maker, from) && !(together && p->device[from] != p->device[a]))
            best = fmin(best, b->head_us[(size_t)maker * p->target_count + from] +
                                  dv_overlap_edge_us(b, t, reader, from, a));
    return best;
}

static void find_heads(dv_overlap_bound *b)
{
    const dv_problem *p = b->problem;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        for (dv_target_id a = 0; a < p->target_count; a++) {
            if (!open_at(b, u, a))
                continue;
            dv_device_id d = p->device[a];
            double start = p->session_us[d] + p->dispatch_us[d];
            /* What arrives from another device is waited for; what is made here comes before u on
               the device, and so does the device's first dispatch. */
            double ready = 0.0;
            for (uint32_t i = p->unit_tensor_start[u]; i < p->unit_tensor_start[u + 1]; i++)
                ready = fmax(ready, arrival_us(b, p->unit_tensors[i], u, a));
            ready += b->first_us[(size_t)u * p->device_count + d];
            b->head_us[(size_t)u * p->target_count + a] =
                fmax(start, ready) + dv_problem_time_us(p, u, a);
        }
}

/* The least time that a reader needs after u's tensor t is made on target a. */
static double after_us(const dv_overlap_bound *b, uint32_t t, dv_unit_id u, dv_target_id a,
                       uint32_t reader)
{
    const dv_problem *p = b->problem;
    dv_unit_id c = p->consumers[reader];
    bool together = share_group(p, u, c);
    double best = INFINITY;
    for (dv_target_id to = 0; to < p->target_count; to++)
        if (open_at(b, c, to) && !(together && p->device[to] != p->device[a]))
            best =
                fmin(best, dv_overlap_edge_us(b, t, reader, a, to) + dv_problem_time_us(p, c, to) +
                               b->tail_us[(size_t)c * p->target_count + to]);
    return best;
}

static void find_tails(dv_overlap_bound *b)
{
    const dv_problem *p = b->problem;
    for (dv_unit_id u = p->unit_count; u-- > 0;)
        for (dv_target_id a = 0; a < p->target_count; a++) {
            double tail = 0.0;
            for (uint32_t i = p->unit_output_start[u]; i < p->unit_output_start[u + 1]; i++) {
                uint32_t t = p->unit_outputs[i];
                if (p->host_needs[t])
                    tail = fmax(tail, dv_problem_move_us(p, t, a, p->host));
                for (uint32_t k = p->consumer_start[t]; k < p->consumer_start[t + 1]; k++)
                    tail = fmax(tail, after_us(b, t, u, a, k));
            }
            b->tail_us[(size_t)u * p->target_count + a] = tail;
        }
}

static void find_path(dv_overlap_bound *b)
{
    const dv_problem *p = b->problem;
    b->path_us = 0.0;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        double best = INFINITY;
        for (dv_target_id a = 0; a < p->target_count; a++)
            best = fmin(best, b->head_us[(size_t)u * p->target_count + a] +
                                  b->tail_us[(size_t)u * p->target_count + a]);
        b->path_us = fmax(b->path_us, best);
    }
}

/* Every unit at its cheapest for the shares; load: what each device then has to do. */
static double share_out(dv_overlap_bound *b, double *load)
{
    const dv_problem *p = b->problem;
    double sum = 0.0;
    for (dv_device_id d = 0; d < p->device_count; d++)
        load[d] = 0.0;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        dv_target_id best = DV_NONE;
        b->work_us[u] = INFINITY;
        for (dv_target_id a = 0; a < p->target_count; a++) {
            double cost = b->share[p->device[a]] * dv_problem_time_us(p, u, a);
            if (open_at(b, u, a) && cost < b->work_us[u]) {
                b->work_us[u] = cost;
                best = a;
            }
        }
        sum += b->work_us[u];
        if (best != DV_NONE)
            load[p->device[best]] += dv_problem_time_us(p, u, best);
    }
    return sum;
}

/* The makespan is at least any weighted mean of the devices' loads, so at least the least such
   mean. The weights that make it largest: devices with much to do count for more, again and again,
   by less each time (multiplicative weights). */
static void find_device(dv_overlap_bound *b)
{
    enum { ROUNDS = 200 };
    const dv_problem *p = b->problem;
    double *best = b->share + p->device_count, *load = best + p->device_count, best_us = -1.0;
    for (dv_device_id d = 0; d < p->device_count; d++)
        b->share[d] = best[d] = 1.0 / p->device_count;
    for (int round = 1; round <= ROUNDS; round++) {
        double sum = share_out(b, load), most = 0.0, total = 0.0;
        if (sum > best_us) {
            best_us = sum;
            for (dv_device_id d = 0; d < p->device_count; d++)
                best[d] = b->share[d];
        }
        for (dv_device_id d = 0; d < p->device_count; d++)
            most = fmax(most, load[d]);
        for (dv_device_id d = 0; d < p->device_count; d++)
            total += b->share[d] *= most > 0.0 ? exp(load[d] / most / sqrt(round)) : 1.0;
        for (dv_device_id d = 0; d < p->device_count; d++)
            b->share[d] /= total;
    }
    for (dv_device_id d = 0; d < p->device_count; d++)
        b->share[d] = best[d];
    b->device_us = share_out(b, load) * (1 - 1e-12);
}

enum { MOST_COMPARED = 10000 };

/* Sets of units as rows of bits. */
typedef struct relations {
    const dv_problem *p;
    size_t words;
    uint64_t *behind;  /* per unit: what it reads from, however far, and itself */
    uint64_t *ahead;   /* per unit: what follows from it */
    uint64_t *allowed; /* per device: what may run there */
} relations;

static void add_bit(uint64_t *row, uint32_t bit)
{
    row[bit / 64] |= (uint64_t)1 << bit % 64;
}

static void relate(const relations *r)
{
    const dv_problem *p = r->p;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        uint64_t *row = r->behind + u * r->words;
        add_bit(row, u);
        for (uint32_t i = p->previous_start[u]; i < p->previous_start[u + 1]; i++)
            for (size_t w = 0; w < r->words; w++)
                row[w] |= r->behind[p->previous[i] * r->words + w];
        for (dv_target_id a = 0; a < p->target_count; a++)
            if (dv_problem_allows(p, u, a))
                add_bit(r->allowed + p->device[a] * r->words, u);
    }
    for (dv_unit_id u = p->unit_count; u-- > 0;) {
        uint64_t *row = r->ahead + u * r->words;
        for (uint32_t i = p->next_start[u]; i < p->next_start[u + 1]; i++) {
            add_bit(row, p->next[i]);
            for (size_t w = 0; w < r->words; w++)
                row[w] |= r->ahead[p->next[i] * r->words + w];
        }
    }
}

/* May a unit beside u, neither behind nor ahead of it, run on device d? */
static bool has_company(const relations *r, dv_unit_id u, dv_device_id d)
{
    uint64_t any = 0;
    for (size_t w = 0; w < r->words; w++)
        any |= r->allowed[d * r->words + w] & ~r->behind[u * r->words + w] &
               ~r->ahead[u * r->words + w];
    return any != 0;
}

/* May a unit ahead of u, but neither c nor ahead of c, run on device d? */
static bool has_rival(const relations *r, dv_unit_id u, dv_unit_id c, dv_device_id d)
{
    for (size_t w = 0; w < r->words; w++) {
        uint64_t word =
            r->allowed[d * r->words + w] & r->ahead[u * r->words + w] & ~r->ahead[c * r->words + w];
        if (w == c / 64)
            word &= ~((uint64_t)1 << c % 64);
        if (word)
            return true;
    }
    return false;
}

/* Nobody else can have begun a segment on d in which u's readers are. */
static void enter(dv_overlap_bound *b, const relations *r, dv_unit_id u, dv_device_id d)
{
    const dv_problem *p = b->problem;
    double dispatch = p->dispatch_us[d];
    b->wait_us[(size_t)u * p->device_count + d] = dispatch;
    if (p->previous_start[u] == p->previous_start[u + 1]) /* the first on d, if it is there */
        b->first_us[(size_t)u * p->device_count + d] = dispatch + p->session_us[d];
    for (uint32_t i = p->unit_output_start[u]; i < p->unit_output_start[u + 1]; i++) {
        uint32_t t = p->unit_outputs[i];
        for (uint32_t k = p->consumer_start[t]; k < p->consumer_start[t + 1]; k++)
            if (!has_rival(r, u, p->consumers[k], d))
                b->entry_us[(size_t)k * p->device_count + d] = dispatch;
    }
}

static void find_entries(dv_overlap_bound *b, const relations *r)
{
    relate(r);
    for (dv_unit_id u = 0; u < b->problem->unit_count; u++)
        for (dv_device_id d = 0; d < b->problem->device_count; d++)
            if (!has_company(r, u, d))
                enter(b, r, u, d);
}

static dv_status compare_units(dv_overlap_bound *b)
{
    const dv_problem *p = b->problem;
    if (p->unit_count > MOST_COMPARED)
        return DV_OK;
    size_t words = p->unit_count / 64 + 1, units = (size_t)p->unit_count + 1;
    relations r = {.p = p, .words = words};
    r.behind = calloc(units * words, sizeof *r.behind);
    r.ahead = calloc(units * words, sizeof *r.ahead);
    r.allowed = calloc(((size_t)p->device_count + 1) * words, sizeof *r.allowed);
    bool ok = r.behind && r.ahead && r.allowed;
    if (ok)
        find_entries(b, &r);
    free(r.behind);
    free(r.ahead);
    free(r.allowed);
    return ok ? DV_OK : dv_fail(DV_NO_MEMORY, "makespan: out of memory");
}

dv_status dv_overlap_bound_create(const dv_problem *problem, dv_overlap_bound *bound)
{
    size_t cells;
    *bound = (dv_overlap_bound){.problem = problem};
    if (!dv_mul_size(problem->unit_count, problem->target_count, &cells))
        return dv_fail(DV_NO_MEMORY, "makespan: out of memory");
    bound->head_us = calloc(cells + 1, sizeof *bound->head_us);
    bound->tail_us = calloc(cells + 1, sizeof *bound->tail_us);
    bound->work_us = calloc((size_t)problem->unit_count + 1, sizeof *bound->work_us);
    size_t entries = (size_t)problem->unit_count * problem->device_count + 1;
    size_t readers = problem->consumer_start[problem->tensor_count];
    bound->wait_us = calloc(entries, sizeof *bound->wait_us);
    bound->entry_us = calloc(readers * problem->device_count + 1, sizeof *bound->entry_us);
    bound->first_us = calloc(entries, sizeof *bound->first_us);
    bound->share = calloc(3 * (size_t)problem->device_count + 1, sizeof *bound->share);
    if (!bound->head_us || !bound->tail_us || !bound->work_us || !bound->share ||
        !bound->entry_us || !bound->first_us || !bound->wait_us)
        return dv_fail(DV_NO_MEMORY, "makespan: out of memory");
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        for (dv_target_id a = 0; a < problem->target_count; a++)
            if (!dv_problem_allows(problem, u, a))
                bound->head_us[(size_t)u * problem->target_count + a] = INFINITY;
    DV_TRY(compare_units(bound));
    find_heads(bound);
    find_tails(bound);
    find_path(bound);
    find_device(bound);
    return DV_OK;
}

void dv_overlap_bound_free(dv_overlap_bound *bound)
{
    free(bound->head_us);
    free(bound->tail_us);
    free(bound->work_us);
    free(bound->share);
    free(bound->entry_us);
    free(bound->wait_us);
    free(bound->first_us);
    *bound = (dv_overlap_bound){0};
}

bool dv_overlap_bound_tighten(dv_overlap_bound *bound, double upper_us)
{
    const dv_problem *p = bound->problem;
    double limit = upper_us * (1 - 1e-9);
    for (bool changed = true; changed;) {
        changed = false;
        for (dv_unit_id u = 0; u < p->unit_count; u++) {
            bool open = false;
            for (dv_target_id a = 0; a < p->target_count; a++) {
                size_t cell = (size_t)u * p->target_count + a;
                if (!isfinite(bound->head_us[cell]))
                    continue;
                if (bound->head_us[cell] + bound->tail_us[cell] >= limit) {
                    bound->head_us[cell] = INFINITY;
                    changed = true;
                } else {
                    open = true;
                }
            }
            if (!open)
                return false;
        }
        if (changed) {
            find_heads(bound);
            find_tails(bound);
        }
    }
    find_path(bound);
    find_device(bound);
    return true;
}
