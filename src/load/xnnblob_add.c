/* xnnblob_add.c - the call of an XNNPACK delegate becomes the operators of its blob.

   A quantised value is the f32 numbers that it stands for, between a QUANTIZE and a DEQUANTIZE,
   from which lowering makes operators of integers; one that crosses the delegate's border is
   converted there. */
#include <string.h>

#include "load/xnnblob.h"

dv_status dv_xnn_emit(dv_xnn_builder *x, dv_op_kind kind, const dv_op_params *params,
                      const dv_tensor_id *inputs, uint32_t count, dv_tensor_id *id)
{
    dv_tensor part = {.name = x->name, .dtype = DV_DTYPE_F32, .shape = {.rank = DV_RANK_UNKNOWN}};
    dv_tensor_id made;
    DV_TRY(dv_graph_add_tensor(x->b->graph, &part, &made));
    dv_op op = {.kind = kind,
                .name = x->name,
                .source_type = x->node ? dv_xnn_kind_name(x->node->kind) : x->call->name,
                .debug_handle = x->call->instruction,
                .inputs = inputs,
                .input_count = count,
                .outputs = &made,
                .output_count = 1};
    dv_op_id op_id;
    if (params)
        op.params = *params;
    DV_TRY(dv_graph_add_op(x->b->graph, &op, &op_id));
    *id = made;
    return DV_OK;
}

static dv_status turn(dv_xnn_builder *x, dv_tensor_id from, bool to_front, dv_tensor_id *id)
{
    dv_op_params front = {.permute = {.rank = 4, .perm = {0, 3, 1, 2}}};
    dv_op_params back = {.permute = {.rank = 4, .perm = {0, 2, 3, 1}}};
    *id = from;
    return dv_xnn_emit(x, DV_OP_PERMUTE, to_front ? &front : &back, &from, 1, id);
}

dv_status dv_xnn_plain(dv_xnn_builder *x, uint32_t value, dv_tensor_id *id)
{
    dv_xnn_slot *slot = &x->slots[value];
    if (slot->plain == DV_NONE && slot->planar == DV_NONE) {
        if (x->graph.values[value].constant == 0)
            return dv_fail(DV_BAD_INPUT, "it reads value %u before it is made", value);
        DV_TRY(dv_xnn_constant(x, value, DV_XNN_AS_IS, 1, &slot->plain));
    }
    if (slot->plain == DV_NONE)
        DV_TRY(turn(x, slot->planar, false, &slot->plain));
    *id = slot->plain;
    return DV_OK;
}

dv_status dv_xnn_planar(dv_xnn_builder *x, uint32_t value, dv_tensor_id *id)
{
    dv_xnn_slot *slot = &x->slots[value];
    if (slot->planar == DV_NONE) {
        dv_tensor_id plain;
        if (x->graph.values[value].shape.rank != 4)
            return dv_fail(DV_BAD_INPUT, "value %u is no image", value);
        DV_TRY(dv_xnn_plain(x, value, &plain));
        DV_TRY(turn(x, plain, true, &slot->planar));
    }
    *id = slot->planar;
    return DV_OK;
}

/* ---- borders ---- */

/* Is the value of the program, of four dimensions, stored with its channels last? */
static bool channels_last(const dv_pte_value *value)
{
    static const uint8_t order[] = {0, 2, 3, 1};
    return value->permuted && value->shape.rank == 4 && memcmp(value->order, order, 4) == 0;
}

dv_status dv_xnn_scalar(dv_xnn_builder *x, dv_dtype dtype, double value, dv_tensor_id *id)
{
    dv_tensor tensor = {.name = x->name,
                        .dtype = dtype,
                        .role = DV_ROLE_CONSTANT,
                        .data = {.storage = DV_STORAGE_FILL, .shift = value}};
    return dv_graph_add_tensor(x->b->graph, &tensor, id);
}

/* From the integers of the program to f32, or back. */
static dv_status convert(dv_xnn_builder *x, const dv_xnn_value *value, dv_dtype dtype, bool back,
                         dv_tensor_id *id)
{
    enum { PER_TENSOR = 2 };
    dv_op_params cast = {.cast = {.dtype = back ? dtype : DV_DTYPE_F32}};
    dv_op_params params = {.quant = {.dtype = dtype}};
    dv_tensor_id inputs[3] = {*id};
    if (dv_dtype_is_float(dtype) || value->quant != PER_TENSOR)
        return dtype == DV_DTYPE_F32 ? DV_OK : dv_xnn_emit(x, DV_OP_CAST, &cast, id, 1, id);
    DV_TRY(
        dv_xnn_scalar(x, DV_DTYPE_F32, (double)dv_fb_f32(&value->quant_table, 0, 1), &inputs[1]));
    DV_TRY(dv_xnn_scalar(x, dtype, dv_fb_i32(&value->quant_table, 1, 0), &inputs[2]));
    return dv_xnn_emit(x, back ? DV_OP_QUANTIZE : DV_OP_DEQUANTIZE, &params, inputs, 3, id);
}

dv_status dv_xnn_round(dv_xnn_builder *x, uint32_t value, dv_tensor_id *id)
{
    enum { QINT8 = 3, QUINT8 = 4, PER_TENSOR = 2 };
    const dv_xnn_value *v = &x->graph.values[value];
    dv_dtype dtype = v->type == QUINT8 ? DV_DTYPE_U8 : DV_DTYPE_I8;
    if ((v->type != QINT8 && v->type != QUINT8) || v->quant != PER_TENSOR)
        return DV_OK;
    DV_TRY(convert(x, v, dtype, true, id));
    return convert(x, v, dtype, false, id);
}

