/* test_executor_state.c - what a model keeps from one inference to the next, on one device and on
   several. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/execution.h"

enum { ROWS = 5, WIDTH = 3 };

static const execution_device alone[] = {{.name = "cpu", .backend = "portable"}};

static dv_tensor_id state_of(dv_graph *graph, const char *name, const char *type, double begin)
{
    dv_tensor_id id = build_fill(graph, name, type, begin);
    dv_graph_tensor_mutable(graph, id)->role = DV_ROLE_STATE;
    return id;
}

static void becomes(dv_graph *graph, dv_tensor_id state, dv_tensor_id next)
{
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_state(graph, state, next), DV_OK);
}

static dv_tensor_id tensor_named(const dv_graph *graph, const char *name)
{
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++)
        if (strcmp(graph->tensors[t].name, name) == 0)
            return t;
    CU_ASSERT_TRUE_FATAL(false);
    return DV_NONE;
}

/* sum += x, beginning at `begin`; the output is twice the sum. */
static dv_graph *accumulator(double begin)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 4");
    dv_tensor_id sum = state_of(graph, "sum", "f32 4", begin);
    dv_tensor_id next = BUILD_OP(graph, DV_OP_ADD, build_none(), "next", sum, x);
    becomes(graph, sum, next);
    return build_finish(graph, BUILD_OP(graph, DV_OP_ADD, build_none(), "y", next, next));
}

/* Row `at` of a cache becomes `row`; the output is the cache's columns summed, and a product on
   the way from the row, so that there is work before and after. */
static dv_graph *cache(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id at = build_input(graph, "at", "i64 1x1");
    dv_tensor_id x = build_input(graph, "x", "f32 1x3");
    dv_tensor_id w = build_random(graph, "w", "f32 3x3", 9, 1, 0);
    dv_tensor_id row = BUILD_OP(graph, DV_OP_LINEAR, build_linear(false), "row", x, w);
    dv_tensor_id rows = state_of(graph, "rows", "f32 5x3", 0);
    dv_tensor_id kept = BUILD_OP(graph, DV_OP_SCATTER_ND, build_none(), "kept", rows, at, row);
    becomes(graph, rows, kept);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_TANH, build_none(), "y", kept);
    return build_finish(graph, BUILD_OP(graph, DV_OP_SUM, build_reduce(false, "0"), "all", y));
}

static void set_floats(execution *e, uint32_t input, float value)
{
    float *memory = dv_executor_input(e->executor, input);
    size_t elements = 0;
    CU_ASSERT_TRUE(dv_shape_elements(&e->graph->tensors[e->graph->inputs[input]].shape, &elements));
    for (size_t i = 0; i < elements; i++)
        memory[i] = value;
}

static float first_output(execution *e)
{
    CU_ASSERT_EQUAL_FATAL(dv_executor_run(e->executor), DV_OK);
    return *(const float *)dv_executor_output(e->executor, 0);
}

static void test_a_state_lasts_from_one_run_to_the_next_until_it_is_reset(void)
{
    execution e = execution_of(accumulator(10), alone, 1);
    CU_ASSERT_EQUAL_FATAL(execution_start(&e, 1), DV_OK);
    set_floats(&e, 0, 1.5f);
    CU_ASSERT_EQUAL(first_output(&e), 2 * 11.5f);
    CU_ASSERT_EQUAL(first_output(&e), 2 * 13.0f);
    CU_ASSERT_EQUAL(first_output(&e), 2 * 14.5f);
    dv_executor_reset(e.executor);
    CU_ASSERT_EQUAL(first_output(&e), 2 * 11.5f);
    execution_end(&e);
}

static void test_states_change_all_at_once(void)
{
    dv_graph *graph = build_graph(); /* last <- x, before <- last: a line of delays */
    dv_tensor_id x = build_input(graph, "x", "f32 2");
    dv_tensor_id last = state_of(graph, "last", "f32 2", 0);
    dv_tensor_id before = state_of(graph, "before", "f32 2", 0);
    becomes(graph, last, BUILD_OP(graph, DV_OP_IDENTITY, build_none(), "last'", x));
    becomes(graph, before, BUILD_OP(graph, DV_OP_IDENTITY, build_none(), "before'", last));
    dv_tensor_id y = BUILD_OP(graph, DV_OP_SUB, build_none(), "y", x, before);
    execution e = execution_of(build_finish(graph, y), alone, 1);
    CU_ASSERT_EQUAL_FATAL(execution_start(&e, 1), DV_OK);
    for (int i = 1; i <= 4; i++) {
        set_floats(&e, 0, (float)(i * i));
        CU_ASSERT_EQUAL(first_output(&e), (float)(i * i - (i > 2 ? (i - 2) * (i - 2) : 0)));
    }
    execution_end(&e);
}

