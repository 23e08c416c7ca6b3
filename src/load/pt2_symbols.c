/* pt2_symbols.c - evaluates the expressions in which torch.export writes dynamic dimensions.

     relation := sum [("<" | "<=" | ">" | ">=" | "==" | "!=") sum]
     sum     := product (("+" | "-") product)*
     product := sign (("*" | "/" | "//" | "%") sign)*
     sign    := "-" sign | power
     power   := atom ["**" sign]
     atom    := number | name | dotted name "(" relation or keyword or text, ... ")"
              | "(" relation ")"

   What is true is 1. */
#include "load/pt2_symbols.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 64, MOST_ARGUMENTS = 64 };

dv_pt2_symbol *dv_pt2_symbol_of(dv_pt2_symbols *symbols, dv_arena *arena, const char *name,
                                size_t length)
{
    for (size_t i = 0; i < symbols->count; i++)
        if (strncmp(symbols->items[i].name, name, length) == 0 &&
            symbols->items[i].name[length] == '\0')
            return &symbols->items[i];
    void *items = symbols->items;
    const char *copy = dv_arena_copy_n(arena, name, length);
    if (!copy || !dv_grow(&items, &symbols->capacity, symbols->count + 1, sizeof(dv_pt2_symbol)))
        return NULL;
    symbols->items = items;
    dv_pt2_symbol *symbol = &symbols->items[symbols->count++];
    *symbol = (dv_pt2_symbol){.name = copy, .least = 0, .most = INT32_MAX};
    return symbol;
}

void dv_pt2_symbols_free(dv_pt2_symbols *symbols)
{
    free(symbols->items);
    *symbols = (dv_pt2_symbols){0};
}

/* ---- the text ---- */

typedef struct parser {
    dv_pt2_expression *e;
    const char *at;
    int depth;
    bool failed;
} parser;

static void skip(parser *p)
{
    while (*p->at == ' ')
        p->at++;
}

static bool accept(parser *p, const char *token)
{
    size_t length = strlen(token);
    skip(p);
    if (strncmp(p->at, token, length) != 0)
        return false;
    p->at += length;
    return true;
}

static double fail(parser *p)
{
    p->failed = true;
    return NAN;
}

static size_t name_length(const char *at)
{
    size_t length = 0;
    if (isalpha((unsigned char)*at) || *at == '_')
        while (isalnum((unsigned char)at[length]) || at[length] == '_')
            length++;
    return length;
}

bool dv_pt2_plain_symbol(const char *text, const char **name, size_t *length)
{
    static const char head[] = "Symbol('";
    bool spelled = strncmp(text, head, sizeof head - 1) == 0;
    *name = spelled ? text + sizeof head - 1 : text;
    *length = name_length(*name);
    if (*length == 0)
        return false;
    const char *end = *name + *length;
    return spelled ? *end == '\'' && strchr(end, '(') == NULL && text[strlen(text) - 1] == ')'
                   : *end == '\0';
}

static double symbol(parser *p, const char *name, size_t length)
{
    const dv_pt2_symbols *symbols = p->e->symbols;
    for (size_t i = 0; i < symbols->count; i++) {
        const dv_pt2_symbol *s = &symbols->items[i];
        if (strncmp(s->name, name, length) != 0 || s->name[length] || !s->known)
            continue;
        p->e->bound |= s->bound;
        return (double)s->value;
    }
    p->e->missing = name;
    p->e->missing_length = length;
    return fail(p);
}

/* ---- functions ---- */

typedef double function(const double *a);

static double floor_mod(double a, double b)
{
    return a - b * floor(a / b);
}

static double own(const double *a)
{
    return a[0];
}

static double add(const double *a)
{
    return a[0] + a[1];
}

static double multiply(const double *a)
{
    return a[0] * a[1];
}

static double most(const double *a)
{
    return fmax(a[0], a[1]);
}

static double least(const double *a)
{
    return fmin(a[0], a[1]);
}

static double floor_divide(const double *a)
{
    return floor(a[0] / a[1]);
}

static double ceil_divide(const double *a)
{
    return ceil(a[0] / a[1]);
}

