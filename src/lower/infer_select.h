/* infer_select.h - what the shape and the value of such an operator have in common. */
#ifndef DV_LOWER_INFER_SELECT_H
#define DV_LOWER_INFER_SELECT_H

#include "lower/evaluate.h"
#include "lower/infer.h"

/* Slices of a tensor that are equal. */
typedef struct dv_group {
    size_t first;   /* the first of them */
    size_t name;    /* the group's place in the sorted order */
    size_t members; /* how many */
} dv_group;

typedef struct dv_groups {
    size_t n, count; /* slices, groups */
    dv_group *group;
    size_t *of; /* per slice: its group */
} dv_groups;

/* O(n log n) comparisons of slices. DV_NO_MEMORY. */
DV_MUST_USE dv_status dv_groups_of(const dv_unique_params *p, const dv_value *x, dv_groups *groups);
void dv_groups_free(dv_groups *groups);

/* The boxes that are kept, three numbers each in *out (NULL: counted only). O(boxes x kept). */
DV_MUST_USE dv_status dv_boxes_of(const dv_nms_params *p, const dv_value *boxes,
                                  const dv_value *scores, int64_t *out, size_t *count);

/* Fills the cells of output `output` of UNIQUE, NMS and MEL_WEIGHTS; false for other kinds. */
bool dv_evaluate_select(const dv_infer *infer, const dv_value *inputs, uint32_t output,
                        dv_value *out);

#endif
