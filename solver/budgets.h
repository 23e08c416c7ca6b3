/* budgets.h - limits as sums that grow along an order: what a device holds, energy, loss, segments.

   A Lagrange multiplier ("price") on each turns a limited problem into one without these limits,
   whose optimum less what the budgets are worth bounds the limited optimum from below:

     L(prices) = least over plans of cost + sum of price * (amount - most)  <=  limited optimum

   Every method for problems without limits then gives bounds for those with limits. */
#ifndef DV_SOLVER_BUDGETS_H
#define DV_SOLVER_BUDGETS_H

#include "core/plan.h"
#include "solver/labels.h"

typedef struct dv_budget {
    const double *amount; /* [unit * targets + target]; NULL: one for every segment */
    double most;          /* above 0 */
    double price_us;      /* for one of it; 0 or more */
} dv_budget;

typedef struct dv_budgets {
    dv_budget *list;
    uint32_t count;
    double *cells; /* amounts that are not the problem's own tables */
} dv_budgets;

/* The limits that bind, at price 0; a limit of 0 is none of them, labels know it. */
DV_MUST_USE dv_status dv_budgets_create(const dv_problem *problem, dv_budgets *budgets);
void dv_budgets_free(dv_budgets *budgets);

/* Rules out labels that alone break a limit, with all other units at their least amount. False: a
   unit has none left, no plan meets the limits. O(rounds * limits * units * targets). */
bool dv_budgets_cut(const dv_problem *problem, const dv_budgets *budgets, dv_labels *labels);

/* What a plan that was evaluated takes of the budget. */
double dv_budget_amount(const dv_problem *problem, const dv_budget *budget, const dv_plan *plan);

/* The least and the largest amount that unit u takes of the budget on the targets left to it; of a
   budget of segments 0 and 1. O(targets). */
void dv_budget_range(const dv_budget *budget, const dv_labels *labels, dv_unit_id u, double *least,
                     double *largest);

/* Fills spent, per budget: what was spent before and what the label of this cell (unit * targets +
   target) takes; enters: it begins a segment. to_come: what the units after it take at least. A
   budget spent up to roomy will do whatever follows, and then counts as 0. False if a budget cannot
   be kept any more; spent is then of no use. budgets may be NULL: there are none. */
bool dv_budgets_spend(const dv_budgets *budgets, size_t cell, bool enters, const double *to_come,
                      const double *roomy, const double *before, double *spent);

/* Sum of price * most: what is taken off the cost at these prices. */
double dv_budgets_worth_us(const dv_budgets *budgets);

/* The problem at these prices, without the limits. */
typedef struct dv_priced {
    dv_problem problem;
    double *time_us, *dispatch_us, *capacity_bytes; /* of problem */
} dv_priced;

/* labels: others are not supported. Borrows everything else from problem, which must outlive it. */
DV_MUST_USE dv_status dv_priced_create(const dv_problem *problem, dv_priced *priced);
void dv_priced_set(const dv_problem *problem, const dv_budgets *budgets, const dv_labels *labels,
                   dv_priced *priced);
void dv_priced_free(dv_priced *priced);

#endif
