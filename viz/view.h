/* view.h - what the viewer shows and how it answers to the user; no screen needed.

   dv_view holds the nouns and the state (pan, zoom, selection, hand-over scale); dv_view_draw makes
   the scene; dv_view_window shows it with SDL2. */
#ifndef DV_VIZ_VIEW_H
#define DV_VIZ_VIEW_H

#include "core/graph.h"
#include "core/plan.h"
#include "core/trace.h"
#include "solver/strategy.h"
#include "viz/scene.h"

typedef struct dv_view dv_view;

typedef struct dv_view_input {   /* all borrowed, outliving the view */
    const dv_graph *graph;       /* NULL for a bare problem */
    const dv_platform *platform; /* NULL for a bare problem */
    const dv_problem *problem;
    const dv_plan *plan;
    const dv_trace *measured; /* or NULL */
    const char *strategy;     /* for live re-solving; NULL: the one that made the plan */
} dv_view_input;

DV_MUST_USE dv_status dv_view_create(const dv_view_input *input, int width, int height,
                                     dv_view **out);
void dv_view_destroy(dv_view *view);

void dv_view_resize(dv_view *view, int width, int height);
void dv_view_pan(dv_view *view, float dx, float dy);
void dv_view_zoom(dv_view *view, float factor, float x, float y); /* (x, y) stays in place */
void dv_view_fit(dv_view *view);
void dv_view_dark(dv_view *view, bool dark);

/* Selects the unit of that name (or of an operator of it); false if there is none; NULL: nothing.
 */
bool dv_view_select(dv_view *view, const char *name);
bool dv_view_select_at(dv_view *view, float x, float y);

/* Marks the units whose type or name contains text, in any case of letters, by fading all others;
   returns how many. NULL or "": marks nothing. */
uint32_t dv_view_search(dv_view *view, const char *text);

/* Scales dispatch and moves by factor (0.01 to 100) and solves again; the predicted timeline and
   the colours follow. */
DV_MUST_USE dv_status dv_view_set_handover(dv_view *view, double factor);
double dv_view_handover(const dv_view *view);

/* The latency of the plan on show, or its makespan if it was made for that. */
double dv_view_latency_us(const dv_view *view);

/* Draws into scene (cleared first). */
DV_MUST_USE dv_status dv_view_draw(dv_view *view, dv_scene *scene);

/* Pointer events, in window coordinates: press, drag and release move the graph or the slider.
   Returns true if a redraw is due. */
bool dv_view_pointer(dv_view *view, float x, float y, bool pressed, bool moved);

/* Opens a window and runs until it is closed (or frames have been drawn, if not 0: for tests).
   DV_UNAVAILABLE without SDL2 in the build or without a display. */
DV_MUST_USE dv_status dv_view_window(dv_view *view, const char *title, unsigned frames);

#endif
