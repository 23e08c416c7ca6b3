/* diffusion.c - the denoiser of Stable Diffusion 1.x (Rombach et al., "High-Resolution Image
   Synthesis with Latent Diffusion Models", CVPR 2022, arXiv 2112.10752), by the configuration
   unet/config.json of its version 1.4: blocks of 320, 640, 1280, 1280 channels, two layers each, 8
   attention heads, a text context of width 768. */
#include <math.h>

#include "datasets/zoo/attention.h"
#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

enum {
    LATENT_CHANNELS = 4,
    STAGES = 4,
    LAYERS = 2, /* of a stage on the way down; one more on the way up */
    HEADS = 8,
    GROUPS = 32,
    CONTEXT_WIDTH = 768,
    NARROWEST = 320,
    TIME_WIDTH = 4 * NARROWEST,
    MOST_SKIPS = STAGES * (LAYERS + 1),
};

static const int64_t stage_channels[STAGES] = {320, 640, 1280, 1280};
static const bool stage_attends[STAGES] = {true, true, true, false};

/* What every layer reads, and what the way up takes over from the way down. */
typedef struct denoiser {
    dv_network *net;
    dv_tensor_id time, context, skips[MOST_SKIPS];
    int skip_count;
} denoiser;

static dv_tensor_id conv3x3(dv_network *net, dv_tensor_id x, int64_t channels, int64_t stride)
{
    return dv_conv2d(
        net, x,
        (dv_conv_layer){
            .channels = channels, .kernel = 3, .stride = stride, .padding = 1, .bias = true});
}

static dv_tensor_id conv1x1(dv_network *net, dv_tensor_id x, int64_t channels)
{
    return dv_conv2d(net, x, (dv_conv_layer){.channels = channels, .kernel = 1, .bias = true});
}

static dv_tensor_id norm_silu(dv_network *net, dv_tensor_id x)
{
    return dv_unary(net, DV_OP_SILU, dv_group_norm(net, x, GROUPS, 1e-5));
}

/* Cosines and sines of the time step at frequencies from 1 down to 1 / 10000 (Vaswani et al. 2017,
   section 3.5), through two linear layers. */
static dv_tensor_id time_embedding(dv_network *net, dv_tensor_id step)
{
    enum { HALF = NARROWEST / 2 };
    int64_t index[HALF];
    for (int i = 0; i < HALF; i++)
        index[i] = i;
    dv_tensor_id rate = dv_cast(
        net, dv_known(net, "index", DV_DTYPE_I64, index, (int64_t[]){1, HALF}, 2), DV_DTYPE_F32);
    rate = dv_binary(net, DV_OP_MUL, rate, dv_scalar(net, -log(10000) / HALF));
    dv_tensor_id angle = dv_view(net, step, (int64_t[]){dv_dim(net, step, 0), 1}, 2);
    angle = dv_binary(net, DV_OP_MUL, angle, dv_unary(net, DV_OP_EXP, rate));
    dv_tensor_id waves[] = {dv_unary(net, DV_OP_COS, angle), dv_unary(net, DV_OP_SIN, angle)};
    dv_tensor_id y = dv_linear(net, dv_concat(net, waves, 2, 1), TIME_WIDTH, true);
    return dv_linear(net, dv_unary(net, DV_OP_SILU, y), TIME_WIDTH, true);
}

static dv_tensor_id residual(denoiser *d, dv_tensor_id x, int64_t channels)
{
    dv_network *net = d->net;
    dv_tensor_id y = conv3x3(net, norm_silu(net, x), channels, 1);
    dv_tensor_id time = dv_linear(net, dv_unary(net, DV_OP_SILU, d->time), channels, true);
    time = dv_view(net, time, (int64_t[]){dv_dim(net, time, 0), channels, 1, 1}, 4);
    y = conv3x3(net, norm_silu(net, dv_binary(net, DV_OP_ADD, y, time)), channels, 1);
    if (dv_dim(net, x, 1) != channels)
        x = conv1x1(net, x, channels);
    return dv_binary(net, DV_OP_ADD, x, y);
}

/* Of x to itself, or to the text. */
static dv_tensor_id attend(dv_network *net, dv_tensor_id x, dv_tensor_id to)
{
    int64_t width = dv_dim(net, x, 2);
    dv_tensor_id query = dv_linear(net, x, width, false), key = dv_linear(net, to, width, false);
    dv_tensor_id value = dv_linear(net, to, width, false);
    return dv_linear(net, dv_attention(net, query, key, value, HEADS, DV_NONE), width, true);
}

/* x GELU(gate), both from one linear layer (Shazeer 2020, arXiv 2002.05202). */
static dv_tensor_id gated_feed_forward(dv_network *net, dv_tensor_id x)
{
    int64_t width = dv_dim(net, x, 2);
    dv_tensor_id y = dv_linear(net, x, 8 * width, true);
    dv_tensor_id gate = dv_slice(net, y, 2, 4 * width, 8 * width);
    y = dv_slice(net, y, 2, 0, 4 * width);
    y = dv_binary(net, DV_OP_MUL, y, dv_unary(net, DV_OP_GELU, gate));
    return dv_linear(net, y, width, true);
}

