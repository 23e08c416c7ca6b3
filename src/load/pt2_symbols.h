/* pt2_symbols.h - the symbols of dynamic shapes, and expressions over them.

   torch.export writes a dimension that is not fixed as an expression of sympy, in one of two
   spellings: "Add(Mul(Integer(2), Symbol('s0', integer=True)), Integer(1))" or "2*s0 + 1". */
#ifndef DV_LOAD_PT2_SYMBOLS_H
#define DV_LOAD_PT2_SYMBOLS_H

#include "core/arena.h"

typedef struct dv_pt2_symbol {
    const char *name; /* "s77" */
    int64_t value;
    bool known;          /* bound on the command line, or the value of the export's example */
    bool bound;          /* on the command line */
    int64_t least, most; /* what the export allows */
} dv_pt2_symbol;

typedef struct dv_pt2_symbols {
    dv_pt2_symbol *items; /* malloc'ed */
    size_t count, capacity;
} dv_pt2_symbols;

/* The symbol of that name (of length bytes), added if it is new; the name is copied to arena.
   NULL without memory. */
dv_pt2_symbol *dv_pt2_symbol_of(dv_pt2_symbols *symbols, dv_arena *arena, const char *name,
                                size_t length);
void dv_pt2_symbols_free(dv_pt2_symbols *symbols);

/* If text is nothing but one symbol, its name's place and length. */
bool dv_pt2_plain_symbol(const char *text, const char **name, size_t *length);

typedef struct dv_pt2_expression {
    const dv_pt2_symbols *symbols;
    double value;
    bool bound;          /* some symbol in it was bound on the command line */
    const char *missing; /* a symbol without a value: its name, in the text... */
    size_t missing_length;
} dv_pt2_expression;

/* Evaluates text; false if it is not understood or a symbol has no value. O(length). */
bool dv_pt2_evaluate(dv_pt2_expression *e, const char *text);

#endif
