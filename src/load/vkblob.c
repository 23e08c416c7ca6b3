/* vkblob.c - the blob of ExecuTorch's Vulkan delegate: a header of 30 bytes, a flatbuffer of ATen
   calls over values, constants (schema.fbs of its serialization). A call's last argument is what it
   makes. */
#include <math.h>
#include <string.h>

#include "core/text.h"
#include "load/aten.h"
#include "load/xnnblob.h"

enum { NONE = 1, INT, DOUBLE, BOOL, TENSOR, INTS, DOUBLES, BOOLS, VALUES, STRING, SYM_INT };

typedef struct vk_graph {
    dv_fb fb;
    dv_span constants; /* behind the flatbuffer */
    dv_fb_vector calls, values, inputs, outputs, data;
} vk_graph;

static uint64_t number(const uint8_t *bytes, size_t width)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < width; i++)
        bits |= (uint64_t)bytes[i] << (8 * i);
    return bits;
}

static dv_status open_graph(dv_span blob, vk_graph *out, bool *known)
{
    *out = (vk_graph){0};
    *known = false;
    if (blob.size < 30 || memcmp(blob.data + 4, "VH00", 4) != 0)
        return DV_OK;
    uint64_t offset = number(blob.data + 10, 4), size = number(blob.data + 14, 4);
    uint64_t data = number(blob.data + 18, 4);
    if (offset > blob.size || size > blob.size - offset || data > blob.size || size < 8 ||
        memcmp(blob.data + offset + 4, "VK00", 4) != 0)
        return DV_OK;
    *known = true;
    out->fb = (dv_fb){.bytes = blob.data + offset, .size = (size_t)size};
    out->constants = (dv_span){blob.data + data, blob.size - (size_t)data};
    dv_fb_table root = dv_fb_root(&out->fb);
    out->calls = dv_fb_tables(&root, 1);
    out->values = dv_fb_tables(&root, 2);
    out->inputs = dv_fb_list(&root, 3, 4);
    out->outputs = dv_fb_list(&root, 4, 4);
    out->data = dv_fb_tables(&root, 5);
    return dv_within(out->fb.status, "its Vulkan graph");
}

/* ---- values ---- */

static dv_status value_at(const vk_graph *graph, uint32_t index, uint8_t *kind, dv_fb_table *table)
{
    if (index >= graph->values.count)
        return dv_fail(DV_BAD_INPUT, "value %u of %u", index, graph->values.count);
    dv_fb_table row = dv_fb_table_at(&graph->values, index);
    *kind = dv_fb_u8(&row, 0, 0);
    *table = dv_fb_child(&row, 1);
    return graph->fb.status;
}

static dv_dtype dtype_of(uint8_t type)
{
    static const dv_dtype types[] = {DV_DTYPE_BOOL, DV_DTYPE_U8,  DV_DTYPE_I8,  DV_DTYPE_I32,
                                     DV_DTYPE_F16,  DV_DTYPE_F32, DV_DTYPE_F64, DV_DTYPE_I64};
    return type < sizeof types / sizeof types[0] ? types[type] : DV_DTYPE_NONE;
}

static dv_status read_tensor(const vk_graph *graph, const dv_fb_table *table, dv_tensor *out,
                             int32_t *constant)
{
    dv_fb_vector dims = dv_fb_list(table, 1, 4);
    size_t elements, bytes;
    if (dims.count > DV_MAX_RANK)
        return dv_fail(DV_BAD_INPUT, "a tensor of %u dimensions", dims.count);
    out->dtype = dtype_of(dv_fb_u8(table, 0, 0));
    out->shape.rank = (uint8_t)dims.count;
    for (uint32_t d = 0; d < dims.count; d++)
        out->shape.dim[d] = (int64_t)dv_fb_bits_at(&dims, d);
    *constant = dv_fb_i32(table, 2, 0);
    if (!dv_shape_elements(&out->shape, &elements) || !dv_mul_size(elements, 1 << 12, &bytes))
        return dv_fail(DV_BAD_INPUT, "a tensor has more elements than memory can hold");
    return graph->fb.status;
}

