/* route.c - the lines between the boxes of a layout, and all coordinates.

   A wire leaves the foot of its box, runs down a lane where no box is in its way, else down a
   channel beside the lane, and enters its reader at the head. Where it crosses into the next column
   it goes round through the gutter. First every wire gets its course in whole lanes and tracks;
   then the columns are as wide as the tracks need, and the courses become points. */
#include <string.h>

#include "viz/layout.h"

enum {
    NO_TRACK = -1,     /* down the lane itself */
    LANE_GAP = 10,     /* between lanes without tracks between them */
    TRACK = 5,         /* between tracks of a channel */
    BREAK_TRACK = 4,   /* between lines round a break */
    MARGIN = 6,        /* between a box and the nearest track */
    GAP_TRACKS = 3,    /* horizontal lines between two layers */
    MOST_PIECES = 200, /* compared in one gap, the latest first: a hub may have thousands */
    MOST_POINTS = 10,
    GRID_LIMIT = 1 << 28,
};

enum { CELL_FREE, CELL_BOX, CELL_WIRE };

typedef struct run { /* where a wire goes down */
    uint32_t lane;
    int track; /* of the channel right of the lane; NO_TRACK */
} run;

typedef struct course {
    bool tags, breaks;
    run here, there; /* there: in the column after a break */
    uint32_t gutter; /* track round the break */
} course;

typedef struct channel_track {
    uint32_t free_from, owner; /* layer; source of the wire there */
} channel_track;

typedef struct channel {
    channel_track *tracks;
    size_t count, capacity;
} channel;

typedef struct segment { /* a horizontal piece between two layers */
    float x0, x1;
    uint32_t owner;
    int track;
    struct segment *next;
} segment;

typedef struct router {
    dv_layout *layout;
    dv_arena *scratch;
    uint8_t *grid;       /* [layer * lanes + lane]; NULL if the network is too wide for one */
    course *courses;     /* per wire */
    channel *channels;   /* [column * lanes + lane] */
    uint32_t *in_column; /* lanes of each column */
    uint32_t *around;    /* wires round the break after each column */
    float *lane_x;       /* [column * lanes + lane] */
    float *gutter_x;     /* per column */
    segment **gaps;      /* per layer: pieces in the gap above it; one more below the last */
} router;

static const dv_place *place_of(const router *r, uint32_t node)
{
    return &r->layout->places[node];
}

static uint8_t *cell(const router *r, uint32_t layer, uint32_t lane)
{
    return &r->grid[(size_t)layer * r->layout->lane_count + lane];
}

/* Is the lane free in layers [first, end)? Layers below own_until already hold this source's own
   wire and count as free. */
static bool lane_is_free(const router *r, uint32_t lane, uint32_t first, uint32_t end,
                         uint32_t own_until)
{
    if (first >= end)
        return true;
    if (!r->grid)
        return false;
    for (uint32_t l = first > own_until ? first : own_until; l < end; l++)
        if (*cell(r, l, lane) != CELL_FREE)
            return false;
    return true;
}

static void take_lane(const router *r, uint32_t lane, uint32_t first, uint32_t end)
{
    for (uint32_t l = first; r->grid && l < end; l++)
        *cell(r, l, lane) = CELL_WIRE;
}

/* The first track of the channel that is free from layer `first` on, or that is the owner's. */
static bool take_track(router *r, uint32_t column, uint32_t lane, uint32_t first, uint32_t end,
                       uint32_t owner, int *track)
{
    channel *c = &r->channels[(size_t)column * r->layout->lane_count + lane];
    size_t t = 0;
    while (t < c->count && c->tracks[t].owner != owner && c->tracks[t].free_from > first)
        t++;
    if (t == c->count) {
        if (c->count == c->capacity) {
            size_t capacity = c->capacity ? 2 * c->capacity : 4;
            channel_track *more = dv_arena_array(r->scratch, capacity, sizeof *more);
            if (!more)
                return false;
            if (c->count)
                memcpy(more, c->tracks, c->count * sizeof *more);
            c->tracks = more;
            c->capacity = capacity;
        }
        c->tracks[c->count++] = (channel_track){0, owner};
    }
    channel_track *taken = &c->tracks[t];
    taken->owner = owner;
    if (taken->free_from < end)
        taken->free_from = end;
    *track = (int)t;
    return true;
}

