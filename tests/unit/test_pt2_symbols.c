/* test_pt2_symbols.c - expressions of dynamic dimensions. */
#include <stdio.h>
#include <string.h>

#include "load/pt2_symbols.h"
#include "tests/suite.h"

static void expect(const char *text, double value)
{
    dv_arena *arena = dv_arena_create();
    dv_pt2_symbols symbols = {0};
    dv_pt2_symbol *s = dv_pt2_symbol_of(&symbols, arena, "s0", 2);
    s->known = true;
    s->value = 5;
    s = dv_pt2_symbol_of(&symbols, arena, "s77", 3);
    s->known = true;
    s->value = 12;
    dv_pt2_symbol_of(&symbols, arena, "u0", 2);
    dv_pt2_expression e = {.symbols = &symbols};
    bool ok = dv_pt2_evaluate(&e, text);
    if (!ok || e.value != value)
        fprintf(stderr, "    %s is %s%g, not %g\n", text, ok ? "" : "not understood: ", e.value,
                value);
    CU_ASSERT_TRUE(ok);
    CU_ASSERT_EQUAL(e.value, value);
    dv_pt2_symbols_free(&symbols);
    dv_arena_destroy(arena);
}

static void test_symbols_have_their_values(void)
{
    expect("s0", 5);
    expect("Symbol('s77', positive=True, integer=True)", 12);
}

static void test_sympy_functions_are_evaluated(void)
{
    expect("Add(Mul(Integer(2), Symbol('s0', integer=True)), Integer(-1))", 9);
    expect("FloorDiv(Symbol('s77', positive=True, integer=True), Integer(5))", 2);
    expect("torch.utils._sympy.functions.CeilDiv(Symbol('s77'), Integer(5))", 3);
    expect("Max(Integer(1), Mod(Symbol('s77'), Integer(7)))", 5);
    expect("PythonMod(Integer(-3), Integer(5))", 2);
    expect("Mul(Rational(1, 2), Symbol('s77'))", 6);
    expect("Pow(Symbol('s0'), Integer(2))", 25);
    expect("FloorToInt(IntTrueDiv(Symbol('s77'), Integer(5)))", 2);
    expect("ModularIndexing(Symbol('s77'), Integer(2), Integer(4))", 2);
}

static void test_plain_arithmetic_is_evaluated(void)
{
    expect("2*s0 + 1", 11);
    expect("(s77 - 2)//s0", 2);
    expect("s0**2 % 7", 4);
    expect("-s0 + s77", 7);
}

static void test_conditions_are_one_or_nought(void)
{
    expect("StrictGreaterThan(Symbol('s77', positive=True, integer=True), Integer(3))", 1);
    expect("And(LessThan(Symbol('s0'), Integer(4)), Ne(Integer(1), Integer(2)))", 0);
    expect("s0 + 1 >= 6", 1);
    expect("s77 != 12", 0);
    expect("Not(s0 < 5)", 1);
}

static void refuse(const char *text)
{
    dv_pt2_symbols symbols = {0};
    dv_pt2_expression e = {.symbols = &symbols};
    CU_ASSERT_FALSE(dv_pt2_evaluate(&e, text));
}

static void test_nonsense_is_refused(void)
{
    char deep[4096];
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    refuse(deep);
    memset(deep, '-', sizeof deep - 1);
    refuse(deep);
    refuse("");
    refuse("s0 +");
    refuse("Add(");
    refuse("Explode(Integer(1))");
    refuse("1/0");
    refuse("Symbol('s0'");
    refuse("1 2");
    refuse("FloorDiv(Integer(1))");
}

static void test_a_plain_symbol_is_told_from_an_expression(void)
{
    const char *name;
    size_t length;
    CU_ASSERT_TRUE(dv_pt2_plain_symbol("s12", &name, &length));
    CU_ASSERT_EQUAL(length, 3);
    CU_ASSERT_TRUE(dv_pt2_plain_symbol("Symbol('s3', integer=True)", &name, &length));
    CU_ASSERT_EQUAL(strncmp(name, "s3", length), 0);
    CU_ASSERT_FALSE(dv_pt2_plain_symbol("s0 + 1", &name, &length));
    CU_ASSERT_FALSE(dv_pt2_plain_symbol("Add(Symbol('s3'), Integer(1))", &name, &length));
    CU_ASSERT_FALSE(dv_pt2_plain_symbol("7", &name, &length));
}

DV_SUITE(load_pt2_symbols, DV_TEST(test_symbols_have_their_values),
         DV_TEST(test_sympy_functions_are_evaluated), DV_TEST(test_plain_arithmetic_is_evaluated),
         DV_TEST(test_conditions_are_one_or_nought), DV_TEST(test_nonsense_is_refused),
         DV_TEST(test_a_plain_symbol_is_told_from_an_expression));
