/* onnx_ops.c - the table of operators, and what their readers are made of. */
#include "load/onnx_ops.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/rows.h"

static const dv_onnx_rule rules[] = {
#define RULE(type, kind, reader, least, most, attributes) \
    {type, DV_OP_##kind, dv_onnx_op_##reader, least, most, attributes},
#include "load/onnx_ops.def"
#undef RULE
};

enum { RULE_COUNT = sizeof rules / sizeof rules[0] };

const dv_onnx_rule *dv_onnx_rule_at(size_t i)
{
    return i < RULE_COUNT ? &rules[i] : NULL;
}

static int compare(const void *key, const void *row)
{
    const dv_span *type = key;
    const char *name = ((const dv_onnx_rule *)row)->type;
    size_t length = strlen(name);
    size_t common = type->size < length ? type->size : length;
    int order = common ? memcmp(type->data, name, common) : 0;
    return order ? order : (type->size > length) - (type->size < length);
}

const dv_onnx_rule *dv_onnx_rule_of(dv_span type)
{
    return bsearch(&type, rules, RULE_COUNT, sizeof *rules, compare);
}

const dv_onnx_rule *dv_onnx_rule_in(dv_span domain, dv_span type)
{
    char name[96];
    if (domain.size == 0 || type.size == 0 || domain.size + type.size + 1 > sizeof name)
        return NULL;
    memcpy(name, domain.data, domain.size);
    name[domain.size] = '.';
    memcpy(name + domain.size + 1, type.data, type.size);
    return dv_onnx_rule_of((dv_span){(const uint8_t *)name, domain.size + 1 + type.size});
}

/* ---- attributes ---- */

static dv_onnx_attribute *find(const dv_onnx_at *at, const char *name)
{
    for (uint32_t i = 0; i < at->node->attribute_count; i++)
        if (dv_span_is(at->node->attributes[i].name, name))
            return &at->node->attributes[i];
    return NULL;
}

const dv_onnx_attribute *dv_onnx_attribute_of(const dv_onnx_at *at, const char *name)
{
    return find(at, name);
}

bool dv_onnx_has(const dv_onnx_at *at, const char *name)
{
    return find(at, name) != NULL;
}

/* Finds the attribute; one that holds another type of value is an error. */
static dv_status get(const dv_onnx_at *at, const char *name, unsigned given, const char *what,
                     const dv_onnx_attribute **out)
{
    *out = find(at, name);
    if (*out && !((*out)->given & given))
        return dv_fail(DV_BAD_INPUT, "attribute '%s' must be %s", name, what);
    return DV_OK;
}

dv_status dv_onnx_int(dv_onnx_at *at, const char *name, int64_t absent, int64_t *out)
{
    const dv_onnx_attribute *attribute;
    DV_TRY(get(at, name, DV_ONNX_I, "an integer", &attribute));
    *out = attribute ? attribute->i : absent;
    return DV_OK;
}

dv_status dv_onnx_flag(dv_onnx_at *at, const char *name, bool absent, bool *out)
{
    int64_t value;
    DV_TRY(dv_onnx_int(at, name, absent, &value));
    *out = value != 0;
    return DV_OK;
}

dv_status dv_onnx_float(dv_onnx_at *at, const char *name, double absent, double *out)
{
    const dv_onnx_attribute *attribute;
    DV_TRY(get(at, name, DV_ONNX_F, "a number", &attribute));
    *out = attribute ? (double)attribute->f : absent;
    return DV_OK;
}

dv_status dv_onnx_text(dv_onnx_at *at, const char *name, const char *absent, dv_span *out)
{
    const dv_onnx_attribute *attribute;
    DV_TRY(get(at, name, DV_ONNX_S, "text", &attribute));
    *out = attribute ? attribute->s : (dv_span){(const uint8_t *)absent, strlen(absent)};
    return DV_OK;
}

dv_status dv_onnx_ints(dv_onnx_at *at, const char *name, size_t most, int64_t *out, size_t *count)
{
    const dv_onnx_attribute *attribute;
    *count = 0;
    DV_TRY(get(at, name, DV_ONNX_INTS, "a list of integers", &attribute));
    if (!attribute)
        return DV_OK;
    dv_status status = dv_onnx_read_ints(attribute, at->file, most, out, count);
    return dv_within(status, "attribute '%s' (at most %zu numbers)", name, most);
}

/* ---- inputs ---- */

bool dv_onnx_given_input(const dv_onnx_at *at, uint32_t i)
{
    return i < at->op.input_count && at->inputs[i] != DV_NONE;
}

const dv_tensor *dv_onnx_constant(const dv_onnx_at *at, uint32_t i)
{
    if (!dv_onnx_given_input(at, i))
        return NULL;
    const dv_tensor *tensor = &at->graph->tensors[at->inputs[i]];
    return tensor->role == DV_ROLE_CONSTANT && tensor->data.storage != DV_STORAGE_NONE ? tensor
                                                                                       : NULL;
}

const dv_shape *dv_onnx_shape_of(dv_onnx_at *at, dv_tensor_id id)
{
    static const dv_shape unknown = {.rank = DV_RANK_UNKNOWN};
    const dv_tensor *is;
    if (id == DV_NONE)
        return &unknown;
    if (at->graph->tensors[id].shape.rank != DV_RANK_UNKNOWN)
        is = &at->graph->tensors[id];
    else if (dv_onnx_know(at->known, id, &is) != DV_OK)
        return &unknown;
    dv_shape *copy = dv_arena_alloc(at->arena, sizeof *copy);
    if (!copy)
        return &unknown;
    *copy = is->shape;
    return copy;
}

const dv_tensor *dv_onnx_known_constant(dv_onnx_at *at, uint32_t i)
{
    const dv_tensor *is;
    size_t elements;
    if (!dv_onnx_given_input(at, i) || dv_onnx_know(at->known, at->inputs[i], &is) != DV_OK)
        return NULL;
    bool readable = is->role == DV_ROLE_CONSTANT && is->data.storage != DV_STORAGE_NONE &&
                    dv_shape_elements(&is->shape, &elements) && elements > 0;
    return readable ? is : NULL;
}

dv_dtype dv_onnx_input_dtype(const dv_onnx_at *at, uint32_t i)
{
    dv_dtype dtype =
        dv_onnx_given_input(at, i) ? at->graph->tensors[at->inputs[i]].dtype : DV_DTYPE_NONE;
    return dtype == DV_DTYPE_NONE ? DV_DTYPE_F32 : dtype;
}

/* ---- results ---- */

dv_status dv_onnx_opaque(dv_onnx_at *at, const char *format, ...)
{
    char reason[512];
    va_list list;
    va_start(list, format);
    vsnprintf(reason, sizeof reason, format, list);
    va_end(list);
    at->op.kind = DV_OP_OPAQUE;
    memset(&at->op.params, 0, sizeof at->op.params);
    at->op.reason = dv_arena_copy(at->arena, reason);
    return at->op.reason ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory");
}

/* A constant named after the node's first output; finishing the graph makes names unique. */
static dv_status add_constant(dv_onnx_at *at, const char *suffix, dv_tensor *tensor,
                              dv_tensor_id *id)
{
    tensor->name = dv_arena_printf(at->arena, "%s.%s", at->op.name, suffix);
    tensor->role = DV_ROLE_CONSTANT;
    if (!tensor->name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    return dv_graph_add_tensor(at->graph, tensor, id);
}

dv_status dv_onnx_scalar(dv_onnx_at *at, dv_dtype dtype, double value, dv_tensor_id *id)
{
    dv_tensor tensor = {.dtype = dtype, .data = {.storage = DV_STORAGE_FILL, .shift = value}};
    return add_constant(at, "scalar", &tensor, id);
}

static dv_status add_list(dv_onnx_at *at, dv_dtype dtype, const void *values, size_t count,
                          dv_tensor_id *id)
{
    dv_tensor tensor = {0};
    DV_TRY(dv_onnx_tensor_of(dtype, values, count, 1, &tensor));
    dv_status status = add_constant(at, "list", &tensor, id);
    dv_buffer_release(tensor.data.buffer);
    return status;
}

dv_status dv_onnx_list(dv_onnx_at *at, const int64_t *values, size_t count, dv_tensor_id *id)
{
    return add_list(at, DV_DTYPE_I64, values, count, id);
}

dv_status dv_onnx_floats(dv_onnx_at *at, const float *values, size_t count, dv_tensor_id *id)
{
    return add_list(at, DV_DTYPE_F32, values, count, id);
}

double dv_onnx_first_element(const dv_tensor *tensor)
{
    if (tensor->dtype == DV_DTYPE_F64) {
        double value;
        dv_tensor_read(tensor, 0, 1, &value);
        return value;
    }
    if (dv_dtype_is_float(tensor->dtype)) {
        float value = 0;
        return dv_tensor_read_f32(tensor, 0, 1, &value) ? (double)value : 0.0;
    }
    int64_t value = 0;
    return dv_tensor_read_i64(tensor, 0, 1, &value) ? (double)value : 0.0;
}

/* The element type an operator gives its outputs, as far as loading needs it. */
static dv_dtype output_dtype(const dv_graph *graph, const dv_op *op)
{
    switch (op->kind) {
    case DV_OP_EQ:
    case DV_OP_NE:
    case DV_OP_GT:
    case DV_OP_GE:
    case DV_OP_LT:
    case DV_OP_LE:
    case DV_OP_LOGICAL_NOT:
    case DV_OP_LOGICAL_AND:
    case DV_OP_LOGICAL_OR:
    case DV_OP_LOGICAL_XOR:
    case DV_OP_ISNAN:
    case DV_OP_ISINF:
        return DV_DTYPE_BOOL;
    case DV_OP_SHAPE:
    case DV_OP_NUMEL:
    case DV_OP_NONZERO:
    case DV_OP_NMS:
    case DV_OP_ARGMAX:
    case DV_OP_ARGMIN:
        return DV_DTYPE_I64;
    case DV_OP_CAST:
        return op->params.cast.dtype;
    case DV_OP_FULL:
        return op->params.full.dtype;
    case DV_OP_OPAQUE:
        return DV_DTYPE_NONE;
    case DV_OP_CONV_INTEGER:
    case DV_OP_MATMUL_INTEGER:
        return DV_DTYPE_I32;
    case DV_OP_CHOOSE_QPARAMS:
    case DV_OP_DEQUANTIZE:
        return DV_DTYPE_F32;
    case DV_OP_QUANTIZE:
        return op->input_count > 2 && op->inputs[2] != DV_NONE ? graph->tensors[op->inputs[2]].dtype
                                                               : op->params.quant.dtype;
    default:
        break;
    }
    uint32_t i = op->kind == DV_OP_WHERE ? 1 : 0;
    return i < op->input_count && op->inputs[i] != DV_NONE ? graph->tensors[op->inputs[i]].dtype
                                                           : DV_DTYPE_NONE;
}

dv_status dv_onnx_add(dv_onnx_at *at, const dv_op *op)
{
    dv_dtype dtype = output_dtype(at->graph, op);
    for (uint32_t i = 0; i < op->output_count; i++) {
        if (op->outputs[i] == DV_NONE)
            continue;
        dv_tensor *tensor = dv_graph_tensor_mutable(at->graph, op->outputs[i]);
        if (tensor->role == DV_ROLE_ACTIVATION)
            tensor->dtype = i == 1 && op->kind == DV_OP_TOPK             ? DV_DTYPE_I64
                            : i >= 1 && op->kind == DV_OP_UNIQUE         ? DV_DTYPE_I64
                            : i == 1 && op->kind == DV_OP_MAX_POOL       ? DV_DTYPE_I64
                            : i == 1 && op->kind == DV_OP_CHOOSE_QPARAMS ? DV_DTYPE_U8
                                                                         : dtype;
    }
    dv_op_id id;
    dv_op bound = *op;
    DV_TRY(dv_rows_bind(at->known->options, &bound, at->dims_used));
    return dv_graph_add_op(at->graph, &bound, &id);
}

dv_status dv_onnx_part(dv_onnx_at *at, dv_tensor_id *id)
{
    dv_tensor tensor = {.name = dv_arena_printf(at->arena, "%s.part", at->op.name),
                        .shape = {.rank = DV_RANK_UNKNOWN},
                        .role = DV_ROLE_ACTIVATION};
    if (!tensor.name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    return dv_graph_add_tensor(at->graph, &tensor, id);
}

/* Adds an operator of count inputs; its output is *id, a new tensor if that is DV_NONE. */
static dv_status emit(dv_onnx_at *at, dv_op_kind kind, const dv_op_params *params,
                      const dv_tensor_id *inputs, uint32_t count, dv_tensor_id *id)
{
    if (*id == DV_NONE)
        DV_TRY(dv_onnx_part(at, id));
    dv_op part = at->op;
    part.kind = kind;
    part.inputs = inputs;
    part.input_count = count;
    part.outputs = id;
    part.output_count = 1;
    if (params)
        part.params = *params;
    else
        memset(&part.params, 0, sizeof part.params);
    return dv_onnx_add(at, &part);
}

dv_status dv_onnx_emit(dv_onnx_at *at, dv_op_kind kind, const dv_op_params *params, dv_tensor_id a,
                       dv_tensor_id b, dv_tensor_id *id)
{
    *id = DV_NONE;
    return emit(at, kind, params, (const dv_tensor_id[]){a, b}, b == DV_NONE ? 1 : 2, id);
}

dv_status dv_onnx_emit3(dv_onnx_at *at, dv_op_kind kind, const dv_op_params *params,
                        const dv_tensor_id inputs[3], dv_tensor_id *id)
{
    *id = DV_NONE;
    return emit(at, kind, params, inputs, 3, id);
}

dv_status dv_onnx_emit_to(dv_onnx_at *at, dv_op_kind kind, const dv_op_params *params,
                          dv_tensor_id a, dv_tensor_id b, dv_tensor_id id)
{
    return emit(at, kind, params, (const dv_tensor_id[]){a, b}, b == DV_NONE ? 1 : 2, &id);
}

void dv_onnx_become(dv_onnx_at *at, dv_op_kind kind, dv_tensor_id a, dv_tensor_id b, dv_tensor_id c)
{
    at->op.kind = kind;
    memset(&at->op.params, 0, sizeof at->op.params);
    at->inputs[0] = a;
    at->inputs[1] = b;
    at->inputs[2] = c;
    at->op.input_count = b == DV_NONE ? 1 : c == DV_NONE ? 2 : 3;
}
