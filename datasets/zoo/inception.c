/* inception.c - networks of parallel branches: GoogLeNet (Szegedy et al., "Going Deeper with
   Convolutions", CVPR 2015, arXiv 1409.4842, table 1) and Inception v3 (Szegedy et al., "Rethinking
   the Inception Architecture", CVPR 2016, arXiv 1512.00567), as torchvision builds them for
   inference: with batch norms, without the auxiliary classifiers. */
#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

static dv_tensor_id conv(dv_network *net, dv_tensor_id x, int64_t channels, int64_t kernel)
{
    return dv_conv_norm(net, x, (dv_conv_layer){.channels = channels, .kernel = kernel},
                        DV_OP_RELU);
}

/* height x width, padded. */
static dv_tensor_id conv_hw(dv_network *net, dv_tensor_id x, int64_t channels, int64_t height,
                            int64_t width)
{
    dv_conv_layer layer = {.channels = channels, .kernel = height, .kernel_width = width};
    return dv_conv_norm(net, x, layer, DV_OP_RELU);
}

/* Not padded: the image shrinks. */
static dv_tensor_id conv_valid(dv_network *net, dv_tensor_id x, int64_t channels, int64_t kernel,
                               int64_t stride)
{
    dv_conv_layer layer = {.channels = channels, .kernel = kernel, .stride = stride};
    return dv_conv_norm_valid(net, x, layer, DV_OP_RELU);
}

static dv_tensor_id join(dv_network *net, const dv_tensor_id *branches, uint32_t count)
{
    return dv_concat(net, branches, count, 1);
}

static dv_status finish(dv_network *net, dv_tensor_id x, dv_graph **out)
{
    dv_network_scope(net, "head");
    x = dv_flatten(net, dv_global_average(net, x));
    return dv_network_finish(net, dv_linear(net, x, 1000, true), out);
}

static dv_status build_googlenet(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    /* 1x1; 3x3 reduced, 3x3; 5x5 reduced, 5x5 (torchvision: 3x3); pooled. 0: a max pool first. */
    static const struct {
        const char *name;
        int64_t c1, r3, c3, r5, c5, cp, pool;
    } table[] = {
        {"3a", 64, 96, 128, 16, 32, 32, 0},     {"3b", 128, 128, 192, 32, 96, 64, 0},
        {"4a", 192, 96, 208, 16, 48, 64, 3},    {"4b", 160, 112, 224, 24, 64, 64, 0},
        {"4c", 128, 128, 256, 24, 64, 64, 0},   {"4d", 112, 144, 288, 32, 64, 64, 0},
        {"4e", 256, 160, 320, 32, 128, 128, 0}, {"5a", 256, 160, 320, 32, 128, 128, 2},
        {"5b", 384, 192, 384, 48, 128, 128, 0},
    };
    dv_network net = dv_network_begin(entry, options);
    net.norm_eps = 1e-3;
    dv_tensor_id x = dv_image_input(&net, options, 224);
    dv_network_scope(&net, "stem");
    x = dv_conv_norm(&net, x, (dv_conv_layer){.channels = 64, .kernel = 7, .stride = 2},
                     DV_OP_RELU);
    x = dv_max_pool(&net, x, 3, 2, 0, true);
    x = conv(&net, conv(&net, x, 64, 1), 192, 3);
    x = dv_max_pool(&net, x, 3, 2, 0, true);
    for (size_t row = 0; row < sizeof table / sizeof table[0]; row++) {
        dv_network_scope(&net, "inception%s", table[row].name);
        if (table[row].pool > 0)
            x = dv_max_pool(&net, x, table[row].pool, 2, 0, true);
        dv_tensor_id branches[] = {
            conv(&net, x, table[row].c1, 1),
            conv(&net, conv(&net, x, table[row].r3, 1), table[row].c3, 3),
            conv(&net, conv(&net, x, table[row].r5, 1), table[row].c5, 3),
            conv(&net, dv_max_pool(&net, x, 3, 1, 1, true), table[row].cp, 1),
        };
        x = join(&net, branches, 4);
    }
    return finish(&net, x, out);
}

/* The five kinds of block of Inception v3, named as in its reference code. */
static dv_tensor_id block_a(dv_network *net, dv_tensor_id x, int64_t pooled)
{
    return join(net,
                (dv_tensor_id[]){
                    conv(net, x, 64, 1),
                    conv(net, conv(net, x, 48, 1), 64, 5),
                    conv(net, conv(net, conv(net, x, 64, 1), 96, 3), 96, 3),
                    conv(net, dv_average_pool(net, x, 3, 1, 1), pooled, 1),
                },
                4);
}

