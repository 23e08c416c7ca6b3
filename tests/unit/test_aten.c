/* test_aten.c - the table of ATen operators: how a row is found, and what its schema says. */
#include <string.h>

#include "load/aten.h"
#include "tests/suite.h"

static void rows_are_sorted_so_that_all_are_found(void)
{
    const dv_aten_rule *before = NULL, *rule;
    size_t count = 0;
    for (; (rule = dv_aten_rule_at(count)); count++, before = rule)
        CU_ASSERT_TRUE(!before || strcmp(dv_aten_name(before), dv_aten_name(rule)) <= 0);
    CU_ASSERT_TRUE(count > 250);
    CU_ASSERT_PTR_NULL(dv_aten_rule_at(count));
}

static void overloads_choose_between_rows_of_one_name(void)
{
    const dv_aten_rule *all = dv_aten_find("mean", "default"), *some = dv_aten_find("mean", "dim");
    CU_ASSERT_PTR_NOT_NULL_FATAL(all);
    CU_ASSERT_PTR_NOT_NULL_FATAL(some);
    CU_ASSERT_PTR_NOT_EQUAL(all, some);
    CU_ASSERT_PTR_EQUAL(dv_aten_find("mean", "out"), some); /* ExecuTorch's spelling */
    CU_ASSERT_PTR_EQUAL(dv_aten_find("mean", ""), all);
    CU_ASSERT_PTR_NULL(dv_aten_find("mean", "nothing"));
    CU_ASSERT_PTR_NULL(dv_aten_find("mea", "default"));
    CU_ASSERT_PTR_NULL(dv_aten_find("", ""));
}

static void copies_and_writes_in_place_have_the_row_of_the_operator(void)
{
    CU_ASSERT_PTR_EQUAL(dv_aten_find("view_copy", "out"), dv_aten_find("view", "default"));
    CU_ASSERT_PTR_EQUAL(dv_aten_find("relu_", "default"), dv_aten_find("relu", "default"));
    CU_ASSERT_PTR_NOT_NULL(dv_aten_find("copy_", "default"));
    CU_ASSERT_PTR_NOT_EQUAL(dv_aten_find("_to_copy", "default"), dv_aten_find("copy", "default"));
}

static void schemas_tell_names_and_defaults(void)
{
    const dv_aten_rule *add = dv_aten_find("add", "Tensor");
    CU_ASSERT_PTR_NOT_NULL_FATAL(add);
    CU_ASSERT_EQUAL(dv_aten_arg_count(add), 3);
    CU_ASSERT_TRUE(dv_aten_arg_is(add, 1, "other", 5));
    CU_ASSERT_FALSE(dv_aten_arg_is(add, 1, "oth", 3));
    CU_ASSERT_FALSE(dv_aten_arg_is(add, 3, "", 0));
    CU_ASSERT_TRUE(dv_aten_arg_required(add, 0));
    CU_ASSERT_FALSE(dv_aten_arg_required(add, 2));
    CU_ASSERT_EQUAL(dv_aten_default(add, 2).type, DV_ATEN_INT);
    CU_ASSERT_EQUAL(dv_aten_default(add, 2).integer, 1);
    const dv_aten_rule *pool = dv_aten_find("max_pool2d", "default");
    CU_ASSERT_PTR_NOT_NULL_FATAL(pool);
    CU_ASSERT_EQUAL(dv_aten_default(pool, 2).type, DV_ATEN_INTS);
    CU_ASSERT_EQUAL(dv_aten_default(pool, 2).count, 0);
    CU_ASSERT_EQUAL(dv_aten_default(pool, 5).type, DV_ATEN_BOOL);
    const dv_aten_rule *norm = dv_aten_find("layer_norm", "default");
    CU_ASSERT_PTR_NOT_NULL_FATAL(norm);
    CU_ASSERT_EQUAL(dv_aten_default(norm, 4).type, DV_ATEN_REAL);
    CU_ASSERT_DOUBLE_EQUAL(dv_aten_default(norm, 4).real, 1e-5, 1e-12);
    CU_ASSERT_EQUAL(dv_aten_default(norm, 2).type, DV_ATEN_NONE);
    CU_ASSERT_STRING_EQUAL(dv_aten_default(dv_aten_find("gelu", "default"), 1).text, "none");
}

static void element_types_are_numbered_as_in_c10(void)
{
    CU_ASSERT_EQUAL(dv_aten_dtype(0), DV_DTYPE_U8);
    CU_ASSERT_EQUAL(dv_aten_dtype(6), DV_DTYPE_F32);
    CU_ASSERT_EQUAL(dv_aten_dtype(11), DV_DTYPE_BOOL);
    CU_ASSERT_EQUAL(dv_aten_dtype(15), DV_DTYPE_BF16);
    CU_ASSERT_EQUAL(dv_aten_dtype(9), DV_DTYPE_NONE); /* complex */
    CU_ASSERT_EQUAL(dv_aten_dtype(-1), DV_DTYPE_NONE);
    CU_ASSERT_EQUAL(dv_aten_dtype(1000), DV_DTYPE_NONE);
}

DV_SUITE(aten, DV_TEST(rows_are_sorted_so_that_all_are_found),
         DV_TEST(overloads_choose_between_rows_of_one_name),
         DV_TEST(copies_and_writes_in_place_have_the_row_of_the_operator),
         DV_TEST(schemas_tell_names_and_defaults), DV_TEST(element_types_are_numbered_as_in_c10));
