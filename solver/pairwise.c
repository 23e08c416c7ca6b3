/* pairwise.c - building the program; see pairwise.h for the formulation. */
#include "solver/pairwise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/pairwise_terms.h"

static size_t at(const dv_pairwise *m, dv_unit_id u, dv_target_id a)
{
    return (size_t)u * m->problem->target_count + a;
}

void dv_pairwise_free(dv_pairwise *model)
{
    dv_linear_free(&model->linear);
    free(model->place);
    free(model->rank);
    free(model->device_rank);
    free(model->device_count);
    free(model->pair);
    free(model->edge_pair);
    free(model->follow_pair);
    free(model->entering);
    free(model->copy);
    dv_potentials_free(model->potentials);
    *model = (dv_pairwise){0};
}

static uint32_t *filled(size_t count)
{
    uint32_t *items = malloc((count + 1) * sizeof *items);
    if (items)
        memset(items, 0xff, (count + 1) * sizeof *items);
    return items;
}

static dv_status allocate(dv_pairwise *m)
{
    size_t cells = (size_t)m->problem->unit_count * m->problem->target_count;
    size_t edges = m->problem->next_start[m->problem->unit_count];
    m->place = filled(cells);
    m->rank = filled(cells);
    m->device_rank = filled(cells);
    m->device_count = filled(m->problem->unit_count);
    m->edge_pair = filled(edges);
    m->follow_pair = filled(m->problem->unit_count);
    m->entering = filled((m->order ? m->problem->unit_count : edges) * m->problem->device_count);
    m->copy = filled(m->problem->target_count);
    m->pair = malloc((edges + m->problem->unit_count + 1) * sizeof *m->pair);
    bool ok = m->place && m->rank && m->device_rank && m->device_count && m->edge_pair &&
              m->follow_pair && m->entering && m->copy && m->pair;
    return ok ? DV_OK : dv_fail(DV_NO_MEMORY, "ilp: out of memory");
}

/* Numbers unit u's labels and devices, and makes its x. */
static void add_unit(dv_pairwise *m, dv_unit_id u)
{
    uint32_t labels = 0, devices = 0;
    for (dv_target_id a = 0; a < m->problem->target_count; a++) {
        if (!dv_label(m->labels, u, a))
            continue;
        m->rank[at(m, u, a)] = labels++;
        for (dv_target_id b = 0; b < a && m->device_rank[at(m, u, a)] == UINT32_MAX; b++)
            if (m->problem->device[b] == m->problem->device[a])
                m->device_rank[at(m, u, a)] = m->device_rank[at(m, u, b)];
        if (m->device_rank[at(m, u, a)] == UINT32_MAX)
            m->device_rank[at(m, u, a)] = devices++;
        m->place[at(m, u, a)] =
            dv_linear_column(&m->linear, (dv_column){.kind = DV_COLUMN_PLACE,
                                                     .a = u,
                                                     .b = a,
                                                     .cost = dv_problem_time_us(m->problem, u, a),
                                                     .upper = 1.0,
                                                     .integer = true});
    }
    m->device_count[u] = devices;
    dv_linear_row(&m->linear, 1.0, 1.0);
    for (dv_target_id a = 0; a < m->problem->target_count; a++)
        if (dv_label(m->labels, u, a))
            dv_linear_entry(&m->linear, m->place[at(m, u, a)], 1.0);
}

static uint32_t choice_of(const dv_pairwise *m, const dv_pair *pair, dv_unit_id u, dv_target_id a)
{
    return pair->by_device ? m->device_rank[at(m, u, a)] : m->rank[at(m, u, a)];
}

uint32_t dv_pair_choice(const dv_pairwise *m, const dv_pair *pair, dv_unit_id u, dv_target_id a)
{
    return choice_of(m, pair, u, a);
}

/* sum over the partner's choices of m = x of unit w's choice; of_first: w is the pair's u. */
static void add_marginal(dv_pairwise *m, const dv_pair *pair, bool of_first, uint32_t choice)
{
    dv_unit_id w = of_first ? pair->u : pair->v;
    dv_linear_row(&m->linear, 0.0, 0.0);
    uint32_t others = of_first ? pair->v_choices : pair->u_choices;
    for (uint32_t other = 0; other < others; other++) {
        uint32_t row = of_first ? choice : other, column = of_first ? other : choice;
        dv_linear_entry(&m->linear, pair->column + row * pair->v_choices + column, 1.0);
    }
    for (dv_target_id a = 0; a < m->problem->target_count; a++)
        if (dv_label(m->labels, w, a) && choice_of(m, pair, w, a) == choice)
            dv_linear_entry(&m->linear, m->place[at(m, w, a)], -1.0);
}