/* The program's shape of a value; XNNPACK has no values without dimensions. */
static dv_status reshape(dv_xnn_builder *x, const dv_shape *have, const dv_shape *want,
                         dv_tensor_id *id)
{
    dv_op_params params = {.view = {.shape = *want, .allow_zero = true}};
    if (!dv_shape_equal(have, want))
        DV_TRY(dv_xnn_emit(x, DV_OP_VIEW, &params, id, 1, id));
    if (x->b->graph->tensors[*id].role == DV_ROLE_ACTIVATION)
        dv_graph_tensor_mutable(x->b->graph, *id)->shape = *want;
    return DV_OK;
}

/* The value that a call's argument is; its external id is the argument's place. */
static dv_status argument_of(const dv_xnn_builder *x, uint32_t value, uint32_t *out)
{
    uint32_t place = x->graph.values[value].external;
    if (place >= x->call->raw_count)
        return dv_fail(DV_BAD_INPUT, "its value %u is argument %u of %u", value, place,
                       x->call->raw_count);
    *out = x->call->args[place];
    return x->b->pte->values[*out].is_tensor
               ? DV_OK
               : dv_fail(DV_BAD_INPUT, "its argument %u is no tensor", place);
}

static bool is_made(const dv_xnn_builder *x, uint32_t argument)
{
    for (uint32_t i = 0; i < x->call->output_count; i++)
        if (x->call->outputs[i] == argument)
            return true;
    return false;
}

static dv_status read_inputs(dv_xnn_builder *x)
{
    for (uint32_t v = 0; v < x->graph.value_count; v++) {
        const dv_xnn_value *value = &x->graph.values[v];
        uint32_t argument;
        dv_tensor_id id;
        if (!value->given || value->external == DV_NONE)
            continue;
        DV_TRY(argument_of(x, v, &argument));
        if (is_made(x, argument))
            continue;
        const dv_pte_value *outer = &x->b->pte->values[argument];
        DV_TRY(dv_pte_tensor(x->b, argument, &id));
        DV_TRY(convert(x, value, outer->dtype, false, &id));
        if (!channels_last(outer))
            DV_TRY(reshape(x, &outer->shape, &value->shape, &id));
        x->slots[v] =
            channels_last(outer) ? (dv_xnn_slot){DV_NONE, id} : (dv_xnn_slot){id, DV_NONE};
    }
    return DV_OK;
}

/* Only a new tensor can stand for an output: what was read, or is another output, is copied. */
static dv_status own(dv_xnn_builder *x, uint32_t before, dv_tensor_id *id)
{
    enum { FEW = 256 };
    dv_op_params none = {0};
    bool free = *id >= before && x->call->output_count <= FEW;
    for (uint32_t i = 0; free && i < x->call->output_count; i++)
        free = x->b->ids[x->call->outputs[i]] != *id;
    return free ? DV_OK : dv_xnn_emit(x, DV_OP_IDENTITY, &none, id, 1, id);
}

static dv_status write_outputs(dv_xnn_builder *x, uint32_t before)
{
    for (uint32_t v = 0; v < x->graph.value_count; v++) {
        const dv_xnn_value *value = &x->graph.values[v];
        uint32_t argument;
        dv_tensor_id id;
        if (!value->given || value->external == DV_NONE)
            continue;
        DV_TRY(argument_of(x, v, &argument));
        if (!is_made(x, argument))
            continue;
        const dv_pte_value *outer = &x->b->pte->values[argument];
        DV_TRY(channels_last(outer) ? dv_xnn_planar(x, v, &id) : dv_xnn_plain(x, v, &id));
        DV_TRY(convert(x, value, outer->dtype, true, &id));
        DV_TRY(own(x, before, &id));
        DV_TRY(
            reshape(x, channels_last(outer) ? &outer->shape : &value->shape, &outer->shape, &id));
        dv_pte_set(x->b, argument, id);
    }
    return DV_OK;
}

/* ---- the call ---- */

static dv_status add_nodes(dv_xnn_builder *x)
{
    for (uint32_t i = 0; i < x->graph.node_count; i++) {
        x->node = &x->graph.nodes[i];
        x->name = dv_arena_printf(x->b->arena, "%u/%u:%s", x->call->instruction, i,
                                  dv_xnn_kind_name(x->node->kind));
        if (!x->name)
            return dv_fail(DV_NO_MEMORY, "out of memory");
        DV_TRY(dv_within(dv_xnn_add_node(x), "node %u (%s)", i, dv_xnn_kind_name(x->node->kind)));
        DV_TRY(x->graph.fb.status);
    }
    x->node = NULL;
    x->name = dv_arena_printf(x->b->arena, "%u:output", x->call->instruction);
    return x->name ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory");
}

dv_status dv_xnnblob_add(dv_pte_builder *b, const dv_pte_call *call, bool *opened)
{
    dv_xnn_builder x = {.b = b, .call = call};
    const dv_pte_delegate *delegate = &b->pte->delegates[call->delegate];
    DV_TRY(dv_xnnblob_open(delegate->blob, b->arena, &x.graph, opened));
    if (!*opened)
        return DV_OK;
    x.name = dv_arena_printf(b->arena, "%u:input", call->instruction);
    x.slots = dv_arena_array(b->arena, x.graph.value_count, sizeof *x.slots);
    if (!x.slots || !x.name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t v = 0; v < x.graph.value_count; v++)
        x.slots[v] = (dv_xnn_slot){DV_NONE, DV_NONE};
    uint32_t before = b->graph->tensor_count;
    DV_TRY(read_inputs(&x));
    DV_TRY(add_nodes(&x));
    return write_outputs(&x, before);
}
