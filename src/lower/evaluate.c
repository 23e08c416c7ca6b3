/* evaluate.c - which operators fold, and how constants are packed and unpacked. */
#include "lower/evaluate.h"

#include "lower/infer_select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static dv_status out_of_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "out of memory while folding constants");
}

/* Operators whose output elements depend on single elements of the inputs, so that inputs with one
   value everywhere give such an output. */
static bool is_pointwise(dv_op_kind kind)
{
    return dv_op_info_of(kind)->family == DV_FAMILY_ELEMENTWISE;
}

/* Operators that put each element of their one input to some place. */
static bool is_copy(dv_op_kind kind)
{
    switch (kind) {
    case DV_OP_PERMUTE:
    case DV_OP_EXPAND:
    case DV_OP_REPEAT:
    case DV_OP_SPLIT:
    case DV_OP_SLICE:
    case DV_OP_SELECT:
    case DV_OP_PIXEL_SHUFFLE:
        return true;
    default:
        return false;
    }
}

/* Operators that keep the bytes. */
static bool is_alias(dv_op_kind kind)
{
    return dv_op_info_of(kind)->family == DV_FAMILY_VIEW;
}

static bool all_constant(const dv_infer *infer)
{
    for (uint32_t i = 0; i < infer->input_count; i++) {
        const dv_tensor *tensor = dv_infer_input(infer, i);
        if (!tensor || tensor->role != DV_ROLE_CONSTANT || tensor->dtype == DV_DTYPE_STRING ||
            tensor->dtype == DV_DTYPE_NONE || tensor->quant.count > 0)
            return false;
    }
    return infer->input_count > 0;
}

static bool all_filled(const dv_infer *infer)
{
    for (uint32_t i = 0; i < infer->input_count; i++) {
        size_t count;
        const dv_tensor *tensor = dv_infer_input(infer, i);
        if (tensor->data.storage != DV_STORAGE_FILL &&
            !(dv_shape_elements(&tensor->shape, &count) && count == 1))
            return false;
    }
    return true;
}

/* Adds the constant that output i becomes. */
static dv_status set_constant(dv_infer *infer, uint32_t i, const dv_data *data)
{
    dv_tensor_id old = infer->source->outputs[i], id;
    if (old == DV_NONE)
        return DV_OK;
    dv_tensor tensor = {.name = infer->rewrite->from->tensors[old].name,
                        .dtype = infer->dtypes[i],
                        .shape = infer->shapes[i],
                        .role = DV_ROLE_CONSTANT,
                        .data = *data};
    DV_TRY(dv_rewrite_add(infer->rewrite, &tensor, &id));
    infer->rewrite->map[old] = id;
    infer->rewrite->changed = true;
    return DV_OK;
}

static dv_status unpack(const dv_tensor *tensor, bool one, dv_value *value)
{
    *value = (dv_value){.dtype = tensor->dtype, .shape = tensor->shape};
    if (one)
        value->shape.rank = 0;
    if (!dv_shape_elements(&value->shape, &value->count))
        return dv_fail(DV_INTERNAL, "a constant of unknown shape");
    value->cells = calloc(value->count + 1, sizeof *value->cells);
    if (!value->cells)
        return out_of_memory();
    if (!dv_dtype_is_float(tensor->dtype)) {
        (void)dv_tensor_read_i64(tensor, 0, value->count, &value->cells[0].i);
    } else if (tensor->dtype == DV_DTYPE_F64) {
        dv_tensor_read(tensor, 0, value->count, value->cells);
    } else {
        /* halves, or a whole f32 array, read into the front and widened from the back */
        float *narrow = malloc((value->count + 1) * sizeof *narrow);
        if (!narrow) {
            free(value->cells);
            return out_of_memory();
        }
        (void)dv_tensor_read_f32(tensor, 0, value->count, narrow);
        for (size_t e = 0; e < value->count; e++)
            value->cells[e].f = (double)narrow[e];
        free(narrow);
    }
    return DV_OK;
}

/* The upper half of an f32, rounded to nearest even. */
static uint16_t bf16_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40); /* not a number stays none */
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

#define PACK(type, from)                                         \
    for (size_t e = 0; e < value->count; e++) {                  \
        type packed = (type)(from);                              \
        memcpy(out + e * sizeof packed, &packed, sizeof packed); \
    }

