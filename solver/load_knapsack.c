/* load_knapsack.c - see load_knapsack.h. */
#include "solver/load_knapsack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/evaluate.h"

/* Two bits a slot in 64. */
enum { SLOTS = 32 };

/* Of a tensor under way, before its maker is decided: READ_HERE, READ_AWAY, both or none; then: */
enum { READ_HERE = 1, READ_AWAY = 2, MADE_AWAY = 0, SETTLED = 1, MADE_HERE = 2 };

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "load bound: out of memory");
}

static uint32_t reader_count(const dv_problem *p, uint32_t t)
{
    return p->consumer_start[t + 1] - p->consumer_start[t];
}

static bool same_ends(const dv_problem *p, const dv_load_way *w, uint32_t t)
{
    uint32_t count = reader_count(p, t);
    return w->maker == p->producer[t] && w->host_needs == p->host_needs[t] &&
           count == reader_count(p, w->tensor) &&
           memcmp(p->consumers + p->consumer_start[t], p->consumers + p->consumer_start[w->tensor],
                  count * sizeof *p->consumers) == 0;
}

/* Tensors that cost something become ways; those with the same ends one. */
static void list_ways(dv_load_knapsack *k)
{
    const dv_problem *p = k->pieces;
    for (uint32_t t = 0; t < p->tensor_count; t++) {
        uint32_t readers = reader_count(p, t);
        bool host = p->producer[t] == DV_NONE;
        double in_us = readers > 0 ? dv_load_in_us(p, t, k->device) : 0.0;
        double out_us =
            !host && (readers > 0 || p->host_needs[t]) ? dv_load_out_us(p, t, k->device) : 0.0;
        if (in_us + out_us <= 0.0)
            continue;
        uint32_t w = 0;
        while (w < k->way_count && !same_ends(p, &k->way[w], t))
            w++;
        if (w == k->way_count)
            k->way[k->way_count++] =
                (dv_load_way){.maker = p->producer[t], .tensor = t, .host_needs = p->host_needs[t]};
        k->way[w].in_us += in_us;
        k->way[w].out_us += out_us;
    }
}

/* First and last piece of every way, and the ways at each piece. */
static bool place_ways(dv_load_knapsack *k)
{
    const dv_problem *p = k->pieces;
    size_t ends = 0;
    for (uint32_t i = 0; i < k->way_count; i++) {
        dv_load_way *w = &k->way[i];
        w->first = w->maker == DV_NONE ? UINT32_MAX : w->maker;
        w->last = w->maker == DV_NONE ? 0 : w->maker;
        ends += w->maker != DV_NONE;
        for (uint32_t r = p->consumer_start[w->tensor]; r < p->consumer_start[w->tensor + 1]; r++) {
            w->first = p->consumers[r] < w->first ? p->consumers[r] : w->first;
            w->last = p->consumers[r] > w->last ? p->consumers[r] : w->last;
            ends++;
        }
    }
    k->at_start = calloc((size_t)p->unit_count + 2, sizeof *k->at_start);
    k->at = calloc(ends + 1, sizeof *k->at);
    if (!k->at_start || !k->at)
        return false;
    for (int fill = 0; fill < 2; fill++) {
        for (uint32_t i = 0; i < k->way_count; i++) {
            const dv_load_way *w = &k->way[i];
            uint32_t begin = p->consumer_start[w->tensor], end = p->consumer_start[w->tensor + 1];
            for (uint32_t r = begin; r <= end; r++) {
                dv_unit_id u = r < end ? p->consumers[r] : w->maker;
                if (u == DV_NONE)
                    continue;
                if (fill)
                    k->at[k->at_start[u + 1]++] = i;
                else
                    k->at_start[u + 2]++;
            }
        }
        /* After counting, at_start[u + 1] is where piece u's ways begin; filling makes it its end.
         */
        for (uint32_t u = 0; !fill && u < p->unit_count; u++)
            k->at_start[u + 2] += k->at_start[u + 1];
    }
    return true;
}

/* A slot for each way while it is under way; false if there are too few. */
static bool find_slots(dv_load_knapsack *k)
{
    uint64_t free_slots = UINT32_MAX;
    for (dv_unit_id u = 0; u < k->pieces->unit_count; u++) {
        for (uint32_t i = k->at_start[u]; i < k->at_start[u + 1]; i++) {
            dv_load_way *w = &k->way[k->at[i]];
            if (w->first != u)
                continue;
            if (free_slots == 0)
                return false;
            w->slot = 0;
            while (!(free_slots >> w->slot & 1u))
                w->slot++;
            free_slots &= ~(UINT64_C(1) << w->slot);
        }
        for (uint32_t i = k->at_start[u]; i < k->at_start[u + 1]; i++)
            if (k->way[k->at[i]].last == u)
                free_slots |= UINT64_C(1) << k->way[k->at[i]].slot;
    }
    return true;
}

