/* Softmax and its logarithm. */
#include <math.h>

#include "tests/unit/kernel_case.h"

static kernel_case softmax_case(dv_op_kind kind, int64_t axis)
{
    kernel_case c = kernel_case_of(kind);
    c.params.axis.axis = axis;
    return c;
}

static void test_shares_are_those_of_the_exponentials(void)
{
    kernel_case c = softmax_case(DV_OP_SOFTMAX, 1);
    kernel_input(&c, DV_DTYPE_F32, "2x2", (float[]){0, (float)log(3), 5, 5});
    kernel_output(&c, DV_DTYPE_F32, "2x2");
    EXPECT_F32(&c, 0.25f, 0.75f, 0.5f, 0.5f);
    kernel_end(&c);
}

static void test_large_inputs_do_not_overflow(void)
{
    kernel_case c = softmax_case(DV_OP_SOFTMAX, 0);
    kernel_input(&c, DV_DTYPE_F32, "3", (float[]){1e30f, 1e30f, -1e30f});
    kernel_output(&c, DV_DTYPE_F32, "3");
    EXPECT_F32(&c, 0.5f, 0.5f, 0);
    kernel_end(&c);
}

static void test_lines_along_a_middle_axis_sum_to_one(void)
{
    kernel_case c = softmax_case(DV_OP_SOFTMAX, 1);
    kernel_input(&c, DV_DTYPE_F32, "2x5x3", NULL);
    kernel_output(&c, DV_DTYPE_F32, "2x5x3");
    CU_ASSERT_EQUAL(kernel_run(&c), DV_OK);
    const float *y = c.outputs[0].data;
    for (int n = 0; n < 2; n++)
        for (int x = 0; x < 3; x++) {
            double sum = 0;
            for (int k = 0; k < 5; k++)
                sum += (double)y[(n * 5 + k) * 3 + x];
            CU_ASSERT_DOUBLE_EQUAL(sum, 1, 1e-6);
        }
    kernel_end(&c);
}

static void test_logarithm_of_the_shares(void)
{
    kernel_case c = softmax_case(DV_OP_LOG_SOFTMAX, 1);
    kernel_input(&c, DV_DTYPE_F32, "2x2", (float[]){0, (float)log(3), 0, 1000});
    kernel_output(&c, DV_DTYPE_F32, "2x2");
    EXPECT_F32(&c, (float)log(0.25), (float)log(0.75), -1000, 0);
    kernel_end(&c);
}

static void test_axis_out_of_range_and_scalars_are_refused(void)
{
    kernel_case c = softmax_case(DV_OP_SOFTMAX, 1);
    kernel_input(&c, DV_DTYPE_F32, "3", NULL);
    kernel_output(&c, DV_DTYPE_F32, "3");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);

    c = softmax_case(DV_OP_SOFTMAX, 0);
    kernel_input(&c, DV_DTYPE_F32, "", NULL);
    kernel_output(&c, DV_DTYPE_F32, "");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

static void test_empty_lines_pass(void)
{
    kernel_case c = softmax_case(DV_OP_SOFTMAX, 1);
    kernel_input(&c, DV_DTYPE_F32, "2x0x3", NULL);
    kernel_output(&c, DV_DTYPE_F32, "2x0x3");
    CU_ASSERT_EQUAL(kernel_run(&c), DV_OK);
    kernel_end(&c);
}

DV_SUITE(portable_softmax, DV_TEST(test_shares_are_those_of_the_exponentials),
         DV_TEST(test_large_inputs_do_not_overflow),
         DV_TEST(test_lines_along_a_middle_axis_sum_to_one), DV_TEST(test_logarithm_of_the_shares),
         DV_TEST(test_axis_out_of_range_and_scalars_are_refused), DV_TEST(test_empty_lines_pass));
