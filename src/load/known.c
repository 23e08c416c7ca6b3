/* known.c - numbers that follow from constants alone. */
#include "load/known.h"

#include <math.h>
#include <stdlib.h>

static bool is_one(const dv_shape *shape)
{
    size_t elements;
    return dv_shape_known(shape) && dv_shape_elements(shape, &elements) && elements == 1;
}

static double number_of(const dv_tensor *tensor)
{
    int64_t whole;
    float real;
    if (tensor->role != DV_ROLE_CONSTANT || tensor->data.storage == DV_STORAGE_NONE ||
        !is_one(&tensor->shape))
        return NAN;
    if (dv_tensor_read_i64(tensor, 0, 1, &whole))
        return fabs((double)whole) < 0x1p53 ? (double)whole : NAN;
    return dv_tensor_read_f32(tensor, 0, 1, &real) ? (double)real : NAN;
}

static bool is_real(dv_dtype dtype)
{
    return dtype == DV_DTYPE_F32 || dtype == DV_DTYPE_F64;
}

static double cast(dv_dtype to, double a)
{
    return to == DV_DTYPE_BOOL ? a != 0 : is_real(to) ? a : trunc(a);
}

static double unary(const dv_op *op, double a)
{
    switch (op->kind) {
    case DV_OP_IDENTITY:
    case DV_OP_VIEW:
    case DV_OP_SQUEEZE:
    case DV_OP_UNSQUEEZE:
    case DV_OP_EXPAND:
        return a;
    case DV_OP_CAST:
        return cast(op->params.cast.dtype, a);
    case DV_OP_NEG:
        return -a;
    case DV_OP_LOGICAL_NOT:
        return a == 0;
    default:
        return NAN;
    }
}

static double binary(const dv_op *op, double a, double b)
{
    switch (op->kind) {
    case DV_OP_ADD:
        return a + b;
    case DV_OP_SUB:
        return a - b;
    case DV_OP_MUL:
        return a * b;
    case DV_OP_MINIMUM:
        return fmin(a, b);
    case DV_OP_MAXIMUM:
        return fmax(a, b);
    case DV_OP_EQ:
        return a == b;
    case DV_OP_NE:
        return a != b;
    case DV_OP_LT:
        return a < b;
    case DV_OP_LE:
        return a <= b;
    case DV_OP_GT:
        return a > b;
    case DV_OP_GE:
        return a >= b;
    case DV_OP_LOGICAL_AND:
        return a != 0 && b != 0;
    case DV_OP_LOGICAL_OR:
        return a != 0 || b != 0;
    default:
        return NAN;
    }
}

/* Whole numbers wrap around and f32 rounds after each operator; what could do so is not known. */
static double keep(const dv_tensor *tensor, double value)
{
    if (tensor->dtype == DV_DTYPE_F32)
        return (double)(float)value;
    bool small = tensor->dtype == DV_DTYPE_I64 || tensor->dtype == DV_DTYPE_I32 ||
                 tensor->dtype == DV_DTYPE_BOOL || tensor->dtype == DV_DTYPE_F64;
    return small && fabs(value) < 0x1p31 ? value : NAN;
}

/* The value of an operator's output, given those of its inputs. */
static double compute(const dv_known *known, const dv_graph *graph, const dv_op *op)
{
    double in[2] = {NAN, NAN};
    if (op->kind == DV_OP_FULL && op->input_count == 0 && is_one(&op->params.full.shape))
        return op->params.full.value;
    if (op->input_count < 1 || op->input_count > 2)
        return NAN;
    for (uint32_t i = 0; i < op->input_count; i++) {
        if (op->inputs[i] == DV_NONE)
            return NAN;
        in[i] = known->numbers[op->inputs[i]];
        if (isnan(in[i]) || !is_one(&graph->tensors[op->inputs[i]].shape))
            return NAN;
    }
    return op->input_count == 1 ? unary(op, in[0]) : binary(op, in[0], in[1]);
}

dv_status dv_known_number(dv_known *known, const dv_graph *graph, dv_tensor_id id, bool *is_known,
                          double *out)
{
    void *numbers = known->numbers;
    if (!dv_grow(&numbers, &known->capacity, graph->tensor_count, sizeof *known->numbers))
        return dv_fail(DV_NO_MEMORY, "out of memory");
    known->numbers = numbers;
    for (; known->tensors < graph->tensor_count; known->tensors++)
        known->numbers[known->tensors] = number_of(&graph->tensors[known->tensors]);
    for (; known->seen < graph->op_count; known->seen++) {
        const dv_op *op = &graph->ops[known->seen];
        dv_tensor_id made = op->output_count == 1 ? op->outputs[0] : DV_NONE;
        if (made == DV_NONE || graph->tensors[made].role == DV_ROLE_CONSTANT)
            continue;
        /* one that the file gives another shape, or none, has as many elements as its inputs */
        const dv_shape *shape = &graph->tensors[made].shape;
        if (is_one(shape) || (!dv_shape_known(shape) && op->kind != DV_OP_EXPAND))
            known->numbers[made] = keep(&graph->tensors[made], compute(known, graph, op));
    }
    *is_known = id < known->tensors && !isnan(known->numbers[id]);
    *out = *is_known ? known->numbers[id] : 0;
    return DV_OK;
}

void dv_known_free(dv_known *known)
{
    free(known->numbers);
    *known = (dv_known){0};
}
