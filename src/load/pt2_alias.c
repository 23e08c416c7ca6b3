/* pt2_alias.c - values that share memory, and what writing to one of them means for the others.

   Before decomposition, torch.export keeps operators that write to their argument ("add_",
   "copy_", "index_put_"), also through views. Our tensors never change; so a value that is written
   to gets a new tensor, what it is a view of gets one with the new part put in place, and other
   views of the same memory are taken anew when they are next read. */
#include <string.h>

#include "load/pt2_build.h"

bool dv_pt2_is_view(const char *name)
{
    static const char *const views[] = {
        "_conj",
        "adjoint",
        "alias",
        "broadcast_to",
        "chunk",
        "conj",
        "contiguous",
        "detach",
        "diagonal",
        "expand",
        "expand_as",
        "flatten",
        "lift_fresh",
        "mH",
        "mT",
        "moveaxis",
        "movedim",
        "imag",
        "narrow",
        "numpy_T",
        "permute",
        "ravel",
        "real",
        "reshape",
        "reshape_as",
        "select",
        "slice",
        "split",
        "split_with_sizes",
        "squeeze",
        "swapaxes",
        "swapdims",
        "t",
        "tensor_split",
        "transpose",
        "unbind",
        "unflatten",
        "unfold",
        "unsqueeze",
        "view",
        "view_as",
        "view_as_complex",
        "view_as_real",
    };
    for (size_t i = 0; i < sizeof views / sizeof views[0]; i++)
        if (strcmp(views[i], name) == 0)
            return true;
    return false;
}

/* Sizes and strides of a value of the scope, as the file records them. */
typedef struct layout {
    uint8_t rank;
    int64_t sizes[DV_MAX_RANK], strides[DV_MAX_RANK];
} layout;

static bool read_list(dv_pt2 *b, const dv_json_at *list, int64_t out[DV_MAX_RANK], uint8_t *rank)
{
    size_t count = dv_json_count(list), d = 0;
    if (!dv_json_is_array(list) || count > DV_MAX_RANK)
        return false;
    for (dv_json_at item = dv_json_first(list); item.node; item = dv_json_next(&item))
        if (dv_pt2_size(b, &item, &out[d++]) != DV_OK)
            return false;
    *rank = (uint8_t)count;
    return true;
}

static bool read_layout(dv_pt2 *b, const char *name, layout *out)
{
    dv_json_at values = dv_json_member(&b->scope->graph, "tensor_values");
    dv_json_at meta = dv_json_member(&values, name), sizes = dv_json_member(&meta, "sizes");
    dv_json_at strides = dv_json_member(&meta, "strides");
    uint8_t rank;
    return read_list(b, &sizes, out->sizes, &out->rank) &&
           read_list(b, &strides, out->strides, &rank) && rank == out->rank;
}

/* Can x be seen under y's sizes where it is? Dims of x that follow one another in memory are a
   chunk; each chunk must be made of whole dims of y. */
static bool can_view(const layout *x, const layout *y)
{
    int d = y->rank - 1;
    for (uint8_t k = 0; k < x->rank; k++)
        if (x->sizes[k] < 1 || x->sizes[k] > INT32_MAX || x->strides[k] > INT32_MAX)
            return true; /* nothing to share, or nothing to tell by */
    double chunk = 1, seen = 1, base = x->rank ? (double)x->strides[x->rank - 1] : 1;
    for (int k = x->rank - 1; k >= 0; k--) {
        chunk *= (double)x->sizes[k];
        bool goes_on = k > 0 && (x->sizes[k - 1] == 1 || (double)x->strides[k - 1] == chunk * base);
        if (goes_on)
            continue;
        while (d >= 0 && (seen < chunk || y->sizes[d] == 1))
            seen *= (double)y->sizes[d--];
        if (seen != chunk)
            return false;
        base = k > 0 ? (double)x->strides[k - 1] : 1;
        chunk = seen = 1;
    }
    return true;
}

