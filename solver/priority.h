/* priority.h - lists of accelerators, most preferred first: what chains of partitioners and
   execution providers go by. */
#ifndef DV_SOLVER_PRIORITY_H
#define DV_SOLVER_PRIORITY_H

#include "core/problem.h"

typedef struct dv_priority {
    dv_device_id *device; /* device_count entries */
    uint32_t count;
} dv_priority;

/* Empty; DV_NO_MEMORY. */
DV_MUST_USE dv_status dv_priority_create(const dv_problem *problem, dv_priority *list);
void dv_priority_free(dv_priority *list);

/* Reads "ane+gpu". DV_BAD_PARAMETER, naming strategy and key, for a device that is not there or
   comes twice. */
DV_MUST_USE dv_status dv_priority_read(const dv_problem *problem, const char *strategy,
                                       const char *key, const char *text, dv_priority *list);

/* All devices but the host's; first the one with which the units' times alone become least.
   O(devices * units * targets). */
void dv_priority_by_speed(const dv_problem *problem, dv_priority *list);

/* "best", "speed": by speed; else read. */
DV_MUST_USE dv_status dv_priority_choose(const dv_problem *problem, const char *strategy,
                                         const char *key, const char *text, dv_priority *list);

#endif