/* The tensor that a value is, or the first of its list. */
static bool shape_of(const vk_graph *graph, uint32_t index, dv_tensor *out)
{
    uint8_t kind;
    dv_fb_table table;
    int32_t constant;
    if (value_at(graph, index, &kind, &table) != DV_OK)
        return false;
    if (kind == VALUES) {
        dv_fb_vector items = dv_fb_list(&table, 0, 4);
        if (items.count == 0 ||
            value_at(graph, (uint32_t)dv_fb_i32_at(&items, 0), &kind, &table) != DV_OK)
            return false;
    }
    return kind == TENSOR && read_tensor(graph, &table, out, &constant) == DV_OK;
}

/* ---- what it says to people ---- */

static double elements_of(const dv_shape *shape)
{
    size_t elements = 0;
    (void)dv_shape_elements(shape, &elements);
    return (double)elements;
}

/* Of products with a weight: its elements for one output, for every output. */
static double macs_of(const char *name, const dv_tensor *x, const dv_tensor *w, const dv_tensor *y)
{
    double outputs = elements_of(&y->shape), rows = w->shape.rank ? (double)w->shape.dim[0] : 1;
    if (strncmp(name, "aten.conv", 9) == 0 || strncmp(name, "et_vk.conv", 10) == 0)
        return rows > 0 ? outputs * elements_of(&w->shape) / rows : 0;
    if (strncmp(name, "aten.linear", 11) == 0 || strncmp(name, "aten.mm", 7) == 0 ||
        strncmp(name, "aten.bmm", 8) == 0)
        return x->shape.rank ? outputs * (double)x->shape.dim[x->shape.rank - 1] : 0;
    return 0;
}

static dv_status read_line(const vk_graph *graph, uint32_t i, dv_arena *arena, dv_blob_line *out)
{
    dv_fb_table call = dv_fb_table_at(&graph->calls, i);
    dv_span name = dv_fb_string(&call, 1);
    dv_fb_vector args = dv_fb_list(&call, 2, 4);
    dv_tensor x = {0}, w = {0}, y = {0};
    DV_TRY(graph->fb.status);
    *out = (dv_blob_line){.dtype = ""};
    out->kind = dv_arena_copy_n(arena, name.size ? (const char *)name.data : "",
                                name.size > 120 ? 120 : name.size);
    if (!out->kind)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    if (args.count == 0)
        return DV_OK;
    if (shape_of(graph, (uint32_t)dv_fb_i32_at(&args, 0), &x))
        out->input = x.shape;
    if (shape_of(graph, (uint32_t)dv_fb_i32_at(&args, args.count - 1), &y)) {
        out->output = y.shape;
        out->dtype = dv_dtype_name(y.dtype);
    }
    if (args.count > 2 && shape_of(graph, (uint32_t)dv_fb_i32_at(&args, 1), &w))
        out->macs = macs_of(out->kind, &x, &w, &y);
    return graph->fb.status;
}

dv_status dv_vkblob_lines(const dv_pte_delegate *delegate, dv_arena *arena, dv_blob_line **lines,
                          uint32_t *count)
{
    vk_graph graph;
    bool known;
    *count = 0;
    DV_TRY(open_graph(delegate->blob, &graph, &known));
    if (!known)
        return DV_OK;
    *lines = dv_arena_array(arena, graph.calls.count, sizeof **lines);
    if (!*lines)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (; *count < graph.calls.count; (*count)++)
        DV_TRY(read_line(&graph, *count, arena, &(*lines)[*count]));
    return DV_OK;
}

