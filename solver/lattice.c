/* lattice.c - ideals breadth first, found again by a hash. */
#include "solver/lattice.h"

#include <stdlib.h>
#include <string.h>

#include "core/rng.h"

typedef struct builder {
    const dv_problem *problem;
    dv_lattice *out;
    uint32_t limit;
    uint64_t *hash; /* per ideal */
    uint32_t *table;
    size_t table_size, set_capacity, hash_capacity, start_capacity;
    size_t child_capacity, by_capacity, edge_count;
} builder;

void dv_lattice_free(dv_lattice *lattice)
{
    free(lattice->start);
    free(lattice->child);
    free(lattice->by);
    free(lattice->set);
    free(lattice->place);
    *lattice = (dv_lattice){0};
}

static bool grow(void *items, size_t *capacity, size_t count, size_t size)
{
    void **at = items, *grown = *at;
    if (!dv_grow(&grown, capacity, count, size))
        return false;
    *at = grown;
    return true;
}

static bool rehash(builder *b)
{
    size_t size = b->table_size ? 2 * b->table_size : 1024;
    uint32_t *table = calloc(size, sizeof *table);
    if (!table)
        return false;
    for (uint32_t i = 0; i < b->out->count; i++) {
        size_t at = b->hash[i] & (size - 1);
        while (table[at])
            at = (at + 1) & (size - 1);
        table[at] = i + 1;
    }
    free(b->table);
    b->table = table;
    b->table_size = size;
    return true;
}

/* The ideal with the given set, made if it is new. UINT32_MAX without memory. */
static uint32_t intern(builder *b, const uint64_t *set, uint64_t hash)
{
    dv_lattice *l = b->out;
    size_t bytes = l->word_count * sizeof *set;
    if (2 * ((size_t)l->count + 1) > b->table_size && !rehash(b))
        return UINT32_MAX;
    size_t at = hash & (b->table_size - 1);
    for (; b->table[at]; at = (at + 1) & (b->table_size - 1)) {
        uint32_t i = b->table[at] - 1;
        if (b->hash[i] == hash && memcmp(l->set + (size_t)i * l->word_count, set, bytes) == 0)
            return i;
    }
    size_t count = (size_t)l->count + 1;
    if (!grow(&l->set, &b->set_capacity, count * l->word_count, sizeof *l->set) ||
        !grow(&b->hash, &b->hash_capacity, count, sizeof *b->hash) ||
        !grow(&l->start, &b->start_capacity, count + 1, sizeof *l->start))
        return UINT32_MAX;
    memcpy(l->set + (size_t)l->count * l->word_count, set, bytes);
    b->hash[l->count] = hash;
    b->table[at] = ++l->count;
    return l->count - 1;
}

static bool has(const uint64_t *set, dv_unit_id u)
{
    return set[u / 64] >> u % 64 & 1u;
}

static bool is_ready(const dv_problem *p, const uint64_t *set, dv_unit_id u)
{
    if (has(set, u))
        return false;
    for (uint32_t i = p->previous_start[u]; i < p->previous_start[u + 1]; i++)
        if (!has(set, p->previous[i]))
            return false;
    return true;
}

/* All ideals of one unit more than ideal i. set: one to work in. */
static bool extend(builder *b, uint32_t i, uint64_t *set)
{
    dv_lattice *l = b->out;
    l->start[i] = (uint32_t)b->edge_count;
    memcpy(set, l->set + (size_t)i * l->word_count, l->word_count * sizeof *set);
    uint64_t hash = b->hash[i];
    for (dv_unit_id u = 0; u < b->problem->unit_count && l->count <= b->limit; u++) {
        if (!is_ready(b->problem, set, u))
            continue;
        set[u / 64] |= UINT64_C(1) << u % 64;
        uint32_t child = intern(b, set, hash ^ dv_rng_at(2, u));
        set[u / 64] &= ~(UINT64_C(1) << u % 64);
        size_t count = b->edge_count + 1;
        if (child == UINT32_MAX || count >= UINT32_MAX ||
            !grow(&l->child, &b->child_capacity, count, sizeof *l->child) ||
            !grow(&l->by, &b->by_capacity, count, sizeof *l->by))
            return false;
        l->child[b->edge_count] = child;
        l->by[b->edge_count++] = u;
    }
    l->start[i + 1] = (uint32_t)b->edge_count;
    return true;
}

dv_status dv_lattice_build(const dv_problem *problem, uint32_t limit, dv_lattice *out,
                           bool *complete)
{
    *out = (dv_lattice){.word_count = problem->unit_count / 64 + 1};
    builder b = {.problem = problem, .out = out, .limit = limit};
    uint64_t *set = calloc(out->word_count, sizeof *set);
    bool ok = set && intern(&b, set, 0) == 0;
    for (uint32_t i = 0; ok && i < out->count && out->count <= limit; i++)
        ok = extend(&b, i, set);
    *complete = ok && out->count <= limit;
    free(set);
    free(b.hash);
    free(b.table);
    if (!*complete)
        dv_lattice_free(out);
    return ok ? DV_OK : dv_fail(DV_NO_MEMORY, "ideals: out of memory");
}

dv_status dv_lattice_chain(const dv_problem *problem, const dv_unit_id *order, dv_lattice *out)
{
    uint32_t units = problem->unit_count;
    *out = (dv_lattice){.count = units + 1};
    out->start = calloc((size_t)units + 2, sizeof *out->start);
    out->child = calloc((size_t)units + 1, sizeof *out->child);
    out->by = calloc((size_t)units + 1, sizeof *out->by);
    out->place = calloc((size_t)units + 1, sizeof *out->place);
    if (!out->start || !out->child || !out->by || !out->place) {
        dv_lattice_free(out);
        return dv_fail(DV_NO_MEMORY, "ideals: out of memory");
    }
    for (uint32_t i = 0; i < units; i++) {
        out->start[i + 1] = i + 1;
        out->child[i] = i + 1;
        out->by[i] = order[i];
        out->place[order[i]] = i;
    }
    out->start[units + 1] = units;
    return DV_OK;
}
