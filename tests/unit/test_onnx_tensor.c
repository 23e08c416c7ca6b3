/* test_onnx_tensor.c - where a constant's elements come from. */
#include "load/onnx_tensor.h"

#include <stdio.h>
#include <string.h>

#include "tests/graph_builder.h"
#include "tests/onnx_writer.h"
#include "tests/suite.h"

/* A model of one initialiser w whose TensorProto is these fields, returned as it is. */
static onnx_writer model_of(const dv_text *tensor)
{
    onnx_writer w = onnx_begin(13);
    onnx_graph_field(&w, 5, tensor);
    onnx_node(&w, "Identity", "w", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    return w;
}

static const dv_tensor *tensor_named(const dv_graph *graph, const char *name)
{
    for (dv_tensor_id t = 0; graph && t < graph->tensor_count; t++)
        if (strcmp(graph->tensors[t].name, name) == 0)
            return &graph->tensors[t];
    return NULL;
}

static void head(dv_text *tensor, int64_t type, int64_t count)
{
    pb_int(tensor, 1, count);
    pb_int(tensor, 2, type);
    pb_string(tensor, 8, "w");
}

static void raw_data_stays_in_the_mapped_file(void)
{
    const float values[] = {1.5f, -2, 3};
    onnx_writer w = onnx_begin(13);
    onnx_floats(&w, "w", "3", values);
    onnx_node(&w, "Identity", "w", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = onnx_loaded(&w);
    const dv_tensor *tensor = tensor_named(graph, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(tensor);
    float back[3];
    CU_ASSERT_EQUAL(tensor->data.storage, DV_STORAGE_BUFFER);
    CU_ASSERT_TRUE(dv_buffer_size(tensor->data.buffer) > sizeof values); /* the whole file */
    CU_ASSERT_TRUE(dv_tensor_read_f32(tensor, 0, 3, back));
    CU_ASSERT_EQUAL(memcmp(values, back, sizeof back), 0);
    dv_graph_destroy(graph);
    onnx_free(&w);
}

/* The elements 1 and 2 (0 and 1 as bool) of each type, from its typed list. */
static void typed_lists_are_read_for_every_element_type(void)
{
    static const struct {
        int type;
        unsigned field;
        int64_t bits[2];
        const char *wanted;
    } cases[] = {
        {ONNX_INT8, 5, {-1, 2}, "i8 2"},
        {ONNX_UINT8, 5, {200, 2}, "u8 2"},
        {ONNX_INT32, 5, {-100000, 2}, "i32 2"},
        {ONNX_INT64, 7, {INT64_MIN, 2}, "i64 2"},
        {ONNX_BOOL, 5, {0, 7}, "bool 2"},
        {ONNX_FLOAT16, 5, {0x3c00, 0x4000}, "f16 2"},
        {ONNX_BFLOAT16, 5, {0x3f80, 0x4000}, "bf16 2"},
        {12, 11, {4000000000, 2}, "u32 2"},
    };
    static const int64_t numbers[] = {-1, 200, -100000, INT64_MIN, 0, 1, 1, 4000000000};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dv_text tensor = {0}, packed = {0};
        head(&tensor, cases[i].type, 2);
        if (i % 2) { /* packed, or one by one */
            pb_varint(&packed, (uint64_t)cases[i].bits[0]);
            pb_varint(&packed, (uint64_t)cases[i].bits[1]);
            pb_message(&tensor, cases[i].field, &packed);
        } else {
            pb_int(&tensor, cases[i].field, cases[i].bits[0]);
            pb_int(&tensor, cases[i].field, cases[i].bits[1]);
        }
        onnx_writer w = model_of(&tensor);
        dv_graph *graph = onnx_loaded(&w);
        CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
        CU_ASSERT_STRING_EQUAL(type_of(graph, "w"), cases[i].wanted);
        int64_t back[2];
        CU_ASSERT_TRUE(dv_tensor_read_i64(tensor_named(graph, "w"), 0, 2, back));
        CU_ASSERT_EQUAL(back[0], numbers[i]);
        CU_ASSERT_EQUAL(back[1], cases[i].type == ONNX_BOOL ? 1 : 2);
        dv_graph_destroy(graph);
        onnx_free(&w);
        dv_text_free(&tensor);
        dv_text_free(&packed);
    }
}

static void an_empty_tensor_needs_no_elements(void)
{
    dv_text tensor = {0};
    head(&tensor, ONNX_FLOAT, 0);
    onnx_writer w = model_of(&tensor);
    dv_graph *graph = onnx_loaded(&w);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "w"), "f32 0");
    dv_graph_destroy(graph);
    onnx_free(&w);
    dv_text_free(&tensor);
}

