/* platform_internal.h - shared by the files of platform. */
#ifndef DV_CORE_PLATFORM_INTERNAL_H
#define DV_CORE_PLATFORM_INTERNAL_H

#include "core/json.h"
#include "core/platform.h"

/* Fills supports[DV_OP_COUNT] and *source (from arena) from the "support" object of a device. */
dv_status dv_platform_read_support(const dv_json_at *at, dv_arena *arena, bool *supports,
                                   const char **source);

/* The kind of operator of that name; DV_OP_COUNT, and the message set at `at`, if there is none. */
dv_op_kind dv_platform_read_kind(const dv_json_at *at, const char *name);

#endif
