/* onnx_ops_ort_quant.c - com.microsoft: products of what is quantised while the model runs, and of
   weights of a few bits, spelt by operators that lowering knows. */
#include <string.h>

#include "load/onnx_ops.h"

static dv_tensor_id given(const dv_onnx_at *at, uint32_t i)
{
    return dv_onnx_given_input(at, i) ? at->inputs[i] : DV_NONE;
}

/* ---- integers made from numbers while the model runs ---- */

typedef struct product {
    dv_tensor_id a, a_scale, a_zero; /* integers and what they stand for; a_zero may be DV_NONE */
    dv_tensor_id b, b_scale, b_zero; /* b_scale and b_zero of all or by column */
    dv_tensor_id bias;               /* DV_NONE: none */
} product;

/* op becomes (a - zero) (b - zero) a_scale b_scale + bias, as exporters spell it. */
static dv_status become_product(dv_onnx_at *at, const product *p)
{
    dv_op_params real = {.cast = {DV_DTYPE_F32}};
    dv_tensor_id inputs[] = {p->a, p->b, p->a_zero, p->b_zero}, y, scale;
    dv_op whole = at->op;
    whole.kind = DV_OP_MATMUL_INTEGER;
    memset(&whole.params, 0, sizeof whole.params);
    whole.inputs = inputs;
    whole.input_count = p->b_zero != DV_NONE ? 4 : p->a_zero != DV_NONE ? 3 : 2;
    whole.outputs = &y;
    whole.output_count = 1;
    DV_TRY(dv_onnx_part(at, &y));
    DV_TRY(dv_onnx_add(at, &whole));
    DV_TRY(dv_onnx_emit(at, DV_OP_CAST, &real, y, DV_NONE, &y));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, p->a_scale, p->b_scale, &scale));
    if (p->bias != DV_NONE)
        DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, y, scale, &y));
    if (p->bias != DV_NONE)
        dv_onnx_become(at, DV_OP_ADD, y, p->bias, DV_NONE);
    else
        dv_onnx_become(at, DV_OP_MUL, y, scale, DV_NONE);
    return DV_OK;
}

/* Inputs (a, b, a scale, b scale[, a zero, b zero, bias]). */
dv_status dv_onnx_op_matmul_integer_to_float(dv_onnx_at *at)
{
    product p = {.a = at->inputs[0],
                 .b = at->inputs[1],
                 .a_scale = at->inputs[2],
                 .b_scale = at->inputs[3],
                 .a_zero = given(at, 4),
                 .b_zero = given(at, 5),
                 .bias = given(at, 6)};
    return become_product(at, &p);
}

/* Inputs (a of numbers, b, b scale[, b zero, bias]). */
dv_status dv_onnx_op_dynamic_quantize_matmul(dv_onnx_at *at)
{
    dv_tensor_id chosen[2], x = at->inputs[0];
    dv_op choose = at->op;
    DV_TRY(dv_onnx_part(at, &chosen[0]));
    DV_TRY(dv_onnx_part(at, &chosen[1]));
    choose.kind = DV_OP_CHOOSE_QPARAMS;
    memset(&choose.params, 0, sizeof choose.params);
    choose.inputs = &x;
    choose.input_count = 1;
    choose.outputs = chosen;
    choose.output_count = 2;
    DV_TRY(dv_onnx_add(at, &choose));
    dv_op_params bytes = {.quant = {.dtype = DV_DTYPE_U8}};
    product p = {.b = at->inputs[1],
                 .a_scale = chosen[0],
                 .a_zero = chosen[1],
                 .b_scale = at->inputs[2],
                 .b_zero = given(at, 3),
                 .bias = given(at, 4)};
    DV_TRY(
        dv_onnx_emit3(at, DV_OP_QUANTIZE, &bytes, (dv_tensor_id[]){x, chosen[0], chosen[1]}, &p.a));
    return become_product(at, &p);
}

/* ---- weights of a few bits ---- */

enum { MOST_DIM = 1 << 24 };

typedef struct packed {
    int64_t rows, columns, bits, block, blocks; /* N, K, and blocks of a row */
    size_t blob;                                /* bytes of a block */
} packed;

static dv_status read_packed(dv_onnx_at *at, packed *p)
{
    DV_TRY(dv_onnx_int(at, "K", 0, &p->columns));
    DV_TRY(dv_onnx_int(at, "N", 0, &p->rows));
    DV_TRY(dv_onnx_int(at, "bits", 4, &p->bits));
    DV_TRY(dv_onnx_int(at, "block_size", 0, &p->block));
    if (p->columns < 1 || p->rows < 1 || p->columns > MOST_DIM || p->rows > MOST_DIM)
        return dv_fail(DV_BAD_INPUT, "attributes 'K' and 'N' are %lld and %lld",
                       (long long)p->columns, (long long)p->rows);
    if ((p->bits != 2 && p->bits != 4 && p->bits != 8) || p->block < 16 || p->block > MOST_DIM ||
        (p->block & (p->block - 1)) != 0)
        return dv_onnx_opaque(at,
                              "%lld bits in blocks of %lld are not supported; 2, 4 and 8 bits "
                              "in blocks of a power of two from 16 are",
                              (long long)p->bits, (long long)p->block);
    p->blocks = (p->columns + p->block - 1) / p->block;
    p->blob = (size_t)(p->block * p->bits / 8);
    return DV_OK;
}

/* Element i of packed ones, the lowest bits first. */
static int element(const uint8_t *bytes, size_t i, int64_t bits)
{
    size_t each = (size_t)(8 / bits);
    return bytes[i / each] >> (i % each * (size_t)bits) & ((1 << bits) - 1);
}

