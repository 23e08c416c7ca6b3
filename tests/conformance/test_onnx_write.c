/* What is written as ONNX says the same to whoever reads it: to ourselves, and to ONNX Runtime. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "datasets/zoo/zoo.h"
#include "load/load.h"
#include "load/onnx_write.h"
#include "runtime/portable/portable.h"
#include "tests/conformance/onnx_case.h"
#include "tests/lowering.h"
#include "tests/onnx_writer.h"
#include "tests/suite.h"

static const char *const data_folder = "/usr/share/libonnx-testdata/data";

/* ---- the ONNX project's tests, written and read again ---- */

typedef struct tally {
    uint32_t passed, failed;
} tally;

/* Replaces the lowered graph by the one that its ONNX file lowers to. */
static bool rewrite(onnx_case *test, char *why, size_t size)
{
    char path[256];
    dv_graph *source = NULL, *again = NULL;
    snprintf(path, sizeof path, "%s/again.onnx", dv_test_folder());
    dv_status status = dv_onnx_write(test->lowered, path, DV_WEIGHTS_AUTO);
    if (status == DV_OK)
        status = dv_load(path, NULL, &source);
    if (status == DV_OK)
        status = dv_lower(source, NULL, &again);
    if (status != DV_OK)
        snprintf(why, size, "%s", dv_message());
    else {
        dv_graph_destroy(test->lowered);
        test->lowered = again;
    }
    dv_graph_destroy(source);
    return status == DV_OK;
}

