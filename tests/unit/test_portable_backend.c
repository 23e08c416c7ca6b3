/* The reference backend: segments, memory, layouts and constants. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "runtime/portable/portable.h"
#include "tests/suite.h"

/* --- small networks -----------------------------------------------------------------------------
 */

static dv_tensor_id tensor(dv_graph *graph, dv_dtype dtype, const int64_t *dims, size_t rank,
                           dv_role role)
{
    dv_tensor_id id = DV_NONE;
    dv_tensor t = {.name = "t", .dtype = dtype, .shape = dv_shape_make(dims, rank), .role = role};
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_tensor(graph, &t, &id), DV_OK);
    return id;
}

static dv_tensor_id image(dv_graph *graph, dv_role role)
{
    return tensor(graph, DV_DTYPE_F32, (int64_t[]){1, 2, 2, 3}, 4, role);
}

static void op(dv_graph *graph, dv_op_kind kind, dv_tensor_id a, dv_tensor_id b, dv_tensor_id out)
{
    dv_op_id id;
    dv_op row = {.kind = kind,
                 .name = "op",
                 .source_type = "Op",
                 .input_count = b == DV_NONE ? 1 : 2,
                 .output_count = 1,
                 .inputs = (dv_tensor_id[]){a, b},
                 .outputs = &out};
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_op(graph, &row, &id), DV_OK);
}

/* y = relu(x) + -relu(x) * -relu(x), with the middle wanted outside as well. */
typedef struct network {
    dv_graph *graph;
    dv_tensor_id x, middle, y;
} network;

static network small_network(void)
{
    network n = {.graph = dv_graph_create("small", "graph")};
    n.x = image(n.graph, DV_ROLE_INPUT);
    dv_tensor_id a = image(n.graph, DV_ROLE_ACTIVATION);
    dv_tensor_id b = image(n.graph, DV_ROLE_ACTIVATION);
    n.middle = image(n.graph, DV_ROLE_ACTIVATION);
    n.y = image(n.graph, DV_ROLE_ACTIVATION);
    op(n.graph, DV_OP_RELU, n.x, DV_NONE, a);
    op(n.graph, DV_OP_NEG, a, DV_NONE, b);
    op(n.graph, DV_OP_MUL, b, b, n.middle);
    op(n.graph, DV_OP_ADD, n.middle, a, n.y);
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_output(n.graph, n.y), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_output(n.graph, n.middle), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_graph_finish(n.graph), DV_OK);
    return n;
}

static const dv_op_id in_order[] = {0, 1, 2, 3};

static dv_segment_spec whole(const network *n, const dv_tensor_id *outputs, const dv_layout *layout)
{
    return (dv_segment_spec){.graph = n->graph,
                             .op_count = n->graph->op_count,
                             .ops = in_order,
                             .input_count = n->graph->input_count,
                             .output_count = 2,
                             .inputs = n->graph->inputs,
                             .outputs = outputs,
                             .input_layout = layout,
                             .output_layout = layout,
                             .precision = DV_DTYPE_F32,
                             .threads = 1};
}

static const dv_layout plain[2] = {DV_LAYOUT_PLAIN, DV_LAYOUT_PLAIN};
static const dv_layout last[2] = {DV_LAYOUT_CHANNELS_LAST, DV_LAYOUT_CHANNELS_LAST};

/* --- the tests ----------------------------------------------------------------------------------
 */

