/* step.c - descriptions of tensors, packed constants, and the life of one primitive in a program.
 */
#include <stdlib.h>
#include <string.h>

#include "runtime/memplan.h"
#include "runtime/onednn/ops.h"

const dv_dnn_context *dv_dnn_context_of(const dv_program *program)
{
    return dv_program_context(program);
}

static dv_status failed(const char *doing, dnnl_status_t status)
{
    if (status == dnnl_out_of_memory)
        return dv_fail(DV_NO_MEMORY, "oneDNN ran out of memory");
    return dv_fail(DV_INTERNAL, "oneDNN could not %s (status %d)", doing, (int)status);
}

/* ---- descriptions ---- */

dnnl_memory_desc_t dv_dnn_desc_padded(const dv_shape *shape, uint8_t rank)
{
    dnnl_memory_desc_t desc = {0};
    dnnl_dims_t dims, strides;
    uint8_t ones = (uint8_t)(rank - shape->rank);
    for (uint8_t i = 0; i < rank; i++)
        dims[i] = i < ones ? 1 : shape->dim[i - ones];
    int64_t stride = 1;
    for (uint8_t i = rank; i-- > 0;) {
        strides[i] = stride;
        stride *= dims[i];
    }
    if (dnnl_memory_desc_init_by_strides(&desc, rank, dims, dnnl_f32, strides) != dnnl_success)
        memset(&desc, 0, sizeof desc);
    return desc;
}

dnnl_memory_desc_t dv_dnn_desc(const dv_dnn_context *context, const dv_shape *shape,
                               uint32_t layout)
{
    dnnl_memory_desc_t desc = {0};
    if (layout == DV_LAYOUT_PLAIN)
        return dv_dnn_desc_padded(shape, shape->rank > 0 ? shape->rank : 1);
    dnnl_dims_t dims = {shape->dim[0], shape->dim[1], shape->dim[2], shape->dim[3]};
    dnnl_format_tag_t tag = layout == DV_LAYOUT_CHANNELS_LAST ? dnnl_nhwc : context->blocked;
    if (dnnl_memory_desc_init_by_tag(&desc, 4, dims, dnnl_f32, tag) != dnnl_success)
        memset(&desc, 0, sizeof desc);
    return desc;
}

uint32_t dv_dnn_layout_of(const dv_dnn_context *context, const dv_shape *shape,
                          const dnnl_memory_desc_t *desc)
{
    uint32_t layout = shape->rank == 4 ? DV_LAYOUT_OWN : DV_LAYOUT_PLAIN;
    for (;; layout--) {
        dnnl_memory_desc_t ours = dv_dnn_desc(context, shape, layout);
        if (dnnl_memory_desc_equal(&ours, desc))
            return layout;
        if (layout == DV_LAYOUT_PLAIN)
            return DV_LAYOUT_COUNT;
    }
}

uint32_t dv_dnn_at_hand(const dv_program *program, dv_tensor_id tensor)
{
    const dv_tensor *t = &dv_program_graph(program)->tensors[tensor];
    unsigned mask = dv_program_layouts(program, tensor);
    if (t->role == DV_ROLE_CONSTANT || t->shape.rank != 4)
        return DV_LAYOUT_PLAIN;
    for (uint32_t layout = DV_LAYOUT_OWN; layout > DV_LAYOUT_PLAIN; layout--)
        if (mask & 1u << layout)
            return layout;
    return DV_LAYOUT_PLAIN;
}

bool dv_dnn_is_constant(const dv_graph *graph, dv_tensor_id tensor)
{
    return tensor != DV_NONE && graph->tensors[tensor].role == DV_ROLE_CONSTANT;
}

/* ---- primitives ---- */

dnnl_primitive_desc_t dv_dnn_describe(const dv_program *program, const void *op_desc,
                                      dnnl_primitive_attr_t attr, bool fast_only)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_attr_t own = NULL;
    const char *implementation = NULL;
    if (!attr && dnnl_primitive_attr_create(&own) != dnnl_success)
        return NULL;
    dnnl_primitive_attr_t used = attr ? attr : own;
    dnnl_primitive_attr_set_scratchpad_mode(used, dnnl_scratchpad_mode_user);
    if (dnnl_primitive_desc_create(&pd, op_desc, used, dv_dnn_context_of(program)->engine, NULL) !=
        dnnl_success)
        pd = NULL;
    if (own)
        dnnl_primitive_attr_destroy(own);
    if (pd && fast_only &&
        dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &implementation) ==
            dnnl_success &&
        strncmp(implementation, "ref", 3) == 0) {
        dnnl_primitive_desc_destroy(pd);
        pd = NULL;
    }
    return pd;
}

