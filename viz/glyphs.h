/* glyphs.h - letters as coverage, compiled in, so that no font need be installed and every machine
   draws the same pixels. */
#ifndef DV_VIZ_GLYPHS_H
#define DV_VIZ_GLYPHS_H

#include <stdint.h>

typedef struct dv_glyph {
    uint32_t offset;  /* of its pixels in the face */
    int8_t left, top; /* of the bitmap, from the pen on the base line */
    uint8_t width, height, advance;
} dv_glyph;

typedef struct dv_face {
    int pixels;          /* nominal size */
    int ascent, descent; /* of a line, about the base line */
    const dv_glyph *glyphs;
    const char *coverage; /* one hexadecimal digit a pixel, 0 to F */
} dv_face;

/* [bold][size class] */
extern const dv_face dv_faces[2][3];

/* The glyph of the character that *text starts with; moves *text behind it. Printable ASCII, the
   middle dot, the multiplication sign and the arrow have one; any other character, and every byte
   that is not UTF-8, is shown as '?'. *text must not be at the terminator. */
const dv_glyph *dv_glyph_next(const dv_face *face, const char **text);

/* One character of UTF-8: its code point, and *text moved behind it. A byte that is not UTF-8
   (also overlong forms, surrogates, above U+10FFFF) gives UINT32_MAX and moves by one. */
uint32_t dv_utf8_next(const char **text);

#endif
