/* aten_einsum.c - Einstein sums of one or two tensors, as torch.einsum writes them.

   A letter that only one operand has and the result has not is summed over there; then the product
   is one of matrices, with the letters of both operands and the result as its batch. */
#include <string.h>

#include "load/aten_build.h"

typedef struct term {
    char letters[DV_MAX_RANK + 1];
    uint8_t count;
    int64_t dims[DV_MAX_RANK];
    dv_tensor_id id;
} term;

static int place_of(const term *t, char letter)
{
    const char *at = memchr(t->letters, letter, t->count);
    return at ? (int)(at - t->letters) : -1;
}

static bool has(const term *t, char letter)
{
    return place_of(t, letter) >= 0;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The letters up to the next comma, arrow or end; false if they are not plain and different. */
static bool read_letters(const char **at, term *t)
{
    for (; **at && **at != ',' && **at != '-'; (*at)++) {
        if (**at == ' ')
            continue;
        if (!is_letter(**at) || t->count == DV_MAX_RANK || has(t, **at))
            return false;
        t->letters[t->count++] = **at;
    }
    return true;
}

/* Without an arrow the result has the letters that occur once, in alphabetical order. */
static void imply_result(const char *text, term *result)
{
    for (int c = 'A'; c <= 'z' && result->count < DV_MAX_RANK; c++) {
        const char *first = is_letter((char)c) ? strchr(text, c) : NULL;
        if (first && !strchr(first + 1, c))
            result->letters[result->count++] = (char)c;
    }
}

static bool parse(const char *text, term *operands, uint32_t count, term *result)
{
    const char *whole = text;
    for (uint32_t i = 0; i < count; i++) {
        if (!read_letters(&text, &operands[i]) || (i + 1 < count && *text++ != ','))
            return false;
    }
    if (*text == '\0') {
        imply_result(whole, result);
        return true;
    }
    if (strncmp(text, "->", 2) != 0)
        return false;
    text += 2;
    return read_letters(&text, result) && *text == '\0';
}

/* "..." as letters that the equation does not have, as many as the operand of that place has more
   dims than letters; the result has those of the operand with most. NULL if there are too few. */
static const char *spell_out(dv_aten_at *at, const char *text, const dv_aten_value *list)
{
    char unused[DV_MAX_RANK + 1] = "", spelled[128];
    size_t made = 0, most = 0;
    uint32_t operand = 0;
    for (char c = 'A'; c <= 'Z' && strlen(unused) < DV_MAX_RANK; c++)
        if (!strchr(text, c))
            unused[strlen(unused)] = c;
    for (const char *c = text; *c; c++) {
        bool dots = strncmp(c, "...", 3) == 0;
        size_t own = 0, letters = 0;
        if (!dots) {
            operand += *c == ',';
            if (made + 1 >= sizeof spelled)
                return NULL;
            spelled[made++] = *c;
            continue;
        }
        const char *begin = c, *end = c + 3;
        while (begin > text && begin[-1] != ',' && begin[-1] != '>')
            letters += is_letter(*--begin);
        for (; *end && *end != ',' && *end != '-'; end++)
            letters += is_letter(*end);
        bool result = strstr(text, "->") && c > strstr(text, "->");
        uint8_t rank = !result && operand < list->count && list->tensors[operand] != DV_NONE
                           ? dv_aten_rank_of(at, list->tensors[operand])
                           : DV_RANK_UNKNOWN;
        if (!result && (rank == DV_RANK_UNKNOWN || rank < letters))
            return NULL;
        own = result ? most : rank - letters;
        most = own > most ? own : most;
        if (own > strlen(unused) || made + own >= sizeof spelled)
            return NULL;
        memcpy(spelled + made, unused + strlen(unused) - own, own);
        made += own;
        c += 2;
    }
    spelled[made] = '\0';
    if (strstr(text, "->"))
        return dv_arena_copy(dv_graph_arena(at->graph), spelled);
    term once = {.count = 0}; /* without an arrow the result begins with the dims that "..." are */
    imply_result(text, &once);
    return dv_arena_printf(dv_graph_arena(at->graph), "%s->%s%.*s", spelled,
                           unused + strlen(unused) - most, (int)once.count, once.letters);
}

/* Brings the letters of t into that order, dropping nothing. */
static dv_status permute(dv_aten_at *at, term *t, const char *order)
{
    dv_op_params params = {.permute = {.rank = t->count}};
    term to = {.count = t->count, .id = t->id};
    bool same = true;
    for (uint8_t d = 0; d < t->count; d++) {
        int from = place_of(t, order[d]);
        to.letters[d] = order[d];
        to.dims[d] = t->dims[from];
        params.permute.perm[d] = (uint8_t)from;
        same &= from == d;
    }
    if (!same)
        DV_TRY(dv_aten_emit(at, DV_OP_PERMUTE, &params, t->id, DV_NONE, &to.id));
    *t = to;
    return DV_OK;
}

/* Sums over the letters that neither `other` (may be NULL) nor the result has. */
static dv_status sum_out(dv_aten_at *at, term *t, const term *other, const term *result)
{
    dv_op_params params = {0};
    term to = {.id = t->id};
    for (uint8_t d = 0; d < t->count; d++)
        if (has(result, t->letters[d]) || (other && has(other, t->letters[d]))) {
            to.letters[to.count] = t->letters[d];
            to.dims[to.count++] = t->dims[d];
        } else {
            params.reduce.axes[params.reduce.count++] = d;
        }
    if (params.reduce.count > 0)
        DV_TRY(dv_aten_emit(at, DV_OP_SUM, &params, t->id, DV_NONE, &to.id));
    *t = to;
    return DV_OK;
}

/* Appends the letters of t that are, or are not, in a and in b; their sizes' product. */
static int64_t collect(const term *t, const term *a, bool in_a, const term *b, bool in_b,
                       char *order, uint8_t *count)
{
    int64_t size = 1;
    for (uint8_t d = 0; d < t->count; d++)
        if (has(a, t->letters[d]) == in_a && has(b, t->letters[d]) == in_b) {
            order[(*count)++] = t->letters[d];
            size *= t->dims[d];
        }
    return size;
}

static dv_status as_matrices(dv_aten_at *at, term *t, int64_t batch, int64_t rows, int64_t columns)
{
    dv_op_params params = {
        .view = {.shape = {.rank = 3, .dim = {batch, rows, columns}}, .allow_zero = true}};
    return dv_aten_emit(at, DV_OP_VIEW, &params, t->id, DV_NONE, &t->id);
}

/* The product of two, its letters as they come: batch, those of a, those of b. */
static dv_status multiply(dv_aten_at *at, term *a, term *b, const term *result, term *product)
{
    char left[DV_MAX_RANK * 2] = "", right[DV_MAX_RANK * 2] = "", made[DV_MAX_RANK * 3] = "";
    uint8_t l = 0, r = 0, m = 0;
    int64_t batch = collect(a, b, true, result, true, left, &l);
    int64_t rows = collect(a, b, false, result, true, left, &l);
    int64_t inner = collect(a, b, true, result, false, left, &l);
    collect(a, b, true, result, true, right, &r);
    collect(a, b, true, result, false, right, &r);
    int64_t columns = collect(b, a, false, result, true, right, &r);
    collect(a, b, true, result, true, made, &m);
    collect(a, b, false, result, true, made, &m);
    collect(b, a, false, result, true, made, &m);
    if (m != result->count)
        return dv_fail(DV_BAD_INPUT, "its result has a letter that no operand has");
    *product = (term){.count = m};
    for (uint8_t d = 0; d < m; d++) {
        const term *from = has(a, made[d]) ? a : b;
        product->letters[d] = made[d];
        product->dims[d] = from->dims[place_of(from, made[d])];
    }
    dv_op_params wide = {.view = {.shape = dv_shape_make(product->dims, m), .allow_zero = true}};
    DV_TRY(permute(at, a, left));
    DV_TRY(permute(at, b, right));
    DV_TRY(as_matrices(at, a, batch, rows, inner));
    DV_TRY(as_matrices(at, b, batch, inner, columns));
    DV_TRY(dv_aten_emit(at, DV_OP_MATMUL, NULL, a->id, b->id, &product->id));
    return dv_aten_emit(at, DV_OP_VIEW, &wide, product->id, DV_NONE, &product->id);
}

static bool sizes_agree(const term *a, const term *b)
{
    for (uint8_t d = 0; d < a->count; d++)
        if (has(b, a->letters[d]) && b->dims[place_of(b, a->letters[d])] != a->dims[d])
            return false;
    return true;
}

dv_status dv_aten_read_einsum(dv_aten_at *at)
{
    const dv_aten_value *equation = &at->args[0], *list = &at->args[1];
    term t[2] = {{.count = 0}}, result = {0}, product;
    if (equation->type != DV_ATEN_TEXT || list->type != DV_ATEN_TENSORS)
        return dv_fail(DV_BAD_INPUT, "it needs an equation and tensors");
    const char *text = equation->text;
    if (text && strstr(text, "..."))
        text = spell_out(at, text, list);
    if (!text || list->count < 1 || list->count > 2 || !parse(text, t, list->count, &result))
        return dv_aten_opaque(at, "the equation '%.60s' is not supported", equation->text);
    for (uint32_t i = 0; i < list->count; i++) {
        const dv_shape *shape =
            list->tensors[i] == DV_NONE ? NULL : dv_aten_shape_of(at, list->tensors[i]);
        if (!shape || shape->rank != t[i].count)
            return dv_aten_opaque(at, "the equation '%.60s' does not fit its operands",
                                  equation->text);
        memcpy(t[i].dims, shape->dim, sizeof t[i].dims);
        t[i].id = list->tensors[i];
    }
    bool two = list->count == 2;
    if (two && !sizes_agree(&t[0], &t[1]))
        return dv_aten_opaque(at, "operands that broadcast are not supported");
    for (uint32_t i = 0; i < list->count; i++)
        DV_TRY(sum_out(at, &t[i], two ? &t[1 - i] : NULL, &result));
    product = t[0];
    if (two)
        DV_TRY(multiply(at, &t[0], &t[1], &result, &product));
    if (product.count != result.count)
        return dv_fail(DV_BAD_INPUT, "its result has a letter that no operand has");
    for (uint8_t d = 0; d < result.count; d++)
        if (!has(&product, result.letters[d]))
            return dv_fail(DV_BAD_INPUT, "its result has a letter that no operand has");
    DV_TRY(permute(at, &product, result.letters));
    return dv_aten_finish(at, DV_OP_IDENTITY, NULL, product.id, DV_NONE, DV_NONE);
}
