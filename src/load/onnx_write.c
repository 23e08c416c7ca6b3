#include "load/onnx_write.h"

#include <string.h>

#include "core/file.h"
#include "load/onnx_put.h"
#include "load/onnx_tensor.h"
#include "load/protobuf_write.h"

static const struct {
    const char *type;
    dv_onnx_op_writer *write;
} rows[DV_OP_COUNT] = {
#define WRITE(kind, type, writer) [DV_OP_##kind] = {type, dv_onnx_write_##writer},
#include "load/onnx_write.def"
#undef WRITE
};

enum {
    FEW = 64,                  /* elements of one value that are not worth a node of their own */
    SMALL = 1024,              /* bytes that stay inside, so that tools can look at shapes */
    ALIGNMENT = 64,            /* of weights beside the model */
    BLOCK = 1 << 16,           /* elements made at once */
    STRUCTURE_LIMIT = 1 << 10, /* elements of a constant that is no mere structure */
};

/* One protobuf message cannot be longer than 2^31 - 1 bytes. */
static const size_t INSIDE_LIMIT = 2000000000;

typedef enum place { NOT_WRITTEN, AS_NODE, INSIDE, BESIDE } place;

typedef struct writer {
    const dv_graph *graph;
    const char *path;
    const char *location; /* of weights beside the model: the name of their file */
    dv_onnx_put put;
    dv_text borders;   /* fields input, output and value_info */
    uint8_t *places;   /* per tensor: place */
    uint64_t *offsets; /* per tensor, in the file beside */
    uint64_t beside;   /* bytes of that file */
} writer;

/* ---- where each constant goes ---- */

static bool is_read(const dv_graph *graph, dv_tensor_id t)
{
    return graph->tensors[t].is_output || graph->consumer_start[t + 1] > graph->consumer_start[t];
}

static bool is_generated(const dv_tensor *tensor)
{
    return tensor->data.storage == DV_STORAGE_GENERATED;
}

/* Bytes of the constants to be written inside or beside, of them generated ones. */
typedef struct load {
    size_t all, generated;
} load;

static dv_status add_load(load *sum, const dv_tensor *tensor, size_t bytes)
{
    if (!dv_add_size(sum->all, bytes, &sum->all))
        return dv_fail(DV_BAD_INPUT, "its weights are more than memory can hold");
    sum->generated += is_generated(tensor) ? bytes : 0;
    return DV_OK;
}

static dv_status place_constants(writer *w, dv_onnx_weights weights, load *sum)
{
    for (dv_tensor_id t = 0; t < w->graph->tensor_count; t++) {
        const dv_tensor *tensor = &w->graph->tensors[t];
        size_t elements, bytes;
        if (tensor->role != DV_ROLE_CONSTANT || !is_read(w->graph, t))
            continue;
        if (tensor->data.storage == DV_STORAGE_NONE || dv_onnx_type_of(tensor->dtype) == 0 ||
            !dv_shape_elements(&tensor->shape, &elements) || !dv_tensor_bytes(tensor, &bytes))
            return dv_fail(DV_BAD_INPUT, "constant '%.120s' has no elements that can be written",
                           tensor->name);
        bool fill = tensor->data.storage == DV_STORAGE_FILL;
        bool left_out = weights == DV_WEIGHTS_NONE && elements >= STRUCTURE_LIMIT &&
                        dv_dtype_is_float(tensor->dtype);
        w->places[t] = (fill && elements > FEW) || left_out ? AS_NODE : INSIDE;
        if (w->places[t] == INSIDE)
            DV_TRY(add_load(sum, tensor, bytes));
    }
    return DV_OK;
}

