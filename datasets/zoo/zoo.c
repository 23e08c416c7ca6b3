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
    char list[256] = "";
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

/* Is the length bytes long word one of the space-separated words? */
static bool has_word(const char *words, const char *word, size_t length)
{
    for (const char *at = words; *at;) {
        size_t n = strcspn(at, " ");
        if (n == length && strncmp(at, word, n) == 0)
            return true;
        at += n + (at[n] == ' ');
    }
    return false;
}

static dv_status check_options(const dv_zoo_entry *entry, const char *options)
{
    for (const char *at = options; at && *at;) {
        size_t part = strcspn(at, ","), key = strcspn(at, "=,");
        if (key == part || !has_word(entry->options, at, key))
            return dv_fail(
                DV_BAD_PARAMETER,
                "zoo:%s: '%.*s' is no option of this network; write key=N with a key of: %s",
                entry->name, (int)part, at, entry->options);
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
