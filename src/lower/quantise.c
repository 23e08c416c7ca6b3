/* quantise.c - the pass that merges operators with the conversions around them.

   Sources spell a quantised operator as conversions to floats, the operator, and a conversion back
   to integers. Here the operator takes the integer tensors themselves, which carry what their
   elements stand for (core/graph.h), so that it is placed, priced and run as the integer operator
   that it is.

     - A constant's conversion always goes: weights stay integers even where activations are floats.
     - The others go where all of an operator's inputs come from integers and all its floating
       results become integers again, at once or behind one activation. The activation goes, too, if
       the output's range of integers clips where the activation would.
     - What stays is a conversion that somebody has to compute, and is an operator of its own.

   One walk; O(operators + edges + scales). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lower/passes.h"
#include "lower/rewrite.h"

typedef struct merge {
    dv_rewrite rewrite;
    const dv_graph *graph;
    bool *follows; /* per operator: an activation behind an operator that was merged */
    bool *gone;    /* per operator: what is merged into another */
    float *scale;  /* room for the scales of the largest tensor */
    int32_t *zero;
} merge;

/* ---- conversions ---- */

static bool is_conversion(const dv_op *op, dv_op_kind whole, dv_op_kind channel)
{
    return op && (op->kind == whole || op->kind == channel);
}

static bool is_dequantise(const dv_op *op)
{
    return is_conversion(op, DV_OP_DEQUANTIZE, DV_OP_DEQUANTIZE_CHANNEL);
}

static bool is_quantise(const dv_op *op)
{
    return is_conversion(op, DV_OP_QUANTIZE, DV_OP_QUANTIZE_CHANNEL);
}

/* Reads the scales of a conversion into m's room; false if they are not constants or no scales. */
static bool read_quant(const merge *m, const dv_op *op, dv_quant *quant)
{
    const dv_tensor *scale = &m->graph->tensors[op->inputs[1]];
    const dv_tensor *zero =
        op->input_count > 2 && op->inputs[2] != DV_NONE ? &m->graph->tensors[op->inputs[2]] : NULL;
    size_t count, zeros;
    if (scale->role != DV_ROLE_CONSTANT || !dv_shape_elements(&scale->shape, &count) ||
        count == 0 || !dv_tensor_read_f32(scale, 0, count, m->scale))
        return false;
    if (zero && (zero->role != DV_ROLE_CONSTANT || !dv_shape_elements(&zero->shape, &zeros) ||
                 zeros != count))
        return false;
    for (size_t i = 0; i < count; i++) {
        int64_t value = 0;
        if (zero && !dv_tensor_read_i64(zero, i, 1, &value))
            return false;
        if (!(m->scale[i] > 0) || !isfinite(m->scale[i]) || value < INT32_MIN || value > INT32_MAX)
            return false;
        m->zero[i] = (int32_t)value;
    }
    *quant = (dv_quant){(uint32_t)count, (uint32_t)op->params.quant.axis, m->scale, m->zero};
    return true;
}

/* The elements that scales can need room for. */
static size_t most_scales(const dv_graph *graph)
{
    size_t most = 1, count;
    for (dv_op_id o = 0; o < graph->op_count; o++) {
        const dv_op *op = &graph->ops[o];
        if ((is_dequantise(op) || is_quantise(op)) &&
            dv_shape_elements(&graph->tensors[op->inputs[1]].shape, &count) && count > most)
            most = count;
    }
    return most;
}

static bool has_integers(const dv_tensor *tensor)
{
    return tensor->dtype == DV_DTYPE_I8 || tensor->dtype == DV_DTYPE_U8 ||
           tensor->dtype == DV_DTYPE_I16 || tensor->dtype == DV_DTYPE_U16 ||
           tensor->dtype == DV_DTYPE_I32 || tensor->dtype == DV_DTYPE_I64;
}

/* Is the tensor made by conversions and read by them alone? Only then can it be said to stand for
   numbers: an operator between them that works on the integers would be told to work on those. */
static bool is_between_conversions(const dv_graph *graph, dv_tensor_id id)
{
    const dv_op *maker = dv_graph_maker(graph, id);
    if (maker && !is_quantise(maker))
        return false;
    for (uint32_t c = graph->consumer_start[id]; c < graph->consumer_start[id + 1]; c++)
        if (!dv_op_is_raw(graph->ops[graph->consumers[c]].kind))
            return false;
    return true;
}

/* ---- which operators merge ---- */

/* Kinds whose meaning is one on numbers, whatever kind of elements holds them. */
static bool takes_numbers(dv_op_kind kind)
{
    switch (dv_op_info_of(kind)->family) {
    case DV_FAMILY_PLUMBING:
    case DV_FAMILY_OTHER:
        return false;
    default:
        return !dv_op_is_raw(kind) && kind != DV_OP_CAST;
    }
}

