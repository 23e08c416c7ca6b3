/* status.c - statuses and this thread's message. */
#include "core/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_MAX = 1024 };

static _Thread_local char message[MESSAGE_MAX];

static const struct {
    int exit_status;
    const char *text;
} rows[] = {
#define ROW(name, exit_status, text) [name] = {exit_status, text},
    DV_STATUS_LIST(ROW)
#undef ROW
};

dv_status dv_fail(dv_status status, const char *format, ...)
{
    /* The arguments may point into the old message. */
    char text[MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    memcpy(message, text, sizeof text);
    return status;
}

dv_status dv_within(dv_status status, const char *context, ...)
{
    if (status == DV_OK)
        return status;
    char prefix[MESSAGE_MAX / 2];
    va_list arguments;
    va_start(arguments, context);
    vsnprintf(prefix, sizeof prefix, context, arguments);
    va_end(arguments);
    char text[MESSAGE_MAX];
    snprintf(text, sizeof text, "%.*s: %.*s", (int)sizeof prefix, prefix, MESSAGE_MAX / 2 - 4,
             message[0] ? message : dv_status_text(status));
    memcpy(message, text, sizeof text);
    return status;
}

const char *dv_message(void)
{
    return message;
}

const char *dv_status_text(dv_status status)
{
    return rows[status].text;
}

int dv_status_exit(dv_status status)
{
    return rows[status].exit_status;
}
