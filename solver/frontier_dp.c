/* frontier_dp.c - layer after layer of the dynamic program; see frontier.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/frontier_search.h"

bool dv_frontier_holds(const dv_problem *problem)
{
    return problem->device_count <= 64;
}

bool dv_frontier_serves(const dv_problem *problem)
{
    return dv_frontier_holds(problem) && !dv_limits_bind(problem);
}

/* Unit u reads no more. */
static void pass_reads(dv_frontier_search *r, dv_unit_id u)
{
    const dv_problem *p = r->problem;
    for (uint32_t i = p->unit_tensor_start[u]; i < p->unit_tensor_start[u + 1]; i++) {
        uint32_t t = p->unit_tensors[i];
        r->readers[t]--;
        for (dv_target_id a = 0; a < p->target_count; a++)
            r->readers_on[(size_t)t * p->target_count + a] -= dv_label(r->labels, u, a);
    }
}

/* What remains of tensor t: who may read it where, and whether only one will. */
static void describe_slot(dv_frontier_search *r, uint32_t t, uint32_t slot)
{
    uint32_t targets = r->problem->target_count;
    for (dv_target_id a = 0; a < targets; a++)
        r->readable[(size_t)slot * targets + a] = r->readers_on[(size_t)t * targets + a] > 0;
    r->single[slot] = r->readers[t] == 1;
}

/* The slots of the layer after place k: what of the current ones is read later, and what is new. */
static void lay_out_next(dv_frontier_search *r, uint32_t k)
{
    const dv_problem *p = r->problem;
    dv_unit_id u = r->order[k];
    r->next_count = 0;
    pass_reads(r, u);
    for (uint32_t s = 0; s < r->live_count; s++)
        if (r->last_read[r->live[s]] > k)
            r->next_live[r->next_count++] = r->live[s];
    for (uint32_t i = p->unit_output_start[u]; i < p->unit_output_start[u + 1]; i++)
        if (r->last_read[p->unit_outputs[i]] != UINT32_MAX)
            r->next_live[r->next_count++] = p->unit_outputs[i];
    for (uint32_t s = 0; s < r->next_count; s++) {
        r->next_slot[r->next_live[s]] = s;
        describe_slot(r, r->next_live[s], s);
    }
}

/* Inputs are live before the first unit. */
static bool start(dv_frontier_search *r)
{
    const dv_problem *p = r->problem;
    for (uint32_t t = 0; t < p->tensor_count; t++)
        if (p->producer[t] == DV_NONE && r->last_read[t] != UINT32_MAX) {
            r->slot[t] = r->live_count;
            describe_slot(r, t, r->live_count);
            dv_need_fill(p, t, p->host, r->readable + (size_t)r->live_count * p->target_count,
                         r->need + (size_t)r->live_count * p->target_count);
            r->live[r->live_count++] = t;
        }
    for (uint32_t g = 0; g < r->group_count; g++)
        r->group[g] = DV_NONE;
    dv_states_reset(&r->now, r->live_count * p->target_count, r->group_count, r->budgets);
    dv_state first = {.last = DV_NONE, .need = r->need, .group = r->group, .spent = r->spent};
    return dv_states_add(&r->now, &first);
}

/* Fills spent for u at place k on a after state i; false if a budget cannot be kept any more. */
static bool spend(dv_frontier_search *r, uint32_t i, uint32_t k, dv_target_id a)
{
    const dv_problem *p = r->problem;
    bool enters = r->now.last[i] != p->device[a];
    size_t cell = (size_t)r->order[k] * p->target_count + a;
    size_t next = (size_t)(k + 1) * r->budgets;
    return dv_budgets_spend(r->settings->budgets, cell, enters, r->amount_to_come + next,
                            r->roomy + next, r->now.spent + (size_t)i * r->budgets, r->spent);
}

