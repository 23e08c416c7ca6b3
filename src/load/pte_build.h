/* pte_build.h - the state of making a graph of a program, shared by its kernels and its blobs. */
#ifndef DV_LOAD_PTE_BUILD_H
#define DV_LOAD_PTE_BUILD_H

#include "load/load.h"
#include "load/pte.h"

typedef struct dv_pte_builder {
    const dv_pte *pte;
    dv_graph *graph;
    dv_arena *arena;      /* lives as long as the builder */
    dv_tensor_id *ids;    /* per value: the tensor that holds it now */
    dv_tensor_id *of;     /* per view: the tensor that ids was made of */
    dv_tensor_id *states; /* per value: what it was when the run began, if it is kept */
    size_t made_bytes;    /* of constants that were converted */
    size_t blob_bytes;    /* of delegates that were opened, each time they are called */
    size_t items;         /* of lists that were read */
    int64_t instruction;  /* under way */
} dv_pte_builder;

/* The tensor of a value that a call reads. */
DV_MUST_USE dv_status dv_pte_tensor(dv_pte_builder *b, uint32_t value, dv_tensor_id *id);

/* A new tensor for a value that a call makes. */
DV_MUST_USE dv_status dv_pte_make(dv_pte_builder *b, uint32_t value, dv_tensor_id *id);

/* Lets tensor id hold the value from now on. */
void dv_pte_set(dv_pte_builder *b, uint32_t value, dv_tensor_id id);

/* Adds the call of a kernel. */
DV_MUST_USE dv_status dv_pte_add_kernel(dv_pte_builder *b, const dv_pte_call *call);

/* Adds a call as one operator that is kept by name. */
DV_MUST_USE dv_status dv_pte_add_opaque(dv_pte_builder *b, const dv_pte_call *call,
                                        const char *reason);

/* A buffer for a converted constant; refuses what the file's length does not justify. */
DV_MUST_USE dv_status dv_pte_new_buffer(dv_pte_builder *b, size_t bytes, dv_buffer **out);

#endif
