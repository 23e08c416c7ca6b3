/* vkblob.h - the graph in the blob of ExecuTorch's Vulkan delegate (schema.fbs of its
   serialization): ATen calls over values. */
#ifndef DV_LOAD_VKBLOB_H
#define DV_LOAD_VKBLOB_H

#include "core/graph.h"
#include "load/flatbuffer.h"

/* Kinds of values, as the schema numbers them. */
enum {
    DV_VK_NONE = 1,
    DV_VK_INT,
    DV_VK_DOUBLE,
    DV_VK_BOOL,
    DV_VK_TENSOR,
    DV_VK_INTS,
    DV_VK_DOUBLES,
    DV_VK_BOOLS,
    DV_VK_VALUES,
    DV_VK_STRING,
    DV_VK_SYM_INT
};

typedef struct dv_vk_graph {
    dv_fb fb;
    dv_span constants; /* behind the flatbuffer */
    dv_fb_vector calls, values, inputs, outputs, data;
} dv_vk_graph;

/* Opens the blob; *known is false for another backend's. The graph borrows the blob's bytes. */
DV_MUST_USE dv_status dv_vk_open(dv_span blob, dv_vk_graph *out, bool *known);

/* The kind and the table of a value. DV_BAD_INPUT if there is no such value. */
DV_MUST_USE dv_status dv_vk_value_at(const dv_vk_graph *graph, uint32_t index, uint8_t *kind,
                                     dv_fb_table *table);

/* Type and shape of a tensor; *constant is the index of its data, negative if it has none. */
DV_MUST_USE dv_status dv_vk_read_tensor(const dv_vk_graph *graph, const dv_fb_table *table,
                                        dv_tensor *out, int32_t *constant);

#endif