static uint32_t add_pair(dv_pairwise *m, dv_unit_id u, dv_unit_id v, bool by_device)
{
    dv_pair pair = {.u = u, .v = v, .by_device = by_device, .column = UINT32_MAX};
    pair.u_choices = by_device ? m->device_count[u] : m->labels->count[u];
    pair.v_choices = by_device ? m->device_count[v] : m->labels->count[v];
    if (pair.u_choices > 1 && pair.v_choices > 1) {
        pair.column = m->linear.column_count;
        for (uint32_t i = 0; i < pair.u_choices; i++)
            for (uint32_t j = 0; j < pair.v_choices; j++)
                dv_linear_column(
                    &m->linear,
                    (dv_column){
                        .kind = DV_COLUMN_PAIR, .a = m->pair_count, .b = i, .c = j, .upper = 1.0});
        for (uint32_t i = 0; i < pair.u_choices; i++)
            add_marginal(m, &pair, true, i);
        for (uint32_t j = 0; j + 1 < pair.v_choices; j++)
            add_marginal(m, &pair, false, j);
    }
    m->pair[m->pair_count] = pair;
    return m->pair_count++;
}

/* Does sending any tensor from u to v cost anything? */
static bool moves_cost(const dv_pairwise *m, dv_unit_id u, dv_unit_id v)
{
    const dv_problem *p = m->problem;
    for (uint32_t i = p->unit_output_start[u]; i < p->unit_output_start[u + 1]; i++) {
        uint32_t t = p->unit_outputs[i];
        bool read = false;
        for (uint32_t c = p->consumer_start[t]; !read && c < p->consumer_start[t + 1]; c++)
            read = p->consumers[c] == v;
        for (dv_target_id a = 0; read && a < p->target_count; a++)
            for (dv_target_id b = 0; b < p->target_count; b++)
                if (dv_label(m->labels, u, a) && dv_label(m->labels, v, b) &&
                    dv_problem_move_us(p, t, a, b) > 0.0)
                    return true;
    }
    return false;
}

static void add_data_pairs(dv_pairwise *m)
{
    for (dv_unit_id u = 0; u < m->problem->unit_count; u++)
        for (uint32_t i = m->problem->next_start[u]; i < m->problem->next_start[u + 1]; i++)
            if (moves_cost(m, u, m->problem->next[i]))
                m->edge_pair[i] = add_pair(m, u, m->problem->next[i], false);
}

bool dv_pairwise_device_counts(const dv_problem *problem, dv_device_id d)
{
    return problem->dispatch_us[d] > 0.0 || dv_limit_segments_binds(problem);
}

static bool dispatch_costs(const dv_problem *problem)
{
    for (dv_device_id d = 0; d < problem->device_count; d++)
        if (dv_pairwise_device_counts(problem, d))
            return true;
    return false;
}

/* Makes what tells where devices are entered along the order. */
static void add_follow(dv_pairwise *m)
{
    if (!dispatch_costs(m->problem))
        return;
    for (uint32_t k = 1; k < m->problem->unit_count; k++) {
        dv_unit_id u = m->order[k - 1], v = m->order[k];
        if (m->form != DV_FORM_PAIRWISE) {
            dv_product_add_entering(m, u, v, k, m->entering + (size_t)k * m->problem->device_count);
            continue;
        }
        uint32_t edge = dv_pairwise_edge(m, u, v);
        m->follow_pair[k] = edge != UINT32_MAX ? edge : add_pair(m, u, v, true);
    }
}

/* The same along the edges that count where the order is free. */
static void add_edges(dv_pairwise *m)
{
    const dv_problem *p = m->problem;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        for (uint32_t i = p->next_start[u]; i < p->next_start[u + 1]; i++) {
            if (!dv_potentials_edge_counts(m, i))
                continue;
            if (m->form != DV_FORM_PAIRWISE)
                dv_product_add_entering(m, u, p->next[i], i,
                                        m->entering + (size_t)i * p->device_count);
            else if (m->edge_pair[i] == UINT32_MAX)
                m->edge_pair[i] = add_pair(m, u, p->next[i], true);
        }
}

uint32_t dv_pairwise_edge(const dv_pairwise *m, dv_unit_id u, dv_unit_id v)
{
    for (uint32_t i = m->problem->next_start[u]; i < m->problem->next_start[u + 1]; i++)
        if (m->problem->next[i] == v)
            return m->edge_pair[i];
    return UINT32_MAX;
}

static dv_status build(dv_pairwise *m)
{
    DV_TRY(allocate(m));
    if (!m->order)
        DV_TRY(dv_potentials_create(m));
    for (dv_unit_id u = 0; u < m->problem->unit_count; u++)
        add_unit(m, u);
    if (m->form == DV_FORM_PAIRWISE)
        add_data_pairs(m);
    if (m->order)
        add_follow(m);
    else
        add_edges(m);
    dv_pairwise_add_costs(m);
    if (!m->order)
        dv_potentials_add(m);
    dv_pairwise_add_limits(m);
    if (m->linear.failed)
        return dv_fail(DV_NO_MEMORY, "ilp: the integer program does not fit in memory");
    return DV_OK;
}

dv_status dv_pairwise_build(const dv_problem *problem, const dv_labels *labels,
                            const dv_unit_id *order, dv_form form, dv_pairwise *out)
{
    *out = (dv_pairwise){.problem = problem, .labels = labels, .order = order, .form = form};
    dv_status status = build(out);
    if (status != DV_OK)
        dv_pairwise_free(out);
    return status;
}
