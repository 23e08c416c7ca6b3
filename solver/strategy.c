/* strategy.c - the registry, "name:key=value,..." and the one way in: dv_solve.

   Whatever a strategy returns is evaluated and certified here, so that no caller ever sees a plan
   that nobody checked. */
#include "solver/strategy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/text.h"
#include "solver/certify.h"
#include "solver/evaluate.h"

#define STRATEGY(id) extern const dv_strategy dv_strategy_##id;
#include "solver/strategies.def"
#undef STRATEGY

static const dv_strategy *const strategies[] = {
#define STRATEGY(id) &dv_strategy_##id,
#include "solver/strategies.def"
#undef STRATEGY
};

enum { STRATEGY_COUNT = sizeof strategies / sizeof strategies[0], PARAM_MAX = 16, SPEC_MAX = 512 };

static const struct {
    dv_objective objective;
    const char *name;
} objectives[] = {
    {DV_OBJECTIVE_LATENCY, "latency"},
    {DV_OBJECTIVE_THROUGHPUT, "throughput"},
    {DV_OBJECTIVE_MAKESPAN, "makespan"},
};

bool dv_objective_from_name(const char *name, dv_objective *out)
{
    for (size_t i = 0; i < sizeof objectives / sizeof objectives[0]; i++)
        if (strcmp(objectives[i].name, name) == 0) {
            *out = objectives[i].objective;
            return true;
        }
    return false;
}

const char *dv_objective_name(dv_objective objective)
{
    for (size_t i = 0; i < sizeof objectives / sizeof objectives[0]; i++)
        if (objectives[i].objective == objective)
            return objectives[i].name;
    return "unknown";
}

dv_solve_options dv_solve_options_default(void)
{
    return (dv_solve_options){.deadline_s = INFINITY,
                              .seed = 1,
                              .objective = DV_OBJECTIVE_LATENCY,
                              .memory_bytes = DV_MEMORY_PRESET};
}

double dv_solve_deadline_s(const dv_solve_options *options)
{
    return dv_progress_now_s(options->progress) + options->deadline_s;
}

dv_solve_options dv_solve_options_within(const dv_solve_options *options, double deadline_s,
                                         dv_progress *silent)
{
    dv_solve_options within = *options;
    within.deadline_s = fmax(0.0, deadline_s - dv_progress_now_s(options->progress));
    *silent = dv_progress_silent(options->progress);
    within.progress = silent;
    return within;
}

const dv_strategy *dv_strategy_find(const char *name)
{
    for (size_t i = 0; i < STRATEGY_COUNT; i++)
        if (strcmp(strategies[i]->name, name) == 0)
            return strategies[i];
    return NULL;
}

const dv_strategy *dv_strategy_at(size_t i)
{
    return i < STRATEGY_COUNT ? strategies[i] : NULL;
}

static dv_status unknown_strategy(const char *name)
{
    const char *names[STRATEGY_COUNT];
    dv_text known = {0};
    for (size_t i = 0; i < STRATEGY_COUNT; i++) {
        names[i] = strategies[i]->name;
        dv_text_append(&known, "%s%s", i ? ", " : "", names[i]);
    }
    const char *nearest = dv_nearest_name(name, names, STRATEGY_COUNT);
    dv_status status =
        nearest ? dv_fail(DV_BAD_PARAMETER, "strategy '%s' is unknown; did you mean '%s'? (%s)",
                          name, nearest, dv_text_string(&known))
                : dv_fail(DV_BAD_PARAMETER, "strategy '%s' is unknown; known are %s", name,
                          dv_text_string(&known));
    dv_text_free(&known);
    return status;
}

/* The index of text among "a|b|c"; false if it is none of them. */
static bool choice_index(const char *choices, const char *text, double *index)
{
    size_t length = strlen(text);
    double i = 0;
    for (const char *at = choices; *at; i++) {
        size_t span = strcspn(at, "|");
        if (span == length && strncmp(at, text, span) == 0) {
            *index = i;
            return true;
        }
        at += span + (at[span] == '|');
    }
    return false;
}

static bool number_in_range(const dv_param *param, const char *text, double *number)
{
    char *end = NULL;
    double value = strtod(text, &end);
    bool whole = param->type != DV_PARAM_INTEGER || value == floor(value);
    if (end == text || *end || !isfinite(value) || !whole || value < param->low ||
        value > param->high)
        return false;
    *number = value;
    return true;
}

