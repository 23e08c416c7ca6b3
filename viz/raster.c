/* raster.c - the scene as pixels, in software and in whole numbers, so that they repeat exactly. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "viz/glyphs.h"
#include "viz/scene.h"

typedef struct box { /* x0 <= x < x1, y0 <= y < y1 */
    int x0, y0, x1, y1;
} box;

typedef struct canvas {
    uint8_t *pixels;
    int width;
    box clip;
    /* share of a corner pixel that is inside a circle of that radius, of 16; [r][y][x] */
    uint8_t corner[DV_MAX_RADIUS + 1][DV_MAX_RADIUS][DV_MAX_RADIUS];
} canvas;

/* Whole pixels; far outside is as good as infinity and cannot overflow. */
static int whole(float value)
{
    const float far = 4.0f * DV_MAX_SIDE;
    return (int)floorf(fminf(fmaxf(value, -far), far) + 0.5f);
}

static box clipped(box a, box b)
{
    return (box){a.x0 > b.x0 ? a.x0 : b.x0, a.y0 > b.y0 ? a.y0 : b.y0, a.x1 < b.x1 ? a.x1 : b.x1,
                 a.y1 < b.y1 ? a.y1 : b.y1};
}

/* At least one pixel each way, so that nothing vanishes by being small. */
static box box_of(const dv_draw *draw)
{
    box b = {whole(draw->x), whole(draw->y), whole(draw->x + draw->w), whole(draw->y + draw->h)};
    b.x1 = b.x1 > b.x0 ? b.x1 : b.x0 + 1;
    b.y1 = b.y1 > b.y0 ? b.y1 : b.y0 + 1;
    return b;
}

static void put(uint8_t *pixel, dv_colour colour)
{
    pixel[0] = (uint8_t)(colour >> 16);
    pixel[1] = (uint8_t)(colour >> 8);
    pixel[2] = (uint8_t)colour;
}

/* share of whole parts of colour over what is there. */
static void blend(uint8_t *pixel, dv_colour colour, int share, int of)
{
    const int part[3] = {(int)(colour >> 16 & 255), (int)(colour >> 8 & 255), (int)(colour & 255)};
    for (int i = 0; i < 3; i++)
        pixel[i] = (uint8_t)((part[i] * share + pixel[i] * (of - share) + of / 2) / of);
}

static uint8_t *at(const canvas *c, int x, int y)
{
    return c->pixels + 3 * ((size_t)y * (size_t)c->width + (size_t)x);
}

static void fill(canvas *c, box b, dv_colour colour)
{
    b = clipped(b, c->clip);
    if (b.x0 >= b.x1 || b.y0 >= b.y1)
        return;
    for (int x = b.x0; x < b.x1; x++)
        put(at(c, x, b.y0), colour);
    size_t row = 3 * (size_t)(b.x1 - b.x0);
    for (int y = b.y0 + 1; y < b.y1; y++)
        memcpy(at(c, b.x0, y), at(c, b.x0, b.y0), row);
}

/* Sixteen samples a pixel. */
static void draw_corners_once(canvas *c)
{
    for (int r = 1; r <= DV_MAX_RADIUS; r++)
        for (int y = 0; y < r; y++)
            for (int x = 0; x < r; x++)
                for (int s = 0; s < 16; s++) {
                    int dx = 8 * (r - x) - 2 * (s % 4) - 1, dy = 8 * (r - y) - 2 * (s / 4) - 1;
                    if (dx * dx + dy * dy <= 64 * r * r)
                        c->corner[r][y][x]++;
                }
}

static void blend_at(canvas *c, int x, int y, dv_colour colour, int share)
{
    if (share > 0 && x >= c->clip.x0 && x < c->clip.x1 && y >= c->clip.y0 && y < c->clip.y1)
        blend(at(c, x, y), colour, share, 16);
}

/* The same share in all four corners: (x, y) counts from each corner inwards. */
static void blend_four(canvas *c, box b, int x, int y, dv_colour colour, int share)
{
    blend_at(c, b.x0 + x, b.y0 + y, colour, share);
    blend_at(c, b.x1 - 1 - x, b.y0 + y, colour, share);
    blend_at(c, b.x0 + x, b.y1 - 1 - y, colour, share);
    blend_at(c, b.x1 - 1 - x, b.y1 - 1 - y, colour, share);
}

static int radius_for(const dv_draw *draw, box b)
{
    int side = b.x1 - b.x0 < b.y1 - b.y0 ? b.x1 - b.x0 : b.y1 - b.y0;
    return draw->radius < side / 2 ? draw->radius : side / 2;
}

