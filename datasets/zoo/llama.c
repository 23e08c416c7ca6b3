/* llama.c - Llama 3.2 and 3.1 ("The Llama 3 Herd of Models", arXiv 2407.21783, table 3; the 1B and
   3B models as their published configurations have them): RMS norm (Zhang and Sennrich 2019,
   arXiv 1910.07467), rotary positions (Su et al. 2021, arXiv 2104.09864), grouped-query attention,
   SwiGLU (Shazeer 2020, arXiv 2002.05202). */
#include <math.h>

#include "datasets/zoo/decoding.h"
#include "datasets/zoo/llama.h"

enum { VOCABULARY = 128256, CONTEXT = 131072, MOST_HEAD = 128 };

static const double EPS = 1e-5, THETA = 500000;

/* x / rms(x) * weight */
static dv_tensor_id rms_norm(dv_network *net, dv_tensor_id x)
{
    int64_t width = dv_dim(net, x, -1);
    dv_tensor_id square = dv_mean_last(net, dv_binary(net, DV_OP_MUL, x, x));
    square = dv_binary(net, DV_OP_ADD, square, dv_scalar(net, EPS));
    x = dv_binary(net, DV_OP_MUL, x, dv_unary(net, DV_OP_RSQRT, square));
    return dv_binary(net, DV_OP_MUL, x, dv_weight(net, "weight", &width, 1, 0.2, 1));
}

/* Cosines and sines of the angles by which pairs of a head's elements are turned, [tokens, 1,
   size]. */
typedef struct turn {
    dv_tensor_id cosine, sine;
} turn;

/* Slow turns are stretched for long contexts, fast ones are not, those between in part
   (arXiv 2407.21783 follows Xiong et al., arXiv 2309.16039; the bounds are the configuration's). */
static double frequency(const dv_llama *variant, int64_t i)
{
    static const double low = 1, high = 4, trained = 8192;
    double plain = pow(THETA, -2.0 * (double)i / (double)variant->head_size);
    double turns = trained * plain / (2 * M_PI);
    double share = fmin(fmax((turns - low) / (high - low), 0), 1);
    return plain * (share + (1 - share) / variant->stretch);
}

static turn turns(dv_network *net, const dv_llama *variant, const dv_decoding *text)
{
    float rates[MOST_HEAD / 2];
    int64_t half = variant->head_size / 2, dims[] = {text->tokens, 1, variant->head_size};
    for (int64_t i = 0; i < half; i++)
        rates[i] = (float)frequency(variant, i);
    dv_network_scope(net, "rotary");
    dv_tensor_id rate = dv_known(net, "rates", DV_DTYPE_F32, rates, &half, 1);
    dv_tensor_id place = dv_cast(net, text->column, DV_DTYPE_F32);
    dv_tensor_id angle = dv_binary(net, DV_OP_MUL, place, rate);
    angle = dv_view(net, dv_concat(net, (dv_tensor_id[]){angle, angle}, 2, 1), dims, 3);
    return (turn){dv_unary(net, DV_OP_COS, angle), dv_unary(net, DV_OP_SIN, angle)};
}

/* Turns each pair (i, i + size / 2) of the elements of x [tokens, heads, size]. */
static dv_tensor_id turned(dv_network *net, dv_tensor_id x, turn by)
{
    int64_t size = dv_dim(net, x, 2);
    dv_tensor_id first = dv_slice(net, x, 2, 0, size / 2);
    dv_tensor_id second = dv_unary(net, DV_OP_NEG, dv_slice(net, x, 2, size / 2, size));
    dv_tensor_id across = dv_concat(net, (dv_tensor_id[]){second, first}, 2, 2);
    return dv_binary(net, DV_OP_ADD, dv_binary(net, DV_OP_MUL, x, by.cosine),
                     dv_binary(net, DV_OP_MUL, across, by.sine));
}

