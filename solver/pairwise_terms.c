/* pairwise_terms.c - the costs and the limits of the pairwise program. */
#include "solver/pairwise_terms.h"

#include <math.h>

static uint32_t place_of(const dv_pairwise *m, dv_unit_id u, dv_target_id a)
{
    return dv_place_column(m, u, a);
}

bool dv_pairwise_may_be_on(const dv_pairwise *m, dv_unit_id u, dv_device_id d)
{
    for (dv_target_id a = 0; a < m->problem->target_count; a++)
        if (m->problem->device[a] == d && dv_label(m->labels, u, a))
            return true;
    return false;
}

bool dv_pairwise_may_be_off(const dv_pairwise *m, dv_unit_id u, dv_device_id d)
{
    for (dv_target_id a = 0; a < m->problem->target_count; a++)
        if (m->problem->device[a] != d && dv_label(m->labels, u, a))
            return true;
    return false;
}

void dv_pairwise_add_on(dv_pairwise *m, dv_unit_id u, dv_device_id d, double value)
{
    for (dv_target_id a = 0; a < m->problem->target_count; a++)
        if (m->problem->device[a] == d && dv_label(m->labels, u, a))
            dv_linear_entry(&m->linear, place_of(m, u, a), value);
}

/* The column that is 1 exactly if the data pair's units are on a and b. */
static uint32_t cell(const dv_pairwise *m, const dv_pair *pair, dv_target_id a, dv_target_id b)
{
    if (pair->column != UINT32_MAX)
        return pair->column + dv_pair_choice(m, pair, pair->u, a) * pair->v_choices +
               dv_pair_choice(m, pair, pair->v, b);
    return pair->u_choices == 1 ? place_of(m, pair->v, b) : place_of(m, pair->u, a);
}

typedef struct entry_visitor {
    void (*visit)(dv_pairwise *m, const struct entry_visitor *v, uint32_t column, dv_device_id d);
    dv_device_id device; /* DV_NONE: any */
    double value;
} entry_visitor;

/* Calls visit for columns whose sum is 1 exactly if the pair's units are on different devices, with
   the device entered. A column may come more than once only for different devices entered. */
static void visit_switches(dv_pairwise *m, const dv_pair *pair, const entry_visitor *visitor)
{
    const dv_problem *p = m->problem;
    for (dv_target_id a = 0; a < p->target_count; a++)
        for (dv_target_id b = 0; b < p->target_count; b++) {
            if (visitor->device != DV_NONE && p->device[b] != visitor->device)
                continue;
            if (p->device[a] == p->device[b] || !dv_label(m->labels, pair->u, a) ||
                !dv_label(m->labels, pair->v, b))
                continue;
            /* By device, only the first target of each device stands for its cell. A unit with one
               choice of device may still have several targets: then its partner's x counts once. */
            bool u_first = true, v_first = true;
            for (dv_target_id c = 0; c < a; c++)
                u_first &= !(p->device[c] == p->device[a] && dv_label(m->labels, pair->u, c));
            for (dv_target_id c = 0; c < b; c++)
                v_first &= !(p->device[c] == p->device[b] && dv_label(m->labels, pair->v, c));
            bool once = !pair->by_device;
            if (pair->by_device && pair->column != UINT32_MAX)
                once = u_first && v_first;
            else if (pair->by_device)
                once = pair->u_choices == 1 ? u_first : v_first;
            if (once)
                visitor->visit(m, visitor, cell(m, pair, a, b), p->device[b]);
        }
}

static void visit_cost(dv_pairwise *m, const entry_visitor *v, uint32_t column, dv_device_id d)
{
    (void)v;
    dv_linear_cost(&m->linear, column, m->problem->dispatch_us[d]);
}

static void visit_row(dv_pairwise *m, const entry_visitor *v, uint32_t column, dv_device_id d)
{
    (void)d;
    dv_linear_entry(&m->linear, column, v->value);
}

void dv_pairwise_add_entering(dv_pairwise *m, const dv_pair *pair, dv_device_id d, double value)
{
    entry_visitor visitor = {visit_row, d, value};
    visit_switches(m, pair, &visitor);
}

static void add_dispatches(dv_pairwise *m)
{
    const dv_problem *p = m->problem;
    if (p->unit_count == 0 || !m->order)
        return;
    entry_visitor visitor = {visit_cost, DV_NONE, 1.0};
    for (dv_target_id a = 0; a < p->target_count; a++)
        if (dv_label(m->labels, m->order[0], a))
            dv_linear_cost(&m->linear, place_of(m, m->order[0], a), p->dispatch_us[p->device[a]]);
    for (uint32_t k = 1; k < p->unit_count; k++)
        if (m->follow_pair[k] != UINT32_MAX)
            visit_switches(m, &m->pair[m->follow_pair[k]], &visitor);
}

