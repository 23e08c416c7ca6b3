/* test_onnx_einsum.c - Einsum against the sum over all labels that it stands for. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runtime/portable/portable.h"
#include "tests/lowering.h"
#include "tests/onnx_writer.h"
#include "tests/suite.h"

enum { LABELS = 26, ELEMENTS = 512 };

static size_t size_of(char label)
{
    return 2 + (size_t)(label - 'a') % 3;
}

static size_t elements_of(const char *labels)
{
    size_t count = 1;
    for (; *labels; labels++)
        count *= size_of(*labels);
    return count;
}

static void dims_of(const char *labels, char *text, size_t room)
{
    text[0] = '\0';
    for (size_t i = 0; labels[i]; i++)
        snprintf(text + strlen(text), room - strlen(text), "%s%zu", i ? "," : "",
                 size_of(labels[i]));
}

/* The place of the element of these labels' values. */
static size_t place(const char *labels, const size_t *value)
{
    size_t at = 0;
    for (; *labels; labels++)
        at = at * size_of(*labels) + value[*labels - 'a'];
    return at;
}

static void sum_over_labels(const char *const terms[3], float in[2][ELEMENTS], double *out)
{
    char all[LABELS + 1] = "";
    size_t value[LABELS] = {0};
    for (int t = 0; t < 2; t++)
        for (const char *at = terms[t]; *at; at++)
            if (!strchr(all, *at))
                strncat(all, at, 1);
    memset(out, 0, ELEMENTS * sizeof *out);
    for (size_t i = 0; i < elements_of(all); i++) {
        size_t rest = i;
        for (const char *at = all; *at; at++) {
            value[*at - 'a'] = rest % size_of(*at);
            rest /= size_of(*at);
        }
        double other = terms[1][0] ? (double)in[1][place(terms[1], value)] : 1;
        out[place(terms[2], value)] += (double)in[0][place(terms[0], value)] * other;
    }
}

/* Runs all of a graph; false if it cannot. */
static bool run_whole(const dv_graph *graph, float in[2][ELEMENTS], float *out)
{
    static const dv_layout plain[2] = {DV_LAYOUT_PLAIN, DV_LAYOUT_PLAIN};
    dv_op_id ops[64];
    dv_executable *executable = NULL;
    if (graph->op_count > 64)
        return false;
    for (dv_op_id o = 0; o < graph->op_count; o++)
        ops[o] = o;
    dv_segment_spec spec = {.graph = graph,
                            .op_count = graph->op_count,
                            .ops = ops,
                            .input_count = graph->input_count,
                            .output_count = 1,
                            .inputs = graph->inputs,
                            .outputs = graph->outputs,
                            .input_layout = plain,
                            .output_layout = plain,
                            .precision = DV_DTYPE_F32,
                            .threads = 1};
    if (dv_backend_portable.compile(&spec, &executable) != DV_OK)
        return false;
    bool good =
        dv_backend_portable.bind(executable, (void *[]){in[0], in[1]}, (void *[]){out}) == DV_OK &&
        dv_backend_portable.run(executable, NULL) == DV_OK;
    dv_backend_portable.destroy(executable);
    return good;
}