static void test_segment_computes_its_operators_in_order(void)
{
    network n = small_network();
    const dv_tensor_id outputs[] = {n.y, n.middle};
    dv_segment_spec spec = whole(&n, outputs, plain);
    float x[12], y[12], middle[12];
    uint64_t stamps[4] = {0};
    dv_executable *executable;
    for (int i = 0; i < 12; i++)
        x[i] = (float)(i - 6);
    CU_ASSERT_EQUAL_FATAL(dv_backend_portable.compile(&spec, &executable), DV_OK);
    dv_backend_portable.bind(executable, (void *[]){x}, (void *[]){y, middle});
    CU_ASSERT_EQUAL(dv_backend_portable.run(executable, stamps), DV_OK);
    for (int i = 0; i < 12; i++) {
        float r = i < 6 ? 0 : (float)(i - 6);
        CU_ASSERT_EQUAL(middle[i], r * r);
        CU_ASSERT_EQUAL(y[i], r * r + r);
    }
    for (int i = 0; i < 4; i++)
        CU_ASSERT_TRUE(stamps[i] > 0 && (i == 0 || stamps[i] >= stamps[i - 1]));
    dv_backend_portable.destroy(executable);
    dv_graph_destroy(n.graph);
}

static void test_channels_last_borders_hold_the_same_numbers_in_the_other_order(void)
{
    network n = small_network();
    const dv_tensor_id outputs[] = {n.y, n.middle};
    float x[2][12], y[2][12], middle[2][12];
    for (int c = 0; c < 2; c++)
        for (int p = 0; p < 6; p++)
            x[0][c * 6 + p] = x[1][p * 2 + c] = (float)(c * 10 + p);
    for (int way = 0; way < 2; way++) {
        dv_segment_spec spec = whole(&n, outputs, way ? last : plain);
        dv_executable *executable;
        CU_ASSERT_EQUAL_FATAL(dv_backend_portable.compile(&spec, &executable), DV_OK);
        dv_backend_portable.bind(executable, (void *[]){x[way]}, (void *[]){y[way], middle[way]});
        CU_ASSERT_EQUAL(dv_backend_portable.run(executable, NULL), DV_OK);
        dv_backend_portable.destroy(executable);
    }
    for (int c = 0; c < 2; c++)
        for (int p = 0; p < 6; p++) {
            CU_ASSERT_EQUAL(y[0][c * 6 + p], y[1][p * 2 + c]);
            CU_ASSERT_EQUAL(middle[0][c * 6 + p], middle[1][p * 2 + c]);
        }
    dv_graph_destroy(n.graph);
}

static void test_memory_may_be_bound_again(void)
{
    network n = small_network();
    const dv_tensor_id outputs[] = {n.y, n.middle};
    dv_segment_spec spec = whole(&n, outputs, plain);
    dv_executable *executable;
    float first[12] = {1}, second[12] = {2}, y[12], middle[12];
    CU_ASSERT_EQUAL_FATAL(dv_backend_portable.compile(&spec, &executable), DV_OK);
    dv_backend_portable.bind(executable, (void *[]){first}, (void *[]){y, middle});
    CU_ASSERT_EQUAL(dv_backend_portable.run(executable, NULL), DV_OK);
    CU_ASSERT_EQUAL(y[0], 2);
    dv_backend_portable.bind(executable, (void *[]){second}, (void *[]){middle, y});
    CU_ASSERT_EQUAL(dv_backend_portable.run(executable, NULL), DV_OK);
    CU_ASSERT_EQUAL(middle[0], 6);
    CU_ASSERT_EQUAL(y[0], 4);
    dv_backend_portable.destroy(executable);
    dv_graph_destroy(n.graph);
}

static void test_segment_that_lacks_an_input_or_does_not_make_an_output_is_refused(void)
{
    network n = small_network();
    const dv_tensor_id outputs[] = {n.y, n.x};
    dv_executable *executable;
    dv_segment_spec spec = whole(&n, outputs, plain);
    CU_ASSERT_EQUAL(dv_backend_portable.compile(&spec, &executable), DV_BAD_INPUT);
    CU_ASSERT_PTR_NULL(executable);
    spec.output_count = 1;
    spec.input_count = 0;
    CU_ASSERT_EQUAL(dv_backend_portable.compile(&spec, &executable), DV_BAD_INPUT);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "neither makes nor is given"));
    dv_graph_destroy(n.graph);
}

