/* onednn.c - oneDNN as a backend: f32, by its C interface of version 2.

   Quantised operators are XNNPACK's (runtime/xnnpack). oneDNN's own products of 8-bit integers
   add pairs in 16 bits on processors without dot-product instructions (AVX2), where they saturate:
   the reference kernels would not agree. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "runtime/onednn/ops.h"
#include "runtime/portable/portable.h"
#include "runtime/xnnpack/integers.h"

static const dv_lowering lowerings[] = {
    {DV_OP_CONVOLUTION, dv_dnn_lower_convolution},
    {DV_OP_LINEAR, dv_dnn_lower_linear},
    {DV_OP_MATMUL, dv_dnn_lower_matmul},
    {DV_OP_BATCH_NORM, dv_dnn_lower_batch_norm},
    {DV_OP_LAYER_NORM, dv_dnn_lower_layer_norm},
    {DV_OP_RELU, dv_dnn_lower_elementwise},
    {DV_OP_CLAMP, dv_dnn_lower_elementwise},
    {DV_OP_SIGMOID, dv_dnn_lower_elementwise},
    {DV_OP_TANH, dv_dnn_lower_elementwise},
    {DV_OP_HARDSWISH, dv_dnn_lower_elementwise},
    {DV_OP_SILU, dv_dnn_lower_elementwise},
    {DV_OP_GELU, dv_dnn_lower_elementwise},
    {DV_OP_ELU, dv_dnn_lower_elementwise},
    {DV_OP_LEAKY_RELU, dv_dnn_lower_elementwise},
    {DV_OP_ABS, dv_dnn_lower_elementwise},
    {DV_OP_NEG, dv_dnn_lower_elementwise},
    {DV_OP_SQRT, dv_dnn_lower_elementwise},
    {DV_OP_EXP, dv_dnn_lower_elementwise},
    {DV_OP_HARDSIGMOID, dv_dnn_lower_elementwise},
    {DV_OP_ADD, dv_dnn_lower_binary},
    {DV_OP_SUB, dv_dnn_lower_binary},
    {DV_OP_MUL, dv_dnn_lower_binary},
    {DV_OP_DIV, dv_dnn_lower_binary},
    {DV_OP_MAXIMUM, dv_dnn_lower_binary},
    {DV_OP_MINIMUM, dv_dnn_lower_binary},
    {DV_OP_MAX_POOL, dv_dnn_lower_pool},
    {DV_OP_AVG_POOL, dv_dnn_lower_pool},
    {DV_OP_MEAN, dv_dnn_lower_mean},
    {DV_OP_SOFTMAX, dv_dnn_lower_softmax},
    {DV_OP_LOG_SOFTMAX, dv_dnn_lower_softmax},
    {DV_OP_CAT, dv_dnn_lower_cat},
    {DV_OP_PERMUTE, dv_dnn_lower_permute},
    {DV_OP_SLICE, dv_dnn_lower_slice},
    {DV_OP_SPLIT, dv_dnn_lower_split},
};

/* The library runs on OpenMP where it was built so; the count is per calling thread. Looked up at
   run time, because builds on another thread runtime have no such function. */
static void set_threads(uint32_t threads)
{
    static void (*set)(int);
    static bool looked;
    if (!looked) {
        *(void **)&set = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
        looked = true;
    }
    if (set)
        set((int)threads);
}

static void destroy_context(void *context)
{
    dv_dnn_context *own = context;
    if (own->stream)
        dnnl_stream_destroy(own->stream);
    if (own->engine)
        dnnl_engine_destroy(own->engine);
    free(own);
}

static dv_status create_context(uint32_t threads, dv_dnn_context **out)
{
    dv_dnn_context *context = calloc(1, sizeof *context);
    *out = NULL;
    if (!context)
        return dv_fail(DV_NO_MEMORY, "no memory to compile a segment");
    context->threads = threads > 0 ? threads : 1;
    set_threads(context->threads);
    bool wide =
        (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
    context->blocked = wide ? dnnl_nChw16c : dnnl_nChw8c;
    context->block = wide ? 16 : 8;
    if (dnnl_engine_create(&context->engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&context->stream, context->engine, dnnl_stream_in_order) !=
            dnnl_success) {
        destroy_context(context);
        return dv_fail(DV_UNAVAILABLE, "oneDNN does not start on this processor");
    }
    *out = context;
    return DV_OK;
}

static bool probe(char *why, size_t size)
{
    dv_dnn_context *context = NULL;
    if (create_context(1, &context) != DV_OK) {
        snprintf(why, size, "%s", dv_message());
        return false;
    }
    destroy_context(context);
    return true;
}

/* What the library lacks runs by the portable kernels. */
static bool supports(const dv_graph *graph, dv_op_id op, dv_dtype precision, char *why, size_t size)
{
    if (precision != DV_DTYPE_F32) {
        snprintf(why, size, "precision %s does not run on onednn, only f32",
                 dv_dtype_name(precision));
        return false;
    }
    return dv_portable_supports(graph, op, precision, why, size);
}

static bool own_bytes(const dv_program *program, const dv_tensor *tensor, size_t *bytes)
{
    dnnl_memory_desc_t desc =
        dv_dnn_desc(dv_dnn_context_of(program), &tensor->shape, DV_LAYOUT_OWN);
    *bytes = dnnl_memory_desc_get_size(&desc);
    return *bytes > 0;
}

static dv_status own_convert(dv_program *program, const dv_tensor *tensor, dv_value from,
                             uint32_t from_layout, dv_value to, uint32_t to_layout)
{
    const dv_dnn_context *context = dv_dnn_context_of(program);
    dnnl_memory_desc_t from_desc = dv_dnn_desc(context, &tensor->shape, from_layout);
    dnnl_memory_desc_t to_desc = dv_dnn_desc(context, &tensor->shape, to_layout);
    return dv_dnn_add_reorder(program, &from_desc, from, &to_desc, to);
}

static const dv_program_rules rules = {.lowerings = lowerings,
                                       .lowering_count = sizeof lowerings / sizeof lowerings[0],
                                       .integers = dv_xnn_lower_integers,
                                       .own_bytes = own_bytes,
                                       .own_convert = own_convert,
                                       .destroy = destroy_context};

static bool is_own(dv_op_kind kind)
{
    return dv_program_lowering(&rules, kind) != NULL;
}

static dv_status compile(const dv_segment_spec *spec, dv_executable **out)
{
    dv_dnn_context *context = NULL;
    dv_program *program = NULL;
    *out = NULL;
    DV_TRY(create_context(spec->threads, &context));
    DV_TRY(dv_program_compile(spec, &rules, context, &program));
    *out = (dv_executable *)program;
    return DV_OK;
}

static dv_status run(dv_executable *executable, uint64_t *op_end_ns)
{
    set_threads(dv_dnn_context_of((const dv_program *)executable)->threads);
    return dv_program_run(executable, op_end_ns);
}

const dv_backend dv_backend_onednn = {
    .name = "onednn",
    .summary = "oneDNN, the fastest CPU library on x86 (f32)",
    .prefers_channels_last = true,
    .probe = probe,
    .supports = supports,
    .compile = compile,
    .bind = dv_program_bind,
    .run = run,
    .destroy = dv_program_destroy,
    .is_own = is_own,
    .is_integer = dv_xnn_is_integer,
};
