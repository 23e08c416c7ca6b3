/* test_pte_programs.c - programs that ExecuTorch itself wrote are read as ExecuTorch reads them,
   and compute what its runtime computes.

   tests/data/pte holds small ones; DIVVY_PTE names a folder of further ones (made by
   tests/models/make_pte.py), without it those are skipped. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/pte_case.h"

static const char *data_folder(void)
{
    static char folder[512];
    snprintf(folder, sizeof folder, "%s/tests/data/pte", dv_source_root());
    return folder;
}

/* ---- numbers ---- */

static void expect_close(const char *folder, const char *name, const char *method, double most)
{
    pte_case *c = pte_case_open(folder, name, method);
    double error = pte_case_error(c, method);
    if (!(error <= most))
        fprintf(stderr, "    %s: off by %g\n", name, error);
    CU_ASSERT_TRUE(error <= most);
    pte_case_close(c);
}

static void portable_kernels_compute_as_in_executorch(void)
{
    expect_close(data_folder(), "conv_portable", NULL, 1e-5);
    expect_close(data_folder(), "views_portable", NULL, 1e-5);
    expect_close(data_folder(), "shapes_portable", NULL, 1e-5);
    expect_close(data_folder(), "rows_portable", NULL, 1e-5); /* of dynamic shapes */
    expect_close(data_folder(), "cache_portable", NULL, 1e-5);
    expect_close(data_folder(), "kinds_portable", NULL, 1e-5);
}

static void xnnpack_delegates_compute_as_in_executorch(void)
{
    expect_close(data_folder(), "conv_xnn", NULL, 1e-5);
    expect_close(data_folder(), "conv_perop", NULL, 1e-5);
    expect_close(data_folder(), "conv_convs", NULL, 1e-5);
    expect_close(data_folder(), "views_xnn", NULL, 1e-5);
    expect_close(data_folder(), "attention_xnn", NULL, 1e-4);
    expect_close(data_folder(), "cache_xnn", NULL, 1e-5);
    expect_close(data_folder(), "mlp_inline", NULL, 1e-5);
    expect_close(data_folder(), "kinds_xnn", NULL, 1e-5); /* 38 kinds of node */
}

static void vulkan_delegates_compute_as_in_torch(void)
{
    expect_close(data_folder(), "conv_vulkan", NULL, 1e-5);
    expect_close(data_folder(), "conv_xnnvulkan", NULL, 1e-5);
}

static void weights_in_a_file_beside_the_program_are_found(void)
{
    expect_close(data_folder(), "mlp_external", NULL, 1e-5);
}

static void each_method_computes_as_in_executorch(void)
{
    expect_close(data_folder(), "methods_xnn", "encode", 1e-5);
    expect_close(data_folder(), "methods_xnn", "decode", 1e-5);
}

/* To the same integers; the scales that XNNPACK takes from each row of an input are not applied. */
static void quantised_programs_compute_as_in_executorch(void)
{
    expect_close(data_folder(), "conv_int8", NULL, 1e-5);
    expect_close(data_folder(), "conv_int8portable", NULL, 1e-5);
    expect_close(data_folder(), "mlp_int8dynamic", NULL, 1e-3);
}

/* ---- calls ---- */

static void expect_calls(const char *folder, const char *name, const char *method)
{
    pte_case *c = pte_case_open(folder, name, method);
    dv_json_at calls = dv_json_member(&c->method, "calls");
    CU_ASSERT_EQUAL_FATAL(dv_json_count(&calls), c->pte.call_count);
    for (uint32_t i = 0; i < c->pte.call_count; i++) {
        dv_json_at call = dv_json_element(&calls, i);
        const dv_pte_call *ours = &c->pte.calls[i];
        dv_json_at theirs = dv_json_member(&call, ours->backend ? "delegate" : "kernel");
        dv_json_at args = dv_json_member(&call, "args");
        const char *text = "";
        CU_ASSERT_EQUAL(dv_json_string(&theirs, &text), DV_OK);
        CU_ASSERT_STRING_EQUAL(text, ours->backend ? ours->backend : ours->name);
        CU_ASSERT_EQUAL(dv_json_count(&args), ours->raw_count);
        if (ours->backend) /* a delegate's are all tensors, its inputs first */
            CU_ASSERT_EQUAL(ours->input_count + ours->output_count, ours->raw_count);
    }
    pte_case_close(c);
}

