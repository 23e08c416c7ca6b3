/* split.c - see split.h. */
#include "solver/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "solver/evaluate.h"
#include "solver/labels.h"
#include "solver/split_kinds.h"

/* The walk is as deep as there are units. */
enum { UNITS_MAX = 4000 };

typedef struct walk_sums { /* of the units between two ideals, on one kind */
    double compute_us;
    double lasting_us; /* ways to and from what can never join them: the host, the lower ideal */
    double open_us;    /* ways to and from units that still may */
    double bytes;
    uint32_t unsupported;
} walk_sums;

typedef struct run {
    const dv_problem *problem;
    const dv_lattice *lattice;
    const dv_split_settings *settings;
    dv_split_kind kind[DV_SPLIT_KINDS_MAX];
    uint32_t kind_count, combination_count;
    double *value;      /* [ideal * combinations + combination] */
    uint32_t *previous; /* the same: ideal from which it was reached */
    uint8_t *kind_used; /* the same: on what kind */
    double *rest_us;    /* [kind], of the ideal walked from: least work to come */
    double best_us;
    /* The walk from one ideal: */
    uint32_t *alive; /* combinations worth going on from */
    uint32_t alive_count;
    uint32_t *seen;    /* per ideal: walk in which it was last met */
    uint32_t walk;     /* number of the present one */
    dv_unit_id *units; /* to work in */
    bool *inside;      /* per unit: between the two ideals */
    uint32_t from;     /* the lower ideal */
    uint16_t *fits;    /* per ideal met in this walk: kinds on which the difference is below best */
    bool two_way;      /* may a reader be below its producer (in a training step)? */
    bool *spares;      /* per unit: see "decide" in split.h */
    uint32_t *reads;   /* per tensor: its readers inside */
    walk_sums sum[DV_SPLIT_KINDS_MAX];
    size_t steps;
    bool ended;
} run;

bool dv_split_serves(const dv_problem *problem)
{
    dv_split_kind kinds[DV_SPLIT_KINDS_MAX];
    uint32_t count, combinations;
    if (problem->unit_count > UNITS_MAX || problem->target_count != problem->device_count ||
        problem->group || problem->pin || dv_limit_energy_binds(problem) ||
        dv_limit_loss_binds(problem))
        return false;
    return dv_split_find_kinds(problem, kinds, &count, &combinations);
}

double dv_split_floor_us(const dv_problem *problem)
{
    double floor_us = 0.0;
    for (dv_target_id r = 0; r < problem->target_count; r++) {
        double work = 0.0, rate = 0.0;
        for (dv_unit_id u = 0; u < problem->unit_count; u++)
            work += dv_problem_time_us(problem, u, r);
        for (dv_target_id c = 0; c < problem->target_count; c++)
            rate += dv_split_exchange_rate(problem, r, c);
        if (isfinite(work) && rate > 0.0 && isfinite(rate))
            floor_us = fmax(floor_us, work / rate * (1.0 - 1e-12));
    }
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        double least = INFINITY;
        for (dv_target_id a = 0; a < problem->target_count; a++)
            if (dv_problem_allows(problem, u, a))
                least = fmin(least, dv_problem_time_us(problem, u, a));
        floor_us = fmax(floor_us, least);
    }
    return floor_us;
}

static void release(run *r)
{
    free(r->value);
    free(r->previous);
    free(r->kind_used);
    free(r->alive);
    free(r->seen);
    free(r->inside);
    free(r->units);
    free(r->reads);
    free(r->rest_us);
    free(r->fits);
    free(r->spares);
}

