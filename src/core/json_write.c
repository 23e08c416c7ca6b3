/* json_write.c - JSON text that reads back equal. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"

enum { MAX_DEPTH = 63 };

dv_json_writer dv_json_writer_on(dv_text *out)
{
    return (dv_json_writer){.out = out};
}

size_t dv_utf8_length(const char *text, size_t size)
{
    const unsigned char *s = (const unsigned char *)text;
    if (s[0] < 0x80)
        return 1;
    size_t length = s[0] >= 0xC2 && s[0] < 0xE0   ? 2
                    : s[0] >= 0xE0 && s[0] < 0xF0 ? 3
                    : s[0] >= 0xF0 && s[0] < 0xF5 ? 4
                                                  : 0;
    if (length == 0 || length > size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xF0 && s[1] < 0x90);
    bool outside = (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF4 && s[1] > 0x8F);
    return overlong || outside ? 0 : length;
}

/* Names come from model files and may hold any bytes: what is not UTF-8 becomes U+FFFD. */
static void put_quoted(dv_text *out, const char *value)
{
    dv_text_append_n(out, "\"", 1);
    size_t left = strlen(value);
    for (const char *s = value; left > 0;) {
        size_t length = dv_utf8_length(s, left);
        if (length == 0)
            dv_text_append(out, "\\ufffd");
        else if (*s == '"' || *s == '\\')
            dv_text_append(out, "\\%c", *s);
        else if (*s == '\n')
            dv_text_append(out, "\\n");
        else if ((unsigned char)*s < 0x20 || *s == 0x7F)
            dv_text_append(out, "\\u%04x", (unsigned)*s);
        else
            dv_text_append_n(out, s, length);
        s += length ? length : 1;
        left -= length ? length : 1;
    }
    dv_text_append_n(out, "\"", 1);
}

bool dv_json_is_spelt(const char *value, const char *text)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    size_t left = strlen(value);
    for (const char *s = value; left > 0;) {
        size_t length = dv_utf8_length(s, left);
        const char *part = length ? s : replacement;
        size_t size = length ? length : sizeof replacement - 1;
        if (strncmp(text, part, size) != 0)
            return false;
        text += size;
        s += length ? length : 1;
        left -= length ? length : 1;
    }
    return *text == '\0';
}

static bool bit(uint64_t bits, int depth)
{
    return (bits >> depth) & 1;
}

/* Comma, line break and key in front of the next item. */
static void put_lead(dv_json_writer *writer, const char *key)
{
    dv_text *out = writer->out;
    int depth = writer->depth;
    if (bit(writer->has_items, depth))
        dv_text_append(out, ",");
    if (depth > 0) {
        if (!bit(writer->compact, depth))
            dv_text_append(out, "\n%*s", 2 * depth, "");
        else if (bit(writer->has_items, depth))
            dv_text_append(out, " ");
    }
    writer->has_items |= UINT64_C(1) << depth;
    if (key) {
        put_quoted(out, key);
        dv_text_append(out, ": ");
    }
}

static void begin(dv_json_writer *writer, const char *key, char bracket, bool compact)
{
    put_lead(writer, key);
    dv_text_append(writer->out, "%c", bracket);
    bool inside_line = bit(writer->compact, writer->depth);
    if (writer->depth < MAX_DEPTH)
        writer->depth++;
    else
        writer->out->failed = true;
    uint64_t mask = UINT64_C(1) << writer->depth;
    writer->has_items &= ~mask;
    writer->compact = compact || inside_line ? writer->compact | mask : writer->compact & ~mask;
}

void dv_json_begin_object(dv_json_writer *writer, const char *key)
{
    begin(writer, key, '{', false);
}

void dv_json_begin_array(dv_json_writer *writer, const char *key)
{
    begin(writer, key, '[', false);
}

void dv_json_begin_line(dv_json_writer *writer, const char *key, char bracket)
{
    begin(writer, key, bracket, true);
}

void dv_json_end(dv_json_writer *writer, char bracket)
{
    bool broken = bit(writer->has_items, writer->depth) && !bit(writer->compact, writer->depth);
    writer->depth--;
    if (broken)
        dv_text_append(writer->out, "\n%*s", 2 * writer->depth, "");
    dv_text_append(writer->out, "%c", bracket);
    if (writer->depth == 0)
        dv_text_append(writer->out, "\n");
}

void dv_json_put_string(dv_json_writer *writer, const char *key, const char *value)
{
    put_lead(writer, key);
    if (value)
        put_quoted(writer->out, value);
    else
        dv_text_append(writer->out, "null");
}

void dv_json_put_number(dv_json_writer *writer, const char *key, double value)
{
    put_lead(writer, key);
    if (isnan(value)) {
        dv_text_append(writer->out, "null");
    } else if (isinf(value)) {
        dv_text_append(writer->out, value > 0 ? "\"inf\"" : "\"-inf\"");
    } else if (value == floor(value) && fabs(value) < 1e15) {
        dv_text_append(writer->out, "%.0f", value + 0.0); /* + 0.0: no "-0" */
    } else {
        char digits[40];
        for (int precision = 1; precision <= 17; precision++) {
            snprintf(digits, sizeof digits, "%.*g", precision, value);
            if (strtod(digits, NULL) == value)
                break;
        }
        dv_text_append(writer->out, "%s", digits);
    }
}

void dv_json_put_integer(dv_json_writer *writer, const char *key, int64_t value)
{
    put_lead(writer, key);
    dv_text_append(writer->out, "%lld", (long long)value);
}

void dv_json_put_bool(dv_json_writer *writer, const char *key, bool value)
{
    put_lead(writer, key);
    dv_text_append(writer->out, value ? "true" : "false");
}
