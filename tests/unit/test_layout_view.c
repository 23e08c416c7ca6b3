/* test_layout_view.c - where viz/layout.c puts boxes and lines. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "tests/suite.h"
#include "viz/layout.h"

typedef struct dag {
    uint32_t count;
    uint32_t *start, *next;
} dag;

/* Node u is followed by up to `fan` nodes at most `reach` behind it. */
static dag random_dag(uint64_t seed, uint32_t count, uint32_t fan, uint32_t reach)
{
    dv_rng rng = dv_rng_seeded(seed);
    dag g = {count, calloc(count + 1, sizeof(uint32_t)), calloc(count * fan + 1, sizeof(uint32_t))};
    uint32_t edges = 0;
    for (uint32_t u = 0; u < count; u++) {
        uint32_t left = (uint32_t)dv_rng_below(&rng, fan + 1);
        uint32_t end = u + 1 + reach < count ? u + 1 + reach : count;
        for (uint32_t v = u + 1; v < end && left > 0; v++)
            if (dv_rng_below(&rng, 3) == 0) {
                g.next[edges++] = v;
                left--;
            }
        g.start[u + 1] = edges;
    }
    return g;
}

static void free_dag(dag g)
{
    free(g.start);
    free(g.next);
}

static dv_layout *layout_of(dag g, float width, float height)
{
    dv_layout *layout = NULL;
    const dv_dag given = {g.count, g.start, g.next, NULL};
    CU_ASSERT_EQUAL_FATAL(dv_layout_create(&given, width, height, &layout), DV_OK);
    return layout;
}

static bool overlap(const dv_layout *l, const dv_place *a, const dv_place *b)
{
    return fabsf(a->x - b->x) < l->box_width && fabsf(a->y - b->y) < DV_BOX_HEIGHT;
}

static bool boxes_are_apart_and_inside(const dv_layout *l)
{
    for (uint32_t u = 0; u < l->node_count; u++) {
        const dv_place *box = &l->places[u];
        if (box->x < 0 || box->y < 0 || box->x + l->box_width > l->width ||
            box->y + DV_BOX_HEIGHT > l->height)
            return false;
        for (uint32_t v = 0; v < u; v++)
            if (overlap(l, box, &l->places[v]))
                return false;
    }
    return true;
}

/* Does the leg from a to b pass through the inside of the box? */
static bool pierces(const dv_layout *l, dv_point a, dv_point b, const dv_place *box)
{
    return fmaxf(a.x, b.x) > box->x && fminf(a.x, b.x) < box->x + l->box_width &&
           fmaxf(a.y, b.y) > box->y && fminf(a.y, b.y) < box->y + DV_BOX_HEIGHT;
}

static bool wire_is_sound(const dv_layout *l, const dv_wire *wire)
{
    const dv_place *from = &l->places[wire->from], *to = &l->places[wire->to];
    const dv_point *p = wire->points;
    uint32_t n = wire->point_count;
    if (from->layer >= to->layer)
        return false;
    if (n == 0)
        return to->layer - from->layer > DV_LONGEST_SPAN || to->column > from->column + 1;
    if (n < 2 || p[0].x != from->x + l->box_width / 2 || p[0].y != from->y + DV_BOX_HEIGHT ||
        p[n - 1].x != to->x + l->box_width / 2 || p[n - 1].y != to->y)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (p[i].x < 0 || p[i].x > l->width || p[i].y < 0 || p[i].y > l->height)
            return false;
        if (i > 0 && p[i].x != p[i - 1].x && p[i].y != p[i - 1].y)
            return false;
        for (uint32_t u = 0; i > 0 && u < l->node_count; u++)
            if (pierces(l, p[i - 1], p[i], &l->places[u]))
                return false;
    }
    return true;
}

