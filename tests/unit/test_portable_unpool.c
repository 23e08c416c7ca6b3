/* Pooling with indices and back, and blocks put together. */
#include "tests/unit/kernel_case.h"

static kernel_case pool_case(dv_op_kind kind)
{
    kernel_case c = kernel_case_of(kind);
    c.params.pool = (dv_pool_params){.spatial = 2,
                                     .kernel = {2, 2},
                                     .stride = {2, 2},
                                     .dilation = {1, 1},
                                     .image = {4, 4},
                                     .p = 2};
    return c;
}

static void test_max_pool_tells_where_the_largest_was(void)
{
    kernel_case c = pool_case(DV_OP_MAX_POOL);
    kernel_input(&c, DV_DTYPE_F32, "1x1x2x4", (float[]){1, 9, 3, 3, 4, 5, 3, 2});
    kernel_output(&c, DV_DTYPE_F32, "1x1x1x2");
    kernel_output(&c, DV_DTYPE_I64, "1x1x1x2");
    EXPECT_F32(&c, 9, 3);
    const int64_t *indices = c.outputs[1].data;
    CU_ASSERT_EQUAL(indices[0], 1);
    CU_ASSERT_EQUAL(indices[1], 2); /* the first of equals */
    kernel_end(&c);
}

static void test_max_unpool_puts_elements_back(void)
{
    kernel_case c = pool_case(DV_OP_MAX_UNPOOL);
    c.params.pool.whole = true;
    kernel_input(&c, DV_DTYPE_F32, "1x1x2x2", (float[]){1, 2, 3, 4});
    kernel_input(&c, DV_DTYPE_I64, "1x1x2x2", (int64_t[]){0, 7, 8, 15});
    kernel_output(&c, DV_DTYPE_F32, "1x1x4x4");
    EXPECT_F32(&c, 1, 0, 0, 0, 0, 0, 0, 2, 3, 0, 0, 0, 0, 0, 0, 4);
    kernel_end(&c);
}

static void test_an_index_outside_is_an_error(void)
{
    kernel_case c = pool_case(DV_OP_MAX_UNPOOL);
    c.params.pool.whole = true;
    kernel_input(&c, DV_DTYPE_F32, "1x1x2x2", NULL);
    kernel_input(&c, DV_DTYPE_I64, "1x1x2x2", (int64_t[]){0, 7, 8, 16});
    kernel_output(&c, DV_DTYPE_F32, "1x1x4x4");
    CU_ASSERT_EQUAL(kernel_run(&c), DV_BAD_INPUT);
    kernel_end(&c);
}

static void test_overlapping_blocks_add_up(void)
{
    kernel_case c = pool_case(DV_OP_COL2IM);
    c.params.pool.stride[0] = c.params.pool.stride[1] = 1;
    c.params.pool.image[0] = 2;
    c.params.pool.image[1] = 3;
    kernel_input(&c, DV_DTYPE_F32, "1x4x2", (float[]){1, 1, 1, 1, 1, 1, 1, 1});
    kernel_output(&c, DV_DTYPE_F32, "1x1x2x3");
    EXPECT_F32(&c, 1, 2, 1, 1, 2, 1);
    kernel_end(&c);
}

static void test_lp_pool_is_the_norm_of_a_window(void)
{
    kernel_case c = pool_case(DV_OP_LP_POOL);
    kernel_input(&c, DV_DTYPE_F32, "1x1x2x2", (float[]){-1, 3, 5, -1});
    kernel_output(&c, DV_DTYPE_F32, "1x1x1x1");
    EXPECT_F32(&c, 6);
    kernel_end(&c);
}

DV_SUITE(portable_unpool, DV_TEST(test_max_pool_tells_where_the_largest_was),
         DV_TEST(test_max_unpool_puts_elements_back), DV_TEST(test_an_index_outside_is_an_error),
         DV_TEST(test_overlapping_blocks_add_up), DV_TEST(test_lp_pool_is_the_norm_of_a_window));
