/* problem_text.h - small problems written as text, so that a test can be read at a glance.

   problem_of("cpu npu",           targets; the first is the host; "npu:f16 npu:i8" share a device
              "move 3\n"           latency between any two targets (default 0)
              "move_same 1\n"      the same between targets of one device (default: as move)
              "per_byte 0.5\n"     between any two targets (default 0)
              "bytes 8\n"          of every tensor (default 0)
              "dispatch 1 5\n"     per device (default 0)
              "session 0 9\n"      per device (default 0)
              "capacity 100 50\n"  per device (default unlimited)
              "segments 3\n"       "energy 10\n" "loss 0.5\n": limits
              "a  10 1\n"          unit a: time on each target, '-' unsupported; reads the unit
   before "b   5 -  < a\n"     reads a alone; "< in" the input; "<" nothing "c   1 1  < a b  @ npu
   # 7  ! 30 40  ~ 2 3  $ 0 1\n") pinned to npu, of group 7, 30 and 40 bytes of memory, 2 and 3 uJ,
                                   losses 0 and 1
   The first unit reads the input "in" unless it says otherwise; a unit that nobody reads is an
   output. Aborts on a mistake in the text. */
#ifndef DV_TESTS_PROBLEM_TEXT_H
#define DV_TESTS_PROBLEM_TEXT_H

#include "solver/strategy.h"

dv_problem *problem_of(const char *targets, const char *text);

/* The plan of the strategy; aborts with its message if it fails; NULL if it finds none. */
dv_plan *solve_with(const char *strategy, const dv_problem *problem);

#endif