/* "aten.linear.default 2, aten.gelu.default 1" */
static dv_status tally(const vk_graph *graph, dv_text *text)
{
    enum { MOST_KINDS = 64 };
    dv_span names[MOST_KINDS];
    uint32_t counts[MOST_KINDS], kinds = 0, rest = 0;
    for (uint32_t i = 0; i < graph->calls.count; i++) {
        dv_fb_table call = dv_fb_table_at(&graph->calls, i);
        dv_span name = dv_fb_string(&call, 1);
        uint32_t k = 0;
        while (k < kinds && !dv_span_equal(names[k], name))
            k++;
        if (k < kinds) {
            counts[k]++;
        } else if (kinds < MOST_KINDS) {
            names[kinds] = name;
            counts[kinds++] = 1;
        } else {
            rest++;
        }
    }
    DV_TRY(graph->fb.status);
    for (uint32_t k = 0; k < kinds; k++)
        dv_text_append(text, "%s%.*s %u", k ? ", " : "",
                       (int)(names[k].size > 120 ? 120 : names[k].size),
                       names[k].size ? (const char *)names[k].data : "", counts[k]);
    if (rest)
        dv_text_append(text, ", others %u", rest);
    return DV_OK;
}

dv_status dv_vkblob_count(dv_pte_delegate *delegate, dv_arena *arena)
{
    vk_graph graph;
    bool known;
    dv_text text = {0};
    DV_TRY(open_graph(delegate->blob, &graph, &known));
    if (!known)
        return DV_OK;
    dv_status status = tally(&graph, &text);
    delegate->ops = graph.calls.count;
    delegate->input_count = graph.inputs.count;
    delegate->output_count = graph.outputs.count;
    delegate->inside = dv_arena_copy(arena, dv_text_string(&text));
    if (status == DV_OK && (!delegate->inside || text.failed))
        status = dv_fail(DV_NO_MEMORY, "out of memory");
    dv_text_free(&text);
    return status;
}

/* ---- its operators ---- */

typedef struct vk_builder {
    dv_pte_builder *b;
    const dv_pte_call *call;
    vk_graph graph;
    dv_tensor_id *ids; /* per value */
    size_t items;      /* of lists that were read */
} vk_builder;

/* Lists may be referred to again and again; what they hold together is bounded by the blob. */
static dv_status count_items(vk_builder *v, uint32_t count)
{
    v->items += count;
    return v->items <= v->graph.fb.size + 4096
               ? DV_OK
               : dv_fail(DV_BAD_INPUT, "its lists are referred to too often");
}

static dv_status constant(vk_builder *v, const dv_tensor *shape, int32_t index, uint32_t value,
                          dv_tensor_id *id)
{
    dv_fb_table row = dv_fb_table_at(&v->graph.data, (uint32_t)index);
    uint64_t offset = dv_fb_u64(&row, 0, 0), size = dv_fb_u64(&row, 1, 0);
    dv_span key = dv_fb_string(&row, 2), bytes = {0};
    bool outside = false;
    size_t needed;
    DV_TRY(v->graph.fb.status);
    if (key.size > 0) {
        DV_TRY(dv_pte_named(v->b->pte->file, key, &bytes, &outside));
        if (!bytes.data)
            return dv_fail(DV_BAD_INPUT,
                           "its weights '%.*s' are neither in the program nor in a .ptd file "
                           "beside it",
                           (int)(key.size > 64 ? 64 : key.size), (const char *)key.data);
    } else if (offset <= v->graph.constants.size && size <= v->graph.constants.size - offset) {
        bytes = (dv_span){v->graph.constants.data + offset, (size_t)size};
    }
    dv_tensor tensor = *shape;
    dv_buffer *buffer = outside ? v->b->pte->weights : v->b->pte->buffer;
    if (!dv_tensor_bytes(&tensor, &needed) || needed > bytes.size || !bytes.data)
        return dv_fail(DV_BAD_INPUT, "its value %u has %zu bytes of data", value, bytes.size);
    tensor.name = dv_arena_printf(v->b->arena, "%u:weight_%u", v->call->instruction, value);
    tensor.role = DV_ROLE_CONSTANT;
    tensor.data = (dv_data){.storage = DV_STORAGE_BUFFER,
                            .buffer = buffer,
                            .offset = (size_t)(bytes.data - dv_buffer_data(buffer))};
    if (!tensor.name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    return dv_graph_add_tensor(v->b->graph, &tensor, id);
}

static dv_status read_id(vk_builder *v, int64_t value, dv_tensor_id *id)
{
    uint8_t kind;
    dv_fb_table table;
    dv_tensor tensor = {0};
    int32_t data;
    *id = DV_NONE;
    if (value < 0)
        return dv_fail(DV_BAD_INPUT, "value %lld", (long long)value);
    DV_TRY(value_at(&v->graph, (uint32_t)value, &kind, &table));
    if (kind == NONE)
        return DV_OK;
    if (kind != TENSOR)
        return dv_fail(DV_BAD_INPUT, "value %lld is no tensor", (long long)value);
    if (v->ids[value] == DV_NONE) {
        DV_TRY(read_tensor(&v->graph, &table, &tensor, &data));
        if (data < 0)
            return dv_fail(DV_BAD_INPUT, "it reads value %lld before it is made", (long long)value);
        DV_TRY(constant(v, &tensor, data, (uint32_t)value, &v->ids[value]));
    }
    *id = v->ids[value];
    return DV_OK;
}

static dv_status read_values(vk_builder *v, const dv_fb_table *table, dv_aten_value *out)
{
    dv_fb_vector items = dv_fb_list(table, 0, 4);
    DV_TRY(count_items(v, items.count));
    dv_tensor_id *tensors = dv_arena_array(v->b->arena, items.count, sizeof *tensors);
    int64_t *integers = dv_arena_array(v->b->arena, items.count, sizeof *integers);
    bool numbers = items.count > 0;
    if (!tensors || !integers)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < items.count; i++) {
        uint8_t kind;
        dv_fb_table item;
        int32_t index = dv_fb_i32_at(&items, i);
        DV_TRY(value_at(&v->graph, (uint32_t)index, &kind, &item));
        numbers &= kind == INT || kind == SYM_INT;
        if (kind == INT)
            integers[i] = dv_fb_i64(&item, 0, 0);
        else if (kind == SYM_INT)
            integers[i] = dv_fb_i32(&item, 0, 0);
        else
            DV_TRY(read_id(v, index, &tensors[i]));
    }
    *out = numbers
               ? (dv_aten_value){.type = DV_ATEN_INTS, .count = items.count, .integers = integers}
               : (dv_aten_value){.type = DV_ATEN_TENSORS, .count = items.count, .tensors = tensors};
    return v->graph.fb.status;
}