dnnl_memory_desc_t dv_dnn_query(dnnl_primitive_desc_t pd, dnnl_query_t what)
{
    const dnnl_memory_desc_t *desc = dnnl_primitive_desc_query_md(pd, what, 0);
    dnnl_memory_desc_t none = {0};
    return desc ? *desc : none;
}

typedef struct dnn_step {
    dnnl_primitive_t primitive;
    dnnl_stream_t stream;
    uint32_t count, bound; /* arguments; those first ones that are values */
    dnnl_exec_arg_t *args;
    void **owned; /* memory of constants, per argument */
} dnn_step;

static dv_status bind_step(void *object, void *const *memory)
{
    dnn_step *step = object;
    for (uint32_t i = 0; i < step->bound; i++) {
        dnnl_status_t status = dnnl_memory_set_data_handle(step->args[i].memory, memory[i]);
        if (status != dnnl_success)
            return failed("bind memory", status);
    }
    return DV_OK;
}

static dv_status run_step(void *object)
{
    const dnn_step *step = object;
    dnnl_status_t status =
        dnnl_primitive_execute(step->primitive, step->stream, (int)step->count, step->args);
    return status == dnnl_success ? DV_OK : failed("run a primitive", status);
}

static void destroy_step(void *object)
{
    dnn_step *step = object;
    for (uint32_t i = 0; i < step->count; i++) {
        if (step->args && step->args[i].memory)
            dnnl_memory_destroy(step->args[i].memory);
        if (step->owned)
            free(step->owned[i]);
    }
    if (step->primitive)
        dnnl_primitive_destroy(step->primitive);
    free(step->args);
    free(step->owned);
    free(step);
}

static const dv_step_code step_code = {bind_step, run_step, destroy_step};

void dv_dnn_free_operands(dv_dnn_operand *operands, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (operands[i].constant)
            dnnl_memory_destroy(operands[i].constant);
        free(operands[i].constant_data);
        operands[i].constant = NULL;
        operands[i].constant_data = NULL;
    }
}

/* Moves the operands into the step: values first. */
static dnnl_status_t fill_step(dnn_step *step, dv_dnn_operand *operands, uint32_t count,
                               dnnl_engine_t engine, dv_value *values)
{
    for (int constants = 0; constants < 2; constants++)
        for (uint32_t i = 0; i < count; i++) {
            dv_dnn_operand *operand = &operands[i];
            if ((operand->value == DV_NONE) != (constants == 1))
                continue;
            dnnl_exec_arg_t *arg = &step->args[step->count];
            arg->arg = operand->arg;
            if (constants) {
                arg->memory = operand->constant;
                step->owned[step->count] = operand->constant_data;
                operand->constant = NULL;
                operand->constant_data = NULL;
            } else {
                values[step->bound++] = operand->value;
                dnnl_status_t status =
                    dnnl_memory_create(&arg->memory, &operand->desc, engine, DNNL_MEMORY_NONE);
                if (status != dnnl_success) {
                    arg->memory = NULL;
                    return status;
                }
            }
            step->count++;
        }
    return dnnl_success;
}

static dv_status add_step(dv_program *program, dnnl_primitive_desc_t pd, dv_dnn_operand *operands,
                          uint32_t count, dv_value *values)
{
    const dv_dnn_context *context = dv_dnn_context_of(program);
    dnn_step *step = calloc(1, sizeof *step);
    if (!step)
        return dv_fail(DV_NO_MEMORY, "no memory for a step");
    step->stream = context->stream;
    step->args = calloc(count + 1, sizeof *step->args);
    step->owned = calloc(count + 1, sizeof *step->owned);
    dnnl_status_t status = step->args && step->owned ? dnnl_success : dnnl_out_of_memory;
    if (status == dnnl_success)
        status = fill_step(step, operands, count, context->engine, values);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&step->primitive, pd);
    if (status != dnnl_success) {
        destroy_step(step);
        return failed("create a primitive", status);
    }
    return dv_program_step(program, &step_code, step, values, step->bound);
}