/* Constants of each storage, the buffer at an odd offset: every one is added to x. */
static void test_constants_come_from_buffers_formulas_and_fills(void)
{
    dv_graph *graph = dv_graph_create("constants", "graph");
    dv_buffer *buffer = dv_buffer_create(64);
    const float stored[3] = {1, 2, 3};
    memcpy(dv_buffer_writable(buffer) + 5, stored, sizeof stored);
    dv_tensor_id sum = tensor(graph, DV_DTYPE_F32, (int64_t[]){3}, 1, DV_ROLE_INPUT);
    const dv_data data[] = {
        {.storage = DV_STORAGE_BUFFER, .buffer = buffer, .offset = 5},
        {.storage = DV_STORAGE_FILL, .shift = 100},
        {.storage = DV_STORAGE_GENERATED, .seed = 7, .scale = 0.5, .shift = 1000},
    };
    dv_tensor_id generated = DV_NONE;
    for (int i = 0; i < 3; i++) {
        dv_tensor constant = {.name = "c",
                              .dtype = DV_DTYPE_F32,
                              .shape = dv_shape_make((int64_t[]){3}, 1),
                              .role = DV_ROLE_CONSTANT,
                              .data = data[i]};
        CU_ASSERT_EQUAL_FATAL(dv_graph_add_tensor(graph, &constant, &generated), DV_OK);
        dv_tensor_id next = tensor(graph, DV_DTYPE_F32, (int64_t[]){3}, 1, DV_ROLE_ACTIVATION);
        op(graph, DV_OP_ADD, sum, generated, next);
        sum = next;
    }
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_output(graph, sum), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_graph_finish(graph), DV_OK);
    dv_buffer_release(buffer);

    network n = {.graph = graph};
    dv_segment_spec spec = whole(&n, &sum, plain);
    spec.output_count = 1;
    dv_executable *executable;
    float x[3] = {0.25f, 0.25f, 0.25f}, y[3], drawn[3];
    CU_ASSERT_EQUAL_FATAL(dv_backend_portable.compile(&spec, &executable), DV_OK);
    dv_backend_portable.bind(executable, (void *[]){x}, (void *[]){y});
    CU_ASSERT_EQUAL(dv_backend_portable.run(executable, NULL), DV_OK);
    CU_ASSERT_TRUE(dv_tensor_read_f32(&graph->tensors[generated], 0, 3, drawn));
    for (int i = 0; i < 3; i++)
        CU_ASSERT_DOUBLE_EQUAL((double)y[i], 0.25 + stored[i] + 100 + (double)drawn[i], 1e-3);
    dv_backend_portable.destroy(executable);
    dv_graph_destroy(graph);
}

static void test_aligned_constant_of_a_buffer_is_not_copied(void)
{
    dv_buffer *buffer = dv_buffer_create(64);
    dv_tensor constant = {.name = "c",
                          .dtype = DV_DTYPE_F32,
                          .shape = dv_shape_make((int64_t[]){3}, 1),
                          .role = DV_ROLE_CONSTANT,
                          .data = {.storage = DV_STORAGE_BUFFER, .buffer = buffer, .offset = 8}};
    const void *data;
    void *owned;
    CU_ASSERT_EQUAL(dv_portable_constant(&constant, &data, &owned), DV_OK);
    CU_ASSERT_PTR_EQUAL(data, dv_buffer_data(buffer) + 8);
    CU_ASSERT_PTR_NULL(owned);
    constant.data.offset = 9;
    CU_ASSERT_EQUAL(dv_portable_constant(&constant, &data, &owned), DV_OK);
    CU_ASSERT_PTR_NOT_NULL(owned);
    CU_ASSERT_PTR_EQUAL(data, owned);
    free(owned);
    dv_buffer_release(buffer);
}

