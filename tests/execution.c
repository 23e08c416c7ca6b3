/* execution.c - graphs executed by plans on machines made up of cpu and worker devices, for tests.
 */
#include "tests/execution.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "costmodel/costmodel.h"
#include "lower/lower.h"
#include "runtime/backend.h"
#include "solver/evaluate.h"

static void demand(dv_status status)
{
    if (status != DV_OK)
        fprintf(stderr, "    %s\n", dv_message());
    CU_ASSERT_EQUAL_FATAL(status, DV_OK);
}

const char *execution_backend(size_t i)
{
    char why[160];
    for (size_t k = 0; dv_backend_at(k); k++)
        if (dv_backend_at(k)->probe(why, sizeof why) && i-- == 0)
            return dv_backend_at(k)->name;
    return NULL;
}

/* ---- the machine ---- */

/* Figures only matter in that they are there. */
#define FIVE "{\"value\": 5, \"source\": \"made up\"}"

static const char costs[] =
    "\"weight_gbs\": " FIVE ", \"activation_gbs\": " FIVE ", "
    "\"families\": {\"conv\": {\"launch_us\": " FIVE ", \"gmacs\": " FIVE "}, "
    "\"elementwise\": {\"launch_us\": " FIVE "}}";

static void write_device(dv_text *text, const execution_device *device)
{
    dv_text_append(text, "{\"name\": \"%s\", \"kind\": \"cpu\", \"dispatch_us\": " FIVE ", ",
                   device->name);
    dv_text_append(text,
                   "\"support\": {\"all\": true}, \"precisions\": [{\"precision\": \"%s\", %s}]",
                   device->precision ? device->precision : "f32", costs);
    if (device->backend)
        dv_text_append(text, ", \"realisation\": {\"backend\": \"%s\", \"threads\": %u",
                       device->backend, device->threads ? device->threads : 1);
    if (device->backend && device->inner)
        dv_text_append(text, ", \"inner\": \"%s\", \"core\": %d", device->inner, device->core);
    dv_text_append(text, "%s}", device->backend ? "}" : "");
}

static dv_platform *machine(const execution_device *devices, size_t count)
{
    dv_text text = {0};
    dv_platform *platform = NULL;
    dv_text_append(&text,
                   "{\"divvy\": \"platform/1\", \"name\": \"made-up\", \"host\": \"%s:%s\", "
                   "\"convert_gbs\": " FIVE ", \"devices\": [",
                   devices[0].name, devices[0].precision ? devices[0].precision : "f32");
    for (size_t i = 0; i < count; i++) {
        dv_text_append(&text, "%s", i > 0 ? ", " : "");
        write_device(&text, &devices[i]);
    }
    dv_text_append(&text, "], \"links\": [");
    for (size_t i = 1; i < count; i++)
        dv_text_append(&text,
                       "%s{\"from\": \"%s\", \"to\": \"%s\", \"both_ways\": true, "
                       "\"latency_us\": " FIVE ", \"gbs\": " FIVE "}",
                       i > 1 ? ", " : "", devices[0].name, devices[i].name);
    dv_text_append(&text, "]}");
    const char *string = dv_text_string(&text);
    demand(dv_platform_parse("made-up", string, strlen(string), &platform));
    dv_text_free(&text);
    return platform;
}

execution execution_of_lowered(dv_graph *graph, const execution_device *devices, size_t count)
{
    execution e = {.graph = graph, .platform = machine(devices, count)};
    demand(dv_problem_build(e.graph, e.platform, dv_cost_model_at(0), &e.problem));
    demand(dv_plan_create(e.problem, &e.plan));
    for (dv_unit_id u = 0; u < e.problem->unit_count; u++)
        e.plan->target[u] = e.problem->host;
    return e;
}

execution execution_of(dv_graph *graph, const execution_device *devices, size_t count)
{
    dv_graph *core = NULL;
    demand(dv_lower(graph, NULL, &core));
    dv_graph_destroy(graph);
    return execution_of_lowered(core, devices, count);
}

void execution_end(execution *e)
{
    dv_executor_destroy(e->executor);
    dv_plan_destroy(e->plan);
    dv_problem_destroy(e->problem);
    dv_platform_destroy(e->platform);
    dv_graph_destroy(e->graph);
    *e = (execution){0};
}

/* ---- the plan ---- */

