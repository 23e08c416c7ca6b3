/* pt2_values.c - dimensions, element types and names of a torch.export graph. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/pt2_build.h"

/* ---- element types ---- */

static const struct {
    int64_t number, c10;
    const char *name;
} scalar_types[] = {
    {1, 0, "BYTE"},        {2, 1, "CHAR"},          {3, 2, "SHORT"},           {4, 3, "INT"},
    {5, 4, "LONG"},        {6, 5, "HALF"},          {7, 6, "FLOAT"},           {8, 7, "DOUBLE"},
    {9, 8, "COMPLEXHALF"}, {10, 9, "COMPLEXFLOAT"}, {11, 10, "COMPLEXDOUBLE"}, {12, 11, "BOOL"},
    {13, 15, "BFLOAT16"},  {28, 27, "UINT16"},      {34, 28, "UINT32"},        {35, 29, "UINT64"},
};

int64_t dv_pt2_scalar_type(const dv_json_at *at)
{
    const char *name = NULL;
    int64_t number = -1;
    if (dv_json_is_string(at) ? dv_json_string(at, &name) != DV_OK
                              : dv_json_integer(at, 0, 255, &number) != DV_OK)
        return -1;
    for (size_t i = 0; i < sizeof scalar_types / sizeof scalar_types[0]; i++)
        if (name ? strcmp(scalar_types[i].name, name) == 0 : scalar_types[i].number == number)
            return scalar_types[i].c10;
    return -1;
}

dv_dtype dv_pt2_dtype(const dv_json_at *at)
{
    return dv_aten_dtype(dv_pt2_scalar_type(at));
}

/* ---- dimensions ---- */

dv_status dv_pt2_integer(const dv_json_at *at, int64_t *out)
{
    double value;
    DV_TRY(dv_json_number(at, &value));
    if (value != floor(value))
        return dv_json_fail(at, "expected a whole number, found %g", value);
    *out = value >= 0x1p63 ? INT64_MAX : value < -0x1p63 ? INT64_MIN : (int64_t)value;
    return DV_OK;
}

/* What the export's example had. */
static bool read_hint(const dv_json_at *expr, int64_t *out)
{
    dv_json_at hint = dv_json_member(expr, "hint");
    dv_json_at integer = dv_json_member(&hint, "as_int");
    return dv_json_is_number(&integer) && dv_pt2_integer(&integer, out) == DV_OK;
}

dv_status dv_pt2_size(dv_pt2 *b, const dv_json_at *at, int64_t *out)
{
    dv_json_at integer = dv_json_member(at, "as_int"), expr = dv_json_member(at, "as_expr");
    if (dv_json_present(&integer))
        return dv_pt2_integer(&integer, out);
    dv_json_at text = dv_json_member(&expr, "expr_str");
    const char *spelled;
    int64_t hint;
    DV_TRY(dv_json_string(&text, &spelled));
    dv_pt2_expression e = {.symbols = &b->symbols};
    bool known = dv_pt2_evaluate(&e, spelled) && e.value == rint(e.value) && fabs(e.value) < 9e15;
    if (known)
        *out = (int64_t)e.value;
    else if (!e.bound && read_hint(&expr, &hint))
        *out = hint;
    else if (e.missing)
        return dv_fail(DV_BAD_INPUT,
                       "the dimension %.*s has no value; choose one, for example --dim %.*s=N",
                       (int)e.missing_length, e.missing, (int)e.missing_length, e.missing);
    else
        return dv_fail(DV_BAD_INPUT,
                       "the dimension '%.120s' is not a whole number, or not "
                       "understood",
                       spelled);
    return DV_OK;
}

/* The text of a dimension that is open; NULL if it is fixed. */
static const char *expression_of(const dv_json_at *size, dv_json_at *expr)
{
    const char *text = NULL;
    *expr = dv_json_member(size, "as_expr");
    dv_json_at spelled = dv_json_member(expr, "expr_str");
    return dv_json_is_string(&spelled) && dv_json_string(&spelled, &text) == DV_OK ? text : NULL;
}

/* Learns the example's value of a dimension that is nothing but a symbol. */
static dv_status learn(dv_pt2 *b, const dv_json_at *size)
{
    dv_json_at expr;
    const char *text = expression_of(size, &expr), *name;
    size_t length;
    int64_t hint;
    if (!text || !dv_pt2_plain_symbol(text, &name, &length))
        return DV_OK;
    dv_pt2_symbol *symbol = dv_pt2_symbol_of(&b->symbols, b->arena, name, length);
    if (!symbol)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    if (!symbol->known && read_hint(&expr, &hint)) {
        symbol->known = true;
        symbol->value = hint;
    }
    return DV_OK;
}

