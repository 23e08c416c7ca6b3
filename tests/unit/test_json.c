/* test_json.c - reading JSON strictly, and writing it so that it reads back equal. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/rng.h"
#include "tests/suite.h"

/* Parses text and checks that it is refused with a message that holds each of the parts. */
static void check_refused(const char *text, const char *part, const char *other)
{
    dv_json *json = NULL;
    CU_ASSERT_EQUAL(dv_json_parse("x.json", text, strlen(text), &json), DV_BAD_INPUT);
    CU_ASSERT_PTR_NULL(json);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "x.json: "));
    if (!strstr(dv_message(), part) || !strstr(dv_message(), other))
        fprintf(stderr, "expected \"%s\" and \"%s\" in: %s\n", part, other, dv_message());
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), part));
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), other));
}

static dv_json *parsed(const char *text)
{
    dv_json *json = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_json_parse("x.json", text, strlen(text), &json), DV_OK);
    return json;
}

static void test_syntax_errors_have_line_and_column(void)
{
    check_refused("{\n  \"a\": 1,\n  b\n}", "line 3, column 3", "not JSON");
    check_refused("[1, 2", "line 1, column 6", "ends too early");
    check_refused("", "line 1, column 1", "ends too early");
    check_refused("{} x", "line 1, column 4", "after the end");
    check_refused("[1]]", "line 1, column 4", "after the end");
}

static void test_repeated_keys_are_refused_with_their_path(void)
{
    check_refused("{\"a\": [{\"k\": 1, \"z\": 2, \"k\": 3}]}", "a[0]", "\"k\" appears twice");
}

static void test_text_that_is_not_utf8_is_refused(void)
{
    check_refused("{\n \"a\xE9\": 1}", "line 2, column 4", "UTF-8");  /* Latin-1 */
    check_refused("[\"\xED\xA0\x80\"]", "line 1, column 3", "UTF-8"); /* a surrogate */
    check_refused("[\"\xE2\x82", "line 1, column 3", "UTF-8");        /* cut off */
    dv_json_destroy(parsed("[\"\xE2\x82\xAC\"]"));
}

static void test_a_name_of_any_bytes_is_known_again(void)
{
    CU_ASSERT_TRUE(dv_json_is_spelt("conv", "conv"));
    CU_ASSERT_TRUE(dv_json_is_spelt("a\xE9", "a\xEF\xBF\xBD"));
    CU_ASSERT_FALSE(dv_json_is_spelt("conv", "conv2"));
    CU_ASSERT_FALSE(dv_json_is_spelt("conv2", "conv"));
    CU_ASSERT_FALSE(dv_json_is_spelt("a\xE9", "a"));
}

static void test_deep_nesting_is_refused(void)
{
    enum { DEPTH = 100000 };
    char *text = malloc(DEPTH + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    memset(text, '[', DEPTH);
    text[DEPTH] = '\0';
    check_refused(text, "line 1", "deep");
    free(text);
}

static void test_a_zero_byte_is_refused(void)
{
    dv_json *json = NULL;
    CU_ASSERT_EQUAL(dv_json_parse("x.json", "{}\0", 3, &json), DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "column 3"));
}

static void test_a_fault_names_its_path(void)
{
    dv_json *json = parsed("{\"devices\": [{}, {\"us\": \"fast\", \"n\": 1.5}]}");
    dv_json_at root = dv_json_root(json, "x.json");
    dv_json_at devices = dv_json_member(&root, "devices");
    dv_json_at second = dv_json_element(&devices, 1);
    dv_json_at us = dv_json_member(&second, "us"), n = dv_json_member(&second, "n");
    dv_json_at absent = dv_json_member(&second, "gone");
    double number;
    int64_t integer;
    CU_ASSERT_EQUAL(dv_json_number(&us, &number), DV_BAD_INPUT);
    CU_ASSERT_STRING_EQUAL(dv_message(),
                           "x.json: devices[1].us: expected a number, found a string");
    CU_ASSERT_EQUAL(dv_json_integer(&n, 0, 9, &integer), DV_BAD_INPUT);
    CU_ASSERT_STRING_EQUAL(dv_message(),
                           "x.json: devices[1].n: expected a whole number, found 1.5");
    CU_ASSERT_EQUAL(dv_json_number(&absent, &number), DV_BAD_INPUT);
    CU_ASSERT_STRING_EQUAL(dv_message(),
                           "x.json: devices[1].gone: missing; a number is needed here");
    dv_json_destroy(json);
}

static void test_unknown_keys_suggest_the_nearest(void)
{
    static const char *const keys[] = {"dispatch_us", "name", NULL};
    dv_json *json = parsed("{\"dispach_us\": 3}");
    dv_json_at root = dv_json_root(json, "x.json");
    CU_ASSERT_EQUAL(dv_json_only(&root, keys), DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "dispach_us"));
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "did you mean \"dispatch_us\""));
    dv_json_destroy(json);
}

static void test_a_wrong_noun_is_named(void)
{
    dv_json *json = parsed("{\"divvy\": \"plan/1\"}");
    dv_json_at root = dv_json_root(json, "x.json");
    CU_ASSERT_EQUAL(dv_json_expect_noun(&root, "plan/1"), DV_OK);
    CU_ASSERT_EQUAL(dv_json_expect_noun(&root, "platform/1"), DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "\"plan/1\""));
    dv_json_destroy(json);
}

