/* test_pt2.c - torch.export archives: containers, weights, dimensions, names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/load.h"
#include "lower/lower.h"
#include "tests/suite.h"
#include "tests/zip_writer.h"

/* ---- archives by hand: y = relu(x + w), w f32 [2, 3] ---- */

#define SIZE(n)     "{\"as_int\":" #n "}"
#define META(sizes) "{\"dtype\":7,\"sizes\":[" sizes "],\"layout\":7}"
#define NODE(target, name, inputs)                                                          \
    "{\"target\":\"" target "\",\"name\":\"" name "\",\"inputs\":[" inputs "],\"outputs\":" \
    "[{\"as_tensor\":{\"name\":\"" name "\"}}],\"metadata\":{}}"
#define ARG(name, value) \
    "{\"name\":\"" name "\",\"arg\":{\"as_tensor\":{\"name\":\"" value "\"}},\"kind\":1}"

static const char nodes_sum[] =
    NODE("torch.ops.aten.add.Tensor", "sum", ARG("self", "x") "," ARG("other", "w")) "," NODE(
        "torch.ops.aten.relu.default", "y", ARG("self", "sum"));

static const char config_plain[] =
    "{\"w\":{\"path_name\":\"weight_0\",\"is_param\":true,\"use_pickle\":false,\"tensor_meta\":"
    "{\"dtype\":7,\"sizes\":[" SIZE(2) "," SIZE(3) "],\"strides\":[" SIZE(3) "," SIZE(
        1) "],\"storage_offset\":" SIZE(0) ",\"layout\":7}}}";

typedef struct archive {
    int major;
    const char *rows;   /* the first dimension */
    const char *nodes;  /* NULL: nodes_sum */
    const char *config; /* NULL: config_plain */
    const char *ranges; /* NULL: none */
    size_t weight_floats;
} archive;

static dv_buffer *archive_of(const archive *a)
{
    static float weight[64];
    dv_text program = {0}, config = {0};
    for (int i = 0; i < 64; i++)
        weight[i] = (float)i;
    dv_text_append(
        &program,
        "{\"schema_version\":{\"major\":%d,\"minor\":20},\"torch_version\":\"2.13.0\","
        "\"range_constraints\":{%s},\"graph_module\":{\"graph\":{\"tensor_values\":{"
        "\"x\":{\"dtype\":7,\"sizes\":[%s,{\"as_int\":3}],\"layout\":7},"
        "\"w\":" META(SIZE(2) "," SIZE(
            3)) ","
                "\"sum\":{\"dtype\":7,\"sizes\":[%s,{\"as_int\":3}],\"layout\":7},"
                "\"y\":{\"dtype\":7,\"sizes\":[%s,{\"as_int\":3}],\"layout\":7}},"
                "\"sym_int_values\":{},\"nodes\":[%s]},\"signature\":{\"input_specs\":["
                "{\"parameter\":{\"arg\":{\"name\":\"w\"},\"parameter_name\":\"w\"}},"
                "{\"user_input\":{\"arg\":{\"as_tensor\":{\"name\":\"x\"}}}}],\"output_specs\":["
                "{\"user_output\":{\"arg\":{\"as_tensor\":{\"name\":\"y\"}}}}]}}}",
        a->major, a->ranges ? a->ranges : "", a->rows, a->rows, a->rows,
        a->nodes ? a->nodes : nodes_sum);
    dv_text_append(&config, "{\"config\":%s}", a->config ? a->config : config_plain);
    zip_writer w = zip_begin();
    zip_entry(&w, "m/archive_format", "pt2", 3);
    zip_entry(&w, "m/models/model.json", program.data, program.length);
    zip_entry(&w, "m/data/weights/model_weights_config.json", config.data, config.length);
    zip_entry(&w, "m/data/weights/weight_0", weight, a->weight_floats * sizeof *weight);
    dv_text_free(&program);
    dv_text_free(&config);
    return zip_finish(&w);
}

