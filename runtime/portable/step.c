/* step.c - one operator with its kernel: from the graph's rows to operands with memory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/portable/kernel.h"
#include "runtime/portable/portable.h"
#include "runtime/portable/quantised.h"

static const dv_kernel_row rows[DV_OP_COUNT] = {
#define KERNEL(kind, function, rule) \
    [DV_OP_##kind].run = dv_kernel_##function, [DV_OP_##kind].check = dv_check_##rule,
#define SCRATCH(kind, function) [DV_OP_##kind].scratch = dv_scratch_##function,
#include "runtime/portable/kernels.def"
#undef KERNEL
#undef SCRATCH
};

const dv_kernel_row *dv_kernel_of(dv_op_kind kind)
{
    return &rows[kind];
}

/* Operators of ordinary size are described without allocation; only joins and splits are larger. */
enum { FEW = 8 };

struct dv_portable_op {
    const dv_kernel_row *row;
    dv_kernel_call call;
    dv_operand few[2][FEW];
    dv_operand *many; /* owned, if FEW is not enough */
    void *scratch;    /* owned */
    size_t found;
    uint32_t quantised_count;
    dv_quantised *quantised; /* owned; operands that the kernel sees as f32 */
};

static const char *fill_operands(const dv_graph *graph, const dv_tensor_id *ids, uint32_t count,
                                 dv_operand *operands)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ids[i] == DV_NONE)
            continue;
        const dv_tensor *tensor = &graph->tensors[ids[i]];
        size_t bytes;
        if (!dv_tensor_bytes(tensor, &bytes) ||
            !dv_shape_elements(&tensor->shape, &operands[i].count))
            return "a tensor's size is not known";
        operands[i].dtype = tensor->dtype;
        operands[i].shape = tensor->shape;
    }
    return NULL;
}

/* The kernel of an operator on quantised tensors sees f32 in their place; so does one on floats of
   16 bits that knows no other than f32. */
static const char *describe_quantised(const dv_graph *graph, const dv_op *source,
                                      dv_portable_op *op)
{
    uint32_t count = source->input_count + source->output_count;
    bool halves = dv_is_of_halves(graph, source);
    if (!halves && (!dv_op_is_quantised(graph, source) || dv_quantised_moves(graph, source)))
        return NULL;
    op->quantised = calloc(count, sizeof *op->quantised);
    if (!op->quantised)
        return "out of memory";
    for (uint32_t i = 0; i < count; i++) {
        bool is_output = i >= source->input_count;
        uint32_t k = is_output ? i - source->input_count : i;
        dv_tensor_id id = is_output ? source->outputs[k] : source->inputs[k];
        if (id == DV_NONE || (!halves && graph->tensors[id].quant.count == 0))
            continue;
        dv_quantised *q = &op->quantised[op->quantised_count++];
        dv_quantised_begin(q, is_output ? &op->call.outputs[k] : &op->call.inputs[k],
                           &graph->tensors[id]);
        q->is_output = is_output;
        q->halves = is_output ? dv_halves_of(graph, source) : DV_HALVES_LOST;
    }
    return NULL;
}

/* Fills *op from the graph; a kernel that takes k inputs finds k operands, given or not. */
static const char *describe(const dv_graph *graph, dv_op_id id, dv_portable_op *op)
{
    const dv_op *source = &graph->ops[id];
    const dv_op_info *info = dv_op_info_of(source->kind);
    memset(op, 0, sizeof *op);
    op->row = dv_kernel_of(source->kind);
    if (!op->row->run)
        return "there is no kernel for it";
    if (source->input_count < info->least_inputs || source->input_count > info->most_inputs ||
        source->output_count < 1)
        return "it is not in core form: lower the graph first";
    dv_operand *inputs = op->few[0], *outputs = op->few[1];
    if (source->input_count > FEW || source->output_count > FEW) {
        op->many =
            calloc((size_t)source->input_count + source->output_count + FEW, sizeof *op->many);
        if (!op->many)
            return "out of memory";
        inputs = op->many;
        outputs = inputs + source->input_count + FEW;
    }
    op->call = (dv_kernel_call){.op = source,
                                .input_count = source->input_count,
                                .output_count = source->output_count,
                                .inputs = inputs,
                                .outputs = outputs};
    const char *fault = fill_operands(graph, source->inputs, source->input_count, inputs);
    if (!fault)
        fault = fill_operands(graph, source->outputs, source->output_count, outputs);
    if (!fault)
        fault = describe_quantised(graph, source, op);
    for (uint32_t i = 0; !fault && i < info->least_inputs; i++)
        if (!dv_given(&inputs[i]))
            fault = "an input that it needs is left out";
    if (!fault && source->output_count == 1 && !dv_given(&outputs[0]))
        fault = "it has no output";
    return fault ? fault : op->row->check(&op->call);
}

