/* squeezenet.c - SqueezeNet 1.1 (Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer
   parameters", arXiv 1602.07360; version 1.1 from the authors' repository), as torchvision builds
   it. */
#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

static dv_tensor_id conv_relu(dv_network *net, dv_tensor_id x, dv_conv_layer layer)
{
    layer.bias = true;
    return dv_unary(net, DV_OP_RELU, dv_conv2d(net, x, layer));
}

/* Squeeze to few channels, expand by 1x1 and by 3x3 side by side. */
static dv_tensor_id fire(dv_network *net, dv_tensor_id x, int64_t squeeze, int64_t expand)
{
    x = conv_relu(net, x, (dv_conv_layer){.channels = squeeze, .kernel = 1});
    dv_tensor_id sides[] = {
        conv_relu(net, x, (dv_conv_layer){.channels = expand, .kernel = 1}),
        conv_relu(net, x, (dv_conv_layer){.channels = expand, .kernel = 3, .padding = 1}),
    };
    return dv_concat(net, sides, 2, 1);
}

static dv_status build(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    static const struct {
        int64_t squeeze, expand; /* squeeze 0: a 3x3 max pool of stride 2 */
    } table[] = {{0, 0}, {16, 64},  {16, 64},  {0, 0},    {32, 128}, {32, 128},
                 {0, 0}, {48, 192}, {48, 192}, {64, 256}, {64, 256}};

    dv_network net = dv_network_begin(entry, options);
    dv_tensor_id x = dv_image_input(&net, options, 224);
    dv_network_scope(&net, "features.0");
    x = conv_relu(&net, x, (dv_conv_layer){.channels = 64, .kernel = 3, .stride = 2});
    for (int row = 0; row < (int)(sizeof table / sizeof table[0]); row++) {
        dv_network_scope(&net, "features.%d", row + 2);
        x = table[row].squeeze > 0 ? fire(&net, x, table[row].squeeze, table[row].expand)
                                   : dv_max_pool(&net, x, 3, 2, 0, true);
    }
    dv_network_scope(&net, "classifier");
    x = conv_relu(&net, x, (dv_conv_layer){.channels = 1000, .kernel = 1});
    return dv_network_finish(&net, dv_flatten(&net, dv_global_average(&net, x)), out);
}

const dv_zoo_entry dv_zoo_squeezenet1_1 = {
    .name = "squeezenet1_1",
    .summary = "image classification, 224x224; options side=N, batch=N",
    .citation = "Iandola et al., arXiv 1602.07360, version 1.1; counts: torchvision",
    .parameters = 1235496,
    .multiply_adds = 0.349e9,
    .options = "side batch",
    .build = build,
};
