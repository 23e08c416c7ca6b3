#include "load/onnx_dims.h"

#include <stdio.h>
#include <string.h>

dv_status dv_onnx_dims_note(dv_onnx_dims *dims, const dv_onnx_value *input)
{
    if (input->rank == 0 || input->dims[0].known || input->dims[0].symbol.size == 0)
        return DV_OK;
    return dv_names_put(&dims->batch, input->dims[0].symbol, 1);
}

/* "x:2" for dim 2 of input x. */
static bool names_place(const char *binding, dv_span input, uint32_t index)
{
    char number[16];
    snprintf(number, sizeof number, ":%u", index);
    size_t length = strlen(binding), tail = strlen(number);
    return length == input.size + tail && memcmp(binding, input.data, input.size) == 0 &&
           strcmp(binding + input.size, number) == 0;
}

enum { OPEN = -1 };

/* The value that the command line gives this dim, or OPEN. */
static int64_t bound_value(dv_onnx_dims *dims, const dv_onnx_value *input, uint32_t index)
{
    const dv_load_options *options = dims->options;
    dv_span symbol = input->dims[index].symbol;
    for (size_t i = 0; options && i < options->dim_count; i++) {
        const dv_binding *binding = &options->dims[i];
        if ((symbol.size > 0 && dv_span_is(symbol, binding->name)) ||
            (input->name.size > 0 && names_place(binding->name, input->name, index))) {
            if (i < 64)
                dims->used |= (uint64_t)1 << i;
            return binding->value;
        }
    }
    return OPEN;
}

bool dv_onnx_dims_recorded(dv_onnx_dims *dims, const dv_onnx_value *value, dv_shape *out)
{
    if (value->rank > DV_MAX_RANK)
        return false;
    *out = (dv_shape){.rank = (uint8_t)value->rank};
    for (uint32_t i = 0; i < value->rank; i++) {
        const dv_onnx_dim *dim = &value->dims[i];
        bool named = dim->symbol.size > 0;
        int64_t size = dim->known ? dim->value : named ? bound_value(dims, value, i) : OPEN;
        bool batch = named ? dv_names_find(&dims->batch, dim->symbol, 0) != 0
                           : i == 0 && (!dims->options || dims->options->dim_count == 0);
        if (size < 0 && !batch)
            return false;
        out->dim[i] = size < 0 ? 1 : size;
    }
    return true;
}

bool dv_onnx_dims_count(dv_onnx_dims *dims, const dv_onnx_value *input, int64_t *count)
{
    const dv_load_options *options = dims->options;
    for (size_t i = 0; options && i < options->dim_count; i++)
        if (dv_span_is(input->name, options->dims[i].name)) {
            if (i < 64)
                dims->used |= (uint64_t)1 << i;
            *count = options->dims[i].value;
            return true;
        }
    return false;
}

static dv_status unbound(const dv_onnx_value *input, uint32_t index)
{
    dv_span symbol = input->dims[index].symbol;
    if (symbol.size > 0 && symbol.size < 200)
        return dv_fail(DV_BAD_INPUT,
                       "dimension %u is '%.*s' and has no value; choose one, for example --dim "
                       "'%.*s=N'",
                       index, (int)symbol.size, (const char *)symbol.data, (int)symbol.size,
                       (const char *)symbol.data);
    return dv_fail(DV_BAD_INPUT,
                   "dimension %u has neither a size nor a name; choose one, for example --dim "
                   "'%.*s:%u=N'",
                   index, (int)(input->name.size > 200 ? 200 : input->name.size),
                   (const char *)input->name.data, index);
}

dv_status dv_onnx_dims_shape(dv_onnx_dims *dims, const dv_onnx_value *input, dv_shape *out)
{
    if (!input->has_shape)
        return dv_fail(DV_BAD_INPUT, "its shape is not given; export the model with shapes");
    if (input->rank > DV_MAX_RANK)
        return dv_fail(DV_BAD_INPUT, "it has %u dimensions; at most %d are supported", input->rank,
                       DV_MAX_RANK);
    *out = (dv_shape){.rank = (uint8_t)input->rank};
    for (uint32_t i = 0; i < input->rank; i++) {
        const dv_onnx_dim *dim = &input->dims[i];
        if (dim->known && dim->value >= 0) { /* some exporters write -1 for an open dim */
            out->dim[i] = dim->value;
            continue;
        }
        int64_t value = bound_value(dims, input, i);
        if (value == OPEN &&
            (i == 0 || (dim->symbol.size > 0 && dv_names_find(&dims->batch, dim->symbol, 0))))
            value = 1;
        if (value == OPEN)
            return unbound(input, i);
        if (value < 0)
            return dv_fail(DV_BAD_PARAMETER, "dimension %u cannot be %lld", i, (long long)value);
        out->dim[i] = value;
    }
    return DV_OK;
}

dv_status dv_onnx_dims_check(const dv_onnx_dims *dims)
{
    const dv_load_options *options = dims->options;
    for (size_t i = 0; options && i < options->dim_count && i < 64; i++)
        if (!(dims->used & (uint64_t)1 << i))
            return dv_fail(DV_BAD_PARAMETER,
                           "--dim %s: no input of this model has an open dimension of that name, "
                           "and no operator of that name a result whose length the values decide",
                           options->dims[i].name);
    return DV_OK;
}

void dv_onnx_dims_free(dv_onnx_dims *dims)
{
    dv_names_free(&dims->batch);
}