void dv_pairwise_add_cover(dv_pairwise *m, uint32_t cover, uint32_t under)
{
    dv_linear_row(&m->linear, 0.0, INFINITY);
    dv_linear_entry(&m->linear, cover, 1.0);
    dv_linear_entry(&m->linear, under, -1.0);
    if (!m->linear.failed)
        m->linear.row[m->linear.row_count - 1].cover = cover;
}

/* Tensor t, made by u on a, is paid for b once, whichever of its consumers are there. */
static void add_copy(dv_pairwise *m, uint32_t t, dv_unit_id u, dv_target_id a, dv_target_id b,
                     double move_us)
{
    const dv_problem *p = m->problem;
    uint32_t possible = 0, only = UINT32_MAX;
    for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++) {
        dv_unit_id v = p->consumers[i];
        if (!dv_label(m->labels, v, b))
            continue;
        possible++;
        if (m->labels->count[v] == 1) { /* it reads on b for certain */
            dv_linear_cost(&m->linear, place_of(m, u, a), move_us);
            return;
        }
        only = cell(m, &m->pair[dv_pairwise_edge(m, u, v)], a, b);
    }
    if (possible == 1)
        dv_linear_cost(&m->linear, only, move_us);
    if (possible < 2)
        return;
    uint32_t copy = dv_linear_column(
        &m->linear,
        (dv_column){.kind = DV_COLUMN_COPY, .a = t, .b = a, .c = b, .cost = move_us, .upper = 1.0});
    for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++) {
        dv_unit_id v = p->consumers[i];
        if (dv_label(m->labels, v, b))
            dv_pairwise_add_cover(m, copy, cell(m, &m->pair[dv_pairwise_edge(m, u, v)], a, b));
    }
}

static void add_moves_of_tensor(dv_pairwise *m, uint32_t t)
{
    const dv_problem *p = m->problem;
    dv_unit_id u = p->producer[t];
    for (dv_target_id a = 0; a < p->target_count; a++) {
        if (!dv_label(m->labels, u, a))
            continue;
        for (dv_target_id b = 0; b < p->target_count; b++) {
            double move_us = dv_problem_move_us(p, t, a, b);
            if (move_us == 0.0)
                continue;
            if (b == p->host && p->host_needs[t])
                dv_linear_cost(&m->linear, place_of(m, u, a), move_us);
            else
                add_copy(m, t, u, a, b, move_us);
        }
    }
}

/* An input is sent from the host to b once. */
static void add_moves_of_input(dv_pairwise *m, uint32_t t)
{
    const dv_problem *p = m->problem;
    for (dv_target_id b = 0; b < p->target_count; b++) {
        double move_us = dv_problem_move_us(p, t, p->host, b);
        uint32_t possible = 0, only = UINT32_MAX;
        bool certain = false;
        for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++)
            if (dv_label(m->labels, p->consumers[i], b)) {
                only = place_of(m, p->consumers[i], b);
                certain = certain || m->labels->count[p->consumers[i]] == 1;
                possible++;
            }
        if (move_us == 0.0 || possible == 0)
            continue;
        if (possible == 1) {
            dv_linear_cost(&m->linear, only, move_us);
            continue;
        }
        if (certain && isfinite(move_us)) {
            m->linear.constant += move_us;
            continue;
        }
        uint32_t copy = dv_linear_column(
            &m->linear,
            (dv_column){.kind = DV_COLUMN_INPUT, .a = t, .b = b, .cost = move_us, .upper = 1.0});
        for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++)
            if (dv_label(m->labels, p->consumers[i], b))
                dv_pairwise_add_cover(m, copy, place_of(m, p->consumers[i], b));
    }
}

/* z[d] >= sum over targets a of d of x[u,a], for each unit; one on d for certain decides. */
static void add_session(dv_pairwise *m, dv_device_id d)
{
    const dv_problem *p = m->problem;
    uint32_t used = dv_linear_column(
        &m->linear,
        (dv_column){.kind = DV_COLUMN_SESSION, .a = d, .cost = p->session_us[d], .upper = 1.0});
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        bool may = false;
        for (dv_target_id a = 0; a < p->target_count; a++)
            may = may || (p->device[a] == d && dv_label(m->labels, u, a));
        if (!may)
            continue;
        dv_linear_row(&m->linear, 0.0, INFINITY);
        dv_linear_entry(&m->linear, used, 1.0);
        for (dv_target_id a = 0; a < p->target_count; a++)
            if (p->device[a] == d && dv_label(m->labels, u, a))
                dv_linear_entry(&m->linear, place_of(m, u, a), -1.0);
        if (!m->linear.failed)
            m->linear.row[m->linear.row_count - 1].cover = used;
    }
}

