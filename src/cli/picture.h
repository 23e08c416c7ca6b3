/* picture.h - the viewer's scene as files. */
#ifndef DV_CLI_PICTURE_H
#define DV_CLI_PICTURE_H

#include "viz/view.h"

/* Draws the view and writes it as PNG and SVG; a path may be NULL. */
DV_MUST_USE dv_status dv_picture_write(dv_view *view, int width, int height, const char *png,
                                       const char *svg);

#endif
