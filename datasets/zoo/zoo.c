/* zoo.c - finding and building the zoo's networks by name. */
#include "datasets/zoo/zoo.h"

#include <stdio.h>
#include <string.h>

#include "core/text.h"

#define ZOO(id) extern const dv_zoo_entry dv_zoo_##id;
#include "datasets/zoo/zoo.def"
#undef ZOO

static const dv_zoo_entry *const entries[] = {
#define ZOO(id) &dv_zoo_##id,
#include "datasets/zoo/zoo.def"
#undef ZOO
};

enum { COUNT = sizeof entries / sizeof entries[0] };

const dv_zoo_entry *dv_zoo_at(size_t i)
{
    return i < COUNT ? entries[i] : NULL;
}

static dv_status unknown(const char *name)
{
    const char *names[COUNT];
    char list[2048] = "";
    for (size_t i = 0; i < COUNT; i++) {
        names[i] = entries[i]->name;
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    const char *near = dv_nearest_name(name, names, COUNT);
    if (near)
        return dv_fail(DV_BAD_PARAMETER, "zoo:%s: no such network; did you mean zoo:%s?", name,
                       near);
    return dv_fail(DV_BAD_PARAMETER, "zoo:%s: no such network; there are %s", name, list);
}

/* Is the word, length bytes long, one of the space-separated words, up to a '=' in them? */
static bool has_word(const char *words, const char *word, size_t length, bool valued)
{
    for (const char *at = words ? words : ""; *at;) {
        size_t n = strcspn(at, " "), key = strcspn(at, " =");
        if (key == length && strncmp(at, word, length) == 0 && valued == (key < n))
            return true;
        at += n + (at[n] == ' ');
    }
    return false;
}

/* What may follow the name: "one of prefill=N, decode=N; keys: seq=N, batch=N". */
static void describe_options(const dv_zoo_entry *entry, dv_text *out)
{
    const char *lists[] = {entry->variants ? entry->variants : "", entry->options};
    for (int i = 0; i < 2; i++) {
        if (*lists[i])
            dv_text_append(out, "%s%s", out->length ? "; keys: " : "",
                           i == 0        ? "one of "
                           : out->length ? ""
                                         : "keys: ");
        for (const char *at = lists[i]; *at;) {
            size_t n = strcspn(at, " ");
            dv_text_append(out, "%.*s%s%s", (int)n, at, i == 1 ? "=N" : "", at[n] ? ", " : "");
            at += n + (at[n] == ' ');
        }
    }
    if (out->length == 0)
        dv_text_append(out, "nothing");
}

static dv_status refuse(const dv_zoo_entry *entry, const char *part, size_t length, const char *why)
{
    dv_text takes = {0};
    describe_options(entry, &takes);
    dv_status status =
        dv_fail(DV_BAD_PARAMETER, "zoo:%s: '%.*s' %s; after its name and ':' it takes %s",
                entry->name, (int)length, part, why, dv_text_string(&takes));
    dv_text_free(&takes);
    return status;
}

static dv_status check_options(const dv_zoo_entry *entry, const char *options)
{
    int variants = 0;
    for (const char *at = options; at && *at;) {
        size_t part = strcspn(at, ","), key = strcspn(at, "=,");
        bool valued = key < part, variant = has_word(entry->variants, at, key, valued);
        if (!variant && has_word(entry->variants, at, key, !valued))
            return refuse(entry, at, part, valued ? "takes no value" : "needs a number");
        if (!variant && !(valued && has_word(entry->options, at, key, false)))
            return refuse(entry, at, part, "is no option of this network");
        if (variant && ++variants > 1)
            return refuse(entry, at, part, "is a second variant");
        at += part + (at[part] == ',');
    }
    return DV_OK;
}

dv_status dv_zoo_build(const char *name, dv_graph **out)
{
    size_t length = strcspn(name, ":");
    const char *options = name[length] == ':' && name[length + 1] ? name + length + 1 : NULL;
    for (size_t i = 0; i < COUNT; i++)
        if (strlen(entries[i]->name) == length && strncmp(entries[i]->name, name, length) == 0) {
            DV_TRY(check_options(entries[i], options));
            return entries[i]->build(entries[i], options, out);
        }
    char bare[128];
    snprintf(bare, sizeof bare, "%.*s", (int)length, name);
    return unknown(bare);
}
