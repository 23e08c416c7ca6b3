/* binary.h - two operands broadcast together, a block at a time; for binary.c and compare.c. */
#ifndef DV_RUNTIME_PORTABLE_BINARY_H
#define DV_RUNTIME_PORTABLE_BINARY_H

#include "runtime/portable/kernel.h"

/* Puts the result of count pairs into a. The integer form gives false where there is none. */
typedef void (*dv_float_pair)(double *a, const double *b, size_t count);
typedef bool (*dv_integer_pair)(int64_t *a, const int64_t *b, size_t count);

/* Output, first and second input over the output's shape. */
void dv_binary_walk(const dv_kernel_call *call, dv_walk *walk);

void dv_binary_floats(const dv_kernel_call *call, dv_float_pair apply);
bool dv_binary_integers(const dv_kernel_call *call, dv_integer_pair apply);

#endif
