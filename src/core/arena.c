/* arena.c - blocks of memory handed out piece by piece. */
#include "core/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Blocks double from the least to the most, so that an arena of a few names costs little. */
enum { LEAST_BLOCK_BYTES = 1 << 10, MOST_BLOCK_BYTES = 1 << 16, ALIGNMENT = 16 };

typedef struct block {
    struct block *next;
    size_t used, size;
    _Alignas(ALIGNMENT) unsigned char bytes[];
} block;

struct dv_arena {
    block *blocks;      /* the newest first; only it has room to give */
    size_t block_bytes; /* of the last ordinary block; 0: none yet */
};

dv_arena *dv_arena_create(void)
{
    return calloc(1, sizeof(dv_arena));
}

void dv_arena_destroy(dv_arena *arena)
{
    if (!arena)
        return;
    for (block *b = arena->blocks; b;) {
        block *next = b->next;
        free(b);
        b = next;
    }
    free(arena);
}

static block *add_block(dv_arena *arena, size_t need)
{
    size_t ordinary = 2 * arena->block_bytes;
    if (ordinary < LEAST_BLOCK_BYTES)
        ordinary = LEAST_BLOCK_BYTES;
    if (ordinary > MOST_BLOCK_BYTES)
        ordinary = MOST_BLOCK_BYTES;
    size_t size = need > ordinary / 4 ? need : ordinary;
    if (size > SIZE_MAX - sizeof(block))
        return NULL;
    block *fresh = calloc(1, sizeof(block) + size);
    if (!fresh)
        return NULL;
    fresh->size = size;
    if (size == need && arena->blocks) {
        /* a large piece gets a block of its own behind the one that still has room */
        fresh->next = arena->blocks->next;
        arena->blocks->next = fresh;
    } else {
        fresh->next = arena->blocks;
        arena->blocks = fresh;
        arena->block_bytes = ordinary;
    }
    return fresh;
}

void *dv_arena_alloc(dv_arena *arena, size_t size)
{
    if (size > SIZE_MAX - ALIGNMENT)
        return NULL;
    size_t need = size == 0 ? ALIGNMENT : (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    block *b = arena->blocks;
    if (!b || b->size - b->used < need) {
        b = add_block(arena, need);
        if (!b)
            return NULL;
    }
    void *piece = b->bytes + b->used;
    b->used += need;
    return piece;
}

void *dv_arena_array(dv_arena *arena, size_t count, size_t size)
{
    size_t bytes;
    return dv_mul_size(count, size, &bytes) ? dv_arena_alloc(arena, bytes) : NULL;
}

char *dv_arena_copy(dv_arena *arena, const char *text)
{
    return text ? dv_arena_copy_n(arena, text, strlen(text)) : NULL;
}

char *dv_arena_copy_n(dv_arena *arena, const char *text, size_t length)
{
    size_t size;
    char *copy = dv_add_size(length, 1, &size) ? dv_arena_alloc(arena, size) : NULL;
    if (copy && length > 0)
        memcpy(copy, text, length);
    return copy;
}

char *dv_arena_printf(dv_arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = length < 0 ? NULL : dv_arena_alloc(arena, (size_t)length + 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}

bool dv_mul_size(size_t a, size_t b, size_t *out)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        return false;
    *out = product;
    return true;
}

bool dv_add_size(size_t a, size_t b, size_t *out)
{
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum))
        return false;
    *out = sum;
    return true;
}

bool dv_grow(void **items, size_t *capacity, size_t count, size_t size)
{
    if (count <= *capacity)
        return true;
    size_t wanted = *capacity < 8 ? 8 : *capacity, bytes;
    while (wanted < count)
        if (!dv_mul_size(wanted, 2, &wanted))
            return false;
    if (!dv_mul_size(wanted, size, &bytes))
        return false;
    void *grown = realloc(*items, bytes);
    if (!grown)
        return false;
    memset((unsigned char *)grown + *capacity * size, 0, (wanted - *capacity) * size);
    *items = grown;
    *capacity = wanted;
    return true;
}
