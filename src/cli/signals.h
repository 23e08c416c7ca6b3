/* signals.h - Ctrl-C asks the work to end; a second one ends the program. */
#ifndef DV_CLI_SIGNALS_H
#define DV_CLI_SIGNALS_H

/* Installs the handlers of SIGINT, SIGTERM and SIGHUP, and ignores SIGPIPE, so that a closed pipe
   is a failed write with a message. Returns the flag that the first signal sets. */
const volatile int *dv_signals_install(void);

#endif
