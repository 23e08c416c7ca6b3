/* infer.c - the pass that gives every tensor a static shape and every operator its core form.

   Folding (evaluate.c) is interleaved: the target shape of a view is often computed from shapes by
   operators of the graph itself. One walk; O(operators + edges + folded elements). */
#include "lower/infer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lower/evaluate.h"
#include "lower/passes.h"

static dv_status (*const rules[DV_OP_COUNT])(dv_infer *) = {
#define OP(kind, name, family, least, most, params, shape, work) [DV_OP_##kind] = dv_infer_##shape,
#include "core/ops.def"
#undef OP
};

const dv_tensor *dv_infer_input(const dv_infer *infer, uint32_t i)
{
    if (i >= infer->input_count || infer->inputs[i] == DV_NONE)
        return NULL;
    return dv_rewrite_at(infer->rewrite, infer->inputs[i]);
}

dv_status dv_infer_fail(const dv_infer *infer, const char *format, ...)
{
    char what[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return dv_node_fail(infer->source, "%s", what);
}

/* The i-th input as a constant of at least one and at most `most` elements. */
static dv_status constant_input(const dv_infer *infer, uint32_t i, const char *what, size_t most,
                                const dv_tensor **tensor, size_t *count)
{
    *tensor = dv_infer_input(infer, i);
    if (!*tensor)
        return dv_infer_fail(infer, "its %s is missing", what);
    if ((*tensor)->role != DV_ROLE_CONSTANT) {
        char name[DV_NAME_TEXT];
        return dv_infer_fail(infer,
                             "its %s '%s' is only known when the network runs; shapes and "
                             "parameters must be known before",
                             what, dv_name_text((*tensor)->name, name));
    }
    if (!dv_shape_elements(&(*tensor)->shape, count) || *count > most)
        return dv_infer_fail(infer, "its %s has more than %zu elements", what, most);
    return DV_OK;
}

dv_status dv_infer_ints(const dv_infer *infer, uint32_t i, const char *what, int64_t *out,
                        size_t most, size_t *count)
{
    const dv_tensor *tensor;
    DV_TRY(constant_input(infer, i, what, most, &tensor, count));
    if (tensor->dtype == DV_DTYPE_STRING || dv_dtype_is_float(tensor->dtype) ||
        !dv_tensor_read_i64(tensor, 0, *count, out))
        return dv_infer_fail(infer, "its %s must be integers, not %s", what,
                             dv_dtype_name(tensor->dtype));
    return DV_OK;
}

dv_status dv_infer_float(const dv_infer *infer, uint32_t i, const char *what, double *out)
{
    const dv_tensor *tensor;
    size_t count;
    float value;
    DV_TRY(constant_input(infer, i, what, 1, &tensor, &count));
    if (count != 1 || !dv_tensor_read_f32(tensor, 0, 1, &value))
        return dv_infer_fail(infer, "its %s must be one number", what);
    *out = (double)value;
    return DV_OK;
}

dv_status dv_infer_axis(const dv_infer *infer, int64_t *axis, int64_t rank)
{
    if (*axis < -rank || *axis >= rank)
        return dv_infer_fail(infer, "axis %lld is out of range for %lld dimensions",
                             (long long)*axis, (long long)rank);
    if (*axis < 0)
        *axis += rank;
    return DV_OK;
}

dv_status dv_infer_axes(const dv_infer *infer, int64_t *axes, size_t count, int64_t rank)
{
    for (size_t i = 0; i < count; i++) {
        DV_TRY(dv_infer_axis(infer, &axes[i], rank));
        int64_t axis = axes[i];
        size_t at = i;
        for (; at > 0 && axes[at - 1] > axis; at--)
            axes[at] = axes[at - 1];
        axes[at] = axis;
        if (at > 0 && axes[at - 1] == axis)
            return dv_infer_fail(infer, "axis %lld is given twice", (long long)axis);
    }
    return DV_OK;
}

/* A torch.export program records the shapes of all values, a TFLite file those that do not depend
   on values, an ONNX file those that some exporter or shape inference wrote down: an operator
   without a rule can be placed all the same. */
static bool take_recorded(dv_infer *infer)
{
    const dv_graph *from = infer->rewrite->from;
    bool known = strcmp(from->format, "pt2") == 0 || strcmp(from->format, "tflite") == 0 ||
                 strcmp(from->format, "onnx") == 0;
    for (uint32_t i = 0; known && i < infer->output_count; i++) {
        dv_tensor_id id = infer->source->outputs[i];
        if (id == DV_NONE)
            continue;
        infer->shapes[i] = from->tensors[id].shape;
        infer->dtypes[i] = from->tensors[id].dtype;
        known = dv_shape_known(&infer->shapes[i]) && infer->dtypes[i] != DV_DTYPE_NONE;
    }
    infer->known_outputs = known ? infer->output_count : 1;
    return known;
}

dv_status dv_infer_opaque(dv_infer *infer)
{
    if (take_recorded(infer))
        return DV_OK;
    const char *reason = infer->source->reason;
    const char *format = infer->rewrite->from->format;
    bool recorded = strcmp(format, "tflite") == 0 ||
                    (strcmp(format, "onnx") == 0 && reason && strncmp(reason, "operator ", 9) == 0);
    return dv_infer_fail(infer, "%s%s", reason ? reason : "this operator is not supported",
                         recorded ? ", and the file does not tell the shapes of what it makes"
                                  : "");
}

/* An operator behind something whose shape nobody knows: kept as it is (for `info`). */
static dv_status keep_unknown(dv_rewrite *rewrite, const dv_op *op)
{
    for (uint32_t i = 0; i < op->output_count; i++) {
        dv_tensor_id id;
        DV_TRY(dv_rewrite_tensor(rewrite, op->outputs[i], &id));
        if (id != DV_NONE && op->kind != DV_OP_OPAQUE)
            dv_graph_tensor_mutable(rewrite->to, id)->shape.rank = DV_RANK_UNKNOWN;
    }
    return dv_rewrite_copy(rewrite, op);
}

static dv_status check_shapes(const dv_infer *infer)
{
    for (uint32_t i = 0; i < infer->output_count; i++) {
        if (infer->source->outputs[i] == DV_NONE)
            continue;
        if (i >= infer->known_outputs) {
            if (dv_graph_readers(infer->rewrite->from, infer->source->outputs[i]) > 0)
                return dv_infer_fail(infer, "its output %u is used but not supported", i + 1);
            continue;
        }
        const dv_shape *shape = &infer->shapes[i];
        size_t elements, bytes;
        char text[DV_SHAPE_TEXT];
        bool ok = dv_shape_known(shape) && dv_shape_elements(shape, &elements) &&
                  dv_mul_size(elements, 16, &bytes) && bytes <= (size_t)INT64_MAX;
        for (uint8_t d = 0; ok && d < shape->rank; d++)
            ok = shape->dim[d] <= DV_DIM_LIMIT;
        if (!ok)
            return dv_infer_fail(infer, "its output %s would be too large",
                                 dv_shape_text(shape, text));
    }
    return DV_OK;
}

static dv_status emit(dv_infer *infer)
{
    dv_rewrite *rewrite = infer->rewrite;
    dv_tensor_id few[8];
    uint32_t count = infer->output_count;
    dv_tensor_id *outputs = count > 8 ? malloc(count * sizeof *outputs) : few;
    if (!outputs)
        return dv_fail(DV_NO_MEMORY, "out of memory while inferring shapes");
    dv_status status = DV_OK;
    for (uint32_t i = 0; status == DV_OK && i < count; i++) {
        outputs[i] = DV_NONE;
        if (i >= infer->known_outputs)
            continue;
        status = dv_rewrite_tensor(rewrite, infer->source->outputs[i], &outputs[i]);
        if (status == DV_OK && outputs[i] != DV_NONE) {
            dv_tensor *tensor = dv_graph_tensor_mutable(rewrite->to, outputs[i]);
            tensor->shape = infer->shapes[i];
            tensor->dtype = infer->dtypes[i];
        }
    }
    if (status == DV_OK) {
        dv_op op = *infer->source;
        op.kind = infer->kind;
        op.params = infer->params;
        op.inputs = infer->inputs;
        op.input_count = infer->input_count;
        op.outputs = outputs;
        status = dv_rewrite_add_op(rewrite, &op);
    }
    if (outputs != few)
        free(outputs);
    return status;
}

/* Absent inputs at the end are as good as no inputs; absent data inputs are faults. */
static dv_status check_inputs(dv_infer *infer)
{
    const dv_op_info *info = dv_op_info_of(infer->kind);
    while (infer->input_count > 0 && infer->inputs[infer->input_count - 1] == DV_NONE)
        infer->input_count--;
    for (uint32_t i = 0; i < info->least_inputs; i++)
        if (!dv_infer_input(infer, i))
            return dv_infer_fail(infer, "input %u is missing", i + 1);
    if (infer->output_count == 0)
        return dv_infer_fail(infer, "it has no output");
    return DV_OK;
}

/* Rules see the numbers that quantised inputs stand for, not the integers. */
static void show_numbers(dv_infer *infer, bool on)
{
    const dv_graph *from = infer->rewrite->from;
    for (uint32_t i = 0; i < infer->source->input_count; i++) {
        dv_tensor_id old = infer->source->inputs[i], id;
        if (old == DV_NONE || from->tensors[old].quant.count == 0 || dv_op_is_raw(infer->kind))
            continue;
        id = infer->rewrite->map[old];
        dv_graph_tensor_mutable(infer->rewrite->to, id)->dtype =
            on ? DV_DTYPE_F32 : from->tensors[old].dtype;
    }
    for (uint32_t i = 0; !on && i < infer->output_count; i++) {
        dv_tensor_id old = infer->source->outputs[i];
        if (old != DV_NONE && from->tensors[old].quant.count > 0)
            infer->dtypes[i] = from->tensors[old].dtype;
    }
}

static dv_status infer_known(dv_infer *infer)
{
    DV_TRY(check_inputs(infer));
    show_numbers(infer, true);
    infer->known_outputs = 1;
    const dv_tensor *first = dv_infer_input(infer, 0);
    for (uint32_t i = 0; i < infer->output_count; i++) {
        infer->shapes[i] = first ? first->shape : (dv_shape){0};
        infer->dtypes[i] = first ? first->dtype : DV_DTYPE_F32;
    }
    DV_TRY(rules[infer->kind](infer));
    show_numbers(infer, false);
    const dv_op_info *info = dv_op_info_of(infer->kind);
    if (infer->input_count > info->most_inputs)
        return dv_infer_fail(infer, "it has %u inputs, at most %u are expected", infer->input_count,
                             info->most_inputs);
    DV_TRY(check_shapes(infer));
    bool folded = false;
    DV_TRY(dv_fold(infer, &folded));
    return folded ? DV_OK : emit(infer);
}

static dv_status infer_op(dv_rewrite *rewrite, const dv_op *op, bool keep_opaque)
{
    dv_infer infer = {.rewrite = rewrite,
                      .source = op,
                      .kind = op->kind,
                      .params = op->params,
                      .input_count = op->input_count,
                      .output_count = op->output_count};
    struct {
        dv_tensor_id inputs[8];
        dv_shape shapes[4];
        dv_dtype dtypes[4];
    } few;
    bool small = op->input_count <= 8 && op->output_count <= 4;
    infer.inputs = small ? few.inputs : calloc((size_t)op->input_count + 1, sizeof *infer.inputs);
    infer.shapes = small ? few.shapes : calloc((size_t)op->output_count + 1, sizeof *infer.shapes);
    infer.dtypes = small ? few.dtypes : calloc((size_t)op->output_count + 1, sizeof *infer.dtypes);
    dv_status status = DV_OK;
    if (!infer.inputs || !infer.shapes || !infer.dtypes)
        status = dv_fail(DV_NO_MEMORY, "out of memory while inferring shapes");
    bool known = !keep_opaque || op->kind != DV_OP_OPAQUE;
    for (uint32_t i = 0; status == DV_OK && i < op->input_count; i++) {
        status = dv_rewrite_tensor(rewrite, op->inputs[i], &infer.inputs[i]);
        if (status == DV_OK && infer.inputs[i] != DV_NONE)
            known &= dv_shape_known(&dv_rewrite_at(rewrite, infer.inputs[i])->shape);
    }
    if (status == DV_OK && known)
        status = infer_known(&infer);
    else if (status == DV_OK && keep_opaque)
        status = keep_unknown(rewrite, op);
    else if (status == DV_OK)
        status = dv_infer_fail(&infer, "the shape of an input is not known");
    if (!small) {
        free(infer.inputs);
        free(infer.shapes);
        free(infer.dtypes);
    }
    return status;
}

static dv_status check_given(const dv_graph *graph, bool keep_opaque)
{
    char name[DV_NAME_TEXT];
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++) {
        const dv_tensor *tensor = &graph->tensors[t];
        if (tensor->role == DV_ROLE_ACTIVATION || (keep_opaque && tensor->role == DV_ROLE_INPUT))
            continue;
        const char *what = tensor->role == DV_ROLE_INPUT   ? "input"
                           : tensor->role == DV_ROLE_STATE ? "state"
                                                           : "constant";
        size_t bytes;
        if (tensor->shape.rank > DV_MAX_RANK)
            return dv_fail(DV_BAD_INPUT, "%s '%s': its number of dimensions is not known", what,
                           dv_name_text(tensor->name, name));
        for (uint8_t d = 0; d < tensor->shape.rank; d++)
            if (tensor->shape.dim[d] < 0)
                return dv_fail(DV_BAD_INPUT,
                               "%s '%s': dimension %u is not known; give it a value with --dim",
                               what, dv_name_text(tensor->name, name), (unsigned)d);
            else if (tensor->shape.dim[d] > DV_DIM_LIMIT)
                return dv_fail(DV_BAD_INPUT, "%s '%s': dimension %u is too large (%lld)", what,
                               dv_name_text(tensor->name, name), (unsigned)d,
                               (long long)tensor->shape.dim[d]);
        if (!dv_tensor_bytes(tensor, &bytes) || bytes > (size_t)INT64_MAX)
            return dv_fail(DV_BAD_INPUT, "%s '%s' is too large", what,
                           dv_name_text(tensor->name, name));
    }
    return DV_OK;
}

