/* The ONNX project's own tests (Debian's libonnx-testdata), from the file to the output. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/text.h"
#include "runtime/portable/kernel.h"
#include "runtime/portable/portable.h"
#include "tests/conformance/onnx_case.h"
#include "tests/suite.h"

static const char *const data_folder = "/usr/share/libonnx-testdata/data";

/* Counts by operator. */
typedef struct row {
    char operators[64];
    uint32_t passed, folded, unsupported, failed;
} row;

/* How far the tests get that an operator type of ONNX is in. */
typedef struct type_row {
    char type[64];
    uint32_t tests, loaded, lowered, passed;
} type_row;

typedef struct tally {
    row rows[512];
    size_t count;
    type_row types[512];
    size_t type_count;
    row total;
    uint32_t kind_run[DV_OP_COUNT],
        kind_passed[DV_OP_COUNT]; /* tests that such an operator is in */
} tally;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const row *)a)->operators, ((const row *)b)->operators);
}

static row *row_of(tally *t, const char *operators)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->rows[i].operators, operators) == 0)
            return &t->rows[i];
    row *new_row = &t->rows[t->count < 511 ? t->count++ : 511];
    snprintf(new_row->operators, sizeof new_row->operators, "%s", operators);
    return new_row;
}

static void add(row *r, onnx_verdict verdict)
{
    r->passed += verdict == ONNX_PASSED;
    r->folded += verdict == ONNX_FOLDED;
    r->unsupported += verdict == ONNX_UNSUPPORTED;
    r->failed += verdict == ONNX_FAILED;
}

/* Tests whose stored output is not what the standard's text says, or says in two ways. */
static const char *const disputed[][2] = {
    {"test_resize_downsample_scales_linear_align_corners",
     "it aligns the corner of an output 2.4 pixels wide; ONNX Runtime and PyTorch round to 2"},
    {"test_resize_downsample_scales_cubic_align_corners",
     "it aligns the corner of an output 3.2 pixels wide; ONNX Runtime and PyTorch round to 3"},
    {"test_adam_multiple", "its model lacks the epsilon that its stored output was made with"},
    {"test_dft_inverse", "its stored zeros are the rounding of an f32 transform"},
    {"test_dft_inverse_opset19", "its stored zeros are the rounding of an f32 transform"},
    {"test_bernoulli_expanded", "its random numbers are those of another generator"},
    {"test_bernoulli_double_expanded", "its random numbers are those of another generator"},
    {"test_bernoulli_seed_expanded", "its random numbers are those of another generator"},
};

static const char *dispute(const char *name)
{
    for (size_t i = 0; i < sizeof disputed / sizeof disputed[0]; i++)
        if (strcmp(disputed[i][0], name) == 0)
            return disputed[i][1];
    return NULL;
}

static void add_kinds(tally *t, const dv_graph *lowered, onnx_verdict verdict)
{
    bool seen[DV_OP_COUNT] = {false};
    for (dv_op_id o = 0; lowered && o < lowered->op_count; o++)
        seen[lowered->ops[o].kind] = true;
    for (int kind = 0; kind < DV_OP_COUNT; kind++) {
        t->kind_run[kind] += seen[kind];
        t->kind_passed[kind] += seen[kind] && verdict == ONNX_PASSED;
    }
}

static type_row *type_of(tally *t, const char *type)
{
    for (size_t i = 0; i < t->type_count; i++)
        if (strcmp(t->types[i].type, type) == 0)
            return &t->types[i];
    type_row *new_row = &t->types[t->type_count < 511 ? t->type_count++ : 511];
    snprintf(new_row->type, sizeof new_row->type, "%s", type);
    return new_row;
}

static bool is_first_of_its_type(const dv_graph *graph, dv_op_id op)
{
    for (dv_op_id before = 0; before < op; before++)
        if (strcmp(graph->ops[before].source_type, graph->ops[op].source_type) == 0)
            return false;
    return true;
}

static bool has_opaque(const dv_graph *graph, const char *type)
{
    for (dv_op_id op = 0; op < graph->op_count; op++)
        if (graph->ops[op].kind == DV_OP_OPAQUE && strcmp(graph->ops[op].source_type, type) == 0)
            return true;
    return false;
}

static void add_types(tally *t, const onnx_case *test, onnx_verdict verdict)
{
    const dv_graph *graph = test->source;
    for (dv_op_id op = 0; graph && op < graph->op_count; op++) {
        const char *type = graph->ops[op].source_type;
        if (!type || !is_first_of_its_type(graph, op))
            continue;
        type_row *r = type_of(t, type);
        r->tests++;
        r->loaded += !has_opaque(graph, type);
        r->lowered += test->lowered != NULL;
        r->passed += verdict == ONNX_PASSED || verdict == ONNX_FOLDED;
    }
}

