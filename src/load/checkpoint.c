/* checkpoint.c - what torch.save writes.

   A tensor is the call torch._utils._rebuild_tensor_v2((storage), offset, sizes, strides, ...),
   _v3 for types that came later; a parameter torch._utils._rebuild_parameter(tensor, ...), or
   _rebuild_parameter_with_state where something was written into its attributes. A
   storage is kept outside of the pickle: ('storage', torch.FloatStorage, key, device, elements),
   its bytes are the entry data/KEY. */
#include "load/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#include "load/names.h"
#include "load/pickle.h"

struct dv_checkpoint {
    dv_zip *zip;
    dv_arena *arena;
    const char *root; /* "archive/", in front of every entry */
    dv_names names;   /* to places in pairs */
    dv_pickle *const *pairs;
};

static dv_span span_of(const char *text)
{
    return (dv_span){(const uint8_t *)text, strlen(text)};
}

/* ---- opening ---- */

static dv_status find_pickle(dv_checkpoint *c, int64_t *entry)
{
    static const char tail[] = "data.pkl";
    const char *name;
    for (*entry = 0; (name = dv_zip_name(c->zip, *entry)); ++*entry) {
        size_t length = strlen(name), end = sizeof tail - 1;
        bool rooted = length == end || (length > end && name[length - end - 1] == '/');
        if (!rooted || strcmp(name + length - end, tail) != 0)
            continue;
        c->root = dv_arena_copy_n(c->arena, name, length - end);
        return c->root ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory");
    }
    return dv_fail(DV_BAD_INPUT, "it is no checkpoint of torch.save: it has no data.pkl");
}

static dv_status check_byte_order(dv_checkpoint *c)
{
    const char *path = dv_arena_printf(c->arena, "%sbyteorder", c->root);
    dv_bytes bytes;
    if (!path)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    int64_t entry = dv_zip_find(c->zip, path);
    if (entry == DV_ZIP_MISSING)
        return DV_OK;
    DV_TRY(dv_zip_entry(c->zip, entry, &bytes));
    bool little =
        bytes.size >= 6 && memcmp(dv_buffer_data(bytes.buffer) + bytes.offset, "little", 6) == 0;
    dv_buffer_release(bytes.buffer);
    return little ? DV_OK : dv_fail(DV_BAD_INPUT, "its data is not little-endian");
}

static dv_status index_names(dv_checkpoint *c, const dv_pickle *all)
{
    uint32_t count;
    c->pairs = dv_pickle_pairs(all, &count);
    if (!c->pairs)
        return dv_fail(DV_BAD_INPUT, "it holds no dictionary of tensors");
    for (uint32_t i = 0; i < count; i += 2)
        if (c->pairs[i]->kind == DV_PICKLE_TEXT)
            DV_TRY(dv_names_put(&c->names, span_of(c->pairs[i]->text), i));
    return DV_OK;
}

static dv_status open_pickle(dv_checkpoint *c)
{
    int64_t entry;
    dv_bytes bytes;
    const dv_pickle *all = NULL;
    DV_TRY(find_pickle(c, &entry));
    DV_TRY(check_byte_order(c));
    DV_TRY(dv_zip_entry(c->zip, entry, &bytes));
    dv_status status =
        dv_pickle_read(c->arena, dv_buffer_data(bytes.buffer) + bytes.offset, bytes.size, &all);
    dv_buffer_release(bytes.buffer);
    return status == DV_OK ? index_names(c, all) : status;
}

dv_status dv_checkpoint_open(const dv_bytes *bytes, dv_checkpoint **out)
{
    dv_checkpoint *c = calloc(1, sizeof *c);
    *out = c;
    if (!c || !(c->arena = dv_arena_create())) {
        free(c);
        *out = NULL;
        return dv_fail(DV_NO_MEMORY, "out of memory");
    }
    dv_status status = dv_zip_open_part(bytes, &c->zip);
    if (status == DV_OK)
        status = open_pickle(c);
    if (status != DV_OK) {
        dv_checkpoint_close(c);
        *out = NULL;
    }
    return status;
}

void dv_checkpoint_close(dv_checkpoint *c)
{
    if (!c)
        return;
    dv_zip_close(c->zip);
    dv_names_free(&c->names);
    dv_arena_destroy(c->arena);
    free(c);
}

bool dv_checkpoint_has(const dv_checkpoint *c, const char *name)
{
    return dv_names_find(&c->names, span_of(name), DV_NONE) != DV_NONE;
}

/* ---- one tensor ---- */

