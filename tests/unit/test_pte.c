/* test_pte.c - an ExecuTorch program's calls are listed with what they read and make.

   The program is written by hand after exir's program.fbs: an XNNPACK delegate, a kernel, a view
   that the compiler elided, and a delegate of another backend. Programs of ExecuTorch's own are
   tested in test_pte_files.c. */
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "core/rng.h"
#include "load/load.h"
#include "load/pte.h"
#include "tests/fb_writer.h"
#include "tests/graph_builder.h"

enum { KERNEL = 1, DELEGATE = 2 };

/* f32; place in planned memory, -1: none. */
static void put_value(fb_writer *w, size_t values, size_t i, const char *sizes, int data,
                      int64_t place)
{
    size_t value = fb_table(w, 2);
    fb_point(w, values, i, value);
    fb_put(w, value, 0, 1, 5);
    size_t tensor = fb_child(w, value, 1, 10);
    fb_put(w, tensor, 0, 1, 6);
    fb_ints(w, tensor, 2, sizes);
    fb_put(w, tensor, 5, 4, (uint64_t)data);
    if (place >= 0) {
        size_t info = fb_child(w, tensor, 6, 3);
        fb_put(w, info, 0, 4, 1);
        fb_put(w, info, 1, 4, (uint64_t)place);
    }
}

static void put_call(fb_writer *w, size_t list, size_t i, int kind, unsigned index,
                     const char *args)
{
    size_t instruction = fb_table(w, 2);
    fb_point(w, list, i, instruction);
    fb_put(w, instruction, 0, 1, (uint64_t)kind);
    size_t call = fb_child(w, instruction, 1, 2);
    fb_put(w, call, 0, 4, index);
    fb_ints(w, call, 1, args);
}

static void put_xnn_value(fb_writer *w, size_t values, size_t i, const char *dims, unsigned flags)
{
    size_t value = fb_table(w, 2);
    fb_point(w, values, i, value);
    fb_put(w, value, 0, 1, 1);
    size_t tensor = fb_child(w, value, 1, 7);
    fb_put(w, tensor, 0, 2, 1); /* fp32 */
    fb_ints(w, tensor, 2, dims);
    fb_put(w, tensor, 4, 4, flags ? (i < 2 ? i : 2) : UINT32_MAX); /* the argument of the call */
    fb_put(w, tensor, 5, 4, flags);
    fb_put(w, tensor, 6, 4, i);
}

static size_t put_xnn_node(fb_writer *w, size_t nodes, size_t i, uint8_t kind, const char *ids)
{
    size_t node = fb_table(w, 4);
    fb_point(w, nodes, i, node);
    fb_put(w, node, 0, 1, kind);
    size_t table = fb_child(w, node, 1, 3);
    for (unsigned k = 0; ids[k]; k++)
        fb_put(w, table, k, 4, (uint64_t)(ids[k] - '0'));
    return node;
}

/* An addition and a clamp; with the header that ExecuTorch puts before them, or bare. */
static dv_text xnnpack_blob(bool with_header)
{
    enum { ADD = 1, CLAMP = 6, INPUT = 1, OUTPUT = 2 };
    fb_writer w = fb_begin("XN01", 9);
    size_t nodes = fb_refs(&w, FB_ROOT, 1, 2);
    put_xnn_node(&w, nodes, 0, ADD, "012");
    size_t clamp = put_xnn_node(&w, nodes, 1, CLAMP, "23");
    size_t bounds = fb_child(&w, clamp, 3, 2);
    fb_put_f32(&w, bounds, 0, 0);
    fb_put_f32(&w, bounds, 1, 6);
    size_t values = fb_refs(&w, FB_ROOT, 2, 4);
    put_xnn_value(&w, values, 0, "1,8", INPUT);
    put_xnn_value(&w, values, 1, "8", INPUT);
    put_xnn_value(&w, values, 2, "1,8", 0);
    put_xnn_value(&w, values, 3, "1,8", OUTPUT);
    fb_ints(&w, FB_ROOT, 4, "0,1");
    fb_ints(&w, FB_ROOT, 5, "3");
    if (!with_header)
        return w.bytes;
    char header[32] = {0};
    dv_text blob = {0};
    memcpy(header + 4, "XH00\x1e", 5);
    header[10] = 32;
    header[14] = (char)(w.bytes.length & 0xff);
    header[15] = (char)(w.bytes.length >> 8);
    dv_text_append_n(&blob, header, sizeof header);
    dv_text_append_n(&blob, w.bytes.data, w.bytes.length);
    dv_text_free(&w.bytes);
    return blob;
}

static void put_delegate(fb_writer *w, size_t list, size_t i, const char *id, unsigned index)
{
    size_t delegate = fb_table(w, 3);
    fb_point(w, list, i, delegate);
    fb_string(w, delegate, 0, id);
    size_t processed = fb_child(w, delegate, 1, 2);
    fb_put(w, processed, 1, 4, index);
}

