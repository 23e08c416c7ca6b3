/* test_backend_onednn.c - every operator on onednn gives what the portable kernels give, to a
   relative RMS error below 1e-5, with images in either layout at the borders. */
#include "runtime/backend.h"
#include "tests/suite.h"
#include "tests/unit/backend_cases.h"

static bool present(void)
{
    char why[160] = "not in this build";
    const dv_backend *backend = dv_backend_find("onednn");
    if (backend && backend->probe(why, sizeof why))
        return true;
    dv_skip("onednn", why);
    return false;
}

static void convolutions_agree(void)
{
    if (present())
        cases_of_convolution("onednn");
}

static void transposed_convolutions_agree(void)
{
    if (present())
        cases_of_transposed_convolution("onednn");
}

static void matrix_products_agree(void)
{
    if (present())
        cases_of_matrices("onednn");
}

static void pools_agree(void)
{
    if (present())
        cases_of_pooling("onednn");
}

static void operators_of_one_operand_agree(void)
{
    if (present())
        cases_of_one_operand("onednn");
}

static void operators_of_two_operands_agree(void)
{
    if (present())
        cases_of_two_operands("onednn");
}

static void softmax_and_norms_agree(void)
{
    if (present())
        cases_of_rows("onednn");
}

static void data_movement_agrees(void)
{
    if (present())
        cases_of_movement("onednn");
}

static void a_block_of_a_network_agrees(void)
{
    if (present())
        cases_of_blocks("onednn");
}

DV_SUITE(runtime_onednn, DV_TEST(convolutions_agree), DV_TEST(transposed_convolutions_agree),
         DV_TEST(matrix_products_agree), DV_TEST(pools_agree),
         DV_TEST(operators_of_one_operand_agree), DV_TEST(operators_of_two_operands_agree),
         DV_TEST(softmax_and_norms_agree), DV_TEST(data_movement_agrees),
         DV_TEST(a_block_of_a_network_agrees));
