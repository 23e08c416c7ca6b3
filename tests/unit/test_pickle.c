/* test_pickle.c - pickles are read as data. */
#include <string.h>

#include "load/pickle.h"
#include "tests/suite.h"

#define READ(text) read_pickle(arena, text, sizeof(text) - 1)

static const dv_pickle *read_pickle(dv_arena *arena, const char *text, size_t size)
{
    const dv_pickle *out = NULL;
    if (dv_pickle_read(arena, (const uint8_t *)text, size, &out) != DV_OK)
        return NULL;
    return out;
}

/* {'a': (1, -2, 300), 'b': [2.5, True, None]} by protocol 2, as Python writes it */
static void test_plain_values_are_read(void)
{
    dv_arena *arena = dv_arena_create();
    const dv_pickle *all = READ("\x80\x02}q\x00(X\x01\x00\x00\x00"
                                "aq\x01K\x01J\xfe\xff\xff\xffM,\x01\x87q\x02X\x01\x00\x00\x00"
                                "bq\x03]q\x04(G@\x04\x00\x00\x00\x00\x00\x00\x88Neu.");
    uint32_t count = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(all);
    dv_pickle *const *pairs = dv_pickle_pairs(all, &count);
    CU_ASSERT_EQUAL_FATAL(count, 4);
    CU_ASSERT_STRING_EQUAL(pairs[0]->text, "a");
    CU_ASSERT_EQUAL_FATAL(pairs[1]->count, 3);
    CU_ASSERT_EQUAL(pairs[1]->items[0]->integer, 1);
    CU_ASSERT_EQUAL(pairs[1]->items[1]->integer, -2);
    CU_ASSERT_EQUAL(pairs[1]->items[2]->integer, 300);
    CU_ASSERT_EQUAL_FATAL(pairs[3]->count, 3);
    CU_ASSERT_EQUAL(pairs[3]->items[0]->real, 2.5);
    CU_ASSERT_EQUAL(pairs[3]->items[1]->kind, DV_PICKLE_BOOL);
    CU_ASSERT_EQUAL(pairs[3]->items[2]->kind, DV_PICKLE_NONE);
    dv_arena_destroy(arena);
}

/* What would run os.system('...') is a call with a name and an argument, no more. */
static void test_calls_are_not_made(void)
{
    dv_arena *arena = dv_arena_create();
    const dv_pickle *call = READ("cos\nsystem\nq\x00X\x04\x00\x00\x00"
                                 "true\x85R.");
    CU_ASSERT_PTR_NOT_NULL_FATAL(call);
    CU_ASSERT_EQUAL(call->kind, DV_PICKLE_CALL);
    const dv_pickle *arguments = dv_pickle_call(call, "os.system");
    CU_ASSERT_PTR_NOT_NULL_FATAL(arguments);
    CU_ASSERT_STRING_EQUAL(arguments->items[0]->text, "true");
    CU_ASSERT_PTR_NULL(dv_pickle_call(call, "os.popen"));
    dv_arena_destroy(arena);
}

/* OrderedDict() with items put into it, and a state that BUILD would set. */
static void test_an_ordered_dict_is_a_dict(void)
{
    dv_arena *arena = dv_arena_create();
    uint32_t count = 0;
    const dv_pickle *all = READ("ccollections\nOrderedDict\n)R(U\x01xK\x07u}b.");
    CU_ASSERT_PTR_NOT_NULL_FATAL(all);
    dv_pickle *const *pairs = dv_pickle_pairs(all, &count);
    CU_ASSERT_PTR_NOT_NULL_FATAL(pairs);
    CU_ASSERT_EQUAL_FATAL(count, 2);
    CU_ASSERT_EQUAL(pairs[1]->integer, 7);
    dv_arena_destroy(arena);
}

/* A list in itself: l = []; l.append(l). */
static void test_a_value_may_hold_itself(void)
{
    dv_arena *arena = dv_arena_create();
    const dv_pickle *list = READ("]q\x00h\x00"
                                 "a.");
    CU_ASSERT_PTR_NOT_NULL_FATAL(list);
    CU_ASSERT_EQUAL_FATAL(list->count, 1);
    CU_ASSERT_PTR_EQUAL(list->items[0], list);
    dv_arena_destroy(arena);
}

static void test_damage_is_refused(void)
{
    static const char *const damaged[] = {"",
                                          ".",
                                          "(.",
                                          "K",
                                          "K\x01",
                                          "h\x01.",
                                          "t.",
                                          "K\x01"
                                          "K\x02R",
                                          "(K\x01u.",
                                          "}K\x01"
                                          "a.",
                                          "cos\n",
                                          "X\xff\xff\xff\x7f.",
                                          "K\x01r\xff\xff\xff\xff.",
                                          "\xff.",
                                          "K\x01\x93."};
    dv_arena *arena = dv_arena_create();
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++)
        CU_ASSERT_PTR_NULL(read_pickle(arena, damaged[i], strlen(damaged[i])));
    dv_arena_destroy(arena);
}

DV_SUITE(load_pickle, DV_TEST(test_plain_values_are_read), DV_TEST(test_calls_are_not_made),
         DV_TEST(test_an_ordered_dict_is_a_dict), DV_TEST(test_a_value_may_hold_itself),
         DV_TEST(test_damage_is_refused));
