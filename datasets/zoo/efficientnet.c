/* efficientnet.c - networks of inverted residuals with squeeze and excite: MobileNetV3 (Howard et
   al., "Searching for MobileNetV3", ICCV 2019, arXiv 1905.02244, tables 1 and 2) and EfficientNet
   (Tan and Le, ICML 2019, arXiv 1905.11946, table 1), as torchvision builds them. */
#include <math.h>

#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

/* The nearest multiple of 8, never more than a tenth below. */
static int64_t round_channels(double channels)
{
    int64_t rounded = (int64_t)(channels + 4) / 8 * 8;
    if (rounded < 8)
        rounded = 8;
    return (double)rounded < 0.9 * channels ? rounded + 8 : rounded;
}

typedef struct block_row {
    int64_t kernel, expanded, channels, stride, dilation;
    int64_t squeezed; /* 0: no squeeze and excite */
    dv_op_kind activation, squeeze_activation, gate;
} block_row;

static dv_tensor_id block(dv_network *net, dv_tensor_id x, const block_row *row)
{
    int64_t in = dv_dim(net, x, 1);
    dv_tensor_id y = x;
    if (row->expanded != in)
        y = dv_conv_norm(net, y, (dv_conv_layer){.channels = row->expanded, .kernel = 1},
                         row->activation);
    y = dv_conv_norm(net, y,
                     (dv_conv_layer){.channels = row->expanded,
                                     .kernel = row->kernel,
                                     .stride = row->stride,
                                     .dilation = row->dilation,
                                     .groups = row->expanded},
                     row->activation);
    if (row->squeezed > 0)
        y = dv_squeeze_excite(net, y, row->squeezed, row->squeeze_activation, row->gate);
    y = dv_conv_norm(net, y, (dv_conv_layer){.channels = row->channels, .kernel = 1},
                     DV_OP_IDENTITY);
    return row->stride == 1 && in == row->channels ? dv_binary(net, DV_OP_ADD, x, y) : y;
}

/* MobileNetV3: one line a block, as the paper prints it. */
typedef struct v3_row {
    int64_t kernel, expanded, channels;
    bool squeeze, hardswish;
    int64_t stride;
} v3_row;

typedef struct v3_variant {
    const v3_row *rows;
    size_t count;
    int64_t last_conv, last_linear;
} v3_variant;

static const v3_row large_rows[] = {
    {3, 16, 16, 0, 0, 1},   {3, 64, 24, 0, 0, 2},   {3, 72, 24, 0, 0, 1},   {5, 72, 40, 1, 0, 2},
    {5, 120, 40, 1, 0, 1},  {5, 120, 40, 1, 0, 1},  {3, 240, 80, 0, 1, 2},  {3, 200, 80, 0, 1, 1},
    {3, 184, 80, 0, 1, 1},  {3, 184, 80, 0, 1, 1},  {3, 480, 112, 1, 1, 1}, {3, 672, 112, 1, 1, 1},
    {5, 672, 160, 1, 1, 2}, {5, 960, 160, 1, 1, 1}, {5, 960, 160, 1, 1, 1},
};

static const v3_row small_rows[] = {
    {3, 16, 16, 1, 0, 2},  {3, 72, 24, 0, 0, 2},  {3, 88, 24, 0, 0, 1},  {5, 96, 40, 1, 1, 2},
    {5, 240, 40, 1, 1, 1}, {5, 240, 40, 1, 1, 1}, {5, 120, 48, 1, 1, 1}, {5, 144, 48, 1, 1, 1},
    {5, 288, 96, 1, 1, 2}, {5, 576, 96, 1, 1, 1}, {5, 576, 96, 1, 1, 1},
};

static const v3_variant v3_large = {large_rows, sizeof large_rows / sizeof large_rows[0], 960,
                                    1280};
static const v3_variant v3_small = {small_rows, sizeof small_rows / sizeof small_rows[0], 576,
                                    1024};

static dv_tensor_id v3_block(dv_network *net, dv_tensor_id x, const v3_row *row, int64_t stride,
                             int64_t dilation)
{
    return block(
        net, x,
        &(block_row){.kernel = row->kernel,
                     .expanded = row->expanded,
                     .channels = row->channels,
                     .stride = stride,
                     .dilation = dilation,
                     .squeezed = row->squeeze ? round_channels((double)row->expanded / 4) : 0,
                     .activation = row->hardswish ? DV_OP_HARDSWISH : DV_OP_RELU,
                     .squeeze_activation = DV_OP_RELU,
                     .gate = DV_OP_HARDSIGMOID});
}

