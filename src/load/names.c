#include "load/names.h"

#include <stdlib.h>

typedef struct dv_names_entry {
    dv_span name; /* data NULL: free */
    uint32_t value;
    uint32_t hash; /* tells most other names apart without a look at them */
} dv_names_entry;

/* FNV-1a, 64 bits. */
static uint32_t hash_of(dv_span name)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < name.size; i++)
        h = (h ^ name.data[i]) * 1099511628211u;
    return (uint32_t)(h ^ h >> 32);
}

/* The entry that holds name, or the free one where it would go. */
static dv_names_entry *entry_of(dv_names_entry *entries, size_t capacity, dv_span name,
                                uint32_t hash)
{
    size_t i = hash & (capacity - 1);
    while (entries[i].name.data &&
           (entries[i].hash != hash || !dv_span_equal(entries[i].name, name)))
        i = (i + 1) & (capacity - 1);
    return &entries[i];
}

uint32_t dv_names_find(const dv_names *names, dv_span name, uint32_t missing)
{
    if (names->count == 0)
        return missing;
    const dv_names_entry *entry = entry_of(names->entries, names->capacity, name, hash_of(name));
    return entry->name.data ? entry->value : missing;
}

static bool grow(dv_names *names)
{
    size_t capacity = names->capacity ? 2 * names->capacity : 64;
    dv_names_entry *entries = calloc(capacity, sizeof *entries);
    if (!entries)
        return false;
    for (size_t i = 0; i < names->capacity; i++)
        if (names->entries[i].name.data)
            *entry_of(entries, capacity, names->entries[i].name, names->entries[i].hash) =
                names->entries[i];
    free(names->entries);
    names->entries = entries;
    names->capacity = capacity;
    return true;
}

dv_status dv_names_put(dv_names *names, dv_span name, uint32_t value)
{
    if (!name.data)
        name.data = (const uint8_t *)"";
    if (2 * names->count >= names->capacity && !grow(names))
        return dv_fail(DV_NO_MEMORY, "out of memory for %zu names", names->count);
    uint32_t hash = hash_of(name);
    dv_names_entry *entry = entry_of(names->entries, names->capacity, name, hash);
    if (!entry->name.data)
        names->count++;
    *entry = (dv_names_entry){name, value, hash};
    return DV_OK;
}

bool dv_names_next(const dv_names *names, size_t *place, dv_span *name)
{
    while (*place < names->capacity) {
        *name = names->entries[(*place)++].name;
        if (name->data)
            return true;
    }
    return false;
}

void dv_names_free(dv_names *names)
{
    free(names->entries);
    *names = (dv_names){0};
}
