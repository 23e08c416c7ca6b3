/* pt2_args.c - the arguments and results of a torch.export node. */
#include <math.h>
#include <string.h>

#include "load/pt2_build.h"

dv_status dv_pt2_kind(const dv_json_at *at, dv_json_at *inner)
{
    *inner = dv_json_first(at);
    dv_json_at second = dv_json_next(inner);
    if (!dv_json_is_object(at) || !inner->node || second.node)
        return dv_fail(DV_BAD_INPUT, "an argument must hold exactly one thing under its kind's "
                                     "name");
    return DV_OK;
}

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "out of memory");
}

/* Strings stand for what JSON has no number for. */
static dv_status read_real(const dv_json_at *at, double *out)
{
    const char *text;
    if (!dv_json_is_string(at))
        return dv_json_number(at, out);
    DV_TRY(dv_json_string(at, &text));
    if (strcmp(text, "Infinity") == 0)
        *out = INFINITY;
    else if (strcmp(text, "-Infinity") == 0)
        *out = -INFINITY;
    else if (strcmp(text, "NaN") == 0)
        *out = NAN;
    else
        return dv_fail(DV_BAD_INPUT, "'%.40s' is no number", text);
    return DV_OK;
}

/* {"name": "x"}: the tensor that the value holds. */
static dv_status read_tensor(dv_pt2 *b, const dv_json_at *at, dv_tensor_id *id)
{
    dv_json_at name = dv_json_member(at, "name");
    const char *text;
    uint32_t index;
    DV_TRY(dv_json_string(&name, &text));
    DV_TRY(dv_pt2_value_of(b, text, &index));
    return dv_pt2_read(b, index, id);
}

/* {"as_tensor": {...}} or {"as_none": true} */
static dv_status read_optional(dv_pt2 *b, const dv_json_at *at, dv_tensor_id *id)
{
    dv_json_at inner;
    DV_TRY(dv_pt2_kind(at, &inner));
    *id = DV_NONE;
    return strcmp(inner.key, "as_tensor") == 0 ? read_tensor(b, &inner, id) : DV_OK;
}

static dv_status read_tensors(dv_pt2 *b, const dv_json_at *list, bool optional, dv_aten_value *out)
{
    dv_tensor_id *ids = dv_arena_array(b->arena, dv_json_count(list) + 1, sizeof *ids);
    if (!ids)
        return no_memory();
    DV_TRY(dv_json_array(list));
    *out = (dv_aten_value){.type = DV_ATEN_TENSORS, .tensors = ids};
    for (dv_json_at item = dv_json_first(list); item.node; item = dv_json_next(&item), out->count++)
        DV_TRY(optional ? read_optional(b, &item, &ids[out->count])
                        : read_tensor(b, &item, &ids[out->count]));
    return DV_OK;
}

/* A symbolic number by its name: {"as_name": "sym_size_int"}, or a plain one: {"as_int": 3}. */
static dv_status read_symbolic(dv_pt2 *b, const dv_json_at *at, int64_t *out)
{
    dv_json_at inner;
    DV_TRY(dv_pt2_kind(at, &inner));
    if (strcmp(inner.key, "as_name") != 0)
        return dv_pt2_integer(&inner, out);
    const char *name;
    DV_TRY(dv_json_string(&inner, &name));
    dv_json_at values = dv_json_member(&b->scope->graph, "sym_int_values");
    dv_json_at value = dv_json_member(&values, name);
    if (!value.node)
        return dv_fail(DV_BAD_INPUT, "the number '%.120s' is not recorded", name);
    return dv_pt2_size(b, &value, out);
}

static dv_status read_integers(dv_pt2 *b, const dv_json_at *list, dv_aten_value *out)
{
    bool symbolic = strcmp(list->key, "as_sym_ints") == 0;
    int64_t *items = dv_arena_array(b->arena, dv_json_count(list) + 1, sizeof *items);
    if (!items)
        return no_memory();
    DV_TRY(dv_json_array(list));
    *out = (dv_aten_value){.type = DV_ATEN_INTS, .integers = items};
    for (dv_json_at item = dv_json_first(list); item.node;
         item = dv_json_next(&item), out->count++) {
        bool flag;
        if (symbolic)
            DV_TRY(read_symbolic(b, &item, &items[out->count]));
        else if (dv_json_is_number(&item))
            DV_TRY(dv_pt2_integer(&item, &items[out->count]));
        else {
            DV_TRY(dv_json_bool(&item, &flag));
            items[out->count] = flag;
        }
    }
    return DV_OK;
}