/* The bytes of an input that has to be a constant of so many; NULL: at is opaque. */
static dv_status constant_bytes(dv_onnx_at *at, uint32_t i, const char *what, size_t size,
                                const uint8_t **bytes)
{
    const dv_tensor *tensor = dv_onnx_constant(at, i);
    size_t have;
    *bytes = tensor && tensor->dtype == DV_DTYPE_U8 ? dv_tensor_raw(tensor) : NULL;
    if (!*bytes)
        return dv_onnx_opaque(at, "its %s are no constant of bytes", what);
    if (!dv_tensor_bytes(tensor, &have) || have != size)
        return dv_fail(DV_BAD_INPUT, "its %s have another number of bytes than its attributes say",
                       what);
    return DV_OK;
}

/* The weight less its zero points, [N, blocks, block] of i16. */
static dv_status unpack(dv_onnx_at *at, const packed *p, const uint8_t *weight, const uint8_t *zero,
                        dv_tensor_id *id)
{
    size_t count = (size_t)(p->rows * p->blocks * p->block);
    size_t zero_row = (size_t)((p->blocks * p->bits + 7) / 8);
    dv_buffer *buffer = dv_buffer_create(count * sizeof(int16_t));
    if (!buffer)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    int16_t *out = (int16_t *)(void *)dv_buffer_writable(buffer);
    for (int64_t row = 0; row < p->rows; row++)
        for (int64_t k = 0; k < p->blocks; k++) {
            const uint8_t *blob = weight + (size_t)(row * p->blocks + k) * p->blob;
            int middle = zero ? element(zero + (size_t)row * zero_row, (size_t)k, p->bits)
                              : 1 << (p->bits - 1);
            for (int64_t i = 0; i < p->block; i++)
                *out++ = (int16_t)(element(blob, (size_t)i, p->bits) - middle);
        }
    dv_tensor tensor = {
        .name = dv_arena_printf(at->arena, "%s.weight", at->op.name),
        .dtype = DV_DTYPE_I16,
        .role = DV_ROLE_CONSTANT,
        .shape = {.rank = 3, .dim = {p->rows, p->blocks, p->block}},
        .data = {.storage = DV_STORAGE_BUFFER, .buffer = buffer},
    };
    dv_status status = tensor.name ? dv_graph_add_tensor(at->graph, &tensor, id)
                                   : dv_fail(DV_NO_MEMORY, "out of memory");
    dv_buffer_release(buffer);
    return status;
}

/* Inputs (a, packed b, scales[, packed zero points, group indices, bias]): a b^T + bias with b
   [N, K], each block of a row with a scale and a zero point of its own. */
dv_status dv_onnx_op_matmul_nbits(dv_onnx_at *at)
{
    packed p;
    const uint8_t *weight, *zero = NULL;
    DV_TRY(read_packed(at, &p));
    if (at->op.reason)
        return DV_OK;
    if (dv_onnx_given_input(at, 4))
        return dv_onnx_opaque(at, "indices of groups (its input 4) are not supported");
    size_t blocks = (size_t)(p.rows * p.blocks);
    DV_TRY(constant_bytes(at, 1, "weights", blocks * p.blob, &weight));
    if (!at->op.reason && dv_onnx_given_input(at, 3))
        DV_TRY(constant_bytes(at, 3, "zero points",
                              (size_t)p.rows * (size_t)((p.blocks * p.bits + 7) / 8), &zero));
    if (at->op.reason)
        return DV_OK;
    dv_op_params real = {.cast = {DV_DTYPE_F32}}, open = {.view = {.shape = {.rank = 0}}};
    dv_op_params cut = {.slice = {.count = 1, .axes = {1}, .end = {p.columns}, .step = {1}}};
    dv_tensor_id w, scale, shape, x = at->inputs[0], bias = given(at, 5);
    open.view.shape.rank = DV_RANK_UNKNOWN;
    DV_TRY(unpack(at, &p, weight, zero, &w));
    DV_TRY(dv_onnx_emit(at, DV_OP_CAST, &real, w, DV_NONE, &w));
    DV_TRY(dv_onnx_emit(at, DV_OP_CAST, &real, at->inputs[2], DV_NONE, &scale));
    DV_TRY(dv_onnx_list(at, (int64_t[]){p.rows, p.blocks, 1}, 3, &shape));
    DV_TRY(dv_onnx_emit(at, DV_OP_VIEW, &open, scale, shape, &scale));
    DV_TRY(dv_onnx_emit(at, DV_OP_MUL, NULL, w, scale, &w));
    DV_TRY(dv_onnx_list(at, (int64_t[]){p.rows, -1}, 2, &shape));
    DV_TRY(dv_onnx_emit(at, DV_OP_VIEW, &open, w, shape, &w));
    if (p.columns % p.block != 0)
        DV_TRY(dv_onnx_emit(at, DV_OP_SLICE, &cut, w, DV_NONE, &w));
    dv_dtype dtype = dv_onnx_input_dtype(at, 0);
    if (dtype != DV_DTYPE_F32) {
        real.cast.dtype = dtype;
        DV_TRY(dv_onnx_emit(at, DV_OP_CAST, &real, w, DV_NONE, &w));
    }
    dv_op_params turned = {.permute = {.rank = 2, .perm = {1, 0}}};
    DV_TRY(dv_onnx_emit(at, DV_OP_PERMUTE, &turned, w, DV_NONE, &w));
    if (bias == DV_NONE) {
        dv_onnx_become(at, DV_OP_MATMUL, x, w, DV_NONE);
        return DV_OK;
    }
    DV_TRY(dv_onnx_emit(at, DV_OP_MATMUL, NULL, x, w, &x));
    dv_onnx_become(at, DV_OP_ADD, x, bias, DV_NONE);
    return DV_OK;
}
