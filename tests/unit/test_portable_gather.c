/* Indexed reads. */
#include <string.h>

#include "tests/unit/kernel_case.h"

static kernel_case gather_case(dv_op_kind kind, int64_t axis)
{
    kernel_case c = kernel_case_of(kind);
    c.params.axis.axis = axis;
    return c;
}

static void test_embedding_reads_rows_of_the_table(void)
{
    kernel_case c = kernel_case_of(DV_OP_EMBEDDING);
    kernel_input(&c, DV_DTYPE_F32, "3x2", NULL);
    kernel_input(&c, DV_DTYPE_I64, "1x3", (int64_t[]){2, 0, -1});
    kernel_output(&c, DV_DTYPE_F32, "1x3x2");
    EXPECT_F32(&c, 4, 5, 0, 1, 4, 5);
    kernel_end(&c);
}

static void test_index_select_reads_along_any_axis(void)
{
    kernel_case c = gather_case(DV_OP_INDEX_SELECT, 1);
    kernel_input(&c, DV_DTYPE_I8, "2x3", NULL);
    kernel_input(&c, DV_DTYPE_I32, "2", (int32_t[]){2, 1});
    kernel_output(&c, DV_DTYPE_I8, "2x2");
    EXPECT(int8_t, &c, 2, 1, 5, 4);
    kernel_end(&c);
}

static void test_scalar_index_drops_the_axis(void)
{
    kernel_case c = gather_case(DV_OP_INDEX_SELECT, 0);
    kernel_input(&c, DV_DTYPE_F32, "2x3", NULL);
    kernel_input(&c, DV_DTYPE_I64, "", (int64_t[]){1});
    kernel_output(&c, DV_DTYPE_F32, "3");
    EXPECT_F32(&c, 3, 4, 5);
    kernel_end(&c);
}

static void test_gather_takes_an_index_for_every_element(void)
{
    kernel_case c = gather_case(DV_OP_GATHER, 1);
    kernel_input(&c, DV_DTYPE_F32, "2x2", (float[]){1, 2, 3, 4});
    kernel_input(&c, DV_DTYPE_I64, "2x3", (int64_t[]){0, 0, 1, 1, 0, -1});
    kernel_output(&c, DV_DTYPE_F32, "2x3");
    EXPECT_F32(&c, 1, 1, 2, 4, 3, 4);
    kernel_end(&c);

    c = gather_case(DV_OP_GATHER, 0);
    kernel_input(&c, DV_DTYPE_F32, "3x3", NULL);
    kernel_input(&c, DV_DTYPE_I64, "2x2", (int64_t[]){1, 2, 0, 2});
    kernel_output(&c, DV_DTYPE_F32, "2x2");
    EXPECT_F32(&c, 3, 7, 0, 7);
    kernel_end(&c);
}

static void test_index_out_of_range_is_an_error_that_names_it(void)
{
    static const dv_op_kind kinds[] = {DV_OP_EMBEDDING, DV_OP_INDEX_SELECT, DV_OP_GATHER};
    for (size_t k = 0; k < 3; k++) {
        kernel_case c = gather_case(kinds[k], 0);
        kernel_input(&c, DV_DTYPE_F32, "3x1", NULL);
        kernel_input(&c, DV_DTYPE_I64, "1x1", (int64_t[]){-4});
        kernel_output(&c, DV_DTYPE_F32, kinds[k] == DV_OP_GATHER ? "1x1" : "1x1x1");
        CU_ASSERT_EQUAL(kernel_run(&c), DV_BAD_INPUT);
        CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "index -4 is out of range"));
        kernel_end(&c);
    }
}

static void test_indices_of_floats_are_refused(void)
{
    kernel_case c = kernel_case_of(DV_OP_EMBEDDING);
    kernel_input(&c, DV_DTYPE_F32, "3x2", NULL);
    kernel_input(&c, DV_DTYPE_F32, "1", NULL);
    kernel_output(&c, DV_DTYPE_F32, "1x2");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

static void test_no_indices_read_nothing_from_an_empty_table(void)
{
    kernel_case c = kernel_case_of(DV_OP_EMBEDDING);
    kernel_input(&c, DV_DTYPE_F32, "0x2", NULL);
    kernel_input(&c, DV_DTYPE_I64, "0", NULL);
    kernel_output(&c, DV_DTYPE_F32, "0x2");
    CU_ASSERT_EQUAL(kernel_run(&c), DV_OK);
    kernel_end(&c);
}

DV_SUITE(portable_gather, DV_TEST(test_embedding_reads_rows_of_the_table),
         DV_TEST(test_index_select_reads_along_any_axis), DV_TEST(test_scalar_index_drops_the_axis),
         DV_TEST(test_gather_takes_an_index_for_every_element),
         DV_TEST(test_index_out_of_range_is_an_error_that_names_it),
         DV_TEST(test_indices_of_floats_are_refused),
         DV_TEST(test_no_indices_read_nothing_from_an_empty_table));
