/* mobilebert.c - MobileBERT (Sun et al., "MobileBERT: a Compact Task-Agnostic BERT for
   Resource-Limited Devices", ACL 2020, arXiv 2004.02984, table 1, last column): 24 thin layers
   between bottlenecks, with a scale and a shift where BERT has layer norms. */
#include <math.h>

#include "datasets/zoo/attention.h"
#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

enum {
    LAYERS = 24,
    WIDTH = 512, /* between layers */
    INNER = 128, /* inside the bottleneck, and of the embedding */
    FEED_FORWARD = 512,
    STACKED = 4, /* feed-forward networks in a layer */
    HEADS = 4,
    VOCABULARY = 30522,
    POSITIONS = 512,
    TOKEN_TYPES = 2,
};

/* The paper's NoNorm, x weight + bias, of the sum of so many terms: training has found weights that
   keep the size of what passes through, and so do those made up here. */
static dv_tensor_id no_norm(dv_network *net, dv_tensor_id x, int terms)
{
    int64_t width = dv_dim(net, x, -1);
    double scale = 1 / sqrt((double)terms);
    x = dv_binary(net, DV_OP_MUL, x, dv_weight(net, "weight", &width, 1, 0.1, scale));
    return dv_binary(net, DV_OP_ADD, x, dv_weight(net, "bias", &width, 1, 0.1, 0));
}

static dv_tensor_id linear_norm(dv_network *net, dv_tensor_id x, int64_t width, dv_tensor_id beside)
{
    x = dv_linear(net, x, width, true);
    if (beside != DV_NONE)
        x = dv_binary(net, DV_OP_ADD, x, beside);
    return no_norm(net, x, beside == DV_NONE ? 1 : 2);
}

static dv_tensor_id feed_forward(dv_network *net, dv_tensor_id x)
{
    dv_tensor_id y = dv_unary(net, DV_OP_RELU, dv_linear(net, x, FEED_FORWARD, true));
    return linear_norm(net, y, INNER, x);
}

static dv_tensor_id encoder_layer(dv_network *net, dv_tensor_id x, dv_tensor_id mask)
{
    dv_tensor_id inner = linear_norm(net, x, INNER, DV_NONE);
    dv_tensor_id shared = linear_norm(net, x, INNER, DV_NONE); /* by queries and keys */
    dv_tensor_id query = dv_linear(net, shared, INNER, true);
    dv_tensor_id key = dv_linear(net, shared, INNER, true);
    dv_tensor_id value = dv_linear(net, x, INNER, true);
    dv_tensor_id y = dv_attention(net, query, key, value, HEADS, mask);
    y = linear_norm(net, y, INNER, inner);
    for (int i = 0; i < STACKED; i++)
        y = feed_forward(net, y);
    return linear_norm(net, y, WIDTH, x);
}

/* A token's row with those of its neighbours, zeros at the ends. */
static dv_tensor_id trigrams(dv_network *net, dv_tensor_id x, int64_t batch, int64_t length)
{
    int64_t zero[] = {batch, 1, INNER};
    dv_tensor_id none = dv_expand(net, dv_scalar(net, 0), zero, 3);
    dv_tensor_id next[] = {dv_slice(net, x, 1, 1, length), none};
    dv_tensor_id before[] = {none, dv_slice(net, x, 1, 0, length - 1)};
    return dv_concat(
        net, (dv_tensor_id[]){dv_concat(net, next, 2, 1), x, dv_concat(net, before, 2, 1)}, 3, 2);
}

static dv_tensor_id embeddings(dv_network *net, dv_tensor_id ids, dv_tensor_id types)
{
    int64_t batch = dv_dim(net, ids, 0), length = dv_dim(net, ids, 1);
    dv_network_scope(net, "embeddings");
    dv_tensor_id x = trigrams(net, dv_embedding(net, ids, VOCABULARY, INNER), batch, length);
    x = dv_linear(net, x, WIDTH, true);
    dv_tensor_id places = dv_weight(net, "position", (int64_t[]){POSITIONS, WIDTH}, 2, 0.03, 0);
    x = dv_binary(net, DV_OP_ADD, x, dv_slice(net, places, 0, 0, length));
    return no_norm(net, dv_binary(net, DV_OP_ADD, x, dv_embedding(net, types, TOKEN_TYPES, WIDTH)),
                   3);
}

static dv_status build(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    dv_network net = dv_network_begin(entry, options);
    int64_t batch = dv_network_option(&net, options, "batch", 1, 1024, 1);
    int64_t length = dv_network_option(&net, options, "seq", 2, POSITIONS, 128);
    int64_t tokens[] = {batch, length};
    dv_tensor_id ids = dv_input(&net, "input_ids", DV_DTYPE_I64, tokens, 2);
    dv_tensor_id types = dv_input(&net, "token_type_ids", DV_DTYPE_I64, tokens, 2);
    dv_tensor_id mask = dv_input(&net, "attention_mask", DV_DTYPE_BOOL, tokens, 2);
    dv_tensor_id x = embeddings(&net, ids, types);
    dv_tensor_id hidden = dv_padding_mask(&net, mask);
    for (int layer = 0; layer < LAYERS; layer++) {
        dv_network_scope(&net, "encoder.%d", layer);
        x = encoder_layer(&net, x, hidden);
    }
    return dv_network_finish(&net, x, out);
}

const dv_zoo_entry dv_zoo_mobilebert = {
    .name = "mobilebert",
    .summary = "MobileBERT, text encoder, 128 tokens; options seq=N, batch=N",
    .citation = "Sun et al., ACL 2020, arXiv 2004.02984; counts: the published checkpoint, "
                "multiply-adds by torch's counter on its configuration",
    .parameters = 24581888,
    .multiply_adds = 2.6927e9,
    .options = "seq batch",
    .build = build,
};
