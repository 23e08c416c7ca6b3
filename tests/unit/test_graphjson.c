/* test_graphjson.c - graph/1 reads what people write, writes what it reads, and says what is wrong.
 */
#include "load/graphjson.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "load/graph_params.h"
#include "load/load.h"
#include "tests/graph_builder.h"
#include "tests/suite.h"

static dv_status load_text(const char *text, dv_graph **graph)
{
    char path[256];
    *graph = NULL;
    snprintf(path, sizeof path, "%s/graph.json", dv_test_folder());
    CU_ASSERT_EQUAL(dv_file_write(path, text, strlen(text)), DV_OK);
    return dv_load(path, NULL, graph);
}

static dv_graph *loaded(const char *text)
{
    dv_graph *graph;
    dv_status status = load_text(text, &graph);
    if (status != DV_OK)
        fprintf(stderr, "\n    %s\n", dv_message());
    CU_ASSERT_EQUAL_FATAL(status, DV_OK);
    return graph;
}

static void refused(const char *text, const char *what)
{
    dv_graph *graph;
    CU_ASSERT_EQUAL(load_text(text, &graph), DV_BAD_INPUT);
    bool told = strstr(dv_message(), what) && strstr(dv_message(), "graph.json: ");
    CU_ASSERT_TRUE(told);
    if (!told)
        fprintf(stderr, "\n    expected '%s', found '%s'\n", what, dv_message());
    dv_graph_destroy(graph);
}

#define TENSORS                                                                               \
    "{\"divvy\": \"graph/1\", \"name\": \"tiny\", \"tensors\": ["                             \
    "{\"name\": \"x\", \"role\": \"input\", \"dtype\": \"f32\", \"shape\": [1, 3, 8, 8]},"    \
    "{\"name\": \"w\", \"role\": \"constant\", \"dtype\": \"f32\", \"shape\": [4, 3, 3, 3], " \
    "\"generated\": {\"seed\": 7, \"scale\": 0.5}}"

static void a_graph_by_hand_needs_only_what_matters(void)
{
    dv_graph *graph = loaded(TENSORS "], \"operators\": ["
                                     "{\"kind\": \"aten.convolution.default\", \"inputs\": [\"x\", "
                                     "\"w\", null], \"outputs\": [\"c\"], \"params\": {\"stride\": "
                                     "[2, 2], \"pad_begin\": [1, 1], \"pad_end\": [1, 0]}},"
                                     "{\"kind\": \"aten.relu.default\", \"inputs\": [\"c\"], "
                                     "\"outputs\": [\"y\"]}], \"outputs\": [\"y\"]}");
    CU_ASSERT_STRING_EQUAL(graph->name, "tiny");
    CU_ASSERT_STRING_EQUAL(graph->format, "graph");
    CU_ASSERT_EQUAL_FATAL(graph->op_count, 2);
    const dv_op *conv = &graph->ops[0];
    CU_ASSERT_STRING_EQUAL(conv->name, "c");
    CU_ASSERT_EQUAL(conv->inputs[2], DV_NONE);
    CU_ASSERT_TRUE(conv->params.conv.spatial == 2 && conv->params.conv.stride[1] == 2);
    CU_ASSERT_TRUE(conv->params.conv.groups == 1 && conv->params.conv.dilation[0] == 1);
    CU_ASSERT_TRUE(conv->params.conv.pad_begin[1] == 1 && conv->params.conv.pad_end[1] == 0);
    CU_ASSERT_EQUAL(graph->tensors[1].data.seed, 7);
    dv_graph_destroy(graph);
}

