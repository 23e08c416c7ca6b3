/* test_pt2_hostile.c - damaged and hostile torch.export archives load cleanly or fail with a
 * message.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/rng.h"
#include "load/load.h"
#include "lower/lower.h"
#include "tests/suite.h"

static const char *const samples[] = {"mobile",  "writes",  "modes",   "decoder", "pt2e",
                                      "torch27", "torch28", "regions", "rows",    "branch"};

static dv_buffer *read_sample(const char *name)
{
    char path[512];
    dv_buffer *mapped = NULL;
    snprintf(path, sizeof path, "%s/tests/data/pt2/%s.pt2", dv_source_root(), name);
    CU_ASSERT_EQUAL_FATAL(dv_buffer_map(path, &mapped), DV_OK);
    return mapped;
}

static dv_buffer *copy_of(const dv_buffer *from, size_t size)
{
    dv_buffer *copy = dv_buffer_create(size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    memcpy(dv_buffer_writable(copy), dv_buffer_data(from), size);
    return copy;
}

/* Loads, and lowers as info does; whatever fails must say why. */
static void try_it(dv_buffer *buffer, uint64_t seed)
{
    dv_graph *graph = NULL, *lowered = NULL;
    dv_status status = dv_load_buffer("hostile.pt2", buffer, NULL, &graph);
    const dv_lower_options options = {.keep_opaque = true};
    if (status == DV_OK)
        status = dv_lower(graph, &options, &lowered);
    bool told = status == DV_OK || dv_message()[0] != '\0';
    if (!told || status == DV_INTERNAL)
        fprintf(stderr, "    seed %" PRIu64 ": %s\n", seed, dv_message());
    CU_ASSERT_TRUE(told);
    CU_ASSERT_NOT_EQUAL(status, DV_INTERNAL);
    dv_graph_destroy(graph);
    dv_graph_destroy(lowered);
}

static void an_archive_cut_short_is_refused(void)
{
    for (size_t s = 0; s < sizeof samples / sizeof samples[0]; s++) {
        dv_buffer *whole = read_sample(samples[s]);
        size_t size = dv_buffer_size(whole);
        for (size_t cut = 1; cut < size; cut += 1 + size / 40) {
            dv_buffer *buffer = copy_of(whole, cut);
            try_it(buffer, cut);
            dv_buffer_release(buffer);
        }
        dv_buffer_release(whole);
    }
}

static void bytes_changed_at_random_do_no_harm(void)
{
    for (uint64_t seed = 1; seed <= 600; seed++) {
        dv_buffer *whole = read_sample(samples[seed % (sizeof samples / sizeof samples[0])]);
        size_t size = dv_buffer_size(whole);
        dv_buffer *buffer = copy_of(whole, size);
        uint8_t *bytes = dv_buffer_writable(buffer);
        for (uint64_t i = 0; i < 1 + seed % 8; i++)
            bytes[dv_rng_at(seed, 2 * i) % size] = (uint8_t)dv_rng_at(seed, 2 * i + 1);
        try_it(buffer, seed);
        dv_buffer_release(buffer);
        dv_buffer_release(whole);
    }
}

/* The directory at the end says where everything is. */
static void a_damaged_directory_does_no_harm(void)
{
    for (uint64_t seed = 1; seed <= 400; seed++) {
        dv_buffer *whole = read_sample(samples[seed % (sizeof samples / sizeof samples[0])]);
        size_t size = dv_buffer_size(whole), tail = size < 2000 ? size : 2000;
        dv_buffer *buffer = copy_of(whole, size);
        uint8_t *bytes = dv_buffer_writable(buffer);
        for (uint64_t i = 0; i < 1 + seed % 3; i++)
            bytes[size - 1 - dv_rng_at(seed, 2 * i) % tail] = (uint8_t)dv_rng_at(seed, 2 * i + 1);
        try_it(buffer, seed);
        dv_buffer_release(buffer);
        dv_buffer_release(whole);
    }
}

/* Where the program's JSON is: it is stored as it is in the samples used. */
static bool find_json(const dv_buffer *buffer, size_t *begin, size_t *end)
{
    const char *data = (const char *)dv_buffer_data(buffer);
    size_t size = dv_buffer_size(buffer);
    const char *at = memmem(data, size, "{\"graph_module\"", 15);
    const char *stop = at ? memmem(at, size - (size_t)(at - data), "PK\1\2", 4) : NULL;
    const char *next = at ? memmem(at, size - (size_t)(at - data), "PK\3\4", 4) : NULL;
    if (next && (!stop || next < stop))
        stop = next;
    if (!at || !stop)
        return false;
    *begin = (size_t)(at - data);
    *end = (size_t)(stop - data);
    return true;
}

/* One digit changed, or two names of one length exchanged: the JSON stays JSON. */
static void change_meaning(uint8_t *text, size_t size, uint64_t seed)
{
    for (uint64_t i = 0; i < 1 + seed % 4; i++) {
        size_t at = dv_rng_at(seed, 4 * i) % size;
        if (dv_rng_at(seed, 4 * i + 1) % 2) {
            while (at < size && !(text[at] >= '0' && text[at] <= '9'))
                at++;
            if (at < size)
                text[at] = (uint8_t)('0' + dv_rng_at(seed, 4 * i + 2) % 10);
            continue;
        }
        uint8_t *a = memchr(text + at, '"', size - at);
        uint8_t *a_end = a ? memchr(a + 1, '"', size - (size_t)(a + 1 - text)) : NULL;
        size_t from = dv_rng_at(seed, 4 * i + 3) % size;
        for (uint8_t *b = memchr(text + from, '"', size - from); a_end && b;
             b = memchr(b + 1, '"', size - (size_t)(b + 1 - text))) {
            size_t length = (size_t)(a_end - a) + 1;
            if ((size_t)(b - text) + length <= size && b[length - 1] == '"' && b != a &&
                !memchr(b + 1, '"', length - 2)) {
                memmove(a, b, length);
                break;
            }
        }
    }
}

static void programs_with_another_meaning_do_no_harm(void)
{
    static const char *const stored[] = {"mobile", "writes", "modes", "torch28"};
    for (uint64_t seed = 1; seed <= 1500; seed++) {
        dv_buffer *whole = read_sample(stored[seed % (sizeof stored / sizeof stored[0])]);
        size_t begin, end;
        dv_buffer *buffer = copy_of(whole, dv_buffer_size(whole));
        bool found = find_json(whole, &begin, &end);
        CU_ASSERT_TRUE(found);
        if (found) {
            change_meaning(dv_buffer_writable(buffer) + begin, end - begin, seed);
            try_it(buffer, seed);
        }
        dv_buffer_release(buffer);
        dv_buffer_release(whole);
    }
}

DV_SUITE(pt2_hostile, DV_TEST(an_archive_cut_short_is_refused),
         DV_TEST(bytes_changed_at_random_do_no_harm), DV_TEST(a_damaged_directory_does_no_harm),
         DV_TEST(programs_with_another_meaning_do_no_harm));
