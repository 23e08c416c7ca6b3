/* svg.c - the scene as an SVG 1.1 file. */
#include <stdio.h>

#include "core/file.h"
#include "core/text.h"
#include "viz/glyphs.h"
#include "viz/scene.h"

/* Only what XML 1.0 allows: other control characters have no spelling in it at all. */
static void escape(dv_text *out, const char *text)
{
    while (*text) {
        const char *start = text;
        uint32_t code = dv_utf8_next(&text);
        switch (code) {
        case '&':
            dv_text_append(out, "&amp;");
            break;
        case '<':
            dv_text_append(out, "&lt;");
            break;
        case '>':
            dv_text_append(out, "&gt;");
            break;
        case '"':
            dv_text_append(out, "&quot;");
            break;
        default:
            if (code < ' ' || code == 0x7F || code == UINT32_MAX || code == 0xFFFE ||
                code == 0xFFFF)
                dv_text_append(out, "?");
            else
                dv_text_append_n(out, start, (size_t)(text - start));
        }
    }
}

static void shape(dv_text *out, const dv_draw *draw)
{
    bool filled = draw->kind == DV_DRAW_RECTANGLE;
    float inset = filled ? 0.0f : 0.5f; /* so that the 1-px stroke lies on pixels */
    float w = draw->w - 2 * inset, h = draw->h - 2 * inset;
    dv_text_append(out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"",
                   (double)(draw->x + inset), (double)(draw->y + inset), (double)(w > 0 ? w : 0),
                   (double)(h > 0 ? h : 0));
    if (draw->radius)
        dv_text_append(out, " rx=\"%u\"", draw->radius);
    if (filled)
        dv_text_append(out, " fill=\"#%06x\"/>\n", draw->colour);
    else
        dv_text_append(out, " fill=\"none\" stroke=\"#%06x\"/>\n", draw->colour);
}

static void line(dv_text *out, const dv_draw *draw)
{
    dv_text_append(out, "<path d=\"M%.2f %.2fl%.2f %.2f\" stroke=\"#%06x\"/>\n",
                   (double)draw->x + 0.5, (double)draw->y + 0.5, (double)draw->w, (double)draw->h,
                   draw->colour);
}

/* textLength holds the text to the width it was laid out with, whatever face the reader has. */
static void label(dv_text *out, const dv_draw *draw)
{
    const dv_face *face = &dv_faces[draw->bold ? 1 : 0][draw->size];
    dv_text_append(out,
                   "<text x=\"%.2f\" y=\"%.2f\" font-size=\"%d\"%s textLength=\"%.0f\" "
                   "lengthAdjust=\"spacingAndGlyphs\" fill=\"#%06x\">",
                   (double)draw->x, (double)draw->y + face->ascent, face->pixels,
                   draw->bold ? " font-weight=\"bold\"" : "", (double)draw->w, draw->colour);
    escape(out, draw->text);
    dv_text_append(out, "</text>\n");
}

static void clip(dv_text *out, const dv_draw *draw, size_t id)
{
    dv_text_append(out,
                   "<clipPath id=\"c%zu\"><rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" "
                   "height=\"%.2f\"/></clipPath>\n<g clip-path=\"url(#c%zu)\">\n",
                   id, (double)draw->x, (double)draw->y, (double)draw->w, (double)draw->h, id);
}

static void write_all(dv_text *out, const dv_scene *scene)
{
    bool open = false;
    dv_text_append(out,
                   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                   "viewBox=\"0 0 %d %d\" font-family=\"DejaVu Sans, Verdana, sans-serif\" "
                   "xml:space=\"preserve\">\n"
                   "<rect width=\"%d\" height=\"%d\" fill=\"#%06x\"/>\n",
                   scene->width, scene->height, scene->width, scene->height, scene->width,
                   scene->height, scene->background);
    for (size_t i = 0; i < scene->count; i++) {
        const dv_draw *draw = &scene->draws[i];
        switch (draw->kind) {
        case DV_DRAW_RECTANGLE:
        case DV_DRAW_OUTLINE:
            shape(out, draw);
            break;
        case DV_DRAW_LINE:
            line(out, draw);
            break;
        case DV_DRAW_LABEL:
            label(out, draw);
            break;
        case DV_DRAW_CLIP:
            if (open)
                dv_text_append(out, "</g>\n");
            open = draw->w > 0;
            if (open)
                clip(out, draw, i);
            break;
        }
    }
    dv_text_append(out, "%s</svg>\n", open ? "</g>\n" : "");
}

dv_status dv_scene_write_svg(const dv_scene *scene, const char *path)
{
    dv_text out = {0};
    write_all(&out, scene);
    dv_status status = out.failed || scene->failed
                           ? dv_fail(DV_NO_MEMORY, "%s: no memory to draw the picture", path)
                           : dv_file_write(path, out.data, out.length);
    dv_text_free(&out);
    return status;
}
