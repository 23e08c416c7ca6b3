/* attention.h - multi-head attention, shared by the zoo's transformers. */
#ifndef DV_DATASETS_ZOO_ATTENTION_H
#define DV_DATASETS_ZOO_ATTENTION_H

#include "datasets/zoo/network.h"

/* softmax(q k^T / sqrt(width / heads) + mask) v over [N, S, width] tensors, joined to [N, S,
   width]; mask is DV_NONE or broadcasts to [N, heads, S, S]. */
dv_tensor_id dv_attention(dv_network *net, dv_tensor_id query, dv_tensor_id key, dv_tensor_id value,
                          int64_t heads, dv_tensor_id mask);

/* For dv_attention, of a mask [N, S] of booleans: 0 where a token counts, a large negative number
   where it is padding; for every head and query. */
dv_tensor_id dv_padding_mask(dv_network *net, dv_tensor_id mask);

#endif
