/* layout.h - where the boxes and the lines of a network go.

   A network is a ribbon: hundreds of layers, a few lanes. The layers are those of the longest path;
   straight runs of nodes keep one lane; the ribbon is broken into columns, as many as make it
   largest in the pane. An edge that spans many layers is not drawn but marked at both ends (a pair
   of tags), since a few such edges would decide the whole picture. All lines are axis-parallel and
   run between the boxes, never behind them.

   Milliseconds for 10,000 nodes, so that it can be redone on every resize. */
#ifndef DV_VIZ_LAYOUT_H
#define DV_VIZ_LAYOUT_H

#include "core/arena.h"

/* In units of the layout, which are pixels at scale 1. */
enum {
    DV_BOX_HEIGHT = 24,
    DV_LAYER_GAP = 12,
    DV_LONGEST_SPAN = 16, /* layers; an edge that spans more becomes tags */
};

typedef struct dv_point {
    float x, y;
} dv_point;

typedef struct dv_place {
    float x, y; /* top left of the box */
    uint32_t layer, lane, column;
} dv_place;

/* One edge: a line of axis-parallel steps from the foot of a box to the head of another. */
typedef struct dv_wire {
    uint32_t from, to;
    uint32_t point_count; /* 0: a pair of tags */
    const dv_point *points;
} dv_wire;

typedef struct dv_layout {
    uint32_t node_count, wire_count;
    uint32_t layer_count, lane_count, column_count;
    dv_place *places;
    dv_wire *wires;         /* in the order of next */
    uint32_t *column_start; /* first layer of each column; column_count + 1 */
    float box_width; /* of every box; wider where the pane has room, for the sake of its text */
    float width, height;
    dv_arena *arena;
} dv_layout;

/* A DAG: node u is followed by next[next_start[u] .. next_start[u + 1]), each of a higher number
   than u. block_of (or NULL) numbers the repeated block that a node belongs to, below node_count,
   or is UINT32_MAX: columns are broken between blocks where that is possible. */
typedef struct dv_dag {
    uint32_t node_count;
    const uint32_t *next_start, *next;
    const uint32_t *block_of;
} dv_dag;

/* Lays out a DAG for a pane of that size. DV_NO_MEMORY. O(nodes + edges), times a factor for the
   count of columns tried. */
DV_MUST_USE dv_status dv_layout_create(const dv_dag *dag, float pane_width, float pane_height,
                                       dv_layout **out);
void dv_layout_destroy(dv_layout *layout); /* NULL is allowed */

/* Second half of dv_layout_create: draws the wires and sets all coordinates, from layers, lanes and
   columns. */
DV_MUST_USE dv_status dv_layout_route(dv_layout *layout);

#endif
