/* infer_detect.c - shapes of operators that pick boxes: they have room for a fixed number, and say
   how many they found. */
#include "lower/infer.h"

enum { MOST_BOXES = 1 << 20 };

static void give(dv_infer *infer, uint32_t output, dv_dtype dtype, const int64_t *dims,
                 unsigned rank)
{
    if (output >= infer->output_count)
        return;
    infer->shapes[output] = dv_shape_make(dims, rank);
    infer->dtypes[output] = dtype;
    infer->known_outputs = output + 1;
}

static bool is_float(const dv_infer *infer, uint32_t i)
{
    const dv_tensor *tensor = dv_infer_input(infer, i);
    return tensor && dv_dtype_is_float(tensor->dtype);
}

static bool is_one_number(const dv_infer *infer, uint32_t i)
{
    size_t count;
    return is_float(infer, i) && dv_shape_elements(&dv_infer_input(infer, i)->shape, &count) &&
           count == 1;
}

dv_status dv_infer_suppress(dv_infer *infer)
{
    int64_t most = infer->params.suppress.most;
    const dv_shape *boxes = &dv_infer_input(infer, 0)->shape;
    const dv_shape *scores = &dv_infer_input(infer, 1)->shape;
    if (boxes->rank != 2 || boxes->dim[1] != 4 || scores->rank != 1 ||
        scores->dim[0] != boxes->dim[0] || !is_float(infer, 0) || !is_float(infer, 1))
        return dv_infer_fail(infer, "its boxes and scores do not match");
    for (uint32_t i = 2; i < infer->input_count; i++)
        if (!is_one_number(infer, i))
            return dv_infer_fail(infer, "its input %u must be one number", i);
    if (most < 0 || most > MOST_BOXES)
        return dv_infer_fail(infer, "it cannot keep %lld boxes", (long long)most);
    give(infer, 0, DV_DTYPE_I32, &most, 1);
    give(infer, 1, dv_infer_input(infer, 1)->dtype, &most, 1);
    give(infer, 2, DV_DTYPE_I32, NULL, 0);
    return DV_OK;
}

dv_status dv_infer_detect(dv_infer *infer)
{
    const dv_detect_params *p = &infer->params.detect;
    const dv_shape *boxes = &dv_infer_input(infer, 0)->shape;
    const dv_shape *scores = &dv_infer_input(infer, 1)->shape;
    const dv_shape *anchors = &dv_infer_input(infer, 2)->shape;
    bool fits = boxes->rank == 3 && scores->rank == 3 && anchors->rank == 2 && boxes->dim[0] == 1 &&
                boxes->dim[2] >= 4 && scores->dim[0] == 1 && scores->dim[1] == boxes->dim[1] &&
                anchors->dim[0] == boxes->dim[1] && anchors->dim[1] == 4 && is_float(infer, 0) &&
                is_float(infer, 1) && is_float(infer, 2);
    if (!fits)
        return dv_infer_fail(infer, "its boxes, scores and anchors do not match");
    if (p->classes < 1 || scores->dim[2] < p->classes || scores->dim[2] - 1 > p->classes)
        return dv_infer_fail(infer, "it has scores of %lld classes, not of %lld",
                             (long long)scores->dim[2], (long long)p->classes);
    if (p->most < 0 || p->most > MOST_BOXES || p->classes_per_box < 1 ||
        p->classes_per_box > MOST_BOXES || p->most * p->classes_per_box > MOST_BOXES ||
        p->most_per_class < 1 || !(p->overlap > 0 && p->overlap <= 1))
        return dv_infer_fail(infer, "its numbers of boxes or its overlap are out of range");
    int64_t room = p->most * p->classes_per_box;
    give(infer, 0, DV_DTYPE_F32, (const int64_t[]){1, room, 4}, 3);
    give(infer, 1, DV_DTYPE_F32, (const int64_t[]){1, room}, 2);
    give(infer, 2, DV_DTYPE_F32, (const int64_t[]){1, room}, 2);
    give(infer, 3, DV_DTYPE_F32, (const int64_t[]){1}, 1);
    return DV_OK;
}
