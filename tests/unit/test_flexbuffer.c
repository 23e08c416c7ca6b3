/* test_flexbuffer.c - numbers are found by key, and nothing is read outside the bytes. The maps are
   those that the flatbuffers package for Python writes. */
#include <stdlib.h>
#include <string.h>

#include "load/flexbuffer.h"
#include "tests/suite.h"

/* {max_detections: 100, less: -3, ratio: 0.25, on: true, text: "x"} */
static const uint8_t narrow[] = {
    109, 97,  120, 95,  100, 101, 116, 101, 99,  116, 105, 111, 110, 115, 0,   108, 101,
    115, 115, 0,   114, 97,  116, 105, 111, 0,   111, 110, 0,   116, 101, 120, 116, 0,
    1,   120, 0,   5,   23,  39,  14,  21,  13,  0,   6,   0,   0,   0,   1,   0,   0,
    0,   5,   0,   0,   0,   253, 255, 255, 255, 100, 0,   0,   0,   1,   0,   0,   0,
    0,   0,   128, 62,  37,  0,   0,   0,   6,   6,   106, 14,  20,  25,  38,  1};

/* {n: 300, wide: 0.1}, eight bytes an element */
static const uint8_t wide[] = {110, 0,   119, 105, 100, 101, 0,   2,  8,  7,  0,  0,  0, 0, 0, 0,
                               8,   0,   0,   0,   0,   0,   0,   0,  1,  0,  0,  0,  0, 0, 0, 0,
                               2,   0,   0,   0,   0,   0,   0,   0,  44, 1,  0,  0,  0, 0, 0, 0,
                               154, 153, 153, 153, 153, 153, 185, 63, 7,  15, 18, 39, 1};

/* {few: [5, -1, 700], one: 3} */
static const uint8_t list[] = {102, 101, 119, 0, 3, 0, 5, 0,  255, 255, 188, 2, 111, 110, 101,
                               0,   2,   17,  6, 2, 1, 2, 16, 3,   45,  4,   4, 36,  1};

static double number(const uint8_t *bytes, size_t size, const char *key)
{
    double value = -1000;
    return dv_flex_number((dv_span){bytes, size}, key, &value) ? value : -2000;
}

static void numbers_are_found_by_key(void)
{
    CU_ASSERT_EQUAL(number(narrow, sizeof narrow, "max_detections"), 100);
    CU_ASSERT_EQUAL(number(narrow, sizeof narrow, "less"), -3);
    CU_ASSERT_EQUAL(number(narrow, sizeof narrow, "ratio"), 0.25);
    CU_ASSERT_EQUAL(number(narrow, sizeof narrow, "on"), 1);
    CU_ASSERT_EQUAL(number(wide, sizeof wide, "n"), 300);
    CU_ASSERT_EQUAL(number(wide, sizeof wide, "wide"), 0.1);
}

static void what_is_no_number_is_not_found(void)
{
    CU_ASSERT_EQUAL(number(narrow, sizeof narrow, "text"), -2000);
    CU_ASSERT_EQUAL(number(narrow, sizeof narrow, "max"), -2000);
    CU_ASSERT_EQUAL(number(narrow, 0, "max"), -2000);
}

static void integers_are_found_by_key(void)
{
    int64_t few[3];
    size_t count;
    dv_span bytes = {list, sizeof list};
    CU_ASSERT_TRUE_FATAL(dv_flex_integers(bytes, "few", 3, few, &count));
    CU_ASSERT_EQUAL(count, 3);
    CU_ASSERT_EQUAL(few[0], 5);
    CU_ASSERT_EQUAL(few[1], -1);
    CU_ASSERT_EQUAL(few[2], 700);
    CU_ASSERT_FALSE(dv_flex_integers(bytes, "few", 2, few, &count));
    CU_ASSERT_FALSE(dv_flex_integers(bytes, "one", 3, few, &count));
}

/* Under the sanitizers: copies of exactly the bytes, cut and changed everywhere. */
static void damaged_maps_are_never_left(void)
{
    double value;
    for (size_t size = 0; size <= sizeof narrow; size++) {
        uint8_t *copy = malloc(size + 1);
        CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
        memcpy(copy, narrow + sizeof narrow - size, size);
        (void)dv_flex_number((dv_span){copy, size}, "ratio", &value);
        for (size_t i = 0; i < size; i++)
            for (unsigned flip = 1; flip < 256; flip *= 2) {
                copy[i] ^= (uint8_t)flip;
                (void)dv_flex_number((dv_span){copy, size}, "less", &value);
                copy[i] ^= (uint8_t)flip;
            }
        free(copy);
    }
    for (size_t i = 0; i < 8 * sizeof list; i++) {
        int64_t few[3];
        size_t count;
        uint8_t *copy = malloc(sizeof list);
        CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
        memcpy(copy, list, sizeof list);
        copy[i / 8] ^= (uint8_t)(1u << i % 8);
        (void)dv_flex_integers((dv_span){copy, sizeof list}, "few", 3, few, &count);
        free(copy);
    }
    CU_PASS("no byte outside was read");
}

DV_SUITE(load_flexbuffer, DV_TEST(numbers_are_found_by_key),
         DV_TEST(what_is_no_number_is_not_found), DV_TEST(integers_are_found_by_key),
         DV_TEST(damaged_maps_are_never_left));