bool dv_pt2_shares_memory(dv_pt2 *b, const dv_pt2_node *n)
{
    layout x, y;
    bool contiguous = strcmp(n->op, "contiguous") == 0;
    if (!contiguous && strcmp(n->op, "reshape") != 0 && strcmp(n->op, "flatten") != 0 &&
        strcmp(n->op, "reshape_as") != 0)
        return true;
    if (n->first == DV_NONE || n->output_count != 1 || !n->outputs[0] ||
        !read_layout(b, b->values[n->first].name, &x) || !read_layout(b, n->outputs[0], &y))
        return true;
    if (!contiguous)
        return can_view(&x, &y);
    for (uint8_t d = 0; d < x.rank && x.rank == y.rank; d++)
        if (x.sizes[d] > 1 && x.strides[d] != y.strides[d])
            return false;
    return true;
}

bool dv_pt2_writes(const char *name)
{
    size_t length = strlen(name);
    return length > 1 && name[length - 1] == '_' && name[length - 2] != '_';
}

static uint32_t root_of(const dv_pt2 *b, uint32_t index)
{
    while (b->values[index].view_of != DV_NONE)
        index = b->values[index].view_of;
    return index;
}

bool dv_pt2_is_stale(const dv_pt2 *b, uint32_t index)
{
    return b->values[index].version != b->values[root_of(b, index)].version;
}

void dv_pt2_refresh(dv_pt2 *b, uint32_t index)
{
    b->values[index].version = b->values[root_of(b, index)].version;
}

/* ---- writing through a view ---- */

static dv_status emit(dv_pt2 *b, const char *node, dv_op_kind kind, const dv_op_params *params,
                      dv_tensor_id input, uint32_t like, dv_tensor_id *id)
{
    dv_op_id op_id;
    DV_TRY(dv_pt2_add_output(b, like, id));
    dv_op op = {.kind = kind,
                .name = node,
                .source_type = "a write through a view",
                .input_count = 1,
                .inputs = &input,
                .output_count = 1,
                .outputs = id,
                .params = *params,
                .debug_handle = b->handle};
    return dv_graph_add_op(b->graph, &op, &op_id);
}

/* An integer among the arguments of the node that made a view. */
static dv_status argument(dv_pt2 *b, const dv_json_at *node, const char *name, dv_aten_value *out)
{
    dv_json_at inputs = dv_json_member(node, "inputs");
    *out = (dv_aten_value){0};
    for (dv_json_at input = dv_json_first(&inputs); input.node; input = dv_json_next(&input)) {
        dv_json_at called = dv_json_member(&input, "name"), arg = dv_json_member(&input, "arg");
        const char *text;
        DV_TRY(dv_json_string(&called, &text));
        if (strcmp(text, name) == 0)
            return dv_pt2_argument(b, &arg, out);
    }
    return DV_OK;
}

/* whole with part where the slice or selection was taken: a call of the operator that does so. */
static dv_status scatter(dv_pt2 *b, const char *node, const dv_json_at *made, bool slice,
                         uint32_t whole, dv_tensor_id part, dv_tensor_id *id)
{
    static const char *const of_slice[] = {"dim", "start", "end", "step"};
    static const char *const of_select[] = {"dim", "index"};
    const dv_aten_rule *rule = dv_aten_find(slice ? "slice_scatter" : "select_scatter", "default");
    dv_aten_value args[6] = {{.type = DV_ATEN_TENSOR, .tensor = b->values[whole].id},
                             {.type = DV_ATEN_TENSOR, .tensor = part}};
    uint32_t count = slice ? 4 : 2;
    if (!rule)
        return dv_fail(DV_INTERNAL, "no row for writing through a view");
    for (uint32_t i = 0; i < count; i++) {
        DV_TRY(argument(b, made, slice ? of_slice[i] : of_select[i], &args[2 + i]));
        if (args[2 + i].type == DV_ATEN_NONE)
            args[2 + i] = dv_aten_default(rule, 2 + i);
    }
    DV_TRY(dv_pt2_add_output(b, whole, id));
    dv_aten_call call = {.rule = rule,
                         .name = node,
                         .source_type =
                             slice ? "aten.slice_scatter.default" : "aten.select_scatter.default",
                         .debug_handle = b->handle,
                         .arg_count = 2 + count,
                         .args = args,
                         .output_count = 1,
                         .outputs = id};
    return dv_aten_add(b->graph, &call);
}

