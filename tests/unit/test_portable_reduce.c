/* Reductions, argmax, running sums, softmax. */
#include <math.h>

#include "tests/unit/kernel_case.h"

static kernel_case reduce_case(dv_op_kind kind, bool keep_dims, uint8_t count, int64_t a, int64_t b)
{
    kernel_case c = kernel_case_of(kind);
    c.params.reduce = (dv_reduce_params){.count = count, .keep_dims = keep_dims, .axes = {a, b}};
    return c;
}

static void test_reductions_over_the_last_dim(void)
{
    static const struct {
        dv_op_kind kind;
        float y[2];
    } rows[] = {
        {DV_OP_SUM, {6, 15}}, {DV_OP_MEAN, {2, 5}},   {DV_OP_AMAX, {3, 6}},
        {DV_OP_AMIN, {1, 4}}, {DV_OP_PROD, {6, 120}},
    };
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        kernel_case c = reduce_case(rows[r].kind, false, 1, 1, 0);
        kernel_input(&c, DV_DTYPE_F32, "2x3", (float[]){1, 2, 3, 4, 5, 6});
        kernel_output(&c, DV_DTYPE_F32, "2");
        CU_ASSERT_TRUE(kernel_gives(&c, rows[r].y, 2, 1e-6));
        kernel_end(&c);
    }
}

static void test_reductions_over_dims_that_are_not_neighbours(void)
{
    kernel_case c = reduce_case(DV_OP_SUM, true, 2, 0, 2);
    kernel_input(&c, DV_DTYPE_F32, "2x2x3", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x2x1");
    EXPECT_F32(&c, 0 + 1 + 2 + 6 + 7 + 8, 3 + 4 + 5 + 9 + 10 + 11);
    kernel_end(&c);
}

static void test_reduction_to_a_scalar_and_over_nothing(void)
{
    kernel_case c = reduce_case(DV_OP_MEAN, false, 2, 0, 1);
    kernel_input(&c, DV_DTYPE_F32, "2x2", (float[]){1, 2, 3, 6});
    kernel_output(&c, DV_DTYPE_F32, "");
    EXPECT_F32(&c, 3);
    kernel_end(&c);

    c = reduce_case(DV_OP_SUM, false, 0, 0, 0);
    kernel_input(&c, DV_DTYPE_F32, "2", (float[]){1, 2});
    kernel_output(&c, DV_DTYPE_F32, "2");
    EXPECT_F32(&c, 1, 2);
    kernel_end(&c);
}

static void test_reduction_of_no_elements_gives_the_neutral_one(void)
{
    static const struct {
        dv_op_kind kind;
        float y;
    } rows[] = {{DV_OP_SUM, 0}, {DV_OP_PROD, 1}, {DV_OP_AMAX, -INFINITY}, {DV_OP_MEAN, NAN}};
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        kernel_case c = reduce_case(rows[r].kind, false, 1, 1, 0);
        kernel_input(&c, DV_DTYPE_F32, "1x0", NULL);
        kernel_output(&c, DV_DTYPE_F32, "1");
        CU_ASSERT_TRUE(kernel_gives(&c, &rows[r].y, 1, 0));
        kernel_end(&c);
    }
}

static void test_integers_sum_exactly(void)
{
    kernel_case c = reduce_case(DV_OP_SUM, false, 1, 0, 0);
    kernel_input(&c, DV_DTYPE_I64, "3", (int64_t[]){9007199254740992, 1, 2});
    kernel_output(&c, DV_DTYPE_I64, "");
    EXPECT(int64_t, &c, 9007199254740995);
    kernel_end(&c);
}

static void test_axis_out_of_range_and_mean_of_integers_are_refused(void)
{
    kernel_case c = reduce_case(DV_OP_SUM, false, 1, 2, 0);
    kernel_input(&c, DV_DTYPE_F32, "2x3", NULL);
    kernel_output(&c, DV_DTYPE_F32, "2");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);

    c = reduce_case(DV_OP_MEAN, false, 1, 1, 0);
    kernel_input(&c, DV_DTYPE_I32, "2x3", NULL);
    kernel_output(&c, DV_DTYPE_I32, "2");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

static void test_argmax_gives_the_first_of_equals(void)
{
    kernel_case c = reduce_case(DV_OP_ARGMAX, true, 1, 1, 0);
    kernel_input(&c, DV_DTYPE_F32, "2x3", (float[]){1, 5, 5, -1, -2, -INFINITY});
    kernel_output(&c, DV_DTYPE_I64, "2x1");
    EXPECT(int64_t, &c, 1, 0);
    kernel_end(&c);

    c = reduce_case(DV_OP_ARGMAX, false, 1, 0, 0);
    kernel_input(&c, DV_DTYPE_F32, "2x2", (float[]){1, NAN, 3, 9});
    kernel_output(&c, DV_DTYPE_I64, "2");
    EXPECT(int64_t, &c, 1, 0);
    kernel_end(&c);
}

static void test_running_sums_run_both_ways_and_may_leave_the_element_out(void)
{
    static const struct {
        bool exclusive, reverse;
        float y[4];
    } rows[] = {
        {false, false, {1, 2, 4, 6}},
        {true, false, {0, 0, 1, 2}},
        {false, true, {4, 6, 3, 4}},
        {true, true, {3, 4, 0, 0}},
    };
    for (size_t r = 0; r < 4; r++) {
        kernel_case c = kernel_case_of(DV_OP_CUMSUM);
        c.params.axis =
            (dv_axis_params){.axis = 0, .exclusive = rows[r].exclusive, .reverse = rows[r].reverse};
        kernel_input(&c, DV_DTYPE_F32, "2x2", (float[]){1, 2, 3, 4});
        kernel_output(&c, DV_DTYPE_F32, "2x2");
        CU_ASSERT_TRUE(kernel_gives(&c, rows[r].y, 4, 0));
        kernel_end(&c);
    }
}

DV_SUITE(portable_reduce, DV_TEST(test_reductions_over_the_last_dim),
         DV_TEST(test_reductions_over_dims_that_are_not_neighbours),
         DV_TEST(test_reduction_to_a_scalar_and_over_nothing),
         DV_TEST(test_reduction_of_no_elements_gives_the_neutral_one),
         DV_TEST(test_integers_sum_exactly),
         DV_TEST(test_axis_out_of_range_and_mean_of_integers_are_refused),
         DV_TEST(test_argmax_gives_the_first_of_equals),
         DV_TEST(test_running_sums_run_both_ways_and_may_leave_the_element_out));
