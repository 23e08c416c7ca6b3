/* aten.h - a call of an ATen operator becomes one or a few operators of ours.

   Shared by all that speak ATen: torch.export archives (.pt2), the kernel calls of ExecuTorch
   programs (.pte), and the blobs of its Vulkan delegate. Each loader turns its own form of a call
   into a dv_aten_call; aten.def has a row for each operator that is understood, with its arguments'
   names and defaults as in PyTorch's native_functions.yaml. */
#ifndef DV_LOAD_ATEN_H
#define DV_LOAD_ATEN_H

#include "core/graph.h"

typedef enum dv_aten_type {
    DV_ATEN_NONE, /* absent, or None */
    DV_ATEN_TENSOR,
    DV_ATEN_TENSORS,
    DV_ATEN_INT, /* a dtype as well: c10::ScalarType (6 is f32) */
    DV_ATEN_REAL,
    DV_ATEN_BOOL,
    DV_ATEN_INTS,
    DV_ATEN_REALS,
    DV_ATEN_TEXT,
    DV_ATEN_COMPLEX, /* a number: real and imaginary */
} dv_aten_type;

typedef struct dv_aten_value {
    dv_aten_type type;
    dv_tensor_id tensor;
    int64_t integer; /* INT, BOOL */
    double real, imaginary;
    const char *text;
    uint32_t count;              /* of the list */
    const dv_tensor_id *tensors; /* DV_NONE: an absent one of an optional list */
    const int64_t *integers;
    const double *reals;
} dv_aten_value;

typedef struct dv_aten_rule dv_aten_rule; /* a row of aten.def */

typedef struct dv_aten_call {
    const dv_aten_rule *rule;
    const char *name;        /* of the operators: the node's */
    const char *source_type; /* "aten::add.out", as the file spells it */
    int64_t debug_handle;
    uint32_t arg_count;
    const dv_aten_value *args; /* in the order of the rule's schema; those left out at the end have
                                  their defaults */
    uint32_t output_count;
    const dv_tensor_id *outputs; /* added by the caller; DV_NONE: not wanted */
} dv_aten_call;

/* The row of an operator, or NULL. name is "add", "add_", "view_copy"; overload "Tensor",
   "Tensor_out", "out", "default" or "". O(log rows). */
const dv_aten_rule *dv_aten_find(const char *name, const char *overload);

/* The i-th row, NULL past the last; its name. */
const dv_aten_rule *dv_aten_rule_at(size_t i);
const char *dv_aten_name(const dv_aten_rule *rule);

/* How many arguments it has; is that the name of the i-th; has it no default; its default. */
uint32_t dv_aten_arg_count(const dv_aten_rule *rule);
bool dv_aten_arg_is(const dv_aten_rule *rule, uint32_t i, const char *name, size_t length);
bool dv_aten_arg_required(const dv_aten_rule *rule, uint32_t i);
dv_aten_value dv_aten_default(const dv_aten_rule *rule, uint32_t i);

/* The element type of that number in c10::ScalarType; NONE if we have none like it. */
dv_dtype dv_aten_dtype(int64_t scalar_type);

/* The type of both parts of complex numbers, f32 or f64; NONE if it is no such type. */
dv_dtype dv_aten_complex_part(int64_t scalar_type);

/* The shape that holds complex numbers of that shape: a dim of two more. false if that is one dim
   too many. */
bool dv_aten_complex_shape(dv_shape *shape);

/* Adds the call's operators to graph. One that is not understood in all its arguments is added as
   one OPAQUE operator with its reason. DV_BAD_INPUT, DV_NO_MEMORY. */
DV_MUST_USE dv_status dv_aten_add(dv_graph *graph, const dv_aten_call *call);

#endif
