/* test_load.c - which loader reads a file, and what is said when none does. */
#include "load/load.h"

#include <stdio.h>
#include <string.h>

#include "tests/onnx_writer.h"
#include "tests/suite.h"

static dv_status load_bytes(const char *name, const void *bytes, size_t size, dv_graph **graph)
{
    char path[256];
    *graph = NULL;
    snprintf(path, sizeof path, "%s/%s", dv_test_folder(), name);
    CU_ASSERT_EQUAL(dv_file_write(path, bytes, size), DV_OK);
    return dv_load(path, NULL, graph);
}

static void model_bytes(dv_text *out)
{
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "2");
    onnx_node(&w, "Relu", "x", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    onnx_bytes(&w, out);
    onnx_free(&w);
}

static void the_first_bytes_count_more_than_the_name(void)
{
    dv_text bytes = {0};
    dv_graph *graph;
    model_bytes(&bytes);
    CU_ASSERT_EQUAL(load_bytes("model.json", bytes.data, bytes.length, &graph), DV_OK);
    CU_ASSERT_STRING_EQUAL(graph->format, "onnx");
    dv_graph_destroy(graph);
    CU_ASSERT_EQUAL(load_bytes("model", bytes.data, bytes.length, &graph), DV_OK);
    dv_graph_destroy(graph);
    dv_text_free(&bytes);
}

static void the_graph_carries_the_files_sha256(void)
{
    dv_text bytes = {0};
    dv_graph *graph;
    char digits[65];
    model_bytes(&bytes);
    dv_sha256_hex(bytes.data, bytes.length, digits);
    CU_ASSERT_EQUAL(load_bytes("model.onnx", bytes.data, bytes.length, &graph), DV_OK);
    CU_ASSERT_STRING_EQUAL(dv_graph_sha256(graph), digits);
    dv_graph_destroy(graph);
    dv_text_free(&bytes);
}

static void a_file_of_no_known_format_is_refused_with_the_formats(void)
{
    dv_graph *graph;
    CU_ASSERT_EQUAL(load_bytes("photo.png", "\x89PNG\r\n", 6, &graph), DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "photo.png: neither its first bytes"));
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "ONNX, opsets 6 to 22"));
    CU_ASSERT_EQUAL(load_bytes("empty.onnx", "", 0, &graph), DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "empty.onnx: the file is empty"));
    CU_ASSERT_EQUAL(load_bytes("text.onnx", "hello", 5, &graph), DV_BAD_INPUT);
    CU_ASSERT_EQUAL(dv_load("/nowhere/x.onnx", NULL, &graph), DV_IO);
    CU_ASSERT_STRING_EQUAL(dv_message(), "/nowhere/x.onnx: No such file or directory");
}

static void every_loader_has_a_name_a_summary_and_an_extension(void)
{
    size_t count = 0;
    for (const dv_loader *loader; (loader = dv_loader_at(count)); count++) {
        CU_ASSERT_TRUE(loader->name[0] && loader->summary[0] && loader->extension[0] == '.');
        CU_ASSERT_FALSE(loader->recognise((const uint8_t *)"", 0, "x"));
    }
    CU_ASSERT_TRUE(count >= 2);
}

DV_SUITE(load_load, DV_TEST(the_first_bytes_count_more_than_the_name),
         DV_TEST(the_graph_carries_the_files_sha256),
         DV_TEST(a_file_of_no_known_format_is_refused_with_the_formats),
         DV_TEST(every_loader_has_a_name_a_summary_and_an_extension));
