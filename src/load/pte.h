/* pte.h - the placement that an ExecuTorch program (.pte) holds: what is called in which order, by
   which backend, with which tensors.

   A program keeps instructions over values, no edges. dv_pte_read walks them and finds which
   arguments are read and which are made (pte_calls.c). Layout of the file: exir's program.fbs and
   extended_header.h. */
#ifndef DV_LOAD_PTE_H
#define DV_LOAD_PTE_H

#include "core/graph.h"
#include "load/flatbuffer.h"
#include "load/names.h"

/* EValue's kinds, by their numbers in the file. */
typedef enum dv_pte_kind {
    DV_PTE_NULL = 1,
    DV_PTE_INT,
    DV_PTE_BOOL,
    DV_PTE_DOUBLE,
    DV_PTE_TENSOR,
    DV_PTE_STRING,
    DV_PTE_INTS, /* items are values that are DV_PTE_INT */
    DV_PTE_DOUBLES,
    DV_PTE_BOOLS,
    DV_PTE_TENSORS,          /* items are values */
    DV_PTE_OPTIONAL_TENSORS, /* likewise; -1: absent */
} dv_pte_kind;

/* A value of a method. */
typedef struct dv_pte_value {
    dv_pte_kind kind;
    dv_fb_table table; /* what holds it: read lazily where it is no tensor */
    bool is_tensor;
    dv_dtype dtype;
    dv_shape shape;
    bool permuted;              /* its elements are stored in another order of dimensions */
    uint8_t order[DV_MAX_RANK]; /* the dimension that is stored outermost, and so on */
    double bytes;
    uint32_t data; /* index of its elements in the file; 0: none */
    bool planned;  /* has a place in planned memory */
    bool external; /* its elements are in a .ptd file, under its name */
    uint32_t memory;
    uint64_t offset;
    dv_span stored;    /* its elements; empty: not in the file */
    dv_buffer *buffer; /* that stored points into */
    dv_span name;      /* of a weight; empty where the file has none */
} dv_pte_value;

typedef struct dv_pte_call {
    const char *backend;       /* "XnnpackBackend"; NULL: a portable kernel */
    const char *name;          /* of the kernel, "aten::add.out"; of the delegate's backend else */
    const char *op, *overload; /* of a kernel: "aten::add", "out" */
    uint32_t instruction;
    uint32_t input_count, output_count;
    const uint32_t *inputs, *outputs; /* tensors; a view of another is listed as that one */
    uint32_t arg_count, raw_count;
    const uint32_t *args; /* raw_count values, as the file has them; of those of a kernel, the
                             first arg_count are not what it makes */
    double bytes_in, bytes_out;
    uint32_t delegate; /* index in delegates; DV_NONE for a kernel */
} dv_pte_call;

typedef struct dv_pte_delegate {
    const char *backend;
    const char *specs; /* "compute_units=cpu_and_ne"; empty: none that can be shown */
    double blob_bytes;
    dv_span blob;
    int64_t ops;                        /* nodes inside; -1 where the blob's format is not known */
    const char *inside;                 /* "Conv2d 3, Add 1"; NULL where it is not known */
    uint32_t input_count, output_count; /* of the blob, where its format is known; else 0 */
} dv_pte_delegate;

typedef struct dv_pte_segment_use {
    double bytes;
    const char *holds; /* "constants", "delegate 0 (XnnpackBackend)", "named data 'w'"; "" */
} dv_pte_segment_use;

typedef struct dv_pte_method {
    const char *name;
    uint32_t instructions; /* 0: it only tells constants of the model */
} dv_pte_method;

typedef struct dv_pte {
    dv_arena *arena;
    dv_buffer *buffer;  /* retained */
    dv_buffer *weights; /* the .ptd file, if the program needs one and it is there */
    const char *weights_path;
    struct dv_pte_file *file;
    const char *method; /* "forward" */
    uint32_t method_count, value_count, call_count, delegate_count, input_count, output_count,
        segment_count;
    const dv_pte_method *methods; /* all of the program */
    const dv_pte_value *values;
    const dv_pte_call *calls;
    const dv_pte_delegate *delegates;
    const int32_t *inputs, *outputs;
    const uint32_t *same_as; /* per value: the one that a view stands for; itself else */
    const dv_pte_segment_use *segments;
    uint32_t switches; /* neighbouring calls on different backends */
    uint32_t jumps;    /* branches: both sides are listed */
} dv_pte;

/* Reads a method: NULL is "forward", else the first that does anything. path is the program's, for
   the weights beside it; NULL if it has none. DV_BAD_INPUT; free with dv_pte_free. */
DV_MUST_USE dv_status dv_pte_read(dv_buffer *buffer, const char *path, const char *method,
                                  dv_pte *out);
void dv_pte_free(dv_pte *pte);

/* Could these bytes be such a program? */
bool dv_pte_recognise(const uint8_t *bytes, size_t size);

/* ---- shared by pte*.c and the readers of blobs ---- */

typedef struct dv_pte_file {
    dv_fb fb;
    dv_fb_table program, plan;
    dv_fb_vector segments, named;
    size_t segment_base; /* 0: none */
    dv_arena *arena;
    dv_fb weights; /* of the .ptd file; size 0: none */
    dv_fb_vector weight_segments;
    size_t weight_base;
    dv_names names, weight_names; /* of data in the program, in the .ptd file: their segments */
} dv_pte_file;

/* The values of file->plan into out. */
DV_MUST_USE dv_status dv_pte_values(dv_pte_file *file, dv_pte *out);

/* The calls of file->plan into out, whose values and delegates are read already. */
DV_MUST_USE dv_status dv_pte_calls(dv_pte_file *file, dv_pte *out);

/* What is inside a delegate that can be opened: ops, inside, and its inputs and outputs. */
DV_MUST_USE dv_status dv_xnnblob_count(dv_pte_delegate *delegate, dv_arena *arena);
DV_MUST_USE dv_status dv_vkblob_count(dv_pte_delegate *delegate, dv_arena *arena);

/* The bytes of a segment. */
DV_MUST_USE dv_status dv_pte_segment(dv_pte_file *file, uint32_t index, dv_span *out);

/* Fills names with the rows of a list of NamedData. */
DV_MUST_USE dv_status dv_pte_index_names(const dv_fb_vector *list, dv_names *names);

/* The data of that name in the program or in the .ptd file; *out empty if there is none. *outside:
   it is in the .ptd file. */
DV_MUST_USE dv_status dv_pte_named(dv_pte_file *file, dv_span key, dv_span *out, bool *outside);

/* Opens the .ptd file beside the program, as ExecuTorch names it. */
DV_MUST_USE dv_status dv_pte_open_weights(dv_pte *pte, const char *path);

/* Item i of a list of numbers of a value, through the values that it names. */
DV_MUST_USE dv_status dv_pte_integer(const dv_pte *pte, uint32_t value, int64_t *out);

#endif