static const struct {
    const char *storage, *dtype;
    dv_dtype is;
} types[] = {
    {"torch.FloatStorage", "torch.float32", DV_DTYPE_F32},
    {"torch.DoubleStorage", "torch.float64", DV_DTYPE_F64},
    {"torch.HalfStorage", "torch.float16", DV_DTYPE_F16},
    {"torch.BFloat16Storage", "torch.bfloat16", DV_DTYPE_BF16},
    {"torch.LongStorage", "torch.int64", DV_DTYPE_I64},
    {"torch.IntStorage", "torch.int32", DV_DTYPE_I32},
    {"torch.ShortStorage", "torch.int16", DV_DTYPE_I16},
    {"torch.CharStorage", "torch.int8", DV_DTYPE_I8},
    {"torch.ByteStorage", "torch.uint8", DV_DTYPE_U8},
    {"torch.BoolStorage", "torch.bool", DV_DTYPE_BOOL},
    {"", "torch.uint16", DV_DTYPE_U16},
    {"", "torch.uint32", DV_DTYPE_U32},
    {"", "torch.uint64", DV_DTYPE_U64},
};

/* Of a storage's class or of a dtype, by their names. */
static dv_dtype type_of(const dv_pickle *named)
{
    for (size_t i = 0; named->kind == DV_PICKLE_GLOBAL && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(named->text, types[i].storage) == 0 || strcmp(named->text, types[i].dtype) == 0)
            return types[i].is;
    return DV_DTYPE_NONE;
}

static const char *name_of(const dv_pickle *value)
{
    if (value->kind == DV_PICKLE_CALL && value->items[0]->kind == DV_PICKLE_GLOBAL)
        return value->items[0]->text;
    return value->kind == DV_PICKLE_GLOBAL ? value->text : "no tensor";
}

static dv_status read_sizes(const dv_pickle *list, int64_t *out, uint8_t *count)
{
    if (list->kind != DV_PICKLE_LIST || list->count > DV_MAX_RANK)
        return dv_fail(DV_BAD_INPUT, "it has no sizes, or more than %d", DV_MAX_RANK);
    for (*count = 0; *count < list->count; ++*count) {
        const dv_pickle *size = list->items[*count];
        if (size->kind != DV_PICKLE_INT || size->integer < 0)
            return dv_fail(DV_BAD_INPUT, "a size or stride is no whole number from 0 on");
        out[*count] = size->integer;
    }
    return DV_OK;
}

static dv_status read_storage(dv_checkpoint *c, const dv_pickle *outside, dv_strided *how,
                              dv_bytes *storage)
{
    const dv_pickle *is = outside->kind == DV_PICKLE_OUTSIDE ? outside->items[0] : NULL;
    if (!is || is->kind != DV_PICKLE_LIST || is->count < 3 || is->items[2]->kind != DV_PICKLE_TEXT)
        return dv_fail(DV_BAD_INPUT, "its storage is not described as torch does");
    if (how->dtype == DV_DTYPE_NONE)
        how->dtype = type_of(is->items[1]);
    if (how->dtype == DV_DTYPE_NONE)
        return dv_fail(DV_BAD_INPUT, "its element type is not supported (%.80s)",
                       name_of(is->items[1]));
    const char *path = dv_arena_printf(c->arena, "%sdata/%s", c->root, is->items[2]->text);
    if (!path)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    int64_t entry = dv_zip_find(c->zip, path);
    if (entry == DV_ZIP_MISSING)
        return DV_OK; /* a storage of no bytes has no entry */
    return dv_within(dv_zip_entry(c->zip, entry, storage), "entry '%.120s'", path);
}

dv_status dv_checkpoint_tensor(dv_checkpoint *c, const char *name, dv_strided *how,
                               dv_bytes *storage)
{
    *how = (dv_strided){0};
    *storage = (dv_bytes){0};
    uint32_t place = dv_names_find(&c->names, span_of(name), DV_NONE);
    if (place == DV_NONE)
        return dv_fail(DV_BAD_INPUT, "the checkpoint does not have it");
    const dv_pickle *value = c->pairs[place + 1], *args;
    args = dv_pickle_call(value, "torch._utils._rebuild_parameter");
    if (!args)
        args = dv_pickle_call(value, "torch._utils._rebuild_parameter_with_state");
    if (args && args->count > 0)
        value = args->items[0];
    bool typed = !(args = dv_pickle_call(value, "torch._utils._rebuild_tensor_v2"));
    if (typed)
        args = dv_pickle_call(value, "torch._utils._rebuild_tensor_v3");
    if (!args || args->count < (typed ? 7u : 4u))
        return dv_fail(DV_BAD_INPUT,
                       "it is pickled as %.80s; only plain tensors are read, and nothing of "
                       "Python's is run",
                       name_of(value));
    uint8_t strides;
    if (typed)
        how->dtype = type_of(args->items[6]);
    DV_TRY(read_sizes(args->items[2], how->shape.dim, &how->shape.rank));
    DV_TRY(read_sizes(args->items[3], how->strides, &strides));
    if (strides != how->shape.rank || args->items[1]->kind != DV_PICKLE_INT ||
        args->items[1]->integer < 0)
        return dv_fail(DV_BAD_INPUT, "its sizes, strides and offset do not fit");
    how->offset = args->items[1]->integer;
    return read_storage(c, args->items[0], how, storage);
}