static dv_status learn_all(dv_pt2 *b, const dv_json_at *graph)
{
    dv_json_at tensors = dv_json_member(graph, "tensor_values");
    dv_json_at integers = dv_json_member(graph, "sym_int_values");
    for (dv_json_at t = dv_json_first(&tensors); t.node; t = dv_json_next(&t)) {
        dv_json_at sizes = dv_json_member(&t, "sizes");
        for (dv_json_at size = dv_json_first(&sizes); size.node; size = dv_json_next(&size))
            DV_TRY(learn(b, &size));
    }
    for (dv_json_at i = dv_json_first(&integers); i.node; i = dv_json_next(&i))
        DV_TRY(learn(b, &i));
    return DV_OK;
}

static dv_status learn_ranges(dv_pt2 *b, const dv_json_at *program)
{
    dv_json_at ranges = dv_json_member(program, "range_constraints");
    for (dv_json_at range = dv_json_first(&ranges); range.node; range = dv_json_next(&range)) {
        dv_json_at least = dv_json_member(&range, "min_val");
        dv_json_at most = dv_json_member(&range, "max_val");
        dv_pt2_symbol *symbol =
            dv_pt2_symbol_of(&b->symbols, b->arena, range.key, strlen(range.key));
        if (!symbol)
            return dv_fail(DV_NO_MEMORY, "out of memory");
        if (dv_json_is_number(&least))
            DV_TRY(dv_pt2_integer(&least, &symbol->least));
        if (dv_json_is_number(&most))
            DV_TRY(dv_pt2_integer(&most, &symbol->most));
    }
    return DV_OK;
}

static dv_status set_symbol(dv_pt2_symbol *symbol, int64_t value, const char *called)
{
    if (value < 1 || value > INT32_MAX || value < symbol->least || value > symbol->most)
        return dv_fail(DV_BAD_PARAMETER, "the dimension %s cannot be %lld: %s is %lld to %lld",
                       called, (long long)value, symbol->name,
                       (long long)(symbol->least < 1 ? 1 : symbol->least),
                       (long long)(symbol->most > INT32_MAX ? INT32_MAX : symbol->most));
    if (symbol->bound && symbol->value != value)
        return dv_fail(DV_BAD_PARAMETER,
                       "the dimension %s cannot be %lld: it is %s, which is "
                       "%lld already",
                       called, (long long)value, symbol->name, (long long)symbol->value);
    symbol->value = value;
    symbol->known = symbol->bound = true;
    return DV_OK;
}

/* INPUT:INDEX names a dimension by the input that has it. */
static dv_status bind_by_input(dv_pt2 *b, const dv_json_at *graph, const dv_binding *binding,
                               bool *found)
{
    const char *colon = strrchr(binding->name, ':'), *name;
    size_t length;
    int64_t index, fixed = 0;
    char input[256];
    if (!colon || colon == binding->name || (size_t)(colon - binding->name) >= sizeof input ||
        !dv_parse_integer(colon + 1, 0, DV_MAX_RANK - 1, &index))
        return DV_OK;
    snprintf(input, sizeof input, "%.*s", (int)(colon - binding->name), binding->name);
    dv_json_at values = dv_json_member(graph, "tensor_values");
    dv_json_at value = dv_json_member(&values, input), sizes = dv_json_member(&value, "sizes");
    dv_json_at size = dv_json_element(&sizes, (size_t)index), expr;
    if (!size.node)
        return DV_OK;
    *found = true;
    const char *text = expression_of(&size, &expr);
    if (text && dv_pt2_plain_symbol(text, &name, &length)) {
        dv_pt2_symbol *symbol = dv_pt2_symbol_of(&b->symbols, b->arena, name, length);
        return symbol ? set_symbol(symbol, binding->value, binding->name)
                      : dv_fail(DV_NO_MEMORY, "out of memory");
    }
    if (text)
        return dv_fail(DV_BAD_PARAMETER, "the dimension %s is computed from others (%.120s)",
                       binding->name, text);
    DV_TRY(dv_pt2_size(b, &size, &fixed));
    return fixed == binding->value ? DV_OK
                                   : dv_fail(DV_BAD_PARAMETER, "the dimension %s is fixed at %lld",
                                             binding->name, (long long)fixed);
}

