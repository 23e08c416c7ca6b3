/* test_integers.c - quantised operators on 8-bit kernels, and on floats between conversions, give
   what the reference kernels give, over random shapes, scales and zero points: equal where data
   moves and tables are looked up, else now and then one step off. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "runtime/layout.h"
#include "runtime/memplan.h"
#include "tests/suite.h"
#include "tests/unit/segment_case.h"

enum { CASES = 40, MOST_INPUTS = 4 };

/* ---- drawing ---- */

typedef struct draw {
    dv_rng rng;
    dv_graph *graph;
} draw;

static int64_t between(draw *d, int64_t least, int64_t most)
{
    return least + (int64_t)(dv_rng_next(&d->rng) % (uint64_t)(most - least + 1));
}

static float scale_of(draw *d, double least, double most)
{
    return (float)(least * pow(most / least, (double)between(d, 0, 1000) / 1000));
}

static dv_dtype bytes_of(draw *d)
{
    return between(d, 0, 1) ? DV_DTYPE_I8 : DV_DTYPE_U8;
}

static int32_t zero_of(draw *d, dv_dtype dtype)
{
    int64_t zero = between(d, 0, 3) == 0 ? 0 : between(d, -100, 100);
    return (int32_t)(dtype == DV_DTYPE_U8 ? zero + 128 : zero);
}

static dv_tensor_id tensor(draw *d, dv_role role, dv_dtype dtype, dv_shape shape, float scale,
                           int32_t zero)
{
    dv_quant quant = {1, 0, &scale, &zero};
    bool constant = role == DV_ROLE_CONSTANT;
    dv_tensor t = {.name = "t", .dtype = dtype, .shape = shape, .role = role};
    dv_tensor_id id = DV_NONE;
    if (dtype != DV_DTYPE_F32)
        t.quant = quant;
    if (constant)
        t.data = (dv_data){.storage = DV_STORAGE_GENERATED,
                           .seed = dv_rng_next(&d->rng),
                           .scale = 126,
                           .shift = dtype == DV_DTYPE_U8 ? 128 : 0};
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_tensor(d->graph, &t, &id), DV_OK);
    return id;
}

static dv_tensor_id input(draw *d, dv_dtype dtype, dv_shape shape, float scale)
{
    return tensor(d, DV_ROLE_INPUT, dtype, shape, scale, zero_of(d, dtype));
}

static dv_tensor_id output(draw *d, dv_dtype dtype, dv_shape shape, float scale)
{
    return tensor(d, DV_ROLE_ACTIVATION, dtype, shape, scale, zero_of(d, dtype));
}

static void op(draw *d, dv_op_kind kind, const dv_op_params *params, const dv_tensor_id *inputs,
               uint32_t count, dv_tensor_id y)
{
    dv_op made = {.kind = kind,
                  .name = dv_op_info_of(kind)->name,
                  .source_type = "Test",
                  .input_count = count,
                  .output_count = 1,
                  .inputs = inputs,
                  .outputs = &y};
    if (params)
        made.params = *params;
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_op(d->graph, &made, &(dv_op_id){0}), DV_OK);
}

static dv_shape image(int64_t n, int64_t c, int64_t h, int64_t w)
{
    return dv_shape_make((int64_t[]){n, c, h, w}, 4);
}

static dv_shape vector(int64_t n)
{
    return dv_shape_make(&n, 1);
}

/* ---- running ---- */

static void *memory_for(const dv_tensor *t)
{
    size_t bytes = 0;
    void *memory = dv_tensor_bytes(t, &bytes) ? dv_memplan_allocate(bytes) : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(memory);
    return memory;
}

/* With nans, one in 64 floats is no number. */
static void fill(const dv_tensor *t, uint64_t seed, bool nans, void *memory)
{
    size_t elements = 0;
    (void)dv_shape_elements(&t->shape, &elements);
    for (size_t i = 0; i < elements; i++) {
        uint64_t bits = dv_rng_at(seed, i);
        if (t->dtype == DV_DTYPE_F32)
            ((float *)memory)[i] =
                nans && (bits & 63) == 0 ? NAN : (float)(bits >> 40) * 0x1p-21f - 4.0f;
        else
            ((uint8_t *)memory)[i] = (uint8_t)bits;
    }
}

