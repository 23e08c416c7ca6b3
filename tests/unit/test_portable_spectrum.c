/* Fourier transforms, determinants, reversed sequences, running products. */
#include "tests/unit/kernel_case.h"

static kernel_case dft_case(bool inverse, bool onesided)
{
    kernel_case c = kernel_case_of(DV_OP_DFT);
    c.params.spectrum =
        (dv_spectrum_params){.axis = 1, .length = 4, .inverse = inverse, .onesided = onesided};
    return c;
}

static void test_dft_of_a_cosine_is_two_lines(void)
{
    kernel_case c = dft_case(false, false);
    kernel_input(&c, DV_DTYPE_F32, "1x4x1", (float[]){1, 0, -1, 0});
    kernel_output(&c, DV_DTYPE_F32, "1x4x2");
    EXPECT_F32(&c, 0, 0, 2, 0, 0, 0, 2, 0);
    kernel_end(&c);
}

static void test_half_a_spectrum_gives_the_real_signal_back(void)
{
    kernel_case c = dft_case(false, true);
    kernel_input(&c, DV_DTYPE_F32, "1x4x1", (float[]){1, 2, 3, 5});
    kernel_output(&c, DV_DTYPE_F32, "1x3x2");
    EXPECT_F32(&c, 11, 0, -2, 3, -3, 0);
    kernel_end(&c);

    c = dft_case(true, true);
    kernel_input(&c, DV_DTYPE_F32, "1x3x2", (float[]){11, 0, -2, 3, -3, 0});
    kernel_output(&c, DV_DTYPE_F32, "1x4x1");
    EXPECT_F32(&c, 1, 2, 3, 5);
    kernel_end(&c);
}

static void test_stft_transforms_weighted_frames(void)
{
    kernel_case c = kernel_case_of(DV_OP_STFT);
    c.params.spectrum = (dv_spectrum_params){.length = 2, .step = 2, .onesided = true};
    kernel_input(&c, DV_DTYPE_F32, "1x5x1", (float[]){1, 2, 3, 4, 5});
    kernel_input(&c, DV_DTYPE_F32, "2", (float[]){1, 10});
    kernel_output(&c, DV_DTYPE_F32, "1x2x2x2");
    EXPECT_F32(&c, 21, 0, -19, 0, 43, 0, -37, 0);
    kernel_end(&c);
}

static void test_determinants_follow_row_exchanges_and_find_singular_matrices(void)
{
    kernel_case c = kernel_case_of(DV_OP_DET);
    kernel_input(&c, DV_DTYPE_F32, "3x2x2", (float[]){1, 2, 3, 4, 0, 1, 1, 0, 2, 4, 1, 2});
    kernel_output(&c, DV_DTYPE_F32, "3");
    EXPECT_F32(&c, -2, -1, 0);
    kernel_end(&c);
}

static void test_each_sequence_is_reversed_to_its_length(void)
{
    kernel_case c = kernel_case_of(DV_OP_REVERSE_SEQUENCE);
    c.params.reverse = (dv_reverse_params){.axis = 1, .batch = 0};
    kernel_input(&c, DV_DTYPE_I32, "2x3", NULL);
    kernel_input(&c, DV_DTYPE_I64, "2", (int64_t[]){3, 2});
    kernel_output(&c, DV_DTYPE_I32, "2x3");
    EXPECT(int32_t, &c, 2, 1, 0, 4, 3, 5);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_REVERSE_SEQUENCE);
    c.params.reverse = (dv_reverse_params){.axis = 1, .batch = 0};
    kernel_input(&c, DV_DTYPE_I32, "2x3", NULL);
    kernel_input(&c, DV_DTYPE_I64, "2", (int64_t[]){4, 2});
    kernel_output(&c, DV_DTYPE_I32, "2x3");
    CU_ASSERT_EQUAL(kernel_run(&c), DV_BAD_INPUT); /* longer than the sequence */
    kernel_end(&c);
}

static void test_running_products(void)
{
    kernel_case c = kernel_case_of(DV_OP_CUMPROD);
    c.params.axis = (dv_axis_params){.axis = 0, .exclusive = true};
    kernel_input(&c, DV_DTYPE_F32, "4", (float[]){2, 3, 4, 5});
    kernel_output(&c, DV_DTYPE_F32, "4");
    EXPECT_F32(&c, 1, 2, 6, 24);
    kernel_end(&c);
}

DV_SUITE(portable_spectrum, DV_TEST(test_dft_of_a_cosine_is_two_lines),
         DV_TEST(test_half_a_spectrum_gives_the_real_signal_back),
         DV_TEST(test_stft_transforms_weighted_frames),
         DV_TEST(test_determinants_follow_row_exchanges_and_find_singular_matrices),
         DV_TEST(test_each_sequence_is_reversed_to_its_length), DV_TEST(test_running_products));
