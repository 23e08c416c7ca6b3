/* pipeline.c - platform, problem and plan of a loaded model, as the options ask. */
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/existing.h"
#include "cli/limits.h"
#include "cli/pipeline.h"
#include "cli/progress_bar.h"
#include "costmodel/costmodel.h"
#include "solver/certify.h"
#include "solver/evaluate.h"
#include "solver/labels.h"

static const double LEAST_MEMORY = 1e6, MOST_MEMORY = 1e12; /* bytes of --memory */

static void free_plan(dv_session *session)
{
    dv_plan_destroy(session->plan);
    session->plan = NULL;
    session->outcome = DV_OUTCOME_NONE;
    dv_conflict_free(&session->conflict);
}

void dv_session_free(dv_session *session)
{
    free_plan(session);
    dv_problem_destroy(session->problem);
    dv_platform_destroy(session->platform);
    dv_graph_destroy(session->graph);
    dv_graph_destroy(session->source);
    *session = (dv_session){0};
}

const char *dv_session_platform(const dv_cli *cli)
{
    const char *given = dv_cli_value(cli, DV_OPTION_PLATFORM);
    if (given)
        return given;
    return cli->verb == DV_VERB_RUN || dv_cli_has(cli, DV_OPTION_MEASURE) ? "host" : "iphone15pro";
}

const char *dv_session_platform_name(const dv_session *session)
{
    return session->platform ? session->platform->name : session->problem->name;
}

static dv_status find_target(const dv_problem *problem, const char *text, const char *name,
                             dv_target_id *out)
{
    dv_text known = {0};
    *out = DV_NONE;
    for (dv_target_id a = 0; a < problem->target_count; a++) {
        dv_text_append(&known, "%s%s", a ? ", " : "", problem->target_name[a]);
        if (strcmp(problem->target_name[a], name) == 0)
            *out = a;
    }
    dv_status status = DV_OK;
    if (*out == DV_NONE)
        status = dv_fail(DV_BAD_PARAMETER, "--pin '%s': '%s' is no target; there are %s", text,
                         name, dv_text_string(&known));
    dv_text_free(&known);
    return status;
}

static bool is_called(const char *name, const char *pattern)
{
    return strcmp(pattern, name) == 0 || fnmatch(pattern, name, 0) == 0;
}

/* Is the unit called that, or an operator in it? */
static bool unit_matches(const dv_session *session, dv_unit_id u, const char *pattern)
{
    if (is_called(session->problem->unit_name[u], pattern))
        return true;
    const dv_unit *unit = session->graph ? &session->graph->units[u] : NULL;
    for (uint32_t o = 0; unit && o < unit->op_count; o++)
        if (is_called(session->graph->ops[unit->ops[o]].name, pattern))
            return true;
    return false;
}

