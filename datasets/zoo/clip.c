/* clip.c - CLIP with a ViT-B/32 image tower (Radford et al., "Learning Transferable Visual Models
   From Natural Language Supervision", ICML 2021, arXiv 2103.00020, table 19): an image and a text,
   each to a point of one space, and how near they are. */
#include <math.h>

#include "datasets/zoo/attention.h"
#include "datasets/zoo/network_parts.h"
#include "datasets/zoo/zoo.h"

enum {
    LAYERS = 12,
    SPACE = 512,
    PATCH = 32,
    IMAGE_WIDTH = 768,
    IMAGE_HEADS = 12,
    TEXT_WIDTH = 512,
    TEXT_HEADS = 8,
    VOCABULARY = 49408,
    TOKENS = 77,
};

static const double EPS = 1e-5;

/* x sigmoid(1.702 x): the GELU that CLIP was trained with */
static dv_tensor_id quick_gelu(dv_network *net, dv_tensor_id x)
{
    dv_tensor_id gate = dv_binary(net, DV_OP_MUL, x, dv_scalar(net, 1.702));
    return dv_binary(net, DV_OP_MUL, x, dv_unary(net, DV_OP_SIGMOID, gate));
}

static dv_tensor_id layer(dv_network *net, dv_tensor_id x, int64_t heads, dv_tensor_id mask)
{
    int64_t width = dv_dim(net, x, 2);
    dv_tensor_id y = dv_layer_norm(net, x, EPS);
    dv_tensor_id query = dv_linear(net, y, width, true), key = dv_linear(net, y, width, true);
    y = dv_attention(net, query, key, dv_linear(net, y, width, true), heads, mask);
    x = dv_binary(net, DV_OP_ADD, x, dv_linear(net, y, width, true));
    y = quick_gelu(net, dv_linear(net, dv_layer_norm(net, x, EPS), 4 * width, true));
    return dv_binary(net, DV_OP_ADD, x, dv_linear(net, y, width, true));
}

/* x / |x| over the last dim */
static dv_tensor_id to_unit_length(dv_network *net, dv_tensor_id x)
{
    double width = (double)dv_dim(net, x, -1);
    dv_tensor_id mean = dv_mean_last(net, dv_binary(net, DV_OP_MUL, x, x));
    dv_tensor_id sum = dv_binary(net, DV_OP_MUL, mean, dv_scalar(net, width));
    return dv_binary(net, DV_OP_DIV, x, dv_unary(net, DV_OP_SQRT, sum));
}

static dv_tensor_id image_tower(dv_network *net)
{
    static const uint8_t swap[] = {0, 2, 1};
    dv_tensor_id x = dv_input(net, "pixel_values", DV_DTYPE_F32, (int64_t[]){1, 3, 224, 224}, 4);
    dv_network_scope(net, "vision");
    x = dv_conv2d(net, x,
                  (dv_conv_layer){.channels = IMAGE_WIDTH, .kernel = PATCH, .stride = PATCH});
    int64_t count = dv_dim(net, x, 2) * dv_dim(net, x, 3);
    x = dv_permute(net, dv_view(net, x, (int64_t[]){1, IMAGE_WIDTH, count}, 3), swap, 3);
    dv_tensor_id token = dv_weight(net, "class", (int64_t[]){1, 1, IMAGE_WIDTH}, 3, 0.02, 0);
    x = dv_concat(net, (dv_tensor_id[]){token, x}, 2, 1);
    int64_t places[] = {count + 1, IMAGE_WIDTH};
    x = dv_binary(net, DV_OP_ADD, x, dv_weight(net, "positions", places, 2, 0.03, 0));
    x = dv_layer_norm(net, x, EPS);
    for (int i = 0; i < LAYERS; i++) {
        dv_network_scope(net, "vision.%d", i);
        x = layer(net, x, IMAGE_HEADS, DV_NONE);
    }
    dv_network_scope(net, "vision");
    x = dv_view(net, dv_slice(net, x, 1, 0, 1), (int64_t[]){1, IMAGE_WIDTH}, 2);
    return to_unit_length(net, dv_linear(net, dv_layer_norm(net, x, EPS), SPACE, false));
}

/* The text ends with the token of the greatest number: its row stands for all. */
static dv_tensor_id last_row(dv_network *net, dv_tensor_id x, dv_tensor_id ids)
{
    dv_op find = {.kind = DV_OP_ARGMAX, .params.reduce = {.count = 1, .axes = {1}}};
    dv_op pick = {.kind = DV_OP_INDEX_SELECT, .params.axis = {.axis = 0}};
    dv_shape one = {.rank = 1, .dim = {1}}, row = {.rank = 2, .dim = {1, TEXT_WIDTH}};
    dv_tensor_id at = dv_network_op(net, find, &ids, 1, DV_DTYPE_I64, one);
    dv_tensor_id inputs[] = {dv_view(net, x, (int64_t[]){TOKENS, TEXT_WIDTH}, 2), at};
    return dv_network_op(net, pick, inputs, 2, DV_DTYPE_F32, row);
}

static dv_tensor_id text_tower(dv_network *net)
{
    dv_network_scope(net, "%s", "");
    dv_tensor_id ids = dv_input(net, "input_ids", DV_DTYPE_I64, (int64_t[]){1, TOKENS}, 2);
    dv_network_scope(net, "text");
    int64_t places[] = {TOKENS, TEXT_WIDTH};
    dv_tensor_id x = dv_embedding(net, ids, VOCABULARY, TEXT_WIDTH);
    x = dv_binary(net, DV_OP_ADD, x, dv_weight(net, "positions", places, 2, 0.03, 0));
    float hidden[TOKENS][TOKENS];
    for (int i = 0; i < TOKENS; i++)
        for (int j = 0; j < TOKENS; j++)
            hidden[i][j] = j > i ? -10000 : 0;
    int64_t square[] = {TOKENS, TOKENS};
    dv_tensor_id mask = dv_known(net, "causal", DV_DTYPE_F32, hidden, square, 2);
    for (int i = 0; i < LAYERS; i++) {
        dv_network_scope(net, "text.%d", i);
        x = layer(net, x, TEXT_HEADS, mask);
    }
    dv_network_scope(net, "text");
    x = last_row(net, dv_layer_norm(net, x, EPS), ids);
    return to_unit_length(net, dv_linear(net, x, SPACE, false));
}

static dv_status build(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    static const uint8_t swap[] = {1, 0};
    dv_network net = dv_network_begin(entry, options);
    dv_tensor_id image = image_tower(&net), text = text_tower(&net);
    dv_network_scope(&net, "head");
    dv_tensor_id near = dv_matmul(&net, image, dv_permute(&net, text, swap, 2));
    dv_tensor_id scale = dv_weight(&net, "logit_scale", (int64_t[]){1}, 1, 0, 2.6592);
    near = dv_binary(&net, DV_OP_MUL, near, dv_unary(&net, DV_OP_EXP, scale));
    return dv_network_finish_many(&net, (dv_tensor_id[]){near, image, text}, 3, out);
}

const dv_zoo_entry dv_zoo_clip_vit_b_32 = {
    .name = "clip_vit_b_32",
    .summary = "CLIP ViT-B/32, an image of 224x224 and a text of 77 tokens compared",
    .citation = "Radford et al., ICML 2021, arXiv 2103.00020, table 19; counts: the published "
                "checkpoint, multiply-adds by torch's counter on its configuration",
    .parameters = 151277313,
    .multiply_adds = 7.38858e9,
    .options = "",
    .build = build,
};
