/* model.c - what all targets share: from a model's bytes to a plan. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "costmodel/costmodel.h"
#include "load/graphjson.h"
#include "load/load.h"
#include "load/pte.h"
#include "lower/lower.h"
#include "solver/certify.h"
#include "solver/strategy.h"
#include "tests/fuzz/fuzz.h"

#if defined(__SANITIZE_ADDRESS__)
#define GUARDED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define GUARDED 1
#endif
#endif
#ifdef GUARDED
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(place, size)   ((void)(place), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(place, size) ((void)(place), (void)(size))
#endif

/* Bytes that dv_buffer_create adds behind the end; a mapped file has none. */
enum { PADDING = 64 };

/* Larger graphs are loaded and lowered only. */
enum { MOST_UNITS = 2000 };

void dv_fuzz_expect(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "expected: %s; the last message is '%s'\n", what, dv_message());
    abort();
}

bool dv_fuzz_accepted(dv_status status)
{
    if (status == DV_OK)
        return true;
    dv_fuzz_expect(status == DV_BAD_INPUT || status == DV_IO, "a refusal blames the input");
    dv_fuzz_expect(*dv_message() != '\0', "a refusal says why");
    return false;
}

dv_buffer *dv_fuzz_buffer(const uint8_t *data, size_t size)
{
    dv_buffer *buffer = dv_buffer_create(size);
    dv_fuzz_expect(buffer, "memory for the file itself");
    if (size > 0)
        memcpy(dv_buffer_writable(buffer), data, size);
    ASAN_POISON_MEMORY_REGION(dv_buffer_data(buffer) + size, PADDING);
    return buffer;
}

void dv_fuzz_free(dv_buffer *buffer)
{
    ASAN_UNPOISON_MEMORY_REGION(dv_buffer_data(buffer) + dv_buffer_size(buffer), PADDING);
    dv_buffer_release(buffer);
}

const dv_graph *dv_fuzz_network(void)
{
    static const char text[] =
        "{\"divvy\": \"graph/1\", \"name\": \"small\", \"tensors\": ["
        "{\"name\": \"x\", \"role\": \"input\", \"dtype\": \"f32\", \"shape\": [1, 3, 8, 8]},"
        "{\"name\": \"w\", \"role\": \"constant\", \"dtype\": \"f32\", \"shape\": [4, 3, 3, 3],"
        " \"generated\": {\"seed\": 1, \"scale\": 0.1}}, {\"name\": \"y\"}, {\"name\": \"z\"}],"
        "\"operators\": [{\"kind\": \"aten.convolution.default\", \"name\": \"conv\","
        " \"inputs\": [\"x\", \"w\"], \"outputs\": [\"y\"]},"
        "{\"kind\": \"aten._softmax.default\", \"name\": \"softmax\", \"inputs\": [\"y\"],"
        " \"outputs\": [\"z\"], \"params\": {\"axis\": 1}}], \"outputs\": [\"z\"]}";
    static dv_graph *graph;
    if (graph)
        return graph;
    dv_graph *source = NULL;
    dv_buffer *buffer = dv_buffer_create(sizeof text - 1);
    dv_fuzz_expect(buffer, "memory for the small network");
    memcpy(dv_buffer_writable(buffer), text, sizeof text - 1);
    dv_fuzz_expect(dv_load_buffer("small.json", buffer, NULL, &source) == DV_OK,
                   "the small network loads");
    dv_fuzz_expect(dv_lower(source, NULL, &graph) == DV_OK, "the small network lowers");
    dv_graph_destroy(source);
    dv_buffer_release(buffer);
    return graph;
}

const dv_platform *dv_fuzz_host(void)
{
    static dv_platform *platform;
    size_t size;
    const char *text = dv_embedded_find("devices/iphone15pro.json", &size);
    if (!platform)
        dv_fuzz_expect(dv_platform_parse("iphone15pro.json", text, size, &platform) == DV_OK,
                       "a platform that is compiled in can be read");
    return platform;
}

static void write_plan(const dv_problem *problem, const dv_plan *plan, const dv_graph *graph,
                       const dv_platform *platform)
{
    dv_text text = {0};
    dv_plan *again = NULL;
    dv_fuzz_expect(dv_plan_write(problem, plan, graph, platform, &text) == DV_OK,
                   "a plan can be written");
    dv_fuzz_expect(dv_plan_parse("plan.json", text.data, text.length, problem, &again) == DV_OK,
                   "a plan that was written can be read");
    dv_plan_destroy(again);
    dv_text_free(&text);
}