static void boxes_keep_apart_and_wires_run_between_them(void)
{
    for (uint64_t seed = 1; seed <= 400; seed++) {
        dv_rng rng = dv_rng_seeded(seed * 7919);
        uint32_t count = 1 + (uint32_t)dv_rng_below(&rng, 90);
        uint32_t fan = 1 + (uint32_t)dv_rng_below(&rng, 5);
        uint32_t reach = 1 + (uint32_t)dv_rng_below(&rng, 40);
        dag g = random_dag(seed, count, fan, reach);
        dv_layout *l = layout_of(g, 200 + (float)dv_rng_below(&rng, 1200),
                                 150 + (float)dv_rng_below(&rng, 800));
        bool sound = boxes_are_apart_and_inside(l);
        for (uint32_t w = 0; w < l->wire_count; w++)
            sound = sound && wire_is_sound(l, &l->wires[w]);
        CU_ASSERT_TRUE(sound);
        if (!sound)
            fprintf(stderr, "\n    seed %llu\n", (unsigned long long)seed);
        dv_layout_destroy(l);
        free_dag(g);
    }
}

static void a_long_chain_wraps_into_columns_that_fill_the_pane(void)
{
    dag g = {150, calloc(151, sizeof(uint32_t)), calloc(150, sizeof(uint32_t))};
    for (uint32_t u = 0; u < 150; u++) {
        g.start[u + 1] = u < 149 ? u + 1 : 149;
        g.next[u] = u + 1;
    }
    dv_layout *l = layout_of(g, 990, 600);
    CU_ASSERT_EQUAL(l->layer_count, 150);
    CU_ASSERT_EQUAL(l->lane_count, 1);
    CU_ASSERT_TRUE(l->column_count >= 4);
    float scale = fminf(990 / l->width, 600 / l->height);
    CU_ASSERT_TRUE(scale * DV_BOX_HEIGHT >= 14); /* a line of text fits */
    CU_ASSERT_TRUE(scale * l->box_width >= 60);
    dv_layout_destroy(l);
    free_dag(g);
}

static void columns_are_broken_where_a_block_begins(void)
{
    uint32_t start[181], next[180], block_of[180];
    for (uint32_t u = 0; u < 180; u++) {
        start[u] = u;
        next[u] = u + 1;
        block_of[u] = u < 2 ? UINT32_MAX : (u - 2) / 6;
    }
    start[180] = 179;
    dv_layout *layout = NULL;
    CU_ASSERT_EQUAL_FATAL(
        dv_layout_create(&(dv_dag){180, start, next, block_of}, 990, 600, &layout), DV_OK);
    CU_ASSERT_TRUE(layout->column_count > 3);
    for (uint32_t c = 1; c < layout->column_count; c++)
        CU_ASSERT_EQUAL((layout->column_start[c] - 2) % 6, 0);
    dv_layout_destroy(layout);
}

/* 0 > 1 > .. > 29, and 0 > 29: a skip over 29 layers, beside one over 3. */
static void far_edges_become_tags_and_near_ones_lines(void)
{
    uint32_t start[31], next[31], edges = 0;
    start[0] = 0;
    for (uint32_t u = 0; u < 30; u++) {
        if (u < 29)
            next[edges++] = u + 1;
        if (u == 0)
            next[edges++] = 29;
        if (u == 5)
            next[edges++] = 8;
        start[u + 1] = edges;
    }
    dv_layout *l = layout_of((dag){30, start, next}, 200, 4000);
    for (uint32_t w = 0; w < l->wire_count; w++)
        CU_ASSERT_EQUAL(l->wires[w].point_count == 0,
                        l->wires[w].from == 0 && l->wires[w].to == 29);
    dv_layout_destroy(l);
}

/* 0 > 1 > 2 > 4 > 5 and 3 > 5 */
static void a_source_sits_just_above_its_first_reader(void)
{
    const uint32_t start[] = {0, 1, 2, 3, 4, 5, 5}, next[] = {1, 2, 4, 5, 5};
    dv_layout *l =
        layout_of((dag){6, (uint32_t *)(uintptr_t)start, (uint32_t *)(uintptr_t)next}, 500, 500);
    CU_ASSERT_EQUAL(l->places[5].layer, 4);
    CU_ASSERT_EQUAL(l->places[3].layer, 3);
    dv_layout_destroy(l);
}

