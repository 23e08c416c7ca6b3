/* picture.h - pictures as files. */
#ifndef DV_CLI_PICTURE_H
#define DV_CLI_PICTURE_H

#include "cli/cli.h"
#include "viz/view.h"

/* --size, or 1280x800. */
DV_MUST_USE dv_status dv_picture_size(const dv_cli *cli, int *width, int *height);

/* Writes the scene as PNG and SVG; a path may be NULL. */
DV_MUST_USE dv_status dv_picture_write_scene(const dv_scene *scene, const char *png,
                                             const char *svg);

/* Draws the view and writes it. */
DV_MUST_USE dv_status dv_picture_write(dv_view *view, int width, int height, const char *png,
                                       const char *svg);

#endif