static void put_plan(fb_writer *w)
{
    size_t plans = fb_refs(w, FB_ROOT, 1, 1);
    size_t plan = fb_table(w, 8);
    fb_point(w, plans, 0, plan);
    fb_string(w, plan, 0, "forward");
    size_t values = fb_refs(w, plan, 2, 6);
    put_value(w, values, 0, "1,8", 0, -1); /* input */
    put_value(w, values, 1, "8", 1, -1);   /* weight */
    put_value(w, values, 2, "1,8", 0, 0);  /* made by XNNPACK */
    put_value(w, values, 3, "8,1", 0, 0);  /* a view of it that nobody makes */
    put_value(w, values, 4, "8,1", 0, 64); /* made by the kernel */
    put_value(w, values, 5, "1,8", 0, 0);  /* made by the last delegate, where 2 was */
    fb_ints(w, plan, 3, "0");
    fb_ints(w, plan, 4, "5");
    size_t chains = fb_refs(w, plan, 5, 1);
    size_t chain = fb_table(w, 4);
    fb_point(w, chains, 0, chain);
    size_t calls = fb_refs(w, chain, 2, 3);
    put_call(w, calls, 0, DELEGATE, 0, "0,1,2");
    put_call(w, calls, 1, KERNEL, 0, "3,3,4,4");
    put_call(w, calls, 2, DELEGATE, 1, "4,5");
    size_t operators = fb_refs(w, plan, 6, 1);
    size_t add = fb_table(w, 2);
    fb_point(w, operators, 0, add);
    fb_string(w, add, 0, "aten::add");
    fb_string(w, add, 1, "out");
    size_t delegates = fb_refs(w, plan, 7, 2);
    put_delegate(w, delegates, 0, "XnnpackBackend", 0);
    put_delegate(w, delegates, 1, "QnnBackend", 1);
}

static dv_text program(bool with_header)
{
    fb_writer w = fb_begin("ET12", 8);
    dv_text blob = xnnpack_blob(with_header);
    static const float weight[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    put_plan(&w);
    size_t constants = fb_refs(&w, FB_ROOT, 2, 2);
    fb_point(&w, constants, 0, fb_table(&w, 1));
    size_t buffer = fb_table(&w, 1);
    fb_point(&w, constants, 1, buffer);
    fb_vector(&w, buffer, 0, 1, sizeof weight, weight);
    size_t blobs = fb_refs(&w, FB_ROOT, 3, 2);
    for (size_t i = 0; i < 2; i++) {
        size_t data = fb_table(&w, 1);
        fb_point(&w, blobs, i, data);
        fb_vector(&w, data, 0, 1, i ? 3 : blob.length, i ? "???" : blob.data);
    }
    dv_text_free(&blob);
    return w.bytes;
}

static dv_status read_program(const dv_text *bytes, dv_pte *pte)
{
    dv_buffer *buffer = dv_buffer_create(bytes->length);
    CU_ASSERT_PTR_NOT_NULL_FATAL(buffer);
    memcpy(dv_buffer_writable(buffer), bytes->data, bytes->length);
    dv_status status = dv_pte_read(buffer, NULL, NULL, pte);
    dv_buffer_release(buffer);
    return status;
}

static void calls_are_listed_with_their_inputs_and_outputs(void)
{
    dv_text bytes = program(true);
    dv_pte pte;
    CU_ASSERT_EQUAL_FATAL(read_program(&bytes, &pte), DV_OK);
    CU_ASSERT_EQUAL_FATAL(pte.call_count, 3);
    CU_ASSERT_STRING_EQUAL(pte.calls[0].backend, "XnnpackBackend");
    CU_ASSERT_EQUAL(pte.calls[0].input_count, 2);
    CU_ASSERT_EQUAL(pte.calls[0].output_count, 1);
    CU_ASSERT_EQUAL(pte.calls[0].bytes_in, 64);
    CU_ASSERT_EQUAL(pte.calls[0].bytes_out, 32);
    CU_ASSERT_PTR_NULL(pte.calls[1].backend);
    CU_ASSERT_STRING_EQUAL(pte.calls[1].name, "aten::add.out");
    CU_ASSERT_EQUAL(pte.calls[2].outputs[0], 5);
    CU_ASSERT_EQUAL(pte.switches, 2);
    dv_pte_free(&pte);
    dv_text_free(&bytes);
}

static void an_elided_view_is_read_not_made(void)
{
    dv_text bytes = program(true);
    dv_pte pte;
    CU_ASSERT_EQUAL_FATAL(read_program(&bytes, &pte), DV_OK);
    CU_ASSERT_EQUAL(pte.calls[1].output_count, 1);
    CU_ASSERT_EQUAL(pte.calls[1].outputs[0], 4);
    CU_ASSERT_EQUAL_FATAL(pte.calls[1].input_count, 2);
    CU_ASSERT_EQUAL(pte.calls[1].inputs[0], 2); /* value 3 is value 2 under another shape */
    dv_pte_free(&pte);
    dv_text_free(&bytes);
}

static void an_xnnpack_blob_tells_its_nodes(void)
{
    for (int with_header = 0; with_header < 2; with_header++) {
        dv_text bytes = program(with_header);
        dv_pte pte;
        CU_ASSERT_EQUAL_FATAL(read_program(&bytes, &pte), DV_OK);
        CU_ASSERT_EQUAL(pte.delegates[0].ops, 2);
        CU_ASSERT_STRING_EQUAL(pte.delegates[0].inside, "Add 1, Clamp 1");
        CU_ASSERT_EQUAL(pte.delegates[1].ops, -1);
        CU_ASSERT_EQUAL(pte.delegates[1].blob_bytes, 3);
        dv_pte_free(&pte);
        dv_text_free(&bytes);
    }
}

/* Loads the bytes as a file; the graph, or NULL with dv_message(). */
static dv_graph *load_bytes(const void *bytes, size_t size)
{
    char path[256];
    dv_graph *graph = NULL;
    snprintf(path, sizeof path, "%s/program.pte", dv_test_folder());
    CU_ASSERT_EQUAL_FATAL(dv_file_write(path, bytes, size), DV_OK);
    dv_status status = dv_load(path, NULL, &graph);
    if (status != DV_OK) {
        CU_ASSERT_TRUE(status == DV_BAD_INPUT || status == DV_NO_MEMORY);
        CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "program.pte: "));
    }
    return graph;
}

