/* detect.c - boxes, classes and scores out of what the last layers of a detector give, as TFLite's
   detection post-processing has them. Boxes are decoded in double and rounded once. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/portable/boxes.h"
#include "runtime/portable/kernel.h"

enum { MOST_BOXES = 1 << 20 };

typedef struct detector {
    const dv_kernel_call *call;
    const dv_detect_params *p;
    const float *scores;          /* of class 0 of box 0 */
    size_t count, columns;        /* boxes; scores of each */
    float *boxes;                 /* decoded: top, left, bottom, right */
    dv_candidate *candidates;     /* count */
    dv_candidate *found, *merged; /* p->most; compared: the class */
    int *classes;                 /* p->classes_per_box */
    unsigned char *covered;       /* count */
} detector;

/* ---- decoding ---- */

static dv_status decode(const detector *d)
{
    const dv_detect_params *p = d->p;
    const dv_operand *encodings = &d->call->inputs[0];
    const float *code = encodings->data, *anchor = d->call->inputs[2].data;
    size_t width = (size_t)encodings->shape.dim[2];
    for (size_t i = 0; i < d->count; i++, code += width, anchor += 4) {
        double high = (double)anchor[2], wide = (double)anchor[3];
        float y = (float)((double)code[0] / p->y_scale * high + (double)anchor[0]);
        float x = (float)((double)code[1] / p->x_scale * wide + (double)anchor[1]);
        float half_high = (float)(0.5 * exp((double)code[2] / p->h_scale) * high);
        float half_wide = (float)(0.5 * exp((double)code[3] / p->w_scale) * wide);
        float box[4] = {y - half_high, x - half_wide, y + half_high, x + half_wide};
        if (box[0] > box[2] || box[1] > box[3])
            return dv_fail(DV_BAD_INPUT, "'%s': the anchor of box %zu has a negative size",
                           d->call->op->name, i);
        memcpy(d->boxes + 4 * i, box, sizeof box);
    }
    return DV_OK;
}

/* ---- suppression ---- */

