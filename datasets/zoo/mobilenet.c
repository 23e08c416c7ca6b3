/* mobilenet.c - MobileNetV2 (Sandler et al., "MobileNetV2: Inverted Residuals and Linear
   Bottlenecks", CVPR 2018, arXiv 1801.04381, table 2), as torchvision builds it. */
#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

static dv_tensor_id conv_bn_relu6(dv_network *net, dv_tensor_id x, dv_conv_layer layer)
{
    layer.padding = (layer.kernel - 1) / 2;
    return dv_clamp(net, dv_batch_norm(net, dv_conv2d(net, x, layer)), 0, 6);
}

/* Expand by t, depthwise, project; added to the input where the shapes allow. */
static dv_tensor_id inverted_residual(dv_network *net, dv_tensor_id x, int64_t t, int64_t channels,
                                      int64_t stride)
{
    int64_t in = dv_dim(net, x, 1), hidden = in * t;
    dv_tensor_id y = x;
    if (t != 1)
        y = conv_bn_relu6(net, y, (dv_conv_layer){.channels = hidden, .kernel = 1});
    y = conv_bn_relu6(
        net, y,
        (dv_conv_layer){.channels = hidden, .kernel = 3, .stride = stride, .groups = hidden});
    y = dv_batch_norm(net, dv_conv2d(net, y, (dv_conv_layer){.channels = channels, .kernel = 1}));
    return stride == 1 && in == channels ? dv_binary(net, DV_OP_ADD, x, y) : y;
}

static dv_status build(const char *options, dv_graph **out)
{
    static const struct {
        int64_t t, channels, repeats, stride;
    } table[] = {
        {1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2},  {6, 64, 4, 2},
        {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
    };
    dv_network net = dv_network_begin("mobilenet_v2", options, "MobileNetV2 1.0, 1000 classes");
    int64_t batch = dv_network_option(&net, options, "batch", 1, 1024, 1);
    int64_t side = dv_network_option(&net, options, "side", 32, 4096, 224);
    dv_tensor_id x = dv_input(&net, "image", DV_DTYPE_F32, (int64_t[]){batch, 3, side, side}, 4);
    dv_network_scope(&net, "features.0");
    x = conv_bn_relu6(&net, x, (dv_conv_layer){.channels = 32, .kernel = 3, .stride = 2});
    int block = 1;
    for (size_t row = 0; row < sizeof table / sizeof table[0]; row++)
        for (int64_t i = 0; i < table[row].repeats; i++) {
            dv_network_scope(&net, "features.%d", block++);
            x = inverted_residual(&net, x, table[row].t, table[row].channels,
                                  i == 0 ? table[row].stride : 1);
        }
    dv_network_scope(&net, "features.%d", block);
    x = conv_bn_relu6(&net, x, (dv_conv_layer){.channels = 1280, .kernel = 1});
    dv_network_scope(&net, "classifier");
    x = dv_flatten(&net, dv_global_average(&net, x));
    return dv_network_finish(&net, dv_linear(&net, x, 1000, true), out);
}

const dv_zoo_entry dv_zoo_mobilenet_v2 = {
    .name = "mobilenet_v2",
    .summary = "image classification, 224x224; options side=N, batch=N",
    .citation = "Sandler et al., CVPR 2018, arXiv 1801.04381; counts: torchvision",
    .parameters = 3504872,
    .multiply_adds = 0.301e9,
    .options = "side batch",
    .build = build,
};
