/* layout.c - layers, lanes and columns. */
#include "viz/layout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct extent {
    float width, height;
} extent;

typedef struct dag {
    uint32_t count;
    const uint32_t *next_start, *next, *block_of;
    dv_place *places;
    uint32_t layer_count;
    dv_arena *scratch;
} dag;

static bool is_near(const dag *g, uint32_t u, uint32_t v)
{
    return g->places[v].layer - g->places[u].layer <= DV_LONGEST_SPAN;
}

static uint32_t before_readers(const dag *g, uint32_t u, const uint32_t *layer)
{
    uint32_t first = UINT32_MAX;
    for (uint32_t e = g->next_start[u]; e < g->next_start[u + 1]; e++)
        if (layer[g->next[e]] < first)
            first = layer[g->next[e]];
    return first;
}

/* Longest path from the sources. What hangs on sources alone and is needed only later, or so much
   later that no line is drawn (the keys and values that a diffusion network makes of its text, the
   shifts that it makes of its time), sinks to just above its first reader. */
static dv_status find_layers(dag *g)
{
    uint32_t *layer = dv_arena_array(g->scratch, g->count, sizeof *layer);
    uint32_t *latest = dv_arena_array(g->scratch, g->count, sizeof *latest);
    bool *held = dv_arena_array(g->scratch, g->count, sizeof *held);
    if (!layer || !latest || !held)
        return dv_fail(DV_NO_MEMORY, "no memory for a layout");
    for (uint32_t u = 0; u < g->count; u++)
        for (uint32_t e = g->next_start[u]; e < g->next_start[u + 1]; e++)
            if (layer[g->next[e]] < layer[u] + 1)
                layer[g->next[e]] = layer[u] + 1;
    for (uint32_t u = g->count; u-- > 0;) {
        uint32_t first = before_readers(g, u, latest);
        latest[u] = first == UINT32_MAX ? layer[u] : first - 1;
    }
    for (uint32_t u = 0; u < g->count; u++) {
        uint32_t slack = latest[u] - layer[u];
        held[u] = slack == 0 || (held[u] && slack <= DV_LONGEST_SPAN);
        for (uint32_t e = g->next_start[u]; held[u] && e < g->next_start[u + 1]; e++)
            held[g->next[e]] = true;
    }
    for (uint32_t u = g->count; u-- > 0;) {
        if (!held[u])
            layer[u] = before_readers(g, u, layer) - 1;
        g->places[u].layer = layer[u];
        if (layer[u] + 1 > g->layer_count)
            g->layer_count = layer[u] + 1;
    }
    return DV_OK;
}

/* A chain: nodes that follow each other in one lane, over layers [first, last]. */
typedef struct chain {
    uint32_t first, last, id;
} chain;

/* Of each node, the near successor with the longest way to go: the main line leads on there. */
static void find_main_successors(const dag *g, uint32_t *main_next, uint32_t *height)
{
    for (uint32_t u = g->count; u-- > 0;) {
        main_next[u] = UINT32_MAX;
        height[u] = 0;
        for (uint32_t e = g->next_start[u]; e < g->next_start[u + 1]; e++) {
            uint32_t v = g->next[e];
            if (!is_near(g, u, v) || height[v] + 1 <= height[u])
                continue;
            height[u] = height[v] + 1;
            main_next[u] = v;
        }
    }
}

/* Splits the nodes into chains. Where several main lines meet, the longest goes on. */
static uint32_t find_chains(const dag *g, const uint32_t *main_next, uint32_t *chain_of,
                            chain *chains, uint32_t *length)
{
    uint32_t count = 0;
    uint32_t *claimed_by = length + g->count;
    memset(claimed_by, 0xFF, g->count * sizeof *claimed_by);
    for (uint32_t u = 0; u < g->count; u++) {
        uint32_t layer = g->places[u].layer, before = claimed_by[u], after = main_next[u];
        if (before == UINT32_MAX) {
            chains[count] = (chain){layer, layer, count};
            chain_of[u] = count++;
            length[u] = 1;
        } else {
            chain_of[u] = chain_of[before];
            length[u] = length[before] + 1;
        }
        chain *own = &chains[chain_of[u]];
        if (layer > own->last)
            own->last = layer;
        if (after == UINT32_MAX)
            continue;
        /* keep the lane free as far as the node where this line ends, for a straight run */
        if (g->places[after].layer - 1 > own->last)
            own->last = g->places[after].layer - 1;
        uint32_t rival = claimed_by[after];
        if (rival == UINT32_MAX || length[u] > length[rival])
            claimed_by[after] = u;
    }
    return count;
}

