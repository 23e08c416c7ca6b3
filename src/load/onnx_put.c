#include "load/onnx_put.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "load/onnx_tensor.h"
#include "load/protobuf_write.h"

/* ---- the operator ---- */

/* Is t an operand that the operator takes for the numbers it stands for? */
static bool is_converted(const dv_onnx_put *put, dv_tensor_id t)
{
    return put->quantised && put->graph->tensors[t].quant.count > 0;
}

const char *dv_put_input(const dv_onnx_put *put, uint32_t i)
{
    if (i >= put->op->input_count || put->op->inputs[i] == DV_NONE)
        return "";
    dv_tensor_id t = put->op->inputs[i];
    return is_converted(put, t) ? put->real[t] : put->graph->tensors[t].name;
}

const char *dv_put_output(dv_onnx_put *put, uint32_t i)
{
    if (i >= put->op->output_count || put->op->outputs[i] == DV_NONE)
        return dv_put_new_name(put, put->op->name);
    dv_tensor_id t = put->op->outputs[i];
    return is_converted(put, t) ? put->before[t] : put->graph->tensors[t].name;
}

static const dv_tensor *operand(const dv_onnx_put *put, dv_tensor_id t)
{
    const dv_tensor *tensor = &put->graph->tensors[t];
    if (!is_converted(put, t))
        return tensor;
    dv_tensor *numbers = dv_arena_alloc(put->arena, sizeof *numbers);
    if (!numbers)
        return tensor; /* the next name fails as well, and tells */
    *numbers = *tensor;
    numbers->dtype = DV_DTYPE_F32;
    numbers->quant.count = 0;
    return numbers;
}

const dv_tensor *dv_put_input_tensor(const dv_onnx_put *put, uint32_t i)
{
    bool given = i < put->op->input_count && put->op->inputs[i] != DV_NONE;
    return given ? operand(put, put->op->inputs[i]) : NULL;
}

const dv_tensor *dv_put_output_tensor(const dv_onnx_put *put, uint32_t i)
{
    bool asked = i < put->op->output_count && put->op->outputs[i] != DV_NONE;
    return asked ? operand(put, put->op->outputs[i]) : NULL;
}

dv_status dv_put_refuse(const dv_onnx_put *put, const char *format, ...)
{
    char why[256];
    va_list list;
    va_start(list, format);
    vsnprintf(why, sizeof why, format, list);
    va_end(list);
    return dv_fail(DV_BAD_INPUT, "operator '%.120s' (%s) cannot be written as ONNX: %s",
                   put->op->name, dv_op_info_of(put->op->kind)->name, why);
}

void dv_put_need(dv_onnx_put *put, int64_t opset)
{
    if (put->opset < opset)
        put->opset = opset;
}

/* ---- names ---- */

static dv_span span_of(const char *text)
{
    return (dv_span){(const uint8_t *)text, strlen(text)};
}

const char *dv_put_new_name(dv_onnx_put *put, const char *base)
{
    const char *name = NULL;
    for (unsigned i = 1; !name || dv_names_find(&put->taken, span_of(name), 0); i++) {
        name = i == 1 ? dv_arena_printf(put->arena, "%s.onnx", base)
                      : dv_arena_printf(put->arena, "%s.onnx%u", base, i);
        if (!name) {
            put->failed = true;
            return "";
        }
    }
    put->failed |= dv_names_put(&put->taken, span_of(name), 1) != DV_OK;
    return name;
}

/* ---- attributes ---- */

enum { /* AttributeProto.AttributeType */
       TYPE_FLOAT = 1,
       TYPE_INT = 2,
       TYPE_STRING = 3,
       TYPE_TENSOR = 4,
       TYPE_INTS = 7,
       TYPE_STRINGS = 8,
};

/* Ends an attribute whose value is in *body. */
static void put_attribute(dv_onnx_put *put, const char *name, dv_text *body, int64_t type)
{
    dv_text whole = {0};
    dv_pb_put_text(&whole, 1, name);
    dv_text_append_n(&whole, dv_text_string(body), body->length);
    dv_pb_put_int(&whole, 20, type);
    whole.failed |= body->failed;
    dv_pb_put_message(&put->attributes, 5, &whole);
    dv_text_free(&whole);
    dv_text_free(body);
}

void dv_put_int(dv_onnx_put *put, const char *name, int64_t value)
{
    dv_text body = {0};
    dv_pb_put_int(&body, 3, value);
    put_attribute(put, name, &body, TYPE_INT);
}

