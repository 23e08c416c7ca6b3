/* quantised.c - any kernel on quantised tensors: it computes on the numbers that they stand for, in
   its own precision, and the result is rounded once. */
#include "runtime/portable/quantised.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Kinds that put each element somewhere and change none. */
static bool only_moves(dv_op_kind kind)
{
    switch (kind) {
    case DV_OP_VIEW:
    case DV_OP_SQUEEZE:
    case DV_OP_UNSQUEEZE:
    case DV_OP_FLATTEN:
    case DV_OP_IDENTITY:
    case DV_OP_PERMUTE:
    case DV_OP_EXPAND:
    case DV_OP_REPEAT:
    case DV_OP_CAT:
    case DV_OP_SPLIT:
    case DV_OP_SLICE:
    case DV_OP_SELECT:
    case DV_OP_PIXEL_SHUFFLE:
    case DV_OP_PIXEL_UNSHUFFLE:
    case DV_OP_INDEX_SELECT:
    case DV_OP_EMBEDDING:
    case DV_OP_GATHER:
    case DV_OP_GATHER_ND:
        return true;
    default:
        return false;
    }
}

bool dv_quantised_moves(const dv_graph *graph, const dv_op *op)
{
    const dv_tensor *first = NULL;
    bool alike = only_moves(op->kind);
    for (uint32_t i = 0; i < op->input_count + op->output_count && alike; i++) {
        dv_tensor_id id = i < op->input_count ? op->inputs[i] : op->outputs[i - op->input_count];
        if (id == DV_NONE || graph->tensors[id].quant.count == 0)
            continue;
        const dv_tensor *tensor = &graph->tensors[id];
        first = first ? first : tensor;
        alike = tensor->quant.count == 1 && tensor->dtype == first->dtype &&
                dv_quant_equal(&tensor->quant, &first->quant);
    }
    return alike && op->output_count > 0 && op->outputs[0] != DV_NONE &&
           graph->tensors[op->outputs[0]].quant.count > 0;
}

bool dv_is_of_halves(const dv_graph *graph, const dv_op *op)
{
    if (op->kind != DV_OP_CONVOLUTION && op->kind != DV_OP_LINEAR && op->kind != DV_OP_MATMUL)
        return false;
    dv_dtype dtype = DV_DTYPE_NONE;
    for (uint32_t i = 0; i < op->input_count + op->output_count; i++) {
        dv_tensor_id id = i < op->input_count ? op->inputs[i] : op->outputs[i - op->input_count];
        if (id == DV_NONE)
            continue;
        dtype = dtype == DV_DTYPE_NONE ? graph->tensors[id].dtype : dtype;
        if (graph->tensors[id].dtype != dtype)
            return false;
    }
    return dtype == DV_DTYPE_F16 || dtype == DV_DTYPE_BF16;
}

/* Averages of no more integers than this are told apart from halves in spite of f32. */
enum { MOST_AVERAGED = 1024 };

dv_halves dv_halves_of(const dv_graph *graph, const dv_op *op)
{
    if (strcmp(graph->format, "tflite") != 0 || op->output_count != 1 ||
        (op->kind != DV_OP_AVG_POOL && op->kind != DV_OP_MEAN))
        return DV_HALVES_LOST;
    const dv_tensor *x = &graph->tensors[op->inputs[0]], *y = &graph->tensors[op->outputs[0]];
    size_t from, to, each = 1;
    if (x->dtype != y->dtype || x->quant.count != 1 || !dv_quant_equal(&x->quant, &y->quant) ||
        !dv_shape_elements(&x->shape, &from) || !dv_shape_elements(&y->shape, &to) || to == 0)
        return DV_HALVES_LOST;
    bool pools = op->source_type && strcmp(op->source_type, "AVERAGE_POOL_2D") == 0;
    if (op->kind == DV_OP_MEAN && from / to > MOST_AVERAGED)
        return DV_HALVES_LOST;
    if (op->kind == DV_OP_MEAN) /* a pool of the whole image is one, too */
        return pools ? DV_HALVES_AWAY : DV_HALVES_EVEN;
    for (uint8_t d = 0; d < op->params.pool.spatial && each <= MOST_AVERAGED; d++)
        each *= (size_t)op->params.pool.kernel[d];
    return each <= MOST_AVERAGED ? DV_HALVES_AWAY : DV_HALVES_LOST;
}

