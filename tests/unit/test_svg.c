/* test_svg.c - the SVG file is XML whatever the names in it are. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/file.h"
#include "tests/suite.h"
#include "viz/glyphs.h"
#include "viz/scene.h"

/* A small check of well-formedness: nesting of tags, quoted unique attributes, known entities, no
   forbidden characters, UTF-8. Enough for files without DTDs, comments and CDATA. */
typedef struct xml {
    const char *at;
    char open[16][32];
    int depth, elements;
} xml;

static bool name(xml *x, char out[32])
{
    size_t n = 0;
    while (n < 31 && (isalnum((unsigned char)*x->at) || strchr(":_-", *x->at)) && *x->at)
        out[n++] = *x->at++;
    out[n] = '\0';
    return n > 0 && isalpha((unsigned char)out[0]);
}

static bool entity(xml *x)
{
    static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&apos;"};
    for (int i = 0; i < 5; i++)
        if (strncmp(x->at, known[i], strlen(known[i])) == 0) {
            x->at += strlen(known[i]);
            return true;
        }
    return false;
}

/* Characters up to one of `stop`. */
static bool characters(xml *x, const char *stop)
{
    while (*x->at && !strchr(stop, *x->at)) {
        if (*x->at == '&') {
            if (!entity(x))
                return false;
            continue;
        }
        uint32_t code = dv_utf8_next(&x->at);
        if (code == UINT32_MAX || code == '<' || code == 0xFFFE || code == 0xFFFF ||
            (code < ' ' && code != '\n' && code != '\t' && code != '\r'))
            return false;
    }
    return true;
}

static bool attributes(xml *x)
{
    char seen[16][32];
    int count = 0;
    while (isspace((unsigned char)*x->at)) {
        while (isspace((unsigned char)*x->at))
            x->at++;
        if (strchr("/>?", *x->at))
            break;
        if (count == 16 || !name(x, seen[count]) || x->at[0] != '=' || x->at[1] != '"')
            return false;
        for (int i = 0; i < count; i++)
            if (strcmp(seen[i], seen[count]) == 0)
                return false;
        count++;
        x->at += 2;
        if (!characters(x, "\"") || *x->at++ != '"')
            return false;
    }
    return true;
}

static bool element(xml *x)
{
    char tag[32];
    if (*x->at == '/') {
        x->at++;
        return name(x, tag) && *x->at++ == '>' && x->depth > 0 &&
               strcmp(tag, x->open[--x->depth]) == 0;
    }
    if (!name(x, tag) || !attributes(x))
        return false;
    x->elements++;
    if (x->at[0] == '/' && x->at[1] == '>') {
        x->at += 2;
        return true;
    }
    if (x->depth == 16)
        return false;
    strcpy(x->open[x->depth++], tag);
    return *x->at++ == '>';
}

/* The number of elements, or -1 if the text is not well-formed. */
static int well_formed(const char *text)
{
    xml x = {.at = text};
    if (strncmp(text, "<?xml ", 6) != 0)
        return -1;
    x.at = strstr(text, "?>");
    if (!x.at)
        return -1;
    x.at += 2;
    while (characters(&x, "<") && *x.at == '<') {
        x.at++;
        if (!element(&x))
            return -1;
    }
    return *x.at == '\0' && x.depth == 0 ? x.elements : -1;
}

/* The file that the scene makes, in a buffer that the caller releases. */
static dv_buffer *svg_of(const dv_scene *scene)
{
    char path[256];
    dv_buffer *buffer = NULL;
    snprintf(path, sizeof path, "%s/scene.svg", dv_test_folder());
    CU_ASSERT_EQUAL_FATAL(dv_scene_write_svg(scene, path), DV_OK);
    CU_ASSERT_EQUAL_FATAL(dv_buffer_map(path, &buffer), DV_OK);
    return buffer;
}

static int elements_of(const dv_scene *scene)
{
    static char text[65536];
    dv_buffer *buffer = svg_of(scene);
    size_t size = dv_buffer_size(buffer);
    CU_ASSERT_TRUE_FATAL(size < sizeof text);
    memcpy(text, dv_buffer_data(buffer), size);
    text[size] = '\0';
    CU_ASSERT_EQUAL(strlen(text), size);
    dv_buffer_release(buffer);
    return well_formed(text);
}

