/* picture.c - a scene becomes files. */
#include "cli/picture.h"

#include <stdio.h>
#include <string.h>

dv_status dv_picture_size(const dv_cli *cli, int *width, int *height)
{
    *width = 1280;
    *height = 800;
    const char *text = dv_cli_value(cli, DV_OPTION_SIZE);
    if (!text)
        return DV_OK;
    char rest;
    if (strlen(text) > 11 || sscanf(text, "%dx%d%c", width, height, &rest) != 2 || *width < 320 ||
        *height < 200 || *width > DV_MAX_SIDE || *height > DV_MAX_SIDE)
        return dv_fail(DV_BAD_PARAMETER,
                       "%s: --size '%s': must be WxH, from 320x200 to 16384x16384",
                       dv_verbs[cli->verb].name, text);
    return DV_OK;
}

dv_status dv_picture_write_scene(const dv_scene *scene, const char *png, const char *svg)
{
    if (png)
        DV_TRY(dv_scene_write_png(scene, png));
    return svg ? dv_scene_write_svg(scene, svg) : DV_OK;
}

dv_status dv_picture_write(dv_view *view, int width, int height, const char *png, const char *svg)
{
    dv_scene *scene = dv_scene_create(width, height, 0xffffff);
    if (!scene)
        return dv_fail(DV_NO_MEMORY, "no memory for a picture");
    dv_status status = dv_view_draw(view, scene);
    if (status == DV_OK)
        status = dv_picture_write_scene(scene, png, svg);
    dv_scene_destroy(scene);
    return status;
}