static dv_tensor_id v3_stem(dv_network *net, dv_tensor_id x)
{
    dv_network_scope(net, "features.0");
    return dv_conv_norm(net, x, (dv_conv_layer){.channels = 16, .kernel = 3, .stride = 2},
                        DV_OP_HARDSWISH);
}

static dv_status build_v3(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    const v3_variant *variant = entry->variant;
    dv_network net = dv_network_begin(entry, options);
    net.norm_eps = 1e-3;
    dv_tensor_id x = v3_stem(&net, dv_image_input(&net, options, 224));
    for (size_t i = 0; i < variant->count; i++) {
        dv_network_scope(&net, "features.%zu", i + 1);
        x = v3_block(&net, x, &variant->rows[i], variant->rows[i].stride, 1);
    }
    dv_network_scope(&net, "features.%zu", variant->count + 1);
    x = dv_conv_norm(&net, x, (dv_conv_layer){.channels = variant->last_conv, .kernel = 1},
                     DV_OP_HARDSWISH);
    dv_network_scope(&net, "classifier");
    x = dv_flatten(&net, dv_global_average(&net, x));
    x = dv_unary(&net, DV_OP_HARDSWISH, dv_linear(&net, x, variant->last_linear, true));
    return dv_network_finish(&net, dv_linear(&net, x, 1000, true), out);
}

/* DeepLabV3 (Chen et al. 2017, arXiv 1706.05587) on MobileNetV3 large: the last stride becomes a
   dilation, rates 12, 24 and 36 look at the result side by side. */
enum { CLASSES = 21, ASPP = 256, AUXILIARY_BLOCK = 3 };

static dv_tensor_id aspp_conv(dv_network *net, dv_tensor_id x, int64_t kernel, int64_t dilation)
{
    dv_conv_layer layer = {.channels = ASPP, .kernel = kernel, .dilation = dilation};
    return dv_conv_norm(net, x, layer, DV_OP_RELU);
}

static dv_tensor_id deeplab_head(dv_network *net, dv_tensor_id x)
{
    int64_t height = dv_dim(net, x, 2), width = dv_dim(net, x, 3);
    dv_tensor_id image = aspp_conv(net, dv_global_average(net, x), 1, 1);
    dv_tensor_id views[] = {aspp_conv(net, x, 1, 1), aspp_conv(net, x, 3, 12),
                            aspp_conv(net, x, 3, 24), aspp_conv(net, x, 3, 36),
                            dv_upsample(net, image, height, width)};
    x = aspp_conv(net, dv_concat(net, views, 5, 1), 1, 1);
    x = aspp_conv(net, x, 3, 1);
    return dv_conv2d(net, x, (dv_conv_layer){.channels = CLASSES, .kernel = 1, .bias = true});
}

static dv_status build_deeplab(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    dv_network net = dv_network_begin(entry, options);
    net.norm_eps = 1e-3;
    dv_tensor_id image = dv_image_input(&net, options, 520), early = DV_NONE;
    int64_t height = dv_dim(&net, image, 2), width = dv_dim(&net, image, 3);
    dv_tensor_id x = v3_stem(&net, image);
    for (size_t i = 0; i < v3_large.count; i++) {
        const v3_row *row = &v3_large.rows[i];
        bool dilated = row->channels == 160;
        dv_network_scope(&net, "backbone.%zu", i + 1);
        x = v3_block(&net, x, row, dilated ? 1 : row->stride, dilated ? 2 : 1);
        if (i == AUXILIARY_BLOCK)
            early = x;
    }
    dv_network_scope(&net, "backbone.%zu", v3_large.count + 1);
    x = dv_conv_norm(&net, x, (dv_conv_layer){.channels = v3_large.last_conv, .kernel = 1},
                     DV_OP_HARDSWISH);
    net.norm_eps = 1e-5;
    dv_network_scope(&net, "classifier");
    x = dv_upsample(&net, deeplab_head(&net, x), height, width);
    dv_network_scope(&net, "auxiliary");
    early = dv_conv_norm(&net, early,
                         (dv_conv_layer){.channels = dv_dim(&net, early, 1) / 4, .kernel = 3},
                         DV_OP_RELU);
    early = dv_conv2d(&net, early, (dv_conv_layer){.channels = CLASSES, .kernel = 1, .bias = true});
    early = dv_upsample(&net, early, height, width);
    return dv_network_finish_many(&net, (dv_tensor_id[]){x, early}, 2, out);
}

