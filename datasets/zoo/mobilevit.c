/* mobilevit.c - MobileViT, small (Mehta and Rastegari, "MobileViT: Light-weight, General-purpose,
   and Mobile-friendly Vision Transformer", ICLR 2022, arXiv 2110.02178, table 4), as the published
   configuration apple/mobilevit-small of transformers builds it. */
#include "datasets/zoo/attention.h"
#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

enum { PATCH = 2, CELLS = PATCH * PATCH, HEADS = 4, EXPANSION = 4, FEED_FORWARD = 2 };

static const double EPS = 1e-5;

static dv_tensor_id conv(dv_network *net, dv_tensor_id x, int64_t channels, int64_t kernel,
                         int64_t stride)
{
    dv_conv_layer layer = {.channels = channels, .kernel = kernel, .stride = stride};
    return dv_conv_norm(net, x, layer, DV_OP_SILU);
}

/* MobileNetV2's block: expand, depthwise, project; the input is added where the shapes allow. */
static dv_tensor_id inverted_residual(dv_network *net, dv_tensor_id x, int64_t channels,
                                      int64_t stride)
{
    int64_t in = dv_dim(net, x, 1), hidden = EXPANSION * in;
    dv_conv_layer depthwise = {.channels = hidden, .kernel = 3, .stride = stride, .groups = hidden};
    dv_tensor_id y = dv_conv_norm(net, conv(net, x, hidden, 1, 1), depthwise, DV_OP_SILU);
    y = dv_conv_norm(net, y, (dv_conv_layer){.channels = channels, .kernel = 1}, DV_OP_IDENTITY);
    return stride == 1 && in == channels ? dv_binary(net, DV_OP_ADD, x, y) : y;
}

static dv_tensor_id transformer_layer(dv_network *net, dv_tensor_id x)
{
    int64_t width = dv_dim(net, x, 2);
    dv_tensor_id y = dv_layer_norm(net, x, EPS);
    dv_tensor_id query = dv_linear(net, y, width, true), key = dv_linear(net, y, width, true);
    dv_tensor_id value = dv_linear(net, y, width, true);
    y = dv_linear(net, dv_attention(net, query, key, value, HEADS, DV_NONE), width, true);
    x = dv_binary(net, DV_OP_ADD, x, y);
    y = dv_linear(net, dv_layer_norm(net, x, EPS), FEED_FORWARD * width, true);
    y = dv_linear(net, dv_unary(net, DV_OP_SILU, y), width, true);
    return dv_binary(net, DV_OP_ADD, x, y);
}

/* [N, C, H, W] to [CELLS * N, patches, C]: the cells at the same place of all patches attend to
   each other. */
static dv_tensor_id unfold(dv_network *net, dv_tensor_id x)
{
    static const uint8_t apart[] = {0, 1, 2, 4, 3, 5}, cells_first[] = {0, 3, 2, 1};
    int64_t n = dv_dim(net, x, 0), c = dv_dim(net, x, 1);
    int64_t rows = dv_dim(net, x, 2) / PATCH, columns = dv_dim(net, x, 3) / PATCH;
    x = dv_view(net, x, (int64_t[]){n, c, rows, PATCH, columns, PATCH}, 6);
    x = dv_permute(net, x, apart, 6);
    x = dv_view(net, x, (int64_t[]){n, c, rows * columns, CELLS}, 4);
    x = dv_permute(net, x, cells_first, 4);
    return dv_view(net, x, (int64_t[]){n * CELLS, rows * columns, c}, 3);
}

static dv_tensor_id fold(dv_network *net, dv_tensor_id x, dv_tensor_id like)
{
    static const uint8_t cells_last[] = {0, 3, 2, 1}, together[] = {0, 1, 2, 4, 3, 5};
    int64_t n = dv_dim(net, like, 0), c = dv_dim(net, like, 1);
    int64_t rows = dv_dim(net, like, 2) / PATCH, columns = dv_dim(net, like, 3) / PATCH;
    x = dv_view(net, x, (int64_t[]){n, CELLS, rows * columns, c}, 4);
    x = dv_permute(net, x, cells_last, 4);
    x = dv_view(net, x, (int64_t[]){n, c, rows, columns, PATCH, PATCH}, 6);
    x = dv_permute(net, x, together, 6);
    return dv_view(net, x, (int64_t[]){n, c, rows * PATCH, columns * PATCH}, 4);
}

/* Figure 1b: local features by a convolution, global ones by transformer layers, joined with the
   input. */
static dv_tensor_id mobilevit_block(dv_network *net, dv_tensor_id x, int64_t width, int layers)
{
    int64_t channels = dv_dim(net, x, 1);
    dv_tensor_id y = conv(net, x, channels, 3, 1);
    dv_tensor_id local = dv_conv2d(net, y, (dv_conv_layer){.channels = width, .kernel = 1});
    y = unfold(net, local);
    for (int i = 0; i < layers; i++)
        y = transformer_layer(net, y);
    y = fold(net, dv_layer_norm(net, y, EPS), local);
    y = conv(net, y, channels, 1, 1);
    return conv(net, dv_concat(net, (dv_tensor_id[]){x, y}, 2, 1), channels, 3, 1);
}

static dv_status build(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    static const struct {
        int64_t channels, stride;
        int blocks;
        int64_t width; /* of the transformer; 0: none */
        int layers;
    } stages[] = {
        {32, 1, 1, 0, 0},    {64, 2, 3, 0, 0},    {96, 2, 1, 144, 2},
        {128, 2, 1, 192, 4}, {160, 2, 1, 240, 3},
    };
    dv_network net = dv_network_begin(entry, options);
    dv_tensor_id x = dv_image_input(&net, options, 256);
    if (net.status == DV_OK && dv_dim(&net, x, 2) % 64 != 0)
        net.status = dv_fail(DV_BAD_PARAMETER, "zoo:mobilevit_s: side must be a multiple of 64");
    dv_network_scope(&net, "conv_stem");
    x = conv(&net, x, 16, 3, 2);
    for (size_t s = 0; s < sizeof stages / sizeof stages[0]; s++) {
        for (int block = 0; block < stages[s].blocks; block++) {
            dv_network_scope(&net, "encoder.%zu.%d", s, block);
            x = inverted_residual(&net, x, stages[s].channels, block == 0 ? stages[s].stride : 1);
        }
        dv_network_scope(&net, "encoder.%zu.mobilevit", s);
        if (stages[s].width > 0)
            x = mobilevit_block(&net, x, stages[s].width, stages[s].layers);
    }
    dv_network_scope(&net, "head");
    x = dv_flatten(&net, dv_global_average(&net, conv(&net, x, 640, 1, 1)));
    return dv_network_finish(&net, dv_linear(&net, x, 1000, true), out);
}

const dv_zoo_entry dv_zoo_mobilevit_s = {
    .name = "mobilevit_s",
    .summary = "MobileViT-S, image classification, 256x256; options side=N, batch=N",
    .citation = "Mehta and Rastegari, ICLR 2022, arXiv 2110.02178; counts: apple/mobilevit-small "
                "in transformers, torch.utils.flop_counter",
    .parameters = 5578632,
    .multiply_adds = 2.001e9,
    .options = "side batch",
    .build = build,
};