dv_status dv_load_knapsack_create(const dv_problem *pieces, dv_device_id device,
                                  dv_load_knapsack *out)
{
    *out = (dv_load_knapsack){.pieces = pieces, .device = device, .intervals = 12800};
    out->way = calloc((size_t)pieces->tensor_count + 1, sizeof *out->way);
    out->layer = calloc((size_t)pieces->unit_count + 1, sizeof *out->layer);
    if (!out->way || !out->layer)
        return no_memory();
    list_ways(out);
    if (!place_ways(out))
        return no_memory();
    out->fits = find_slots(out);
    return DV_OK;
}

static void free_layers(dv_load_knapsack *k)
{
    for (uint32_t i = 0; k->layer && i <= k->pieces->unit_count; i++) {
        free(k->layer[i].from);
        k->layer[i] = (dv_load_layer){0};
    }
    free(k->load_us);
    free(k->weight);
    k->load_us = k->weight = NULL;
    k->count = 0;
}

void dv_load_knapsack_free(dv_load_knapsack *knapsack)
{
    if (knapsack->pieces)
        free_layers(knapsack);
    free(knapsack->way);
    free(knapsack->layer);
    free(knapsack->at_start);
    free(knapsack->at);
    *knapsack = (dv_load_knapsack){0};
}

/* What of way w is known once piece u is decided, and what that costs. */
static uint64_t decide(const dv_load_way *w, dv_unit_id u, bool here, uint64_t known, double *us)
{
    if (u == w->first)
        known = 0; /* MADE_AWAY, for an input */
    if (u == w->maker) {
        bool settled = here ? (known & READ_AWAY) != 0 || w->host_needs : (known & READ_HERE) != 0;
        *us += settled ? (here ? w->out_us : w->in_us) : 0.0;
        return settled ? SETTLED : here ? MADE_HERE : MADE_AWAY;
    }
    if (w->maker != DV_NONE && w->maker > u)
        return known | (here ? READ_HERE : READ_AWAY);
    if ((known == MADE_AWAY && here) || (known == MADE_HERE && !here)) {
        *us += here ? w->in_us : w->out_us;
        return SETTLED;
    }
    return known;
}

/* The state after piece u; *us: what the ways cost by that. */
static uint64_t next_state(const dv_load_knapsack *k, uint64_t state, dv_unit_id u, bool here,
                           double *us)
{
    for (uint32_t i = k->at_start[u]; i < k->at_start[u + 1]; i++) {
        const dv_load_way *w = &k->way[k->at[i]];
        uint64_t known = decide(w, u, here, state >> 2 * w->slot & 3u, us);
        state &= ~(UINT64_C(3) << 2 * w->slot);
        if (w->last != u)
            state |= known << 2 * w->slot;
    }
    return state;
}

typedef struct group { /* of entries with one state */
    uint64_t state;
    uint32_t first, count;
} group;

typedef struct arc { /* from a group of the layer before */
    uint64_t state;
    uint32_t group;
    bool here;
    double us, weight;
} arc;

typedef struct frontier {
    group *group;
    uint32_t group_count;
    double *load_us, *weight; /* per entry */
    uint32_t entry_count;
} frontier;

static int by_state(const void *a, const void *b)
{
    const arc *x = a, *y = b;
    if (x->state != y->state)
        return x->state < y->state ? -1 : 1;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->here - y->here;
}

typedef struct interval {
    double load_us, weight;
    uint32_t from;
} interval;

static void free_frontier(frontier *f)
{
    free(f->group);
    free(f->load_us);
    free(f->weight);
}

/* Empties the intervals into entries that no other beats. */
static void collect(const interval *cell, uint32_t intervals, frontier *to, uint32_t *from)
{
    double best = -1.0;
    for (uint32_t i = 0; i < intervals; i++) {
        if (cell[i].weight <= best)
            continue;
        best = cell[i].weight;
        to->load_us[to->entry_count] = cell[i].load_us;
        to->weight[to->entry_count] = best;
        from[to->entry_count++] = cell[i].from;
    }
}

/* Throws the arc's entries into the intervals. */
static void throw_in(const frontier *f, const arc *a, double upper_us, uint32_t intervals,
                     interval *cell)
{
    const group *g = &f->group[a->group];
    double per_us = upper_us > 0.0 ? intervals / upper_us : 0.0;
    for (uint32_t e = g->first; e < g->first + g->count; e++) {
        double us = f->load_us[e] + a->us, weight = f->weight[e] + a->weight;
        if (us > upper_us)
            break;
        uint32_t at = (uint32_t)(us * per_us);
        interval *i = &cell[at < intervals ? at : intervals - 1];
        i->load_us = fmin(i->load_us, us);
        if (weight > i->weight) {
            i->weight = weight;
            i->from = 2 * e + a->here;
        }
    }
}

