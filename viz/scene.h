/* scene.h - a picture as a list of drawing commands: rectangles, lines, labels, clips.

   The same list is drawn into an SDL window, a PNG, an SVG, and asserted on by tests. */
#ifndef DV_VIZ_SCENE_H
#define DV_VIZ_SCENE_H

#include "core/arena.h"

typedef uint32_t dv_colour; /* 0xRRGGBB */

typedef enum dv_draw_kind {
    DV_DRAW_RECTANGLE, /* filled */
    DV_DRAW_OUTLINE,   /* 1 px */
    DV_DRAW_LINE,      /* axis-parallel or short */
    DV_DRAW_LABEL,     /* text in a compiled-in face, clipped to w */
    DV_DRAW_CLIP,      /* what follows is clipped to this; w = 0: no clip */
} dv_draw_kind;

typedef struct dv_draw {
    dv_draw_kind kind;
    float x, y, w, h; /* a line runs from (x, y) to (x + w, y + h) */
    dv_colour colour;
    uint8_t size; /* label: pixel height class 0, 1, 2 */
    uint8_t bold;
    uint8_t radius;   /* rectangle, outline: of the corners, at most DV_MAX_RADIUS pixels */
    const char *text; /* label, in the scene's arena */
    uint32_t tag;     /* what it shows (dv_hit), 0: nothing that can be clicked */
} dv_draw;

typedef struct dv_scene {
    int width, height;
    dv_colour background;
    size_t count, capacity;
    dv_draw *draws;
    dv_arena *arena;
    bool failed; /* a command was lost for want of memory; stays so until cleared */
} dv_scene;

enum {
    DV_MAX_RADIUS = 8,
    DV_MAX_SIDE = 16384, /* of a scene */
    DV_BOLD = 4,         /* added to the size of a label */
};

/* An empty scene, sides clamped to [1, DV_MAX_SIDE]; NULL without memory. */
dv_scene *dv_scene_create(int width, int height, dv_colour background);
void dv_scene_destroy(dv_scene *scene); /* NULL is allowed */

/* Drops all commands and their text. */
void dv_scene_clear(dv_scene *scene);

/* Coordinates are pixels from the top left; a coordinate that is not finite drops the command. */
void dv_scene_rectangle(dv_scene *scene, float x, float y, float w, float h, dv_colour colour,
                        uint32_t tag);
void dv_scene_rounded(dv_scene *scene, float x, float y, float w, float h, int radius,
                      dv_colour colour, uint32_t tag);
void dv_scene_outline(dv_scene *scene, float x, float y, float w, float h, int radius,
                      dv_colour colour);
void dv_scene_line(dv_scene *scene, float x0, float y0, float x1, float y1, dv_colour colour);
/* (x, y) is the top left of the line. Text is cut with ".." if wider than w (w = 0: unlimited);
   control characters and what is not UTF-8 show as '?'. */
void dv_scene_label(dv_scene *scene, float x, float y, float w, int size, dv_colour colour,
                    const char *format, ...) DV_PRINTF(7, 8);
void dv_scene_clip(dv_scene *scene, float x, float y, float w, float h);

/* The tag of the topmost tagged rectangle (within its clip) at a point, 0 if none. O(commands). */
uint32_t dv_scene_hit(const dv_scene *scene, float x, float y);

/* Pixel size of a label; size may have DV_BOLD added. */
float dv_label_width(int size, const char *text);
float dv_label_height(int size);

/* Whole files or nothing. The PNG is drawn by our own software rasteriser: the same bytes of pixels
   on every machine. */
DV_MUST_USE dv_status dv_scene_write_svg(const dv_scene *scene, const char *path);
DV_MUST_USE dv_status dv_scene_write_png(const dv_scene *scene, const char *path);

/* RGB pixels, width * height * 3, malloc'ed; NULL without memory. */
uint8_t *dv_scene_rasterise(const dv_scene *scene);

#endif
