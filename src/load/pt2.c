/* pt2.c - a torch.export archive becomes a graph, its operators named as torch.export names them.

   Two layouts are known: a plain zip with serialized_exported_program.json (torch up to 2.7), and
   the archive of torch 2.8 and later with models/NAME.json; doc/formats.md describes both. */
#include <stdlib.h>
#include <string.h>

#include "load/pt2_build.h"

enum { SCHEMA_MAJOR = 8, SHOWN = 120 };

static const char legacy_record[] = "serialized_exported_program.json";

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "out of memory");
}

/* ---- the container ---- */

static bool ends_with(const char *text, const char *tail)
{
    size_t length = strlen(text), end = strlen(tail);
    return length >= end && strcmp(text + length - end, tail) == 0;
}

/* An archive of torch's that holds no exported program. */
static dv_status refuse_container(const dv_pt2 *b)
{
    bool script = false, checkpoint = false, compiled = false;
    const char *name;
    for (int64_t i = 0; (name = dv_zip_name(b->zip, i)); i++) {
        script |= ends_with(name, "/constants.pkl") || strstr(name, "/code/");
        checkpoint |= ends_with(name, "/data.pkl");
        compiled |= strstr(name, "data/aotinductor/") != NULL;
    }
    if (script)
        return dv_fail(DV_BAD_INPUT, "a TorchScript archive, which holds code and no graph; save "
                                     "the model with torch.export.export and torch.export.save");
    if (checkpoint)
        return dv_fail(DV_BAD_INPUT, "a checkpoint of torch.save, which holds weights and no "
                                     "graph; save the model with torch.export.save");
    if (compiled)
        return dv_fail(DV_BAD_INPUT, "an archive of AOTInductor's compiled code without the graph "
                                     "it was made from; save that with torch.export.save");
    return dv_fail(DV_BAD_INPUT,
                   "a zip archive without an exported program (models/NAME.json or "
                   "%s)",
                   legacy_record);
}

/* The NAME in "models/NAME.json" or "root/models/NAME.json", and where it begins; NULL if the entry
   is none. */
static const char *model_of(const char *entry, size_t *root, size_t *length)
{
    static const char folder[] = "models/", tail[] = ".json";
    const char *slash = strchr(entry, '/'), *base = entry;
    if (slash && strncmp(slash + 1, folder, sizeof folder - 1) == 0)
        base = slash + 1; /* also where the root itself is called "models" */
    if (strncmp(base, folder, sizeof folder - 1) != 0 || !ends_with(base, tail) ||
        strlen(base) <= sizeof folder + sizeof tail - 2 || strchr(base + sizeof folder - 1, '/'))
        return NULL;
    *root = (size_t)(base - entry);
    *length = strlen(base) - (sizeof folder - 1) - (sizeof tail - 1);
    return base + sizeof folder - 1;
}

