/* test_tflite_hostile.c - damaged and hostile TFLite files load cleanly or fail with a message. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/rng.h"
#include "load/graphjson.h"
#include "lower/lower.h"
#include "tests/suite.h"
#include "tests/tflite_writer.h"

/* Images, sparse, half and quantised weights, lists, branches, an unknown operator. */
static dv_text sample(void)
{
    static const float weight[8] = {1, 2, 3}, scale = 0.5f;
    static const int64_t zero = 1;
    static const uint16_t halves[2] = {0x3c00, 0x4000};
    static const int32_t axes[] = {1, 2}, pads[] = {0, 0, 1, 1, 0, 1, 0, 0}, size[] = {6, 6};
    tfl_writer w = tfl_begin();
    tfl_tensor(&w, "x", TFL_I8, "1,3,4,2");
    tfl_quantise(&w, 1, &scale, &zero, 0);
    tfl_constant(&w, "w", TFL_F32, "2,1,2,2", weight, sizeof weight);
    tfl_constant(&w, "half", TFL_F16, "2", halves, sizeof halves);
    tfl_tensor(&w, "bias", TFL_F32, "2");
    tfl_tensor(&w, "c", TFL_F32, "1,3,4,2");
    tfl_constant(&w, "pads", TFL_I32, "4,2", pads, sizeof pads);
    tfl_tensor(&w, "p", TFL_F32, "1,5,5,2");
    tfl_constant(&w, "size", TFL_I32, "2", size, sizeof size);
    tfl_tensor(&w, "r", TFL_F32, "1,6,6,2");
    tfl_constant(&w, "axes", TFL_I32, "2", axes, sizeof axes);
    tfl_tensor(&w, "m", TFL_F32, "1,2");
    tfl_constant(&w, "sparse", TFL_F32, "2,2", weight, 12);
    tfl_sparse(&w, "0,1,3", "1,0,1");
    tfl_tensor(&w, "f", TFL_F32, "1,2");
    tfl_tensor(&w, "truth", TFL_BOOL, "1,2");
    tfl_tensor(&w, "branched", TFL_F32, "1,2");
    tfl_tensor(&w, "y", TFL_F32, "1,2");
    tfl_op(&w, 6, "2", "3");
    tfl_op(&w, 3, "0,1,3", "4");
    tfl_option(&w, 1, 4, 1);
    tfl_option(&w, 2, 4, 1);
    tfl_option(&w, 3, 1, 1);
    tfl_op(&w, 34, "4,5", "6");
    tfl_op(&w, 23, "6,7", "8");
    tfl_option(&w, 3, 1, 1);
    tfl_op(&w, 40, "8,9", "10");
    tfl_op(&w, 9, "10,11,-1", "12");
    tfl_op(&w, 61, "12,10", "13");
    tfl_op(&w, 118, "13,12", "14");
    tfl_option(&w, 0, 4, 1);
    tfl_option(&w, 1, 4, 1);
    tfl_custom(&w, "Sorcery", "14", "15", weight, 8);
    tfl_borders(&w, "0", "15,12");
    tfl_subgraph(&w);
    tfl_tensor(&w, "in", TFL_F32, "1,2");
    tfl_tensor(&w, "out", TFL_F32, "1,2");
    tfl_op(&w, 19, "0", "1");
    tfl_borders(&w, "0", "1");
    return tfl_bytes(&w);
}

/* Every operator of the conformance cases in turn: fn(name, bytes) for each of their files. */
static void each_case(void (*fn)(const char *name, const dv_text *bytes))
{
    char folder[512];
    snprintf(folder, sizeof folder, "%s/tests/data/tflite", dv_source_root());
    DIR *entries = opendir(folder);
    CU_ASSERT_PTR_NOT_NULL_FATAL(entries);
    for (struct dirent *entry; (entry = readdir(entries));) {
        const char *end = strstr(entry->d_name, ".tflite");
        char path[1024];
        dv_buffer *file;
        dv_text bytes = {0};
        if (!end || end[7])
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        CU_ASSERT_EQUAL_FATAL(dv_buffer_map(path, &file), DV_OK);
        dv_text_append_n(&bytes, (const char *)dv_buffer_data(file), dv_buffer_size(file));
        dv_buffer_release(file);
        fn(entry->d_name, &bytes);
        dv_text_free(&bytes);
    }
    closedir(entries);
}

/* Whatever the bytes, loading and lowering end in a whole graph or in a message. */
static bool survives(const void *bytes, size_t size)
{
    static const dv_lower_options keep = {.keep_opaque = true};
    char path[256];
    snprintf(path, sizeof path, "%s/hostile.tflite", dv_test_folder());
    CU_ASSERT_EQUAL_FATAL(dv_file_write(path, size ? bytes : "", size), DV_OK);
    dv_graph *graph = NULL, *low = NULL;
    dv_status status = dv_load(path, NULL, &graph);
    if (status != DV_OK) {
        CU_ASSERT_PTR_NULL(graph);
        CU_ASSERT_TRUE(status == DV_BAD_INPUT || status == DV_NO_MEMORY);
        CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "hostile.tflite: "));
        return false;
    }
    dv_text text = {0};
    status = dv_graph_write_json(graph, &text); /* reads every part of it */
    CU_ASSERT_TRUE(status == DV_OK || status == DV_BAD_INPUT);
    dv_text_free(&text);
    status = dv_lower(graph, &keep, &low);
    CU_ASSERT_TRUE(status == DV_OK || status == DV_BAD_INPUT || status == DV_NO_MEMORY);
    dv_graph_destroy(low);
    dv_graph_destroy(graph);
    return true;
}

