/* Quantised tensors and products of integers. */
#include "tests/unit/kernel_case.h"

static void test_quantising_rounds_halves_to_even_and_holds_the_range(void)
{
    kernel_case c = kernel_case_of(DV_OP_QUANTIZE);
    kernel_input(&c, DV_DTYPE_F32, "6", (float[]){0, 1, 3, 5, 1000, -1000});
    kernel_input(&c, DV_DTYPE_F32, "", (float[]){2});
    kernel_input(&c, DV_DTYPE_U8, "", (uint8_t[]){128});
    kernel_output(&c, DV_DTYPE_U8, "6");
    EXPECT(uint8_t, &c, 128, 128, 130, 130, 255, 0);
    kernel_end(&c);
}

static void test_each_channel_has_its_scale_and_zero_point(void)
{
    kernel_case c = kernel_case_of(DV_OP_DEQUANTIZE_CHANNEL);
    c.params.quant.axis = 1;
    kernel_input(&c, DV_DTYPE_I8, "1x2x2", (int8_t[]){0, 4, 0, 4});
    kernel_input(&c, DV_DTYPE_F32, "2", (float[]){0.5f, 10});
    kernel_input(&c, DV_DTYPE_I8, "2", (int8_t[]){2, -1});
    kernel_output(&c, DV_DTYPE_F32, "1x2x2");
    EXPECT_F32(&c, -1, 1, 10, 50);
    kernel_end(&c);
}

static void test_chosen_parameters_span_the_data_and_zero(void)
{
    kernel_case c = kernel_case_of(DV_OP_CHOOSE_QPARAMS);
    kernel_input(&c, DV_DTYPE_F32, "3", (float[]){-51, 0, 204});
    kernel_output(&c, DV_DTYPE_F32, "");
    kernel_output(&c, DV_DTYPE_U8, "");
    EXPECT_F32(&c, 1);
    CU_ASSERT_EQUAL(*(const uint8_t *)c.outputs[1].data, 51);
    kernel_end(&c);
}

static void test_padding_is_the_zero_point_in_a_convolution_of_integers(void)
{
    kernel_case c = kernel_case_of(DV_OP_CONV_INTEGER);
    c.params.conv = (dv_conv_params){.spatial = 1,
                                     .groups = 1,
                                     .stride = {1, 1, 1},
                                     .dilation = {1, 1, 1},
                                     .pad_begin = {1},
                                     .pad_end = {1}};
    kernel_input(&c, DV_DTYPE_U8, "1x1x3", (uint8_t[]){5, 255, 7});
    kernel_input(&c, DV_DTYPE_I8, "1x1x3", (int8_t[]){1, -128, 127});
    kernel_input(&c, DV_DTYPE_U8, "", (uint8_t[]){5});
    kernel_output(&c, DV_DTYPE_I32, "1x1x3");
    EXPECT(int32_t, &c, 250 * 127, 250 * -128 + 2 * 127, 250 - 2 * 128);
    kernel_end(&c);
}

static void test_integer_products_are_exact_where_floats_are_not(void)
{
    /* 70000 products of 255 * 255 exceed 2^24 and even 2^31: 32 bits wrap */
    static uint8_t ones[70000];
    for (size_t i = 0; i < 70000; i++)
        ones[i] = 255;
    kernel_case c = kernel_case_of(DV_OP_MATMUL_INTEGER);
    kernel_input(&c, DV_DTYPE_U8, "1x70000", ones);
    kernel_input(&c, DV_DTYPE_U8, "70000x1", ones);
    kernel_output(&c, DV_DTYPE_I32, "1x1");
    EXPECT(int32_t, &c, (int32_t)(uint32_t)(70000ull * 65025));
    kernel_end(&c);
}

static void test_zero_points_come_by_row_and_column(void)
{
    kernel_case c = kernel_case_of(DV_OP_MATMUL_INTEGER);
    kernel_input(&c, DV_DTYPE_I8, "2x2", (int8_t[]){1, 2, 3, 4});
    kernel_input(&c, DV_DTYPE_U8, "2x2", (uint8_t[]){1, 2, 3, 4});
    kernel_input(&c, DV_DTYPE_I8, "2", (int8_t[]){1, 3});
    kernel_input(&c, DV_DTYPE_U8, "2", (uint8_t[]){1, 2});
    kernel_output(&c, DV_DTYPE_I32, "2x2");
    EXPECT(int32_t, &c, 2, 2, 2, 2);
    kernel_end(&c);
}

static void test_floats_are_no_operands_of_integer_products(void)
{
    kernel_case c = kernel_case_of(DV_OP_MATMUL_INTEGER);
    kernel_input(&c, DV_DTYPE_F32, "1x1", NULL);
    kernel_input(&c, DV_DTYPE_U8, "1x1", NULL);
    kernel_output(&c, DV_DTYPE_I32, "1x1");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

DV_SUITE(portable_integer, DV_TEST(test_quantising_rounds_halves_to_even_and_holds_the_range),
         DV_TEST(test_each_channel_has_its_scale_and_zero_point),
         DV_TEST(test_chosen_parameters_span_the_data_and_zero),
         DV_TEST(test_padding_is_the_zero_point_in_a_convolution_of_integers),
         DV_TEST(test_integer_products_are_exact_where_floats_are_not),
         DV_TEST(test_zero_points_come_by_row_and_column),
         DV_TEST(test_floats_are_no_operands_of_integer_products));
