/* groups.h - the groups of a problem (units that share a device) as lists. */
#ifndef DV_SOLVER_GROUPS_H
#define DV_SOLVER_GROUPS_H

#include "core/problem.h"

typedef struct dv_unit_groups {
    uint32_t count;
    uint32_t *index;   /* per unit: 0.., by the group's first unit; UINT32_MAX: in none */
    uint32_t *start;   /* count + 1 */
    dv_unit_id *units; /* of group g: units[start[g]] .. units[start[g + 1]], ascending */
} dv_unit_groups;

/* Numbers the groups and lists their units. DV_NO_MEMORY. O(units * log units). */
DV_MUST_USE dv_status dv_unit_groups_create(const dv_problem *problem, dv_unit_groups *groups);
void dv_unit_groups_free(dv_unit_groups *groups);

#endif
