/* integer.c - quantised operators on 8-bit integers: which of them the library takes, and in which
   form tensors are read and written. */
#include <math.h>

#include "runtime/layout.h"
#include "runtime/xnnpack/integer_ops.h"
#include "runtime/xnnpack/integers.h"

bool dv_xnn_takes(const dv_graph *graph, dv_tensor_id tensor)
{
    if (tensor == DV_NONE)
        return false;
    const dv_tensor *t = &graph->tensors[tensor];
    if (!dv_program_is_bytes(t) || t->quant.count != 1 || !isnormal(t->quant.scale[0]))
        return false;
    int32_t zero = dv_xnn_zero(t, true);
    return zero >= INT8_MIN && zero <= INT8_MAX;
}

bool dv_xnn_alike(const dv_graph *graph, dv_tensor_id a, dv_tensor_id b)
{
    const dv_tensor *x = &graph->tensors[a], *y = &graph->tensors[b];
    return x->dtype == y->dtype && dv_quant_equal(&x->quant, &y->quant);
}

int32_t dv_xnn_zero(const dv_tensor *tensor, bool is_signed)
{
    int64_t zero = tensor->quant.zero[0];
    if (tensor->dtype == DV_DTYPE_U8)
        zero -= 128;
    zero += is_signed ? 0 : 128;
    return (int32_t)(zero < INT32_MIN ? INT32_MIN : zero > INT32_MAX ? INT32_MAX : zero);
}

float dv_xnn_scale(const dv_tensor *tensor)
{
    return tensor->quant.scale[0];
}

int32_t dv_xnn_quantised(const dv_tensor *tensor, double number, bool is_signed)
{
    double least = is_signed ? INT8_MIN : 0, most = is_signed ? INT8_MAX : UINT8_MAX;
    double steps = (double)((float)number / dv_xnn_scale(tensor));
    return (int32_t)fmin(fmax(nearbyint(steps) + dv_xnn_zero(tensor, is_signed), least), most);
}

/* ---- results ---- */

static bool only_clips(const dv_op *op, dv_xnn_result *result)
{
    if (op->kind == DV_OP_RELU) {
        result->least = 0;
        result->most = INFINITY;
        return true;
    }
    result->least = op->params.clamp.min;
    result->most = op->params.clamp.max;
    return op->kind == DV_OP_CLAMP && result->least < result->most;
}

bool dv_xnn_result_of(const dv_graph *graph, dv_op_id id, dv_xnn_result *result)
{
    const dv_op *op = &graph->ops[id];
    dv_tensor_id y = op->outputs[0];
    const dv_xnn_result plain = {y, DV_NONE, -INFINITY, INFINITY};
    bool integers = dv_xnn_takes(graph, y);
    *result = plain;
    uint32_t first = graph->consumer_start[y];
    if (op->output_count != 1 || graph->consumer_start[y + 1] - first != 1 ||
        graph->tensors[y].is_output || graph->tensors[y].is_kept)
        return integers;
    const dv_op *next = &graph->ops[graph->consumers[first]];
    bool floats = graph->tensors[y].dtype == DV_DTYPE_F32;
    if (next->inputs[0] != y || next->output_count != 1 || next->outputs[0] == DV_NONE ||
        !dv_xnn_takes(graph, next->outputs[0]) ||
        !(floats || (integers && dv_xnn_alike(graph, y, next->outputs[0]))) ||
        !only_clips(next, result)) {
        *result = plain;
        return integers;
    }
    result->tensor = next->outputs[0];
    result->activation = graph->consumers[first];
    dv_xnn_range range = dv_xnn_range_of(graph, result, true);
    if (range.low < range.high)
        return true;
    *result = plain;
    return integers;
}

bool dv_xnn_take_activation(dv_program *program, uint32_t at, dv_xnn_result *result)
{
    const dv_graph *graph = dv_program_graph(program);
    if (result->activation == DV_NONE)
        return true;
    uint32_t next = dv_program_follower(program, at);
    if (next != DV_NONE && dv_program_op(program, next) == &graph->ops[result->activation]) {
        dv_program_take(program, next);
        return true;
    }
    dv_tensor_id y = dv_program_op(program, at)->outputs[0];
    *result = (dv_xnn_result){y, DV_NONE, -INFINITY, INFINITY};
    return dv_xnn_takes(graph, y);
}

dv_xnn_range dv_xnn_range_of(const dv_graph *graph, const dv_xnn_result *result, bool is_signed)
{
    const dv_tensor *y = &graph->tensors[result->tensor];
    return (dv_xnn_range){dv_xnn_quantised(y, result->least, is_signed),
                          dv_xnn_quantised(y, result->most, is_signed)};
}

/* ---- forms ---- */

static bool has_standard(const dv_program *program, dv_tensor_id tensor)
{
    unsigned standard = 1u << DV_LAYOUT_PLAIN | 1u << DV_LAYOUT_CHANNELS_LAST;
    return (dv_program_layouts(program, tensor) & standard) != 0;
}

bool dv_xnn_form_at_hand(const dv_program *program, dv_tensor_id tensor)
{
    bool is_signed = dv_program_graph(program)->tensors[tensor].dtype == DV_DTYPE_I8;
    return has_standard(program, tensor) ? is_signed : !is_signed;
}

bool dv_xnn_is_last(const dv_program *program, dv_tensor_id tensor)
{
    const dv_tensor *t = &dv_program_graph(program)->tensors[tensor];
    unsigned last = 1u << DV_LAYOUT_CHANNELS_LAST | 1u << DV_LAYOUT_OWN;
    return t->role != DV_ROLE_CONSTANT && t->shape.rank == 4 &&
           (dv_program_layouts(program, tensor) & last) != 0;
}

