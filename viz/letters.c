/* letters.c - from UTF-8 to glyphs. */
#include <stdbool.h>

#include "viz/glyphs.h"

enum { FIRST = ' ', LAST = '~', BEHIND_ASCII = LAST - FIRST + 1 };

static bool follows(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

uint32_t dv_utf8_next(const char **text)
{
    const uint8_t *at = (const uint8_t *)*text;
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000}; /* by number of bytes that follow */
    unsigned more = at[0] < 0x80   ? 0
                    : at[0] < 0xC2 ? 4
                    : at[0] < 0xE0 ? 1
                    : at[0] < 0xF0 ? 2
                    : at[0] < 0xF5 ? 3
                                   : 4;
    *text += 1;
    if (more == 4)
        return UINT32_MAX;
    uint32_t code = more == 0 ? at[0] : at[0] & (0x3Fu >> more);
    for (unsigned i = 1; i <= more; i++) {
        if (!follows(at[i]))
            return UINT32_MAX;
        code = code << 6 | (at[i] & 0x3Fu);
    }
    if (code < least[more] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
        return UINT32_MAX;
    *text += more;
    return code;
}

const dv_glyph *dv_glyph_next(const dv_face *face, const char **text)
{
    static const uint32_t extra[] = {0xB7, 0xD7, 0x2192};
    uint32_t code = dv_utf8_next(text);
    if (code >= FIRST && code <= LAST)
        return &face->glyphs[code - FIRST];
    for (unsigned i = 0; i < sizeof extra / sizeof extra[0]; i++)
        if (code == extra[i])
            return &face->glyphs[BEHIND_ASCII + i];
    return &face->glyphs['?' - FIRST];
}
