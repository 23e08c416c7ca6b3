/* regnet.c - RegNetY-400MF (Radosavovic et al., "Designing Network Design Spaces", CVPR 2020, arXiv
   2003.13678, appendix), as torchvision builds it. */
#include <math.h>

#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

enum { GROUP_WIDTH = 8 };

static dv_tensor_id block(dv_network *net, dv_tensor_id x, int64_t width, int64_t stride)
{
    int64_t in = dv_dim(net, x, 1);
    dv_conv_layer grouped = {
        .channels = width, .kernel = 3, .stride = stride, .groups = width / GROUP_WIDTH};
    dv_tensor_id y = x;
    y = dv_conv_norm(net, y, (dv_conv_layer){.channels = width, .kernel = 1}, DV_OP_RELU);
    y = dv_conv_norm(net, y, grouped, DV_OP_RELU);
    y = dv_squeeze_excite(net, y, lrint(0.25 * (double)in), DV_OP_RELU, DV_OP_SIGMOID);
    y = dv_conv_norm(net, y, (dv_conv_layer){.channels = width, .kernel = 1}, DV_OP_IDENTITY);
    if (stride != 1 || in != width)
        x = dv_conv_norm(net, x, (dv_conv_layer){.channels = width, .kernel = 1, .stride = stride},
                         DV_OP_IDENTITY);
    return dv_unary(net, DV_OP_RELU, dv_binary(net, DV_OP_ADD, x, y));
}

static dv_status build(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    static const struct {
        int64_t width;
        int depth;
    } stages[] = {{48, 1}, {104, 3}, {208, 6}, {440, 6}};

    dv_network net = dv_network_begin(entry, options);
    dv_tensor_id x = dv_image_input(&net, options, 224);
    dv_network_scope(&net, "stem");
    x = dv_conv_norm(&net, x, (dv_conv_layer){.channels = 32, .kernel = 3, .stride = 2},
                     DV_OP_RELU);
    for (int stage = 0; stage < 4; stage++)
        for (int i = 0; i < stages[stage].depth; i++) {
            dv_network_scope(&net, "stage%d.%d", stage + 1, i);
            x = block(&net, x, stages[stage].width, i == 0 ? 2 : 1);
        }
    dv_network_scope(&net, "head");
    x = dv_flatten(&net, dv_global_average(&net, x));
    return dv_network_finish(&net, dv_linear(&net, x, 1000, true), out);
}

const dv_zoo_entry dv_zoo_regnet_y_400mf = {
    .name = "regnet_y_400mf",
    .summary = "RegNetY-400MF, image classification, 224x224; options side=N, batch=N",
    .citation = "Radosavovic et al., CVPR 2020, arXiv 2003.13678; counts: torchvision",
    .parameters = 4344144,
    .multiply_adds = 0.402e9,
    .options = "side batch",
    .build = build,
};
