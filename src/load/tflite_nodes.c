/* tflite_nodes.c - operators of a TFLite subgraph, one after the other as they run. */
#include <string.h>

#include "load/tflite_build.h"
#include "load/unfold.h"

static const dv_tfl_rule rules[] = {
#define BUILTIN(code, type, kind, reader, least, most) \
    [code] = {type, DV_OP_##kind, dv_tfl_op_##reader, least, most, NULL},
#define UNKNOWN(code, type, reason) [code] = {type, DV_OP_OPAQUE, NULL, 0, 0, reason},
#include "load/tflite_ops.def"
#undef BUILTIN
#undef UNKNOWN
};

enum { RULE_COUNT = sizeof rules / sizeof rules[0], CUSTOM = 32 };

/* Operators of other programs whose meaning is known. */
static const dv_tfl_rule customs[] = {
    {"Convolution2DTransposeBias", DV_OP_CONVOLUTION, dv_tfl_op_custom_transposed, 2, 3, NULL},
    {"TFLite_Detection_PostProcess", DV_OP_DETECT, dv_tfl_op_custom_detect, 3, 3, NULL},
    {"Landmarks2TransformMatrix", DV_OP_MATMUL, dv_tfl_op_landmarks_matrix, 1, 1, NULL},
    {"TransformTensorBilinear", DV_OP_GRID_SAMPLE, dv_tfl_op_transform_tensor, 2, 2, NULL},
    {"TransformLandmarks", DV_OP_MATMUL, dv_tfl_op_transform_landmarks, 2, 2, NULL},
    {"MaxPoolingWithArgmax2D", DV_OP_MAX_POOL, dv_tfl_op_pool_places, 1, 1, NULL},
    {"MaxUnpooling2D", DV_OP_MAX_UNPOOL, dv_tfl_op_unpool_places, 2, 2, NULL},
};

/* The operator's row and its name. Old files number it in a byte, new ones in a word. */
static dv_status find_rule(dv_tfl_at *at)
{
    dv_tfl_builder *b = at->b;
    uint32_t index = dv_fb_u32(&at->node, 0, 0);
    if (b->fb.status == DV_OK && index >= b->codes.count)
        return dv_fail(DV_BAD_INPUT, "operator code %u of %u", index, b->codes.count);
    dv_fb_table code = dv_fb_table_at(&b->codes, index);
    int32_t old = dv_fb_i8(&code, 0, 0), builtin = dv_fb_i32(&code, 3, 0);
    dv_span custom = dv_fb_string(&code, 1);
    at->version = dv_fb_i32(&code, 2, 1);
    DV_TRY(b->fb.status);
    int32_t number = old > builtin ? old : builtin;
    const char *reason = "";
    if (number == CUSTOM) {
        at->type = custom.size ? dv_tfl_text(b, custom) : rules[CUSTOM].type;
        for (size_t i = 0; i < sizeof customs / sizeof customs[0]; i++)
            if (dv_span_is(custom, customs[i].type))
                at->rule = &customs[i];
    } else if (number >= 0 && number < RULE_COUNT) {
        at->type = rules[number].type;
        at->rule = rules[number].read ? &rules[number] : NULL;
        reason = rules[number].reason;
    } else {
        at->type = dv_arena_printf(b->arena, "BUILTIN_%d", number);
    }
    if (!at->type)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    if (!at->rule)
        DV_TRY(dv_tfl_opaque(at, "%s %s is not supported%s%s",
                             number == CUSTOM ? "custom operator" : "operator", at->type,
                             *reason ? ": " : "", reason));
    return DV_OK;
}

/* Every index is a tensor's, or -1 where an input is left out. */
static dv_status check_operands(const dv_tfl_at *at)
{
    uint32_t tensors = at->b->scope->tensors.count;
    for (uint32_t i = 0; i < at->inputs.count; i++) {
        int32_t index = dv_fb_i32_at(&at->inputs, i);
        if (index < -1 || (index >= 0 && (uint32_t)index >= tensors))
            return dv_fail(DV_BAD_INPUT, "its input %u is tensor %d of %u", i, index, tensors);
    }
    for (uint32_t i = 0; i < at->outputs.count; i++) {
        int32_t index = dv_fb_i32_at(&at->outputs, i);
        if (index < 0 || (uint32_t)index >= tensors)
            return dv_fail(DV_BAD_INPUT, "its output %u is tensor %d of %u", i, index, tensors);
    }
    return at->b->fb.status;
}

static dv_status check_arity(const dv_tfl_at *at)
{
    if (at->rule->most && at->inputs.count > at->rule->most)
        return dv_fail(DV_BAD_INPUT, "it has %u inputs; at most %u are allowed", at->inputs.count,
                       (unsigned)at->rule->most);
    uint32_t needed = at->rule->most ? at->rule->least : at->inputs.count;
    for (uint32_t i = 0; i < needed || i < at->rule->least; i++)
        if (!dv_tfl_given(at, i))
            return dv_fail(DV_BAD_INPUT, "its input %u is missing", i);
    bool silent =
        at->rule->read == dv_tfl_op_call_once || at->rule->read == dv_tfl_op_assign_variable;
    if (at->outputs.count == 0 && !silent)
        return dv_fail(DV_BAD_INPUT, "it has no output");
    return DV_OK;
}

/* The operators that know complex numbers. */
static bool knows_complex(const dv_tfl_rule *rule)
{
    return rule->read == dv_tfl_op_rfft2d || rule->read == dv_tfl_op_complex_part ||
           rule->read == dv_tfl_op_complex_abs || rule->read == dv_tfl_op_reshape ||
           rule->read == dv_tfl_op_squeeze || rule->read == dv_tfl_op_expand_dims ||
           rule->read == dv_tfl_op_cast;
}

static bool is_held(const dv_tfl_at *at, const dv_tfl_tensor *tensor)
{
    dv_dtype dtype = dv_tfl_dtype(tensor);
    return (dv_tfl_is_complex(tensor) && knows_complex(at->rule)) ||
           (dtype != DV_DTYPE_NONE && dtype != DV_DTYPE_STRING);
}

/* Elements that no operator of ours takes or makes; a variable's handle has a type of its own. */
static dv_status check_types(dv_tfl_at *at)
{
    bool handles = at->inputs.count == 0;
    dv_tfl_tensor tensor;
    for (uint32_t i = 0; i < at->inputs.count; i++) {
        if (!dv_tfl_given(at, i))
            continue;
        DV_TRY(dv_tfl_input(at, i, &tensor));
        bool is_handle = at->b->scope->slots[dv_tfl_slot_of(at, i)].variable != DV_NONE;
        handles = handles || is_handle;
        if (!is_handle && !is_held(at, &tensor))
            return dv_tfl_opaque(at, "its input %u is %s, which is not supported", i,
                                 dv_tfl_type_name(tensor.type));
    }
    for (uint32_t i = 0; i < at->outputs.count && !handles; i++) {
        if (dv_fb_i32_at(&at->outputs, i) < 0)
            continue;
        DV_TRY(dv_tfl_output(at, i, &tensor));
        if (!is_held(at, &tensor))
            return dv_tfl_opaque(at, "its output %u is %s, which is not supported", i,
                                 dv_tfl_type_name(tensor.type));
    }
    return DV_OK;
}

/* An operator goes by the name of its first output. */
static dv_status name_operator(dv_tfl_at *at)
{
    dv_tfl_tensor tensor = {0};
    if (at->outputs.count > 0)
        DV_TRY(dv_tfl_output(at, 0, &tensor));
    const char *name = tensor.name.size ? dv_tfl_text(at->b, tensor.name) : at->type;
    at->like = (dv_op){.name = name,
                       .source_type = at->type,
                       .debug_handle = at->b->handle,
                       .reason = at->like.reason};
    at->part = name ? dv_arena_printf(at->b->arena, "%s.part", name) : NULL;
    if (!at->part)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    size_t operands = (size_t)at->inputs.count + at->outputs.count;
    return dv_tfl_count_built(at->b,
                              1 + operands + dv_unfold_names(1 + operands, strlen(at->part)));
}

static dv_status translate(dv_tfl_at *at)
{
    if (!at->opaque) {
        DV_TRY(check_arity(at));
        DV_TRY(check_types(at));
    }
    if (!at->opaque)
        DV_TRY(at->rule->read(at));
    return at->opaque ? dv_tfl_add_named(at) : at->b->fb.status;
}

static dv_status add_operator(dv_tfl_builder *b, const dv_fb_vector *operators, uint32_t i)
{
    dv_tfl_at at = {.b = b, .node = dv_fb_table_at(operators, i), .type = "?"};
    at.inputs = dv_fb_list(&at.node, 1, 4);
    at.outputs = dv_fb_list(&at.node, 2, 4);
    at.options = dv_fb_child(&at.node, 4);
    at.options2 = dv_fb_child(&at.node, 12);
    dv_status status = b->fb.status;
    if (status == DV_OK)
        status = find_rule(&at);
    if (status == DV_OK)
        status = name_operator(&at);
    if (status == DV_OK)
        status = check_operands(&at);
    if (status == DV_OK)
        status = translate(&at);
    return dv_within(status, "operator %u '%.120s' (%.120s)", i, at.like.name ? at.like.name : "",
                     at.type);
}

dv_status dv_tfl_add_operators(dv_tfl_builder *b)
{
    dv_fb_vector operators = dv_fb_tables(&b->scope->subgraph, 3);
    for (uint32_t i = 0; i < operators.count; i++) {
        if (b->depth == 0)
            b->handle = i;
        DV_TRY(add_operator(b, &operators, i));
    }
    return b->fb.status;
}
