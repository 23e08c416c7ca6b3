/* overlap_bound.h - what no overlapped schedule can beat.

   A head is the earliest end of a unit on a target: along the dearest chain behind it, each unit of
   which is at its best target, with the moves that this choice cannot avoid, and the dispatches: a
   unit that reads from another device begins a segment, or is in one that began behind its maker,
   unless a unit that neither feeds the maker nor follows from it began it. A tail is the same for
   what must follow. Any unit's best head plus tail bounds the makespan (a longest path in which
   every edge is a minimum over pairs of targets); so does, for each device, the work that falls on
   it between heads and tails, which the linear program of dv_overlap_relax weighs against the
   chains. */
#ifndef DV_SOLVER_OVERLAP_BOUND_H
#define DV_SOLVER_OVERLAP_BOUND_H

#include "core/problem.h"
#include "core/progress.h"

typedef struct dv_overlap_bound {
    const dv_problem *problem;
    double *head_us;  /* [unit * targets + target]: earliest end; INFINITY: not allowed */
    double *tail_us;  /* the same: least time from there to the end of everything */
    double *wait_us;  /* [unit * devices + device]: dispatch that lies between the unit, if it is on
                         another device, and the end of any that reads what it makes there; 0 if it
                         could lie elsewhere */
    double *entry_us; /* [reader, as in problem->consumers, * devices + device]: the same, paid by
                         the reader itself, after its tensor has arrived */
    double *first_us; /* the same layout: session and dispatch that the unit itself pays there after
                         its inputs have arrived, whatever else runs; 0 if it may not */
    double *share;    /* per device, summing to 1: how much its load counts for */
    double *work_us;  /* per unit: the least share[device] * time over its targets */
    double path_us;   /* the largest of least head + tail */
    double device_us; /* the sum of work_us: no placement's largest load is less */
} dv_overlap_bound;

/* DV_NO_MEMORY; free it either way. O(readers of tensors * targets^2 + (units + readers) * units *
   devices / 64); with more than 10000 units, dispatches are taken to be escaped. */
DV_MUST_USE dv_status dv_overlap_bound_create(const dv_problem *problem, dv_overlap_bound *bound);
void dv_overlap_bound_free(dv_overlap_bound *bound);

/* The least time from the end of the tensor's maker on target `from` until that reader of it (an
   index into problem->consumers) can compute on target `to`. */
double dv_overlap_edge_us(const dv_overlap_bound *bound, uint32_t tensor, uint32_t reader,
                          dv_target_id from, dv_target_id to);

/* Strikes targets with which a unit could not be part of a schedule shorter than upper_us, and
   works out heads and tails anew, until nothing changes. False if a unit is left without a target:
   then no schedule is shorter. */
bool dv_overlap_bound_tighten(dv_overlap_bound *bound, double upper_us);

/* A lower bound of all schedules shorter than upper_us (INFINITY if there is none) by a linear
   program over fractional placements: ends of units along chains, moves by pairs of targets, loads
   of devices and links between heads and tails. Taken from the multipliers, so true whatever their
   rounding. -INFINITY where the deadline (dv_clock_s) passes first, or the program would be larger
   than column_limit even without moves. */
DV_MUST_USE dv_status dv_overlap_relax(const dv_overlap_bound *bound, double upper_us,
                                       uint32_t column_limit, double deadline_s,
                                       const dv_progress *progress, double *bound_us);

#endif