static void refuse(const char *dims, size_t size, const char *what)
{
    static const char bytes[64];
    onnx_writer w = onnx_begin(13);
    onnx_raw(&w, "w", ONNX_FLOAT, dims, bytes, size);
    onnx_node(&w, "Identity", "w", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    onnx_refused(&w, DV_BAD_INPUT, what);
}

static void shapes_that_do_not_fit_the_data_are_refused_by_name(void)
{
    refuse("4", 12, "initialiser 'w': its data holds 12 where its shape 4 needs 16");
    refuse("2,2", 20, "its data holds 20 where its shape 2x2 needs 16");
    refuse("-4", 16, "its dimension 0 is -4; a size cannot be negative");
    refuse("4294967296,4294967296,4294967296", 16, "more elements than memory can hold");
    refuse("1,1,1,1,1,1,1,1,1", 4, "it has 9 dimensions; at most 8 are supported");
}

static void a_typed_list_cannot_claim_more_than_the_file_holds(void)
{
    dv_text tensor = {0};
    head(&tensor, ONNX_FLOAT, (int64_t)1 << 50);
    pb_float(&tensor, 4, 1);
    onnx_writer w = model_of(&tensor);
    onnx_refused(&w, DV_BAD_INPUT, "initialiser 'w': it holds");
    dv_text_free(&tensor);

    tensor = (dv_text){0};
    head(&tensor, ONNX_FLOAT, 2);
    for (int i = 0; i < 3; i++)
        pb_float(&tensor, 4, 1);
    w = model_of(&tensor);
    onnx_refused(&w, DV_BAD_INPUT, "a list is too long");
    dv_text_free(&tensor);
}

/* ---- external data ---- */

static onnx_writer external_model(const char *location, const char *offset, const char *length)
{
    onnx_writer w = onnx_begin(13);
    onnx_external(&w, "w", ONNX_FLOAT, "3", location, offset, length);
    onnx_node(&w, "Identity", "w", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    return w;
}

static void write_beside(const char *name)
{
    char path[256];
    const float values[] = {0, 1.5f, -2, 3};
    snprintf(path, sizeof path, "%s/%s", dv_test_folder(), name);
    CU_ASSERT_EQUAL(dv_file_write(path, values, sizeof values), DV_OK);
}

static void external_data_is_read_beside_the_model(void)
{
    write_beside("weights.bin");
    onnx_writer w = external_model("weights.bin", "4", "12");
    dv_graph *graph = onnx_loaded(&w);
    float back[3] = {0};
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_TRUE(dv_tensor_read_f32(tensor_named(graph, "w"), 0, 3, back));
    CU_ASSERT_EQUAL(back[0], 1.5f);
    CU_ASSERT_EQUAL(back[2], 3.0f);
    dv_graph_destroy(graph);
    onnx_free(&w);
}

static void external_data_cannot_leave_the_models_folder(void)
{
    static const char *const locations[] = {"/etc/passwd", "../weights.bin", "a/../../b", "..", "",
                                            "a\\..\\b"};
    for (size_t i = 0; i < sizeof locations / sizeof locations[0]; i++) {
        onnx_writer w = external_model(locations[i], NULL, NULL);
        onnx_refused(&w, DV_BAD_INPUT, "which is not a path inside the model's folder");
    }
}

static void external_data_that_is_missing_or_short_is_an_error(void)
{
    write_beside("weights.bin");
    onnx_writer w = external_model("nowhere.bin", NULL, NULL);
    onnx_refused(&w, DV_IO, "nowhere.bin: No such file");
    w = external_model("weights.bin", "8", "12");
    onnx_refused(&w, DV_BAD_INPUT, "bytes 8 to 20 of 'weights.bin', which has 16");
    w = external_model("weights.bin", "18446744073709551615", "12");
    onnx_refused(&w, DV_BAD_INPUT, "of 'weights.bin', which has 16");
    w = external_model("weights.bin", "99999999999999999999", "12");
    onnx_refused(&w, DV_BAD_INPUT, "the offset of its external data is not a number");
    w = external_model("weights.bin", "0", "8");
    onnx_refused(&w, DV_BAD_INPUT, "its external data holds 8 where its shape 3 needs 12");
}

static void a_type_without_one_of_ours_leaves_its_reader_opaque(void)
{
    dv_text tensor = {0};
    head(&tensor, 17, 2); /* FLOAT8E4M3FN */
    pb_int(&tensor, 5, 0x21);
    onnx_writer w = model_of(&tensor);
    dv_graph *graph = onnx_loaded(&w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_OPAQUE);
    CU_ASSERT_STRING_EQUAL(graph->ops[0].reason,
                           "its input 'w' has an element type that is not supported");
    dv_graph_destroy(graph);
    onnx_free(&w);
    dv_text_free(&tensor);
}

DV_SUITE(load_onnx_tensor, DV_TEST(raw_data_stays_in_the_mapped_file),
         DV_TEST(typed_lists_are_read_for_every_element_type),
         DV_TEST(an_empty_tensor_needs_no_elements),
         DV_TEST(shapes_that_do_not_fit_the_data_are_refused_by_name),
         DV_TEST(a_typed_list_cannot_claim_more_than_the_file_holds),
         DV_TEST(external_data_is_read_beside_the_model),
         DV_TEST(external_data_cannot_leave_the_models_folder),
         DV_TEST(external_data_that_is_missing_or_short_is_an_error),
         DV_TEST(a_type_without_one_of_ours_leaves_its_reader_opaque));
