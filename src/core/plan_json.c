/* plan_json.c - plan/1 JSON: what a compiler needs to follow a plan, and reading it back. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/plan.h"

/* An operator of the source that lowering left no operator of that name. */
static void put_merged(dv_json_writer *w, const dv_merged *merged)
{
    dv_json_begin_line(w, NULL, '{');
    dv_json_put_string(w, "name", merged->name);
    dv_json_put_string(w, "op", dv_op_info_of(merged->kind)->name);
    dv_json_put_string(w, "type", merged->source_type);
    dv_json_put_integer(w, "handle", merged->debug_handle);
    dv_json_put_bool(w, "merged", true);
    dv_json_end(w, '}');
}

/* Where what was merged into op begins in the list. */
static uint32_t first_merged(const dv_graph *graph, dv_op_id op)
{
    uint32_t low = 0, high = graph->merged_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (graph->merged[middle].into < op)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void put_ops(dv_json_writer *w, const dv_graph *graph, dv_unit_id u)
{
    const dv_unit *unit = &graph->units[u];
    dv_json_begin_array(w, "ops");
    for (uint32_t i = 0; i < unit->op_count; i++) {
        const dv_op *op = &graph->ops[unit->ops[i]];
        dv_json_begin_line(w, NULL, '{');
        dv_json_put_string(w, "name", op->name);
        dv_json_put_string(w, "op", dv_op_info_of(op->kind)->name);
        dv_json_put_string(w, "type", op->source_type);
        dv_json_put_integer(w, "handle", op->debug_handle);
        dv_json_end(w, '}');
    }
    for (uint32_t i = 0; i < unit->op_count; i++)
        for (uint32_t m = first_merged(graph, unit->ops[i]);
             m < graph->merged_count && graph->merged[m].into == unit->ops[i]; m++)
            put_merged(w, &graph->merged[m]);
    dv_json_end(w, ']');
}

static void put_unit(dv_json_writer *w, const dv_problem *problem, const dv_plan *plan,
                     const dv_graph *graph, dv_unit_id u)
{
    dv_target_id a = plan->target[u];
    bool with_ops = graph && u < graph->unit_count;
    if (with_ops)
        dv_json_begin_object(w, NULL);
    else
        dv_json_begin_line(w, NULL, '{');
    dv_json_put_integer(w, "unit", u);
    dv_json_put_string(w, "name", problem->unit_name[u]);
    dv_json_put_string(w, "target", problem->target_name[a]);
    dv_json_put_number(w, "predicted_us", dv_problem_time_us(problem, u, a));
    if (with_ops)
        put_ops(w, graph, u);
    dv_json_end(w, '}');
}

/* The targets that a segment uses, each once. */
static void put_targets(dv_json_writer *w, const dv_problem *problem, const dv_plan *plan,
                        const dv_segment *segment)
{
    dv_json_begin_line(w, "targets", '[');
    for (dv_target_id a = 0; a < problem->target_count; a++) {
        bool used = false;
        for (uint32_t k = 0; k < segment->count && !used; k++)
            used = plan->target[plan->order[segment->first + k]] == a;
        if (used)
            dv_json_put_string(w, NULL, problem->target_name[a]);
    }
    dv_json_end(w, ']');
}

static void put_segment(dv_json_writer *w, const dv_problem *problem, const dv_plan *plan,
                        const dv_graph *graph, const dv_platform *platform,
                        const dv_segment *segment)
{
    const char *device = problem->device_name[segment->device];
    dv_device_id id = platform ? dv_platform_device(platform, device) : UINT32_MAX;
    double compute_us = 0.0;
    for (uint32_t k = 0; k < segment->count; k++) {
        dv_unit_id u = plan->order[segment->first + k];
        compute_us += dv_problem_time_us(problem, u, plan->target[u]);
    }
    dv_json_begin_object(w, NULL);
    dv_json_put_string(w, "device", device);
    dv_json_put_string(w, "delegate", id != UINT32_MAX ? platform->devices[id].delegate : NULL);
    put_targets(w, problem, plan, segment);
    dv_json_put_number(w, "compute_us", compute_us);
    dv_json_put_number(w, "dispatch_us", problem->dispatch_us[segment->device]);
    dv_json_put_number(w, "predicted_us", compute_us + problem->dispatch_us[segment->device]);
    dv_json_begin_array(w, "units");
    for (uint32_t k = 0; k < segment->count; k++)
        put_unit(w, problem, plan, graph, plan->order[segment->first + k]);
    dv_json_end(w, ']');
    dv_json_end(w, '}');
}

static void put_cost(dv_json_writer *w, const dv_cost *cost)
{
    dv_json_begin_line(w, "cost", '{');
    dv_json_put_number(w, "total_us", cost->total_us);
    dv_json_put_number(w, "compute_us", cost->compute_us);
    dv_json_put_number(w, "dispatch_us", cost->dispatch_us);
    dv_json_put_number(w, "session_us", cost->session_us);
    dv_json_put_number(w, "move_us", cost->move_us);
    dv_json_put_number(w, "moved_bytes", cost->moved_bytes);
    dv_json_put_integer(w, "segments", cost->segments);
    dv_json_put_integer(w, "moves", cost->moves);
    dv_json_end(w, '}');
}

static void put_sources(dv_json_writer *w, const dv_problem *problem, const dv_graph *graph,
                        const dv_platform *platform)
{
    dv_json_begin_line(w, "model", '{');
    dv_json_put_string(w, "name", graph ? graph->name : problem->name);
    dv_json_put_string(w, "format", graph ? graph->format : "problem");
    dv_json_put_string(w, "sha256", problem->model_sha256);
    dv_json_end(w, '}');
    dv_json_begin_line(w, "platform", '{');
    dv_json_put_string(w, "name", platform ? platform->name : NULL);
    dv_json_put_string(w, "sha256", problem->platform_sha256);
    dv_json_end(w, '}');
}

/* Operators of the source that need no place: computed when the model was read, or never needed. */
static void put_computed(dv_json_writer *w, const dv_graph *graph)
{
    bool any = false;
    for (uint32_t i = 0; i < graph->merged_count; i++)
        any |= graph->merged[i].into == DV_NONE;
    if (!any)
        return;
    dv_json_begin_array(w, "computed");
    for (uint32_t i = 0; i < graph->merged_count; i++)
        if (graph->merged[i].into == DV_NONE)
            put_merged(w, &graph->merged[i]);
    dv_json_end(w, ']');
}

dv_status dv_plan_write(const dv_problem *problem, const dv_plan *plan, const dv_graph *graph,
                        const dv_platform *platform, dv_text *out)
{
    dv_segment *segments = NULL;
    uint32_t count = 0;
    DV_TRY(dv_plan_segments(problem, plan, &segments, &count));
    dv_json_writer w = dv_json_writer_on(out);
    dv_json_begin_object(&w, NULL);
    dv_json_put_string(&w, "divvy", "plan/1");
    put_sources(&w, problem, graph, platform);
    dv_json_put_string(&w, "strategy", plan->strategy);
    dv_json_put_string(&w, "outcome", dv_outcome_name(plan->outcome));
    dv_json_put_string(&w, "proved_by", plan->proved_by);
    dv_json_put_string(&w, "proof_scope", plan->proof_scope);
    if (!isnan(plan->load_us))
        dv_json_put_number(&w, "load_us", plan->load_us);
    if (!isnan(plan->makespan_us))
        dv_json_put_number(&w, "makespan_us", plan->makespan_us);
    dv_json_put_number(&w, "bound_us", isinf(plan->bound_us) ? NAN : plan->bound_us);
    dv_json_put_number(&w, "solve_ms", plan->solve_ms);
    put_cost(&w, &plan->cost);
    dv_json_begin_array(&w, "segments");
    for (uint32_t i = 0; i < count; i++)
        put_segment(&w, problem, plan, graph, platform, &segments[i]);
    dv_json_end(&w, ']');
    if (graph)
        put_computed(&w, graph);
    dv_json_end(&w, '}');
    free(segments);
    return out->failed ? dv_fail(DV_NO_MEMORY, "plan: out of memory") : DV_OK;
}

typedef struct reader {
    const dv_problem *problem;
    dv_plan *plan;
    bool *placed;
    uint32_t next; /* position in the order */
} reader;

static dv_status check_model(const dv_json_at *root, const dv_problem *problem)
{
    static const char *const keys[] = {"name", "format", "sha256", NULL};
    dv_json_at model = dv_json_member(root, "model");
    DV_TRY(dv_json_only(&model, keys));
    dv_json_at sha256 = dv_json_member(&model, "sha256");
    const char *text = NULL;
    DV_TRY(dv_json_string(&sha256, &text));
    if (*text && problem->model_sha256[0] && strcmp(text, problem->model_sha256) != 0)
        return dv_json_fail(&sha256,
                            "this plan was made for another model (%.12s..., not %.12s...)", text,
                            problem->model_sha256);
    return DV_OK;
}

static dv_status read_unit(reader *to, const dv_json_at *at)
{
    static const char *const keys[] = {"unit", "name", "target", "predicted_us", "ops", NULL};
    const dv_problem *problem = to->problem;
    DV_TRY(dv_json_only(at, keys));
    dv_json_at unit = dv_json_member(at, "unit"), name = dv_json_member(at, "name");
    dv_json_at target = dv_json_member(at, "target");
    int64_t id = 0;
    const char *unit_name = NULL, *target_name = NULL;
    DV_TRY(dv_json_integer(&unit, 0, (int64_t)problem->unit_count - 1, &id));
    DV_TRY(dv_json_string(&name, &unit_name));
    DV_TRY(dv_json_string(&target, &target_name));
    dv_unit_id u = (dv_unit_id)id;
    if (!dv_json_is_spelt(problem->unit_name[u], unit_name))
        return dv_json_fail(&name,
                            "unit %u of this model is '%s', not '%.100s'; the plan was made "
                            "for another one",
                            u, problem->unit_name[u], unit_name);
    if (to->placed[u])
        return dv_json_fail(&unit, "unit %u is placed twice", u);
    dv_target_id a = 0;
    while (a < problem->target_count && strcmp(problem->target_name[a], target_name) != 0)
        a++;
    if (a == problem->target_count)
        return dv_json_fail(&target, "there is no target \"%.60s\" on this platform", target_name);
    to->placed[u] = true;
    to->plan->target[u] = a;
    to->plan->order[to->next++] = u;
    return DV_OK;
}

static dv_status read_segments(reader *to, const dv_json_at *root)
{
    static const char *const keys[] = {"device",      "delegate",     "targets", "compute_us",
                                       "dispatch_us", "predicted_us", "units",   NULL};
    dv_json_at segments = dv_json_member(root, "segments");
    DV_TRY(dv_json_array(&segments));
    for (dv_json_at at = dv_json_first(&segments); at.node; at = dv_json_next(&at)) {
        DV_TRY(dv_json_only(&at, keys));
        dv_json_at units = dv_json_member(&at, "units");
        DV_TRY(dv_json_array(&units));
        for (dv_json_at unit = dv_json_first(&units); unit.node; unit = dv_json_next(&unit))
            DV_TRY(read_unit(to, &unit));
    }
    for (dv_unit_id u = 0; u < to->problem->unit_count; u++)
        if (!to->placed[u])
            return dv_json_fail(&segments, "unit %u '%s' is not placed", u,
                                to->problem->unit_name[u]);
    return DV_OK;
}

static dv_status read_label(const dv_json_at *root, const char *key, char *out, size_t size)
{
    dv_json_at at = dv_json_member(root, key);
    const char *text = NULL;
    if (!dv_json_present(&at))
        return DV_OK;
    DV_TRY(dv_json_string(&at, &text));
    snprintf(out, size, "%s", text);
    return DV_OK;
}

static dv_status read_document(reader *to, const dv_json_at *root)
{
    static const char *const keys[] = {"divvy",       "model",     "platform",    "strategy",
                                       "outcome",     "proved_by", "proof_scope", "load_us",
                                       "makespan_us", "bound_us",  "solve_ms",    "cost",
                                       "segments",    "computed",  NULL};
    dv_plan *plan = to->plan;
    DV_TRY(dv_json_expect_noun(root, "plan/1"));
    DV_TRY(dv_json_only(root, keys));
    DV_TRY(check_model(root, to->problem));
    DV_TRY(read_label(root, "strategy", plan->strategy, sizeof plan->strategy));
    DV_TRY(read_label(root, "proved_by", plan->proved_by, sizeof plan->proved_by));
    DV_TRY(read_label(root, "proof_scope", plan->proof_scope, sizeof plan->proof_scope));
    dv_json_at outcome = dv_json_member(root, "outcome"), bound = dv_json_member(root, "bound_us");
    dv_json_at solve = dv_json_member(root, "solve_ms"), load = dv_json_member(root, "load_us");
    dv_json_at makespan = dv_json_member(root, "makespan_us");
    const char *name = NULL;
    DV_TRY(dv_json_string(&outcome, &name));
    while (strcmp(dv_outcome_name(plan->outcome), name) != 0)
        if (++plan->outcome > DV_OUTCOME_INFEASIBLE)
            return dv_json_fail(&outcome, "an outcome is none, optimal, feasible or infeasible");
    if (dv_json_present(&bound))
        DV_TRY(dv_json_number(&bound, &plan->bound_us));
    if (dv_json_present(&load))
        DV_TRY(dv_json_number(&load, &plan->load_us));
    if (dv_json_present(&makespan))
        DV_TRY(dv_json_number(&makespan, &plan->makespan_us));
    if (dv_json_present(&solve))
        DV_TRY(dv_json_number(&solve, &plan->solve_ms));
    return read_segments(to, root);
}

dv_status dv_plan_parse(const char *file, const char *text, size_t size, const dv_problem *problem,
                        dv_plan **out)
{
    *out = NULL;
    dv_json *json = NULL;
    DV_TRY(dv_json_parse(file, text, size, &json));
    reader to = {.problem = problem, .placed = calloc(problem->unit_count, sizeof *to.placed)};
    dv_status status = dv_plan_create(problem, &to.plan);
    if (status == DV_OK && !to.placed)
        status = dv_fail(DV_NO_MEMORY, "%s: out of memory", file);
    if (status == DV_OK) {
        dv_json_at root = dv_json_root(json, file);
        status = read_document(&to, &root);
    }
    free(to.placed);
    dv_json_destroy(json);
    if (status == DV_OK)
        *out = to.plan;
    else
        dv_plan_destroy(to.plan);
    return status;
}