dv_status dv_dnn_add(dv_program *program, dnnl_primitive_desc_t pd, dv_dnn_operand *operands,
                     uint32_t count)
{
    dv_dnn_operand *all = calloc((size_t)count + 1, sizeof *all);
    dv_value *values = calloc((size_t)count + 1, sizeof *values);
    dv_status status = all && values ? DV_OK : dv_fail(DV_NO_MEMORY, "no memory for a step");
    if (status == DV_OK) {
        memcpy(all, operands, count * sizeof *all);
        memset(operands, 0, count * sizeof *operands);
        dnnl_memory_desc_t scratch = dv_dnn_query(pd, dnnl_query_scratchpad_md);
        size_t bytes = dnnl_memory_desc_get_size(&scratch);
        if (bytes > 0) {
            all[count] = (dv_dnn_operand){.arg = DNNL_ARG_SCRATCHPAD, .desc = scratch};
            status = dv_program_scratch(program, bytes, &all[count++].value);
        }
        if (status == DV_OK)
            status = add_step(program, pd, all, count, values);
        dv_dnn_free_operands(all, count);
    }
    dv_dnn_free_operands(operands, all && values ? 0 : count);
    dnnl_primitive_desc_destroy(pd);
    free(all);
    free(values);
    return status;
}

dv_status dv_dnn_add_reorder(dv_program *program, const dnnl_memory_desc_t *from_desc,
                             dv_value from, const dnnl_memory_desc_t *to_desc, dv_value to)
{
    dnnl_engine_t engine = dv_dnn_context_of(program)->engine;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(&attr);
    if (status == dnnl_success) {
        dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
        status = dnnl_reorder_primitive_desc_create(&pd, from_desc, engine, to_desc, engine, attr);
        dnnl_primitive_attr_destroy(attr);
    }
    if (status != dnnl_success)
        return failed("change a layout", status);
    dv_dnn_operand operands[2] = {{.arg = DNNL_ARG_FROM, .desc = *from_desc, .value = from},
                                  {.arg = DNNL_ARG_TO, .desc = *to_desc, .value = to}};
    return dv_dnn_add(program, pd, operands, 2);
}

/* ---- constants ---- */

static dnnl_status_t reorder_now(const dv_dnn_context *context, dnnl_memory_t from,
                                 const dnnl_memory_desc_t *from_desc, dnnl_memory_t to,
                                 const dnnl_memory_desc_t *to_desc)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_status_t status = dnnl_reorder_primitive_desc_create(&pd, from_desc, context->engine,
                                                              to_desc, context->engine, NULL);
    if (status != dnnl_success)
        return status;
    status = dnnl_primitive_create(&primitive, pd);
    dnnl_primitive_desc_destroy(pd);
    if (status != dnnl_success)
        return status;
    dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    status = dnnl_primitive_execute(primitive, context->stream, 2, args);
    if (status == dnnl_success)
        status = dnnl_stream_wait(context->stream);
    dnnl_primitive_destroy(primitive);
    return status;
}

dv_status dv_dnn_constant(const dv_program *program, const dv_tensor *tensor, int arg,
                          const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to,
                          dv_dnn_operand *out)
{
    const dv_dnn_context *context = dv_dnn_context_of(program);
    size_t elements = 0, bytes = 0;
    dnnl_memory_t source = NULL;
    dnnl_status_t status = dnnl_out_of_memory;
    *out = (dv_dnn_operand){.arg = arg, .desc = *to, .value = DV_NONE};
    float *plain = NULL;
    if (dv_shape_elements(&tensor->shape, &elements) &&
        dv_mul_size(elements, sizeof *plain, &bytes))
        plain = dv_memplan_allocate(bytes);
    out->constant_data = dv_memplan_allocate(dnnl_memory_desc_get_size(to));
    if (plain && out->constant_data) {
        if (tensor->quant.count > 0)
            (void)dv_tensor_read_numbers(tensor, 0, elements, plain); /* integers have numbers */
        else
            dv_tensor_read(tensor, 0, elements, plain);
        status = dnnl_memory_create(&out->constant, to, context->engine, out->constant_data);
        if (status == dnnl_success)
            status = dnnl_memory_create(&source, from, context->engine, plain);
        if (status == dnnl_success)
            status = reorder_now(context, source, from, out->constant, to);
    }
    if (source)
        dnnl_memory_destroy(source);
    free(plain);
    if (status == dnnl_success)
        return DV_OK;
    dv_dnn_free_operands(out, 1);
    return failed("pack weights", status);
}
