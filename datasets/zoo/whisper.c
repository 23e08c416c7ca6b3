/* whisper.c - speech to text (Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak
   Supervision", arXiv 2212.04356, table 1), as the published configurations have it. The encoder
   takes the log-mel spectrogram of 30 seconds; the decoder attends to what it gives. */
#include "datasets/zoo/attention.h"
#include "datasets/zoo/decoding.h"
#include "datasets/zoo/network_parts.h"
#include "datasets/zoo/zoo.h"

enum { VOCABULARY = 51865, MELS = 80, FRAMES = 3000, AUDIO = FRAMES / 2, POSITIONS = 448 };

typedef struct whisper_variant {
    int layers; /* of the encoder, and of the decoder */
    int64_t width, heads;
} whisper_variant;

static const double EPS = 1e-5;

/* A 1-D convolution of kernel 3 and its GELU, on [1, channels, frames]. */
static dv_tensor_id conv1d(dv_network *net, dv_tensor_id x, int64_t channels, int64_t stride)
{
    int64_t filter[] = {channels, dv_dim(net, x, 1), 3};
    dv_op op = {.kind = DV_OP_CONVOLUTION,
                .params.conv = {.spatial = 1,
                                .groups = 1,
                                .stride = {stride},
                                .dilation = {1},
                                .pad_begin = {1},
                                .pad_end = {1}}};
    dv_tensor_id inputs[] = {x, dv_weight(net, "weight", filter, 3, 0.1, 0),
                             dv_weight(net, "bias", &channels, 1, 0.1, 0)};
    dv_shape shape = {.rank = 3, .dim = {1, channels, (dv_dim(net, x, 2) - 1) / stride + 1}};
    return dv_unary(net, DV_OP_GELU, dv_network_op(net, op, inputs, 3, DV_DTYPE_F32, shape));
}

static dv_tensor_id feed_forward(dv_network *net, dv_tensor_id x)
{
    int64_t width = dv_dim(net, x, -1);
    dv_tensor_id y = dv_linear(net, dv_layer_norm(net, x, EPS), 4 * width, true);
    y = dv_linear(net, dv_unary(net, DV_OP_GELU, y), width, true);
    return dv_binary(net, DV_OP_ADD, x, y);
}

static dv_tensor_id encoder_layer(dv_network *net, dv_tensor_id x, int64_t heads)
{
    int64_t width = dv_dim(net, x, -1);
    dv_tensor_id y = dv_layer_norm(net, x, EPS);
    dv_tensor_id query = dv_linear(net, y, width, true), key = dv_linear(net, y, width, false);
    y = dv_attention(net, query, key, dv_linear(net, y, width, true), heads, DV_NONE);
    return feed_forward(net, dv_binary(net, DV_OP_ADD, x, dv_linear(net, y, width, true)));
}

static dv_tensor_id encoder(dv_network *net, const whisper_variant *variant)
{
    static const uint8_t swap[] = {0, 2, 1};
    int64_t places[] = {AUDIO, variant->width};
    dv_tensor_id x = dv_input(net, "input_features", DV_DTYPE_F32, (int64_t[]){1, MELS, FRAMES}, 3);
    dv_network_scope(net, "encoder");
    x = conv1d(net, conv1d(net, x, variant->width, 1), variant->width, 2);
    x = dv_permute(net, x, swap, 3);
    x = dv_binary(net, DV_OP_ADD, x, dv_weight(net, "positions", places, 2, 0.7, 0));
    for (int i = 0; i < variant->layers; i++) {
        dv_network_scope(net, "encoder.%d", i);
        x = encoder_layer(net, x, variant->heads);
    }
    dv_network_scope(net, "encoder");
    return dv_layer_norm(net, x, EPS);
}