static void test_other_precisions_and_opaque_operators_are_refused_with_a_reason(void)
{
    network n = small_network();
    char why[128] = "";
    CU_ASSERT_FALSE(dv_backend_portable.supports(n.graph, 0, DV_DTYPE_F16, why, sizeof why));
    CU_ASSERT_STRING_EQUAL(why, "portable computes in f32 only");
    CU_ASSERT_TRUE(dv_backend_portable.supports(n.graph, 0, DV_DTYPE_F32, why, sizeof why));
    dv_graph_destroy(n.graph);

    dv_graph *graph = dv_graph_create("opaque", "graph");
    dv_tensor_id x = image(graph, DV_ROLE_INPUT), y = image(graph, DV_ROLE_ACTIVATION);
    op(graph, DV_OP_OPAQUE, x, DV_NONE, y);
    CU_ASSERT_EQUAL_FATAL(dv_graph_finish(graph), DV_OK);
    CU_ASSERT_FALSE(dv_backend_portable.supports(graph, 0, DV_DTYPE_F32, why, sizeof why));
    CU_ASSERT_STRING_EQUAL(why, "there is no kernel for it");
    dv_graph_destroy(graph);
}

/* A chain of many operators, each read by a later one: intermediate tensors share memory, and the
   result still is what it is without sharing. */
static void test_long_lived_tensors_survive_the_sharing_of_memory(void)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        enum { LENGTH = 40 };
        dv_rng rng = dv_rng_seeded(seed);
        dv_graph *graph = dv_graph_create("chain", "graph");
        dv_tensor_id ids[LENGTH + 1];
        double value[LENGTH + 1];
        dv_op_id ops[LENGTH];
        const int64_t dims[1] = {5};
        ids[0] = tensor(graph, DV_DTYPE_F32, dims, 1, DV_ROLE_INPUT);
        value[0] = 0.5;
        for (int i = 1; i <= LENGTH; i++) {
            size_t other = dv_rng_below(&rng, (uint64_t)i);
            ids[i] = tensor(graph, DV_DTYPE_F32, dims, 1, DV_ROLE_ACTIVATION);
            op(graph, i % 2 ? DV_OP_SUB : DV_OP_MAXIMUM, ids[i - 1], ids[other], ids[i]);
            value[i] = i % 2 ? value[i - 1] - value[other] : fmax(value[i - 1], value[other]);
            value[i] = (double)(float)value[i];
            ops[i - 1] = (dv_op_id)(i - 1);
        }
        CU_ASSERT_EQUAL_FATAL(dv_graph_add_output(graph, ids[LENGTH]), DV_OK);
        CU_ASSERT_EQUAL_FATAL(dv_graph_finish(graph), DV_OK);
        network n = {.graph = graph};
        dv_segment_spec spec = whole(&n, &ids[LENGTH], plain);
        spec.ops = ops;
        spec.output_count = 1;
        float x[5] = {0.5f, 0.5f, 0.5f, 0.5f, 0.5f}, y[5];
        dv_executable *executable;
        CU_ASSERT_EQUAL_FATAL(dv_backend_portable.compile(&spec, &executable), DV_OK);
        dv_backend_portable.bind(executable, (void *[]){x}, (void *[]){y});
        CU_ASSERT_EQUAL(dv_backend_portable.run(executable, NULL), DV_OK);
        for (int i = 0; i < 5; i++)
            CU_ASSERT_EQUAL((double)y[i], value[LENGTH]);
        dv_backend_portable.destroy(executable);
        dv_graph_destroy(graph);
    }
}

DV_SUITE(portable_backend, DV_TEST(test_segment_computes_its_operators_in_order),
         DV_TEST(test_channels_last_borders_hold_the_same_numbers_in_the_other_order),
         DV_TEST(test_memory_may_be_bound_again),
         DV_TEST(test_segment_that_lacks_an_input_or_does_not_make_an_output_is_refused),
         DV_TEST(test_constants_come_from_buffers_formulas_and_fills),
         DV_TEST(test_aligned_constant_of_a_buffer_is_not_copied),
         DV_TEST(test_other_precisions_and_opaque_operators_are_refused_with_a_reason),
         DV_TEST(test_long_lived_tensors_survive_the_sharing_of_memory));
