/* host_platform.h - calibration as the verbs use it: measured, written, shown. */
#ifndef DV_CLI_HOST_PLATFORM_H
#define DV_CLI_HOST_PLATFORM_H

#include "cli/cli.h"
#include "costmodel/calibrate.h"

/* Measures this machine and writes the platform to path, folders included. The caller frees
 *calibration, also after a failure. */
DV_MUST_USE dv_status dv_host_calibrate(const dv_cli *cli, const char *name, bool quick,
                                        const char *path, dv_calibration *calibration);

/* How well each family's model fits its own samples. */
void dv_host_print(const dv_cli *cli, const dv_calibration *calibration, dv_text *out);

#endif
