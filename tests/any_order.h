/* any_order.h - the optimum over all placements and all topological orders, by enumeration. */
#ifndef DV_TESTS_ANY_ORDER_H
#define DV_TESTS_ANY_ORDER_H

#include "core/problem.h"

enum { DV_ANY_ORDER_UNITS = 7, DV_ANY_ORDER_DEVICES = 4 }; /* at most */

/* The next placement in counting order, from all zeros on; false past the last. */
bool dv_next_placement(const dv_problem *p, dv_target_id *x);

/* The least dispatch of a placement over all topological orders with no more segments than the
   problem allows, by subsets of units that ran; INFINITY if there is none. */
double dv_least_dispatch_us(const dv_problem *p, const dv_target_id *x);

/* The least latency over all placements and orders; INFINITY if no placement is allowed. */
double dv_any_order_optimum_us(const dv_problem *p);

#endif
