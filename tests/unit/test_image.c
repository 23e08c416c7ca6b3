/* test_image.c - pixels of the rasteriser, and the PNG file. */
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "tests/suite.h"
#include "viz/scene.h"

/* A bit of everything, also beyond the edges. */
static dv_scene *fixed_scene(void)
{
    dv_scene *scene = dv_scene_create(160, 90, 0xF7F7F5);
    dv_scene_rectangle(scene, 5, 5, 40.4f, 20.6f, 0x56B4E9, 1);
    dv_scene_rounded(scene, 60, 10, 50, 30, 6, 0xCC79A7, 2);
    dv_scene_outline(scene, 60, 10, 50, 30, 6, 0x333333);
    dv_scene_line(scene, 0, 60, 159, 60, 0x9A9A9A);
    dv_scene_line(scene, 10, 50, 40, 80, 0xC8102E);
    dv_scene_label(scene, 64, 14, 0, 0, 0x000000, "conv 3x3");
    dv_scene_label(scene, 4, 70, 0, 2 + DV_BOLD, 0x222222, "AV \xC2\xB7 2 \xC3\x97 3");
    dv_scene_clip(scene, 120, 0, 20, 45);
    dv_scene_rectangle(scene, 100, -20, 100, 200, 0x009E73, 3);
    dv_scene_clip(scene, 0, 0, 0, 0);
    dv_scene_rectangle(scene, -1e9f, 88, 2e9f, 1, 0x000000, 0);
    return scene;
}

static const uint8_t *pixel(const uint8_t *pixels, int x, int y)
{
    return pixels + 3 * (y * 160 + x);
}

static unsigned colour(const uint8_t *p)
{
    return (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];
}

static void two_drawings_of_a_scene_have_the_same_known_pixels(void)
{
    dv_scene *scene = fixed_scene();
    uint8_t *a = dv_scene_rasterise(scene), *b = dv_scene_rasterise(scene);
    static const char known[] = "436e042bb566ce758fd0d6d48f0635a4c2ec251baf374b63f51dd1faefd4d29b";
    char hash[65];
    CU_ASSERT_PTR_NOT_NULL_FATAL(a);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    CU_ASSERT_EQUAL(memcmp(a, b, 160 * 90 * 3), 0);
    dv_sha256_hex(a, 160 * 90 * 3, hash);
    /* all machines draw these pixels; a change of the rasteriser or the letters changes them */
    CU_ASSERT_STRING_EQUAL(hash, known);
    if (strcmp(hash, known) != 0)
        fprintf(stderr, "\n    hash is now %s\n", hash);
    free(a);
    free(b);
    dv_scene_destroy(scene);
}

static void shapes_are_where_they_were_put(void)
{
    dv_scene *scene = fixed_scene();
    uint8_t *p = dv_scene_rasterise(scene);
    CU_ASSERT_EQUAL(colour(pixel(p, 5, 5)), 0x56B4E9);
    CU_ASSERT_EQUAL(colour(pixel(p, 44, 25)), 0x56B4E9);
    CU_ASSERT_EQUAL(colour(pixel(p, 45, 26)), 0xF7F7F5);
    CU_ASSERT_EQUAL(colour(pixel(p, 60, 10)), 0xF7F7F5); /* cut off by the round corner */
    CU_ASSERT_EQUAL(colour(pixel(p, 85, 10)), 0x333333);
    CU_ASSERT_EQUAL(colour(pixel(p, 85, 38)), 0xCC79A7);
    CU_ASSERT_EQUAL(colour(pixel(p, 119, 20)), 0xF7F7F5);
    CU_ASSERT_EQUAL(colour(pixel(p, 120, 20)), 0x009E73);
    CU_ASSERT_EQUAL(colour(pixel(p, 120, 46)), 0xF7F7F5);
    CU_ASSERT_EQUAL(colour(pixel(p, 159, 60)), 0x9A9A9A);
    CU_ASSERT_EQUAL(colour(pixel(p, 25, 65)), 0xC8102E);
    CU_ASSERT_EQUAL(colour(pixel(p, 0, 88)), 0x000000);
    free(p);
    dv_scene_destroy(scene);
}

static void letters_leave_ink_and_only_within_their_box(void)
{
    dv_scene *scene = dv_scene_create(160, 90, 0xFFFFFF);
    dv_scene_label(scene, 20, 30, 0, 1, 0x000000, "Whole {} gjpqy");
    const dv_draw label = scene->draws[0];
    uint8_t *p = dv_scene_rasterise(scene);
    int ink = 0, outside = 0;
    for (int y = 0; y < 90; y++)
        for (int x = 0; x < 160; x++) {
            bool dark = colour(pixel(p, x, y)) != 0xFFFFFF;
            bool in = (float)x >= label.x - 1 && (float)x < label.x + label.w + 1 &&
                      (float)y >= label.y - 1 && (float)y < label.y + label.h + 1;
            ink += dark;
            outside += dark && !in;
        }
    CU_ASSERT_TRUE(ink > 100);
    CU_ASSERT_EQUAL(outside, 0);
    free(p);
    dv_scene_destroy(scene);
}

static void the_png_file_holds_the_pixels(void)
{
    char path[256];
    dv_scene *scene = fixed_scene();
    uint8_t *drawn = dv_scene_rasterise(scene), *read = malloc(160 * 90 * 3);
    snprintf(path, sizeof path, "%s/scene.png", dv_test_folder());
    CU_ASSERT_EQUAL(dv_scene_write_png(scene, path), DV_OK);
    png_image image = {.version = PNG_IMAGE_VERSION};
    CU_ASSERT_TRUE_FATAL(png_image_begin_read_from_file(&image, path));
    CU_ASSERT_EQUAL_FATAL(image.width, 160);
    CU_ASSERT_EQUAL_FATAL(image.height, 90);
    image.format = PNG_FORMAT_RGB;
    CU_ASSERT_TRUE(png_image_finish_read(&image, NULL, read, 0, NULL));
    CU_ASSERT_EQUAL(memcmp(drawn, read, 160 * 90 * 3), 0);
    free(read);
    free(drawn);
    dv_scene_destroy(scene);
}

static void a_picture_that_cannot_be_written_is_an_error_and_leaves_nothing(void)
{
    dv_scene *scene = fixed_scene();
    CU_ASSERT_EQUAL(dv_scene_write_png(scene, "/nonexistent/folder/x.png"), DV_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "/nonexistent/folder/x.png"));
    CU_ASSERT_NOT_EQUAL(access("/nonexistent/folder/x.png", F_OK), 0);
    dv_scene_destroy(scene);
}

static void sides_are_kept_within_reason(void)
{
    dv_scene *scene = dv_scene_create(-5, 1 << 30, 0);
    CU_ASSERT_EQUAL(scene->width, 1);
    CU_ASSERT_EQUAL(scene->height, DV_MAX_SIDE);
    dv_scene_destroy(scene);
}

DV_SUITE(viz_image, DV_TEST(two_drawings_of_a_scene_have_the_same_known_pixels),
         DV_TEST(shapes_are_where_they_were_put),
         DV_TEST(letters_leave_ink_and_only_within_their_box),
         DV_TEST(the_png_file_holds_the_pixels),
         DV_TEST(a_picture_that_cannot_be_written_is_an_error_and_leaves_nothing),
         DV_TEST(sides_are_kept_within_reason));
