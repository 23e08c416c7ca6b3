/* tflite_sparse.c - unfolds TFLite's sparse tensors.

   The dims are walked in the traversal order; each is dense, or compressed: which of its indices
   exist below each position of the dims before it is given by two lists, as in a CSR matrix. Dims
   behind the tensor's own are blocks of the dims that block_map names. */
#include <string.h>

#include "load/tflite_build.h"

enum { MOST_LEVELS = 2 * DV_MAX_RANK };

typedef struct level {
    bool compressed;
    uint32_t size;                  /* dense: how many; compressed: unused */
    dv_fb_vector segments, indices; /* compressed */
    uint8_t dim;                    /* of the tensor it moves along */
    size_t factor;                  /* what one step of it is in that dim */
} level;

typedef struct sparse {
    dv_fb *fb;
    level levels[MOST_LEVELS];
    uint32_t count;
    const dv_tfl_tensor *tensor;
    size_t width, strides[DV_MAX_RANK];
    dv_span stored;
    size_t taken; /* elements of stored */
    uint8_t *out;
} sparse;

static dv_status malformed(const char *what)
{
    return dv_fail(DV_BAD_INPUT, "its sparse elements are malformed: %s", what);
}

/* A list behind a union field: of i32, u16 or u8. */
static dv_fb_vector indices_of(const dv_fb_table *metadata, unsigned field)
{
    static const uint32_t widths[] = {0, 4, 2, 1};
    uint8_t type = dv_fb_u8(metadata, field, 0);
    dv_fb_table list = dv_fb_child(metadata, field + 1);
    if (type < 1 || type > 3)
        return (dv_fb_vector){.fb = metadata->fb};
    return dv_fb_list(&list, 0, widths[type]);
}

/* Levels are stored in the order of the walk. */
static dv_status read_level(sparse *s, const dv_fb_vector *dims, uint32_t i)
{
    dv_fb_table metadata = dv_fb_table_at(dims, i);
    level *l = &s->levels[i];
    l->compressed = dv_fb_u8(&metadata, 0, 0) == 1;
    if (!l->compressed) {
        int32_t size = dv_fb_i32(&metadata, 1, 0);
        if (size < 1)
            return malformed("a dense dimension has no size");
        l->size = (uint32_t)size;
        return s->fb->status;
    }
    l->segments = indices_of(&metadata, 2);
    l->indices = indices_of(&metadata, 4);
    return s->fb->status;
}

/* The dim that level i moves along; inner: it walks a block of it. */
static dv_status read_dim(sparse *s, const dv_fb_vector *order, const dv_fb_vector *map, uint32_t i,
                          bool *inner)
{
    int64_t at = dv_fb_i32_at(order, i), rank = s->tensor->shape.rank;
    *inner = at >= rank;
    if (at < 0 || at >= s->count || *inner != (i >= (uint32_t)rank))
        return malformed("its traversal order is none of its dimensions");
    int64_t dim = *inner ? dv_fb_i32_at(map, (uint32_t)(at - rank)) : at;
    if (dim < 0 || dim >= rank)
        return malformed("a block of no dimension");
    s->levels[i].dim = (uint8_t)dim;
    return s->fb->status;
}

/* Which dim each level moves along, and how far one step leads. */
static dv_status read_order(sparse *s, const dv_fb_vector *order, const dv_fb_vector *map)
{
    uint32_t rank = s->tensor->shape.rank;
    unsigned seen = 0;
    size_t blocks[DV_MAX_RANK];
    for (uint8_t d = 0; d < rank; d++)
        blocks[d] = 1;
    for (uint32_t i = 0; i < s->count; i++) {
        level *l = &s->levels[i];
        bool inner;
        DV_TRY(read_dim(s, order, map, i, &inner));
        unsigned bit = 1u << (l->dim + (inner ? DV_MAX_RANK : 0));
        if ((seen & bit) || (inner && l->compressed))
            return malformed("a dimension is walked twice");
        seen |= bit;
        l->factor = 1;
        if (inner)
            blocks[l->dim] = l->size;
    }
    for (uint32_t i = 0; i < rank; i++)
        s->levels[i].factor = blocks[s->levels[i].dim];
    return DV_OK;
}

