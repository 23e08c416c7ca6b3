/* Writes and reads by index, orders, bits. */
#include <math.h>
#include <string.h>

#include "tests/unit/kernel_case.h"

static kernel_case scatter_case(dv_op_kind kind, int64_t axis, dv_scatter_mode mode)
{
    kernel_case c = kernel_case_of(kind);
    c.params.scatter = (dv_scatter_params){axis, mode};
    return c;
}

static void test_scatter_writes_each_update_where_its_index_says(void)
{
    kernel_case c = scatter_case(DV_OP_SCATTER, 1, DV_SCATTER_SET);
    kernel_input(&c, DV_DTYPE_F32, "1x5", (float[]){1, 2, 3, 4, 5});
    kernel_input(&c, DV_DTYPE_I64, "1x2", (int64_t[]){1, -2});
    kernel_input(&c, DV_DTYPE_F32, "1x2", (float[]){1.1f, 2.1f});
    kernel_output(&c, DV_DTYPE_F32, "1x5");
    EXPECT_F32(&c, 1, 1.1f, 3, 2.1f, 5);
    kernel_end(&c);
}

static void test_updates_of_one_place_add_up(void)
{
    kernel_case c = scatter_case(DV_OP_SCATTER, 0, DV_SCATTER_ADD);
    kernel_input(&c, DV_DTYPE_I32, "3", (int32_t[]){10, 20, 30});
    kernel_input(&c, DV_DTYPE_I64, "3", (int64_t[]){1, 1, 0});
    kernel_input(&c, DV_DTYPE_I32, "3", (int32_t[]){1, 2, 3});
    kernel_output(&c, DV_DTYPE_I32, "3");
    EXPECT(int32_t, &c, 13, 23, 30);
    kernel_end(&c);
}

static void test_scatter_nd_combines_whole_slices(void)
{
    kernel_case c = scatter_case(DV_OP_SCATTER_ND, 0, DV_SCATTER_MAX);
    kernel_input(&c, DV_DTYPE_F32, "3x2", NULL);
    kernel_input(&c, DV_DTYPE_I64, "2x1", (int64_t[]){2, 0});
    kernel_input(&c, DV_DTYPE_F32, "2x2", (float[]){9, 1, -1, 7});
    kernel_output(&c, DV_DTYPE_F32, "3x2");
    EXPECT_F32(&c, 0, 7, 2, 3, 9, 5);
    kernel_end(&c);
}

static void test_gather_nd_reads_slices_behind_its_batch(void)
{
    kernel_case c = kernel_case_of(DV_OP_GATHER_ND);
    c.params.axis.axis = 1;
    kernel_input(&c, DV_DTYPE_F32, "2x2x2", NULL);
    kernel_input(&c, DV_DTYPE_I64, "2x1", (int64_t[]){1, 0});
    kernel_output(&c, DV_DTYPE_F32, "2x2");
    EXPECT_F32(&c, 2, 3, 4, 5);
    kernel_end(&c);
}

static void test_an_index_out_of_range_is_named(void)
{
    static const dv_op_kind kinds[] = {DV_OP_SCATTER, DV_OP_SCATTER_ND};
    for (size_t k = 0; k < 2; k++) {
        kernel_case c = scatter_case(kinds[k], 0, DV_SCATTER_SET);
        kernel_input(&c, DV_DTYPE_F32, "3", NULL);
        kernel_input(&c, DV_DTYPE_I64, k ? "1x1" : "1", (int64_t[]){3});
        kernel_input(&c, DV_DTYPE_F32, "1", NULL);
        kernel_output(&c, DV_DTYPE_F32, "3");
        CU_ASSERT_EQUAL(kernel_run(&c), DV_BAD_INPUT);
        CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "index 3 is out of range"));
        kernel_end(&c);
    }
}

static void test_topk_gives_the_extremes_in_order_and_where_they_were(void)
{
    for (int smallest = 0; smallest < 2; smallest++) {
        kernel_case c = kernel_case_of(DV_OP_TOPK);
        c.params.topk = (dv_topk_params){.axis = 0, .k = 2, .smallest = smallest};
        kernel_input(&c, DV_DTYPE_F32, "4x2", (float[]){1, 8, 4, 7, 4, 6, 0, 9});
        kernel_output(&c, DV_DTYPE_F32, "2x2");
        kernel_output(&c, DV_DTYPE_I64, "2x2");
        if (smallest) {
            EXPECT_F32(&c, 0, 6, 1, 7);
        } else {
            EXPECT_F32(&c, 4, 9, 4, 8);
        }
        const int64_t *at = c.outputs[1].data;
        /* of equal elements the first comes first */
        CU_ASSERT_TRUE(smallest ? at[0] == 3 && at[2] == 0 : at[0] == 1 && at[2] == 2);
        kernel_end(&c);
    }
}