/* Runs the graph on a backend with its borders in a layout; the output plain, in new memory. */
static void *run(const dv_graph *graph, const char *name, dv_layout wanted)
{
    const dv_backend *backend = dv_backend_find(name);
    dv_layout layouts[MOST_INPUTS + 1];
    void *in[MOST_INPUTS], *out[1];
    dv_op_id ops[4] = {0, 1, 2, 3};
    const dv_tensor *y = &graph->tensors[graph->outputs[0]];
    for (uint32_t i = 0; i <= graph->input_count; i++) {
        const dv_tensor *t = i < graph->input_count ? &graph->tensors[graph->inputs[i]] : y;
        bool may = dv_layout_may_be_channels_last(t->dtype, &t->shape);
        layouts[i] = may ? wanted : DV_LAYOUT_PLAIN;
        if (i == graph->input_count)
            break;
        void *plain = memory_for(t);
        in[i] = memory_for(t);
        fill(t, 7 + i, graph->ops[0].kind == DV_OP_QUANTIZE, plain);
        size_t bytes = 0;
        (void)dv_tensor_bytes(t, &bytes);
        if (layouts[i] == DV_LAYOUT_PLAIN)
            memcpy(in[i], plain, bytes);
        else
            dv_layout_convert(t->dtype, &t->shape, plain, DV_LAYOUT_PLAIN, in[i], layouts[i]);
        free(plain);
    }
    out[0] = memory_for(y);
    dv_segment_spec spec = {.graph = graph,
                            .op_count = graph->op_count,
                            .ops = ops,
                            .input_count = graph->input_count,
                            .output_count = 1,
                            .inputs = graph->inputs,
                            .outputs = graph->outputs,
                            .input_layout = layouts,
                            .output_layout = &layouts[graph->input_count],
                            .precision = DV_DTYPE_F32,
                            .threads = 1};
    dv_executable *executable = NULL;
    dv_status status = backend->compile(&spec, &executable);
    if (status == DV_OK)
        status = backend->bind(executable, in, out);
    for (int i = 0; i < 2 && status == DV_OK; i++)
        status = backend->run(executable, NULL);
    if (status != DV_OK)
        fprintf(stderr, "\n    %s: %s\n", name, dv_message());
    CU_ASSERT_EQUAL_FATAL(status, DV_OK);
    backend->destroy(executable);
    for (uint32_t i = 0; i < graph->input_count; i++)
        free(in[i]);
    if (layouts[graph->input_count] == DV_LAYOUT_PLAIN)
        return out[0];
    void *plain = memory_for(y);
    dv_layout_convert(y->dtype, &y->shape, out[0], layouts[graph->input_count], plain,
                      DV_LAYOUT_PLAIN);
    free(out[0]);
    return plain;
}

/* The share of elements that differ; INFINITY if any does by more than `most` steps. */
static double share_apart(const dv_tensor *t, const void *a, const void *b, int most)
{
    size_t elements = 0, apart = 0;
    (void)dv_shape_elements(&t->shape, &elements);
    for (size_t i = 0; i < elements; i++) {
        int steps;
        if (t->dtype == DV_DTYPE_F32)
            steps = ((const float *)a)[i] != ((const float *)b)[i];
        else if (t->dtype == DV_DTYPE_I8)
            steps = abs(((const int8_t *)a)[i] - ((const int8_t *)b)[i]);
        else
            steps = abs(((const uint8_t *)a)[i] - ((const uint8_t *)b)[i]);
        if (steps > most)
            return INFINITY;
        apart += steps != 0;
    }
    return (double)apart / (double)elements;
}

static void finish(draw *d, dv_tensor_id y)
{
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_output(d->graph, y), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_graph_finish(d->graph), DV_OK);
    CU_ASSERT_TRUE_FATAL(d->graph->input_count <= MOST_INPUTS && d->graph->op_count <= 4);
}

/* What `build` draws runs on kernels of integers, which differ from the reference in no more than a
   share of all elements of all cases, and there by one step. */