/* Can the form be had as a layout of the tensor? */
static bool is_layout(const dv_tensor *tensor, dv_layout layout, bool is_signed, uint32_t *out)
{
    bool as_it_is = (tensor->dtype == DV_DTYPE_I8) == is_signed;
    *out = as_it_is ? (uint32_t)layout : DV_LAYOUT_OWN;
    return as_it_is || tensor->shape.rank != 4 || layout == DV_LAYOUT_CHANNELS_LAST ||
           dv_layout_same_bytes(&tensor->shape);
}

dv_status dv_xnn_read_as(dv_program *program, dv_tensor_id tensor, dv_layout layout, bool is_signed,
                         dv_value *value)
{
    const dv_tensor *t = &dv_program_graph(program)->tensors[tensor];
    uint32_t as;
    if (is_layout(t, layout, is_signed, &as))
        return dv_program_read(program, tensor, as, value);
    dv_value plain = DV_NONE;
    size_t bytes = 0;
    (void)dv_tensor_bytes(t, &bytes);
    DV_TRY(dv_program_read(program, tensor, layout, &plain));
    DV_TRY(dv_program_scratch(program, bytes, value));
    return dv_program_add_flip(program, bytes, plain, *value);
}

dv_status dv_xnn_write_as(dv_program *program, dv_tensor_id tensor, dv_layout layout,
                          bool is_signed, dv_xnn_write *write)
{
    const dv_tensor *t = &dv_program_graph(program)->tensors[tensor];
    uint32_t as;
    *write = (dv_xnn_write){.turned = DV_NONE};
    if (is_layout(t, layout, is_signed, &as))
        return dv_program_write(program, tensor, as, &write->value);
    (void)dv_tensor_bytes(t, &write->bytes);
    DV_TRY(dv_program_scratch(program, write->bytes, &write->value));
    return dv_program_write(program, tensor, layout, &write->turned);
}

dv_status dv_xnn_written(dv_program *program, const dv_xnn_write *write)
{
    return write->turned == DV_NONE
               ? DV_OK
               : dv_program_add_flip(program, write->bytes, write->value, write->turned);
}

/* ---- which operator is whose ---- */

typedef struct integer_row {
    bool (*fits)(const dv_graph *graph, dv_op_id op);
    dv_lower_fn lower;
} integer_row;

/* The library's own operator for a kind; what has none may be a table. */
static const struct {
    dv_op_kind kind;
    integer_row row;
} integer_rows[] = {
    {DV_OP_CONVOLUTION, {dv_xnn_product_fits, dv_xnn_lower_product}},
    {DV_OP_LINEAR, {dv_xnn_product_fits, dv_xnn_lower_product}},
    {DV_OP_MATMUL, {dv_xnn_product_fits, dv_xnn_lower_product}},
    {DV_OP_ADD, {dv_xnn_arithmetic_fits, dv_xnn_lower_arithmetic}},
    {DV_OP_SUB, {dv_xnn_arithmetic_fits, dv_xnn_lower_arithmetic}},
    {DV_OP_MUL, {dv_xnn_arithmetic_fits, dv_xnn_lower_arithmetic}},
    {DV_OP_MAX_POOL, {dv_xnn_integer_pool_fits, dv_xnn_lower_integer_pool}},
    {DV_OP_AVG_POOL, {dv_xnn_integer_pool_fits, dv_xnn_lower_integer_pool}},
    {DV_OP_MEAN, {dv_xnn_integer_mean_fits, dv_xnn_lower_integer_mean}},
    {DV_OP_SOFTMAX, {dv_xnn_integer_softmax_fits, dv_xnn_lower_integer_softmax}},
    {DV_OP_UPSAMPLE_BILINEAR, {dv_xnn_integer_resize_fits, dv_xnn_lower_integer_resize}},
    {DV_OP_CAT, {dv_xnn_integer_move_fits, dv_xnn_lower_cat}},
    {DV_OP_SPLIT, {dv_xnn_integer_move_fits, dv_xnn_lower_split}},
    {DV_OP_SLICE, {dv_xnn_integer_move_fits, dv_xnn_lower_slice}},
    {DV_OP_PAD, {dv_xnn_integer_move_fits, dv_xnn_lower_pad}},
    {DV_OP_PERMUTE, {dv_xnn_integer_move_fits, dv_xnn_lower_permute}},
    {DV_OP_QUANTIZE, {dv_xnn_conversion_fits, dv_xnn_lower_conversion}},
    {DV_OP_DEQUANTIZE, {dv_xnn_conversion_fits, dv_xnn_lower_conversion}},
};

static const integer_row *row_of(const dv_graph *graph, dv_op_id op)
{
    static const integer_row table = {dv_xnn_table_fits, dv_xnn_lower_table};
    dv_op_kind kind = graph->ops[op].kind;
    for (size_t i = 0; i < sizeof integer_rows / sizeof integer_rows[0]; i++)
        if (integer_rows[i].kind == kind && integer_rows[i].row.fits(graph, op))
            return &integer_rows[i].row;
    return table.fits(graph, op) ? &table : NULL;
}

bool dv_xnn_is_integer(const dv_graph *graph, dv_op_id op)
{
    return dv_xnn_initialise() == xnn_status_success &&
           dv_program_some_bytes(graph, &graph->ops[op]) && row_of(graph, op) != NULL;
}

dv_status dv_xnn_lower_integers(dv_program *program, uint32_t at, bool *done)
{
    const dv_graph *graph = dv_program_graph(program);
    dv_op_id op = (dv_op_id)(dv_program_op(program, at) - graph->ops);
    if (dv_xnn_initialise() != xnn_status_success)
        return DV_OK;
    const integer_row *row = row_of(graph, op);
    return row ? row->lower(program, at, done) : DV_OK;
}
