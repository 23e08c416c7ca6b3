/* Regions pooled to cells. */
#include "tests/unit/kernel_case.h"

static kernel_case region_case(dv_op_kind kind, int64_t cells, int64_t samples)
{
    kernel_case c = kernel_case_of(kind);
    c.params.region = (dv_region_params){
        .height = cells, .width = cells, .samples = samples, .scale = 1, .half_pixel = true};
    kernel_input(&c, DV_DTYPE_F32, "1x1x4x4", NULL);
    return c;
}

static void test_roi_align_of_whole_pixels_averages_them(void)
{
    kernel_case c = region_case(DV_OP_ROI_ALIGN, 2, 2);
    kernel_input(&c, DV_DTYPE_F32, "1x4", (float[]){0, 0, 4, 4});
    kernel_input(&c, DV_DTYPE_I64, "1", (int64_t[]){0});
    kernel_output(&c, DV_DTYPE_F32, "1x1x2x2");
    EXPECT_F32(&c, 2.5f, 4.5f, 10.5f, 12.5f);
    kernel_end(&c);
}

static void test_roi_of_no_image_is_an_error(void)
{
    kernel_case c = region_case(DV_OP_ROI_ALIGN, 2, 2);
    kernel_input(&c, DV_DTYPE_F32, "1x4", (float[]){0, 0, 4, 4});
    kernel_input(&c, DV_DTYPE_I64, "1", (int64_t[]){1});
    kernel_output(&c, DV_DTYPE_F32, "1x1x2x2");
    CU_ASSERT_EQUAL(kernel_run(&c), DV_BAD_INPUT);
    kernel_end(&c);
}

static void test_a_huge_region_ends(void)
{
    kernel_case c = region_case(DV_OP_ROI_ALIGN, 1, 0);
    kernel_input(&c, DV_DTYPE_F32, "1x4", (float[]){1e20f, 1e20f, 1e30f, 1e30f});
    kernel_input(&c, DV_DTYPE_I64, "1", (int64_t[]){0});
    kernel_output(&c, DV_DTYPE_F32, "1x1x1x1");
    EXPECT_F32(&c, 0);
    kernel_end(&c);
}

static void test_max_roi_pool_takes_the_largest_pixel_of_each_cell(void)
{
    kernel_case c = region_case(DV_OP_MAX_ROI_POOL, 2, 0);
    kernel_input(&c, DV_DTYPE_F32, "2x5", (float[]){0, 0, 0, 3, 3, 0, 2, 2, 9, 9});
    kernel_output(&c, DV_DTYPE_F32, "2x1x2x2");
    EXPECT_F32(&c, 5, 7, 13, 15, 15, 0, 0, 0); /* cells outside the image hold 0 */
    kernel_end(&c);
}

DV_SUITE(portable_region, DV_TEST(test_roi_align_of_whole_pixels_averages_them),
         DV_TEST(test_roi_of_no_image_is_an_error), DV_TEST(test_a_huge_region_ends),
         DV_TEST(test_max_roi_pool_takes_the_largest_pixel_of_each_cell));
