/* front.c - latency against energy, segments or loss. */
#include "cli/front.h"

#include <string.h>

#include "cli/table.h"

enum { STEPS = 20 };

static dv_pareto_axis axis_of(const dv_cli *cli)
{
    const char *name = dv_cli_value(cli, DV_OPTION_PARETO); /* one of the table's choices */
    return strcmp(name, "energy") == 0 ? DV_PARETO_ENERGY
           : strcmp(name, "loss") == 0 ? DV_PARETO_LOSS
                                       : DV_PARETO_SEGMENTS;
}

dv_status dv_front_find(const dv_cli *cli, const dv_session *session,
                        const dv_solve_options *options, dv_pareto *front)
{
    return dv_within(dv_pareto_find(session->problem, axis_of(cli), STEPS, options, front),
                     "%s: --pareto %s", session->model, dv_cli_value(cli, DV_OPTION_PARETO));
}

void dv_front_print(const dv_cli *cli, const dv_pareto *front, dv_text *out)
{
    bool energy = axis_of(cli) == DV_PARETO_ENERGY;
    dv_text_append(out, "\nThe least latency in the given order, by %s:\n",
                   dv_cli_value(cli, DV_OPTION_PARETO));
    dv_table *table = dv_table_create(energy ? ">energy (uJ)" : ">at most", ">latency", ">segments",
                                      ">moved", "<proof", NULL);
    for (uint32_t i = 0; i < front->count; i++) {
        const dv_pareto_point *point = &front->points[i];
        dv_table_row(table);
        dv_table_cell(table, "%.6g", point->amount);
        dv_table_cell_us(table, point->plan->cost.total_us);
        dv_table_cell(table, "%u", point->plan->cost.segments);
        dv_table_cell_bytes(table, point->plan->cost.moved_bytes);
        dv_table_cell(table, "%s", point->proven ? "optimal" : "-");
    }
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
}

void dv_front_json(const dv_cli *cli, const dv_problem *problem, const dv_pareto *front,
                   dv_json_writer *json)
{
    dv_json_put_string(json, "pareto_axis", dv_cli_value(cli, DV_OPTION_PARETO));
    dv_json_begin_array(json, "pareto");
    for (uint32_t i = 0; i < front->count; i++) {
        const dv_pareto_point *point = &front->points[i];
        dv_json_begin_object(json, NULL);
        dv_json_put_number(json, "amount", point->amount);
        dv_json_put_number(json, "latency_us", point->plan->cost.total_us);
        dv_json_put_integer(json, "segments", point->plan->cost.segments);
        dv_json_put_bool(json, "proven", point->proven);
        dv_json_begin_object(json, "placement");
        for (dv_unit_id u = 0; u < problem->unit_count; u++)
            dv_json_put_string(json, problem->unit_name[u],
                               problem->target_name[point->plan->target[u]]);
        dv_json_end(json, '}');
        dv_json_end(json, '}');
    }
    dv_json_end(json, ']');
}
