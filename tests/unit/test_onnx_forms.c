/* test_onnx_forms.c - attributes that later became inputs: both forms give the same numbers. And
   what exporters of real models do that a reader may stumble over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lowering.h"
#include "tests/onnx_writer.h"

/* One attribute: "axes=1,-1", "min=-0.5" (with a point: a float), "mode:edge" (text). */
static void add_attribute(onnx_writer *w, const char *text)
{
    char name[32];
    size_t length = strcspn(text, "=:");
    snprintf(name, sizeof name, "%.*s", (int)length, text);
    const char *value = text + length + 1;
    if (text[length] == ':')
        onnx_attr_string(w, name, value);
    else if (strcmp(name, "scales") == 0)
        onnx_attr_floats(w, name, value);
    else if (strchr(value, '.'))
        onnx_attr_float(w, name, strtof(value, NULL));
    else if (strcmp(name, "axis") == 0 || strcmp(name, "keepdims") == 0 || strcmp(name, "k") == 0)
        onnx_attr_int(w, name, strtoll(value, NULL, 10));
    else
        onnx_attr_ints(w, name, value);
}

static void add_attributes(onnx_writer *w, const char *list)
{
    char copy[128], *rest = copy;
    snprintf(copy, sizeof copy, "%s", list);
    for (char *part; (part = strtok_r(rest, " ", &rest));)
        add_attribute(w, part);
}

/* Constants: "1,-1" of i64, "0.5" (with a point) of f32 and rank 0, "f1,1,2,2" a list of f32; "-"
   is left out. Returns the inputs of the node. */
static void add_constants(onnx_writer *w, const char *list, char inputs[64])
{
    char copy[128], *rest = copy;
    snprintf(copy, sizeof copy, "%s", list);
    strcpy(inputs, "x");
    for (char *part; (part = strtok_r(rest, " ", &rest));) {
        char name[] = {' ', (char)('a' + strlen(inputs)), '\0'};
        int64_t whole[8];
        float real[8];
        size_t count = 0;
        bool list_of_f32 = *part == 'f', scalar = !list_of_f32 && strchr(part, '.');
        strcat(inputs, strcmp(part, "-") == 0 ? " -" : name);
        if (strcmp(part, "-") == 0)
            continue;
        for (char *at = part + list_of_f32; *at && count < 8;
             at += strcspn(at, ","), at += *at == ',') {
            whole[count] = strtoll(at, NULL, 10);
            real[count++] = strtof(at, NULL);
        }
        char dims[8];
        snprintf(dims, sizeof dims, "%zu", count);
        if (list_of_f32 || scalar)
            onnx_floats(w, name + 1, scalar ? "" : dims, real);
        else
            onnx_longs(w, name + 1, dims, whole);
    }
}

typedef struct forms {
    const char *type;
    int64_t old;            /* operator set of the attribute form */
    const char *attributes; /* all of the old form */
    int64_t later;          /* operator set of the input form */
    const char *inputs;     /* constants behind x */
    const char *rest;       /* attributes that stayed attributes */
    const char *outputs;
} forms;

static const forms table[] = {
    {"Slice", 1, "starts=1,0 ends=3,9223372036854775807 axes=1,3", 10,
     "1,0 3,9223372036854775807 1,3", "", "y"},
    {"Slice", 9, "starts=0,-2 ends=1,-1", 13, "0,-2 1,-1", "", "y"},
    {"Squeeze", 1, "axes=0", 13, "0", "", "y"},
    {"Squeeze", 11, "axes=-4", 21, "-4", "", "y"},
    {"Unsqueeze", 1, "axes=0,3", 13, "0,3", "", "y"},
    {"Unsqueeze", 11, "axes=-1", 21, "-1", "", "y"},
    {"Clip", 6, "min=-0.5 max=0.25", 11, "-0.5 0.25", "", "y"},
    {"Clip", 6, "max=0.25", 13, "- 0.25", "", "y"},
    {"Pad", 2, "pads=0,0,1,2,0,0,3,4 mode:constant value=2.5", 11, "0,0,1,2,0,0,3,4 2.5",
     "mode:constant", "y"},
    {"Pad", 2, "pads=0,0,1,1,0,0,1,1 mode:edge", 18, "0,0,1,1,0,0,1,1", "mode:edge", "y"},
    {"Reshape", 1, "shape=2,-1", 5, "2,-1", "", "y"},
    {"Reshape", 4, "shape=0,0,-1", 14, "0,0,-1", "", "y"},
    {"Split", 2, "axis=1 split=1,3", 13, "1,3", "axis=1", "y y2"},
    {"TopK", 1, "axis=3 k=2", 10, "2", "axis=3", "y"},
    {"Upsample", 7, "scales=1,1,2,2 mode:nearest", 9, "f1,1,2,2", "mode:nearest", "y"},
    {"ReduceSum", 1, "axes=1,3 keepdims=0", 13, "1,3", "keepdims=0", "y"},
    {"ReduceSum", 11, "axes=-1", 21, "-1", "", "y"},
    {"ReduceMean", 1, "axes=2,3", 18, "2,3", "", "y"},
    {"ReduceMax", 1, "axes=1 keepdims=0", 18, "1", "keepdims=0", "y"},
    {"ReduceMin", 13, "axes=-2", 20, "-2", "", "y"},
    {"ReduceProd", 13, "axes=0,1,2,3", 18, "0,1,2,3", "", "y"},
    {"ReduceL1", 13, "axes=1", 18, "1", "", "y"},
    {"ReduceL2", 13, "axes=1", 18, "1", "", "y"},
    {"ReduceSumSquare", 11, "axes=3", 18, "3", "", "y"},
    {"ReduceLogSumExp", 11, "axes=3", 18, "3", "", "y"},
};

