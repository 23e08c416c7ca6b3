/* infer_select.c - operators whose results' shapes only values tell: computed where their inputs
   are constants, refused where they are not. */
#include "lower/infer_select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- unique ---- */

/* n slices of x, each `outer` times `inner` elements. */
typedef struct slices {
    const dv_cell *cells;
    bool is_float;
    size_t outer, n, inner;
} slices;

static slices slices_of(const dv_unique_params *p, const dv_value *x)
{
    slices s = {x->cells, dv_dtype_is_float(x->dtype), 1, x->count, 1};
    if (p->flat)
        return s;
    s.n = (size_t)x->shape.dim[p->axis];
    for (int64_t d = 0; d < p->axis; d++)
        s.outer *= (size_t)x->shape.dim[d];
    for (int64_t d = p->axis + 1; d < x->shape.rank; d++)
        s.inner *= (size_t)x->shape.dim[d];
    return s;
}

static int compare_slices(const void *a, const void *b, void *context)
{
    const slices *s = context;
    size_t i = *(const size_t *)a, k = *(const size_t *)b;
    for (size_t o = 0; o < s->outer; o++)
        for (size_t e = 0; e < s->inner; e++) {
            const dv_cell *x = &s->cells[(o * s->n + i) * s->inner + e];
            const dv_cell *y = &s->cells[(o * s->n + k) * s->inner + e];
            int order = s->is_float ? (x->f > y->f) - (x->f < y->f) : (x->i > y->i) - (x->i < y->i);
            if (order != 0)
                return order;
        }
    return 0;
}

static int compare_with_place(const void *a, const void *b, void *context)
{
    size_t i = *(const size_t *)a, k = *(const size_t *)b;
    int order = compare_slices(a, b, context);
    return order ? order : (i > k) - (i < k);
}

