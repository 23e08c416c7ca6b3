/* Functions of two operands, and broadcasting. */
#include <math.h>

#include "tests/unit/kernel_case.h"

static kernel_case pair(dv_op_kind kind, dv_dtype dtype, const char *shape, const void *a,
                        const void *b)
{
    kernel_case c = kernel_case_of(kind);
    kernel_input(&c, dtype, shape, a);
    kernel_input(&c, dtype, shape, b);
    kernel_output(&c, dtype, shape);
    return c;
}

static void test_functions_take_their_known_values(void)
{
    static const float a[4] = {7, -7, 2.5f, -3}, b[4] = {3, 3, -2, 0.5f};
    static const struct {
        dv_op_kind kind;
        float y[4];
    } rows[] = {
        {DV_OP_ADD, {10, -4, 0.5f, -2.5f}},   {DV_OP_SUB, {4, -10, 4.5f, -3.5f}},
        {DV_OP_MUL, {21, -21, -5, -1.5f}},    {DV_OP_DIV, {7.f / 3, -7.f / 3, -1.25f, -6}},
        {DV_OP_POW, {343, -343, 0.16f, NAN}}, {DV_OP_MAXIMUM, {7, 3, 2.5f, 0.5f}},
        {DV_OP_MINIMUM, {3, -7, -2, -3}},     {DV_OP_REMAINDER, {1, 2, -1.5f, 0}},
        {DV_OP_FMOD, {1, -1, 0.5f, 0}},       {DV_OP_PRELU, {7, -21, 2.5f, -1.5f}},
    };
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        kernel_case c = pair(rows[r].kind, DV_DTYPE_F32, "4", a, b);
        CU_ASSERT_TRUE(kernel_gives(&c, rows[r].y, 4, 1e-6));
        kernel_end(&c);
    }
}

static void test_integers_divide_toward_zero_and_wrap(void)
{
    const int64_t a[3] = {7, -7, INT64_MIN}, b[3] = {2, 2, -1};
    kernel_case c = pair(DV_OP_DIV, DV_DTYPE_I64, "3", a, b);
    EXPECT(int64_t, &c, 3, -3, INT64_MIN);
    kernel_end(&c);

    c = pair(DV_OP_ADD, DV_DTYPE_U8, "2", (uint8_t[]){200, 1}, (uint8_t[]){100, 2});
    EXPECT(uint8_t, &c, 44, 3);
    kernel_end(&c);

    c = pair(DV_OP_REMAINDER, DV_DTYPE_I32, "4", (int32_t[]){7, -7, 7, -7},
             (int32_t[]){3, 3, -3, -1});
    EXPECT(int32_t, &c, 1, 2, -2, 0);
    kernel_end(&c);

    c = pair(DV_OP_FMOD, DV_DTYPE_I32, "3", (int32_t[]){7, -7, 7}, (int32_t[]){3, 3, -3});
    EXPECT(int32_t, &c, 1, -1, 1);
    kernel_end(&c);

    c = pair(DV_OP_POW, DV_DTYPE_I64, "4", (int64_t[]){3, -1, 2, 0}, (int64_t[]){4, 3, -1, 0});
    EXPECT(int64_t, &c, 81, -1, 0, 1);
    kernel_end(&c);
}

static void test_large_unsigned_numbers_keep_their_order(void)
{
    const uint64_t a[2] = {UINT64_MAX, 5}, b[2] = {1, 7};
    kernel_case c = pair(DV_OP_MAXIMUM, DV_DTYPE_U64, "2", a, b);
    EXPECT(uint64_t, &c, UINT64_MAX, 7);
    kernel_end(&c);

    c = pair(DV_OP_DIV, DV_DTYPE_U64, "2", a, b);
    EXPECT(uint64_t, &c, UINT64_MAX, 0);
    kernel_end(&c);
}

static void test_division_of_integers_by_zero_is_an_error_of_the_run(void)
{
    kernel_case c = pair(DV_OP_DIV, DV_DTYPE_I32, "2", (int32_t[]){1, 2}, (int32_t[]){1, 0});
    CU_ASSERT_EQUAL(kernel_run(&c), DV_BAD_INPUT);
    kernel_end(&c);

    c = pair(DV_OP_REMAINDER, DV_DTYPE_I32, "1", (int32_t[]){1}, (int32_t[]){0});
    CU_ASSERT_EQUAL(kernel_run(&c), DV_BAD_INPUT);
    kernel_end(&c);
}