static void rectangle(canvas *c, const dv_draw *draw)
{
    box b = box_of(draw);
    int r = radius_for(draw, b);
    fill(c, (box){b.x0 + r, b.y0, b.x1 - r, b.y1}, draw->colour);
    fill(c, (box){b.x0, b.y0 + r, b.x0 + r, b.y1 - r}, draw->colour);
    fill(c, (box){b.x1 - r, b.y0 + r, b.x1, b.y1 - r}, draw->colour);
    for (int y = 0; y < r; y++)
        for (int x = 0; x < r; x++)
            blend_four(c, b, x, y, draw->colour, c->corner[r][y][x]);
}

static void outline(canvas *c, const dv_draw *draw)
{
    box b = box_of(draw);
    int r = radius_for(draw, b);
    fill(c, (box){b.x0 + r, b.y0, b.x1 - r, b.y0 + 1}, draw->colour);
    fill(c, (box){b.x0 + r, b.y1 - 1, b.x1 - r, b.y1}, draw->colour);
    fill(c, (box){b.x0, b.y0 + r, b.x0 + 1, b.y1 - r}, draw->colour);
    fill(c, (box){b.x1 - 1, b.y0 + r, b.x1, b.y1 - r}, draw->colour);
    for (int y = 0; y < r; y++)
        for (int x = 0; x < r; x++) {
            int hole = x > 0 && y > 0 ? c->corner[r - 1][y - 1][x - 1] : 0;
            blend_four(c, b, x, y, draw->colour, c->corner[r][y][x] - hole);
        }
}

/* Axis-parallel lines as thin boxes, others by Bresenham's algorithm. */
static void line(canvas *c, const dv_draw *draw)
{
    int x0 = whole(draw->x), y0 = whole(draw->y);
    int x1 = whole(draw->x + draw->w), y1 = whole(draw->y + draw->h);
    if (x0 == x1 || y0 == y1) {
        fill(c,
             (box){x0 < x1 ? x0 : x1, y0 < y1 ? y0 : y1, (x0 > x1 ? x0 : x1) + 1,
                   (y0 > y1 ? y0 : y1) + 1},
             draw->colour);
        return;
    }
    int dx = abs(x1 - x0), dy = -abs(y1 - y0), error = dx + dy;
    for (;;) {
        blend_at(c, x0, y0, draw->colour, 16);
        if (x0 == x1 && y0 == y1)
            return;
        int twice = 2 * error;
        if (twice >= dy) {
            error += dy;
            x0 += x0 < x1 ? 1 : -1;
        }
        if (twice <= dx) {
            error += dx;
            y0 += y0 < y1 ? 1 : -1;
        }
    }
}

static int digit(char c)
{
    return c <= '9' ? c - '0' : c - 'A' + 10;
}

static void label(canvas *c, const dv_draw *draw)
{
    const dv_face *face = &dv_faces[draw->bold ? 1 : 0][draw->size];
    int pen = whole(draw->x), base = whole(draw->y) + face->ascent;
    for (const char *text = draw->text; *text;) {
        const dv_glyph *glyph = dv_glyph_next(face, &text);
        const char *coverage = face->coverage + glyph->offset;
        int x0 = pen + glyph->left, y0 = base - glyph->top;
        box b = clipped((box){x0, y0, x0 + glyph->width, y0 + glyph->height}, c->clip);
        for (int y = b.y0; y < b.y1; y++)
            for (int x = b.x0; x < b.x1; x++) {
                int share = digit(coverage[(y - y0) * glyph->width + (x - x0)]);
                if (share > 0)
                    blend(at(c, x, y), draw->colour, share, 15);
            }
        pen += glyph->advance;
    }
}

uint8_t *dv_scene_rasterise(const dv_scene *scene)
{
    canvas *c = calloc(1, sizeof *c);
    uint8_t *pixels = malloc((size_t)scene->width * (size_t)scene->height * 3);
    const box all = {0, 0, scene->width, scene->height};
    if (!c || !pixels) {
        free(c);
        free(pixels);
        return NULL;
    }
    c->pixels = pixels;
    c->width = scene->width;
    c->clip = all;
    draw_corners_once(c);
    fill(c, all, scene->background);
    for (size_t i = 0; i < scene->count; i++) {
        const dv_draw *draw = &scene->draws[i];
        switch (draw->kind) {
        case DV_DRAW_RECTANGLE:
            rectangle(c, draw);
            break;
        case DV_DRAW_OUTLINE:
            outline(c, draw);
            break;
        case DV_DRAW_LINE:
            line(c, draw);
            break;
        case DV_DRAW_LABEL:
            label(c, draw);
            break;
        case DV_DRAW_CLIP:
            c->clip = draw->w > 0 ? clipped(box_of(draw), all) : all;
            break;
        }
    }
    free(c);
    return pixels;
}