/* Gives every large constant its place in the file beside the model. */
static dv_status put_beside(writer *w)
{
    if (strcmp(w->path, "-") == 0)
        return dv_fail(DV_BAD_PARAMETER, "weights beside the model need a file to be beside of; "
                                         "give --output FILE");
    for (dv_tensor_id t = 0; t < w->graph->tensor_count; t++) {
        size_t bytes;
        if (w->places[t] != INSIDE || !dv_tensor_bytes(&w->graph->tensors[t], &bytes) ||
            bytes <= SMALL)
            continue;
        w->places[t] = BESIDE;
        w->beside = (w->beside + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        w->offsets[t] = w->beside;
        w->beside += bytes;
    }
    return DV_OK;
}

static dv_status choose_places(writer *w, dv_onnx_weights weights)
{
    load sum = {0};
    char size[DV_FIGURE_MAX];
    DV_TRY(place_constants(w, weights, &sum));
    bool large = sum.all > INSIDE_LIMIT;
    if (large && weights == DV_WEIGHTS_INSIDE)
        return dv_fail(DV_BAD_PARAMETER,
                       "%s of weights do not fit into an ONNX file, which may have 2 GB; use "
                       "--weights beside",
                       dv_format_bytes(size, (double)sum.all));
    if (weights == DV_WEIGHTS_AUTO && sum.generated > INSIDE_LIMIT)
        return dv_fail(DV_BAD_PARAMETER,
                       "its %s of weights are made up, not read from a file; --weights beside "
                       "writes them, --weights none only the network",
                       dv_format_bytes(size, (double)sum.generated));
    return weights == DV_WEIGHTS_BESIDE || (large && weights == DV_WEIGHTS_AUTO) ? put_beside(w)
                                                                                 : DV_OK;
}

/* ---- operators ---- */

/* One value everywhere, made by a node. Where weights are left out the value says nothing; it is
   small, so that deep networks stay finite. */
static void put_fill(writer *w, const dv_tensor *tensor)
{
    dv_op op = {.kind = DV_OP_FULL, .name = tensor->name};
    bool fill = tensor->data.storage == DV_STORAGE_FILL;
    w->put.op = &op;
    const char *shape = dv_put_shape(&w->put, &tensor->shape);
    dv_put_value(&w->put, "value", tensor->dtype, fill ? tensor->data.shift : 0.01);
    dv_put_node(&w->put, "ConstantOfShape", &shape, 1, &tensor->name, 1);
}

static dv_status put_operators(writer *w)
{
    dv_onnx_put *put = &w->put;
    for (dv_tensor_id t = 0; t < w->graph->tensor_count; t++)
        if (w->places[t] == AS_NODE)
            put_fill(w, &w->graph->tensors[t]);
    for (dv_op_id o = 0; o < w->graph->op_count; o++) {
        dv_op_kind kind = w->graph->ops[o].kind;
        DV_TRY(dv_put_begin(put, &w->graph->ops[o], rows[kind].type));
        if (!put->type)
            return dv_put_refuse(put, "%s",
                                 put->op->reason ? put->op->reason
                                                 : "there is no operator of ONNX for it");
        for (uint32_t i = 0; i < put->op->output_count; i++)
            if (put->op->outputs[i] != DV_NONE &&
                !dv_shape_known(&w->graph->tensors[put->op->outputs[i]].shape))
                return dv_put_refuse(put, "the shape of its output is not known");
        DV_TRY(rows[kind].write(put));
        dv_put_end(put);
        if (put->failed || put->nodes.failed || put->constants.failed)
            return dv_fail(DV_NO_MEMORY, "out of memory");
    }
    return DV_OK;
}

/* ---- inputs, outputs, shapes between ---- */

enum { INPUT = 11, OUTPUT = 12, VALUE_INFO = 13 }; /* fields of GraphProto */

/* A state is an input, and what it becomes an output, as exporters have it for KV caches. */
static void put_borders(writer *w)
{
    const dv_graph *graph = w->graph;
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++) {
        const dv_tensor *tensor = &graph->tensors[t];
        if (tensor->role == DV_ROLE_INPUT || (tensor->role == DV_ROLE_STATE && is_read(graph, t)))
            dv_put_value_info(&w->borders, INPUT, tensor, tensor->name);
        else if (tensor->role == DV_ROLE_ACTIVATION && !tensor->is_output && !tensor->is_kept)
            dv_put_value_info(&w->borders, VALUE_INFO, tensor, tensor->name);
    }
    for (uint32_t i = 0; i < graph->output_count; i++) {
        const dv_tensor *tensor = &graph->tensors[graph->outputs[i]];
        dv_put_value_info(&w->borders, OUTPUT, tensor, tensor->name);
    }
    for (uint32_t i = 0; i < graph->state_count; i++) {
        const dv_tensor *next = &graph->tensors[graph->states[i].next];
        if (!next->is_output)
            dv_put_value_info(&w->borders, OUTPUT, next, next->name);
    }
}

/* ---- files ---- */

