/* vkblob_add.c - the calls of a Vulkan blob become operators: they are ATen's. */
#include <string.h>

#include "load/aten.h"
#include "load/vkblob.h"
#include "load/xnnblob.h"

/* ---- its operators ---- */

typedef struct vk_builder {
    dv_pte_builder *b;
    const dv_pte_call *call;
    dv_vk_graph graph;
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
    DV_TRY(dv_vk_value_at(&v->graph, (uint32_t)value, &kind, &table));
    if (kind == DV_VK_NONE)
        return DV_OK;
    if (kind != DV_VK_TENSOR)
        return dv_fail(DV_BAD_INPUT, "value %lld is no tensor", (long long)value);
    if (v->ids[value] == DV_NONE) {
        DV_TRY(dv_vk_read_tensor(&v->graph, &table, &tensor, &data));
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
        DV_TRY(dv_vk_value_at(&v->graph, (uint32_t)index, &kind, &item));
        numbers &= kind == DV_VK_INT || kind == DV_VK_SYM_INT;
        if (kind == DV_VK_INT)
            integers[i] = dv_fb_i64(&item, 0, 0);
        else if (kind == DV_VK_SYM_INT)
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
    dv_fb_vector items = dv_fb_list(table, 0, kind == DV_VK_BOOLS ? 1 : 8);
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
    *out = (dv_aten_value){.type = kind == DV_VK_DOUBLES ? DV_ATEN_REALS : DV_ATEN_INTS,
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
    DV_TRY(dv_vk_value_at(&v->graph, (uint32_t)index, &kind, &table));
    switch (kind) {
    case DV_VK_INT:
        *out = (dv_aten_value){.type = DV_ATEN_INT, .integer = dv_fb_i64(&table, 0, 0)};
        break;
    case DV_VK_SYM_INT:
        *out = (dv_aten_value){.type = DV_ATEN_INT, .integer = dv_fb_i32(&table, 0, 0)};
        break;
    case DV_VK_DOUBLE:
        *out = (dv_aten_value){.type = DV_ATEN_REAL, .real = dv_fb_f64(&table, 0, 0)};
        break;
    case DV_VK_BOOL:
        *out = (dv_aten_value){.type = DV_ATEN_BOOL, .integer = dv_fb_flag(&table, 0, false)};
        break;
    case DV_VK_STRING: {
        dv_span text = dv_fb_string(&table, 0);
        *out =
            (dv_aten_value){.type = DV_ATEN_TEXT,
                            .text = dv_arena_copy_n(
                                v->b->arena, text.size ? (const char *)text.data : "", text.size)};
        if (!out->text)
            return dv_fail(DV_NO_MEMORY, "out of memory");
        break;
    }
    case DV_VK_TENSOR:
        out->type = DV_ATEN_TENSOR;
        return read_id(v, index, &out->tensor);
    case DV_VK_VALUES:
        return read_values(v, &table, out);
    case DV_VK_INTS:
    case DV_VK_DOUBLES:
    case DV_VK_BOOLS:
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
    DV_TRY(dv_vk_value_at(&v->graph, (uint32_t)index, &kind, &table));
    if (kind != DV_VK_TENSOR)
        return DV_OK;
    DV_TRY(dv_vk_read_tensor(&v->graph, &table, &tensor, &data));
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
    DV_TRY(dv_vk_value_at(&v->graph, (uint32_t)index, &kind, &table));
    dv_fb_vector items =
        kind == DV_VK_VALUES ? dv_fb_list(&table, 0, 4) : (dv_fb_vector){.count = 1};
    DV_TRY(count_items(v, items.count));
    dv_tensor_id *ids = dv_arena_array(v->b->arena, items.count, sizeof *ids);
    if (!ids)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < items.count; i++)
        DV_TRY(make_one(v, kind == DV_VK_VALUES ? dv_fb_i32_at(&items, i) : index, &ids[i]));
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
        DV_TRY(dv_vk_value_at(&v->graph, value, &kind, &table));
        if (kind != DV_VK_TENSOR)
            continue;
        if (place >= v->call->raw_count || !v->b->pte->values[v->call->args[place]].is_tensor)
            return dv_fail(DV_BAD_INPUT, "its argument %u is no tensor", place);
        uint32_t outer = v->call->args[place];
        dv_dtype dtype = v->b->pte->values[outer].dtype;
        DV_TRY(dv_vk_read_tensor(&v->graph, &table, &tensor, &data));
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
    DV_TRY(dv_vk_open(b->pte->delegates[call->delegate].blob, &v.graph, opened));
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