static void calls_are_those_that_executorch_lists(void)
{
    static const char *const names[] = {"conv_portable",   "conv_xnn",  "conv_perop",
                                        "conv_convs",      "views_xnn", "attention_xnn",
                                        "shapes_portable", "cache_xnn", "conv_vulkan",
                                        "conv_xnnvulkan",  "conv_int8", "mlp_external"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        expect_calls(data_folder(), names[i], NULL);
    expect_calls(data_folder(), "methods_xnn", "encode");
    expect_calls(data_folder(), "methods_xnn", "decode");
}

static void an_xnnpack_delegate_lists_its_nodes(void)
{
    pte_case *c = pte_case_open(data_folder(), "conv_xnn", NULL);
    CU_ASSERT_EQUAL_FATAL(c->pte.call_count, 3);
    CU_ASSERT_STRING_EQUAL(c->pte.calls[0].backend, "XnnpackBackend");
    CU_ASSERT_PTR_NULL(c->pte.calls[1].backend);
    CU_ASSERT_STRING_EQUAL(c->pte.calls[1].name, "aten::mean.out");
    CU_ASSERT_EQUAL(c->pte.calls[0].bytes_in, 4 * 3 * 8 * 8);
    CU_ASSERT_EQUAL(c->pte.calls[0].bytes_out, 4 * 8 * 2 * 2);
    CU_ASSERT_EQUAL(c->pte.calls[2].bytes_in, 4 * 8);
    CU_ASSERT_EQUAL(c->pte.calls[2].bytes_out, 4 * 5);
    CU_ASSERT_EQUAL(c->pte.switches, 2);
    CU_ASSERT_EQUAL(c->pte.delegates[0].ops, 7);
    CU_ASSERT_STRING_EQUAL(c->pte.delegates[0].inside,
                           "Add 1, StaticTranspose 2, Conv2d 2, DepthwiseConv2d 1, MaxPooling2d 1");
    pte_case_close(c);
}

/* The trap: what is read both as it is and under another shape. */
static void a_view_that_is_read_beside_its_tensor_is_an_input(void)
{
    pte_case *c = pte_case_open(data_folder(), "views_convs", NULL);
    const dv_pte *pte = &c->pte;
    uint32_t made = pte->calls[1].outputs[0]; /* by the convolution's delegate */
    CU_ASSERT_STRING_EQUAL(pte->calls[1].backend, "XnnpackBackend");
    CU_ASSERT_EQUAL(pte->calls[2].inputs[0], made); /* mean reads it as it is */
    CU_ASSERT_EQUAL(pte->calls[3].inputs[0], made); /* sum as 4 x 16 */
    CU_ASSERT_EQUAL(pte->calls[4].inputs[1], made); /* addmm as 4 x 16 too */
    for (uint32_t i = 0; i < pte->call_count; i++)
        CU_ASSERT_EQUAL(pte->calls[i].output_count, 1);
    pte_case_close(c);
}

static void scratch_and_lists_of_results_are_told_apart(void)
{
    pte_case *c = pte_case_open(data_folder(), "shapes_portable", NULL);
    CU_ASSERT_STRING_EQUAL(c->pte.calls[0].name, "aten::split_with_sizes_copy.out");
    CU_ASSERT_EQUAL(c->pte.calls[0].input_count, 1);
    CU_ASSERT_EQUAL(c->pte.calls[0].output_count, 2);
    CU_ASSERT_EQUAL(c->pte.calls[0].arg_count, 3); /* self, sizes, dim */
    CU_ASSERT_STRING_EQUAL(c->pte.calls[17].name, "aten::topk.values");
    CU_ASSERT_EQUAL(c->pte.calls[17].input_count, 1);
    CU_ASSERT_EQUAL(c->pte.calls[17].output_count, 2);
    pte_case_close(c);
}

static void a_write_in_place_makes_what_it_reads(void)
{
    pte_case *c = pte_case_open(data_folder(), "cache_portable", NULL);
    const dv_pte_call *write = NULL;
    for (uint32_t i = 0; i < c->pte.call_count && !write; i++)
        if (strncmp(c->pte.calls[i].name, "aten::index_put", 15) == 0 ||
            strncmp(c->pte.calls[i].name, "aten::copy_", 11) == 0)
            write = &c->pte.calls[i];
    CU_ASSERT_PTR_NOT_NULL_FATAL(write);
    CU_ASSERT_EQUAL(write->output_count, 1);
    pte_case_close(c);
}

/* ---- further ones ---- */

static bool is_quantised(const char *name)
{
    return strstr(name, "int8") != NULL;
}

static void further_programs_compute_as_in_executorch(void)
{
    const char *folder = getenv("DIVVY_PTE");
    DIR *entries = folder ? opendir(folder) : NULL;
    if (!entries) {
        dv_skip(__func__, "DIVVY_PTE names no folder of make_pte.py");
        return;
    }
    for (struct dirent *entry; (entry = readdir(entries));) {
        const char *end = strstr(entry->d_name, ".json");
        char name[256];
        if (!end || end[5] || strstr(entry->d_name, "methods"))
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(end - entry->d_name), entry->d_name);
        expect_calls(folder, name, NULL);
        pte_case *c = pte_case_open(folder, name, NULL);
        double error = pte_case_error(c, NULL);
        fprintf(stderr, "    %s: %g\n", name, error);
        CU_ASSERT_TRUE(isnan(error) || error <= (is_quantised(name) ? 0.03 : 1e-3));
        pte_case_close(c);
    }
    closedir(entries);
}

DV_SUITE(pte_programs, DV_TEST(portable_kernels_compute_as_in_executorch),
         DV_TEST(xnnpack_delegates_compute_as_in_executorch),
         DV_TEST(vulkan_delegates_compute_as_in_torch),
         DV_TEST(weights_in_a_file_beside_the_program_are_found),
         DV_TEST(each_method_computes_as_in_executorch),
         DV_TEST(quantised_programs_compute_as_in_executorch),
         DV_TEST(calls_are_those_that_executorch_lists),
         DV_TEST(an_xnnpack_delegate_lists_its_nodes),
         DV_TEST(a_view_that_is_read_beside_its_tensor_is_an_input),
         DV_TEST(scratch_and_lists_of_results_are_told_apart),
         DV_TEST(a_write_in_place_makes_what_it_reads),
         DV_TEST(further_programs_compute_as_in_executorch));
