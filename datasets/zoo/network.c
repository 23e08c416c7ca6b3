/* network.c - beginning and ending a network; its tensors and operators. */
#include "datasets/zoo/network.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/rng.h"
#include "core/text.h"
#include "datasets/zoo/network_parts.h"

enum { NAME_MAX_BYTES = 160 };

dv_network dv_network_begin(const dv_zoo_entry *entry, const char *options)
{
    char name[NAME_MAX_BYTES];
    snprintf(name, sizeof name, "%s%s%s", entry->name, options ? ":" : "", options ? options : "");
    dv_network net = {.graph = dv_graph_create(name, "zoo"), .scope = "", .norm_eps = 1e-5};
    if (!net.graph) {
        net.status = dv_fail(DV_NO_MEMORY, "out of memory while building %s", entry->name);
        return net;
    }
    char identity[256];
    snprintf(identity, sizeof identity, "zoo:%s%s%s", entry->name, options ? ":" : "",
             options ? options : "");
    net.graph->source = dv_buffer_create(strlen(identity));
    if (net.graph->source)
        memcpy(dv_buffer_writable(net.graph->source), identity, strlen(identity));
    net.status = net.graph->source
                     ? dv_graph_set_about(net.graph, entry->citation)
                     : dv_fail(DV_NO_MEMORY, "out of memory while building %s", entry->name);
    return net;
}

dv_status dv_network_finish_many(dv_network *net, const dv_tensor_id *outputs, uint32_t count,
                                 dv_graph **out)
{
    for (uint32_t i = 0; i < count && net->status == DV_OK; i++)
        net->status = dv_graph_add_output(net->graph, outputs[i]);
    if (net->status == DV_OK)
        net->status = dv_graph_finish(net->graph);
    if (net->status == DV_OK)
        *out = net->graph;
    else
        dv_graph_destroy(net->graph);
    net->graph = NULL;
    return net->status;
}

dv_status dv_network_finish(dv_network *net, dv_tensor_id output, dv_graph **out)
{
    return dv_network_finish_many(net, &output, 1, out);
}