static dv_status put_elements(dv_file_out *file, const dv_tensor *tensor)
{
    size_t elements, bytes, width = dv_dtype_bytes(tensor->dtype);
    uint8_t block[8 * BLOCK];
    if (!dv_shape_elements(&tensor->shape, &elements) || !dv_tensor_bytes(tensor, &bytes))
        return dv_fail(DV_INTERNAL, "constant '%s' has no size", tensor->name);
    const uint8_t *raw = dv_tensor_raw(tensor);
    if (raw)
        return dv_file_out_put(file, raw, bytes);
    for (size_t first = 0; first < elements; first += BLOCK) {
        size_t count = elements - first < BLOCK ? elements - first : BLOCK;
        dv_tensor_read(tensor, first, count, block);
        DV_TRY(dv_file_out_put(file, block, count * width));
    }
    return DV_OK;
}

static void put_entry(dv_text *out, const char *key, const char *value)
{
    dv_text entry = {0};
    dv_pb_put_text(&entry, 1, key);
    dv_pb_put_text(&entry, 2, value);
    dv_pb_put_message(out, 13, &entry);
    dv_text_free(&entry);
}

static void put_number(dv_text *out, const char *key, uint64_t value)
{
    dv_text digits = {0};
    dv_text_append(&digits, "%llu", (unsigned long long)value);
    put_entry(out, key, dv_text_string(&digits));
    dv_text_free(&digits);
}

/* Appends the field of a constant, up to where its elements begin if they are inside; *inside is
   how many bytes are to follow. */
static void put_initialiser(const writer *w, dv_tensor_id t, dv_text *out, size_t *inside)
{
    const dv_tensor *tensor = &w->graph->tensors[t];
    dv_text body = {0};
    size_t bytes = 0;
    (void)dv_tensor_bytes(tensor, &bytes);
    for (uint8_t d = 0; d < tensor->shape.rank; d++)
        dv_pb_put_int(&body, 1, tensor->shape.dim[d]);
    dv_pb_put_int(&body, 2, dv_onnx_type_of(tensor->dtype));
    dv_pb_put_text(&body, 8, tensor->name);
    *inside = w->places[t] == INSIDE ? bytes : 0;
    if (w->places[t] == BESIDE) {
        put_entry(&body, "location", w->location);
        put_number(&body, "offset", w->offsets[t]);
        put_number(&body, "length", bytes);
        dv_pb_put_int(&body, 14, 1);
    } else {
        dv_pb_put_head(&body, 9, bytes);
    }
    dv_pb_put_head(out, 5, body.length + *inside);
    dv_text_append_n(out, dv_text_string(&body), body.length);
    out->failed |= body.failed;
    dv_text_free(&body);
}

static bool is_initialiser(const writer *w, dv_tensor_id t)
{
    return w->places[t] == INSIDE || w->places[t] == BESIDE;
}

static uint64_t initialiser_bytes(const writer *w)
{
    uint64_t sum = 0;
    for (dv_tensor_id t = 0; t < w->graph->tensor_count; t++) {
        dv_text head = {0};
        size_t inside;
        if (!is_initialiser(w, t))
            continue;
        put_initialiser(w, t, &head, &inside);
        sum += head.length + inside;
        dv_text_free(&head);
    }
    return sum;
}

static dv_status put_initialisers(const writer *w, dv_file_out *file)
{
    for (dv_tensor_id t = 0; t < w->graph->tensor_count; t++) {
        dv_text head = {0};
        size_t inside;
        if (!is_initialiser(w, t))
            continue;
        put_initialiser(w, t, &head, &inside);
        dv_status status = head.failed ? dv_fail(DV_NO_MEMORY, "out of memory")
                                       : dv_file_out_put(file, head.data, head.length);
        dv_text_free(&head);
        DV_TRY(status);
        if (inside > 0)
            DV_TRY(put_elements(file, &w->graph->tensors[t]));
    }
    return DV_OK;
}

/* The IR version that came with an operator set. */
static int64_t ir_version(int64_t opset)
{
    return opset < 19 ? 8 : opset < 21 ? 9 : 10;
}

