/* machine.h - this machine as calibration comes to know it, and its platform/1 JSON. */
#ifndef DV_COSTMODEL_MACHINE_H
#define DV_COSTMODEL_MACHINE_H

#include "core/platform.h"
#include "core/text.h"
#include "costmodel/fit.h"
#include "costmodel/kernels.h"

/* What one sort of kernels takes. */
typedef struct dv_machine_rows {
    bool family_known[DV_FAMILY_COUNT], op_known[DV_OP_COUNT];
    uint32_t family_samples[DV_FAMILY_COUNT], op_samples[DV_OP_COUNT];
    dv_fit family[DV_FAMILY_COUNT];
    dv_fit op[DV_OP_COUNT]; /* kinds that differ from their family */
} dv_machine_rows;

typedef struct dv_machine_device {
    const char *name, *title;
    dv_device_kind kind;
    dv_realisation real;
    dv_machine_rows rows[DV_KERNELS_COUNT];
    double dispatch_us, relative_error;
} dv_machine_device;

typedef struct dv_machine {
    const char *name;
    char processor[128], date[32];
    uint32_t device_count; /* cpu, and the worker if there is one */
    dv_machine_device devices[2];
    double to_us, to_gbs, from_us, from_gbs; /* cpu to worker and back */
    double convert_gbs;
} dv_machine;

/* The processors of this machine and the backends that realise them, nothing measured yet: every
   row a guess. DV_UNAVAILABLE if no backend works here. */
DV_MUST_USE dv_status dv_machine_guess(const char *name, dv_machine *machine);

/* platform/1 JSON; says "measured" as the source, so only for what has been. */
DV_MUST_USE dv_status dv_machine_write(const dv_machine *machine, dv_text *out);

#endif
