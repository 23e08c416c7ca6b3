/* Pooling. */
#include <math.h>

#include "tests/unit/kernel_case.h"

static kernel_case pool_case(dv_op_kind kind, uint8_t spatial, int64_t kernel, int64_t stride,
                             int64_t pad)
{
    kernel_case c = kernel_case_of(kind);
    dv_pool_params *p = &c.params.pool;
    p->spatial = spatial;
    for (int d = 0; d < spatial; d++) {
        p->kernel[d] = kernel;
        p->stride[d] = stride;
        p->dilation[d] = 1;
        p->pad_begin[d] = p->pad_end[d] = pad;
    }
    return c;
}

static void test_maximum_of_each_window(void)
{
    kernel_case c = pool_case(DV_OP_MAX_POOL, 2, 2, 2, 0);
    kernel_input(&c, DV_DTYPE_F32, "1x1x4x4", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x1x2x2");
    EXPECT_F32(&c, 5, 7, 13, 15);
    kernel_end(&c);
}

static void test_padding_never_wins_the_maximum(void)
{
    kernel_case c = pool_case(DV_OP_MAX_POOL, 1, 3, 1, 1);
    kernel_input(&c, DV_DTYPE_F32, "1x1x3", (float[]){-5, -3, -4});
    kernel_output(&c, DV_DTYPE_F32, "1x1x3");
    EXPECT_F32(&c, -3, -3, -3);
    kernel_end(&c);
}

static void test_average_counts_padding_only_if_asked(void)
{
    kernel_case c = pool_case(DV_OP_AVG_POOL, 1, 3, 1, 1);
    kernel_input(&c, DV_DTYPE_F32, "1x1x3", (float[]){3, 6, 9});
    kernel_output(&c, DV_DTYPE_F32, "1x1x3");
    EXPECT_F32(&c, 4.5f, 6, 7.5f);
    kernel_end(&c);

    c = pool_case(DV_OP_AVG_POOL, 1, 3, 1, 1);
    c.params.pool.count_include_pad = true;
    kernel_input(&c, DV_DTYPE_F32, "1x1x3", (float[]){3, 6, 9});
    kernel_output(&c, DV_DTYPE_F32, "1x1x3");
    EXPECT_F32(&c, 3, 6, 5);
    kernel_end(&c);
}

/* The last window hangs over the image; what is past the padding counts in no divisor. */
static void test_ceil_mode_adds_the_window_that_hangs_over(void)
{
    kernel_case c = pool_case(DV_OP_MAX_POOL, 1, 2, 2, 0);
    c.params.pool.ceil_mode = true;
    kernel_input(&c, DV_DTYPE_F32, "1x1x5", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x1x3");
    EXPECT_F32(&c, 1, 3, 4);
    kernel_end(&c);

    c = pool_case(DV_OP_AVG_POOL, 1, 2, 2, 0);
    c.params.pool.ceil_mode = c.params.pool.count_include_pad = true;
    kernel_input(&c, DV_DTYPE_F32, "1x1x5", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x1x3");
    EXPECT_F32(&c, 0.5f, 2.5f, 4);
    kernel_end(&c);
}

static void test_dilated_windows_skip_pixels(void)
{
    kernel_case c = pool_case(DV_OP_MAX_POOL, 1, 2, 1, 0);
    c.params.pool.dilation[0] = 3;
    kernel_input(&c, DV_DTYPE_F32, "1x1x5", (float[]){9, 1, 2, 3, 4});
    kernel_output(&c, DV_DTYPE_F32, "1x1x2");
    EXPECT_F32(&c, 9, 4);
    kernel_end(&c);
}

static void test_volumes_and_several_planes(void)
{
    kernel_case c = pool_case(DV_OP_AVG_POOL, 3, 2, 2, 0);
    kernel_input(&c, DV_DTYPE_F32, "1x2x2x2x2", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x2x1x1x1");
    EXPECT_F32(&c, 3.5f, 11.5f);
    kernel_end(&c);
}

static void test_integers_pool_to_the_maximum(void)
{
    kernel_case c = pool_case(DV_OP_MAX_POOL, 1, 2, 2, 0);
    kernel_input(&c, DV_DTYPE_U8, "1x1x4", (uint8_t[]){200, 3, 4, 255});
    kernel_output(&c, DV_DTYPE_U8, "1x1x2");
    EXPECT(uint8_t, &c, 200, 255);
    kernel_end(&c);
}

static void test_nan_wins_the_maximum(void)
{
    kernel_case c = pool_case(DV_OP_MAX_POOL, 1, 3, 1, 0);
    kernel_input(&c, DV_DTYPE_F32, "1x1x3", (float[]){1, NAN, 3});
    kernel_output(&c, DV_DTYPE_F32, "1x1x1");
    EXPECT_F32(&c, NAN);
    kernel_end(&c);
}

static void test_wrong_output_size_and_indices_of_another_type_are_refused(void)
{
    kernel_case c = pool_case(DV_OP_MAX_POOL, 2, 2, 2, 0);
    kernel_input(&c, DV_DTYPE_F32, "1x1x4x4", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x1x3x2");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);

    c = pool_case(DV_OP_MAX_POOL, 1, 2, 2, 0);
    kernel_input(&c, DV_DTYPE_F32, "1x1x4", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x1x2");
    kernel_output(&c, DV_DTYPE_I32, "1x1x2");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);

    c = pool_case(DV_OP_MAX_POOL, 1, 2, 0, 0);
    kernel_input(&c, DV_DTYPE_F32, "1x1x4", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x1x2");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

DV_SUITE(portable_pool, DV_TEST(test_maximum_of_each_window),
         DV_TEST(test_padding_never_wins_the_maximum),
         DV_TEST(test_average_counts_padding_only_if_asked),
         DV_TEST(test_ceil_mode_adds_the_window_that_hangs_over),
         DV_TEST(test_dilated_windows_skip_pixels), DV_TEST(test_volumes_and_several_planes),
         DV_TEST(test_integers_pool_to_the_maximum), DV_TEST(test_nan_wins_the_maximum),
         DV_TEST(test_wrong_output_size_and_indices_of_another_type_are_refused));
