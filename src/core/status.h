/* status.h - how an operation ended, and what to tell the person who asked for it.

   Every fallible function returns a dv_status; zero is success. The message is set once, where the
   fault is known, as "FILE: where: what, and what to do", and read by whoever reports it. */
#ifndef DV_CORE_STATUS_H
#define DV_CORE_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(name, exit status, what it means) */
#define DV_STATUS_LIST(X)                                                       \
    X(DV_OK, 0, "done")                                                         \
    X(DV_NEGATIVE, 1, "done, but the answer is no")                             \
    X(DV_BAD_INPUT, 2, "the input is malformed or not supported")               \
    X(DV_BAD_PARAMETER, 2, "an option or parameter is unknown or out of range") \
    X(DV_IO, 2, "a file could not be read or written")                          \
    X(DV_UNAVAILABLE, 2, "this build or machine lacks what is needed")          \
    X(DV_NO_MEMORY, 3, "out of memory, or over the memory limit")               \
    X(DV_INTERNAL, 3, "a fault of the program itself")                          \
    X(DV_INTERRUPTED, 130, "stopped by the user")

typedef enum dv_status {
#define DV_STATUS_ENUM(name, exit_status, text) name,
    DV_STATUS_LIST(DV_STATUS_ENUM)
#undef DV_STATUS_ENUM
} dv_status;

#define DV_MUST_USE       __attribute__((warn_unused_result))
#define DV_PRINTF(at, va) __attribute__((format(printf, at, va)))

/* Passes a failure on at once; only where nothing is owned that needs freeing. */
#define DV_TRY(expr)                       \
    do {                                   \
        dv_status dv_try_status_ = (expr); \
        if (dv_try_status_ != DV_OK)       \
            return dv_try_status_;         \
    } while (0)

/* Sets this thread's message (no trailing newline or stop) and returns status. */
dv_status dv_fail(dv_status status, const char *format, ...) DV_PRINTF(2, 3);

/* Puts "context: " in front of this thread's message and returns status unchanged; does nothing
   to DV_OK. For callers that know the file where the callee knew only the place. */
dv_status dv_within(dv_status status, const char *context, ...) DV_PRINTF(2, 3);

/* This thread's last message; "" if none. Valid until the next failure on this thread. */
const char *dv_message(void);

/* The meaning of status in one line; the exit status that design gives it. */
const char *dv_status_text(dv_status status);
int dv_status_exit(dv_status status);

#endif
