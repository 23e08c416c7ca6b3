/* convnext.c - ConvNeXt-T (Liu et al., "A ConvNet for the 2020s", CVPR 2022, arXiv 2201.03545), as
   torchvision builds it. */
#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

static const double EPS = 1e-6;
static const uint8_t TO_LAST[] = {0, 2, 3, 1}, TO_FIRST[] = {0, 3, 1, 2};

/* Layer norm over the channels of an image. */
static dv_tensor_id norm_channels(dv_network *net, dv_tensor_id x)
{
    x = dv_layer_norm(net, dv_permute(net, x, TO_LAST, 4), EPS);
    return dv_permute(net, x, TO_FIRST, 4);
}

/* 7x7 depthwise, then a perceptron over the channels of each pixel, scaled per channel. */
static dv_tensor_id block(dv_network *net, dv_tensor_id x)
{
    int64_t width = dv_dim(net, x, 1);
    dv_conv_layer depthwise = {
        .channels = width, .kernel = 7, .padding = 3, .groups = width, .bias = true};
    dv_tensor_id y = dv_permute(net, dv_conv2d(net, x, depthwise), TO_LAST, 4);
    y = dv_linear(net, dv_layer_norm(net, y, EPS), 4 * width, true);
    y = dv_linear(net, dv_unary(net, DV_OP_GELU, y), width, true);
    y = dv_permute(net, y, TO_FIRST, 4);
    dv_tensor_id scale = dv_weight(net, "layer_scale", (int64_t[]){width, 1, 1}, 3, 0.1, 0.2);
    return dv_binary(net, DV_OP_ADD, dv_binary(net, DV_OP_MUL, y, scale), x);
}

static dv_status build(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    static const struct {
        int64_t width;
        int depth;
    } stages[] = {{96, 3}, {192, 3}, {384, 9}, {768, 3}};

    dv_network net = dv_network_begin(entry, options);
    dv_tensor_id x = dv_image_input(&net, options, 224);
    for (int stage = 0; stage < 4; stage++) {
        dv_network_scope(&net, "features.%d", 2 * stage);
        int64_t patch = stage == 0 ? 4 : 2;
        dv_conv_layer down = {
            .channels = stages[stage].width, .kernel = patch, .stride = patch, .bias = true};
        x = stage == 0 ? norm_channels(&net, dv_conv2d(&net, x, down))
                       : dv_conv2d(&net, norm_channels(&net, x), down);
        for (int i = 0; i < stages[stage].depth; i++) {
            dv_network_scope(&net, "features.%d.%d", 2 * stage + 1, i);
            x = block(&net, x);
        }
    }
    dv_network_scope(&net, "head");
    x = dv_flatten(&net, norm_channels(&net, dv_global_average(&net, x)));
    return dv_network_finish(&net, dv_linear(&net, x, 1000, true), out);
}

const dv_zoo_entry dv_zoo_convnext_tiny = {
    .name = "convnext_tiny",
    .summary = "ConvNeXt-T, image classification, 224x224; options side=N, batch=N",
    .citation = "Liu et al., CVPR 2022, arXiv 2201.03545; counts: torchvision",
    .parameters = 28589128,
    .multiply_adds = 4.456e9,
    .options = "side batch",
    .build = build,
};