static dv_status read_list(vk_builder *v, const dv_fb_table *table, uint8_t kind,
                           dv_aten_value *out)
{
    dv_fb_vector items = dv_fb_list(table, 0, kind == BOOLS ? 1 : 8);
    DV_TRY(count_items(v, items.count));
    int64_t *integers = dv_arena_array(v->b->arena, items.count, sizeof *integers);
    double *reals = dv_arena_array(v->b->arena, items.count, sizeof *reals);
    if (!integers || !reals)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < items.count; i++) {
        uint64_t bits = dv_fb_bits_at(&items, i);
        integers[i] = (int64_t)bits;
        reals[i] = dv_pb_double(bits);
    }
    *out = (dv_aten_value){.type = kind == DOUBLES ? DV_ATEN_REALS : DV_ATEN_INTS,
                           .count = items.count,
                           .integers = integers,
                           .reals = reals};
    return v->graph.fb.status;
}

static dv_status read_arg(vk_builder *v, int32_t index, dv_aten_value *out)
{
    uint8_t kind;
    dv_fb_table table;
    *out = (dv_aten_value){.type = DV_ATEN_NONE};
    DV_TRY(value_at(&v->graph, (uint32_t)index, &kind, &table));
    switch (kind) {
    case INT:
        *out = (dv_aten_value){.type = DV_ATEN_INT, .integer = dv_fb_i64(&table, 0, 0)};
        break;
    case SYM_INT:
        *out = (dv_aten_value){.type = DV_ATEN_INT, .integer = dv_fb_i32(&table, 0, 0)};
        break;
    case DOUBLE:
        *out = (dv_aten_value){.type = DV_ATEN_REAL, .real = dv_fb_f64(&table, 0, 0)};
        break;
    case BOOL:
        *out = (dv_aten_value){.type = DV_ATEN_BOOL, .integer = dv_fb_flag(&table, 0, false)};
        break;
    case STRING: {
        dv_span text = dv_fb_string(&table, 0);
        *out =
            (dv_aten_value){.type = DV_ATEN_TEXT,
                            .text = dv_arena_copy_n(
                                v->b->arena, text.size ? (const char *)text.data : "", text.size)};
        if (!out->text)
            return dv_fail(DV_NO_MEMORY, "out of memory");
        break;
    }
    case TENSOR:
        out->type = DV_ATEN_TENSOR;
        return read_id(v, index, &out->tensor);
    case VALUES:
        return read_values(v, &table, out);
    case INTS:
    case DOUBLES:
    case BOOLS:
        return read_list(v, &table, kind, out);
    default:
        break;
    }
    return v->graph.fb.status;
}

