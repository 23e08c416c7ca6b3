/* test_blocks.c - which parts of a network viz/blocks.c finds to repeat. */
#include <string.h>

#include "tests/problem_text.h"
#include "tests/suite.h"
#include "viz/blocks.h"

static dv_problem *problem;
static dv_arena *arena;

/* The blocks of a chain whose units have the letters as types; freed by forget(). */
static dv_blocks blocks_of_problem(const char *letters)
{
    dv_unit_text *texts = dv_arena_array(arena, strlen(letters), sizeof *texts);
    dv_blocks blocks;
    for (size_t i = 0; letters[i]; i++)
        texts[i].type_number = (uint32_t)letters[i];
    CU_ASSERT_EQUAL_FATAL(dv_blocks_find(problem, texts, arena, &blocks), DV_OK);
    return blocks;
}

static dv_blocks blocks_of(const char *letters)
{
    dv_text text = {0};
    for (size_t i = 0; letters[i]; i++)
        dv_text_append(&text, "u%zu 1\n", i);
    problem = problem_of("cpu", dv_text_string(&text));
    arena = dv_arena_create();
    dv_text_free(&text);
    return blocks_of_problem(letters);
}

static void forget(void)
{
    dv_problem_destroy(problem);
    dv_arena_destroy(arena);
}

static void layers_of_a_transformer_are_one_run(void)
{
    dv_blocks b = blocks_of("xyqkvsoqkvsoqkvsoqkvsoz");
    CU_ASSERT_EQUAL_FATAL(b.run_count, 1);
    CU_ASSERT_EQUAL(b.runs[0].period, 5);
    CU_ASSERT_EQUAL(b.runs[0].repeats, 4);
    CU_ASSERT_EQUAL(b.runs[0].first, 2);
    CU_ASSERT_EQUAL(b.block_count, 4);
    CU_ASSERT_EQUAL(b.block_of[1], DV_NONE);
    CU_ASSERT_EQUAL(b.block_of[2], 0);
    CU_ASSERT_EQUAL(b.block_of[7], 1);
    CU_ASSERT_EQUAL(b.block_of[21], 3);
    CU_ASSERT_EQUAL(b.block_of[22], DV_NONE);
    forget();
}

static void every_stage_has_a_run_of_its_own(void)
{
    dv_blocks b = blocks_of("iabcabcabcpdefgdefgp");
    CU_ASSERT_EQUAL_FATAL(b.run_count, 2);
    CU_ASSERT_EQUAL(b.runs[0].period, 3);
    CU_ASSERT_EQUAL(b.runs[0].repeats, 3);
    CU_ASSERT_EQUAL(b.runs[1].period, 4);
    CU_ASSERT_EQUAL(b.runs[1].repeats, 2);
    CU_ASSERT_EQUAL(b.block_count, 5);
    forget();
}

static void small_blocks_win_over_two_equal_halves(void)
{
    dv_blocks b = blocks_of("abcabcabcxabcabcabcx");
    CU_ASSERT_EQUAL(b.runs[0].period, 3);
    forget();
}

static void what_does_not_repeat_has_no_blocks(void)
{
    CU_ASSERT_EQUAL(blocks_of("abcdefghijkl").run_count, 0);
    forget();
    CU_ASSERT_EQUAL(blocks_of("aaaaaaaaaaaa").run_count, 0); /* one type is no block */
    forget();
    CU_ASSERT_EQUAL(blocks_of("ababababab").block_of[0], 0); /* pairs count as blocks of four */
    forget();
    CU_ASSERT_EQUAL(blocks_of("a").run_count, 0);
    forget();
}

/* A skip runs from each a to the next a, so that only there a single value crosses. */
static void blocks_begin_where_the_fewest_values_cross(void)
{
    dv_text text = {0};
    char letters[32] = "cd"; /* the run of types could begin at any of its units */
    dv_text_append(&text, "u0 1\nu1 1\n");
    for (int i = 2; i < 26; i++) {
        letters[i] = "abcd"[(i - 2) % 4];
        if ((i - 2) % 4 == 0 && i > 2)
            dv_text_append(&text, "u%d 1 < u%d u%d\n", i, i - 1, i - 4);
        else
            dv_text_append(&text, "u%d 1\n", i);
    }
    problem = problem_of("cpu", dv_text_string(&text));
    arena = dv_arena_create();
    dv_text_free(&text);
    dv_blocks b = blocks_of_problem(letters);
    CU_ASSERT_EQUAL_FATAL(b.run_count, 1);
    CU_ASSERT_EQUAL(b.runs[0].period, 4);
    CU_ASSERT_EQUAL((b.runs[0].first - 2) % 4, 1); /* behind an a, where the skip has ended */
    forget();
}

DV_SUITE(viz_blocks, DV_TEST(layers_of_a_transformer_are_one_run),
         DV_TEST(every_stage_has_a_run_of_its_own), DV_TEST(small_blocks_win_over_two_equal_halves),
         DV_TEST(what_does_not_repeat_has_no_blocks),
         DV_TEST(blocks_begin_where_the_fewest_values_cross));