static bool allocate(run *r)
{
    size_t ideals = r->lattice->count, cells;
    if (!dv_mul_size(ideals, r->combination_count, &cells))
        return false;
    r->value = malloc(cells * sizeof *r->value);
    r->previous = malloc(cells * sizeof *r->previous);
    r->kind_used = malloc(cells * sizeof *r->kind_used);
    r->alive = calloc(r->combination_count, sizeof *r->alive);
    r->seen = calloc(ideals, sizeof *r->seen);
    r->inside = calloc((size_t)r->problem->unit_count + 1, sizeof *r->inside);
    r->units = calloc((size_t)r->problem->unit_count + 1, sizeof *r->units);
    r->reads = calloc((size_t)r->problem->tensor_count + 1, sizeof *r->reads);
    r->rest_us = calloc(r->kind_count, sizeof *r->rest_us);
    r->fits = calloc(ideals, sizeof *r->fits);
    r->spares = calloc((size_t)r->problem->unit_count + 1, sizeof *r->spares);
    if (!r->fits || !r->spares || !r->value || !r->previous || !r->kind_used || !r->alive ||
        !r->seen || !r->inside || !r->units || !r->reads || !r->rest_us)
        return false;
    for (size_t i = 0; i < cells; i++)
        r->value[i] = INFINITY;
    r->value[0] = 0.0;
    return true;
}

/* The readers of tensor t, and the host if it needs it. */
static uint32_t reader_count(const dv_problem *p, uint32_t t)
{
    return p->consumer_start[t + 1] - p->consumer_start[t] + p->host_needs[t];
}

/* Is unit u in the ideal that the walk began at? */
static bool is_below(const run *r, dv_unit_id u)
{
    const dv_lattice *l = r->lattice;
    if (l->set)
        return l->set[(size_t)r->from * l->word_count + u / 64] >> u % 64 & 1u;
    return l->place[u] < r->from;
}

/* The way of tensor t to or from the units inside, opened or closed on every kind. */
static void add_way(run *r, uint32_t t, bool out, bool lasts, double sign)
{
    for (uint32_t k = 0; k < r->kind_count; k++) {
        dv_target_id a = r->kind[k].first;
        double us = out ? dv_load_out_us(r->problem, t, a) : dv_load_in_us(r->problem, t, a);
        *(lasts ? &r->sum[k].lasting_us : &r->sum[k].open_us) += sign * us;
    }
}

/* Unit u joins as a reader of tensor t. */
static void add_reader(run *r, uint32_t t)
{
    const dv_problem *p = r->problem;
    dv_unit_id maker = p->producer[t];
    bool host = maker == DV_NONE;
    if (!host && r->inside[maker]) {
        if (r->reads[t] + 1 == reader_count(p, t))
            add_way(r, t, true, false, -1.0);
    } else if (r->reads[t] == 0) {
        add_way(r, t, false, host || is_below(r, maker), 1.0);
    }
    r->reads[t]++;
}

/* Unit u joins as the producer of tensor t. Only in a training step can readers be there already,
   or below. */
static void add_producer(run *r, uint32_t t)
{
    const dv_problem *p = r->problem;
    if (r->reads[t] > 0)
        add_way(r, t, false, false, -1.0);
    if (r->reads[t] == reader_count(p, t))
        return;
    bool lasts = p->host_needs[t];
    for (uint32_t i = p->consumer_start[t]; r->two_way && !lasts && i < p->consumer_start[t + 1];
         i++)
        lasts = is_below(r, p->consumers[i]);
    add_way(r, t, true, lasts, 1.0);
}

static void join(run *r, dv_unit_id u)
{
    const dv_problem *p = r->problem;
    for (uint32_t k = 0; k < r->kind_count; k++) {
        dv_target_id a = r->kind[k].first;
        double us = dv_problem_time_us(p, u, a);
        if (isinf(us))
            r->sum[k].unsupported++;
        else
            r->sum[k].compute_us += us;
        if (p->memory_bytes)
            r->sum[k].bytes += p->memory_bytes[(size_t)u * p->target_count + a];
    }
    for (uint32_t i = p->unit_tensor_start[u]; i < p->unit_tensor_start[u + 1]; i++)
        add_reader(r, p->unit_tensors[i]);
    for (uint32_t i = p->unit_output_start[u]; i < p->unit_output_start[u + 1]; i++)
        add_producer(r, p->unit_outputs[i]);
    r->inside[u] = true;
}