static void a_program_is_a_graph_of_what_its_calls_run(void)
{
    static const dv_op_kind kinds[] = {DV_OP_ADD, DV_OP_CLAMP, DV_OP_VIEW, DV_OP_ADD, DV_OP_OPAQUE};
    static const int64_t instructions[] = {0, 0, 1, 1, 2};
    dv_text bytes = program(true);
    dv_graph *graph = load_bytes(bytes.data, bytes.length);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_EQUAL_FATAL(graph->op_count, 5);
    for (dv_op_id o = 0; o < 5; o++) {
        CU_ASSERT_EQUAL(graph->ops[o].kind, kinds[o]);
        CU_ASSERT_EQUAL(graph->ops[o].debug_handle, instructions[o]);
    }
    CU_ASSERT_EQUAL(graph->ops[1].params.clamp.max, 6);
    CU_ASSERT_EQUAL(graph->input_count, 1);
    CU_ASSERT_EQUAL(graph->output_count, 1);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "value_5"), "f32 1x8");
    CU_ASSERT_PTR_NOT_NULL(strstr(graph->ops[4].reason, "its backend's own business"));
    float last;
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++)
        if (graph->tensors[t].role == DV_ROLE_CONSTANT) {
            CU_ASSERT_TRUE(dv_tensor_read_f32(&graph->tensors[t], 7, 1, &last));
            CU_ASSERT_EQUAL(last, 8);
        }
    dv_graph_destroy(graph);
    dv_text_free(&bytes);
}

static void damaged_programs_load_or_say_what_is_wrong(void)
{
    dv_text bytes = program(true);
    size_t loaded = 0;
    for (size_t size = 8; size < bytes.length; size += 3) {
        dv_graph *graph = load_bytes(bytes.data, size);
        loaded += graph != NULL;
        dv_graph_destroy(graph);
    }
    CU_ASSERT_TRUE(loaded <= 8); /* the last bytes are padding */
    for (uint64_t seed = 0; seed < 3000; seed++) {
        static const uint32_t words[] = {0, 1, 2, 4, 5, 0x7fffffff, 0x80000000, 0xffffffff};
        dv_rng rng = dv_rng_seeded(seed);
        dv_text damaged = {0};
        dv_text_append_n(&damaged, bytes.data, bytes.length);
        size_t at = 8 + 4 * (size_t)dv_rng_below(&rng, bytes.length / 4 - 3);
        if (seed % 2)
            memcpy(damaged.data + at, &words[dv_rng_below(&rng, 8)], 4);
        else
            damaged.data[at] ^= (char)(1 << dv_rng_below(&rng, 8));
        unsigned failures = CU_get_number_of_failures();
        dv_graph_destroy(load_bytes(damaged.data, damaged.length));
        if (CU_get_number_of_failures() != failures)
            fprintf(stderr, "\n    seed %d\n", (int)seed);
        dv_text_free(&damaged);
    }
    dv_text_free(&bytes);
}

DV_SUITE(load_pte, DV_TEST(calls_are_listed_with_their_inputs_and_outputs),
         DV_TEST(an_elided_view_is_read_not_made), DV_TEST(an_xnnpack_blob_tells_its_nodes),
         DV_TEST(a_program_is_a_graph_of_what_its_calls_run),
         DV_TEST(damaged_programs_load_or_say_what_is_wrong));