static dv_status pin_units(const dv_session *session, const char *text, const char *pattern,
                           dv_target_id target, dv_target_id *pin)
{
    const dv_problem *problem = session->problem;
    bool any = false;
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        if (!unit_matches(session, u, pattern))
            continue;
        any = true;
        if (!isfinite(dv_problem_time_us(problem, u, target)))
            return dv_fail(DV_BAD_PARAMETER, "--pin '%s': %s cannot run '%s'", text,
                           problem->target_name[target], problem->unit_name[u]);
        pin[u] = target;
    }
    if (any)
        return DV_OK;
    const char *nearest = dv_nearest_name(pattern, problem->unit_name, problem->unit_count);
    return dv_fail(DV_BAD_PARAMETER, "--pin '%s': no unit is called '%s'%s%s%s", text, pattern,
                   nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

static dv_status apply_pins(const dv_cli *cli, dv_session *session)
{
    dv_problem *problem = session->problem;
    if (!dv_cli_has(cli, DV_OPTION_PIN))
        return DV_OK;
    dv_target_id *pin = dv_arena_array(problem->arena, problem->unit_count, sizeof *pin);
    if (!pin)
        return dv_fail(DV_NO_MEMORY, "no memory for pins");
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        pin[u] = problem->pin ? problem->pin[u] : DV_NONE;
    const char *text;
    for (size_t i = 0; (text = dv_cli_nth(cli, DV_OPTION_PIN, i)); i++) {
        char *pattern;
        const char *name;
        dv_target_id target;
        DV_TRY(dv_cli_assignment(DV_OPTION_PIN, text, &pattern, &name));
        dv_status status = find_target(problem, text, name, &target);
        if (status == DV_OK)
            status = pin_units(session, text, pattern, target, pin);
        free(pattern);
        DV_TRY(status);
    }
    problem->pin = pin;
    return DV_OK;
}

static dv_status open_platform(const dv_cli *cli, const char *name, dv_session *session)
{
    enum { MOST_THREADS = 1024 };
    DV_TRY(dv_platform_open(name, &session->platform));
    const char *targets = dv_cli_value(cli, DV_OPTION_TARGETS);
    if (targets) {
        dv_platform *restricted = NULL;
        DV_TRY(dv_platform_restrict(session->platform, targets, &restricted));
        dv_platform_destroy(session->platform);
        session->platform = restricted;
    }
    int64_t threads = 0;
    DV_TRY(dv_cli_integer(cli, DV_OPTION_THREADS, 1, MOST_THREADS, 0, &threads));
    if (threads > 0)
        dv_platform_set_threads(session->platform, (uint32_t)threads);
    return DV_OK;
}

static dv_status cost_model(const dv_cli *cli, const dv_cost_model **out)
{
    const char *name = dv_cli_value(cli, DV_OPTION_COST_MODEL);
    *out = name ? dv_cost_model_find(name) : dv_cost_model_at(0);
    if (*out)
        return DV_OK;
    dv_text known = {0};
    const dv_cost_model *model;
    for (size_t i = 0; (model = dv_cost_model_at(i)); i++)
        dv_text_append(&known, "%s%s", i ? ", " : "", model->name);
    dv_status status =
        dv_fail(DV_BAD_PARAMETER, "--cost-model '%s': there are %s", name, dv_text_string(&known));
    dv_text_free(&known);
    return status;
}

/* A problem file brings its own costs. */
static dv_status refuse_platform(const dv_cli *cli, const dv_session *session)
{
    static const dv_option_id ids[] = {DV_OPTION_PLATFORM, DV_OPTION_TARGETS, DV_OPTION_COST_MODEL};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        if (dv_cli_has(cli, ids[i]))
            return dv_fail(DV_BAD_PARAMETER,
                           "%s: a problem file holds the costs already; leave --%s out",
                           session->model, dv_options[ids[i]].name);
    return DV_OK;
}

dv_status dv_session_pose(const dv_cli *cli, const char *platform, dv_session *session)
{
    free_plan(session);
    if (!session->graph) {
        DV_TRY(refuse_platform(cli, session));
        DV_TRY(dv_limits_apply(cli, session->problem));
        return apply_pins(cli, session);
    }
    dv_problem_destroy(session->problem);
    dv_platform_destroy(session->platform);
    session->problem = NULL;
    session->platform = NULL;

    const dv_cost_model *model;
    DV_TRY(cost_model(cli, &model));
    DV_TRY(open_platform(cli, platform, session));
    DV_TRY(dv_existing_allow_closed(cli, session));
    DV_TRY(dv_within(dv_problem_build(session->graph, session->platform, model, &session->problem),
                     "%s", session->model));
    DV_TRY(dv_existing_pin_closed(cli, session));
    DV_TRY(dv_limits_apply(cli, session->problem));
    return apply_pins(cli, session);
}

dv_status dv_session_solve_options(const dv_cli *cli, dv_solve_options *options)
{
    *options = dv_solve_options_default();
    options->progress = cli->progress;
    const char *objective = dv_cli_value(cli, DV_OPTION_OBJECTIVE);
    if (objective && !dv_objective_from_name(objective, &options->objective))
        return dv_fail(DV_BAD_PARAMETER, "--objective '%s' is unknown", objective);
    int64_t seed;
    DV_TRY(dv_cli_integer(cli, DV_OPTION_SEED, 0, INT64_MAX, 1, &seed));
    options->seed = (uint64_t)seed;
    const char *memory = dv_cli_value(cli, DV_OPTION_MEMORY);
    double bytes;
    if (memory && (!dv_parse_bytes(memory, &bytes) || bytes < LEAST_MEMORY || bytes > MOST_MEMORY))
        return dv_fail(DV_BAD_PARAMETER,
                       "--memory '%s': must be a size from 1MB to 1000GB, as in 500MB or 4GB",
                       memory);
    if (memory)
        options->memory_bytes = (size_t)bytes;
    const char *deadline = dv_cli_value(cli, DV_OPTION_DEADLINE);
    double us;
    if (!deadline)
        return DV_OK;
    if (!dv_parse_us(deadline, &us))
        return dv_fail(DV_BAD_PARAMETER,
                       "--deadline '%s': must be a time, as in 500ms, 2s or 800us", deadline);
    options->deadline_s = us / 1e6;
    return DV_OK;
}

const char *dv_session_strategy(const dv_cli *cli)
{
    const char *given = dv_cli_value(cli, DV_OPTION_STRATEGY);
    if (given)
        return given;
    return dv_strategy_find("auto") ? "auto" : dv_strategy_at(0)->name;
}

dv_status dv_session_solve(const dv_cli *cli, const char *strategy, dv_session *session)
{
    DV_TRY(dv_cli_check_stop(cli));
    free_plan(session);
    dv_solve_options options;
    DV_TRY(dv_session_solve_options(cli, &options));
    dv_progress_step(cli->progress, strategy, -1);
    dv_status status =
        dv_solve(session->problem, strategy, &options, &session->plan, &session->outcome);
    dv_progress_bar_clear();
    DV_TRY(status);
    DV_TRY(dv_cli_check_stop(cli));
    return session->plan ? DV_OK : dv_conflict_look(cli, session);
}

static dv_status read_plan(const char *path, dv_session *session)
{
    dv_buffer *buffer = NULL;
    DV_TRY(dv_buffer_map(path, &buffer));
    dv_status status = dv_plan_parse(path, (const char *)dv_buffer_data(buffer),
                                     dv_buffer_size(buffer), session->problem, &session->plan);
    dv_buffer_release(buffer);
    DV_TRY(status);
    bool legal = dv_evaluate(session->problem, session->plan);
    dv_certificate certificate = dv_certify_bound(session->problem, session->plan);
    if (!legal || !certificate.ok)
        return dv_fail(DV_BAD_INPUT, "%s: this plan does not fit the model and platform: %s", path,
                       *certificate.reason ? certificate.reason : "it breaks a limit");
    session->outcome = session->plan->outcome;
    return DV_OK;
}

dv_status dv_session_no_plan(const dv_session *session, const char *strategy)
{
    const char *platform = dv_session_platform_name(session);
    const dv_problem *p = session->problem;
    if (session->conflict.count > 0) {
        dv_text why = {0};
        dv_conflict_say(p, &session->conflict, &why);
        dv_status status =
            dv_fail(DV_NEGATIVE, "%s: infeasible: %s", session->model, dv_text_string(&why));
        dv_text_free(&why);
        return status;
    }
    if (session->outcome == DV_OUTCOME_INFEASIBLE)
        return dv_fail(DV_NEGATIVE, "%s: infeasible: no plan on %s meets the limits",
                       session->model, platform);
    if (dv_limits_bind(p) || p->group || p->pin)
        return dv_fail(DV_NEGATIVE,
                       "%s: %s found no plan on %s that meets the limits; use --strategy auto, or "
                       "allow a later --deadline",
                       session->model, strategy, platform);
    return dv_fail(DV_NEGATIVE, "%s: %s found no plan on %s in time; allow a later --deadline",
                   session->model, strategy, platform);
}

dv_status dv_session_plan(const dv_cli *cli, dv_session *session)
{
    DV_TRY(dv_session_load(cli, cli->arguments[0], false, session));
    DV_TRY(dv_session_pose(cli, dv_session_platform(cli), session));
    const char *file = dv_cli_value(cli, DV_OPTION_PLAN);
    if (file)
        return read_plan(file, session);
    const char *strategy = dv_session_strategy(cli);
    DV_TRY(dv_session_solve(cli, strategy, session));
    return session->plan ? DV_OK : dv_session_no_plan(session, strategy);
}

const char *dv_session_event_name(void *context, const dv_event *event, char *text, size_t size)
{
    const dv_session *session = context;
    const dv_problem *problem = session->problem;
    const char *name = dv_event_kind_name(event->kind);
    if (event->kind == DV_EVENT_COMPUTE && event->item < problem->unit_count)
        name = problem->unit_name[event->item];
    else if (event->kind == DV_EVENT_MOVE && event->item < problem->tensor_count)
        name = problem->tensor_name[event->item];
    else if (event->kind == DV_EVENT_SESSION && event->item < problem->device_count)
        name = problem->device_name[event->item];
    snprintf(text, size, "%s", name);
    return text;
}

double dv_session_segment_us(const dv_session *session, const dv_segment *segment)
{
    double us = session->problem->dispatch_us[segment->device];
    for (uint32_t k = segment->first; k < segment->first + segment->count; k++) {
        dv_unit_id u = session->plan->order[k];
        us += dv_problem_time_us(session->problem, u, session->plan->target[u]);
    }
    return us;
}

const char *dv_session_segment_targets(const dv_session *session, const dv_segment *segment,
                                       char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (dv_target_id a = 0; a < session->problem->target_count; a++) {
        bool present = false;
        for (uint32_t k = segment->first; k < segment->first + segment->count; k++)
            present |= session->plan->target[session->plan->order[k]] == a;
        if (present && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? " " : "",
                                     session->problem->target_name[a]);
    }
    return text;
}