static void release(dv_portable_op *op)
{
    for (uint32_t i = 0; i < op->quantised_count; i++)
        free(op->quantised[i].owned);
    free(op->quantised);
    free(op->many);
    free(op->scratch);
}

bool dv_portable_supports(const dv_graph *graph, dv_op_id id, dv_dtype precision, char *why,
                          size_t size)
{
    if (precision != DV_DTYPE_F32) {
        snprintf(why, size, "portable computes in f32 only");
        return false;
    }
    dv_portable_op op;
    const char *fault = describe(graph, id, &op);
    release(&op);
    if (fault)
        snprintf(why, size, "%s", fault);
    return !fault;
}

dv_status dv_portable_op_create(const dv_graph *graph, dv_op_id id, dv_portable_op **out)
{
    *out = NULL;
    dv_portable_op *op = malloc(sizeof *op);
    if (!op)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    const char *fault = describe(graph, id, op);
    if (fault) {
        dv_op_kind kind = graph->ops[id].kind;
        dv_portable_op_destroy(op);
        return dv_fail(DV_BAD_INPUT, "operator '%s' (%s): %s", graph->ops[id].name,
                       dv_op_info_of(kind)->name, fault);
    }
    op->call.found = &op->found;
    size_t bytes = op->row->scratch ? op->row->scratch(&op->call) : 0;
    if (bytes > 0) {
        op->scratch = bytes == SIZE_MAX ? NULL : calloc(1, bytes);
        if (!op->scratch) {
            dv_portable_op_destroy(op);
            return dv_fail(DV_NO_MEMORY, "operator '%s': no memory to compute it in",
                           graph->ops[id].name);
        }
        op->call.scratch = op->scratch;
    }
    for (uint32_t i = 0; i < op->quantised_count; i++) {
        dv_status status = dv_quantised_allocate(&op->quantised[i]);
        if (status != DV_OK) {
            dv_portable_op_destroy(op);
            return status;
        }
    }
    *out = op;
    return DV_OK;
}

void dv_portable_op_destroy(dv_portable_op *op)
{
    if (!op)
        return;
    release(op);
    free(op);
}

void dv_portable_op_bind(dv_portable_op *op, const void *const *inputs, void *const *outputs)
{
    /* An operand's data is not const, because outputs are operands too; kernels only read inputs.
     */
    for (uint32_t i = 0; i < op->call.input_count; i++)
        memcpy(&op->call.inputs[i].data, &inputs[i], sizeof(void *));
    for (uint32_t i = 0; i < op->call.output_count; i++)
        op->call.outputs[i].data = outputs[i];
    for (uint32_t i = 0; i < op->quantised_count; i++) {
        dv_quantised *q = &op->quantised[i];
        q->ready &= q->integers.data == q->seen->data;
        q->integers.data = q->seen->data;
        q->seen->data = q->owned;
    }
}

size_t dv_portable_op_found(const dv_portable_op *op)
{
    return op->found;
}

dv_status dv_portable_op_run(dv_portable_op *op)
{
    for (uint32_t i = 0; i < op->quantised_count; i++)
        if (!op->quantised[i].is_output)
            dv_quantised_load(&op->quantised[i]);
    DV_TRY(op->row->run(&op->call));
    for (uint32_t i = 0; i < op->quantised_count; i++)
        if (op->quantised[i].is_output)
            dv_quantised_store(&op->quantised[i]);
    return DV_OK;
}

dv_status dv_portable_constant(const dv_tensor *tensor, const void **data, void **owned)
{
    *data = NULL;
    *owned = NULL;
    const uint8_t *raw = dv_tensor_raw(tensor);
    size_t element = dv_dtype_bytes(tensor->dtype), count, bytes;
    if (raw && element && (uintptr_t)raw % element == 0) {
        *data = raw;
        return DV_OK;
    }
    if (!dv_shape_elements(&tensor->shape, &count) || !dv_tensor_bytes(tensor, &bytes))
        return dv_fail(DV_BAD_INPUT, "tensor '%s' has no size", tensor->name);
    *owned = malloc(bytes ? bytes : 1);
    if (!*owned)
        return dv_fail(DV_NO_MEMORY, "no memory for the %zu bytes of tensor '%s'", bytes,
                       tensor->name);
    dv_tensor_read(tensor, 0, count, *owned);
    *data = *owned;
    return DV_OK;
}
