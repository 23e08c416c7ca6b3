/* embedded.h - the table of data files compiled into the program, made by datasets/embed.awk. */
#ifndef DV_CORE_EMBEDDED_H
#define DV_CORE_EMBEDDED_H

#include <stddef.h>

typedef struct dv_embedded_file {
    const char *name;
    const char *text; /* NUL-terminated */
    size_t size;      /* without the NUL */
} dv_embedded_file;

/* Sorted by name; ends with a row whose name is NULL. */
extern const dv_embedded_file dv_embedded_files[];

#endif