static dv_graph *network(const forms *row, bool later)
{
    char inputs[64] = "x";
    onnx_writer w = onnx_begin(later ? row->later : row->old);
    onnx_input(&w, "x", ONNX_FLOAT, "1,4,5,6");
    if (later)
        add_constants(&w, row->inputs, inputs);
    onnx_node(&w, row->type, inputs, row->outputs);
    add_attributes(&w, later ? row->rest : row->attributes);
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    if (strcmp(row->outputs, "y") != 0)
        onnx_output(&w, "y2", ONNX_FLOAT, NULL);
    dv_graph *graph = onnx_loaded(&w);
    onnx_free(&w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    return lowered(graph);
}

static void attributes_that_became_inputs_give_the_same_in_both_forms(void)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        dv_graph *old = network(&table[i], false), *later = network(&table[i], true);
        CU_ASSERT_EQUAL(count_of(old, DV_OP_OPAQUE) + count_of(later, DV_OP_OPAQUE), 0);
        CU_ASSERT_TRUE(old->op_count > 0);
        double by = difference(old, later, i, 10);
        CU_ASSERT_EQUAL(by, 0);
        if (by != 0)
            fprintf(stderr, "\n    %s, sets %d and %d: %g", table[i].type, (int)table[i].old,
                    (int)table[i].later, by);
        dv_graph_destroy(old);
        dv_graph_destroy(later);
    }
}

/* ---- what real files do ---- */

static dv_graph *loaded(onnx_writer *w)
{
    onnx_output(w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = onnx_loaded(w);
    onnx_free(w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    return graph;
}

/* As Paddle2ONNX exports: weights are Constant nodes, and no node has a name. */
static void weights_may_be_nodes_and_nodes_may_have_no_name(void)
{
    static const float weight[] = {1, 2, 3, 4};
    onnx_writer w = onnx_begin(11);
    dv_text value = {0};
    onnx_input(&w, "x", ONNX_FLOAT, "1,2");
    onnx_node(&w, "Constant", "", "weight");
    onnx_tensor(&value, NULL, ONNX_FLOAT, "2,2", weight, sizeof weight);
    onnx_attr_tensor(&w, "value", &value);
    onnx_node(&w, "MatMul", "x weight", "product");
    onnx_node(&w, "Relu", "product", "y");
    dv_text_free(&value);
    dv_graph *graph = lowered(loaded(&w));
    CU_ASSERT_EQUAL(graph->op_count, 2);
    CU_ASSERT_PTR_NOT_NULL(op_named(graph, "product"));
    CU_ASSERT_PTR_NOT_NULL(op_named(graph, "y"));
    dv_graph_destroy(graph);
}

/* As PyTorch 1.13 shares equal constants of batch norms. */
static void an_identity_of_an_initialiser_is_the_initialiser(void)
{
    static const float weight[] = {1, 2, 3, 4};
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "1,2");
    onnx_floats(&w, "weight", "2,2", weight);
    onnx_node(&w, "Identity", "weight", "same");
    onnx_node(&w, "MatMul", "x same", "y");
    dv_graph *graph = lowered(loaded(&w));
    CU_ASSERT_EQUAL(graph->op_count, 1);
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_LINEAR);
    dv_graph_destroy(graph);
}

/* As in Silero's: a branch in a branch reads a weight of the outermost graph. The outer choice is
   by a number that --set pins, computed with, the inner one by a constant. */
