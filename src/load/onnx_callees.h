/* onnx_callees.h - the functions that a model brings along, by domain, name and overload. */
#ifndef DV_LOAD_ONNX_CALLEES_H
#define DV_LOAD_ONNX_CALLEES_H

#include "load/names.h"
#include "load/onnx_reads.h"

typedef struct dv_onnx_callee {
    dv_onnx_function function;
    dv_onnx_reads reads; /* what its body reads; filled at the first call */
    bool has_reads;
} dv_onnx_callee;

/* Zero-initialise; free with dv_onnx_callees_free. */
typedef struct dv_onnx_callees {
    dv_names index; /* "domain\nname\noverload" -> callee */
    uint32_t count;
    dv_onnx_callee *items;
} dv_onnx_callees;

/* Reads the heads of all functions of a model. arena: lives as long as the table. O(bytes that are
   not nodes). DV_BAD_INPUT for a function that is defined twice. */
DV_MUST_USE dv_status dv_onnx_callees_read(dv_onnx_callees *callees, dv_span model,
                                           const uint8_t *file, dv_arena *arena);

/* The function that a node calls, or NULL. O(1). */
dv_onnx_callee *dv_onnx_callee_of(const dv_onnx_callees *callees, const dv_onnx_node *node);

void dv_onnx_callees_free(dv_onnx_callees *callees);

#endif
