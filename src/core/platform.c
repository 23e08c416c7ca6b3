/* platform.c - finding platforms by name, restricting them, and asking them. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/platform.h"
#include "core/text.h"

const char *dv_device_kind_name(dv_device_kind kind)
{
    static const char *const names[] = {"cpu", "gpu", "npu", "ane", "dsp"};
    return kind < DV_DEVICE_KIND_COUNT ? names[kind] : "?";
}

void dv_platform_destroy(dv_platform *platform)
{
    if (platform)
        dv_arena_destroy(platform->arena);
}

dv_target_id dv_platform_target(const dv_platform *platform, const char *name)
{
    for (dv_target_id t = 0; t < platform->target_count; t++)
        if (strcmp(platform->targets[t].name, name) == 0)
            return t;
    return UINT32_MAX;
}

dv_device_id dv_platform_device(const dv_platform *platform, const char *name)
{
    for (dv_device_id d = 0; d < platform->device_count; d++)
        if (strcmp(platform->devices[d].name, name) == 0)
            return d;
    return UINT32_MAX;
}

const dv_link *dv_platform_link(const dv_platform *platform, dv_device_id from, dv_device_id to)
{
    for (uint32_t i = 0; i < platform->link_count; i++)
        if (platform->links[i].from == from && platform->links[i].to == to)
            return &platform->links[i];
    return NULL;
}

/* The user's folder of platforms; false if there is none (no HOME) or the path is too long. */
static bool user_folder(char folder[4096])
{
    const char *own = getenv("DIVVY_PLATFORMS");
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int length = -1;
    if (own && *own)
        length = snprintf(folder, 4096, "%s", own);
    else if (config && *config)
        length = snprintf(folder, 4096, "%s/divvy/platforms", config);
    else if (home && *home)
        length = snprintf(folder, 4096, "%s/.config/divvy/platforms", home);
    return length > 0 && length < 4096;
}

void dv_platform_user_path(const char *name, char path[4096])
{
    char folder[4096];
    if (!user_folder(folder))
        snprintf(folder, sizeof folder, ".");
    int length = snprintf(path, 4096, "%.3800s/%.250s.json", folder, name);
    if (length < 0)
        path[0] = '\0';
}

/* Names, to be sorted and made unique. */
typedef struct name_list {
    char **items;
    size_t count, capacity;
} name_list;

static void free_names(name_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (name_list){0};
}

/* Adds file's name without ".json"; other files are passed over. Without memory the list only
   gets shorter. */
static void add_name(name_list *list, const char *file)
{
    size_t length = strlen(file);
    if (length <= 5 || length - 5 > 255 || strcmp(file + length - 5, ".json") != 0 ||
        file[0] == '.')
        return;
    char *copy = strndup(file, length - 5);
    if (!copy ||
        !dv_grow((void **)&list->items, &list->capacity, list->count + 1, sizeof *list->items)) {
        free(copy);
        return;
    }
    list->items[list->count++] = copy;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static name_list known_names(void)
{
    name_list list = {0};
    for (size_t i = 0; dv_embedded_name(i); i++)
        if (strncmp(dv_embedded_name(i), "devices/", 8) == 0)
            add_name(&list, dv_embedded_name(i) + 8);
    char folder[4096];
    DIR *dir = user_folder(folder) ? opendir(folder) : NULL;
    if (dir) {
        for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
            add_name(&list, entry->d_name);
        closedir(dir);
    }
    if (list.count == 0)
        return list;
    qsort(list.items, list.count, sizeof *list.items, compare_names);
    size_t kept = 1;
    for (size_t i = 1; i < list.count; i++) {
        if (strcmp(list.items[i], list.items[kept - 1]) == 0)
            free(list.items[i]);
        else
            list.items[kept++] = list.items[i];
    }
    list.count = kept;
    return list;
}

bool dv_platform_name(size_t i, char name[256])
{
    name_list list = known_names();
    bool found = i < list.count;
    if (found)
        snprintf(name, 256, "%s", list.items[i]);
    free_names(&list);
    return found;
}

static dv_status open_file(const char *path, dv_platform **out)
{
    dv_buffer *buffer = NULL;
    DV_TRY(dv_buffer_map(path, &buffer));
    dv_status status =
        dv_platform_parse(path, (const char *)dv_buffer_data(buffer), dv_buffer_size(buffer), out);
    dv_buffer_release(buffer);
    return status;
}

static dv_status fail_unknown(const char *name)
{
    name_list list = known_names();
    dv_text known = {0};
    for (size_t i = 0; i < list.count; i++)
        dv_text_append(&known, "%s%s", i ? ", " : "", list.items[i]);
    const char *near = dv_nearest_name(name, (const char *const *)list.items, list.count);
    dv_status status = dv_fail(DV_BAD_PARAMETER, "platform '%s' is unknown%s%s%s; there are %s",
                               name, near ? ", did you mean '" : "", near ? near : "",
                               near ? "'?" : "", dv_text_string(&known));
    dv_text_free(&known);
    free_names(&list);
    return status;
}

dv_status dv_platform_open(const char *name_or_path, dv_platform **out)
{
    *out = NULL;
    size_t length = strlen(name_or_path);
    bool is_path = strchr(name_or_path, '/') ||
                   (length > 5 && strcmp(name_or_path + length - 5, ".json") == 0);
    if (is_path)
        return open_file(name_or_path, out);
    if (length == 0 || length > 250)
        return fail_unknown(name_or_path);

    char path[4096], folder[4096];
    dv_platform_user_path(name_or_path, path);
    FILE *probe = user_folder(folder) ? fopen(path, "rb") : NULL;
    if (probe) {
        fclose(probe);
        return open_file(path, out);
    }
    char embedded[300];
    snprintf(embedded, sizeof embedded, "devices/%s.json", name_or_path);
    size_t size;
    const char *text = dv_embedded_find(embedded, &size);
    if (!text)
        return fail_unknown(name_or_path);
    return dv_platform_parse(embedded, text, size, out);
}
