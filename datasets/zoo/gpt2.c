/* gpt2.c - GPT-2, the small one (Radford et al. 2019, "Language Models are Unsupervised Multitask
   Learners", table 2, first row), with the sizes of the published checkpoint's configuration. */
#include "datasets/zoo/decoding.h"
#include "datasets/zoo/zoo.h"

enum {
    LAYERS = 12,
    WIDTH = 768,
    HEADS = 12,
    FEED_FORWARD = 4 * WIDTH,
    VOCABULARY = 50257,
    POSITIONS = 1024,
};

static const double EPS = 1e-5;

static dv_tensor_id part(dv_network *net, dv_tensor_id x, int64_t i)
{
    return dv_heads(net, dv_slice(net, x, 1, i * WIDTH, (i + 1) * WIDTH), HEADS);
}

static dv_tensor_id layer(dv_network *net, const dv_decoding *text, dv_tensor_id x)
{
    dv_tensor_id y = dv_linear(net, dv_layer_norm(net, x, EPS), 3 * WIDTH, true);
    dv_tensor_id key = dv_decoding_cached(net, text, "keys", part(net, y, 1));
    dv_tensor_id value = dv_decoding_cached(net, text, "values", part(net, y, 2));
    y = dv_grouped_attention(net, part(net, y, 0), key, value, text->mask);
    x = dv_binary(net, DV_OP_ADD, x, dv_linear(net, y, WIDTH, true));
    y = dv_linear(net, dv_layer_norm(net, x, EPS), FEED_FORWARD, true);
    y = dv_linear(net, dv_gelu_tanh(net, y), WIDTH, true);
    return dv_binary(net, DV_OP_ADD, x, y);
}

static dv_status build(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    dv_network net = dv_network_begin(entry, options);
    int64_t prefill = dv_network_option(&net, options, "prefill", 1, POSITIONS, 128);
    int64_t decode = dv_network_option(&net, options, "decode", 1, POSITIONS, 0);
    dv_decoding text = dv_decoding_begin(&net, decode > 0, decode > 0 ? decode : prefill);
    dv_tensor_id ids = dv_decoding_ids(&net, &text);

    dv_network_scope(&net, "embeddings");
    dv_tensor_id tokens = dv_weight(&net, "wte", (int64_t[]){VOCABULARY, WIDTH}, 2, 0.035, 0);
    dv_tensor_id places = dv_embedding(&net, text.positions, POSITIONS, WIDTH);
    dv_tensor_id x = dv_binary(&net, DV_OP_ADD, dv_lookup(&net, tokens, ids), places);
    for (int i = 0; i < LAYERS; i++) {
        dv_network_scope(&net, "h.%d", i);
        x = layer(&net, &text, x);
    }
    dv_network_scope(&net, "head");
    x = dv_layer_norm(&net, dv_decoding_last(&net, &text, x), EPS);
    return dv_network_finish(&net, dv_linear_tied(&net, x, tokens), out);
}

const dv_zoo_entry dv_zoo_gpt2 = {
    .name = "gpt2",
    .summary = "GPT-2 124M, text generation; 128 tokens at once (prefill=N), or one more with N in "
               "the KV cache (decode=N)",
    .citation = "Radford et al. 2019, table 2; counts: the published checkpoint (head tied to the "
                "embedding), multiply-adds by torch's counter on its configuration",
    .parameters = 124439808,
    .multiply_adds = 11.212e9,
    .options = "",
    .variants = "prefill=N decode=N",
    .build = build,
};