void dv_pairwise_add_costs(dv_pairwise *m)
{
    const dv_problem *p = m->problem;
    add_dispatches(m);
    for (uint32_t t = 0; t < p->tensor_count; t++) {
        if (p->producer[t] == DV_NONE)
            add_moves_of_input(m, t);
        else if (m->form == DV_FORM_PAIRWISE)
            add_moves_of_tensor(m, t);
        else
            dv_product_add_moves(m, t);
    }
    for (dv_device_id d = 0; d < p->device_count; d++)
        if (p->session_us[d] > 0.0)
            add_session(m, d);
}

/* sum of table over placements on device d (DV_NONE: all) <= limit; scaled to a limit near 1, so
   that the solver's tolerances mean the same for bytes and for losses. */
static void add_budget(dv_pairwise *m, const double *table, double limit, dv_device_id d)
{
    const dv_problem *p = m->problem;
    double scale = limit > 0.0 ? 1.0 / limit : 1.0;
    dv_linear_row(&m->linear, -INFINITY, limit > 0.0 ? 1.0 : 0.0);
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        for (dv_target_id a = 0; a < p->target_count; a++) {
            if (!dv_label(m->labels, u, a) || (d != DV_NONE && p->device[a] != d))
                continue;
            double share = table[(size_t)u * p->target_count + a] * scale;
            if (share > 1.0 + 1e-9 || (limit == 0.0 && share > 0.0))
                m->linear.column[place_of(m, u, a)].upper = 0.0; /* alone it is too much */
            else if (share > 0.0)
                dv_linear_entry(&m->linear, place_of(m, u, a), share);
        }
}

static void add_segment_limit(dv_pairwise *m)
{
    const dv_problem *p = m->problem;
    dv_linear_row(&m->linear, -INFINITY, (double)p->max_segments - 1.0);
    for (uint32_t k = 1; k < p->unit_count; k++) {
        if (m->follow_pair[k] != UINT32_MAX)
            dv_pairwise_add_entering(m, &m->pair[m->follow_pair[k]], DV_NONE, 1.0);
        for (dv_device_id d = 0; d < p->device_count; d++) {
            uint32_t column = m->entering[(size_t)k * p->device_count + d];
            if (column != UINT32_MAX)
                dv_linear_entry(&m->linear, column, 1.0);
        }
    }
}

/* Unit u and the next unit of its group are on the same device. */
static void add_group_link(dv_pairwise *m, dv_unit_id u)
{
    const dv_problem *p = m->problem;
    dv_unit_id v = u + 1;
    while (v < p->unit_count && p->group[v] != p->group[u])
        v++;
    if (v == p->unit_count)
        return;
    for (dv_device_id d = 0; d < p->device_count; d++) {
        dv_linear_row(&m->linear, 0.0, 0.0);
        for (dv_target_id a = 0; a < p->target_count; a++) {
            if (p->device[a] != d)
                continue;
            if (dv_label(m->labels, u, a))
                dv_linear_entry(&m->linear, place_of(m, u, a), 1.0);
            if (dv_label(m->labels, v, a))
                dv_linear_entry(&m->linear, place_of(m, v, a), -1.0);
        }
    }
}

void dv_pairwise_add_limits(dv_pairwise *m)
{
    const dv_problem *p = m->problem;
    if (m->linear.failed)
        return;
    for (dv_device_id d = 0; d < p->device_count; d++)
        if (dv_limit_capacity_binds(p, d))
            add_budget(m, p->memory_bytes, p->capacity_bytes[d], d);
    if (dv_limit_energy_binds(p))
        add_budget(m, p->energy_uj, p->energy_budget_uj, DV_NONE);
    if (dv_limit_loss_binds(p))
        add_budget(m, p->loss, p->loss_budget, DV_NONE);
    if (dv_limit_segments_binds(p) && m->order)
        add_segment_limit(m);
    else if (dv_limit_segments_binds(p))
        dv_potentials_add_segment_limit(m);
    for (dv_unit_id u = 0; p->group && u < p->unit_count; u++)
        if (p->group[u] != DV_NONE)
            add_group_link(m, u);
}