static void expect(const char *what, bool integers, dv_tensor_id (*build)(draw *d), double share)
{
    static const char *const backends[] = {"xnnpack", "onednn"};
    double sum = 0;
    size_t runs = 0;
    for (uint64_t seed = 1; seed <= CASES; seed++) {
        draw d = {.rng = dv_rng_seeded(seed), .graph = dv_graph_create("case", "graph")};
        CU_ASSERT_PTR_NOT_NULL_FATAL(d.graph);
        finish(&d, build(&d));
        const dv_tensor *y = &d.graph->tensors[d.graph->outputs[0]];
        void *reference = run(d.graph, "portable", DV_LAYOUT_PLAIN);
        for (size_t b = 0; b < 2; b++) {
            const dv_backend *backend = dv_backend_find(backends[b]);
            if (!backend)
                continue;
            bool as_expected = backend->is_integer(d.graph, 0) == integers;
            if (!as_expected)
                fprintf(stderr, "\n    %s, seed %llu: not the kernels expected\n", what,
                        (unsigned long long)seed);
            CU_ASSERT_TRUE(as_expected);
            for (int last = 0; last < 2; last++, runs++) {
                void *ours =
                    run(d.graph, backends[b], last ? DV_LAYOUT_CHANNELS_LAST : DV_LAYOUT_PLAIN);
                double apart = share_apart(y, ours, reference, share > 0 ? 1 : 0);
                if (!(apart <= 1))
                    fprintf(stderr, "\n    %s on %s, seed %llu, layout %d: steps apart\n", what,
                            backends[b], (unsigned long long)seed, last);
                CU_ASSERT_TRUE(apart <= 1);
                sum += apart;
                free(ours);
            }
        }
        free(reference);
        dv_graph_destroy(d.graph);
    }
    if (!(sum <= share * (double)runs))
        fprintf(stderr, "\n    %s: %g of all elements differ\n", what, sum / (double)runs);
    CU_ASSERT_TRUE(sum <= share * (double)runs);
}

static void expect_close(const char *what, dv_tensor_id (*build)(draw *d), double share)
{
    expect(what, true, build, share);
}

/* ---- products ---- */

/* Weights of `rows` outputs along axis, with a scale for all or one each; now and then unsigned
   with a zero point. */
static dv_tensor_id weights(draw *d, dv_shape shape, uint32_t axis, double scale, bool may_channels)
{
    int64_t form = between(d, 0, may_channels ? 2 : 1);
    uint32_t count = (uint32_t)shape.dim[axis];
    if (form < 2) {
        dv_dtype dtype = form == 0 ? DV_DTYPE_I8 : DV_DTYPE_U8;
        int32_t zero = form == 0 ? 0 : (int32_t)between(d, 100, 150);
        return tensor(d, DV_ROLE_CONSTANT, dtype, shape, scale_of(d, scale / 2, scale * 2), zero);
    }
    dv_tensor_id id = tensor(d, DV_ROLE_CONSTANT, DV_DTYPE_I8, shape, 1, 0);
    float *scales = calloc(count, sizeof *scales);
    int32_t *zeros = calloc(count, sizeof *zeros);
    CU_ASSERT_FATAL(scales && zeros);
    for (uint32_t i = 0; i < count; i++)
        scales[i] = scale_of(d, scale / 4, scale * 4);
    dv_quant quant = {count, axis, scales, zeros};
    CU_ASSERT_EQUAL_FATAL(dv_graph_set_quant(d->graph, id, &quant), DV_OK);
    free(scales);
    free(zeros);
    return id;
}

/* f32, as where the bias was not quantised, or none. */
static dv_tensor_id bias(draw *d, int64_t count)
{
    if (between(d, 0, 3) == 0)
        return DV_NONE;
    dv_tensor_id id = tensor(d, DV_ROLE_CONSTANT, DV_DTYPE_F32, vector(count), 1, 0);
    dv_graph_tensor_mutable(d->graph, id)->data.scale = 3;
    return id;
}

/* What follows: nothing, or an activation between floats and integers. */
static dv_tensor_id product_result(draw *d, dv_op_kind kind, const dv_op_params *params,
                                   const dv_tensor_id *inputs, uint32_t count, dv_shape shape)
{
    dv_dtype dtype = bytes_of(d);
    float scale = scale_of(d, 0.02, 0.2);
    dv_op_params clamp = {.clamp = {.min = between(d, 0, 1) ? 0 : -2, .max = 6}};
    switch (between(d, 0, 2)) {
    case 0: {
        dv_tensor_id y = output(d, dtype, shape, scale);
        op(d, kind, params, inputs, count, y);
        return y;
    }
    case 1: { /* floats between the operator and its activation */
        dv_tensor_id f = tensor(d, DV_ROLE_ACTIVATION, DV_DTYPE_F32, shape, 1, 0);
        dv_tensor_id y = output(d, dtype, shape, scale);
        op(d, kind, params, inputs, count, f);
        op(d, DV_OP_CLAMP, &clamp, &f, 1, y);
        return y;
    }
    default: { /* integers alike on both sides of it */
        int32_t zero = zero_of(d, dtype);
        dv_tensor_id f = tensor(d, DV_ROLE_ACTIVATION, dtype, shape, scale, zero);
        dv_tensor_id y = tensor(d, DV_ROLE_ACTIVATION, dtype, shape, scale, zero);
        op(d, kind, params, inputs, count, f);
        op(d, DV_OP_RELU, NULL, &f, 1, y);
        return y;
    }
    }
}

