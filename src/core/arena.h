/* arena.h - one owner for many small allocations, and the arithmetic on sizes that files state.

   Every noun keeps its parts in one arena and frees them together. */
#ifndef DV_CORE_ARENA_H
#define DV_CORE_ARENA_H

#include "core/status.h"

typedef struct dv_arena dv_arena;

/* A new arena, or NULL without memory. */
dv_arena *dv_arena_create(void);

/* Frees the arena and all it gave out; NULL is allowed. */
void dv_arena_destroy(dv_arena *arena);

/* size zeroed bytes aligned to 16, or NULL without memory; size 0 gives a valid pointer.
   O(size). */
void *dv_arena_alloc(dv_arena *arena, size_t size);

/* count zeroed elements of size bytes; NULL on overflow or without memory. */
void *dv_arena_array(dv_arena *arena, size_t count, size_t size);

/* A copy of text (NULL gives NULL), or of its first length bytes plus a terminator. */
char *dv_arena_copy(dv_arena *arena, const char *text);
char *dv_arena_copy_n(dv_arena *arena, const char *text, size_t length);

/* snprintf into the arena; NULL without memory. */
char *dv_arena_printf(dv_arena *arena, const char *format, ...) DV_PRINTF(2, 3);

/* *out = a * b, a + b; false, and *out untouched, on overflow. */
bool dv_mul_size(size_t a, size_t b, size_t *out);
bool dv_add_size(size_t a, size_t b, size_t *out);

/* Grows *items (malloc'ed, elements of size bytes, *capacity of them) to hold at least count;
   doubles. false without memory, *items intact. The new part is zeroed. */
bool dv_grow(void **items, size_t *capacity, size_t count, size_t size);

#endif
