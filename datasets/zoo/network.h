/* network.h - what the zoo's networks are written in: one call a layer, shapes followed as they go.

   Calls take and return tensors; the first failure is kept and later calls do nothing, so that a
   network reads like its paper's table and is checked once, by dv_network_finish. Weights are drawn
   lazily from a seed made of the layer's number (He et al. 2015: uniform with variance 2 / fan-in).
 */
#ifndef DV_DATASETS_ZOO_NETWORK_H
#define DV_DATASETS_ZOO_NETWORK_H

#include "core/graph.h"
#include "datasets/zoo/zoo.h"

typedef struct dv_network {
    dv_graph *graph;
    dv_status status;
    uint64_t layer;    /* number of the next layer: seeds and names */
    double norm_eps;   /* of batch norms; 1e-5 unless changed */
    const char *scope; /* prefix of the names of what follows: "layer3.1" */
} dv_network;

/* The network of that entry; its source hash is that of "zoo:name" and options (may be NULL). */
dv_network dv_network_begin(const dv_zoo_entry *entry, const char *options);

/* Image networks: [batch, 3, side, side] in f32, with the options "side" and "batch". */
dv_tensor_id dv_image_input(dv_network *net, const char *options, int64_t side);

/* Marks the output and closes the graph; *out is set on DV_OK only. */
DV_MUST_USE dv_status dv_network_finish(dv_network *net, dv_tensor_id output, dv_graph **out);

/* The same for several outputs. */
DV_MUST_USE dv_status dv_network_finish_many(dv_network *net, const dv_tensor_id *outputs,
                                             uint32_t count, dv_graph **out);

/* Names what follows "format.layer"; printf style, kept in the graph's arena. */
void dv_network_scope(dv_network *net, const char *format, ...) DV_PRINTF(2, 3);

dv_tensor_id dv_input(dv_network *net, const char *name, dv_dtype dtype, const int64_t *dims,
                      size_t rank);

/* The size of a tensor's dim; negative: from the end. 0 after a failure. */
int64_t dv_dim(const dv_network *net, dv_tensor_id x, int dim);

/* 2-D convolution on [N, C, H, W]; 0 stands for 1, except in padding (of both ends). */
typedef struct dv_conv_layer {
    int64_t channels, kernel, stride, padding, groups, dilation;
    int64_t kernel_width, padding_width; /* where they differ from the height's; 0: they do not */
    bool bias;
} dv_conv_layer;

dv_tensor_id dv_conv2d(dv_network *net, dv_tensor_id x, dv_conv_layer layer);
dv_tensor_id dv_batch_norm(dv_network *net, dv_tensor_id x);

/* Convolution, batch norm, activation (DV_OP_IDENTITY: none); padded by (kernel - 1) / 2 *
   dilation, so that only strides change the image, or not at all (valid). */
dv_tensor_id dv_conv_norm(dv_network *net, dv_tensor_id x, dv_conv_layer layer,
                          dv_op_kind activation);
dv_tensor_id dv_conv_norm_valid(dv_network *net, dv_tensor_id x, dv_conv_layer layer,
                                dv_op_kind activation);
dv_tensor_id dv_layer_norm(dv_network *net, dv_tensor_id x, double eps); /* over the last dim */

/* Over each of `groups` groups of channels (Wu and He 2018). */
dv_tensor_id dv_group_norm(dv_network *net, dv_tensor_id x, int64_t groups, double eps);

dv_tensor_id dv_linear(dv_network *net, dv_tensor_id x, int64_t features, bool bias);

/* x weight^T with a weight [features, width] that is there already, as tied embeddings are. */
dv_tensor_id dv_linear_tied(dv_network *net, dv_tensor_id x, dv_tensor_id weight);

/* Element-wise operators without parameters: DV_OP_RELU, DV_OP_GELU, DV_OP_TANH, ... */
dv_tensor_id dv_unary(dv_network *net, dv_op_kind kind, dv_tensor_id x);
dv_tensor_id dv_binary(dv_network *net, dv_op_kind kind, dv_tensor_id a, dv_tensor_id b);
dv_tensor_id dv_clamp(dv_network *net, dv_tensor_id x, double min, double max);
dv_tensor_id dv_gelu_tanh(dv_network *net, dv_tensor_id x);   /* the tanh form */
dv_tensor_id dv_hardsigmoid(dv_network *net, dv_tensor_id x); /* clamp(x / 6 + 1 / 2, 0, 1) */

