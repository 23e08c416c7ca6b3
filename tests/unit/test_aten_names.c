/* test_aten_names.c - every operator that the support tables list is known by name. */
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/op.h"
#include "core/platform.h"
#include "load/aten.h"
#include "tests/suite.h"

/* "aten.view.default" is one of ours as "aten.view_copy.default", or has a row of aten.def. */
static bool is_known(const char *name)
{
    char copy[208], parts[3][64];
    if (sscanf(name, "%63[^.].%63[^.].%63s", parts[0], parts[1], parts[2]) != 3)
        return dv_op_kind_of(name) != DV_OP_COUNT; /* divvy.lstm */
    snprintf(copy, sizeof copy, "%s.%s_copy.%s", parts[0], parts[1], parts[2]);
    return dv_op_kind_of(name) != DV_OP_COUNT || dv_op_kind_of(copy) != DV_OP_COUNT ||
           dv_aten_find(parts[1], parts[2]) != NULL;
}

static size_t check_table(const char *file)
{
    size_t size, count = 0;
    const char *text = dv_embedded_find(file, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    const char *line = strchr(text, '\n');
    for (; line && line[1]; line = strchr(line + 1, '\n')) {
        char name[128];
        if (sscanf(line + 1, "%127[^,\n]", name) != 1)
            continue;
        if (!is_known(name))
            fprintf(stderr, "    %s is not known\n", name);
        CU_ASSERT_TRUE(is_known(name));
        count++;
    }
    return count;
}

static void test_all_190_operators_of_executorch_are_known(void)
{
    CU_ASSERT_EQUAL(check_table("support/executorch.csv"), 190);
}

static void test_all_operators_of_our_own_table_are_known(void)
{
    CU_ASSERT_TRUE(check_table("support/divvy.csv") > 0);
}

static void test_rows_are_sorted_so_that_all_are_found(void)
{
    CU_ASSERT_PTR_NOT_NULL(dv_aten_find("__and__", "Tensor"));
    CU_ASSERT_PTR_NOT_NULL(dv_aten_find("zeros_like", ""));
    CU_ASSERT_PTR_NOT_NULL(dv_aten_find("relu_", "default"));
    CU_ASSERT_PTR_NOT_NULL(dv_aten_find("view_copy", "default"));
    CU_ASSERT_PTR_NULL(dv_aten_find("view_copy", "nonsense"));
    CU_ASSERT_PTR_NULL(dv_aten_find("nonsense", "default"));
}

/* Core ML sorts (executorch.csv), an NPU by Arm does not; the processor runs all that has a name.
 */
static void test_operators_without_a_kind_are_placed_by_the_support_tables(void)
{
    dv_platform *phone = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_platform_open("iphone15pro", &phone), DV_OK);
    const dv_device *cpu = &phone->devices[phone->targets[phone->host].device];
    dv_device_id ane = dv_platform_device(phone, "ane");
    CU_ASSERT_NOT_EQUAL_FATAL(ane, UINT32_MAX);
    CU_ASSERT_TRUE(dv_device_runs(cpu, DV_OP_OPAQUE, "aten.sort.default"));
    CU_ASSERT_TRUE(dv_device_runs(cpu, DV_OP_OPAQUE, "my.magic.default"));
    CU_ASSERT_FALSE(dv_device_runs(cpu, DV_OP_OPAQUE, "CoreMLBackend"));
    CU_ASSERT_FALSE(dv_device_runs(cpu, DV_OP_OPAQUE, NULL));
    CU_ASSERT_TRUE(dv_device_runs(&phone->devices[ane], DV_OP_OPAQUE, "aten.sort.default"));
    CU_ASSERT_FALSE(dv_device_runs(&phone->devices[ane], DV_OP_OPAQUE, "aten.diagonal.default"));
    CU_ASSERT_FALSE(dv_device_runs(&phone->devices[ane], DV_OP_OPAQUE, "my.magic.default"));
    dv_platform_destroy(phone);
}

DV_SUITE(load_aten_names, DV_TEST(test_operators_without_a_kind_are_placed_by_the_support_tables),
         DV_TEST(test_all_190_operators_of_executorch_are_known),
         DV_TEST(test_all_operators_of_our_own_table_are_known),
         DV_TEST(test_rows_are_sorted_so_that_all_are_found));