static void check(const char *equation, const char *left, const char *right, const char *result)
{
    const char *const terms[3] = {left, right, result};
    static float in[2][ELEMENTS];
    float out[ELEMENTS];
    double expected[ELEMENTS];
    char dims[64];
    onnx_writer w = onnx_begin(12);
    for (int t = 0; t < 2 && terms[t][0]; t++) {
        dims_of(terms[t], dims, sizeof dims);
        onnx_input(&w, t ? "b" : "a", ONNX_FLOAT, dims);
        for (size_t i = 0; i < elements_of(terms[t]); i++)
            in[t][i] = (float)((i * 37 + (size_t)t * 11) % 19) - 9;
    }
    onnx_node(&w, "Einsum", right[0] ? "a b" : "a", "y");
    onnx_attr_string(&w, "equation", equation);
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = onnx_loaded(&w);
    onnx_free(&w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    graph = lowered(graph);
    sum_over_labels(terms, in, expected);
    size_t elements;
    CU_ASSERT_TRUE(dv_shape_elements(&graph->tensors[graph->outputs[0]].shape, &elements) &&
                   elements == elements_of(result));
    bool same = run_whole(graph, in, out);
    for (size_t i = 0; same && i < elements_of(result); i++)
        same = fabs((double)out[i] - expected[i]) < 1e-3;
    if (!same)
        fprintf(stderr, "    %s\n", equation);
    CU_ASSERT_TRUE(same);
    dv_graph_destroy(graph);
}

static void one_operand_is_summed_and_transposed(void)
{
    check("abc->ca", "abc", "", "ca");
    check("abc->", "abc", "", "");
    check("ba", "ba", "", "ab");
}

static void products_of_matrices_and_batches(void)
{
    check("ij,jk->ik", "ij", "jk", "ik");
    check("ij,jk", "ij", "jk", "ik");
    check("bij,bkj->bki", "bij", "bkj", "bki");
    check("i,i->", "i", "i", "");
    check("i,j->ji", "i", "j", "ji");
    check("bi,bi->b", "bi", "bi", "b");
}

static void attention_has_several_labels_a_side(void)
{
    check("bqhd,bkhd->bhqk", "bqhd", "bkhd", "bhqk");
    check("bthd,hdf->btf", "bthd", "hdf", "btf");
    check("btf,fhd->bthd", "btf", "fhd", "bthd");
    check("abi,cdi->adbc", "abi", "cdi", "adbc");
    check("abx,bc->ac", "abx", "bc", "ac"); /* x is summed beforehand */
}

static dv_graph *einsum_of(const char *equation, const char *a, const char *b)
{
    onnx_writer w = onnx_begin(12);
    onnx_input(&w, "a", ONNX_FLOAT, a);
    onnx_input(&w, "b", ONNX_FLOAT, b);
    onnx_node(&w, "Einsum", "a b", "y");
    onnx_attr_string(&w, "equation", equation);
    onnx_output(&w, "y", ONNX_FLOAT, NULL);
    dv_graph *graph = onnx_loaded(&w);
    onnx_free(&w);
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    return graph;
}

static void an_ellipsis_is_as_many_dims_as_are_left(void)
{
    dv_graph *dots = lowered(einsum_of("...ij,...jk", "2,3,4,5", "2,3,5,6"));
    dv_graph *letters = lowered(einsum_of("abij,abjk->abik", "2,3,4,5", "2,3,5,6"));
    CU_ASSERT_TRUE(difference(dots, letters, 1, 4) < 1e-6);
    dv_graph_destroy(dots);
    dv_graph_destroy(letters);

    dots = lowered(einsum_of("b...d,dk", "2,3,4,5", "5,6")); /* the ellipsis comes first */
    letters = lowered(einsum_of("bxyd,dk->xybk", "2,3,4,5", "5,6"));
    CU_ASSERT_TRUE(difference(dots, letters, 2, 4) < 1e-6);
    dv_graph_destroy(dots);
    dv_graph_destroy(letters);
}

static void what_is_not_understood_stays_opaque(void)
{
    static const char *const equations[] = {"ii->i", "..i->i", "i->j", "i,", "i->i->i", "1->1"};
    for (size_t i = 0; i < sizeof equations / sizeof equations[0]; i++) {
        onnx_writer w = onnx_begin(12);
        onnx_input(&w, "a", ONNX_FLOAT, "3");
        onnx_node(&w, "Einsum", "a", "y");
        onnx_attr_string(&w, "equation", equations[i]);
        onnx_output(&w, "y", ONNX_FLOAT, NULL);
        dv_graph *graph = onnx_loaded(&w);
        onnx_free(&w);
        CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
        CU_ASSERT_EQUAL(graph->ops[0].kind, DV_OP_OPAQUE);
        dv_graph_destroy(graph);
    }
}

DV_SUITE(load_onnx_einsum, DV_TEST(one_operand_is_summed_and_transposed),
         DV_TEST(products_of_matrices_and_batches), DV_TEST(attention_has_several_labels_a_side),
         DV_TEST(an_ellipsis_is_as_many_dims_as_are_left),
         DV_TEST(what_is_not_understood_stays_opaque));