static dv_status read_reals(dv_pt2 *b, const dv_json_at *list, dv_aten_value *out)
{
    double *items = dv_arena_array(b->arena, dv_json_count(list) + 1, sizeof *items);
    if (!items)
        return no_memory();
    DV_TRY(dv_json_array(list));
    *out = (dv_aten_value){.type = DV_ATEN_REALS, .reals = items};
    for (dv_json_at item = dv_json_first(list); item.node;
         item = dv_json_next(&item), out->count++) {
        dv_json_at number = item;
        if (dv_json_is_object(&item))
            DV_TRY(dv_pt2_kind(&item, &number));
        DV_TRY(read_real(&number, &items[out->count]));
    }
    return DV_OK;
}

/* sym_float and sym_bool are recorded like sym_int, under tables of their own. */
static dv_status read_other_symbol(dv_pt2 *b, const dv_json_at *at, const char *table,
                                   dv_aten_value *out)
{
    dv_json_at inner, hint;
    const char *name, *text;
    DV_TRY(dv_pt2_kind(at, &inner));
    bool is_bool = strcmp(table, "sym_bool_values") == 0;
    if (strcmp(inner.key, "as_name") == 0) {
        DV_TRY(dv_json_string(&inner, &name));
        dv_json_at values = dv_json_member(&b->scope->graph, table);
        dv_json_at value = dv_json_member(&values, name);
        dv_json_at expr = dv_json_member(&value, "as_expr"), spelled;
        spelled = dv_json_member(&expr, "expr_str");
        dv_pt2_expression e = {.symbols = &b->symbols};
        if (dv_json_is_string(&spelled) && dv_json_string(&spelled, &text) == DV_OK &&
            dv_pt2_evaluate(&e, text)) {
            *out = is_bool ? (dv_aten_value){.type = DV_ATEN_BOOL, .integer = e.value != 0}
                           : (dv_aten_value){.type = DV_ATEN_REAL, .real = e.value};
            return DV_OK;
        }
        hint = dv_json_member(&expr, "hint");
        if (!dv_json_present(&hint) || e.bound)
            return dv_fail(DV_BAD_INPUT, "the value of '%.120s' is not recorded", name);
        return read_other_symbol(b, &hint, table, out);
    }
    bool flag = false;
    if (is_bool) {
        DV_TRY(dv_json_bool(&inner, &flag));
        *out = (dv_aten_value){.type = DV_ATEN_BOOL, .integer = flag};
        return DV_OK;
    }
    *out = (dv_aten_value){.type = DV_ATEN_REAL};
    return read_real(&inner, &out->real);
}

static dv_status read_flag(const dv_json_at *at, dv_aten_value *out)
{
    bool flag;
    DV_TRY(dv_json_bool(at, &flag));
    *out = (dv_aten_value){.type = DV_ATEN_BOOL, .integer = flag};
    return DV_OK;
}

/* {"real": 0.0, "imag": 1.0} */
static dv_status read_complex(const dv_json_at *at, dv_aten_value *out)
{
    dv_json_at real = dv_json_member(at, "real"), imag = dv_json_member(at, "imag");
    *out = (dv_aten_value){.type = DV_ATEN_COMPLEX};
    DV_TRY(read_real(&real, &out->real));
    return read_real(&imag, &out->imaginary);
}

static dv_status read_device(const dv_json_at *at, dv_aten_value *out)
{
    dv_json_at type = dv_json_member(at, "type");
    out->type = DV_ATEN_TEXT;
    return dv_json_string(&type, &out->text);
}

