/* pte_kernels.c - the call of a kernel becomes operators, by the table of ATen's. */
#include <string.h>

#include "load/aten.h"
#include "load/pte_build.h"

/* ---- arguments ---- */

/* Lists may be referred to again and again; what they hold together is bounded by the file. */
static dv_status count_items(dv_pte_builder *b, uint32_t count)
{
    b->items += count;
    return b->items <= b->pte->file->fb.size + 4096
               ? DV_OK
               : dv_fail(DV_BAD_INPUT, "its lists are referred to too often");
}

static dv_status read_numbers(dv_pte_builder *b, const dv_pte_value *value, dv_aten_value *out)
{
    dv_fb_vector items = dv_fb_list(&value->table, 0, value->kind == DV_PTE_BOOLS ? 1 : 8);
    DV_TRY(count_items(b, items.count));
    int64_t *integers = dv_arena_array(b->arena, items.count, sizeof *integers);
    double *reals = dv_arena_array(b->arena, items.count, sizeof *reals);
    if (!integers || !reals)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < items.count; i++) {
        uint64_t bits = dv_fb_bits_at(&items, i);
        integers[i] = (int64_t)bits;
        reals[i] = dv_pb_double(bits);
        if (value->kind == DV_PTE_INTS) {
            if (bits > UINT32_MAX)
                return dv_fail(DV_BAD_INPUT, "a list names value %lld", (long long)bits);
            DV_TRY(dv_pte_integer(b->pte, (uint32_t)bits, &integers[i]));
        }
    }
    *out = (dv_aten_value){.type = value->kind == DV_PTE_DOUBLES ? DV_ATEN_REALS : DV_ATEN_INTS,
                           .count = items.count,
                           .integers = integers,
                           .reals = reals};
    return b->pte->file->fb.status;
}

static dv_status read_tensors(dv_pte_builder *b, const dv_pte_value *value, dv_aten_value *out)
{
    dv_fb_vector items = dv_fb_list(&value->table, 0, 4);
    DV_TRY(count_items(b, items.count));
    dv_tensor_id *ids = dv_arena_array(b->arena, items.count, sizeof *ids);
    if (!ids)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < items.count; i++) {
        int32_t item = dv_fb_i32_at(&items, i);
        ids[i] = DV_NONE;
        if (item >= 0 && (uint32_t)item < b->pte->value_count && b->pte->values[item].is_tensor)
            DV_TRY(dv_pte_tensor(b, (uint32_t)item, &ids[i]));
    }
    *out = (dv_aten_value){.type = DV_ATEN_TENSORS, .count = items.count, .tensors = ids};
    return b->pte->file->fb.status;
}

static dv_status read_text(dv_pte_builder *b, const dv_pte_value *value, dv_aten_value *out)
{
    dv_span text = dv_fb_string(&value->table, 0);
    DV_TRY(count_items(b, (uint32_t)text.size));
    *out = (dv_aten_value){
        .type = DV_ATEN_TEXT,
        .text = dv_arena_copy_n(b->arena, text.size ? (const char *)text.data : "", text.size)};
    return out->text ? b->pte->file->fb.status : dv_fail(DV_NO_MEMORY, "out of memory");
}

static dv_status read_arg(dv_pte_builder *b, uint32_t index, dv_aten_value *out)
{
    const dv_pte_value *value = &b->pte->values[index];
    *out = (dv_aten_value){.type = DV_ATEN_NONE};
    switch (value->kind) {
    case DV_PTE_TENSOR:
        out->type = DV_ATEN_TENSOR;
        return dv_pte_tensor(b, index, &out->tensor);
    case DV_PTE_INT:
        out->type = DV_ATEN_INT;
        return dv_pte_integer(b->pte, index, &out->integer);
    case DV_PTE_BOOL:
        out->type = DV_ATEN_BOOL;
        return dv_pte_integer(b->pte, index, &out->integer);
    case DV_PTE_DOUBLE:
        *out = (dv_aten_value){.type = DV_ATEN_REAL, .real = dv_fb_f64(&value->table, 0, 0)};
        return b->pte->file->fb.status;
    case DV_PTE_STRING:
        return read_text(b, value, out);
    case DV_PTE_INTS:
    case DV_PTE_DOUBLES:
    case DV_PTE_BOOLS:
        return read_numbers(b, value, out);
    case DV_PTE_TENSORS:
    case DV_PTE_OPTIONAL_TENSORS:
        return read_tensors(b, value, out);
    case DV_PTE_NULL:
    default:
        return DV_OK;
    }
}

static bool is_int(const dv_aten_value *value)
{
    return value->type == DV_ATEN_INT && value->integer > INT32_MIN && value->integer < INT32_MAX;
}

/* Numbers from a start to a computed end. */
static void fix_range(const dv_aten_rule *rule, const dv_shape *made, uint32_t count,
                      dv_aten_value *args)
{
    uint32_t end = dv_aten_arg_is(rule, 0, "end", 3) ? 0 : 1;
    int64_t start = 0, step = 1;
    if (made->rank != 1 || count <= end || (end == 1 && !is_int(&args[0])) ||
        (end == 1 && count > 3 && !is_int(&args[2])))
        return;
    if (end == 1)
        start = args[0].integer;
    if (end == 1 && count > 3)
        step = args[2].integer;
    args[end] = (dv_aten_value){.type = DV_ATEN_INT, .integer = start + made->dim[0] * step};
}

