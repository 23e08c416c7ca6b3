/* channel.c - futexes shared between processes. */
#include "runtime/worker/channel.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"

static void relax(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

void dv_bell_ring(dv_bell *bell)
{
    atomic_fetch_add(&bell->number, 1);
    if (atomic_load(&bell->sleeping))
        syscall(SYS_futex, &bell->number, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static bool look(dv_bell *bell, uint32_t seen, uint32_t spin_us)
{
    if (atomic_load_explicit(&bell->number, memory_order_acquire) != seen)
        return true;
    uint64_t until = dv_clock_ns() + (uint64_t)spin_us * 1000;
    while (spin_us > 0 && dv_clock_ns() < until)
        for (int i = 0; i < 16; i++) {
            if (atomic_load_explicit(&bell->number, memory_order_acquire) != seen)
                return true;
            relax();
        }
    return false;
}

bool dv_bell_wait(dv_bell *bell, uint32_t seen, uint32_t spin_us, uint32_t sleep_ms)
{
    if (look(bell, seen, spin_us))
        return true;
    struct timespec timeout = {.tv_sec = sleep_ms / 1000,
                               .tv_nsec = (long)(sleep_ms % 1000) * 1000000};
    atomic_store(&bell->sleeping, 1);
    /* returns at once if the number has changed since: no ring is missed */
    syscall(SYS_futex, &bell->number, FUTEX_WAIT, seen, &timeout, NULL, 0);
    atomic_store(&bell->sleeping, 0);
    return atomic_load(&bell->number) != seen;
}
