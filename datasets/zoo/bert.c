/* bert.c - BERT (Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers", NAACL
   2019, arXiv 1810.04805), base: 12 layers, width 768, 12 heads, with the pooler. */
#include <math.h>

#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

enum {
    LAYERS = 12,
    WIDTH = 768,
    HEADS = 12,
    HEAD_WIDTH = WIDTH / HEADS,
    FEED_FORWARD = 3072,
    VOCABULARY = 30522,
    POSITIONS = 512,
    TOKEN_TYPES = 2,
};

static const double EPS = 1e-12;

/* [N, S, WIDTH] to [N, HEADS, S, HEAD_WIDTH]; for the keys the last two swapped. */
static dv_tensor_id split_heads(dv_network *net, dv_tensor_id x, bool transposed)
{
    static const uint8_t rows[] = {0, 2, 1, 3}, columns[] = {0, 2, 3, 1};
    int64_t dims[] = {dv_dim(net, x, 0), dv_dim(net, x, 1), HEADS, HEAD_WIDTH};
    return dv_permute(net, dv_view(net, x, dims, 4), transposed ? columns : rows, 4);
}

static dv_tensor_id attention(dv_network *net, dv_tensor_id x, dv_tensor_id mask)
{
    static const uint8_t join[] = {0, 2, 1, 3};
    dv_tensor_id query = split_heads(net, dv_linear(net, x, WIDTH, true), false);
    dv_tensor_id key = split_heads(net, dv_linear(net, x, WIDTH, true), true);
    dv_tensor_id value = split_heads(net, dv_linear(net, x, WIDTH, true), false);
    dv_tensor_id scores = dv_matmul(net, query, key);
    scores = dv_binary(net, DV_OP_DIV, scores, dv_scalar(net, sqrt(HEAD_WIDTH)));
    scores = dv_softmax(net, dv_binary(net, DV_OP_ADD, scores, mask));
    dv_tensor_id mixed = dv_permute(net, dv_matmul(net, scores, value), join, 4);
    int64_t dims[] = {dv_dim(net, x, 0), dv_dim(net, x, 1), WIDTH};
    return dv_linear(net, dv_view(net, mixed, dims, 3), WIDTH, true);
}

static dv_tensor_id encoder_layer(dv_network *net, dv_tensor_id x, dv_tensor_id mask)
{
    x = dv_layer_norm(net, dv_binary(net, DV_OP_ADD, attention(net, x, mask), x), EPS);
    dv_tensor_id y = dv_unary(net, DV_OP_GELU, dv_linear(net, x, FEED_FORWARD, true));
    return dv_layer_norm(net, dv_binary(net, DV_OP_ADD, dv_linear(net, y, WIDTH, true), x), EPS);
}

/* 0 where a token counts, a large negative number where it is padding; for every head and query. */
static dv_tensor_id additive_mask(dv_network *net, dv_tensor_id mask)
{
    int64_t dims[] = {dv_dim(net, mask, 0), 1, 1, dv_dim(net, mask, 1)};
    dv_tensor_id kept = dv_cast(net, dv_view(net, mask, dims, 4), DV_DTYPE_F32);
    dv_tensor_id hidden = dv_binary(net, DV_OP_SUB, dv_scalar(net, 1), kept);
    return dv_binary(net, DV_OP_MUL, hidden, dv_scalar(net, -10000));
}

static dv_status build(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    dv_network net = dv_network_begin(entry, options);
    int64_t batch = dv_network_option(&net, options, "batch", 1, 1024, 1);
    int64_t length = dv_network_option(&net, options, "seq", 1, POSITIONS, 128);
    int64_t tokens[] = {batch, length};
    dv_tensor_id ids = dv_input(&net, "input_ids", DV_DTYPE_I64, tokens, 2);
    dv_tensor_id types = dv_input(&net, "token_type_ids", DV_DTYPE_I64, tokens, 2);
    dv_tensor_id mask = dv_input(&net, "attention_mask", DV_DTYPE_BOOL, tokens, 2);

    dv_network_scope(&net, "embeddings");
    dv_tensor_id words = dv_embedding(&net, ids, VOCABULARY, WIDTH);
    dv_tensor_id kinds = dv_embedding(&net, types, TOKEN_TYPES, WIDTH);
    dv_tensor_id places = dv_weight(&net, "position", (int64_t[]){POSITIONS, WIDTH}, 2, 0.03, 0);
    places = dv_slice(&net, places, 0, 0, length);
    dv_tensor_id x = dv_binary(&net, DV_OP_ADD, words, kinds);
    x = dv_layer_norm(&net, dv_binary(&net, DV_OP_ADD, x, places), EPS);
    dv_tensor_id hidden = additive_mask(&net, mask);
    for (int layer = 0; layer < LAYERS; layer++) {
        dv_network_scope(&net, "encoder.%d", layer);
        x = encoder_layer(&net, x, hidden);
    }
    dv_network_scope(&net, "pooler");
    dv_tensor_id first = dv_slice(&net, x, 1, 0, 1);
    first = dv_view(&net, first, (int64_t[]){batch, WIDTH}, 2);
    dv_tensor_id pooled = dv_unary(&net, DV_OP_TANH, dv_linear(&net, first, WIDTH, true));
    return dv_network_finish_many(&net, (dv_tensor_id[]){x, pooled}, 2, out);
}

const dv_zoo_entry dv_zoo_bert_base = {
    .name = "bert_base",
    .summary = "text encoder, 128 tokens; options seq=N, batch=N",
    .citation = "Devlin et al., NAACL 2019, arXiv 1810.04805; counts: arXiv 2004.02984, table 4",
    .parameters = 109482240,
    .multiply_adds = 11.25e9,
    .options = "seq batch",
    .build = build,
};