/* Copies one element to the place its indices tell. */
static dv_status put(sparse *s, const size_t *place)
{
    size_t to = 0;
    for (uint8_t d = 0; d < s->tensor->shape.rank; d++) {
        if (place[d] >= (size_t)s->tensor->shape.dim[d])
            return malformed("an index lies outside its shape");
        to += place[d] * s->strides[d];
    }
    if (s->stored.size / s->width <= s->taken)
        return malformed("it has fewer elements than indices");
    memcpy(s->out + to * s->width, s->stored.data + s->taken++ * s->width, s->width);
    return DV_OK;
}

/* Walks level i below `position`, the running number among the level's parents. Every step of the
   innermost level takes an element, and outer ones are bounded by the shape. */
static dv_status walk(sparse *s, uint32_t i, size_t position, size_t *place)
{
    if (i == s->count)
        return put(s, place);
    const level *l = &s->levels[i];
    size_t begin = position * l->size, end = begin + l->size;
    if (l->compressed) {
        if (position + 1 >= l->segments.count)
            return malformed("its segments are too few");
        begin = (size_t)dv_fb_bits_at(&l->segments, (uint32_t)position);
        end = (size_t)dv_fb_bits_at(&l->segments, (uint32_t)position + 1);
        if (begin > end || end > l->indices.count)
            return malformed("its segments lead out of its indices");
    }
    for (size_t k = begin; k < end; k++) {
        size_t index = l->compressed ? (size_t)dv_fb_bits_at(&l->indices, (uint32_t)k) : k - begin;
        size_t before = place[l->dim];
        if (index >= (size_t)s->tensor->shape.dim[l->dim])
            return malformed("an index lies outside its shape");
        place[l->dim] = before + index * l->factor;
        DV_TRY(walk(s, i + 1, k, place));
        place[l->dim] = before;
    }
    return s->fb->status;
}

dv_status dv_tfl_densify(dv_tfl_builder *b, const dv_tfl_tensor *tensor, dv_span stored,
                         dv_buffer **out)
{
    dv_fb_table sparsity = dv_fb_child(&tensor->table, 6);
    dv_fb_vector order = dv_fb_list(&sparsity, 0, 4), map = dv_fb_list(&sparsity, 1, 4);
    dv_fb_vector dims = dv_fb_tables(&sparsity, 2);
    sparse s = {.fb = &b->fb, .count = dims.count, .tensor = tensor, .stored = stored};
    dv_tensor dense = {.dtype = tensor->quantised ? DV_DTYPE_I8 : dv_tfl_dtype(tensor),
                       .shape = tensor->shape};
    if (tensor->quantised && tensor->type != 9 && tensor->type != 3)
        return malformed("only 8-bit integers may be sparse and quantised");
    size_t bytes, elements;
    if (!dv_tensor_bytes(&dense, &bytes) || !dv_shape_elements(&dense.shape, &elements))
        return dv_fail(DV_BAD_INPUT, "its shape has more elements than memory can hold");
    if (elements == 0 || dims.count != tensor->shape.rank + map.count || dims.count > MOST_LEVELS ||
        order.count != dims.count)
        return malformed("its dimensions are not those of its shape");
    for (uint32_t i = 0; i < s.count; i++)
        DV_TRY(read_level(&s, &dims, i));
    DV_TRY(read_order(&s, &order, &map));
    s.width = dv_dtype_bytes(dense.dtype);
    size_t stride = 1;
    for (int d = tensor->shape.rank - 1; d >= 0; d--) {
        s.strides[d] = stride;
        stride *= (size_t)tensor->shape.dim[d];
    }
    DV_TRY(dv_tfl_new_buffer(b, bytes, out));
    s.out = dv_buffer_writable(*out);
    size_t place[DV_MAX_RANK] = {0};
    dv_status status = walk(&s, 0, 0, place);
    if (status == DV_OK && s.taken != stored.size / s.width)
        status = malformed("it has more elements than indices");
    if (status != DV_OK) {
        dv_buffer_release(*out);
        *out = NULL;
    }
    return status;
}
