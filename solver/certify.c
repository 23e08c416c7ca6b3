/* certify.c - the second opinion on a plan.

   Written against the problem's definition only, and in another way than evaluate.c where there is
   a choice (tensor by tensor through the destinations, segments by comparing neighbours), so that
   one mistake does not hide in both. */
#include "solver/certify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/text.h"
#include "solver/certify_makespan.h"

static const double TOLERANCE = 1e-9;

typedef struct check {
    const dv_problem *problem;
    const dv_plan *plan;
    dv_certificate result;
} check;

static const char *unit_name(const check *c, dv_unit_id u)
{
    return c->problem->unit_name && c->problem->unit_name[u] ? c->problem->unit_name[u] : "?";
}

#define REJECT(c, ...) (snprintf((c)->result.reason, sizeof(c)->result.reason, __VA_ARGS__), false)

static bool check_order(check *c)
{
    const dv_problem *p = c->problem;
    uint32_t n = p->unit_count;
    uint32_t *rank = calloc((size_t)n + 1, sizeof *rank); /* 1-based; 0: not seen */
    if (!rank)
        return REJECT(c, "out of memory");
    bool ok = true;
    for (uint32_t k = 0; ok && k < n; k++) {
        dv_unit_id u = c->plan->order[k];
        if (u >= n)
            ok = REJECT(c, "place %u of the order holds no unit", k);
        else if (rank[u])
            ok = REJECT(c, "unit %s is twice in the order", unit_name(c, u));
        else
            rank[u] = k + 1;
    }
    for (uint32_t t = 0; ok && t < p->tensor_count; t++) {
        dv_unit_id from = p->producer[t];
        for (uint32_t i = p->consumer_start[t]; ok && i < p->consumer_start[t + 1]; i++)
            if (from != DV_NONE && rank[p->consumers[i]] <= rank[from])
                ok = REJECT(c, "unit %s runs before %s, whose output it reads",
                            unit_name(c, p->consumers[i]), unit_name(c, from));
    }
    free(rank);
    return ok;
}

static bool check_units(check *c)
{
    const dv_problem *p = c->problem;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        dv_target_id a = c->plan->target[u];
        if (a >= p->target_count)
            return REJECT(c, "unit %s is on no target", unit_name(c, u));
        if (!(p->time_us[(size_t)u * p->target_count + a] < INFINITY))
            return REJECT(c, "unit %s is not supported on its target", unit_name(c, u));
        if (p->pin && p->pin[u] != DV_NONE && p->pin[u] != a)
            return REJECT(c, "unit %s is not on the target that it is pinned to", unit_name(c, u));
    }
    return true;
}

typedef struct member {
    uint32_t group;
    dv_device_id device;
    dv_unit_id unit;
} member;

static int by_group(const void *a, const void *b)
{
    uint32_t x = ((const member *)a)->group, y = ((const member *)b)->group;
    return x < y ? -1 : x > y;
}

static bool check_groups(check *c)
{
    const dv_problem *p = c->problem;
    if (!p->group)
        return true;
    member *members = malloc(((size_t)p->unit_count + 1) * sizeof *members);
    if (!members)
        return REJECT(c, "out of memory");
    size_t count = 0;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        if (p->group[u] != DV_NONE)
            members[count++] = (member){p->group[u], p->device[c->plan->target[u]], u};
    qsort(members, count, sizeof *members, by_group);
    bool ok = true;
    for (size_t i = 1; ok && i < count; i++)
        if (members[i].group == members[i - 1].group && members[i].device != members[i - 1].device)
            ok = REJECT(c, "units %s and %s are of one group but on two devices",
                        unit_name(c, members[i - 1].unit), unit_name(c, members[i].unit));
    free(members);
    return ok;
}

static double chosen(const check *c, const double *table, dv_unit_id u)
{
    return table ? table[(size_t)u * c->problem->target_count + c->plan->target[u]] : 0.0;
}

