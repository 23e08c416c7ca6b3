/* scene.c - collecting drawing commands. */
#include "viz/scene.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "viz/glyphs.h"

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

dv_scene *dv_scene_create(int width, int height, dv_colour background)
{
    dv_scene *scene = calloc(1, sizeof *scene);
    if (!scene)
        return NULL;
    scene->width = clamp(width, 1, DV_MAX_SIDE);
    scene->height = clamp(height, 1, DV_MAX_SIDE);
    scene->background = background;
    scene->arena = dv_arena_create();
    if (!scene->arena) {
        free(scene);
        return NULL;
    }
    return scene;
}

void dv_scene_destroy(dv_scene *scene)
{
    if (!scene)
        return;
    dv_arena_destroy(scene->arena);
    free(scene->draws);
    free(scene);
}

void dv_scene_clear(dv_scene *scene)
{
    scene->count = 0;
    dv_arena_destroy(scene->arena);
    scene->arena = dv_arena_create();
    scene->failed = !scene->arena;
}

static void add(dv_scene *scene, dv_draw draw)
{
    if (!isfinite(draw.x) || !isfinite(draw.y) || !isfinite(draw.w) || !isfinite(draw.h))
        return;
    void *draws = scene->draws;
    if (scene->failed ||
        !dv_grow(&draws, &scene->capacity, scene->count + 1, sizeof *scene->draws)) {
        scene->failed = true;
        return;
    }
    scene->draws = draws;
    scene->draws[scene->count++] = draw;
}

void dv_scene_rectangle(dv_scene *scene, float x, float y, float w, float h, dv_colour colour,
                        uint32_t tag)
{
    add(scene, (dv_draw){.kind = DV_DRAW_RECTANGLE, x, y, w, h, .colour = colour, .tag = tag});
}

void dv_scene_rounded(dv_scene *scene, float x, float y, float w, float h, int radius,
                      dv_colour colour, uint32_t tag)
{
    add(scene, (dv_draw){.kind = DV_DRAW_RECTANGLE,
                         x,
                         y,
                         w,
                         h,
                         .colour = colour,
                         .tag = tag,
                         .radius = (uint8_t)clamp(radius, 0, DV_MAX_RADIUS)});
}

void dv_scene_outline(dv_scene *scene, float x, float y, float w, float h, int radius,
                      dv_colour colour)
{
    add(scene, (dv_draw){.kind = DV_DRAW_OUTLINE,
                         x,
                         y,
                         w,
                         h,
                         .colour = colour,
                         .radius = (uint8_t)clamp(radius, 0, DV_MAX_RADIUS)});
}

void dv_scene_line(dv_scene *scene, float x0, float y0, float x1, float y1, dv_colour colour)
{
    add(scene, (dv_draw){.kind = DV_DRAW_LINE, x0, y0, x1 - x0, y1 - y0, .colour = colour});
}

void dv_scene_clip(dv_scene *scene, float x, float y, float w, float h)
{
    add(scene, (dv_draw){.kind = DV_DRAW_CLIP, x, y, w, h});
}

static const dv_face *face_of(int size)
{
    return &dv_faces[(size & DV_BOLD) != 0][clamp(size & ~DV_BOLD, 0, 2)];
}

float dv_label_width(int size, const char *text)
{
    const dv_face *face = face_of(size);
    int width = 0;
    while (*text)
        width += dv_glyph_next(face, &text)->advance;
    return (float)width;
}

float dv_label_height(int size)
{
    const dv_face *face = face_of(size);
    return (float)(face->ascent + face->descent);
}

/* Cuts text in place to width pixels, ".." included; to nothing if not even a letter fits. */
static void cut(char *text, size_t room, int size, float width)
{
    const dv_face *face = face_of(size);
    float dots = dv_label_width(size, ".."), sum = 0;
    size_t end = 0;
    if (dv_label_width(size, text) <= width)
        return;
    for (const char *at = text; *at;) {
        sum += (float)dv_glyph_next(face, &at)->advance;
        if (sum + dots > width)
            break;
        end = (size_t)(at - text);
    }
    if (end == 0)
        text[0] = '\0';
    else
        snprintf(text + end, room - end, "..");
}

void dv_scene_label(dv_scene *scene, float x, float y, float w, int size, dv_colour colour,
                    const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length <= 0 || scene->failed)
        return;
    if (w > 0)
        cut(text, sizeof text, size, w);
    char *copy = dv_arena_copy(scene->arena, text);
    if (!copy) {
        scene->failed = true;
        return;
    }
    if (*copy)
        add(scene, (dv_draw){.kind = DV_DRAW_LABEL,
                             x,
                             y,
                             dv_label_width(size, copy),
                             dv_label_height(size),
                             .colour = colour,
                             .size = (uint8_t)clamp(size & ~DV_BOLD, 0, 2),
                             .bold = (size & DV_BOLD) != 0,
                             .text = copy});
}

static bool inside(const dv_draw *draw, float x, float y)
{
    return x >= draw->x && x < draw->x + draw->w && y >= draw->y && y < draw->y + draw->h;
}

uint32_t dv_scene_hit(const dv_scene *scene, float x, float y)
{
    uint32_t tag = 0;
    bool visible = true;
    for (size_t i = 0; i < scene->count; i++) {
        const dv_draw *draw = &scene->draws[i];
        if (draw->kind == DV_DRAW_CLIP)
            visible = draw->w <= 0 || inside(draw, x, y);
        else if (draw->kind == DV_DRAW_RECTANGLE && draw->tag && visible && inside(draw, x, y))
            tag = draw->tag;
    }
    return tag;
}
