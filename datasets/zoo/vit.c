/* vit.c - Vision Transformer, base (Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021,
   arXiv 2010.11929, table 1), as torchvision builds it. */
#include "datasets/zoo/attention.h"
#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

enum { LAYERS = 12, WIDTH = 768, HEADS = 12, FEED_FORWARD = 3072 };

static const double EPS = 1e-6;

static dv_tensor_id encoder_layer(dv_network *net, dv_tensor_id x)
{
    dv_tensor_id y = dv_linear(net, dv_layer_norm(net, x, EPS), 3 * WIDTH, true);
    dv_tensor_id query = dv_slice(net, y, 2, 0, WIDTH);
    dv_tensor_id key = dv_slice(net, y, 2, WIDTH, 2 * WIDTH);
    dv_tensor_id value = dv_slice(net, y, 2, 2 * WIDTH, 3 * WIDTH);
    y = dv_linear(net, dv_attention(net, query, key, value, HEADS, DV_NONE), WIDTH, true);
    x = dv_binary(net, DV_OP_ADD, x, y);
    y = dv_linear(net, dv_layer_norm(net, x, EPS), FEED_FORWARD, true);
    y = dv_linear(net, dv_unary(net, DV_OP_GELU, y), WIDTH, true);
    return dv_binary(net, DV_OP_ADD, x, y);
}

static dv_status build(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    static const uint8_t swap[] = {0, 2, 1};
    int64_t patch = *(const int64_t *)entry->variant;
    dv_network net = dv_network_begin(entry, options);
    dv_tensor_id x = dv_input(&net, "image", DV_DTYPE_F32, (int64_t[]){1, 3, 224, 224}, 4);
    dv_network_scope(&net, "patches");
    x = dv_conv2d(
        &net, x,
        (dv_conv_layer){.channels = WIDTH, .kernel = patch, .stride = patch, .bias = true});
    int64_t count = dv_dim(&net, x, 2) * dv_dim(&net, x, 3);
    x = dv_permute(&net, dv_view(&net, x, (int64_t[]){1, WIDTH, count}, 3), swap, 3);
    dv_tensor_id token = dv_weight(&net, "class_token", (int64_t[]){1, 1, WIDTH}, 3, 0.02, 0);
    x = dv_concat(&net, (dv_tensor_id[]){token, x}, 2, 1);
    int64_t places[] = {1, count + 1, WIDTH};
    x = dv_binary(&net, DV_OP_ADD, x, dv_weight(&net, "position", places, 3, 0.03, 0));
    for (int layer = 0; layer < LAYERS; layer++) {
        dv_network_scope(&net, "encoder.%d", layer);
        x = encoder_layer(&net, x);
    }
    dv_network_scope(&net, "head");
    x = dv_slice(&net, dv_layer_norm(&net, x, EPS), 1, 0, 1);
    x = dv_view(&net, x, (int64_t[]){1, WIDTH}, 2);
    return dv_network_finish(&net, dv_linear(&net, x, 1000, true), out);
}

static const int64_t patch16 = 16, patch32 = 32;

const dv_zoo_entry dv_zoo_vit_b_16 = {
    .name = "vit_b_16",
    .summary = "ViT-B/16, image classification, 224x224",
    .citation = "Dosovitskiy et al., ICLR 2021, arXiv 2010.11929; counts: torchvision",
    .parameters = 86567656,
    .multiply_adds = 17.564e9,
    .options = "",
    .variant = &patch16,
    .build = build,
};

const dv_zoo_entry dv_zoo_vit_b_32 = {
    .name = "vit_b_32",
    .summary = "ViT-B/32, image classification, 224x224",
    .citation = "Dosovitskiy et al., ICLR 2021, arXiv 2010.11929; counts: torchvision",
    .parameters = 88224232,
    .multiply_adds = 4.409e9,
    .options = "",
    .variant = &patch32,
    .build = build,
};