/* The cache after every row was written, through plans over a host and two workers. */
static void test_a_cache_is_written_in_place_on_whatever_device_it_is(void)
{
    for (uint64_t seed = 0; seed < 6; seed++) {
        const char *inner = execution_backend(seed % 3) ? execution_backend(seed % 3) : "portable";
        const execution_device devices[] = {
            {.name = "cpu", .backend = "portable"},
            {.name = "npu", .backend = "worker", .inner = inner, .core = -1},
            {.name = "gpu", .backend = "worker", .inner = "portable", .core = -1}};
        execution e = execution_of(cache(), devices, 3), one = execution_of(cache(), alone, 1);
        execution_scatter(&e, seed);
        CU_ASSERT_EQUAL_FATAL(execution_start(&e, 1), DV_OK);
        CU_ASSERT_EQUAL_FATAL(execution_start(&one, 1), DV_OK);
        for (int64_t at = 0; at < ROWS; at++) {
            for (int k = 0; k < 2; k++) {
                execution *run = k ? &one : &e;
                memcpy(dv_executor_input(run->executor, 0), &at, sizeof at);
                set_floats(run, 1, (float)(at + 1));
            }
            CU_ASSERT_DOUBLE_EQUAL(first_output(&e), first_output(&one), 1e-5);
        }
        const float *rows = dv_executor_state(e.executor, tensor_named(e.graph, "rows"));
        const float *same = dv_executor_state(one.executor, tensor_named(one.graph, "rows"));
        CU_ASSERT_TRUE_FATAL(rows && same);
        for (int i = 0; i < ROWS * WIDTH; i++) {
            CU_ASSERT_DOUBLE_EQUAL(rows[i], same[i], 1e-5);
            CU_ASSERT_DOUBLE_EQUAL(rows[i], (float)(i / WIDTH + 1) * rows[i % WIDTH], 1e-5);
        }
        execution_end(&e);
        execution_end(&one);
    }
}

static void test_the_check_begins_with_the_states_as_they_are_and_compares_them(void)
{
    execution e = execution_of(accumulator(1), alone, 1);
    dv_check check;
    CU_ASSERT_EQUAL_FATAL(execution_start(&e, 1), DV_OK);
    set_floats(&e, 0, 1);
    (void)first_output(&e);
    CU_ASSERT_EQUAL(dv_executor_check(e.executor, &check), DV_OK);
    CU_ASSERT_EQUAL(check.max_relative_rms, 0);
    const float *sum = dv_executor_state(e.executor, tensor_named(e.graph, "sum"));
    CU_ASSERT_EQUAL(sum[0], 3);
    execution_end(&e);
}

static void test_units_that_touch_a_state_are_one_group_and_a_plan_that_parts_them_is_refused(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 2");
    dv_tensor_id state = state_of(graph, "state", "f32 2", 0);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_MUL, build_none(), "y", x, state);
    becomes(graph, state, BUILD_OP(graph, DV_OP_TANH, build_none(), "z", y));
    const execution_device devices[] = {
        {.name = "cpu", .backend = "portable"},
        {.name = "npu", .backend = "worker", .inner = "portable", .core = -1}};
    build_output(graph, y);
    execution e = execution_of(build_finish(graph, DV_NONE), devices, 2);
    CU_ASSERT_EQUAL_FATAL(e.problem->unit_count, 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(e.problem->group);
    CU_ASSERT_EQUAL(e.problem->group[0], e.problem->group[1]);
    CU_ASSERT_NOT_EQUAL(e.problem->group[0], DV_NONE);
    e.plan->target[1] = 1;
    CU_ASSERT_EQUAL(execution_start(&e, 1), DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "'state' on two devices"));
    execution_end(&e);
}

static void test_a_state_needs_one_next_value_that_an_operator_makes(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 2");
    dv_tensor_id state = state_of(graph, "state", "f32 2", 0);
    CU_ASSERT_EQUAL(dv_graph_add_state(graph, x, state), DV_BAD_INPUT);
    CU_ASSERT_EQUAL(dv_graph_add_state(graph, state, x), DV_OK);
    CU_ASSERT_EQUAL(dv_graph_add_state(graph, state, x), DV_BAD_INPUT);
    CU_ASSERT_EQUAL(dv_graph_finish(graph), DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "no operator makes its next value 'x'"));
    dv_graph_destroy(graph);

    graph = build_graph();
    x = build_input(graph, "x", "f32 3");
    state = state_of(graph, "state", "f32 2", 0);
    dv_tensor_id y = BUILD_OP(graph, DV_OP_TANH, build_none(), "y", x);
    *dv_graph_tensor_mutable(graph, y) =
        (dv_tensor){.name = "y", .dtype = DV_DTYPE_F32, .shape = {.rank = 1, .dim = {3}}};
    becomes(graph, state, y);
    CU_ASSERT_EQUAL(dv_graph_finish(graph), DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "another shape or type"));
    dv_graph_destroy(graph);
}

DV_SUITE(runtime_executor_state,
         DV_TEST(test_a_state_lasts_from_one_run_to_the_next_until_it_is_reset),
         DV_TEST(test_states_change_all_at_once),
         DV_TEST(test_a_cache_is_written_in_place_on_whatever_device_it_is),
         DV_TEST(test_the_check_begins_with_the_states_as_they_are_and_compares_them),
         DV_TEST(test_units_that_touch_a_state_are_one_group_and_a_plan_that_parts_them_is_refused),
         DV_TEST(test_a_state_needs_one_next_value_that_an_operator_makes));
