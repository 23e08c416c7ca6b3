/* test_tflite_cases.c - TFLite networks compute what TFLite's own interpreter computed.

   tests/data/tflite holds NAME.tflite beside NAME.io (made by tests/models/make_tflite.py): the
   bytes of all inputs, then of all outputs, once for each of several inferences in a row.
   DIVVY_TFLITE names a folder of further ones; without it those are skipped. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "load/flatbuffer.h"
#include "load/load.h"
#include "lower/lower.h"
#include "tests/execution.h"

/* How far an output is from the one expected: of floats the relative RMS difference, of integers
   the largest difference. */
static double difference_of(const dv_tensor *tensor, const void *ours, const uint8_t *expected)
{
    size_t count = 0;
    double apart = 0, size = 0, most = 0;
    CU_ASSERT_TRUE_FATAL(dv_shape_elements(&tensor->shape, &count));
    for (size_t i = 0; i < count; i++) {
        double pair[2];
        const void *both[] = {ours, expected};
        for (int k = 0; k < 2; k++) {
            float f;
            int64_t n = 0;
            size_t width = dv_dtype_bytes(tensor->dtype);
            const uint8_t *at = (const uint8_t *)both[k] + i * width;
            if (tensor->dtype == DV_DTYPE_F32) {
                memcpy(&f, at, sizeof f);
                pair[k] = (double)f;
                continue;
            }
            memcpy(&n, at, width); /* little-endian */
            bool is_unsigned = tensor->dtype == DV_DTYPE_U8 || tensor->dtype == DV_DTYPE_BOOL;
            if (width < 8 && !is_unsigned)
                n = (int64_t)((uint64_t)n << (64 - 8 * width)) >> (64 - 8 * width);
            pair[k] = (double)n;
        }
        double off = fabs(pair[0] - pair[1]);
        apart += off * off;
        size += pair[1] * pair[1];
        most = !(off <= most) ? off : most;
    }
    if (tensor->dtype != DV_DTYPE_F32)
        return most;
    return apart == 0 ? 0 : sqrt(apart / size);
}

static size_t bytes_of(const dv_graph *graph, dv_tensor_id id)
{
    size_t bytes = 0;
    CU_ASSERT_TRUE_FATAL(dv_tensor_bytes(&graph->tensors[id], &bytes));
    return bytes;
}

/* One inference; takes its bytes from *at on. floats and steps: the worst so far. */
static void run_once(execution *e, const uint8_t **at, double *floats, double *steps)
{
    const dv_graph *graph = e->graph;
    for (uint32_t i = 0; i < graph->input_count; i++) {
        size_t bytes = bytes_of(graph, graph->inputs[i]);
        memcpy(dv_executor_input(e->executor, i), *at, bytes);
        *at += bytes;
    }
    CU_ASSERT_EQUAL_FATAL(dv_executor_run(e->executor), DV_OK);
    for (uint32_t i = 0; i < graph->output_count; i++) {
        const dv_tensor *tensor = &graph->tensors[graph->outputs[i]];
        double off = difference_of(tensor, dv_executor_output(e->executor, i), *at);
        double *worst = tensor->dtype == DV_DTYPE_F32 ? floats : steps;
        *worst = !(off <= *worst) ? off : *worst;
        *at += bytes_of(graph, graph->outputs[i]);
    }
}

/* Runs a case; false, and a line on stderr, if it cannot be loaded. */
static bool run_case(const char *folder, const char *name, double *floats, double *steps)
{
    static const execution_device cpu = {"cpu", "portable", NULL, -1, 1, NULL};
    static const dv_load_options options = {.infer = dv_lower_known};
    char path[2][1024];
    dv_graph *graph = NULL;
    dv_buffer *data = NULL;
    *floats = *steps = 0;
    snprintf(path[0], sizeof path[0], "%s/%s.tflite", folder, name);
    snprintf(path[1], sizeof path[1], "%s/%s.io", folder, name);
    if (dv_load(path[0], &options, &graph) != DV_OK || dv_buffer_map(path[1], &data) != DV_OK) {
        fprintf(stderr, "    %s\n", dv_message());
        dv_graph_destroy(graph);
        return false;
    }
    execution e = execution_of(graph, &cpu, 1);
    size_t each = 0, size = dv_buffer_size(data);
    for (uint32_t i = 0; i < e.graph->input_count; i++)
        each += bytes_of(e.graph, e.graph->inputs[i]);
    for (uint32_t i = 0; i < e.graph->output_count; i++)
        each += bytes_of(e.graph, e.graph->outputs[i]);
    bool fits = each > 0 && size >= each && size % each == 0;
    if (!fits)
        fprintf(stderr, "    %s: %zu bytes of inputs and outputs, not a multiple of %zu\n", name,
                size, each);
    if (fits && execution_start(&e, 1) == DV_OK) {
        const uint8_t *at = dv_buffer_data(data);
        for (size_t i = 0; i < size / each; i++)
            run_once(&e, &at, floats, steps);
    } else if (fits) {
        fprintf(stderr, "    %s\n", dv_message());
        fits = false;
    }
    execution_end(&e);
    dv_buffer_release(data);
    return fits;
}

