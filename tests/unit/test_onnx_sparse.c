/* test_onnx_sparse.c - sparse initialisers and constants are dense once loaded; so are elements of
   four bits. */
#include "load/onnx_sparse.h"

#include <stdlib.h>
#include <string.h>

#include "tests/graph_builder.h"
#include "tests/onnx_writer.h"
#include "tests/suite.h"

/* A SparseTensorProto of two values; places: "2" or "2,2" indices. */
static dv_text sparse_of(const char *dims, const char *places, const int64_t *indices, size_t bytes)
{
    static const float values[] = {5, -7};
    dv_text value = {0}, index = {0}, sparse = {0};
    onnx_tensor(&value, "w", ONNX_FLOAT, "2", values, sizeof values);
    onnx_tensor(&index, NULL, ONNX_INT64, places, indices, bytes);
    pb_message(&sparse, 1, &value);
    pb_message(&sparse, 2, &index);
    for (const char *d = dims; *d; d = strchr(d, ',') ? strchr(d, ',') + 1 : d + strlen(d))
        pb_int(&sparse, 3, strtoll(d, NULL, 10));
    dv_text_free(&value);
    dv_text_free(&index);
    return sparse;
}

static onnx_writer model_of(dv_text sparse)
{
    onnx_writer w = onnx_begin(13);
    onnx_graph_field(&w, 15, &sparse);
    onnx_node(&w, "Identity", "w", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_text_free(&sparse);
    return w;
}

static void expect_dense(onnx_writer *w)
{
    static const float expected[6] = {0, 5, 0, 0, 0, -7};
    float have[6] = {0};
    dv_graph *graph = onnx_loaded(w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    const dv_op *op = first_of(graph, DV_OP_IDENTITY);
    const dv_tensor *tensor = &graph->tensors[op->inputs[0]];
    CU_ASSERT_STRING_EQUAL(type_of(graph, tensor->name), "f32 2x3");
    CU_ASSERT_TRUE(dv_tensor_read_f32(tensor, 0, 6, have));
    CU_ASSERT_EQUAL(memcmp(have, expected, sizeof have), 0);
    dv_graph_destroy(graph);
    onnx_free(w);
}

static void a_sparse_initialiser_has_its_values_where_its_indices_say(void)
{
    static const int64_t whole[] = {1, 5}, by_dim[] = {0, 1, 1, 2};
    onnx_writer w = model_of(sparse_of("2,3", "2", whole, sizeof whole));
    expect_dense(&w);
    w = model_of(sparse_of("2,3", "2,2", by_dim, sizeof by_dim));
    expect_dense(&w);
}

static void a_constant_may_be_sparse(void)
{
    static const int64_t whole[] = {1, 5};
    dv_text sparse = sparse_of("2,3", "2", whole, sizeof whole), attribute = {0}, node = {0};
    onnx_writer w = onnx_begin(13);
    pb_string(&attribute, 1, "sparse_value");
    pb_message(&attribute, 22, &sparse);
    pb_int(&attribute, 20, 11);
    pb_string(&node, 2, "c");
    pb_string(&node, 4, "Constant");
    pb_message(&node, 5, &attribute);
    onnx_graph_field(&w, 1, &node);
    onnx_node(&w, "Identity", "c", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_text_free(&sparse);
    dv_text_free(&attribute);
    dv_text_free(&node);
    expect_dense(&w);
}

static void indices_that_are_wrong_are_refused_by_name(void)
{
    static const int64_t beyond[] = {1, 6}, negative[] = {-1, 2}, twice[] = {3, 3},
                         falls[] = {4, 2}, column[] = {0, 1, 1, 3}, far[] = {0, INT64_MAX};
    onnx_writer w = model_of(sparse_of("2,3", "2", beyond, sizeof beyond));
    onnx_refused(&w, DV_BAD_INPUT, "initialiser 'w': index 6 of value 1 is out of range");
    w = model_of(sparse_of("2,3", "2", negative, sizeof negative));
    onnx_refused(&w, DV_BAD_INPUT, "index -1 of value 0 is out of range");
    w = model_of(sparse_of("2,3", "2", twice, sizeof twice));
    onnx_refused(&w, DV_BAD_INPUT, "not in ascending order");
    w = model_of(sparse_of("2,3", "2", falls, sizeof falls));
    onnx_refused(&w, DV_BAD_INPUT, "not in ascending order");
    w = model_of(sparse_of("2,3", "2,2", column, sizeof column));
    onnx_refused(&w, DV_BAD_INPUT, "index 3 of value 1 is out of range; it must be below 3");
    w = model_of(sparse_of("2,3", "2", far, sizeof far));
    onnx_refused(&w, DV_BAD_INPUT, "is out of range");
    w = model_of(sparse_of("2,3", "1,2", beyond, sizeof beyond));
    onnx_refused(&w, DV_BAD_INPUT, "its indices are i64 1x2");
    w = model_of(sparse_of("2,-3", "2", beyond, sizeof beyond));
    onnx_refused(&w, DV_BAD_INPUT, "its dimension 1 is -3");
}

/* Each alone is within the limit. */
static void many_sparse_tensors_share_one_limit(void)
{
    static const int64_t whole[] = {1, 5};
    onnx_writer w = onnx_begin(13);
    onnx_node(&w, "Identity", "w", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_text first = sparse_of("1500,2000", "2", whole, sizeof whole);
    dv_text second = sparse_of("1500,2000", "2", whole, sizeof whole);
    onnx_graph_field(&w, 15, &first);
    onnx_graph_field(&w, 15, &second);
    dv_text_free(&first);
    dv_text_free(&second);
    onnx_refused(&w, DV_BAD_INPUT, "too many for a file of");
}

static void a_small_file_cannot_ask_for_a_giant_tensor(void)
{
    static const int64_t whole[] = {1, 5};
    onnx_writer w = model_of(sparse_of("1000000,1000000", "2", whole, sizeof whole));
    onnx_refused(&w, DV_BAD_INPUT, "too many for a file of");
}

/* -8, 7 and 1 as i4, 8, 7 and 1 as u4: raw, and in int32_data. */
static void four_bit_elements_are_unpacked(void)
{
    static const uint8_t bytes[] = {0x78, 0x01};
    for (int form = 0; form < 4; form++) {
        int type = form % 2 ? 22 : 21;
        dv_text tensor = {0};
        int64_t have[3] = {0};
        pb_int(&tensor, 1, 3);
        pb_int(&tensor, 2, type);
        pb_string(&tensor, 8, "w");
        if (form < 2)
            pb_bytes(&tensor, 9, bytes, sizeof bytes);
        for (int i = 0; form >= 2 && i < 2; i++)
            pb_int(&tensor, 5, bytes[i]);
        onnx_writer w = onnx_begin(21);
        onnx_graph_field(&w, 5, &tensor);
        onnx_node(&w, "Identity", "w", "y");
        onnx_output(&w, "y", ONNX_INT8, NULL);
        dv_graph *graph = onnx_loaded(&w);
        CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
        CU_ASSERT_STRING_EQUAL(type_of(graph, "w"), type == 22 ? "i8 3" : "u8 3");
        const dv_op *op = first_of(graph, DV_OP_IDENTITY);
        CU_ASSERT_TRUE(dv_tensor_read_i64(&graph->tensors[op->inputs[0]], 0, 3, have));
        CU_ASSERT_EQUAL(have[0], type == 22 ? -8 : 8);
        CU_ASSERT_EQUAL(have[1], 7);
        CU_ASSERT_EQUAL(have[2], 1);
        dv_graph_destroy(graph);
        dv_text_free(&tensor);
        onnx_free(&w);
    }
}

static void four_bit_elements_need_half_a_byte_each(void)
{
    onnx_writer w = onnx_begin(21);
    onnx_raw(&w, "w", 22, "5", "ab", 2);
    onnx_node(&w, "Identity", "w", "y");
    onnx_output(&w, "y", ONNX_INT8, NULL);
    onnx_refused(&w, DV_BAD_INPUT, "initialiser 'w': its data holds 2 where");
}

DV_SUITE(load_onnx_sparse, DV_TEST(a_sparse_initialiser_has_its_values_where_its_indices_say),
         DV_TEST(a_constant_may_be_sparse), DV_TEST(indices_that_are_wrong_are_refused_by_name),
         DV_TEST(a_small_file_cannot_ask_for_a_giant_tensor),
         DV_TEST(many_sparse_tensors_share_one_limit), DV_TEST(four_bit_elements_are_unpacked),
         DV_TEST(four_bit_elements_need_half_a_byte_each));
