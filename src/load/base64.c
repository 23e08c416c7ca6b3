#include "load/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void dv_base64_append(dv_text *out, const uint8_t *bytes, size_t size)
{
    char line[1024];
    size_t filled = 0;
    for (size_t i = 0; i < size; i += 3) {
        size_t have = size - i < 3 ? size - i : 3;
        uint32_t group = (uint32_t)bytes[i] << 16;
        if (have > 1)
            group |= (uint32_t)bytes[i + 1] << 8;
        if (have > 2)
            group |= bytes[i + 2];
        line[filled++] = digits[group >> 18];
        line[filled++] = digits[group >> 12 & 63];
        line[filled++] = have > 1 ? digits[group >> 6 & 63] : '=';
        line[filled++] = have > 2 ? digits[group & 63] : '=';
        if (filled == sizeof line) {
            dv_text_append_n(out, line, filled);
            filled = 0;
        }
    }
    dv_text_append_n(out, line, filled);
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool dv_base64_decode(const char *text, uint8_t *out, size_t size)
{
    size_t length = strlen(text);
    if (length % 4 != 0 || length / 4 != size / 3 + (size % 3 != 0))
        return false;
    size_t done = 0;
    for (size_t i = 0; i < length; i += 4) {
        size_t want = size - done < 3 ? size - done : 3;
        uint32_t group = 0;
        for (size_t k = 0; k < 4; k++) {
            int value = k <= want ? value_of(text[i + k]) : text[i + k] == '=' ? 0 : -1;
            if (value < 0)
                return false;
            group = group << 6 | (uint32_t)value;
        }
        for (size_t k = 0; k < want; k++)
            out[done++] = (uint8_t)(group >> (16 - 8 * k));
    }
    return true;
}