static dv_tensor_id block_b(dv_network *net, dv_tensor_id x)
{
    return join(net,
                (dv_tensor_id[]){
                    conv_valid(net, x, 384, 3, 2),
                    conv_valid(net, conv(net, conv(net, x, 64, 1), 96, 3), 96, 3, 2),
                    dv_max_pool(net, x, 3, 2, 0, false),
                },
                3);
}

static dv_tensor_id block_c(dv_network *net, dv_tensor_id x, int64_t inner)
{
    dv_tensor_id once = conv_hw(net, conv(net, x, inner, 1), inner, 1, 7);
    dv_tensor_id twice = conv_hw(net, conv(net, x, inner, 1), inner, 7, 1);
    twice = conv_hw(net, conv_hw(net, twice, inner, 1, 7), inner, 7, 1);
    return join(net,
                (dv_tensor_id[]){
                    conv(net, x, 192, 1),
                    conv_hw(net, once, 192, 7, 1),
                    conv_hw(net, twice, 192, 1, 7),
                    conv(net, dv_average_pool(net, x, 3, 1, 1), 192, 1),
                },
                4);
}

static dv_tensor_id block_d(dv_network *net, dv_tensor_id x)
{
    dv_tensor_id deep = conv_hw(net, conv(net, x, 192, 1), 192, 1, 7);
    return join(net,
                (dv_tensor_id[]){
                    conv_valid(net, conv(net, x, 192, 1), 320, 3, 2),
                    conv_valid(net, conv_hw(net, deep, 192, 7, 1), 192, 3, 2),
                    dv_max_pool(net, x, 3, 2, 0, false),
                },
                3);
}

static dv_tensor_id block_e(dv_network *net, dv_tensor_id x)
{
    dv_tensor_id once = conv(net, x, 384, 1);
    dv_tensor_id twice = conv(net, conv(net, x, 448, 1), 384, 3);
    dv_tensor_id halves[2][2] = {
        {conv_hw(net, once, 384, 1, 3), conv_hw(net, once, 384, 3, 1)},
        {conv_hw(net, twice, 384, 1, 3), conv_hw(net, twice, 384, 3, 1)},
    };
    return join(net,
                (dv_tensor_id[]){
                    conv(net, x, 320, 1),
                    join(net, halves[0], 2),
                    join(net, halves[1], 2),
                    conv(net, dv_average_pool(net, x, 3, 1, 1), 192, 1),
                },
                4);
}

static dv_status build_inception(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    static const int64_t pooled[] = {32, 64, 64}, inner[] = {128, 160, 160, 192};
    dv_network net = dv_network_begin(entry, options);
    net.norm_eps = 1e-3;
    dv_tensor_id x = dv_image_input(&net, options, 299);
    dv_network_scope(&net, "stem");
    x = conv_valid(&net, conv_valid(&net, x, 32, 3, 2), 32, 3, 1);
    x = dv_max_pool(&net, conv(&net, x, 64, 3), 3, 2, 0, false);
    x = conv_valid(&net, conv(&net, x, 80, 1), 192, 3, 1);
    x = dv_max_pool(&net, x, 3, 2, 0, false);
    for (int i = 0; i < 3; i++) {
        dv_network_scope(&net, "mixed5.%d", i);
        x = block_a(&net, x, pooled[i]);
    }
    dv_network_scope(&net, "mixed6.0");
    x = block_b(&net, x);
    for (int i = 0; i < 4; i++) {
        dv_network_scope(&net, "mixed6.%d", i + 1);
        x = block_c(&net, x, inner[i]);
    }
    dv_network_scope(&net, "mixed7.0");
    x = block_d(&net, x);
    for (int i = 0; i < 2; i++) {
        dv_network_scope(&net, "mixed7.%d", i + 1);
        x = block_e(&net, x);
    }
    return finish(&net, x, out);
}

const dv_zoo_entry dv_zoo_googlenet = {
    .name = "googlenet",
    .summary = "GoogLeNet, image classification, 224x224; options side=N, batch=N",
    .citation = "Szegedy et al., CVPR 2015, arXiv 1409.4842; counts: torchvision",
    .parameters = 6624904,
    .multiply_adds = 1.498e9,
    .options = "side batch",
    .build = build_googlenet,
};

const dv_zoo_entry dv_zoo_inception_v3 = {
    .name = "inception_v3",
    .summary = "Inception v3, image classification, 299x299; options side=N, batch=N",
    .citation = "Szegedy et al., CVPR 2016, arXiv 1512.00567; counts: torchvision's multiply-adds, "
                "parameters without the auxiliary classifier (27161264 - 3326696)",
    .parameters = 23834568,
    .multiply_adds = 5.713e9,
    .options = "side batch",
    .build = build_inception,
};