/* A new tensor for what a call makes; several in a list. */
static dv_status make_one(vk_builder *v, int32_t index, dv_tensor_id *id)
{
    uint8_t kind;
    dv_fb_table table;
    dv_tensor tensor = {0};
    int32_t data;
    *id = DV_NONE;
    DV_TRY(value_at(&v->graph, (uint32_t)index, &kind, &table));
    if (kind != TENSOR)
        return DV_OK;
    DV_TRY(read_tensor(&v->graph, &table, &tensor, &data));
    tensor.name = dv_arena_printf(v->b->arena, "%u:value_%d", v->call->instruction, index);
    if (!tensor.name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    DV_TRY(dv_graph_add_tensor(v->b->graph, &tensor, id));
    v->ids[index] = *id;
    return DV_OK;
}

static dv_status make_outputs(vk_builder *v, int32_t index, dv_aten_call *call)
{
    uint8_t kind;
    dv_fb_table table;
    DV_TRY(value_at(&v->graph, (uint32_t)index, &kind, &table));
    dv_fb_vector items = kind == VALUES ? dv_fb_list(&table, 0, 4) : (dv_fb_vector){.count = 1};
    DV_TRY(count_items(v, items.count));
    dv_tensor_id *ids = dv_arena_array(v->b->arena, items.count, sizeof *ids);
    if (!ids)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < items.count; i++)
        DV_TRY(make_one(v, kind == VALUES ? dv_fb_i32_at(&items, i) : index, &ids[i]));
    call->outputs = ids;
    call->output_count = items.count;
    return v->graph.fb.status;
}

/* "aten.add.Tensor": the row of the table, NULL if there is none; a name of Vulkan's own only where
   it means what the row does. */
static dv_status find_rule(vk_builder *v, dv_span name, dv_aten_call *out)
{
    char *text = dv_arena_copy_n(v->b->arena, name.size ? (const char *)name.data : "", name.size);
    if (!text)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    out->source_type = dv_arena_copy(v->b->arena, text);
    char *op = strchr(text, '.');
    char *overload = op ? strchr(op + 1, '.') : NULL;
    if (!out->source_type)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    if (!op || !overload)
        return DV_OK;
    *op++ = *overload++ = '\0';
    if (strcmp(text, "et_vk") != 0 || strcmp(op, "prepack") == 0 ||
        strcmp(op, "conv_with_clamp") == 0)
        out->rule = dv_aten_find(op, overload);
    return DV_OK;
}

static dv_status add_opaque(vk_builder *v, const dv_aten_call *call)
{
    dv_tensor_id *inputs = dv_arena_array(v->b->arena, call->arg_count, sizeof *inputs);
    uint32_t count = 0;
    if (!inputs)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < call->arg_count; i++)
        if (call->args[i].type == DV_ATEN_TENSOR && call->args[i].tensor != DV_NONE)
            inputs[count++] = call->args[i].tensor;
    dv_op op = {.kind = DV_OP_OPAQUE,
                .name = call->name,
                .source_type = call->source_type,
                .debug_handle = call->debug_handle,
                .inputs = inputs,
                .input_count = count,
                .outputs = call->outputs,
                .output_count = call->output_count,
                .reason = "this operator of Vulkan's is not understood"};
    dv_op_id id;
    return dv_graph_add_op(v->b->graph, &op, &id);
}

