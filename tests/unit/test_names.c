/* test_names.c - names find their numbers again. */
#include "load/names.h"

#include <stdio.h>
#include <string.h>

#include "tests/suite.h"

static dv_span span_of(const char *text)
{
    return (dv_span){(const uint8_t *)text, strlen(text)};
}

static void thousands_of_names_are_found_and_no_other(void)
{
    enum { COUNT = 5000 };
    static char texts[COUNT][16];
    dv_names names = {0};
    CU_ASSERT_EQUAL(dv_names_find(&names, span_of("x"), 77), 77);
    for (uint32_t i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "n%u", i);
        CU_ASSERT_EQUAL(dv_names_put(&names, span_of(texts[i]), i), DV_OK);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        CU_ASSERT_EQUAL(dv_names_find(&names, span_of(texts[i]), COUNT), i);
    CU_ASSERT_EQUAL(dv_names_find(&names, span_of("n5000"), 77), 77);
    CU_ASSERT_EQUAL(names.count, COUNT);
    dv_names_free(&names);
}

static void the_last_number_counts_and_the_empty_name_is_one(void)
{
    dv_names names = {0};
    CU_ASSERT_EQUAL(dv_names_put(&names, span_of("x"), 1), DV_OK);
    CU_ASSERT_EQUAL(dv_names_put(&names, span_of("x"), 2), DV_OK);
    CU_ASSERT_EQUAL(dv_names_put(&names, (dv_span){0}, 3), DV_OK);
    CU_ASSERT_EQUAL(names.count, 2);
    CU_ASSERT_EQUAL(dv_names_find(&names, span_of("x"), 0), 2);
    CU_ASSERT_EQUAL(dv_names_find(&names, span_of(""), 0), 3);
    dv_names_free(&names);
}

static void a_walk_meets_every_name_once(void)
{
    dv_names names = {0};
    CU_ASSERT_EQUAL(dv_names_put(&names, span_of("a"), 1), DV_OK);
    CU_ASSERT_EQUAL(dv_names_put(&names, span_of("b"), 2), DV_OK);
    dv_span name;
    uint32_t sum = 0, met = 0;
    for (size_t place = 0; dv_names_next(&names, &place, &name); met++)
        sum += dv_names_find(&names, name, 0);
    CU_ASSERT_EQUAL(met, 2);
    CU_ASSERT_EQUAL(sum, 3);
    dv_names_free(&names);
}

DV_SUITE(load_names, DV_TEST(thousands_of_names_are_found_and_no_other),
         DV_TEST(the_last_number_counts_and_the_empty_name_is_one),
         DV_TEST(a_walk_meets_every_name_once));
