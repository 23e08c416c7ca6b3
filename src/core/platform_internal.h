/* platform_internal.h - shared by the files of platform. */
#ifndef DV_CORE_PLATFORM_INTERNAL_H
#define DV_CORE_PLATFORM_INTERNAL_H

#include "core/json.h"
#include "core/platform.h"

/* Fills supports[DV_OP_COUNT], and the device's source and named operators (from arena), from its
   "support" object. */
dv_status dv_platform_read_support(const dv_json_at *at, dv_arena *arena, bool *supports,
                                   dv_device *device);

/* The kind of operator of that name; DV_OP_COUNT, and the message set at `at`, if there is none. */
dv_op_kind dv_platform_read_kind(const dv_json_at *at, const char *name);

#endif
