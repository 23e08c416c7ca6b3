/* probe_net.h - writing a network down layer by layer, for the probes. */
#ifndef DV_COSTMODEL_PROBE_NET_H
#define DV_COSTMODEL_PROBE_NET_H

#include "core/graph.h"

/* A graph being filled. Once a step has failed, further steps do nothing; finish says so. */
typedef struct net {
    dv_graph *graph;
    dv_status status;
    dv_unit_id *unit_of; /* per operator */
    size_t capacity;
    uint32_t op_count, unit_count;
    bool fuse; /* the next operator joins the unit of the one before */
    /* Floats become quantised 8-bit integers; with `odd`, weights have a zero point a channel,
       which no library takes, so that they are converted. */
    bool integers, odd;
} net;

/* A tensor of the net. */
typedef struct wire {
    dv_tensor_id id;
    dv_shape shape;
} wire;

net dv_net_begin(const char *name);
dv_status dv_net_end(net *n, dv_graph **out); /* takes the graph; frees all on failure */
void dv_net_output(net *n, wire x);

wire dv_net_input(net *n, const char *name, dv_dtype dtype, const int64_t *dims, size_t rank);
wire dv_net_weight(net *n, const int64_t *dims, size_t rank, double scale);

/* Any operator: inputs, the output's shape, parameters (NULL: none). */
wire dv_net_op(net *n, dv_op_kind kind, const wire *inputs, uint32_t count, dv_shape shape,
               const dv_op_params *params);

/* Layers. Convolutions and pooling pad by half the kernel; `then` (DV_OP_COUNT: none) is fused. */
wire dv_net_conv(net *n, wire x, int64_t out, int64_t kernel, int64_t stride, int64_t groups,
                 dv_op_kind then);
wire dv_net_pool(net *n, wire x, dv_op_kind kind, int64_t kernel, int64_t stride);
wire dv_net_unary(net *n, dv_op_kind kind, wire x);
wire dv_net_binary(net *n, dv_op_kind kind, wire a, wire b); /* of a's shape; b broadcasts */
wire dv_net_linear(net *n, wire x, int64_t out, dv_op_kind then);
wire dv_net_matmul(net *n, wire a, wire b);
wire dv_net_view(net *n, wire x, const int64_t *dims, size_t rank);
wire dv_net_permute(net *n, wire x, const uint8_t *perm);
wire dv_net_softmax(net *n, wire x);
wire dv_net_layer_norm(net *n, wire x);
wire dv_net_batch_norm(net *n, wire x, dv_op_kind then);
wire dv_net_group_norm(net *n, wire x, int64_t groups);
wire dv_net_mean(net *n, wire x); /* of the image: [N, C, 1, 1] */
wire dv_net_cat(net *n, wire a, wire b, int64_t axis);
wire dv_net_slice(net *n, wire x, int64_t axis, int64_t begin, int64_t end);
wire dv_net_upsample(net *n, wire x, dv_op_kind kind);
wire dv_net_pad(net *n, wire x, int64_t by);
wire dv_net_embedding(net *n, int64_t rows, int64_t width, wire index);

#endif
