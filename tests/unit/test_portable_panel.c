/* The inner loop of every product. */
#include <stdio.h>
#include <stdlib.h>

#include "core/rng.h"
#include "runtime/portable/kernel.h"
#include "tests/suite.h"

/* Bit by bit, whatever vectors the processor has: the order of the terms is fixed. */
static void test_sums_are_those_of_a_plain_loop_to_the_last_bit(void)
{
    for (uint64_t seed = 1; seed <= 100; seed++) {
        enum { ROWS = 5, DEPTH = 70, STRIDE = 75 };
        dv_rng rng = dv_rng_seeded(seed);
        size_t rows = dv_rng_below(&rng, ROWS + 1), depth = dv_rng_below(&rng, DEPTH + 1);
        float row[ROWS * STRIDE];
        double panel[DEPTH * DV_LANES], sums[ROWS * DV_LANES];
        bool same = true;
        for (size_t i = 0; i < ROWS * STRIDE; i++)
            row[i] = (float)dv_rng_normal(&rng);
        for (size_t i = 0; i < DEPTH * DV_LANES; i++)
            panel[i] = (double)(float)dv_rng_normal(&rng);
        dv_panel_product(row, rows, STRIDE, panel, depth, sums);
        for (size_t r = 0; r < rows; r++)
            for (size_t lane = 0; lane < DV_LANES; lane++) {
                volatile double sum = 0; /* one term after another, no matter the compiler */
                for (size_t k = 0; k < depth; k++)
                    sum += (double)row[r * STRIDE + k] * panel[k * DV_LANES + lane];
                same = same && sums[r * DV_LANES + lane] == sum;
            }
        if (!same)
            printf("\n    seed %lu", (unsigned long)seed);
        CU_ASSERT_TRUE(same);
    }
}

static void test_panel_too_large_for_memory_is_told(void)
{
    CU_ASSERT_EQUAL(dv_panel_bytes(3), 3 * DV_LANES * sizeof(double));
    CU_ASSERT_EQUAL(dv_panel_bytes(SIZE_MAX / 8), SIZE_MAX);
}

DV_SUITE(portable_panel, DV_TEST(test_sums_are_those_of_a_plain_loop_to_the_last_bit),
         DV_TEST(test_panel_too_large_for_memory_is_told));