static bool is_activation(dv_op_kind kind)
{
    switch (kind) {
    case DV_OP_RELU:
    case DV_OP_CLAMP:
    case DV_OP_SIGMOID:
    case DV_OP_TANH:
    case DV_OP_HARDSWISH:
    case DV_OP_HARDSIGMOID:
    case DV_OP_LEAKY_RELU:
    case DV_OP_ELU:
    case DV_OP_GELU:
    case DV_OP_SILU:
        return true;
    default:
        return false;
    }
}

/* The one operator that reads a tensor, if there is just one and nobody outside needs it. */
static const dv_op *only_reader(const dv_graph *graph, dv_tensor_id id)
{
    if (id == DV_NONE || dv_graph_readers(graph, id) != 1 ||
        graph->consumer_start[id + 1] == graph->consumer_start[id])
        return NULL;
    return &graph->ops[graph->consumers[graph->consumer_start[id]]];
}

/* The conversion to integers behind a tensor, and the activation between them. */
static const dv_op *conversion_behind(const merge *m, dv_tensor_id id, const dv_op **activation)
{
    dv_quant quant;
    const dv_op *next = only_reader(m->graph, id);
    *activation = NULL;
    if (next && is_activation(next->kind) && next->input_count == 1) {
        *activation = next;
        next = only_reader(m->graph, next->outputs[0]);
    }
    bool merges = is_quantise(next) && has_integers(&m->graph->tensors[next->outputs[0]]) &&
                  is_between_conversions(m->graph, next->outputs[0]) && read_quant(m, next, &quant);
    return merges ? next : NULL;
}

/* The conversion that makes input i, if it can go. */
static const dv_op *conversion_before(const merge *m, const dv_op *op, uint32_t i)
{
    dv_quant quant;
    const dv_op *before = dv_graph_maker(m->graph, op->inputs[i]);
    if (!is_dequantise(before) || !has_integers(&m->graph->tensors[before->inputs[0]]) ||
        !is_between_conversions(m->graph, before->inputs[0]) || !read_quant(m, before, &quant))
        return NULL;
    return before;
}

static bool is_float(const dv_graph *graph, dv_tensor_id id)
{
    return id != DV_NONE && dv_dtype_is_float(graph->tensors[id].dtype);
}

static bool is_constant(const dv_graph *graph, dv_tensor_id id)
{
    return graph->tensors[id].role == DV_ROLE_CONSTANT;
}

/* Is every floating input made of integers, and at least one of them no constant? A constant of
   floats is as good (a scalar operand, a bias that was not quantised). */
static bool reads_integers(const merge *m, const dv_op *op)
{
    bool some = false;
    for (uint32_t i = 0; i < op->input_count; i++) {
        if (!is_float(m->graph, op->inputs[i]) || is_constant(m->graph, op->inputs[i]))
            continue;
        const dv_op *before = conversion_before(m, op, i);
        if (!before)
            return false;
        some |= !is_constant(m->graph, before->inputs[0]);
    }
    return some;
}

/* Does every floating output become integers? An operator with an activation behind it has one
   output; one whose outputs are no floats has nothing to convert. */
static bool makes_integers(const merge *m, const dv_op *op)
{
    const dv_op *activation;
    for (uint32_t i = 0; i < op->output_count; i++) {
        if (!is_float(m->graph, op->outputs[i]))
            continue;
        if (!conversion_behind(m, op->outputs[i], &activation) ||
            (activation && op->output_count > 1))
            return false;
    }
    return true;
}

/* ---- the merged operator ---- */

/* The integers that input i is made of, with their quantisation; *merged if they can stand for it.
   One tensor has one quantisation: if it is read with another, its conversion stays. */
static dv_status integer_input(merge *m, const dv_op *op, uint32_t i, bool *merged,
                               dv_tensor_id *id)
{
    dv_quant quant;
    const dv_op *before = conversion_before(m, op, i);
    *merged = false;
    if (!before)
        return DV_OK;
    DV_TRY(dv_rewrite_tensor(&m->rewrite, before->inputs[0], id));
    const dv_quant *now = &dv_rewrite_at(&m->rewrite, *id)->quant;
    (void)read_quant(m, before, &quant);
    *merged = now->count == 0 || dv_quant_equal(now, &quant);
    return *merged && now->count == 0 ? dv_graph_set_quant(m->rewrite.to, *id, &quant) : DV_OK;
}

