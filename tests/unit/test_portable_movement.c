/* Kernels that move elements. */
#include "tests/unit/kernel_case.h"

static void test_views_keep_the_elements(void)
{
    static const dv_op_kind kinds[] = {DV_OP_VIEW, DV_OP_SQUEEZE, DV_OP_UNSQUEEZE, DV_OP_FLATTEN,
                                       DV_OP_IDENTITY};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        kernel_case c = kernel_case_of(kinds[k]);
        kernel_input(&c, DV_DTYPE_I64, "2x3", NULL);
        kernel_output(&c, DV_DTYPE_I64, "3x2x1");
        EXPECT(int64_t, &c, 0, 1, 2, 3, 4, 5);
        kernel_end(&c);
    }
}

static void test_view_of_another_size_is_refused(void)
{
    kernel_case c = kernel_case_of(DV_OP_VIEW);
    kernel_input(&c, DV_DTYPE_F32, "2x3", NULL);
    kernel_output(&c, DV_DTYPE_F32, "7");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

static kernel_case permute_case(uint8_t rank, uint8_t a, uint8_t b, uint8_t c)
{
    kernel_case k = kernel_case_of(DV_OP_PERMUTE);
    k.params.permute = (dv_permute_params){.rank = rank, .perm = {a, b, c}};
    return k;
}

static void test_permutation_moves_dims(void)
{
    kernel_case c = permute_case(2, 1, 0, 0);
    kernel_input(&c, DV_DTYPE_F32, "2x3", NULL);
    kernel_output(&c, DV_DTYPE_F32, "3x2");
    EXPECT_F32(&c, 0, 3, 1, 4, 2, 5);
    kernel_end(&c);

    c = permute_case(3, 2, 0, 1); /* 2x1x3 -> 3x2x1 */
    kernel_input(&c, DV_DTYPE_I8, "2x1x3", NULL);
    kernel_output(&c, DV_DTYPE_I8, "3x2x1");
    EXPECT(int8_t, &c, 0, 3, 1, 4, 2, 5);
    kernel_end(&c);
}

static void test_permutation_that_repeats_a_dim_is_refused(void)
{
    kernel_case c = permute_case(2, 1, 1, 0);
    kernel_input(&c, DV_DTYPE_F32, "2x2", NULL);
    kernel_output(&c, DV_DTYPE_F32, "2x2");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

static void test_expand_repeats_dims_of_one(void)
{
    kernel_case c = kernel_case_of(DV_OP_EXPAND);
    kernel_input(&c, DV_DTYPE_F32, "2x1", (float[]){1, 2});
    kernel_output(&c, DV_DTYPE_F32, "2x2x3");
    EXPECT_F32(&c, 1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2);
    kernel_end(&c);
}

static void test_repeat_tiles_each_dim(void)
{
    kernel_case c = kernel_case_of(DV_OP_REPEAT);
    c.params.view.shape = dv_shape_make((int64_t[]){2, 1, 2}, 3);
    kernel_input(&c, DV_DTYPE_F32, "2x2", (float[]){1, 2, 3, 4});
    kernel_output(&c, DV_DTYPE_F32, "2x2x4");
    EXPECT_F32(&c, 1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4);
    kernel_end(&c);
}

static void test_cat_joins_along_its_axis_and_lets_empty_vectors_pass(void)
{
    kernel_case c = kernel_case_of(DV_OP_CAT);
    c.params.axis.axis = 1;
    kernel_input(&c, DV_DTYPE_F32, "2x2", (float[]){1, 2, 3, 4});
    kernel_input(&c, DV_DTYPE_F32, "0", NULL);
    kernel_input(&c, DV_DTYPE_F32, "2x1", (float[]){8, 9});
    kernel_output(&c, DV_DTYPE_F32, "2x3");
    EXPECT_F32(&c, 1, 2, 8, 3, 4, 9);
    kernel_end(&c);
}

static void test_cat_of_many_inputs(void)
{
    kernel_case c = kernel_case_of(DV_OP_CAT);
    for (int i = 0; i < 12; i++)
        kernel_input(&c, DV_DTYPE_I32, "1", (int32_t[]){i});
    kernel_output(&c, DV_DTYPE_I32, "12");
    EXPECT(int32_t, &c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    kernel_end(&c);
}

static void test_cat_whose_parts_do_not_add_up_is_refused(void)
{
    kernel_case c = kernel_case_of(DV_OP_CAT);
    kernel_input(&c, DV_DTYPE_F32, "2", NULL);
    kernel_input(&c, DV_DTYPE_F32, "2", NULL);
    kernel_output(&c, DV_DTYPE_F32, "5");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

static void test_split_cuts_in_the_sizes_given_and_skips_what_nobody_wants(void)
{
    static const int64_t sizes[] = {1, 2, 1};
    kernel_case c = kernel_case_of(DV_OP_SPLIT);
    c.params.split = (dv_split_params){.axis = 1, .count = 3, .sizes = sizes};
    kernel_input(&c, DV_DTYPE_F32, "2x4", NULL);
    kernel_output(&c, DV_DTYPE_F32, "2x1");
    kernel_output(&c, DV_DTYPE_NONE, "");
    kernel_output(&c, DV_DTYPE_F32, "2x1");
    EXPECT_F32(&c, 0, 4);
    const float *last = c.outputs[2].data;
    CU_ASSERT_EQUAL(last[0], 3);
    CU_ASSERT_EQUAL(last[1], 7);
    kernel_end(&c);
}

static kernel_case slice_case(int64_t b0, int64_t e0, int64_t s0, int64_t b1, int64_t e1,
                              int64_t s1)
{
    kernel_case c = kernel_case_of(DV_OP_SLICE);
    c.params.slice = (dv_slice_params){
        .count = 2, .axes = {0, 1}, .begin = {b0, b1}, .end = {e0, e1}, .step = {s0, s1}};
    return c;
}

static void test_slice_steps_forward_and_backward(void)
{
    kernel_case c = slice_case(0, 2, 1, 1, 4, 2);
    kernel_input(&c, DV_DTYPE_F32, "2x4", NULL);
    kernel_output(&c, DV_DTYPE_F32, "2x2");
    EXPECT_F32(&c, 1, 3, 5, 7);
    kernel_end(&c);

    c = slice_case(1, -1, -1, 3, -1, -3);
    kernel_input(&c, DV_DTYPE_F32, "2x4", NULL);
    kernel_output(&c, DV_DTYPE_F32, "2x2");
    EXPECT_F32(&c, 7, 4, 3, 0);
    kernel_end(&c);
}

static void test_slice_of_nothing_passes_and_one_that_leaves_the_input_is_refused(void)
{
    kernel_case c = slice_case(2, 2, 1, 0, 4, 1);
    kernel_input(&c, DV_DTYPE_F32, "2x4", NULL);
    kernel_output(&c, DV_DTYPE_F32, "0x4");
    CU_ASSERT_EQUAL(kernel_run(&c), DV_OK);
    kernel_end(&c);

    c = slice_case(0, 3, 1, 0, 4, 1);
    kernel_input(&c, DV_DTYPE_F32, "2x4", NULL);
    kernel_output(&c, DV_DTYPE_F32, "3x4");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);

    c = slice_case(0, 2, INT64_MAX, 0, 4, 1);
    kernel_input(&c, DV_DTYPE_F32, "2x4", NULL);
    kernel_output(&c, DV_DTYPE_F32, "2x4");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

static void test_select_drops_its_axis(void)
{
    kernel_case c = kernel_case_of(DV_OP_SELECT);
    c.params.select = (dv_select_params){.axis = 1, .index = 2};
    kernel_input(&c, DV_DTYPE_F32, "2x3x2", NULL);
    kernel_output(&c, DV_DTYPE_F32, "2x2");
    EXPECT_F32(&c, 4, 5, 10, 11);
    kernel_end(&c);
}

/* Channels of block position (row, column): 0..3 of the one output channel. */
static void test_pixel_shuffle_turns_channels_into_pixels(void)
{
    kernel_case c = kernel_case_of(DV_OP_PIXEL_SHUFFLE);
    c.params.shuffle.block = 2;
    kernel_input(&c, DV_DTYPE_F32, "1x8x1x1", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x2x2x2");
    EXPECT_F32(&c, 0, 1, 2, 3, 4, 5, 6, 7);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_PIXEL_SHUFFLE);
    c.params.shuffle = (dv_shuffle_params){.block = 2, .dcr = true};
    kernel_input(&c, DV_DTYPE_F32, "1x8x1x1", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x2x2x2");
    EXPECT_F32(&c, 0, 2, 4, 6, 1, 3, 5, 7);
    kernel_end(&c);
}

static void test_pixel_shuffle_interleaves_rows_and_columns(void)
{
    kernel_case c = kernel_case_of(DV_OP_PIXEL_SHUFFLE);
    c.params.shuffle.block = 2;
    kernel_input(&c, DV_DTYPE_F32, "1x4x1x2", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x1x2x4");
    EXPECT_F32(&c, 0, 2, 1, 3, 4, 6, 5, 7);
    kernel_end(&c);
}

static void test_triangles_keep_one_side_of_the_diagonal(void)
{
    static const struct {
        bool upper;
        int64_t diagonal;
        float y[9];
    } rows[] = {
        {false, 0, {1, 0, 0, 4, 5, 0, 7, 8, 9}},
        {false, -1, {0, 0, 0, 4, 0, 0, 7, 8, 0}},
        {true, 0, {1, 2, 3, 0, 5, 6, 0, 0, 9}},
        {true, 1, {0, 2, 3, 0, 0, 6, 0, 0, 0}},
    };
    for (size_t r = 0; r < 4; r++) {
        kernel_case c = kernel_case_of(DV_OP_TRIL);
        c.params.tri = (dv_tri_params){.diagonal = rows[r].diagonal, .upper = rows[r].upper};
        kernel_input(&c, DV_DTYPE_F32, "3x3", (float[]){1, 2, 3, 4, 5, 6, 7, 8, 9});
        kernel_output(&c, DV_DTYPE_F32, "3x3");
        CU_ASSERT_TRUE(kernel_gives(&c, rows[r].y, 9, 0));
        kernel_end(&c);
    }
}

DV_SUITE(portable_movement, DV_TEST(test_views_keep_the_elements),
         DV_TEST(test_view_of_another_size_is_refused), DV_TEST(test_permutation_moves_dims),
         DV_TEST(test_permutation_that_repeats_a_dim_is_refused),
         DV_TEST(test_expand_repeats_dims_of_one), DV_TEST(test_repeat_tiles_each_dim),
         DV_TEST(test_cat_joins_along_its_axis_and_lets_empty_vectors_pass),
         DV_TEST(test_cat_of_many_inputs), DV_TEST(test_cat_whose_parts_do_not_add_up_is_refused),
         DV_TEST(test_split_cuts_in_the_sizes_given_and_skips_what_nobody_wants),
         DV_TEST(test_slice_steps_forward_and_backward),
         DV_TEST(test_slice_of_nothing_passes_and_one_that_leaves_the_input_is_refused),
         DV_TEST(test_select_drops_its_axis),
         DV_TEST(test_pixel_shuffle_turns_channels_into_pixels),
         DV_TEST(test_pixel_shuffle_interleaves_rows_and_columns),
         DV_TEST(test_triangles_keep_one_side_of_the_diagonal));
