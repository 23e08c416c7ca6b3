/* infer_select.c - operators whose results' shapes only values tell: as long as they are where the
   inputs are constants, else as long as was assumed. */
#include "lower/infer_select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/boxes.h"
#include "core/slices.h"

/* ---- what both rules and values need ---- */

/* The elements of a constant as numbers of one kind. */
typedef struct numbers {
    double *floats; /* NULL: they are integers */
    int64_t *integers;
} numbers;

static dv_status out_of_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "out of memory while folding constants");
}

static void numbers_free(numbers *n)
{
    free(n->floats);
    free(n->integers);
}

static dv_status numbers_of(const dv_value *x, numbers *n)
{
    *n = (numbers){0};
    bool floats = dv_dtype_is_float(x->dtype);
    if (floats)
        n->floats = malloc((x->count + 1) * sizeof *n->floats);
    else
        n->integers = malloc((x->count + 1) * sizeof *n->integers);
    if (!n->floats && !n->integers)
        return out_of_memory();
    for (size_t e = 0; e < x->count; e++)
        if (floats)
            n->floats[e] = x->cells[e].f;
        else
            n->integers[e] = x->cells[e].i;
    return DV_OK;
}

typedef struct grouping {
    dv_slices slices;
    size_t count;
    dv_group *groups;
    size_t *of, *scratch;
} grouping;

static void grouping_free(grouping *g)
{
    free(g->groups);
    free(g->of);
    free(g->scratch);
}

/* Free with grouping_free in any case. */
static dv_status grouping_of(const dv_unique_params *p, const dv_value *x, grouping *g)
{
    numbers n;
    *g = (grouping){.slices = dv_slices_of(p, &x->shape, x->count)};
    size_t room = g->slices.n + 1;
    DV_TRY(numbers_of(x, &n));
    g->groups = malloc(room * sizeof *g->groups);
    g->of = malloc(room * sizeof *g->of);
    g->scratch = malloc(room * sizeof *g->scratch);
    g->slices.floats = n.floats;
    g->slices.integers = n.integers;
    bool good = g->groups && g->of && g->scratch;
    if (good)
        g->count = dv_slices_group(&g->slices, p->sorted, g->groups, g->of, g->scratch);
    numbers_free(&n);
    return good ? DV_OK : out_of_memory();
}

/* The boxes that are kept, `most` of them as rows in out. */
static dv_status boxes_of(const dv_nms_params *p, const dv_value *corners, const dv_value *scores,
                          size_t most, int64_t *out, size_t *count)
{
    numbers of[2];
    DV_TRY(numbers_of(corners, &of[0]));
    dv_status status = numbers_of(scores, &of[1]);
    dv_boxes boxes = {(size_t)scores->shape.dim[0], (size_t)scores->shape.dim[1],
                      (size_t)scores->shape.dim[2], of[0].floats, of[1].floats};
    size_t *scratch = status == DV_OK ? malloc((2 * boxes.count + 1) * sizeof *scratch) : NULL;
    if (scratch)
        *count = dv_boxes_keep(p, &boxes, scratch, most, out);
    else if (status == DV_OK)
        status = out_of_memory();
    free(scratch);
    numbers_free(&of[0]);
    numbers_free(&of[1]);
    return status;
}

/* ---- shape rules ---- */

/* Are the values of input i there, and few enough to compute with? Many operators may look at one
   constant, so that even to count is counted. */
static bool has_values(const dv_infer *infer, uint32_t i)
{
    enum { LOOKS_AN_ELEMENT = 16 };
    const dv_tensor *x = dv_infer_input(infer, i);
    size_t count;
    return x->role == DV_ROLE_CONSTANT && x->dtype != DV_DTYPE_STRING &&
           x->dtype != DV_DTYPE_NONE && dv_shape_elements(&x->shape, &count) &&
           count <= DV_FOLD_LIMIT && dv_rewrite_afford(infer->rewrite, count / LOOKS_AN_ELEMENT);
}

