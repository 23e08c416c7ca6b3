/* Graphs: filling, sorting, units, constants and counts. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/graph.h"
#include "tests/suite.h"

static dv_tensor_id tensor(dv_graph *graph, const char *name, dv_role role, int64_t size)
{
    dv_tensor_id id = DV_NONE;
    dv_tensor row = {
        .name = name, .dtype = DV_DTYPE_F32, .role = role, .shape = dv_shape_make(&size, 1)};
    if (role == DV_ROLE_CONSTANT)
        row.data.storage = DV_STORAGE_FILL;
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_tensor(graph, &row, &id), DV_OK);
    return id;
}

static dv_op_id op(dv_graph *graph, const char *name, dv_tensor_id a, dv_tensor_id b,
                   dv_tensor_id out)
{
    dv_op_id id = DV_NONE;
    dv_tensor_id inputs[] = {a, b};
    dv_op row = {.kind = b == DV_NONE ? DV_OP_RELU : DV_OP_ADD,
                 .name = name,
                 .source_type = "Test",
                 .inputs = inputs,
                 .input_count = b == DV_NONE ? 1 : 2,
                 .outputs = &out,
                 .output_count = 1};
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_op(graph, &row, &id), DV_OK);
    return id;
}

/* x -> p -> q -> add(q, x) with the operators added backwards. */
static dv_graph *backwards(void)
{
    dv_graph *graph = dv_graph_create("test", "test");
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    dv_tensor_id x = tensor(graph, "x", DV_ROLE_INPUT, 4);
    dv_tensor_id p = tensor(graph, "t", DV_ROLE_ACTIVATION, 4);
    dv_tensor_id q = tensor(graph, "t", DV_ROLE_ACTIVATION, 4);
    dv_tensor_id y = tensor(graph, "y", DV_ROLE_ACTIVATION, 4);
    op(graph, "add", q, x, y);
    op(graph, "second", p, DV_NONE, q);
    op(graph, "first", x, DV_NONE, p);
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_output(graph, y), DV_OK);
    return graph;
}

static void test_operators_come_out_in_a_topological_order(void)
{
    dv_graph *graph = backwards();
    CU_ASSERT_EQUAL_FATAL(dv_graph_finish(graph), DV_OK);
    CU_ASSERT_STRING_EQUAL(graph->ops[0].name, "first");
    CU_ASSERT_STRING_EQUAL(graph->ops[1].name, "second");
    CU_ASSERT_STRING_EQUAL(graph->ops[2].name, "add");
    CU_ASSERT_EQUAL(graph->producer[graph->ops[2].inputs[0]], 1);
    CU_ASSERT_EQUAL(graph->consumer_start[1] - graph->consumer_start[0], 2);
    CU_ASSERT_EQUAL(graph->consumers[graph->consumer_start[0]], 0);
    CU_ASSERT_EQUAL(graph->consumers[graph->consumer_start[0] + 1], 2);
    CU_ASSERT_EQUAL(graph->input_count, 1);
    CU_ASSERT_EQUAL(graph->output_count, 1);
    dv_graph_destroy(graph);
}

static void test_names_of_tensors_are_made_unique(void)
{
    dv_graph *graph = backwards();
    CU_ASSERT_EQUAL_FATAL(dv_graph_finish(graph), DV_OK);
    CU_ASSERT_STRING_EQUAL(graph->tensors[1].name, "t");
    CU_ASSERT_STRING_EQUAL(graph->tensors[2].name, "t#2");
    dv_graph_destroy(graph);
}

static void test_a_cycle_is_named(void)
{
    dv_graph *graph = dv_graph_create("test", "test");
    dv_tensor_id a = tensor(graph, "a", DV_ROLE_ACTIVATION, 4);
    dv_tensor_id b = tensor(graph, "b", DV_ROLE_ACTIVATION, 4);
    op(graph, "one", b, DV_NONE, a);
    op(graph, "two", a, DV_NONE, b);
    CU_ASSERT_EQUAL(dv_graph_finish(graph), DV_BAD_INPUT);
    CU_ASSERT_STRING_EQUAL(dv_message(), "node 0 'one' (Test) lies on a cycle or behind one");
    dv_graph_destroy(graph);
}

static void test_a_tensor_made_twice_or_never_is_named(void)
{
    dv_graph *graph = dv_graph_create("test", "test");
    dv_tensor_id x = tensor(graph, "x", DV_ROLE_INPUT, 4);
    dv_tensor_id y = tensor(graph, "y", DV_ROLE_ACTIVATION, 4);
    op(graph, "one", x, DV_NONE, y);
    op(graph, "two", x, DV_NONE, y);
    CU_ASSERT_EQUAL(dv_graph_finish(graph), DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "'two' (Test): its output 'y' is already made"));
    dv_graph_destroy(graph);

    graph = dv_graph_create("test", "test");
    dv_tensor_id lost = tensor(graph, "lost", DV_ROLE_ACTIVATION, 4);
    op(graph, "one", lost, DV_NONE, tensor(graph, "z", DV_ROLE_ACTIVATION, 4));
    CU_ASSERT_EQUAL(dv_graph_finish(graph), DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "nothing makes its input 'lost'"));
    dv_graph_destroy(graph);
}