static int by_first_then_longest(const void *a, const void *b)
{
    const chain *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    if (x->last != y->last)
        return x->last > y->last ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Every chain takes the lowest lane that is free over all its layers. */
static uint32_t colour_chains(chain *chains, uint32_t count, uint32_t *lane_of, uint32_t *free_from)
{
    uint32_t lanes = 0;
    qsort(chains, count, sizeof *chains, by_first_then_longest);
    for (uint32_t c = 0; c < count; c++) {
        uint32_t lane = 0;
        while (lane < lanes && free_from[lane] > chains[c].first)
            lane++;
        if (lane == lanes)
            lanes++;
        free_from[lane] = chains[c].last + 1;
        lane_of[chains[c].id] = lane;
    }
    return lanes;
}

static dv_status find_lanes(dag *g, uint32_t *lane_count)
{
    uint32_t *main_next = dv_arena_array(g->scratch, g->count, sizeof *main_next);
    uint32_t *height = dv_arena_array(g->scratch, g->count, sizeof *height);
    uint32_t *length = dv_arena_array(g->scratch, g->count, 2 * sizeof *length);
    uint32_t *chain_of = dv_arena_array(g->scratch, g->count, sizeof *chain_of);
    uint32_t *lane_of = dv_arena_array(g->scratch, g->count, sizeof *lane_of);
    chain *chains = dv_arena_array(g->scratch, g->count, sizeof *chains);
    if (!main_next || !height || !length || !chain_of || !lane_of || !chains)
        return dv_fail(DV_NO_MEMORY, "no memory to lay out the network");
    find_main_successors(g, main_next, height);
    uint32_t count = find_chains(g, main_next, chain_of, chains, length);
    *lane_count = colour_chains(chains, count, lane_of, height);
    for (uint32_t u = 0; u < g->count; u++)
        g->places[u].lane = lane_of[chain_of[u]];
    return DV_OK;
}

/* What the search for columns needs to know of a layer. */
typedef struct layer_need {
    uint32_t lanes; /* highest lane in use, plus one */
    int32_t cut;    /* nodes whose near edges cross its upper border */
    bool begins;    /* a repeated block begins here */
} layer_need;

static dv_status find_block_starts(const dag *g, layer_need *need)
{
    uint32_t *first = dv_arena_array(g->scratch, g->count, sizeof *first);
    if (!first)
        return dv_fail(DV_NO_MEMORY, "no memory to lay out the network");
    memset(first, 0xFF, g->count * sizeof *first);
    for (uint32_t u = 0; g->block_of && u < g->count; u++) {
        uint32_t block = g->block_of[u];
        if (block < g->count && g->places[u].layer < first[block])
            first[block] = g->places[u].layer;
    }
    for (uint32_t block = 0; block < g->count; block++)
        if (first[block] != UINT32_MAX)
            need[first[block]].begins = true;
    return DV_OK;
}

static dv_status measure_layers(const dag *g, layer_need *need)
{
    for (uint32_t u = 0; u < g->count; u++) {
        uint32_t layer = g->places[u].layer;
        if (need[layer].lanes < g->places[u].lane + 1)
            need[layer].lanes = g->places[u].lane + 1;
        uint32_t deepest = layer;
        for (uint32_t e = g->next_start[u]; e < g->next_start[u + 1]; e++)
            if (is_near(g, u, g->next[e]) && g->places[g->next[e]].layer > deepest)
                deepest = g->places[g->next[e]].layer;
        need[layer + 1].cut++;
        need[deepest + 1].cut--;
    }
    for (uint32_t l = 1; l < g->layer_count; l++)
        need[l].cut += need[l - 1].cut;
    return find_block_starts(g, need);
}

/* Is a break above layer a better than one above layer b? Where fewer values cross, which is
   between blocks or within them; where a block begins; near to the wish. */
static bool better_break(const layer_need *need, uint32_t a, uint32_t b, uint32_t wish)
{
    if (need[a].cut != need[b].cut)
        return need[a].cut < need[b].cut;
    if (need[a].begins != need[b].begins)
        return need[a].begins;
    return (a > wish ? a - wish : wish - a) < (b > wish ? b - wish : wish - b);
}

static uint32_t best_break(const layer_need *need, uint32_t low, uint32_t wish, uint32_t high)
{
    uint32_t best = wish;
    for (uint32_t l = low; l <= high; l++)
        if (better_break(need, l, best, wish))
            best = l;
    return best;
}

/* Breaks the layers into count columns; returns the scale at which they fill the pane. */
static float break_columns(const dag *g, const layer_need *need, uint32_t count, extent pane,
                           float box_width, uint32_t *start)
{
    const float lane_width = box_width + 16, gutter = 12;
    const float pitch = DV_BOX_HEIGHT + DV_LAYER_GAP;
    float total = 0;
    uint32_t tallest = 0;
    start[0] = 0;
    for (uint32_t k = 0; k < count; k++) {
        uint32_t rest = g->layer_count - start[k], left = count - k;
        uint32_t wish = start[k] + (rest + left - 1) / left;
        uint32_t slack = (wish - start[k]) / 4;
        uint32_t high = wish + slack / 2;
        if (left == 1 || wish >= g->layer_count)
            start[k + 1] = g->layer_count;
        else
            start[k + 1] = best_break(need, wish - slack, wish,
                                      high < g->layer_count - 1 ? high : g->layer_count - 1);
        uint32_t lanes = 1;
        for (uint32_t l = start[k]; l < start[k + 1]; l++)
            if (need[l].lanes > lanes)
                lanes = need[l].lanes;
        if (start[k + 1] > start[k])
            total += (float)lanes * lane_width + gutter;
        if (start[k + 1] - start[k] > tallest)
            tallest = start[k + 1] - start[k];
    }
    float across = pane.width / (total + gutter);
    float down = pane.height / ((float)tallest * pitch + pitch);
    return across < down ? across : down;
}

enum { MOST_COLUMNS = 80 };

typedef struct breaks {
    uint32_t count, start[MOST_COLUMNS + 1];
    float scale;
} breaks;

/* Tries every count of columns. Beyond a scale of 1.5 nothing is won, so fewer are kept. */
static breaks best_breaks(const dag *g, const layer_need *need, extent pane, float box_width)
{
    breaks best = {.count = 1, .start = {0, g->layer_count}};
    for (uint32_t count = 1; count <= MOST_COLUMNS && count <= g->layer_count; count++) {
        breaks trial = {.count = count};
        trial.scale = fminf(break_columns(g, need, count, pane, box_width, trial.start), 1.5f);
        if (trial.scale > best.scale)
            best = trial;
    }
    return best;
}

/* The widest boxes that leave room for figures; else the widest that are high enough for a line of
   text; else narrow ones. */
static dv_status find_columns(dv_layout *layout, dag *g, extent pane)
{
    static const float widths[] = {200, 170, 145, 125, 108, 92};
    enum { WIDTHS = sizeof widths / sizeof widths[0] };
    const float roomy = 28.0f / DV_BOX_HEIGHT, legible = 15.5f / DV_BOX_HEIGHT;
    breaks trial[WIDTHS];
    int best = WIDTHS - 1;
    layer_need *need = dv_arena_array(g->scratch, (size_t)g->layer_count + 2, sizeof *need);
    layout->column_start = dv_arena_array(layout->arena, MOST_COLUMNS + 1, sizeof(uint32_t));
    if (!need || !layout->column_start)
        return dv_fail(DV_NO_MEMORY, "no memory to lay out the network");
    DV_TRY(measure_layers(g, need));
    for (int i = 0; i < WIDTHS; i++)
        trial[i] = best_breaks(g, need, pane, widths[i]);
    for (int i = WIDTHS - 1; i >= 0; i--)
        if (trial[i].scale >= legible)
            best = i;
    for (int i = WIDTHS - 1; i >= 0; i--)
        if (trial[i].scale >= roomy && trial[i].scale * widths[i] >= 120)
            best = i;
    layout->box_width = widths[best];
    for (uint32_t k = 0; k < trial[best].count; k++) /* drops empty columns */
        if (trial[best].start[k + 1] > trial[best].start[k])
            layout->column_start[++layout->column_count] = trial[best].start[k + 1];
    return DV_OK;
}

static void assign_columns(dv_layout *layout)
{
    for (uint32_t u = 0; u < layout->node_count; u++) {
        dv_place *place = &layout->places[u];
        while (place->column + 1 < layout->column_count &&
               layout->column_start[place->column + 1] <= place->layer)
            place->column++;
    }
}

static dv_status fill(dv_layout *layout, dag *g, extent pane)
{
    uint32_t edges = g->next_start[g->count];
    layout->places = dv_arena_array(layout->arena, g->count, sizeof *layout->places);
    layout->wires = dv_arena_array(layout->arena, edges, sizeof *layout->wires);
    if (!layout->places || !layout->wires)
        return dv_fail(DV_NO_MEMORY, "no memory to lay out the network");
    layout->node_count = g->count;
    layout->wire_count = edges;
    g->places = layout->places;
    for (uint32_t u = 0; u < g->count; u++)
        for (uint32_t e = g->next_start[u]; e < g->next_start[u + 1]; e++)
            layout->wires[e] = (dv_wire){.from = u, .to = g->next[e]};
    DV_TRY(find_layers(g));
    layout->layer_count = g->layer_count;
    DV_TRY(find_lanes(g, &layout->lane_count));
    DV_TRY(find_columns(layout, g, pane));
    assign_columns(layout);
    return dv_layout_route(layout);
}

dv_status dv_layout_create(const dv_dag *graph, float pane_width, float pane_height,
                           dv_layout **out)
{
    dag g = {.count = graph->node_count,
             .next_start = graph->next_start,
             .next = graph->next,
             .block_of = graph->block_of};
    dv_layout *layout = calloc(1, sizeof *layout);
    dv_status status = DV_NO_MEMORY;
    g.scratch = dv_arena_create();
    if (layout)
        layout->arena = dv_arena_create();
    if (!layout || !layout->arena || !g.scratch)
        dv_fail(status, "no memory to lay out the network");
    else
        status = fill(layout, &g, (extent){pane_width, pane_height});
    dv_arena_destroy(g.scratch);
    if (status != DV_OK) {
        dv_layout_destroy(layout);
        layout = NULL;
    }
    *out = layout;
    return status;
}

void dv_layout_destroy(dv_layout *layout)
{
    if (!layout)
        return;
    dv_arena_destroy(layout->arena);
    free(layout);
}