static void constants_are_numbers_fills_or_base64(void)
{
    dv_graph *graph = loaded(
        "{\"divvy\": \"graph/1\", \"tensors\": ["
        "{\"name\": \"a\", \"role\": \"constant\", \"dtype\": \"f16\", \"shape\": [3], \"values\": "
        "[1, "
        "-0.5, 65504]},"
        "{\"name\": \"b\", \"role\": \"constant\", \"dtype\": \"i64\", \"shape\": [2], \"values\": "
        "[-1, "
        "9007199254740992]},"
        "{\"name\": \"c\", \"role\": \"constant\", \"dtype\": \"u8\", \"shape\": [3], \"base64\": "
        "\"AQL/\"},"
        "{\"name\": \"d\", \"role\": \"constant\", \"dtype\": \"f32\", \"shape\": [], \"fill\": "
        "\"-inf\"},"
        "{\"name\": \"e\", \"role\": \"constant\", \"dtype\": \"bf16\", \"shape\": [1], "
        "\"values\": "
        "[1.0039062]},"
        "{\"name\": \"f\", \"role\": \"constant\", \"dtype\": \"f32\", \"shape\": [], \"fill\": "
        "\"nan\"}],"
        "\"operators\": [], \"outputs\": [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\"]}");
    float halves[3], scalar;
    int64_t longs[3];
    CU_ASSERT_TRUE(dv_tensor_read_f32(&graph->tensors[0], 0, 3, halves));
    CU_ASSERT_TRUE(halves[0] == 1 && halves[1] == -0.5f && halves[2] == 65504);
    CU_ASSERT_TRUE(dv_tensor_read_i64(&graph->tensors[1], 0, 2, longs));
    CU_ASSERT_TRUE(longs[0] == -1 && longs[1] == 9007199254740992);
    CU_ASSERT_TRUE(dv_tensor_read_i64(&graph->tensors[2], 0, 3, longs));
    CU_ASSERT_TRUE(longs[0] == 1 && longs[1] == 2 && longs[2] == 255);
    CU_ASSERT_TRUE(dv_tensor_read_f32(&graph->tensors[3], 0, 1, &scalar) && isinf(scalar));
    CU_ASSERT_TRUE(dv_tensor_read_f32(&graph->tensors[4], 0, 1, &scalar));
    CU_ASSERT_EQUAL(scalar, 1.0f); /* half of bf16's step above 1 goes to the even neighbour */
    CU_ASSERT_TRUE(dv_tensor_read_f32(&graph->tensors[5], 0, 1, &scalar) && isnan(scalar));
    dv_graph_destroy(graph);
}

/* A parameter of every kind set to something that is not its default. */
static void set_all(dv_op_kind kind, dv_op_params *params)
{
    dv_params_default(kind, params);
    for (const dv_field *field = dv_fields_of(kind); field->name; field++) {
        char *at = (char *)params + field->offset;
        static const int64_t sizes[] = {3, 4};
        int64_t whole = 5;
        double number = 0.1;
        int choice = 1;
        dv_shape shape = dv_shape_make((const int64_t[]){2, 3}, 2);
        switch (field->type) {
        case DV_FIELD_FLAG:
            *(bool *)at = true;
            break;
        case DV_FIELD_INTEGER:
            memcpy(at, &whole, sizeof whole);
            break;
        case DV_FIELD_NUMBER:
            memcpy(at, &number, sizeof number);
            break;
        case DV_FIELD_CHOICE:
            memcpy(at, &choice, sizeof choice);
            break;
        case DV_FIELD_DTYPE:
            *(dv_dtype *)(void *)at = DV_DTYPE_I64;
            break;
        case DV_FIELD_SHAPE:
            memcpy(at, &shape, sizeof shape);
            break;
        case DV_FIELD_LIST:
            *((uint8_t *)params + field->count_offset) = 2;
            for (int64_t i = 0; i < 2; i++)
                memcpy(at + (size_t)i * sizeof i, &(int64_t){7 + i}, sizeof i);
            break;
        case DV_FIELD_BYTES:
            *((uint8_t *)params + field->count_offset) = 2;
            at[0] = 1;
            break;
        case DV_FIELD_SIZES:
            params->split.count = 2;
            params->split.sizes = sizes;
            break;
        }
    }
}

/* One operator of each kind with all its parameters comes back equal, down to the text. */
static void every_kind_survives_writing_and_reading(void)
{
    dv_graph *graph = build_graph();
    dv_tensor_id x = build_input(graph, "x", "f32 2x3");
    for (int kind = 0; kind < DV_OP_OPAQUE; kind++) {
        dv_op_params params;
        const dv_op_info *info = dv_op_info_of((dv_op_kind)kind);
        dv_tensor_id inputs[8] = {x, x, x, x, x, x, x, x};
        set_all((dv_op_kind)kind, &params);
        build_output(graph, build_op(graph, (dv_op_kind)kind, params, info->name, inputs,
                                     info->least_inputs));
    }
    graph = build_finish(graph, DV_NONE);

    dv_text first = {0}, second = {0};
    CU_ASSERT_EQUAL_FATAL(dv_graph_write_json(graph, &first), DV_OK);
    dv_graph *back = loaded(first.data);
    CU_ASSERT_EQUAL_FATAL(back->op_count, graph->op_count);
    for (dv_op_id o = 0; o < graph->op_count; o++) {
        CU_ASSERT_EQUAL(back->ops[o].kind, graph->ops[o].kind);
        if (graph->ops[o].kind != DV_OP_SPLIT) /* holds a pointer */
            CU_ASSERT_EQUAL(
                memcmp(&back->ops[o].params, &graph->ops[o].params, sizeof graph->ops[o].params),
                0);
    }
    CU_ASSERT_EQUAL(dv_graph_write_json(back, &second), DV_OK);
    CU_ASSERT_STRING_EQUAL(dv_text_string(&first), dv_text_string(&second));
    dv_graph_destroy(graph);
    dv_graph_destroy(back);
    dv_text_free(&first);
    dv_text_free(&second);
}

