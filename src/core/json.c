/* json.c - strict reading of JSON: cJSON parses, this file refuses what it lets through and says
   where every fault is. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"

enum { MAX_PATH = 512 };

/* Line and column (in bytes, from 1) of offset in text. */
static void find_line(const char *text, size_t offset, size_t *line, size_t *column)
{
    *line = 1;
    size_t start = 0;
    for (size_t i = 0; i < offset; i++)
        if (text[i] == '\n') {
            (*line)++;
            start = i + 1;
        }
    *column = offset - start + 1;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static dv_status fail_at(const char *file, const char *text, size_t offset, const char *what)
{
    size_t line, column;
    find_line(text, offset, &line, &column);
    return dv_fail(DV_BAD_INPUT, "%s: line %zu, column %zu: %s", file, line, column, what);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Some key that object holds twice, NULL if none; *failed without memory. O(n log n). */
static const char *repeated_key(const cJSON *object, bool *failed)
{
    size_t count = 0;
    for (const cJSON *child = object->child; child; child = child->next)
        count++;
    if (count < 2)
        return NULL;
    const char **keys = malloc(count * sizeof *keys);
    if (!keys) {
        *failed = true;
        return NULL;
    }
    size_t n = 0;
    for (const cJSON *child = object->child; child; child = child->next)
        keys[n++] = child->string;
    qsort(keys, count, sizeof *keys, compare_keys);
    const char *found = NULL;
    for (size_t i = 1; i < count && !found; i++)
        if (strcmp(keys[i - 1], keys[i]) == 0)
            found = keys[i];
    free(keys);
    return found;
}

/* Depth is bounded by cJSON's nesting limit. */
static dv_status refuse_repeats(const dv_json_at *at)
{
    if (cJSON_IsObject(at->node)) {
        bool failed = false;
        const char *key = repeated_key(at->node, &failed);
        if (failed)
            return dv_fail(DV_NO_MEMORY, "%s: out of memory", at->file);
        if (key)
            return dv_json_fail(at, "key \"%s\" appears twice", key);
    }
    for (dv_json_at child = dv_json_first(at); child.node; child = dv_json_next(&child))
        DV_TRY(refuse_repeats(&child));
    return DV_OK;
}

static dv_status check_text(const char *file, const char *text, size_t size)
{
    for (size_t at = 0, length; at < size; at += length) {
        length = dv_utf8_length(text + at, size - at);
        if (text[at] == '\0')
            return fail_at(file, text, at, "a zero byte; this is not JSON text");
        if (length == 0)
            return fail_at(file, text, at, "a byte that is not UTF-8; this is not JSON text");
    }
    return DV_OK;
}

dv_status dv_json_parse(const char *file, const char *text, size_t size, dv_json **out)
{
    *out = NULL;
    DV_TRY(check_text(file, text, size));
    /* a line break more, so that the library tells "ends too early" from a fault at the last byte
     */
    char *padded = malloc(size + 1);
    if (!padded)
        return dv_fail(DV_NO_MEMORY, "%s: out of memory", file);
    if (size)
        memcpy(padded, text, size);
    padded[size] = '\n';
    const char *end = padded;
    cJSON *json = cJSON_ParseWithLengthOpts(padded, size + 1, &end, 0);
    size_t offset = (size_t)(end - padded);
    free(padded);
    /* a bare word is reported from its second letter on */
    if (!json && offset > 0 && offset < size && is_space(text[offset]))
        offset--;
    while (offset < size && is_space(text[offset]))
        offset++;
    if (!json)
        return fail_at(file, text, offset < size ? offset : size,
                       offset >= size ? "the JSON ends too early"
                                      : "not JSON, or nested too deeply");
    dv_status status = DV_OK;
    if (offset < size) {
        status = fail_at(file, text, offset, "more text after the end of the JSON value");
    } else {
        dv_json_at root = dv_json_root(json, file);
        status = refuse_repeats(&root);
    }
    if (status != DV_OK) {
        cJSON_Delete(json);
        return status;
    }
    *out = json;
    return DV_OK;
}

void dv_json_destroy(dv_json *json)
{
    cJSON_Delete(json);
}

dv_json_at dv_json_root(const dv_json *json, const char *file)
{
    return (dv_json_at){.node = json, .file = file};
}

dv_json_at dv_json_member(const dv_json_at *at, const char *key)
{
    dv_json_at member = {.file = at->file, .parent = at, .key = key};
    if (cJSON_IsObject(at->node))
        member.node = cJSON_GetObjectItemCaseSensitive(at->node, key);
    return member;
}

dv_json_at dv_json_element(const dv_json_at *at, size_t index)
{
    dv_json_at element = dv_json_first(at);
    for (size_t i = 0; i < index && element.node; i++)
        element = dv_json_next(&element);
    element.index = index;
    return element;
}

dv_json_at dv_json_first(const dv_json_at *at)
{
    const cJSON *child = at->node ? at->node->child : NULL;
    return (dv_json_at){.node = child,
                        .file = at->file,
                        .parent = at,
                        .key = child && cJSON_IsObject(at->node) ? child->string : NULL};
}

dv_json_at dv_json_next(const dv_json_at *at)
{
    dv_json_at next = *at;
    next.node = at->node ? at->node->next : NULL;
    next.index = at->index + 1;
    if (at->key)
        next.key = next.node ? next.node->string : "";
    return next;
}

size_t dv_json_count(const dv_json_at *at)
{
    size_t count = 0;
    if (dv_json_is_object(at) || dv_json_is_array(at))
        for (const cJSON *child = at->node->child; child; child = child->next)
            count++;
    return count;
}

bool dv_json_present(const dv_json_at *at)
{
    return at->node && !cJSON_IsNull(at->node);
}

bool dv_json_is_object(const dv_json_at *at)
{
    return cJSON_IsObject(at->node);
}

bool dv_json_is_array(const dv_json_at *at)
{
    return cJSON_IsArray(at->node);
}

bool dv_json_is_string(const dv_json_at *at)
{
    return cJSON_IsString(at->node);
}

bool dv_json_is_number(const dv_json_at *at)
{
    return cJSON_IsNumber(at->node);
}

/* Writes the path of at into path from its root; a path too long loses its end. */
static size_t append_path(const dv_json_at *at, char path[MAX_PATH])
{
    if (!at->parent) {
        path[0] = '\0';
        return 0;
    }
    size_t length = append_path(at->parent, path);
    int added =
        at->key ? snprintf(path + length, MAX_PATH - length, "%s%.100s", length ? "." : "", at->key)
                : snprintf(path + length, MAX_PATH - length, "[%zu]", at->index);
    length += added > 0 ? (size_t)added : 0;
    return length < MAX_PATH ? length : MAX_PATH - 1;
}

dv_status dv_json_fail(const dv_json_at *at, const char *format, ...)
{
    char path[MAX_PATH], message[1024];
    append_path(at, path);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (!path[0])
        return dv_fail(DV_BAD_INPUT, "%s: %s", at->file, message);
    return dv_fail(DV_BAD_INPUT, "%s: %s: %s", at->file, path, message);
}

static const char *kind_of(const cJSON *node)
{
    if (!node)
        return "nothing";
    if (cJSON_IsNull(node))
        return "null";
    if (cJSON_IsBool(node))
        return "true or false";
    if (cJSON_IsNumber(node))
        return "a number";
    if (cJSON_IsString(node))
        return "a string";
    return cJSON_IsArray(node) ? "an array" : "an object";
}

static dv_status fail_kind(const dv_json_at *at, const char *wanted)
{
    if (!at->node)
        return dv_json_fail(at, "missing; %s is needed here", wanted);
    return dv_json_fail(at, "expected %s, found %s", wanted, kind_of(at->node));
}

dv_status dv_json_expect_noun(const dv_json_at *root, const char *noun)
{
    DV_TRY(dv_json_object(root));
    dv_json_at member = dv_json_member(root, "divvy");
    const char *found = NULL;
    DV_TRY(dv_json_string(&member, &found));
    if (strcmp(found, noun) != 0)
        return dv_json_fail(&member, "this file is \"%.60s\"; \"%s\" is needed", found, noun);
    return DV_OK;
}

dv_status dv_json_only(const dv_json_at *at, const char *const *keys)
{
    DV_TRY(dv_json_object(at));
    size_t count = 0;
    while (keys[count])
        count++;
    for (dv_json_at child = dv_json_first(at); child.node; child = dv_json_next(&child)) {
        size_t i = 0;
        while (i < count && strcmp(keys[i], child.key) != 0)
            i++;
        if (i < count)
            continue;
        const char *near = dv_nearest_name(child.key, keys, count);
        if (near)
            return dv_json_fail(&child, "unknown key; did you mean \"%s\"?", near);
        dv_text known = {0};
        for (size_t k = 0; k < count; k++)
            dv_text_append(&known, "%s%s", k ? ", " : "", keys[k]);
        dv_status status =
            dv_json_fail(&child, "unknown key; the keys here are %s", dv_text_string(&known));
        dv_text_free(&known);
        return status;
    }
    return DV_OK;
}

dv_status dv_json_string(const dv_json_at *at, const char **out)
{
    if (!cJSON_IsString(at->node))
        return fail_kind(at, "a string");
    *out = at->node->valuestring;
    return DV_OK;
}

dv_status dv_json_number(const dv_json_at *at, double *out)
{
    if (!cJSON_IsNumber(at->node))
        return fail_kind(at, "a number");
    if (!isfinite(at->node->valuedouble))
        return dv_json_fail(at, "the number is too large");
    *out = at->node->valuedouble;
    return DV_OK;
}

dv_status dv_json_number_or_inf(const dv_json_at *at, double *out)
{
    bool infinite = cJSON_IsNull(at->node) ||
                    (cJSON_IsString(at->node) && strcmp(at->node->valuestring, "inf") == 0);
    if (infinite) {
        *out = INFINITY;
        return DV_OK;
    }
    if (!cJSON_IsNumber(at->node))
        return fail_kind(at, "a number or \"inf\"");
    return dv_json_number(at, out);
}

dv_status dv_json_integer(const dv_json_at *at, int64_t low, int64_t high, int64_t *out)
{
    double value;
    if (!cJSON_IsNumber(at->node))
        return fail_kind(at, "a whole number");
    DV_TRY(dv_json_number(at, &value));
    /* beyond 2^53 a double no longer says which integer was written */
    if (value != floor(value) || fabs(value) > 9007199254740992.0)
        return dv_json_fail(at, "expected a whole number, found %g", value);
    if (value < (double)low || value > (double)high)
        return dv_json_fail(at, "%.0f is out of range (%lld to %lld)", value, (long long)low,
                            (long long)high);
    *out = (int64_t)value;
    return DV_OK;
}

dv_status dv_json_bool(const dv_json_at *at, bool *out)
{
    if (!cJSON_IsBool(at->node))
        return fail_kind(at, "true or false");
    *out = cJSON_IsTrue(at->node);
    return DV_OK;
}

dv_status dv_json_array(const dv_json_at *at)
{
    return dv_json_is_array(at) ? DV_OK : fail_kind(at, "an array");
}

dv_status dv_json_object(const dv_json_at *at)
{
    return dv_json_is_object(at) ? DV_OK : fail_kind(at, "an object");
}
