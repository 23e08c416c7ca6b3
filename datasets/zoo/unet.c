/* unet.c - U-Net, biomedical image segmentation (Ronneberger et al., MICCAI 2015, arXiv 1505.04597,
   figure 1), as https://github.com/milesial/Pytorch-UNet builds it: padded convolutions with batch
   norm, transposed convolutions on the way up (its bilinear=False), 3 channels in, 2 classes out.
 */
#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

enum { LEVELS = 4, NARROWEST = 64, CLASSES = 2 };

static dv_tensor_id double_conv(dv_network *net, dv_tensor_id x, int64_t channels)
{
    dv_conv_layer layer = {.channels = channels, .kernel = 3};
    x = dv_conv_norm(net, x, layer, DV_OP_RELU);
    return dv_conv_norm(net, x, layer, DV_OP_RELU);
}

static dv_tensor_id up(dv_network *net, dv_tensor_id x, dv_tensor_id skip)
{
    int64_t channels = dv_dim(net, skip, 1);
    x = dv_up_conv2d(net, x, channels, 2);
    return double_conv(net, dv_concat(net, (dv_tensor_id[]){skip, x}, 2, 1), channels);
}

static dv_status build(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    dv_network net = dv_network_begin(entry, options);
    dv_tensor_id x = dv_image_input(&net, options, 512), skips[LEVELS];
    if (net.status == DV_OK && dv_dim(&net, x, 2) % (1 << LEVELS) != 0)
        net.status =
            dv_fail(DV_BAD_PARAMETER, "zoo:unet: side must be a multiple of %d", 1 << LEVELS);
    dv_network_scope(&net, "inc");
    x = double_conv(&net, x, NARROWEST);
    for (int level = 0; level < LEVELS; level++) {
        dv_network_scope(&net, "down%d", level + 1);
        skips[level] = x;
        x = double_conv(&net, dv_max_pool(&net, x, 2, 2, 0, false), 2 * dv_dim(&net, x, 1));
    }
    for (int level = LEVELS - 1; level >= 0; level--) {
        dv_network_scope(&net, "up%d", LEVELS - level);
        x = up(&net, x, skips[level]);
    }
    dv_network_scope(&net, "outc");
    x = dv_conv2d(&net, x, (dv_conv_layer){.channels = CLASSES, .kernel = 1, .bias = true});
    return dv_network_finish(&net, x, out);
}

const dv_zoo_entry dv_zoo_unet = {
    .name = "unet",
    .summary = "U-Net, image segmentation, 512x512; options side=N, batch=N",
    .citation = "Ronneberger et al., MICCAI 2015, arXiv 1505.04597, as github.com/milesial/"
                "Pytorch-UNet; multiply-adds: torch.utils.flop_counter",
    .parameters = 31037698,
    .multiply_adds = 192.686e9,
    .options = "side batch",
    .build = build,
};
