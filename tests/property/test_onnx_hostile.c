/* test_onnx_hostile.c - damaged and hostile ONNX files load cleanly or fail with a message. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/rng.h"
#include "load/graphjson.h"
#include "load/load.h"
#include "lower/lower.h"
#include "tests/onnx_writer.h"
#include "tests/suite.h"

/* A loop of three turns around y = y + y, which also stacks what each turn made. */
static void add_loop(onnx_writer *w)
{
    static const int64_t turns = 3;
    onnx_writer body = onnx_begin(13);
    onnx_input(&body, "turn", ONNX_INT64, "");
    onnx_input(&body, "go", ONNX_BOOL, "");
    onnx_input(&body, "v", ONNX_FLOAT, NULL);
    onnx_node(&body, "Add", "v v", "next");
    onnx_node(&body, "Identity", "next", "each");
    onnx_output(&body, "go", ONNX_BOOL, "");
    onnx_output(&body, "next", ONNX_FLOAT, NULL);
    onnx_output(&body, "each", ONNX_FLOAT, NULL);
    dv_text graph = onnx_graph_of(&body);
    onnx_longs(w, "turns", "", &turns);
    onnx_node(w, "Loop", "turns - m", "looped stacked");
    onnx_attr_graph(w, "body", &graph);
    dv_text_free(&graph);
}

/* Two functions, one of which calls the other. */
static void add_functions(onnx_writer *w)
{
    onnx_writer inner = onnx_begin(13), outer = onnx_begin(13);
    onnx_node(&inner, "LeakyRelu", "X", "Y");
    onnx_attr_refers(&inner, "alpha", 1, "slope");
    onnx_function(w, "f", "X", "Y", "slope", NULL, &inner);
    onnx_named_node(&outer, "call", "local", "f", "A", "h");
    onnx_node(&outer, "Add", "h A", "B");
    onnx_function(w, "g", "A", "B", "", NULL, &outer);
    onnx_named_node(w, "called", "local", "g", "m", "g_of_m");
}

static void add_sparse(onnx_writer *w)
{
    static const float values[] = {5, -7};
    static const int64_t places[] = {0, 1, 1, 2};
    dv_text value = {0}, index = {0}, sparse = {0};
    onnx_tensor(&value, "rare", ONNX_FLOAT, "2", values, sizeof values);
    onnx_tensor(&index, NULL, ONNX_INT64, "2,2", places, sizeof places);
    pb_message(&sparse, 1, &value);
    pb_message(&sparse, 2, &index);
    pb_int(&sparse, 3, 2);
    pb_int(&sparse, 3, 3);
    onnx_graph_field(w, 15, &sparse);
    onnx_node(w, "Neg", "rare", "dense");
    onnx_output(w, "dense", ONNX_FLOAT, NULL);
    dv_text_free(&value);
    dv_text_free(&index);
    dv_text_free(&sparse);
}

/* A small network that exercises every message: typed, raw and sparse tensors, lists, a branch, a
   loop, functions. */
static void sample(dv_text *bytes)
{
    static const float weights[2 * 3 * 3 * 3] = {1};
    static const int64_t shape[] = {1, -1};
    dv_text value = {0}, typed = {0}, branch = {0};
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "batch,3,8,8");
    onnx_floats(&w, "w", "2,3,3,3", weights);
    onnx_longs(&w, "shape", "2", shape);
    pb_int(&typed, 1, 2);
    pb_int(&typed, 2, ONNX_FLOAT);
    pb_float(&typed, 4, 1);
    pb_float(&typed, 4, 2);
    pb_string(&typed, 8, "b");
    onnx_graph_field(&w, 5, &typed);
    onnx_node(&w, "Conv", "x w b", "c");
    onnx_attr_ints(&w, "strides", "1,1");
    onnx_attr_ints(&w, "pads", "1,1,1,1");
    onnx_attr_string(&w, "auto_pad", "NOTSET");
    onnx_node(&w, "Constant", "", "k");
    onnx_tensor(&value, NULL, ONNX_FLOAT, "2,1,1", weights, 8);
    onnx_attr_tensor(&w, "value", &value);
    onnx_node(&w, "LeakyRelu", "c", "l");
    onnx_attr_float(&w, "alpha", 0.1f);
    onnx_node(&w, "Max", "l k c", "m");
    onnx_node(&w, "Split", "m", "s t");
    onnx_attr_int(&w, "axis", 1);
    onnx_node(&w, "If", "s", "i");
    pb_string(&branch, 2, "inner");
    onnx_attr_graph(&w, "then_branch", &branch);
    add_loop(&w);
    add_functions(&w);
    add_sparse(&w);
    onnx_node(&w, "Reshape", "m shape", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    onnx_output(&w, "stacked", ONNX_FLOAT, NULL);
    onnx_output(&w, "g_of_m", ONNX_FLOAT, NULL);
    onnx_output(&w, "i", ONNX_FLOAT, NULL);
    onnx_bytes(&w, bytes);
    onnx_free(&w);
    dv_text_free(&value);
    dv_text_free(&typed);
    dv_text_free(&branch);
}