void dv_network_scope(dv_network *net, const char *format, ...)
{
    if (net->status != DV_OK)
        return;
    char text[NAME_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    net->scope = dv_arena_copy(dv_graph_arena(net->graph), text);
    if (!net->scope)
        net->status = dv_fail(DV_NO_MEMORY, "out of memory while building a network");
}

/* "scope.what", or "what" outside any scope. */
static void full_name(const dv_network *net, const char *what, char name[NAME_MAX_BYTES])
{
    snprintf(name, NAME_MAX_BYTES, "%s%s%s", net->scope, net->scope[0] ? "." : "", what);
}

static dv_tensor_id add_tensor(dv_network *net, dv_tensor tensor)
{
    dv_tensor_id id = DV_NONE;
    if (net->status == DV_OK)
        net->status = dv_graph_add_tensor(net->graph, &tensor, &id);
    return id;
}

dv_tensor_id dv_network_op(dv_network *net, dv_op op, const dv_tensor_id *inputs, uint32_t count,
                           dv_dtype dtype, dv_shape shape)
{
    char name[NAME_MAX_BYTES], what[64];
    const char *kind = dv_op_info_of(op.kind)->name;
    const char *start = strchr(kind, '.') ? strchr(kind, '.') + 1 : kind;
    while (*start == '_')
        start++;
    snprintf(what, sizeof what, "%.*s_%u", (int)strcspn(start, "."), start,
             net->graph ? net->graph->op_count : 0);
    full_name(net, what, name);
    dv_tensor_id output =
        add_tensor(net, (dv_tensor){.name = name, .dtype = dtype, .shape = shape});
    op.name = name;
    op.source_type = start;
    op.inputs = inputs;
    op.input_count = count;
    op.outputs = &output;
    op.output_count = 1;
    dv_op_id id;
    if (net->status == DV_OK) {
        op.debug_handle = net->graph->op_count;
        net->status = dv_graph_add_op(net->graph, &op, &id);
    }
    return output;
}

const dv_shape *dv_network_shape(const dv_network *net, dv_tensor_id x)
{
    static const dv_shape none = {0};
    return net->status == DV_OK ? &net->graph->tensors[x].shape : &none;
}

dv_dtype dv_network_dtype(const dv_network *net, dv_tensor_id x)
{
    return net->status == DV_OK ? net->graph->tensors[x].dtype : DV_DTYPE_F32;
}

int64_t dv_dim(const dv_network *net, dv_tensor_id x, int dim)
{
    const dv_shape *shape = dv_network_shape(net, x);
    int at = dim < 0 ? dim + shape->rank : dim;
    return at >= 0 && at < shape->rank ? shape->dim[at] : 0;
}

dv_tensor_id dv_input(dv_network *net, const char *name, dv_dtype dtype, const int64_t *dims,
                      size_t rank)
{
    return add_tensor(net, (dv_tensor){.name = name,
                                       .dtype = dtype,
                                       .shape = dv_shape_make(dims, rank),
                                       .role = DV_ROLE_INPUT});
}

dv_tensor_id dv_image_input(dv_network *net, const char *options, int64_t side)
{
    int64_t batch = dv_network_option(net, options, "batch", 1, 1024, 1);
    side = dv_network_option(net, options, "side", 32, 4096, side);
    return dv_input(net, "image", DV_DTYPE_F32, (int64_t[]){batch, 3, side, side}, 4);
}

dv_tensor_id dv_weight(dv_network *net, const char *name, const int64_t *dims, size_t rank,
                       double scale, double shift)
{
    char full[NAME_MAX_BYTES], numbered[64];
    uint64_t layer = net->layer++;
    snprintf(numbered, sizeof numbered, "%s_%llu", name, (unsigned long long)layer);
    full_name(net, numbered, full);
    dv_data data = {.storage = DV_STORAGE_GENERATED,
                    .seed = dv_rng_at(0x64697676, layer),
                    .scale = scale,
                    .shift = shift};
    return add_tensor(net, (dv_tensor){.name = full,
                                       .dtype = DV_DTYPE_F32,
                                       .shape = dv_shape_make(dims, rank),
                                       .role = DV_ROLE_CONSTANT,
                                       .data = data});
}

dv_tensor_id dv_scalar(dv_network *net, double value)
{
    char full[NAME_MAX_BYTES], numbered[64];
    snprintf(numbered, sizeof numbered, "scalar_%llu", (unsigned long long)net->layer++);
    full_name(net, numbered, full);
    return add_tensor(net, (dv_tensor){.name = full,
                                       .dtype = DV_DTYPE_F32,
                                       .role = DV_ROLE_CONSTANT,
                                       .data = {.storage = DV_STORAGE_FILL, .shift = value}});
}

dv_tensor_id dv_known(dv_network *net, const char *name, dv_dtype dtype, const void *elements,
                      const int64_t *dims, size_t rank)
{
    char full[NAME_MAX_BYTES];
    full_name(net, name, full);
    dv_tensor tensor = {.name = full,
                        .dtype = dtype,
                        .shape = dv_shape_make(dims, rank),
                        .role = DV_ROLE_CONSTANT,
                        .is_table = true,
                        .data = {.storage = DV_STORAGE_BUFFER}};
    size_t bytes = 0;
    if (net->status == DV_OK && !dv_tensor_bytes(&tensor, &bytes))
        net->status = dv_fail(DV_INTERNAL, "%s: a constant of no size", full);
    if (net->status != DV_OK)
        return DV_NONE;
    tensor.data.buffer = dv_buffer_create(bytes);
    if (!tensor.data.buffer) {
        net->status = dv_fail(DV_NO_MEMORY, "out of memory while building a network");
        return DV_NONE;
    }
    memcpy(dv_buffer_writable(tensor.data.buffer), elements, bytes);
    dv_tensor_id id = add_tensor(net, tensor);
    dv_buffer_release(tensor.data.buffer);
    return id;
}

dv_tensor_id dv_state(dv_network *net, const char *name, const int64_t *dims, size_t rank)
{
    char full[NAME_MAX_BYTES];
    full_name(net, name, full);
    return add_tensor(net, (dv_tensor){.name = full,
                                       .dtype = DV_DTYPE_F32,
                                       .shape = dv_shape_make(dims, rank),
                                       .role = DV_ROLE_STATE});
}

void dv_becomes(dv_network *net, dv_tensor_id state, dv_tensor_id next)
{
    if (net->status == DV_OK)
        net->status = dv_graph_add_state(net->graph, state, next);
}

bool dv_network_chosen(const char *options, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = options; at && *at;) {
        size_t part = strcspn(at, ",");
        if (part == length && strncmp(at, word, length) == 0)
            return true;
        at += part + (at[part] == ',');
    }
    return false;
}

int64_t dv_network_option(dv_network *net, const char *options, const char *key, int64_t low,
                          int64_t high, int64_t preset)
{
    size_t length = strlen(key);
    for (const char *at = options; at && *at;) {
        size_t part = strcspn(at, ",");
        if (part > length && strncmp(at, key, length) == 0 && at[length] == '=') {
            char number[32];
            int64_t value;
            snprintf(number, sizeof number, "%.*s", (int)(part - length - 1), at + length + 1);
            if (dv_parse_integer(number, low, high, &value))
                return value;
            if (net->status == DV_OK)
                net->status = dv_fail(
                    DV_BAD_PARAMETER, "zoo:%s: %s takes a whole number from %lld to %lld, not '%s'",
                    net->graph->name, key, (long long)low, (long long)high, number);
            return preset;
        }
        at += part + (at[part] == ',');
    }
    return preset;
}