static dv_status read_value(const char *strategy, const dv_param *param, const char *text,
                            dv_param_value *value)
{
    value->text = text;
    switch (param->type) {
    case DV_PARAM_TEXT:
        return DV_OK;
    case DV_PARAM_CHOICE:
        if (choice_index(param->choices, text, &value->number))
            return DV_OK;
        return dv_fail(DV_BAD_PARAMETER, "strategy %s: %s=%s: must be one of %s", strategy,
                       param->name, text, param->choices);
    case DV_PARAM_INTEGER:
    case DV_PARAM_NUMBER:
        break;
    }
    if (number_in_range(param, text, &value->number))
        return DV_OK;
    return dv_fail(DV_BAD_PARAMETER, "strategy %s: %s=%s: must be a%s number from %g to %g",
                   strategy, param->name, text, param->type == DV_PARAM_INTEGER ? " whole" : "",
                   param->low, param->high);
}

dv_status dv_param_preset(const dv_param *param, dv_param_value *value)
{
    *value = (dv_param_value){0};
    if (!param->preset)
        return DV_OK;
    return read_value("", param, param->preset, value);
}

static size_t param_count(const dv_strategy *strategy)
{
    size_t count = 0;
    while (strategy->params && strategy->params[count].name)
        count++;
    return count;
}

bool dv_strategy_needs_nothing(const dv_strategy *strategy)
{
    for (size_t i = 0; i < param_count(strategy); i++)
        if (!strategy->params[i].preset)
            return false;
    return true;
}

static dv_status unknown_key(const dv_strategy *strategy, const char *key)
{
    const char *names[PARAM_MAX];
    size_t count = param_count(strategy);
    if (count == 0)
        return dv_fail(DV_BAD_PARAMETER, "strategy %s: '%s': it has no parameters", strategy->name,
                       key);
    dv_text known = {0};
    for (size_t i = 0; i < count; i++) {
        names[i] = strategy->params[i].name;
        dv_text_append(&known, "%s%s", i ? ", " : "", names[i]);
    }
    dv_status status = dv_fail(DV_BAD_PARAMETER, "strategy %s: '%s' is unknown; it has %s",
                               strategy->name, key, dv_text_string(&known));
    dv_text_free(&known);
    return status;
}

/* Reads the "key=value,..." of rest, in place, over the presets. */
static dv_status read_values(const dv_strategy *strategy, char *rest,
                             dv_param_value values[PARAM_MAX])
{
    size_t count = param_count(strategy);
    for (size_t i = 0; i < count; i++)
        DV_TRY(dv_param_preset(&strategy->params[i], &values[i]));
    for (char *save = NULL, *item = strtok_r(rest, ",", &save); item;
         item = strtok_r(NULL, ",", &save)) {
        char *equals = strchr(item, '=');
        if (!equals)
            return dv_fail(DV_BAD_PARAMETER, "strategy %s: '%s': write key=value", strategy->name,
                           item);
        *equals = '\0';
        size_t i = 0;
        while (i < count && strcmp(strategy->params[i].name, item) != 0)
            i++;
        if (i == count)
            return unknown_key(strategy, item);
        DV_TRY(read_value(strategy->name, &strategy->params[i], equals + 1, &values[i]));
    }
    for (size_t i = 0; i < count; i++)
        if (!strategy->params[i].preset && !values[i].text)
            return dv_fail(DV_BAD_PARAMETER, "strategy %s: give it %s=..., %s", strategy->name,
                           strategy->params[i].name, strategy->params[i].summary);
    return DV_OK;
}

/* Splits spec in place into the strategy and its values; values point into spec. */
static dv_status read_spec(char *spec, const dv_strategy **strategy,
                           dv_param_value values[PARAM_MAX])
{
    char *rest = strchr(spec, ':');
    if (rest)
        *rest++ = '\0';
    *strategy = dv_strategy_find(spec);
    if (!*strategy)
        return unknown_strategy(spec);
    char none[] = "";
    return read_values(*strategy, rest ? rest : none, values);
}

static dv_status copy_spec(const char *spec, char text[SPEC_MAX])
{
    if (strlen(spec) >= SPEC_MAX)
        return dv_fail(DV_BAD_PARAMETER, "strategy: more than %d characters", SPEC_MAX - 1);
    strcpy(text, spec);
    return DV_OK;
}

