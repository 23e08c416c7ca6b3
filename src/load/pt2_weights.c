/* pt2_weights.c - the weights and constants of a torch.export archive.

   Each list (data/weights/model_weights_config.json) says of every name in which entry its storage
   is, and how the tensor lies in it. Storages are raw bytes, and stay in the mapped file where the
   tensor is contiguous. Archives of torch 2.8 and older have a checkpoint of torch.save instead; of
   its pickle only names and layouts of plain tensors are read. Where an archive was stripped of its
   weights, stand-ins take their place, so that the network can still be placed. */
#include <stdlib.h>
#include <string.h>

#include "load/pt2_build.h"

/* ---- lists ---- */

static dv_status index_list(dv_pt2 *b, dv_pt2_list *list, const char *file)
{
    dv_json_at root = dv_json_root(list->document, file), config = dv_json_member(&root, "config");
    DV_TRY(dv_json_object(&config));
    uint32_t count = 0;
    list->items = dv_arena_array(b->arena, dv_json_count(&config) + 1, sizeof *list->items);
    if (!list->items)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (dv_json_at item = dv_json_first(&config); item.node; item = dv_json_next(&item)) {
        dv_span name = {(const uint8_t *)item.key, strlen(item.key)};
        DV_TRY(dv_json_object(&item));
        list->items[count] = item.node;
        DV_TRY(dv_names_put(&list->entries, name, count++));
    }
    return DV_OK;
}

/* What torch.save made of the list: data/weights/model.pt of torch 2.8, `old` of those before. */
static dv_status open_checkpoint(dv_pt2 *b, dv_pt2_list *list, const char *old)
{
    const char *path = dv_arena_printf(b->arena, "%s%s%s.pt", b->root, list->folder, b->model);
    dv_bytes bytes;
    if (!path)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    int64_t entry = dv_zip_find(b->zip, path);
    if (entry == DV_ZIP_MISSING) {
        path = old;
        entry = dv_zip_find(b->zip, old);
    }
    if (entry == DV_ZIP_MISSING)
        return DV_OK;
    b->has_lists = true;
    dv_status status = dv_zip_entry(b->zip, entry, &bytes);
    if (status == DV_OK) {
        status = dv_checkpoint_open(&bytes, &list->checkpoint);
        dv_buffer_release(bytes.buffer);
    }
    return dv_within(status, "entry '%.120s'", path);
}

static dv_status open_list(dv_pt2 *b, dv_pt2_list *list, const char *folder, const char *what,
                           const char *old)
{
    const char *path =
        dv_arena_printf(b->arena, "%s%s%s_%s_config.json", b->root, folder, b->model, what);
    list->folder = folder;
    if (!path)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    int64_t entry = dv_zip_find(b->zip, path);
    if (entry == DV_ZIP_MISSING)
        return open_checkpoint(b, list, old);
    b->has_lists = true;
    dv_bytes bytes;
    DV_TRY(dv_within(dv_zip_entry(b->zip, entry, &bytes), "entry '%.120s'", path));
    const char *text = (const char *)dv_buffer_data(bytes.buffer) + bytes.offset;
    dv_status status = dv_json_parse(path, text, bytes.size, &list->document);
    dv_buffer_release(bytes.buffer);
    return status == DV_OK ? index_list(b, list, path) : status;
}

dv_status dv_pt2_open_lists(dv_pt2 *b)
{
    DV_TRY(open_list(b, &b->weights, "data/weights/", "weights", "serialized_state_dict.pt"));
    return open_list(b, &b->constants, "data/constants/", "constants", "serialized_constants.pt");
}

void dv_pt2_close_lists(dv_pt2 *b)
{
    dv_json_destroy(b->weights.document);
    dv_json_destroy(b->constants.document);
    dv_names_free(&b->weights.entries);
    dv_names_free(&b->constants.entries);
    dv_checkpoint_close(b->weights.checkpoint);
    dv_checkpoint_close(b->constants.checkpoint);
}

static bool has(const dv_pt2_list *list, const char *name)
{
    dv_span span = {(const uint8_t *)name, strlen(name)};
    return list->checkpoint ? dv_checkpoint_has(list->checkpoint, name)
                            : dv_names_find(&list->entries, span, DV_NONE) != DV_NONE;
}

/* ---- one tensor ---- */

/* Complex numbers as pairs of their parts. */
static bool by_parts(dv_strided *layout)
{
    enum { MOST = INT32_MAX };
    bool ok = layout->offset <= MOST;
    for (uint8_t d = 0; d < layout->shape.rank; d++) {
        ok &= layout->strides[d] <= MOST;
        layout->strides[d] *= ok ? 2 : 1;
    }
    layout->offset *= ok ? 2 : 1;
    layout->strides[layout->shape.rank] = 1;
    return ok && dv_aten_complex_shape(&layout->shape);
}

