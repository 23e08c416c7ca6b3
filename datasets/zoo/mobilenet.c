/* mobilenet.c - MobileNets of the first two generations and MnasNet.

   MobileNetV1 (Howard et al. 2017, arXiv 1704.04861, table 1), MobileNetV2 (Sandler et al.,
   "Inverted Residuals and Linear Bottlenecks", CVPR 2018, arXiv 1801.04381, table 2) and MnasNet-B1
   (Tan et al., CVPR 2019, arXiv 1807.11626, figure 7), the last two as torchvision builds them. */
#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

static dv_tensor_id conv_relu6(dv_network *net, dv_tensor_id x, dv_conv_layer layer)
{
    return dv_clamp(net, dv_conv_norm(net, x, layer, DV_OP_IDENTITY), 0, 6);
}

static dv_status finish_classifier(dv_network *net, dv_tensor_id x, dv_graph **out)
{
    dv_network_scope(net, "classifier");
    x = dv_flatten(net, dv_global_average(net, x));
    return dv_network_finish(net, dv_linear(net, x, 1000, true), out);
}

static dv_status build_v1(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    static const struct {
        int64_t channels, stride;
    } table[] = {{64, 1},  {128, 2}, {128, 1}, {256, 2}, {256, 1},  {512, 2}, {512, 1},
                 {512, 1}, {512, 1}, {512, 1}, {512, 1}, {1024, 2}, {1024, 1}};

    dv_network net = dv_network_begin(entry, options);
    dv_tensor_id x = dv_image_input(&net, options, 224);
    dv_network_scope(&net, "conv1");
    x = dv_conv_norm(&net, x, (dv_conv_layer){.channels = 32, .kernel = 3, .stride = 2},
                     DV_OP_RELU);
    for (size_t row = 0; row < sizeof table / sizeof table[0]; row++) {
        dv_network_scope(&net, "separable%zu", row + 1);
        int64_t in = dv_dim(&net, x, 1);
        dv_conv_layer depthwise = {
            .channels = in, .kernel = 3, .stride = table[row].stride, .groups = in};
        x = dv_conv_norm(&net, x, depthwise, DV_OP_RELU);
        x = dv_conv_norm(&net, x, (dv_conv_layer){.channels = table[row].channels, .kernel = 1},
                         DV_OP_RELU);
    }
    return finish_classifier(&net, x, out);
}

typedef dv_tensor_id (*conv_activated)(dv_network *net, dv_tensor_id x, dv_conv_layer layer);

static dv_tensor_id conv_relu(dv_network *net, dv_tensor_id x, dv_conv_layer layer)
{
    return dv_conv_norm(net, x, layer, DV_OP_RELU);
}

/* Expand by t, depthwise, project without activation; added to the input where the shapes allow. */
static dv_tensor_id inverted_residual(dv_network *net, dv_tensor_id x, int64_t t, int64_t channels,
                                      int64_t kernel, int64_t stride, conv_activated conv)
{
    int64_t in = dv_dim(net, x, 1), hidden = in * t;
    dv_tensor_id y = x;
    if (t != 1)
        y = conv(net, y, (dv_conv_layer){.channels = hidden, .kernel = 1});
    y = conv(
        net, y,
        (dv_conv_layer){.channels = hidden, .kernel = kernel, .stride = stride, .groups = hidden});
    y = dv_conv_norm(net, y, (dv_conv_layer){.channels = channels, .kernel = 1}, DV_OP_IDENTITY);
    return stride == 1 && in == channels ? dv_binary(net, DV_OP_ADD, x, y) : y;
}

static dv_status build_v2(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    static const struct {
        int64_t t, channels, repeats, stride;
    } table[] = {
        {1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2},  {6, 64, 4, 2},
        {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
    };
    dv_network net = dv_network_begin(entry, options);
    dv_tensor_id x = dv_image_input(&net, options, 224);
    dv_network_scope(&net, "features.0");
    x = conv_relu6(&net, x, (dv_conv_layer){.channels = 32, .kernel = 3, .stride = 2});
    int block = 1;
    for (size_t row = 0; row < sizeof table / sizeof table[0]; row++)
        for (int64_t i = 0; i < table[row].repeats; i++) {
            dv_network_scope(&net, "features.%d", block++);
            x = inverted_residual(&net, x, table[row].t, table[row].channels, 3,
                                  i == 0 ? table[row].stride : 1, conv_relu6);
        }
    dv_network_scope(&net, "features.%d", block);
    x = conv_relu6(&net, x, (dv_conv_layer){.channels = 1280, .kernel = 1});
    return finish_classifier(&net, x, out);
}

static dv_status build_mnasnet(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    static const struct {
        int64_t t, channels, repeats, kernel, stride;
    } table[] = {{3, 24, 3, 3, 2}, {3, 40, 3, 5, 2},  {6, 80, 3, 5, 2},
                 {6, 96, 2, 3, 1}, {6, 192, 4, 5, 2}, {6, 320, 1, 3, 1}};

    dv_network net = dv_network_begin(entry, options);
    dv_tensor_id x = dv_image_input(&net, options, 224);
    dv_network_scope(&net, "stem");
    x = dv_conv_norm(&net, x, (dv_conv_layer){.channels = 32, .kernel = 3, .stride = 2},
                     DV_OP_RELU);
    x = inverted_residual(&net, x, 1, 16, 3, 1, conv_relu);
    for (size_t row = 0; row < sizeof table / sizeof table[0]; row++)
        for (int64_t i = 0; i < table[row].repeats; i++) {
            dv_network_scope(&net, "layers.%zu.%d", row + 8, (int)i);
            x = inverted_residual(&net, x, table[row].t, table[row].channels, table[row].kernel,
                                  i == 0 ? table[row].stride : 1, conv_relu);
        }
    dv_network_scope(&net, "head");
    x = dv_conv_norm(&net, x, (dv_conv_layer){.channels = 1280, .kernel = 1}, DV_OP_RELU);
    return finish_classifier(&net, x, out);
}

const dv_zoo_entry dv_zoo_mobilenet_v1 = {
    .name = "mobilenet_v1",
    .summary = "MobileNetV1 1.0, image classification, 224x224; options side=N, batch=N",
    .citation =
        "Howard et al. 2017, arXiv 1704.04861; counts: its table 4, and by hand from table 1",
    .parameters = 4231976,
    .multiply_adds = 0.569e9,
    .options = "side batch",
    .build = build_v1,
};

const dv_zoo_entry dv_zoo_mobilenet_v2 = {
    .name = "mobilenet_v2",
    .summary = "MobileNetV2 1.0, image classification, 224x224; options side=N, batch=N",
    .citation = "Sandler et al., CVPR 2018, arXiv 1801.04381; counts: torchvision",
    .parameters = 3504872,
    .multiply_adds = 0.301e9,
    .options = "side batch",
    .build = build_v2,
};

const dv_zoo_entry dv_zoo_mnasnet1_0 = {
    .name = "mnasnet1_0",
    .summary = "MnasNet-B1 1.0, image classification, 224x224; options side=N, batch=N",
    .citation = "Tan et al., CVPR 2019, arXiv 1807.11626; counts: torchvision",
    .parameters = 4383312,
    .multiply_adds = 0.314e9,
    .options = "side batch",
    .build = build_mnasnet,
};
