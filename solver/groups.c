/* groups.c - units sorted by their group. */
#include "solver/groups.h"

#include <stdlib.h>

typedef struct member {
    uint32_t group;
    dv_unit_id unit;
} member;

static int by_group(const void *a, const void *b)
{
    const member *x = a, *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->unit < y->unit ? -1 : x->unit > y->unit;
}

/* Numbers groups in the order of their first units; members are sorted by group. */
static void number_groups(const member *members, uint32_t count, uint32_t units,
                          dv_unit_groups *groups)
{
    /* The first unit of each group gets a mark, the others the first one's name. */
    for (uint32_t i = 0; i < count; i++) {
        bool first = i == 0 || members[i - 1].group != members[i].group;
        groups->index[members[i].unit] = first ? DV_NONE - 1 : groups->units[i - 1];
        groups->units[i] = first ? members[i].unit : groups->units[i - 1];
    }
    for (dv_unit_id u = 0; u < units; u++)
        if (groups->index[u] == DV_NONE - 1)
            groups->index[u] = groups->count++;
        else if (groups->index[u] != DV_NONE)
            groups->index[u] = groups->index[groups->index[u]];
}

static void list_units(uint32_t units, dv_unit_groups *groups)
{
    for (dv_unit_id u = 0; u < units; u++)
        if (groups->index[u] != UINT32_MAX)
            groups->start[groups->index[u] + 1]++;
    for (uint32_t g = 0; g < groups->count; g++)
        groups->start[g + 1] += groups->start[g];
    for (dv_unit_id u = units; u-- > 0;)
        if (groups->index[u] != UINT32_MAX)
            groups->units[--groups->start[groups->index[u] + 1]] = u;
    /* Filling backwards moved the ends to the beginnings. */
    for (uint32_t g = 0; g < groups->count; g++)
        groups->start[g] = groups->start[g + 1];
}

dv_status dv_unit_groups_create(const dv_problem *problem, dv_unit_groups *groups)
{
    size_t units = problem->unit_count;
    *groups = (dv_unit_groups){.index = malloc((units + 1) * sizeof *groups->index),
                               .start = calloc(units + 2, sizeof *groups->start),
                               .units = calloc(units + 1, sizeof *groups->units)};
    member *members = problem->group ? malloc((units + 1) * sizeof *members) : NULL;
    if (!groups->index || !groups->start || !groups->units || (problem->group && !members)) {
        free(members);
        dv_unit_groups_free(groups);
        return dv_fail(DV_NO_MEMORY, "groups: out of memory");
    }
    uint32_t count = 0;
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        groups->index[u] = UINT32_MAX;
        if (problem->group && problem->group[u] != DV_NONE)
            members[count++] = (member){problem->group[u], u};
    }
    if (count > 0) {
        qsort(members, count, sizeof *members, by_group);
        number_groups(members, count, problem->unit_count, groups);
        list_units(problem->unit_count, groups);
        groups->start[groups->count] = count;
    }
    free(members);
    return DV_OK;
}

void dv_unit_groups_free(dv_unit_groups *groups)
{
    free(groups->index);
    free(groups->start);
    free(groups->units);
    *groups = (dv_unit_groups){0};
}
