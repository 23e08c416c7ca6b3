/* spell_quant.c - quantised operators spelt as conversions around operators on floats, for formats
   that know quantisation only so: what the quantise pass has merged, taken apart again. */
#include <stdlib.h>
#include <string.h>

#include "lower/lower.h"
#include "lower/rewrite.h"

typedef struct speller {
    dv_rewrite rewrite;
    dv_tensor_id *numbers; /* per tensor of the old graph: its f32 stand-in, once there is one */
} speller;

/* A constant vector (of one element: a scalar) of scales or zero points. */
static dv_status add_list(speller *s, const dv_tensor *tensor, dv_dtype dtype, dv_tensor_id *id)
{
    const dv_quant *quant = &tensor->quant;
    size_t width = dv_dtype_bytes(dtype);
    dv_shape shape = {.rank = quant->count > 1, .dim = {quant->count}};
    dv_data data = {.storage = DV_STORAGE_BUFFER, .buffer = dv_buffer_create(quant->count * width)};
    if (!data.buffer)
        return dv_fail(DV_NO_MEMORY, "out of memory for %u scales", quant->count);
    for (uint32_t i = 0; i < quant->count; i++) {
        uint64_t bits = (uint64_t)(int64_t)quant->zero[i];
        if (dtype == DV_DTYPE_F32) {
            uint32_t scale;
            memcpy(&scale, &quant->scale[i], sizeof scale);
            bits = scale;
        }
        for (size_t k = 0; k < width; k++)
            dv_buffer_writable(data.buffer)[i * width + k] = (uint8_t)(bits >> (8 * k));
    }
    dv_status status =
        dv_rewrite_constant(&s->rewrite, tensor->name, dtype == DV_DTYPE_F32 ? "scale" : "zero",
                            dtype, &shape, &data, id);
    dv_buffer_release(data.buffer);
    return status;
}

/* Emits a conversion of `from` to `to`, or back, as the quantised tensor says. */
static dv_status convert(speller *s, const dv_op *source, bool quantises, const dv_tensor *tensor,
                         dv_tensor_id from, dv_tensor_id to)
{
    static const dv_op_kind kinds[2][2] = {{DV_OP_DEQUANTIZE, DV_OP_DEQUANTIZE_CHANNEL},
                                           {DV_OP_QUANTIZE, DV_OP_QUANTIZE_CHANNEL}};
    dv_tensor_id ids[3] = {from};
    DV_TRY(add_list(s, tensor, DV_DTYPE_F32, &ids[1]));
    DV_TRY(add_list(s, tensor, tensor->dtype, &ids[2]));
    dv_op op = {.kind = kinds[quantises][tensor->quant.count > 1],
                .name = tensor->name,
                .source_type = source->source_type,
                .input_count = 3,
                .output_count = 1,
                .inputs = ids,
                .outputs = &to,
                .params.quant = {.axis = tensor->quant.axis, .dtype = tensor->dtype},
                .debug_handle = source->debug_handle};
    return dv_rewrite_add_op(&s->rewrite, &op);
}

/* A new f32 tensor of the shape of a quantised one. */
static dv_status add_numbers(speller *s, const dv_tensor *tensor, dv_tensor_id *id)
{
    dv_tensor made = {.dtype = DV_DTYPE_F32, .shape = tensor->shape, .role = DV_ROLE_ACTIVATION};
    made.name = dv_arena_printf(dv_graph_arena(s->rewrite.to), "%s.f32", tensor->name);
    return made.name ? dv_rewrite_add(&s->rewrite, &made, id)
                     : dv_fail(DV_NO_MEMORY, "out of memory");
}

static dv_status bare(speller *s, dv_tensor_id old, dv_tensor_id *id)
{
    const dv_quant none = {0};
    DV_TRY(dv_rewrite_tensor(&s->rewrite, old, id));
    return *id == DV_NONE ? DV_OK : dv_graph_set_quant(s->rewrite.to, *id, &none);
}

static dv_status read_numbers(speller *s, const dv_op *op, dv_tensor_id old, dv_tensor_id *id)
{
    const dv_tensor *tensor = &s->rewrite.from->tensors[old];
    dv_tensor_id integers;
    if (s->numbers[old] == DV_NONE) {
        DV_TRY(bare(s, old, &integers));
        DV_TRY(add_numbers(s, tensor, &s->numbers[old]));
        DV_TRY(convert(s, op, false, tensor, integers, s->numbers[old]));
    }
    *id = s->numbers[old];
    return DV_OK;
}

static dv_status spell(speller *s, const dv_op *op)
{
    const dv_graph *from = s->rewrite.from;
    bool raw = dv_op_is_raw(op->kind);
    size_t count = (size_t)op->input_count + op->output_count;
    dv_tensor_id *ids = malloc((count + 1) * sizeof *ids), *outputs = ids + op->input_count;
    dv_status status = ids ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory");
    for (size_t i = 0; status == DV_OK && i < count; i++) {
        bool is_input = i < op->input_count;
        dv_tensor_id old = is_input ? op->inputs[i] : op->outputs[i - op->input_count];
        bool quantised = !raw && old != DV_NONE && from->tensors[old].quant.count > 0;
        if (!quantised)
            status = bare(s, old, &ids[i]);
        else if (is_input)
            status = read_numbers(s, op, old, &ids[i]);
        else
            status = add_numbers(s, &from->tensors[old], &ids[i]);
    }
    if (status == DV_OK) {
        dv_op copy = *op;
        copy.inputs = ids;
        copy.outputs = outputs;
        status = dv_rewrite_add_op(&s->rewrite, &copy);
    }
    for (uint32_t i = 0; status == DV_OK && i < op->output_count; i++) {
        dv_tensor_id old = op->outputs[i], integers;
        if (raw || old == DV_NONE || from->tensors[old].quant.count == 0)
            continue;
        status = bare(s, old, &integers);
        if (status == DV_OK)
            status = convert(s, op, true, &from->tensors[old], outputs[i], integers);
    }
    free(ids);
    return status;
}

dv_status dv_spell_quantisation(const dv_graph *graph, dv_graph **out)
{
    size_t count = (size_t)graph->tensor_count + 1;
    speller s = {.numbers = malloc(count * sizeof *s.numbers)};
    if (!s.numbers)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    memset(s.numbers, 0xff, count * sizeof *s.numbers); /* DV_NONE */
    dv_status status = dv_rewrite_begin(&s.rewrite, graph);
    if (status == DV_OK) {
        for (dv_op_id o = 0; status == DV_OK && o < graph->op_count; o++)
            status = spell(&s, &graph->ops[o]);
        for (uint32_t i = 0; status == DV_OK && i < graph->input_count; i++) {
            dv_tensor_id id;
            status = bare(&s, graph->inputs[i], &id);
        }
        status = dv_rewrite_end(&s.rewrite, status, out);
    }
    free(s.numbers);
    return status;
}
