/* conflict_report.c - limits that cannot hold together, in the problem's own names. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/limits.h"
#include "cli/progress_bar.h"

/* Named in a sentence; JSON has all. */
enum { LIMITS_SHOWN = 6, UNITS_SHOWN = 3 };

/* Seconds: for what a strategy proved infeasible, and for what it merely did not find. */
static const double PROVEN_S = 10.0, NOT_FOUND_S = 2.0;

static void say_group(const dv_problem *problem, uint32_t group, dv_text *out)
{
    uint32_t count = 0, named = 0;
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        count += problem->group[u] == group;
    uint32_t shown = count > UNITS_SHOWN + 1 ? UNITS_SHOWN : count;
    dv_text_append(out, "the group of ");
    for (dv_unit_id u = 0; u < problem->unit_count && named < shown; u++)
        if (problem->group[u] == group) {
            named++;
            dv_text_append(out, "%s'%s'",
                           named == 1       ? ""
                           : named == count ? " and "
                                            : ", ",
                           problem->unit_name[u]);
        }
    if (count > shown)
        dv_text_append(out, " and %u others", count - shown);
}

/* Bytes as people read them, exactly where that would hide by how much the limit is missed. */
static const char *bytes_of(const dv_problem *problem, const dv_limit *limit, double bytes,
                            char figure[DV_FIGURE_MAX])
{
    char other[DV_FIGURE_MAX];
    dv_format_bytes(figure, bytes);
    double capacity = problem->capacity_bytes[limit->index];
    dv_format_bytes(other, bytes == capacity ? limit->least : capacity);
    if (strcmp(figure, other) == 0)
        snprintf(figure, DV_FIGURE_MAX, "%.15g bytes", bytes);
    return figure;
}

static void say_limit(const dv_problem *problem, const dv_limit *limit, dv_text *out)
{
    char figure[DV_FIGURE_MAX];
    switch (limit->kind) {
    case DV_LIMIT_GROUP:
        say_group(problem, limit->index, out);
        break;
    case DV_LIMIT_PIN:
        dv_text_append(out, "the pin of '%s' on %s", problem->unit_name[limit->index],
                       problem->target_name[problem->pin[limit->index]]);
        break;
    case DV_LIMIT_CAPACITY:
        dv_text_append(out, "the capacity of %s of %s", problem->device_name[limit->index],
                       bytes_of(problem, limit, problem->capacity_bytes[limit->index], figure));
        break;
    case DV_LIMIT_SEGMENTS:
        dv_text_append(out, "the limit of %u segment%s", problem->max_segments,
                       problem->max_segments == 1 ? "" : "s");
        break;
    case DV_LIMIT_LOSS:
        dv_text_append(out, "the loss budget of %.9g", problem->loss_budget);
        break;
    case DV_LIMIT_ENERGY:
        dv_text_append(out, "the energy budget of %.9g uJ", problem->energy_budget_uj);
        break;
    }
}

static void say_least(const dv_problem *problem, const dv_limit *limit, dv_text *out)
{
    char figure[DV_FIGURE_MAX];
    if (limit->kind == DV_LIMIT_CAPACITY)
        dv_text_append(out, "a plan puts at least %s on %s",
                       bytes_of(problem, limit, limit->least, figure),
                       problem->device_name[limit->index]);
    else if (limit->kind == DV_LIMIT_SEGMENTS)
        dv_text_append(out, "a plan has at least %.0f segments", limit->least);
    else if (limit->kind == DV_LIMIT_LOSS)
        dv_text_append(out, "a plan loses at least %.9g", limit->least);
    else
        dv_text_append(out, "a plan takes at least %.9g uJ", limit->least);
}

static const char *circumstances(const dv_conflict *conflict, uint32_t of)
{
    static const char *const under[] = {[DV_LIMIT_GROUP] = "with the group ",
                                        [DV_LIMIT_PIN] = "with the pin ",
                                        [DV_LIMIT_CAPACITY] = "under the capacity ",
                                        [DV_LIMIT_SEGMENTS] = "within the segments ",
                                        [DV_LIMIT_LOSS] = "within the loss budget ",
                                        [DV_LIMIT_ENERGY] = "within the energy budget "};
    if (conflict->count != 2)
        return conflict->count == 1 ? "" : "under the others ";
    dv_limit_kind other = conflict->limits[1 - of].kind;
    return other == conflict->limits[of].kind ? "under the other " : under[other];
}

