/* roofline.c - time of a unit: launch + max(multiply-adds / rate, bytes / bandwidth).

   Williams, Waterman, Patterson: Roofline, Communications of the ACM 52(4), 2009; with rates by
   family of operators, because peak rates alone explain almost nothing of a network's time, and
   with weights and activations streaming at bandwidths of their own. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "costmodel/costmodel.h"
#include "costmodel/roofline.h"

double dv_bytes_in(const dv_tensor *tensor, dv_dtype precision)
{
    size_t elements;
    if (!dv_shape_elements(&tensor->shape, &elements))
        return 0.0;
    bool as_target = dv_dtype_is_float(tensor->dtype);
    return (double)elements * (double)dv_dtype_bytes(as_target ? precision : tensor->dtype);
}

/* How much work the padding of channels up to a multiple adds, as a factor. */
static double padding(int64_t channels, uint32_t multiple)
{
    if (channels <= 0 || multiple <= 1)
        return 1.0;
    int64_t padded = (channels + multiple - 1) / multiple * multiple;
    return (double)padded / (double)channels;
}

/* The first output that is asked for: a recurrent layer may be read for its last state only. */
static const dv_shape *output_shape(const dv_graph *graph, const dv_op *op)
{
    static const dv_shape none = {0};
    for (uint32_t i = 0; i < op->output_count; i++)
        if (op->outputs[i] != DV_NONE)
            return &graph->tensors[op->outputs[i]].shape;
    return &none;
}

static double conv_padding(const dv_graph *graph, const dv_op *op, dv_family family, uint32_t m)
{
    const dv_shape *input = &graph->tensors[op->inputs[0]].shape;
    const dv_shape *output = output_shape(graph, op);
    if (input->rank < 2 || input->rank > DV_MAX_RANK || output->rank < 2)
        return 1.0;
    double in = padding(input->dim[1], m), out = padding(output->dim[1], m);
    /* channels of a depthwise convolution are multiplied with nothing but themselves */
    return family == DV_FAMILY_CONV ? in * out : fmax(in, out);
}

static double matmul_padding(const dv_graph *graph, const dv_op *op, uint32_t m)
{
    const dv_shape *input = &graph->tensors[op->inputs[0]].shape;
    const dv_shape *output = output_shape(graph, op);
    if (input->rank < 1 || input->rank > DV_MAX_RANK || output->rank < 1)
        return 1.0;
    return padding(input->dim[input->rank - 1], m) * padding(output->dim[output->rank - 1], m);
}

static double window_elements(const dv_op *op)
{
    double window = 1.0;
    for (uint8_t i = 0; i < op->params.pool.spatial && i < DV_MAX_SPATIAL; i++)
        window *= (double)op->params.pool.kernel[i];
    return window;
}

static double padded_macs(const dv_graph *graph, const dv_op *op, const dv_work *work, uint32_t m)
{
    switch (work->family) {
    case DV_FAMILY_CONV:
    case DV_FAMILY_GROUPED:
    case DV_FAMILY_DEPTHWISE:
        return work->macs * conv_padding(graph, op, work->family, m);
    case DV_FAMILY_MATMUL:
        return work->macs * matmul_padding(graph, op, m);
    case DV_FAMILY_POOL:
        return work->elements * window_elements(op);
    default:
        return work->macs;
    }
}

static bool is_free(dv_family family)
{
    return family == DV_FAMILY_VIEW || family == DV_FAMILY_PLUMBING;
}

/* Which family speaks for a group: products before all else, then what is not element-wise. */
static int weight_of(dv_family family)
{
    switch (family) {
    case DV_FAMILY_CONV:
    case DV_FAMILY_GROUPED:
    case DV_FAMILY_DEPTHWISE:
    case DV_FAMILY_MATMUL:
        return 4;
    case DV_FAMILY_ELEMENTWISE:
        return 2;
    case DV_FAMILY_VIEW:
        return 1;
    case DV_FAMILY_PLUMBING:
        return 0;
    default:
        return 3;
    }
}

/* Is t among the tensors that operators before op of the group read or made? */
static bool seen_before(const dv_graph *graph, const dv_op_id *ops, uint32_t op, dv_tensor_id t)
{
    for (uint32_t k = 0; k < op; k++) {
        const dv_op *other = &graph->ops[ops[k]];
        for (uint32_t i = 0; i < other->input_count; i++)
            if (other->inputs[i] == t)
                return true;
        for (uint32_t i = 0; i < other->output_count; i++)
            if (other->outputs[i] == t)
                return true;
    }
    return false;
}

static int by_id(const void *left, const void *right)
{
    dv_tensor_id a = *(const dv_tensor_id *)left, b = *(const dv_tensor_id *)right;
    return (a > b) - (a < b);
}