/* The arcs out of every group by piece u. Returns how many. */
static uint32_t list_arcs(const dv_load_knapsack *k, const frontier *f, dv_unit_id u,
                          const double *weight, arc *arcs)
{
    double us = dv_problem_time_us(k->pieces, u, k->device);
    uint32_t count = 0;
    for (uint32_t g = 0; g < f->group_count; g++)
        for (int here = 0; here < 2; here++) {
            if (here && isinf(us))
                continue;
            arc *a = &arcs[count++];
            *a = (arc){.group = g, .here = here, .us = here ? us : 0.0};
            a->weight = here ? weight[u] : 0.0;
            a->state = next_state(k, f->group[g].state, u, here, &a->us);
        }
    qsort(arcs, count, sizeof *arcs, by_state);
    return count;
}

/* One layer more. arcs: 2 * groups entries. */
static bool advance(dv_load_knapsack *k, frontier *f, dv_unit_id u, const double *weight,
                    double upper_us, arc *arcs, interval *cell)
{
    uint32_t count = list_arcs(k, f, u, weight, arcs);
    frontier to = {.group = calloc((size_t)count + 1, sizeof *to.group)};
    size_t most = 0;
    for (uint32_t i = 0; i < count; i++)
        most += f->group[arcs[i].group].count;
    to.load_us = malloc((most + 1) * sizeof *to.load_us);
    to.weight = malloc((most + 1) * sizeof *to.weight);
    uint32_t *from = malloc((most + 1) * sizeof *from);
    k->layer[u + 1].from = from;
    if (!to.group || !to.load_us || !to.weight || !from) {
        free_frontier(&to);
        return false;
    }
    for (uint32_t i = 0; i < count;) {
        group *g = &to.group[to.group_count];
        for (uint32_t c = 0; c < k->intervals; c++)
            cell[c] = (interval){.load_us = INFINITY, .weight = -1.0};
        *g = (group){.state = arcs[i].state, .first = to.entry_count};
        for (; i < count && arcs[i].state == g->state; i++)
            throw_in(f, &arcs[i], upper_us, k->intervals, cell);
        collect(cell, k->intervals, &to, from);
        g->count = to.entry_count - g->first;
        to.group_count += g->count > 0;
    }
    k->layer[u + 1].entry_count = to.entry_count;
    free_frontier(f);
    *f = to;
    return true;
}

static bool begin(const dv_load_knapsack *k, frontier *f)
{
    const dv_problem *p = k->pieces;
    *f = (frontier){.group = calloc(1, sizeof *f->group),
                    .load_us = calloc(1, sizeof *f->load_us),
                    .weight = calloc(1, sizeof *f->weight),
                    .group_count = 1,
                    .entry_count = 1};
    if (!f->group || !f->load_us || !f->weight)
        return false;
    f->group[0].count = 1;
    f->load_us[0] = p->dispatch_us[k->device] + p->session_us[k->device];
    return true;
}

dv_status dv_load_knapsack_solve(dv_load_knapsack *knapsack, const double *weight, double upper_us,
                                 size_t *work, bool *complete)
{
    const dv_problem *p = knapsack->pieces;
    frontier f;
    free_layers(knapsack);
    interval *cell = calloc((size_t)knapsack->intervals + 1, sizeof *cell);
    bool ok = begin(knapsack, &f) && cell;
    *complete = ok;
    for (dv_unit_id u = 0; ok && *complete && u < p->unit_count; u++) {
        arc *arcs = calloc(2 * (size_t)f.group_count + 1, sizeof *arcs);
        ok = arcs && advance(knapsack, &f, u, weight, upper_us, arcs, cell);
        free(arcs);
        *complete = ok && f.entry_count < *work;
        *work -= *complete ? f.entry_count : *work;
    }
    free(cell);
    if (!ok) {
        free_frontier(&f);
        return no_memory();
    }
    knapsack->load_us = f.load_us;
    knapsack->weight = f.weight;
    knapsack->count = *complete ? f.entry_count : 0;
    free(f.group);
    return DV_OK;
}

/* The last entry with at most that load, or count. */
static uint32_t entry_at(const dv_load_knapsack *k, double load_us)
{
    uint32_t low = 0, high = k->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (k->load_us[middle] <= load_us)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? low - 1 : k->count;
}

double dv_load_knapsack_value(const dv_load_knapsack *knapsack, double load_us)
{
    uint32_t e = entry_at(knapsack, load_us);
    return e < knapsack->count ? knapsack->weight[e] : 0.0;
}

void dv_load_knapsack_set(const dv_load_knapsack *knapsack, double load_us, bool *taken)
{
    uint32_t e = entry_at(knapsack, load_us);
    for (dv_unit_id u = knapsack->pieces->unit_count; u-- > 0;) {
        uint32_t from = e < knapsack->count ? knapsack->layer[u + 1].from[e] : 0;
        taken[u] = e < knapsack->count && from & 1u;
        e = e < knapsack->count ? from >> 1 : e;
    }
}