static dv_status unknown_dimension(const dv_pt2 *b, const char *name)
{
    dv_text names = {0};
    for (size_t i = 0; i < b->symbols.count; i++)
        dv_text_append(&names, "%s%s", i ? ", " : "", b->symbols.items[i].name);
    dv_status status =
        b->symbols.count == 0
            ? dv_fail(DV_BAD_PARAMETER, "no dimension is called '%s': all are fixed", name)
            : dv_fail(DV_BAD_PARAMETER,
                      "no dimension is called '%s'; there are %.200s, and "
                      "INPUT:INDEX",
                      name, dv_text_string(&names));
    dv_text_free(&names);
    return status;
}

/* The symbol of the first open dim of a value; NULL: it has none. */
static dv_status symbol_of_value(dv_pt2 *b, const dv_json_at *graph, const char *value,
                                 dv_pt2_symbol **out)
{
    dv_json_at values = dv_json_member(graph, "tensor_values");
    dv_json_at entry = dv_json_member(&values, value), sizes = dv_json_member(&entry, "sizes");
    for (dv_json_at size = dv_json_first(&sizes); size.node; size = dv_json_next(&size)) {
        dv_json_at expr;
        const char *name, *text = expression_of(&size, &expr);
        size_t length;
        if (!text || !dv_pt2_plain_symbol(text, &name, &length))
            continue;
        *out = dv_pt2_symbol_of(&b->symbols, b->arena, name, length);
        return *out ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory");
    }
    return DV_OK;
}

/* NAME may be a node whose result's length the values decide. */
static dv_status bind_by_node(dv_pt2 *b, const dv_json_at *graph, const dv_binding *binding,
                              bool *found)
{
    dv_json_at nodes = dv_json_member(graph, "nodes");
    for (dv_json_at node = dv_json_first(&nodes); node.node && !*found;
         node = dv_json_next(&node)) {
        dv_json_at name = dv_json_member(&node, "name");
        const char *text = NULL, **names;
        uint32_t count;
        bool tensors;
        dv_pt2_symbol *symbol = NULL;
        if (!dv_json_is_string(&name) || dv_json_string(&name, &text) != DV_OK ||
            strcmp(text, binding->name) != 0)
            continue;
        DV_TRY(dv_pt2_outputs(b, &node, &names, &count, &tensors));
        for (uint32_t i = 0; i < count && !symbol; i++)
            if (names[i])
                DV_TRY(symbol_of_value(b, graph, names[i], &symbol));
        if (!symbol)
            return DV_OK;
        *found = true;
        DV_TRY(set_symbol(symbol, binding->value, binding->name));
    }
    return DV_OK;
}

/* A length that only values tell is as great as the export says it can be. */
static void assume_most(dv_pt2_symbols *symbols)
{
    for (size_t i = 0; i < symbols->count; i++) {
        dv_pt2_symbol *symbol = &symbols->items[i];
        if (symbol->known || symbol->most < 1 || symbol->most >= INT32_MAX)
            continue;
        symbol->value = symbol->most;
        symbol->known = true;
    }
}

dv_status dv_pt2_bind(dv_pt2 *b, const dv_json_at *program)
{
    dv_json_at module = dv_json_member(program, "graph_module");
    dv_json_at graph = dv_json_member(&module, "graph");
    DV_TRY(learn_all(b, &graph));
    DV_TRY(learn_ranges(b, program));
    for (size_t i = 0; b->options && i < b->options->dim_count; i++) {
        const dv_binding *binding = &b->options->dims[i];
        bool found = false;
        for (size_t s = 0; s < b->symbols.count && !found; s++)
            if (strcmp(b->symbols.items[s].name, binding->name) == 0) {
                found = true;
                DV_TRY(set_symbol(&b->symbols.items[s], binding->value, binding->name));
            }
        if (!found)
            DV_TRY(bind_by_input(b, &graph, binding, &found));
        if (!found)
            DV_TRY(bind_by_node(b, &graph, binding, &found));
        if (!found)
            return unknown_dimension(b, binding->name);
    }
    assume_most(&b->symbols);
    return DV_OK;
}

/* ---- values ---- */

static dv_span span_of(const char *text)
{
    return (dv_span){(const uint8_t *)text, strlen(text)};
}