void dv_put_float(dv_onnx_put *put, const char *name, double value)
{
    dv_text body = {0};
    dv_pb_put_float(&body, 2, (float)value);
    put_attribute(put, name, &body, TYPE_FLOAT);
}

void dv_put_string(dv_onnx_put *put, const char *name, const char *value)
{
    dv_text body = {0};
    dv_pb_put_text(&body, 4, value);
    put_attribute(put, name, &body, TYPE_STRING);
}

void dv_put_ints(dv_onnx_put *put, const char *name, const int64_t *values, size_t count)
{
    dv_text body = {0};
    for (size_t i = 0; i < count; i++)
        dv_pb_put_int(&body, 8, values[i]);
    put_attribute(put, name, &body, TYPE_INTS);
}

void dv_put_strings(dv_onnx_put *put, const char *name, const char *const *values, size_t count)
{
    dv_text body = {0};
    for (size_t i = 0; i < count; i++)
        dv_pb_put_text(&body, 9, values[i]);
    put_attribute(put, name, &body, TYPE_STRINGS);
}

/* ---- constants ---- */

/* Appends the elements of a TensorProto: count times one value. */
static void put_raw(dv_text *out, dv_dtype dtype, double value, size_t count)
{
    dv_tensor fill = {.dtype = dtype,
                      .role = DV_ROLE_CONSTANT,
                      .data = {.storage = DV_STORAGE_FILL, .shift = value}};
    size_t width = dv_dtype_bytes(dtype);
    char bytes[8];
    dv_tensor_read(&fill, 0, 1, bytes);
    dv_pb_put_head(out, 9, count * width);
    for (size_t i = 0; i < count; i++)
        dv_text_append_n(out, bytes, width);
}

static void put_tensor_head(dv_text *out, const char *name, dv_dtype dtype, const int64_t *dims,
                            size_t rank)
{
    for (size_t d = 0; d < rank; d++)
        dv_pb_put_int(out, 1, dims[d]);
    dv_pb_put_int(out, 2, dv_onnx_type_of(dtype));
    if (name)
        dv_pb_put_text(out, 8, name);
}

void dv_put_value(dv_onnx_put *put, const char *name, dv_dtype dtype, double value)
{
    dv_text body = {0}, tensor = {0};
    put_tensor_head(&tensor, NULL, dtype, (const int64_t[]){1}, 1);
    put_raw(&tensor, dtype, value, 1);
    dv_pb_put_message(&body, 5, &tensor);
    dv_text_free(&tensor);
    put_attribute(put, name, &body, TYPE_TENSOR);
}

static const char *put_constant(dv_onnx_put *put, const char *name, dv_text *tensor)
{
    dv_pb_put_message(&put->constants, 5, tensor);
    dv_text_free(tensor);
    return name;
}

static const char *put_integers(dv_onnx_put *put, const int64_t *values, size_t count, size_t rank)
{
    const char *name = dv_put_new_name(put, put->op->name);
    dv_text tensor = {0};
    put_tensor_head(&tensor, name, DV_DTYPE_I64, (const int64_t[]){(int64_t)count}, rank);
    dv_pb_put_head(&tensor, 9, count * sizeof *values);
    for (size_t i = 0; i < count; i++)
        for (size_t byte = 0; byte < sizeof *values; byte++)
            dv_text_append_n(&tensor, &(char){(char)((uint64_t)values[i] >> (8 * byte))}, 1);
    return put_constant(put, name, &tensor);
}

const char *dv_put_longs(dv_onnx_put *put, const int64_t *values, size_t count)
{
    return put_integers(put, values, count, 1);
}

const char *dv_put_long(dv_onnx_put *put, int64_t value)
{
    return put_integers(put, &value, 1, 0);
}

const char *dv_put_shape(dv_onnx_put *put, const dv_shape *shape)
{
    return dv_put_longs(put, shape->dim, shape->rank);
}

const char *dv_put_scalar(dv_onnx_put *put, dv_dtype dtype, double value)
{
    const char *name = dv_put_new_name(put, put->op->name);
    dv_text tensor = {0};
    put_tensor_head(&tensor, name, dtype, NULL, 0);
    put_raw(&tensor, dtype, value, 1);
    return put_constant(put, name, &tensor);
}

