/* front_plot.h - the least latency for each budget of a second cost, as a picture.

   A staircase: along a step the budget grows and nothing gets faster, at a point another plan does.
   Points that are not proven are hollow. */
#ifndef DV_VIZ_FRONT_PLOT_H
#define DV_VIZ_FRONT_PLOT_H

#include "solver/pareto.h"
#include "viz/scene.h"

typedef struct dv_front_plot {
    const dv_pareto *front;
    dv_pareto_axis axis;
    const char *title; /* of the whole */
} dv_front_plot;

/* Fills the empty scene. DV_NO_MEMORY. O(points). */
DV_MUST_USE dv_status dv_front_draw(const dv_front_plot *plot, dv_scene *scene);

#endif