dv_status dv_strategy_number(const char *spec, const char *key, double *number)
{
    char text[SPEC_MAX];
    const dv_strategy *strategy = NULL;
    dv_param_value values[PARAM_MAX] = {{0}};
    DV_TRY(copy_spec(spec, text));
    DV_TRY(read_spec(text, &strategy, values));
    size_t i = 0;
    while (i < param_count(strategy) && strcmp(strategy->params[i].name, key) != 0)
        i++;
    if (i == param_count(strategy))
        return unknown_key(strategy, key);
    *number = values[i].number;
    return DV_OK;
}

/* Evaluates and certifies what the strategy left in plan. */
static dv_status accept(const dv_problem *problem, const dv_strategy *strategy,
                        dv_objective objective, dv_plan *plan)
{
    if (!dv_evaluate(problem, plan))
        return dv_fail(DV_INTERNAL, "strategy %s: its plan breaks a limit of %s", strategy->name,
                       problem->name ? problem->name : "the problem");
    /* A bound recomputed in another order of summation may pass the cost by its rounding. */
    plan->load_us = objective == DV_OBJECTIVE_THROUGHPUT ? dv_evaluate_load_us(problem, plan) : NAN;
    plan->makespan_us =
        objective == DV_OBJECTIVE_MAKESPAN ? dv_evaluate_makespan_us(problem, plan) : NAN;
    double value_us = dv_plan_value_us(plan), slack = 1e-9 * fabs(value_us);
    if (plan->bound_us > value_us && plan->bound_us <= value_us + slack)
        plan->bound_us = value_us;
    if (isinf(plan->makespan_us))
        return DV_OK;
    dv_certificate certificate = dv_certify(problem, plan);
    if (!certificate.ok)
        return dv_fail(DV_INTERNAL, "strategy %s: its plan fails the certificate: %s",
                       strategy->name, certificate.reason);
    return DV_OK;
}

static dv_status solve_with(const dv_problem *problem, const dv_strategy *strategy,
                            const dv_solve_options *options, const dv_param_value *values,
                            const char *spec, dv_plan **out, dv_outcome *outcome)
{
    dv_plan *plan = NULL;
    DV_TRY(dv_plan_create(problem, &plan));
    plan->bound_us = -INFINITY;
    if (options->objective == DV_OBJECTIVE_MAKESPAN)
        plan->makespan_us = INFINITY; /* what strategies compare their plans by */
    double start_s = dv_clock_s();
    *outcome = DV_OUTCOME_NONE;
    dv_status status = strategy->solve(problem, options, values, plan, outcome);
    bool found = *outcome == DV_OUTCOME_OPTIMAL || *outcome == DV_OUTCOME_FEASIBLE;
    if (status == DV_OK && found)
        status = accept(problem, strategy, options->objective, plan);
    if (status == DV_OK && found && isinf(plan->makespan_us)) {
        /* a rule that knows nothing of what the problem's schedules must be */
        *outcome = DV_OUTCOME_NONE;
        found = false;
    }
    if (status != DV_OK || !found) {
        dv_plan_destroy(plan);
        return status;
    }
    snprintf(plan->strategy, sizeof plan->strategy, "%s", spec);
    plan->outcome = *outcome;
    plan->solve_ms = 1e3 * (dv_clock_s() - start_s);
    *out = plan;
    return DV_OK;
}

dv_status dv_solve(const dv_problem *problem, const char *spec, const dv_solve_options *options,
                   dv_plan **plan, dv_outcome *outcome)
{
    *plan = NULL;
    *outcome = DV_OUTCOME_NONE;
    dv_solve_options settings = options ? *options : dv_solve_options_default();
    if (!(settings.tolerance > 0.0))
        settings.tolerance = 1e-9;
    if (settings.memory_bytes == 0)
        settings.memory_bytes = DV_MEMORY_PRESET;

    char text[SPEC_MAX];
    const dv_strategy *strategy = NULL;
    dv_param_value values[PARAM_MAX] = {{0}};
    DV_TRY(copy_spec(spec, text));
    DV_TRY(read_spec(text, &strategy, values));
    if (!(strategy->objectives & (unsigned)settings.objective))
        return dv_fail(DV_BAD_PARAMETER, "strategy %s does not serve the objective %s",
                       strategy->name, dv_objective_name(settings.objective));
    return solve_with(problem, strategy, &settings, values, spec, plan, outcome);
}
