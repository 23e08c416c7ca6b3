/* progress_bar.h - one line on a terminal that tells how far long work is. */
#ifndef DV_CLI_PROGRESS_BAR_H
#define DV_CLI_PROGRESS_BAR_H

#include "core/progress.h"

/* The progress to hand to long work. Draws on standard error if visible; hears *stop either way.
   There is one terminal, so there is one bar. */
dv_progress *dv_progress_bar(bool visible, const volatile int *stop);

/* Takes the bar off the terminal, before anything else is written there. */
void dv_progress_bar_clear(void);

#endif
