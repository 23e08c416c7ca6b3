/* backend.c - the registry of backends. */
#include "runtime/backend.h"

#include <string.h>

#define BACKEND(id) extern const dv_backend dv_backend_##id;
#include "runtime/backends.def"
#undef BACKEND

static const dv_backend *const backends[] = {
#define BACKEND(id) &dv_backend_##id,
#include "runtime/backends.def"
#undef BACKEND
};

const dv_backend *dv_backend_at(size_t i)
{
    return i < sizeof backends / sizeof backends[0] ? backends[i] : NULL;
}

const dv_backend *dv_backend_find(const char *name)
{
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++)
        if (strcmp(backends[i]->name, name) == 0)
            return backends[i];
    return NULL;
}
