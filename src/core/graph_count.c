/* graph_count.c - the work of an operator, and the totals of a graph. */
#include <stdlib.h>

#include "core/graph.h"

static double bytes_of(const dv_graph *graph, dv_tensor_id t)
{
    size_t bytes;
    return t != DV_NONE && dv_tensor_bytes(&graph->tensors[t], &bytes) ? (double)bytes : 0;
}

static double elements_of(const dv_graph *graph, dv_tensor_id t)
{
    size_t elements;
    return t != DV_NONE && dv_shape_elements(&graph->tensors[t].shape, &elements) ? (double)elements
                                                                                  : 0;
}

static const dv_shape *shape_of(const dv_graph *graph, dv_tensor_id t)
{
    return &graph->tensors[t].shape;
}

/* Every output element takes one product for each weight of its filter; in a transposed convolution
   every input element takes part in the filters of its group. */
static void work_conv(const dv_graph *graph, const dv_op *op, dv_work *work)
{
    const dv_conv_params *conv = &op->params.conv;
    const dv_shape *weight = shape_of(graph, op->inputs[1]);
    if (weight->rank < 3 || weight->rank > DV_MAX_RANK || weight->dim[0] <= 0)
        return;
    double filter = elements_of(graph, op->inputs[1]) / (double)weight->dim[0];
    double sites = conv->transposed ? elements_of(graph, op->inputs[0]) : work->elements;
    work->macs = sites * filter;

    double channels =
        conv->transposed ? (double)weight->dim[0] : (double)weight->dim[1] * (double)conv->groups;
    if (conv->groups > 1)
        work->family = (double)conv->groups == channels ? DV_FAMILY_DEPTHWISE : DV_FAMILY_GROUPED;
}

static void work_linear(const dv_graph *graph, const dv_op *op, dv_work *work)
{
    const dv_shape *weight = shape_of(graph, op->inputs[1]);
    if (weight->rank == 2)
        work->macs = work->elements * (double)weight->dim[op->params.linear.weight_kn ? 0 : 1];
}

static void work_matmul(const dv_graph *graph, const dv_op *op, dv_work *work)
{
    const dv_shape *left = shape_of(graph, op->inputs[0]);
    if (left->rank >= 1 && left->rank <= DV_MAX_RANK)
        work->macs = work->elements * (double)left->dim[left->rank - 1];
}

/* Every step of every sequence goes through both weights once. */
static void work_rnn(const dv_graph *graph, const dv_op *op, dv_work *work)
{
    const dv_shape *x = shape_of(graph, op->inputs[0]);
    if (x->rank == 3)
        work->macs = (double)x->dim[0] * (double)x->dim[1] *
                     (elements_of(graph, op->inputs[1]) + elements_of(graph, op->inputs[2]));
}

/* Every number of the spectrum is a sum over the signal's frame: a complex product with each of its
   real numbers takes two multiply-adds. */
static void work_spectrum(const dv_graph *graph, const dv_op *op, dv_work *work)
{
    const dv_spectrum_params *spectrum = &op->params.spectrum;
    const dv_shape *x = shape_of(graph, op->inputs[0]);
    double length = (double)spectrum->length;
    if (x->rank >= 1 && x->rank <= DV_MAX_RANK)
        work->macs = work->elements * length * (double)x->dim[x->rank - 1];
}

/* Elimination takes n^3 / 3 products a matrix. */
static void work_det(const dv_graph *graph, const dv_op *op, dv_work *work)
{
    const dv_shape *x = shape_of(graph, op->inputs[0]);
    if (x->rank >= 2 && x->rank <= DV_MAX_RANK)
        work->macs = elements_of(graph, op->inputs[0]) * (double)x->dim[x->rank - 1] / 3;
}

static void work_elements(const dv_graph *graph, const dv_op *op, dv_work *work)
{
    (void)graph;
    (void)op;
    (void)work;
}

/* What goes over all that comes in to pick a little of it. */
static void work_inputs(const dv_graph *graph, const dv_op *op, dv_work *work)
{
    for (uint32_t i = 0; i < op->input_count; i++)
        if (op->inputs[i] != DV_NONE)
            work->elements += elements_of(graph, op->inputs[i]);
}