static dv_tensor_id transformer(denoiser *d, dv_tensor_id image)
{
    static const uint8_t pixels_first[] = {0, 2, 3, 1}, channels_first[] = {0, 3, 1, 2};
    dv_network *net = d->net;
    int64_t n = dv_dim(net, image, 0), c = dv_dim(net, image, 1);
    int64_t h = dv_dim(net, image, 2), w = dv_dim(net, image, 3);
    dv_tensor_id x = conv1x1(net, dv_group_norm(net, image, GROUPS, 1e-6), c);
    x = dv_view(net, dv_permute(net, x, pixels_first, 4), (int64_t[]){n, h * w, c}, 3);
    dv_tensor_id y = dv_layer_norm(net, x, 1e-5);
    x = dv_binary(net, DV_OP_ADD, attend(net, y, y), x);
    x = dv_binary(net, DV_OP_ADD, attend(net, dv_layer_norm(net, x, 1e-5), d->context), x);
    x = dv_binary(net, DV_OP_ADD, gated_feed_forward(net, dv_layer_norm(net, x, 1e-5)), x);
    x = dv_permute(net, dv_view(net, x, (int64_t[]){n, h, w, c}, 4), channels_first, 4);
    return dv_binary(net, DV_OP_ADD, conv1x1(net, x, c), image);
}

static dv_tensor_id down(denoiser *d, dv_tensor_id x, int stage)
{
    dv_network_scope(d->net, "down_blocks.%d", stage);
    for (int layer = 0; layer < LAYERS; layer++) {
        x = residual(d, x, stage_channels[stage]);
        if (stage_attends[stage])
            x = transformer(d, x);
        d->skips[d->skip_count++] = x;
    }
    if (stage + 1 < STAGES)
        d->skips[d->skip_count++] = x = conv3x3(d->net, x, stage_channels[stage], 2);
    return x;
}

static dv_tensor_id up(denoiser *d, dv_tensor_id x, int stage)
{
    dv_network_scope(d->net, "up_blocks.%d", STAGES - 1 - stage);
    for (int layer = 0; layer <= LAYERS; layer++) {
        dv_tensor_id both[] = {x, d->skips[--d->skip_count]};
        x = residual(d, dv_concat(d->net, both, 2, 1), stage_channels[stage]);
        if (stage_attends[stage])
            x = transformer(d, x);
    }
    if (stage > 0)
        x = conv3x3(d->net, dv_upsample_nearest(d->net, x, 2), stage_channels[stage], 1);
    return x;
}

static dv_status build(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    dv_network net = dv_network_begin(entry, options);
    int64_t batch = dv_network_option(&net, options, "batch", 1, 1024, 1);
    int64_t side = dv_network_option(&net, options, "side", 8, 512, 64);
    int64_t tokens = dv_network_option(&net, options, "tokens", 1, 4096, 77);
    if (net.status == DV_OK && side % (1 << (STAGES - 1)) != 0)
        net.status = dv_fail(DV_BAD_PARAMETER, "zoo:sd_unet: side must be a multiple of %d",
                             1 << (STAGES - 1));
    dv_tensor_id x =
        dv_input(&net, "latent", DV_DTYPE_F32, (int64_t[]){batch, LATENT_CHANNELS, side, side}, 4);
    dv_tensor_id step = dv_input(&net, "timestep", DV_DTYPE_F32, &batch, 1);
    denoiser d = {.net = &net};
    d.context = dv_input(&net, "text", DV_DTYPE_F32, (int64_t[]){batch, tokens, CONTEXT_WIDTH}, 3);
    dv_network_scope(&net, "time_embedding");
    d.time = time_embedding(&net, step);
    dv_network_scope(&net, "conv_in");
    d.skips[d.skip_count++] = x = conv3x3(&net, x, NARROWEST, 1);
    for (int stage = 0; stage < STAGES; stage++)
        x = down(&d, x, stage);
    dv_network_scope(&net, "mid_block");
    x = transformer(&d, residual(&d, x, stage_channels[STAGES - 1]));
    x = residual(&d, x, stage_channels[STAGES - 1]);
    for (int stage = STAGES - 1; stage >= 0; stage--)
        x = up(&d, x, stage);
    dv_network_scope(&net, "conv_out");
    x = conv3x3(&net, norm_silu(&net, x), LATENT_CHANNELS, 1);
    return dv_network_finish(&net, x, out);
}

const dv_zoo_entry dv_zoo_sd_unet = {
    .name = "sd_unet",
    .summary = "Stable Diffusion 1.x denoiser, 64x64 latent, 77 text tokens; options side=N, "
               "tokens=N, batch=N",
    .citation = "Rombach et al., CVPR 2022, arXiv 2112.10752; counts: UNet2DConditionModel of "
                "diffusers by its configuration, torch.utils.flop_counter",
    .parameters = 859520964,
    .multiply_adds = 401.637e9,
    .options = "side tokens batch",
    .build = build,
};
