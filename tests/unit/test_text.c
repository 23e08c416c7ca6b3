/* Text, figures for people, messages and arenas. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/text.h"
#include "tests/suite.h"

static void test_a_message_is_set_once_and_framed_by_its_file(void)
{
    CU_ASSERT_EQUAL(dv_fail(DV_BAD_INPUT, "node %d: bad", 3), DV_BAD_INPUT);
    CU_ASSERT_STRING_EQUAL(dv_message(), "node 3: bad");
    CU_ASSERT_EQUAL(dv_within(DV_BAD_INPUT, "%s", "a.onnx"), DV_BAD_INPUT);
    CU_ASSERT_STRING_EQUAL(dv_message(), "a.onnx: node 3: bad");
    CU_ASSERT_EQUAL(dv_within(DV_OK, "never"), DV_OK);
    CU_ASSERT_STRING_EQUAL(dv_message(), "a.onnx: node 3: bad");
    CU_ASSERT_EQUAL(dv_status_exit(DV_BAD_INPUT), 2);
    CU_ASSERT_EQUAL(dv_status_exit(DV_INTERNAL), 3);
}

static void test_a_message_may_quote_itself_and_is_cut_not_overrun(void)
{
    char longer[4000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    CU_ASSERT_EQUAL(dv_fail(DV_IO, "%s", longer), DV_IO);
    CU_ASSERT_TRUE(strlen(dv_message()) < 1024);
    CU_ASSERT_EQUAL(dv_fail(DV_IO, "again: %s", dv_message()), DV_IO);
    CU_ASSERT_EQUAL(strncmp(dv_message(), "again: xxx", 10), 0);
}

static void test_text_grows_and_ends_in_nul(void)
{
    dv_text text = {0};
    CU_ASSERT_STRING_EQUAL(dv_text_string(&text), "");
    for (int i = 0; i < 1000; i++)
        dv_text_append(&text, "%03d,", i);
    dv_text_append_n(&text, "end", 3);
    CU_ASSERT_EQUAL(text.length, 4003);
    CU_ASSERT_STRING_EQUAL(text.data + 3996, "999,end");
    CU_ASSERT_FALSE(text.failed);
    dv_text_free(&text);
}

static void test_times_bytes_and_counts_have_three_digits(void)
{
    static const struct {
        double value;
        const char *us, *bytes, *count;
    } cases[] = {
        {0, "0 us", "0 B", "0"},
        {8.214, "8.21 us", "8 B", "8"},
        {999.4, "999 us", "999 B", "999"},
        {1234, "1.23 ms", "1.23 KB", "1.23 k"},
        {88.2e6, "88.2 s", "88.2 MB", "88.2 M"},
        {4.1e9, "4100 s", "4.10 GB", "4.10 G"},
    };
    char out[DV_FIGURE_MAX];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_STRING_EQUAL(dv_format_us(out, cases[i].value), cases[i].us);
        CU_ASSERT_STRING_EQUAL(dv_format_count(out, cases[i].value), cases[i].count);
        CU_ASSERT_STRING_EQUAL(dv_format_bytes(out, cases[i].value), cases[i].bytes);
    }
    CU_ASSERT_STRING_EQUAL(dv_format_us(out, INFINITY), "inf");
    CU_ASSERT_STRING_EQUAL(dv_format_us(out, NAN), "?");
}

static void test_times_and_integers_are_read_strictly(void)
{
    double us;
    CU_ASSERT_TRUE(dv_parse_us("10us", &us) && us == 10);
    CU_ASSERT_TRUE(dv_parse_us("1.5ms", &us) && us == 1500);
    CU_ASSERT_TRUE(dv_parse_us("2s", &us) && us == 2e6);
    CU_ASSERT_TRUE(dv_parse_us("7", &us) && us == 7);
    CU_ASSERT_FALSE(dv_parse_us("", &us));
    CU_ASSERT_FALSE(dv_parse_us("-1ms", &us));
    CU_ASSERT_FALSE(dv_parse_us("nan", &us));
    CU_ASSERT_FALSE(dv_parse_us("5 min", &us));
    double value;
    CU_ASSERT_TRUE(dv_parse_bytes("8MB", &value) && value == 8e6);
    CU_ASSERT_TRUE(dv_parse_bytes("96", &value) && value == 96);
    CU_ASSERT_FALSE(dv_parse_bytes("8MiB", &value));
    CU_ASSERT_TRUE(dv_parse_uj("2.5mJ", &value) && value == 2500);
    CU_ASSERT_FALSE(dv_parse_uj("2W", &value));
    CU_ASSERT_TRUE(dv_parse_number("0.25", &value) && value == 0.25);
    CU_ASSERT_FALSE(dv_parse_number("0.25x", &value) || dv_parse_number("inf", &value));
    int64_t n;
    CU_ASSERT_TRUE(dv_parse_integer("-3", -5, 5, &n) && n == -3);
    CU_ASSERT_FALSE(dv_parse_integer("6", -5, 5, &n));
    CU_ASSERT_FALSE(dv_parse_integer("3x", -5, 5, &n));
    CU_ASSERT_FALSE(dv_parse_integer("99999999999999999999", 0, INT64_MAX, &n));
}

static void test_the_nearest_name_is_suggested_only_when_near(void)
{
    static const char *const names[] = {"cheapest", "single", "ilp"};
    CU_ASSERT_STRING_EQUAL(dv_nearest_name("cheepest", names, 3), "cheapest");
    CU_ASSERT_STRING_EQUAL(dv_nearest_name("sin", names, 3), "single");
    CU_ASSERT_PTR_NULL(dv_nearest_name("metis", names, 3));
}

static void test_an_arena_gives_zeroed_aligned_memory_of_every_size(void)
{
    dv_arena *arena = dv_arena_create();
    CU_ASSERT_PTR_NOT_NULL_FATAL(arena);
    for (size_t size = 0; size < 200000; size = size * 2 + 7) {
        unsigned char *piece = dv_arena_alloc(arena, size);
        CU_ASSERT_PTR_NOT_NULL_FATAL(piece);
        CU_ASSERT_EQUAL((uintptr_t)piece % 16, 0);
        for (size_t i = 0; i < size; i++)
            CU_ASSERT_EQUAL_FATAL(piece[i], 0);
        memset(piece, 0xff, size);
    }
    CU_ASSERT_PTR_NULL(dv_arena_array(arena, SIZE_MAX / 2, 3));
    CU_ASSERT_PTR_NULL(dv_arena_alloc(arena, SIZE_MAX - 3));
    CU_ASSERT_STRING_EQUAL(dv_arena_printf(arena, "%s-%d", "a", 7), "a-7");
    CU_ASSERT_STRING_EQUAL(dv_arena_copy_n(arena, "hello", 4), "hell");
    CU_ASSERT_PTR_NULL(dv_arena_copy(arena, NULL));
    dv_arena_destroy(arena);
}

static void test_sizes_that_overflow_are_refused(void)
{
    size_t out = 5;
    CU_ASSERT_FALSE(dv_mul_size(SIZE_MAX, 2, &out));
    CU_ASSERT_FALSE(dv_add_size(SIZE_MAX, 1, &out));
    CU_ASSERT_EQUAL(out, 5);
    CU_ASSERT_TRUE(dv_mul_size(6, 7, &out) && out == 42);
    int *items = NULL;
    size_t capacity = 0;
    CU_ASSERT_TRUE(dv_grow((void **)&items, &capacity, 100, sizeof *items));
    CU_ASSERT_TRUE(capacity >= 100 && items[99] == 0);
    CU_ASSERT_FALSE(dv_grow((void **)&items, &capacity, SIZE_MAX / 2, sizeof *items));
    free(items);
}

DV_SUITE(core_text, DV_TEST(test_a_message_is_set_once_and_framed_by_its_file),
         DV_TEST(test_a_message_may_quote_itself_and_is_cut_not_overrun),
         DV_TEST(test_text_grows_and_ends_in_nul),
         DV_TEST(test_times_bytes_and_counts_have_three_digits),
         DV_TEST(test_times_and_integers_are_read_strictly),
         DV_TEST(test_the_nearest_name_is_suggested_only_when_near),
         DV_TEST(test_an_arena_gives_zeroed_aligned_memory_of_every_size),
         DV_TEST(test_sizes_that_overflow_are_refused));
