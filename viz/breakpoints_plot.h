/* breakpoints_plot.h - the optimum over a varying cost, as a picture.

   Above: latency of the best plan over the cost, a corner wherever another plan becomes the best,
   each plan's own straight line going on faintly beyond its interval. Below: which share of the
   computing time each device has in the plan of each interval. */
#ifndef DV_VIZ_BREAKPOINTS_PLOT_H
#define DV_VIZ_BREAKPOINTS_PLOT_H

#include "core/problem.h"
#include "solver/breakpoints.h"
#include "viz/scene.h"

typedef struct dv_breakpoints_plot {
    const dv_problem *problem;
    const dv_breakpoints *breakpoints;
    const char *title; /* of the whole */
    const char *cost;  /* name of what varies */
    bool is_time;      /* it is in us; else a factor */
} dv_breakpoints_plot;

/* Fills the empty scene. The cost's axis is logarithmic where it goes over more than a decade from
   above 0. DV_NO_MEMORY. O(intervals * (units + pixels)). */
DV_MUST_USE dv_status dv_breakpoints_draw(const dv_breakpoints_plot *plot, dv_scene *scene);

#endif