static dv_status read_layout(dv_pt2 *b, const dv_json_at *meta, dv_strided *out)
{
    dv_json_at dtype = dv_json_member(meta, "dtype"), sizes = dv_json_member(meta, "sizes");
    dv_json_at strides = dv_json_member(meta, "strides");
    dv_json_at offset = dv_json_member(meta, "storage_offset");
    dv_dtype part = dv_aten_complex_part(dv_pt2_scalar_type(&dtype));
    *out = (dv_strided){.dtype = part != DV_DTYPE_NONE ? part : dv_pt2_dtype(&dtype)};
    size_t rank = dv_json_count(&sizes), most = DV_MAX_RANK - (part != DV_DTYPE_NONE);
    if (!dv_json_is_array(&sizes) || rank > most || dv_json_count(&strides) != rank)
        return dv_fail(DV_BAD_INPUT, "its sizes and strides are not lists of one length");
    if (out->dtype == DV_DTYPE_NONE)
        return dv_fail(DV_BAD_INPUT, "its element type is not supported");
    dv_json_at size = dv_json_first(&sizes), stride = dv_json_first(&strides);
    for (size_t d = 0; d < rank; d++) {
        DV_TRY(dv_pt2_size(b, &size, &out->shape.dim[d]));
        DV_TRY(dv_pt2_size(b, &stride, &out->strides[d]));
        if (out->shape.dim[d] < 0 || out->strides[d] < 0)
            return dv_fail(DV_BAD_INPUT, "a size or stride is negative");
        size = dv_json_next(&size);
        stride = dv_json_next(&stride);
    }
    out->shape.rank = (uint8_t)rank;
    DV_TRY(dv_pt2_size(b, &offset, &out->offset));
    if (out->offset < 0)
        return dv_fail(DV_BAD_INPUT, "its offset is negative");
    return part == DV_DTYPE_NONE || by_parts(out)
               ? DV_OK
               : dv_fail(DV_BAD_INPUT, "a stride or its offset is too large");
}

static bool is_contiguous(const dv_strided *at)
{
    int64_t expected = 1;
    for (uint8_t d = at->shape.rank; d-- > 0;) {
        if (at->shape.dim[d] != 1 && at->strides[d] != expected)
            return false;
        expected *= at->shape.dim[d];
    }
    return true;
}

/* How many elements of the storage the tensor reaches over; false if more than size bytes. */
static bool fits(const dv_strided *at, size_t size)
{
    size_t last = (size_t)at->offset, elements, step, bytes;
    if (!dv_shape_elements(&at->shape, &elements))
        return false;
    if (elements == 0)
        return true;
    for (uint8_t d = 0; d < at->shape.rank; d++)
        if (!dv_mul_size((size_t)at->shape.dim[d] - 1, (size_t)at->strides[d], &step) ||
            !dv_add_size(last, step, &last))
            return false;
    return dv_add_size(last, 1, &last) && dv_mul_size(last, dv_dtype_bytes(at->dtype), &bytes) &&
           bytes <= size;
}

/* The elements in row-major order. */
static void gather(const dv_strided *at, const uint8_t *storage, uint8_t *out)
{
    size_t width = dv_dtype_bytes(at->dtype), elements = 1;
    int64_t index[DV_MAX_RANK] = {0}, from = at->offset;
    for (uint8_t d = 0; d < at->shape.rank; d++)
        elements *= (size_t)at->shape.dim[d];
    for (size_t i = 0; i < elements; i++) {
        memcpy(out + i * width, storage + (size_t)from * width, width);
        for (uint8_t d = at->shape.rank; d-- > 0;) {
            from += at->strides[d];
            if (++index[d] < at->shape.dim[d])
                break;
            from -= at->strides[d] * at->shape.dim[d];
            index[d] = 0;
        }
    }
}

enum { COPY_FREE = 1 << 24, COPY_RATIO = 16 };

/* A tensor that is not contiguous (a transposed parameter) is copied. */
static dv_status copy_out(dv_pt2 *b, const dv_strided *at, const dv_bytes *bytes, dv_tensor *tensor)
{
    size_t size, justified = COPY_FREE + COPY_RATIO * dv_buffer_size(b->buffer);
    if (!dv_tensor_bytes(tensor, &size) || size > justified || b->made_bytes > justified - size)
        return dv_fail(DV_BAD_INPUT, "it would take far more memory than the archive holds");
    dv_buffer *copy = dv_buffer_create(size);
    if (!copy)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    gather(at, dv_buffer_data(bytes->buffer) + bytes->offset, dv_buffer_writable(copy));
    b->made_bytes += size;
    tensor->data = (dv_data){.storage = DV_STORAGE_BUFFER, .buffer = copy};
    return DV_OK;
}

