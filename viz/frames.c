/* frames.c - where the repeated blocks lie in the layout. */
#include <math.h>

#include "viz/parts.h"

/* Grows the frame, which is empty while its width is negative, around a box. */
static void include(dv_frame *frame, const dv_place *place, float box_width)
{
    const float margin = 4; /* a third of the gap between layers: frames keep apart */
    float x0 = place->x - margin, y0 = place->y - margin;
    float x1 = place->x + box_width + margin, y1 = place->y + DV_BOX_HEIGHT + margin;
    if (frame->w >= 0) {
        x1 = fmaxf(x1, frame->x + frame->w);
        y1 = fmaxf(y1, frame->y + frame->h);
        x0 = fminf(x0, frame->x);
        y0 = fminf(y0, frame->y);
    }
    *frame = (dv_frame){x0, y0, x1 - x0, y1 - y0};
}

/* One block: a frame for each column that holds some of it. */
static bool frame_block(dv_view *view, dv_unit_id first, uint32_t count)
{
    const dv_layout *layout = view->layout;
    uint32_t low = UINT32_MAX, high = 0;
    for (dv_unit_id u = first; u < first + count; u++) {
        uint32_t column = layout->places[u].column;
        low = column < low ? column : low;
        high = column > high ? column : high;
    }
    for (uint32_t column = low; column <= high; column++) {
        dv_frame frame = {.w = -1};
        for (dv_unit_id u = first; u < first + count; u++)
            if (layout->places[u].column == column)
                include(&frame, &layout->places[u], layout->box_width);
        void *frames = view->frames;
        if (frame.w < 0)
            continue;
        if (!dv_grow(&frames, &view->frame_capacity, view->frame_count + 1, sizeof frame))
            return false;
        view->frames = frames;
        view->frames[view->frame_count++] = frame;
    }
    return true;
}

dv_status dv_frame_blocks(dv_view *view)
{
    view->frame_count = 0;
    for (uint32_t r = 0; r < view->blocks.run_count; r++) {
        const dv_block_run *run = &view->blocks.runs[r];
        for (uint32_t i = 0; i < run->repeats; i++)
            if (!frame_block(view, run->first + i * run->period, run->period))
                return dv_fail(DV_NO_MEMORY, "no memory for the viewer");
    }
    return DV_OK;
}