static dv_tensor_id layer(dv_network *net, const dv_llama *variant, const dv_decoding *text,
                          turn by, dv_tensor_id x)
{
    int64_t size = variant->head_size, kv_heads = variant->kv_heads;
    dv_tensor_id y = rms_norm(net, x);
    dv_tensor_id query = dv_linear(net, y, variant->heads * size, false);
    dv_tensor_id key = dv_heads(net, dv_linear(net, y, kv_heads * size, false), kv_heads);
    dv_tensor_id value = dv_heads(net, dv_linear(net, y, kv_heads * size, false), kv_heads);
    query = turned(net, dv_heads(net, query, variant->heads), by);
    key = dv_decoding_cached(net, text, "keys", turned(net, key, by));
    value = dv_decoding_cached(net, text, "values", value);
    y = dv_grouped_attention(net, query, key, value, text->mask);
    x = dv_binary(net, DV_OP_ADD, x, dv_linear(net, y, variant->width, false));

    y = rms_norm(net, x);
    dv_tensor_id gate = dv_unary(net, DV_OP_SILU, dv_linear(net, y, variant->feed_forward, false));
    y = dv_binary(net, DV_OP_MUL, gate, dv_linear(net, y, variant->feed_forward, false));
    return dv_binary(net, DV_OP_ADD, x, dv_linear(net, y, variant->width, false));
}

dv_status dv_llama_build(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    const dv_llama *variant = entry->variant;
    dv_network net = dv_network_begin(entry, options);
    int64_t prefill = dv_network_option(&net, options, "prefill", 1, CONTEXT, 128);
    int64_t decode = dv_network_option(&net, options, "decode", 1, CONTEXT, 0);
    dv_decoding text = dv_decoding_begin(&net, decode > 0, decode > 0 ? decode : prefill);
    dv_tensor_id ids = dv_decoding_ids(&net, &text);
    turn by = turns(&net, variant, &text);

    dv_network_scope(&net, "embed_tokens");
    int64_t table[] = {variant->vocabulary, variant->width};
    dv_tensor_id tokens = dv_weight(&net, "weight", table, 2, 0.035, 0);
    dv_tensor_id x = dv_lookup(&net, tokens, ids);
    for (int i = 0; i < variant->layers; i++) {
        dv_network_scope(&net, "layers.%d", i);
        x = layer(&net, variant, &text, by, x);
    }
    dv_network_scope(&net, "head");
    x = rms_norm(&net, dv_decoding_last(&net, &text, x));
    x = variant->tied ? dv_linear_tied(&net, x, tokens)
                      : dv_linear(&net, x, variant->vocabulary, false);
    return dv_network_finish(&net, x, out);
}

#define CITATION                                                                            \
    "Llama team 2024, arXiv 2407.21783, and the published configuration; multiply-adds by " \
    "torch's "                                                                              \
    "counter on it"

static const dv_llama one = {16, 2048, 32, 8, 64, 8192, VOCABULARY, true, 32},
                      three = {28, 3072, 24, 8, 128, 8192, VOCABULARY, true, 32},
                      eight = {32, 4096, 32, 8, 128, 14336, VOCABULARY, false, 8};

const dv_zoo_entry dv_zoo_llama_3_2_1b = {
    .name = "llama_3_2_1b",
    .summary = "Llama 3.2 1B, text generation; 128 tokens at once (prefill=N), or one more with N "
               "in the KV cache (decode=N)",
    .citation = CITATION,
    .parameters = 1235814400,
    .multiply_adds = 125.887e9,
    .options = "",
    .variants = "prefill=N decode=N",
    .variant = &one,
    .build = dv_llama_build,
};

const dv_zoo_entry dv_zoo_llama_3_2_3b = {
    .name = "llama_3_2_3b",
    .summary = "Llama 3.2 3B, text generation; 128 tokens at once (prefill=N), or one more with N "
               "in the KV cache (decode=N)",
    .citation = CITATION,
    .parameters = 3212749824,
    .multiply_adds = 363.99e9,
    .options = "",
    .variants = "prefill=N decode=N",
    .variant = &three,
    .build = dv_llama_build,
};

const dv_zoo_entry dv_zoo_llama_3_1_8b = {
    .name = "llama_3_1_8b",
    .summary = "Llama 3.1 8B, text generation; 128 tokens at once (prefill=N), or one more with N "
               "in the KV cache (decode=N)",
    .citation = CITATION,
    .parameters = 8030261248,
    .multiply_adds = 898.18e9,
    .options = "",
    .variants = "prefill=N decode=N",
    .variant = &eight,
    .build = dv_llama_build,
};