/* Equal scores stay in their order. */
static int by_score(const void *left, const void *right)
{
    const dv_candidate *a = left, *b = right;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

/* Brings the best of the first `count` candidates that do not overlap one another to the front, at
   most `most` of them, and gives how many. O(count * (log count + how many)). */
static size_t suppress(const detector *d, size_t count, size_t most)
{
    dv_candidate *c = d->candidates;
    size_t kept = 0;
    qsort(c, count, sizeof *c, by_score);
    memset(d->covered, 0, count);
    for (size_t i = 0; i < count && kept < most; i++) {
        if (d->covered[i])
            continue;
        const float *box = d->boxes + 4 * (size_t)c[i].index;
        for (size_t j = i + 1; j < count; j++)
            if (!d->covered[j])
                d->covered[j] =
                    dv_box_overlap(box, d->boxes + 4 * (size_t)c[j].index) > (float)d->p->overlap;
        c[kept++] = c[i]; /* kept <= i: what was there has had its turn */
    }
    return kept;
}

/* ---- results ---- */

static void put(const dv_kernel_call *call, uint32_t output, size_t at, const float *values,
                size_t count)
{
    if (output < call->output_count && dv_given(&call->outputs[output]))
        memcpy((float *)call->outputs[output].data + at, values, count * sizeof *values);
}

static void put_detection(const detector *d, size_t at, int box, int class, float score)
{
    put(d->call, 0, 4 * at, d->boxes + 4 * (size_t)box, 4);
    put(d->call, 1, at, &(float){(float)class}, 1);
    put(d->call, 2, at, &score, 1);
}

/* The best classes by their scores, so many of them, in order; of equal ones the first. */
static void best_classes(const detector *d, const float *scores, size_t most)
{
    size_t count = 0;
    for (int c = 0; c < (int)d->p->classes; c++) {
        size_t at = count;
        while (at > 0 && scores[c] > scores[d->classes[at - 1]])
            at--;
        if (at == most)
            continue;
        count += count < most;
        memmove(&d->classes[at + 1], &d->classes[at], (count - 1 - at) * sizeof *d->classes);
        d->classes[at] = c;
    }
}

/* Boxes compete by the score of their best class. */
static size_t detect_any(const detector *d)
{
    const dv_detect_params *p = d->p;
    size_t each = (size_t)(p->classes_per_box < p->classes ? p->classes_per_box : p->classes);
    size_t count = 0;
    for (size_t i = 0; i < d->count; i++) {
        const float *scores = d->scores + i * d->columns;
        float best = scores[0];
        for (int64_t c = 1; c < p->classes; c++)
            best = scores[c] > best ? scores[c] : best;
        if (best >= (float)p->score)
            d->candidates[count++] = (dv_candidate){best, (int)i, 0};
    }
    count = suppress(d, count, (size_t)p->most);
    for (size_t i = 0; i < count; i++) {
        int box = d->candidates[i].index;
        const float *scores = d->scores + (size_t)box * d->columns;
        best_classes(d, scores, each);
        for (size_t k = 0; k < each; k++)
            put_detection(d, i * (size_t)p->classes_per_box + k, box, d->classes[k],
                          scores[d->classes[k]]);
    }
    return count;
}

/* The best of two lists, at most p->most; of equal ones those found before. */
static size_t merge(const detector *d, size_t found, size_t candidates, int class)
{
    size_t count = 0, a = 0, b = 0;
    for (; count < (size_t)d->p->most && (a < found || b < candidates); count++) {
        if (b == candidates || (a < found && d->found[a].score >= d->candidates[b].score)) {
            d->merged[count] = d->found[a++];
        } else {
            d->merged[count] = d->candidates[b++];
            d->merged[count].compared = class;
        }
    }
    memcpy(d->found, d->merged, count * sizeof *d->found);
    return count;
}

/* Boxes compete within each class, and then what is left of all classes. */
static size_t detect_by_class(const detector *d)
{
    const dv_detect_params *p = d->p;
    size_t found = 0;
    int64_t each = p->most_per_class < p->most ? p->most_per_class : p->most;
    for (int c = 0; c < (int)p->classes; c++) {
        size_t count = 0;
        for (size_t i = 0; i < d->count; i++) {
            float score = d->scores[i * d->columns + (size_t)c];
            if (score >= (float)p->score)
                d->candidates[count++] = (dv_candidate){score, (int)i, 0};
        }
        found = merge(d, found, suppress(d, count, (size_t)each), c);
    }
    for (size_t i = 0; i < found; i++)
        put_detection(d, i, d->found[i].index, d->found[i].compared, d->found[i].score);
    return found;
}

dv_status dv_kernel_detect(const dv_kernel_call *call)
{
    const dv_detect_params *p = &call->op->params.detect;
    const dv_operand *scores = &call->inputs[1];
    detector d = {.call = call,
                  .p = p,
                  .count = (size_t)scores->shape.dim[1],
                  .columns = (size_t)scores->shape.dim[2]};
    size_t most = (size_t)p->most;
    d.scores = (const float *)scores->data + (d.columns - (size_t)p->classes);
    d.boxes = call->scratch;
    d.candidates = (dv_candidate *)(d.boxes + 4 * d.count);
    d.found = d.candidates + d.count;
    d.merged = d.found + most;
    d.classes = (int *)(d.merged + most);
    d.covered = (unsigned char *)(d.classes + p->classes_per_box);
    DV_TRY(decode(&d));
    for (uint32_t i = 0; i < call->output_count; i++)
        if (dv_given(&call->outputs[i]))
            memset(call->outputs[i].data, 0, call->outputs[i].count * sizeof(float));
    size_t found = p->by_class ? detect_by_class(&d) : detect_any(&d);
    put(call, 3, 0, &(float){(float)found}, 1);
    return DV_OK;
}

size_t dv_scratch_detect(const dv_kernel_call *call)
{
    const dv_detect_params *p = &call->op->params.detect;
    size_t count = (size_t)call->inputs[1].shape.dim[1], each;
    if (!dv_mul_size(count, 4 * sizeof(float) + sizeof(dv_candidate) + 1, &each))
        return SIZE_MAX;
    return each + 2 * (size_t)p->most * sizeof(dv_candidate) +
           (size_t)p->classes_per_box * sizeof(int);
}

static const char *check_room(const dv_kernel_call *call)
{
    const dv_detect_params *p = &call->op->params.detect;
    int64_t boxes = p->most * p->classes_per_box;
    int64_t sizes[] = {4 * boxes, boxes, boxes, 1};
    for (uint32_t i = 0; i < call->output_count; i++)
        if (dv_given(&call->outputs[i]) && (i > 3 || call->outputs[i].dtype != DV_DTYPE_F32 ||
                                            call->outputs[i].count != (size_t)sizes[i]))
            return "the outputs do not have room for what is found";
    return NULL;
}

const char *dv_check_detect(const dv_kernel_call *call)
{
    const dv_detect_params *p = &call->op->params.detect;
    const dv_shape *boxes = &call->inputs[0].shape, *scores = &call->inputs[1].shape;
    const dv_shape *anchors = &call->inputs[2].shape;
    for (uint32_t i = 0; i < 3; i++)
        if (call->inputs[i].dtype != DV_DTYPE_F32)
            return "boxes, scores and anchors must be f32";
    if (boxes->rank != 3 || scores->rank != 3 || anchors->rank != 2 || boxes->dim[0] != 1 ||
        boxes->dim[2] < 4 || scores->dim[0] != 1 || scores->dim[1] != boxes->dim[1] ||
        anchors->dim[0] != boxes->dim[1] || anchors->dim[1] != 4 || boxes->dim[1] > INT32_MAX)
        return "boxes, scores and anchors do not fit";
    if (p->classes < 1 || scores->dim[2] > INT32_MAX || scores->dim[2] < p->classes ||
        scores->dim[2] - 1 > p->classes)
        return "the scores are not of so many classes";
    if (p->most < 0 || p->most > MOST_BOXES || p->classes_per_box < 1 ||
        p->classes_per_box > MOST_BOXES || p->most * p->classes_per_box > MOST_BOXES ||
        p->most_per_class < 1 || !(p->overlap > 0 && p->overlap <= 1))
        return "its numbers of boxes or its overlap are out of range";
    return check_room(call);
}
