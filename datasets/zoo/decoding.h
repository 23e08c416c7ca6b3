/* decoding.h - text that is made token by token: what a network's prefill and decode forms share.

   Prefill takes N tokens at once from the beginning; decode takes one more, at a position, with the
   keys and values of all rows so far in states (a KV cache of N rows). N decode steps at positions
   0 to N - 1 end with the logits and the cache of one prefill of the same N tokens. */
#ifndef DV_DATASETS_ZOO_DECODING_H
#define DV_DATASETS_ZOO_DECODING_H

#include "datasets/zoo/network.h"

typedef struct dv_decoding {
    bool step;              /* one token, not all */
    int64_t rows;           /* tokens that attention may see: of the cache */
    int64_t tokens;         /* new ones: rows, or 1 */
    dv_tensor_id positions; /* i64 [tokens], of the new tokens */
    dv_tensor_id column;    /* the same, [tokens, 1] */
    dv_tensor_id mask;      /* f32 [tokens, rows]: 0 where a row is seen, else very negative */
} dv_decoding;

/* Prefill of that many tokens, or one step with a cache of as many rows; the step adds the
   network's input "position" (i64 [1]). */
dv_decoding dv_decoding_begin(dv_network *net, bool step, int64_t rows);

/* The input "input_ids" (i64 [1, tokens]), as [tokens]. */
dv_tensor_id dv_decoding_ids(dv_network *net, const dv_decoding *decoding);

/* All rows of the keys or values: those of the new tokens, x [tokens, heads, size], put into a
   state "name" of [rows, heads, size]. */
dv_tensor_id dv_decoding_cached(dv_network *net, const dv_decoding *decoding, const char *name,
                                dv_tensor_id x);

/* The last token's row of x [tokens, width]: all that a next token needs. */
dv_tensor_id dv_decoding_last(dv_network *net, const dv_decoding *decoding, dv_tensor_id x);

/* [tokens, heads * size] to [tokens, heads, size]. */
dv_tensor_id dv_heads(dv_network *net, dv_tensor_id x, int64_t heads);

/* softmax(q k^T / sqrt(size) + mask) v with q [S, heads, size] and k, v [T, kv_heads, size], each
   of whose heads serves heads / kv_heads queries (Ainslie et al. 2023, arXiv 2305.13245); mask is
   DV_NONE or [S, T]. Gives [S, heads * size]. */
dv_tensor_id dv_grouped_attention(dv_network *net, dv_tensor_id q, dv_tensor_id k, dv_tensor_id v,
                                  dv_tensor_id mask);

#endif
