/* test_pte_hostile.c - damaged and hostile ExecuTorch programs load cleanly or fail with a message.

   The seeds are programs that ExecuTorch wrote (tests/data/pte). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/rng.h"
#include "load/load.h"
#include "load/pte.h"
#include "load/xnnblob.h"
#include "lower/lower.h"
#include "tests/suite.h"

static const char *const samples[] = {
    "conv_xnn",    "conv_vulkan",       "conv_portable", "shapes_portable", "attention_xnn",
    "cache_xnn",   "methods_xnn",       "conv_int8",     "mlp_inline",      "mlp_int8dynamic",
    "views_convs", "conv_int8portable", "kinds_xnn"};

enum { SAMPLES = sizeof samples / sizeof samples[0] };

static dv_buffer *read_file(const char *name)
{
    char path[512];
    dv_buffer *mapped = NULL;
    snprintf(path, sizeof path, "%s/tests/data/pte/%s", dv_source_root(), name);
    CU_ASSERT_EQUAL_FATAL(dv_buffer_map(path, &mapped), DV_OK);
    return mapped;
}

static dv_buffer *read_sample(const char *name)
{
    char file[64];
    snprintf(file, sizeof file, "%s.pte", name);
    return read_file(file);
}

static dv_buffer *copy_of(const dv_buffer *from, size_t size)
{
    dv_buffer *copy = dv_buffer_create(size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    memcpy(dv_buffer_writable(copy), dv_buffer_data(from), size);
    return copy;
}

/* What info prints of a program beside its graph. */
static dv_status list(dv_buffer *buffer)
{
    dv_pte pte;
    dv_status status = dv_pte_read(buffer, NULL, NULL, &pte);
    for (uint32_t d = 0; status == DV_OK && d < pte.delegate_count; d++) {
        dv_blob_line *lines;
        uint32_t count;
        if (pte.delegates[d].ops > 0)
            status = dv_blob_lines(&pte.delegates[d], pte.arena, &lines, &count);
    }
    dv_pte_free(&pte);
    return status;
}

/* Loads, and lowers as info does; whatever fails must say why. True if it loaded. */
static bool try_it(const char *path, dv_buffer *buffer, uint64_t seed)
{
    dv_graph *graph = NULL, *lowered = NULL;
    const dv_lower_options options = {.keep_opaque = true};
    dv_status listed = list(buffer);
    CU_ASSERT_NOT_EQUAL(listed, DV_INTERNAL);
    dv_status status = dv_load_buffer(path, buffer, NULL, &graph);
    bool loaded = status == DV_OK;
    if (loaded)
        status = dv_lower(graph, &options, &lowered);
    bool told = status == DV_OK || dv_message()[0] != '\0';
    if (!told || status == DV_INTERNAL)
        fprintf(stderr, "    seed %" PRIu64 ": %s\n", seed, dv_message());
    CU_ASSERT_TRUE(told);
    CU_ASSERT_NOT_EQUAL(status, DV_INTERNAL);
    dv_graph_destroy(graph);
    dv_graph_destroy(lowered);
    return loaded;
}

static void a_program_cut_short_is_refused(void)
{
    for (size_t s = 0; s < SAMPLES; s++) {
        dv_buffer *whole = read_sample(samples[s]);
        size_t size = dv_buffer_size(whole);
        for (size_t cut = 8; cut < size; cut += 1 + size / 60) {
            dv_buffer *buffer = copy_of(whole, cut);
            bool loaded = try_it("hostile.pte", buffer, cut);
            CU_ASSERT_FALSE(loaded && cut + 128 < size); /* the end may be padding */
            dv_buffer_release(buffer);
        }
        dv_buffer_release(whole);
    }
}

static void bytes_changed_at_random_do_no_harm(void)
{
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        dv_buffer *whole = read_sample(samples[seed % SAMPLES]);
        size_t size = dv_buffer_size(whole);
        dv_buffer *buffer = copy_of(whole, size);
        uint8_t *bytes = dv_buffer_writable(buffer);
        for (uint64_t i = 0; i < 1 + seed % 6; i++)
            bytes[8 + dv_rng_at(seed, 2 * i) % (size - 8)] = (uint8_t)dv_rng_at(seed, 2 * i + 1);
        (void)try_it("hostile.pte", buffer, seed);
        dv_buffer_release(buffer);
        dv_buffer_release(whole);
    }
}

/* Words of 4 bytes are offsets, counts, sizes and numbers of values. */
static void words_that_lie_do_no_harm(void)
{
    static const uint32_t words[] = {0,          1,          2,       3,       8,     16,
                                     0x7fffffff, 0x80000000, 1 << 20, 1 << 30, 65536, UINT32_MAX};
    size_t loaded = 0;
    for (uint64_t seed = 1; seed <= 4000; seed++) {
        dv_buffer *whole = read_sample(samples[seed % SAMPLES]);
        size_t size = dv_buffer_size(whole);
        dv_buffer *buffer = copy_of(whole, size);
        uint8_t *bytes = dv_buffer_writable(buffer);
        for (uint64_t i = 0; i < 1 + seed % 2; i++) {
            size_t at = 8 + 4 * (size_t)(dv_rng_at(seed, 3 * i) % (size / 4 - 2));
            uint32_t word = words[dv_rng_at(seed, 3 * i + 1) % (sizeof words / sizeof words[0])];
            memcpy(bytes + at, &word, sizeof word);
        }
        loaded += try_it("hostile.pte", buffer, seed);
        dv_buffer_release(buffer);
        dv_buffer_release(whole);
    }
    CU_ASSERT_TRUE(loaded > 100 && loaded < 3900); /* the test reaches what is behind the tables */
}

/* The file of weights beside a program is as hostile as the program. */
static void a_damaged_file_of_weights_does_no_harm(void)
{
    char path[512], weights[512];
    dv_buffer *program = read_file("mlp_external.pte"), *whole = read_file("mlp_external.ptd");
    size_t size = dv_buffer_size(whole);
    snprintf(path, sizeof path, "%s/external.pte", dv_test_folder());
    snprintf(weights, sizeof weights, "%s/external.ptd", dv_test_folder());
    for (uint64_t seed = 1; seed <= 300; seed++) {
        dv_buffer *buffer = copy_of(whole, seed % 3 ? size : 1 + seed * 7 % size);
        size_t length = dv_buffer_size(buffer);
        uint8_t *bytes = dv_buffer_writable(buffer);
        for (uint64_t i = 0; i < seed % 4; i++)
            bytes[dv_rng_at(seed, 2 * i) % length] = (uint8_t)dv_rng_at(seed, 2 * i + 1);
        CU_ASSERT_EQUAL_FATAL(dv_file_write(weights, (const char *)bytes, length), DV_OK);
        (void)try_it(path, program, seed);
        dv_buffer_release(buffer);
    }
    CU_ASSERT_EQUAL(remove(weights), 0);
    CU_ASSERT_FALSE(try_it(path, program, 0)); /* it is missing */
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), ".ptd file beside it"));
    dv_buffer_release(program);
    dv_buffer_release(whole);
}

DV_SUITE(pte_hostile, DV_TEST(a_program_cut_short_is_refused),
         DV_TEST(bytes_changed_at_random_do_no_harm), DV_TEST(words_that_lie_do_no_harm),
         DV_TEST(a_damaged_file_of_weights_does_no_harm));