/* What the wires of one source share. */
typedef struct source_state {
    uint32_t own_until; /* its own lane holds its wire in layers below this */
    uint32_t gutter;    /* its track round the break; UINT32_MAX: none yet */
} source_state;

/* Down from u past layers [first, end): own lane, else the reader's, else a channel. */
static bool plan_run(router *r, uint32_t u, uint32_t v, uint32_t column, uint32_t first,
                     uint32_t end, source_state *state, run *out)
{
    uint32_t own = place_of(r, u)->lane, reader = place_of(r, v)->lane;
    *out = (run){own, NO_TRACK};
    if (lane_is_free(r, own, first, end, state->own_until)) {
        take_lane(r, own, first, end);
        if (end > state->own_until)
            state->own_until = end;
        return true;
    }
    out->lane = reader;
    if (reader < r->in_column[column] && lane_is_free(r, reader, first, end, 0)) {
        take_lane(r, reader, first, end);
        return true;
    }
    out->lane = own < reader ? own : reader;
    return take_track(r, column, out->lane, first, end, u, &out->track);
}

/* From the head of the next column down to v, past layers [first, end). */
static bool plan_arrival(router *r, uint32_t u, uint32_t v, uint32_t first, uint32_t end, run *out)
{
    *out = (run){place_of(r, v)->lane, NO_TRACK};
    if (lane_is_free(r, out->lane, first, end, 0)) {
        take_lane(r, out->lane, first, end);
        return true;
    }
    return take_track(r, place_of(r, v)->column, out->lane, first, end, u, &out->track);
}

static bool plan_wire(router *r, uint32_t wire, source_state *state)
{
    const dv_wire *w = &r->layout->wires[wire];
    const dv_place *u = place_of(r, w->from), *v = place_of(r, w->to);
    course *c = &r->courses[wire];
    c->breaks = v->column != u->column;
    if (!c->breaks)
        return plan_run(r, w->from, w->to, u->column, u->layer + 1, v->layer, state, &c->here);
    uint32_t border = r->layout->column_start[v->column];
    if (state->gutter == UINT32_MAX)
        state->gutter = r->around[u->column]++;
    c->gutter = state->gutter;
    return plan_run(r, w->from, w->from, u->column, u->layer + 1, border, state, &c->here) &&
           plan_arrival(r, w->from, w->to, border, v->layer, &c->there);
}

static bool spans_too_much(const router *r, const dv_wire *w)
{
    const dv_place *u = place_of(r, w->from), *v = place_of(r, w->to);
    return v->layer - u->layer > DV_LONGEST_SPAN || v->column > u->column + 1;
}

/* The wires of one source, longest first, so that the shorter can share the way. */
static bool plan_source(router *r, uint32_t first, uint32_t end)
{
    source_state state = {0, UINT32_MAX};
    for (uint32_t w = first; w < end; w++)
        r->courses[w].tags = spans_too_much(r, &r->layout->wires[w]);
    for (uint32_t span = DV_LONGEST_SPAN; span > 0; span--)
        for (uint32_t w = first; w < end; w++) {
            const dv_wire *wire = &r->layout->wires[w];
            uint32_t spans = place_of(r, wire->to)->layer - place_of(r, wire->from)->layer;
            if (spans == span && !r->courses[w].tags && !plan_wire(r, w, &state))
                return false;
        }
    return true;
}

/* Plans all wires, sources from the top layer down: channel tracks are handed out in that order. */
static bool plan_all(router *r)
{
    dv_layout *layout = r->layout;
    uint32_t n = layout->node_count, edges = layout->wire_count;
    uint32_t *start = dv_arena_array(r->scratch, (size_t)layout->layer_count + 1, sizeof *start);
    uint32_t *by_layer = dv_arena_array(r->scratch, n, sizeof *by_layer);
    uint32_t *first = dv_arena_array(r->scratch, (size_t)n + 1, sizeof *first);
    if (!start || !by_layer || !first)
        return false;
    for (uint32_t u = 0; u < n; u++)
        start[place_of(r, u)->layer + 1]++;
    for (uint32_t l = 0; l < layout->layer_count; l++)
        start[l + 1] += start[l];
    for (uint32_t u = 0; u < n; u++)
        by_layer[start[place_of(r, u)->layer]++] = u;
    for (uint32_t e = 0; e < edges; e++)
        first[layout->wires[e].from + 1] = e + 1;
    for (uint32_t u = 0; u < n; u++) /* nodes without wires start where the last one ended */
        if (first[u + 1] < first[u])
            first[u + 1] = first[u];
    for (uint32_t i = 0; i < n; i++)
        if (!plan_source(r, first[by_layer[i]], first[by_layer[i] + 1]))
            return false;
    return true;
}

