/* products.c - the naive, aggregated and transport forms; see pairwise.h. */
#include <math.h>

#include "solver/pairwise_terms.h"

/* Fills columns[a] with w[t,a,b] for each a from which the move to b costs. */
static void add_copies(dv_pairwise *m, uint32_t t, dv_target_id b, uint32_t *columns)
{
    const dv_problem *p = m->problem;
    dv_unit_id u = p->producer[t];
    for (dv_target_id a = 0; a < p->target_count; a++) {
        columns[a] = UINT32_MAX;
        double move_us = dv_problem_move_us(p, t, a, b);
        if (!dv_label(m->labels, u, a) || move_us == 0.0)
            continue;
        columns[a] = dv_linear_column(
            &m->linear,
            (dv_column){
                .kind = DV_COLUMN_COPY, .a = t, .b = a, .c = b, .cost = move_us, .upper = 1.0});
        if (m->form != DV_FORM_TRANSPORT)
            continue;
        dv_linear_row(&m->linear, 0.0, INFINITY);
        dv_linear_entry(&m->linear, dv_place_column(m, u, a), 1.0);
        dv_linear_entry(&m->linear, columns[a], -1.0);
    }
}

/* w[t,a,b] >= x[u,a] + x[v,b] - 1 */
static void add_products(dv_pairwise *m, dv_unit_id u, dv_unit_id v, dv_target_id b,
                         const uint32_t *columns)
{
    for (dv_target_id a = 0; a < m->problem->target_count; a++) {
        if (columns[a] == UINT32_MAX)
            continue;
        dv_linear_row(&m->linear, -1.0, INFINITY);
        dv_linear_entry(&m->linear, columns[a], 1.0);
        dv_linear_entry(&m->linear, dv_place_column(m, u, a), -1.0);
        dv_linear_entry(&m->linear, dv_place_column(m, v, b), -1.0);
    }
}

/* What v reads on b comes from somewhere: a paid copy, or a place from which it is free. */
static void add_supply(dv_pairwise *m, dv_unit_id u, dv_unit_id v, dv_target_id b,
                       const uint32_t *columns)
{
    dv_linear_row(&m->linear, 0.0, INFINITY);
    dv_linear_entry(&m->linear, dv_place_column(m, v, b), -1.0);
    for (dv_target_id a = 0; a < m->problem->target_count; a++) {
        if (columns[a] != UINT32_MAX)
            dv_linear_entry(&m->linear, columns[a], 1.0);
        else if (dv_label(m->labels, u, a))
            dv_linear_entry(&m->linear, dv_place_column(m, u, a), 1.0);
    }
}

static void add_moves_to(dv_pairwise *m, uint32_t t, dv_target_id b)
{
    const dv_problem *p = m->problem;
    dv_unit_id u = p->producer[t];
    uint32_t *columns = m->copy;
    bool read = false, costs = false;
    for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++)
        read = read || dv_label(m->labels, p->consumers[i], b);
    for (dv_target_id a = 0; a < p->target_count; a++)
        costs = costs || (dv_label(m->labels, u, a) && dv_problem_move_us(p, t, a, b) > 0.0);
    if (!read || !costs)
        return;
    add_copies(m, t, b, columns);
    for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++) {
        dv_unit_id v = p->consumers[i];
        if (!dv_label(m->labels, v, b))
            continue;
        if (m->form != DV_FORM_TRANSPORT)
            add_products(m, u, v, b, columns);
        if (m->form != DV_FORM_NAIVE)
            add_supply(m, u, v, b, columns);
    }
}

void dv_product_add_moves(dv_pairwise *m, uint32_t t)
{
    const dv_problem *p = m->problem;
    dv_unit_id u = p->producer[t];
    for (dv_target_id b = 0; b < p->target_count; b++) {
        if (b != p->host || !p->host_needs[t]) {
            add_moves_to(m, t, b);
            continue;
        }
        for (dv_target_id a = 0; a < p->target_count; a++)
            if (dv_label(m->labels, u, a))
                dv_linear_cost(&m->linear, dv_place_column(m, u, a),
                               dv_problem_move_us(p, t, a, b));
    }
}

void dv_product_add_entering(dv_pairwise *m, dv_unit_id u, dv_unit_id v, uint32_t at,
                             uint32_t *columns)
{
    const dv_problem *p = m->problem;
    for (dv_device_id d = 0; d < p->device_count; d++) {
        if (!dv_pairwise_device_counts(p, d) || !dv_pairwise_may_be_on(m, v, d) ||
            !dv_pairwise_may_be_off(m, u, d))
            continue;
        columns[d] =
            dv_linear_column(&m->linear, (dv_column){.kind = DV_COLUMN_ENTER,
                                                     .a = at,
                                                     .b = d,
                                                     .cost = m->order ? p->dispatch_us[d] : 0.0,
                                                     .upper = 1.0});
        dv_linear_row(&m->linear, 0.0, INFINITY);
        dv_linear_entry(&m->linear, columns[d], 1.0);
        dv_pairwise_add_on(m, v, d, -1.0);
        dv_pairwise_add_on(m, u, d, 1.0);
        if (!m->linear.failed)
            m->linear.row[m->linear.row_count - 1].cover = columns[d];
    }
}
