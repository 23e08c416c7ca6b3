/* suffix.c - layer after layer from the end; see suffix.h. */
#include "solver/suffix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/frontier.h"
#include "solver/groups.h"

/* A state is held against this many of the cheapest kept ones. */
enum { RIVALS = 40 };

/* The parts of a key. */
enum { FIRST, USED, SLOTS };

typedef struct states { /* of a layer under way; keys of one width */
    size_t width, count, capacity;
    uint64_t *key;
    double *cost;
    uint32_t *next;
    dv_target_id *choice;
} states;

typedef struct ranked {
    const uint64_t *key;
    size_t width;
    double cost;
    uint32_t state;
} ranked;

bool dv_suffix_serves(const dv_problem *problem)
{
    return dv_frontier_serves(problem) && problem->target_count <= 64;
}

static size_t width_of(const dv_suffix *s, uint32_t k)
{
    return SLOTS + (size_t)s->layers[k].live_count + s->group_count;
}

static bool reserve(states *to)
{
    if (to->count < to->capacity)
        return true;
    size_t capacity = to->capacity ? 2 * to->capacity : 64, bytes;
    if (capacity >= UINT32_MAX || !dv_mul_size(capacity, to->width * sizeof *to->key, &bytes))
        return false;
    void *key = realloc(to->key, bytes);
    to->key = key ? key : to->key;
    void *cost = realloc(to->cost, capacity * sizeof *to->cost);
    to->cost = cost ? cost : to->cost;
    void *next = realloc(to->next, capacity * sizeof *to->next);
    to->next = next ? next : to->next;
    void *choice = realloc(to->choice, capacity * sizeof *to->choice);
    to->choice = choice ? choice : to->choice;
    if (!key || !cost || !next || !choice)
        return false;
    to->capacity = capacity;
    return true;
}

static void free_states(states *of)
{
    free(of->key);
    free(of->cost);
    free(of->next);
    free(of->choice);
}

/* Serving a target's demand for tensor t from where its producer is. */
static double serve_us(const dv_problem *p, uint32_t t, dv_target_id from, dv_target_id to)
{
    return to == p->host && p->host_needs[t] ? 0.0 : dv_problem_move_us(p, t, from, to);
}

static double serve_all_us(const dv_problem *p, uint32_t t, dv_target_id from, uint64_t demand)
{
    double sum = 0.0;
    for (; demand; demand &= demand - 1)
        sum += serve_us(p, t, from, (dv_target_id)__builtin_ctzll(demand));
    return sum;
}

/* What the units before place k pay for A's demand of tensor t, but not for B's, at most. If nobody
   before reads t, what only B asks for is saved for sure. */
static double excess_us(const dv_suffix *s, uint32_t k, uint32_t t, uint64_t a, uint64_t b)
{
    const dv_problem *p = s->problem;
    bool fresh = s->first_read[t] >= k;
    uint64_t saved = fresh ? b & ~a : 0;
    dv_unit_id u = p->producer[t];
    if (u == DV_NONE)
        return serve_all_us(p, t, p->host, a & ~b) - serve_all_us(p, t, p->host, saved);
    double most = -INFINITY;
    for (dv_target_id from = 0; from < p->target_count; from++)
        if (dv_label(s->labels, u, from))
            most = fmax(most, serve_all_us(p, t, from, a & ~b) - serve_all_us(p, t, from, saved));
    return most;
}

static double sessions_us(const dv_problem *p, uint64_t devices)
{
    double sum = 0.0;
    for (; devices; devices &= devices - 1)
        sum += p->session_us[__builtin_ctzll(devices)];
    return sum;
}

/* Does rest A cost no more than B, whatever comes before? slack = cost(B) - cost(A). */
static bool dominates(const dv_suffix *s, uint32_t k, const uint64_t *a, const uint64_t *b,
                      double slack)
{
    const dv_suffix_layer *layer = &s->layers[k];
    size_t groups = SLOTS + (size_t)layer->live_count;
    double sum = sessions_us(s->problem, a[USED] & ~b[USED]);
    if (a[FIRST] != b[FIRST])
        sum += s->problem->dispatch_us[a[FIRST]];
    if (memcmp(a + groups, b + groups, s->group_count * sizeof *a) != 0)
        return false;
    for (uint32_t i = 0; i < layer->live_count; i++)
        if (a[SLOTS + i] != b[SLOTS + i])
            sum += excess_us(s, k, layer->live[i], a[SLOTS + i], b[SLOTS + i]);
    return sum <= slack;
}

static int by_key(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    int order = memcmp(x->key, y->key, x->width * sizeof *x->key);
    if (order)
        return order;
    return x->cost != y->cost ? (x->cost < y->cost ? -1 : 1)
                              : (x->state > y->state) - (x->state < y->state);
}

static int by_cost(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return x->cost != y->cost ? (x->cost < y->cost ? -1 : 1)
                              : (x->state > y->state) - (x->state < y->state);
}