static void test_infinite_and_huge_numbers(void)
{
    dv_json *json = parsed("[\"inf\", null, 1e999, 12]");
    dv_json_at root = dv_json_root(json, "x.json");
    double value = 0;
    dv_json_at item = dv_json_first(&root);
    CU_ASSERT_EQUAL(dv_json_number(&item, &value), DV_BAD_INPUT);
    CU_ASSERT_EQUAL(dv_json_number_or_inf(&item, &value), DV_OK);
    CU_ASSERT_TRUE(isinf(value));
    item = dv_json_next(&item);
    CU_ASSERT_EQUAL(dv_json_number_or_inf(&item, &value), DV_OK);
    CU_ASSERT_TRUE(isinf(value));
    item = dv_json_next(&item);
    CU_ASSERT_EQUAL(dv_json_number_or_inf(&item, &value), DV_BAD_INPUT);
    item = dv_json_next(&item);
    int64_t integer;
    CU_ASSERT_EQUAL(dv_json_integer(&item, 0, 11, &integer), DV_BAD_INPUT);
    CU_ASSERT_EQUAL(dv_json_integer(&item, 0, 12, &integer), DV_OK);
    CU_ASSERT_EQUAL(integer, 12);
    item = dv_json_next(&item);
    CU_ASSERT_PTR_NULL(item.node);
    dv_json_destroy(json);
}

static void test_written_text_has_this_layout(void)
{
    dv_text text = {0};
    dv_json_writer w = dv_json_writer_on(&text);
    dv_json_begin_object(&w, NULL);
    dv_json_put_string(&w, "name", "a \"b\"\n\xff");
    dv_json_put_bool(&w, "on", true);
    dv_json_begin_line(&w, "row", '[');
    dv_json_put_number(&w, NULL, 0.1);
    dv_json_put_number(&w, NULL, INFINITY);
    dv_json_put_number(&w, NULL, NAN);
    dv_json_end(&w, ']');
    dv_json_begin_array(&w, "none");
    dv_json_end(&w, ']');
    dv_json_end(&w, '}');
    CU_ASSERT_STRING_EQUAL(dv_text_string(&text),
                           "{\n  \"name\": \"a \\\"b\\\"\\n\\ufffd\",\n  \"on\": true,\n"
                           "  \"row\": [0.1, \"inf\", null],\n  \"none\": []\n}\n");
    dv_text_free(&text);
}

/* Any bits that are a finite double come back as the same double. */
static void test_numbers_read_back_equal(void)
{
    enum { SEED = 17, COUNT = 3000 };
    dv_rng rng = dv_rng_seeded(SEED);
    dv_text text = {0};
    double *values = calloc(COUNT, sizeof *values);
    CU_ASSERT_PTR_NOT_NULL_FATAL(values);
    dv_json_writer w = dv_json_writer_on(&text);
    dv_json_begin_line(&w, NULL, '[');
    for (int i = 0; i < COUNT; i++) {
        uint64_t bits = dv_rng_next(&rng);
        memcpy(&values[i], &bits, sizeof bits);
        if (i % 3 == 0)
            values[i] = (double)(int64_t)(bits >> 12) / 1000.0;
        if (!isfinite(values[i]))
            values[i] = -0.0;
        dv_json_put_number(&w, NULL, values[i]);
    }
    dv_json_end(&w, ']');
    dv_json *json = parsed(dv_text_string(&text));
    dv_json_at root = dv_json_root(json, "x.json");
    int i = 0, wrong = 0;
    for (dv_json_at at = dv_json_first(&root); at.node; at = dv_json_next(&at), i++) {
        double value;
        wrong += dv_json_number(&at, &value) != DV_OK || value != values[i];
    }
    CU_ASSERT_EQUAL(i, COUNT);
    CU_ASSERT_EQUAL(wrong, 0);
    dv_json_destroy(json);
    dv_text_free(&text);
    free(values);
}

/* Damaged text is refused or read, never a crash. */
static void test_damaged_text_never_crashes(void)
{
    static const char good[] =
        "{\"a\": [1, -2.5e3, {\"b\": \"\\u00e9\\n\"}], \"c\": null, \"d\": true}";
    dv_rng rng = dv_rng_seeded(4);
    for (int i = 0; i < 5000; i++) {
        char bad[sizeof good];
        memcpy(bad, good, sizeof good);
        for (int k = 0; k < 3; k++)
            bad[dv_rng_below(&rng, sizeof good - 1)] = (char)dv_rng_next(&rng);
        dv_json *json = NULL;
        dv_status status = dv_json_parse("x.json", bad, dv_rng_below(&rng, sizeof good), &json);
        CU_ASSERT_TRUE((status == DV_OK) == (json != NULL));
        dv_json_destroy(json);
    }
}

DV_SUITE(core_json, DV_TEST(test_syntax_errors_have_line_and_column),
         DV_TEST(test_repeated_keys_are_refused_with_their_path),
         DV_TEST(test_text_that_is_not_utf8_is_refused),
         DV_TEST(test_a_name_of_any_bytes_is_known_again), DV_TEST(test_deep_nesting_is_refused),
         DV_TEST(test_a_zero_byte_is_refused), DV_TEST(test_a_fault_names_its_path),
         DV_TEST(test_unknown_keys_suggest_the_nearest), DV_TEST(test_a_wrong_noun_is_named),
         DV_TEST(test_infinite_and_huge_numbers), DV_TEST(test_written_text_has_this_layout),
         DV_TEST(test_numbers_read_back_equal), DV_TEST(test_damaged_text_never_crashes));