/* Marks what depends on an opaque operator; true if op does. Where such an operator cannot be
   inferred, the file is not at fault. */
static bool taint(const dv_op *op, bool *tainted)
{
    bool taints = op->kind == DV_OP_OPAQUE;
    for (uint32_t i = 0; i < op->input_count; i++)
        taints |= op->inputs[i] != DV_NONE && tainted[op->inputs[i]];
    for (uint32_t i = 0; taints && i < op->output_count; i++)
        if (op->outputs[i] != DV_NONE)
            tainted[op->outputs[i]] = true;
    return taints;
}

dv_status dv_pass_infer(const dv_graph *graph, const dv_lower_options *options, dv_graph **out)
{
    bool keep_opaque = options && options->keep_opaque;
    DV_TRY(check_given(graph, keep_opaque));
    dv_rewrite rewrite;
    DV_TRY(dv_rewrite_begin(&rewrite, graph));
    if (options && options->most_folded > 0 && options->most_folded < rewrite.spare)
        rewrite.spare = options->most_folded;
    dv_status status = DV_OK;
    bool *tainted = calloc((size_t)graph->tensor_count + 1, sizeof *tainted);
    if (!tainted)
        status = dv_fail(DV_NO_MEMORY, "out of memory while inferring shapes");
    for (dv_op_id o = 0; status == DV_OK && o < graph->op_count; o++) {
        const dv_op *op = &graph->ops[o];
        bool taints = taint(op, tainted);
        status = infer_op(&rewrite, op, keep_opaque);
        if (status == DV_BAD_INPUT && keep_opaque && taints)
            status = keep_unknown(&rewrite, op);
    }
    free(tainted);
    return dv_rewrite_end(&rewrite, status, out);
}

dv_status dv_lower_known(const dv_graph *graph, dv_graph **out)
{
    dv_lower_options options = {.keep_opaque = true, .most_folded = 1 << 14};
    return dv_pass_infer(graph, &options, out);
}