/* The reverse; the caller restores the sums. */
static void leave(run *r, dv_unit_id u)
{
    const dv_problem *p = r->problem;
    for (uint32_t i = p->unit_tensor_start[u]; i < p->unit_tensor_start[u + 1]; i++)
        r->reads[p->unit_tensors[i]]--;
    r->inside[u] = false;
}

/* The load of the walk's units on kind k; *lost: no more units can make it less than the best. */
static double load_us(const run *r, uint32_t k, bool *lost)
{
    const dv_problem *p = r->problem;
    const walk_sums *s = &r->sum[k];
    dv_device_id d = p->device[r->kind[k].first];
    double rising = s->compute_us + s->lasting_us + p->dispatch_us[d] + p->session_us[d];
    *lost = s->unsupported > 0 || rising >= r->best_us ||
            s->bytes > p->capacity_bytes[d] * (1.0 + 1e-9);
    return *lost ? INFINITY : rising + fmax(0.0, s->open_us);
}

static void arrive(run *r, uint32_t to, uint32_t k, double load)
{
    bool end = to == r->lattice->count - 1;
    for (uint32_t i = 0; i < r->alive_count; i++) {
        uint32_t c = r->alive[i];
        const dv_split_kind *kd = &r->kind[k];
        if (c / kd->stride % (kd->count + 1) == kd->count)
            continue;
        size_t old = (size_t)r->from * r->combination_count + c;
        size_t cell = (size_t)to * r->combination_count + c + kd->stride;
        double value = fmax(r->value[old], load);
        if (value >= r->value[cell] || value >= r->best_us)
            continue;
        r->value[cell] = value;
        r->previous[cell] = r->from;
        r->kind_used[cell] = (uint8_t)k;
        if (end && r->settings->decide)
            r->ended = true;
        else if (end)
            r->best_us = value;
    }
}

/* Kinds on which a unit more than ideal at fits as well, and spares whoever had it more than it
   costs them: who wants any split below the best need not stop at that ideal. */
static uint32_t kinds_to_go_on(const run *r, uint32_t at)
{
    const dv_lattice *l = r->lattice;
    uint32_t kinds = 0;
    for (uint32_t i = l->start[at]; r->settings->decide && i < l->start[at + 1]; i++)
        if (r->spares[l->by[i]] && r->seen[l->child[i]] == r->walk)
            kinds |= r->fits[l->child[i]];
    return kinds;
}

static void walk(run *r, uint32_t at)
{
    const dv_lattice *l = r->lattice;
    if (++r->steps % 4096 == 0)
        r->ended = r->ended || dv_progress_stopped(r->settings->progress) ||
                   dv_clock_s() >= r->settings->deadline_s ||
                   (r->settings->step_limit > 0 && r->steps > r->settings->step_limit);
    for (uint32_t i = l->start[at]; i < l->start[at + 1] && !r->ended; i++) {
        uint32_t to = l->child[i];
        if (r->seen[to] == r->walk)
            continue;
        r->seen[to] = r->walk;
        r->fits[to] = 0;
        walk_sums before[DV_SPLIT_KINDS_MAX];
        double load[DV_SPLIT_KINDS_MAX];
        memcpy(before, r->sum, r->kind_count * sizeof *before);
        join(r, l->by[i]);
        bool go_on = false;
        for (uint32_t k = 0; k < r->kind_count; k++) {
            bool lost;
            load[k] = load_us(r, k, &lost);
            if (load[k] < r->best_us)
                r->fits[to] |= (uint16_t)(1u << k);
            go_on = go_on || !lost;
        }
        if (go_on)
            walk(r, to);
        uint32_t kinds = go_on ? r->fits[to] & ~kinds_to_go_on(r, to) : 0;
        for (uint32_t k = 0; k < r->kind_count; k++)
            if (kinds >> k & 1u)
                arrive(r, to, k, load[k]);
        leave(r, l->by[i]);
        memcpy(r->sum, before, r->kind_count * sizeof *before); /* no rounding adds up */
    }
}

