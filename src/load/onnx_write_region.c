/* onnx_write_region.c - what reads and writes images at computed places, and spectra, as ONNX. */
#include "load/onnx_put.h"

/* begins, then ends */
static void put_pads(dv_onnx_put *put, const dv_pool_params *pool)
{
    int64_t pads[2 * DV_MAX_SPATIAL];
    for (uint8_t d = 0; d < pool->spatial; d++) {
        pads[d] = pool->pad_begin[d];
        pads[pool->spatial + d] = pool->pad_end[d];
    }
    dv_put_ints(put, "pads", pads, 2 * (size_t)pool->spatial);
}

dv_status dv_onnx_write_grid_sample(dv_onnx_put *put)
{
    static const char *const modes[] = {"nearest", "linear", "cubic"};
    static const char *const borders[] = {"zeros", "border", "reflection"};
    const dv_grid_params *grid = &put->op->params.grid;
    dv_put_need(put, 20); /* before, the modes had other names, and there were no volumes */
    dv_put_string(put, "mode", modes[grid->mode]);
    dv_put_string(put, "padding_mode", borders[grid->border]);
    dv_put_int(put, "align_corners", grid->align_corners);
    return dv_put_whole(put, put->type);
}

dv_status dv_onnx_write_affine_grid(dv_onnx_put *put)
{
    const dv_grid_params *grid = &put->op->params.grid;
    dv_put_need(put, 20);
    dv_put_int(put, "align_corners", grid->align_corners);
    return dv_put_last(put, put->type, dv_put_input(put, 0), dv_put_shape(put, &grid->shape), NULL);
}

dv_status dv_onnx_write_roi_align(dv_onnx_put *put)
{
    const dv_region_params *region = &put->op->params.region;
    dv_put_need(put, 16);
    dv_put_string(put, "coordinate_transformation_mode",
                  region->half_pixel ? "half_pixel" : "output_half_pixel");
    dv_put_string(put, "mode", region->largest ? "max" : "avg");
    dv_put_int(put, "output_height", region->height);
    dv_put_int(put, "output_width", region->width);
    dv_put_int(put, "sampling_ratio", region->samples);
    dv_put_float(put, "spatial_scale", region->scale);
    return dv_put_whole(put, put->type);
}

dv_status dv_onnx_write_max_roi_pool(dv_onnx_put *put)
{
    const dv_region_params *region = &put->op->params.region;
    dv_put_ints(put, "pooled_shape", (int64_t[]){region->height, region->width}, 2);
    dv_put_float(put, "spatial_scale", region->scale);
    return dv_put_whole(put, put->type);
}

dv_status dv_onnx_write_reverse_sequence(dv_onnx_put *put)
{
    if (dv_put_input_tensor(put, 1)->dtype != DV_DTYPE_I64)
        return dv_put_refuse(put, "its lengths are not i64");
    dv_put_int(put, "batch_axis", put->op->params.reverse.batch);
    dv_put_int(put, "time_axis", put->op->params.reverse.axis);
    return dv_put_whole(put, put->type);
}

dv_status dv_onnx_write_max_unpool(dv_onnx_put *put)
{
    const dv_pool_params *pool = &put->op->params.pool;
    if (!pool->whole || pool->by_column)
        return dv_put_refuse(put, "its indices are not those of the whole tensor");
    dv_put_ints(put, "kernel_shape", pool->kernel, pool->spatial);
    dv_put_ints(put, "strides", pool->stride, pool->spatial);
    put_pads(put, pool);
    return dv_put_last(put, put->type, dv_put_input(put, 0), dv_put_input(put, 1),
                       dv_put_shape(put, &dv_put_output_tensor(put, 0)->shape));
}

dv_status dv_onnx_write_col2im(dv_onnx_put *put)
{
    const dv_pool_params *pool = &put->op->params.pool;
    dv_put_need(put, 18);
    dv_put_ints(put, "strides", pool->stride, pool->spatial);
    dv_put_ints(put, "dilations", pool->dilation, pool->spatial);
    put_pads(put, pool);
    return dv_put_last(put, put->type, dv_put_input(put, 0),
                       dv_put_longs(put, pool->image, pool->spatial),
                       dv_put_longs(put, pool->kernel, pool->spatial));
}

dv_status dv_onnx_write_lp_pool(dv_onnx_put *put)
{
    const dv_pool_params *pool = &put->op->params.pool;
    if (!(pool->p >= 1 && pool->p < 1 << 20) || pool->p != (double)(int64_t)pool->p)
        return dv_put_refuse(put, "its p of %g is no whole number", pool->p);
    dv_put_need(put, 18);
    dv_put_int(put, "p", (int64_t)pool->p);
    dv_put_int(put, "ceil_mode", pool->ceil_mode);
    dv_put_ints(put, "kernel_shape", pool->kernel, pool->spatial);
    dv_put_ints(put, "strides", pool->stride, pool->spatial);
    dv_put_ints(put, "dilations", pool->dilation, pool->spatial);
    put_pads(put, pool);
    return dv_put_whole(put, put->type);
}

dv_status dv_onnx_write_dft(dv_onnx_put *put)
{
    const dv_spectrum_params *dft = &put->op->params.spectrum;
    dv_put_need(put, 20);
    dv_put_int(put, "inverse", dft->inverse);
    dv_put_int(put, "onesided", dft->onesided);
    return dv_put_last(put, put->type, dv_put_input(put, 0), dv_put_long(put, dft->length),
                       dv_put_long(put, dft->axis));
}

dv_status dv_onnx_write_stft(dv_onnx_put *put)
{
    const dv_spectrum_params *stft = &put->op->params.spectrum;
    const char *window = put->op->input_count > 1 ? dv_put_input(put, 1) : "";
    dv_put_need(put, 17);
    dv_put_int(put, "onesided", stft->onesided);
    const char *inputs[] = {dv_put_input(put, 0), dv_put_long(put, stft->step), window,
                            dv_put_long(put, stft->length)};
    const char *output = dv_put_output(put, 0);
    dv_put_node(put, put->type, inputs, 4, &output, 1);
    return DV_OK;
}