/* Unit u on target a after state i; false without memory. */
static bool extend(dv_frontier_search *r, uint32_t i, uint32_t k, dv_target_id a)
{
    const dv_problem *p = r->problem;
    dv_unit_id u = r->order[k];
    dv_device_id d = p->device[a];
    const double *need = r->now.need + (size_t)i * r->now.width;
    dv_state to = {.cost = r->now.cost[i] + dv_problem_time_us(p, u, a),
                   .last = r->now.last[i],
                   .used = r->now.used[i],
                   .need = r->need,
                   .group = r->group,
                   .spent = r->spent,
                   .parent = i,
                   .choice = a};
    uint32_t g = r->group_index[u];
    const dv_device_id *groups = r->now.group + (size_t)i * r->group_count;
    if (g != UINT32_MAX && groups[g] != DV_NONE && groups[g] != d)
        return true;

    if (!r->on_path || r->on_path[u]) {
        to.cost += to.last != d ? p->dispatch_us[d] : 0.0;
        to.last = d;
    }
    if (!(to.used >> d & 1u))
        to.cost += p->session_us[d];
    to.used |= UINT64_C(1) << d;
    for (uint32_t n = p->unit_tensor_start[u]; n < p->unit_tensor_start[u + 1]; n++)
        to.cost += need[(size_t)r->slot[p->unit_tensors[n]] * p->target_count + a];
    for (uint32_t n = p->unit_output_start[u]; n < p->unit_output_start[u + 1]; n++)
        if (p->host_needs[p->unit_outputs[n]])
            to.cost += dv_problem_move_us(p, p->unit_outputs[n], a, p->host);
    if (!(to.cost + r->rest_us[k + 1] <= r->settings->upper_us) || !spend(r, i, k, a))
        return true;

    for (uint32_t s = 0; s < r->next_count; s++) {
        uint32_t t = r->next_live[s];
        if (r->slot[t] == UINT32_MAX) {
            dv_need_fill(p, t, a, r->readable + (size_t)s * p->target_count,
                         r->need + (size_t)s * p->target_count);
            continue;
        }
        const double *from = need + (size_t)r->slot[t] * p->target_count;
        for (dv_target_id e = 0; e < p->target_count; e++) {
            size_t cell = (size_t)s * p->target_count + e;
            r->need[cell] = r->readable[cell] ? from[e] : 0.0;
        }
    }
    for (uint32_t n = p->unit_tensor_start[u]; n < p->unit_tensor_start[u + 1]; n++)
        if (r->next_slot[p->unit_tensors[n]] != UINT32_MAX) /* held on a from now on */
            r->need[(size_t)r->next_slot[p->unit_tensors[n]] * p->target_count + a] = 0.0;
    for (uint32_t j = 0; j < r->group_count; j++)
        r->group[j] = r->group_last[j] <= k ? DV_NONE : j == g ? d : groups[j];
    /* Sessions that can cost nothing more tell states apart for nothing. */
    for (dv_device_id x = 0; x < p->device_count; x++)
        if (r->session_us[x] == 0.0)
            to.used &= ~(UINT64_C(1) << x);
    return dv_states_add(&r->next, &to);
}

static bool leave_trail(dv_frontier_search *r, uint32_t k)
{
    size_t count = (size_t)r->next.count + 1;
    dv_frontier_trail *t = &r->trails[k];
    t->parent = malloc(count * sizeof *t->parent);
    t->choice = malloc(count * sizeof *t->choice);
    if (!t->parent || !t->choice)
        return false;
    if (r->next.count == 0)
        return true;
    memcpy(t->parent, r->next.parent, r->next.count * sizeof *t->parent);
    memcpy(t->choice, r->next.choice, r->next.count * sizeof *t->choice);
    return true;
}

void dv_frontier_layers_free(dv_frontier_layer *layers, uint32_t count)
{
    for (uint32_t k = 0; layers && k < count; k++) {
        dv_states_free(&layers[k].states);
        free(layers[k].live);
    }
    free(layers);
}

/* Hands the current layer, which lies before place k, to the caller. */
static bool give_away(dv_frontier_search *r, uint32_t k)
{
    dv_frontier_layer *layer = &r->settings->layers[k];
    layer->live = calloc((size_t)r->live_count + 1, sizeof *layer->live);
    if (!layer->live)
        return false;
    for (uint32_t s = 0; s < r->live_count; s++)
        layer->live[s] = r->live[s];
    layer->live_count = r->live_count;
    layer->states = r->now;
    r->now = (dv_states){0};
    return true;
}

/* The layer of place k becomes the current one. */
static void advance(dv_frontier_search *r)
{
    dv_states states = r->now;
    r->now = r->next;
    r->next = states;
    for (uint32_t s = 0; s < r->live_count; s++)
        r->slot[r->live[s]] = UINT32_MAX;
    uint32_t *live = r->live;
    r->live = r->next_live;
    r->next_live = live;
    r->live_count = r->next_count;
    for (uint32_t s = 0; s < r->live_count; s++) {
        r->slot[r->live[s]] = s;
        r->next_slot[r->live[s]] = UINT32_MAX;
    }
}

