/* Functions of one operand. */
#include <math.h>
#include <stdio.h>

#include "tests/unit/kernel_case.h"

/* Values of each function at five points, from its closed form. */
static void test_functions_take_their_known_values(void)
{
    static const struct {
        dv_op_kind kind;
        float x[5];
        double y[5];
    } rows[] = {
        {DV_OP_RELU, {-2, -0.5f, 0, 0.5f, 2}, {0, 0, 0, 0.5, 2}},
        {DV_OP_SIGMOID, {-1000, -1, 0, 1, 1000}, {0, 0.26894142137, 0.5, 0.73105857863, 1}},
        {DV_OP_TANH, {-1000, -1, 0, 1, 1000}, {-1, -0.76159415596, 0, 0.76159415596, 1}},
        {DV_OP_ERF, {-9, -1, 0, 1, 9}, {-1, -0.84270079295, 0, 0.84270079295, 1}},
        {DV_OP_EXP, {-1000, -1, 0, 1, 2}, {0, 0.36787944117, 1, 2.71828182846, 7.38905609893}},
        {DV_OP_LOG,
         {0, 1, 2, 10, 0.5f},
         {-INFINITY, 0, 0.69314718056, 2.302585093, -0.69314718056}},
        {DV_OP_SQRT, {0, 1, 2, 4, 0.25f}, {0, 1, 1.41421356237, 2, 0.5}},
        {DV_OP_RSQRT, {0, 1, 4, 16, 0.25f}, {INFINITY, 1, 0.5, 0.25, 2}},
        {DV_OP_RECIPROCAL, {1, 2, -4, 0.5f, 10}, {1, 0.5, -0.25, 2, 0.1}},
        {DV_OP_NEG, {-2, -0.5f, 0, 0.5f, 2}, {2, 0.5, 0, -0.5, -2}},
        {DV_OP_ABS, {-2, -0.5f, 0, 0.5f, 2}, {2, 0.5, 0, 0.5, 2}},
        {DV_OP_SIGN, {-2, -0.5f, 0, 0.5f, 2}, {-1, -1, 0, 1, 1}},
        {DV_OP_FLOOR, {-1.5f, -1, 0.9f, 1.1f, 2}, {-2, -1, 0, 1, 2}},
        {DV_OP_CEIL, {-1.5f, -1, 0.9f, 1.1f, 2}, {-1, -1, 1, 2, 2}},
        {DV_OP_ROUND, {-1.5f, -0.5f, 0.5f, 1.5f, 2.5f}, {-2, 0, 0, 2, 2}},
        {DV_OP_SIN, {0, 1, -1, 2, 3}, {0, 0.8414709848, -0.8414709848, 0.9092974268, 0.1411200081}},
        {DV_OP_COS,
         {0, 1, -1, 2, 3},
         {1, 0.5403023059, 0.5403023059, -0.4161468365, -0.9899924966}},
        {DV_OP_TAN,
         {0, 1, -1, 0.5f, 2},
         {0, 1.5574077247, -1.5574077247, 0.5463024898, -2.1850398633}},
        {DV_OP_ASIN,
         {0, 1, -1, 0.5f, -0.5f},
         {0, 1.5707963268, -1.5707963268, 0.5235987756, -0.5235987756}},
        {DV_OP_ACOS,
         {0, 1, -1, 0.5f, -0.5f},
         {1.5707963268, 0, 3.1415926536, 1.0471975512, 2.0943951024}},
        {DV_OP_ATAN,
         {0, 1, -1, 0.5f, INFINITY},
         {0, 0.7853981634, -0.7853981634, 0.463647609, 1.5707963268}},
        {DV_OP_SINH,
         {0, 1, -1, 0.5f, 2},
         {0, 1.1752011936, -1.1752011936, 0.5210953055, 3.6268604078}},
        {DV_OP_COSH,
         {0, 1, -1, 0.5f, 2},
         {1, 1.5430806348, 1.5430806348, 1.1276259652, 3.7621956911}},
        {DV_OP_ASINH,
         {0, 1, -1, 0.5f, 2},
         {0, 0.881373587, -0.881373587, 0.4812118251, 1.4436354752}},
        {DV_OP_ACOSH,
         {1, 2, 3, 10, 1.5f},
         {0, 1.3169578969, 1.7627471740, 2.9932228461, 0.9624236501}},
        {DV_OP_ATANH,
         {0, 0.5f, -0.5f, 0.9f, 0.25f},
         {0, 0.5493061443, -0.5493061443, 1.4722193, 0.2554128119}},
        {DV_OP_GELU, {-20, -1, 0, 1, 20}, {0, -0.15865525393, 0, 0.84134474607, 20}},
        {DV_OP_SILU, {-1000, -1, 0, 1, 1000}, {0, -0.26894142137, 0, 0.73105857863, 1000}},
        {DV_OP_HARDSWISH, {-4, -3, 0, 1, 4}, {0, 0, 0, 0.66666666667, 4}},
        {DV_OP_SOFTPLUS,
         {-1000, -1, 0, 1, 1000},
         {0, 0.31326168752, 0.69314718056, 1.31326168752, 1000}},
    };
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        float want[5];
        kernel_case c = kernel_case_of(rows[r].kind);
        for (int i = 0; i < 5; i++)
            want[i] = (float)rows[r].y[i];
        kernel_input(&c, DV_DTYPE_F32, "5", rows[r].x);
        kernel_output(&c, DV_DTYPE_F32, "5");
        CU_ASSERT_TRUE(kernel_gives(&c, want, 5, 1e-6));
        kernel_end(&c);
    }
}

