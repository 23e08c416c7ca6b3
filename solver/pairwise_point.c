/* pairwise_point.c - between placements and points of the pairwise program. */
#include <math.h>
#include <string.h>

#include "solver/pairwise_terms.h"

static bool device_is_used(const dv_pairwise *m, const dv_target_id *target, dv_device_id d)
{
    for (dv_unit_id u = 0; u < m->problem->unit_count; u++)
        if (m->problem->device[target[u]] == d)
            return true;
    return false;
}

static bool tensor_is_read(const dv_pairwise *m, const dv_target_id *target, uint32_t t,
                           dv_target_id b)
{
    for (uint32_t i = m->problem->consumer_start[t]; i < m->problem->consumer_start[t + 1]; i++)
        if (target[m->problem->consumers[i]] == b)
            return true;
    return false;
}

static bool column_is_one(const dv_pairwise *m, const dv_target_id *target, const dv_column *c)
{
    const dv_pair *pair;
    switch (c->kind) {
    case DV_COLUMN_PLACE:
        return target[c->a] == c->b;
    case DV_COLUMN_PAIR:
        pair = &m->pair[c->a];
        return dv_pair_choice(m, pair, pair->u, target[pair->u]) == c->b &&
               dv_pair_choice(m, pair, pair->v, target[pair->v]) == c->c;
    case DV_COLUMN_COPY:
        return target[m->problem->producer[c->a]] == c->b && tensor_is_read(m, target, c->a, c->c);
    case DV_COLUMN_INPUT:
        return tensor_is_read(m, target, c->a, c->b);
    case DV_COLUMN_SESSION:
        return device_is_used(m, target, c->a);
    case DV_COLUMN_ENTER: /* without an order: by dv_potentials_point, as all that follow */
        return m->order && m->problem->device[target[m->order[c->a]]] == c->b &&
               m->problem->device[target[m->order[c->a - 1]]] != c->b;
    case DV_COLUMN_COUNT:
    case DV_COLUMN_PASSED:
    case DV_COLUMN_FIRST:
    case DV_COLUMN_LAST:
    case DV_COLUMN_LOAD:
        break;
    }
    return false;
}

void dv_pairwise_point(const dv_pairwise *m, const dv_target_id *target, double *x)
{
    for (uint32_t j = 0; j < m->linear.column_count; j++)
        x[j] = column_is_one(m, target, &m->linear.column[j]) ? 1.0 : 0.0;
    if (m->potentials)
        dv_potentials_point(m, target, x);
}

/* Every row basic but: a unit's sum (its x is basic in it) and a pair's marginals (its star of
   cells is). Rows in the order in which pairwise.c makes them: units, then each pair's marginals.
 */
static void mark_equalities(const dv_pairwise *m, bool *basic_row)
{
    uint32_t rows = m->problem->unit_count;
    for (uint32_t i = 0; i < m->pair_count; i++)
        if (m->pair[i].column != UINT32_MAX)
            rows += m->pair[i].u_choices + m->pair[i].v_choices - 1;
    for (uint32_t r = 0; r < m->linear.row_count; r++)
        basic_row[r] = r >= rows;
}

static bool cell_is_in_star(const dv_pairwise *m, const dv_target_id *target, const dv_column *c)
{
    const dv_pair *pair = &m->pair[c->a];
    return dv_pair_choice(m, pair, pair->u, target[pair->u]) == c->b ||
           dv_pair_choice(m, pair, pair->v, target[pair->v]) == c->c;
}

static double activity(const dv_pairwise *m, const double *x, uint32_t row)
{
    double sum = 0.0;
    for (size_t i = m->linear.row[row].first; i < dv_linear_row_end(&m->linear, row); i++)
        sum += m->linear.entry[i].value * x[m->linear.entry[i].column];
    return sum;
}

/* A choice of the first or the last device is a sum as a unit's is. */
static void mark_choices(const dv_pairwise *m, const double *x, bool *basic_column, bool *basic_row)
{
    for (uint32_t r = m->problem->unit_count; r < m->linear.row_count; r++) {
        size_t first = m->linear.row[r].first, end = dv_linear_row_end(&m->linear, r);
        if (first == end || m->linear.row[r].lower != 1.0)
            continue;
        dv_column_kind kind = m->linear.column[m->linear.entry[first].column].kind;
        if (kind != DV_COLUMN_FIRST && kind != DV_COLUMN_LAST)
            continue;
        basic_row[r] = false;
        for (size_t i = first; i < end; i++)
            basic_column[m->linear.entry[i].column] = x[m->linear.entry[i].column] == 1.0;
    }
}

void dv_pairwise_basis(const dv_pairwise *m, const dv_target_id *target, const double *x,
                       bool *basic_column, bool *basic_row)
{
    mark_equalities(m, basic_row);
    for (uint32_t j = 0; j < m->linear.column_count; j++) {
        const dv_column *c = &m->linear.column[j];
        basic_column[j] = c->kind == DV_COLUMN_PAIR    ? cell_is_in_star(m, target, c)
                          : c->kind == DV_COLUMN_PLACE ? target[c->a] == c->b
                                                       : false;
    }
    mark_choices(m, x, basic_column, basic_row);
    /* What a row forces up - a paid copy or session, a count - is basic in the first such row. */
    for (uint32_t r = 0; r < m->linear.row_count; r++) {
        uint32_t cover = m->linear.row[r].cover;
        if (cover == UINT32_MAX || basic_column[cover] || x[cover] == 0.0 ||
            activity(m, x, r) != 0.0)
            continue;
        basic_column[cover] = true;
        basic_row[r] = false;
    }
}

void dv_pairwise_round(const dv_pairwise *m, const double *x, dv_target_id *target, bool *integral)
{
    *integral = true;
    for (dv_unit_id u = 0; u < m->problem->unit_count; u++) {
        double largest = -1.0;
        for (dv_target_id a = 0; a < m->problem->target_count; a++) {
            uint32_t column = m->place[(size_t)u * m->problem->target_count + a];
            if (column == UINT32_MAX)
                continue;
            if (x[column] > largest) {
                largest = x[column];
                target[u] = a;
            }
        }
        if (fabs(largest - 1.0) > 1e-6)
            *integral = false;
    }
}