static void what_is_wrong_is_named_by_its_path(void)
{
    refused("{\"divvy\": \"graph/2\"}", "graph/1");
    refused(TENSORS "], \"operators\": [], \"outputs\": [], \"extra\": 1}", "extra");
    refused(TENSORS "], \"operators\": [], \"outputs\": []}", "outputs: a graph needs an output");
    refused(TENSORS "], \"operators\": [], \"outputs\": [\"z\"]}", "nothing makes the output 'z'");
    refused(TENSORS
            "], \"operators\": [{\"kind\": \"aten.foo\", \"inputs\": [], \"outputs\": []}], "
            "\"outputs\": [\"x\"]}",
            "operators[0].kind: 'aten.foo' is no kind of operator");
    refused(TENSORS "], \"operators\": [{\"kind\": \"aten.add.Tensor\", \"inputs\": [\"x\"], "
                    "\"outputs\": [\"y\"]}], \"outputs\": [\"y\"]}",
            "operators[0]: aten.add.Tensor needs 2 inputs");
    refused(TENSORS "], \"operators\": [{\"kind\": \"aten.relu.default\", \"inputs\": [\"x\"], "
                    "\"outputs\": [\"y\"], \"params\": {\"alpha\": 1}}], \"outputs\": [\"y\"]}",
            "operators[0].params");
    refused(TENSORS
            "], \"operators\": [{\"kind\": \"aten.slice_copy.Tensor\", \"inputs\": [\"x\"], "
            "\"outputs\": [\"y\"], \"params\": {\"axes\": [1], \"begin\": [0, 0]}}], "
            "\"outputs\": [\"y\"]}",
            "params.begin: 2 numbers where the lists beside it have 1");
    refused(TENSORS ", {\"name\": \"x\"}], \"operators\": [], \"outputs\": [\"x\"]}",
            "tensors[2].name: there is another tensor of this name");
    refused(TENSORS
            ", {\"name\": \"k\", \"role\": \"constant\", \"dtype\": \"f32\", \"shape\": [3], "
            "\"values\": [1, 2]}], \"operators\": [], \"outputs\": [\"x\"]}",
            "tensors[2].values: 2 values where the shape needs 3");
    refused(TENSORS
            ", {\"name\": \"k\", \"role\": \"constant\", \"dtype\": \"i8\", \"shape\": [1], "
            "\"values\": [128]}], \"operators\": [], \"outputs\": [\"x\"]}",
            "tensors[2].values[0]: 128 is out of range");
    refused(TENSORS ", {\"name\": \"k\", \"role\": \"constant\", \"dtype\": \"f32\", \"shape\": "
                    "[4294967296, 4294967296], \"fill\": 0}], \"operators\": [], \"outputs\": "
                    "[\"x\"]}",
            "tensors[2].shape: more elements than memory can hold");
    refused(TENSORS ", {\"name\": \"k\", \"role\": \"constant\", \"dtype\": \"f32\", \"shape\": "
                    "[1000000000000], \"base64\": \"AAAA\"}], \"operators\": [], \"outputs\": "
                    "[\"x\"]}",
            "tensors[2].base64: it is not the base64 of 4000000000000 bytes");
    refused("{\"divvy\": \"graph/1\", \"tensors\": [", "line 1");
}

DV_SUITE(load_graphjson, DV_TEST(a_graph_by_hand_needs_only_what_matters),
         DV_TEST(constants_are_numbers_fills_or_base64),
         DV_TEST(every_kind_survives_writing_and_reading),
         DV_TEST(what_is_wrong_is_named_by_its_path));
