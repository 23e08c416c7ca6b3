/* graphjson.c - reads graph/1. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "load/base64.h"
#include "load/graph_params.h"
#include "load/graphjson.h"
#include "load/graphjson_data.h"
#include "load/load.h"
#include "load/names.h"
#include "load/rows.h"

static const int64_t FAR = DV_GRAPHJSON_FAR;

typedef struct reader {
    dv_graph *graph;
    dv_names ids;
    dv_arena *arena;
    const dv_load_options *options;
    uint64_t dims_used; /* of the command line's */
} reader;

static dv_span span_of(const char *text)
{
    return (dv_span){(const uint8_t *)text, strlen(text)};
}

/* ---- tensors ---- */

static dv_status read_role(const dv_json_at *at, dv_role *out)
{
    static const char *const names[] = {"activation", "input", "constant", "state"};
    const char *name;
    DV_TRY(dv_json_string(at, &name));
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (dv_role)i;
            return DV_OK;
        }
    }
    return dv_json_fail(at, "'%s' is no role; input, constant, state and activation are", name);
}

static dv_status read_tensor(reader *r, const dv_json_at *at)
{
    static const char *const keys[] = {"name", "role",      "dtype",  "shape", "values",
                                       "fill", "generated", "base64", "next",  NULL};
    DV_TRY(dv_json_object(at));
    DV_TRY(dv_json_only(at, keys));
    dv_json_at name = dv_json_member(at, "name"), role = dv_json_member(at, "role"),
               dtype = dv_json_member(at, "dtype"), shape = dv_json_member(at, "shape");
    dv_tensor tensor = {.shape = {.rank = DV_RANK_UNKNOWN}};
    dv_tensor_id id;
    DV_TRY(dv_json_string(&name, &tensor.name));
    if (!*tensor.name || dv_names_find(&r->ids, span_of(tensor.name), DV_NONE) != DV_NONE)
        return dv_json_fail(&name, *tensor.name ? "there is another tensor of this name"
                                                : "a tensor needs a name");
    if (dv_json_present(&role))
        DV_TRY(read_role(&role, &tensor.role));
    if (dv_json_present(&dtype))
        DV_TRY(dv_graphjson_dtype_or_none(&dtype, &tensor.dtype));
    if (dv_json_present(&shape))
        DV_TRY(dv_graphjson_shape(&shape, &tensor.shape));
    bool typed = dv_json_present(&dtype), shaped = dv_json_present(&shape);
    if (tensor.role != DV_ROLE_ACTIVATION && !(typed && (shaped || tensor.dtype == DV_DTYPE_NONE)))
        return dv_json_fail(at, "it needs a dtype and a shape");
    size_t bytes;
    if (dv_shape_known(&tensor.shape) && !dv_tensor_bytes(&tensor, &bytes))
        return dv_json_fail(&shape, "more elements than memory can hold");
    dv_status status = dv_graphjson_data(at, &tensor);
    if (status == DV_OK)
        status = dv_graph_add_tensor(r->graph, &tensor, &id);
    if (status == DV_OK)
        status = dv_names_put(&r->ids, span_of(tensor.name), id);
    dv_buffer_release(tensor.data.buffer);
    return status;
}

/* ---- operators ---- */

static dv_status read_choice(const dv_json_at *at, const char *const *names, int *out)
{
    const char *text;
    DV_TRY(dv_json_string(at, &text));
    for (int i = 0; names[i]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return DV_OK;
        }
    }
    return dv_json_fail(at, "'%s' is not known here; the first choice is '%s'", text, names[0]);
}

