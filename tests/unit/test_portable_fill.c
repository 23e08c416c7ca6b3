/* Conversion between types, and constant tensors. */
#include <math.h>

#include "tests/unit/kernel_case.h"

static kernel_case cast_case(dv_dtype from, const void *data, dv_dtype to, const char *shape)
{
    kernel_case c = kernel_case_of(DV_OP_CAST);
    c.params.cast.dtype = to;
    kernel_input(&c, from, shape, data);
    kernel_output(&c, to, shape);
    return c;
}

static void test_floats_become_integers_toward_zero_and_within_range(void)
{
    static const float x[6] = {1.9f, -1.9f, 1e20f, -1e20f, NAN, 255};
    kernel_case c = cast_case(DV_DTYPE_F32, x, DV_DTYPE_I32, "6");
    EXPECT(int32_t, &c, 1, -1, INT32_MAX, INT32_MIN, 0, 255);
    kernel_end(&c);

    c = cast_case(DV_DTYPE_F32, x, DV_DTYPE_U8, "6");
    EXPECT(uint8_t, &c, 1, 0, 255, 0, 0, 255);
    kernel_end(&c);

    c = cast_case(DV_DTYPE_F32, x, DV_DTYPE_I64, "6");
    EXPECT(int64_t, &c, 1, -1, INT64_MAX, INT64_MIN, 0, 255);
    kernel_end(&c);
}

static void test_integers_wrap_and_keep_all_their_bits(void)
{
    kernel_case c = cast_case(DV_DTYPE_I64, (int64_t[]){300, -1}, DV_DTYPE_U8, "2");
    EXPECT(uint8_t, &c, 44, 255);
    kernel_end(&c);

    c = cast_case(DV_DTYPE_U64, (uint64_t[]){UINT64_MAX, 9007199254740993}, DV_DTYPE_I64, "2");
    EXPECT(int64_t, &c, -1, 9007199254740993);
    kernel_end(&c);
}

static void test_bool_is_whatever_is_not_zero(void)
{
    kernel_case c = cast_case(DV_DTYPE_F32, (float[]){0, 0.5f, -2, NAN}, DV_DTYPE_BOOL, "4");
    EXPECT(uint8_t, &c, 0, 1, 1, 1);
    kernel_end(&c);

    c = cast_case(DV_DTYPE_I64, (int64_t[]){0, 256}, DV_DTYPE_BOOL, "2");
    EXPECT(uint8_t, &c, 0, 1);
    kernel_end(&c);

    c = cast_case(DV_DTYPE_BOOL, (uint8_t[]){0, 1}, DV_DTYPE_F32, "2");
    EXPECT_F32(&c, 0, 1);
    kernel_end(&c);
}

static void test_half_precisions_round_to_nearest_even(void)
{
    static const float x[4] = {1, 1.00048828125f, 65536, -0.0f};
    kernel_case c = cast_case(DV_DTYPE_F32, x, DV_DTYPE_F16, "4");
    EXPECT(uint16_t, &c, 0x3c00, 0x3c00, 0x7c00, 0x8000);
    kernel_end(&c);

    c = cast_case(DV_DTYPE_F32, (float[]){1, 1.00390625f, 1.01171875f, NAN}, DV_DTYPE_BF16, "4");
    EXPECT(uint16_t, &c, 0x3f80, 0x3f80, 0x3f82, 0x7fc0);
    kernel_end(&c);

    c = cast_case(DV_DTYPE_BF16, (uint16_t[]){0x3f80, 0xc000}, DV_DTYPE_F32, "2");
    EXPECT_F32(&c, 1, -2);
    kernel_end(&c);
}

static void test_half_precision_goes_through_every_function(void)
{
    kernel_case c = kernel_case_of(DV_OP_ADD);
    kernel_input(&c, DV_DTYPE_F16, "2", (uint16_t[]){0x3c00, 0x4000});
    kernel_input(&c, DV_DTYPE_F16, "2", (uint16_t[]){0x3c00, 0xc000});
    kernel_output(&c, DV_DTYPE_F16, "2");
    EXPECT(uint16_t, &c, 0x4000, 0);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_SQRT);
    kernel_input(&c, DV_DTYPE_F64, "2", (double[]){2, 9});
    kernel_output(&c, DV_DTYPE_F64, "2");
    EXPECT(double, &c, sqrt(2), 3);
    kernel_end(&c);
}

static void test_full_fills_every_element(void)
{
    kernel_case c = kernel_case_of(DV_OP_FULL);
    c.params.full.value = 7;
    kernel_output(&c, DV_DTYPE_I32, "2x2");
    EXPECT(int32_t, &c, 7, 7, 7, 7);
    kernel_end(&c);
}

static void test_cast_to_a_type_that_was_not_asked_for_is_refused(void)
{
    kernel_case c = cast_case(DV_DTYPE_F32, NULL, DV_DTYPE_I32, "2");
    c.params.cast.dtype = DV_DTYPE_I64;
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

DV_SUITE(portable_fill, DV_TEST(test_floats_become_integers_toward_zero_and_within_range),
         DV_TEST(test_integers_wrap_and_keep_all_their_bits),
         DV_TEST(test_bool_is_whatever_is_not_zero),
         DV_TEST(test_half_precisions_round_to_nearest_even),
         DV_TEST(test_half_precision_goes_through_every_function),
         DV_TEST(test_full_fills_every_element),
         DV_TEST(test_cast_to_a_type_that_was_not_asked_for_is_refused));