static dv_tensor_id convolution(draw *d)
{
    int64_t groups = between(d, 0, 2) == 0 ? between(d, 2, 4) : 1;
    int64_t in = groups * between(d, 1, 9), out = groups * between(d, 1, 12);
    if (between(d, 0, 3) == 0) /* depthwise */
        groups = out = in;
    int64_t kernel = between(d, 1, 4), stride = between(d, 1, 2), dilation = between(d, 1, 2);
    int64_t reach = dilation * (kernel - 1) + 1, before = between(d, 0, kernel - 1);
    int64_t after = between(d, 0, kernel - 1), h = between(d, reach, 13), w = between(d, reach, 13);
    dv_op_params params = {.conv = {.spatial = 2,
                                    .groups = groups,
                                    .stride = {stride, stride},
                                    .dilation = {dilation, dilation},
                                    .pad_begin = {before, after},
                                    .pad_end = {after, before}}};
    dv_tensor_id x = input(d, bytes_of(d), image(between(d, 1, 2), in, h, w), 0.05f);
    dv_shape y =
        image(d->graph->tensors[x].shape.dim[0], out, (h + before + after - reach) / stride + 1,
              (w + before + after - reach) / stride + 1);
    dv_tensor_id k = weights(d, image(out, in / groups, kernel, kernel), 0, 0.01, true);
    dv_tensor_id inputs[3] = {x, k, bias(d, out)};
    return product_result(d, DV_OP_CONVOLUTION, &params, inputs, 3, y);
}

static dv_tensor_id transposed_convolution(draw *d)
{
    int64_t in = between(d, 1, 9), out = between(d, 1, 9), kernel = between(d, 1, 3);
    int64_t stride = between(d, 1, 2), h = between(d, 1, 7), w = between(d, 1, 7);
    dv_op_params params = {.conv = {.spatial = 2,
                                    .transposed = true,
                                    .groups = 1,
                                    .stride = {stride, stride},
                                    .dilation = {1, 1}}};
    dv_tensor_id x = input(d, bytes_of(d), image(1, in, h, w), 0.05f);
    dv_tensor_id k = weights(d, image(in, out, kernel, kernel), 1, 0.01, false);
    dv_tensor_id inputs[3] = {x, k, bias(d, out)};
    return product_result(d, DV_OP_CONVOLUTION, &params, inputs, 3,
                          image(1, out, (h - 1) * stride + kernel, (w - 1) * stride + kernel));
}

static dv_tensor_id linear(draw *d)
{
    int64_t in = between(d, 1, 70), out = between(d, 1, 40), kn = between(d, 0, 1);
    dv_op_params params = {.linear = {.weight_kn = kn == 1, .alpha = 1, .beta = 1}};
    int64_t dims[4] = {between(d, 1, 3), between(d, 1, 3), between(d, 1, 5), in};
    size_t rank = (size_t)between(d, 1, 4);
    dv_shape x_shape = dv_shape_make(dims + 4 - rank, rank), y_shape = x_shape;
    y_shape.dim[rank - 1] = out;
    dv_tensor_id x = input(d, bytes_of(d), x_shape, 0.05f);
    int64_t matrix[2] = {kn ? in : out, kn ? out : in};
    dv_tensor_id k = weights(d, dv_shape_make(matrix, 2), kn ? 1 : 0, 0.01, true);
    dv_tensor_id inputs[3] = {x, k, bias(d, out)};
    return product_result(d, DV_OP_LINEAR, &params, inputs, 3, y_shape);
}

static void convolutions_round_once(void)
{
    expect_close("convolution", convolution, 1e-3);
}

static void transposed_convolutions_round_once(void)
{
    expect_close("transposed convolution", transposed_convolution, 1e-3);
}

static void matrix_products_round_once(void)
{
    expect_close("linear", linear, 1e-3);
}

/* ---- arithmetic, pools ---- */

