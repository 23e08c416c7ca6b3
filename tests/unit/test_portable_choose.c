/* Results whose length the values decide: what the kernels give in a fixed number of rows, and that
   it is what folding gives where the values are known. */
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "tests/lowering.h"
#include "tests/unit/kernel_case.h"

static const float mixed[] = {0, 5, 0, 0, 0, -1};

static void test_nonzero_gives_coordinates_and_repeats_the_last(void)
{
    kernel_case c = kernel_case_of(DV_OP_NONZERO);
    kernel_input(&c, DV_DTYPE_F32, "2x3", mixed);
    kernel_output(&c, DV_DTYPE_I64, "2x4");
    EXPECT(int64_t, &c, 0, 1, 1, 1, 1, 2, 2, 2);
    kernel_end(&c);
}

static void test_nonzero_leaves_out_what_there_is_no_room_for(void)
{
    kernel_case c = kernel_case_of(DV_OP_NONZERO);
    kernel_input(&c, DV_DTYPE_BOOL, "5", (bool[]){true, false, true, true, true});
    kernel_output(&c, DV_DTYPE_I64, "1x2");
    EXPECT(int64_t, &c, 0, 2);
    kernel_end(&c);
}

static void test_nothing_found_is_zeros(void)
{
    kernel_case c = kernel_case_of(DV_OP_NONZERO);
    kernel_input(&c, DV_DTYPE_I32, "2x2", (int32_t[]){0, 0, 0, 0});
    kernel_output(&c, DV_DTYPE_I64, "2x2");
    EXPECT(int64_t, &c, 0, 0, 0, 0);
    kernel_end(&c);
}

static kernel_case unique_case(bool sorted, int64_t rows)
{
    kernel_case c = kernel_case_of(DV_OP_UNIQUE);
    c.params.unique = (dv_unique_params){.rows = rows, .flat = true, .sorted = sorted};
    kernel_input(&c, DV_DTYPE_F32, "6", (float[]){2, 1, 1, 3, 4, 3});
    return c;
}

static void test_unique_sorts_or_keeps_the_order(void)
{
    kernel_case c = unique_case(true, 5);
    kernel_output(&c, DV_DTYPE_F32, "5");
    EXPECT_F32(&c, 1, 2, 3, 4, 4);
    kernel_end(&c);
    c = unique_case(false, 3);
    kernel_output(&c, DV_DTYPE_F32, "3");
    EXPECT_F32(&c, 2, 1, 3);
    kernel_end(&c);
}

static void test_unique_says_where_and_how_many(void)
{
    kernel_case c = unique_case(true, 4);
    kernel_output(&c, DV_DTYPE_F32, "4");
    kernel_output(&c, DV_DTYPE_I64, "4");
    kernel_output(&c, DV_DTYPE_I64, "6");
    kernel_output(&c, DV_DTYPE_I64, "4");
    EXPECT_F32(&c, 1, 2, 3, 4);
    const int64_t first[] = {1, 0, 3, 4}, of[] = {1, 0, 0, 2, 3, 2}, members[] = {2, 1, 2, 1};
    CU_ASSERT_EQUAL(memcmp(c.outputs[1].data, first, sizeof first), 0);
    CU_ASSERT_EQUAL(memcmp(c.outputs[2].data, of, sizeof of), 0);
    CU_ASSERT_EQUAL(memcmp(c.outputs[3].data, members, sizeof members), 0);
    kernel_end(&c);
}

/* The second box overlaps the first, the third stands alone. */
static const float boxes[] = {0, 0, 1, 1, 0, 0.1F, 1, 1.1F, 0, 10, 1, 11};
static const float scores[] = {0.9F, 0.75F, 0.6F};

static kernel_case nms_case(int64_t most, double overlap, int64_t rows)
{
    kernel_case c = kernel_case_of(DV_OP_NMS);
    c.params.nms = (dv_nms_params){.most = most, .rows = rows, .overlap = overlap};
    kernel_input(&c, DV_DTYPE_F32, "1x3x4", boxes);
    kernel_input(&c, DV_DTYPE_F32, "1x1x3", scores);
    return c;
}

static void test_boxes_that_overlap_a_better_one_go(void)
{
    kernel_case c = nms_case(3, 0.5, 3);
    kernel_output(&c, DV_DTYPE_I64, "3x3");
    EXPECT(int64_t, &c, 0, 0, 0, 0, 0, 2, 0, 0, 2);
    kernel_end(&c);
    c = nms_case(3, 0.9, 3);
    kernel_output(&c, DV_DTYPE_I64, "3x3");
    EXPECT(int64_t, &c, 0, 0, 0, 0, 0, 1, 0, 0, 2);
    kernel_end(&c);
    c = nms_case(1, 0.5, 1);
    kernel_output(&c, DV_DTYPE_I64, "1x3");
    EXPECT(int64_t, &c, 0, 0, 0);
    kernel_end(&c);
}