/* Work to come after an ideal, on each kind. */
static void sum_rest(run *r, uint32_t ideal, const double *all_us)
{
    const dv_lattice *l = r->lattice;
    for (uint32_t k = 0; k < r->kind_count; k++) {
        r->rest_us[k] = all_us[k];
        for (dv_unit_id u = 0; l->set && u < r->problem->unit_count; u++)
            if (l->set[(size_t)ideal * l->word_count + u / 64] >> u % 64 & 1u)
                r->rest_us[k] -= dv_problem_time_us(r->problem, u, r->kind[k].first);
    }
}

/* Even if the devices left work to the last at less than the best load: can they do the rest? */
static bool can_finish(const run *r, uint32_t combination, const double *rate)
{
    for (uint32_t k = 0; k < r->kind_count; k++) {
        double able = 0.0;
        for (uint32_t c = 0; c < r->kind_count; c++) {
            uint32_t left =
                r->kind[c].count - combination / r->kind[c].stride % (r->kind[c].count + 1);
            if (left > 0)
                able += left * r->best_us * rate[k * r->kind_count + c];
        }
        if (isfinite(r->rest_us[k]) && able < r->rest_us[k] * (1.0 - 1e-9))
            return false;
    }
    return true;
}

static uint32_t devices_used(const run *r, uint32_t combination)
{
    uint32_t used = 0;
    for (uint32_t k = 0; k < r->kind_count; k++)
        used += combination / r->kind[k].stride % (r->kind[k].count + 1);
    return used;
}

/* Who wants any split below the best needs no more devices than do. */
static bool fewer_do(const run *r, uint32_t ideal, uint32_t combination)
{
    const double *value = r->value + (size_t)ideal * r->combination_count;
    for (uint32_t k = 0; r->settings->decide && k < r->kind_count; k++) {
        uint32_t used = combination / r->kind[k].stride % (r->kind[k].count + 1);
        for (uint32_t less = 1; less <= used; less++)
            if (value[combination - less * r->kind[k].stride] < r->best_us)
                return true;
    }
    return false;
}

static void search(run *r, const double *all_us, const double *rate)
{
    for (uint32_t ideal = 0; ideal + 1 < r->lattice->count && !r->ended; ideal++) {
        bool any = false;
        for (uint32_t c = 0; !any && c < r->combination_count; c++)
            any = r->value[(size_t)ideal * r->combination_count + c] < r->best_us;
        if (!any)
            continue;
        if (r->lattice->set)
            sum_rest(r, ideal, all_us);
        r->alive_count = 0;
        for (uint32_t c = 0; c < r->combination_count; c++)
            if (r->value[(size_t)ideal * r->combination_count + c] < r->best_us &&
                devices_used(r, c) < r->problem->max_segments && !fewer_do(r, ideal, c) &&
                (!r->lattice->set || can_finish(r, c, rate)))
                r->alive[r->alive_count++] = c;
        r->walk++;
        r->from = ideal;
        if (r->alive_count > 0)
            walk(r, ideal);
        if (ideal % 64 == 63)
            dv_progress_step(r->settings->progress, "ideals",
                             (ideal + 1.0) / (double)r->lattice->count);
    }
}

/* Units of the difference of two ideals, producers first, into order[first..]; returns how many. */
static uint32_t list_difference(run *r, uint32_t from, uint32_t to, dv_unit_id *order)
{
    const dv_lattice *l = r->lattice;
    uint32_t count = 0;
    if (!l->set) {
        for (uint32_t i = from; i < to; i++)
            order[count++] = l->by[i];
        return count;
    }
    const uint64_t *a = l->set + (size_t)from * l->word_count;
    const uint64_t *b = l->set + (size_t)to * l->word_count;
    for (dv_unit_id u = 0; u < r->problem->unit_count; u++)
        if ((b[u / 64] & ~a[u / 64]) >> u % 64 & 1u)
            order[count++] = u; /* units are numbered in a topological order */
    return count;
}

