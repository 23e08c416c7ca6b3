/* split_kinds.h - devices that are alike in every figure, counted instead of told apart.

   A combination is how many devices of each kind are used: the sum of used * stride. In all of this
   the problem has one target a device. */
#ifndef DV_SOLVER_SPLIT_KINDS_H
#define DV_SOLVER_SPLIT_KINDS_H

#include "core/problem.h"

enum { DV_SPLIT_KINDS_MAX = 16 };

typedef struct dv_split_kind { /* of devices: alike in every figure */
    dv_target_id first;
    uint32_t count;
    uint32_t stride; /* in the number of a combination */
} dv_split_kind;

/* Is everything the same on the two devices? O(units + tensors). */
bool dv_split_alike(const dv_problem *problem, dv_target_id a, dv_target_id b);

/* Sets the kinds (room for DV_SPLIT_KINDS_MAX), how many there are, and how many combinations.
   False if there are more than DV_SPLIT_KINDS_MAX kinds or 4096 combinations.
   O(targets * kinds * (units + tensors)). */
bool dv_split_find_kinds(const dv_problem *problem, dv_split_kind *kinds, uint32_t *count,
                         uint32_t *combinations);

/* How much of unit time on target r one unit of time on target c can do, at most; INFINITY where
   c takes no time for a unit that r takes some for. O(units). */
double dv_split_exchange_rate(const dv_problem *problem, dv_target_id r, dv_target_id c);

/* all_us[k]: what all units take on a device of kind k. rate[k * count + c]: the exchange rate of
   kind k for kind c. O(kinds^2 * units). */
void dv_split_rates(const dv_problem *problem, const dv_split_kind *kinds, uint32_t count,
                    double *all_us, double *rate);

#endif