static void test_nan_wins_in_maximum_and_minimum(void)
{
    kernel_case c = pair(DV_OP_MAXIMUM, DV_DTYPE_F32, "2", (float[]){NAN, 1}, (float[]){1, NAN});
    EXPECT_F32(&c, NAN, NAN);
    kernel_end(&c);

    c = pair(DV_OP_MINIMUM, DV_DTYPE_F32, "2", (float[]){NAN, 1}, (float[]){1, NAN});
    EXPECT_F32(&c, NAN, NAN);
    kernel_end(&c);
}

static void test_operands_broadcast_both_ways(void)
{
    kernel_case c = kernel_case_of(DV_OP_ADD);
    kernel_input(&c, DV_DTYPE_F32, "2x1x3", NULL);
    kernel_input(&c, DV_DTYPE_F32, "2x1", (float[]){10, 20});
    kernel_output(&c, DV_DTYPE_F32, "2x2x3");
    EXPECT_F32(&c, 10, 11, 12, 20, 21, 22, 13, 14, 15, 23, 24, 25);
    kernel_end(&c);
}

static void test_scalar_broadcasts_to_everything(void)
{
    kernel_case c = kernel_case_of(DV_OP_MUL);
    kernel_input(&c, DV_DTYPE_F32, "", (float[]){3});
    kernel_input(&c, DV_DTYPE_F32, "1x4", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x4");
    EXPECT_F32(&c, 0, 3, 6, 9);
    kernel_end(&c);
}

static void test_bias_a_channel_broadcasts_over_pixels(void)
{
    kernel_case c = kernel_case_of(DV_OP_SUB);
    kernel_input(&c, DV_DTYPE_F32, "2x2x1x2", NULL);
    kernel_input(&c, DV_DTYPE_F32, "1x2x1x1", (float[]){0, 100});
    kernel_output(&c, DV_DTYPE_F32, "2x2x1x2");
    EXPECT_F32(&c, 0, 1, -98, -97, 4, 5, -94, -93);
    kernel_end(&c);
}

static void test_exponent_may_have_another_type(void)
{
    kernel_case c = kernel_case_of(DV_OP_POW);
    kernel_input(&c, DV_DTYPE_F32, "2", (float[]){2, 3});
    kernel_input(&c, DV_DTYPE_I64, "2", (int64_t[]){3, 2});
    kernel_output(&c, DV_DTYPE_F32, "2");
    EXPECT_F32(&c, 8, 9);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_POW);
    kernel_input(&c, DV_DTYPE_I32, "2", (int32_t[]){2, 9});
    kernel_input(&c, DV_DTYPE_F32, "2", (float[]){3, 0.5f});
    kernel_output(&c, DV_DTYPE_I32, "2");
    EXPECT(int32_t, &c, 8, 3);
    kernel_end(&c);
}

static void test_shapes_that_do_not_broadcast_and_mixed_types_are_refused(void)
{
    kernel_case c = kernel_case_of(DV_OP_ADD);
    kernel_input(&c, DV_DTYPE_F32, "2", NULL);
    kernel_input(&c, DV_DTYPE_F32, "3", NULL);
    kernel_output(&c, DV_DTYPE_F32, "3");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_ADD);
    kernel_input(&c, DV_DTYPE_F32, "2", NULL);
    kernel_input(&c, DV_DTYPE_I32, "2", NULL);
    kernel_output(&c, DV_DTYPE_F32, "2");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_ADD);
    kernel_input(&c, DV_DTYPE_F32, "2", NULL);
    kernel_input(&c, DV_DTYPE_NONE, "", NULL);
    kernel_output(&c, DV_DTYPE_F32, "2");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

static void test_rows_longer_than_a_block(void)
{
    float x[600], y[600];
    for (int i = 0; i < 600; i++) {
        x[i] = (float)i;
        y[i] = (float)(2 * i);
    }
    kernel_case c = pair(DV_OP_ADD, DV_DTYPE_F32, "600", x, x);
    CU_ASSERT_TRUE(kernel_gives(&c, y, 600, 0));
    kernel_end(&c);
}

DV_SUITE(portable_binary, DV_TEST(test_functions_take_their_known_values),
         DV_TEST(test_integers_divide_toward_zero_and_wrap),
         DV_TEST(test_large_unsigned_numbers_keep_their_order),
         DV_TEST(test_division_of_integers_by_zero_is_an_error_of_the_run),
         DV_TEST(test_nan_wins_in_maximum_and_minimum), DV_TEST(test_operands_broadcast_both_ways),
         DV_TEST(test_scalar_broadcasts_to_everything),
         DV_TEST(test_bias_a_channel_broadcasts_over_pixels),
         DV_TEST(test_exponent_may_have_another_type),
         DV_TEST(test_shapes_that_do_not_broadcast_and_mixed_types_are_refused),
         DV_TEST(test_rows_longer_than_a_block));
