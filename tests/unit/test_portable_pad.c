/* Padding. */
#include "tests/unit/kernel_case.h"

static kernel_case pad_case(dv_pad_mode mode, int64_t before, int64_t after)
{
    kernel_case c = kernel_case_of(DV_OP_PAD);
    c.params.pad =
        (dv_pad_params){.mode = mode, .rank = 1, .begin = {before}, .end = {after}, .value = 9};
    return c;
}

static void test_modes_on_a_line(void)
{
    static const struct {
        dv_pad_mode mode;
        float y[8];
    } rows[] = {
        {DV_PAD_CONSTANT, {9, 9, 1, 2, 3, 9, 9, 9}},
        {DV_PAD_EDGE, {1, 1, 1, 2, 3, 3, 3, 3}},
        {DV_PAD_REFLECT, {3, 2, 1, 2, 3, 2, 1, 2}}, /* back and forth */
    };
    for (size_t r = 0; r < 3; r++) {
        kernel_case c = pad_case(rows[r].mode, 2, 3);
        kernel_input(&c, DV_DTYPE_F32, "3", (float[]){1, 2, 3});
        kernel_output(&c, DV_DTYPE_F32, "8");
        CU_ASSERT_TRUE(kernel_gives(&c, rows[r].y, 8, 0));
        kernel_end(&c);
    }
}

static void test_negative_pads_crop(void)
{
    kernel_case c = pad_case(DV_PAD_CONSTANT, -1, 1);
    kernel_input(&c, DV_DTYPE_I32, "3", (int32_t[]){1, 2, 3});
    kernel_output(&c, DV_DTYPE_I32, "3");
    EXPECT(int32_t, &c, 2, 3, 9);
    kernel_end(&c);
}

static void test_padding_of_images_is_by_dim(void)
{
    kernel_case c = kernel_case_of(DV_OP_PAD);
    c.params.pad = (dv_pad_params){.rank = 3, .begin = {0, 1, 0}, .end = {1, 0, 1}};
    kernel_input(&c, DV_DTYPE_F32, "1x1x2", (float[]){1, 2});
    kernel_output(&c, DV_DTYPE_F32, "2x2x3");
    EXPECT_F32(&c, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_PAD);
    c.params.pad =
        (dv_pad_params){.mode = DV_PAD_REFLECT, .rank = 2, .begin = {1, 0}, .end = {0, 1}};
    kernel_input(&c, DV_DTYPE_F32, "2x2", (float[]){1, 2, 3, 4});
    kernel_output(&c, DV_DTYPE_F32, "3x3");
    EXPECT_F32(&c, 3, 4, 3, 1, 2, 1, 3, 4, 3);
    kernel_end(&c);
}

static void test_nothing_can_be_padded_with_a_constant_but_not_reflected(void)
{
    kernel_case c = pad_case(DV_PAD_CONSTANT, 1, 1);
    kernel_input(&c, DV_DTYPE_F32, "0", NULL);
    kernel_output(&c, DV_DTYPE_F32, "2");
    EXPECT_F32(&c, 9, 9);
    kernel_end(&c);

    c = pad_case(DV_PAD_REFLECT, 1, 1);
    kernel_input(&c, DV_DTYPE_F32, "0", NULL);
    kernel_output(&c, DV_DTYPE_F32, "2");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

static void test_scalar_has_nothing_to_pad(void)
{
    kernel_case c = kernel_case_of(DV_OP_PAD);
    kernel_input(&c, DV_DTYPE_F32, "", (float[]){4});
    kernel_output(&c, DV_DTYPE_F32, "");
    EXPECT_F32(&c, 4);
    kernel_end(&c);
}

DV_SUITE(portable_pad, DV_TEST(test_modes_on_a_line), DV_TEST(test_negative_pads_crop),
         DV_TEST(test_padding_of_images_is_by_dim),
         DV_TEST(test_nothing_can_be_padded_with_a_constant_but_not_reflected),
         DV_TEST(test_scalar_has_nothing_to_pad));
