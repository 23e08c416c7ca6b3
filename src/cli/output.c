/* output.c - what reaches the terminal: results whole and once on standard output, notes on
   standard error, and no control character of a model file on either. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

/* Length of the valid, printable UTF-8 sequence at text; 0 if there is none. */
static size_t printable(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    if (at[0] < 0x80)
        return at[0] >= 0x20 && at[0] != 0x7f;
    size_t length = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if (at[0] == 0xc2 && at[1] < 0xa0) /* C1 controls */
        return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return length;
}

void dv_cli_append_safe(dv_text *out, const char *text)
{
    while (*text) {
        size_t length = printable(text);
        if (length)
            dv_text_append_n(out, text, length);
        else
            dv_text_append(out, "\\x%02x", (unsigned char)*text);
        text += length ? length : 1;
    }
}

void dv_cli_note(const dv_cli *cli, const char *format, ...)
{
    if (cli->quiet)
        return;
    char line[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    dv_text safe = {0};
    dv_cli_append_safe(&safe, line);
    fprintf(stderr, "%s\n", dv_text_string(&safe));
    dv_text_free(&safe);
}

dv_status dv_cli_flush(dv_cli *cli)
{
    if (cli->out.failed)
        return dv_fail(DV_NO_MEMORY, "no memory for the output");
    const char *at = dv_text_string(&cli->out);
    size_t left = cli->out.length;
    while (left > 0) {
        ssize_t written = write(STDOUT_FILENO, at, left);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return dv_fail(DV_IO, "standard output: %s", strerror(errno));
        at += written;
        left -= (size_t)written;
    }
    cli->out.length = 0;
    return DV_OK;
}