/* Two branches of two operators each, interleaved in the source. */
static void test_units_are_neighbours_in_topological_order(void)
{
    dv_graph *graph = dv_graph_create("test", "test");
    dv_tensor_id x = tensor(graph, "x", DV_ROLE_INPUT, 4), made[4];
    for (int i = 0; i < 4; i++)
        made[i] = tensor(graph, "m", DV_ROLE_ACTIVATION, 4);
    op(graph, "a", x, DV_NONE, made[0]);
    op(graph, "b", x, DV_NONE, made[1]);
    op(graph, "a", made[0], DV_NONE, made[2]);
    op(graph, "b2", made[1], made[2], made[3]);
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_output(graph, made[3]), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_graph_set_units(graph, (dv_unit_id[]){1, 0, 1, 0}, 2), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_graph_finish(graph), DV_OK);
    CU_ASSERT_EQUAL(graph->unit_count, 2);
    CU_ASSERT_STRING_EQUAL(graph->units[0].name, "a");
    CU_ASSERT_STRING_EQUAL(graph->units[1].name, "b");
    CU_ASSERT_EQUAL(graph->units[0].op_count, 2);
    for (dv_op_id o = 0; o < 4; o++)
        CU_ASSERT_EQUAL(graph->unit_of[o], o / 2);
    CU_ASSERT_STRING_EQUAL(graph->ops[3].name, "b2");
    dv_graph_destroy(graph);
}

static void test_units_that_need_each_other_are_refused(void)
{
    dv_graph *graph = backwards();
    /* first and add in one unit, second between them */
    CU_ASSERT_EQUAL_FATAL(dv_graph_set_units(graph, (dv_unit_id[]){0, 1, 0}, 2), DV_OK);
    CU_ASSERT_EQUAL(dv_graph_finish(graph), DV_BAD_INPUT);
    dv_graph_destroy(graph);
}

static void test_a_large_shuffled_chain_sorts(void)
{
    enum { COUNT = 20000 };
    dv_graph *graph = dv_graph_create("test", "test");
    dv_tensor_id first = tensor(graph, "x", DV_ROLE_INPUT, 1);
    for (int i = 0; i < COUNT; i++)
        tensor(graph, "same", DV_ROLE_ACTIVATION, 1);
    for (int i = 0; i < COUNT; i++) {
        dv_tensor_id k = (dv_tensor_id)((uint64_t)i * 7919 % COUNT);
        op(graph, "op", first + k, DV_NONE, first + k + 1);
    }
    CU_ASSERT_EQUAL_FATAL(dv_graph_finish(graph), DV_OK);
    for (dv_op_id o = 0; o < COUNT; o++)
        CU_ASSERT_EQUAL_FATAL(graph->ops[o].inputs[0], first + o);
    CU_ASSERT_STRING_EQUAL(graph->tensors[COUNT].name, "same#20000");
    dv_graph_destroy(graph);
}

static void test_half_precision_converts_both_ways_for_every_value(void)
{
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        float value = dv_f16_to_f32((uint16_t)bits);
        if (isnan(value))
            CU_ASSERT_TRUE_FATAL(isnan(dv_f16_to_f32(dv_f32_to_f16(value))))
        else
            CU_ASSERT_EQUAL_FATAL(dv_f32_to_f16(value), bits);
    }
    CU_ASSERT_EQUAL(dv_f32_to_f16(65520.0f), 0x7c00);
    CU_ASSERT_EQUAL(dv_f32_to_f16(65519.0f), 0x7bff);
    CU_ASSERT_EQUAL(dv_f32_to_f16(1.0f + 0x1p-11f), 0x3c00);     /* a tie, to even */
    CU_ASSERT_EQUAL(dv_f32_to_f16(1.0f + 3 * 0x1p-11f), 0x3c02); /* a tie, to even */
    CU_ASSERT_EQUAL(dv_f32_to_f16(-0x1p-25f), 0x8000);
}