static dv_tensor_id arithmetic(draw *d)
{
    static const dv_op_kind kinds[] = {DV_OP_ADD, DV_OP_SUB, DV_OP_MUL};
    dv_op_kind kind = kinds[between(d, 0, 2)];
    dv_dtype dtype = bytes_of(d);
    dv_shape shape = image(1, between(d, 2, 9), between(d, 2, 7), between(d, 2, 7)), other = shape;
    if (between(d, 0, 2) == 0) /* one number a channel */
        other.dim[2] = other.dim[3] = 1;
    bool constant = between(d, 0, 2) == 0;
    dv_tensor_id inputs[2];
    inputs[0] = input(d, dtype, shape, scale_of(d, 0.01, 0.1));
    inputs[1] = constant ? tensor(d, DV_ROLE_CONSTANT, dtype, other, scale_of(d, 0.01, 0.1),
                                  zero_of(d, dtype))
                         : input(d, bytes_of(d), other, scale_of(d, 0.01, 0.1));
    return product_result(d, kind, NULL, inputs, 2, shape);
}

static dv_tensor_id pool(draw *d)
{
    bool max = between(d, 0, 1);
    int64_t kernel = between(d, 2, 3), stride = between(d, 1, 2), pad = max ? between(d, 0, 1) : 0;
    int64_t h = between(d, 4, 11), w = between(d, 4, 11), c = between(d, 1, 20);
    dv_op_params params = {.pool = {.spatial = 2,
                                    .kernel = {kernel, kernel},
                                    .stride = {stride, stride},
                                    .dilation = {1, 1},
                                    .pad_begin = {pad, pad},
                                    .pad_end = {pad, pad}}};
    dv_dtype dtype = bytes_of(d);
    dv_shape shape =
        image(1, c, (h + 2 * pad - kernel) / stride + 1, (w + 2 * pad - kernel) / stride + 1);
    int32_t zero = zero_of(d, dtype);
    dv_tensor_id x = tensor(d, DV_ROLE_INPUT, dtype, image(1, c, h, w), 0.05f, zero);
    float scale = max ? 0.05f : scale_of(d, 0.03, 0.1);
    dv_tensor_id y = tensor(d, DV_ROLE_ACTIVATION, dtype, shape, scale, zero);
    op(d, max ? DV_OP_MAX_POOL : DV_OP_AVG_POOL, &params, &x, 1, y);
    return y;
}

static dv_tensor_id mean(draw *d)
{
    dv_op_params params = {.reduce = {.count = 2, .keep_dims = between(d, 0, 1), .axes = {2, 3}}};
    int64_t c = between(d, 1, 40);
    dv_tensor_id x = input(d, bytes_of(d), image(1, c, between(d, 2, 9), between(d, 2, 9)), 0.05f);
    dv_shape shape =
        params.reduce.keep_dims ? image(1, c, 1, 1) : dv_shape_make((int64_t[]){1, c}, 2);
    dv_tensor_id y = output(d, bytes_of(d), shape, scale_of(d, 0.01, 0.06));
    op(d, DV_OP_MEAN, &params, &x, 1, y);
    return y;
}

static dv_tensor_id softmax(draw *d)
{
    bool image_rows = between(d, 0, 1);
    dv_dtype dtype = bytes_of(d);
    dv_shape shape = image_rows
                         ? image(1, between(d, 2, 20), between(d, 1, 4), between(d, 1, 4))
                         : dv_shape_make((int64_t[]){between(d, 1, 5), between(d, 2, 90)}, 2);
    dv_op_params params = {.axis = {.axis = 1}};
    dv_tensor_id x = input(d, bytes_of(d), shape, scale_of(d, 0.01, 0.2));
    dv_tensor_id y =
        tensor(d, DV_ROLE_ACTIVATION, dtype, shape, 0x1p-8f, dtype == DV_DTYPE_I8 ? -128 : 0);
    op(d, DV_OP_SOFTMAX, &params, &x, 1, y);
    return y;
}

static dv_tensor_id resize(draw *d)
{
    int64_t c = between(d, 1, 20), h = between(d, 2, 6), w = between(d, 2, 6);
    dv_dtype dtype = bytes_of(d);
    int32_t zero = zero_of(d, dtype);
    dv_op_params params = {.resize = {.coordinate = between(d, 0, 1) ? DV_COORDINATE_HALF_PIXEL
                                                                     : DV_COORDINATE_ASYMMETRIC,
                                      .scale_h = 2,
                                      .scale_w = 3}};
    dv_tensor_id x = tensor(d, DV_ROLE_INPUT, dtype, image(1, c, h, w), 0.05f, zero);
    dv_tensor_id y = tensor(d, DV_ROLE_ACTIVATION, dtype, image(1, c, 2 * h, 3 * w), 0.05f, zero);
    op(d, DV_OP_UPSAMPLE_BILINEAR, &params, &x, 1, y);
    return y;
}

