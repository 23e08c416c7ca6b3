/* load.c - finds the loader for a file, and keeps what all formats share. */
#include "load/load.h"

#include <string.h>

#include "core/text.h"

#define LOADER(name) extern const dv_loader dv_loader_##name;
#include "load/loaders.def"
#undef LOADER

static const dv_loader *const loaders[] = {
#define LOADER(name) &dv_loader_##name,
#include "load/loaders.def"
#undef LOADER
};

enum { LOADER_COUNT = sizeof loaders / sizeof loaders[0] };

const dv_loader *dv_loader_at(size_t i)
{
    return i < LOADER_COUNT ? loaders[i] : NULL;
}

static bool ends_with(const char *path, const char *extension)
{
    size_t length = strlen(path), tail = strlen(extension);
    return length >= tail && strcmp(path + length - tail, extension) == 0;
}

/* By the first bytes, then by the extension: a damaged file is best judged by its own format. */
static const dv_loader *find(const char *path, const dv_buffer *buffer)
{
    for (size_t i = 0; i < LOADER_COUNT; i++)
        if (loaders[i]->recognise(dv_buffer_data(buffer), dv_buffer_size(buffer), path))
            return loaders[i];
    for (size_t i = 0; i < LOADER_COUNT; i++)
        if (ends_with(path, loaders[i]->extension))
            return loaders[i];
    return NULL;
}

static dv_status unknown_format(void)
{
    dv_text names = {0};
    for (size_t i = 0; i < LOADER_COUNT; i++)
        dv_text_append(&names, "%s%s", i ? ", " : "", loaders[i]->summary);
    dv_status status =
        dv_fail(DV_BAD_INPUT,
                "neither its first bytes nor its name tell a format that can be read "
                "(%s)",
                dv_text_string(&names));
    dv_text_free(&names);
    return status;
}

static dv_status load_with(const dv_loader *loader, const char *path, dv_buffer *buffer,
                           const dv_load_options *options, dv_graph **out)
{
    DV_TRY(loader->load(path, buffer, options, out));
    dv_graph_set_source(*out, buffer);
    return DV_OK;
}

/* Puts the file in front of a message that does not begin with it already. */
static dv_status within_file(dv_status status, const char *path)
{
    size_t length = strlen(path);
    if (strncmp(dv_message(), path, length) == 0 && dv_message()[length] == ':')
        return status;
    return dv_within(status, "%s", strcmp(path, "-") == 0 ? "standard input" : path);
}

dv_status dv_load_buffer(const char *path, dv_buffer *buffer, const dv_load_options *options,
                         dv_graph **out)
{
    const dv_loader *loader = find(path, buffer);
    dv_status status = dv_buffer_size(buffer) == 0 ? dv_fail(DV_BAD_INPUT, "the file is empty")
                       : !loader                   ? unknown_format()
                                                   : load_with(loader, path, buffer, options, out);
    return status == DV_OK ? DV_OK : within_file(status, path);
}

dv_status dv_load(const char *path, const dv_load_options *options, dv_graph **out)
{
    dv_buffer *buffer;
    DV_TRY(dv_buffer_map(path, &buffer));
    dv_status status = dv_load_buffer(path, buffer, options, out);
    dv_buffer_release(buffer);
    return status;
}
