/* resnet.c - residual networks: ResNet (He et al., "Deep Residual Learning for Image Recognition",
   CVPR 2016, arXiv 1512.03385, table 1) and ResNeXt (Xie et al., "Aggregated Residual
   Transformations", CVPR 2017, arXiv 1611.05431), with the stride in the 3x3 convolution as
   torchvision builds them. */
#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

typedef struct resnet_variant {
    bool bottleneck;
    int64_t blocks[4];
    int64_t groups, width_per_group; /* of 64 in the first stage */
} resnet_variant;

static dv_tensor_id conv(dv_network *net, dv_tensor_id x, dv_conv_layer layer)
{
    return dv_conv_norm(net, x, layer, DV_OP_IDENTITY);
}

static dv_tensor_id conv_relu(dv_network *net, dv_tensor_id x, dv_conv_layer layer)
{
    return dv_conv_norm(net, x, layer, DV_OP_RELU);
}

/* 1x1 down, 3x3, 1x1 up to four times the stage's width. */
static dv_tensor_id bottleneck(dv_network *net, dv_tensor_id x, const resnet_variant *variant,
                               int64_t planes, int64_t stride)
{
    int64_t width = planes * variant->width_per_group / 64 * variant->groups;
    x = conv_relu(net, x, (dv_conv_layer){.channels = width, .kernel = 1});
    x = conv_relu(net, x,
                  (dv_conv_layer){
                      .channels = width, .kernel = 3, .stride = stride, .groups = variant->groups});
    return conv(net, x, (dv_conv_layer){.channels = 4 * planes, .kernel = 1});
}

static dv_tensor_id basic(dv_network *net, dv_tensor_id x, int64_t planes, int64_t stride)
{
    x = conv_relu(net, x, (dv_conv_layer){.channels = planes, .kernel = 3, .stride = stride});
    return conv(net, x, (dv_conv_layer){.channels = planes, .kernel = 3});
}

/* The branch plus the input, which is projected where the shape changes. */
static dv_tensor_id residual(dv_network *net, dv_tensor_id x, const resnet_variant *variant,
                             int64_t planes, int64_t stride)
{
    int64_t out = variant->bottleneck ? 4 * planes : planes;
    dv_tensor_id y = variant->bottleneck ? bottleneck(net, x, variant, planes, stride)
                                         : basic(net, x, planes, stride);
    if (stride != 1 || dv_dim(net, x, 1) != out)
        x = conv(net, x, (dv_conv_layer){.channels = out, .kernel = 1, .stride = stride});
    return dv_unary(net, DV_OP_RELU, dv_binary(net, DV_OP_ADD, y, x));
}

static dv_status build(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    const resnet_variant *variant = entry->variant;
    dv_network net = dv_network_begin(entry, options);
    dv_tensor_id x = dv_image_input(&net, options, 224);
    dv_network_scope(&net, "stem");
    x = conv_relu(&net, x, (dv_conv_layer){.channels = 64, .kernel = 7, .stride = 2});
    x = dv_max_pool(&net, x, 3, 2, 1, false);
    for (int stage = 0; stage < 4; stage++)
        for (int64_t block = 0; block < variant->blocks[stage]; block++) {
            dv_network_scope(&net, "layer%d.%d", stage + 1, (int)block);
            x = residual(&net, x, variant, 64 << stage, stage > 0 && block == 0 ? 2 : 1);
        }
    dv_network_scope(&net, "head");
    x = dv_flatten(&net, dv_global_average(&net, x));
    return dv_network_finish(&net, dv_linear(&net, x, 1000, true), out);
}

static const resnet_variant depth18 = {false, {2, 2, 2, 2}, 1, 64};
static const resnet_variant depth50 = {true, {3, 4, 6, 3}, 1, 64};
static const resnet_variant depth101 = {true, {3, 4, 23, 3}, 1, 64};
static const resnet_variant next50 = {true, {3, 4, 6, 3}, 32, 4};

#define RESNET(id, text, source, count, macs, row)                                  \
    const dv_zoo_entry dv_zoo_##id = {                                              \
        .name = #id,                                                                \
        .summary = text ", image classification, 224x224; options side=N, batch=N", \
        .citation = source "; counts: torchvision",                                 \
        .parameters = count,                                                        \
        .multiply_adds = macs,                                                      \
        .options = "side batch",                                                    \
        .variant = &row,                                                            \
        .build = build,                                                             \
    }

RESNET(resnet18, "ResNet-18", "He et al., CVPR 2016, arXiv 1512.03385", 11689512, 1.814e9, depth18);
RESNET(resnet50, "ResNet-50", "He et al., CVPR 2016, arXiv 1512.03385", 25557032, 4.089e9, depth50);
RESNET(resnet101, "ResNet-101", "He et al., CVPR 2016, arXiv 1512.03385", 44549160, 7.801e9,
       depth101);
RESNET(resnext50_32x4d, "ResNeXt-50 32x4d", "Xie et al., CVPR 2017, arXiv 1611.05431", 25028904,
       4.23e9, next50);