static void sums_differences_and_products_scale_by_fixed_point(void)
{
    expect_close("arithmetic", arithmetic, 2e-2);
}

static void pools_and_means_round_once(void)
{
    expect_close("pool", pool, 5e-2);
    expect_close("mean", mean, 5e-2);
}

static void softmax_and_resizing_come_within_a_step(void)
{
    expect_close("softmax", softmax, 0.1);
    expect_close("resize", resize, 0.1);
}

/* ---- equal ---- */

static dv_tensor_id table(draw *d)
{
    static const dv_op_kind kinds[] = {DV_OP_RELU,      DV_OP_CLAMP,       DV_OP_SIGMOID,
                                       DV_OP_TANH,      DV_OP_GELU,        DV_OP_SILU,
                                       DV_OP_HARDSWISH, DV_OP_HARDSIGMOID, DV_OP_LEAKY_RELU,
                                       DV_OP_IDENTITY,  DV_OP_EXP,         DV_OP_ABS};
    static const dv_op_kind with_number[] = {DV_OP_ADD, DV_OP_SUB, DV_OP_MUL, DV_OP_MAXIMUM};
    dv_op_params params = {.clamp = {.min = -1, .max = 2}};
    dv_shape shape = image(1, between(d, 1, 9), between(d, 1, 9), between(d, 1, 9));
    dv_tensor_id inputs[2] = {input(d, bytes_of(d), shape, scale_of(d, 0.01, 0.1))};
    size_t which = (size_t)between(d, 0, 15);
    bool binary = which >= sizeof kinds / sizeof *kinds;
    dv_op_kind kind = binary ? with_number[which % 4] : kinds[which];
    if (kind == DV_OP_LEAKY_RELU || kind == DV_OP_HARDSIGMOID)
        params = (dv_op_params){.scalar = {.alpha = 0.2, .beta = 0.5}};
    else if (kind == DV_OP_GELU)
        params = (dv_op_params){.flag = {.on = false}};
    dv_tensor_id y = output(d, bytes_of(d), shape, scale_of(d, 0.005, 0.1));
    if (binary) {
        inputs[1] = tensor(d, DV_ROLE_CONSTANT, DV_DTYPE_F32, vector(1), 1, 0);
        dv_graph_tensor_mutable(d->graph, inputs[1])->data.scale = 2;
    }
    op(d, kind, &params, inputs, binary ? 2 : 1, y);
    return y;
}

static dv_tensor_id movement(draw *d)
{
    dv_dtype dtype = bytes_of(d);
    int32_t zero = zero_of(d, dtype);
    int64_t c = between(d, 2, 9), h = between(d, 2, 9), w = between(d, 2, 9);
    dv_op_params params = {0};
    dv_tensor_id x = tensor(d, DV_ROLE_INPUT, dtype, image(1, c, h, w), 0.05f, zero), y;
    switch (between(d, 0, 3)) {
    case 0:
        params.pad = (dv_pad_params){.mode = DV_PAD_CONSTANT,
                                     .rank = 4,
                                     .begin = {0, 1, 0, 2},
                                     .end = {0, 0, 3, 1},
                                     .value = (double)between(d, -2, 2)};
        y = tensor(d, DV_ROLE_ACTIVATION, dtype, image(1, c + 1, h + 3, w + 3), 0.05f, zero);
        op(d, DV_OP_PAD, &params, &x, 1, y);
        return y;
    case 1:
        params.slice = (dv_slice_params){
            .count = 4, .axes = {0, 1, 2, 3}, .begin = {0, 1, 0, 0}, .step = {1, 1, 1, 1}};
        params.slice.end[0] = 1;
        params.slice.end[1] = c;
        params.slice.end[2] = h;
        params.slice.end[3] = w;
        y = tensor(d, DV_ROLE_ACTIVATION, dtype, image(1, c - 1, h, w), 0.05f, zero);
        op(d, DV_OP_SLICE, &params, &x, 1, y);
        return y;
    case 2:
        params.permute = (dv_permute_params){.rank = 4, .perm = {0, 2, 3, 1}};
        y = tensor(d, DV_ROLE_ACTIVATION, dtype, image(1, h, w, c), 0.05f, zero);
        op(d, DV_OP_PERMUTE, &params, &x, 1, y);
        return y;
    default: { /* joined with one of another scale */
        int64_t more = between(d, 1, 4);
        dv_tensor_id inputs[2] = {x, input(d, dtype, image(1, more, h, w), 0.02f)};
        params.axis.axis = 1;
        y = tensor(d, DV_ROLE_ACTIVATION, dtype, image(1, c + more, h, w), 0.05f, zero);
        op(d, DV_OP_CAT, &params, inputs, 2, y);
        return y;
    }
    }
}

