/* pte.h - the placement that an ExecuTorch program (.pte) holds: what is called in which order, by
   which backend, with which tensors.

   A program keeps instructions over values, no edges. dv_pte_read walks them and finds which
   arguments are read and which are made (pte_calls.c). Layout of the file: exir's program.fbs and
   extended_header.h. */
#ifndef DV_LOAD_PTE_H
#define DV_LOAD_PTE_H

#include "core/graph.h"
#include "load/flatbuffer.h"

/* A value of a method that is a tensor. */
typedef struct dv_pte_value {
    bool is_tensor;
    dv_dtype dtype;
    dv_shape shape;
    double bytes;
    uint32_t data; /* index of its elements in the file; 0: none */
    bool planned;  /* has a place in planned memory */
    uint32_t memory;
    uint64_t offset;
    const uint8_t *stored; /* its elements in the file; NULL: none there */
    dv_span name;          /* of a weight; empty where the file has none */
} dv_pte_value;

typedef struct dv_pte_call {
    const char *backend; /* "XnnpackBackend"; NULL: a portable kernel */
    const char *name;    /* of the kernel, "aten::add.out"; of the delegate's method else */
    uint32_t instruction;
    uint32_t input_count, output_count;
    const uint32_t *inputs, *outputs; /* values; a view of another is listed as that one */
    double bytes_in, bytes_out;
    uint32_t delegate; /* index in delegates; DV_NONE for a kernel */
} dv_pte_call;

typedef struct dv_pte_delegate {
    const char *backend;
    double blob_bytes;
    int64_t ops;        /* nodes inside; -1 where the blob's format is not known */
    const char *inside; /* "Conv2d 3, Add 1"; NULL where it is not known */
} dv_pte_delegate;

typedef struct dv_pte {
    dv_arena *arena;
    const char *method; /* "forward" */
    uint32_t value_count, call_count, delegate_count, input_count, output_count, segment_count;
    const dv_pte_value *values;
    const dv_pte_call *calls;
    const dv_pte_delegate *delegates;
    const int32_t *inputs, *outputs;
    const uint32_t *same_as; /* per value: the one that a view stands for; itself else */
    const double *segment_bytes;
    uint32_t switches; /* neighbouring calls on different backends */
    uint32_t jumps;    /* branches: both sides are listed */
} dv_pte;

/* Reads the method "forward", else the first that does anything. Everything but the backends' blobs
   is copied. DV_BAD_INPUT; free with dv_pte_free. */
DV_MUST_USE dv_status dv_pte_read(const dv_buffer *buffer, dv_pte *out);
void dv_pte_free(dv_pte *pte);

/* Could these bytes be such a program? */
bool dv_pte_recognise(const uint8_t *bytes, size_t size);

/* ---- shared by pte*.c ---- */

typedef struct dv_pte_file {
    dv_fb fb;
    dv_fb_table program, plan;
    dv_fb_vector segments;
    size_t segment_base; /* 0: none */
    dv_arena *arena;
} dv_pte_file;

/* The calls of file->plan into out, whose values are read already. */
DV_MUST_USE dv_status dv_pte_calls(dv_pte_file *file, dv_pte *out);

/* The bytes of a segment. */
DV_MUST_USE dv_status dv_pte_segment(dv_pte_file *file, uint32_t index, dv_span *out);

/* Counts what an XNNPACK blob holds; *ops -1 if it is not one. */
DV_MUST_USE dv_status dv_xnnblob_read(dv_span blob, dv_arena *arena, int64_t *ops,
                                      const char **inside);

#endif
