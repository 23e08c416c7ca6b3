/* swin.c - Swin Transformer, tiny (Liu et al., "Swin Transformer: Hierarchical Vision Transformer
   using Shifted Windows", ICCV 2021, arXiv 2103.14030), as torchvision builds it. */
#include <math.h>
#include <stdlib.h>

#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

enum {
    SIDE = 224,
    PATCH = 4,
    WINDOW = 7,
    CELLS = WINDOW * WINDOW,
    SHIFT = 3,
    HEAD_WIDTH = 32,
    OFFSETS = (2 * WINDOW - 1) * (2 * WINDOW - 1),
};

static const double EPS = 1e-5;

/* Rotates an axis so that index `by` comes first. */
static dv_tensor_id roll(dv_network *net, dv_tensor_id x, int64_t axis, int64_t by)
{
    dv_tensor_id parts[] = {dv_slice(net, x, axis, by, dv_dim(net, x, (int)axis)),
                            dv_slice(net, x, axis, 0, by)};
    return dv_concat(net, parts, 2, axis);
}

/* The row of the bias table for every pair of cells of a window: their offset. */
static dv_tensor_id relative_index(dv_network *net)
{
    int64_t index[CELLS * CELLS];
    for (int a = 0; a < CELLS; a++)
        for (int b = 0; b < CELLS; b++) {
            int rows = a / WINDOW - b / WINDOW + WINDOW - 1;
            int columns = a % WINDOW - b % WINDOW + WINDOW - 1;
            index[a * CELLS + b] = rows * (2 * WINDOW - 1) + columns;
        }
    return dv_known(net, "relative_position_index", DV_DTYPE_I64, index, (int64_t[]){CELLS * CELLS},
                    1);
}

/* Which of the three bands of a shifted axis a place belongs to. */
static int band(int64_t place, int64_t side)
{
    return place < side - WINDOW ? 0 : place < side - SHIFT ? 1 : 2;
}

/* True where two cells of a window come from parts of the image that are no neighbours. */
static dv_tensor_id strangers(dv_network *net, int64_t side)
{
    int64_t across = side / WINDOW, windows = across * across;
    bool *mask = calloc((size_t)(windows * CELLS * CELLS), sizeof *mask);
    if (!mask) {
        net->status = dv_fail(DV_NO_MEMORY, "out of memory while building a network");
        return DV_NONE;
    }
    for (int64_t w = 0; w < windows; w++)
        for (int a = 0; a < CELLS; a++)
            for (int b = 0; b < CELLS; b++) {
                int64_t top = w / across * WINDOW, left = w % across * WINDOW;
                int part_a = 3 * band(top + a / WINDOW, side) + band(left + a % WINDOW, side);
                int part_b = 3 * band(top + b / WINDOW, side) + band(left + b % WINDOW, side);
                mask[(w * CELLS + a) * CELLS + b] = part_a != part_b;
            }
    dv_tensor_id id =
        dv_known(net, "shift_mask", DV_DTYPE_BOOL, mask, (int64_t[]){windows, 1, CELLS, CELLS}, 4);
    free(mask);
    return id;
}

/* [windows, CELLS, 3, heads, HEAD_WIDTH] to [windows, heads, CELLS, HEAD_WIDTH] of part 0, 1 or 2.
 */
static dv_tensor_id part(dv_network *net, dv_tensor_id qkv, int64_t heads, int64_t which,
                         bool transposed)
{
    static const uint8_t rows[] = {0, 2, 1, 3}, columns[] = {0, 2, 3, 1};
    int64_t windows = dv_dim(net, qkv, 0), width = heads * HEAD_WIDTH;
    dv_tensor_id x = dv_slice(net, qkv, 2, which * width, (which + 1) * width);
    x = dv_view(net, x, (int64_t[]){windows, CELLS, heads, HEAD_WIDTH}, 4);
    return dv_permute(net, x, transposed ? columns : rows, 4);
}

static dv_tensor_id window_attention(dv_network *net, dv_tensor_id x, int64_t side, bool shifted)
{
    static const uint8_t heads_first[] = {2, 0, 1}, join[] = {0, 2, 1, 3};
    int64_t windows = dv_dim(net, x, 0), width = dv_dim(net, x, 2), heads = width / HEAD_WIDTH;
    dv_tensor_id qkv = dv_linear(net, x, 3 * width, true);
    dv_tensor_id query = part(net, qkv, heads, 0, false);
    query = dv_binary(net, DV_OP_MUL, query, dv_scalar(net, 1 / sqrt(HEAD_WIDTH)));
    dv_tensor_id scores = dv_matmul(net, query, part(net, qkv, heads, 1, true));

    dv_tensor_id bias = dv_embedding(net, relative_index(net), OFFSETS, heads);
    bias = dv_permute(net, dv_view(net, bias, (int64_t[]){CELLS, CELLS, heads}, 3), heads_first, 3);
    bias = dv_view(net, bias, (int64_t[]){1, heads, CELLS, CELLS}, 4);
    scores = dv_binary(net, DV_OP_ADD, scores, bias);
    if (shifted) {
        dv_tensor_id mask = dv_cast(net, strangers(net, side), DV_DTYPE_F32);
        mask = dv_binary(net, DV_OP_MUL, mask, dv_scalar(net, -100));
        scores = dv_binary(net, DV_OP_ADD, scores, mask);
    }
    dv_tensor_id mixed = dv_matmul(net, dv_softmax(net, scores), part(net, qkv, heads, 2, false));
    mixed = dv_view(net, dv_permute(net, mixed, join, 4), (int64_t[]){windows, CELLS, width}, 3);
    return dv_linear(net, mixed, width, true);
}