static bool check_limits(check *c)
{
    const dv_problem *p = c->problem;
    for (dv_device_id d = 0; d < p->device_count; d++) {
        long double bytes = 0;
        for (dv_unit_id u = 0; u < p->unit_count; u++)
            if (p->device[c->plan->target[u]] == d)
                bytes += chosen(c, p->memory_bytes, u);
        if (bytes > (long double)p->capacity_bytes[d] * (1 + TOLERANCE))
            return REJECT(c, "device %s holds %.0Lf bytes, more than its capacity",
                          p->device_name ? p->device_name[d] : "?", bytes);
    }
    long double energy = 0, loss = 0;
    uint32_t segments = p->unit_count ? 1 : 0;
    for (uint32_t k = 0; k < p->unit_count; k++) {
        energy += chosen(c, p->energy_uj, k);
        loss += chosen(c, p->loss, k);
        if (k && p->device[c->plan->target[c->plan->order[k]]] !=
                     p->device[c->plan->target[c->plan->order[k - 1]]])
            segments++;
    }
    if (energy > (long double)p->energy_budget_uj * (1 + TOLERANCE))
        return REJECT(c, "energy %Lg uJ is over the budget", energy);
    if (loss > (long double)p->loss_budget * (1 + TOLERANCE))
        return REJECT(c, "loss %Lg is over the budget", loss);
    if (segments > p->max_segments)
        return REJECT(c, "%u segments, more than %u", segments, p->max_segments);
    return true;
}

/* The time that all copies of tensor t take: for every target but the source, does anyone there
   read it? */
static long double copies_us(const check *c, uint32_t t)
{
    const dv_problem *p = c->problem;
    dv_target_id from = p->producer[t] == DV_NONE ? p->host : c->plan->target[p->producer[t]];
    long double sum = 0;
    for (dv_target_id b = 0; b < p->target_count; b++) {
        bool read = b == p->host && p->host_needs[t];
        for (uint32_t i = p->consumer_start[t]; !read && i < p->consumer_start[t + 1]; i++)
            read = c->plan->target[p->consumers[i]] == b;
        if (!read || b == from)
            continue;
        size_t pair = (size_t)from * p->target_count + b;
        sum += p->move_latency_us[pair];
        sum +=
            (long double)p->bytes[(size_t)t * p->target_count + from] * p->move_us_per_byte[pair];
    }
    return sum;
}

static long double latency_us(const check *c)
{
    const dv_problem *p = c->problem;
    long double sum = 0;
    for (uint32_t t = 0; t < p->tensor_count; t++)
        sum += copies_us(c, t);
    for (uint32_t k = p->unit_count; k-- > 0;) {
        dv_unit_id u = c->plan->order[k];
        dv_device_id here = p->device[c->plan->target[u]];
        sum += chosen(c, p->time_us, u);
        if (k == 0 || p->device[c->plan->target[c->plan->order[k - 1]]] != here)
            sum += p->dispatch_us[here];
    }
    for (dv_device_id d = 0; d < p->device_count; d++)
        for (dv_unit_id u = 0; u < p->unit_count; u++)
            if (p->device[c->plan->target[u]] == d) {
                sum += p->session_us[d];
                break;
            }
    return sum;
}

/* Is tensor t made on device d? *on: on which target. */
static bool makes(const check *c, uint32_t t, dv_device_id d, dv_target_id *on)
{
    const dv_problem *p = c->problem;
    if (p->producer[t] == DV_NONE)
        return false;
    *on = c->plan->target[p->producer[t]];
    return p->device[*on] == d;
}

/* The time that device d spends on tensor t: leaving it in the host's memory, or fetching it. */
static long double exchange_us(const check *c, uint32_t t, dv_device_id d)
{
    const dv_problem *p = c->problem;
    dv_target_id on = p->host;
    if (p->device[p->host] == d)
        return 0;
    bool made_here = makes(c, t, d, &on), away = p->host_needs[t];
    long double dearest = 0;
    for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++) {
        dv_target_id reader = c->plan->target[p->consumers[i]];
        away = away || p->device[reader] != d;
        if (p->device[reader] != d || made_here)
            continue;
        size_t pair = (size_t)p->host * p->target_count + reader;
        long double us = p->move_latency_us[pair];
        us += (long double)p->bytes[(size_t)t * p->target_count + p->host] *
              p->move_us_per_byte[pair];
        dearest = us > dearest ? us : dearest;
    }
    if (!made_here || !away)
        return dearest;
    size_t pair = (size_t)on * p->target_count + p->host;
    return p->move_latency_us[pair] +
           (long double)p->bytes[(size_t)t * p->target_count + on] * p->move_us_per_byte[pair];
}

static long double largest_load_us(const check *c)
{
    const dv_problem *p = c->problem;
    long double largest = 0;
    for (dv_device_id d = 0; d < p->device_count; d++) {
        long double load = 0;
        bool before = false, used = false;
        for (uint32_t k = 0; k < p->unit_count; k++) {
            dv_unit_id u = c->plan->order[k];
            bool here = p->device[c->plan->target[u]] == d;
            load += here ? chosen(c, p->time_us, u) : 0;
            load += here && !before ? p->dispatch_us[d] : 0;
            before = here;
            used = used || here;
        }
        for (uint32_t t = 0; t < p->tensor_count; t++)
            load += exchange_us(c, t, d);
        load += used ? p->session_us[d] : 0;
        largest = load > largest ? load : largest;
    }
    return largest;
}