/* Lists that belong together (begin, end, step ...) share one count. */
static dv_status read_list(const dv_json_at *at, const dv_field *field, char *params, bool *counted)
{
    DV_TRY(dv_json_array(at));
    size_t count = dv_json_count(at);
    uint8_t *shared = (uint8_t *)params + field->count_offset;
    if (count > field->most)
        return dv_json_fail(at, "at most %zu numbers", field->most);
    if (*counted && *shared != count)
        return dv_json_fail(at, "%zu numbers where the lists beside it have %u", count, *shared);
    *counted = true;
    *shared = (uint8_t)count;
    size_t i = 0;
    for (dv_json_at item = dv_json_first(at); i < count; item = dv_json_next(&item), i++) {
        int64_t value;
        bool bytes = field->type == DV_FIELD_BYTES;
        DV_TRY(dv_json_integer(&item, bytes ? 0 : -FAR, bytes ? (int64_t)count - 1 : FAR, &value));
        if (bytes)
            ((uint8_t *)params)[field->offset + i] = (uint8_t)value;
        else
            memcpy(params + field->offset + i * sizeof value, &value, sizeof value);
    }
    return DV_OK;
}

static dv_status read_sizes(reader *r, const dv_json_at *at, dv_split_params *split)
{
    DV_TRY(dv_json_array(at));
    size_t count = dv_json_count(at), i = 0;
    int64_t *sizes = dv_arena_array(r->arena, count, sizeof *sizes);
    if (!sizes)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (dv_json_at item = dv_json_first(at); i < count; item = dv_json_next(&item))
        DV_TRY(dv_json_integer(&item, 0, FAR, &sizes[i++]));
    split->count = (uint32_t)count;
    split->sizes = sizes;
    return DV_OK;
}

static dv_status read_field(reader *r, const dv_json_at *at, const dv_field *field,
                            dv_op_params *params, bool *counted)
{
    char *place = (char *)params + field->offset;
    int choice = 0;
    switch (field->type) {
    case DV_FIELD_FLAG:
        return dv_json_bool(at, (bool *)place);
    case DV_FIELD_INTEGER:
        return dv_json_integer(at, -FAR, FAR, (int64_t *)(void *)place);
    case DV_FIELD_NUMBER:
        return dv_json_number_or_inf(at, (double *)(void *)place);
    case DV_FIELD_CHOICE:
        DV_TRY(read_choice(at, field->names, &choice));
        memcpy(place, &choice, sizeof choice); /* enums are ints to this compiler's ABI */
        return DV_OK;
    case DV_FIELD_DTYPE:
        return dv_graphjson_dtype(at, (dv_dtype *)(void *)place);
    case DV_FIELD_SHAPE:
        return dv_graphjson_shape(at, (dv_shape *)(void *)place);
    case DV_FIELD_LIST:
    case DV_FIELD_BYTES:
        return read_list(at, field, (char *)params, counted);
    case DV_FIELD_SIZES:
        return read_sizes(r, at, &params->split);
    }
    return DV_OK;
}

static dv_status read_params(reader *r, const dv_json_at *at, dv_op *op)
{
    enum { MOST_FIELDS = 16 };
    const char *keys[MOST_FIELDS + 1] = {0};
    bool counted = false;
    dv_params_default(op->kind, &op->params);
    if (!dv_json_present(at))
        return DV_OK;
    DV_TRY(dv_json_object(at));
    const dv_field *fields = dv_fields_of(op->kind);
    for (size_t i = 0; fields[i].name && i < MOST_FIELDS; i++)
        keys[i] = fields[i].name;
    DV_TRY(dv_json_only(at, keys));
    for (const dv_field *field = fields; field->name; field++) {
        dv_json_at value = dv_json_member(at, field->name);
        if (dv_json_present(&value))
            DV_TRY(read_field(r, &value, field, &op->params, &counted));
    }
    return DV_OK;
}