/* A part up to a computed end: (self, dim, start, end, step). */
static void fix_slice(const dv_shape *made, uint32_t count, dv_aten_value *args)
{
    if (count < 5 || !is_int(&args[1]) || !is_int(&args[4]) || args[3].type != DV_ATEN_INT ||
        (args[2].type != DV_ATEN_NONE && (!is_int(&args[2]) || args[2].integer < 0)))
        return;
    int64_t axis = args[1].integer + (args[1].integer < 0 ? made->rank : 0);
    if (axis >= 0 && axis < made->rank)
        args[3].integer = args[2].integer + made->dim[axis] * args[4].integer;
}

/* A size is written down even where it is computed while the program runs (as 0, often); what is
   made has it. */
static void fix_size(const dv_pte_builder *b, const dv_pte_call *call, const dv_aten_rule *rule,
                     dv_aten_value *args)
{
    static const struct {
        const char *name;
        uint32_t at;
    } sized[] = {{"view", 1}, {"et_view", 1}, {"_unsafe_view", 1}, {"expand", 1},
                 {"full", 0}, {"zeros", 0},   {"ones", 0},         {"empty", 0}};
    const dv_shape *made = &b->pte->values[call->outputs[0]].shape;
    const char *name = dv_aten_name(rule);
    for (size_t i = 0; i < sizeof sized / sizeof sized[0]; i++)
        if (strcmp(name, sized[i].name) == 0 && call->arg_count > sized[i].at)
            args[sized[i].at] =
                (dv_aten_value){.type = DV_ATEN_INTS, .count = made->rank, .integers = made->dim};
    if (strcmp(name, "arange") == 0)
        fix_range(rule, made, call->arg_count, args);
    else if (strcmp(name, "slice") == 0)
        fix_slice(made, call->arg_count, args);
}

/* ---- calls ---- */

static bool is_known_space(const char *op, size_t length)
{
    static const char *const spaces[] = {"aten", "quantized_decomposed", "dim_order_ops",
                                         "executorch_prim"};
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++)
        if (strlen(spaces[i]) == length && strncmp(op, spaces[i], length) == 0)
            return true;
    return false;
}

/* "aten::add", "out": the row of the table, or NULL. */
static const dv_aten_rule *rule_of(const dv_pte_call *call)
{
    const char *colons = strstr(call->op, "::");
    if (!colons || !is_known_space(call->op, (size_t)(colons - call->op)))
        return NULL;
    return dv_aten_find(colons + 2, call->overload);
}

static dv_status make_outputs(dv_pte_builder *b, const dv_pte_call *call, dv_tensor_id *outputs)
{
    for (uint32_t i = 0; i < call->output_count; i++)
        DV_TRY(dv_pte_make(b, call->outputs[i], &outputs[i]));
    return DV_OK;
}

static void set_outputs(dv_pte_builder *b, const dv_pte_call *call, const dv_tensor_id *outputs)
{
    for (uint32_t i = 0; i < call->output_count; i++)
        dv_pte_set(b, call->outputs[i], outputs[i]);
}

static const char *op_name(dv_pte_builder *b, const dv_pte_call *call)
{
    return dv_arena_printf(b->arena, "%u:%.200s", call->instruction, call->name);
}

dv_status dv_pte_add_opaque(dv_pte_builder *b, const dv_pte_call *call, const char *reason)
{
    dv_tensor_id *inputs = dv_arena_array(b->arena, call->input_count, sizeof *inputs);
    dv_tensor_id *outputs = dv_arena_array(b->arena, call->output_count, sizeof *outputs);
    dv_op op = {.kind = DV_OP_OPAQUE,
                .name = op_name(b, call),
                .source_type = call->name,
                .debug_handle = call->instruction,
                .inputs = inputs,
                .outputs = outputs,
                .input_count = call->input_count,
                .output_count = call->output_count,
                .reason = reason};
    dv_op_id id;
    if (!inputs || !outputs || !op.name || !reason)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < call->input_count; i++)
        DV_TRY(dv_pte_tensor(b, call->inputs[i], &inputs[i]));
    DV_TRY(make_outputs(b, call, outputs));
    DV_TRY(dv_graph_add_op(b->graph, &op, &id));
    set_outputs(b, call, outputs);
    return DV_OK;
}

dv_status dv_pte_add_kernel(dv_pte_builder *b, const dv_pte_call *call)
{
    const dv_aten_rule *rule = rule_of(call);
    if (call->output_count == 0) /* sizes, for the program's own use */
        return DV_OK;
    if (!rule)
        return dv_pte_add_opaque(b, call, "this kernel is not understood");
    dv_aten_value *args = dv_arena_array(b->arena, call->arg_count, sizeof *args);
    dv_tensor_id *outputs = dv_arena_array(b->arena, call->output_count, sizeof *outputs);
    dv_aten_call aten = {.rule = rule,
                         .name = op_name(b, call),
                         .source_type = call->name,
                         .debug_handle = call->instruction,
                         .arg_count = call->arg_count,
                         .args = args,
                         .output_count = call->output_count,
                         .outputs = outputs};
    if (!args || !outputs || !aten.name)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < call->arg_count; i++)
        DV_TRY(read_arg(b, call->args[i], &args[i]));
    fix_size(b, call, rule, args);
    DV_TRY(make_outputs(b, call, outputs));
    DV_TRY(dv_aten_add(b->graph, &aten));
    set_outputs(b, call, outputs);
    return DV_OK;
}