static void test_of_equal_extremes_the_first_or_the_last_is_found(void)
{
    static const struct {
        dv_op_kind kind;
        bool last;
        int64_t at;
    } rows[] = {{DV_OP_ARGMAX, false, 1},
                {DV_OP_ARGMAX, true, 3},
                {DV_OP_ARGMIN, false, 0},
                {DV_OP_ARGMIN, true, 2}};
    for (size_t r = 0; r < 4; r++) {
        kernel_case c = kernel_case_of(rows[r].kind);
        c.params.reduce = (dv_reduce_params){.count = 1, .last = rows[r].last};
        kernel_input(&c, DV_DTYPE_I64, "4", (int64_t[]){-5, INT64_MAX, -5, INT64_MAX});
        kernel_output(&c, DV_DTYPE_I64, "");
        EXPECT(int64_t, &c, rows[r].at);
        kernel_end(&c);
    }
}

static void test_pixel_unshuffle_undoes_pixel_shuffle(void)
{
    for (int dcr = 0; dcr < 2; dcr++) {
        float middle[2 * 8 * 2 * 3];
        kernel_case c = kernel_case_of(DV_OP_PIXEL_UNSHUFFLE);
        c.params.shuffle = (dv_shuffle_params){2, dcr};
        kernel_input(&c, DV_DTYPE_F32, "2x2x4x6", NULL);
        kernel_output(&c, DV_DTYPE_F32, "2x8x2x3");
        CU_ASSERT_EQUAL_FATAL(kernel_run(&c), DV_OK);
        memcpy(middle, c.outputs[0].data, sizeof middle);
        kernel_end(&c);
        c = kernel_case_of(DV_OP_PIXEL_SHUFFLE);
        c.params.shuffle = (dv_shuffle_params){2, dcr};
        kernel_input(&c, DV_DTYPE_F32, "2x8x2x3", middle);
        kernel_output(&c, DV_DTYPE_F32, "2x2x4x6");
        float expected[96];
        for (int i = 0; i < 96; i++)
            expected[i] = (float)i;
        CU_ASSERT_TRUE(kernel_gives(&c, expected, 96, 0));
        kernel_end(&c);
    }
}

static void test_bits_are_combined_and_shifted(void)
{
    static const struct {
        dv_op_kind kind;
        uint8_t y[3];
    } rows[] = {{DV_OP_BITWISE_AND, {1, 0, 8}},
                {DV_OP_BITWISE_OR, {3, 12, 200}},
                {DV_OP_BITWISE_XOR, {2, 12, 192}},
                {DV_OP_SHIFT_LEFT, {6, 0, 0}},
                {DV_OP_SHIFT_RIGHT, {1, 0, 0}}};
    for (size_t r = 0; r < 5; r++) {
        kernel_case c = kernel_case_of(rows[r].kind);
        kernel_input(&c, DV_DTYPE_U8, "3", (uint8_t[]){3, 4, 200});
        kernel_input(&c, DV_DTYPE_U8, "3", (uint8_t[]){1, 8, 8});
        kernel_output(&c, DV_DTYPE_U8, "3");
        CU_ASSERT_TRUE(kernel_gives(&c, rows[r].y, 3, 0));
        kernel_end(&c);
    }
    kernel_case c = kernel_case_of(DV_OP_SHIFT_RIGHT);
    kernel_input(&c, DV_DTYPE_I32, "3", (int32_t[]){-8, -8, 8});
    kernel_input(&c, DV_DTYPE_I32, "3", (int32_t[]){1, 70, 70});
    kernel_output(&c, DV_DTYPE_I32, "3");
    EXPECT(int32_t, &c, -4, -1, 0);
    kernel_end(&c);
    c = kernel_case_of(DV_OP_BITWISE_NOT);
    kernel_input(&c, DV_DTYPE_I8, "3", (int8_t[]){0, -1, 5});
    kernel_output(&c, DV_DTYPE_I8, "3");
    EXPECT(int8_t, &c, -1, 0, -6);
    kernel_end(&c);
}

static void test_infinities_of_both_signs_are_infinite_and_nan_is_not(void)
{
    kernel_case c = kernel_case_of(DV_OP_ISINF);
    kernel_input(&c, DV_DTYPE_F32, "4", (float[]){INFINITY, -INFINITY, NAN, 3});
    kernel_output(&c, DV_DTYPE_BOOL, "4");
    EXPECT(uint8_t, &c, 1, 1, 0, 0);
    kernel_end(&c);
}

DV_SUITE(portable_scatter, DV_TEST(test_scatter_writes_each_update_where_its_index_says),
         DV_TEST(test_updates_of_one_place_add_up), DV_TEST(test_scatter_nd_combines_whole_slices),
         DV_TEST(test_gather_nd_reads_slices_behind_its_batch),
         DV_TEST(test_an_index_out_of_range_is_named),
         DV_TEST(test_topk_gives_the_extremes_in_order_and_where_they_were),
         DV_TEST(test_of_equal_extremes_the_first_or_the_last_is_found),
         DV_TEST(test_pixel_unshuffle_undoes_pixel_shuffle),
         DV_TEST(test_bits_are_combined_and_shifted),
         DV_TEST(test_infinities_of_both_signs_are_infinite_and_nan_is_not));
