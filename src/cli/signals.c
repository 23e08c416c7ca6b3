/* signals.c - what Ctrl-C leaves behind: no half-written file, no worker.

   Work that hears the flag ends by itself and frees what it owns. A second signal does not wait for
   it: temporary files go, and worker processes end as soon as they lose their parent. */
#include <signal.h>
#include <unistd.h>

#include "cli/signals.h"
#include "core/file.h"

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    if (stop) {
        dv_file_abandon();
        _exit(128 + number);
    }
    stop = 1;
}

const volatile int *dv_signals_install(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, 0);
    sigaction(SIGTERM, &action, 0);
    sigaction(SIGHUP, &action, 0);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, 0);
    return (const volatile int *)&stop;
}
