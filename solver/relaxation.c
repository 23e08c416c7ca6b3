/* relaxation.c - build, relax, certify. */
#include "solver/relaxation.h"

#include <math.h>
#include <stdlib.h>

#include "core/clock.h"
#include "solver/ilp_glpk.h"

static dv_status relax(const dv_pairwise *model, const dv_glpk_control *control, double *x,
                       double *y, dv_target_id *target, dv_relaxation *out)
{
    dv_glpk *glpk = NULL;
    dv_glpk_outcome outcome;
    DV_TRY(dv_glpk_create(&model->linear, control->scale, &glpk));
    double start_s = dv_clock_s();
    dv_status status = dv_glpk_relax(glpk, control, NULL, NULL, x, y, &outcome);
    out->seconds = dv_clock_s() - start_s;
    dv_glpk_destroy(glpk);
    DV_TRY(status);
    out->finished = outcome == DV_GLPK_OPTIMAL || outcome == DV_GLPK_INFEASIBLE;
    out->bound_us = outcome == DV_GLPK_INFEASIBLE ? INFINITY : dv_linear_bound(&model->linear, y);
    if (outcome == DV_GLPK_OPTIMAL)
        dv_pairwise_round(model, x, target, &out->integral);
    return DV_OK;
}

static dv_status relax_model(const dv_pairwise *model, double floor_us, double deadline_s,
                             dv_relaxation *out)
{
    const dv_linear *linear = &model->linear;
    *out = (dv_relaxation){.bound_us = -INFINITY,
                           .columns = linear->column_count,
                           .rows = linear->row_count,
                           .entries = linear->entry_count};
    dv_glpk_control control = {.deadline_s = deadline_s, .dual = true, .scale = 1.0};
    if (floor_us > 0.0 && isfinite((model->problem->unit_count + 1) / floor_us))
        control.scale = (model->problem->unit_count + 1) / floor_us;
    double *x = calloc((size_t)linear->column_count + 1, sizeof *x);
    double *y = calloc((size_t)linear->row_count + 1, sizeof *y);
    dv_target_id *target = calloc((size_t)model->problem->unit_count + 1, sizeof *target);
    dv_status status = x && y && target ? relax(model, &control, x, y, target, out)
                                        : dv_fail(DV_NO_MEMORY, "ilp: out of memory");
    free(x);
    free(y);
    free(target);
    return status;
}

dv_status dv_relaxation_find(const dv_problem *problem, dv_form form, bool free_order,
                             double deadline_s, dv_relaxation *out)
{
    dv_plan *plan = NULL; /* for the given order */
    dv_labels labels = {0};
    dv_pairwise model = {0};
    dv_status status = dv_plan_create(problem, &plan);
    if (status == DV_OK)
        status = dv_labels_create(problem, &labels);
    if (status == DV_OK)
        status = dv_pairwise_build(problem, &labels, free_order ? NULL : plan->order, form, &model);
    if (status == DV_OK)
        status = relax_model(&model, dv_labels_floor_us(problem, &labels), deadline_s, out);
    dv_pairwise_free(&model);
    dv_labels_free(&labels);
    dv_plan_destroy(plan);
    return status;
}
