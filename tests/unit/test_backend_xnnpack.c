/* test_backend_xnnpack.c - every operator on xnnpack gives what the portable kernels give, to a
   relative RMS error below 1e-5, with images in either layout at the borders. */
#include "runtime/backend.h"
#include "tests/suite.h"
#include "tests/unit/backend_cases.h"

static bool present(void)
{
    char why[160] = "not in this build";
    const dv_backend *backend = dv_backend_find("xnnpack");
    if (backend && backend->probe(why, sizeof why))
        return true;
    dv_skip("xnnpack", why);
    return false;
}

static void convolutions_agree(void)
{
    if (present())
        cases_of_convolution("xnnpack");
}

static void transposed_convolutions_agree(void)
{
    if (present())
        cases_of_transposed_convolution("xnnpack");
}

static void matrix_products_agree(void)
{
    if (present())
        cases_of_matrices("xnnpack");
}

static void pools_agree(void)
{
    if (present())
        cases_of_pooling("xnnpack");
}

static void operators_of_one_operand_agree(void)
{
    if (present())
        cases_of_one_operand("xnnpack");
}

static void operators_of_two_operands_agree(void)
{
    if (present())
        cases_of_two_operands("xnnpack");
}

static void softmax_and_norms_agree(void)
{
    if (present())
        cases_of_rows("xnnpack");
}

static void data_movement_agrees(void)
{
    if (present())
        cases_of_movement("xnnpack");
}

static void a_block_of_a_network_agrees(void)
{
    if (present())
        cases_of_blocks("xnnpack");
}

DV_SUITE(runtime_xnnpack, DV_TEST(convolutions_agree), DV_TEST(transposed_convolutions_agree),
         DV_TEST(matrix_products_agree), DV_TEST(pools_agree),
         DV_TEST(operators_of_one_operand_agree), DV_TEST(operators_of_two_operands_agree),
         DV_TEST(softmax_and_norms_agree), DV_TEST(data_movement_agrees),
         DV_TEST(a_block_of_a_network_agrees));