static float channel_width(const router *r, uint32_t column, uint32_t lane)
{
    size_t tracks = r->channels[(size_t)column * r->layout->lane_count + lane].count;
    bool last = lane + 1 == r->in_column[column];
    if (tracks == 0)
        return last ? 0 : LANE_GAP;
    return 2 * MARGIN + TRACK * (float)(tracks - 1);
}

static float layer_y(const dv_layout *layout, uint32_t column, uint32_t layer, float top)
{
    return top + (float)(layer - layout->column_start[column]) * (DV_BOX_HEIGHT + DV_LAYER_GAP);
}

/* Sets lane_x, gutter_x, the boxes and the size; returns the top of the columns. */
static float place_boxes(router *r)
{
    dv_layout *layout = r->layout;
    uint32_t most_around = 0;
    float x = MARGIN, bottom = 0;
    for (uint32_t c = 0; c < layout->column_count; c++) {
        if (r->around[c] > most_around)
            most_around = r->around[c];
        for (uint32_t lane = 0; lane < r->in_column[c]; lane++) {
            r->lane_x[(size_t)c * layout->lane_count + lane] = x;
            x += layout->box_width + channel_width(r, c, lane);
        }
        r->gutter_x[c] = x + MARGIN;
        if (c + 1 < layout->column_count)
            x += 2 * MARGIN + BREAK_TRACK * (float)(r->around[c] > 0 ? r->around[c] - 1 : 0);
    }
    float margin = MARGIN + (most_around ? MARGIN + BREAK_TRACK * (float)(most_around - 1) : 0);
    for (uint32_t u = 0; u < layout->node_count; u++) {
        dv_place *place = &layout->places[u];
        place->x = r->lane_x[(size_t)place->column * layout->lane_count + place->lane];
        place->y = layer_y(layout, place->column, place->layer, margin);
        if (place->y + DV_BOX_HEIGHT > bottom)
            bottom = place->y + DV_BOX_HEIGHT;
    }
    layout->width = x + MARGIN;
    layout->height = bottom + margin;
    return margin;
}

static float run_x(const router *r, uint32_t column, run way)
{
    float x = r->lane_x[(size_t)column * r->layout->lane_count + way.lane];
    if (way.track == NO_TRACK)
        return x + r->layout->box_width * 0.5f;
    return x + r->layout->box_width + MARGIN + TRACK * (float)way.track;
}

/* The height of a horizontal piece from x0 to x1 in the gap above a layer that begins at y: on the
   first track where no other source's piece is in the way. */
static bool gap_y(router *r, uint32_t layer, float y, float x0, float x1, uint32_t owner,
                  float *out)
{
    segment *piece = dv_arena_alloc(r->scratch, sizeof *piece);
    bool taken[GAP_TRACKS] = {false};
    if (!piece)
        return false;
    *piece = (segment){x0 < x1 ? x0 : x1, x0 < x1 ? x1 : x0, owner, 0, r->gaps[layer]};
    int looked_at = 0;
    for (const segment *s = r->gaps[layer]; s && looked_at < MOST_PIECES; s = s->next, looked_at++)
        if (s->owner != owner && s->x0 < piece->x1 && piece->x0 < s->x1)
            taken[s->track] = true;
    while (piece->track < GAP_TRACKS - 1 && taken[piece->track])
        piece->track++;
    r->gaps[layer] = piece;
    *out = y - DV_LAYER_GAP + 3 + 3 * (float)piece->track;
    return true;
}

typedef struct path {
    dv_point points[MOST_POINTS];
    uint32_t count;
} path;

static void step_to(path *p, float x, float y)
{
    p->points[p->count++] = (dv_point){x, y};
}

