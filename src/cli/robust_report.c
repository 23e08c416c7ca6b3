/* robust_report.c - what the worst turn of the costs does to the best plan and to the robust one.
 */
#include "cli/robust_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"

/* "10%" or "0.1". */
static dv_status share_of(const dv_cli *cli, double *share)
{
    const char *text = dv_cli_value(cli, DV_OPTION_ROBUST);
    char *end;
    *share = strtod(text, &end);
    if (end != text && strcmp(end, "%") == 0) {
        *share /= 100.0;
        end++;
    }
    if (end == text || *end || !(*share > 0.0 && *share < 1.0))
        return dv_fail(DV_BAD_PARAMETER,
                       "--robust '%s': must be a share between 0 and 1, as in 10%% or 0.1", text);
    return DV_OK;
}

dv_status dv_robust_plan_find(const dv_cli *cli, dv_session *session,
                              const dv_solve_options *options, dv_robust *robust)
{
    double share;
    *robust = (dv_robust){0};
    DV_TRY(share_of(cli, &share));
    DV_TRY(dv_within(
        dv_robust_find(session->problem, dv_session_strategy(cli), options, share, robust),
        "%s: --robust", session->model));
    dv_plan_copy(session->plan, robust->robust.plan);
    session->outcome = session->plan->outcome;
    return DV_OK;
}

/* "npu, hand-overs": what is dear at the corner. */
static void name_corner(const dv_problem *problem, uint32_t corner, dv_text *out)
{
    for (uint32_t k = 0; k < problem->device_count + 2; k++)
        if (corner >> k & 1)
            dv_text_append(out, "%s%s", out->length ? ", " : "",
                           k < problem->device_count    ? problem->device_name[k]
                           : k == problem->device_count ? "hand-overs"
                                                        : "dispatch");
    if (out->length == 0)
        dv_text_append(out, "nothing");
}

static void print_row(const dv_problem *problem, const char *name, const dv_robust_plan *plan,
                      dv_table *table)
{
    dv_text dear = {0};
    name_corner(problem, plan->corner, &dear);
    dv_table_row(table);
    dv_table_cell(table, "%s", name);
    dv_table_cell_us(table, plan->plan->cost.total_us);
    dv_table_cell_us(table, plan->worst_us);
    dv_table_cell_us(table, plan->regret_us);
    dv_table_cell(table, "%.2f %%", 100.0 * plan->regret_us / plan->corner_opt_us);
    dv_table_cell(table, "%u", plan->plan->cost.segments);
    dv_table_cell(table, "%s", dv_text_string(&dear));
    dv_text_free(&dear);
}

static uint32_t differences(const dv_problem *problem, const dv_robust *robust)
{
    uint32_t count = 0;
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        count += robust->nominal.plan->target[u] != robust->robust.plan->target[u];
    return count;
}

void dv_robust_print(const dv_cli *cli, const dv_session *session, const dv_robust *robust,
                     dv_text *out)
{
    char figure[DV_FIGURE_MAX];
    dv_text_append(out,
                   "\nEach device, hand-overs and dispatch off by up to %s, independently "
                   "(%u corners%s):\n",
                   dv_cli_value(cli, DV_OPTION_ROBUST), robust->corners,
                   robust->exact ? "" : ", not all proven");
    dv_table *table = dv_table_create("<plan", ">latency", ">at worst", ">regret at most", ">",
                                      ">segments", "<when these are dear, all else cheap", NULL);
    print_row(session->problem, "best", &robust->nominal, table);
    print_row(session->problem, "robust", &robust->robust, table);
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
    dv_text_append(out,
                   "\nRegret: how much more than the best plan of that case. Every plan has one of "
                   "at least %s somewhere. %u of %u units are elsewhere in the robust plan.\n",
                   dv_format_us(figure, fmax(0.0, robust->bound_us)),
                   differences(session->problem, robust), session->problem->unit_count);
}

static void json_plan(const dv_problem *problem, const char *name, const dv_robust_plan *plan,
                      dv_json_writer *json)
{
    dv_text dear = {0};
    name_corner(problem, plan->corner, &dear);
    dv_json_begin_object(json, name);
    dv_json_put_number(json, "latency_us", plan->plan->cost.total_us);
    dv_json_put_number(json, "worst_us", plan->worst_us);
    dv_json_put_number(json, "regret_us", plan->regret_us);
    dv_json_put_integer(json, "segments", plan->plan->cost.segments);
    dv_json_put_string(json, "dear", dv_text_string(&dear));
    dv_json_begin_object(json, "placement");
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        dv_json_put_string(json, problem->unit_name[u],
                           problem->target_name[plan->plan->target[u]]);
    dv_json_end(json, '}');
    dv_json_end(json, '}');
    dv_text_free(&dear);
}

void dv_robust_json(const dv_cli *cli, const dv_session *session, const dv_robust *robust,
                    dv_json_writer *json)
{
    dv_json_begin_object(json, "robust");
    dv_json_put_string(json, "share", dv_cli_value(cli, DV_OPTION_ROBUST));
    dv_json_put_integer(json, "corners", robust->corners);
    dv_json_put_bool(json, "exact", robust->exact);
    dv_json_put_number(json, "bound_us", fmax(0.0, robust->bound_us));
    json_plan(session->problem, "best", &robust->nominal, json);
    json_plan(session->problem, "plan", &robust->robust, json);
    dv_json_end(json, '}');
}