static void the_check_knows_good_from_bad(void)
{
    CU_ASSERT_EQUAL(well_formed("<?xml version=\"1.0\"?><a b=\"c\"><d/>&amp;</a>"), 2);
    CU_ASSERT_EQUAL(well_formed("<?xml version=\"1.0\"?><a><d></a>"), -1);
    CU_ASSERT_EQUAL(well_formed("<?xml version=\"1.0\"?><a>&nbsp;</a>"), -1);
    CU_ASSERT_EQUAL(well_formed("<?xml version=\"1.0\"?><a b=\"1\" b=\"2\"/>"), -1);
    CU_ASSERT_EQUAL(well_formed("<?xml version=\"1.0\"?><a>\x01</a>"), -1);
    CU_ASSERT_EQUAL(well_formed("<?xml version=\"1.0\"?><a>\xC3</a>"), -1);
    CU_ASSERT_EQUAL(well_formed("<?xml version=\"1.0\"?><a b=\"<\"/>"), -1);
}

static void every_command_becomes_an_element(void)
{
    dv_scene *scene = dv_scene_create(200, 100, 0xFFFFFF);
    dv_scene_rectangle(scene, 1, 2, 3, 4, 0x123456, 9);
    dv_scene_rounded(scene, 1, 2, 30, 40, 4, 0x123456, 9);
    dv_scene_outline(scene, 1, 2, 0.2f, 0.2f, 0, 0); /* smaller than its line */
    dv_scene_line(scene, 0, 0, 10, 10, 0);
    dv_scene_label(scene, 0, 0, 0, 1 + DV_BOLD, 0, "label");
    CU_ASSERT_EQUAL(elements_of(scene), 2 + 5); /* the root and the background */
    dv_scene_destroy(scene);
}

static void names_cannot_break_out_of_the_text(void)
{
    static const char *const hostile[] = {
        "{\"1\": \"a<b&c\"}",
        "</text><script>alert(1)</script>",
        "]]> & &amp; &#0; '\"",
        "\x01\x02\x1F\x7F tab\tnewline\n",
        "\xFF\xFE\xC0\x80 not UTF-8",
        "\xEF\xBF\xBE\xEF\xBF\xBF no characters",
        "\xE6\xBC\xA2\xE5\xAD\x97 \xF0\x9F\x98\x80 characters",
    };
    dv_scene *scene = dv_scene_create(200, 100, 0xFFFFFF);
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++)
        dv_scene_label(scene, 0, 0, 0, 0, 0, "%s", hostile[i]);
    CU_ASSERT_EQUAL(elements_of(scene), 2 + (int)(sizeof hostile / sizeof hostile[0]));
    dv_scene_destroy(scene);
}

static void cutting_a_label_does_not_split_a_character(void)
{
    dv_scene *scene = dv_scene_create(200, 100, 0xFFFFFF);
    for (int width = 5; width < 120; width++)
        dv_scene_label(scene, 0, 0, (float)width, 0, 0, "%s",
                       "\xE6\xBC\xA2\xE5\xAD\x97\xF0\x9F\x98\x80\xC3\xA9\xE6\xBC\xA2\xE5\xAD\x97");
    CU_ASSERT_TRUE(elements_of(scene) > 50);
    dv_scene_destroy(scene);
}

static void clips_open_and_close(void)
{
    dv_scene *scene = dv_scene_create(200, 100, 0xFFFFFF);
    dv_scene_clip(scene, 0, 0, 50, 50);
    dv_scene_rectangle(scene, 0, 0, 100, 100, 0, 1);
    dv_scene_clip(scene, 50, 0, 50, 50); /* replaces the first */
    dv_scene_rectangle(scene, 0, 0, 100, 100, 0, 1);
    dv_scene_clip(scene, 0, 0, 0, 0);
    dv_scene_clip(scene, 0, 0, 0, 0);
    dv_scene_clip(scene, 5, 5, 10, 10); /* left open */
    CU_ASSERT_EQUAL(elements_of(scene), 2 + 2 + 3 * 3);
    dv_scene_destroy(scene);
}

DV_SUITE(viz_svg, DV_TEST(the_check_knows_good_from_bad), DV_TEST(every_command_becomes_an_element),
         DV_TEST(names_cannot_break_out_of_the_text),
         DV_TEST(cutting_a_label_does_not_split_a_character), DV_TEST(clips_open_and_close));
