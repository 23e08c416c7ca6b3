/* embedded.c - finding data files compiled into the program. */
#include "core/embedded.h"

#include <string.h>

#include "core/file.h"

const char *dv_embedded_find(const char *name, size_t *size)
{
    for (const dv_embedded_file *file = dv_embedded_files; file->name; file++)
        if (strcmp(file->name, name) == 0) {
            *size = file->size;
            return file->text;
        }
    return NULL;
}

const char *dv_embedded_name(size_t i)
{
    for (const dv_embedded_file *file = dv_embedded_files; file->name; file++)
        if (i-- == 0)
            return file->name;
    return NULL;
}