/* Compares and adds of a pooling window are no multiply-adds; its bytes tell its cost. */
static void work_window(const dv_graph *graph, const dv_op *op, dv_work *work)
{
    work_elements(graph, op, work);
}

static void work_nothing(const dv_graph *graph, const dv_op *op, dv_work *work)
{
    (void)graph;
    (void)op;
    work->activation_bytes = 0;
    work->weight_bytes = 0;
}

typedef void (*work_rule)(const dv_graph *graph, const dv_op *op, dv_work *work);

static const work_rule rules[] = {
#define OP(kind, name, family, least, most, params, shape, work) [DV_OP_##kind] = work_##work,
#include "core/ops.def"
#undef OP
};

/* A gather reads the rows it is asked for, not the whole table. */
static double read_bytes(const dv_graph *graph, const dv_op *op, uint32_t input, double written)
{
    bool table = input == 0 && dv_op_info_of(op->kind)->family == DV_FAMILY_GATHER;
    double whole = bytes_of(graph, op->inputs[input]);
    return table && written < whole ? written : whole;
}

static dv_tensor_id next_of(const dv_graph *graph, dv_tensor_id state)
{
    for (uint32_t i = 0; i < graph->state_count; i++)
        if (graph->states[i].tensor == state)
            return graph->states[i].next;
    return DV_NONE;
}

bool dv_op_in_place(const dv_graph *graph, dv_op_id id)
{
    const dv_op *op = &graph->ops[id];
    if ((op->kind != DV_OP_SCATTER && op->kind != DV_OP_SCATTER_ND) || op->output_count != 1 ||
        op->inputs[0] == DV_NONE || op->outputs[0] == DV_NONE)
        return false;
    dv_tensor_id state = op->inputs[0];
    return graph->tensors[op->outputs[0]].is_kept && graph->tensors[state].role == DV_ROLE_STATE &&
           graph->consumer_start[state + 1] - graph->consumer_start[state] == 1 &&
           !graph->tensors[state].is_output && next_of(graph, state) == op->outputs[0];
}

/* A write in place: the updates are read and written, and the indices read. */
static dv_work work_in_place(const dv_graph *graph, const dv_op *op)
{
    return (dv_work){.family = dv_op_info_of(op->kind)->family,
                     .elements = elements_of(graph, op->inputs[2]),
                     .activation_bytes =
                         2 * bytes_of(graph, op->inputs[2]) + bytes_of(graph, op->inputs[1])};
}

dv_work dv_op_work(const dv_graph *graph, dv_op_id id)
{
    if (dv_op_in_place(graph, id))
        return work_in_place(graph, &graph->ops[id]);
    const dv_op *op = &graph->ops[id];
    dv_work work = {.family = dv_op_info_of(op->kind)->family};
    for (uint32_t i = 0; i < op->output_count; i++) {
        work.elements += elements_of(graph, op->outputs[i]);
        work.activation_bytes += bytes_of(graph, op->outputs[i]);
    }
    double written = work.activation_bytes;
    for (uint32_t i = 0; i < op->input_count; i++) {
        if (op->inputs[i] == DV_NONE)
            continue;
        double bytes = read_bytes(graph, op, i, written);
        if (graph->tensors[op->inputs[i]].role == DV_ROLE_CONSTANT)
            work.weight_bytes += bytes;
        else
            work.activation_bytes += bytes;
    }
    rules[op->kind](graph, op, &work);
    return work;
}

/* Is an operand a scale or a zero point, which quantised tensors carry and nobody counts? */
static bool is_conversions_own(dv_op_kind kind, uint32_t input)
{
    bool converts = kind == DV_OP_QUANTIZE || kind == DV_OP_QUANTIZE_CHANNEL ||
                    kind == DV_OP_DEQUANTIZE || kind == DV_OP_DEQUANTIZE_CHANNEL;
    bool multiplies = kind == DV_OP_CONV_INTEGER || kind == DV_OP_MATMUL_INTEGER;
    return (converts && input >= 1) || (multiplies && input >= 2);
}