const char *dv_put_floats(dv_onnx_put *put, const float *values, size_t count)
{
    const char *name = dv_put_new_name(put, put->op->name);
    dv_text tensor = {0};
    put_tensor_head(&tensor, name, DV_DTYPE_F32, (const int64_t[]){(int64_t)count}, 1);
    dv_pb_put_bytes(&tensor, 9, values, count * sizeof *values);
    return put_constant(put, name, &tensor);
}

const char *dv_put_zeros(dv_onnx_put *put, dv_dtype dtype, const int32_t *values, size_t count)
{
    const char *name = dv_put_new_name(put, put->op->name);
    size_t width = dv_dtype_bytes(dtype);
    dv_text tensor = {0};
    put_tensor_head(&tensor, name, dtype, (const int64_t[]){(int64_t)count}, count > 1);
    dv_pb_put_head(&tensor, 9, count * width);
    for (size_t i = 0; i < count; i++)
        for (size_t byte = 0; byte < width; byte++)
            dv_text_append_n(&tensor, &(char){(char)((uint32_t)values[i] >> (8 * byte))}, 1);
    return put_constant(put, name, &tensor);
}

const char *dv_put_list(dv_onnx_put *put, dv_dtype dtype, double value, size_t count)
{
    const char *name = dv_put_new_name(put, put->op->name);
    dv_text tensor = {0};
    put_tensor_head(&tensor, name, dtype, (const int64_t[]){(int64_t)count}, 1);
    put_raw(&tensor, dtype, value, count);
    return put_constant(put, name, &tensor);
}

/* ---- nodes ---- */

static bool is_last(dv_onnx_put *put, const char *const *outputs, size_t count)
{
    for (uint32_t i = 0; i < put->op->output_count; i++)
        for (size_t k = 0; k < count && put->op->outputs[i] != DV_NONE; k++)
            if (strcmp(dv_put_output(put, i), outputs[k]) == 0)
                return true;
    return false;
}

/* A name that no node has yet: `base`, or `base` with a number. */
static const char *node_name(dv_onnx_put *put, const char *base)
{
    const char *name = base;
    for (unsigned i = 2; name && dv_names_find(&put->node_names, span_of(name), 0); i++)
        name = dv_arena_printf(put->arena, "%s#%u", base, i);
    if (!name || dv_names_put(&put->node_names, span_of(name), 1) != DV_OK) {
        put->failed = true;
        return "";
    }
    return name;
}

void dv_put_node(dv_onnx_put *put, const char *type, const char *const *inputs, size_t input_count,
                 const char *const *outputs, size_t output_count)
{
    dv_text node = {0};
    while (input_count > 0 && !*inputs[input_count - 1])
        input_count--;
    for (size_t i = 0; i < input_count; i++)
        dv_pb_put_text(&node, 1, inputs[i]);
    for (size_t i = 0; i < output_count; i++)
        dv_pb_put_text(&node, 2, outputs[i]);
    const char *name = put->op->name;
    if (!is_last(put, outputs, output_count))
        name = dv_arena_printf(put->arena, "%s/%s", put->op->name, type);
    dv_pb_put_text(&node, 3, node_name(put, name));
    dv_pb_put_text(&node, 4, type);
    dv_text_append_n(&node, dv_text_string(&put->attributes), put->attributes.length);
    node.failed |= put->attributes.failed;
    dv_pb_put_message(&put->nodes, 1, &node);
    dv_text_free(&node);
    dv_text_free(&put->attributes);
    put->attributes = (dv_text){0};
}

static void put_few(dv_onnx_put *put, const char *type, const char *output, const char *a,
                    const char *b, const char *c)
{
    const char *inputs[] = {a, b, c};
    size_t count = !a ? 0 : !b ? 1 : !c ? 2 : 3;
    dv_put_node(put, type, inputs, count, &output, 1);
}

const char *dv_put_part(dv_onnx_put *put, const char *type, const char *a, const char *b,
                        const char *c)
{
    const char *output = dv_put_new_name(put, put->op->name);
    put_few(put, type, output, a, b, c);
    return output;
}

dv_status dv_put_last(dv_onnx_put *put, const char *type, const char *a, const char *b,
                      const char *c)
{
    put_few(put, type, dv_put_output(put, 0), a, b, c);
    return DV_OK;
}

