/* integers.h - quantised operators as XNNPACK's operators on 8-bit integers; for this folder, and
   for backends whose programs take their integer operators from here.

   Tensors of i8 and u8 with one scale, weights with one or one a channel. A tensor is read in
   either *form*, signed or unsigned: the same numbers with another zero point (DV_LAYOUT_OWN of
   8-bit integers). So u8 activations meet the library's kernels with a scale a channel, which are
   signed, and i8 ones its weights with a zero point, which are unsigned.

   How results compare with the reference kernels, which compute on the numbers that integers stand
   for and round once: tables and data movement are equal. Convolutions and products sum exactly and
   round once, but scale the sum in f32: a result may be one step off where it lies within 1e-6 of
   the middle of two steps. Sums, products and averages scale by fixed-point factors of 8 to 20
   bits: one step where the result lies within a hundredth or so of the middle. */
#ifndef DV_RUNTIME_XNNPACK_INTEGERS_H
#define DV_RUNTIME_XNNPACK_INTEGERS_H

#include "runtime/program.h"

/* As a row of dv_program_rules: the lowering of operators with 8-bit integers among them; and
   whether it has one, for a processor on which the library works. */
dv_status dv_xnn_lower_integers(dv_program *program, uint32_t at, bool *done);
bool dv_xnn_is_integer(const dv_graph *graph, dv_op_id op);

#endif
