/* budgets.c - the limits of a problem as sums with prices; see budgets.h. */
#include "solver/budgets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A limit met to 1e-9 is met, as in evaluate.c. */
static const double TOLERANCE = 1e-9;

static void add(dv_budgets *b, const double *amount, double most)
{
    if (most > 0.0)
        b->list[b->count++] = (dv_budget){amount, most + TOLERANCE * most, 0.0};
}

dv_status dv_budgets_create(const dv_problem *p, dv_budgets *b)
{
    size_t row = (size_t)p->unit_count * p->target_count, devices = 0;
    *b = (dv_budgets){0};
    for (dv_device_id d = 0; d < p->device_count; d++)
        devices += dv_limit_capacity_binds(p, d);
    b->list = calloc((size_t)p->device_count + 3, sizeof *b->list);
    b->cells = calloc(devices * row + 1, sizeof *b->cells);
    if (!b->list || !b->cells) {
        dv_budgets_free(b);
        return dv_fail(DV_NO_MEMORY, "limits: out of memory");
    }
    double *cells = b->cells;
    for (dv_device_id d = 0; d < p->device_count; d++) {
        if (!dv_limit_capacity_binds(p, d))
            continue;
        for (size_t i = 0; i < row; i++)
            cells[i] = p->device[i % p->target_count] == d ? p->memory_bytes[i] : 0.0;
        add(b, cells, p->capacity_bytes[d]);
        cells += row;
    }
    if (dv_limit_energy_binds(p))
        add(b, p->energy_uj, p->energy_budget_uj);
    if (dv_limit_loss_binds(p))
        add(b, p->loss, p->loss_budget);
    if (dv_limit_segments_binds(p))
        add(b, NULL, p->max_segments);
    return DV_OK;
}

void dv_budgets_free(dv_budgets *b)
{
    free(b->list);
    free(b->cells);
    *b = (dv_budgets){0};
}

/* Does the label break a limit of zero? */
static bool is_forbidden(const dv_problem *p, size_t cell, dv_device_id d)
{
    return (p->energy_uj && p->energy_budget_uj == 0.0 && p->energy_uj[cell] > 0.0) ||
           (p->loss && p->loss_budget == 0.0 && p->loss[cell] > 0.0) ||
           (p->memory_bytes && p->capacity_bytes[d] == 0.0 && p->memory_bytes[cell] > 0.0);
}

static double least_amount(const dv_budget *budget, const dv_labels *labels, dv_unit_id u)
{
    double least = INFINITY;
    for (dv_target_id a = 0; a < labels->target_count; a++)
        if (dv_label(labels, u, a))
            least = fmin(least, budget->amount[(size_t)u * labels->target_count + a]);
    return least;
}

/* One round for one budget; *changed: a label went. False: none is left to some unit. */
static bool cut_one(const dv_budget *budget, dv_labels *labels, bool *changed)
{
    double floor = 0.0;
    for (dv_unit_id u = 0; u < labels->unit_count; u++)
        floor += least_amount(budget, labels, u);
    double room = budget->most - floor;
    if (room < -TOLERANCE * budget->most)
        return false;
    for (dv_unit_id u = 0; u < labels->unit_count; u++) {
        double least = least_amount(budget, labels, u);
        for (dv_target_id a = 0; a < labels->target_count; a++) {
            size_t cell = (size_t)u * labels->target_count + a;
            if (!labels->allowed[cell] ||
                budget->amount[cell] - least <= room + TOLERANCE * budget->most)
                continue;
            labels->allowed[cell] = false;
            labels->count[u]--;
            *changed = true;
        }
    }
    return true;
}

bool dv_budgets_cut(const dv_problem *p, const dv_budgets *budgets, dv_labels *labels)
{
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        for (dv_target_id a = 0; a < p->target_count; a++) {
            size_t cell = (size_t)u * p->target_count + a;
            if (!labels->allowed[cell] || !is_forbidden(p, cell, p->device[a]))
                continue;
            labels->allowed[cell] = false;
            labels->count[u]--;
        }
        if (labels->count[u] == 0)
            return false;
    }
    enum { ROUNDS = 5 };
    bool changed = true;
    for (int round = 0; changed && round < ROUNDS; round++) {
        changed = false;
        for (uint32_t i = 0; i < budgets->count; i++)
            if (budgets->list[i].amount && !cut_one(&budgets->list[i], labels, &changed))
                return false;
    }
    return true;
}

