/* plan_report.c - what a plan costs, segment by segment, and how good it is known to be. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/existing.h"
#include "cli/limits.h"
#include "cli/plan_report.h"
#include "cli/table.h"
#include "core/json.h"

const char *dv_plan_proof(const dv_plan *plan, char *text, size_t size)
{
    const char *scope = plan->proof_scope;
    double gap = dv_plan_gap(plan);
    if (plan->outcome == DV_OUTCOME_OPTIMAL)
        snprintf(text, size, "proven optimal%s%s%s", *scope ? " (" : "", scope, *scope ? ")" : "");
    else if (isfinite(gap))
        snprintf(text, size, "at most %.2g %% above the optimum",
                 100 * gap / (1 - fmin(gap, 0.99)));
    else
        snprintf(text, size, "no proof");
    return text;
}

static void print_costs(const dv_cli *cli, const dv_session *session, dv_text *out)
{
    const dv_plan *plan = session->plan;
    const dv_cost *cost = &plan->cost;
    char a[DV_FIGURE_MAX], b[DV_FIGURE_MAX], c[DV_FIGURE_MAX], d[DV_FIGURE_MAX], proof[96];
    dv_cli_append_safe(out, session->model);
    dv_text_append(out, " on %s: ", dv_session_platform_name(session));
    if (!isnan(plan->load_us))
        dv_text_append(out, "largest load ");
    if (!isnan(plan->makespan_us))
        dv_text_append(out, "makespan ");
    dv_styled(out, cli->colour, DV_STYLE_BOLD, "%s", dv_format_us(a, dv_plan_value_us(plan)));
    dv_text_append(out, ", ");
    dv_styled(out, cli->colour, plan->outcome == DV_OUTCOME_OPTIMAL ? DV_STYLE_GOOD : DV_STYLE_WARN,
              "%s", dv_plan_proof(plan, proof, sizeof proof));
    dv_text_append(out, "\n  %s%s%s, %s; lower bound %s\n", plan->strategy,
                   *plan->proved_by ? ", proved by " : "", plan->proved_by,
                   dv_format_us(b, 1e3 * plan->solve_ms),
                   isfinite(plan->bound_us) ? dv_format_us(a, plan->bound_us) : "none");
    dv_text_append(out, "  compute %s + moves %s + dispatch %s + sessions %s\n",
                   dv_format_us(a, cost->compute_us), dv_format_us(b, cost->move_us),
                   dv_format_us(c, cost->dispatch_us), dv_format_us(d, cost->session_us));
    dv_text_append(out, "  %u unit%s, %u segment%s, %s moved in %u hand-over%s\n\n",
                   plan->unit_count, plan->unit_count == 1 ? "" : "s", cost->segments,
                   cost->segments == 1 ? "" : "s", dv_format_bytes(a, cost->moved_bytes),
                   cost->moves, cost->moves == 1 ? "" : "s");
}

/* What the plan takes for granted where only values tell how long a result is. */
static void print_rows(const dv_cli *cli, const dv_session *session, dv_text *out)
{
    enum { SHOWN = 3 };
    const dv_graph *graph = session->graph;
    uint32_t count = 0;
    for (dv_op_id o = 0; graph && o < graph->op_count; o++) {
        const int64_t *rows = dv_op_rows(&graph->ops[o]);
        if (!rows || count++ >= SHOWN)
            continue;
        if (count == 1)
            dv_styled(out, cli->colour, DV_STYLE_WARN, "\n  assumed where the values decide:");
        dv_text_append(out, "%s ", count == 1 ? "" : ",");
        dv_cli_append_safe(out, graph->ops[o].name);
        dv_text_append(out, " gives %lld row%s", (long long)*rows, *rows == 1 ? "" : "s");
    }
    if (count > SHOWN)
        dv_text_append(out, ", and %u more (divvy info)", count - SHOWN);
    if (count > 0)
        dv_text_append(out, "; --dim OPERATOR=N assumes another number\n");
}

dv_status dv_plan_print(const dv_cli *cli, const dv_session *session, dv_text *out)
{
    dv_segment *segments = NULL;
    uint32_t count = 0;
    DV_TRY(dv_plan_segments(session->problem, session->plan, &segments, &count));
    print_costs(cli, session, out);
    dv_table *table = dv_table_create(">#", "<device", "<targets", ">units", ">predicted", "<first",
                                      "<last", NULL);
    for (uint32_t s = 0; s < count; s++) {
        const dv_segment *segment = &segments[s];
        const dv_unit_id *order = session->plan->order + segment->first;
        char targets[256];
        dv_table_row(table);
        dv_table_cell(table, "%u", s + 1);
        dv_table_cell(table, "%s", session->problem->device_name[segment->device]);
        dv_table_cell(table, "%s",
                      dv_session_segment_targets(session, segment, targets, sizeof targets));
        dv_table_cell(table, "%u", segment->count);
        dv_table_cell_us(table, dv_session_segment_us(session, segment));
        dv_table_cell(table, "%s", session->problem->unit_name[order[0]]);
        dv_table_cell(table, "%s", session->problem->unit_name[order[segment->count - 1]]);
    }
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
    free(segments);
    print_rows(cli, session, out);
    return dv_existing_print(cli, session, out);
}