static void the_sample_itself_loads(void)
{
    dv_text bytes = sample();
    bool loads = survives(bytes.data, bytes.length);
    CU_ASSERT_TRUE(loads);
    if (!loads)
        fprintf(stderr, "    %s\n", dv_message());
    dv_text_free(&bytes);
}

static void a_model_cut_at_any_byte_is_refused(void)
{
    dv_text bytes = sample();
    size_t loaded = 0;
    for (size_t size = 8; size < bytes.length; size += 3)
        loaded += survives(bytes.data, size);
    CU_ASSERT_TRUE(loaded <= 8); /* the last bytes are padding */
    dv_text_free(&bytes);
}

static void damage(const char *what, uint64_t seed, const dv_text *damaged)
{
    unsigned failures = CU_get_number_of_failures();
    (void)survives(damaged->data, damaged->length);
    if (CU_get_number_of_failures() != failures)
        fprintf(stderr, "\n    %s: seed %" PRIu64 "\n", what, seed);
}

static void flipped_bits_never_crash(void)
{
    dv_text bytes = sample();
    for (uint64_t seed = 0; seed < 4000; seed++) {
        dv_rng rng = dv_rng_seeded(seed);
        dv_text damaged = {0};
        dv_text_append_n(&damaged, bytes.data, bytes.length);
        uint64_t flips = 1 + dv_rng_below(&rng, 4);
        for (uint64_t i = 0; i < flips; i++)
            damaged.data[8 + dv_rng_below(&rng, bytes.length - 8)] ^=
                (char)(1 << dv_rng_below(&rng, 8));
        damage("flipped bits", seed, &damaged);
        dv_text_free(&damaged);
    }
    dv_text_free(&bytes);
}

/* Whole words replaced by small and by extreme numbers: offsets, counts, sizes, indices. */
static void replaced_words_never_crash(void)
{
    static const uint32_t words[] = {0, 1, 2, 3, 4, 8, 16, 0x7fffffff, 0x80000000, 0xffffffff};
    dv_text bytes = sample();
    for (uint64_t seed = 0; seed < 3000; seed++) {
        dv_rng rng = dv_rng_seeded(seed);
        dv_text damaged = {0};
        dv_text_append_n(&damaged, bytes.data, bytes.length);
        size_t at = 8 + 4 * (size_t)dv_rng_below(&rng, bytes.length / 4 - 3);
        memcpy(damaged.data + at, &words[dv_rng_below(&rng, 10)], 4);
        damage("replaced words", seed, &damaged);
        dv_text_free(&damaged);
    }
    dv_text_free(&bytes);
}

/* Loops, variables, recurrent layers, quantised networks and all the rest. */
static void damage_case(const char *name, const dv_text *bytes)
{
    static const uint32_t words[] = {0, 1, 2, 3, 5, 8, 64, 0x7fffffff, 0x80000000, 0xffffffff};
    for (uint64_t seed = 0; seed < 16; seed++) {
        dv_rng rng = dv_rng_seeded(seed);
        dv_text damaged = {0};
        dv_text_append_n(&damaged, bytes->data, bytes->length);
        for (uint64_t i = 0; i <= seed % 3; i++) {
            size_t at = 8 + 4 * (size_t)dv_rng_below(&rng, bytes->length / 4 - 3);
            if (seed % 2)
                memcpy(damaged.data + at, &words[dv_rng_below(&rng, 10)], 4);
            else
                damaged.data[at + dv_rng_below(&rng, 4)] ^= (char)(1 << dv_rng_below(&rng, 8));
        }
        damage(name, seed, &damaged);
        dv_text_free(&damaged);
    }
}

static void damaged_cases_never_crash(void)
{
    each_case(damage_case);
}

static void random_bytes_never_crash(void)
{
    for (uint64_t seed = 0; seed < 1000; seed++) {
        dv_rng rng = dv_rng_seeded(seed);
        dv_text noise = {0};
        size_t size = 8 + (size_t)dv_rng_below(&rng, 200);
        for (size_t i = 0; i < size; i++) {
            char byte = (char)(dv_rng_below(&rng, 3) ? dv_rng_below(&rng, 24) : dv_rng_next(&rng));
            dv_text_append_n(&noise, &byte, 1);
        }
        memcpy(noise.data, "\x10\0\0\0TFL3", 8);
        damage("random bytes", seed, &noise);
        dv_text_free(&noise);
    }
}

DV_SUITE(property_tflite_hostile, DV_TEST(the_sample_itself_loads),
         DV_TEST(a_model_cut_at_any_byte_is_refused), DV_TEST(flipped_bits_never_crash),
         DV_TEST(replaced_words_never_crash), DV_TEST(damaged_cases_never_crash),
         DV_TEST(random_bytes_never_crash));