/* Writes the cells as value's dtype; false for a type that is not supported. */
static bool pack(const dv_value *value, uint8_t *out)
{
    const dv_cell *cells = value->cells;
    switch (value->dtype) {
    case DV_DTYPE_F32:
        PACK(float, cells[e].f)
        return true;
    case DV_DTYPE_F64:
        PACK(double, cells[e].f)
        return true;
    case DV_DTYPE_F16:
        PACK(uint16_t, dv_f32_to_f16((float)cells[e].f))
        return true;
    case DV_DTYPE_BF16:
        PACK(uint16_t, bf16_of((float)cells[e].f))
        return true;
    case DV_DTYPE_I64:
    case DV_DTYPE_U64:
        PACK(int64_t, cells[e].i)
        return true;
    case DV_DTYPE_I32:
    case DV_DTYPE_U32:
        PACK(uint32_t, (uint64_t)cells[e].i)
        return true;
    case DV_DTYPE_I16:
    case DV_DTYPE_U16:
        PACK(uint16_t, (uint64_t)cells[e].i)
        return true;
    case DV_DTYPE_I8:
    case DV_DTYPE_U8:
    case DV_DTYPE_BOOL:
        PACK(uint8_t, (uint64_t)cells[e].i)
        return true;
    default:
        return false;
    }
}

/* Computes output i. *done stays false if it cannot be. `one`: all inputs are one value each, so
   compute it once and fill. */
static dv_status fold_output(dv_infer *infer, const dv_value *inputs, uint32_t i, bool one,
                             bool *done)
{
    dv_value out = {.dtype = infer->dtypes[i], .shape = infer->shapes[i]};
    size_t bytes;
    if (one)
        out.shape.rank = 0;
    if (!dv_shape_elements(&out.shape, &out.count) ||
        !dv_mul_size(out.count, dv_dtype_bytes(out.dtype), &bytes))
        return DV_OK;
    out.cells = calloc(out.count + 1, sizeof *out.cells);
    dv_data data = {.storage = DV_STORAGE_BUFFER};
    dv_status status = out.cells ? DV_OK : out_of_memory();
    bool good = status == DV_OK && (dv_evaluate_math(infer, inputs, &out) ||
                                    dv_evaluate_move(infer, inputs, i, &out) ||
                                    dv_evaluate_select(infer, inputs, i, &out));
    if (good && one) {
        data.storage = DV_STORAGE_FILL;
        data.shift = dv_dtype_is_float(out.dtype) ? out.cells[0].f : (double)out.cells[0].i;
        if (out.dtype == DV_DTYPE_F32)
            data.shift = (double)(float)data.shift;
        good = dv_dtype_is_float(out.dtype) || fabs(data.shift) < 0x1p53;
    } else if (good) {
        data.buffer = dv_buffer_create(bytes);
        if (!data.buffer)
            status = out_of_memory();
        else
            good = pack(&out, dv_buffer_writable(data.buffer));
    }
    if (status == DV_OK && good) {
        status = set_constant(infer, i, &data);
        *done = true;
    }
    dv_buffer_release(data.buffer);
    free(out.cells);
    return status;
}

dv_status dv_fold_cast(dv_rewrite *rewrite, const dv_op *source, dv_tensor_id from, dv_dtype to,
                       dv_tensor_id *id)
{
    dv_tensor tensor = *dv_rewrite_at(rewrite, from);
    const dv_infer cast = {
        .rewrite = rewrite, .source = source, .kind = DV_OP_CAST, .params.cast.dtype = to};
    dv_value in = {0}, out = {.dtype = to, .shape = tensor.shape};
    size_t bytes;
    *id = DV_NONE;
    if (!dv_shape_elements(&tensor.shape, &out.count) || out.count > DV_FOLD_LIMIT ||
        !dv_mul_size(out.count, dv_dtype_bytes(to), &bytes) ||
        !dv_rewrite_afford(rewrite, out.count))
        return DV_OK;
    DV_TRY(unpack(&tensor, false, &in));
    dv_data data = {.storage = DV_STORAGE_BUFFER, .buffer = dv_buffer_create(bytes)};
    out.cells = calloc(out.count + 1, sizeof *out.cells);
    dv_status status = data.buffer && out.cells ? DV_OK : out_of_memory();
    if (status == DV_OK && dv_evaluate_math(&cast, &in, &out) &&
        pack(&out, dv_buffer_writable(data.buffer)))
        status = dv_rewrite_constant(rewrite, tensor.name, "cast", to, &tensor.shape, &data, id);
    dv_buffer_release(data.buffer);
    free(in.cells);
    free(out.cells);
    return status;
}

/* Few enough elements to be worth computing now? */
static bool is_small(const dv_infer *infer)
{
    size_t limit = DV_FOLD_LIMIT, most = DV_FOLD_LIMIT, count, taken = 0;
    const dv_tensor *first = dv_infer_input(infer, 0);
    if ((is_copy(infer->kind) || infer->kind == DV_OP_CAST) &&
        first->data.storage == DV_STORAGE_BUFFER) {
        limit = DV_COPY_LIMIT;
        if (dv_shape_elements(&first->shape, &count) && count > most)
            most = count;
    }
    for (uint32_t i = 0; i < infer->input_count; i++)
        if (!dv_shape_elements(&dv_infer_input(infer, i)->shape, &count) || count > limit ||
            !dv_add_size(taken, count, &taken))
            return false;
    for (uint32_t i = 0; i < infer->known_outputs; i++)
        if (!dv_shape_elements(&infer->shapes[i], &count) || count > most ||
            !dv_add_size(taken, count, &taken))
            return false;
    return dv_rewrite_afford(infer->rewrite, taken);
}

