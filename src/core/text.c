/* text.c - a growing string, and figures for people. */
#include "core/text.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"

static bool reserve(dv_text *text, size_t more)
{
    size_t need;
    if (text->failed || !dv_add_size(text->length, more, &need) || !dv_add_size(need, 1, &need) ||
        !dv_grow((void **)&text->data, &text->capacity, need, 1))
        text->failed = true;
    return !text->failed;
}

void dv_text_append_n(dv_text *text, const char *bytes, size_t length)
{
    if (!reserve(text, length))
        return;
    if (length > 0)
        memcpy(text->data + text->length, bytes, length);
    text->length += length;
    text->data[text->length] = '\0';
}

void dv_text_append(dv_text *text, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        text->failed = true;
    } else if (reserve(text, (size_t)length)) {
        vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

void dv_text_free(dv_text *text)
{
    free(text->data);
    *text = (dv_text){0};
}

const char *dv_text_string(const dv_text *text)
{
    return text->data ? text->data : "";
}

/* Three significant digits, as "8.21", "82.1", "821". */
static void three_digits(char out[DV_FIGURE_MAX], double value, const char *unit)
{
    int decimals = fabs(value) < 9.995 ? 2 : fabs(value) < 99.95 ? 1 : 0;
    snprintf(out, DV_FIGURE_MAX, "%.*f %s", decimals, value, unit);
}

char *dv_format_us(char out[DV_FIGURE_MAX], double us)
{
    if (!isfinite(us))
        snprintf(out, DV_FIGURE_MAX, "%s", isnan(us) ? "?" : us < 0 ? "-inf" : "inf");
    else if (us == 0)
        snprintf(out, DV_FIGURE_MAX, "0 us");
    else if (fabs(us) < 999.5)
        three_digits(out, us, "us");
    else if (fabs(us) < 9999.5e3)
        three_digits(out, us / 1e3, "ms");
    else
        three_digits(out, us / 1e6, "s");
    return out;
}

static char *with_prefix(char out[DV_FIGURE_MAX], double value, const char *const units[5])
{
    if (!isfinite(value)) {
        snprintf(out, DV_FIGURE_MAX, "%s", isnan(value) ? "?" : "inf");
        return out;
    }
    int power = 0;
    while (power < 4 && fabs(value) >= 999.5) {
        value /= 1000;
        power++;
    }
    if (power == 0)
        snprintf(out, DV_FIGURE_MAX, "%.0f%s", value, units[0]);
    else
        three_digits(out, value, units[power]);
    return out;
}

char *dv_format_bytes(char out[DV_FIGURE_MAX], double bytes)
{
    static const char *const units[] = {" B", "KB", "MB", "GB", "TB"};
    return with_prefix(out, bytes, units);
}

char *dv_format_count(char out[DV_FIGURE_MAX], double count)
{
    static const char *const units[] = {"", "k", "M", "G", "T"};
    return with_prefix(out, count, units);
}

typedef struct figure_unit {
    const char *name;
    double factor;
} figure_unit;

/* A finite number, 0 or more, and one of the units (up to a NULL), into *out. */
static bool parse_figure(const char *text, const figure_unit *units, double *out)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || errno || !isfinite(value) || value < 0)
        return false;
    for (; units->name; units++)
        if (strcmp(end, units->name) == 0 && isfinite(value * units->factor)) {
            *out = value * units->factor;
            return true;
        }
    return false;
}

bool dv_parse_us(const char *text, double *us)
{
    static const figure_unit units[] = {{"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"", 1}, {0}};
    return parse_figure(text, units, us);
}

bool dv_parse_bytes(const char *text, double *bytes)
{
    static const figure_unit units[] = {{"B", 1},    {"KB", 1e3},  {"kB", 1e3}, {"MB", 1e6},
                                        {"GB", 1e9}, {"TB", 1e12}, {"", 1},     {0}};
    return parse_figure(text, units, bytes);
}

bool dv_parse_uj(const char *text, double *uj)
{
    static const figure_unit units[] = {{"uJ", 1}, {"mJ", 1e3}, {"J", 1e6}, {"", 1}, {0}};
    return parse_figure(text, units, uj);
}

bool dv_parse_number(const char *text, double *value)
{
    static const figure_unit units[] = {{"", 1}, {0}};
    return parse_figure(text, units, value);
}

bool dv_parse_integer(const char *text, int64_t low, int64_t high, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || value < low || value > high)
        return false;
    *out = value;
    return true;
}

static size_t edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 63 };
    size_t m = strlen(a), n = strlen(b);
    if (m > LONGEST || n > LONGEST)
        return SIZE_MAX;
    size_t row[LONGEST + 1];
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; i <= m; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t gap = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < gap ? change : gap;
        }
    }
    return row[n];
}

const char *dv_nearest_name(const char *name, const char *const *names, size_t count)
{
    const char *best = NULL;
    size_t length = strlen(name), least = length / 3 + 2;
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(name, names[i]);
        if (length >= 3 && strncmp(name, names[i], length) == 0)
            distance = 1;
        if (distance < least) {
            least = distance;
            best = names[i];
        }
    }
    return best;
}