static bool must_end(const dv_frontier_search *r)
{
    return dv_progress_must_end(r->settings->progress, r->settings->deadline_s);
}

/* No plan that goes on from one of the current layer's states first .. before place k costs less.
 */
static double floor_from(const dv_frontier_search *r, uint32_t first, uint32_t k)
{
    double least = INFINITY;
    for (uint32_t i = first; i < r->now.count; i++)
        least = fmin(least, r->now.cost[i]);
    return least + r->rest_us[k];
}

/* Every state of the current layer on every target; the worst are left out if time is up. */
static bool extend_all(dv_frontier_search *r, uint32_t k)
{
    for (uint32_t i = 0; i < r->now.count; i++) {
        if (i % 64 == 63 && must_end(r)) {
            r->dropped_us = fmin(r->dropped_us, floor_from(r, i, k));
            return true;
        }
        for (dv_target_id a = 0; a < r->problem->target_count; a++)
            if (dv_label(r->labels, r->order[k], a) && !extend(r, i, k, a))
                return false;
    }
    return true;
}

/* State i of the next layer, which lies before place k, as the beginning of a plan at the prices.
 */
static void load_next(dv_frontier_search *r, uint32_t i, dv_prefix *prefix)
{
    const dv_states *states = &r->next;
    size_t targets = r->problem->target_count;
    prefix->cost = states->cost[i];
    for (uint32_t b = 0; b < r->budgets; b++)
        prefix->cost +=
            r->settings->budgets->list[b].price_us * states->spent[(size_t)i * states->budgets + b];
    prefix->last = states->last[i];
    prefix->used = states->used[i];
    for (uint32_t s = 0; s < r->next_count; s++)
        memcpy(prefix->need + r->next_live[s] * targets,
               states->need + (size_t)i * states->width + s * targets,
               targets * sizeof *prefix->need);
    for (uint32_t g = 0; g < states->groups; g++)
        prefix->group[g] = states->group[(size_t)i * states->groups + g];
}

/* What each state of the next layer, before place k, promises at least: at the prices, what it
   costs and the rest, less what the budgets are worth; at the end its cost. Those that cannot beat
   the known plan promise INFINITY. */
static void find_promises(dv_frontier_search *r, uint32_t k, double *promise)
{
    double worth_us = dv_budgets_worth_us(r->settings->budgets);
    bool end = k == r->problem->unit_count;
    for (uint32_t i = 0; i < r->next.count; i++) {
        double floor_us = r->next.cost[i] + r->rest_us[k];
        promise[i] = floor_us;
        if (end || !r->settings->rest)
            continue;
        double limit = r->settings->upper_us + worth_us;
        load_next(r, i, &r->prefix);
        double least = dv_suffix_least(r->settings->rest, k, &r->prefix, limit, NULL);
        promise[i] = least >= limit ? INFINITY : fmax(floor_us, least - worth_us);
    }
}

/* Drops dominated states of the layer before place k, and all but the limit best. */
static bool thin(dv_frontier_search *r, uint32_t k, dv_layer_costs *costs, uint32_t limit)
{
    double dropped_us = INFINITY, *promise = NULL;
    if (r->budgets) {
        promise = malloc(((size_t)r->next.count + 1) * sizeof *promise);
        if (!promise)
            return false;
        find_promises(r, k, promise);
        costs->promise = promise;
        costs->budget = r->settings->budgets->list;
    }
    bool ok = dv_states_thin(&r->next, costs, limit, &dropped_us);
    free(promise);
    r->dropped_us = fmin(r->dropped_us, dropped_us + (r->budgets ? 0.0 : r->rest_us[k]));
    return ok;
}

static size_t trail_bytes(size_t states)
{
    return (states + 1) * (sizeof(uint32_t) + sizeof(dv_target_id)) + 2 * sizeof(dv_frontier_trail);
}

/* Half of the memory that is left is for trails: a layer may have its even share of it, or, as most
   layers need far less, a sixteenth. The other half is for the states under way: a layer's, and up
   to so many times more that are made from them. */