/* Squeeze and excite (Hu et al. 2018): x times gate(W2 inner(W1 mean(x))). */
dv_tensor_id dv_squeeze_excite(dv_network *net, dv_tensor_id x, int64_t squeezed, dv_op_kind inner,
                               dv_op_kind gate);

dv_tensor_id dv_max_pool(dv_network *net, dv_tensor_id x, int64_t kernel, int64_t stride,
                         int64_t padding, bool ceil_mode);
dv_tensor_id dv_average_pool(dv_network *net, dv_tensor_id x, int64_t kernel, int64_t stride,
                             int64_t padding);                   /* padding counts as zeros */
dv_tensor_id dv_global_average(dv_network *net, dv_tensor_id x); /* [N, C, 1, 1] */
dv_tensor_id dv_mean_last(dv_network *net, dv_tensor_id x);      /* the last dim becomes 1 */
dv_tensor_id dv_concat(dv_network *net, const dv_tensor_id *xs, uint32_t count, int64_t axis);
dv_tensor_id dv_softmax(dv_network *net, dv_tensor_id x); /* last dim */
dv_tensor_id dv_matmul(dv_network *net, dv_tensor_id a, dv_tensor_id b);
dv_tensor_id dv_view(dv_network *net, dv_tensor_id x, const int64_t *dims, size_t rank);
dv_tensor_id dv_permute(dv_network *net, dv_tensor_id x, const uint8_t *perm, uint8_t rank);
dv_tensor_id dv_expand(dv_network *net, dv_tensor_id x, const int64_t *dims, size_t rank);
dv_tensor_id dv_flatten(dv_network *net, dv_tensor_id x); /* [N, the rest] */
dv_tensor_id dv_slice(dv_network *net, dv_tensor_id x, int64_t axis, int64_t begin, int64_t end);
dv_tensor_id dv_stride(dv_network *net, dv_tensor_id x, int64_t axis, int64_t begin, int64_t step);
dv_tensor_id dv_cast(dv_network *net, dv_tensor_id x, dv_dtype dtype);

/* Bilinear to height x width, pixel centres at halves (torch's align_corners = false). */
dv_tensor_id dv_upsample(dv_network *net, dv_tensor_id x, int64_t height, int64_t width);
dv_tensor_id dv_upsample_nearest(dv_network *net, dv_tensor_id x, int64_t factor);

/* Transposed 2-D convolution with bias, kernel = stride. */
dv_tensor_id dv_up_conv2d(dv_network *net, dv_tensor_id x, int64_t channels, int64_t kernel);

/* A trained table of rows looked up by integer ids: ids' shape + [width]. */
dv_tensor_id dv_embedding(dv_network *net, dv_tensor_id ids, int64_t rows, int64_t width);

dv_tensor_id dv_lookup(dv_network *net, dv_tensor_id table, dv_tensor_id ids);

/* What is kept from one inference to the next (zeros at first), and what it becomes. */
dv_tensor_id dv_state(dv_network *net, const char *name, const int64_t *dims, size_t rank);
void dv_becomes(dv_network *net, dv_tensor_id state, dv_tensor_id next);

/* A trained constant, uniform in shift +- scale; and a scalar. */
dv_tensor_id dv_weight(dv_network *net, const char *name, const int64_t *dims, size_t rank,
                       double scale, double shift);
dv_tensor_id dv_scalar(dv_network *net, double value);

/* A constant of the given elements, copied; it counts as no parameter. */
dv_tensor_id dv_known(dv_network *net, const char *name, dv_dtype dtype, const void *elements,
                      const int64_t *dims, size_t rank);

/* Is that word, without a value, among the options (may be NULL)? */
bool dv_network_chosen(const char *options, const char *word);

/* Reads "key=N" settings separated by ',' from options (may be NULL): the value of key, or preset.
   Sets the network's status on a value outside [low, high]. */
int64_t dv_network_option(dv_network *net, const char *options, const char *key, int64_t low,
                          int64_t high, int64_t preset);

#endif