void dv_conflict_say(const dv_problem *problem, const dv_conflict *conflict, dv_text *out)
{
    uint32_t count = conflict->count, shown = count > LIMITS_SHOWN + 1 ? LIMITS_SHOWN : count;
    for (uint32_t i = 0; i < shown; i++) {
        dv_text_append(out, "%s", i == 0 ? "" : i + 1 == count ? " and " : ", ");
        say_limit(problem, &conflict->limits[i], out);
    }
    if (count > shown)
        dv_text_append(out, " and %u more limits", count - shown);
    dv_text_append(out, " cannot %s%s",
                   count == 1   ? "hold"
                   : count == 2 ? "both hold"
                                : "all hold",
                   conflict->given_order ? " in the given order" : "");
    bool first = true;
    for (uint32_t i = 0; i < count; i++) {
        if (isnan(conflict->limits[i].least))
            continue;
        dv_text_append(out, "%s%s", first ? ": " : "; ", circumstances(conflict, i));
        say_least(problem, &conflict->limits[i], out);
        first = false;
    }
    if (first && conflict->limits[count - 1].kind == DV_LIMIT_GROUP)
        dv_text_append(out, ": no device runs the whole group");
}

static void json_limit(const dv_problem *problem, const dv_limit *limit, dv_json_writer *json)
{
    static const char *const names[] = {
        [DV_LIMIT_GROUP] = "group",       [DV_LIMIT_PIN] = "pin",
        [DV_LIMIT_CAPACITY] = "capacity", [DV_LIMIT_SEGMENTS] = "max_segments",
        [DV_LIMIT_LOSS] = "loss",         [DV_LIMIT_ENERGY] = "energy"};
    dv_json_begin_object(json, NULL);
    dv_json_put_string(json, "limit", names[limit->kind]);
    switch (limit->kind) {
    case DV_LIMIT_GROUP:
        dv_json_put_integer(json, "group", limit->index);
        dv_json_begin_line(json, "units", '[');
        for (dv_unit_id u = 0; u < problem->unit_count; u++)
            if (problem->group[u] == limit->index)
                dv_json_put_string(json, NULL, problem->unit_name[u]);
        dv_json_end(json, ']');
        break;
    case DV_LIMIT_PIN:
        dv_json_put_string(json, "unit", problem->unit_name[limit->index]);
        dv_json_put_string(json, "target", problem->target_name[problem->pin[limit->index]]);
        break;
    case DV_LIMIT_CAPACITY:
        dv_json_put_string(json, "device", problem->device_name[limit->index]);
        dv_json_put_number(json, "bytes", problem->capacity_bytes[limit->index]);
        dv_json_put_number(json, "least_bytes", limit->least);
        break;
    case DV_LIMIT_SEGMENTS:
        dv_json_put_integer(json, "segments", problem->max_segments);
        dv_json_put_number(json, "least_segments", limit->least);
        break;
    case DV_LIMIT_LOSS:
        dv_json_put_number(json, "loss", problem->loss_budget);
        dv_json_put_number(json, "least_loss", limit->least);
        break;
    case DV_LIMIT_ENERGY:
        dv_json_put_number(json, "energy_uj", problem->energy_budget_uj);
        dv_json_put_number(json, "least_energy_uj", limit->least);
        break;
    }
    dv_json_end(json, '}');
}

void dv_conflict_json(const dv_problem *problem, const dv_conflict *conflict, dv_json_writer *json)
{
    dv_json_begin_object(json, "conflict");
    dv_json_begin_array(json, "limits");
    for (uint32_t i = 0; i < conflict->count; i++)
        json_limit(problem, &conflict->limits[i], json);
    dv_json_end(json, ']');
    dv_json_put_bool(json, "minimal", conflict->minimal);
    dv_json_put_string(json, "scope", conflict->given_order ? "given order" : "any order");
    dv_json_end(json, '}');
}

dv_status dv_conflict_look(const dv_cli *cli, dv_session *session)
{
    dv_solve_options options;
    DV_TRY(dv_session_solve_options(cli, &options));
    bool proven = session->outcome == DV_OUTCOME_INFEASIBLE;
    dv_progress_step(cli->progress, "limits that conflict", -1.0);
    dv_status status = dv_conflict_find(session->problem,
                                        fmin(options.deadline_s, proven ? PROVEN_S : NOT_FOUND_S),
                                        cli->progress, &session->conflict);
    dv_progress_bar_clear();
    DV_TRY(status);
    if (session->conflict.count > 0 && !session->conflict.given_order)
        session->outcome = DV_OUTCOME_INFEASIBLE;
    return DV_OK;
}
