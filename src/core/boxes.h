/* boxes.h - non-maximum suppression: of boxes that overlap, the one with the best score. */
#ifndef DV_CORE_BOXES_H
#define DV_CORE_BOXES_H

#include "core/op.h"

typedef struct dv_boxes {
    size_t batches, classes, count; /* count boxes a batch */
    const double *corners;          /* [batches, count, 4] */
    const double *scores;           /* [batches, classes, count] */
} dv_boxes;

/* The boxes that are kept, as rows (batch, class, box), classes in turn and in each the best first
   (equal scores: the lower box first); at most `most` rows are written to out (NULL: none), all are
   counted. scratch has room for 2 x count. ONNX's NonMaxSuppression: a box goes if it overlaps one
   that was kept by more than params->overlap (intersection over union), or scores no more than
   params->score. O(batches x classes x (count log count + count x kept)). */
size_t dv_boxes_keep(const dv_nms_params *params, const dv_boxes *boxes, size_t *scratch,
                     size_t most, int64_t *out);

#endif
