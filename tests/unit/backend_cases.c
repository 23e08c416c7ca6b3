/* backend_cases.c - tables of operators with their parameters and shapes. */
#include "tests/unit/backend_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/suite.h"
#include "tests/unit/segment_case.h"

/* Images at the borders in either layout; takes the graph. */
static void expect_same(dv_graph *graph, dv_tensor_id output, const char *backend, const char *what)
{
    static const dv_layout layouts[] = {DV_LAYOUT_PLAIN, DV_LAYOUT_CHANNELS_LAST};
    net_finish(graph, output);
    for (size_t i = 0; i < 2; i++) {
        double error = segment_error(graph, backend, layouts[i], 7);
        if (!(error < 1e-5))
            fprintf(stderr, "\n    %s on %s, layout %zu: relative error %g\n", what, backend, i,
                    error);
        CU_ASSERT_TRUE(error < 1e-5);
    }
    dv_graph_destroy(graph);
}

static dv_graph *new_graph(void)
{
    dv_graph *graph = dv_graph_create("case", "graph");
    CU_ASSERT_PTR_NOT_NULL_FATAL(graph);
    return graph;
}

typedef struct convolution_case {
    const char *x, *w, *y;
    int64_t groups, stride[2], dilation[2], begin[2], end[2];
    dv_op_kind activation; /* DV_OP_COUNT: none */
    int64_t output_padding[2];
} convolution_case;

#define NO_ACTIVATION DV_OP_COUNT

static dv_op_params convolution_params(const convolution_case *c, bool transposed)
{
    dv_op_params params = {.conv = {.spatial = 2, .groups = c->groups, .transposed = transposed}};
    for (size_t i = 0; i < 2; i++) {
        params.conv.stride[i] = c->stride[i];
        params.conv.dilation[i] = c->dilation[i];
        params.conv.pad_begin[i] = c->begin[i];
        params.conv.pad_end[i] = c->end[i];
        params.conv.output_padding[i] = c->output_padding[i];
    }
    return params;
}

static void run_convolution(const convolution_case *c, bool transposed, bool bias,
                            const char *backend)
{
    dv_graph *graph = new_graph();
    dv_op_params params = convolution_params(c, transposed);
    dv_tensor_id x = net_input(graph, c->x), w = net_constant(graph, c->w, 0.5, 0.0);
    char channels[32];
    snprintf(channels, sizeof channels, "%lld", strtoll(strchr(c->y, 'x') + 1, NULL, 10));
    dv_tensor_id b = bias ? net_constant(graph, channels, 1.0, 0.5) : DV_NONE;
    dv_tensor_id y =
        net_op(graph, DV_OP_CONVOLUTION, &params, c->y, bias ? 3 : 2, (dv_tensor_id[]){x, w, b});
    if (c->activation != NO_ACTIVATION) {
        dv_op_params clamp = {.clamp = {.min = 0.0, .max = 6.0}};
        y = NET_OP(graph, c->activation, &clamp, c->y, y);
    }
    expect_same(graph, y, backend, c->w);
}