/* EfficientNet: the table of B0, scaled in width and depth. */
typedef struct efficient_variant {
    double width, depth;
    int64_t side;
} efficient_variant;

static const efficient_variant b0 = {1.0, 1.0, 224};
static const efficient_variant b4 = {1.4, 1.8, 380};

static dv_status build_efficientnet(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    static const struct {
        int64_t t, kernel, stride, channels, repeats;
    } table[] = {
        {1, 3, 1, 16, 1},  {6, 3, 2, 24, 2},  {6, 5, 2, 40, 2},  {6, 3, 2, 80, 3},
        {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1},
    };
    const efficient_variant *variant = entry->variant;
    dv_network net = dv_network_begin(entry, options);
    dv_tensor_id x = dv_image_input(&net, options, variant->side);
    dv_network_scope(&net, "features.0");
    dv_conv_layer stem = {
        .channels = round_channels(32 * variant->width), .kernel = 3, .stride = 2};
    x = dv_conv_norm(&net, x, stem, DV_OP_SILU);
    for (size_t row = 0; row < sizeof table / sizeof table[0]; row++) {
        int64_t repeats = (int64_t)ceil((double)table[row].repeats * variant->depth);
        int64_t channels = round_channels((double)table[row].channels * variant->width);
        for (int64_t i = 0; i < repeats; i++) {
            dv_network_scope(&net, "features.%zu.%d", row + 1, (int)i);
            int64_t in = dv_dim(&net, x, 1);
            x = block(&net, x,
                      &(block_row){.kernel = table[row].kernel,
                                   .expanded = in * table[row].t,
                                   .channels = channels,
                                   .stride = i == 0 ? table[row].stride : 1,
                                   .squeezed = in / 4 > 0 ? in / 4 : 1,
                                   .activation = DV_OP_SILU,
                                   .squeeze_activation = DV_OP_SILU,
                                   .gate = DV_OP_SIGMOID});
        }
    }
    dv_network_scope(&net, "features.8");
    x = dv_conv_norm(&net, x, (dv_conv_layer){.channels = 4 * dv_dim(&net, x, 1), .kernel = 1},
                     DV_OP_SILU);
    dv_network_scope(&net, "classifier");
    x = dv_flatten(&net, dv_global_average(&net, x));
    return dv_network_finish(&net, dv_linear(&net, x, 1000, true), out);
}

#define SQUEEZED(id, text, source, count, macs, row, builder) \
    const dv_zoo_entry dv_zoo_##id = {                        \
        .name = #id,                                          \
        .summary = text "; options side=N, batch=N",          \
        .citation = source "; counts: torchvision",           \
        .parameters = count,                                  \
        .multiply_adds = macs,                                \
        .options = "side batch",                              \
        .variant = &row,                                      \
        .build = builder,                                     \
    }

SQUEEZED(mobilenet_v3_large, "MobileNetV3 large, image classification, 224x224",
         "Howard et al., ICCV 2019, arXiv 1905.02244", 5483032, 0.217e9, v3_large, build_v3);
SQUEEZED(mobilenet_v3_small, "MobileNetV3 small, image classification, 224x224",
         "Howard et al., ICCV 2019, arXiv 1905.02244", 2542856, 0.057e9, v3_small, build_v3);
SQUEEZED(deeplabv3_mobilenet_v3_large, "DeepLabV3, segmentation in 21 classes, 520x520",
         "Chen et al. 2017, arXiv 1706.05587", 11029328, 10.452e9, v3_large, build_deeplab);
SQUEEZED(efficientnet_b0, "EfficientNet-B0, image classification, 224x224",
         "Tan and Le, ICML 2019, arXiv 1905.11946", 5288548, 0.386e9, b0, build_efficientnet);
SQUEEZED(efficientnet_b4, "EfficientNet-B4, image classification, 380x380",
         "Tan and Le, ICML 2019, arXiv 1905.11946", 19341616, 4.39e9, b4, build_efficientnet);