static void trace(run *r, dv_target_id *target, dv_unit_id *order, dv_split_result *result)
{
    uint32_t last = r->lattice->count - 1, best = 0;
    const double *value = r->value + (size_t)last * r->combination_count;
    for (uint32_t c = 1; c < r->combination_count; c++)
        if (value[c] < value[best])
            best = c;
    result->found = isfinite(value[best]);
    result->load_us = value[best];
    uint32_t end = r->problem->unit_count, ideal = last, c = best;
    while (result->found && ideal > 0) {
        size_t cell = (size_t)ideal * r->combination_count + c;
        const dv_split_kind *kd = &r->kind[r->kind_used[cell]];
        c -= kd->stride;
        /* The device of that kind with the number of those used before. */
        uint32_t skip = c / kd->stride % (kd->count + 1);
        dv_target_id a = kd->first;
        for (; skip > 0 || !dv_split_alike(r->problem, kd->first, a); a++)
            skip -= dv_split_alike(r->problem, kd->first, a);
        dv_unit_id *units = r->units;
        uint32_t count = list_difference(r, r->previous[cell], ideal, units);
        end -= count;
        memmove(order + end, units, count * sizeof *order);
        for (uint32_t i = 0; i < count; i++)
            target[order[end + i]] = a;
        ideal = r->previous[cell];
    }
}

/* Is there a tensor that need not run forward? */
static bool runs_two_ways(const dv_problem *p)
{
    for (uint32_t t = 0; t < p->tensor_count; t++) {
        dv_unit_id u = p->producer[t];
        for (uint32_t i = p->consumer_start[t]; u != DV_NONE && i < p->consumer_start[t + 1]; i++) {
            uint32_t k = p->next_start[u];
            while (k < p->next_start[u + 1] && p->next[k] != p->consumers[i])
                k++;
            if (k == p->next_start[u + 1])
                return true;
        }
    }
    return false;
}

/* Does a set of units that loses unit u, its lowest, save at least what it then pays for more ways,
   on any kind of device? */
static bool spares(const dv_problem *p, const run *r, dv_unit_id u)
{
    for (uint32_t k = 0; k < r->kind_count; k++) {
        dv_target_id a = r->kind[k].first;
        double ways_us = 0.0;
        for (uint32_t i = p->unit_output_start[u]; i < p->unit_output_start[u + 1]; i++)
            ways_us += dv_load_in_us(p, p->unit_outputs[i], a);
        for (uint32_t i = p->unit_tensor_start[u]; r->two_way && i < p->unit_tensor_start[u + 1];
             i++)
            if (p->producer[p->unit_tensors[i]] != DV_NONE)
                ways_us += dv_load_out_us(p, p->unit_tensors[i], a);
        if (dv_problem_time_us(p, u, a) < ways_us * (1.0 + 1e-9))
            return false;
    }
    return true;
}

dv_status dv_split_run(const dv_problem *problem, const dv_lattice *lattice,
                       const dv_split_settings *settings, dv_target_id *target, dv_unit_id *order,
                       dv_split_result *result)
{
    run r = {.problem = problem,
             .lattice = lattice,
             .settings = settings,
             .two_way = runs_two_ways(problem),
             .best_us = settings->upper_us};
    double all_us[DV_SPLIT_KINDS_MAX], rate[DV_SPLIT_KINDS_MAX * DV_SPLIT_KINDS_MAX];
    *result = (dv_split_result){.load_us = INFINITY};
    bool ok =
        dv_split_find_kinds(problem, r.kind, &r.kind_count, &r.combination_count) && allocate(&r);
    if (ok) {
        dv_split_rates(problem, r.kind, r.kind_count, all_us, rate);
        for (dv_unit_id u = 0; u < problem->unit_count; u++)
            r.spares[u] = spares(problem, &r, u);
        search(&r, all_us, rate);
        trace(&r, target, order, result);
        result->exact = !r.ended;
    }
    release(&r);
    return ok ? DV_OK : dv_fail(DV_NO_MEMORY, "split: out of memory");
}