/* Any unit whose producers have run may be next. */
static void shuffle_order(const dv_problem *p, dv_rng *rng, dv_unit_id *order)
{
    uint32_t *missing = calloc((size_t)p->unit_count + 1, sizeof *missing);
    dv_unit_id *ready = calloc((size_t)p->unit_count + 1, sizeof *ready);
    uint32_t count = 0;
    if (!missing || !ready)
        abort();
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        missing[u] = p->previous_start[u + 1] - p->previous_start[u];
        if (missing[u] == 0)
            ready[count++] = u;
    }
    for (uint32_t k = 0; k < p->unit_count; k++) {
        uint32_t i = (uint32_t)dv_rng_below(rng, count);
        dv_unit_id u = order[k] = ready[i];
        ready[i] = ready[--count];
        for (uint32_t n = p->next_start[u]; n < p->next_start[u + 1]; n++)
            if (--missing[p->next[n]] == 0)
                ready[count++] = p->next[n];
    }
    free(missing);
    free(ready);
}

void execution_scatter(execution *e, uint64_t seed)
{
    const dv_problem *p = e->problem;
    dv_rng rng = dv_rng_seeded(seed ^ 0x5ca77e4);
    uint64_t stay = dv_rng_below(&rng, 6); /* the mean length of runs less one */
    shuffle_order(p, &rng, e->plan->order);
    dv_target_id target = (dv_target_id)dv_rng_below(&rng, p->target_count);
    for (uint32_t k = 0; k < p->unit_count; k++) {
        if (dv_rng_below(&rng, stay + 1) == 0)
            target = (dv_target_id)dv_rng_below(&rng, p->target_count);
        e->plan->target[e->plan->order[k]] = target;
    }
    for (dv_unit_id u = 0; p->group && u < p->unit_count; u++)
        for (dv_unit_id v = 0; v < u && p->group[u] != DV_NONE; v++)
            if (p->group[v] == p->group[u])
                e->plan->target[u] = e->plan->target[v];
    CU_ASSERT_TRUE(dv_evaluate(p, e->plan));
}

void execution_place(execution *e, const char *tensor, dv_target_id target)
{
    for (dv_tensor_id t = 0; t < e->graph->tensor_count; t++)
        if (strcmp(e->graph->tensors[t].name, tensor) == 0 && e->graph->producer[t] != DV_NONE) {
            e->plan->target[e->graph->unit_of[e->graph->producer[t]]] = target;
            CU_ASSERT_TRUE(dv_evaluate(e->problem, e->plan));
            return;
        }
    fprintf(stderr, "    no operator makes '%s'\n", tensor);
    CU_ASSERT_TRUE_FATAL(false);
}

/* ---- runs ---- */

dv_status execution_start(execution *e, uint64_t seed)
{
    dv_executor_destroy(e->executor);
    e->executor = NULL;
    dv_status status = dv_executor_create(e->graph, e->platform, e->problem, e->plan, &e->executor);
    if (status == DV_OK)
        dv_executor_fill_inputs(e->executor, seed);
    return status;
}

static double tensor_error(const dv_tensor *tensor, const void *a, const void *b)
{
    size_t elements = 0, bytes = 0;
    double difference = 0, size = 0;
    if (!dv_shape_elements(&tensor->shape, &elements) || !dv_tensor_bytes(tensor, &bytes))
        return (double)INFINITY;
    if (tensor->dtype != DV_DTYPE_F32)
        return memcmp(a, b, bytes) == 0 ? 0 : (double)INFINITY;
    for (size_t i = 0; i < elements; i++) {
        double x = (double)((const float *)a)[i], y = (double)((const float *)b)[i];
        difference += (x - y) * (x - y);
        size += y * y;
    }
    double error = difference == 0 ? 0 : sqrt(difference / size);
    return isnan(error) ? (double)INFINITY : error;
}

double execution_error(execution *e, uint64_t seed)
{
    static const execution_device portable[] = {{.name = "cpu", .backend = "portable"}};
    execution reference = {.graph = e->graph};
    double worst = 0;
    dv_status status = execution_start(e, seed);
    if (status == DV_OK)
        status = dv_executor_run(e->executor);
    if (status == DV_OK) {
        reference = execution_of_lowered(e->graph, portable, 1);
        status = execution_start(&reference, seed);
    }
    if (status == DV_OK)
        status = dv_executor_run(reference.executor);
    for (uint32_t i = 0; status == DV_OK && i < e->graph->output_count; i++)
        worst = fmax(worst, tensor_error(&e->graph->tensors[e->graph->outputs[i]],
                                         dv_executor_output(e->executor, i),
                                         dv_executor_output(reference.executor, i)));
    reference.graph = NULL; /* is e's */
    execution_end(&reference);
    if (status != DV_OK)
        fprintf(stderr, "\n    %s\n", dv_message());
    return status == DV_OK ? worst : (double)INFINITY;
}
