/* graph_sort.c - a stable topological order of operators, units kept together, and unique names. */
#include <stdlib.h>
#include <string.h>

#include "core/graph_parts.h"

/* A binary heap of ids, the smallest first: it makes Kahn's algorithm stable. */
typedef struct heap {
    uint32_t *ids;
    size_t count;
} heap;

static void heap_push(heap *h, uint32_t id)
{
    size_t at = h->count++;
    while (at > 0 && h->ids[(at - 1) / 2] > id) {
        h->ids[at] = h->ids[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    h->ids[at] = id;
}

static uint32_t heap_pop(heap *h)
{
    uint32_t top = h->ids[0], last = h->ids[--h->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && h->ids[child + 1] < h->ids[child])
            child++;
        if (last <= h->ids[child])
            break;
        h->ids[at] = h->ids[child];
        at = child;
    }
    if (h->count > 0)
        h->ids[at] = last;
    return top;
}

/* Edges between groups of operators, as successor lists (repeats allowed, counted both ways). */
typedef struct edges {
    uint32_t count;  /* groups */
    uint32_t *start; /* count + 1 */
    uint32_t *next;
    uint32_t *indegree; /* count */
} edges;

static void edges_free(edges *e)
{
    free(e->start);
    free(e->next);
    free(e->indegree);
}

static bool edges_make(const dv_graph *graph, const uint32_t *group_of, uint32_t count, edges *e)
{
    *e = (edges){.count = count};
    size_t total = 0;
    for (dv_op_id o = 0; o < graph->op_count; o++)
        total += graph->ops[o].input_count;
    e->start = calloc((size_t)count + 2, sizeof *e->start);
    e->next = calloc(total + 1, sizeof *e->next);
    e->indegree = calloc((size_t)count + 1, sizeof *e->indegree);
    if (!e->start || !e->next || !e->indegree)
        return false;
    for (int placing = 0; placing < 2; placing++) {
        for (dv_op_id o = 0; o < graph->op_count; o++)
            for (uint32_t i = 0; i < graph->ops[o].input_count; i++) {
                dv_tensor_id t = graph->ops[o].inputs[i];
                dv_op_id from = t == DV_NONE ? DV_NONE : graph->producer[t];
                if (from == DV_NONE || (from != o && group_of[from] == group_of[o]))
                    continue;
                if (placing) {
                    e->next[e->start[group_of[from] + 1]++] = group_of[o];
                    e->indegree[group_of[o]]++;
                } else {
                    e->start[group_of[from] + 2]++;
                }
            }
        for (size_t g = 2; !placing && g < (size_t)count + 2; g++)
            e->start[g] += e->start[g - 1];
    }
    return true;
}

/* Fills order with all groups; returns how many could be placed (fewer: the rest is on cycles). */
static uint32_t kahn(edges *e, uint32_t *order, heap *ready)
{
    uint32_t placed = 0;
    ready->count = 0;
    for (uint32_t g = 0; g < e->count; g++)
        if (e->indegree[g] == 0)
            heap_push(ready, g);
    while (ready->count > 0) {
        uint32_t g = heap_pop(ready);
        order[placed++] = g;
        for (uint32_t i = e->start[g]; i < e->start[g + 1]; i++)
            if (--e->indegree[e->next[i]] == 0)
                heap_push(ready, e->next[i]);
    }
    return placed;
}

static dv_status name_cycle(const dv_graph *graph, const edges *e, const uint32_t *group_of)
{
    for (dv_op_id o = 0; o < graph->op_count; o++)
        if (e->indegree[group_of[o]] > 0) {
            const dv_op *op = &graph->ops[o];
            return dv_fail(DV_BAD_INPUT, "node %u '%s' (%s) lies on a cycle or behind one", o,
                           op->name, op->source_type);
        }
    return dv_fail(DV_INTERNAL, "a cycle without operators");
}

/* order[k] = the group to come k-th. */
static dv_status order_groups(const dv_graph *graph, const uint32_t *group_of, uint32_t count,
                              uint32_t *order)
{
    edges e;
    heap ready = {.ids = malloc(((size_t)count + 1) * sizeof(uint32_t))};
    dv_status status = DV_OK;
    if (!edges_make(graph, group_of, count, &e) || !ready.ids)
        status = dv_fail(DV_NO_MEMORY, "out of memory while sorting a graph");
    else if (kahn(&e, order, &ready) < count)
        status = name_cycle(graph, &e, group_of);
    edges_free(&e);
    free(ready.ids);
    return status;
}

/* Rearranges the operators: sequence[k] is the old id of the new k-th. */
static dv_status apply(dv_graph *graph, const dv_op_id *sequence)
{
    dv_graph_parts *parts = graph->parts;
    size_t count = graph->op_count;
    dv_op *ops = malloc((count + 1) * sizeof *ops);
    dv_unit_id *unit_of = dv_arena_array(parts->arena, count, sizeof *unit_of);
    if (!ops || !unit_of) {
        free(ops);
        return dv_fail(DV_NO_MEMORY, "out of memory while sorting a graph");
    }
    for (size_t k = 0; k < count; k++) {
        ops[k] = parts->ops[sequence[k]];
        unit_of[k] = parts->unit_of ? parts->unit_of[sequence[k]] : 0;
    }
    free(parts->ops);
    parts->ops = ops;
    parts->op_capacity = count + 1;
    graph->ops = ops;
    if (parts->unit_of)
        parts->unit_of = unit_of;
    return DV_OK;
}

/* Operators lie unit by unit now: number the units as they come and describe each. */
static dv_status make_units(dv_graph *graph)
{
    dv_graph_parts *parts = graph->parts;
    dv_unit *units = dv_arena_array(parts->arena, graph->unit_count, sizeof *units);
    dv_op_id *ids = dv_arena_array(parts->arena, graph->op_count, sizeof *ids);
    if (!units || !ids)
        return dv_fail(DV_NO_MEMORY, "out of memory while sorting a graph");
    dv_unit_id fresh = DV_NONE, previous = DV_NONE;
    for (dv_op_id o = 0; o < graph->op_count; o++) {
        ids[o] = o;
        if (parts->unit_of[o] != previous) {
            previous = parts->unit_of[o];
            fresh++;
            units[fresh] = (dv_unit){.name = graph->ops[o].name, .ops = ids + o};
        }
        units[fresh].op_count++;
        parts->unit_of[o] = fresh;
    }
    graph->units = units;
    graph->unit_of = parts->unit_of;
    return DV_OK;
}

/* sequence sorted by operators becomes sequence sorted by units, operators in order within each. */
static dv_status gather_units(const dv_graph *graph, dv_op_id *sequence, uint32_t *scratch)
{
    uint32_t units = graph->unit_count, count = graph->op_count;
    const dv_unit_id *unit_of = graph->parts->unit_of;
    /* units numbered by their first operator in the sorted sequence, so that the result is stable
     */
    uint32_t *number = malloc(((size_t)units + 1) * 3 * sizeof *number);
    if (!number)
        return dv_fail(DV_NO_MEMORY, "out of memory while sorting a graph");
    uint32_t *order = number + units + 1, *start = order + units + 1, known = 0;
    memset(number, 0xff, units * sizeof *number);
    for (uint32_t k = 0; k < count; k++)
        if (number[unit_of[sequence[k]]] == DV_NONE)
            number[unit_of[sequence[k]]] = known++;
    uint32_t *group_of = scratch;
    for (dv_op_id o = 0; o < count; o++)
        group_of[o] = number[unit_of[o]];
    dv_status status = order_groups(graph, group_of, units, order);
    if (status == DV_OK) {
        memset(start, 0, (units + 1) * sizeof *start);
        for (uint32_t k = 0; k < units; k++)
            number[order[k]] = k; /* group -> place */
        for (dv_op_id o = 0; o < count; o++)
            start[number[group_of[o]] + 1]++;
        for (uint32_t k = 0; k < units; k++)
            start[k + 1] += start[k];
        uint32_t *placed = scratch + count;
        for (uint32_t k = 0; k < count; k++)
            placed[start[number[group_of[sequence[k]]]]++] = sequence[k];
        memcpy(sequence, placed, count * sizeof *sequence);
    }
    free(number);
    return status;
}

/* Does every operator come behind the makers of its inputs? Then a stable sort moves none. */
static bool is_sorted(const dv_graph *graph)
{
    for (dv_op_id o = 0; o < graph->op_count; o++)
        for (uint32_t i = 0; i < graph->ops[o].input_count; i++) {
            dv_tensor_id t = graph->ops[o].inputs[i];
            if (t != DV_NONE && graph->producer[t] != DV_NONE && graph->producer[t] >= o)
                return false;
        }
    return true;
}

dv_status dv_graph_sort(dv_graph *graph)
{
    size_t count = graph->op_count;
    if (!graph->parts->unit_of && is_sorted(graph))
        return DV_OK;
    uint32_t *memory = malloc((count + 1) * 4 * sizeof *memory);
    if (!memory)
        return dv_fail(DV_NO_MEMORY, "out of memory while sorting a graph");
    uint32_t *sequence = memory, *group_of = memory + count + 1;
    for (uint32_t o = 0; o < count; o++)
        group_of[o] = o;
    dv_status status = order_groups(graph, group_of, graph->op_count, sequence);
    if (status == DV_OK && graph->parts->unit_of)
        status = gather_units(graph, sequence, group_of);
    if (status == DV_OK)
        status = apply(graph, sequence);
    if (status == DV_OK && graph->parts->unit_of)
        status = make_units(graph);
    free(memory);
    return status;
}

static uint64_t hash_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash ^ (hash >> 29);
}

