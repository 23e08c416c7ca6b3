/* quantised.h - operands that are integers, or floats of 16 bits, in memory and f32 to the kernel.
 */
#ifndef DV_RUNTIME_PORTABLE_QUANTISED_H
#define DV_RUNTIME_PORTABLE_QUANTISED_H

#include "runtime/portable/kernel.h"

/* How an average of integers that ends in a half is rounded: as it comes out of floats, which lose
   the half, to the even integer, or away from zero. */
typedef enum dv_halves { DV_HALVES_LOST, DV_HALVES_EVEN, DV_HALVES_AWAY } dv_halves;

/* An operand of an operator whose kernel sees f32 in its place. */
typedef struct dv_quantised {
    dv_operand *seen;      /* by the kernel: f32 */
    dv_operand integers;   /* in memory */
    const dv_quant *quant; /* of the graph's tensor; of count 0 if they are floats */
    dv_halves halves;      /* of an output */
    bool is_output;
    bool stays;  /* a constant: converted once */
    bool ready;  /* a constant that has been */
    void *owned; /* the kernel's copy */
} dv_quantised;

/* Can the kernel move the integers themselves, because all of them mean the same? */
bool dv_quantised_moves(const dv_graph *graph, const dv_op *op);

/* Are all operands floats of 16 bits, and the kernel one for f32 only? */
bool dv_is_of_halves(const dv_graph *graph, const dv_op *op);

/* As TFLite rounds what the operator of one of its networks makes: an average pool away from zero,
   a mean (of the XNNPACK delegate) to the even integer. */
dv_halves dv_halves_of(const dv_graph *graph, const dv_op *op);

/* Lets the kernel see f32 instead of the operand; its memory is taken by dv_quantised_allocate. */
void dv_quantised_begin(dv_quantised *q, dv_operand *operand, const dv_tensor *tensor);
DV_MUST_USE dv_status dv_quantised_allocate(dv_quantised *q);

/* What the kernel reads is made of the integers; the integers of what it has written. */
void dv_quantised_load(dv_quantised *q);
void dv_quantised_store(const dv_quantised *q);

#endif
