/* resnet.c - ResNet-50 (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016,
   arXiv 1512.03385, table 1), with the stride in the 3x3 convolution as torchvision builds it. */
#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

static dv_tensor_id conv_bn(dv_network *net, dv_tensor_id x, dv_conv_layer layer)
{
    layer.padding = layer.kernel / 2;
    return dv_batch_norm(net, dv_conv2d(net, x, layer));
}

static dv_tensor_id relu(dv_network *net, dv_tensor_id x)
{
    return dv_unary(net, DV_OP_RELU, x);
}

/* 1x1 down, 3x3, 1x1 up to four times the width; a projection where the shape changes. */
static dv_tensor_id bottleneck(dv_network *net, dv_tensor_id x, int64_t width, int64_t stride)
{
    dv_tensor_id y = x;
    y = relu(net, conv_bn(net, y, (dv_conv_layer){.channels = width, .kernel = 1}));
    y = relu(net,
             conv_bn(net, y, (dv_conv_layer){.channels = width, .kernel = 3, .stride = stride}));
    y = conv_bn(net, y, (dv_conv_layer){.channels = 4 * width, .kernel = 1});
    if (stride != 1 || dv_dim(net, x, 1) != 4 * width)
        x = conv_bn(net, x, (dv_conv_layer){.channels = 4 * width, .kernel = 1, .stride = stride});
    return relu(net, dv_binary(net, DV_OP_ADD, y, x));
}

static dv_status build(const char *options, dv_graph **out)
{
    static const struct {
        int64_t width, blocks, stride;
    } stages[] = {{64, 3, 1}, {128, 4, 2}, {256, 6, 2}, {512, 3, 2}};

    dv_network net = dv_network_begin("resnet50", options, "ResNet-50, 1000 classes");
    int64_t batch = dv_network_option(&net, options, "batch", 1, 1024, 1);
    int64_t side = dv_network_option(&net, options, "side", 32, 4096, 224);
    dv_tensor_id x = dv_input(&net, "image", DV_DTYPE_F32, (int64_t[]){batch, 3, side, side}, 4);
    dv_network_scope(&net, "stem");
    x = relu(&net, conv_bn(&net, x, (dv_conv_layer){.channels = 64, .kernel = 7, .stride = 2}));
    x = dv_max_pool(&net, x, 3, 2, 1, false);
    for (int stage = 0; stage < 4; stage++)
        for (int64_t block = 0; block < stages[stage].blocks; block++) {
            dv_network_scope(&net, "layer%d.%d", stage + 1, (int)block);
            x = bottleneck(&net, x, stages[stage].width, block == 0 ? stages[stage].stride : 1);
        }
    dv_network_scope(&net, "head");
    x = dv_flatten(&net, dv_global_average(&net, x));
    return dv_network_finish(&net, dv_linear(&net, x, 1000, true), out);
}

const dv_zoo_entry dv_zoo_resnet50 = {
    .name = "resnet50",
    .summary = "image classification, 224x224; options side=N, batch=N",
    .citation = "He et al., CVPR 2016, arXiv 1512.03385; counts: torchvision",
    .parameters = 25557032,
    .multiply_adds = 4.089e9,
    .options = "side batch",
    .build = build,
};
