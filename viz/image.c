/* image.c - the scene as a PNG file. */
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>

#include "core/file.h"
#include "core/text.h"
#include "viz/scene.h"

static void append(png_structp png, png_bytep bytes, size_t size)
{
    dv_text *out = png_get_io_ptr(png);
    dv_text_append_n(out, (const char *)bytes, size);
    if (out->failed)
        png_error(png, "out of memory");
}

static void flush(png_structp png)
{
    (void)png;
}

static void quiet(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

/* libpng leaves by longjmp where it fails, so all that it may leave is owned by the caller. */
static bool encode(const dv_scene *scene, uint8_t *pixels, dv_text *out)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, quiet);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info || setjmp(png_jmpbuf(png))) {
        png_destroy_write_struct(&png, &info);
        return false;
    }
    png_set_write_fn(png, out, append, flush);
    png_set_compression_level(png, 6);
    png_set_IHDR(png, info, (png_uint_32)scene->width, (png_uint_32)scene->height, 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int y = 0; y < scene->height; y++)
        png_write_row(png, pixels + 3 * (size_t)y * (size_t)scene->width);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return true;
}

dv_status dv_scene_write_png(const dv_scene *scene, const char *path)
{
    dv_text bytes = {0};
    uint8_t *pixels = scene->failed ? NULL : dv_scene_rasterise(scene);
    dv_status status;
    if (pixels && encode(scene, pixels, &bytes))
        status = dv_file_write(path, bytes.data, bytes.length);
    else
        status = dv_fail(DV_NO_MEMORY, "%s: no memory to draw the picture", path);
    free(pixels);
    dv_text_free(&bytes);
    return status;
}