/* Sorts by cost; equal and dominated states go. Returns how many stay. */
static size_t thin(dv_suffix *s, uint32_t k, uint32_t limit, ranked *rank, size_t count)
{
    size_t distinct = 0, kept = 0;
    qsort(rank, count, sizeof *rank, by_key);
    for (size_t i = 0; i < count; i++)
        if (distinct == 0 ||
            memcmp(rank[i].key, rank[distinct - 1].key, rank[i].width * sizeof *rank[i].key) != 0)
            rank[distinct++] = rank[i];
    qsort(rank, distinct, sizeof *rank, by_cost);
    for (size_t i = 0; i < distinct; i++) {
        bool needed = true;
        for (size_t r = 0; needed && r < kept && r < RIVALS; r++)
            needed = !dominates(s, k, rank[r].key, rank[i].key, rank[i].cost - rank[r].cost);
        if (!needed)
            continue;
        if (kept == limit) {
            s->exact = false;
            break;
        }
        rank[kept++] = rank[i];
    }
    return kept;
}

/* Makes the layer of the states that stay. */
static bool keep(dv_suffix *s, uint32_t k, uint32_t limit, const states *from)
{
    dv_suffix_layer *layer = &s->layers[k];
    ranked *rank = malloc((from->count + 1) * sizeof *rank);
    if (!rank)
        return false;
    for (size_t i = 0; i < from->count; i++)
        rank[i] = (ranked){from->key + i * from->width, from->width, from->cost[i], (uint32_t)i};
    size_t count = thin(s, k, limit, rank, from->count);
    layer->key = malloc(count * from->width * sizeof *layer->key + 1);
    layer->cost = malloc((count + 1) * sizeof *layer->cost);
    layer->next = malloc((count + 1) * sizeof *layer->next);
    layer->choice = malloc((count + 1) * sizeof *layer->choice);
    bool ok = layer->key && layer->cost && layer->next && layer->choice;
    for (size_t i = 0; ok && i < count; i++) {
        uint32_t state = rank[i].state;
        memcpy(layer->key + i * from->width, rank[i].key, from->width * sizeof *layer->key);
        layer->cost[i] = from->cost[state];
        layer->next[i] = from->next[state];
        layer->choice[i] = from->choice[state];
    }
    layer->count = (uint32_t)count;
    s->states += count;
    free(rank);
    return ok;
}

/* The unit at place k on target a, then the rest i of place k + 1; false without memory. */
static bool extend(const dv_suffix *s, uint32_t k, uint32_t i, dv_target_id a,
                   const uint32_t *slot_behind, states *to)
{
    const dv_problem *p = s->problem;
    const dv_suffix_layer *layer = &s->layers[k], *behind = &s->layers[k + 1];
    const uint64_t *from = behind->key + i * width_of(s, k + 1);
    dv_unit_id u = s->order[k];
    dv_device_id d = p->device[a];
    uint32_t g = s->group_index[u];
    const uint64_t *groups = from + SLOTS + behind->live_count;
    if (g != UINT32_MAX && groups[g] != DV_NONE && groups[g] != d)
        return true;
    if (!reserve(to))
        return false;
    uint64_t *key = to->key + to->count * to->width;
    double cost = behind->cost[i] + dv_problem_time_us(p, u, a);
    if (from[FIRST] != DV_NONE && from[FIRST] != d)
        cost += p->dispatch_us[from[FIRST]];
    for (uint32_t n = p->unit_output_start[u]; n < p->unit_output_start[u + 1]; n++) {
        uint32_t t = p->unit_outputs[n];
        if (p->host_needs[t])
            cost += dv_problem_move_us(p, t, a, p->host);
        if (slot_behind[t] != UINT32_MAX)
            cost += serve_all_us(p, t, a, from[SLOTS + slot_behind[t]]);
    }
    key[FIRST] = d;
    key[USED] = from[USED] | (p->session_us[d] > 0.0 ? UINT64_C(1) << d : 0);
    for (uint32_t n = 0; n < layer->live_count; n++) {
        uint32_t slot = slot_behind[layer->live[n]];
        key[SLOTS + n] = slot == UINT32_MAX ? 0 : from[SLOTS + slot];
    }
    for (uint32_t n = 0; n < layer->live_count; n++)
        for (uint32_t r = p->unit_tensor_start[u]; r < p->unit_tensor_start[u + 1]; r++)
            if (p->unit_tensors[r] == layer->live[n])
                key[SLOTS + n] |= UINT64_C(1) << a;
    for (uint32_t j = 0; j < s->group_count; j++)
        key[SLOTS + layer->live_count + j] = s->group_first[j] >= k ? DV_NONE
                                             : j == g               ? d
                                                                    : groups[j];
    to->cost[to->count] = cost;
    to->next[to->count] = i;
    to->choice[to->count++] = a;
    return true;
}

/* slot_behind: per tensor, of the layer behind. */
static bool step(dv_suffix *s, uint32_t k, uint32_t limit, uint32_t *slot_behind)
{
    const dv_suffix_layer *behind = &s->layers[k + 1];
    states to = {.width = width_of(s, k)};
    bool ok = true;
    for (uint32_t n = 0; n < behind->live_count; n++)
        slot_behind[behind->live[n]] = n;
    for (uint32_t i = 0; ok && i < behind->count; i++)
        for (dv_target_id a = 0; ok && a < s->problem->target_count; a++)
            if (dv_label(s->labels, s->order[k], a))
                ok = extend(s, k, i, a, slot_behind, &to);
    for (uint32_t n = 0; n < behind->live_count; n++)
        slot_behind[behind->live[n]] = UINT32_MAX;
    ok = ok && keep(s, k, limit, &to);
    free_states(&to);
    return ok;
}

