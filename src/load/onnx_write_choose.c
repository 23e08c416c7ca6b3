/* onnx_write_choose.c - results whose length the values decide, as ONNX.

   ONNX's operators give as many rows as there are; ours have a fixed number (dv_rows_params). So
   behind each stands a Gather of that many rows, in which the last one stands again where there are
   too few: rows of places min(0 .. rows - 1, count - 1), a row of zeros put behind the others for a
   result that has none. */
#include <math.h>

#include "load/onnx_put.h"

/* `found` has as many rows along axis as there were; gives the operator's output i. */
static void put_rows(dv_onnx_put *put, uint32_t i, const char *found, int64_t axis, int64_t rows)
{
    dv_shape one = dv_put_output_tensor(put, i)->shape;
    one.dim[axis] = 1;
    dv_put_value(put, "value", dv_put_output_tensor(put, i)->dtype, 0);
    const char *zeros = dv_put_part(put, "ConstantOfShape", dv_put_shape(put, &one), NULL, NULL);
    dv_put_int(put, "axis", axis);
    const char *all = dv_put_part(put, "Concat", found, zeros, NULL);
    const char *shape = dv_put_part(put, "Shape", all, NULL, NULL);
    const char *count = dv_put_part(put, "Gather", shape, dv_put_long(put, axis), NULL);
    const char *last = dv_put_part(put, "Sub", count, dv_put_long(put, 2), NULL);
    last = dv_put_part(put, "Max", last, dv_put_long(put, 0), NULL);
    const char *places =
        dv_put_part(put, "Range", dv_put_long(put, 0), dv_put_long(put, rows), dv_put_long(put, 1));
    places = dv_put_part(put, "Min", places, last, NULL);
    dv_put_int(put, "axis", axis);
    const char *inputs[] = {all, places}, *outputs[] = {dv_put_output(put, i)};
    dv_put_node(put, "Gather", inputs, 2, outputs, 1);
}

dv_status dv_onnx_write_nonzero(dv_onnx_put *put)
{
    dv_put_need(put, 12); /* Min and Max of integers */
    const char *found = dv_put_part(put, put->type, dv_put_input(put, 0), NULL, NULL);
    put_rows(put, 0, found, 1, put->op->params.rows.rows);
    return DV_OK;
}

dv_status dv_onnx_write_nms(dv_onnx_put *put)
{
    const dv_nms_params *nms = &put->op->params.nms;
    for (uint32_t i = 0; i < 2; i++)
        if (dv_put_input_tensor(put, i)->dtype != DV_DTYPE_F32)
            return dv_put_refuse(put, "its boxes or scores are not f32");
    float overlap = (float)nms->overlap, score = (float)nms->score;
    bool scored = !isinf(nms->score);
    const char *inputs[] = {dv_put_input(put, 0), dv_put_input(put, 1),
                            dv_put_longs(put, &nms->most, 1), dv_put_floats(put, &overlap, 1),
                            scored ? dv_put_floats(put, &score, 1) : NULL};
    const char *found = dv_put_new_name(put, "selected");
    dv_put_need(put, 12);
    dv_put_int(put, "center_point_box", nms->centred);
    dv_put_node(put, put->type, inputs, scored ? 5 : 4, &found, 1);
    put_rows(put, 0, found, 0, nms->rows);
    return DV_OK;
}

dv_status dv_onnx_write_unique(dv_onnx_put *put)
{
    const dv_unique_params *unique = &put->op->params.unique;
    const char *input = dv_put_input(put, 0), *found[4];
    uint32_t count = put->op->output_count;
    for (uint32_t i = 0; i < count; i++)
        found[i] = dv_put_new_name(put, "unique");
    dv_put_need(put, 12);
    if (!unique->flat)
        dv_put_int(put, "axis", unique->axis);
    dv_put_int(put, "sorted", unique->sorted);
    dv_put_node(put, put->type, &input, 1, found, count);
    for (uint32_t i = 0; i < count; i++) {
        if (put->op->outputs[i] == DV_NONE)
            continue;
        if (i != 2) {
            put_rows(put, i, found[i], i == 0 ? unique->axis : 0, unique->rows);
            continue;
        }
        const char *inputs[] = {found[i],
                                dv_put_long(put, unique->rows > 0 ? unique->rows - 1 : 0)};
        const char *output = dv_put_output(put, i);
        dv_put_node(put, "Min", inputs, 2, &output, 1);
    }
    return DV_OK;
}