/* The permutation that undoes one that made a view: t, numpy_T, transpose, permute. */
static dv_status turn_back(dv_pt2 *b, const dv_json_at *made, const char *target, uint8_t rank,
                           dv_permute_params *out, bool *turned)
{
    dv_aten_value first, second;
    bool all = strstr(target, ".numpy_T.") != NULL, t = strstr(target, ".aten.t.") != NULL;
    *out = (dv_permute_params){.rank = rank};
    for (uint8_t d = 0; d < rank && rank <= DV_MAX_RANK; d++)
        out->perm[d] = all || t ? (uint8_t)(rank - 1 - d) : d;
    *turned = rank >= 2 && rank <= DV_MAX_RANK && (all || t);
    if (rank > DV_MAX_RANK || *turned)
        return DV_OK;
    if (strstr(target, ".aten.transpose.")) {
        DV_TRY(argument(b, made, "dim0", &first));
        DV_TRY(argument(b, made, "dim1", &second));
        int64_t i = first.integer < 0 ? first.integer + rank : first.integer;
        int64_t k = second.integer < 0 ? second.integer + rank : second.integer;
        if (i < 0 || k < 0 || i >= rank || k >= rank)
            return DV_OK;
        out->perm[i] = (uint8_t)k;
        out->perm[k] = (uint8_t)i;
        *turned = true;
    } else if (strstr(target, ".aten.permute.")) {
        DV_TRY(argument(b, made, "dims", &first));
        bool ok = first.type == DV_ATEN_INTS && first.count == rank;
        for (uint8_t d = 0; ok && d < rank; d++) {
            int64_t from = first.integers[d] < 0 ? first.integers[d] + rank : first.integers[d];
            ok = from >= 0 && from < rank;
            if (ok)
                out->perm[from] = d;
        }
        *turned = ok;
    }
    return DV_OK;
}

/* What `whole` holds once its view `part` holds id. */
static dv_status put_back(dv_pt2 *b, const char *node, uint32_t whole, uint32_t part,
                          dv_tensor_id id, dv_tensor_id *out)
{
    const dv_pt2_value *view = &b->values[part];
    dv_op_params params = {0};
    const char *target = NULL;
    *out = id;
    if (!view->made)
        return DV_OK;
    dv_json_at made = dv_json_root(view->made, "model"), at = dv_json_member(&made, "target");
    DV_TRY(dv_json_string(&at, &target));
    if (strstr(target, ".aten.slice."))
        return scatter(b, node, &made, true, whole, id, out);
    if (strstr(target, ".aten.select."))
        return scatter(b, node, &made, false, whole, id, out);
    bool turned = false;
    uint8_t rank = b->values[whole].shape.rank;
    bool complex = b->values[whole].is_complex && rank > 0;
    DV_TRY(turn_back(b, &made, target, (uint8_t)(rank - complex), &params.permute, &turned));
    if (turned && complex)
        params.permute.perm[params.permute.rank++] = (uint8_t)(rank - 1);
    if (turned)
        return emit(b, node, DV_OP_PERMUTE, &params, id, whole, out);
    static const char *const same_order[] = {
        ".view.",  ".reshape.", ".flatten.",    ".squeeze.",         ".unsqueeze.",   ".unflatten.",
        ".alias.", ".detach.",  ".contiguous.", ".view_as_complex.", ".view_as_real."};
    for (size_t i = 0; i < sizeof same_order / sizeof same_order[0]; i++)
        if (strstr(target, same_order[i])) {
            params.view = (dv_view_params){b->values[whole].shape, true};
            return emit(b, node, DV_OP_VIEW, &params, id, whole, out);
        }
    return dv_fail(DV_BAD_INPUT,
                   "it writes through a view made by %.80s, which is not supported; "
                   "export with run_decompositions()",
                   target);
}

dv_status dv_pt2_write(dv_pt2 *b, uint32_t index, dv_tensor_id id, const char *node)
{
    uint32_t root = root_of(b, index);
    if (b->values[root].weight && b->values[root].state == DV_NONE) {
        dv_tensor_id first;
        DV_TRY(dv_pt2_read(b, root, &first));
        b->values[root].state = first;
    }
    b->values[root].version++;
    for (uint32_t v = index;;) {
        b->values[v].id = id;
        b->values[v].version = b->values[root].version;
        if (v == root)
            return DV_OK;
        uint32_t whole = b->values[v].view_of;
        dv_tensor_id now;
        if (b->values[whole].id == DV_NONE)
            DV_TRY(dv_pt2_read(b, whole, &now));
        DV_TRY(put_back(b, node, whole, v, id, &id));
        v = whole;
    }
}
