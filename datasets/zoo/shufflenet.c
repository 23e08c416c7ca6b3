/* shufflenet.c - ShuffleNetV2 1.0 (Ma et al., "ShuffleNet V2: Practical Guidelines", ECCV 2018,
   arXiv 1807.11164, table 5), as torchvision builds it. */
#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

/* Interleaves the two halves of the channels: views around one permutation. */
static dv_tensor_id shuffle(dv_network *net, dv_tensor_id x)
{
    static const uint8_t swap[] = {0, 2, 1, 3, 4};
    int64_t n = dv_dim(net, x, 0), c = dv_dim(net, x, 1), h = dv_dim(net, x, 2),
            w = dv_dim(net, x, 3);
    x = dv_view(net, x, (int64_t[]){n, 2, c / 2, h, w}, 5);
    return dv_view(net, dv_permute(net, x, swap, 5), (int64_t[]){n, c, h, w}, 4);
}

static dv_tensor_id depthwise(dv_network *net, dv_tensor_id x, int64_t stride)
{
    int64_t channels = dv_dim(net, x, 1);
    return dv_conv_norm(
        net, x,
        (dv_conv_layer){.channels = channels, .kernel = 3, .stride = stride, .groups = channels},
        DV_OP_IDENTITY);
}

static dv_tensor_id pointwise(dv_network *net, dv_tensor_id x, int64_t channels)
{
    return dv_conv_norm(net, x, (dv_conv_layer){.channels = channels, .kernel = 1}, DV_OP_RELU);
}

static dv_tensor_id unit(dv_network *net, dv_tensor_id x, int64_t channels, int64_t stride)
{
    int64_t half = channels / 2;
    dv_tensor_id left, right;
    if (stride == 1) {
        left = dv_slice(net, x, 1, 0, half);
        right = dv_slice(net, x, 1, half, channels);
    } else {
        left = pointwise(net, depthwise(net, x, stride), half);
        right = x;
    }
    right = pointwise(net, depthwise(net, pointwise(net, right, half), stride), half);
    return shuffle(net, dv_concat(net, (dv_tensor_id[]){left, right}, 2, 1));
}

static dv_status build(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    static const struct {
        int64_t channels;
        int repeats;
    } stages[] = {{116, 4}, {232, 8}, {464, 4}};

    dv_network net = dv_network_begin(entry, options);
    dv_tensor_id x = dv_image_input(&net, options, 224);
    dv_network_scope(&net, "conv1");
    x = dv_conv_norm(&net, x, (dv_conv_layer){.channels = 24, .kernel = 3, .stride = 2},
                     DV_OP_RELU);
    x = dv_max_pool(&net, x, 3, 2, 1, false);
    for (int stage = 0; stage < 3; stage++)
        for (int i = 0; i < stages[stage].repeats; i++) {
            dv_network_scope(&net, "stage%d.%d", stage + 2, i);
            x = unit(&net, x, stages[stage].channels, i == 0 ? 2 : 1);
        }
    dv_network_scope(&net, "conv5");
    x = pointwise(&net, x, 1024);
    dv_network_scope(&net, "head");
    x = dv_flatten(&net, dv_global_average(&net, x));
    return dv_network_finish(&net, dv_linear(&net, x, 1000, true), out);
}

const dv_zoo_entry dv_zoo_shufflenet_v2_x1_0 = {
    .name = "shufflenet_v2_x1_0",
    .summary = "ShuffleNetV2 1.0, image classification, 224x224; options side=N, batch=N",
    .citation = "Ma et al., ECCV 2018, arXiv 1807.11164; counts: torchvision",
    .parameters = 2278604,
    .multiply_adds = 0.145e9,
    .options = "side batch",
    .build = build,
};