static void test_constants_are_read_as_other_types(void)
{
    const int64_t three = 3;
    const int32_t values[] = {-2, 0, 7};
    dv_buffer *buffer = dv_buffer_create(sizeof values + 4);
    memcpy(dv_buffer_writable(buffer) + 4, values, sizeof values);
    dv_tensor constant = {.dtype = DV_DTYPE_I32,
                          .role = DV_ROLE_CONSTANT,
                          .shape = dv_shape_make(&three, 1),
                          .data = {.storage = DV_STORAGE_BUFFER, .buffer = buffer, .offset = 4}};
    int64_t whole[2];
    float real[3];
    CU_ASSERT_TRUE(dv_tensor_read_i64(&constant, 1, 2, whole) && whole[0] == 0 && whole[1] == 7);
    CU_ASSERT_TRUE(dv_tensor_read_f32(&constant, 0, 3, real) && real[0] == -2 && real[2] == 7);
    dv_buffer_release(buffer);

    constant.data = (dv_data){.storage = DV_STORAGE_FILL, .shift = 5};
    CU_ASSERT_TRUE(dv_tensor_read_i64(&constant, 0, 2, whole) && whole[0] == 5 && whole[1] == 5);
    constant.dtype = DV_DTYPE_STRING;
    CU_ASSERT_FALSE(dv_tensor_read_i64(&constant, 0, 1, whole));
}

/* A convolution of 8 filters 3x3 over 4 channels on an 8 x 8 output: 8*8*8 * 4*9 multiply-adds. */
static void test_work_of_a_convolution_is_counted(void)
{
    dv_graph *graph = dv_graph_create("test", "test");
    const int64_t in[] = {1, 4, 10, 10}, filter[] = {8, 4, 3, 3}, out[] = {1, 8, 8, 8};
    dv_tensor rows[] = {
        {.name = "x", .dtype = DV_DTYPE_F32, .role = DV_ROLE_INPUT, .shape = dv_shape_make(in, 4)},
        {.name = "w",
         .dtype = DV_DTYPE_F32,
         .role = DV_ROLE_CONSTANT,
         .shape = dv_shape_make(filter, 4),
         .data = {.storage = DV_STORAGE_FILL}},
        {.name = "y", .dtype = DV_DTYPE_F32, .shape = dv_shape_make(out, 4)},
    };
    dv_tensor_id ids[3];
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL_FATAL(dv_graph_add_tensor(graph, &rows[i], &ids[i]), DV_OK);
    dv_op conv = {.kind = DV_OP_CONVOLUTION,
                  .inputs = ids,
                  .input_count = 2,
                  .outputs = ids + 2,
                  .output_count = 1,
                  .params.conv = {.spatial = 2, .groups = 1}};
    dv_op_id id;
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_op(graph, &conv, &id), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_output(graph, ids[2]), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_graph_finish(graph), DV_OK);
    dv_work work = dv_op_work(graph, 0);
    CU_ASSERT_EQUAL(work.family, DV_FAMILY_CONV);
    CU_ASSERT_EQUAL(work.macs, 8 * 8 * 8 * 4 * 9);
    CU_ASSERT_EQUAL(work.weight_bytes, 8 * 4 * 9 * 4);
    CU_ASSERT_EQUAL(work.activation_bytes, (400 + 512) * 4);
    dv_graph_totals totals = dv_graph_count(graph);
    CU_ASSERT_EQUAL(totals.parameters, 8 * 4 * 9);
    CU_ASSERT_EQUAL(totals.peak_activation_bytes, (400 + 512) * 4);
    dv_graph_destroy(graph);
}

static void test_what_leads_to_no_output_is_swept_out(void)
{
    dv_graph *graph = dv_graph_create("test", "test");
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    dv_tensor_id unread = tensor(graph, "unread", DV_ROLE_CONSTANT, 4);
    dv_tensor_id x = tensor(graph, "x", DV_ROLE_INPUT, 4);
    dv_tensor_id dead = tensor(graph, "dead", DV_ROLE_ACTIVATION, 4);
    dv_tensor_id deader = tensor(graph, "deader", DV_ROLE_ACTIVATION, 4);
    dv_tensor_id c = tensor(graph, "c", DV_ROLE_CONSTANT, 4);
    dv_tensor_id p = tensor(graph, "p", DV_ROLE_ACTIVATION, 4);
    dv_tensor_id y = tensor(graph, "y", DV_ROLE_ACTIVATION, 4);
    op(graph, "useless", x, unread, dead);
    op(graph, "last", p, c, y); /* added before what it reads */
    op(graph, "more useless", dead, p, deader);
    op(graph, "first", x, DV_NONE, p);
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_output(graph, y), DV_OK);

    CU_ASSERT_EQUAL_FATAL(dv_graph_sweep(graph), DV_OK);
    CU_ASSERT_EQUAL(graph->tensor_count, 4);
    CU_ASSERT_EQUAL_FATAL(graph->op_count, 2);
    CU_ASSERT_EQUAL_FATAL(dv_graph_finish(graph), DV_OK);
    CU_ASSERT_STRING_EQUAL(graph->ops[0].name, "first");
    CU_ASSERT_STRING_EQUAL(graph->ops[1].name, "last");
    CU_ASSERT_STRING_EQUAL(graph->tensors[graph->ops[1].inputs[0]].name, "p");
    CU_ASSERT_STRING_EQUAL(graph->tensors[graph->ops[1].inputs[1]].name, "c");
    CU_ASSERT_STRING_EQUAL(graph->tensors[graph->outputs[0]].name, "y");
    CU_ASSERT_EQUAL(graph->input_count, 1);
    dv_graph_destroy(graph);
}

