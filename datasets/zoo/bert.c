/* bert.c - text encoders: BERT base (Devlin et al., "BERT: Pre-training of Deep Bidirectional
   Transformers", NAACL 2019, arXiv 1810.04805), with the pooler, and DistilBERT (Sanh et al. 2019,
   arXiv 1910.01108): every other layer of it, without token types and pooler. */
#include "datasets/zoo/attention.h"
#include "datasets/zoo/network.h"
#include "datasets/zoo/zoo.h"

enum {
    WIDTH = 768,
    HEADS = 12,
    FEED_FORWARD = 3072,
    VOCABULARY = 30522,
    POSITIONS = 512,
    TOKEN_TYPES = 2,
};

typedef struct bert_variant {
    int layers;
    bool token_types, pooler;
} bert_variant;

static const double EPS = 1e-12;

static dv_tensor_id encoder_layer(dv_network *net, dv_tensor_id x, dv_tensor_id mask)
{
    dv_tensor_id query = dv_linear(net, x, WIDTH, true);
    dv_tensor_id key = dv_linear(net, x, WIDTH, true);
    dv_tensor_id value = dv_linear(net, x, WIDTH, true);
    dv_tensor_id y = dv_linear(net, dv_attention(net, query, key, value, HEADS, mask), WIDTH, true);
    x = dv_layer_norm(net, dv_binary(net, DV_OP_ADD, y, x), EPS);
    y = dv_unary(net, DV_OP_GELU, dv_linear(net, x, FEED_FORWARD, true));
    return dv_layer_norm(net, dv_binary(net, DV_OP_ADD, dv_linear(net, y, WIDTH, true), x), EPS);
}

static dv_tensor_id pooler(dv_network *net, dv_tensor_id x)
{
    dv_network_scope(net, "pooler");
    dv_tensor_id first = dv_slice(net, x, 1, 0, 1);
    first = dv_view(net, first, (int64_t[]){dv_dim(net, x, 0), WIDTH}, 2);
    return dv_unary(net, DV_OP_TANH, dv_linear(net, first, WIDTH, true));
}

static dv_status build(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    const bert_variant *variant = entry->variant;
    dv_network net = dv_network_begin(entry, options);
    int64_t batch = dv_network_option(&net, options, "batch", 1, 1024, 1);
    int64_t length = dv_network_option(&net, options, "seq", 1, POSITIONS, 128);
    int64_t tokens[] = {batch, length};
    dv_tensor_id ids = dv_input(&net, "input_ids", DV_DTYPE_I64, tokens, 2), types = DV_NONE;
    if (variant->token_types)
        types = dv_input(&net, "token_type_ids", DV_DTYPE_I64, tokens, 2);
    dv_tensor_id mask = dv_input(&net, "attention_mask", DV_DTYPE_BOOL, tokens, 2);

    dv_network_scope(&net, "embeddings");
    dv_tensor_id x = dv_embedding(&net, ids, VOCABULARY, WIDTH);
    if (variant->token_types)
        x = dv_binary(&net, DV_OP_ADD, x, dv_embedding(&net, types, TOKEN_TYPES, WIDTH));
    dv_tensor_id places = dv_weight(&net, "position", (int64_t[]){POSITIONS, WIDTH}, 2, 0.03, 0);
    places = dv_slice(&net, places, 0, 0, length);
    x = dv_layer_norm(&net, dv_binary(&net, DV_OP_ADD, x, places), EPS);
    dv_tensor_id hidden = dv_padding_mask(&net, mask);
    for (int layer = 0; layer < variant->layers; layer++) {
        dv_network_scope(&net, "encoder.%d", layer);
        x = encoder_layer(&net, x, hidden);
    }
    dv_tensor_id outputs[] = {x, variant->pooler ? pooler(&net, x) : DV_NONE};
    return dv_network_finish_many(&net, outputs, variant->pooler ? 2 : 1, out);
}

static const bert_variant base = {12, true, true}, distilled = {6, false, false};

const dv_zoo_entry dv_zoo_bert_base = {
    .name = "bert_base",
    .summary = "BERT base, text encoder, 128 tokens; options seq=N, batch=N",
    .citation =
        "Devlin et al., NAACL 2019, arXiv 1810.04805; counts: the published checkpoint, and "
        "arXiv 2004.02984, table 4",
    .parameters = 109482240,
    .multiply_adds = 11.25e9,
    .options = "seq batch",
    .variant = &base,
    .build = build,
};

const dv_zoo_entry dv_zoo_distilbert = {
    .name = "distilbert",
    .summary = "DistilBERT base, text encoder, 128 tokens; options seq=N, batch=N",
    .citation = "Sanh et al. 2019, arXiv 1910.01108; counts: the published checkpoint, and arXiv "
                "2004.02984, table 4",
    .parameters = 66362880,
    .multiply_adds = 5.65e9,
    .options = "seq batch",
    .variant = &distilled,
    .build = build,
};
