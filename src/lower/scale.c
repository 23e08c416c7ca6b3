/* scale.c - constants multiplied by factors, without computing or copying them. */
#include "lower/scale.h"

#include <string.h>

static dv_status out_of_memory(const dv_tensor *tensor)
{
    return dv_fail(DV_NO_MEMORY, "out of memory while scaling '%s'", tensor->name);
}

/* The factors that a constant has already; one of 1 if it has none. */
static dv_factors factors_of(const dv_data *data)
{
    static const double one = 1;
    if (data->storage != DV_STORAGE_SCALED)
        return (dv_factors){1, 1, &one};
    return (dv_factors){.count = dv_buffer_size(data->factors) / sizeof(double),
                        .inner = data->inner,
                        .factor = (const double *)(const void *)dv_buffer_data(data->factors)};
}

static bool are_equal(const dv_factors *f)
{
    for (size_t i = 1; i < f->count; i++)
        if (f->factor[i] != f->factor[0])
            return false;
    return true;
}

/* Elements that are scaled along other lines already are computed; they can then be scaled again.
 */
static dv_status compute(const dv_tensor *tensor, dv_data *data)
{
    size_t elements, bytes;
    if (!dv_shape_elements(&tensor->shape, &elements) || !dv_tensor_bytes(tensor, &bytes))
        return dv_fail(DV_INTERNAL, "'%s' has no size", tensor->name);
    *data = (dv_data){.storage = DV_STORAGE_BUFFER, .buffer = dv_buffer_create(bytes)};
    if (!data->buffer)
        return out_of_memory(tensor);
    dv_tensor_read(tensor, 0, elements, dv_buffer_writable(data->buffer));
    return DV_OK;
}

static dv_status multiply(dv_data *data, const dv_factors *a, const dv_factors *b)
{
    const dv_factors *finer = a->count > b->count ? a : b;
    dv_buffer *buffer = dv_buffer_create(finer->count * sizeof(double));
    if (!buffer)
        return dv_fail(DV_NO_MEMORY, "out of memory while scaling a constant");
    double *product = (double *)(void *)dv_buffer_writable(buffer);
    for (size_t i = 0; i < finer->count; i++)
        product[i] = a->factor[a->count > 1 ? i : 0] * b->factor[b->count > 1 ? i : 0];
    if (data->storage != DV_STORAGE_SCALED)
        data->base = data->storage;
    data->storage = DV_STORAGE_SCALED;
    data->factors = buffer;
    data->inner = finer->inner;
    return DV_OK;
}

dv_status dv_scale_constant(dv_rewrite *rewrite, const dv_factors *factors, const char *suffix,
                            dv_tensor_id *id)
{
    dv_tensor tensor = *dv_rewrite_at(rewrite, *id);
    dv_data data = tensor.data;
    dv_factors by = *factors, had = factors_of(&data);
    if (by.count == 0 || by.inner == 0)
        return DV_OK; /* there are no elements */
    if (are_equal(&by))
        by.count = 1;
    if (by.count == 1 && by.factor[0] == 1)
        return DV_OK;
    if (by.count == 1 && data.storage != DV_STORAGE_BUFFER && data.storage != DV_STORAGE_SCALED) {
        data.scale *= by.factor[0];
        data.shift = (double)(float)(data.shift * by.factor[0]);
        return dv_rewrite_constant(rewrite, tensor.name, suffix, tensor.dtype, &tensor.shape, &data,
                                   id);
    }
    dv_buffer *computed = NULL;
    if (had.count > 1 && by.count > 1 && (had.count != by.count || had.inner != by.inner)) {
        DV_TRY(compute(&tensor, &data));
        computed = data.buffer;
        had = factors_of(&data);
    }
    dv_status status = multiply(&data, &had, &by);
    if (status == DV_OK) {
        status = dv_rewrite_constant(rewrite, tensor.name, suffix, tensor.dtype, &tensor.shape,
                                     &data, id);
        dv_buffer_release(data.factors); /* the graph has its own reference */
    }
    dv_buffer_release(computed);
    return status;
}