static dv_tensor_id decoder_layer(dv_network *net, const dv_decoding *text, dv_tensor_id x,
                                  dv_tensor_id audio, int64_t heads)
{
    int64_t width = dv_dim(net, x, -1);
    dv_tensor_id y = dv_layer_norm(net, x, EPS);
    dv_tensor_id query = dv_heads(net, dv_linear(net, y, width, true), heads);
    dv_tensor_id key = dv_heads(net, dv_linear(net, y, width, false), heads);
    dv_tensor_id value = dv_heads(net, dv_linear(net, y, width, true), heads);
    key = dv_decoding_cached(net, text, "keys", key);
    value = dv_decoding_cached(net, text, "values", value);
    y = dv_grouped_attention(net, query, key, value, text->mask);
    x = dv_binary(net, DV_OP_ADD, x, dv_linear(net, y, width, true));

    query = dv_heads(net, dv_linear(net, dv_layer_norm(net, x, EPS), width, true), heads);
    key = dv_heads(net, dv_linear(net, audio, width, false), heads);
    value = dv_heads(net, dv_linear(net, audio, width, true), heads);
    y = dv_grouped_attention(net, query, key, value, DV_NONE);
    return feed_forward(net, dv_binary(net, DV_OP_ADD, x, dv_linear(net, y, width, true)));
}

/* audio: [1, AUDIO, width] */
static dv_tensor_id decoder(dv_network *net, const whisper_variant *variant, dv_tensor_id audio,
                            bool step, int64_t rows)
{
    dv_decoding text = dv_decoding_begin(net, step, rows);
    dv_tensor_id ids = dv_decoding_ids(net, &text);
    dv_network_scope(net, "decoder");
    audio = dv_view(net, audio, (int64_t[]){AUDIO, variant->width}, 2);
    int64_t table[] = {VOCABULARY, variant->width};
    dv_tensor_id tokens = dv_weight(net, "tokens", table, 2, 0.035, 0);
    dv_tensor_id places = dv_embedding(net, text.positions, POSITIONS, variant->width);
    dv_tensor_id x = dv_binary(net, DV_OP_ADD, dv_lookup(net, tokens, ids), places);
    for (int i = 0; i < variant->layers; i++) {
        dv_network_scope(net, "decoder.%d", i);
        x = decoder_layer(net, &text, x, audio, variant->heads);
    }
    dv_network_scope(net, "head");
    x = dv_layer_norm(net, dv_decoding_last(net, &text, x), EPS);
    return dv_linear_tied(net, x, tokens);
}

static dv_status build(const dv_zoo_entry *entry, const char *options, dv_graph **out)
{
    const whisper_variant *variant = entry->variant;
    dv_network net = dv_network_begin(entry, options);
    int64_t rows = dv_network_option(&net, options, "decoder", 1, POSITIONS, 0);
    if (dv_network_chosen(options, "encoder"))
        return dv_network_finish(&net, encoder(&net, variant), out);
    dv_tensor_id audio;
    if (rows > 0)
        audio = dv_input(&net, "encoder_hidden_states", DV_DTYPE_F32,
                         (int64_t[]){1, AUDIO, variant->width}, 3);
    else
        audio = encoder(&net, variant);
    enum { PROMPT = 4 }; /* begin, language, task, no time stamps */
    dv_tensor_id logits = decoder(&net, variant, audio, rows > 0, rows > 0 ? rows : PROMPT);
    return dv_network_finish(&net, logits, out);
}

static const whisper_variant tiny = {4, 384, 6}, medium = {24, 1024, 16};

#define CITATION                                                                                 \
    "Radford et al. 2022, arXiv 2212.04356, table 1; counts: the published checkpoint (encoder " \
    "positions included, head tied), multiply-adds by torch's counter on its configuration"

const dv_zoo_entry dv_zoo_whisper_tiny = {
    .name = "whisper_tiny",
    .summary = "Whisper tiny, 30 s of speech and a prompt of 4 tokens to the next one; its encoder "
               "alone (encoder), or one step of its decoder with N tokens in the KV cache "
               "(decoder=N)",
    .citation = CITATION,
    .parameters = 37760640,
    .multiply_adds = 20.31e9,
    .options = "",
    .variants = "encoder decoder=N",
    .variant = &tiny,
    .build = build,
};

const dv_zoo_entry dv_zoo_whisper_medium = {
    .name = "whisper_medium",
    .summary = "Whisper medium, 30 s of speech and a prompt of 4 tokens to the next one; its "
               "encoder alone (encoder), or one step of its decoder with N tokens in the KV cache "
               "(decoder=N)",
    .citation = CITATION,
    .parameters = 763857920,
    .multiply_adds = 646.3e9,
    .options = "",
    .variants = "encoder decoder=N",
    .variant = &medium,
    .build = build,
};