/* The slot of name in an open-addressed table, or the free slot where it would go. */
static size_t slot_of(const char **table, size_t mask, const char *name)
{
    size_t at = (size_t)hash_of(name) & mask;
    while (table[at] && strcmp(table[at], name) != 0)
        at = (at + 1) & mask;
    return at;
}

dv_status dv_graph_unique_names(dv_graph *graph, size_t count,
                                const char **(*name)(dv_graph *graph, size_t i))
{
    size_t size = 16;
    while (size < 4 * count)
        size *= 2;
    const char **table = calloc(size, sizeof *table);
    uint32_t *next_suffix = calloc(size, sizeof *next_suffix);
    dv_status status = DV_OK;
    if (!table || !next_suffix)
        status = dv_fail(DV_NO_MEMORY, "out of memory while naming tensors");
    for (size_t i = 0; status == DV_OK && i < count; i++) {
        const char **place = name(graph, i);
        if (!**place)
            *place = "unnamed";
        size_t at = slot_of(table, size - 1, *place);
        size_t first = at;
        const char *base = *place;
        while (status == DV_OK && table[at]) {
            unsigned suffix = next_suffix[first] < 2 ? 2 : next_suffix[first];
            next_suffix[first] = suffix + 1;
            *place = dv_arena_printf(graph->parts->arena, "%s#%u", base, suffix);
            if (!*place)
                status = dv_fail(DV_NO_MEMORY, "out of memory while naming tensors");
            else
                at = slot_of(table, size - 1, *place);
        }
        if (status == DV_OK)
            table[at] = *place;
    }
    free(table);
    free(next_suffix);
    return status;
}
