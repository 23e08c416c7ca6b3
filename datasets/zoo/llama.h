/* llama.h - the sizes of a Llama, for networks of that family. */
#ifndef DV_DATASETS_ZOO_LLAMA_H
#define DV_DATASETS_ZOO_LLAMA_H

#include "datasets/zoo/zoo.h"

/* What an entry's variant points at if dv_llama_build builds it. */
typedef struct dv_llama {
    int layers;
    int64_t width, heads, kv_heads, head_size, feed_forward; /* head_size: even, at most 128 */
    int64_t vocabulary;
    bool tied;      /* the head is the embedding */
    double stretch; /* "rope_scaling.factor" */
} dv_llama;

DV_MUST_USE dv_status dv_llama_build(const dv_zoo_entry *entry, const char *options,
                                     dv_graph **out);

#endif