/* ---- which operators the cases have ---- */

static const struct {
    const char *type, *kind, *reason; /* reason NULL: read, as operators around that kind */
} builtins[] = {
#define BUILTIN(code, type, kind, reader, least, most) [code] = {type, #kind, NULL},
#define UNKNOWN(code, type, reason)                    [code] = {type, NULL, reason},
#include "load/tflite_ops.def"
#undef BUILTIN
#undef UNKNOWN
};

enum { BUILTINS = sizeof builtins / sizeof builtins[0] };

static unsigned cases_with[BUILTINS]; /* that passed */

/* Counts the operators of a case's file, each once. */
static void count_builtins(const char *folder, const char *name)
{
    char path[1024];
    dv_buffer *data;
    snprintf(path, sizeof path, "%s/%s.tflite", folder, name);
    CU_ASSERT_EQUAL_FATAL(dv_buffer_map(path, &data), DV_OK);
    dv_fb fb = {.bytes = dv_buffer_data(data), .size = dv_buffer_size(data)};
    dv_fb_table model = dv_fb_root(&fb);
    dv_fb_vector codes = dv_fb_tables(&model, 1);
    for (uint32_t i = 0; i < codes.count; i++) {
        dv_fb_table code = dv_fb_table_at(&codes, i);
        int32_t old = dv_fb_i8(&code, 0, 0), number = dv_fb_i32(&code, 3, 0);
        number = old > number ? old : number;
        if (number >= 0 && number < BUILTINS)
            cases_with[number]++;
    }
    dv_buffer_release(data);
}

static void expect_close(const char *name, double most_floats, double most_steps)
{
    char folder[512];
    double floats, steps;
    snprintf(folder, sizeof folder, "%s/tests/data/tflite", dv_source_root());
    bool ran = run_case(folder, name, &floats, &steps);
    CU_ASSERT_TRUE(ran);
    if (ran && !(floats <= most_floats && steps <= most_steps))
        fprintf(stderr, "    %s: floats off by %g, integers by %g\n", name, floats, steps);
    CU_ASSERT_TRUE(ran && floats <= most_floats && steps <= most_steps);
    if (ran && floats <= most_floats && steps <= most_steps)
        count_builtins(folder, name);
}

/* ---- the table ---- */

static void append_table(dv_text *out)
{
    dv_text_append(
        out,
        "# TFLite's operators\n\n"
        "Every builtin operator of TFLite's schema (version 3), by its number. Made by the test "
        "suite; do not\nedit: after a change to `src/load/tflite_ops.def` or to the cases in "
        "`tests/data/tflite`, run\n\n"
        "    DIVVY_WRITE_TFLITE=doc/operators-tflite.md build/tests/run "
        "conformance_tflite_cases\n\n"
        "An operator that is read becomes operators of doc/operators.md, the one named here "
        "among them; cases\nare networks in `tests/data/tflite` that such an operator is in "
        "and whose outputs are those of TFLite's\nown interpreter. What is not read is kept by "
        "name, for the reason given: `info` lists it, and it is\nplaced on the processor that "
        "runs everything. A single use may still be kept by name, with its own\nreason, if "
        "its shape or bounds are computed by the network.\n\n"
        "| number | operator | becomes | cases | kept by name because |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < BUILTINS; i++) {
        dv_text_append(out, "| %zu | %s |", i, builtins[i].type);
        if (builtins[i].reason)
            dv_text_append(out, " | | %s |\n", builtins[i].reason);
        else
            dv_text_append(out, " %s | %u | |\n", builtins[i].kind, cases_with[i]);
    }
}