static double remainder_of(const double *a)
{
    return floor_mod(a[0], a[1]);
}

static double divide(const double *a)
{
    return a[0] / a[1];
}

static double power(const double *a)
{
    return pow(a[0], a[1]);
}

static double round_down(const double *a)
{
    return floor(a[0]);
}

static double round_up(const double *a)
{
    return ceil(a[0]);
}

static double cut_off(const double *a)
{
    return trunc(a[0]);
}

static double round_even(const double *a)
{
    return nearbyint(a[0]);
}

static double magnitude(const double *a)
{
    return fabs(a[0]);
}

static double modular_index(const double *a)
{
    return floor_mod(floor(a[0] / a[1]), a[2]);
}

static double shift_left(const double *a)
{
    return ldexp(a[0], (int)fmin(a[1], 62));
}

static double shift_right(const double *a)
{
    return floor(ldexp(a[0], -(int)fmin(a[1], 62)));
}

static double square_root(const double *a)
{
    return sqrt(a[0]);
}

static double greater(const double *a)
{
    return a[0] > a[1];
}

static double not_less(const double *a)
{
    return a[0] >= a[1];
}

static double less(const double *a)
{
    return a[0] < a[1];
}

static double not_greater(const double *a)
{
    return a[0] <= a[1];
}

static double same(const double *a)
{
    return a[0] == a[1];
}

static double different(const double *a)
{
    return a[0] != a[1];
}

static double both(const double *a)
{
    return a[0] != 0 && a[1] != 0;
}

static double either(const double *a)
{
    return a[0] != 0 || a[1] != 0;
}

static double opposite(const double *a)
{
    return a[0] == 0;
}

enum { FOLD = 0 }; /* one argument or more, combined two by two */

/* sympy's functions and those of torch.utils._sympy.functions */
static const struct {
    const char *name;
    size_t count; /* of arguments, or FOLD */
    function *compute;
} functions[] = {
    {"Integer", 1, own},
    {"Float", 1, own},
    {"ToFloat", 1, own},
    {"Identity", 1, own},
    {"Add", FOLD, add},
    {"Mul", FOLD, multiply},
    {"Max", FOLD, most},
    {"Min", FOLD, least},
    {"FloorDiv", 2, floor_divide},
    {"CleanDiv", 2, floor_divide},
    {"CeilDiv", 2, ceil_divide},
    {"Mod", 2, remainder_of},
    {"PythonMod", 2, remainder_of},
    {"Rational", 2, divide},
    {"IntTrueDiv", 2, divide},
    {"FloatTrueDiv", 2, divide},
    {"Pow", 2, power},
    {"PowByNatural", 2, power},
    {"FloatPow", 2, power},
    {"floor", 1, round_down},
    {"FloorToInt", 1, round_down},
    {"ceiling", 1, round_up},
    {"CeilToInt", 1, round_up},
    {"TruncToInt", 1, cut_off},
    {"RoundToInt", 1, round_even},
    {"Abs", 1, magnitude},
    {"ModularIndexing", 3, modular_index},
    {"LShift", 2, shift_left},
    {"RShift", 2, shift_right},
    {"OpaqueUnaryFn_sqrt", 1, square_root},
    {"sqrt", 1, square_root},
    {"StrictGreaterThan", 2, greater},
    {"GreaterThan", 2, not_less},
    {"StrictLessThan", 2, less},
    {"LessThan", 2, not_greater},
    {"Equality", 2, same},
    {"Eq", 2, same},
    {"Unequality", 2, different},
    {"Ne", 2, different},
    {"And", FOLD, both},
    {"Or", FOLD, either},
    {"Not", 1, opposite},
};

static bool call(const char *name, size_t length, const double *a, size_t count, double *out)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        if (strncmp(functions[i].name, name, length) != 0 || functions[i].name[length])
            continue;
        if (functions[i].count == count && count > 0) {
            *out = functions[i].compute(a);
            return true;
        }
        if (functions[i].count != FOLD || count == 0)
            return false;
        *out = a[0];
        for (size_t k = 1; k < count; k++)
            *out = functions[i].compute((double[]){*out, a[k]});
        return true;
    }
    return false;
}