dv_status dv_put_whole(dv_onnx_put *put, const char *type)
{
    uint32_t inputs = put->op->input_count, outputs = put->op->output_count;
    const char **names = dv_arena_array(put->arena, (size_t)inputs + outputs, sizeof *names);
    if (!names)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < inputs; i++)
        names[i] = dv_put_input(put, i);
    for (uint32_t i = 0; i < outputs; i++)
        names[inputs + i] = dv_put_output(put, i);
    dv_put_node(put, type, names, inputs, names + inputs, outputs);
    return DV_OK;
}

/* ---- quantised operands ---- */

/* Converts a tensor to the numbers it stands for, or back. */
static void put_conversion(dv_onnx_put *put, const char *type, const dv_tensor *tensor,
                           const char *from, const char *to)
{
    const dv_quant *quant = &tensor->quant;
    bool is_i32 = tensor->dtype == DV_DTYPE_I32; /* its zero point must be 0, and is left out */
    const char *scale = quant->count == 1
                            ? dv_put_scalar(put, DV_DTYPE_F32, (double)quant->scale[0])
                            : dv_put_floats(put, quant->scale, quant->count);
    const char *zero = is_i32 ? "" : dv_put_zeros(put, tensor->dtype, quant->zero, quant->count);
    if (quant->count > 1)
        dv_put_int(put, "axis", quant->axis);
    if (tensor->dtype == DV_DTYPE_I16 || tensor->dtype == DV_DTYPE_U16)
        dv_put_need(put, 21);
    dv_put_node(put, type, (const char *const[]){from, scale, zero}, 3, &to, 1);
}

static dv_status check_conversion(const dv_onnx_put *put, const dv_tensor *tensor, bool back)
{
    for (uint32_t i = 0; i < tensor->quant.count; i++)
        if (tensor->dtype == DV_DTYPE_I32 && (back || tensor->quant.zero[i] != 0))
            return dv_put_refuse(put, "'%.80s' is quantised to i32", tensor->name);
    return DV_OK;
}

dv_status dv_put_begin(dv_onnx_put *put, const dv_op *op, const char *type)
{
    put->op = op;
    put->type = type;
    put->quantised = dv_op_is_quantised(put->graph, op);
    for (uint32_t i = 0; put->quantised && i < op->output_count; i++) {
        if (op->outputs[i] == DV_NONE || !is_converted(put, op->outputs[i]))
            continue;
        const dv_tensor *tensor = &put->graph->tensors[op->outputs[i]];
        DV_TRY(check_conversion(put, tensor, true));
        put->before[op->outputs[i]] = dv_put_new_name(put, tensor->name);
    }
    for (uint32_t i = 0; put->quantised && i < op->input_count; i++) {
        if (op->inputs[i] == DV_NONE || !is_converted(put, op->inputs[i]) ||
            put->real[op->inputs[i]])
            continue;
        const dv_tensor *tensor = &put->graph->tensors[op->inputs[i]];
        DV_TRY(check_conversion(put, tensor, false));
        put->real[op->inputs[i]] = dv_put_new_name(put, tensor->name);
        put_conversion(put, "DequantizeLinear", tensor, tensor->name, put->real[op->inputs[i]]);
    }
    return DV_OK;
}

void dv_put_end(dv_onnx_put *put)
{
    for (uint32_t i = 0; put->quantised && i < put->op->output_count; i++) {
        if (put->op->outputs[i] == DV_NONE || !is_converted(put, put->op->outputs[i]))
            continue;
        const dv_tensor *tensor = &put->graph->tensors[put->op->outputs[i]];
        put_conversion(put, "QuantizeLinear", tensor, put->before[put->op->outputs[i]],
                       tensor->name);
    }
    put->quantised = false;
}

void dv_put_value_info(dv_text *out, uint32_t number, const dv_tensor *tensor, const char *name)
{
    dv_text shape = {0}, body = {0}, type = {0}, info = {0};
    for (uint8_t d = 0; d < tensor->shape.rank; d++) {
        dv_text dim = {0};
        dv_pb_put_int(&dim, 1, tensor->shape.dim[d]);
        dv_pb_put_message(&shape, 1, &dim);
        dv_text_free(&dim);
    }
    dv_pb_put_int(&body, 1, dv_onnx_type_of(tensor->dtype));
    dv_pb_put_message(&body, 2, &shape);
    dv_pb_put_message(&type, 1, &body);
    dv_pb_put_text(&info, 1, name);
    dv_pb_put_message(&info, 2, &type);
    dv_pb_put_message(out, number, &info);
    dv_text_free(&shape);
    dv_text_free(&body);
    dv_text_free(&type);
    dv_text_free(&info);
}
