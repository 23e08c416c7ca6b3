/* pickle.h - what a pickle of Python's says, read as plain data.

   A pickle is a program for a small stack machine. Here its instructions only build a tree: names
   of classes stay names, calls stay calls with their arguments, and nothing is ever looked up,
   imported or run. */
#ifndef DV_LOAD_PICKLE_H
#define DV_LOAD_PICKLE_H

#include "core/arena.h"

typedef enum dv_pickle_kind {
    DV_PICKLE_NONE,
    DV_PICKLE_BOOL,
    DV_PICKLE_INT,
    DV_PICKLE_REAL,
    DV_PICKLE_TEXT,   /* a string; bytes too, up to their first zero */
    DV_PICKLE_GLOBAL, /* a class or function: text is "torch._utils._rebuild_tensor_v2" */
    DV_PICKLE_LIST,   /* a tuple, list or set */
    DV_PICKLE_DICT,   /* keys and values in turn */
    DV_PICKLE_CALL,   /* what is called, its arguments, then keys and values put into the result */
    DV_PICKLE_OUTSIDE /* something kept outside of the pickle; its only item says what */
} dv_pickle_kind;

typedef struct dv_pickle dv_pickle;

struct dv_pickle {
    dv_pickle_kind kind;
    int64_t integer; /* INT, BOOL */
    double real;
    const char *text;
    uint32_t count, capacity; /* of items */
    dv_pickle **items;        /* may lead back to the value itself */
};

/* Reads the first object of a pickle of protocol 2 to 5 (as torch.save writes them); it lives in
   the arena. DV_BAD_INPUT for what is damaged or uses other instructions, DV_NO_MEMORY.
   O(size) in time and memory. */
DV_MUST_USE dv_status dv_pickle_read(dv_arena *arena, const uint8_t *bytes, size_t size,
                                     const dv_pickle **out);

/* Keys and values, in turn, of a dict or an OrderedDict; NULL if it is neither. */
dv_pickle *const *dv_pickle_pairs(const dv_pickle *value, uint32_t *count);

/* Is it a call of that function? Its arguments then, else NULL. */
const dv_pickle *dv_pickle_call(const dv_pickle *value, const char *function);

#endif