void cases_of_convolution(const char *backend)
{
    static const convolution_case cases[] = {
        {"1x3x17x19", "8x3x3x3", "1x8x9x10", 1, {2, 2}, {1, 1}, {1, 1}, {1, 1}, DV_OP_CLAMP, {0}},
        {"1x3x16x16", "8x3x3x3", "1x8x8x8", 1, {2, 2}, {1, 1}, {0, 0}, {1, 1}, DV_OP_RELU, {0}},
        {"2x16x7x7", "24x16x1x1", "2x24x7x7", 1, {1, 1}, {1, 1}, {0}, {0}, NO_ACTIVATION, {0}},
        {"1x24x14x14",
         "24x1x3x3",
         "1x24x14x14",
         24,
         {1, 1},
         {1, 1},
         {1, 1},
         {1, 1},
         DV_OP_CLAMP,
         {0}},
        {"1x19x15x13", "19x1x5x5", "1x19x8x7", 19, {2, 2}, {1, 1}, {2, 2}, {2, 2}, DV_OP_RELU, {0}},
        {"1x8x9x9", "16x1x3x3", "1x16x9x9", 8, {1, 1}, {1, 1}, {1, 1}, {1, 1}, NO_ACTIVATION, {0}},
        {"1x12x10x8",
         "18x4x3x3",
         "1x18x10x8",
         3,
         {1, 1},
         {1, 1},
         {1, 1},
         {1, 1},
         DV_OP_HARDSWISH,
         {0}},
        {"1x5x12x12",
         "7x5x3x3",
         "1x7x12x12",
         1,
         {1, 1},
         {2, 2},
         {2, 2},
         {2, 2},
         NO_ACTIVATION,
         {0}},
        {"1x64x14x14",
         "64x64x3x3",
         "1x64x14x14",
         1,
         {1, 1},
         {1, 1},
         {1, 1},
         {1, 1},
         DV_OP_RELU,
         {0}},
        {"1x6x8x11",
         "10x6x1x7",
         "1x10x8x11",
         1,
         {1, 1},
         {1, 1},
         {0, 3},
         {0, 3},
         DV_OP_SIGMOID,
         {0}},
        {"1x7x5x5", "3x7x5x5", "1x3x1x1", 1, {1, 1}, {1, 1}, {0, 0}, {0, 0}, NO_ACTIVATION, {0}},
        {"1x1x9x9", "4x1x3x3", "1x4x7x7", 1, {1, 1}, {1, 1}, {0, 0}, {0, 0}, DV_OP_SILU, {0}},
        {"1x13x8x8", "5x13x2x2", "1x5x4x4", 1, {2, 2}, {1, 1}, {0, 0}, {0, 0}, DV_OP_TANH, {0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        run_convolution(&cases[i], false, true, backend);
        run_convolution(&cases[i], false, false, backend);
    }
}

void cases_of_transposed_convolution(const char *backend)
{
    static const convolution_case cases[] = {
        {"1x6x5x7", "6x4x3x3", "1x4x5x7", 1, {1, 1}, {1, 1}, {1, 1}, {1, 1}, NO_ACTIVATION, {0}},
        {"1x6x5x7", "6x4x2x2", "1x4x10x14", 1, {2, 2}, {1, 1}, {0}, {0}, DV_OP_RELU, {0}},
        {"1x8x5x5",
         "8x3x3x3",
         "1x6x10x10",
         2,
         {2, 2},
         {1, 1},
         {1, 1},
         {1, 1},
         NO_ACTIVATION,
         {1, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        run_convolution(&cases[i], true, i % 2 == 0, backend);
}

void cases_of_matrices(const char *backend)
{
    static const struct {
        const char *x, *w, *y;
        bool weight_kn, bias;
    } linears[] = {
        {"1x64", "10x64", "1x10", false, true},
        {"7x33", "33x21", "7x21", true, true},
        {"2x5x16", "24x16", "2x5x24", false, false},
        {"1x3x4x16", "16x8", "1x3x4x8", true, true},
    };
    for (size_t i = 0; i < sizeof linears / sizeof linears[0]; i++) {
        dv_graph *graph = new_graph();
        dv_op_params params = {
            .linear = {.weight_kn = linears[i].weight_kn, .alpha = 1.0, .beta = 1.0}};
        dv_tensor_id x = net_input(graph, linears[i].x);
        dv_tensor_id w = net_constant(graph, linears[i].w, 0.5, 0.0), b = DV_NONE;
        if (linears[i].bias)
            b = net_constant(graph, strrchr(linears[i].y, 'x') + 1, 1.0, 0.0);
        dv_tensor_id y = net_op(graph, DV_OP_LINEAR, &params, linears[i].y, linears[i].bias ? 3 : 2,
                                (dv_tensor_id[]){x, w, b});
        y = NET_OP(graph, i % 2 ? DV_OP_GELU : DV_OP_RELU, NULL, linears[i].y, y);
        expect_same(graph, y, backend, "linear");
    }
    static const struct {
        const char *a, *b, *y;
        bool constant;
    } products[] = {
        {"6x8", "8x5", "6x5", false},
        {"2x3x4x8", "2x3x8x5", "2x3x4x5", false},
        {"2x3x4x8", "1x3x8x5", "2x3x4x5", false},
        {"2x4x8", "8x5", "2x4x5", true},
        {"3x4x8", "8x5", "3x4x5", false},
        {"1x12x9x64", "1x12x64x9", "1x12x9x9", false},
    };
    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) {
        dv_graph *graph = new_graph();
        dv_tensor_id a = net_input(graph, products[i].a);
        dv_tensor_id b = products[i].constant ? net_constant(graph, products[i].b, 1.0, 0.0)
                                              : net_input(graph, products[i].b);
        dv_tensor_id y = NET_OP(graph, DV_OP_MATMUL, NULL, products[i].y, a, b);
        expect_same(graph, y, backend, "matmul");
    }
}

void cases_of_pooling(const char *backend)
{
    static const struct {
        dv_op_kind kind;
        const char *x, *y;
        dv_pool_params p;
    } cases[] = {
        {DV_OP_MAX_POOL,
         "1x8x12x12",
         "1x8x6x6",
         {.spatial = 2,
          .kernel = {3, 3},
          .stride = {2, 2},
          .dilation = {1, 1},
          .pad_begin = {1, 1},
          .pad_end = {1, 1}}},
        {DV_OP_MAX_POOL,
         "1x5x13x13",
         "1x5x6x6",
         {.spatial = 2, .kernel = {3, 3}, .stride = {2, 2}, .dilation = {1, 1}}},
        {DV_OP_MAX_POOL,
         "2x5x12x14",
         "2x5x6x7",
         {.spatial = 2, .kernel = {3, 3}, .stride = {2, 2}, .dilation = {1, 1}, .ceil_mode = true}},
        {DV_OP_MAX_POOL,
         "1x3x8x8",
         "1x3x4x4",
         {.spatial = 2, .kernel = {3, 3}, .stride = {1, 1}, .dilation = {2, 2}}},
        {DV_OP_MAX_POOL,
         "1x3x8x8",
         "1x3x4x4",
         {.spatial = 2, .kernel = {1, 1}, .stride = {2, 2}, .dilation = {1, 1}}},
        {DV_OP_AVG_POOL,
         "1x8x8x8",
         "1x8x4x4",
         {.spatial = 2, .kernel = {2, 2}, .stride = {2, 2}, .dilation = {1, 1}}},
        {DV_OP_AVG_POOL,
         "1x7x8x8",
         "1x7x8x8",
         {.spatial = 2,
          .kernel = {3, 3},
          .stride = {1, 1},
          .dilation = {1, 1},
          .pad_begin = {1, 1},
          .pad_end = {1, 1},
          .count_include_pad = true}},
        {DV_OP_AVG_POOL,
         "1x7x8x8",
         "1x7x8x8",
         {.spatial = 2,
          .kernel = {3, 3},
          .stride = {1, 1},
          .dilation = {1, 1},
          .pad_begin = {1, 1},
          .pad_end = {1, 1}}},
        {DV_OP_AVG_POOL,
         "1x4x7x7",
         "1x4x3x3",
         {.spatial = 2, .kernel = {3, 3}, .stride = {2, 2}, .dilation = {1, 1}}},
        {DV_OP_AVG_POOL,
         "1x4x8x8",
         "1x4x4x4",
         {.spatial = 2, .kernel = {3, 3}, .stride = {2, 2}, .dilation = {1, 1}, .ceil_mode = true}},
        {DV_OP_AVG_POOL,
         "1x4x8x8",
         "1x4x5x5",
         {.spatial = 2,
          .kernel = {3, 3},
          .stride = {2, 2},
          .dilation = {1, 1},
          .ceil_mode = true,
          .pad_begin = {1, 1},
          .pad_end = {1, 1},
          .count_include_pad = true}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        dv_graph *graph = new_graph();
        dv_op_params params = {.pool = cases[i].p};
        dv_tensor_id x = net_input(graph, cases[i].x);
        char what[32];
        snprintf(what, sizeof what, "pool %zu", i);
        expect_same(graph, NET_OP(graph, cases[i].kind, &params, cases[i].y, x), backend, what);
    }
    static const char *const means[] = {"2x10x1x1", "2x10"};
    for (size_t i = 0; i < 2; i++) {
        dv_graph *graph = new_graph();
        dv_op_params params = {.reduce = {.count = 2, .keep_dims = i == 0, .axes = {2, 3}}};
        dv_tensor_id x = net_input(graph, "2x10x7x5");
        expect_same(graph, NET_OP(graph, DV_OP_MEAN, &params, means[i], x), backend, "mean");
    }
}

void cases_of_one_operand(const char *backend)
{
    static const dv_op_kind kinds[] = {
        DV_OP_RELU, DV_OP_SIGMOID,   DV_OP_TANH,     DV_OP_ERF,         DV_OP_EXP,
        DV_OP_NEG,  DV_OP_ABS,       DV_OP_FLOOR,    DV_OP_CEIL,        DV_OP_ROUND,
        DV_OP_GELU, DV_OP_SILU,      DV_OP_ELU,      DV_OP_HARDSIGMOID, DV_OP_CLAMP,
        DV_OP_SIGN, DV_OP_HARDSWISH, DV_OP_SOFTPLUS, DV_OP_LEAKY_RELU};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        static const char *const shapes[] = {"1x5x3x7", "3x11"};
        for (size_t s = 0; s < 2; s++) {
            dv_graph *graph = new_graph();
            dv_op_params params = {.scalar = {.alpha = 0.1, .beta = 0.5}};
            if (kinds[i] == DV_OP_CLAMP)
                params.clamp = (dv_clamp_params){.min = -0.5, .max = INFINITY};
            dv_tensor_id x = net_input(graph, shapes[s]);
            if (kinds[i] == DV_OP_GELU)
                params.flag.on = s == 1;
            expect_same(graph, NET_OP(graph, kinds[i], &params, shapes[s], x), backend,
                        dv_op_info_of(kinds[i])->name);
        }
    }
    dv_graph *graph = new_graph();
    dv_tensor_id x = net_input(graph, "2x9x3x3");
    x = NET_OP(graph, DV_OP_ABS, NULL, "2x9x3x3", x);
    expect_same(graph, NET_OP(graph, DV_OP_SQRT, NULL, "2x9x3x3", x), backend, "sqrt");
}

void cases_of_two_operands(const char *backend)
{
    static const dv_op_kind kinds[] = {DV_OP_ADD, DV_OP_SUB,     DV_OP_MUL,
                                       DV_OP_DIV, DV_OP_MAXIMUM, DV_OP_MINIMUM};
    static const struct {
        const char *a, *b, *y;
    } shapes[] = {
        {"1x6x5x7", "1x6x5x7", "1x6x5x7"}, {"1x6x5x7", "1x6x1x1", "1x6x5x7"},
        {"6x1x1", "2x6x5x7", "2x6x5x7"},   {"1x6x5x7", "", "1x6x5x7"},
        {"1x6x5x7", "7", "1x6x5x7"},       {"1x6x5x7", "1x1x5x7", "1x6x5x7"},
        {"1x6x5x7", "6x5x7", "1x6x5x7"},   {"4x5", "5", "4x5"},
        {"2x1x4", "3x1", "2x3x4"},         {"1x1x5x1", "1x6x1x7", "1x6x5x7"},
    };
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
        for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
            for (int constant = 0; constant < 2; constant++) {
                dv_graph *graph = new_graph();
                bool first = constant && s % 2 == 1; /* which operand is the constant */
                dv_tensor_id a = first ? net_constant(graph, shapes[s].a, 0.5, 2.0)
                                       : net_input(graph, shapes[s].a);
                dv_tensor_id b = constant && !first ? net_constant(graph, shapes[s].b, 0.5, 2.0)
                                                    : net_input(graph, shapes[s].b);
                dv_tensor_id y = NET_OP(graph, kinds[k], NULL, shapes[s].y, a, b);
                if (k == 0)
                    y = NET_OP(graph, DV_OP_RELU, NULL, shapes[s].y, y);
                expect_same(graph, y, backend, dv_op_info_of(kinds[k])->name);
            }
}

void cases_of_rows(const char *backend)
{
    static const struct {
        const char *shape;
        int64_t axis;
    } softmaxes[] = {{"3x17", 1}, {"2x5x3x4", 3}, {"2x5x3x4", 1}, {"2x5x3", 1}, {"1x10x1x1", 1}};
    for (size_t i = 0; i < sizeof softmaxes / sizeof softmaxes[0]; i++)
        for (int log = 0; log < 2; log++) {
            dv_graph *graph = new_graph();
            dv_op_params params = {.axis = {.axis = softmaxes[i].axis}};
            dv_tensor_id x = net_input(graph, softmaxes[i].shape);
            dv_op_kind kind = log ? DV_OP_LOG_SOFTMAX : DV_OP_SOFTMAX;
            expect_same(graph, NET_OP(graph, kind, &params, softmaxes[i].shape, x), backend,
                        "softmax");
        }
    dv_graph *graph = new_graph();
    dv_op_params guarded = {.axis = {.axis = 1, .guarded = true}};
    dv_tensor_id none = net_input(graph, "1x17"); /* the logarithm of 0 is -inf */
    none = NET_OP(graph, DV_OP_SUB, NULL, "1x17", none, net_constant(graph, "17", 0, 1e3));
    none = NET_OP(graph, DV_OP_LOG, NULL, "1x17", NET_OP(graph, DV_OP_RELU, NULL, "1x17", none));
    none = NET_OP(graph, DV_OP_CAT, &(dv_op_params){.axis = {.axis = 0}}, "3x17", none,
                  net_input(graph, "2x17"));
    expect_same(graph, NET_OP(graph, DV_OP_SOFTMAX, &guarded, "3x17", none), backend,
                "guarded softmax");
    graph = new_graph();
    dv_op_params norm = {.norm = {.eps = 1e-5, .axes = 1, .groups = 0}};
    dv_tensor_id x = net_input(graph, "1x6x5x4");
    dv_tensor_id y = NET_OP(graph, DV_OP_BATCH_NORM, &norm, "1x6x5x4", x,
                            net_constant(graph, "6", 0.5, 1.0), net_constant(graph, "6", 1.0, 0.0),
                            net_constant(graph, "6", 1.0, 0.0), net_constant(graph, "6", 0.5, 1.0));
    expect_same(graph, NET_OP(graph, DV_OP_RELU, NULL, "1x6x5x4", y), backend, "batch norm");
    graph = new_graph();
    x = net_input(graph, "2x5x16");
    y = NET_OP(graph, DV_OP_LAYER_NORM, &norm, "2x5x16", x, net_constant(graph, "16", 0.5, 1.0),
               net_constant(graph, "16", 1.0, 0.0));
    expect_same(graph, y, backend, "layer norm");
    static const char *const slopes[] = {"1", "6x1x1", "1x6x1x1"};
    for (size_t i = 0; i < 3; i++) {
        graph = new_graph();
        x = net_input(graph, "1x6x5x4");
        y = NET_OP(graph, DV_OP_PRELU, NULL, "1x6x5x4", x,
                   net_constant(graph, slopes[i], 0.2, 0.1));
        expect_same(graph, y, backend, "prelu");
    }
}

static void cat_cases(const char *backend)
{
    static const struct {
        const char *a, *b, *y;
        int64_t axis;
    } cats[] = {{"1x3x4x5", "1x6x4x5", "1x9x4x5", 1},
                {"1x3x4x5", "1x3x2x5", "1x3x6x5", 2},
                {"2x3", "4x3", "6x3", 0},
                {"2x3x4", "2x3x1", "2x3x5", 2},
                {"1x8x4x5", "1x16x4x5", "1x24x4x5", 1}};
    for (size_t i = 0; i < sizeof cats / sizeof cats[0]; i++) {
        dv_graph *graph = new_graph();
        dv_op_params params = {.axis = {.axis = cats[i].axis}};
        dv_tensor_id a = net_input(graph, cats[i].a), b = net_input(graph, cats[i].b);
        expect_same(graph, NET_OP(graph, DV_OP_CAT, &params, cats[i].y, a, b), backend, "cat");
    }
}

void cases_of_movement(const char *backend)
{
    cat_cases(backend);
    dv_graph *graph = new_graph();
    dv_op_params pad = {
        .pad = {.rank = 4, .begin = {0, 0, 1, 2}, .end = {0, 3, 0, 1}, .value = 0.5}};
    dv_tensor_id x = net_input(graph, "1x3x4x5");
    expect_same(graph, NET_OP(graph, DV_OP_PAD, &pad, "1x6x5x8", x), backend, "pad");

    static const dv_coordinate_mode modes[] = {
        DV_COORDINATE_HALF_PIXEL, DV_COORDINATE_ALIGN_CORNERS, DV_COORDINATE_ASYMMETRIC,
        DV_COORDINATE_PYTORCH_HALF_PIXEL};
    for (size_t i = 0; i < 4; i++) {
        graph = new_graph();
        dv_op_params resize = {.resize = {.coordinate = modes[i], .scale_h = 2.0, .scale_w = 3.0}};
        x = net_input(graph, "1x3x4x5");
        expect_same(graph, NET_OP(graph, DV_OP_UPSAMPLE_BILINEAR, &resize, "1x3x8x15", x), backend,
                    "bilinear");
        graph = new_graph();
        x = net_input(graph, "1x3x4x5");
        expect_same(graph, NET_OP(graph, DV_OP_UPSAMPLE_NEAREST, &resize, "1x3x8x15", x), backend,
                    "nearest");
    }
    static const struct {
        uint8_t perm[4];
        const char *y;
    } permutes[] = {
        {{0, 2, 3, 1}, "1x4x5x3"}, {{0, 3, 1, 2}, "1x5x3x4"}, {{0, 1, 3, 2}, "1x3x5x4"}};
    for (size_t i = 0; i < 3; i++) {
        graph = new_graph();
        dv_op_params params = {.permute = {.rank = 4}};
        memcpy(params.permute.perm, permutes[i].perm, 4);
        x = net_input(graph, "1x3x4x5");
        dv_tensor_id y = NET_OP(graph, DV_OP_PERMUTE, &params, permutes[i].y, x);
        expect_same(graph, NET_OP(graph, DV_OP_NEG, NULL, permutes[i].y, y), backend, "permute");
    }
    static const struct {
        int64_t axis, begin, end;
        const char *y;
    } slices[] = {{1, 1, 3, "1x2x4x5"}, {3, 0, 2, "1x3x4x2"}, {2, 3, 4, "1x3x1x5"}};
    for (size_t i = 0; i < 3; i++) {
        graph = new_graph();
        dv_op_params params = {
            .slice = {.count = 4, .axes = {0, 1, 2, 3}, .end = {1, 3, 4, 5}, .step = {1, 1, 1, 1}}};
        params.slice.begin[slices[i].axis] = slices[i].begin;
        params.slice.end[slices[i].axis] = slices[i].end;
        x = net_input(graph, "1x3x4x5");
        expect_same(graph, NET_OP(graph, DV_OP_SLICE, &params, slices[i].y, x), backend, "slice");
    }
}

/* A residual block with squeeze-and-excitation and a classifier: fusion, layouts and views at
   once; also an intermediate that is an output of its own. */
void cases_of_blocks(const char *backend)
{
    dv_graph *graph = new_graph();
    dv_op_params one = {.conv = {.spatial = 2, .groups = 1, .stride = {1, 1}, .dilation = {1, 1}}};
    dv_op_params deep = {.conv = {.spatial = 2,
                                  .groups = 16,
                                  .stride = {1, 1},
                                  .dilation = {1, 1},
                                  .pad_begin = {1, 1},
                                  .pad_end = {1, 1}}};
    dv_op_params mean = {.reduce = {.count = 2, .keep_dims = true, .axes = {2, 3}}};
    dv_op_params view = {.view = {.shape = {.rank = 2, .dim = {1, 8}}}};
    dv_op_params linear = {.linear = {.alpha = 1.0, .beta = 1.0}};
    const char *wide = "1x16x6x6", *narrow = "1x8x6x6";
    dv_tensor_id x = net_input(graph, narrow);
    dv_tensor_id a =
        NET_OP(graph, DV_OP_CONVOLUTION, &one, wide, x, net_constant(graph, "16x8x1x1", 0.5, 0.0),
               net_constant(graph, "16", 0.5, 0.0));
    a = NET_OP(graph, DV_OP_HARDSWISH, NULL, wide, a);
    a = NET_OP(graph, DV_OP_CONVOLUTION, &deep, wide, a, net_constant(graph, "16x1x3x3", 0.5, 0.0));
    dv_tensor_id gate = NET_OP(graph, DV_OP_MEAN, &mean, "1x16x1x1", a);
    gate = NET_OP(graph, DV_OP_CONVOLUTION, &one, "1x16x1x1", gate,
                  net_constant(graph, "16x16x1x1", 0.5, 0.0));
    gate = NET_OP(graph, DV_OP_SIGMOID, NULL, "1x16x1x1", gate);
    a = NET_OP(graph, DV_OP_MUL, NULL, wide, a, gate);
    a = NET_OP(graph, DV_OP_CONVOLUTION, &one, narrow, a, net_constant(graph, "8x16x1x1", 0.5, 0.0),
               net_constant(graph, "8", 0.5, 0.0));
    dv_tensor_id sum = NET_OP(graph, DV_OP_ADD, NULL, narrow, x, a);
    CU_ASSERT_EQUAL(dv_graph_add_output(graph, sum), DV_OK);
    sum = NET_OP(graph, DV_OP_RELU, NULL, narrow, sum);
    dv_tensor_id y = NET_OP(graph, DV_OP_MEAN, &mean, "1x8x1x1", sum);
    y = NET_OP(graph, DV_OP_VIEW, &view, "1x8", y);
    y = NET_OP(graph, DV_OP_LINEAR, &linear, "1x5", y, net_constant(graph, "5x8", 0.5, 0.0),
               net_constant(graph, "5", 0.5, 0.0));
    expect_same(graph, y, backend, "residual block");
}