static dv_status add_call(vk_builder *v, uint32_t i)
{
    dv_fb_table row = dv_fb_table_at(&v->graph.calls, i);
    dv_fb_vector args = dv_fb_list(&row, 2, 4);
    dv_aten_call call = {.debug_handle = v->call->instruction};
    DV_TRY(find_rule(v, dv_fb_string(&row, 1), &call));
    if (args.count == 0)
        return dv_fail(DV_BAD_INPUT, "it has no arguments");
    dv_aten_value *values = dv_arena_array(v->b->arena, args.count, sizeof *values);
    call.name = dv_arena_printf(v->b->arena, "%u/%u:%s", v->call->instruction, i, call.source_type);
    if (!values || !call.name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t a = 0; a + 1 < args.count; a++)
        DV_TRY(read_arg(v, dv_fb_i32_at(&args, a), &values[a]));
    call.args = values;
    call.arg_count = args.count - 1;
    DV_TRY(make_outputs(v, dv_fb_i32_at(&args, args.count - 1), &call));
    return call.rule ? dv_aten_add(v->b->graph, &call) : add_opaque(v, &call);
}

/* ---- the call ---- */

/* The program's tensor may be of another type than Vulkan computes in (i64 as i32). */
static dv_status cross(vk_builder *v, dv_tensor_id from, dv_dtype dtype, dv_tensor_id *id)
{
    dv_tensor part = {.name = "border", .dtype = dtype, .shape = {.rank = DV_RANK_UNKNOWN}};
    dv_op op = {.kind = DV_OP_CAST,
                .name = dv_arena_printf(v->b->arena, "%u:border", v->call->instruction),
                .source_type = v->call->name,
                .debug_handle = v->call->instruction,
                .params = {.cast = {.dtype = dtype}},
                .inputs = &from,
                .input_count = 1,
                .outputs = id,
                .output_count = 1};
    dv_op_id op_id;
    if (!op.name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    DV_TRY(dv_graph_add_tensor(v->b->graph, &part, id));
    return dv_graph_add_op(v->b->graph, &op, &op_id);
}

static dv_status bind(vk_builder *v, const dv_fb_vector *list, bool made, uint32_t first)
{
    for (uint32_t i = 0; i < list->count; i++) {
        uint32_t value = (uint32_t)dv_fb_bits_at(list, i), place = first + i;
        uint8_t kind;
        dv_fb_table table;
        dv_tensor tensor = {0};
        int32_t data;
        dv_tensor_id id;
        DV_TRY(value_at(&v->graph, value, &kind, &table));
        if (kind != TENSOR)
            continue;
        if (place >= v->call->raw_count || !v->b->pte->values[v->call->args[place]].is_tensor)
            return dv_fail(DV_BAD_INPUT, "its argument %u is no tensor", place);
        uint32_t outer = v->call->args[place];
        dv_dtype dtype = v->b->pte->values[outer].dtype;
        DV_TRY(read_tensor(&v->graph, &table, &tensor, &data));
        if (made) {
            DV_TRY(read_id(v, value, &id));
            if (tensor.dtype != dtype)
                DV_TRY(cross(v, id, dtype, &id));
            dv_pte_set(v->b, outer, id);
        } else {
            DV_TRY(dv_pte_tensor(v->b, outer, &id));
            if (tensor.dtype != dtype)
                DV_TRY(cross(v, id, tensor.dtype, &id));
            v->ids[value] = id;
        }
    }
    return v->graph.fb.status;
}

dv_status dv_vkblob_add(dv_pte_builder *b, const dv_pte_call *call, bool *opened)
{
    vk_builder v = {.b = b, .call = call};
    DV_TRY(open_graph(b->pte->delegates[call->delegate].blob, &v.graph, opened));
    if (!*opened)
        return DV_OK;
    v.ids = dv_arena_array(b->arena, v.graph.values.count, sizeof *v.ids);
    if (!v.ids)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < v.graph.values.count; i++)
        v.ids[i] = DV_NONE;
    DV_TRY(bind(&v, &v.graph.inputs, false, 0));
    for (uint32_t i = 0; i < v.graph.calls.count; i++)
        DV_TRY(dv_within(add_call(&v, i), "operator %u", i));
    return bind(&v, &v.graph.outputs, true, v.graph.inputs.count);
}