/* Integers are trained numbers if they stand for such: behind a conversion, in a product of
   integers, or as a quantised tensor. */
static bool stands_for_numbers(const dv_tensor *tensor, dv_op_kind kind)
{
    return dv_dtype_is_float(tensor->dtype) || tensor->quant.count > 0 ||
           (dv_op_is_raw(kind) && kind != DV_OP_OPAQUE);
}

/* Trained numbers: floating or quantised constants of rank 1 or more, without computed tables and
   the running statistics of a batch norm, each counted once. */
static void count_parameters(const dv_graph *graph, bool *seen, dv_graph_totals *totals)
{
    for (dv_op_id o = 0; o < graph->op_count; o++) {
        const dv_op *op = &graph->ops[o];
        for (uint32_t i = 0; i < op->input_count; i++) {
            dv_tensor_id t = op->inputs[i];
            if (t == DV_NONE || seen[t] || graph->tensors[t].role != DV_ROLE_CONSTANT)
                continue;
            seen[t] = true;
            if (is_conversions_own(op->kind, i))
                continue;
            totals->weight_bytes += bytes_of(graph, t);
            bool statistics = op->kind == DV_OP_BATCH_NORM && i >= 3;
            if (!statistics && !graph->tensors[t].is_table &&
                stands_for_numbers(&graph->tensors[t], op->kind) &&
                graph->tensors[t].shape.rank >= 1)
                totals->parameters += elements_of(graph, t);
        }
    }
}

static bool is_activation(const dv_graph *graph, dv_tensor_id t)
{
    return t != DV_NONE && graph->tensors[t].role != DV_ROLE_CONSTANT;
}

static bool stays(const dv_tensor *tensor)
{
    return tensor->is_output || tensor->is_kept || tensor->role == DV_ROLE_STATE;
}

/* Adds tensors as they are made and drops them after their last reader; states are always there,
   and what is written into one in place takes no room of its own. dropped: one flag a tensor, false
   for all activations. */
static double peak_of(const dv_graph *graph, bool *dropped)
{
    double live = 0, peak = 0;
    for (uint32_t i = 0; i < graph->input_count; i++)
        live += bytes_of(graph, graph->inputs[i]);
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++)
        if (graph->tensors[t].role == DV_ROLE_STATE)
            live += bytes_of(graph, t);
    for (dv_op_id o = 0; o < graph->op_count; o++) {
        const dv_op *op = &graph->ops[o];
        for (uint32_t i = 0; i < op->output_count; i++)
            if (is_activation(graph, op->outputs[i]) && !dv_op_in_place(graph, o))
                live += bytes_of(graph, op->outputs[i]);
        if (live > peak)
            peak = live;
        for (uint32_t i = 0; i < op->input_count; i++) {
            dv_tensor_id t = op->inputs[i];
            if (!is_activation(graph, t) || dropped[t] || stays(&graph->tensors[t]))
                continue;
            dropped[t] = graph->consumers[graph->consumer_start[t + 1] - 1] == o;
            if (dropped[t])
                live -= bytes_of(graph, t);
        }
        for (uint32_t i = 0; i < op->output_count; i++) {
            dv_tensor_id t = op->outputs[i];
            if (is_activation(graph, t) && !stays(&graph->tensors[t]) &&
                graph->consumer_start[t] == graph->consumer_start[t + 1])
                live -= bytes_of(graph, t);
        }
    }
    return peak;
}

dv_graph_totals dv_graph_count(const dv_graph *graph)
{
    dv_graph_totals totals = {0};
    for (dv_op_id o = 0; o < graph->op_count; o++)
        totals.macs += dv_op_work(graph, o).macs;
    bool *seen = calloc((size_t)graph->tensor_count + 1, sizeof *seen);
    if (seen) {
        count_parameters(graph, seen, &totals);
        totals.peak_activation_bytes = peak_of(graph, seen);
    }
    free(seen);
    return totals;
}