void dv_fuzz_solve(const dv_problem *problem, const dv_graph *graph, const dv_platform *platform)
{
    static const char *const quick[] = {"single", "cheapest", "chain", "heft"};
    if (problem->unit_count > MOST_UNITS)
        return;
    for (size_t i = 0; i < sizeof quick / sizeof quick[0]; i++) {
        dv_plan *plan = NULL;
        dv_outcome outcome;
        dv_solve_options options = dv_solve_options_default();
        dv_fuzz_expect(dv_solve(problem, quick[i], &options, &plan, &outcome) == DV_OK,
                       "a quick strategy ends without a fault");
        if (plan)
            write_plan(problem, plan, graph, platform);
        dv_plan_destroy(plan);
    }
}

static void pose(const dv_graph *graph)
{
    dv_problem *problem = NULL;
    const dv_platform *platform = dv_fuzz_host();
    if (graph->unit_count == 0 || graph->unit_count > MOST_UNITS)
        return;
    if (dv_fuzz_accepted(dv_problem_build(graph, platform, dv_cost_model_at(0), &problem)))
        dv_fuzz_solve(problem, graph, platform);
    dv_problem_destroy(problem);
}

/* Touches every part, as info, --dump-after and convert do. */
static void show(const dv_graph *graph)
{
    dv_text text = {0};
    dv_fuzz_expect(dv_graph_print(graph, &text) == DV_OK, "a graph can be printed");
    (void)dv_graph_count(graph);
    dv_text_free(&text);
}

static void write_and_read(const dv_graph *graph)
{
    dv_text text = {0};
    if (dv_fuzz_accepted(dv_graph_write_json(graph, &text))) {
        dv_buffer *buffer = dv_buffer_create(text.length);
        dv_graph *again = NULL;
        dv_fuzz_expect(buffer, "memory for the graph that was written");
        memcpy(dv_buffer_writable(buffer), text.data, text.length);
        dv_fuzz_expect(dv_load_buffer("written.json", buffer, NULL, &again) == DV_OK,
                       "a graph that was written can be read");
        dv_graph_destroy(again);
        dv_buffer_release(buffer);
    }
    dv_text_free(&text);
}

/* As partition does, which wants every operator understood; and as info does, which goes on. */
static void lower(const dv_graph *source, bool keep_opaque)
{
    dv_lower_options options = {.keep_opaque = keep_opaque};
    dv_graph *graph = NULL;
    if (!dv_fuzz_accepted(dv_lower(source, &options, &graph)))
        return;
    show(graph);
    if (!keep_opaque)
        pose(graph);
    dv_graph_destroy(graph);
}

static void show_program(dv_buffer *buffer)
{
    dv_pte pte;
    if (dv_fuzz_accepted(dv_pte_read(buffer, NULL, NULL, &pte)))
        dv_pte_free(&pte);
}

dv_status dv_fuzz_load(const char *path, dv_buffer *buffer, dv_graph **out)
{
    enum { MOST_DIMS = 4, SIZE = 4 };
    char names[MOST_DIMS][64];
    dv_binding dims[MOST_DIMS];
    dv_load_options options = {.dims = dims, .infer = dv_lower_known};
    dv_status status = dv_load_buffer(path, buffer, &options, out);
    for (size_t i = 0; i < MOST_DIMS && status == DV_BAD_INPUT; i++) {
        const char *asked = strstr(dv_message(), "--dim ");
        if (!asked || sscanf(asked, "--dim %63[^=]=", names[i]) != 1)
            break;
        dims[i] = (dv_binding){names[i], SIZE};
        options.dim_count = i + 1;
        status = dv_load_buffer(path, buffer, &options, out);
    }
    return status == DV_BAD_PARAMETER ? DV_BAD_INPUT : status;
}

int dv_fuzz_model(const char *path, const uint8_t *data, size_t size)
{
    dv_buffer *buffer = dv_fuzz_buffer(data, size);
    dv_graph *source = NULL;
    if (dv_fuzz_accepted(dv_fuzz_load(path, buffer, &source))) {
        show(source);
        write_and_read(source);
        if (strcmp(source->format, "pte") == 0)
            show_program(buffer);
        lower(source, true);
        lower(source, false);
        dv_graph_destroy(source);
    }
    dv_fuzz_free(buffer);
    return 0;
}