/* Does rounding into the output's type clip where the activation would (to within half a step)? */
static bool clips_alike(const dv_tensor *output, const dv_quant *quant, const dv_op *activation)
{
    double least, most, low = 0, high = INFINITY;
    if (activation->kind == DV_OP_CLAMP) {
        low = activation->params.clamp.min;
        high = activation->params.clamp.max;
    } else if (activation->kind != DV_OP_RELU) {
        return false;
    }
    bool is_unsigned = output->dtype == DV_DTYPE_U8 || output->dtype == DV_DTYPE_U16;
    int bits = (int)(8 * dv_dtype_bytes(output->dtype));
    if (quant->count != 1)
        return false;
    least = is_unsigned ? 0 : -ldexp(1, bits - 1);
    most = ldexp(1, is_unsigned ? bits : bits - 1) - 1;
    double step = (double)quant->scale[0], zero = (double)quant->zero[0];
    return (least - zero) * step >= low - 0.5 * step && (most - zero) * step <= high + 0.5 * step;
}

/* Lets the merged operator make output `old` of the source as the integers it becomes. */
static dv_status integer_output(merge *m, dv_tensor_id old, bool is_activation_itself,
                                dv_tensor_id *id)
{
    const dv_op *activation;
    const dv_op *behind = conversion_behind(m, old, &activation);
    const dv_graph *graph = m->graph;
    dv_quant quant;
    if (!behind || (is_activation_itself && activation))
        return dv_rewrite_tensor(&m->rewrite, old, id);
    (void)read_quant(m, behind, &quant);
    if (activation && !clips_alike(&graph->tensors[behind->outputs[0]], &quant, activation)) {
        m->follows[activation - graph->ops] = true;
        return dv_rewrite_tensor(&m->rewrite, old, id);
    }
    if (activation)
        m->gone[activation - graph->ops] = true;
    m->gone[behind - graph->ops] = true;
    DV_TRY(dv_rewrite_tensor(&m->rewrite, behind->outputs[0], id));
    return dv_graph_set_quant(m->rewrite.to, *id, &quant);
}

/* Copies op with integers for its inputs (all of them, or the constant ones) and outputs. */
static dv_status merge_op(merge *m, const dv_op *op, bool whole)
{
    size_t count = (size_t)op->input_count + op->output_count + 1;
    dv_tensor_id *ids = malloc(count * sizeof *ids);
    dv_status status =
        ids ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory while merging conversions");
    for (uint32_t i = 0; status == DV_OK && i < op->input_count; i++) {
        bool merged = false;
        const dv_op *before = op->inputs[i] == DV_NONE ? NULL : conversion_before(m, op, i);
        if (before && (whole || is_constant(m->graph, before->inputs[0])))
            status = integer_input(m, op, i, &merged, &ids[i]);
        if (status == DV_OK && !merged)
            status = dv_rewrite_tensor(&m->rewrite, op->inputs[i], &ids[i]);
        m->rewrite.changed |= merged;
    }
    for (uint32_t i = 0; status == DV_OK && i < op->output_count; i++) {
        dv_tensor_id *id = &ids[op->input_count + i];
        bool integers = whole && is_float(m->graph, op->outputs[i]);
        status = integers ? integer_output(m, op->outputs[i], is_activation(op->kind), id)
                          : dv_rewrite_tensor(&m->rewrite, op->outputs[i], id);
    }
    if (status == DV_OK) {
        dv_op copy = *op;
        copy.inputs = ids;
        copy.outputs = ids + op->input_count;
        status = dv_rewrite_add_op(&m->rewrite, &copy);
    }
    free(ids);
    return status;
}

static dv_status visit(merge *m, dv_op_id o)
{
    const dv_op *op = &m->graph->ops[o];
    if (m->gone[o])
        return DV_OK;
    if (!takes_numbers(op->kind))
        return dv_rewrite_copy(&m->rewrite, op);
    bool whole = m->follows[o] || (reads_integers(m, op) && makes_integers(m, op));
    return merge_op(m, op, whole);
}

dv_status dv_pass_quantise(const dv_graph *graph, const dv_lower_options *options, dv_graph **out)
{
    (void)options;
    size_t count = (size_t)graph->op_count + 1, scales = most_scales(graph);
    merge m = {.graph = graph,
               .follows = calloc(count, sizeof *m.follows),
               .gone = calloc(count, sizeof *m.gone),
               .scale = calloc(scales, sizeof *m.scale),
               .zero = calloc(scales, sizeof *m.zero)};
    dv_status status = m.follows && m.gone && m.scale && m.zero
                           ? dv_rewrite_begin(&m.rewrite, graph)
                           : dv_fail(DV_NO_MEMORY, "out of memory while merging conversions");
    if (status == DV_OK) {
        for (dv_op_id o = 0; status == DV_OK && o < graph->op_count; o++)
            status = visit(&m, o);
        status = dv_rewrite_end_if_changed(&m.rewrite, status, out);
    }
    free(m.follows);
    free(m.gone);
    free(m.scale);
    free(m.zero);
    return status;
}