static void test_functions_with_parameters_use_them(void)
{
    kernel_case c = kernel_case_of(DV_OP_CLAMP);
    c.params.clamp = (dv_clamp_params){-1, 6};
    kernel_input(&c, DV_DTYPE_F32, "4", (float[]){-3, 0, 6, 60});
    kernel_output(&c, DV_DTYPE_F32, "4");
    EXPECT_F32(&c, -1, 0, 6, 6);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_HARDSIGMOID);
    c.params.scalar = (dv_scalar_params){0.2, 0.5};
    kernel_input(&c, DV_DTYPE_F32, "4", (float[]){-3, 0, 1, 60});
    kernel_output(&c, DV_DTYPE_F32, "4");
    EXPECT_F32(&c, 0, 0.5f, 0.7f, 1);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_ELU);
    c.params.scalar.alpha = 2;
    kernel_input(&c, DV_DTYPE_F32, "3", (float[]){-1, 0, 3});
    kernel_output(&c, DV_DTYPE_F32, "3");
    EXPECT_F32(&c, -1.2642411176571153f, 0, 3);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_LEAKY_RELU);
    c.params.scalar.alpha = 0.1;
    kernel_input(&c, DV_DTYPE_F32, "3", (float[]){-1, 0, 3});
    kernel_output(&c, DV_DTYPE_F32, "3");
    EXPECT_F32(&c, -0.1f, 0, 3);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_GELU);
    c.params.flag.on = true;
    kernel_input(&c, DV_DTYPE_F32, "2", (float[]){-1, 1});
    kernel_output(&c, DV_DTYPE_F32, "2");
    EXPECT_F32(&c, -0.15880800939f, 0.84119199061f);
    kernel_end(&c);
}

static void test_crossed_bounds_give_the_upper_one(void)
{
    kernel_case c = kernel_case_of(DV_OP_CLAMP);
    c.params.clamp = (dv_clamp_params){2, 1};
    kernel_input(&c, DV_DTYPE_F32, "3", (float[]){0, 1.5f, 9});
    kernel_output(&c, DV_DTYPE_F32, "3");
    EXPECT_F32(&c, 1, 1, 1);
    kernel_end(&c);
}