/* Names of tensors; null is one left out; a name not listed under tensors is an activation. */
static dv_status read_ids(reader *r, const dv_json_at *at, const dv_tensor_id **ids,
                          uint32_t *count)
{
    DV_TRY(dv_json_array(at));
    size_t most = dv_json_count(at), i = 0;
    dv_tensor_id *list = dv_arena_array(r->arena, most, sizeof *list);
    if (!list || most > UINT32_MAX)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (dv_json_at item = dv_json_first(at); i < most; item = dv_json_next(&item), i++) {
        list[i] = DV_NONE;
        if (!dv_json_present(&item))
            continue;
        dv_tensor tensor = {.shape = {.rank = DV_RANK_UNKNOWN}};
        DV_TRY(dv_json_string(&item, &tensor.name));
        list[i] = dv_names_find(&r->ids, span_of(tensor.name), DV_NONE);
        if (list[i] != DV_NONE)
            continue;
        DV_TRY(dv_graph_add_tensor(r->graph, &tensor, &list[i]));
        DV_TRY(dv_names_put(&r->ids, span_of(tensor.name), list[i]));
    }
    *ids = list;
    *count = (uint32_t)most;
    return DV_OK;
}

static dv_status optional_string(const dv_json_at *at, const char *key, const char *absent,
                                 const char **out)
{
    dv_json_at value = dv_json_member(at, key);
    *out = absent;
    return dv_json_present(&value) ? dv_json_string(&value, out) : DV_OK;
}

static dv_status check_inputs(const dv_json_at *at, const dv_op *op)
{
    const dv_op_info *info = dv_op_info_of(op->kind);
    for (uint32_t i = 0; i < info->least_inputs; i++)
        if (i >= op->input_count || op->inputs[i] == DV_NONE)
            return dv_json_fail(at, "%s needs %u inputs", info->name, info->least_inputs);
    /* a program's delegate may be called for its effect alone */
    return op->output_count > 0 || op->kind == DV_OP_OPAQUE
               ? DV_OK
               : dv_json_fail(at, "an operator needs an output");
}

static dv_status read_operator(reader *r, const dv_json_at *at)
{
    static const char *const keys[] = {"name",   "kind",   "inputs", "outputs", "params",
                                       "source", "handle", "reason", NULL};
    DV_TRY(dv_json_object(at));
    DV_TRY(dv_json_only(at, keys));
    dv_json_at kind = dv_json_member(at, "kind"), inputs = dv_json_member(at, "inputs"),
               outputs = dv_json_member(at, "outputs"), params = dv_json_member(at, "params"),
               handle = dv_json_member(at, "handle");
    dv_op op = {.debug_handle = r->graph->op_count};
    const char *kind_name;
    DV_TRY(dv_json_string(&kind, &kind_name));
    op.kind = dv_op_kind_of(kind_name);
    if (op.kind == DV_OP_COUNT)
        return dv_json_fail(&kind, "'%s' is no kind of operator", kind_name);
    DV_TRY(read_ids(r, &inputs, &op.inputs, &op.input_count));
    DV_TRY(read_ids(r, &outputs, &op.outputs, &op.output_count));
    DV_TRY(check_inputs(at, &op));
    DV_TRY(read_params(r, &params, &op));
    if (dv_json_present(&handle))
        DV_TRY(dv_json_integer(&handle, -FAR, FAR, &op.debug_handle));
    const char *first = op.outputs[0] == DV_NONE ? "" : r->graph->tensors[op.outputs[0]].name;
    DV_TRY(optional_string(at, "name", first, &op.name));
    DV_TRY(optional_string(at, "source", kind_name, &op.source_type));
    DV_TRY(optional_string(at, "reason", NULL, &op.reason));
    if ((op.kind == DV_OP_OPAQUE) != (op.reason != NULL))
        return dv_json_fail(at, "an opaque operator, and no other, needs a reason");
    DV_TRY(dv_rows_bind(r->options, &op, &r->dims_used));
    dv_op_id id;
    return dv_graph_add_op(r->graph, &op, &id);
}

/* What a state becomes. */
static dv_status read_next(reader *r, const dv_json_at *tensor)
{
    dv_json_at name = dv_json_member(tensor, "name"), next = dv_json_member(tensor, "next");
    const char *state, *becomes;
    if (!dv_json_present(&next))
        return DV_OK;
    DV_TRY(dv_json_string(&name, &state));
    DV_TRY(dv_json_string(&next, &becomes));
    dv_tensor_id id = dv_names_find(&r->ids, span_of(becomes), DV_NONE);
    if (id == DV_NONE)
        return dv_json_fail(&next, "there is no tensor '%s'", becomes);
    return dv_within(
        dv_graph_add_state(r->graph, dv_names_find(&r->ids, span_of(state), DV_NONE), id), "%s",
        next.file);
}