static dv_status place(dv_pt2 *b, const dv_strided *at, const dv_bytes *bytes, dv_tensor *tensor)
{
    size_t elements;
    tensor->dtype = at->dtype;
    tensor->shape = at->shape;
    if (!fits(at, bytes->size))
        return dv_fail(DV_BAD_INPUT, "it reaches beyond its storage of %zu bytes", bytes->size);
    if (dv_shape_elements(&at->shape, &elements) && elements == 0) {
        tensor->data = (dv_data){.storage = DV_STORAGE_FILL};
        return DV_OK;
    }
    if (!is_contiguous(at))
        return copy_out(b, at, bytes, tensor);
    tensor->data =
        (dv_data){.storage = DV_STORAGE_BUFFER,
                  .buffer = dv_buffer_retain(bytes->buffer),
                  .offset = bytes->offset + (size_t)at->offset * dv_dtype_bytes(at->dtype)};
    return DV_OK;
}

static dv_status read_entry(dv_pt2 *b, const dv_pt2_list *list, const char *weight,
                            dv_tensor *tensor)
{
    dv_span span = {(const uint8_t *)weight, strlen(weight)};
    const dv_json *item = list->items[dv_names_find(&list->entries, span, 0)];
    dv_json_at at = dv_json_root(item, "weights"), path = dv_json_member(&at, "path_name");
    dv_json_at pickled = dv_json_member(&at, "use_pickle"),
               meta = dv_json_member(&at, "tensor_meta");
    const char *name;
    bool pickle = false;
    dv_strided how;
    dv_bytes bytes = {0};
    DV_TRY(dv_json_string(&path, &name));
    if (dv_json_present(&pickled))
        DV_TRY(dv_json_bool(&pickled, &pickle));
    if (pickle)
        return dv_fail(DV_BAD_INPUT, "it is pickled (a tensor subclass or another object of "
                                     "Python's), which is never read; export it as a plain tensor");
    DV_TRY(read_layout(b, &meta, &how));
    const char *entry = dv_arena_printf(b->arena, "%s%s%s", b->root, list->folder, name);
    if (!entry)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    int64_t i = dv_zip_find(b->zip, entry);
    size_t elements;
    if (i == DV_ZIP_MISSING && !(dv_shape_elements(&how.shape, &elements) && elements == 0))
        return dv_fail(DV_BAD_INPUT, "the archive has no entry '%.120s'", entry);
    if (i != DV_ZIP_MISSING)
        DV_TRY(dv_within(dv_zip_entry(b->zip, i, &bytes), "entry '%.120s'", entry));
    dv_status status = place(b, &how, &bytes, tensor);
    dv_buffer_release(bytes.buffer);
    return status;
}

static dv_status read_pickled(dv_pt2 *b, const dv_pt2_list *list, const char *weight,
                              dv_tensor *tensor)
{
    dv_strided how;
    dv_bytes bytes;
    dv_status status = dv_checkpoint_tensor(list->checkpoint, weight, &how, &bytes);
    if (status == DV_OK)
        status = place(b, &how, &bytes, tensor);
    dv_buffer_release(bytes.buffer);
    return status;
}

/* ---- stand-ins ---- */

static bool ends_with(const char *text, const char *tail)
{
    size_t length = strlen(text), end = strlen(tail);
    return length >= end && strcmp(text + length - end, tail) == 0;
}

/* Something to compute with: small numbers, but ones where a network divides or scales by them. */
static void stand_in(dv_pt2 *b, uint32_t index, dv_tensor *tensor)
{
    const dv_pt2_value *value = &b->values[index];
    bool norm = value->shape.rank == 1 && ends_with(value->weight, "weight");
    tensor->dtype = value->dtype;
    tensor->shape = value->shape;
    tensor->data = (dv_data){.storage = DV_STORAGE_FILL};
    if (norm || ends_with(value->weight, "running_var"))
        tensor->data.shift = 1;
    else if (value->dtype == DV_DTYPE_F32 && value->shape.rank > 1)
        tensor->data = (dv_data){.storage = DV_STORAGE_GENERATED, .seed = index + 1, .scale = 0.05};
    b->has_stand_ins = true;
}

dv_status dv_pt2_add_weight(dv_pt2 *b, uint32_t index, dv_tensor_id *id)
{
    const dv_pt2_value *value = &b->values[index];
    dv_tensor tensor = {
        .name = value->name, .role = DV_ROLE_CONSTANT, .is_complex = value->is_complex};
    const dv_pt2_list *list = value->is_constant ? &b->constants : &b->weights;
    dv_status status = DV_OK;
    if (!has(list, value->weight)) /* buffers that are not persistent lie among the constants */
        list = value->is_constant ? &b->weights : &b->constants;
    if (has(list, value->weight))
        status = list->checkpoint ? read_pickled(b, list, value->weight, &tensor)
                                  : read_entry(b, list, value->weight, &tensor);
    else if (b->has_lists)
        status = dv_fail(DV_BAD_INPUT, "the archive does not list it");
    else if (!dv_shape_known(&value->shape) || value->dtype == DV_DTYPE_NONE)
        status = dv_fail(DV_BAD_INPUT, "its shape and type are not recorded");
    else
        stand_in(b, index, &tensor);
    if (status == DV_OK)
        status = dv_graph_add_tensor(b->graph, &tensor, id);
    dv_buffer_release(tensor.data.buffer);
    return dv_within(status, "weight '%.120s'", b->values[index].weight);
}