/* From the pen's x across to x, in the gap above `layer`. */
static bool jog(router *r, path *p, uint32_t layer, float y, float x, uint32_t owner)
{
    float from = p->points[p->count - 1].x, at;
    if (from == x)
        return true;
    if (!gap_y(r, layer, y, from, x, owner, &at))
        return false;
    step_to(p, from, at);
    step_to(p, x, at);
    return true;
}

static bool draw_wire(router *r, uint32_t wire, float top)
{
    dv_layout *layout = r->layout;
    dv_wire *w = &layout->wires[wire];
    const dv_place *u = place_of(r, w->from), *v = place_of(r, w->to);
    const course *c = &r->courses[wire];
    const float half = layout->box_width * 0.5f, pitch = DV_BOX_HEIGHT + DV_LAYER_GAP;
    path p = {.count = 0};
    if (c->tags)
        return true;
    step_to(&p, u->x + half, u->y + DV_BOX_HEIGHT);
    if (!jog(r, &p, u->layer + 1, u->y + pitch, run_x(r, u->column, c->here), w->from))
        return false;
    if (c->breaks) {
        uint32_t border = layout->column_start[v->column];
        float foot = layer_y(layout, u->column, border, top) - DV_LAYER_GAP + MARGIN +
                     BREAK_TRACK * (float)c->gutter;
        float head = top - MARGIN - BREAK_TRACK * (float)(r->around[u->column] - 1 - c->gutter);
        float side = r->gutter_x[u->column] + BREAK_TRACK * (float)c->gutter;
        float down = run_x(r, v->column, c->there);
        step_to(&p, p.points[p.count - 1].x, foot);
        step_to(&p, side, foot);
        step_to(&p, side, head);
        step_to(&p, down, head);
    }
    if (!jog(r, &p, v->layer, v->y, v->x + half, w->from))
        return false;
    step_to(&p, v->x + half, v->y);
    dv_point *points = dv_arena_array(layout->arena, p.count, sizeof *points);
    if (!points)
        return false;
    memcpy(points, p.points, p.count * sizeof *points);
    w->points = points;
    w->point_count = p.count;
    return true;
}

static bool prepare(router *r)
{
    dv_layout *layout = r->layout;
    size_t cells, columns = layout->column_count, lanes = layout->lane_count;
    if (dv_mul_size(layout->layer_count, lanes, &cells) && cells <= GRID_LIMIT) {
        r->grid = dv_arena_alloc(r->scratch, cells);
        if (!r->grid)
            return false;
    }
    r->courses = dv_arena_array(r->scratch, layout->wire_count, sizeof *r->courses);
    r->channels = dv_arena_array(r->scratch, columns * lanes, sizeof *r->channels);
    r->in_column = dv_arena_array(r->scratch, columns, sizeof *r->in_column);
    r->around = dv_arena_array(r->scratch, columns, sizeof *r->around);
    r->lane_x = dv_arena_array(r->scratch, columns * lanes, sizeof *r->lane_x);
    r->gutter_x = dv_arena_array(r->scratch, columns, sizeof *r->gutter_x);
    r->gaps = dv_arena_array(r->scratch, (size_t)layout->layer_count + 1, sizeof *r->gaps);
    if (!r->courses || !r->channels || !r->in_column || !r->around || !r->lane_x || !r->gutter_x ||
        !r->gaps)
        return false;
    for (uint32_t u = 0; u < layout->node_count; u++) {
        const dv_place *place = place_of(r, u);
        if (r->grid)
            *cell(r, place->layer, place->lane) = CELL_BOX;
        if (r->in_column[place->column] < place->lane + 1)
            r->in_column[place->column] = place->lane + 1;
    }
    return true;
}

dv_status dv_layout_route(dv_layout *layout)
{
    router r = {.layout = layout, .scratch = dv_arena_create()};
    bool done = r.scratch && prepare(&r) && plan_all(&r);
    float top = done ? place_boxes(&r) : 0;
    for (uint32_t w = 0; done && w < layout->wire_count; w++)
        done = draw_wire(&r, w, top);
    dv_arena_destroy(r.scratch);
    return done ? DV_OK : dv_fail(DV_NO_MEMORY, "no memory to lay out the network");
}
