/* kernel_case.c - builds a graph of one operator and runs it on the portable kernels. */
#include "tests/unit/kernel_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/portable/portable.h"

kernel_case kernel_case_of(dv_op_kind kind)
{
    kernel_case c;
    memset(&c, 0, sizeof c);
    c.kind = kind;
    return c;
}

static dv_shape shape_of(const char *text)
{
    dv_shape shape = {0};
    while (*text) {
        shape.dim[shape.rank++] = strtoll(text, (char **)&text, 10);
        text += *text == 'x';
    }
    return shape;
}

static void count_up(kernel_operand *operand, size_t count)
{
    for (size_t i = 0; i < count; i++)
        switch (operand->dtype) {
        case DV_DTYPE_F32:
            ((float *)operand->data)[i] = (float)i;
            break;
        case DV_DTYPE_I64:
            ((int64_t *)operand->data)[i] = (int64_t)i;
            break;
        case DV_DTYPE_I32:
            ((int32_t *)operand->data)[i] = (int32_t)i;
            break;
        case DV_DTYPE_U8:
        case DV_DTYPE_I8:
        case DV_DTYPE_BOOL:
            ((uint8_t *)operand->data)[i] = (uint8_t)i;
            break;
        default:
            abort();
        }
}

static kernel_operand operand_of(dv_dtype dtype, const char *shape)
{
    kernel_operand operand = {.dtype = dtype, .shape = shape_of(shape)};
    dv_tensor tensor = {.dtype = dtype, .shape = operand.shape};
    if (!dv_tensor_bytes(&tensor, &operand.bytes))
        operand.bytes = 0;
    operand.data = malloc(operand.bytes ? operand.bytes : 1);
    if (!operand.data)
        abort();
    return operand;
}

void kernel_input(kernel_case *c, dv_dtype dtype, const char *shape, const void *data)
{
    kernel_operand operand = operand_of(dtype, shape);
    if (dtype != DV_DTYPE_NONE && data)
        memcpy(operand.data, data, operand.bytes);
    else if (dtype != DV_DTYPE_NONE)
        count_up(&operand, operand.bytes / dv_dtype_bytes(dtype));
    c->inputs[c->input_count++] = operand;
}

void kernel_output(kernel_case *c, dv_dtype dtype, const char *shape)
{
    c->outputs[c->output_count] = operand_of(dtype, shape);
    memset(c->outputs[c->output_count].data, 0xee, c->outputs[c->output_count].bytes);
    c->output_count++;
}

static dv_tensor_id add_tensor(dv_graph *graph, const kernel_operand *operand, const char *name,
                               dv_role role)
{
    dv_tensor tensor = {
        .name = name, .dtype = operand->dtype, .shape = operand->shape, .role = role};
    dv_tensor_id id = DV_NONE;
    if (operand->dtype != DV_DTYPE_NONE && dv_graph_add_tensor(graph, &tensor, &id) != DV_OK)
        abort();
    return id;
}

static void build(kernel_case *c)
{
    dv_tensor_id inputs[KERNEL_OPERANDS], outputs[KERNEL_OPERANDS];
    c->graph = dv_graph_create("case", "graph");
    for (uint32_t i = 0; i < c->input_count; i++)
        inputs[i] = add_tensor(c->graph, &c->inputs[i], "in", DV_ROLE_INPUT);
    for (uint32_t i = 0; i < c->output_count; i++)
        outputs[i] = add_tensor(c->graph, &c->outputs[i], "out", DV_ROLE_ACTIVATION);
    dv_op op = {.kind = c->kind,
                .name = "it",
                .source_type = "It",
                .input_count = c->input_count,
                .output_count = c->output_count,
                .inputs = inputs,
                .outputs = outputs,
                .params = c->params};
    if (dv_graph_add_op(c->graph, &op, &(dv_op_id){0}) != DV_OK)
        abort();
    for (uint32_t i = 0; i < c->output_count; i++)
        if (outputs[i] != DV_NONE && dv_graph_add_output(c->graph, outputs[i]) != DV_OK)
            abort();
    if (dv_graph_finish(c->graph) != DV_OK)
        abort();
}

dv_status kernel_run(kernel_case *c)
{
    if (!c->graph)
        build(c);
    if (!dv_portable_supports(c->graph, 0, DV_DTYPE_F32, c->why, sizeof c->why))
        return DV_BAD_INPUT;
    dv_portable_op *op;
    DV_TRY(dv_portable_op_create(c->graph, 0, &op));
    const void *inputs[KERNEL_OPERANDS];
    void *outputs[KERNEL_OPERANDS];
    for (uint32_t i = 0; i < c->input_count; i++)
        inputs[i] = c->inputs[i].dtype == DV_DTYPE_NONE ? NULL : c->inputs[i].data;
    for (uint32_t i = 0; i < c->output_count; i++)
        outputs[i] = c->outputs[i].dtype == DV_DTYPE_NONE ? NULL : c->outputs[i].data;
    dv_portable_op_bind(op, inputs, outputs);
    dv_status status = dv_portable_op_run(op);
    dv_portable_op_destroy(op);
    return status;
}

void kernel_end(kernel_case *c)
{
    for (uint32_t i = 0; i < c->input_count; i++)
        free(c->inputs[i].data);
    for (uint32_t i = 0; i < c->output_count; i++)
        free(c->outputs[i].data);
    dv_graph_destroy(c->graph);
    memset(c, 0, sizeof *c);
}

static bool near(float a, float b, double tolerance)
{
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    if (isinf(a) || isinf(b))
        return a == b;
    return fabs((double)a - (double)b) <= tolerance * (1 + fabs((double)b));
}

bool kernel_gives(kernel_case *c, const void *expected, size_t count, double tolerance)
{
    const char *name = dv_op_info_of(c->kind)->name;
    if (kernel_run(c) != DV_OK) {
        printf("\n    %s: %s\n", name, c->why[0] ? c->why : dv_message());
        return false;
    }
    const kernel_operand *out = &c->outputs[0];
    size_t size = dv_dtype_bytes(out->dtype);
    if (out->bytes != count * size) {
        printf("\n    %s: the case expects %zu elements of %zu\n", name, count, out->bytes / size);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const float *got = out->data, *want = expected;
        bool same = out->dtype == DV_DTYPE_F32
                        ? near(got[i], want[i], tolerance)
                        : memcmp((char *)out->data + i * size, (const char *)expected + i * size,
                                 size) == 0;
        if (!same && out->dtype == DV_DTYPE_F32)
            printf("\n    %s: element %zu is %.9g, not %.9g\n", name, i, (double)got[i],
                   (double)want[i]);
        else if (!same)
            printf("\n    %s: element %zu differs\n", name, i);
        if (!same)
            return false;
    }
    return true;
}
