/* aten.c - the table of ATen operators, and the arguments of their calls. */
#include "load/aten.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "load/aten_build.h"

struct dv_aten_rule {
    const char *name, *overloads, *schema;
    dv_op_kind kind;
    dv_aten_reader *read;
};

static const dv_aten_rule rules[] = {
#define ATEN(name, overloads, kind, reader, schema) \
    {name, overloads, schema, DV_OP_##kind, dv_aten_read_##reader},
#include "load/aten.def"
#undef ATEN
};

enum { RULE_COUNT = sizeof rules / sizeof rules[0] };

/* ---- finding a row ---- */

static int compare(const char *name, size_t length, const char *row)
{
    int order = strncmp(name, row, length);
    return order ? order : row[length] ? -1 : 0;
}

static bool lists(const char *overloads, const char *overload)
{
    size_t length = strlen(overload);
    for (const char *at = overloads; *at; at += strcspn(at, " "), at += *at == ' ')
        if (strncmp(at, overload, length) == 0 && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

static const dv_aten_rule *find(const char *name, size_t length, const char *overload)
{
    size_t low = 0, high = RULE_COUNT;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(name, length, rules[middle].name) > 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < RULE_COUNT && compare(name, length, rules[low].name) == 0; low++)
        if (lists(rules[low].overloads, overload))
            return &rules[low];
    return NULL;
}

const dv_aten_rule *dv_aten_find(const char *name, const char *overload)
{
    static const char copy[] = "_copy";
    size_t length = strlen(name), tail = sizeof copy - 1;
    const char *spelled = *overload ? overload : "default";
    const dv_aten_rule *rule = find(name, length, spelled);
    if (!rule && length > 1 && name[length - 1] == '_')
        rule = find(name, length - 1, spelled);
    if (!rule && length > tail && strcmp(name + length - tail, copy) == 0)
        rule = find(name, length - tail, spelled);
    return rule;
}

const dv_aten_rule *dv_aten_rule_at(size_t i)
{
    return i < RULE_COUNT ? &rules[i] : NULL;
}

const char *dv_aten_name(const dv_aten_rule *rule)
{
    return rule->name;
}

/* ---- schemas: "self, other, alpha=1" ---- */

/* The i-th argument's text and length; NULL past the last. */
static const char *argument(const dv_aten_rule *rule, uint32_t i, size_t *length)
{
    const char *at = rule->schema;
    for (;; i--) {
        *length = strcspn(at, ",");
        if (i == 0 || !at[*length])
            break;
        at += *length + 1;
        at += *at == ' ';
    }
    return i == 0 && *length > 0 ? at : NULL;
}

uint32_t dv_aten_arg_count(const dv_aten_rule *rule)
{
    uint32_t count = 0;
    size_t length;
    while (argument(rule, count, &length))
        count++;
    return count;
}

bool dv_aten_arg_is(const dv_aten_rule *rule, uint32_t i, const char *name, size_t length)
{
    size_t all;
    const char *at = argument(rule, i, &all);
    size_t own = at ? strcspn(at, "=,") : 0;
    return at && own == length && strncmp(at, name, length) == 0;
}

bool dv_aten_arg_required(const dv_aten_rule *rule, uint32_t i)
{
    size_t all;
    const char *at = argument(rule, i, &all);
    return at && !memchr(at, '=', all);
}

dv_aten_value dv_aten_default(const dv_aten_rule *rule, uint32_t i)
{
    size_t all;
    const char *at = argument(rule, i, &all);
    const char *sign = at ? memchr(at, '=', all) : NULL;
    if (!sign || strncmp(sign, "=None", 5) == 0)
        return (dv_aten_value){.type = DV_ATEN_NONE};
    if (sign[1] == '[')
        return (dv_aten_value){.type = DV_ATEN_INTS};
    if (strncmp(sign, "=True", 5) == 0 || strncmp(sign, "=False", 6) == 0)
        return (dv_aten_value){.type = DV_ATEN_BOOL, .integer = sign[1] == 'T'};
    if (strncmp(sign, "=none", 5) == 0)
        return (dv_aten_value){.type = DV_ATEN_TEXT, .text = "none"};
    if (strncmp(sign, "=valid", 6) == 0)
        return (dv_aten_value){.type = DV_ATEN_TEXT, .text = "valid"};
    if (strncmp(sign, "=reflect", 8) == 0)
        return (dv_aten_value){.type = DV_ATEN_TEXT, .text = "reflect"};
    if (strncmp(sign, "=constant", 9) == 0)
        return (dv_aten_value){.type = DV_ATEN_TEXT, .text = "constant"};
    if (memchr(sign, '.', all - (size_t)(sign - at)))
        return (dv_aten_value){.type = DV_ATEN_REAL, .real = strtod(sign + 1, NULL)};
    return (dv_aten_value){.type = DV_ATEN_INT, .integer = strtoll(sign + 1, NULL, 10)};
}

dv_dtype dv_aten_dtype(int64_t scalar_type)
{
    static const dv_dtype types[] = {
        [0] = DV_DTYPE_U8,    [1] = DV_DTYPE_I8,    [2] = DV_DTYPE_I16,  [3] = DV_DTYPE_I32,
        [4] = DV_DTYPE_I64,   [5] = DV_DTYPE_F16,   [6] = DV_DTYPE_F32,  [7] = DV_DTYPE_F64,
        [11] = DV_DTYPE_BOOL, [15] = DV_DTYPE_BF16, [27] = DV_DTYPE_U16, [28] = DV_DTYPE_U32,
        [29] = DV_DTYPE_U64,
    };
    bool known = scalar_type >= 0 && scalar_type < (int64_t)(sizeof types / sizeof types[0]);
    return known ? types[scalar_type] : DV_DTYPE_NONE;
}

dv_dtype dv_aten_complex_part(int64_t scalar_type)
{
    enum { COMPLEX64 = 9, COMPLEX128 = 10 };
    return scalar_type == COMPLEX64    ? DV_DTYPE_F32
           : scalar_type == COMPLEX128 ? DV_DTYPE_F64
                                       : DV_DTYPE_NONE;
}

bool dv_aten_complex_shape(dv_shape *shape)
{
    if (shape->rank >= DV_MAX_RANK)
        return false;
    shape->dim[shape->rank++] = 2;
    return true;
}

/* ---- arguments ---- */

static dv_status wrong(const dv_aten_at *at, uint32_t i, const char *expected)
{
    size_t length = 0;
    const char *name = argument(at->call->rule, i, &length);
    length = name ? strcspn(name, "=,") : 0;
    return dv_fail(DV_BAD_INPUT, "argument '%.*s' is not %s", (int)length, name ? name : "",
                   expected);
}

bool dv_aten_given(const dv_aten_at *at, uint32_t i)
{
    return at->args[i].type != DV_ATEN_NONE;
}

dv_status dv_aten_int(const dv_aten_at *at, uint32_t i, int64_t *out)
{
    const dv_aten_value *value = &at->args[i];
    if (value->type == DV_ATEN_REAL && value->real == rint(value->real) && fabs(value->real) < 1e15)
        *out = (int64_t)value->real;
    else if (value->type == DV_ATEN_INT || value->type == DV_ATEN_BOOL)
        *out = value->integer;
    else if (value->type == DV_ATEN_INTS && value->count == 1)
        *out = value->integers[0];
    else
        return wrong(at, i, "a whole number");
    return DV_OK;
}

dv_status dv_aten_real(const dv_aten_at *at, uint32_t i, double *out)
{
    const dv_aten_value *value = &at->args[i];
    if (value->type == DV_ATEN_REAL)
        *out = value->real;
    else if (value->type == DV_ATEN_INT || value->type == DV_ATEN_BOOL)
        *out = (double)value->integer;
    else
        return wrong(at, i, "a number");
    return DV_OK;
}

dv_status dv_aten_flag(const dv_aten_at *at, uint32_t i, bool *out)
{
    int64_t value = 0;
    if (dv_aten_given(at, i))
        DV_TRY(dv_aten_int(at, i, &value));
    *out = value != 0;
    return DV_OK;
}

dv_status dv_aten_ints(const dv_aten_at *at, uint32_t i, int64_t *out, size_t most, size_t *count)
{
    const dv_aten_value *value = &at->args[i];
    *count = 0;
    if (value->type == DV_ATEN_NONE)
        return DV_OK;
    if (value->type == DV_ATEN_INTS) {
        if (value->count > most)
            return wrong(at, i, "a list as short as that");
        for (; *count < value->count; (*count)++)
            out[*count] = value->integers[*count];
        return DV_OK;
    }
    if (value->type != DV_ATEN_INT)
        return wrong(at, i, "a list of whole numbers");
    out[0] = value->integer;
    *count = 1;
    return DV_OK;
}

dv_status dv_aten_spatial(const dv_aten_at *at, uint32_t i, size_t count, int64_t absent,
                          int64_t *out)
{
    size_t given;
    DV_TRY(dv_aten_ints(at, i, out, count, &given));
    if (given > 1 && given != count)
        return wrong(at, i, "as long as the image has dimensions");
    for (size_t d = given; d < count; d++)
        out[d] = given ? out[0] : absent;
    return DV_OK;
}

dv_status dv_aten_option(const dv_aten_at *at, uint32_t i, dv_tensor_id *out)
{
    *out = at->args[i].type == DV_ATEN_TENSOR ? at->args[i].tensor : DV_NONE;
    return *out != DV_NONE || !dv_aten_given(at, i) ? DV_OK : wrong(at, i, "a tensor");
}

dv_status dv_aten_input(const dv_aten_at *at, uint32_t i, dv_tensor_id *out)
{
    DV_TRY(dv_aten_option(at, i, out));
    return *out != DV_NONE ? DV_OK : wrong(at, i, "a tensor");
}

const dv_shape *dv_aten_shape_of(const dv_aten_at *at, dv_tensor_id id)
{
    return &at->graph->tensors[id].shape;
}

dv_dtype dv_aten_dtype_of(const dv_aten_at *at, dv_tensor_id id)
{
    return at->graph->tensors[id].dtype;
}

uint8_t dv_aten_rank_of(const dv_aten_at *at, dv_tensor_id id)
{
    return at->graph->tensors[id].shape.rank;
}

dv_status dv_aten_axis(const dv_aten_at *at, uint32_t i, dv_tensor_id of, int64_t *out)
{
    uint8_t rank = dv_aten_rank_of(at, of);
    DV_TRY(dv_aten_int(at, i, out));
    if (rank == DV_RANK_UNKNOWN)
        return DV_OK;
    if (*out < -(int64_t)rank || *out >= (rank ? rank : 1))
        return wrong(at, i, "one of its input's axes");
    if (*out < 0)
        *out += rank;
    return DV_OK;
}

/* ---- calls ---- */

/* Tensors among the arguments of a call that is kept by name. */
static dv_status add_opaque(dv_aten_at *at)
{
    size_t count = 0, most = 0;
    for (uint32_t i = 0; i < DV_ATEN_MOST_ARGS; i++)
        most += at->args[i].type == DV_ATEN_TENSORS ? at->args[i].count : 1;
    dv_tensor_id *inputs = dv_arena_array(dv_graph_arena(at->graph), most, sizeof *inputs);
    if (!inputs)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t i = 0; i < DV_ATEN_MOST_ARGS; i++) {
        const dv_aten_value *value = &at->args[i];
        if (value->type == DV_ATEN_TENSOR)
            inputs[count++] = value->tensor;
        for (uint32_t k = 0; value->type == DV_ATEN_TENSORS && k < value->count; k++)
            if (value->tensors[k] != DV_NONE)
                inputs[count++] = value->tensors[k];
    }
    dv_op op = {.kind = DV_OP_OPAQUE,
                .name = at->call->name,
                .source_type = at->call->source_type,
                .debug_handle = at->call->debug_handle,
                .inputs = inputs,
                .input_count = (uint32_t)count,
                .outputs = at->call->outputs,
                .output_count = at->call->output_count,
                .reason = at->reason};
    dv_op_id id;
    return dv_graph_add_op(at->graph, &op, &id);
}

dv_status dv_aten_read_as_real(dv_aten_at *at)
{
    return at->call->rule->read(at);
}

/* Does it read or make complex numbers? */
static bool has_complex(const dv_aten_at *at)
{
    for (uint32_t i = 0; i < at->call->output_count; i++)
        if (at->call->outputs[i] != DV_NONE && at->graph->tensors[at->call->outputs[i]].is_complex)
            return true;
    for (uint32_t i = 0; i < DV_ATEN_MOST_ARGS; i++) {
        const dv_aten_value *value = &at->args[i];
        if (value->type == DV_ATEN_COMPLEX ||
            (value->type == DV_ATEN_TENSOR && at->graph->tensors[value->tensor].is_complex))
            return true;
        for (uint32_t k = 0; value->type == DV_ATEN_TENSORS && k < value->count; k++)
            if (value->tensors[k] != DV_NONE && at->graph->tensors[value->tensors[k]].is_complex)
                return true;
    }
    return false;
}

dv_status dv_aten_add(dv_graph *graph, const dv_aten_call *call)
{
    dv_aten_at at = {.graph = graph, .call = call, .kind = call->rule->kind};
    uint32_t count = dv_aten_arg_count(call->rule);
    if (call->output_count == 0)
        return dv_fail(DV_BAD_INPUT, "it has no output");
    for (uint32_t i = 0; i < count && i < DV_ATEN_MOST_ARGS; i++) {
        at.args[i] = i < call->arg_count ? call->args[i] : dv_aten_default(call->rule, i);
        if (at.args[i].type == DV_ATEN_TENSOR && at.args[i].tensor == DV_NONE)
            at.args[i].type = DV_ATEN_NONE;
    }
    DV_TRY(has_complex(&at) ? dv_aten_read_complex_call(&at) : call->rule->read(&at));
    return at.reason ? add_opaque(&at) : DV_OK;
}
