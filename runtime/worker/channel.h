/* channel.h - a doorbell between two processes: numbered requests and replies in shared memory.

   Each side looks for a while before it sleeps on a futex: a sleeping peer on another core takes
   tens of microseconds to wake, a looking one half of one, but looking costs its core. */
#ifndef DV_RUNTIME_WORKER_CHANNEL_H
#define DV_RUNTIME_WORKER_CHANNEL_H

#include <stdatomic.h>

#include "core/status.h"

/* One direction: its own cache line. */
typedef struct dv_bell {
    _Alignas(64) _Atomic uint32_t number; /* of the last ring */
    _Atomic uint32_t sleeping;            /* is the listener asleep? */
} dv_bell;

/* Rings; wakes the listener if it sleeps. */
void dv_bell_ring(dv_bell *bell);

/* Waits until the bell's number differs from `seen`, looking for spin_us before sleeping; false if
   it still has not after one sleep of at most sleep_ms (look whether the peer lives, call again).
 */
bool dv_bell_wait(dv_bell *bell, uint32_t seen, uint32_t spin_us, uint32_t sleep_ms);

#endif