static dv_graph *nested_choice(int64_t sr)
{
    static const float two[] = {2, 2};
    static const int64_t rate = 16000;
    static const uint8_t yes = 1;
    dv_text deep = onnx_inner_graph("Mul", "x weight", "made");
    dv_text other = onnx_inner_graph("Neg", "x", "made");
    onnx_writer branch = onnx_begin(13), w = onnx_begin(13);
    onnx_node(&branch, "If", "yes", "inner");
    onnx_attr_graph(&branch, "then_branch", &deep);
    onnx_attr_graph(&branch, "else_branch", &other);
    onnx_output(&branch, "inner", ONNX_FLOAT, NULL);
    dv_text inner = onnx_graph_of(&branch);
    onnx_input(&w, "x", ONNX_FLOAT, "2");
    onnx_longs(&w, "sr", "", &sr);
    onnx_floats(&w, "weight", "2", two);
    onnx_longs(&w, "rate", "", &rate);
    onnx_raw(&w, "yes", ONNX_BOOL, "", &yes, 1);
    onnx_node(&w, "Equal", "sr rate", "is_rate");
    onnx_node(&w, "If", "is_rate", "y");
    onnx_attr_graph(&w, "then_branch", &inner);
    onnx_attr_graph(&w, "else_branch", &other);
    dv_text_free(&deep);
    dv_text_free(&other);
    dv_text_free(&inner);
    return loaded(&w);
}

static void branches_in_branches_see_outer_weights_and_a_pinned_number_decides(void)
{
    for (int match = 0; match < 2; match++) {
        dv_graph *graph = lowered(nested_choice(match ? 16000 : 8000));
        CU_ASSERT_EQUAL(graph->op_count, 1);
        CU_ASSERT_EQUAL(graph->ops[0].kind, match ? DV_OP_MUL : DV_OP_NEG);
        dv_graph_destroy(graph);
    }
}

/* Opset imports of domains that no node uses are no fault. */
static void domains_that_no_node_uses_do_not_matter(void)
{
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, "2");
    onnx_node(&w, "Relu", "x", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_text domain = {0};
    pb_string(&domain, 1, "ai.onnx.ml");
    pb_int(&domain, 2, 3);
    pb_message(&w.functions, 8, &domain);
    dv_graph *graph = onnx_loaded(&w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_RELU);
    dv_graph_destroy(graph);
    dv_text_free(&domain);
    onnx_free(&w);
}

/* A kernel of two places, each a pixel to the right of where it would lie, the lower one halved. */
static void a_deformable_convolution_samples_where_its_offsets_say(void)
{
    static const float weight[2] = {2, -1}, bias[1] = {0.5f};
    float offsets[4 * 6], mask[2 * 6];
    for (int i = 0; i < 6; i++) {
        offsets[i] = offsets[12 + i] = 0;     /* down */
        offsets[6 + i] = offsets[18 + i] = 1; /* to the right */
        mask[i] = 1;
        mask[6 + i] = 0.5f;
    }
    onnx_writer w = onnx_begin(19);
    onnx_input(&w, "x", ONNX_FLOAT, "1,1,3,3");
    onnx_floats(&w, "w", "1,1,2,1", weight);
    onnx_floats(&w, "o", "1,4,2,3", offsets);
    onnx_floats(&w, "b", "1", bias);
    onnx_floats(&w, "m", "1,2,2,3", mask);
    onnx_node(&w, "DeformConv", "x w o b m", "y");
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = onnx_loaded(&w);
    onnx_free(&w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    graph = lowered(graph);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "y"), "f32 1x1x2x3");
    void *inputs[32] = {NULL}, *outputs[32] = {NULL};
    CU_ASSERT_TRUE_FATAL(run_portable(graph, 3, 10, inputs, outputs));
    const float *x = inputs[0], *y = outputs[0];
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++) {
            double upper = j < 2 ? (double)x[3 * i + j + 1] : 0;
            double lower = j < 2 ? (double)x[3 * i + 3 + j + 1] : 0;
            CU_ASSERT_DOUBLE_EQUAL(y[3 * i + j], 2 * upper - 0.5 * lower + 0.5, 1e-5);
        }
    for (int i = 0; i < 32; i++) {
        free(inputs[i]);
        free(outputs[i]);
    }
    dv_graph_destroy(graph);
}

DV_SUITE(load_onnx_forms, DV_TEST(attributes_that_became_inputs_give_the_same_in_both_forms),
         DV_TEST(weights_may_be_nodes_and_nodes_may_have_no_name),
         DV_TEST(an_identity_of_an_initialiser_is_the_initialiser),
         DV_TEST(branches_in_branches_see_outer_weights_and_a_pinned_number_decides),
         DV_TEST(domains_that_no_node_uses_do_not_matter),
         DV_TEST(a_deformable_convolution_samples_where_its_offsets_say));
