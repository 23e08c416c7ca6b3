/* unit_text.h - units in words. */
#ifndef DV_VIZ_UNIT_TEXT_H
#define DV_VIZ_UNIT_TEXT_H

#include "core/graph.h"
#include "core/problem.h"

typedef struct dv_unit_text {
    const char *type;     /* "conv 3x3 + relu"; the unit's name for a bare problem */
    const char *full;     /* the operators by their ATen names */
    const char *shapes;   /* "1x3x224x224 → 1x32x112x112"; "" for a bare problem */
    uint32_t type_number; /* equal for equal types; below the number of units */
} dv_unit_text;

/* The texts of all units, from the arena. graph may be NULL. DV_NO_MEMORY. */
DV_MUST_USE dv_status dv_unit_texts(const dv_problem *problem, const dv_graph *graph,
                                    dv_arena *arena, dv_unit_text **out);

#endif