static bool number_groups(dv_suffix *s)
{
    dv_unit_groups groups;
    if (dv_unit_groups_create(s->problem, &groups) != DV_OK)
        return false;
    s->group_count = groups.count;
    for (dv_unit_id u = 0; u < s->problem->unit_count; u++)
        s->group_index[u] = groups.index[u];
    for (uint32_t g = 0; g < groups.count; g++) {
        s->group_first[g] = UINT32_MAX;
        for (uint32_t i = groups.start[g]; i < groups.start[g + 1]; i++)
            if (s->place[groups.units[i]] < s->group_first[g])
                s->group_first[g] = s->place[groups.units[i]];
    }
    dv_unit_groups_free(&groups);
    return true;
}

/* Live before place k: made before it, read at it or later. */
static bool lay_out(dv_suffix *s)
{
    const dv_problem *p = s->problem;
    for (uint32_t t = 0; t < p->tensor_count; t++) {
        uint32_t from = p->producer[t] == DV_NONE ? 0 : s->place[p->producer[t]] + 1;
        uint32_t last = 0;
        s->first_read[t] = UINT32_MAX;
        for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++) {
            uint32_t at = s->place[p->consumers[i]];
            last = at + 1 > last ? at + 1 : last;
            s->first_read[t] = at < s->first_read[t] ? at : s->first_read[t];
        }
        for (uint32_t k = from; k < last; k++) {
            dv_suffix_layer *layer = &s->layers[k];
            if ((layer->live_count & (layer->live_count - 1)) == 0) { /* room for a power of two */
                size_t room = layer->live_count ? 2 * (size_t)layer->live_count : 1;
                uint32_t *more = realloc(layer->live, room * sizeof *more);
                if (!more)
                    return false;
                layer->live = more;
            }
            layer->live[layer->live_count++] = t;
        }
    }
    return true;
}

/* The rest without units: nothing asked for. */
static bool end(dv_suffix *s, uint32_t limit)
{
    states last = {.width = width_of(s, s->problem->unit_count)};
    bool ok = reserve(&last);
    if (ok) {
        for (size_t i = 0; i < last.width; i++)
            last.key[i] = i == USED ? 0 : DV_NONE;
        last.cost[0] = 0.0;
        last.next[0] = 0;
        last.choice[0] = DV_NONE;
        last.count = 1;
        ok = keep(s, s->problem->unit_count, limit, &last);
    }
    free_states(&last);
    return ok;
}

static bool allocate(dv_suffix *s)
{
    size_t units = (size_t)s->problem->unit_count + 1;
    s->layers = calloc(units, sizeof *s->layers);
    s->place = calloc(units, sizeof *s->place);
    s->first_read = calloc((size_t)s->problem->tensor_count + 1, sizeof *s->first_read);
    s->group_index = calloc(units, sizeof *s->group_index);
    s->group_first = calloc(units, sizeof *s->group_first);
    return s->layers && s->place && s->first_read && s->group_index && s->group_first;
}

dv_status dv_suffix_create(const dv_problem *problem, const dv_labels *labels,
                           const dv_unit_id *order, uint32_t state_limit,
                           const dv_progress *progress, dv_suffix *suffix)
{
    *suffix = (dv_suffix){.problem = problem, .labels = labels, .order = order, .exact = true};
    uint32_t *slot = malloc(((size_t)problem->tensor_count + 1) * sizeof *slot);
    bool ok = slot && allocate(suffix), stopped = false;
    for (uint32_t k = 0; ok && k < problem->unit_count; k++)
        suffix->place[order[k]] = k;
    for (uint32_t t = 0; ok && t < problem->tensor_count; t++)
        slot[t] = UINT32_MAX;
    ok = ok && number_groups(suffix) && lay_out(suffix) && end(suffix, state_limit);
    for (uint32_t k = problem->unit_count; ok && !stopped && k-- > 0;) {
        ok = step(suffix, k, state_limit, slot);
        stopped = dv_progress_stopped(progress);
    }
    free(slot);
    if (!ok)
        return dv_fail(DV_NO_MEMORY, "suffix: out of memory");
    return stopped ? dv_fail(DV_INTERRUPTED, "stopped") : DV_OK;
}

void dv_suffix_free(dv_suffix *suffix)
{
    for (uint32_t k = 0; suffix->layers && k <= suffix->problem->unit_count; k++) {
        dv_suffix_layer *layer = &suffix->layers[k];
        free(layer->live);
        free(layer->key);
        free(layer->cost);
        free(layer->next);
        free(layer->choice);
    }
    free(suffix->layers);
    free(suffix->place);
    free(suffix->first_read);
    free(suffix->group_index);
    free(suffix->group_first);
    *suffix = (dv_suffix){0};
}