static uint32_t state_limit(const dv_frontier_search *r, uint32_t k)
{
    enum { FEWEST = 100 };
    size_t limit = r->settings->state_limit, memory = r->settings->memory_limit;
    if (r->settings->work_limit > 0) {
        double of_layer = r->settings->work_limit / r->problem->unit_count,
               of_state = (double)r->problem->target_count * (1.0 + r->next.width);
        double most = fmax(of_layer / of_state, FEWEST);
        limit = most < (double)limit ? (size_t)most : limit;
    }
    if (memory == 0)
        return (uint32_t)limit;
    size_t left = memory > r->bytes ? memory - r->bytes : 0;
    size_t state = 64 + r->next.width * sizeof(double) + r->next.groups * sizeof(dv_device_id) +
                   r->next.budgets * sizeof(double);
    size_t layers = r->problem->unit_count - k < 16 ? r->problem->unit_count - k : 16;
    size_t trails = left / 2 / layers / (trail_bytes(1) - trail_bytes(0));
    size_t states = left / 2 / (2 * state * (1 + r->problem->target_count));
    limit = states < limit ? states : limit;
    limit = trails < limit ? trails : limit;
    return limit > 1 ? (uint32_t)limit : 1;
}

static bool step(dv_frontier_search *r, uint32_t k)
{
    const dv_problem *p = r->problem;
    uint32_t g = r->group_index[r->order[k]];
    lay_out_next(r, k);
    if (g != UINT32_MAX)
        r->group_last[g] = r->group_end[r->order[k]];
    for (dv_device_id d = 0; d < p->device_count; d++)
        r->session_us[d] = r->last_use[d] > k + 1 ? p->session_us[d] : 0.0;
    dv_states_reset(&r->next, r->next_count * p->target_count, r->group_count, r->budgets);
    if (!extend_all(r, k))
        return false;
    dv_layer_costs costs = {.slots = r->next_count,
                            .targets = p->target_count,
                            .single = r->single,
                            .dispatch_us = p->dispatch_us,
                            .session_us = r->session_us,
                            .device_count = p->device_count,
                            .progress = r->settings->progress,
                            .deadline_s = r->settings->deadline_s};
    if (!thin(r, k + 1, &costs, state_limit(r, k)) || !leave_trail(r, k))
        return false;
    r->bytes += trail_bytes(r->next.count);
    r->states += r->next.count;
    r->most = r->next.count > r->most ? r->next.count : r->most;
    if (r->settings->layers && !give_away(r, k))
        return false;
    advance(r);
    return true;
}

/* The states of the last layer come sorted by cost. */
static void finish(dv_frontier_search *r, dv_target_id *target, dv_frontier_result *result)
{
    const dv_target_id *known = r->settings->known;
    bool early = r->ended_at < r->problem->unit_count;
    *result = (dv_frontier_result){.found = r->now.count > 0 && (!early || known),
                                   .exact = isinf(r->dropped_us),
                                   .states = r->states,
                                   .most = r->most};
    result->value_us = result->found && !early ? r->now.cost[0] : INFINITY;
    result->bound_us = fmin(fmin(result->value_us, r->dropped_us), r->settings->upper_us);
    if (!result->found)
        return;
    for (uint32_t k = r->ended_at; k < r->problem->unit_count; k++)
        target[r->order[k]] = known[r->order[k]];
    uint32_t state = 0;
    for (uint32_t k = r->ended_at; k-- > 0;) {
        target[r->order[k]] = r->trails[k].choice[state];
        state = r->trails[k].parent[state];
    }
}

/* The bound of the layer reached holds whatever is not searched. */
static void end_early(dv_frontier_search *r, uint32_t next_place)
{
    r->dropped_us = fmin(r->dropped_us, floor_from(r, 0, next_place));
    r->ended_at = next_place;
}

dv_status dv_frontier_run(const dv_problem *problem, const dv_labels *labels,
                          const dv_unit_id *order, const dv_frontier_settings *settings,
                          dv_target_id *target, dv_frontier_result *result)
{
    dv_frontier_search r = {.problem = problem,
                            .labels = labels,
                            .order = order,
                            .settings = settings,
                            .dropped_us = INFINITY,
                            .ended_at = problem->unit_count};
    bool ok = dv_frontier_search_init(&r) && start(&r);
    for (uint32_t k = 0; ok && k < problem->unit_count; k++) {
        ok = step(&r, k);
        if (ok && k + 1 < problem->unit_count && must_end(&r)) {
            end_early(&r, k + 1);
            break;
        }
        if (k % 64 == 63)
            dv_progress_step(settings->progress, "frontier", (k + 1.0) / problem->unit_count);
    }
    if (ok)
        finish(&r, target, result);
    dv_frontier_search_free(&r);
    return ok ? DV_OK : dv_fail(DV_NO_MEMORY, "frontier: out of memory");
}