static double relation(parser *p);

/* "integer=True": what sympy assumes of a symbol. */
static bool skip_keyword(parser *p)
{
    skip(p);
    size_t length = name_length(p->at);
    if (length == 0 || p->at[length] != '=' || p->at[length + 1] == '=')
        return false;
    p->at += length + 1;
    p->at += name_length(p->at) ? name_length(p->at) : strspn(p->at, "0123456789");
    return true;
}

static double arguments(parser *p, const char *name, size_t length)
{
    double values[MOST_ARGUMENTS] = {0}, result = NAN;
    size_t count = 0;
    if (accept(p, "'")) { /* Symbol('s0', ...), Float('0.5', ...) */
        size_t quoted = strcspn(p->at, "'");
        const char *text = p->at;
        p->at += quoted;
        if (!accept(p, "'"))
            return fail(p);
        while (accept(p, ","))
            if (!skip_keyword(p))
                return fail(p);
        if (!accept(p, ")"))
            return fail(p);
        return length == 6 && strncmp(name, "Symbol", 6) == 0  ? symbol(p, text, quoted)
               : length == 5 && strncmp(name, "Float", 5) == 0 ? strtod(text, NULL)
                                                               : fail(p);
    }
    do {
        if (skip_keyword(p))
            continue;
        if (count == MOST_ARGUMENTS)
            return fail(p);
        values[count++] = relation(p);
    } while (!p->failed && accept(p, ","));
    if (p->failed || !accept(p, ")") || !call(name, length, values, count, &result))
        return fail(p);
    return result;
}

static double atom(parser *p)
{
    skip(p);
    if (accept(p, "(")) {
        double value = relation(p);
        return accept(p, ")") ? value : fail(p);
    }
    if (isdigit((unsigned char)*p->at)) {
        char *end;
        double value = strtod(p->at, &end);
        p->at = end;
        return value;
    }
    const char *name = p->at;
    size_t length = name_length(name);
    while (length > 0 && name[length] == '.' && name_length(name + length + 1) > 0) {
        name += length + 1;
        length = name_length(name);
    }
    if (length == 0)
        return fail(p);
    p->at = name + length;
    return accept(p, "(") ? arguments(p, name, length) : symbol(p, name, length);
}

static double sign(parser *p)
{
    if (p->failed || ++p->depth > MOST_DEPTH)
        return fail(p);
    double value = accept(p, "-") ? -sign(p) : atom(p);
    if (!p->failed && accept(p, "**"))
        value = pow(value, sign(p));
    p->depth--;
    return value;
}

static double product(parser *p)
{
    double value = sign(p);
    while (!p->failed) {
        if (accept(p, "//"))
            value = floor(value / sign(p));
        else if (accept(p, "*"))
            value *= sign(p);
        else if (accept(p, "/"))
            value /= sign(p);
        else if (accept(p, "%"))
            value = floor_mod(value, sign(p));
        else
            break;
    }
    return value;
}

static double sum(parser *p)
{
    double value = product(p);
    while (!p->failed) {
        if (accept(p, "+"))
            value += product(p);
        else if (accept(p, "-"))
            value -= product(p);
        else
            break;
    }
    return value;
}

static double relation(parser *p)
{
    static const struct {
        const char *sign;
        function *compute;
    } signs[] = {{"<=", not_greater}, {">=", not_less}, {"==", same},
                 {"!=", different},   {"<", less},      {">", greater}};
    double value = sum(p);
    for (size_t i = 0; !p->failed && i < sizeof signs / sizeof signs[0]; i++)
        if (accept(p, signs[i].sign)) {
            double right = sum(p);
            return signs[i].compute((double[]){value, right});
        }
    return value;
}

bool dv_pt2_evaluate(dv_pt2_expression *e, const char *text)
{
    parser p = {.e = e, .at = text};
    e->bound = false;
    e->missing = NULL;
    e->value = relation(&p);
    skip(&p);
    return !p.failed && *p.at == '\0' && isfinite(e->value);
}
