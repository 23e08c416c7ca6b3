/* suppress.c - non-maximum suppression: of boxes that overlap, the best are kept. */
#include "runtime/portable/boxes.h"

#include <math.h>
#include <stdint.h>

#include "runtime/portable/kernel.h"

float dv_box_overlap(const float *a, const float *b)
{
    float low[2][2], high[2][2]; /* [box][dim] */
    const float *box[2] = {a, b};
    for (int k = 0; k < 2; k++)
        for (int d = 0; d < 2; d++) {
            low[k][d] = fminf(box[k][d], box[k][d + 2]);
            high[k][d] = fmaxf(box[k][d], box[k][d + 2]);
        }
    float area_a = (high[0][0] - low[0][0]) * (high[0][1] - low[0][1]);
    float area_b = (high[1][0] - low[1][0]) * (high[1][1] - low[1][1]);
    if (area_a <= 0 || area_b <= 0)
        return 0;
    float common = fmaxf(fminf(high[0][0], high[1][0]) - fmaxf(low[0][0], low[1][0]), 0) *
                   fmaxf(fminf(high[0][1], high[1][1]) - fmaxf(low[0][1], low[1][1]), 0);
    float all = area_a + area_b - common;
    return all == 0 ? 0 : common / all;
}

/* Moves what is worse than one down from the hole, and puts one there. */
static void rise(dv_candidate *heap, size_t hole, dv_candidate one)
{
    for (; hole > 0 && heap[(hole - 1) / 2].score < one.score; hole = (hole - 1) / 2)
        heap[hole] = heap[(hole - 1) / 2];
    heap[hole] = one;
}

void dv_candidates_push(dv_candidate *heap, size_t *count, dv_candidate one)
{
    rise(heap, (*count)++, one);
}

dv_candidate dv_candidates_pop(dv_candidate *heap, size_t *count)
{
    dv_candidate top = heap[0], last = heap[--*count];
    size_t hole = 0, n = *count;
    while (2 * hole + 2 < n) {
        size_t child = 2 * hole + 2;
        child -= heap[child].score < heap[child - 1].score;
        heap[hole] = heap[child];
        hole = child;
    }
    if (2 * hole + 2 == n) {
        heap[hole] = heap[n - 1];
        hole = n - 1;
    }
    if (n > 0)
        rise(heap, hole, last);
    return top;
}

/* What is kept of the boxes, and by what. */
typedef struct keeper {
    const dv_operand *boxes, *scores; /* f32 */
    float overlap, least, sigma;
    int32_t *kept;
    float *kept_scores;
    size_t count;
} keeper;

/* Compares a candidate with those kept since it was last looked at, the latest first. true if one
   covers it; with a sigma, each lowers its score by exp(-overlap^2 / (2 sigma)). */
static bool is_covered(const keeper *k, dv_candidate *one)
{
    const float *boxes = k->boxes->data, *box = boxes + 4 * (size_t)one->index;
    float scale = k->sigma > 0 ? -0.5f / k->sigma : 0;
    for (size_t j = k->count; j > (size_t)one->compared; j--) {
        float overlap = dv_box_overlap(box, boxes + 4 * (size_t)k->kept[j - 1]);
        if (overlap >= k->overlap)
            return true;
        if (k->sigma > 0)
            one->score = one->score * expf(scale * overlap * overlap);
        if (one->score <= k->least)
            break;
    }
    return false;
}

/* Soft suppression (Bodla et al. 2017, arXiv:1704.04503) as TFLite does it: a candidate whose score
   was lowered waits until it is the best again. One that is kept goes back, too, and is covered by
   itself when its turn comes, unless it has no area. */
static void keep(keeper *k, dv_candidate *heap, size_t most)
{
    size_t waiting = 0, n = k->scores->count;
    const float *scores = k->scores->data;
    for (size_t i = 0; i < n; i++)
        if (scores[i] > k->least)
            dv_candidates_push(heap, &waiting, (dv_candidate){scores[i], (int)i, 0});
    most = waiting < most ? waiting : most;
    while (k->count < most && waiting > 0) {
        dv_candidate one = dv_candidates_pop(heap, &waiting);
        float before = one.score;
        size_t compared = k->count;
        if (is_covered(k, &one))
            continue;
        one.compared = (int)compared;
        if (one.score == before) {
            k->kept_scores[k->count] = one.score;
            k->kept[k->count++] = one.index;
        }
        if (one.score > k->least)
            dv_candidates_push(heap, &waiting, one);
    }
}

dv_status dv_kernel_suppress(const dv_kernel_call *call)
{
    size_t most = (size_t)call->op->params.suppress.most, n = call->inputs[1].count;
    dv_candidate *heap = call->scratch;
    float *kept_scores = (float *)(heap + n);
    keeper k = {.boxes = &call->inputs[0],
                .scores = &call->inputs[1],
                .overlap = (float)dv_at(&call->inputs[2], 0),
                .least = (float)dv_at(&call->inputs[3], 0),
                .sigma = call->input_count > 4 ? (float)dv_at(&call->inputs[4], 0) : 0,
                .kept = (int32_t *)(kept_scores + most),
                .kept_scores = kept_scores};
    keep(&k, heap, most);
    for (size_t i = 0; i < most; i++) {
        bool found = i < k.count;
        if (dv_given(&call->outputs[0]))
            ((int32_t *)call->outputs[0].data)[i] = found ? k.kept[i] : 0;
        if (call->output_count > 1 && dv_given(&call->outputs[1]))
            ((float *)call->outputs[1].data)[i] = found ? k.kept_scores[i] : 0;
    }
    if (call->output_count > 2 && dv_given(&call->outputs[2]))
        *(int32_t *)call->outputs[2].data = (int32_t)k.count;
    return DV_OK;
}

size_t dv_scratch_suppress(const dv_kernel_call *call)
{
    return call->inputs[1].count * sizeof(dv_candidate) +
           (size_t)call->op->params.suppress.most * (sizeof(float) + sizeof(int32_t));
}

const char *dv_check_suppress(const dv_kernel_call *call)
{
    const dv_shape *boxes = &call->inputs[0].shape, *scores = &call->inputs[1].shape;
    int64_t most = call->op->params.suppress.most;
    for (uint32_t i = 0; i < call->input_count; i++)
        if (call->inputs[i].dtype != DV_DTYPE_F32 || (i > 1 && call->inputs[i].count != 1))
            return "boxes, scores and limits must be f32, a limit one number";
    if (boxes->rank != 2 || boxes->dim[1] != 4 || scores->rank != 1 ||
        scores->dim[0] != boxes->dim[0] || scores->dim[0] > INT32_MAX)
        return "boxes and scores do not fit";
    for (uint32_t i = 0; i < call->output_count; i++) {
        const dv_operand *out = &call->outputs[i];
        size_t room = i == 2 ? 1 : (size_t)most;
        if (dv_given(out) && (most < 0 || i > 2 || out->count != room ||
                              out->dtype != (i == 1 ? DV_DTYPE_F32 : DV_DTYPE_I32)))
            return "the outputs do not have room for what is kept";
    }
    return most < 0 || most > INT32_MAX ? "it cannot keep so many boxes" : NULL;
}