static dv_status put_model(const writer *w, dv_file_out *file)
{
    const dv_onnx_put *put = &w->put;
    dv_text head = {0}, name = {0}, opset = {0}, tail = {0};
    const char *graph_name = w->graph->name && *w->graph->name ? w->graph->name : "network";
    dv_pb_put_text(&name, 2, graph_name);
    uint64_t length = name.length + put->nodes.length + put->constants.length +
                      initialiser_bytes(w) + w->borders.length;
    dv_pb_put_int(&head, 1, ir_version(put->opset));
    dv_pb_put_text(&head, 2, "divvy");
    dv_pb_put_head(&head, 7, length);
    dv_text_append_n(&head, name.data, name.length);
    dv_pb_put_text(&opset, 1, "");
    dv_pb_put_int(&opset, 2, put->opset);
    dv_pb_put_message(&tail, 8, &opset);
    dv_status status = DV_OK;
    if (head.failed || name.failed || opset.failed || tail.failed || w->borders.failed)
        status = dv_fail(DV_NO_MEMORY, "out of memory");
    const dv_text *const parts[] = {&head, &put->nodes, &put->constants, &w->borders};
    for (size_t i = 0; i < 4 && status == DV_OK; i++)
        status = dv_file_out_put(file, dv_text_string(parts[i]), parts[i]->length);
    if (status == DV_OK)
        status = put_initialisers(w, file);
    if (status == DV_OK)
        status = dv_file_out_put(file, tail.data, tail.length);
    dv_text_free(&head);
    dv_text_free(&name);
    dv_text_free(&opset);
    dv_text_free(&tail);
    return status;
}

static dv_status put_weights(const writer *w, dv_file_out *file)
{
    static const uint8_t zeros[ALIGNMENT];
    uint64_t at = 0;
    for (dv_tensor_id t = 0; t < w->graph->tensor_count; t++) {
        size_t bytes;
        if (w->places[t] != BESIDE || !dv_tensor_bytes(&w->graph->tensors[t], &bytes))
            continue;
        DV_TRY(dv_file_out_put(file, zeros, (size_t)(w->offsets[t] - at)));
        DV_TRY(put_elements(file, &w->graph->tensors[t]));
        at = w->offsets[t] + bytes;
    }
    return DV_OK;
}

static dv_status write_file(const writer *w, const char *path,
                            dv_status (*put)(const writer *, dv_file_out *))
{
    dv_file_out *file = NULL;
    DV_TRY(dv_file_out_open(path, &file));
    return dv_file_out_close(file, put(w, file));
}

static dv_status write_all(writer *w, dv_onnx_weights weights)
{
    DV_TRY(choose_places(w, weights));
    const char *beside = dv_arena_printf(w->put.arena, "%s.data", w->path);
    if (!beside)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    const char *slash = strrchr(beside, '/');
    w->location = slash ? slash + 1 : beside;
    DV_TRY(put_operators(w));
    put_borders(w);
    if (w->beside > 0) /* first, so that no model ever points to weights that are not there */
        DV_TRY(write_file(w, beside, put_weights));
    return write_file(w, w->path, put_model);
}

static dv_status start(writer *w)
{
    w->put.arena = dv_arena_create();
    if (!w->put.arena)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    w->places = dv_arena_array(w->put.arena, w->graph->tensor_count, sizeof *w->places);
    w->offsets = dv_arena_array(w->put.arena, w->graph->tensor_count, sizeof *w->offsets);
    w->put.real = dv_arena_array(w->put.arena, w->graph->tensor_count, sizeof *w->put.real);
    w->put.before = dv_arena_array(w->put.arena, w->graph->tensor_count, sizeof *w->put.before);
    if (!w->places || !w->offsets || !w->put.real || !w->put.before)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (dv_tensor_id t = 0; t < w->graph->tensor_count; t++) {
        const char *name = w->graph->tensors[t].name;
        DV_TRY(dv_names_put(&w->put.taken, (dv_span){(const uint8_t *)name, strlen(name)}, 1));
    }
    return DV_OK;
}

dv_status dv_onnx_write(const dv_graph *graph, const char *path, dv_onnx_weights weights)
{
    writer w = {.graph = graph, .path = path, .put = {.graph = graph, .opset = 18}};
    dv_status status = start(&w);
    if (status == DV_OK)
        status = write_all(&w, weights);
    dv_text_free(&w.put.nodes);
    dv_text_free(&w.put.constants);
    dv_text_free(&w.put.attributes);
    dv_text_free(&w.borders);
    dv_names_free(&w.put.taken);
    dv_names_free(&w.put.node_names);
    dv_arena_destroy(w.put.arena);
    return status;
}