/* Puts the inputs of an operator into ids without repeats: the first as it is, the others in any
   order. How many. O(n log n): a concatenation may have very many. */
static uint32_t distinct_inputs(const dv_op *op, dv_tensor_id *ids)
{
    uint32_t count = 0;
    if (op->input_count == 0)
        return 0;
    memcpy(ids, op->inputs, op->input_count * sizeof *ids);
    qsort(ids + 1, op->input_count - 1, sizeof *ids, by_id);
    for (uint32_t i = 0; i < op->input_count; i++)
        if (i == 0 || (ids[i] != ids[0] && ids[i] != ids[count - 1]))
            ids[count++] = ids[i];
    return count;
}

static bool read_outside(const dv_graph *graph, const dv_op_id *ops, uint32_t count, dv_tensor_id t)
{
    if (graph->tensors[t].is_output || graph->tensors[t].is_kept)
        return true;
    for (uint32_t c = graph->consumer_start[t]; c < graph->consumer_start[t + 1]; c++) {
        bool inside = false;
        for (uint32_t k = 0; k < count && !inside; k++)
            inside = ops[k] == graph->consumers[c];
        if (!inside)
            return true;
    }
    return false;
}

/* A write into a state: the updates are read and written, and the indices read. */
static double traffic_in_place(const dv_graph *graph, const dv_op *op, dv_dtype precision)
{
    return 2 * dv_bytes_in(&graph->tensors[op->inputs[2]], precision) +
           dv_bytes_in(&graph->tensors[op->inputs[1]], precision);
}

/* Adds what the k-th operator of the group reads and writes. */
static void add_traffic(const dv_graph *graph, const dv_op_id *ops, uint32_t count, uint32_t k,
                        dv_dtype precision, dv_demand *demand)
{
    const dv_op *op = &graph->ops[ops[k]];
    bool gathers = dv_op_info_of(op->kind)->family == DV_FAMILY_GATHER;
    double written = 0.0;
    if (dv_op_in_place(graph, ops[k])) {
        demand->activation_bytes += traffic_in_place(graph, op, precision);
        return;
    }
    for (uint32_t i = 0; i < op->output_count; i++) {
        dv_tensor_id t = op->outputs[i];
        if (t == DV_NONE)
            continue;
        double bytes = dv_bytes_in(&graph->tensors[t], precision);
        written += bytes;
        if (read_outside(graph, ops, count, t))
            demand->activation_bytes += bytes;
    }
    dv_tensor_id few[16], *ids = few;
    if (op->input_count > sizeof few / sizeof few[0])
        ids = malloc(op->input_count * sizeof *ids);
    /* without memory, repeats count again: a prediction too high is better than none */
    uint32_t inputs = ids ? distinct_inputs(op, ids) : op->input_count;
    for (uint32_t i = 0; i < inputs; i++) {
        dv_tensor_id t = ids ? ids[i] : op->inputs[i];
        if (t == DV_NONE || seen_before(graph, ops, k, t))
            continue;
        double bytes = dv_bytes_in(&graph->tensors[t], precision);
        if (gathers && i == 0) /* only the rows asked for */
            bytes = fmin(bytes, written);
        if (graph->tensors[t].role == DV_ROLE_CONSTANT)
            demand->weight_bytes += bytes;
        else
            demand->activation_bytes += bytes;
    }
    if (ids != few)
        free(ids);
}

dv_demand dv_demand_of(const dv_graph *graph, const dv_op_id *ops, uint32_t count,
                       dv_dtype precision, uint32_t channel_multiple)
{
    dv_demand demand = {.kind = DV_OP_OPAQUE, .family = DV_FAMILY_PLUMBING};
    double most = -1.0;
    for (uint32_t k = 0; k < count; k++) {
        dv_work work = dv_op_work(graph, ops[k]);
        double macs = padded_macs(graph, &graph->ops[ops[k]], &work, channel_multiple);
        demand.macs[work.family] += macs;
        int by = weight_of(work.family) - weight_of(demand.family);
        if (by > 0 || (by == 0 && macs > most)) {
            demand.family = work.family;
            demand.kind = graph->ops[ops[k]].kind;
            most = macs;
        }
        if (!is_free(work.family))
            add_traffic(graph, ops, count, k, precision, &demand);
    }
    if (is_free(demand.family))
        demand.activation_bytes = demand.weight_bytes = 0.0;
    return demand;
}

/* The rows of one sort of kernels on a target. */
typedef struct rows {
    const dv_family_cost *family, *operators;
} rows;

static rows rows_of(const dv_target *target, dv_kernels kernels)
{
    const dv_cost_rows *own = kernels == DV_KERNELS_INTEGERS    ? target->integers
                              : kernels == DV_KERNELS_CONVERTED ? target->converted
                                                                : NULL;
    return own ? (rows){own->family, own->operators} : (rows){target->family, target->operators};
}