/* How much a model is wanted: the one asked for, else "forward" or "model", else any. */
static int rank_of(const dv_pt2 *b, const char *name, size_t length)
{
    static const char *const usual[] = {"forward", "model"};
    const char *wanted = b->options ? b->options->method : NULL;
    if (wanted)
        return strlen(wanted) == length && strncmp(wanted, name, length) == 0 ? 2 : 0;
    for (size_t i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (strlen(usual[i]) == length && strncmp(usual[i], name, length) == 0)
            return 2;
    return 1;
}

static dv_status no_such_model(const dv_pt2 *b, const char *names)
{
    const char *wanted = b->options ? b->options->method : NULL;
    if (!wanted)
        return refuse_container(b);
    return *names ? dv_fail(DV_BAD_PARAMETER, "it has no model '%.120s'; there are %.300s", wanted,
                            names)
                  : dv_fail(DV_BAD_PARAMETER, "it has no model '%.120s'; its only one has no name",
                            wanted);
}

/* Finds models/NAME.json; sets root ("archive/") and model ("NAME"). others lists the models that
   were not taken. */
static dv_status find_record(dv_pt2 *b, int64_t *entry, dv_text *others)
{
    int64_t legacy = dv_zip_find(b->zip, legacy_record);
    int best = 0;
    const char *name, *model;
    size_t root, length;
    *entry = DV_ZIP_MISSING;
    for (int64_t i = 0; (name = dv_zip_name(b->zip, i)); i++) {
        model = model_of(name, &root, &length);
        if (!model)
            continue;
        int rank = rank_of(b, model, length);
        if (rank <= best) {
            dv_text_append(others, "%s%.*s", others->length ? ", " : "", (int)length, model);
            continue;
        }
        if (best)
            dv_text_append(others, "%s%s", others->length ? ", " : "", b->model);
        best = rank;
        *entry = i;
        b->root = dv_arena_copy_n(b->arena, name, root);
        b->model = dv_arena_copy_n(b->arena, model, length);
        if (!b->root || !b->model)
            return no_memory();
    }
    if (others->failed)
        return no_memory();
    bool asked = b->options && b->options->method;
    if (*entry == DV_ZIP_MISSING && legacy != DV_ZIP_MISSING &&
        (!asked || strcmp(b->options->method, "forward") == 0))
        *entry = legacy;
    return *entry == DV_ZIP_MISSING ? no_such_model(b, dv_text_string(others)) : DV_OK;
}

/* All data of ours is little-endian, as all of torch's machines are. */
static dv_status check_byte_order(const dv_pt2 *b)
{
    const char *path = dv_arena_printf(b->arena, "%sbyteorder", b->root);
    if (!path)
        return no_memory();
    int64_t i = dv_zip_find(b->zip, path);
    dv_bytes bytes;
    if (i == DV_ZIP_MISSING)
        return DV_OK;
    DV_TRY(dv_within(dv_zip_entry(b->zip, i, &bytes), "entry 'byteorder'"));
    bool little =
        bytes.size >= 6 && memcmp(dv_buffer_data(bytes.buffer) + bytes.offset, "little", 6) == 0;
    dv_buffer_release(bytes.buffer);
    return little ? DV_OK : dv_fail(DV_BAD_INPUT, "its data is not little-endian");
}

static dv_status open_document(dv_pt2 *b, dv_text *others)
{
    int64_t entry;
    dv_bytes bytes;
    DV_TRY(find_record(b, &entry, others));
    DV_TRY(check_byte_order(b));
    const char *name = dv_arena_copy(b->arena, dv_zip_name(b->zip, entry));
    if (!name)
        return no_memory();
    DV_TRY(dv_within(dv_zip_entry(b->zip, entry, &bytes), "entry '%.*s'", SHOWN, name));
    const char *text = (const char *)dv_buffer_data(bytes.buffer) + bytes.offset;
    dv_status status = dv_json_parse(name, text, bytes.size, &b->document);
    dv_buffer_release(bytes.buffer);
    return status;
}

static dv_status check_version(const dv_json_at *program, int64_t *minor)
{
    dv_json_at version = dv_json_member(program, "schema_version");
    dv_json_at major = dv_json_member(&version, "major"), less = dv_json_member(&version, "minor");
    int64_t number;
    DV_TRY(dv_json_integer(&major, 0, INT32_MAX, &number));
    DV_TRY(dv_json_integer(&less, 0, INT32_MAX, minor));
    if (number != SCHEMA_MAJOR)
        return dv_fail(DV_BAD_INPUT,
                       "an exported program of schema %lld.%lld; %d.x is read. Load "
                       "and save it with a newer torch",
                       (long long)number, (long long)*minor, SCHEMA_MAJOR);
    return DV_OK;
}

/* ---- inputs ---- */

static dv_status add_input(dv_pt2 *b, const dv_json_at *spec)
{
    dv_json_at arg = dv_json_member(spec, "arg"), tensor = dv_json_member(&arg, "as_tensor");
    dv_json_at name = dv_json_member(&tensor, "name");
    const char *text;
    uint32_t index;
    if (!dv_json_present(&name))
        return DV_OK; /* a number, or None: the export has fixed it */
    DV_TRY(dv_json_string(&name, &text));
    DV_TRY(dv_pt2_value_of(b, text, &index));
    dv_pt2_value *value = &b->values[index];
    if (value->id != DV_NONE || value->weight)
        return dv_fail(DV_BAD_INPUT, "input '%.*s' is listed twice", SHOWN, text);
    dv_tensor input = {.name = value->name,
                       .role = DV_ROLE_INPUT,
                       .dtype = value->dtype,
                       .shape = value->shape,
                       .is_complex = value->is_complex};
    if (value->dtype == DV_DTYPE_NONE || !dv_shape_known(&value->shape))
        return dv_fail(DV_BAD_INPUT,
                       "input '%.*s' has an element type or rank that is not "
                       "supported",
                       SHOWN, text);
    return dv_graph_add_tensor(b->graph, &input, &value->id);
}

static dv_status add_weight_name(dv_pt2 *b, const dv_json_at *spec, const char *key, bool constant)
{
    dv_json_at arg = dv_json_member(spec, "arg"), name = dv_json_member(&arg, "name");
    dv_json_at weight = dv_json_member(spec, key);
    const char *text;
    uint32_t index;
    DV_TRY(dv_json_string(&name, &text));
    DV_TRY(dv_pt2_value_of(b, text, &index));
    if (b->values[index].id != DV_NONE || b->values[index].weight)
        return dv_fail(DV_BAD_INPUT, "input '%.*s' is listed twice", SHOWN, text);
    b->values[index].is_constant = constant;
    return dv_json_string(&weight, &b->values[index].weight);
}

static dv_status add_inputs(dv_pt2 *b, const dv_json_at *signature)
{
    dv_json_at specs = dv_json_member(signature, "input_specs");
    DV_TRY(dv_json_array(&specs));
    for (dv_json_at spec = dv_json_first(&specs); spec.node; spec = dv_json_next(&spec)) {
        dv_json_at inner;
        DV_TRY(dv_pt2_kind(&spec, &inner));
        if (strcmp(inner.key, "user_input") == 0)
            DV_TRY(add_input(b, &inner));
        else if (strcmp(inner.key, "parameter") == 0)
            DV_TRY(add_weight_name(b, &inner, "parameter_name", false));
        else if (strcmp(inner.key, "buffer") == 0)
            DV_TRY(add_weight_name(b, &inner, "buffer_name", false));
        else if (strcmp(inner.key, "tensor_constant") == 0)
            DV_TRY(add_weight_name(b, &inner, "tensor_constant_name", true));
    }
    return DV_OK;
}

/* ---- outputs ---- */

/* A tensor that an operator makes and that nothing else claims: id itself, or a copy. */
static dv_status own_tensor(dv_pt2 *b, uint32_t index, const char *name, dv_tensor_id *id)
{
    const dv_tensor *made = &b->graph->tensors[*id];
    if (made->role == DV_ROLE_ACTIVATION && !made->is_output && !made->is_kept)
        return DV_OK;
    dv_tensor_id from = *id;
    dv_op_id op_id;
    DV_TRY(dv_pt2_add_output(b, index, id));
    dv_op op = {.kind = DV_OP_IDENTITY,
                .name = name,
                .source_type = "output",
                .input_count = 1,
                .inputs = &from,
                .output_count = 1,
                .outputs = id,
                .debug_handle = -1};
    return dv_graph_add_op(b->graph, &op, &op_id);
}

static dv_status add_output(dv_pt2 *b, const dv_json_at *name)
{
    const char *text;
    uint32_t index;
    dv_tensor_id id;
    DV_TRY(dv_json_string(name, &text));
    DV_TRY(dv_pt2_value_of(b, text, &index));
    DV_TRY(dv_pt2_read(b, index, &id));
    DV_TRY(own_tensor(b, index, text, &id));
    return dv_graph_add_output(b->graph, id);
}

/* What a buffer holds after the inference: {"arg": {"name"}, "buffer_name"}. */
static dv_status add_mutation(dv_pt2 *b, const dv_json_at *spec, const char *key)
{
    dv_json_at arg = dv_json_member(spec, "arg"), name = dv_json_member(&arg, "name");
    dv_json_at weight = dv_json_member(spec, key);
    const char *text, *called;
    uint32_t made;
    dv_tensor_id id;
    DV_TRY(dv_json_string(&name, &text));
    DV_TRY(dv_json_string(&weight, &called));
    DV_TRY(dv_pt2_value_of(b, text, &made));
    DV_TRY(dv_pt2_read(b, made, &id));
    for (uint32_t v = 0; v < b->value_count; v++) {
        dv_tensor_id first;
        if (!b->values[v].weight || strcmp(b->values[v].weight, called) != 0)
            continue;
        DV_TRY(dv_pt2_read(b, v, &first));
        b->values[v].state = first;
        b->values[v].id = id;
        return DV_OK;
    }
    return dv_fail(DV_BAD_INPUT, "the buffer '%.*s' that is written to is not listed", SHOWN,
                   called);
}

static dv_status add_outputs(dv_pt2 *b, const dv_json_at *signature)
{
    dv_json_at specs = dv_json_member(signature, "output_specs");
    DV_TRY(dv_json_array(&specs));
    for (dv_json_at spec = dv_json_first(&specs); spec.node; spec = dv_json_next(&spec)) {
        dv_json_at inner;
        DV_TRY(dv_pt2_kind(&spec, &inner));
        dv_json_at arg = dv_json_member(&inner, "arg"), tensor = dv_json_member(&arg, "as_tensor");
        dv_json_at name = dv_json_member(&tensor, "name"), plain = dv_json_member(&arg, "name");
        if (strcmp(inner.key, "user_output") == 0 && dv_json_present(&name))
            DV_TRY(add_output(b, &name));
        else if (strcmp(inner.key, "buffer_mutation") == 0)
            DV_TRY(add_mutation(b, &inner, "buffer_name"));
        else if (strcmp(inner.key, "user_input_mutation") == 0)
            DV_TRY(add_output(b, &plain)); /* the caller finds it in what he gave */
    }
    return DV_OK;
}

/* Buffers that were written to keep their new content for the next inference. */
static dv_status add_states(dv_pt2 *b)
{
    for (uint32_t v = 0; v < b->value_count; v++) {
        dv_tensor_id state = b->values[v].state, next = b->values[v].id;
        if (state == DV_NONE || next == state)
            continue;
        DV_TRY(own_tensor(b, v, b->values[v].name, &next));
        dv_graph_tensor_mutable(b->graph, state)->role = DV_ROLE_STATE;
        DV_TRY(dv_within(dv_graph_add_state(b->graph, state, next), "buffer '%.*s'", SHOWN,
                         b->values[v].weight));
    }
    return DV_OK;
}

/* ---- the file ---- */

static dv_status describe(dv_pt2 *b, const dv_json_at *program, int64_t minor,
                          const dv_text *others)
{
    dv_json_at version = dv_json_member(program, "torch_version");
    const char *torch = "";
    dv_text about = {0};
    if (dv_json_is_string(&version))
        DV_TRY(dv_json_string(&version, &torch));
    dv_text_append(&about, "torch %.40s, schema %d.%lld", torch, SCHEMA_MAJOR, (long long)minor);
    for (size_t i = 0; i < b->symbols.count && i < 8; i++) {
        const dv_pt2_symbol *s = &b->symbols.items[i];
        if (s->known)
            dv_text_append(&about, "; %.40s = %lld", s->name, (long long)s->value);
    }
    if (others->length)
        dv_text_append(&about, "; model '%.60s', --method has also %.200s", b->model,
                       dv_text_string(others));
    if (b->has_stand_ins)
        dv_text_append(&about, "; the archive holds no weights: other numbers stand in");
    dv_status status =
        about.failed ? no_memory() : dv_graph_set_about(b->graph, dv_text_string(&about));
    dv_text_free(&about);
    return status;
}

static dv_status build(dv_pt2 *b, dv_pt2_scope *scope, dv_text *others)
{
    int64_t minor;
    b->root = "";
    b->model = "model";
    DV_TRY(open_document(b, others));
    dv_json_at program = dv_json_root(b->document, "exported program");
    dv_json_at module = dv_json_member(&program, "graph_module");
    dv_json_at signature = dv_json_member(&module, "signature");
    DV_TRY(check_version(&program, &minor));
    DV_TRY(dv_pt2_open_lists(b));
    DV_TRY(dv_pt2_bind(b, &program));
    scope->graph = dv_json_member(&module, "graph");
    scope->graph.parent = NULL;
    b->graph = dv_graph_create(b->model, "pt2");
    if (!b->graph)
        return no_memory();
    DV_TRY(dv_pt2_open_scope(b, scope));
    DV_TRY(add_inputs(b, &signature));
    DV_TRY(dv_pt2_add_nodes(b));
    DV_TRY(add_outputs(b, &signature));
    DV_TRY(add_states(b));
    DV_TRY(describe(b, &program, minor, others));
    return dv_graph_finish(b->graph);
}

static dv_status load(const char *path, dv_buffer *buffer, const dv_load_options *options,
                      dv_graph **out)
{
    (void)path;
    dv_pt2_scope scope = {0};
    dv_text others = {0};
    dv_pt2 b = {.buffer = buffer, .options = options, .scope = &scope, .arena = dv_arena_create()};
    dv_status status = b.arena ? dv_zip_open(buffer, &b.zip) : no_memory();
    if (status == DV_OK)
        status = build(&b, &scope, &others);
    dv_text_free(&others);
    if (status == DV_OK)
        *out = b.graph;
    else
        dv_graph_destroy(b.graph);
    dv_pt2_close_lists(&b);
    dv_json_destroy(b.document);
    dv_zip_close(b.zip);
    dv_names_free(&scope.names);
    dv_names_free(&b.node_names);
    dv_pt2_symbols_free(&b.symbols);
    dv_known_free(&b.known);
    free(b.values);
    dv_arena_destroy(b.arena);
    return status;
}

static bool recognise(const uint8_t *bytes, size_t size, const char *path)
{
    (void)path;
    return dv_zip_recognise(bytes, size);
}

const dv_loader dv_loader_pt2 = {
    .name = "pt2",
    .summary = "torch.export archives",
    .extension = ".pt2",
    .recognise = recognise,
    .load = load,
};