/* Attention within windows of the image [1, H, W, C], shifted or not. */
static dv_tensor_id shifted_attention(dv_network *net, dv_tensor_id x, bool shifted)
{
    static const uint8_t swap[] = {0, 1, 3, 2, 4, 5};
    int64_t side = dv_dim(net, x, 1), width = dv_dim(net, x, 3), across = side / WINDOW;
    if (shifted)
        x = roll(net, roll(net, x, 1, SHIFT), 2, SHIFT);
    x = dv_view(net, x, (int64_t[]){1, across, WINDOW, across, WINDOW, width}, 6);
    x = dv_view(net, dv_permute(net, x, swap, 6), (int64_t[]){across * across, CELLS, width}, 3);
    x = window_attention(net, x, side, shifted);
    x = dv_view(net, x, (int64_t[]){1, across, across, WINDOW, WINDOW, width}, 6);
    x = dv_view(net, dv_permute(net, x, swap, 6), (int64_t[]){1, side, side, width}, 4);
    if (shifted)
        x = roll(net, roll(net, x, 1, side - SHIFT), 2, side - SHIFT);
    return x;
}

static dv_tensor_id block(dv_network *net, dv_tensor_id x, bool shifted)
{
    int64_t width = dv_dim(net, x, 3);
    dv_tensor_id y = shifted_attention(net, dv_layer_norm(net, x, EPS), shifted);
    x = dv_binary(net, DV_OP_ADD, x, y);
    y = dv_linear(net, dv_layer_norm(net, x, EPS), 4 * width, true);
    y = dv_linear(net, dv_unary(net, DV_OP_GELU, y), width, true);
    return dv_binary(net, DV_OP_ADD, x, y);
}

/* Every 2 x 2 pixels become one of four times the width, reduced to twice. */
static dv_tensor_id merge(dv_network *net, dv_tensor_id x)
{
    dv_tensor_id quarters[4];
    for (int i = 0; i < 4; i++)
        quarters[i] = dv_stride(net, dv_stride(net, x, 1, i % 2, 2), 2, i / 2, 2);
    int64_t width = dv_dim(net, x, 3);
    x = dv_layer_norm(net, dv_concat(net, quarters, 4, 3), EPS);
    return dv_linear(net, x, 2 * width, false);
}

static dv_status build(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    static const uint8_t to_last[] = {0, 2, 3, 1}, to_first[] = {0, 3, 1, 2};
    static const int depths[] = {2, 2, 6, 2};
    dv_network net = dv_network_begin(entry, options);
    dv_tensor_id x = dv_input(&net, "image", DV_DTYPE_F32, (int64_t[]){1, 3, SIDE, SIDE}, 4);
    dv_network_scope(&net, "features.0");
    x = dv_conv2d(&net, x,
                  (dv_conv_layer){.channels = 96, .kernel = PATCH, .stride = PATCH, .bias = true});
    x = dv_layer_norm(&net, dv_permute(&net, x, to_last, 4), EPS);
    for (int stage = 0; stage < 4; stage++) {
        if (stage > 0) {
            dv_network_scope(&net, "features.%d", 2 * stage);
            x = merge(&net, x);
        }
        for (int i = 0; i < depths[stage]; i++) {
            dv_network_scope(&net, "features.%d.%d", 2 * stage + 1, i);
            x = block(&net, x, i % 2 == 1 && dv_dim(&net, x, 1) > WINDOW);
        }
    }
    dv_network_scope(&net, "head");
    x = dv_permute(&net, dv_layer_norm(&net, x, EPS), to_first, 4);
    x = dv_flatten(&net, dv_global_average(&net, x));
    return dv_network_finish(&net, dv_linear(&net, x, 1000, true), out);
}

const dv_zoo_entry dv_zoo_swin_t = {
    .name = "swin_t",
    .summary = "Swin-T, image classification, 224x224",
    .citation = "Liu et al., ICCV 2021, arXiv 2103.14030; counts: torchvision",
    .parameters = 28288354,
    .multiply_adds = 4.491e9,
    .options = "",
    .build = build,
};