/* Whatever the bytes, loading ends in a whole graph or in a message; true if it loaded. */
static bool survives(const void *bytes, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/hostile.onnx", dv_test_folder());
    FILE *file = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, size, file), size);
    CU_ASSERT_EQUAL(fclose(file), 0);
    dv_graph *graph = NULL;
    dv_load_options options = {.infer = dv_lower_known};
    dv_status status = dv_load(path, &options, &graph);
    if (status != DV_OK) {
        CU_ASSERT_PTR_NULL(graph);
        CU_ASSERT_TRUE(status == DV_BAD_INPUT || status == DV_NO_MEMORY || status == DV_IO);
        CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "hostile.onnx: "));
        return false;
    }
    dv_text text = {0};
    /* writing reads every part of it; what graph/1 cannot hold is an error too */
    status = dv_graph_write_json(graph, &text);
    CU_ASSERT_TRUE(status == DV_OK || status == DV_BAD_INPUT);
    dv_text_free(&text);
    dv_graph_destroy(graph);
    return true;
}

static void the_sample_itself_loads(void)
{
    dv_text bytes = {0};
    sample(&bytes);
    CU_ASSERT_TRUE(survives(bytes.data, bytes.length));
    dv_text_free(&bytes);
}

static void a_model_cut_at_any_byte_is_refused_or_loads(void)
{
    dv_text bytes = {0};
    sample(&bytes);
    size_t loaded = 0;
    for (size_t size = 0; size < bytes.length; size++)
        loaded += survives(bytes.data, size);
    /* operator sets and functions come last: the file may end before any of these fields */
    CU_ASSERT_TRUE(loaded <= 4);
    dv_text_free(&bytes);
}

static void flipped_bits_never_crash(void)
{
    dv_text bytes = {0};
    sample(&bytes);
    for (uint64_t seed = 0; seed < 4000; seed++) {
        dv_rng rng = dv_rng_seeded(seed);
        dv_text damaged = {0};
        dv_text_append_n(&damaged, bytes.data, bytes.length);
        uint64_t flips = 1 + dv_rng_below(&rng, 4);
        for (uint64_t i = 0; i < flips; i++)
            damaged.data[dv_rng_below(&rng, bytes.length)] ^= (char)(1 << dv_rng_below(&rng, 8));
        unsigned failures = CU_get_number_of_failures();
        (void)survives(damaged.data, damaged.length);
        if (CU_get_number_of_failures() != failures)
            fprintf(stderr, "\n    seed %" PRIu64 "\n", seed);
        dv_text_free(&damaged);
    }
    dv_text_free(&bytes);
}

/* Random numbers in front of a real start: lengths that lie, numbers that never end. */
static void random_fields_never_crash(void)
{
    for (uint64_t seed = 0; seed < 2000; seed++) {
        dv_rng rng = dv_rng_seeded(seed);
        dv_text bytes = {0}, graph = {0};
        uint64_t fields = 1 + dv_rng_below(&rng, 12);
        for (uint64_t i = 0; i < fields; i++) {
            unsigned number = 1 + (unsigned)dv_rng_below(&rng, 16);
            char noise[24];
            for (size_t k = 0; k < sizeof noise; k++)
                noise[k] =
                    (char)(dv_rng_below(&rng, 3) ? dv_rng_below(&rng, 32) : dv_rng_next(&rng));
            if (dv_rng_below(&rng, 3))
                pb_bytes(&graph, number, noise, (size_t)dv_rng_below(&rng, sizeof noise));
            else
                pb_int(&graph, number, (int64_t)dv_rng_next(&rng));
        }
        pb_int(&bytes, 1, 8);
        pb_message(&bytes, 7, &graph);
        unsigned failures = CU_get_number_of_failures();
        (void)survives(bytes.data, bytes.length);
        if (CU_get_number_of_failures() != failures)
            fprintf(stderr, "\n    seed %" PRIu64 "\n", seed);
        dv_text_free(&bytes);
        dv_text_free(&graph);
    }
}

/* Attributes of extreme size, on the operators that compute with them. */
static void extreme_attributes_never_crash(void)
{
    static const char *const extremes[] = {"9223372036854775807,-9223372036854775808", "0,0",
                                           "-1,-1", "1,2,3,4,5,6,7,8,9,10",
                                           "4294967296,4294967296"};
    static const char *const names[] = {"strides", "dilations", "kernel_shape", "pads",
                                        "axes",    "perm",      "split",        "starts",
                                        "ends",    "shape",     "output_shape", "output_padding"};
    for (size_t i = 0; i < 200; i++) {
        static const char *const types[] = {"Conv",  "ConvTranspose", "MaxPool",   "Transpose",
                                            "Slice", "Split",         "ReduceSum", "Squeeze",
                                            "Pad",   "Reshape"};
        onnx_writer w = onnx_begin(1 + (int64_t)(i % 22));
        onnx_input(&w, "x", ONNX_FLOAT, "1,3,8,8");
        onnx_input(&w, "w", ONNX_FLOAT, "3,3,3,3");
        onnx_node(&w, types[i % 10], i % 3 ? "x w" : "x", "y");
        onnx_attr_ints(&w, names[i / 3 % 12], extremes[i / 7 % 5]);
        onnx_attr_ints(&w, "kernel_shape", "3,3");
        onnx_attr_int(&w, "group", i % 2 ? INT64_MIN : INT64_MAX);
        onnx_attr_int(&w, "axis", i % 2 ? INT64_MIN : INT64_MAX);
        onnx_output(&w, "y", ONNX_FLOAT, NULL);
        dv_text bytes = {0};
        onnx_bytes(&w, &bytes);
        (void)survives(bytes.data, bytes.length);
        dv_text_free(&bytes);
        onnx_free(&w);
    }
}

DV_SUITE(property_onnx_hostile, DV_TEST(the_sample_itself_loads),
         DV_TEST(a_model_cut_at_any_byte_is_refused_or_loads), DV_TEST(flipped_bits_never_crash),
         DV_TEST(random_fields_never_crash), DV_TEST(extreme_attributes_never_crash));
