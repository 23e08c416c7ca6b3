/* parts.h - the inside of a dv_view, shared by the files that draw its parts. */
#ifndef DV_VIZ_PARTS_H
#define DV_VIZ_PARTS_H

#include <math.h>

#include "viz/blocks.h"
#include "viz/layout.h"
#include "viz/unit_text.h"
#include "viz/view.h"

/* What a tag of the scene stands for: kind in the upper bits, number below. */
typedef enum dv_hit_kind {
    DV_HIT_NOTHING,
    DV_HIT_UNIT,  /* box in the graph: the unit */
    DV_HIT_JUMP,  /* tag stub: the unit at the other end */
    DV_HIT_EVENT, /* bar in a timeline: the unit */
    DV_HIT_ROW,   /* row of a list in the panel: the unit */
    DV_HIT_SLIDER,
} dv_hit_kind;

enum { DV_HIT_BITS = 28 };

static inline uint32_t dv_hit_tag(dv_hit_kind kind, uint32_t number)
{
    return (uint32_t)kind << DV_HIT_BITS | (number & ((1u << DV_HIT_BITS) - 1));
}

static inline dv_hit_kind dv_hit_kind_of(uint32_t tag)
{
    return (dv_hit_kind)(tag >> DV_HIT_BITS);
}

static inline uint32_t dv_hit_number(uint32_t tag)
{
    return tag & ((1u << DV_HIT_BITS) - 1);
}

typedef struct dv_area {
    float x, y, w, h;
} dv_area;

typedef struct dv_areas {
    dv_area title, graph, panel, timeline, slider; /* slider: the track */
} dv_areas;

typedef struct dv_theme {
    dv_colour background, pane, block, text, faint, rule, wire, outline, handover, selection, bar;
    bool outlined; /* device colours need an edge to stand off the background */
} dv_theme;

typedef struct dv_device_look {
    dv_colour colour;
    char letter;
} dv_device_look;

/* How much is drawn, by the height of a box on screen. */
typedef enum dv_detail {
    DV_DETAIL_STRIPS,  /* under 4 px: colour without gaps */
    DV_DETAIL_PLAIN,   /* under 9: rectangles, marks where data changes hands */
    DV_DETAIL_WIRES,   /* under 14: rounded boxes, lines */
    DV_DETAIL_TYPES,   /* under 26: operator types, device letters, tag stubs */
    DV_DETAIL_FIGURES, /* names, times, bytes */
} dv_detail;

/* The background of a repeated block in one column of the layout, in its units. */
typedef struct dv_frame {
    float x, y, w, h;
} dv_frame;

struct dv_view {
    dv_view_input input;
    dv_arena *arena;
    dv_unit_text *texts; /* per unit */
    dv_blocks blocks;
    dv_device_look *looks; /* per device */
    const char *
        *marks; /* per target: the device's letter, with the precision where it has several */

    dv_problem scaled; /* the problem with hand-overs scaled: shares all other arrays */
    double *dispatch_us, *move_latency_us, *move_us_per_byte; /* its own three, in arena */
    dv_plan *own_plan; /* solved here; NULL while the given plan is on show */
    const dv_plan *plan;
    dv_trace *predicted;
    double handover, wanted_handover; /* of the plan on show; where the slider stands */
    char message[256];                /* why the slider could not follow; "" if it did */

    int width, height;
    bool dark;
    bool interactive; /* in a window: show how to use it */
    bool typing;      /* keys go to the search */
    dv_layout *layout;
    dv_frame *frames; /* malloc'ed */
    size_t frame_count, frame_capacity;
    float scale, x, y; /* of the layout in the graph's area */
    bool fitted;       /* not moved since the last fit */
    dv_detail detail;

    dv_unit_id selected;    /* DV_NONE */
    char search[64];        /* what is looked for; "": nothing */
    bool *found;            /* per unit, while something is looked for */
    double *moved_total_us; /* per target: latency with the selected unit moved there */
    dv_unit_id moved_unit;  /* which unit that is of; DV_NONE: to be computed */

    dv_hit_kind grabbed; /* what the pressed pointer holds; DV_HIT_UNIT: the graph */
    bool dragged;
    float press_x, press_y, last_x, last_y;
};

static inline dv_device_id dv_view_device(const dv_view *view, dv_unit_id unit)
{
    return view->input.problem->device[view->plan->target[unit]];
}

dv_areas dv_view_areas(const dv_view *view);
const dv_theme *dv_view_theme(const dv_view *view);

/* Colours and letters of count devices; kinds may be NULL (then by name). Distinct for up to six
   devices. */
void dv_device_looks(const char *const *names, const dv_device_kind *kinds, uint32_t count,
                     dv_device_look *looks);

/* Was the plan made for the makespan, of devices and links that overlap? Of accelerators that run
   whole subgraphs there is no picture. */
static inline bool dv_overlaps(const dv_problem *problem, const dv_plan *plan)
{
    return !isnan(plan->makespan_us) && problem->subgraphs_per_device == 0;
}

/* The plan's timeline on a sequential executor, whose end is the plan's latency: moves wait for
   their segment, a tensor is sent once per destination. Of a plan that dv_overlaps, that of
   dv_predict_overlap, whose end is its makespan. */
DV_MUST_USE dv_status dv_predict(const dv_problem *problem, const dv_plan *plan, dv_trace **out);
DV_MUST_USE dv_status dv_predict_overlap(const dv_problem *problem, const dv_plan *plan,
                                         dv_trace **out);

/* What plans on show are told apart by: the makespan of one that was made for it, else the latency.
 */
static inline double dv_shown_us(const dv_plan *plan)
{
    return isnan(plan->makespan_us) ? plan->cost.total_us : plan->makespan_us;
}

/* Moves the pane so that the unit is in view. */
void dv_view_reveal(dv_view *view, dv_unit_id unit);

/* Height that the timeline wants. */
float dv_timeline_height(const dv_view *view);

/* Finds the frames of the blocks in the layout. */
DV_MUST_USE dv_status dv_frame_blocks(dv_view *view);

void dv_draw_graph(dv_view *view, dv_scene *scene);
void dv_draw_panel(dv_view *view, dv_scene *scene);
void dv_draw_timeline(dv_view *view, dv_scene *scene);

#endif