static void run_case(tally *t, const char *folder)
{
    onnx_case test;
    char why[512] = "";
    onnx_verdict verdict = onnx_case_open(&test, folder);
    if (verdict == ONNX_PASSED)
        verdict = onnx_case_run(&test, &dv_backend_portable);
    if (verdict == ONNX_PASSED || verdict == ONNX_FOLDED) {
        bool good = rewrite(&test, why, sizeof why);
        if (good) {
            verdict = onnx_case_run(&test, &dv_backend_portable);
            good = verdict == ONNX_PASSED || verdict == ONNX_FOLDED;
            snprintf(why, sizeof why, "%s", test.why);
        }
        t->passed += good;
        t->failed += !good;
        if (!good)
            printf("\n    FAILED %s: %s", strrchr(folder, '/') + 1, why);
    }
    onnx_case_close(&test);
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool run_set(tally *t, const char *set)
{
    char folder[512];
    struct dirent **entries;
    snprintf(folder, sizeof folder, "%s/%s", data_folder, set);
    int count = scandir(folder, &entries, visible, alphasort);
    for (int i = 0; i < count; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        run_case(t, path);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return count >= 0;
}

static void test_what_passes_still_passes_after_being_written_and_read(void)
{
    static const char *const sets[] = {"node", "pytorch-converted", "pytorch-operator", "simple"};
    enum { LEAST_PASSED = 938 };
    tally t = {0};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        if (!run_set(&t, sets[i])) {
            dv_skip("ONNX written and read again", "Debian's libonnx-testdata is not installed");
            return;
        }
    CU_ASSERT_EQUAL(t.failed, 0);
    CU_ASSERT_TRUE(t.passed >= LEAST_PASSED);
}

/* ---- networks of the zoo, for ourselves and for ONNX Runtime ---- */

/* Small pictures: what is tested is the writing, not the speed. */
static const char *const networks[] = {
    "mobilenet_v2:side=64",   "mobilenet_v3_small:side=64", "shufflenet_v2_x1_0:side=64",
    "squeezenet1_1:side=64",  "efficientnet_b0:side=64",    "mnasnet1_0:side=64",
    "regnet_y_400mf:side=64", "resnet18:side=64",           "googlenet:side=64",
    "convnext_tiny:side=32",  "mobilevit_s:side=64",        "deeplabv3_mobilenet_v3_large:side=64",
    "distilbert:seq=8",
};

enum { NETWORKS = sizeof networks / sizeof networks[0], MOST_BORDERS = 32 };

static dv_graph *network(const char *name)
{
    dv_graph *source = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_zoo_build(name, &source), DV_OK);
    return lowered(source);
}

static void test_networks_give_the_same_after_being_written_and_read(void)
{
    char path[256];
    snprintf(path, sizeof path, "%s/network.onnx", dv_test_folder());
    for (size_t i = 0; i < NETWORKS; i += 2) {
        dv_graph *graph = network(networks[i]), *source = NULL;
        CU_ASSERT_EQUAL_FATAL(
            dv_onnx_write(graph, path, i % 4 ? DV_WEIGHTS_BESIDE : DV_WEIGHTS_INSIDE), DV_OK);
        CU_ASSERT_EQUAL_FATAL(dv_load(path, NULL, &source), DV_OK);
        dv_graph *again = lowered(source);
        double by = difference(graph, again, 7, 100);
        if (!(by < 1e-5))
            fprintf(stderr, "\n    %s: %g", networks[i], by);
        CU_ASSERT_TRUE(by < 1e-5);
        dv_graph_destroy(again);
        dv_graph_destroy(graph);
    }
}

/* x, quantised, times a quantised weight by channel, quantised again. */
static dv_graph *quantised_network(void)
{
    static const float scale = 0.05f, y_scale = 0.125f, scales[] = {0.1f, 0.2f};
    static const int8_t weight[] = {1, -2, 3, 4, 5, -6}, zero = 3, zeros[2] = {0};
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "4,3");
    onnx_floats(&w, "s", "", &scale);
    onnx_raw(&w, "z", ONNX_INT8, "", &zero, 1);
    onnx_floats(&w, "ys", "", &y_scale);
    onnx_floats(&w, "ws", "2", scales);
    onnx_raw(&w, "wz", ONNX_INT8, "2", zeros, 2);
    onnx_raw(&w, "wq", ONNX_INT8, "2,3", weight, 6);
    onnx_node(&w, "QuantizeLinear", "x s z", "xq");
    onnx_node(&w, "DequantizeLinear", "xq s z", "xd");
    onnx_node(&w, "DequantizeLinear", "wq ws wz", "wd");
    onnx_attr_int(&w, "axis", 0);
    onnx_node(&w, "Gemm", "xd wd", "product");
    onnx_attr_int(&w, "transB", 1);
    onnx_node(&w, "QuantizeLinear", "product ys z", "yq");
    onnx_node(&w, "DequantizeLinear", "yq ys z", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_graph *source = onnx_loaded(&w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(source);
    onnx_free(&w);
    return lowered(source);
}

static void test_quantised_operators_stay_between_conversions(void)
{
    char path[256];
    dv_graph *graph = quantised_network(), *source = NULL;
    const dv_op *product = first_of(graph, DV_OP_LINEAR);
    CU_ASSERT_PTR_NOT_NULL_FATAL(product);
    CU_ASSERT_TRUE(dv_op_is_quantised(graph, product));
    snprintf(path, sizeof path, "%s/quantised.onnx", dv_test_folder());
    CU_ASSERT_EQUAL_FATAL(dv_onnx_write(graph, path, DV_WEIGHTS_AUTO), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_load(path, NULL, &source), DV_OK);
    dv_graph *again = lowered(source);
    CU_ASSERT_EQUAL(again->op_count, graph->op_count);
    product = first_of(again, DV_OP_LINEAR);
    CU_ASSERT_TRUE(product && dv_op_is_quantised(again, product));
    CU_ASSERT_EQUAL(difference(graph, again, 5, 10), 0);
    dv_graph_destroy(again);
    dv_graph_destroy(graph);
}

static void write_bytes(const char *path, const dv_tensor *tensor, void *bytes)
{
    size_t size = 0;
    FILE *file = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_TRUE(dv_tensor_bytes(tensor, &size));
    CU_ASSERT_EQUAL(fwrite(bytes, 1, size, file), size);
    CU_ASSERT_EQUAL(fclose(file), 0);
    free(bytes);
}

/* The model and, as raw files, what goes in and what the portable backend makes of it. */
static void write_exchange(const char *folder, const char *name, const dv_graph *graph)
{
    char path[512];
    void *inputs[MOST_BORDERS] = {NULL}, *outputs[MOST_BORDERS] = {NULL};
    snprintf(path, sizeof path, "%s/%s.onnx", folder, name);
    CU_ASSERT_EQUAL_FATAL(dv_onnx_write(graph, path, DV_WEIGHTS_AUTO), DV_OK);
    CU_ASSERT_TRUE_FATAL(run_portable(graph, 11, 100, inputs, outputs));
    for (uint32_t i = 0; i < graph->input_count; i++) {
        snprintf(path, sizeof path, "%s/%s.in%u", folder, name, i);
        write_bytes(path, &graph->tensors[graph->inputs[i]], inputs[i]);
    }
    for (uint32_t i = 0; i < graph->output_count; i++) {
        snprintf(path, sizeof path, "%s/%s.out%u", folder, name, i);
        write_bytes(path, &graph->tensors[graph->outputs[i]], outputs[i]);
    }
}

/* The exit status of `$DIVVY_PYTHON tests/conformance/onnx_runtime.py folder`. */
static int run_script(const char *python, const char *folder)
{
    char script[512];
    snprintf(script, sizeof script, "%s/tests/conformance/onnx_runtime.py", dv_source_root());
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        execlp(python, python, script, folder, (char *)NULL);
        _exit(77);
    }
    int status = 0;
    CU_ASSERT_TRUE_FATAL(child > 0 && waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_onnx_runtime_computes_what_the_portable_backend_does(void)
{
    char folder[256];
    const char *python = getenv("DIVVY_PYTHON") ? getenv("DIVVY_PYTHON") : "python3";
    snprintf(folder, sizeof folder, "%s/exchange", dv_test_folder());
    CU_ASSERT_EQUAL_FATAL(mkdir(folder, 0755), 0);
    if (run_script(python, folder) == 77) {
        dv_skip("ONNX Runtime",
                "python3 (or $DIVVY_PYTHON) has no modules onnxruntime and numpy: pip install "
                "onnxruntime numpy");
        return;
    }
    for (size_t i = 0; i < NETWORKS; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s", networks[i]);
        for (char *c = name; *c; c++)
            *c = *c == ':' || *c == '=' ? '_' : *c;
        dv_graph *graph = network(networks[i]);
        write_exchange(folder, name, graph);
        dv_graph_destroy(graph);
    }
    dv_graph *quantised = quantised_network();
    write_exchange(folder, "quantised", quantised);
    dv_graph_destroy(quantised);
    CU_ASSERT_EQUAL(run_script(python, folder), 0);
}

DV_SUITE(conformance_onnx_write,
         DV_TEST(test_what_passes_still_passes_after_being_written_and_read),
         DV_TEST(test_networks_give_the_same_after_being_written_and_read),
         DV_TEST(test_quantised_operators_stay_between_conversions),
         DV_TEST(test_onnx_runtime_computes_what_the_portable_backend_does));