void dv_quantised_begin(dv_quantised *q, dv_operand *operand, const dv_tensor *tensor)
{
    *q = (dv_quantised){.seen = operand,
                        .integers = *operand,
                        .quant = &tensor->quant,
                        .stays = tensor->role == DV_ROLE_CONSTANT};
    operand->dtype = DV_DTYPE_F32;
}

dv_status dv_quantised_allocate(dv_quantised *q)
{
    size_t bytes;
    if (!dv_mul_size(q->seen->count + 1, sizeof(float), &bytes) || !(q->owned = malloc(bytes)))
        return dv_fail(DV_NO_MEMORY, "no memory for %zu quantised elements", q->seen->count);
    return DV_OK;
}

/* Elements that share a scale lie `inner` together; then comes the next channel. */
static size_t inner_of(const dv_quantised *q)
{
    size_t inner = 1;
    if (q->quant->count <= 1)
        return q->seen->count;
    for (uint32_t d = q->quant->axis + 1; d < q->seen->shape.rank; d++)
        inner *= (size_t)q->seen->shape.dim[d];
    return inner;
}

void dv_quantised_load(dv_quantised *q)
{
    size_t inner = inner_of(q), count = q->seen->count;
    float *out = q->owned;
    if (q->ready || inner == 0)
        return;
    for (size_t at = 0, channel = 0; at < count; at += inner, channel++) {
        bool whole = q->quant->count > 0;
        uint32_t c = whole ? (uint32_t)(channel % q->quant->count) : 0;
        double scale = whole ? (double)q->quant->scale[c] : 1, block[DV_BLOCK];
        double zero = whole ? q->quant->zero[c] : 0;
        for (size_t i = 0; i < inner; i += DV_BLOCK) {
            size_t part = inner - i < DV_BLOCK ? inner - i : DV_BLOCK;
            dv_load_f64(&q->integers, at + i, 1, part, block);
            for (size_t k = 0; k < part; k++)
                out[at + i + k] = (float)((block[k] - zero) * scale);
        }
    }
    q->ready = q->stays;
}

/* The integer for so many steps of the scale. */
static double rounded(const dv_quantised *q, double steps, double zero)
{
    double integer = steps + zero, low = floor(integer);
    if (q->halves == DV_HALVES_LOST || fabs(integer - low - 0.5) > 1e-4)
        return nearbyint(steps) + zero;
    bool up = q->halves == DV_HALVES_AWAY ? integer > 0 : fmod(low, 2) != 0;
    return up ? low + 1 : low;
}

/* Storing holds to the type's range. */
void dv_quantised_store(const dv_quantised *q)
{
    size_t inner = inner_of(q), count = q->seen->count;
    const float *in = q->owned;
    for (size_t at = 0, channel = 0; inner > 0 && at < count; at += inner, channel++) {
        bool whole = q->quant->count > 0;
        uint32_t c = whole ? (uint32_t)(channel % q->quant->count) : 0;
        float scale = whole ? q->quant->scale[c] : 1;
        double zero = whole ? q->quant->zero[c] : 0, block[DV_BLOCK];
        for (size_t i = 0; i < inner; i += DV_BLOCK) {
            size_t part = inner - i < DV_BLOCK ? inner - i : DV_BLOCK;
            for (size_t k = 0; k < part; k++)
                block[k] = whole ? rounded(q, (double)(in[at + i + k] / scale), zero)
                                 : (double)in[at + i + k];
            dv_store_f64(&q->integers, at + i, 1, part, block);
        }
    }
}
