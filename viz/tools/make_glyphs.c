/* make_glyphs.c - draws the glyph table of viz/glyphs.c with FreeType; for maintainers, not built.

     cc $(pkg-config --cflags freetype2) make_glyphs.c -o make_glyphs $(pkg-config --libs freetype2)
     ./make_glyphs DejaVuSans.ttf DejaVuSans-Bold.ttf > ../glyphs.c

   The fonts are those of Debian's fonts-dejavu-core. */
#include <ft2build.h>
#include FT_FREETYPE_H
#include <stdio.h>
#include <stdlib.h>

static const char notice[] =
    "/* glyphs.c - the glyph table; made by viz/tools/make_glyphs.c, do not edit.\n"
    "\n"
    "   Drawn from DejaVu Sans and DejaVu Sans Bold 2.37 (https://dejavu-fonts.github.io), which\n"
    "   bear this notice:\n"
    "\n"
    "   Copyright (c) 2003 by Bitstream, Inc. All Rights Reserved. Bitstream Vera is a trademark "
    "of\n"
    "   Bitstream, Inc. DejaVu changes are in public domain.\n"
    "\n"
    "   Permission is hereby granted, free of charge, to any person obtaining a copy of the fonts\n"
    "   accompanying this license (\"Fonts\") and associated documentation files (the \"Font\n"
    "   Software\"), to reproduce and distribute the Font Software, including without limitation "
    "the\n"
    "   rights to use, copy, merge, publish, distribute, and/or sell copies of the Font Software, "
    "and\n"
    "   to permit persons to whom the Font Software is furnished to do so, subject to the "
    "following\n"
    "   conditions:\n"
    "\n"
    "   The above copyright and trademark notices and this permission notice shall be included in "
    "all\n"
    "   copies of one or more of the Font Software typefaces.\n"
    "\n"
    "   The Font Software may be modified, altered, or added to, and in particular the designs of\n"
    "   glyphs or characters in the Fonts may be modified and additional glyphs or characters may "
    "be\n"
    "   added to the Fonts, only if the fonts are renamed to names not containing either the "
    "words\n"
    "   \"Bitstream\" or the word \"Vera\".\n"
    "\n"
    "   This License becomes null and void to the extent applicable to Fonts or Font Software "
    "that\n"
    "   has been modified and is distributed under the \"Bitstream Vera\" names.\n"
    "\n"
    "   The Font Software may be sold as part of a larger software package but no copy of one or "
    "more\n"
    "   of the Font Software typefaces may be sold by itself.\n"
    "\n"
    "   THE FONT SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR "
    "IMPLIED,\n"
    "   INCLUDING BUT NOT LIMITED TO ANY WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR\n"
    "   PURPOSE AND NONINFRINGEMENT OF COPYRIGHT, PATENT, TRADEMARK, OR OTHER RIGHT. IN NO EVENT\n"
    "   SHALL BITSTREAM OR THE GNOME FOUNDATION BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER "
    "LIABILITY,\n"
    "   INCLUDING ANY GENERAL, SPECIAL, INDIRECT, INCIDENTAL, OR CONSEQUENTIAL DAMAGES, WHETHER IN "
    "AN\n"
    "   ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF THE USE OR INABILITY TO USE "
    "THE\n"
    "   FONT SOFTWARE OR FROM OTHER DEALINGS IN THE FONT SOFTWARE.\n"
    "\n"
    "   Except as contained in this notice, the names of Gnome, the Gnome Foundation, and "
    "Bitstream\n"
    "   Inc., shall not be used in advertising or otherwise to promote the sale, use or other\n"
    "   dealings in this Font Software without prior written authorization from the Gnome "
    "Foundation\n"
    "   or Bitstream Inc., respectively. For further information, contact: fonts at gnome dot "
    "org.\n"
    "\n"
    "   A pixel is one hexadecimal digit of coverage, rows from the top. */\n";

static const int pixels[] = {11, 13, 17};                  /* of the size classes */
static const unsigned long extra[] = {0xB7, 0xD7, 0x2192}; /* middle dot, times, arrow */

enum { FIRST = 32, ASCII = 95, EXTRA = sizeof extra / sizeof extra[0] };

static int column;

static void digit(unsigned coverage)
{
    if (column == 0)
        fputs("    \"", stdout);
    putchar("0123456789ABCDEF"[(coverage * 15 + 127) / 255]);
    if (++column == 92) {
        fputs("\"\n", stdout);
        column = 0;
    }
}

static void face(FT_Face font, const char *name, int size)
{
    FT_GlyphSlot slot = font->glyph;
    unsigned offset = 0;
    if (FT_Set_Pixel_Sizes(font, 0, (FT_UInt)size))
        exit(1);
    printf("\nstatic const char %s_%d_pixels[] =\n", name, size);
    column = 0;
    for (int i = 0; i < ASCII + EXTRA; i++) {
        if (FT_Load_Char(font, i < ASCII ? (FT_ULong)(FIRST + i) : extra[i - ASCII],
                         FT_LOAD_RENDER | FT_LOAD_TARGET_LIGHT))
            exit(1);
        for (unsigned y = 0; y < slot->bitmap.rows; y++)
            for (unsigned x = 0; x < slot->bitmap.width; x++)
                digit(slot->bitmap.buffer[(int)y * slot->bitmap.pitch + (int)x]);
    }
    fputs(column ? "\";\n" : "    \"\";\n", stdout);
    printf("\nstatic const dv_glyph %s_%d_glyphs[] = {\n", name, size);
    for (int i = 0; i < ASCII + EXTRA; i++) {
        if (FT_Load_Char(font, i < ASCII ? (FT_ULong)(FIRST + i) : extra[i - ASCII],
                         FT_LOAD_RENDER | FT_LOAD_TARGET_LIGHT))
            exit(1);
        printf("%s{%u, %d, %d, %u, %u, %ld},%s", i % 3 ? " " : "    ", offset, slot->bitmap_left,
               slot->bitmap_top, slot->bitmap.width, slot->bitmap.rows, (slot->advance.x + 32) / 64,
               i % 3 == 2 || i == ASCII + EXTRA - 1 ? "\n" : "");
        offset += slot->bitmap.width * slot->bitmap.rows;
    }
    fputs("};\n", stdout);
}

int main(int argc, char **argv)
{
    FT_Library library;
    FT_Face font[2];
    static const char *const name[] = {"regular", "bold"};
    if (argc != 3 || FT_Init_FreeType(&library))
        return 1;
    for (int weight = 0; weight < 2; weight++)
        if (FT_New_Face(library, argv[1 + weight], 0, &font[weight]))
            return 1;
    fputs(notice, stdout);
    fputs("#include \"viz/glyphs.h\"\n", stdout);
    for (int weight = 0; weight < 2; weight++)
        for (int s = 0; s < 3; s++)
            face(font[weight], name[weight], pixels[s]);
    fputs("\nconst dv_face dv_faces[2][3] = {\n", stdout);
    for (int weight = 0; weight < 2; weight++) {
        fputs("    {\n", stdout);
        for (int s = 0; s < 3; s++) {
            FT_Set_Pixel_Sizes(font[weight], 0, (FT_UInt)pixels[s]);
            printf("        {%d, %ld, %ld, %s_%d_glyphs, %s_%d_pixels},\n", pixels[s],
                   (font[weight]->size->metrics.ascender + 32) / 64,
                   (-font[weight]->size->metrics.descender + 32) / 64, name[weight], pixels[s],
                   name[weight], pixels[s]);
        }
        fputs("    },\n", stdout);
    }
    fputs("};\n", stdout);
    return 0;
}
