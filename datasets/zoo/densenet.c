/* densenet.c - DenseNet-121 (Huang et al., "Densely Connected Convolutional Networks", CVPR 2017,
   arXiv 1608.06993, table 1), as torchvision builds it. */
#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

enum { GROWTH = 32, BOTTLENECK = 4 * GROWTH };

static dv_tensor_id norm_relu(dv_network *net, dv_tensor_id x)
{
    return dv_unary(net, DV_OP_RELU, dv_batch_norm(net, x));
}

/* Reads all that the block has made so far, adds GROWTH channels to it. */
static dv_tensor_id dense_layer(dv_network *net, dv_tensor_id x)
{
    dv_tensor_id y = norm_relu(net, x);
    y = dv_conv2d(net, y, (dv_conv_layer){.channels = BOTTLENECK, .kernel = 1});
    y = norm_relu(net, y);
    y = dv_conv2d(net, y, (dv_conv_layer){.channels = GROWTH, .kernel = 3, .padding = 1});
    return dv_concat(net, (dv_tensor_id[]){x, y}, 2, 1);
}

static dv_status build(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    static const int layers[] = {6, 12, 24, 16};
    dv_network net = dv_network_begin(entry, options);
    dv_tensor_id x = dv_image_input(&net, options, 224);
    dv_network_scope(&net, "stem");
    x = dv_conv_norm(&net, x, (dv_conv_layer){.channels = 64, .kernel = 7, .stride = 2},
                     DV_OP_RELU);
    x = dv_max_pool(&net, x, 3, 2, 1, false);
    for (int block = 0; block < 4; block++) {
        for (int layer = 0; layer < layers[block]; layer++) {
            dv_network_scope(&net, "block%d.%d", block + 1, layer + 1);
            x = dense_layer(&net, x);
        }
        if (block == 3)
            break;
        dv_network_scope(&net, "transition%d", block + 1);
        x = norm_relu(&net, x);
        x = dv_conv2d(&net, x, (dv_conv_layer){.channels = dv_dim(&net, x, 1) / 2, .kernel = 1});
        x = dv_average_pool(&net, x, 2, 2, 0);
    }
    dv_network_scope(&net, "head");
    x = dv_flatten(&net, dv_global_average(&net, norm_relu(&net, x)));
    return dv_network_finish(&net, dv_linear(&net, x, 1000, true), out);
}

const dv_zoo_entry dv_zoo_densenet121 = {
    .name = "densenet121",
    .summary = "DenseNet-121, image classification, 224x224; options side=N, batch=N",
    .citation = "Huang et al., CVPR 2017, arXiv 1608.06993; counts: torchvision",
    .parameters = 7978856,
    .multiply_adds = 2.834e9,
    .options = "side batch",
    .build = build,
};