static bool check_load(check *c)
{
    double stated = c->plan->load_us, load = (double)largest_load_us(c);
    if (isnan(stated))
        return true;
    c->result.load_us = load;
    if (!(fabs(stated - load) <= TOLERANCE * fabs(load)))
        return REJECT(c, "states a largest load of %.9g us, but has %.9g us", stated, load);
    return true;
}

static bool check_makespan(check *c)
{
    double stated = c->plan->makespan_us, makespan;
    if (isnan(stated))
        return true;
    if (!dv_certify_makespan_us(c->problem, c->plan, &makespan))
        return REJECT(c, "out of memory");
    c->result.makespan_us = makespan;
    if (!isfinite(makespan))
        return REJECT(c, "a device holds more than %u subgraphs", c->problem->subgraphs_per_device);
    if (!(fabs(stated - makespan) <= TOLERANCE * fabs(makespan)))
        return REJECT(c, "states a makespan of %.9g us, but has %.9g us", stated, makespan);
    return true;
}

static bool check_cost(check *c)
{
    double stated = c->plan->cost.total_us, latency = (double)latency_us(c);
    c->result.latency_us = latency;
    double slack = TOLERANCE * fabs(latency);
    if (!isfinite(latency))
        return REJECT(c, "the latency is not finite");
    if (!(fabs(stated - latency) <= slack))
        return REJECT(c, "states %.9g us, but costs %.9g us", stated, latency);
    if (!check_load(c) || !check_makespan(c))
        return false;
    double value = isnan(c->plan->makespan_us) ? latency : c->result.makespan_us;
    value = isnan(c->plan->load_us) ? value : c->result.load_us;
    if (isnan(c->plan->bound_us) || c->plan->bound_us > value + TOLERANCE * fabs(value))
        return REJECT(c, "its lower bound %.9g us is above its cost %.9g us", c->plan->bound_us,
                      value);
    if (c->plan->outcome == DV_OUTCOME_OPTIMAL && !isfinite(c->plan->bound_us))
        return REJECT(c, "calls itself optimal without a bound");
    return true;
}

dv_certificate dv_certify(const dv_problem *problem, const dv_plan *plan)
{
    check c = {.problem = problem,
               .plan = plan,
               .result = {.latency_us = NAN, .load_us = NAN, .makespan_us = NAN}};
    if (plan->unit_count != problem->unit_count)
        (void)REJECT(&c, "places %u units of %u", plan->unit_count, problem->unit_count);
    else
        c.result.ok = check_order(&c) && check_units(&c) && check_groups(&c) && check_limits(&c) &&
                      check_cost(&c);
    return c.result;
}

/* Is the plan with u on a allowed, and faster than its bound says any plan is? */
static bool refutes(check *c, dv_plan *other, dv_unit_id u, dv_target_id a)
{
    dv_target_id own = other->target[u];
    double bound_us = other->bound_us;
    other->target[u] = a;
    bool allowed = check_units(c) && check_groups(c) && check_limits(c);
    double us = allowed ? (double)latency_us(c) : INFINITY;
    other->target[u] = own;
    return us < bound_us - TOLERANCE * fabs(bound_us);
}

dv_certificate dv_certify_bound(const dv_problem *problem, const dv_plan *plan)
{
    dv_certificate result = dv_certify(problem, plan);
    bool latency = isnan(plan->load_us) && isnan(plan->makespan_us);
    if (!result.ok || !latency || !isfinite(plan->bound_us))
        return result;
    dv_plan *other = NULL;
    if (dv_plan_create(problem, &other) != DV_OK)
        return result;
    dv_plan_copy(other, plan);
    check c = {.problem = problem, .plan = other};
    for (dv_unit_id u = 0; result.ok && u < problem->unit_count; u++)
        for (dv_target_id a = 0; result.ok && a < problem->target_count; a++)
            if (a != plan->target[u] && dv_problem_allows(problem, u, a) &&
                refutes(&c, other, u, a)) {
                result.ok = false;
                snprintf(result.reason, sizeof result.reason,
                         "its lower bound %.9g us is false: with unit %s on %s a plan costs less",
                         plan->bound_us, unit_name(&c, u),
                         problem->target_name ? problem->target_name[a] : "?");
            }
    dv_plan_destroy(other);
    return result;
}