static void run_case(tally *t, const dv_backend *backend, const char *folder)
{
    onnx_case test;
    onnx_verdict verdict = onnx_case_open(&test, folder);
    if (verdict == ONNX_PASSED)
        verdict = onnx_case_run(&test, backend);
    const char *name = strrchr(folder, '/') + 1;
    if (verdict == ONNX_FAILED && dispute(name)) {
        verdict = ONNX_UNSUPPORTED;
        snprintf(test.why, sizeof test.why, "%s", dispute(name));
    }
    add(row_of(t, test.operators), verdict);
    add(&t->total, verdict);
    add_kinds(t, test.lowered, verdict);
    add_types(t, &test, verdict);
    if (verdict == ONNX_FAILED)
        printf("\n    FAILED %s (%s): %s", name, test.operators, test.why);
    else if (verdict == ONNX_UNSUPPORTED && getenv("DIVVY_TEST_VERBOSE"))
        printf("\n    not supported: %s (%s): %s", name, test.operators, test.why);
    onnx_case_close(&test);
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static bool run_set(tally *t, const dv_backend *backend, const char *data, const char *set)
{
    char folder[512];
    struct dirent **entries;
    snprintf(folder, sizeof folder, "%s/%s", data, set);
    int count = scandir(folder, &entries, visible, alphasort);
    if (count < 0)
        return false;
    for (int i = 0; i < count; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        run_case(t, backend, path);
        free(entries[i]);
    }
    free(entries);
    return true;
}

static void print_row(const row *r)
{
    printf("    %-28s %6u %6u %6u %6u\n", r->operators, r->passed, r->folded, r->failed,
           r->unsupported);
}

static void print(tally *t)
{
    qsort(t->rows, t->count, sizeof t->rows[0], by_name);
    printf("\n    %-28s %6s %6s %6s %6s\n", "operator", "passed", "folded", "failed", "no");
    for (size_t i = 0; i < t->count; i++)
        print_row(&t->rows[i]);
    print_row(&t->total);
}

static const char *const sets[] = {"node", "pytorch-converted", "pytorch-operator", "simple"};

static bool run_sets(tally *t, const dv_backend *backend)
{
    memset(t, 0, sizeof *t);
    snprintf(t->total.operators, sizeof t->total.operators, "together");
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        if (!run_set(t, backend, data_folder, sets[i])) {
            dv_skip("ONNX conformance", "Debian's libonnx-testdata is not installed");
            return false;
        }
    return true;
}

/* What passed when this was last looked at, so that a test that stops being supported is noticed as
   well as one that fails. */
enum { LEAST_PASSED = 1027 };

static void test_what_the_reference_claims_gives_the_stored_outputs(void)
{
    static tally t;
    if (!run_sets(&t, &dv_backend_portable))
        return;
    print(&t);
    CU_ASSERT_EQUAL(t.total.failed, 0);
    CU_ASSERT_TRUE(t.total.passed >= LEAST_PASSED);
}

/* Operator sets that are newer than Debian's data: the tests that the Python package onnx makes. */
static void test_newer_operator_sets_give_the_stored_outputs(void)
{
    static tally t;
    const char *folder = getenv("DIVVY_ONNX_NODES");
    memset(&t, 0, sizeof t);
    snprintf(t.total.operators, sizeof t.total.operators, "together");
    if (!folder) {
        dv_skip("newer ONNX operator sets",
                "DIVVY_ONNX_NODES names no folder made by tests/conformance/make_onnx_nodes.py");
        return;
    }
    CU_ASSERT_TRUE_FATAL(run_set(&t, &dv_backend_portable, folder, "node"));
    print(&t);
    CU_ASSERT_EQUAL(t.total.failed, 0);
    CU_ASSERT_TRUE(t.total.passed > 0);
}

static void test_what_the_other_backends_claim_gives_the_stored_outputs(void)
{
    static tally t;
    for (size_t i = 0; dv_backend_at(i); i++) {
        const dv_backend *backend = dv_backend_at(i);
        char why[256];
        if (backend == &dv_backend_portable)
            continue;
        if (!backend->probe(why, sizeof why)) {
            dv_skip(backend->name, why);
            continue;
        }
        if (!run_sets(&t, backend))
            return;
        snprintf(t.total.operators, sizeof t.total.operators, "%s", backend->name);
        print_row(&t.total);
        CU_ASSERT_EQUAL(t.total.failed, 0);
        CU_ASSERT_TRUE(t.total.passed > 0);
    }
}

/* ---- doc/operators.md ---- */

static const char *const preface =
    "# Operators\n\n"
    "Every kind of operator that a graph is made of after loading, with its name, which is core "
    "ATen's as in\n"
    "ExecuTorch's edge dialect where that has one. Made by the test suite; do not edit: after a "
    "change to\n"
    "`src/core/ops.def` or a kernel, run\n\n"
    "    DIVVY_WRITE_OPERATORS=doc/operators.md build/tests/run conformance_onnx_nodes\n\n"
    "Columns: the family of its cost; whether the backends compute it themselves (xnnpack and "
    "onednn run the\n"
    "rest by the portable kernels; shapes and types may restrict them further); and how many of "
    "the ONNX\n"
    "project's tests (Debian's libonnx-testdata) that such an operator is part of after lowering "
    "pass.\n\n"
    "| operator | family | portable | xnnpack | onednn | tests |\n|---|---|---|---|---|---|\n";

static const char *yes(bool is)
{
    return is ? "yes" : "-";
}

static int by_type(const void *a, const void *b)
{
    return strcmp(((const type_row *)a)->type, ((const type_row *)b)->type);
}

static void write_types(tally *t, dv_text *out)
{
    qsort(t->types, t->type_count, sizeof t->types[0], by_type);
    dv_text_append(out, "\n## Operators of ONNX\n\n"
                        "Of each operator type in those tests: in how many tests it is, how many "
                        "of these tests it\nis loaded in (not kept by name only), how many lower "
                        "to static shapes, and how many give\nthe stored outputs on the portable "
                        "backend or while lowering already.\n\n"
                        "| type | tests | loaded | lowered | passed |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < t->type_count; i++)
        dv_text_append(out, "| %s | %u | %u | %u | %u |\n", t->types[i].type, t->types[i].tests,
                       t->types[i].loaded, t->types[i].lowered, t->types[i].passed);
}

static void write_table(tally *t, const dv_backend *xnnpack, const dv_backend *onednn, dv_text *out)
{
    dv_text_append(out, "%s", preface);
    for (int k = 0; k < DV_OP_COUNT; k++) {
        dv_op_kind kind = (dv_op_kind)k;
        const dv_op_info *info = dv_op_info_of(kind);
        dv_text_append(out, "| `%s` | %s | %s | %s | %s |", info->name,
                       dv_family_name(info->family), yes(dv_kernel_of(kind)->run != NULL),
                       yes(xnnpack->is_own(kind)), yes(onednn->is_own(kind)));
        if (t->kind_run[k] > 0)
            dv_text_append(out, " %u of %u |\n", t->kind_passed[k], t->kind_run[k]);
        else
            dv_text_append(out, " |\n");
    }
    write_types(t, out);
    dv_text_append(out, "\nOf %u tests, %u pass, %u use something that is not supported.\n",
                   t->total.passed + t->total.folded + t->total.unsupported + t->total.failed,
                   t->total.passed + t->total.folded, t->total.unsupported);
}

static void test_the_table_of_operators_is_what_the_tests_say(void)
{
    static tally t;
    const dv_backend *xnnpack = dv_backend_find("xnnpack"), *onednn = dv_backend_find("onednn");
    if (!xnnpack || !onednn) {
        dv_skip("doc/operators.md", "built without XNNPACK or oneDNN");
        return;
    }
    if (!run_sets(&t, &dv_backend_portable))
        return;
    dv_text text = {0}, path = {0};
    dv_buffer *file = NULL;
    write_table(&t, xnnpack, onednn, &text);
    const char *given = getenv("DIVVY_WRITE_OPERATORS");
    dv_text_append(&path, "%s/doc/operators.md", dv_source_root());
    if (given)
        CU_ASSERT_EQUAL(dv_file_write(given, dv_text_string(&text), text.length), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_buffer_map(given ? given : dv_text_string(&path), &file), DV_OK);
    CU_ASSERT_TRUE(dv_buffer_size(file) == text.length &&
                   memcmp(dv_buffer_data(file), dv_text_string(&text), text.length) == 0);
    dv_buffer_release(file);
    dv_text_free(&path);
    dv_text_free(&text);
}

DV_SUITE(conformance_onnx_nodes, DV_TEST(test_the_table_of_operators_is_what_the_tests_say),
         DV_TEST(test_what_the_reference_claims_gives_the_stored_outputs),
         DV_TEST(test_newer_operator_sets_give_the_stored_outputs),
         DV_TEST(test_what_the_other_backends_claim_gives_the_stored_outputs));