static void test_nan_comes_out_of_every_function(void)
{
    static const dv_op_kind kinds[] = {DV_OP_RELU,  DV_OP_SIGMOID, DV_OP_TANH,     DV_OP_ERF,
                                       DV_OP_EXP,   DV_OP_SQRT,    DV_OP_ABS,      DV_OP_SIGN,
                                       DV_OP_CLAMP, DV_OP_GELU,    DV_OP_SILU,     DV_OP_SOFTPLUS,
                                       DV_OP_ROUND, DV_OP_ELU,     DV_OP_HARDSWISH};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        kernel_case c = kernel_case_of(kinds[k]);
        if (kinds[k] == DV_OP_CLAMP)
            c.params.clamp = (dv_clamp_params){0, 1};
        kernel_input(&c, DV_DTYPE_F32, "1", (float[]){NAN});
        kernel_output(&c, DV_DTYPE_F32, "1");
        EXPECT_F32(&c, NAN);
        kernel_end(&c);
    }
}

static void test_integers_stay_integers(void)
{
    kernel_case c = kernel_case_of(DV_OP_ABS);
    kernel_input(&c, DV_DTYPE_I64, "3", (int64_t[]){-9007199254740993, 0, 7});
    kernel_output(&c, DV_DTYPE_I64, "3");
    EXPECT(int64_t, &c, 9007199254740993, 0, 7);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_CLAMP);
    c.params.clamp = (dv_clamp_params){-INFINITY, 3};
    kernel_input(&c, DV_DTYPE_I8, "3", (int8_t[]){-128, 3, 100});
    kernel_output(&c, DV_DTYPE_I8, "3");
    EXPECT(int8_t, &c, -128, 3, 3);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_NEG);
    kernel_input(&c, DV_DTYPE_I32, "3", (int32_t[]){INT32_MIN, 0, 5});
    kernel_output(&c, DV_DTYPE_I32, "3");
    EXPECT(int32_t, &c, INT32_MIN, 0, -5);
    kernel_end(&c);
}

static void test_logic_gives_bool(void)
{
    kernel_case c = kernel_case_of(DV_OP_LOGICAL_NOT);
    kernel_input(&c, DV_DTYPE_BOOL, "2", (uint8_t[]){0, 1});
    kernel_output(&c, DV_DTYPE_BOOL, "2");
    EXPECT(uint8_t, &c, 1, 0);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_ISNAN);
    kernel_input(&c, DV_DTYPE_F32, "3", (float[]){0, NAN, INFINITY});
    kernel_output(&c, DV_DTYPE_BOOL, "3");
    EXPECT(uint8_t, &c, 0, 1, 0);
    kernel_end(&c);
}

static void test_functions_of_floats_refuse_integers_and_strings(void)
{
    kernel_case c = kernel_case_of(DV_OP_EXP);
    kernel_input(&c, DV_DTYPE_I32, "2", NULL);
    kernel_output(&c, DV_DTYPE_I32, "2");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_RELU);
    kernel_input(&c, DV_DTYPE_F32, "2", NULL);
    kernel_output(&c, DV_DTYPE_F32, "3");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

static void test_more_elements_than_a_block_and_none_at_all(void)
{
    float x[1000], y[1000];
    for (int i = 0; i < 1000; i++) {
        x[i] = (float)(i - 500);
        y[i] = i < 500 ? 0 : x[i];
    }
    kernel_case c = kernel_case_of(DV_OP_RELU);
    kernel_input(&c, DV_DTYPE_F32, "10x100", x);
    kernel_output(&c, DV_DTYPE_F32, "10x100");
    CU_ASSERT_TRUE(kernel_gives(&c, y, 1000, 0));
    kernel_end(&c);

    c = kernel_case_of(DV_OP_RELU);
    kernel_input(&c, DV_DTYPE_F32, "4x0", NULL);
    kernel_output(&c, DV_DTYPE_F32, "4x0");
    CU_ASSERT_EQUAL(kernel_run(&c), DV_OK);
    kernel_end(&c);
}

DV_SUITE(portable_unary, DV_TEST(test_functions_take_their_known_values),
         DV_TEST(test_functions_with_parameters_use_them),
         DV_TEST(test_crossed_bounds_give_the_upper_one),
         DV_TEST(test_nan_comes_out_of_every_function), DV_TEST(test_integers_stay_integers),
         DV_TEST(test_logic_gives_bool),
         DV_TEST(test_functions_of_floats_refuse_integers_and_strings),
         DV_TEST(test_more_elements_than_a_block_and_none_at_all));
