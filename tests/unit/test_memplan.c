/* test_memplan.c - intermediate tensors share memory only when no step needs both. */
#include "runtime/memplan.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/rng.h"
#include "runtime/backend.h"
#include "tests/suite.h"

static bool overlap(size_t a, size_t a_end, size_t b, size_t b_end)
{
    return a < b_end && b < a_end;
}

/* Whether every pair alive in one step is disjoint, padding included, and all is inside total. */
static bool plan_is_sound(const dv_memplan_item *items, uint32_t count, size_t total)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t end = items[i].offset + items[i].bytes + DV_TENSOR_PADDING;
        if (items[i].offset % DV_TENSOR_ALIGN != 0 || end > total)
            return false;
        for (uint32_t j = 0; j < i; j++) {
            bool together = items[i].first <= items[j].last && items[j].first <= items[i].last;
            if (together && overlap(items[i].offset, end, items[j].offset,
                                    items[j].offset + items[j].bytes + DV_TENSOR_PADDING))
                return false;
        }
    }
    return true;
}

static void random_tensors_that_live_together_never_overlap(void)
{
    for (uint64_t seed = 0; seed < 500; seed++) {
        dv_rng rng = dv_rng_seeded(seed);
        dv_memplan_item items[40];
        uint32_t count = (uint32_t)dv_rng_below(&rng, 41);
        size_t sum = 0, total = 0;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t first = (uint32_t)dv_rng_below(&rng, 30);
            items[i] = (dv_memplan_item){.bytes = dv_rng_below(&rng, 5000),
                                         .first = first,
                                         .last = first + (uint32_t)dv_rng_below(&rng, 6)};
            sum += items[i].bytes + DV_TENSOR_PADDING + DV_TENSOR_ALIGN;
        }
        CU_ASSERT_EQUAL(dv_memplan(items, count, &total), DV_OK);
        bool sound = plan_is_sound(items, count, total) && total <= sum;
        if (!sound)
            fprintf(stderr, "memory plan of seed %llu is unsound\n", (unsigned long long)seed);
        CU_ASSERT_TRUE(sound);
    }
}

/* More of them than are placed one by one. */
static void very_many_tensors_never_overlap_either(void)
{
    enum { COUNT = 5000 };
    static dv_memplan_item items[COUNT];
    dv_rng rng = dv_rng_seeded(3);
    size_t sum = 0, total = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t first = (uint32_t)dv_rng_below(&rng, 3000);
        items[i] = (dv_memplan_item){.bytes = dv_rng_below(&rng, 100000),
                                     .first = first,
                                     .last = first + (uint32_t)dv_rng_below(&rng, 20)};
        sum += items[i].bytes;
    }
    CU_ASSERT_EQUAL(dv_memplan(items, COUNT, &total), DV_OK);
    CU_ASSERT_TRUE(plan_is_sound(items, COUNT, total));
    CU_ASSERT_TRUE(total < sum / 4);
    items[COUNT / 2].bytes = SIZE_MAX - 10;
    CU_ASSERT_EQUAL(dv_memplan(items, COUNT, &total), DV_NO_MEMORY);
}

static void a_chain_of_equal_tensors_needs_two_of_them(void)
{
    dv_memplan_item items[20];
    for (uint32_t i = 0; i < 20; i++)
        items[i] = (dv_memplan_item){.bytes = 4096, .first = i, .last = i + 1};
    size_t total = 0, one = 0;
    CU_ASSERT_EQUAL(dv_memplan(items, 20, &total), DV_OK);
    CU_ASSERT_TRUE(dv_memplan_padded(4096, &one));
    CU_ASSERT_EQUAL(total, 2 * one);
}

static void sizes_that_overflow_are_refused(void)
{
    dv_memplan_item items[2] = {{.bytes = SIZE_MAX - 10, .first = 0, .last = 1},
                                {.bytes = 64, .first = 0, .last = 1}};
    size_t total;
    CU_ASSERT_EQUAL(dv_memplan(items, 2, &total), DV_NO_MEMORY);
    CU_ASSERT_PTR_NULL(dv_memplan_allocate(SIZE_MAX - 10));
}

static void memory_for_tensors_is_aligned_and_padded(void)
{
    unsigned char *memory = dv_memplan_allocate(3);
    CU_ASSERT_PTR_NOT_NULL_FATAL(memory);
    CU_ASSERT_EQUAL((uintptr_t)memory % DV_TENSOR_ALIGN, 0);
    unsigned sum = 0;
    for (size_t i = 0; i < 3 + DV_TENSOR_PADDING; i++) /* the sanitizer watches the bounds */
        sum += memory[i];
    CU_ASSERT_EQUAL(sum, 0);
    free(memory);
}

DV_SUITE(runtime_memplan, DV_TEST(random_tensors_that_live_together_never_overlap),
         DV_TEST(very_many_tensors_never_overlap_either),
         DV_TEST(a_chain_of_equal_tensors_needs_two_of_them),
         DV_TEST(sizes_that_overflow_are_refused),
         DV_TEST(memory_for_tensors_is_aligned_and_padded));