static const dv_family_cost *row_of(const rows *all, dv_family family)
{
    if (all->family[family].given)
        return &all->family[family];
    switch (family) {
    case DV_FAMILY_VIEW:
    case DV_FAMILY_PLUMBING:
        return NULL;
    case DV_FAMILY_CONV:
    case DV_FAMILY_GROUPED:
    case DV_FAMILY_DEPTHWISE:
    case DV_FAMILY_MATMUL:
        return &all->family[DV_FAMILY_CONV];
    default:
        return &all->family[DV_FAMILY_ELEMENTWISE];
    }
}

const dv_family_cost *dv_roofline_row(const dv_target *target, dv_family family)
{
    rows all = rows_of(target, DV_KERNELS_FLOATS);
    return row_of(&all, family);
}

double dv_roofline_us(const dv_demand *demand, const dv_target *target, dv_kernels kernels)
{
    rows all = rows_of(target, kernels);
    const dv_family_cost *main = row_of(&all, demand->family);
    if (all.operators && all.operators[demand->kind].given)
        main = &all.operators[demand->kind];
    if (!main)
        return 0.0;
    double compute_us = 0.0;
    for (int f = 0; f < DV_FAMILY_COUNT; f++) {
        bool own = (dv_family)f == demand->family;
        const dv_family_cost *row = own ? main : row_of(&all, (dv_family)f);
        if (row && demand->macs[f] > 0.0) /* 1e9 a second are 1e3 a microsecond */
            compute_us += demand->macs[f] / (row->gmacs.value * 1e3);
    }
    double memory_us = demand->weight_bytes / (main->weight_gbs.value * 1e3) +
                       demand->activation_bytes / (main->activation_gbs.value * 1e3);
    return main->launch_us.value + fmax(compute_us, memory_us);
}

/* Does a kernel library run the operator behind those of the group without a kernel of its own: a
   view of what they made, or an activation of it? */
static bool in_passing(const dv_graph *graph, const dv_op_id *ops, uint32_t count, dv_op_id next)
{
    const dv_op *op = &graph->ops[next];
    dv_family family = dv_op_info_of(op->kind)->family;
    if ((family != DV_FAMILY_VIEW && family != DV_FAMILY_ELEMENTWISE) || count == 0)
        return false;
    for (uint32_t i = 0; i < op->input_count; i++) {
        dv_tensor_id t = op->inputs[i];
        bool made = false;
        for (uint32_t k = 0; t != DV_NONE && k < count; k++)
            made |= graph->producer[t] == ops[k];
        if (t != DV_NONE && graph->tensors[t].role != DV_ROLE_CONSTANT && !made)
            return false;
    }
    return true;
}

/* Processors, and all that a kernel library realises, run attention, a norm that was spelt out and
   the like kernel by kernel; what compiles a unit for an accelerator runs it whole. */
static double kernels_us(const dv_graph *graph, const dv_unit *unit, const dv_target *target,
                         const dv_realisation *real)
{
    double total_us = 0;
    for (uint32_t first = 0, end; first < unit->op_count; first = end) {
        for (end = first + 1; end < unit->op_count; end++)
            if (!in_passing(graph, unit->ops + first, end - first, unit->ops[end]))
                break;
        dv_demand demand = dv_demand_of(graph, unit->ops + first, end - first, target->precision,
                                        target->channel_multiple);
        total_us += dv_roofline_us(&demand, target, dv_kernels_of(real, graph, unit->ops[first]));
    }
    return total_us;
}

static double unit_time_us(const dv_graph *graph, dv_unit_id unit, const dv_platform *platform,
                           dv_target_id target_id)
{
    const dv_unit *group = &graph->units[unit];
    const dv_target *target = &platform->targets[target_id];
    const dv_device *device = &platform->devices[target->device];
    for (uint32_t k = 0; k < group->op_count; k++) {
        const dv_op *op = &graph->ops[group->ops[k]];
        if (!dv_device_runs(device, op->kind, op->source_type))
            return INFINITY;
    }
    if (device->kind == DV_DEVICE_CPU || device->realisation.backend)
        return kernels_us(graph, group, target, &device->realisation);
    dv_demand demand = dv_demand_of(graph, group->ops, group->op_count, target->precision,
                                    target->channel_multiple);
    return dv_roofline_us(&demand, target, DV_KERNELS_FLOATS);
}

const dv_cost_model dv_cost_model_roofline = {
    .name = "roofline",
    .summary = "launch + max(multiply-adds / rate of the family, bytes / bandwidth)",
    .citation = "Williams, Waterman, Patterson: Roofline. Communications of the ACM 52(4), 2009",
    .unit_time_us = unit_time_us,
};