static dv_status read_graph(reader *r, const dv_json_at *root)
{
    static const char *const keys[] = {"divvy",     "name",    "about", "tensors",
                                       "operators", "outputs", NULL};
    DV_TRY(dv_json_expect_noun(root, "graph/1"));
    DV_TRY(dv_json_only(root, keys));
    dv_json_at tensors = dv_json_member(root, "tensors"),
               operators = dv_json_member(root, "operators"),
               outputs = dv_json_member(root, "outputs");
    const char *name, *about;
    DV_TRY(optional_string(root, "name", "graph", &name));
    DV_TRY(optional_string(root, "about", NULL, &about));
    r->graph = dv_graph_create(name, "graph");
    if (!r->graph)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    DV_TRY(dv_graph_set_about(r->graph, about));
    DV_TRY(dv_json_array(&tensors));
    for (dv_json_at item = dv_json_first(&tensors); item.node; item = dv_json_next(&item))
        DV_TRY(read_tensor(r, &item));
    DV_TRY(dv_json_array(&operators));
    for (dv_json_at item = dv_json_first(&operators); item.node; item = dv_json_next(&item))
        DV_TRY(read_operator(r, &item));
    const dv_tensor_id *ids;
    uint32_t count;
    DV_TRY(read_ids(r, &outputs, &ids, &count));
    if (count == 0)
        return dv_json_fail(&outputs, "a graph needs an output");
    for (uint32_t i = 0; i < count; i++) {
        if (ids[i] == DV_NONE || r->graph->tensors[ids[i]].is_output)
            return dv_json_fail(&outputs, "entry %u is null or listed twice", i);
        DV_TRY(dv_graph_add_output(r->graph, ids[i]));
    }
    for (dv_json_at item = dv_json_first(&tensors); item.node; item = dv_json_next(&item))
        DV_TRY(read_next(r, &item));
    return dv_graph_finish(r->graph);
}

static dv_status load(const char *path, dv_buffer *buffer, const dv_load_options *options,
                      dv_graph **out)
{
    const char *file = strcmp(path, "-") == 0 ? "standard input" : path;
    dv_json *json = NULL;
    reader r = {.arena = dv_arena_create(), .options = options};
    dv_status status = r.arena ? dv_json_parse(file, (const char *)dv_buffer_data(buffer),
                                               dv_buffer_size(buffer), &json)
                               : dv_fail(DV_NO_MEMORY, "out of memory");
    if (status == DV_OK) {
        dv_json_at root = dv_json_root(json, file);
        status = read_graph(&r, &root);
    }
    for (size_t i = 0; status == DV_OK && options && i < options->dim_count && i < 64; i++)
        if (!(r.dims_used & (uint64_t)1 << i))
            status = dv_fail(DV_BAD_PARAMETER,
                             "--dim %s: a graph file has no open dimensions but those of results "
                             "whose length the values decide, by the operator's name",
                             options->dims[i].name);
    if (status == DV_OK)
        *out = r.graph;
    else
        dv_graph_destroy(r.graph);
    dv_names_free(&r.ids);
    dv_arena_destroy(r.arena);
    dv_json_destroy(json);
    return status;
}

/* JSON that names its noun near the start. */
static bool recognise(const uint8_t *bytes, size_t size, const char *path)
{
    (void)path;
    static const char noun[] = "\"graph/";
    size_t near = size < 512 ? size : 512, i = 0;
    while (i < near && strchr(" \t\r\n", bytes[i]) && bytes[i])
        i++;
    return i < near && bytes[i] == '{' && memmem(bytes + i, near - i, noun, sizeof noun - 1);
}

const dv_loader dv_loader_graphjson = {
    .name = "graph",
    .summary = "graph/1 JSON",
    .extension = ".json",
    .recognise = recognise,
    .load = load,
};
