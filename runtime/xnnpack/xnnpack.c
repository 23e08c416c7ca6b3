/* xnnpack.c - Google's XNNPACK as a backend: f32, and quantised operators on 8-bit integers; images
   channels-last.

   For Debian 12's snapshot of February 2022 (operators take their weights at create and their
   shapes and pointers at setup). */
#include <stdio.h>

#include "runtime/portable/portable.h"
#include "runtime/xnnpack/integers.h"
#include "runtime/xnnpack/ops.h"

static const dv_lowering lowerings[] = {
    {DV_OP_CONVOLUTION, dv_xnn_lower_convolution},
    {DV_OP_LINEAR, dv_xnn_lower_linear},
    {DV_OP_MATMUL, dv_xnn_lower_linear},
    {DV_OP_BATCH_NORM, dv_xnn_lower_affine},
    {DV_OP_HARDSIGMOID, dv_xnn_lower_affine},
    {DV_OP_RELU, dv_xnn_lower_unary},
    {DV_OP_CLAMP, dv_xnn_lower_unary},
    {DV_OP_SIGMOID, dv_xnn_lower_unary},
    {DV_OP_HARDSWISH, dv_xnn_lower_unary},
    {DV_OP_ELU, dv_xnn_lower_unary},
    {DV_OP_LEAKY_RELU, dv_xnn_lower_unary},
    {DV_OP_ABS, dv_xnn_lower_unary},
    {DV_OP_NEG, dv_xnn_lower_unary},
    {DV_OP_FLOOR, dv_xnn_lower_unary},
    {DV_OP_CEIL, dv_xnn_lower_unary},
    {DV_OP_ROUND, dv_xnn_lower_unary},
    {DV_OP_SQRT, dv_xnn_lower_unary},
    {DV_OP_SILU, dv_xnn_lower_silu},
    {DV_OP_SOFTMAX, dv_xnn_lower_softmax},
    {DV_OP_PRELU, dv_xnn_lower_prelu},
    {DV_OP_ADD, dv_xnn_lower_binary},
    {DV_OP_SUB, dv_xnn_lower_binary},
    {DV_OP_MUL, dv_xnn_lower_binary},
    {DV_OP_DIV, dv_xnn_lower_binary},
    {DV_OP_MAXIMUM, dv_xnn_lower_binary},
    {DV_OP_MINIMUM, dv_xnn_lower_binary},
    {DV_OP_MAX_POOL, dv_xnn_lower_pool},
    {DV_OP_AVG_POOL, dv_xnn_lower_pool},
    {DV_OP_MEAN, dv_xnn_lower_mean},
    {DV_OP_CAT, dv_xnn_lower_cat},
    {DV_OP_SPLIT, dv_xnn_lower_split},
    {DV_OP_SLICE, dv_xnn_lower_slice},
    {DV_OP_PAD, dv_xnn_lower_pad},
    {DV_OP_UPSAMPLE_BILINEAR, dv_xnn_lower_resize},
    {DV_OP_PERMUTE, dv_xnn_lower_permute},
};

static bool probe(char *why, size_t size)
{
    enum xnn_status status = dv_xnn_initialise();
    if (status == xnn_status_unsupported_hardware)
        snprintf(why, size, "XNNPACK does not support this processor");
    else if (status != xnn_status_success)
        snprintf(why, size, "XNNPACK does not start (status %d)", (int)status);
    return status == xnn_status_success;
}

/* What the library lacks runs by the portable kernels. */
static bool supports(const dv_graph *graph, dv_op_id op, dv_dtype precision, char *why, size_t size)
{
    if (precision != DV_DTYPE_F32) {
        snprintf(why, size, "precision %s does not run on xnnpack, only f32",
                 dv_dtype_name(precision));
        return false;
    }
    return dv_portable_supports(graph, op, precision, why, size);
}

static const dv_program_rules rules = {.lowerings = lowerings,
                                       .lowering_count = sizeof lowerings / sizeof lowerings[0],
                                       .integers = dv_xnn_lower_integers};

static bool is_own(dv_op_kind kind)
{
    return dv_program_lowering(&rules, kind) != NULL;
}

static dv_status compile(const dv_segment_spec *spec, dv_executable **out)
{
    char why[160];
    *out = NULL;
    if (!probe(why, sizeof why))
        return dv_fail(DV_UNAVAILABLE, "%s", why);
    dv_program *program = NULL;
    DV_TRY(dv_program_compile(spec, &rules, NULL, &program));
    *out = (dv_executable *)program;
    return DV_OK;
}

const dv_backend dv_backend_xnnpack = {
    .name = "xnnpack",
    .summary = "Google's XNNPACK, the CPU backend of ExecuTorch and TFLite (f32, int8)",
    .prefers_channels_last = true,
    .probe = probe,
    .supports = supports,
    .compile = compile,
    .bind = dv_program_bind,
    .run = dv_program_run,
    .destroy = dv_program_destroy,
    .is_own = is_own,
    .is_integer = dv_xnn_is_integer,
};