/* A chain of 41 nodes; two more in a row hang on nothing and lead to its last, one hangs on its
   first and leads to its last but one. */
static void what_is_needed_only_later_sinks_with_what_it_alone_hangs_on(void)
{
    enum { CHAIN = 41 };
    uint32_t start[CHAIN + 4], next[CHAIN + 4], edges = 0;
    for (uint32_t u = 0; u < CHAIN;
         u++) { /* in topological order: the others come second to fourth */
        uint32_t id = u == 0 ? 0 : u + 3;
        start[id] = edges;
        if (u + 1 < CHAIN)
            next[edges++] = u + 4;
        if (u > 0)
            continue;
        next[edges++] = 3;
        start[1] = edges;
        next[edges++] = 2;
        start[2] = edges;
        next[edges++] = CHAIN + 2;
        start[3] = edges;
        next[edges++] = CHAIN + 1;
    }
    start[CHAIN + 3] = edges;
    dv_layout *l = layout_of((dag){CHAIN + 3, start, next}, 900, 500);
    CU_ASSERT_EQUAL(l->places[CHAIN + 2].layer, CHAIN - 1);
    CU_ASSERT_EQUAL(l->places[2].layer, CHAIN - 2);
    CU_ASSERT_EQUAL(l->places[1].layer, CHAIN - 3);
    CU_ASSERT_EQUAL(l->places[3].layer, CHAIN - 3);
    dv_layout_destroy(l);
}

static void the_same_network_is_laid_out_the_same_twice(void)
{
    dag g = random_dag(5, 500, 4, 30);
    dv_layout *a = layout_of(g, 990, 600), *b = layout_of(g, 990, 600);
    CU_ASSERT_EQUAL(a->width, b->width);
    CU_ASSERT_EQUAL(memcmp(a->places, b->places, 500 * sizeof *a->places), 0);
    dv_layout_destroy(a);
    dv_layout_destroy(b);
    free_dag(g);
}

static void nothing_and_a_single_node_can_be_laid_out(void)
{
    const uint32_t start[] = {0, 0};
    dag g = {0, (uint32_t *)(uintptr_t)start, NULL};
    dv_layout *l = layout_of(g, 990, 600);
    CU_ASSERT_EQUAL(l->node_count, 0);
    dv_layout_destroy(l);
    g.count = 1;
    l = layout_of(g, 0, 0); /* even in a pane without area */
    CU_ASSERT_TRUE(boxes_are_apart_and_inside(l));
    dv_layout_destroy(l);
}

static void ten_thousand_nodes_can_be_laid_out(void)
{
    dag g = random_dag(11, 10000, 3, 12);
    dv_layout *l = layout_of(g, 990, 600);
    bool sound = true;
    for (uint32_t w = 0; w < l->wire_count; w++)
        sound = sound && l->places[l->wires[w].from].layer < l->places[l->wires[w].to].layer;
    for (uint32_t u = 0; u < 10000; u++)
        sound = sound && l->places[u].x >= 0 && l->places[u].y >= 0 &&
                l->places[u].x + l->box_width <= l->width &&
                l->places[u].y + DV_BOX_HEIGHT <= l->height;
    CU_ASSERT_TRUE(sound);
    dv_layout_destroy(l);
    free_dag(g);
}

DV_SUITE(viz_layout, DV_TEST(boxes_keep_apart_and_wires_run_between_them),
         DV_TEST(a_long_chain_wraps_into_columns_that_fill_the_pane),
         DV_TEST(columns_are_broken_where_a_block_begins),
         DV_TEST(far_edges_become_tags_and_near_ones_lines),
         DV_TEST(a_source_sits_just_above_its_first_reader),
         DV_TEST(what_is_needed_only_later_sinks_with_what_it_alone_hangs_on),
         DV_TEST(the_same_network_is_laid_out_the_same_twice),
         DV_TEST(nothing_and_a_single_node_can_be_laid_out),
         DV_TEST(ten_thousand_nodes_can_be_laid_out));