double dv_budget_amount(const dv_problem *p, const dv_budget *budget, const dv_plan *plan)
{
    if (!budget->amount)
        return plan->cost.segments;
    double sum = 0.0;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        sum += budget->amount[(size_t)u * p->target_count + plan->target[u]];
    return sum;
}

void dv_budget_range(const dv_budget *budget, const dv_labels *labels, dv_unit_id u, double *least,
                     double *largest)
{
    *least = INFINITY;
    *largest = 0.0;
    for (dv_target_id a = 0; a < labels->target_count; a++)
        if (dv_label(labels, u, a)) {
            size_t cell = (size_t)u * labels->target_count + a;
            *least = fmin(*least, budget->amount ? budget->amount[cell] : 0.0);
            *largest = fmax(*largest, budget->amount ? budget->amount[cell] : 1.0);
        }
}

bool dv_budgets_spend(const dv_budgets *budgets, size_t cell, bool enters, const double *to_come,
                      const double *roomy, const double *before, double *spent)
{
    for (uint32_t b = 0; budgets && b < budgets->count; b++) {
        const dv_budget *budget = &budgets->list[b];
        spent[b] = before[b] + (budget->amount ? budget->amount[cell] : enters ? 1.0 : 0.0);
        if (spent[b] + to_come[b] > budget->most)
            return false;
        if (spent[b] <= roomy[b])
            spent[b] = 0.0;
    }
    return true;
}

double dv_budgets_worth_us(const dv_budgets *budgets)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < budgets->count; i++)
        sum += budgets->list[i].price_us * budgets->list[i].most;
    return sum;
}

dv_status dv_priced_create(const dv_problem *p, dv_priced *priced)
{
    *priced = (dv_priced){.problem = *p};
    size_t cells = (size_t)p->unit_count * p->target_count;
    priced->time_us = malloc((cells + 1) * sizeof *priced->time_us);
    priced->dispatch_us = malloc(((size_t)p->device_count + 1) * sizeof *priced->dispatch_us);
    priced->capacity_bytes = malloc(((size_t)p->device_count + 1) * sizeof *priced->capacity_bytes);
    if (!priced->time_us || !priced->dispatch_us || !priced->capacity_bytes) {
        dv_priced_free(priced);
        return dv_fail(DV_NO_MEMORY, "limits: out of memory");
    }
    for (dv_device_id d = 0; d < p->device_count; d++)
        priced->capacity_bytes[d] = INFINITY;
    priced->problem.time_us = priced->time_us;
    priced->problem.dispatch_us = priced->dispatch_us;
    priced->problem.capacity_bytes = priced->capacity_bytes;
    priced->problem.max_segments = UINT32_MAX;
    priced->problem.energy_budget_uj = priced->problem.loss_budget = INFINITY;
    return DV_OK;
}

void dv_priced_set(const dv_problem *p, const dv_budgets *budgets, const dv_labels *labels,
                   dv_priced *priced)
{
    size_t cells = (size_t)p->unit_count * p->target_count;
    for (size_t i = 0; i < cells; i++)
        priced->time_us[i] = labels->allowed[i] ? p->time_us[i] : INFINITY;
    memcpy(priced->dispatch_us, p->dispatch_us, p->device_count * sizeof *priced->dispatch_us);
    for (uint32_t b = 0; b < budgets->count; b++) {
        const dv_budget *budget = &budgets->list[b];
        for (size_t i = 0; budget->amount && budget->price_us > 0.0 && i < cells; i++)
            priced->time_us[i] += budget->price_us * budget->amount[i];
        for (dv_device_id d = 0; !budget->amount && d < p->device_count; d++)
            priced->dispatch_us[d] += budget->price_us;
    }
}

void dv_priced_free(dv_priced *priced)
{
    free(priced->time_us);
    free(priced->dispatch_us);
    free(priced->capacity_bytes);
    *priced = (dv_priced){0};
}
