/* test_onnx_dims.c - numbers for open dimensions. */
#include "load/onnx_dims.h"

#include "tests/graph_builder.h"
#include "tests/onnx_writer.h"
#include "tests/suite.h"

static onnx_writer model_of(const char *x, const char *y)
{
    onnx_writer w = onnx_begin(13);
    onnx_input(&w, "x", ONNX_FLOAT, x);
    onnx_input(&w, "y", ONNX_FLOAT, y);
    onnx_node(&w, "Add", "x y", "z");
    onnx_output(&w, "z", ONNX_FLOAT, NULL);
    return w;
}

static void an_open_first_dimension_is_one(void)
{
    onnx_writer w = model_of("batch,3", "?,3");
    dv_graph *graph = onnx_loaded(&w);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "x"), "f32 1x3");
    CU_ASSERT_STRING_EQUAL(type_of(graph, "y"), "f32 1x3");
    dv_graph_destroy(graph);
    onnx_free(&w);
}

/* A recurrent state of [layers, batch, features] has the batch second. */
static void a_symbol_that_is_first_somewhere_is_one_everywhere(void)
{
    onnx_writer w = model_of("2,batch,64", "batch,64");
    dv_graph *graph = onnx_loaded(&w);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "x"), "f32 2x1x64");
    dv_graph_destroy(graph);
    onnx_free(&w);
}

static void bindings_set_dimensions_by_name_and_by_place(void)
{
    const dv_binding dims[] = {{"width", 640}, {"x:0", 2}, {"y:1", 7}};
    const dv_load_options options = {.dims = dims, .dim_count = 3};
    onnx_writer w = model_of("batch,width", "width,?");
    dv_graph *graph;
    CU_ASSERT_EQUAL(onnx_load(&w, &options, &graph), DV_OK);
    CU_ASSERT_STRING_EQUAL(type_of(graph, "x"), "f32 2x640");
    CU_ASSERT_STRING_EQUAL(type_of(graph, "y"), "f32 640x7");
    dv_graph_destroy(graph);
    onnx_free(&w);
}

static void an_open_dimension_elsewhere_is_an_error_that_says_what_to_type(void)
{
    onnx_writer w = model_of("batch,3,width", "1");
    onnx_refused(&w, DV_BAD_INPUT,
                 "input 'x': dimension 2 is 'width' and has no value; choose one, for example "
                 "--dim 'width=N'");
    w = model_of("1", "1,?");
    onnx_refused(&w, DV_BAD_INPUT,
                 "input 'y': dimension 1 has neither a size nor a name; choose one, for example "
                 "--dim 'y:1=N'");
    w = model_of("1,-1", "1");
    onnx_refused(&w, DV_BAD_INPUT, "--dim 'x:1=N'");
    w = model_of(NULL, "1");
    onnx_refused(&w, DV_BAD_INPUT, "input 'x': its shape is not given");
}

static void a_binding_that_no_dimension_has_is_refused(void)
{
    const dv_binding dims[] = {{"with", 640}};
    const dv_load_options options = {.dims = dims, .dim_count = 1};
    onnx_writer w = model_of("batch,3", "3");
    dv_graph *graph;
    CU_ASSERT_EQUAL(onnx_load(&w, &options, &graph), DV_BAD_PARAMETER);
    CU_ASSERT_PTR_NULL(graph);
    onnx_free(&w);
}

static void shapes_beyond_memory_or_rank_are_refused(void)
{
    onnx_writer w = model_of("4611686018427387904,8", "1");
    onnx_refused(&w, DV_BAD_INPUT, "input 'x': its shape 4611686018427387904x8 has more elements");
    w = model_of("1,1,1,1,1,1,1,1,1", "1");
    onnx_refused(&w, DV_BAD_INPUT, "it has 9 dimensions");
}

DV_SUITE(load_onnx_dims, DV_TEST(an_open_first_dimension_is_one),
         DV_TEST(a_symbol_that_is_first_somewhere_is_one_everywhere),
         DV_TEST(bindings_set_dimensions_by_name_and_by_place),
         DV_TEST(an_open_dimension_elsewhere_is_an_error_that_says_what_to_type),
         DV_TEST(a_binding_that_no_dimension_has_is_refused),
         DV_TEST(shapes_beyond_memory_or_rank_are_refused));