/* One operator over a tensor of few different values, as an input or as a constant. */
static dv_graph *one_operator(dv_op_kind kind, dv_op_params params, const float *values,
                              bool constant)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x =
        constant ? build_floats(graph, "x", "f32 3x4", values) : build_input(graph, "x", "f32 3x4");
    return build_finish(graph, BUILD_OP(graph, kind, params, "y", x));
}

static void test_kernels_give_what_folding_gives(void)
{
    for (uint64_t seed = 0; seed < 60; seed++) {
        dv_rng rng = dv_rng_seeded(seed);
        float values[12];
        for (int i = 0; i < 12; i++)
            values[i] = (float)dv_rng_below(&rng, 2 + seed % 3);
        dv_op_kind kind = seed % 2 ? DV_OP_NONZERO : DV_OP_UNIQUE;
        dv_op_params params = {0};
        if (kind == DV_OP_UNIQUE)
            params.unique = (dv_unique_params){.axis = (int64_t)dv_rng_below(&rng, 2),
                                               .flat = dv_rng_below(&rng, 2) == 0,
                                               .sorted = dv_rng_below(&rng, 2) == 0};
        dv_graph *folded = lowered(one_operator(kind, params, values, true));
        CU_ASSERT_EQUAL_FATAL(folded->ops[0].kind, DV_OP_VIEW); /* passes a constant on */
        const dv_tensor *expected = &folded->tensors[folded->ops[0].inputs[0]];
        size_t count = 0, bytes = 0;
        CU_ASSERT_EQUAL_FATAL(expected->role, DV_ROLE_CONSTANT);
        CU_ASSERT_TRUE(dv_shape_elements(&expected->shape, &count));
        CU_ASSERT_TRUE(dv_tensor_bytes(expected, &bytes));
        int64_t rows = expected->shape.dim[kind == DV_OP_NONZERO ? 1 : params.unique.axis];
        if (kind == DV_OP_UNIQUE && params.unique.flat)
            rows = expected->shape.dim[0];
        if (kind == DV_OP_NONZERO)
            params.rows.rows = rows;
        else
            params.unique.rows = rows;
        kernel_case c = kernel_case_of(kind);
        c.params = params;
        char shape[DV_SHAPE_TEXT];
        kernel_input(&c, DV_DTYPE_F32, "3x4", values);
        kernel_output(&c, expected->dtype, dv_shape_text(&expected->shape, shape));
        void *memory = malloc(bytes + 1);
        dv_tensor_read(expected, 0, count, memory);
        if (rows > 0)
            CU_ASSERT_TRUE(kernel_gives(&c, memory, count, 0));
        free(memory);
        kernel_end(&c);
        dv_graph_destroy(folded);
    }
}

static void test_rows_are_as_many_as_said_or_as_there_can_be(void)
{
    dv_op_params params = {0};
    dv_graph *graph = lowered(one_operator(DV_OP_NONZERO, params, mixed, false));
    CU_ASSERT_EQUAL(*dv_op_rows(&graph->ops[0]), 12);
    CU_ASSERT_EQUAL(graph->tensors[graph->outputs[0]].shape.dim[1], 12);
    dv_graph_destroy(graph);
    params.rows.rows = 7;
    graph = lowered(one_operator(DV_OP_NONZERO, params, mixed, false));
    CU_ASSERT_EQUAL(graph->tensors[graph->outputs[0]].shape.dim[1], 7);
    dv_graph_destroy(graph);
    params.rows.rows = 13;
    expect_refused(one_operator(DV_OP_NONZERO, params, mixed, false),
                   "node 0 'y'|cannot have 13 rows|12 at most");
}

DV_SUITE(portable_choose, DV_TEST(test_nonzero_gives_coordinates_and_repeats_the_last),
         DV_TEST(test_nonzero_leaves_out_what_there_is_no_room_for),
         DV_TEST(test_nothing_found_is_zeros), DV_TEST(test_unique_sorts_or_keeps_the_order),
         DV_TEST(test_unique_says_where_and_how_many),
         DV_TEST(test_boxes_that_overlap_a_better_one_go),
         DV_TEST(test_kernels_give_what_folding_gives),
         DV_TEST(test_rows_are_as_many_as_said_or_as_there_can_be));
