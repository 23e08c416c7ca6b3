/* yolo.c - YOLOv8 nano, detection (Jocher et al., Ultralytics 2023: the layer table of its
   yolov8.yaml at width 0.25 and depth 0.33). */
#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

enum { CLASSES = 80, BINS = 16, LEVELS = 3 };

static dv_tensor_id conv(dv_network *net, dv_tensor_id x, int64_t channels, int64_t kernel,
                         int64_t stride)
{
    dv_conv_layer layer = {.channels = channels, .kernel = kernel, .stride = stride};
    return dv_conv_norm(net, x, layer, DV_OP_SILU);
}

/* Half of the channels go through a chain of bottlenecks; all that was made is joined. */
static dv_tensor_id c2f(dv_network *net, dv_tensor_id x, int64_t channels, int repeats,
                        bool shortcut)
{
    enum { MOST = 4 };
    int64_t half = channels / 2;
    dv_tensor_id y = conv(net, x, channels, 1, 1), made[2 + MOST];
    made[0] = dv_slice(net, y, 1, 0, half);
    made[1] = dv_slice(net, y, 1, half, channels);
    for (int i = 0; i < repeats; i++) {
        dv_tensor_id z = conv(net, conv(net, made[i + 1], half, 3, 1), half, 3, 1);
        made[i + 2] = shortcut ? dv_binary(net, DV_OP_ADD, made[i + 1], z) : z;
    }
    return conv(net, dv_concat(net, made, (uint32_t)repeats + 2, 1), channels, 1, 1);
}

/* Three pools of 5 in a row, joined with their input. */
static dv_tensor_id sppf(dv_network *net, dv_tensor_id x)
{
    int64_t channels = dv_dim(net, x, 1);
    dv_tensor_id pools[4] = {conv(net, x, channels / 2, 1, 1)};
    for (int i = 1; i < 4; i++)
        pools[i] = dv_max_pool(net, pools[i - 1], 5, 1, 2, false);
    return conv(net, dv_concat(net, pools, 4, 1), channels, 1, 1);
}

static dv_tensor_id join(dv_network *net, dv_tensor_id a, dv_tensor_id b)
{
    return dv_concat(net, (dv_tensor_id[]){a, b}, 2, 1);
}

/* 4 * BINS numbers a cell for the box and CLASSES scores, [1, 4 * BINS + CLASSES, cells]. */
static dv_tensor_id level_head(dv_network *net, dv_tensor_id x)
{
    dv_conv_layer box = {.channels = 4 * BINS, .kernel = 1, .bias = true};
    dv_conv_layer score = {.channels = CLASSES, .kernel = 1, .bias = true};
    dv_tensor_id boxes = conv(net, conv(net, x, 64, 3, 1), 64, 3, 1);
    dv_tensor_id scores = conv(net, conv(net, x, 80, 3, 1), 80, 3, 1);
    dv_tensor_id both = join(net, dv_conv2d(net, boxes, box), dv_conv2d(net, scores, score));
    int64_t cells = dv_dim(net, x, 2) * dv_dim(net, x, 3);
    return dv_view(net, both, (int64_t[]){1, 4 * BINS + CLASSES, cells}, 3);
}

/* Whole-numbered column and row, and stride, of every cell of every level: [1, 3, cells]. */
static dv_tensor_id cell_table(dv_network *net, const dv_tensor_id levels[LEVELS], int64_t side)
{
    int64_t cells = 0, at = 0;
    for (int l = 0; l < LEVELS; l++)
        cells += dv_dim(net, levels[l], 2) * dv_dim(net, levels[l], 3);
    int64_t *table = dv_arena_array(dv_graph_arena(net->graph), (size_t)cells, 3 * sizeof *table);
    if (!table) {
        net->status = dv_fail(DV_NO_MEMORY, "out of memory while building a network");
        return DV_NONE;
    }
    for (int l = 0; l < LEVELS; l++) {
        int64_t across = dv_dim(net, levels[l], 3), count = across * dv_dim(net, levels[l], 2);
        for (int64_t c = 0; c < count; c++, at++) {
            table[at] = c % across;
            table[cells + at] = c / across;
            table[2 * cells + at] = side / across;
        }
    }
    return dv_known(net, "cells", DV_DTYPE_I64, table, (int64_t[]){1, 3, cells}, 3);
}