dv_status dv_pt2_value_of(dv_pt2 *b, const char *name, uint32_t *index)
{
    *index = dv_names_find(&b->scope->names, span_of(name), DV_NONE);
    if (*index != DV_NONE)
        return DV_OK;
    void *values = b->values;
    if (!dv_grow(&values, &b->value_capacity, b->value_count + 1, sizeof *b->values))
        return dv_fail(DV_NO_MEMORY, "out of memory");
    b->values = values;
    *index = (uint32_t)b->value_count++;
    b->values[*index] = (dv_pt2_value){.name = name,
                                       .shape = {.rank = DV_RANK_UNKNOWN},
                                       .id = DV_NONE,
                                       .state = DV_NONE,
                                       .view_of = DV_NONE};
    return dv_names_put(&b->scope->names, span_of(name), *index);
}

static dv_status read_shape(dv_pt2 *b, const dv_json_at *meta, dv_shape *out)
{
    dv_json_at sizes = dv_json_member(meta, "sizes");
    dv_shape shape = {0};
    DV_TRY(dv_json_array(&sizes));
    for (dv_json_at size = dv_json_first(&sizes); size.node; size = dv_json_next(&size)) {
        if (shape.rank == DV_MAX_RANK)
            return DV_OK; /* whoever reads it stays opaque */
        DV_TRY(dv_pt2_size(b, &size, &shape.dim[shape.rank]));
        if (shape.dim[shape.rank++] < 0)
            return dv_fail(DV_BAD_INPUT, "a dimension is negative");
    }
    size_t elements;
    if (!dv_shape_elements(&shape, &elements) || elements > SIZE_MAX / 64)
        return dv_fail(DV_BAD_INPUT, "it has more elements than memory can hold");
    *out = shape;
    return DV_OK;
}

dv_status dv_pt2_open_scope(dv_pt2 *b, dv_pt2_scope *scope)
{
    dv_json_at values = dv_json_member(&scope->graph, "tensor_values");
    DV_TRY(dv_json_object(&values));
    for (dv_json_at meta = dv_json_first(&values); meta.node; meta = dv_json_next(&meta)) {
        dv_json_at dtype = dv_json_member(&meta, "dtype");
        uint32_t index;
        dv_shape shape = {.rank = DV_RANK_UNKNOWN};
        DV_TRY(dv_pt2_value_of(b, meta.key, &index));
        DV_TRY(dv_within(read_shape(b, &meta, &shape), "tensor '%.120s'", meta.key));
        dv_dtype part = dv_aten_complex_part(dv_pt2_scalar_type(&dtype));
        b->values[index].is_complex =
            part != DV_DTYPE_NONE && dv_shape_known(&shape) && dv_aten_complex_shape(&shape);
        b->values[index].shape = shape;
        b->values[index].dtype = b->values[index].is_complex ? part : dv_pt2_dtype(&dtype);
    }
    return DV_OK;
}

dv_status dv_pt2_add_output(dv_pt2 *b, uint32_t index, dv_tensor_id *id)
{
    const dv_pt2_value *value = &b->values[index];
    dv_tensor tensor = {.name = value->name,
                        .dtype = value->dtype,
                        .shape = value->shape,
                        .is_complex = value->is_complex,
                        .role = DV_ROLE_ACTIVATION};
    return dv_graph_add_tensor(b->graph, &tensor, id);
}

/* The view taken from what its source holds now. */
static dv_status take_anew(dv_pt2 *b, uint32_t index)
{
    dv_pt2_value *value = &b->values[index];
    dv_tensor_id id;
    if (!value->made) {
        DV_TRY(dv_pt2_read(b, value->view_of, &id));
        b->values[index].id = id;
        dv_pt2_refresh(b, index);
        return DV_OK;
    }
    dv_json_at node = dv_json_root(value->made, "model");
    return dv_pt2_add_node(b, &node, true);
}

dv_status dv_pt2_read(dv_pt2 *b, uint32_t index, dv_tensor_id *id)
{
    const dv_pt2_value *value = &b->values[index];
    if (value->id == DV_NONE && value->weight)
        DV_TRY(dv_pt2_add_weight(b, index, &b->values[index].id));
    else if (dv_pt2_is_stale(b, index))
        DV_TRY(take_anew(b, index));
    *id = b->values[index].id;
    if (*id == DV_NONE)
        return dv_fail(DV_BAD_INPUT, "'%.120s' is read but neither made before nor given",
                       b->values[index].name);
    return DV_OK;
}