static int compare_first(const void *a, const void *b)
{
    const dv_group *x = a, *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

dv_status dv_groups_of(const dv_unique_params *p, const dv_value *x, dv_groups *groups)
{
    slices s = slices_of(p, x);
    size_t *order = malloc((s.n + 1) * sizeof *order);
    *groups = (dv_groups){.n = s.n, .group = malloc((s.n + 1) * sizeof *groups->group)};
    groups->of = malloc((s.n + 1) * sizeof *groups->of);
    if (!order || !groups->group || !groups->of) {
        free(order);
        dv_groups_free(groups);
        return dv_fail(DV_NO_MEMORY, "out of memory while folding constants");
    }
    for (size_t i = 0; i < s.n; i++)
        order[i] = i;
    qsort_r(order, s.n, sizeof *order, compare_with_place, &s);
    for (size_t i = 0; i < s.n; i++) {
        bool fresh = i == 0 || compare_slices(&order[i - 1], &order[i], &s) != 0;
        if (fresh) {
            groups->group[groups->count] = (dv_group){.first = order[i], .name = groups->count};
            groups->count++;
        }
        groups->group[groups->count - 1].members++;
        groups->of[order[i]] = groups->count - 1;
    }
    if (!p->sorted) { /* by first place; what groups were called in `of` follows */
        qsort(groups->group, groups->count, sizeof *groups->group, compare_first);
        for (size_t g = 0; g < groups->count; g++)
            order[groups->group[g].name] = g;
        for (size_t i = 0; i < s.n; i++)
            groups->of[i] = order[groups->of[i]];
    }
    free(order);
    return DV_OK;
}

void dv_groups_free(dv_groups *groups)
{
    free(groups->group);
    free(groups->of);
    *groups = (dv_groups){0};
}

/* ---- non-maximum suppression ---- */

/* The sides of a box in order, whichever way the corners are given. */
static void sides_of(const dv_cell *box, bool centred, double low[2], double high[2])
{
    for (int d = 0; d < 2; d++) {
        double a = centred ? box[d].f - box[2 + d].f / 2 : fmin(box[d].f, box[2 + d].f);
        double b = centred ? box[d].f + box[2 + d].f / 2 : fmax(box[d].f, box[2 + d].f);
        low[d] = a;
        high[d] = b;
    }
}

/* Intersection over union of two boxes. */
static double overlap(const dv_cell *a, const dv_cell *b, bool centred)
{
    double low_a[2], high_a[2], low_b[2], high_b[2], common = 1, area_a = 1, area_b = 1;
    sides_of(a, centred, low_a, high_a);
    sides_of(b, centred, low_b, high_b);
    for (int d = 0; d < 2; d++) {
        double side = fmin(high_a[d], high_b[d]) - fmax(low_a[d], low_b[d]);
        common *= side > 0 ? side : 0;
        area_a *= high_a[d] - low_a[d];
        area_b *= high_b[d] - low_b[d];
    }
    double both = area_a + area_b - common;
    return common > 0 && area_a > 0 && area_b > 0 && both > 0 ? common / both : 0;
}

static int compare_scores(const void *a, const void *b, void *context)
{
    const dv_cell *scores = context;
    size_t i = *(const size_t *)a, k = *(const size_t *)b;
    int order = (scores[i].f < scores[k].f) - (scores[i].f > scores[k].f);
    return order ? order : (i > k) - (i < k);
}

dv_status dv_boxes_of(const dv_nms_params *p, const dv_value *boxes, const dv_value *scores,
                      int64_t *out, size_t *count)
{
    size_t batches = (size_t)scores->shape.dim[0], classes = (size_t)scores->shape.dim[1];
    size_t many = (size_t)scores->shape.dim[2], most = p->most > 0 ? (size_t)p->most : 0;
    size_t *order = malloc((many + 1) * sizeof *order), *kept = malloc((many + 1) * sizeof *kept);
    *count = 0;
    for (size_t line = 0; order && kept && line < batches * classes; line++) {
        const dv_cell *score = &scores->cells[line * many];
        const dv_cell *box = &boxes->cells[line / classes * many * 4];
        size_t taken = 0;
        for (size_t i = 0; i < many; i++)
            order[i] = i;
        qsort_r(order, many, sizeof *order, compare_scores, (void *)score);
        for (size_t i = 0; i < many && taken < most && score[order[i]].f > p->score; i++) {
            bool free_of_others = true;
            for (size_t k = 0; k < taken && free_of_others; k++)
                free_of_others =
                    !(overlap(&box[4 * order[i]], &box[4 * kept[k]], p->centred) > p->overlap);
            if (!free_of_others)
                continue;
            kept[taken++] = order[i];
            if (out) {
                out[3 * *count] = (int64_t)(line / classes);
                out[3 * *count + 1] = (int64_t)(line % classes);
                out[3 * *count + 2] = (int64_t)order[i];
            }
            ++*count;
        }
    }
    dv_status status = order && kept ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory");
    free(order);
    free(kept);
    return status;
}

/* ---- shape rules ---- */

/* Input i unpacked, if it is a constant that is small enough to compute with. */
static dv_status constant_value(const dv_infer *infer, uint32_t i, dv_value *value)
{
    const dv_tensor *x = dv_infer_input(infer, i);
    *value = (dv_value){.dtype = x->dtype, .shape = x->shape};
    if (x->role != DV_ROLE_CONSTANT || x->dtype == DV_DTYPE_STRING || x->dtype == DV_DTYPE_NONE ||
        !dv_shape_elements(&x->shape, &value->count) || value->count > DV_FOLD_LIMIT)
        return dv_infer_fail(infer, "the shape of its result depends on values that are only known "
                                    "when the network runs; shapes must be known before");
    value->cells = calloc(value->count + 1, sizeof *value->cells);
    if (!value->cells)
        return dv_fail(DV_NO_MEMORY, "out of memory while folding constants");
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

/* Outputs (the groups, where each is met first, which one each slice is in, how many are in each).
 */
dv_status dv_infer_unique(dv_infer *infer)
{
    dv_unique_params *p = &infer->params.unique;
    const dv_shape x = infer->shapes[0];
    dv_value value;
    dv_groups groups = {0};
    if (p->flat)
        p->axis = 0;
    else
        DV_TRY(dv_infer_axis(infer, &p->axis, x.rank));
    DV_TRY(constant_value(infer, 0, &value));
    dv_status status = dv_groups_of(p, &value, &groups);
    int64_t count = (int64_t)groups.count, n = (int64_t)groups.n;
    free(value.cells);
    dv_groups_free(&groups);
    if (status != DV_OK)
        return status;
    if (p->flat)
        infer->shapes[0] = (dv_shape){.rank = 1};
    infer->shapes[0].dim[p->axis] = count;
    infer->known_outputs = infer->output_count < 4 ? infer->output_count : 4;
    for (uint32_t i = 1; i < infer->known_outputs; i++) {
        infer->shapes[i] = (dv_shape){.rank = 1, .dim = {i == 2 ? n : count}};
        infer->dtypes[i] = DV_DTYPE_I64;
    }
    return DV_OK;
}

static dv_status read_number(const dv_infer *infer, uint32_t i, const char *what, double *out)
{
    return dv_infer_input(infer, i) ? dv_infer_float(infer, i, what, out) : DV_OK;
}

/* Comparisons of two boxes take some nanoseconds each. */
enum { MOST_PAIRS = 1 << 26 };

/* Inputs (boxes [N, B, 4], scores [N, C, B]); a row of the result is (batch, class, box). */
dv_status dv_infer_nms(dv_infer *infer)
{
    dv_nms_params *p = &infer->params.nms;
    const dv_shape *boxes = &dv_infer_input(infer, 0)->shape;
    const dv_shape *scores = &dv_infer_input(infer, 1)->shape;
    dv_value values[2] = {{0}, {0}};
    size_t count, one;
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
    double pairs = (double)scores->dim[0] * (double)scores->dim[1] * (double)boxes->dim[1] *
                   (double)boxes->dim[1];
    if (pairs > MOST_PAIRS)
        return dv_infer_fail(infer, "there are too many boxes (%lld)", (long long)boxes->dim[1]);
    dv_status status = constant_value(infer, 0, &values[0]);
    if (status == DV_OK)
        status = constant_value(infer, 1, &values[1]);
    if (status == DV_OK)
        status = dv_boxes_of(p, &values[0], &values[1], NULL, &count);
    free(values[0].cells);
    free(values[1].cells);
    if (status != DV_OK)
        return status;
    infer->shapes[0] = dv_shape_make((int64_t[]){(int64_t)count, 3}, 2);
    infer->dtypes[0] = DV_DTYPE_I64;
    return DV_OK;
}

/* Source form (bins, DFT length, sample rate, low, high); no inputs in core form. */
dv_status dv_infer_mel_weights(dv_infer *infer)
{
    dv_mel_params *p = &infer->params.mel;
    static const char *const names[] = {"bins", "length", "sample rate"};
    int64_t *const numbers[] = {&p->bins, &p->length, &p->rate};
    size_t one;
    for (uint32_t i = 0; i < 3 && infer->input_count > 0; i++) {
        DV_TRY(dv_infer_ints(infer, i, names[i], numbers[i], 1, &one));
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
    dv_groups groups;
    slices s = slices_of(p, x);
    if (dv_groups_of(p, x, &groups) != DV_OK)
        return false;
    for (size_t i = 0; output == 2 && i < groups.n; i++)
        out->cells[i].i = (int64_t)groups.of[i];
    for (size_t g = 0; output != 2 && g < groups.count; g++) {
        const dv_group *group = &groups.group[g];
        if (output != 0) {
            out->cells[g].i = (int64_t)(output == 1 ? group->first : group->members);
            continue;
        }
        for (size_t o = 0; o < s.outer; o++)
            memcpy(&out->cells[(o * groups.count + g) * s.inner],
                   &s.cells[(o * s.n + group->first) * s.inner], s.inner * sizeof *s.cells);
    }
    dv_groups_free(&groups);
    return true;
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
        /* cells hold an int64_t each */
        int64_t *rows = malloc((out->count + 1) * sizeof *rows);
        bool good =
            rows && dv_boxes_of(&infer->params.nms, &inputs[0], &inputs[1], rows, &count) == DV_OK;
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