static void json_costs(const dv_plan *plan, dv_json_writer *json)
{
    const dv_cost *cost = plan ? &plan->cost : NULL;
    bool bounded = plan && isfinite(plan->bound_us);
    dv_json_put_number(json, "value", plan ? dv_plan_value_us(plan) : NAN);
    dv_json_put_number(json, "bound", bounded ? plan->bound_us : NAN);
    dv_json_put_number(json, "gap", bounded ? dv_plan_gap(plan) : NAN);
    dv_json_put_number(json, "latency_us", cost ? cost->total_us : NAN);
    dv_json_put_number(json, "compute_us", cost ? cost->compute_us : NAN);
    dv_json_put_number(json, "move_us", cost ? cost->move_us : NAN);
    dv_json_put_number(json, "dispatch_us", cost ? cost->dispatch_us : NAN);
    dv_json_put_number(json, "session_us", cost ? cost->session_us : NAN);
    dv_json_put_number(json, "moved_bytes", cost ? cost->moved_bytes : NAN);
}

static void json_segment(const dv_session *session, const dv_segment *segment, dv_json_writer *json)
{
    const dv_plan *plan = session->plan;
    const dv_problem *problem = session->problem;
    dv_json_begin_object(json, NULL);
    dv_json_put_string(json, "device", problem->device_name[segment->device]);
    dv_json_begin_line(json, "targets", '[');
    for (dv_target_id a = 0; a < problem->target_count; a++) {
        bool used = false;
        for (uint32_t k = segment->first; k < segment->first + segment->count; k++)
            used |= plan->target[plan->order[k]] == a;
        if (used)
            dv_json_put_string(json, NULL, problem->target_name[a]);
    }
    dv_json_end(json, ']');
    dv_json_begin_line(json, "units", '[');
    for (uint32_t k = segment->first; k < segment->first + segment->count; k++)
        dv_json_put_string(json, NULL, problem->unit_name[plan->order[k]]);
    dv_json_end(json, ']');
    dv_json_put_number(json, "predicted_us", dv_session_segment_us(session, segment));
    dv_json_end(json, '}');
}

dv_status dv_plan_print_json(const dv_session *session, const char *strategy,
                             dv_objective objective, const dv_more_json *more, dv_text *out)
{
    const dv_plan *plan = session->plan;
    const dv_problem *problem = session->problem;
    dv_segment *segments = NULL;
    uint32_t count = 0;
    if (plan)
        DV_TRY(dv_plan_segments(problem, plan, &segments, &count));
    dv_json_writer json = dv_json_writer_on(out);
    dv_json_begin_object(&json, NULL);
    dv_json_put_string(&json, "model", session->model);
    dv_json_put_string(&json, "platform", dv_session_platform_name(session));
    dv_json_put_string(&json, "strategy", plan ? plan->strategy : strategy);
    dv_json_put_string(&json, "objective", dv_objective_name(objective));
    dv_json_put_string(&json, "outcome", dv_outcome_name(session->outcome));
    json_costs(plan, &json);
    dv_json_put_integer(&json, "units", problem->unit_count);
    dv_json_begin_array(&json, "segments");
    for (uint32_t s = 0; s < count; s++)
        json_segment(session, &segments[s], &json);
    dv_json_end(&json, ']');
    dv_json_begin_object(&json, "placement");
    for (dv_unit_id u = 0; plan && u < problem->unit_count; u++)
        dv_json_put_string(&json, problem->unit_name[u], problem->target_name[plan->target[u]]);
    dv_json_end(&json, '}');
    dv_json_put_string(&json, "proved_by", plan && *plan->proved_by ? plan->proved_by : NULL);
    dv_json_put_number(&json, "solve_ms", plan ? plan->solve_ms : NAN);
    if (session->conflict.count > 0)
        dv_conflict_json(problem, &session->conflict, &json);
    if (more)
        more->write(more->context, session, &json);
    dv_json_end(&json, '}');
    free(segments);
    return DV_OK;
}