/* Input i, which has values, unpacked. */
static dv_status constant_value(const dv_infer *infer, uint32_t i, dv_value *value)
{
    const dv_tensor *x = dv_infer_input(infer, i);
    *value = (dv_value){.dtype = x->dtype, .shape = x->shape};
    (void)dv_shape_elements(&x->shape, &value->count);
    value->cells = calloc(value->count + 1, sizeof *value->cells);
    if (!value->cells)
        return out_of_memory();
    for (size_t e = 0; e < value->count; e++) {
        float narrow = 0;
        if (x->dtype == DV_DTYPE_F64) {
            dv_tensor_read(x, e, 1, &value->cells[e].f);
        } else if (dv_dtype_is_float(x->dtype)) {
            (void)dv_tensor_read_f32(x, e, 1, &narrow);
            value->cells[e].f = (double)narrow;
        } else {
            (void)dv_tensor_read_i64(x, e, 1, &value->cells[e].i);
        }
    }
    return DV_OK;
}

/* How many rows a result has that only values tell, where they are not there: as many as was said,
   else as many as there can be. */
static dv_status assume_rows(const dv_infer *infer, int64_t most, int64_t *rows)
{
    dv_dtype dtype = dv_infer_input(infer, 0)->dtype;
    if (dtype == DV_DTYPE_STRING || dtype == DV_DTYPE_NONE)
        return dv_infer_fail(infer,
                             "the shape of its result depends on values of type %s, which "
                             "are only known when the network runs",
                             dv_dtype_name(dtype));
    if (*rows > most)
        return dv_infer_fail(infer, "its result cannot have %lld rows: there are %lld at most",
                             (long long)*rows, (long long)most);
    if (*rows <= 0)
        *rows = most;
    return DV_OK;
}

/* [rank, how many]. */
dv_status dv_infer_nonzero(dv_infer *infer)
{
    const dv_tensor *x = dv_infer_input(infer, 0);
    int64_t *rows = &infer->params.rows.rows;
    size_t count;
    if (!dv_shape_elements(&x->shape, &count) || count > INT64_MAX)
        return dv_infer_fail(infer, "its input is too large");
    if (has_values(infer, 0)) {
        dv_value value;
        *rows = 0;
        DV_TRY(constant_value(infer, 0, &value));
        for (size_t i = 0; i < count; i++)
            *rows += dv_dtype_is_float(value.dtype) ? value.cells[i].f != 0 : value.cells[i].i != 0;
        free(value.cells);
    } else {
        DV_TRY(assume_rows(infer, (int64_t)count, rows));
    }
    infer->shapes[0] = dv_shape_make((int64_t[]){x->shape.rank, *rows}, 2);
    infer->dtypes[0] = DV_DTYPE_I64;
    return DV_OK;
}

/* Outputs (the groups, where each is met first, which one each slice is in, how many are in each).
 */
dv_status dv_infer_unique(dv_infer *infer)
{
    dv_unique_params *p = &infer->params.unique;
    const dv_shape x = infer->shapes[0];
    size_t elements;
    if (p->flat)
        p->axis = 0;
    else
        DV_TRY(dv_infer_axis(infer, &p->axis, x.rank));
    if (!dv_shape_elements(&x, &elements) || elements > INT64_MAX)
        return dv_infer_fail(infer, "its input is too large");
    int64_t n = p->flat ? (int64_t)elements : x.dim[p->axis];
    if (has_values(infer, 0)) {
        dv_value value;
        grouping g;
        DV_TRY(constant_value(infer, 0, &value));
        dv_status status = grouping_of(p, &value, &g);
        p->rows = (int64_t)g.count;
        free(value.cells);
        grouping_free(&g);
        DV_TRY(status);
    } else {
        DV_TRY(assume_rows(infer, n, &p->rows));
    }
    if (p->flat)
        infer->shapes[0] = (dv_shape){.rank = 1};
    infer->shapes[0].dim[p->axis] = p->rows;
    infer->known_outputs = infer->output_count < 4 ? infer->output_count : 4;
    for (uint32_t i = 1; i < infer->known_outputs; i++) {
        infer->shapes[i] = (dv_shape){.rank = 1, .dim = {i == 2 ? n : p->rows}};
        infer->dtypes[i] = DV_DTYPE_I64;
    }
    return DV_OK;
}

