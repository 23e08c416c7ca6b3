/* calibrate.h - measures this machine's backends and links, and writes it down as a platform. */
#ifndef DV_COSTMODEL_CALIBRATE_H
#define DV_COSTMODEL_CALIBRATE_H

#include "core/platform.h"
#include "core/progress.h"
#include "core/text.h"

typedef struct dv_calibrate_options {
    bool quick;       /* under a minute */
    const char *name; /* of the platform; NULL: "host" */
    dv_progress *progress;
} dv_calibrate_options;

/* How well one family's model fits its own samples. */
typedef struct dv_calibration_family {
    char backend[32], precision[8], family[16];
    uint32_t samples;
    double median_error, p90_error; /* relative */
} dv_calibration_family;

typedef struct dv_calibration {
    double seconds;
    uint32_t family_count;
    dv_calibration_family *families;
} dv_calibration;

/* Appends platform/1 JSON to out: device "cpu" on the fastest CPU backend of this build, and where
   the machine has a second core, device "worker" in a process of its own. DV_UNAVAILABLE if no
   backend probes; DV_INTERRUPTED when progress asks to stop. */
DV_MUST_USE dv_status dv_calibrate(const dv_calibrate_options *options, dv_text *out,
                                   dv_calibration *calibration);
void dv_calibration_free(dv_calibration *calibration);

#endif
