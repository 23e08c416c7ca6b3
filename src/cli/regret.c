/* regret.c - what the best plan costs that puts a unit elsewhere. */
#include "cli/regret.h"

#include <math.h>
#include <stdlib.h>

#include "cli/table.h"

enum { STATE_LIMIT = 20000 };

static double regret_us(const dv_session *session, const dv_marginals *m, dv_unit_id u,
                        dv_target_id a)
{
    double us =
        m->cost_us[(size_t)u * session->problem->target_count + a] - session->plan->cost.total_us;
    /* Summed in another order, the plan's own cost differs by its rounding. */
    return fabs(us) <= 1e-9 * session->plan->cost.total_us ? 0.0 : us;
}

typedef struct ranked {
    dv_unit_id unit;
    double regret_us;
} ranked;

/* Dearest first, then in the order of units; those without another target last. */
static int by_regret(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->regret_us != y->regret_us)
        return x->regret_us > y->regret_us ? -1 : 1;
    return (x->unit > y->unit) - (x->unit < y->unit);
}

static void print_unit(const dv_session *session, const dv_marginals *m, dv_unit_id u,
                       dv_table *table)
{
    const dv_problem *p = session->problem;
    dv_target_id a = session->plan->target[u], next = dv_marginals_second(p, m, u, a);
    dv_table_row(table);
    dv_table_cell(table, "%s", p->unit_name[u]);
    dv_table_cell(table, "%s", p->target_name[a]);
    dv_table_cell_us(table, dv_problem_time_us(p, u, a));
    if (next == DV_NONE) {
        dv_table_cell(table, "no other");
        return;
    }
    dv_table_cell(table, "%s", p->target_name[next]);
    dv_table_cell_us(table, dv_problem_time_us(p, u, next));
    dv_table_cell_us(table, regret_us(session, m, u, next));
}

dv_status dv_regret_print(const dv_cli *cli, const dv_session *session, const dv_marginals *m,
                          dv_text *out)
{
    const dv_problem *p = session->problem;
    ranked *rank = malloc(((size_t)p->unit_count + 1) * sizeof *rank);
    if (!rank)
        return dv_fail(DV_NO_MEMORY, "no memory for %u units", p->unit_count);
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        dv_target_id next = dv_marginals_second(p, m, u, session->plan->target[u]);
        rank[u] = (ranked){u, next == DV_NONE ? -INFINITY : regret_us(session, m, u, next)};
    }
    qsort(rank, p->unit_count, sizeof *rank, by_regret);
    dv_table *table =
        dv_table_create("<unit", "<on", ">takes", "<next best", ">takes", ">regret", NULL);
    for (uint32_t i = 0; i < p->unit_count; i++)
        print_unit(session, m, rank[i].unit, table);
    dv_text_append(out,
                   "\nRegret: how much longer the best plan in this order takes that puts the "
                   "unit on its next best target%s.\n",
                   m->exact ? "" : ", at most (too many states for the exact cost)");
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
    free(rank);
    return DV_OK;
}

static void json_unit(const dv_session *session, const dv_marginals *m, dv_unit_id u,
                      dv_json_writer *json)
{
    const dv_problem *p = session->problem;
    dv_target_id at = session->plan->target[u], next = dv_marginals_second(p, m, u, at);
    dv_json_begin_object(json, NULL);
    dv_json_put_string(json, "unit", p->unit_name[u]);
    dv_json_put_string(json, "target", p->target_name[at]);
    dv_json_put_string(json, "next", next == DV_NONE ? NULL : p->target_name[next]);
    dv_json_put_number(json, "regret_us", next == DV_NONE ? NAN : regret_us(session, m, u, next));
    dv_json_begin_line(json, "plan_us", '{');
    for (dv_target_id a = 0; a < p->target_count; a++)
        if (isfinite(m->cost_us[(size_t)u * p->target_count + a]))
            dv_json_put_number(json, p->target_name[a],
                               m->cost_us[(size_t)u * p->target_count + a]);
    dv_json_end(json, '}');
    dv_json_end(json, '}');
}

void dv_regret_json(const dv_session *session, const dv_marginals *m, dv_json_writer *json)
{
    dv_json_put_bool(json, "regret_exact", m->exact);
    dv_json_begin_array(json, "regret");
    for (dv_unit_id u = 0; u < session->problem->unit_count; u++)
        json_unit(session, m, u, json);
    dv_json_end(json, ']');
}

dv_status dv_regret_find(const dv_cli *cli, const dv_session *session, dv_marginals *m)
{
    return dv_marginals_compute(session->problem, session->plan->order, STATE_LIMIT, cli->progress,
                                m);
}