static dv_status fold_by_value(dv_infer *infer, bool one, bool *folded)
{
    uint32_t count = infer->input_count;
    dv_value *inputs = calloc((size_t)count + 1, sizeof *inputs);
    dv_status status = inputs ? DV_OK : out_of_memory();
    for (uint32_t i = 0; status == DV_OK && i < count; i++)
        status = unpack(dv_infer_input(infer, i), one, &inputs[i]);
    /* either all outputs fold or, for a reason that the first one shows already, none */
    bool done = true;
    for (uint32_t i = 0; status == DV_OK && done && i < infer->known_outputs; i++) {
        done = false;
        status = fold_output(infer, inputs, i, one, &done);
    }
    *folded = done;
    for (uint32_t i = 0; inputs && i < count; i++)
        free(inputs[i].cells);
    free(inputs);
    return status;
}

/* What a shape is made of: values that only depend on parameters and shapes. */
static dv_status fold_plumbing(dv_infer *infer, bool *folded)
{
    if (infer->kind == DV_OP_FULL) {
        dv_data data = {.storage = DV_STORAGE_FILL, .shift = infer->params.full.value};
        *folded = true;
        return set_constant(infer, 0, &data);
    }
    if (infer->kind == DV_OP_ARANGE) {
        if (!dv_rewrite_afford(infer->rewrite, (size_t)infer->shapes[0].dim[0]))
            return dv_infer_fail(infer, "with it, the constants of this model would take more "
                                        "memory than a file of its size should");
        infer->input_count = 3; /* the rule has dropped them, but they are there */
        dv_status status = fold_by_value(infer, false, folded);
        infer->input_count = 0;
        if (status == DV_OK && !*folded)
            status = dv_infer_fail(infer, "its element type is not supported");
        return status;
    }
    return fold_output(infer, NULL, 0, false, folded);
}

/* A weight matrix turned round for products alone: they read it the other way round instead. */
static bool is_read_turned(const dv_infer *infer)
{
    const dv_graph *from = infer->rewrite->from;
    dv_tensor_id out = infer->source->outputs[0];
    size_t count;
    if (infer->kind != DV_OP_PERMUTE || infer->params.permute.rank != 2 || out == DV_NONE ||
        from->tensors[out].is_output || !dv_shape_elements(&infer->shapes[0], &count) ||
        count <= DV_FOLD_LIMIT / 16)
        return false;
    for (uint32_t c = from->consumer_start[out]; c < from->consumer_start[out + 1]; c++) {
        const dv_op *reader = &from->ops[from->consumers[c]];
        if ((reader->kind != DV_OP_LINEAR && reader->kind != DV_OP_MATMUL) ||
            reader->inputs[1] != out || reader->inputs[0] == out)
            return false;
    }
    return true;
}

dv_status dv_fold(dv_infer *infer, bool *folded)
{
    *folded = false;
    if (infer->kind == DV_OP_OPAQUE)
        return DV_OK;
    if (dv_op_info_of(infer->kind)->family == DV_FAMILY_PLUMBING)
        return fold_plumbing(infer, folded);
    if (!all_constant(infer))
        return DV_OK;
    if (is_alias(infer->kind)) {
        *folded = true;
        dv_tensor_id old = infer->source->outputs[0];
        bool same = dv_shape_equal(&infer->shapes[0], &dv_infer_input(infer, 0)->shape);
        if (same && old != DV_NONE) {
            infer->rewrite->map[old] = infer->inputs[0];
            infer->rewrite->changed = true;
            return DV_OK;
        }
        dv_data data = dv_infer_input(infer, 0)->data;
        return set_constant(infer, 0, &data);
    }
    if (all_filled(infer) && is_copy(infer->kind)) {
        dv_data data = dv_infer_input(infer, 0)->data;
        if (data.storage == DV_STORAGE_FILL) {
            *folded = true;
            for (uint32_t i = 0; i < infer->known_outputs; i++)
                DV_TRY(set_constant(infer, i, &data));
            return DV_OK;
        }
    }
    size_t elements;
    if (all_filled(infer) && is_pointwise(infer->kind) &&
        dv_shape_elements(&infer->shapes[0], &elements) && elements > 1)
        return fold_by_value(infer, true, folded);
    return is_small(infer) && !is_read_turned(infer) ? fold_by_value(infer, false, folded) : DV_OK;
}
