/* subgraphs.c - when subgraphs and the host's units end. */
#include "solver/subgraphs.h"

#include <math.h>

#include "solver/evaluate.h"

bool dv_subgraphs_is_host(const dv_problem *problem, dv_device_id device)
{
    uint32_t n = problem->target_count;
    for (dv_target_id a = 0; a < n; a++) {
        size_t to = (size_t)problem->host * n + a, back = (size_t)a * n + problem->host;
        if (problem->device[a] == device &&
            (problem->move_latency_us[to] > 0.0 || problem->move_us_per_byte[to] > 0.0 ||
             problem->move_latency_us[back] > 0.0 || problem->move_us_per_byte[back] > 0.0))
            return false;
    }
    return true;
}

typedef struct timing {
    dv_makespan *m;
    const dv_problem *p;
    const dv_target_id *target;
    const dv_unit_id *order;
} timing;

static double run_on_host(const timing *t, dv_unit_id u)
{
    double start = 0.0;
    for (uint32_t i = t->p->previous_start[u]; i < t->p->previous_start[u + 1]; i++)
        start = fmax(start, t->m->end_us[t->p->previous[i]]);
    return start + dv_problem_time_us(t->p, u, t->target[u]);
}

/* Is unit u of the subgraph order[first .. end)? */
static bool is_inside(const timing *t, dv_unit_id u, uint32_t first, uint32_t end)
{
    return t->m->position[u] >= first && t->m->position[u] < end;
}

/* What unit u of the subgraph adds to its time; *start: later if u reads something later. A
   tensor's mark says for which subgraph it was fetched. */
static double unit_us(const timing *t, dv_unit_id u, uint32_t first, uint32_t end, double *start)
{
    const dv_problem *p = t->p;
    dv_target_id a = t->target[u];
    double us = dv_problem_time_us(p, u, a);
    for (uint32_t i = p->unit_tensor_start[u]; i < p->unit_tensor_start[u + 1]; i++) {
        uint32_t tensor = p->unit_tensors[i];
        dv_unit_id maker = p->producer[tensor];
        double *mark = &t->m->there_us[(size_t)tensor * p->target_count];
        if ((maker != DV_NONE && is_inside(t, maker, first, end)) || *mark == first)
            continue;
        *mark = first;
        *start = fmax(*start, maker == DV_NONE ? 0.0 : t->m->end_us[maker]);
        us += dv_problem_move_us(p, tensor, p->host, a);
    }
    for (uint32_t i = p->unit_output_start[u]; i < p->unit_output_start[u + 1]; i++) {
        uint32_t tensor = p->unit_outputs[i];
        bool leaves = p->host_needs[tensor];
        for (uint32_t k = p->consumer_start[tensor]; k < p->consumer_start[tensor + 1]; k++)
            leaves = leaves || !is_inside(t, p->consumers[k], first, end);
        us += leaves ? dv_problem_move_us(p, tensor, a, p->host) : 0.0;
    }
    return us;
}

static double run_subgraph(const timing *t, dv_device_id d, uint32_t first, uint32_t end)
{
    double start = fmax(0.0, t->m->device_free_us[d]), us = t->p->dispatch_us[d];
    us += t->m->device_free_us[d] < 0.0 ? t->p->session_us[d] : 0.0;
    for (uint32_t k = first; k < end; k++)
        us += unit_us(t, t->order[k], first, end, &start);
    for (uint32_t k = first; k < end; k++)
        t->m->end_us[t->order[k]] = start + us;
    return t->m->device_free_us[d] = start + us;
}

double dv_subgraphs_us(dv_makespan *makespan, const dv_target_id *target, const dv_unit_id *order)
{
    const dv_problem *p = makespan->problem;
    timing t = {makespan, p, target, order};
    double last = 0.0;
    for (dv_device_id d = 0; d < p->device_count; d++) {
        makespan->device_free_us[d] = -1.0;
        makespan->link_free_us[d] = dv_subgraphs_is_host(p, d) ? INFINITY : 0.0; /* how many */
    }
    for (uint32_t i = 0; i < p->tensor_count; i++)
        makespan->there_us[(size_t)i * p->target_count] = -1.0;
    for (uint32_t k = 0; k < p->unit_count; k++)
        makespan->position[order[k]] = k;
    for (uint32_t k = 0, end; k < p->unit_count; k = end) {
        dv_device_id d = p->device[target[order[k]]];
        end = k + 1;
        if (isinf(makespan->link_free_us[d])) {
            last = fmax(last, makespan->end_us[order[k]] = run_on_host(&t, order[k]));
            continue;
        }
        while (end < p->unit_count && p->device[target[order[end]]] == d)
            end++;
        if (++makespan->link_free_us[d] > p->subgraphs_per_device)
            return INFINITY;
        last = fmax(last, run_subgraph(&t, d, k, end));
    }
    return last;
}

static bool are_alike(const dv_problem *p, dv_target_id a, dv_target_id b)
{
    uint32_t n = p->target_count;
    bool same = p->capacity_bytes[p->device[a]] == p->capacity_bytes[p->device[b]] &&
                p->dispatch_us[p->device[a]] == p->dispatch_us[p->device[b]] &&
                p->session_us[p->device[a]] == p->session_us[p->device[b]] &&
                p->move_latency_us[p->host * n + a] == p->move_latency_us[p->host * n + b] &&
                p->move_us_per_byte[p->host * n + a] == p->move_us_per_byte[p->host * n + b] &&
                p->move_latency_us[a * n + p->host] == p->move_latency_us[b * n + p->host] &&
                p->move_us_per_byte[a * n + p->host] == p->move_us_per_byte[b * n + p->host];
    for (dv_unit_id u = 0; same && u < p->unit_count; u++) {
        size_t row = (size_t)u * n;
        same = p->time_us[row + a] == p->time_us[row + b] &&
               (!p->memory_bytes || p->memory_bytes[row + a] == p->memory_bytes[row + b]);
    }
    for (uint32_t t = 0; same && t < p->tensor_count; t++)
        same = p->bytes[(size_t)t * n + a] == p->bytes[(size_t)t * n + b];
    return same;
}

bool dv_subgraphs_serve(const dv_problem *problem)
{
    const dv_problem *p = problem;
    dv_target_id first = DV_NONE;
    if (p->target_count != p->device_count || p->backward || p->max_segments != UINT32_MAX ||
        isfinite(p->energy_budget_uj) || isfinite(p->loss_budget))
        return false;
    for (dv_target_id a = 0; a < p->target_count; a++) {
        if (dv_subgraphs_is_host(p, p->device[a]))
            continue;
        if (first != DV_NONE && !are_alike(p, first, a))
            return false;
        first = a;
    }
    for (dv_unit_id u = 0; p->pin && u < p->unit_count; u++)
        if (p->pin[u] != DV_NONE && !dv_subgraphs_is_host(p, p->device[p->pin[u]]))
            return false;
    return first != DV_NONE;
}