static void the_documentation_lists_every_operator_and_its_cases(void)
{
    const char *write = getenv("DIVVY_WRITE_TFLITE");
    char path[1024];
    dv_text table = {0};
    dv_buffer *stored = NULL;
    append_table(&table);
    CU_ASSERT_FALSE_FATAL(table.failed);
    if (write)
        CU_ASSERT_EQUAL(dv_file_write(write, table.data, table.length), DV_OK);
    snprintf(path, sizeof path, "%s/doc/operators-tflite.md", dv_source_root());
    CU_ASSERT_EQUAL_FATAL(dv_buffer_map(path, &stored), DV_OK);
    bool same = dv_buffer_size(stored) == table.length &&
                memcmp(dv_buffer_data(stored), table.data, table.length) == 0;
    if (!same)
        fprintf(stderr, "    doc/operators-tflite.md is not what the suite would write\n");
    CU_ASSERT_TRUE(same);
    for (size_t i = 0; i < BUILTINS; i++) /* DENSIFY and CALL_ONCE fold into what reads them */
        if (!builtins[i].reason && cases_with[i] == 0 && strcmp(builtins[i].type, "DENSIFY") != 0) {
            fprintf(stderr, "    no case has a %s\n", builtins[i].type);
            CU_FAIL("an operator that is read has no case");
        }
    dv_buffer_release(stored);
    dv_text_free(&table);
}

/* Weights of 8 bits are computed with as they are; the interpreter rounds what comes in, too. */
static bool is_rounded(const char *name)
{
    return strstr(name, "_dynamic") || strncmp(name, "small_i", 7) == 0 ||
           strncmp(name, "small_u", 7) == 0 || strncmp(name, "written_svdf_i8", 15) == 0;
}

static void every_operator_computes_what_the_interpreter_does(void)
{
    char folder[512];
    size_t cases = 0;
    snprintf(folder, sizeof folder, "%s/tests/data/tflite", dv_source_root());
    DIR *entries = opendir(folder);
    CU_ASSERT_PTR_NOT_NULL_FATAL(entries);
    for (struct dirent *entry; (entry = readdir(entries));) {
        const char *end = strstr(entry->d_name, ".tflite");
        char name[256];
        if (!end || end[7] || is_rounded(entry->d_name))
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(end - entry->d_name), entry->d_name);
        expect_close(name, 1e-5, 0);
        cases++;
    }
    closedir(entries);
    CU_ASSERT_TRUE(cases > 100);
}

static void a_network_of_bytes_computes_within_a_step(void)
{
    expect_close("small_i8", 0, 1);
    expect_close("small_u8", 0, 1);
}

static void what_is_kept_as_integers_computes_within_a_step(void)
{
    expect_close("written_svdf_i8", 0, 1);
}

static void a_network_with_bytes_inside_computes_within_a_step(void)
{
    expect_close("small_i8_inside", 0.02, 0); /* its output is a byte's, as a float */
    expect_close("small_i16", 1e-3, 0);
}

static void weights_of_bytes_compute_nearly_what_rounded_activations_do(void)
{
    expect_close("small_dynamic", 0.02, 0);
    expect_close("dense_dynamic", 0.02, 0);
    expect_close("lstm_dynamic", 0.05, 0);
}

static void networks_of_real_size_compute_what_the_interpreter_does(void)
{
    const char *folder = getenv("DIVVY_TFLITE");
    DIR *entries = folder ? opendir(folder) : NULL;
    if (!entries) {
        dv_skip(__func__, "DIVVY_TFLITE names no folder with NAME.tflite beside NAME.io");
        return;
    }
    for (struct dirent *entry; (entry = readdir(entries));) {
        const char *end = strstr(entry->d_name, ".io");
        char name[256];
        double floats, steps;
        if (!end || end[3])
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(end - entry->d_name), entry->d_name);
        bool ran = run_case(folder, name, &floats, &steps);
        fprintf(stderr, "    %s: floats off by %g, integers by %g\n", name, floats, steps);
        /* a step here and there adds up through the layers, as it does between TFLite's own kernels
         */
        CU_ASSERT_TRUE(ran && floats <= 0.05 && steps <= 8);
    }
    closedir(entries);
}

DV_SUITE(conformance_tflite_cases, DV_TEST(every_operator_computes_what_the_interpreter_does),
         DV_TEST(a_network_of_bytes_computes_within_a_step),
         DV_TEST(what_is_kept_as_integers_computes_within_a_step),
         DV_TEST(a_network_with_bytes_inside_computes_within_a_step),
         DV_TEST(weights_of_bytes_compute_nearly_what_rounded_activations_do),
         DV_TEST(the_documentation_lists_every_operator_and_its_cases),
         DV_TEST(networks_of_real_size_compute_what_the_interpreter_does));