/* A scale and a zero point as operands of a conversion. */
static void conversion_operands(draw *d, dv_dtype dtype, dv_tensor_id inputs[3])
{
    inputs[1] = tensor(d, DV_ROLE_CONSTANT, DV_DTYPE_F32, vector(1), 1, 0);
    dv_graph_tensor_mutable(d->graph, inputs[1])->data =
        (dv_data){.storage = DV_STORAGE_FILL, .shift = (double)scale_of(d, 0.01, 0.1)};
    dv_tensor zero = {.name = "zero",
                      .dtype = dtype,
                      .shape = vector(1),
                      .role = DV_ROLE_CONSTANT,
                      .data = {.storage = DV_STORAGE_FILL, .shift = zero_of(d, dtype)}};
    CU_ASSERT_EQUAL_FATAL(dv_graph_add_tensor(d->graph, &zero, &inputs[2]), DV_OK);
}

static dv_tensor_id to_floats(draw *d)
{
    dv_dtype dtype = bytes_of(d);
    dv_shape shape = image(1, between(d, 1, 9), between(d, 1, 9), between(d, 1, 9));
    dv_tensor_id inputs[3] = {input(d, dtype, shape, 0.05f)};
    conversion_operands(d, dtype, inputs);
    dv_op_params params = {.quant = {.dtype = dtype}};
    dv_tensor_id y = tensor(d, DV_ROLE_ACTIVATION, DV_DTYPE_F32, shape, 1, 0);
    op(d, DV_OP_DEQUANTIZE, &params, inputs, 3, y);
    return y;
}

static dv_tensor_id to_integers(draw *d)
{
    dv_dtype dtype = bytes_of(d);
    dv_shape shape = image(1, between(d, 1, 9), between(d, 1, 9), between(d, 1, 9));
    dv_tensor_id inputs[3] = {tensor(d, DV_ROLE_INPUT, DV_DTYPE_F32, shape, 1, 0)};
    conversion_operands(d, dtype, inputs);
    dv_op_params params = {.quant = {.dtype = dtype}};
    dv_tensor_id y = output(d, dtype, shape, 0.05f);
    op(d, DV_OP_QUANTIZE, &params, inputs, 3, y);
    return y;
}

static void tables_are_equal_to_the_reference(void)
{
    expect_close("table", table, 0);
}

static void moved_integers_are_equal(void)
{
    expect_close("movement", movement, 0);
}

static void conversions_are_equal_to_the_reference(void)
{
    expect_close("to floats", to_floats, 0);
    expect_close("to integers", to_integers, 0);
}

/* ---- what the library cannot take is computed on floats ---- */

/* A factor of 600, or weights with a scale and a zero point a channel. */
static dv_tensor_id odd_convolution(draw *d)
{
    bool steep = between(d, 0, 1);
    int64_t in = between(d, 1, 9), out = between(d, 2, 9), h = between(d, 2, 9);
    dv_op_params params = {
        .conv = {.spatial = 2, .groups = 1, .stride = {1, 1}, .dilation = {1, 1}}};
    dv_tensor_id x = input(d, bytes_of(d), image(1, in, h, h), steep ? 3000.0f : 0.05f);
    dv_tensor_id w = tensor(d, DV_ROLE_CONSTANT, DV_DTYPE_I8, image(out, in, 1, 1), 0.1f, 0);
    if (!steep) {
        float scales[9];
        int32_t zeros[9];
        for (int64_t i = 0; i < out; i++) {
            scales[i] = scale_of(d, 0.005, 0.05);
            zeros[i] = (int32_t)between(d, 1, 9);
        }
        dv_quant quant = {(uint32_t)out, 0, scales, zeros};
        CU_ASSERT_EQUAL_FATAL(dv_graph_set_quant(d->graph, w, &quant), DV_OK);
    }
    dv_tensor_id y = output(d, bytes_of(d), image(1, out, h, h), steep ? 0.5f : 0.1f);
    op(d, DV_OP_CONVOLUTION, &params, (dv_tensor_id[]){x, w}, 2, y);
    return y;
}