/* The expected distance to each side of the box: softmax over BINS, weighed by a fixed filter. */
static dv_tensor_id distances(dv_network *net, dv_tensor_id boxes)
{
    static const uint8_t bins_last[] = {0, 1, 3, 2}, bins_first[] = {0, 3, 1, 2};
    int64_t cells = dv_dim(net, boxes, 2);
    boxes = dv_view(net, boxes, (int64_t[]){1, 4, BINS, cells}, 4);
    boxes = dv_softmax(net, dv_permute(net, boxes, bins_last, 4));
    boxes = dv_permute(net, boxes, bins_first, 4);
    boxes = dv_conv2d(net, boxes, (dv_conv_layer){.channels = 1, .kernel = 1});
    return dv_view(net, boxes, (int64_t[]){1, 4, cells}, 3);
}

static dv_tensor_id decode(dv_network *net, const dv_tensor_id levels[LEVELS], int64_t side)
{
    dv_tensor_id heads[LEVELS];
    for (int l = 0; l < LEVELS; l++) {
        dv_network_scope(net, "detect.%d", l);
        heads[l] = level_head(net, levels[l]);
    }
    dv_network_scope(net, "detect");
    dv_tensor_id all = dv_concat(net, heads, LEVELS, 2);
    dv_tensor_id table = dv_cast(net, cell_table(net, levels, side), DV_DTYPE_F32);
    dv_tensor_id centres =
        dv_binary(net, DV_OP_ADD, dv_slice(net, table, 1, 0, 2), dv_scalar(net, 0.5));
    dv_tensor_id reach = distances(net, dv_slice(net, all, 1, 0, 4 * BINS));
    dv_tensor_id low = dv_binary(net, DV_OP_SUB, centres, dv_slice(net, reach, 1, 0, 2));
    dv_tensor_id high = dv_binary(net, DV_OP_ADD, centres, dv_slice(net, reach, 1, 2, 4));
    dv_tensor_id middle =
        dv_binary(net, DV_OP_DIV, dv_binary(net, DV_OP_ADD, low, high), dv_scalar(net, 2));
    dv_tensor_id box = join(net, middle, dv_binary(net, DV_OP_SUB, high, low));
    box = dv_binary(net, DV_OP_MUL, box, dv_slice(net, table, 1, 2, 3));
    dv_tensor_id scores = dv_slice(net, all, 1, 4 * BINS, 4 * BINS + CLASSES);
    return join(net, box, dv_unary(net, DV_OP_SIGMOID, scores));
}

static dv_status build(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    dv_network net = dv_network_begin(entry, options);
    net.norm_eps = 1e-3;
    dv_tensor_id x = dv_input(&net, "image", DV_DTYPE_F32, (int64_t[]){1, 3, 640, 640}, 4);
    static const struct {
        int64_t channels;
        int repeats;
    } stages[] = {{32, 1}, {64, 2}, {128, 2}, {256, 1}};
    dv_tensor_id kept[4];
    dv_network_scope(&net, "backbone.0");
    x = conv(&net, x, 16, 3, 2);
    for (int s = 0; s < 4; s++) {
        dv_network_scope(&net, "backbone.%d", s + 1);
        x = conv(&net, x, stages[s].channels, 3, 2);
        kept[s] = x = c2f(&net, x, stages[s].channels, stages[s].repeats, true);
    }
    x = sppf(&net, x);
    dv_network_scope(&net, "neck.up");
    dv_tensor_id middle =
        c2f(&net, join(&net, dv_upsample_nearest(&net, x, 2), kept[2]), 128, 1, false);
    dv_tensor_id fine =
        c2f(&net, join(&net, dv_upsample_nearest(&net, middle, 2), kept[1]), 64, 1, false);
    dv_network_scope(&net, "neck.down");
    middle = c2f(&net, join(&net, conv(&net, fine, 64, 3, 2), middle), 128, 1, false);
    dv_tensor_id coarse = c2f(&net, join(&net, conv(&net, middle, 128, 3, 2), x), 256, 1, false);
    dv_tensor_id levels[LEVELS] = {fine, middle, coarse};
    return dv_network_finish(&net, decode(&net, levels, 640), out);
}

const dv_zoo_entry dv_zoo_yolov8n = {
    .name = "yolov8n",
    .summary = "YOLOv8 nano, detection of 80 classes, 640x640",
    .citation =
        "Jocher et al., Ultralytics 2023, yolov8.yaml; counts: its model summary (8.7 GFLOPs "
        "are 4.37 G multiply-adds)",
    .parameters = 3157200,
    .multiply_adds = 4.37e9,
    .options = "",
    .build = build,
};
