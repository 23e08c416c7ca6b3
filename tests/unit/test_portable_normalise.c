/* Normalisations. */
#include <math.h>

#include "tests/unit/kernel_case.h"

static void test_batch_norm_uses_the_statistics_it_is_given(void)
{
    kernel_case c = kernel_case_of(DV_OP_BATCH_NORM);
    c.params.norm.eps = 0;
    kernel_input(&c, DV_DTYPE_F32, "1x2x2", (float[]){1, 2, 3, 4});
    kernel_input(&c, DV_DTYPE_F32, "2", (float[]){2, 1});
    kernel_input(&c, DV_DTYPE_F32, "2", (float[]){0, 100});
    kernel_input(&c, DV_DTYPE_F32, "2", (float[]){1, 3});
    kernel_input(&c, DV_DTYPE_F32, "2", (float[]){4, 0.25f});
    kernel_output(&c, DV_DTYPE_F32, "1x2x2");
    EXPECT_F32(&c, 0, 1, 100, 102);
    kernel_end(&c);
}

static void test_batch_norm_with_too_few_parameters_is_refused(void)
{
    kernel_case c = kernel_case_of(DV_OP_BATCH_NORM);
    kernel_input(&c, DV_DTYPE_F32, "1x2x2", NULL);
    for (int i = 0; i < 4; i++)
        kernel_input(&c, DV_DTYPE_F32, "1", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x2x2");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

/* -1, 1 has mean 0 and variance 1. */
static void test_layer_norm_centres_and_scales_each_row(void)
{
    kernel_case c = kernel_case_of(DV_OP_LAYER_NORM);
    c.params.norm = (dv_norm_params){.eps = 0, .axes = 1};
    kernel_input(&c, DV_DTYPE_F32, "2x2", (float[]){-1, 1, 10, 30});
    kernel_input(&c, DV_DTYPE_F32, "2", (float[]){1, 2});
    kernel_input(&c, DV_DTYPE_F32, "2", (float[]){0, 5});
    kernel_output(&c, DV_DTYPE_F32, "2x2");
    EXPECT_F32(&c, -1, 7, -1, 7);
    kernel_end(&c);
}

/* A mean a thousand times the deviation costs no accuracy. */
static void test_layer_norm_gives_mean_zero_and_variance_one(void)
{
    float x[64], *y;
    double mean = 0, variance = 0;
    for (int i = 0; i < 64; i++)
        x[i] = 1000 + (float)sin(i);
    kernel_case c = kernel_case_of(DV_OP_LAYER_NORM);
    c.params.norm = (dv_norm_params){.eps = 1e-12, .axes = 2};
    kernel_input(&c, DV_DTYPE_F32, "8x8", x);
    kernel_output(&c, DV_DTYPE_F32, "8x8");
    CU_ASSERT_EQUAL(kernel_run(&c), DV_OK);
    y = c.outputs[0].data;
    for (int i = 0; i < 64; i++)
        mean += (double)y[i] / 64;
    for (int i = 0; i < 64; i++)
        variance += ((double)y[i] - mean) * ((double)y[i] - mean) / 64;
    CU_ASSERT_DOUBLE_EQUAL(mean, 0, 1e-7);
    CU_ASSERT_DOUBLE_EQUAL(variance, 1, 1e-6);
    kernel_end(&c);
}

static void test_constant_row_becomes_the_bias_thanks_to_epsilon(void)
{
    kernel_case c = kernel_case_of(DV_OP_LAYER_NORM);
    c.params.norm = (dv_norm_params){.eps = 1e-5, .axes = 1};
    kernel_input(&c, DV_DTYPE_F32, "1x3", (float[]){4, 4, 4});
    kernel_input(&c, DV_DTYPE_NONE, "", NULL);
    kernel_input(&c, DV_DTYPE_F32, "3", (float[]){1, 2, 3});
    kernel_output(&c, DV_DTYPE_F32, "1x3");
    EXPECT_F32(&c, 1, 2, 3);
    kernel_end(&c);
}

static void test_group_norm_normalises_each_group_of_channels(void)
{
    kernel_case c = kernel_case_of(DV_OP_GROUP_NORM);
    c.params.norm = (dv_norm_params){.eps = 0, .groups = 2};
    kernel_input(&c, DV_DTYPE_F32, "1x4x1", (float[]){-1, 1, 10, 30});
    kernel_input(&c, DV_DTYPE_F32, "4", (float[]){1, 2, 3, 4});
    kernel_input(&c, DV_DTYPE_F32, "4", (float[]){0, 0, 0, 1});
    kernel_output(&c, DV_DTYPE_F32, "1x4x1");
    EXPECT_F32(&c, -1, 2, -3, 5);
    kernel_end(&c);
}

static void test_group_norm_with_as_many_groups_as_channels_is_instance_norm(void)
{
    kernel_case c = kernel_case_of(DV_OP_GROUP_NORM);
    c.params.norm = (dv_norm_params){.eps = 0, .groups = 2};
    kernel_input(&c, DV_DTYPE_F32, "1x2x2", (float[]){3, 5, -8, 8});
    kernel_output(&c, DV_DTYPE_F32, "1x2x2");
    EXPECT_F32(&c, -1, 1, -1, 1);
    kernel_end(&c);
}

/* size 3, alpha 3 and bias 1: x / (1 + sum of squares of the channel and its neighbours). */
static void test_local_response_norm_divides_by_neighbouring_channels(void)
{
    kernel_case c = kernel_case_of(DV_OP_LRN);
    c.params.lrn = (dv_lrn_params){.size = 3, .alpha = 3, .beta = 1, .bias = 1};
    kernel_input(&c, DV_DTYPE_F32, "1x3x1x1", (float[]){1, 2, 3});
    kernel_output(&c, DV_DTYPE_F32, "1x3x1x1");
    EXPECT_F32(&c, 1.f / 6, 2.f / 15, 3.f / 14);
    kernel_end(&c);
}

static void test_empty_batches_pass(void)
{
    dv_op_kind kinds[] = {DV_OP_LAYER_NORM, DV_OP_GROUP_NORM, DV_OP_LRN};
    for (int i = 0; i < 3; i++) {
        kernel_case c = kernel_case_of(kinds[i]);
        if (kinds[i] == DV_OP_LRN)
            c.params.lrn.size = 1;
        else
            c.params.norm = (dv_norm_params){.axes = 1, .groups = 1};
        kernel_input(&c, DV_DTYPE_F32, "0x2x2", NULL);
        kernel_output(&c, DV_DTYPE_F32, "0x2x2");
        CU_ASSERT_EQUAL(kernel_run(&c), DV_OK);
        kernel_end(&c);
    }
}

DV_SUITE(portable_normalise, DV_TEST(test_batch_norm_uses_the_statistics_it_is_given),
         DV_TEST(test_batch_norm_with_too_few_parameters_is_refused),
         DV_TEST(test_layer_norm_centres_and_scales_each_row),
         DV_TEST(test_layer_norm_gives_mean_zero_and_variance_one),
         DV_TEST(test_constant_row_becomes_the_bias_thanks_to_epsilon),
         DV_TEST(test_group_norm_normalises_each_group_of_channels),
         DV_TEST(test_group_norm_with_as_many_groups_as_channels_is_instance_norm),
         DV_TEST(test_local_response_norm_divides_by_neighbouring_channels),
         DV_TEST(test_empty_batches_pass));
