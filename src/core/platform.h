/* platform.h - the processors of a machine, their precisions, and the links between them.

   Read from platform/1 JSON (doc/formats.md); every figure carries its source. A *target* is a
   (device, precision) pair such as "ane:f16"; it is what a unit is placed on. */
#ifndef DV_CORE_PLATFORM_H
#define DV_CORE_PLATFORM_H

#include "core/arena.h"
#include "core/op.h"

typedef uint32_t dv_device_id;
typedef uint32_t dv_target_id;

typedef enum dv_device_kind {
    DV_DEVICE_CPU,
    DV_DEVICE_GPU,
    DV_DEVICE_NPU,
    DV_DEVICE_ANE,
    DV_DEVICE_DSP,
    DV_DEVICE_KIND_COUNT
} dv_device_kind;

const char *dv_device_kind_name(dv_device_kind kind); /* "cpu" */

/* A number and where it comes from. */
typedef struct dv_figure {
    double value;
    const char *source;
} dv_figure;

/* The roofline of one family on one target: launch_us + max(macs / rate, bytes / bandwidth). */
typedef struct dv_family_cost {
    bool given;
    dv_figure launch_us;  /* per operator */
    dv_figure gmacs;      /* 1e9 multiply-adds a second; INFINITY: bytes decide alone */
    dv_figure weight_gbs; /* 1e9 bytes a second; the target's own where the family has none */
    dv_figure activation_gbs;
} dv_family_cost;

/* Prices that stand beside those of floats: what a family does not give is taken from its nearest
   kin. */
typedef struct dv_cost_rows {
    dv_family_cost family[DV_FAMILY_COUNT];
    const dv_family_cost *operators; /* DV_OP_COUNT rows, or NULL */
} dv_cost_rows;

typedef struct dv_target {
    const char *name; /* "ane:f16" */
    dv_device_id device;
    dv_dtype precision;        /* F32, F16, BF16 or I8 */
    uint32_t channel_multiple; /* channels are padded up to this in multiply-adds; at least 1 */
    dv_figure weight_gbs, activation_gbs;
    dv_family_cost family[DV_FAMILY_COUNT];
    const dv_family_cost
        *operators; /* DV_OP_COUNT rows: kinds that have a price of their own; or NULL */
    /* Of operators on 8-bit integers that the device's backend has integer kernels for, and of
       those that are computed on floats between conversions; NULL: as floats. */
    const dv_cost_rows *integers, *converted;
    double relative_error; /* of a prediction, as a share; from calibration, else 0 */
} dv_target;

/* How this machine realises a device; all NULL or 0 on a platform that is only a model. */
typedef struct dv_realisation {
    const char *backend; /* "portable", "xnnpack", "onednn", "worker"; NULL: not runnable here */
    const char *inner;   /* worker: the backend that it runs */
    int32_t core;        /* worker: processor to pin to; -1: none */
    uint32_t threads;    /* at least 1 when runnable */
} dv_realisation;

typedef struct dv_device {
    const char *name; /* unique */
    const char *title;
    dv_device_kind kind;
    const char *delegate; /* ExecuTorch's backend id, NULL for portable kernels */
    dv_figure dispatch_us, session_us;
    dv_figure memory_bytes; /* INFINITY: not limited */
    dv_figure power_w;      /* while busy; NAN: unknown */
    const bool *supports;   /* DV_OP_COUNT entries */
    bool runs_all;          /* every operator, also those of no kind of ours */
    uint32_t named_count;   /* operators of no kind of ours that it runs, by their ATen names */
    const char *const *named;
    const char *support_source;
    dv_realisation realisation;
} dv_device;

/* Moving a tensor between two devices, host memory shared or not. */
typedef struct dv_link {
    dv_device_id from, to;
    dv_figure latency_us, gbs;
} dv_link;

typedef struct dv_platform {
    const char *name, *title, *about, *file;
    char sha256[65]; /* of the file's bytes */
    uint32_t device_count, target_count, link_count;
    const dv_device *devices;
    const dv_target *targets;
    const dv_link *links;
    dv_target_id host;     /* where inputs start and outputs end */
    dv_figure convert_gbs; /* precision or layout change within a device */
    dv_arena *arena;
} dv_platform;

/* A platform by name (the user's own platforms directory first, then those compiled in), or by
   path (anything with '/' or ending in ".json"). DV_BAD_INPUT with the path of the fault; an
   unknown name lists the known ones. */
DV_MUST_USE dv_status dv_platform_open(const char *name_or_path, dv_platform **out);

/* From size bytes of platform/1 JSON; file names them in messages. */
DV_MUST_USE dv_status dv_platform_parse(const char *file, const char *text, size_t size,
                                        dv_platform **out);
void dv_platform_destroy(dv_platform *platform);

/* The i-th known platform name (user's and compiled in, sorted, no repeats) into name; false past
   the last. */
bool dv_platform_name(size_t i, char name[256]);

/* Where `calibrate` puts, and dv_platform_open looks for, a user's platform: $DIVVY_PLATFORMS,
   else $XDG_CONFIG_HOME/divvy/platforms, else ~/.config/divvy/platforms. */
void dv_platform_user_path(const char *name, char path[4096]);

/* A copy restricted to targets listed as "cpu:f32,ane:f16" (a bare device name: all its
   precisions); the host's target stays the host and is always kept. DV_BAD_PARAMETER naming an
   unknown target and the known ones. */
DV_MUST_USE dv_status dv_platform_restrict(const dv_platform *platform, const char *targets,
                                           dv_platform **out);

/* Lets every device that runs in this process use so many threads (at least 1). The predictions
   stay those of the platform's own count. */
void dv_platform_set_threads(dv_platform *platform, uint32_t threads);

/* Does the device run operators of that kind? OPAQUE ones are looked up by their source type,
   "aten.sort.default". O(names that the device lists). */
bool dv_device_runs(const dv_device *device, dv_op_kind kind, const char *source_type);

/* Says that a device runs operators of that kind, whatever its support table says. */
void dv_platform_allow(dv_platform *platform, dv_device_id device, dv_op_kind kind);

/* Ids by name, or DV_NONE's value UINT32_MAX. */
dv_target_id dv_platform_target(const dv_platform *platform, const char *name);
dv_device_id dv_platform_device(const dv_platform *platform, const char *name);

/* The link between two different devices; NULL if the platform has none (then the tensor goes
   through the host: two links). O(links). */
const dv_link *dv_platform_link(const dv_platform *platform, dv_device_id from, dv_device_id to);

#endif
