/* Products with a weight matrix, and batched matrix products. */
#include <stdio.h>
#include <stdlib.h>

#include "core/rng.h"
#include "tests/unit/kernel_case.h"

static kernel_case linear_case(bool weight_kn)
{
    kernel_case c = kernel_case_of(DV_OP_LINEAR);
    c.params.linear = (dv_linear_params){.weight_kn = weight_kn, .alpha = 1, .beta = 1};
    return c;
}

static void test_linear_multiplies_rows_by_rows_of_the_weight(void)
{
    kernel_case c = linear_case(false);
    kernel_input(&c, DV_DTYPE_F32, "2x3", (float[]){1, 2, 3, 4, 5, 6});
    kernel_input(&c, DV_DTYPE_F32, "2x3", (float[]){1, 0, -1, 2, 2, 2});
    kernel_input(&c, DV_DTYPE_F32, "2", (float[]){10, 20});
    kernel_output(&c, DV_DTYPE_F32, "2x2");
    EXPECT_F32(&c, 8, 32, 8, 50);
    kernel_end(&c);
}

static void test_linear_takes_a_weight_that_lies_the_other_way(void)
{
    kernel_case c = linear_case(true);
    kernel_input(&c, DV_DTYPE_F32, "1x2x3", (float[]){1, 2, 3, 4, 5, 6});
    kernel_input(&c, DV_DTYPE_F32, "3x2", (float[]){1, 2, 0, 2, -1, 2});
    kernel_output(&c, DV_DTYPE_F32, "1x2x2");
    EXPECT_F32(&c, -2, 12, -2, 30);
    kernel_end(&c);
}

static void test_linear_over_no_terms_gives_the_bias(void)
{
    kernel_case c = linear_case(false);
    kernel_input(&c, DV_DTYPE_F32, "2x0", NULL);
    kernel_input(&c, DV_DTYPE_F32, "3x0", NULL);
    kernel_input(&c, DV_DTYPE_F32, "3", (float[]){1, 2, 3});
    kernel_output(&c, DV_DTYPE_F32, "2x3");
    EXPECT_F32(&c, 1, 2, 3, 1, 2, 3);
    kernel_end(&c);
}

static void test_linear_refuses_source_form_and_shapes_that_do_not_fit(void)
{
    kernel_case c = linear_case(false);
    c.params.linear.alpha = 2;
    kernel_input(&c, DV_DTYPE_F32, "2x3", NULL);
    kernel_input(&c, DV_DTYPE_F32, "2x3", NULL);
    kernel_output(&c, DV_DTYPE_F32, "2x2");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);

    c = linear_case(false);
    kernel_input(&c, DV_DTYPE_F32, "2x3", NULL);
    kernel_input(&c, DV_DTYPE_F32, "2x4", NULL);
    kernel_output(&c, DV_DTYPE_F32, "2x2");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

static void test_product_with_the_identity_copies(void)
{
    kernel_case c = kernel_case_of(DV_OP_MATMUL);
    kernel_input(&c, DV_DTYPE_F32, "2x3", NULL);
    kernel_input(&c, DV_DTYPE_F32, "3x3", (float[]){1, 0, 0, 0, 1, 0, 0, 0, 1});
    kernel_output(&c, DV_DTYPE_F32, "2x3");
    EXPECT_F32(&c, 0, 1, 2, 3, 4, 5);
    kernel_end(&c);
}

static void test_batches_broadcast(void)
{
    kernel_case c = kernel_case_of(DV_OP_MATMUL);
    kernel_input(&c, DV_DTYPE_F32, "2x1x1x2", (float[]){1, 2, 3, 4});
    kernel_input(&c, DV_DTYPE_F32, "2x2x1", (float[]){1, 1, 1, -1});
    kernel_output(&c, DV_DTYPE_F32, "2x2x1x1");
    EXPECT_F32(&c, 3, -1, 7, -1);
    kernel_end(&c);
}

static void test_vectors_are_a_row_on_the_left_and_a_column_on_the_right(void)
{
    kernel_case c = kernel_case_of(DV_OP_MATMUL);
    kernel_input(&c, DV_DTYPE_F32, "2", (float[]){1, 10});
    kernel_input(&c, DV_DTYPE_F32, "2x2", (float[]){1, 2, 3, 4});
    kernel_output(&c, DV_DTYPE_F32, "2");
    EXPECT_F32(&c, 31, 42);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_MATMUL);
    kernel_input(&c, DV_DTYPE_F32, "2x2", (float[]){1, 2, 3, 4});
    kernel_input(&c, DV_DTYPE_F32, "2", (float[]){1, 10});
    kernel_output(&c, DV_DTYPE_F32, "2");
    EXPECT_F32(&c, 21, 43);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_MATMUL);
    kernel_input(&c, DV_DTYPE_F32, "3", (float[]){1, 2, 3});
    kernel_input(&c, DV_DTYPE_F32, "3", (float[]){1, 2, 3});
    kernel_output(&c, DV_DTYPE_F32, "");
    EXPECT_F32(&c, 14);
    kernel_end(&c);
}