static const archive plain = {.major = 8, .rows = SIZE(2), .weight_floats = 6};

static dv_graph *load(const archive *a, const dv_load_options *options)
{
    dv_buffer *buffer = archive_of(a);
    dv_graph *graph = NULL;
    if (dv_load_buffer("m.pt2", buffer, options, &graph) != DV_OK)
        graph = NULL;
    dv_buffer_release(buffer);
    return graph;
}

static void expect_refused(const archive *a, const dv_load_options *options, const char *words)
{
    dv_graph *graph = load(a, options);
    CU_ASSERT_PTR_NULL(graph);
    if (graph || !strstr(dv_message(), words))
        fprintf(stderr, "    \"%s\" does not say \"%s\"\n", dv_message(), words);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), words));
    dv_graph_destroy(graph);
}

static const dv_tensor *tensor_named(const dv_graph *graph, const char *name)
{
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++)
        if (strcmp(graph->tensors[t].name, name) == 0)
            return &graph->tensors[t];
    return NULL;
}

static void test_an_archive_becomes_a_graph_with_its_names(void)
{
    dv_graph *graph = load(&plain, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_EQUAL_FATAL(graph->op_count, 2);
    CU_ASSERT_STRING_EQUAL(graph->ops[0].name, "sum");
    CU_ASSERT_STRING_EQUAL(graph->ops[0].source_type, "aten.add.Tensor");
    CU_ASSERT_STRING_EQUAL(graph->ops[1].name, "y");
    CU_ASSERT_EQUAL(graph->ops[1].kind, DV_OP_RELU);
    CU_ASSERT_STRING_EQUAL(graph->tensors[graph->inputs[0]].name, "x");
    CU_ASSERT_PTR_NOT_NULL(strstr(graph->about, "torch 2.13.0, schema 8.20"));
    dv_graph_destroy(graph);
}

/* The weight points into the archive's own bytes. */
static void test_weights_stay_in_the_file(void)
{
    dv_buffer *buffer = archive_of(&plain);
    dv_graph *graph = NULL;
    float values[6];
    CU_ASSERT_EQUAL_FATAL(dv_load_buffer("m.pt2", buffer, NULL, &graph), DV_OK);
    const dv_tensor *w = tensor_named(graph, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(w);
    CU_ASSERT_EQUAL(w->role, DV_ROLE_CONSTANT);
    CU_ASSERT_PTR_EQUAL(w->data.buffer, buffer);
    dv_tensor_read(w, 0, 6, values);
    CU_ASSERT_EQUAL(values[5], 5.0f);
    dv_graph_destroy(graph);
    dv_buffer_release(buffer);
}

/* Storage that other tensors share, transposed and from an offset on. */
static void test_strides_and_offsets_are_followed(void)
{
    archive a = plain;
    float values[6], expected[] = {4, 6, 8, 5, 7, 9};
    a.config = "{\"w\":{\"path_name\":\"weight_0\",\"tensor_meta\":{\"dtype\":\"FLOAT\",\"sizes\":"
               "[" SIZE(2) "," SIZE(3) "],\"strides\":[" SIZE(1) "," SIZE(
                   2) "],\"storage_offset\":" SIZE(4) "}}}";
    a.weight_floats = 10;
    dv_graph *graph = load(&a, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    dv_tensor_read(tensor_named(graph, "w"), 0, 6, values);
    CU_ASSERT_EQUAL(memcmp(values, expected, sizeof values), 0);
    dv_graph_destroy(graph);
    a.weight_floats = 9;
    expect_refused(&a, NULL, "beyond its storage");
}

static void test_weights_that_cannot_be_read_are_named(void)
{
    archive a = plain;
    a.config = "{\"w\":{\"path_name\":\"weight_0\",\"use_pickle\":true,\"tensor_meta\":{}}}";
    expect_refused(&a, NULL, "weight 'w': it is pickled");
    a.config = "{}";
    expect_refused(&a, NULL, "weight 'w': the archive does not list it");
    a.config = "{\"w\":{\"path_name\":\"weight_9\",\"tensor_meta\":{\"dtype\":7,\"sizes\":[" SIZE(
        2) "," SIZE(3) "],\"strides\":[" SIZE(3) "," SIZE(1) "],\"storage_offset\":" SIZE(0) "}}}";
    expect_refused(&a, NULL, "no entry 'm/data/weights/weight_9'");
    a = plain;
    a.weight_floats = 5;
    expect_refused(&a, NULL, "beyond its storage of 20 bytes");
}

static void test_other_majors_of_the_schema_are_refused(void)
{
    archive a = plain;
    a.major = 7;
    expect_refused(&a, NULL, "schema 7.20; 8.x is read");
}

/* ---- dimensions ---- */

static const char free_rows[] = "{\"as_expr\":{\"expr_str\":\"Symbol('s77', positive=True, "
                                "integer=True)\",\"hint\":{\"as_int\":4}}}";

static int64_t rows_with(const archive *a, const dv_load_options *options)
{
    dv_graph *graph = load(a, options);
    int64_t rows = graph ? graph->tensors[graph->inputs[0]].shape.dim[0] : -1;
    dv_graph_destroy(graph);
    return rows;
}

static void test_dimensions_are_those_of_the_example_unless_bound(void)
{
    archive a = plain;
    a.rows = free_rows;
    a.ranges = "\"s77\":{\"min_val\":2,\"max_val\":16}";
    dv_binding by_symbol = {"s77", 7}, by_input = {"x:0", 9}, fixed = {"x:1", 3};
    CU_ASSERT_EQUAL(rows_with(&a, NULL), 4);
    CU_ASSERT_EQUAL(rows_with(&a, &(dv_load_options){.dims = &by_symbol, .dim_count = 1}), 7);
    CU_ASSERT_EQUAL(rows_with(&a, &(dv_load_options){.dims = &by_input, .dim_count = 1}), 9);
    CU_ASSERT_EQUAL(rows_with(&a, &(dv_load_options){.dims = &fixed, .dim_count = 1}), 4);
}

static void test_dimensions_that_cannot_be_are_refused(void)
{
    archive a = plain;
    a.rows = free_rows;
    a.ranges = "\"s77\":{\"min_val\":2,\"max_val\":16}";
    dv_binding large = {"s77", 17}, fixed = {"x:1", 4}, unknown = {"batch", 2};
    expect_refused(&a, &(dv_load_options){.dims = &large, .dim_count = 1}, "s77 is 2 to 16");
    expect_refused(&a, &(dv_load_options){.dims = &fixed, .dim_count = 1}, "fixed at 3");
    expect_refused(&a, &(dv_load_options){.dims = &unknown, .dim_count = 1},
                   "there are s77, and INPUT:INDEX");
    a.rows = "{\"as_expr\":{\"expr_str\":\"u0\",\"hint\":null}}";
    expect_refused(&a, NULL, "--dim u0=N");
}

static void test_a_length_that_values_decide_is_as_great_as_it_can_be(void)
{
    archive a = plain;
    a.rows = "{\"as_expr\":{\"expr_str\":\"u0\",\"hint\":null}}";
    a.ranges = "\"u0\":{\"min_val\":0,\"max_val\":2}";
    dv_graph *graph = load(&a, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_EQUAL(graph->tensors[graph->inputs[0]].shape.dim[0], 2);
    dv_graph_destroy(graph);
}

/* ---- nodes ---- */

static void test_an_operator_that_is_not_understood_is_kept_by_name(void)
{
    archive a = plain;
    a.nodes =
        NODE("torch.ops.my.magic.default", "sum", ARG("self", "x") "," ARG("other", "w")) "," NODE(
            "torch.ops.aten.relu.default", "y", ARG("self", "sum"));
    dv_graph *graph = load(&a, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_OPAQUE);
    CU_ASSERT_EQUAL(graph->ops[0].input_count, 2);
    CU_ASSERT_STRING_EQUAL(graph->ops[0].reason, "operator my.magic.default is not supported");
    /* its shape is recorded, so what is behind it can be lowered and placed */
    dv_graph *lowered = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_lower(graph, NULL, &lowered), DV_OK);
    CU_ASSERT_EQUAL(lowered->unit_count, 2);
    CU_ASSERT_EQUAL(lowered->tensors[lowered->outputs[0]].shape.dim[1], 3);
    dv_graph_destroy(lowered);
    dv_graph_destroy(graph);
}

static void test_faults_name_the_node(void)
{
    archive a = plain;
    a.nodes = NODE("torch.ops.aten.relu.default", "y", ARG("self", "nothing"));
    expect_refused(&a, NULL, "node 0 'y' (aten.relu.default)");
    a.nodes = NODE("torch.ops.aten.relu.default", "x", ARG("self", "x"));
    expect_refused(&a, NULL, "'x' is made twice");
}

/* Reads through relu_'s argument see what it wrote. */
static void test_what_is_written_in_place_is_read_later(void)
{
    archive a = plain;
    a.nodes =
        NODE("torch.ops.aten.add.Tensor", "sum", ARG("self", "x") "," ARG("other", "w")) "," NODE(
            "torch.ops.aten.relu_.default", "r",
            ARG("self", "sum")) "," NODE("torch.ops.aten.neg.default", "y", ARG("self", "sum"));
    dv_graph *graph = load(&a, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    CU_ASSERT_EQUAL_FATAL(graph->op_count, 3);
    CU_ASSERT_EQUAL(graph->ops[2].inputs[0], graph->ops[1].outputs[0]);
    dv_graph_destroy(graph);
}

/* A parameter that is written to is kept from one inference to the next. */
static void test_a_written_buffer_becomes_a_state(void)
{
    archive a = plain;
    a.nodes =
        NODE("torch.ops.aten.add_.Tensor", "sum", ARG("self", "w") "," ARG("other", "x")) "," NODE(
            "torch.ops.aten.relu.default", "y", ARG("self", "sum"));
    dv_graph *graph = load(&a, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    const dv_tensor *w = tensor_named(graph, "w");
    CU_ASSERT_EQUAL(w->role, DV_ROLE_STATE);
    CU_ASSERT_EQUAL_FATAL(graph->state_count, 1);
    CU_ASSERT_EQUAL(graph->states[0].next, graph->ops[0].outputs[0]);
    dv_graph_destroy(graph);
}

/* ---- other archives ---- */

static void expect_container(const char *entry, const char *words)
{
    zip_writer w = zip_begin();
    zip_entry(&w, entry, "x", 1);
    dv_buffer *buffer = zip_finish(&w);
    dv_graph *graph = NULL;
    CU_ASSERT_EQUAL(dv_load_buffer("m.pt", buffer, NULL, &graph), DV_BAD_INPUT);
    if (!strstr(dv_message(), words))
        fprintf(stderr, "    \"%s\" does not say \"%s\"\n", dv_message(), words);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), words));
    dv_buffer_release(buffer);
}

static void test_other_archives_of_torch_are_told_apart(void)
{
    expect_container("m/constants.pkl", "a TorchScript archive");
    expect_container("m/code/__torch__.py", "a TorchScript archive");
    expect_container("m/data.pkl", "a checkpoint of torch.save");
    expect_container("m/data/aotinductor/model/x.so", "AOTInductor");
    expect_container("word/document.xml", "without an exported program");
}

static dv_graph *load_data(const char *name)
{
    char path[512];
    dv_graph *graph = NULL;
    snprintf(path, sizeof path, "%s/tests/data/pt2/%s.pt2", dv_source_root(), name);
    if (dv_load(path, NULL, &graph) != DV_OK)
        fprintf(stderr, "    %s\n", dv_message());
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    return graph;
}

/* torch 2.7 and 2.8 pickled the weights; those of an entry that is stored stay in the file. */
static void test_archives_of_older_torch_have_their_weights(void)
{
    dv_graph *older = load_data("torch27"), *old = load_data("torch28");
    CU_ASSERT_PTR_NOT_NULL(strstr(older->about, "torch 2.7.1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(old->about, "torch 2.8.0"));
    CU_ASSERT_PTR_NULL(strstr(older->about, "stand in"));
    CU_ASSERT_STRING_EQUAL(older->ops[0].name, "embedding"); /* nodes have no names there */
    bool stored = false;
    for (dv_tensor_id t = 0; t < old->tensor_count; t++)
        stored |=
            old->tensors[t].role == DV_ROLE_CONSTANT && old->tensors[t].data.buffer == old->source;
    CU_ASSERT_TRUE(stored);
    dv_graph_destroy(older);
    dv_graph_destroy(old);
}

static void expect_model(const char *method, const char *outputs)
{
    char path[512];
    dv_graph *graph = NULL;
    dv_load_options options = {.method = method};
    snprintf(path, sizeof path, "%s/tests/data/pt2/models.pt2", dv_source_root());
    CU_ASSERT_EQUAL_FATAL(dv_load(path, &options, &graph), DV_OK);
    CU_ASSERT_STRING_EQUAL(graph->tensors[graph->outputs[0]].name, outputs);
    dv_graph_destroy(graph);
}

/* Of several models the one that is asked for is taken, else the first; a name that is not there is
   answered with those that are. */
static void test_a_model_of_several_is_chosen_by_name(void)
{
    char path[512];
    dv_graph *graph = NULL;
    dv_load_options options = {.method = "translate"};
    expect_model(NULL, "relu");
    expect_model("encode", "relu");
    expect_model("decode", "tanh");
    snprintf(path, sizeof path, "%s/tests/data/pt2/models.pt2", dv_source_root());
    CU_ASSERT_EQUAL(dv_load(path, &options, &graph), DV_BAD_PARAMETER);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "there are encode, decode"));
}

/* Binding a dimension reaches every shape behind it. */
static void test_a_bound_dimension_reaches_the_output(void)
{
    char path[512];
    dv_graph *graph = NULL, *lowered = NULL;
    dv_binding binding = {"x:0", 3};
    snprintf(path, sizeof path, "%s/tests/data/pt2/cnn.pt2", dv_source_root());
    CU_ASSERT_EQUAL_FATAL(
        dv_load(path, &(dv_load_options){.dims = &binding, .dim_count = 1}, &graph), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_lower(graph, NULL, &lowered), DV_OK);
    CU_ASSERT_EQUAL(lowered->tensors[lowered->outputs[0]].shape.dim[0], 3);
    dv_graph_destroy(graph);
    dv_graph_destroy(lowered);
}

DV_SUITE(load_pt2, DV_TEST(test_an_archive_becomes_a_graph_with_its_names),
         DV_TEST(test_weights_stay_in_the_file), DV_TEST(test_strides_and_offsets_are_followed),
         DV_TEST(test_weights_that_cannot_be_read_are_named),
         DV_TEST(test_other_majors_of_the_schema_are_refused),
         DV_TEST(test_dimensions_are_those_of_the_example_unless_bound),
         DV_TEST(test_dimensions_that_cannot_be_are_refused),
         DV_TEST(test_a_length_that_values_decide_is_as_great_as_it_can_be),
         DV_TEST(test_an_operator_that_is_not_understood_is_kept_by_name),
         DV_TEST(test_faults_name_the_node), DV_TEST(test_what_is_written_in_place_is_read_later),
         DV_TEST(test_a_written_buffer_becomes_a_state),
         DV_TEST(test_other_archives_of_torch_are_told_apart),
         DV_TEST(test_a_model_of_several_is_chosen_by_name),
         DV_TEST(test_archives_of_older_torch_have_their_weights),
         DV_TEST(test_a_bound_dimension_reaches_the_output));
