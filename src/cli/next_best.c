/* next_best.c - the plans behind the best one. */
#include "cli/next_best.h"

#include <math.h>

#include "cli/table.h"

enum { STATE_LIMIT = 20000, NAMED = 3 };

dv_status dv_next_best_find(const dv_cli *cli, const dv_session *session, dv_k_best *best)
{
    int64_t wanted;
    DV_TRY(dv_cli_integer(cli, DV_OPTION_K_BEST, 1, 100000, 1, &wanted));
    return dv_k_best_find(session->problem, session->plan->order, (uint32_t)wanted, STATE_LIMIT,
                          cli->progress, best);
}

/* "conv1 gpu:f16, fc cpu:f32 and 4 more": what is elsewhere than in the first plan. */
static void cell_changes(const dv_problem *problem, const dv_plan *first, const dv_plan *plan,
                         dv_table *table)
{
    dv_text text = {0};
    uint32_t count = 0;
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        if (plan->target[u] != first->target[u] && count++ < NAMED)
            dv_text_append(&text, "%s%s %s", count > 1 ? ", " : "", problem->unit_name[u],
                           problem->target_name[plan->target[u]]);
    if (count > NAMED)
        dv_text_append(&text, " and %u more", count - NAMED);
    dv_table_cell(table, "%s", dv_text_string(&text));
    dv_text_free(&text);
}

void dv_next_best_print(const dv_cli *cli, const dv_session *session, const dv_k_best *best,
                        dv_text *out)
{
    dv_text_append(out, "\nThe %u best placements in this order%s:\n", best->count,
                   best->exact ? "" : ", as far as found (too many states to be sure)");
    dv_table *table = dv_table_create(">#", ">latency", ">more", ">segments", ">moved",
                                      "<elsewhere than in the first", NULL);
    for (uint32_t i = 0; i < best->count; i++) {
        const dv_cost *cost = &best->plans[i]->cost;
        dv_table_row(table);
        dv_table_cell(table, "%u", i + 1);
        dv_table_cell_us(table, cost->total_us);
        dv_table_cell_us(table, fmax(0.0, cost->total_us - best->plans[0]->cost.total_us));
        dv_table_cell(table, "%u", cost->segments);
        dv_table_cell_bytes(table, cost->moved_bytes);
        cell_changes(session->problem, best->plans[0], best->plans[i], table);
    }
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
}

void dv_next_best_json(const dv_problem *problem, const dv_k_best *best, dv_json_writer *json)
{
    dv_json_put_bool(json, "k_best_exact", best->exact);
    dv_json_begin_array(json, "k_best");
    for (uint32_t i = 0; i < best->count; i++) {
        const dv_plan *plan = best->plans[i];
        dv_json_begin_object(json, NULL);
        dv_json_put_number(json, "latency_us", plan->cost.total_us);
        dv_json_put_integer(json, "segments", plan->cost.segments);
        dv_json_put_number(json, "moved_bytes", plan->cost.moved_bytes);
        dv_json_begin_object(json, "placement");
        for (dv_unit_id u = 0; u < problem->unit_count; u++)
            dv_json_put_string(json, problem->unit_name[u], problem->target_name[plan->target[u]]);
        dv_json_end(json, '}');
        dv_json_end(json, '}');
    }
    dv_json_end(json, ']');
}
