/* Whole networks of the zoo, small images: lowering keeps their numbers and needs no memory for
   their weights. */
#include <stdio.h>

#include "datasets/zoo/zoo.h"
#include "tests/lowering.h"

static const char *const networks[] = {
    "mobilenet_v3_small:side=32",
    "shufflenet_v2_x1_0:side=32",
    "efficientnet_b0:side=32",
    "mobilevit_s:side=64",
    "regnet_y_400mf:side=32",
    "squeezenet1_1:side=64",
    "unet:side=32",
};

static void networks_compute_after_lowering_what_they_did_before(void)
{
    for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
        dv_graph *source = NULL, *before = NULL, *after = NULL;
        CU_ASSERT_EQUAL_FATAL(dv_zoo_build(networks[i], &source), DV_OK);
        CU_ASSERT_EQUAL_FATAL(dv_pass_infer(source, NULL, &before), DV_OK);
        CU_ASSERT_EQUAL_FATAL(dv_lower(source, NULL, &after), DV_OK);
        double error = difference(before, after, i + 1, 2);
        if (!(error < 1e-5))
            printf("\n    %s: %g\n", networks[i], error);
        CU_ASSERT_TRUE(error < 1e-5);
        dv_graph_destroy(after);
        dv_graph_destroy(before);
        dv_graph_destroy(source);
    }
}

/* Bytes that a graph's constants keep in memory. */
static size_t kept_bytes(const dv_graph *graph)
{
    size_t sum = 0;
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++) {
        const dv_data *data = &graph->tensors[t].data;
        sum += data->buffer ? dv_buffer_size(data->buffer) : 0;
        sum += data->factors ? dv_buffer_size(data->factors) : 0;
    }
    return sum;
}

static void folded_batch_norms_leave_the_weights_where_they_are(void)
{
    static const char *const folded[] = {"resnet50", "densenet121", "inception_v3", "unet"};
    for (size_t i = 0; i < sizeof folded / sizeof folded[0]; i++) {
        dv_graph *source = NULL, *graph = NULL;
        CU_ASSERT_EQUAL_FATAL(dv_zoo_build(folded[i], &source), DV_OK);
        CU_ASSERT_EQUAL_FATAL(dv_lower(source, NULL, &graph), DV_OK);
        CU_ASSERT_TRUE((double)kept_bytes(graph) < dv_graph_count(graph).weight_bytes / 50);
        dv_graph_destroy(graph);
        dv_graph_destroy(source);
    }
}

DV_SUITE(lowering_zoo, DV_TEST(networks_compute_after_lowering_what_they_did_before),
         DV_TEST(folded_batch_norms_leave_the_weights_where_they_are));