dv_status dv_pt2_argument(dv_pt2 *b, const dv_json_at *arg, dv_aten_value *out)
{
    dv_json_at at;
    DV_TRY(dv_pt2_kind(arg, &at));
    const char *kind = at.key;
    *out = (dv_aten_value){0};
#define IS(name) (strcmp(kind, "as_" name) == 0)
    if (IS("none"))
        return DV_OK;
    if (IS("tensor") || IS("optional_tensor")) {
        out->type = DV_ATEN_TENSOR;
        DV_TRY(IS("tensor") ? read_tensor(b, &at, &out->tensor)
                            : read_optional(b, &at, &out->tensor));
        if (out->tensor == DV_NONE)
            out->type = DV_ATEN_NONE;
        return DV_OK;
    }
    if (IS("tensors") || IS("optional_tensors"))
        return read_tensors(b, &at, IS("optional_tensors"), out);
    if (IS("ints") || IS("bools") || IS("sym_ints"))
        return read_integers(b, &at, out);
    if (IS("floats") || IS("sym_floats"))
        return read_reals(b, &at, out);
    if (IS("bool"))
        return read_flag(&at, out);
    if (IS("int") || IS("memory_format") || IS("layout")) {
        out->type = DV_ATEN_INT;
        return dv_json_is_string(&at) ? DV_OK : dv_pt2_integer(&at, &out->integer);
    }
    if (IS("float")) {
        out->type = DV_ATEN_REAL;
        return read_real(&at, &out->real);
    }
    if (IS("complex"))
        return read_complex(&at, out);
    if (IS("sym_int")) {
        out->type = DV_ATEN_INT;
        return read_symbolic(b, &at, &out->integer);
    }
    if (IS("sym_float") || IS("sym_bool"))
        return read_other_symbol(b, &at, IS("sym_float") ? "sym_float_values" : "sym_bool_values",
                                 out);
    if (IS("scalar_type")) {
        out->type = DV_ATEN_INT;
        out->integer = dv_pt2_scalar_type(&at);
        return DV_OK;
    }
    if (IS("string") || IS("operator")) {
        out->type = DV_ATEN_TEXT;
        return dv_json_string(&at, &out->text);
    }
    if (IS("device"))
        return read_device(&at, out);
#undef IS
    out->type = DV_ATEN_TEXT; /* whoever needs more than its being there will say so */
    out->text = kind;
    return DV_OK;
}

/* ---- results ---- */

static dv_status put_name(const dv_json_at *at, const char ***names, uint32_t *count)
{
    dv_json_at name = dv_json_member(at, "name");
    return dv_json_string(&name, &(*names)[(*count)++]);
}

dv_status dv_pt2_outputs(dv_pt2 *b, const dv_json_at *node, const char ***names, uint32_t *count,
                         bool *all_tensors)
{
    dv_json_at outputs = dv_json_member(node, "outputs");
    size_t most = 0;
    DV_TRY(dv_json_array(&outputs));
    for (dv_json_at o = dv_json_first(&outputs); o.node; o = dv_json_next(&o)) {
        dv_json_at inner = dv_json_first(&o);
        most += dv_json_is_array(&inner) ? dv_json_count(&inner) : 1;
    }
    *names = dv_arena_array(b->arena, most + 1, sizeof **names);
    *count = 0;
    *all_tensors = true;
    if (!*names)
        return no_memory();
    for (dv_json_at o = dv_json_first(&outputs); o.node; o = dv_json_next(&o)) {
        dv_json_at inner, item;
        DV_TRY(dv_pt2_kind(&o, &inner));
        bool optional = strcmp(inner.key, "as_optional_tensors") == 0;
        if (strcmp(inner.key, "as_tensor") == 0) {
            DV_TRY(put_name(&inner, names, count));
        } else if (strcmp(inner.key, "as_tensors") == 0 || optional) {
            for (item = dv_json_first(&inner); item.node; item = dv_json_next(&item)) {
                dv_json_at tensor = optional ? dv_json_member(&item, "as_tensor") : item;
                if (tensor.node)
                    DV_TRY(put_name(&tensor, names, count));
                else
                    (*count)++;
            }
        } else if (strcmp(inner.key, "as_none") == 0) {
            (*count)++;
        } else {
            *all_tensors = false;
            (*count)++;
        }
    }
    return DV_OK;
}