static dv_status read_number(const dv_infer *infer, uint32_t i, const char *what, double *out)
{
    return dv_infer_input(infer, i) ? dv_infer_float(infer, i, what, out) : DV_OK;
}

/* Comparisons of two boxes take some nanoseconds each: what is folded. */
enum { MOST_PAIRS = 1 << 26 };

static bool few_pairs(const dv_nms_params *p, const dv_shape *scores)
{
    double many = (double)scores->dim[2], kept = p->most > 0 ? (double)p->most : 0;
    return (double)scores->dim[0] * (double)scores->dim[1] * many * fmin(many, kept) <= MOST_PAIRS;
}

/* The rows of boxes whose corners and scores are there. */
static dv_status count_boxes(const dv_infer *infer, dv_nms_params *p)
{
    dv_value values[2] = {{0}, {0}};
    size_t count = 0;
    dv_status status = constant_value(infer, 0, &values[0]);
    if (status == DV_OK)
        status = constant_value(infer, 1, &values[1]);
    if (status == DV_OK)
        status = boxes_of(p, &values[0], &values[1], 0, NULL, &count);
    free(values[0].cells);
    free(values[1].cells);
    p->rows = (int64_t)count;
    return status;
}

/* Inputs (boxes [N, B, 4], scores [N, C, B]); a row of the result is (batch, class, box). */
dv_status dv_infer_nms(dv_infer *infer)
{
    dv_nms_params *p = &infer->params.nms;
    const dv_shape *boxes = &dv_infer_input(infer, 0)->shape;
    const dv_shape *scores = &dv_infer_input(infer, 1)->shape;
    size_t one;
    if (dv_infer_input(infer, 2)) {
        DV_TRY(dv_infer_ints(infer, 2, "most boxes", &p->most, 1, &one));
        if (one != 1)
            return dv_infer_fail(infer, "its most boxes must be one number");
    }
    DV_TRY(read_number(infer, 3, "overlap", &p->overlap));
    DV_TRY(read_number(infer, 4, "least score", &p->score));
    if (infer->input_count <= 5)
        infer->input_count = 2;
    bool fits = boxes->rank == 3 && scores->rank == 3 && boxes->dim[2] == 4 &&
                boxes->dim[0] == scores->dim[0] && boxes->dim[1] == scores->dim[2] &&
                dv_dtype_is_float(dv_infer_input(infer, 0)->dtype) &&
                dv_dtype_is_float(dv_infer_input(infer, 1)->dtype);
    if (!fits)
        return dv_infer_fail(infer, "its boxes and scores do not match");
    int64_t many = boxes->dim[1], of_a_class = p->most < many ? p->most : many;
    double lines = (double)scores->dim[0] * (double)scores->dim[1];
    if (of_a_class < 0)
        of_a_class = 0;
    if (lines * (double)of_a_class > (double)DV_DIM_LIMIT)
        return dv_infer_fail(infer, "there are too many boxes (%lld)", (long long)many);
    if (few_pairs(p, scores) && has_values(infer, 0) && has_values(infer, 1))
        DV_TRY(count_boxes(infer, p));
    else
        DV_TRY(assume_rows(infer, scores->dim[0] * scores->dim[1] * of_a_class, &p->rows));
    infer->shapes[0] = dv_shape_make((int64_t[]){p->rows, 3}, 2);
    infer->dtypes[0] = DV_DTYPE_I64;
    return DV_OK;
}

