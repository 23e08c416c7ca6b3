/* memory.c - how much a file's length allows, and the count of it. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

/* A shape of eight dims, a name and a row in each of the two graphs that a pass holds cost some
   hundred bytes, and the shortest operand of a file, which may become an operator, three. What is
   in no proportion to the file has limits of its own: constants that are computed
   (lower/rewrite.c), functions, loops and steps that are unfolded (load/unfold.h), tables
   (dv_aten_affords). Half of BASE is for them, and half for the graph that is written and read
   again beside. */
enum { BASE = 40 << 20, PER_BYTE = 800 };

size_t dv_fuzz_allowance(size_t size)
{
    return BASE + size * PER_BYTE;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define COUNTS 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define COUNTS 1
#endif

#ifdef COUNTS
/* sanitizer/allocator_interface.h, which gcc does not bring along */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *));
size_t __sanitizer_get_allocated_size(const volatile void *place);

static size_t limit, held;
static bool counting, installed;

static void on_allocation(const volatile void *place, size_t size)
{
    (void)place;
    if (!counting)
        return;
    held += size;
    if (held <= limit)
        return;
    counting = false;
    fprintf(stderr, "memory: %zu bytes held, %zu more asked for, %zu allowed\n", held - size, size,
            limit);
    abort();
}

static void on_free(const volatile void *place)
{
    if (!counting || !place)
        return;
    size_t size = __sanitizer_get_allocated_size(place);
    held -= size < held ? size : held;
}

void dv_fuzz_memory_begin(size_t allowance)
{
    if (!installed)
        __sanitizer_install_malloc_and_free_hooks(on_allocation, on_free);
    installed = true;
    limit = allowance;
    held = 0;
    counting = true;
}

void dv_fuzz_memory_end(void)
{
    counting = false;
}
#else
void dv_fuzz_memory_begin(size_t allowance)
{
    (void)allowance;
}

void dv_fuzz_memory_end(void)
{
}
#endif
