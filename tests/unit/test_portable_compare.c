/* Comparisons, logic and selection. */
#include <math.h>

#include "tests/unit/kernel_case.h"

static void test_comparisons_give_bool_and_nan_equals_nothing(void)
{
    static const float a[4] = {1, 2, 3, NAN}, b[4] = {2, 2, 2, NAN};
    static const struct {
        dv_op_kind kind;
        uint8_t y[4];
    } rows[] = {
        {DV_OP_EQ, {0, 1, 0, 0}}, {DV_OP_NE, {1, 0, 1, 1}}, {DV_OP_GT, {0, 0, 1, 0}},
        {DV_OP_GE, {0, 1, 1, 0}}, {DV_OP_LT, {1, 0, 0, 0}}, {DV_OP_LE, {1, 1, 0, 0}},
    };
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        kernel_case c = kernel_case_of(rows[r].kind);
        kernel_input(&c, DV_DTYPE_F32, "4", a);
        kernel_input(&c, DV_DTYPE_F32, "4", b);
        kernel_output(&c, DV_DTYPE_BOOL, "4");
        CU_ASSERT_TRUE(kernel_gives(&c, rows[r].y, 4, 0));
        kernel_end(&c);
    }
}

static void test_integers_compare_exactly_where_doubles_would_not(void)
{
    kernel_case c = kernel_case_of(DV_OP_LT);
    kernel_input(&c, DV_DTYPE_I64, "1", (int64_t[]){9007199254740992});
    kernel_input(&c, DV_DTYPE_I64, "1", (int64_t[]){9007199254740993});
    kernel_output(&c, DV_DTYPE_BOOL, "1");
    EXPECT(uint8_t, &c, 1);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_GT);
    kernel_input(&c, DV_DTYPE_U64, "1", (uint64_t[]){UINT64_MAX});
    kernel_input(&c, DV_DTYPE_U64, "1", (uint64_t[]){1});
    kernel_output(&c, DV_DTYPE_BOOL, "1");
    EXPECT(uint8_t, &c, 1);
    kernel_end(&c);
}

static void test_logic_follows_its_truth_tables(void)
{
    static const uint8_t a[4] = {0, 0, 1, 1}, b[4] = {0, 1, 0, 1};
    static const struct {
        dv_op_kind kind;
        uint8_t y[4];
    } rows[] = {
        {DV_OP_LOGICAL_AND, {0, 0, 0, 1}},
        {DV_OP_LOGICAL_OR, {0, 1, 1, 1}},
        {DV_OP_LOGICAL_XOR, {0, 1, 1, 0}},
    };
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        kernel_case c = kernel_case_of(rows[r].kind);
        kernel_input(&c, DV_DTYPE_BOOL, "4", a);
        kernel_input(&c, DV_DTYPE_BOOL, "4", b);
        kernel_output(&c, DV_DTYPE_BOOL, "4");
        CU_ASSERT_TRUE(kernel_gives(&c, rows[r].y, 4, 0));
        kernel_end(&c);
    }
}

static void test_where_chooses_element_by_element_and_broadcasts_all_three(void)
{
    kernel_case c = kernel_case_of(DV_OP_WHERE);
    kernel_input(&c, DV_DTYPE_BOOL, "2x1", (uint8_t[]){1, 0});
    kernel_input(&c, DV_DTYPE_F32, "3", (float[]){1, 2, 3});
    kernel_input(&c, DV_DTYPE_F32, "", (float[]){9});
    kernel_output(&c, DV_DTYPE_F32, "2x3");
    EXPECT_F32(&c, 1, 2, 3, 9, 9, 9);
    kernel_end(&c);

    c = kernel_case_of(DV_OP_WHERE);
    kernel_input(&c, DV_DTYPE_BOOL, "2", (uint8_t[]){1, 0});
    kernel_input(&c, DV_DTYPE_I64, "2", (int64_t[]){INT64_MAX, 2});
    kernel_input(&c, DV_DTYPE_I64, "2", (int64_t[]){1, INT64_MIN});
    kernel_output(&c, DV_DTYPE_I64, "2");
    EXPECT(int64_t, &c, INT64_MAX, INT64_MIN);
    kernel_end(&c);
}

static void test_where_without_a_bool_is_refused(void)
{
    kernel_case c = kernel_case_of(DV_OP_WHERE);
    for (int i = 0; i < 3; i++)
        kernel_input(&c, DV_DTYPE_F32, "2", NULL);
    kernel_output(&c, DV_DTYPE_F32, "2");
    EXPECT_UNSUPPORTED(&c);
    kernel_end(&c);
}

DV_SUITE(portable_compare, DV_TEST(test_comparisons_give_bool_and_nan_equals_nothing),
         DV_TEST(test_integers_compare_exactly_where_doubles_would_not),
         DV_TEST(test_logic_follows_its_truth_tables),
         DV_TEST(test_where_chooses_element_by_element_and_broadcasts_all_three),
         DV_TEST(test_where_without_a_bool_is_refused));