/* Source form (bins, DFT length, sample rate, low, high); no inputs in core form. */
dv_status dv_infer_mel_weights(dv_infer *infer)
{
    dv_mel_params *p = &infer->params.mel;
    static const char *const names[] = {"bins", "length", "sample rate"};
    int64_t *const targets[] = {&p->bins, &p->length, &p->rate};
    size_t one;
    for (uint32_t i = 0; i < 3 && infer->input_count > 0; i++) {
        DV_TRY(dv_infer_ints(infer, i, names[i], targets[i], 1, &one));
        if (one != 1)
            return dv_infer_fail(infer, "its %s must be one number", names[i]);
    }
    DV_TRY(read_number(infer, 3, "lower edge", &p->low));
    DV_TRY(read_number(infer, 4, "upper edge", &p->high));
    infer->input_count = 0;
    if (p->bins < 1 || p->bins > 1 << 16 || p->length < 1 || p->length > 1 << 16 || p->rate < 1 ||
        (p->length / 2 + 1) * p->bins > DV_FOLD_LIMIT ||
        !(p->low >= 0 && p->low < p->high && 2 * p->high <= (double)p->rate) ||
        !dv_dtype_is_float(p->dtype))
        return dv_infer_fail(infer, "its bins, length or edges are out of range");
    infer->shapes[0] = dv_shape_make((int64_t[]){p->length / 2 + 1, p->bins}, 2);
    infer->dtypes[0] = p->dtype;
    return DV_OK;
}

/* ---- values ---- */

static bool unique(const dv_unique_params *p, const dv_value *x, uint32_t output, dv_value *out)
{
    grouping g;
    bool good = grouping_of(p, x, &g) == DV_OK;
    for (size_t i = 0; good && output == 2 && i < g.slices.n; i++)
        out->cells[i].i = (int64_t)g.of[i];
    for (size_t k = 0; good && output != 2 && k < g.count; k++) {
        const dv_group *group = &g.groups[k];
        size_t inner = g.slices.inner;
        if (output != 0)
            out->cells[k].i = (int64_t)(output == 1 ? group->first : group->members);
        for (size_t o = 0; output == 0 && o < g.slices.outer; o++)
            memcpy(&out->cells[(o * g.count + k) * inner],
                   &x->cells[(o * g.slices.n + group->first) * inner], inner * sizeof *x->cells);
    }
    grouping_free(&g);
    return good;
}

static double mel_of(double hertz)
{
    return 2595 * log10(1 + hertz / 700);
}

/* Triangles over the bins of a spectrum, their corners evenly apart on the mel scale. */
static void mel_weights(const dv_mel_params *p, dv_value *out)
{
    double low = mel_of(p->low), step = (mel_of(p->high) - low) / (double)(p->bins + 2);
    int64_t rows = p->length / 2 + 1;
    for (int64_t i = 0; i < p->bins; i++) {
        int64_t corner[3];
        for (int c = 0; c < 3; c++) {
            double hertz = 700 * (pow(10, (low + step * (double)(i + c)) / 2595) - 1);
            corner[c] = (int64_t)floor((double)(p->length + 1) * hertz / (double)p->rate);
        }
        if (corner[0] == corner[1] && corner[1] < rows)
            out->cells[corner[1] * p->bins + i].f = 1;
        for (int64_t j = corner[0]; corner[0] < corner[1] && j <= corner[1] && j < rows; j++)
            out->cells[j * p->bins + i].f =
                (double)(j - corner[0]) / (double)(corner[1] - corner[0]);
        for (int64_t j = corner[1]; j < corner[2] && j < rows; j++)
            out->cells[j * p->bins + i].f =
                (double)(corner[2] - j) / (double)(corner[2] - corner[1]);
    }
}

bool dv_evaluate_select(const dv_infer *infer, const dv_value *inputs, uint32_t output,
                        dv_value *out)
{
    size_t count;
    switch (infer->kind) {
    case DV_OP_UNIQUE:
        return unique(&infer->params.unique, &inputs[0], output, out);
    case DV_OP_NMS: {
        if (!few_pairs(&infer->params.nms, &inputs[1].shape))
            return false;
        int64_t *rows = malloc((out->count + 1) * sizeof *rows);
        bool good = rows &&
                    boxes_of(&infer->params.nms, &inputs[0], &inputs[1], out->count / 3, rows,
                             &count) == DV_OK &&
                    3 * count == out->count;
        for (size_t e = 0; good && e < out->count; e++)
            out->cells[e].i = rows[e];
        free(rows);
        return good;
    }
    case DV_OP_MEL_WEIGHTS:
        mel_weights(&infer->params.mel, out);
        return true;
    default:
        return false;
    }
}