static void test_factors_whose_inner_dims_differ_are_refused(void)
{
    kernel_case c = kernel_case_of(DV_OP_MATMUL);
    kernel_input(&c, DV_DTYPE_F32, "2x3", NULL);
    kernel_input(&c, DV_DTYPE_F32, "2x3", NULL);
    kernel_output(&c, DV_DTYPE_F32, "2x3");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

/* Both forms of linear and the matrix product, on sizes around the width of a panel. */
static bool products_agree(uint64_t seed)
{
    dv_rng rng = dv_rng_seeded(seed);
    size_t m = 1 + dv_rng_below(&rng, 20), k = 1 + dv_rng_below(&rng, 20);
    size_t n = 1 + dv_rng_below(&rng, 40);
    static float a[20 * 20], b[20 * 40], bt[40 * 20], want[20 * 40];
    for (size_t i = 0; i < m * k; i++)
        a[i] = (float)dv_rng_normal(&rng);
    for (size_t i = 0; i < k * n; i++)
        bt[i % n * k + i / n] = b[i] = (float)dv_rng_normal(&rng);
    for (size_t i = 0; i < m * n; i++) {
        double sum = 0;
        for (size_t t = 0; t < k; t++)
            sum += (double)a[i / n * k + t] * (double)b[t * n + i % n];
        want[i] = (float)sum;
    }
    bool same = true;
    for (int form = 0; form < 3; form++) {
        char left[32], kn[32], nk[32], out[32];
        sprintf(left, "%zux%zu", m, k);
        sprintf(kn, "%zux%zu", k, n);
        sprintf(nk, "%zux%zu", n, k);
        sprintf(out, "%zux%zu", m, n);
        kernel_case c = form == 2 ? kernel_case_of(DV_OP_MATMUL) : linear_case(form == 1);
        kernel_input(&c, DV_DTYPE_F32, left, a);
        kernel_input(&c, DV_DTYPE_F32, form == 0 ? nk : kn, form == 0 ? bt : b);
        kernel_output(&c, DV_DTYPE_F32, out);
        same = kernel_gives(&c, want, m * n, 1e-6) && same;
        kernel_end(&c);
    }
    return same;
}

static void test_products_of_every_size_agree_with_the_definition(void)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        bool same = products_agree(seed);
        if (!same)
            printf("    seed %lu\n", (unsigned long)seed);
        CU_ASSERT_TRUE(same);
    }
}

static void test_products_of_other_numbers_keep_their_precision(void)
{
    kernel_case c = kernel_case_of(DV_OP_MATMUL);
    kernel_input(&c, DV_DTYPE_F64, "1x2", (double[]){1, 1e-12});
    kernel_input(&c, DV_DTYPE_F64, "2x1", (double[]){1, 1});
    kernel_output(&c, DV_DTYPE_F64, "1x1");
    EXPECT(double, &c, 1 + 1e-12);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_MATMUL); /* beyond what a double holds */
    kernel_input(&c, DV_DTYPE_I64, "1x2", (int64_t[]){1, INT64_C(1) << 60});
    kernel_input(&c, DV_DTYPE_I64, "2x1", (int64_t[]){1, 4});
    kernel_output(&c, DV_DTYPE_I64, "1x1");
    EXPECT(int64_t, &c, (INT64_C(1) << 62) + 1);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_LINEAR); /* halves: sums are rounded once */
    c.params.linear = (dv_linear_params){.weight_kn = true, .alpha = 1, .beta = 1};
    kernel_input(&c, DV_DTYPE_F16, "1x3", (uint16_t[]){0x6400, 0x3800, 0x3800}); /* 1024 1/2 1/2 */
    kernel_input(&c, DV_DTYPE_F16, "3x1", (uint16_t[]){0x3c00, 0x3c00, 0x3c00});
    kernel_output(&c, DV_DTYPE_F16, "1x1");
    EXPECT(uint16_t, &c, 0x6401); /* 1025 */
    kernel_end(&c);
}

DV_SUITE(portable_linear, DV_TEST(test_products_of_other_numbers_keep_their_precision),
         DV_TEST(test_linear_multiplies_rows_by_rows_of_the_weight),
         DV_TEST(test_linear_takes_a_weight_that_lies_the_other_way),
         DV_TEST(test_linear_over_no_terms_gives_the_bias),
         DV_TEST(test_linear_refuses_source_form_and_shapes_that_do_not_fit),
         DV_TEST(test_product_with_the_identity_copies), DV_TEST(test_batches_broadcast),
         DV_TEST(test_vectors_are_a_row_on_the_left_and_a_column_on_the_right),
         DV_TEST(test_factors_whose_inner_dims_differ_are_refused),
         DV_TEST(test_products_of_every_size_agree_with_the_definition));
