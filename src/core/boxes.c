#include "core/boxes.h"

#include <math.h>
#include <stdlib.h>

/* The sides of a box in order, whichever way the corners are given. */
static void sides_of(const double *box, bool centred, double low[2], double high[2])
{
    for (int d = 0; d < 2; d++) {
        double a = centred ? box[d] - box[2 + d] / 2 : fmin(box[d], box[2 + d]);
        double b = centred ? box[d] + box[2 + d] / 2 : fmax(box[d], box[2 + d]);
        low[d] = a;
        high[d] = b;
    }
}

/* Intersection over union of two boxes. */
static double overlap(const double *a, const double *b, bool centred)
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
    const double *scores = context;
    size_t i = *(const size_t *)a, k = *(const size_t *)b;
    int order = (scores[i] < scores[k]) - (scores[i] > scores[k]);
    return order ? order : (i > k) - (i < k);
}

size_t dv_boxes_keep(const dv_nms_params *params, const dv_boxes *boxes, size_t *scratch,
                     size_t most, int64_t *out)
{
    if (boxes->count == 0)
        return 0;
    size_t *order = scratch, *kept = scratch + boxes->count, count = 0;
    size_t of_a_class = params->most > 0 ? (size_t)params->most : 0;
    for (size_t line = 0; line < boxes->batches * boxes->classes; line++) {
        const double *score = &boxes->scores[line * boxes->count];
        const double *box = &boxes->corners[line / boxes->classes * boxes->count * 4];
        size_t taken = 0, candidates = 0;
        for (size_t i = 0; i < boxes->count; i++)
            if (score[i] > params->score)
                order[candidates++] = i;
        if (candidates == 0)
            continue;
        qsort_r(order, candidates, sizeof *order, compare_scores, (void *)score);
        for (size_t i = 0; i < candidates && taken < of_a_class; i++) {
            bool free_of_others = true;
            for (size_t k = 0; k < taken && free_of_others; k++)
                free_of_others = !(overlap(&box[4 * order[i]], &box[4 * kept[k]], params->centred) >
                                   params->overlap);
            if (!free_of_others)
                continue;
            kept[taken++] = order[i];
            if (out && count < most) {
                out[3 * count] = (int64_t)(line / boxes->classes);
                out[3 * count + 1] = (int64_t)(line % boxes->classes);
                out[3 * count + 2] = (int64_t)order[i];
            }
            count++;
        }
    }
    return count;
}