static void test_every_operator_is_found_by_its_name(void)
{
    for (int kind = 0; kind < DV_OP_COUNT; kind++)
        CU_ASSERT_EQUAL((int)dv_op_kind_of(dv_op_info_of((dv_op_kind)kind)->name), kind);
    CU_ASSERT_EQUAL(dv_op_kind_of("aten.nothing"), DV_OP_COUNT);
    dv_family family;
    CU_ASSERT_TRUE(dv_family_from_name("depthwise", &family) && family == DV_FAMILY_DEPTHWISE);
    CU_ASSERT_FALSE(dv_family_from_name("deep", &family));
}

static void test_shapes_broadcast_multiply_and_print(void)
{
    const int64_t a[] = {4, 1, 3}, b[] = {5, 1}, c[] = {2, 3}, huge[] = {INT64_MAX, INT64_MAX};
    dv_shape left = dv_shape_make(a, 3), right = dv_shape_make(b, 2), out;
    CU_ASSERT_TRUE(dv_shape_broadcast(&left, &right, &out));
    CU_ASSERT_TRUE(out.rank == 3 && out.dim[0] == 4 && out.dim[1] == 5 && out.dim[2] == 3);
    right = dv_shape_make(c, 2);
    CU_ASSERT_TRUE(dv_shape_broadcast(&left, &right, &out) && out.dim[1] == 2);
    right = dv_shape_make((int64_t[]){2}, 1);
    CU_ASSERT_FALSE(dv_shape_broadcast(&left, &right, &out));
    size_t elements;
    right = dv_shape_make(huge, 2);
    CU_ASSERT_FALSE(dv_shape_elements(&right, &elements));
    CU_ASSERT_TRUE(dv_shape_elements(&left, &elements) && elements == 12);
    char text[DV_SHAPE_TEXT];
    CU_ASSERT_STRING_EQUAL(dv_shape_text(&left, text), "4x1x3");
    left.rank = DV_RANK_UNKNOWN;
    CU_ASSERT_STRING_EQUAL(dv_shape_text(&left, text), "?");
    CU_ASSERT_FALSE(dv_shape_elements(&left, &elements));
}

/* A number beyond a type's range becomes the nearest that the type has. */
static void test_a_constant_is_held_to_its_types_range(void)
{
    static const struct {
        dv_dtype dtype;
        double value;
        int64_t is;
    } cases[] = {{DV_DTYPE_U8, 64006, 255},         {DV_DTYPE_U8, -3, 0},
                 {DV_DTYPE_I8, -1e9, -128},         {DV_DTYPE_I32, 1e300, INT32_MAX},
                 {DV_DTYPE_I64, -1e300, INT64_MIN}, {DV_DTYPE_I16, 7, 7},
                 {DV_DTYPE_I64, (double)NAN, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dv_tensor constant = {.dtype = cases[i].dtype,
                              .role = DV_ROLE_CONSTANT,
                              .data = {.storage = DV_STORAGE_FILL, .shift = cases[i].value}};
        int64_t value = 1;
        CU_ASSERT_TRUE(dv_tensor_read_i64(&constant, 0, 1, &value));
        CU_ASSERT_EQUAL(value, cases[i].is);
    }
}

DV_SUITE(core_graph, DV_TEST(test_a_constant_is_held_to_its_types_range),
         DV_TEST(test_operators_come_out_in_a_topological_order),
         DV_TEST(test_names_of_tensors_are_made_unique), DV_TEST(test_a_cycle_is_named),
         DV_TEST(test_a_tensor_made_twice_or_never_is_named),
         DV_TEST(test_units_are_neighbours_in_topological_order),
         DV_TEST(test_units_that_need_each_other_are_refused),
         DV_TEST(test_a_large_shuffled_chain_sorts),
         DV_TEST(test_half_precision_converts_both_ways_for_every_value),
         DV_TEST(test_constants_are_read_as_other_types),
         DV_TEST(test_work_of_a_convolution_is_counted),
         DV_TEST(test_what_leads_to_no_output_is_swept_out),
         DV_TEST(test_every_operator_is_found_by_its_name),
         DV_TEST(test_shapes_broadcast_multiply_and_print));