static dv_tensor_id product_of_activations(draw *d)
{
    int64_t rows = between(d, 1, 9), depth = between(d, 1, 40), columns = between(d, 1, 9);
    int64_t a[3] = {2, rows, depth}, b[3] = {2, depth, columns}, y[3] = {2, rows, columns};
    dv_tensor_id inputs[2] = {input(d, bytes_of(d), dv_shape_make(a, 3), 0.05f),
                              input(d, bytes_of(d), dv_shape_make(b, 3), 0.02f)};
    dv_tensor_id out = output(d, bytes_of(d), dv_shape_make(y, 3), 0.1f);
    op(d, DV_OP_MATMUL, NULL, inputs, 2, out);
    return out;
}

/* Operators of rows and of two tensors, images in between. */
static dv_tensor_id on_numbers(draw *d)
{
    dv_shape shape = image(1, between(d, 2, 9), between(d, 2, 9), between(d, 2, 9));
    dv_tensor_id inputs[3] = {input(d, bytes_of(d), shape, 0.05f), DV_NONE, DV_NONE};
    dv_tensor_id y = output(d, bytes_of(d), shape, 0.03f);
    dv_op_params params = {0};
    switch (between(d, 0, 2)) {
    case 0:
        params.axis.axis = between(d, 0, 1) ? 1 : 3;
        op(d, DV_OP_SOFTMAX, &params, inputs, 1, y);
        break;
    case 1:
        params.norm = (dv_norm_params){.eps = 1e-5, .axes = 1};
        op(d, DV_OP_LAYER_NORM, &params, inputs, 1, y);
        break;
    default:
        inputs[1] = input(d, bytes_of(d), shape, 0.02f);
        op(d, between(d, 0, 1) ? DV_OP_MAXIMUM : DV_OP_MINIMUM, NULL, inputs, 2, y);
        break;
    }
    return y;
}

static void the_rest_is_computed_on_floats(void)
{
    expect("odd convolution", false, odd_convolution, 1e-3);
    expect("product of activations", false, product_of_activations, 1e-3);
    expect("numbers", false, on_numbers, 1e-3);
}

/* Integer weights under activations of floats, and a result in floats. */
static void floats_and_integers_meet(void)
{
    for (int which = 0; which < 2; which++) {
        draw d = {.rng = dv_rng_seeded(5), .graph = dv_graph_create("case", "graph")};
        CU_ASSERT_PTR_NOT_NULL_FATAL(d.graph);
        dv_op_params params = {
            .conv = {.spatial = 2, .groups = 1, .stride = {1, 1}, .dilation = {1, 1}}};
        dv_tensor_id x = which == 0
                             ? tensor(&d, DV_ROLE_INPUT, DV_DTYPE_F32, image(1, 3, 4, 4), 1, 0)
                             : input(&d, DV_DTYPE_I8, image(1, 3, 4, 4), 0.05f);
        dv_tensor_id w = weights(&d, image(2, 3, 1, 1), 0, 0.1, true);
        dv_tensor_id y = tensor(&d, DV_ROLE_ACTIVATION, DV_DTYPE_F32, image(1, 2, 4, 4), 1, 0);
        op(&d, DV_OP_CONVOLUTION, &params, (dv_tensor_id[]){x, w}, 2, y);
        finish(&d, y);
        CU_ASSERT_FALSE(dv_backend_find("xnnpack")->is_integer(d.graph, 0));
        float *reference = run(d.graph, "portable", DV_LAYOUT_PLAIN);
        float *ours = run(d.graph, "xnnpack", DV_LAYOUT_CHANNELS_LAST);
        for (size_t i = 0; i < 2 * 4 * 4; i++)
            CU_ASSERT((isnan(ours[i]) && isnan(reference[i])) ||
                      fabsf(ours[i] - reference[i]) <= 1e-5f * (1 + fabsf(reference[i])));
        free(reference);
        free(ours);
        dv_graph_destroy(d.graph);
    }
}

DV_SUITE(integers, DV_TEST(convolutions_round_once), DV_TEST(transposed_convolutions_round_once),
         DV_TEST(matrix_products_round_once),
         DV_TEST(sums_differences_and_products_scale_by_fixed_point),
         DV_TEST(pools_and_means_round_once), DV_TEST(softmax_and_resizing_come_within_a_step),
         DV_TEST(tables_are_equal_to_the_reference), DV_TEST(moved_integers_are_equal),
         DV_TEST(conversions_are_equal_to_the_reference), DV_TEST(the_rest_is_computed_on_floats),
         DV_TEST(floats_and_integers_meet));
