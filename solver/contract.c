/* contract.c - union-find over units, cycles joined until none is left, and the smaller problem. */
#include "solver/contract.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/groups.h"
#include "solver/labels.h"

typedef struct edge { /* of pieces, or units: from has to come first */
    uint32_t from, to;
} edge;

typedef struct joiner {
    const dv_problem *problem;
    edge *edge; /* between units, by their ends; mirrored ones of backward units among them */
    size_t edge_count;
    size_t *after;     /* unit_count + 1: the edges from a unit */
    uint32_t *parent;  /* per unit: union-find */
    uint32_t *missing; /* per representative: edges from pieces without a number */
    uint32_t *queue;   /* representatives in topological order */
    uint32_t *head;    /* per representative: the first of its units */
    uint32_t *next;    /* per unit: another one of its piece, or DV_NONE */
    uint32_t numbered;
} joiner;

static uint32_t find(joiner *j, uint32_t u)
{
    while (j->parent[u] != u) {
        j->parent[u] = j->parent[j->parent[u]];
        u = j->parent[u];
    }
    return u;
}

/* The lower unit stands for both. */
static void join(joiner *j, uint32_t u, uint32_t v)
{
    uint32_t a = find(j, u), b = find(j, v);
    if (a < b)
        j->parent[b] = a;
    else
        j->parent[a] = b;
}

static bool join_groups(joiner *j)
{
    dv_unit_groups groups;
    if (dv_unit_groups_create(j->problem, &groups) != DV_OK)
        return false;
    for (uint32_t g = 0; g < groups.count; g++)
        for (uint32_t i = groups.start[g] + 1; i < groups.start[g + 1]; i++)
            join(j, groups.units[i - 1], groups.units[i]);
    dv_unit_groups_free(&groups);
    return true;
}

static void list_members(joiner *j)
{
    for (dv_unit_id u = 0; u < j->problem->unit_count; u++)
        j->head[u] = j->next[u] = DV_NONE;
    for (dv_unit_id u = j->problem->unit_count; u-- > 0;) {
        uint32_t r = find(j, u);
        j->next[u] = j->head[r];
        j->head[r] = u;
    }
}

/* Kahn's algorithm over pieces; returns whether all have a number. */
static bool number_pieces(joiner *j)
{
    const dv_problem *p = j->problem;
    list_members(j);
    memset(j->missing, 0, p->unit_count * sizeof *j->missing);
    for (size_t i = 0; i < j->edge_count; i++)
        if (find(j, j->edge[i].from) != find(j, j->edge[i].to))
            j->missing[find(j, j->edge[i].to)]++;
    uint32_t tail = 0, pieces = 0;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        pieces += find(j, u) == u;
        if (find(j, u) == u && j->missing[u] == 0)
            j->queue[tail++] = u;
    }
    for (uint32_t head = 0; head < tail; head++)
        for (uint32_t u = j->head[j->queue[head]]; u != DV_NONE; u = j->next[u])
            for (size_t i = j->after[u]; i < j->after[u + 1]; i++) {
                uint32_t r = find(j, j->edge[i].to);
                if (r != find(j, u) && --j->missing[r] == 0)
                    j->queue[tail++] = r;
            }
    j->numbered = tail;
    return tail == pieces;
}

/* For each piece without a number, one that has none either and must come before it. */
static void find_unnumbered_before(joiner *j, uint32_t *before)
{
    for (size_t i = 0; i < j->edge_count; i++) {
        uint32_t q = find(j, j->edge[i].from), r = find(j, j->edge[i].to);
        if (q != r && j->missing[q] > 0)
            before[r] = q;
    }
}

/* Joins the pieces of one cycle: walking back from a piece without a number ends in one.
   seen, before: unit_count entries. */
static void join_cycle(joiner *j, uint32_t *seen, uint32_t *before)
{
    const dv_problem *p = j->problem;
    memset(seen, 0, p->unit_count * sizeof *seen);
    find_unnumbered_before(j, before);
    uint32_t at = 0;
    while (find(j, at) != at || j->missing[at] == 0)
        at++;
    for (; !seen[at]; at = before[at])
        seen[at] = 1;
    uint32_t first = at;
    for (at = before[at]; at != first; at = before[at])
        join(j, first, at);
}

/* Takes unit u no time, wherever it runs, and does the host have no part in its tensors? */
static bool is_free(const dv_problem *p, dv_unit_id u)
{
    for (dv_target_id a = 0; a < p->target_count; a++)
        if (dv_problem_allows(p, u, a) && dv_problem_time_us(p, u, a) > 0.0)
            return false;
    for (uint32_t i = p->unit_output_start[u]; i < p->unit_output_start[u + 1]; i++)
        if (p->host_needs[p->unit_outputs[i]])
            return false;
    for (uint32_t i = p->unit_tensor_start[u]; i < p->unit_tensor_start[u + 1]; i++)
        if (p->producer[p->unit_tensors[i]] == DV_NONE)
            return false;
    return true;
}

/* May u run wherever v may? */
static bool goes_along(const dv_problem *p, dv_unit_id u, dv_unit_id v)
{
    for (dv_target_id a = 0; a < p->target_count; a++)
        if (dv_problem_allows(p, v, a) && !dv_problem_allows(p, u, a))
            return false;
    return true;
}

/* The piece's only neighbour, or DV_NONE if it has several, or none. */
static uint32_t only_neighbour(joiner *j, uint32_t r)
{
    const dv_problem *p = j->problem;
    uint32_t only = DV_NONE;
    for (uint32_t u = j->head[r]; u != DV_NONE; u = j->next[u]) {
        uint32_t before = p->previous_start[u + 1] - p->previous_start[u];
        uint32_t all = before + p->next_start[u + 1] - p->next_start[u];
        for (uint32_t i = 0; i < all; i++) {
            uint32_t q = find(j, i < before ? p->previous[p->previous_start[u] + i]
                                            : p->next[p->next_start[u] + i - before]);
            if (q == r || q == only)
                continue;
            if (only != DV_NONE)
                return DV_NONE;
            only = q;
        }
    }
    return only;
}

/* One sweep over free leaves; whether any was joined. */
static bool join_leaves(joiner *j)
{
    const dv_problem *p = j->problem;
    bool any = false;
    list_members(j);
    for (uint32_t r = 0; r < p->unit_count; r++) {
        if (j->head[r] == DV_NONE || find(j, r) != r)
            continue;
        uint32_t to = only_neighbour(j, r);
        bool joins = to != DV_NONE && j->head[to] != DV_NONE;
        for (uint32_t u = j->head[r]; joins && u != DV_NONE; u = j->next[u]) {
            joins = is_free(p, u);
            for (uint32_t v = j->head[to]; joins && v != DV_NONE; v = j->next[v])
                joins = goes_along(p, u, v);
        }
        if (!joins)
            continue;
        any = true;
        join(j, r, to);
        j->head[r] = j->head[to] = DV_NONE; /* both wait for the next sweep */
    }
    return any;
}

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "contract: out of memory");
}

/* The least that device d needs for unit u; memory likewise, on its own. */
static void least_on_device(const dv_problem *p, dv_unit_id u, dv_device_id d, double *us,
                            double *bytes)
{
    *us = *bytes = INFINITY;
    for (dv_target_id a = 0; a < p->target_count; a++) {
        size_t cell = (size_t)u * p->target_count + a;
        if (p->device[a] != d || !dv_problem_allows(p, u, a))
            continue;
        *us = fmin(*us, p->time_us[cell]);
        *bytes = fmin(*bytes, p->memory_bytes ? p->memory_bytes[cell] : 0.0);
    }
}

static dv_status sum_units(const dv_problem *p, const uint32_t *piece, dv_problem *to)
{
    size_t cells = (size_t)to->unit_count * to->target_count;
    double *time = dv_arena_array(to->arena, cells, sizeof *time);
    double *memory = dv_arena_array(to->arena, cells, sizeof *memory);
    const char **name = dv_arena_array(to->arena, to->unit_count, sizeof *name);
    if (!time || !memory || !name)
        return no_memory();
    for (dv_unit_id u = p->unit_count; u-- > 0;) {
        name[piece[u]] = p->unit_name[u];
        for (dv_device_id d = 0; d < p->device_count; d++) {
            size_t cell = (size_t)piece[u] * to->target_count + d;
            double us, bytes;
            least_on_device(p, u, d, &us, &bytes);
            time[cell] += us;
            memory[cell] += isfinite(bytes) ? bytes : 0.0;
        }
    }
    to->unit_name = name;
    to->time_us = time;
    to->memory_bytes = memory;
    return DV_OK;
}

/* One target a device, with the cheapest ways of the device's targets: latency, time per byte and
   bytes each at its least. */
static dv_status merge_targets(const dv_problem *p, dv_problem *to)
{
    size_t devices = p->device_count, cells = (size_t)p->tensor_count * devices;
    dv_device_id *device = dv_arena_array(to->arena, devices, sizeof *device);
    double *latency = dv_arena_array(to->arena, devices * devices, sizeof *latency);
    double *per_byte = dv_arena_array(to->arena, devices * devices, sizeof *per_byte);
    double *bytes = dv_arena_array(to->arena, cells, sizeof *bytes);
    if (!device || !latency || !per_byte || !bytes)
        return no_memory();
    for (size_t i = 0; i < devices * devices; i++)
        latency[i] = per_byte[i] = INFINITY;
    for (size_t i = 0; i < cells; i++)
        bytes[i] = INFINITY;
    for (dv_target_id a = 0; a < p->target_count; a++) {
        for (uint32_t t = 0; t < p->tensor_count; t++) {
            double *least = &bytes[t * devices + p->device[a]];
            /* What comes from the host's device comes from the host target. */
            if (p->device[a] != p->device[p->host] || a == p->host)
                *least = fmin(*least, p->bytes[(size_t)t * p->target_count + a]);
        }
        bool host = a == p->host;
        for (dv_target_id b = 0; b < p->target_count; b++) {
            size_t pair = (size_t)a * p->target_count + b;
            size_t to_pair = p->device[a] * devices + p->device[b];
            if (p->device[a] == p->device[b] || (!host && b != p->host))
                continue;
            latency[to_pair] = fmin(latency[to_pair], p->move_latency_us[pair]);
            per_byte[to_pair] = fmin(per_byte[to_pair], p->move_us_per_byte[pair]);
        }
    }
    for (size_t i = 0; i < devices * devices; i++) /* a device without targets has no ways */
        if (isinf(latency[i]))
            latency[i] = per_byte[i] = 0.0;
    for (size_t i = 0; i < cells; i++)
        bytes[i] = isinf(bytes[i]) ? 0.0 : bytes[i];
    for (dv_device_id d = 0; d < p->device_count; d++)
        device[d] = d;
    to->target_count = to->device_count = p->device_count;
    to->target_name = to->device_name = p->device_name;
    to->device = device;
    to->host = p->device[p->host];
    to->move_latency_us = latency;
    to->move_us_per_byte = per_byte;
    to->bytes = bytes;
    return DV_OK;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* The same tensors; readers in the producer's piece need no way there. */
static dv_status join_tensors(const dv_problem *p, const uint32_t *piece, dv_problem *to)
{
    size_t reads = p->tensor_count ? p->consumer_start[p->tensor_count] : 0;
    dv_unit_id *producer = dv_arena_array(to->arena, p->tensor_count, sizeof *producer);
    uint32_t *start = dv_arena_array(to->arena, (size_t)p->tensor_count + 1, sizeof *start);
    dv_unit_id *consumers = dv_arena_array(to->arena, reads, sizeof *consumers);
    if (!producer || !start || !consumers)
        return no_memory();
    uint32_t end = 0;
    for (uint32_t t = 0; t < p->tensor_count; t++) {
        uint32_t first = end, kept = first;
        producer[t] = p->producer[t] == DV_NONE ? DV_NONE : piece[p->producer[t]];
        for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++)
            consumers[end++] = piece[p->consumers[i]];
        qsort(consumers + first, end - first, sizeof *consumers, by_number);
        for (uint32_t i = first; i < end; i++)
            if (consumers[i] != producer[t] &&
                (kept == first || consumers[kept - 1] != consumers[i]))
                consumers[kept++] = consumers[i];
        end = start[t + 1] = kept;
    }
    to->tensor_count = p->tensor_count;
    to->tensor_name = p->tensor_name;
    to->producer = producer;
    to->consumer_start = start;
    to->consumers = consumers;
    to->host_needs = p->host_needs;
    return DV_OK;
}

static int by_ends(const void *a, const void *b)
{
    const edge *x = a, *y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->to < y->to ? -1 : x->to > y->to;
}

static int by_swapped_ends(const void *a, const void *b)
{
    const edge *x = a, *y = b;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    return x->from < y->from ? -1 : x->from > y->from;
}

/* The edges between pieces become the rows of previous and next. */
static dv_status link_pieces(joiner *j, const uint32_t *piece, dv_problem *to)
{
    size_t units = to->unit_count, count = 0;
    for (size_t i = 0; i < j->edge_count; i++) {
        edge e = {piece[j->edge[i].from], piece[j->edge[i].to]};
        if (e.from != e.to)
            j->edge[count++] = e;
    }
    uint32_t *next_start = dv_arena_array(to->arena, units + 1, sizeof *next_start);
    uint32_t *next = dv_arena_array(to->arena, count, sizeof *next);
    uint32_t *previous_start = dv_arena_array(to->arena, units + 1, sizeof *previous_start);
    uint32_t *previous = dv_arena_array(to->arena, count, sizeof *previous);
    if (!next_start || !next || !previous_start || !previous)
        return no_memory();
    qsort(j->edge, count, sizeof *j->edge, by_ends);
    size_t distinct = 0;
    for (size_t i = 0; i < count; i++)
        if (distinct == 0 || by_ends(&j->edge[distinct - 1], &j->edge[i]) != 0)
            j->edge[distinct++] = j->edge[i];
    for (size_t i = 0; i < distinct; i++) {
        next[i] = j->edge[i].to;
        next_start[j->edge[i].from + 1]++;
    }
    qsort(j->edge, distinct, sizeof *j->edge, by_swapped_ends);
    for (size_t i = 0; i < distinct; i++) {
        previous[i] = j->edge[i].from;
        previous_start[j->edge[i].to + 1]++;
    }
    for (size_t i = 0; i < units; i++) {
        next_start[i + 1] += next_start[i];
        previous_start[i + 1] += previous_start[i];
    }
    to->next_start = next_start;
    to->next = next;
    to->previous_start = previous_start;
    to->previous = previous;
    return DV_OK;
}

static dv_status build(joiner *j, dv_contraction *out)
{
    const dv_problem *p = j->problem;
    dv_problem *to = out->pieces = dv_problem_create();
    out->piece = calloc((size_t)p->unit_count + 1, sizeof *out->piece);
    out->unit_count = p->unit_count;
    if (!to || !out->piece)
        return no_memory();
    for (uint32_t i = 0; i < j->numbered; i++)
        for (uint32_t u = j->head[j->queue[i]]; u != DV_NONE; u = j->next[u])
            out->piece[u] = i;
    to->name = p->name;
    to->unit_count = j->numbered;
    to->dispatch_us = p->dispatch_us;
    to->session_us = p->session_us;
    to->capacity_bytes = p->capacity_bytes;
    to->max_segments = p->max_segments;
    DV_TRY(merge_targets(p, to));
    DV_TRY(sum_units(p, out->piece, to));
    DV_TRY(join_tensors(p, out->piece, to));
    DV_TRY(dv_problem_link(to));
    return link_pieces(j, out->piece, to);
}

/* Has a piece a forward unit? forward: per representative, to be filled. */
static void find_forward(joiner *j, bool *forward)
{
    const dv_problem *p = j->problem;
    memset(forward, 0, p->unit_count * sizeof *forward);
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        if (!p->backward || !p->backward[u])
            forward[find(j, u)] = true;
}

/* What must come before what, once groups are joined: the edges between forward units, and the
   mirror image of those between backward units where one of them has no forward unit to follow. */
static dv_status list_edges(joiner *j)
{
    const dv_problem *p = j->problem;
    size_t most = p->next_start[p->unit_count];
    j->edge = calloc(most + 1, sizeof *j->edge);
    j->after = calloc((size_t)p->unit_count + 1, sizeof *j->after);
    bool *forward = calloc((size_t)p->unit_count + 1, sizeof *forward);
    if (!j->edge || !j->after || !forward) {
        free(forward);
        return no_memory();
    }
    find_forward(j, forward);
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        for (uint32_t i = p->next_start[u]; i < p->next_start[u + 1]; i++) {
            dv_unit_id v = p->next[i];
            if (!p->backward || !p->backward[v])
                j->edge[j->edge_count++] = (edge){u, v};
            else if (p->backward[u] && (!forward[find(j, u)] || !forward[find(j, v)]))
                j->edge[j->edge_count++] = (edge){v, u};
        }
    free(forward);
    qsort(j->edge, j->edge_count, sizeof *j->edge, by_ends);
    for (size_t i = 0; i < j->edge_count; i++)
        j->after[j->edge[i].from + 1]++;
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        j->after[u + 1] += j->after[u];
    return DV_OK;
}

static dv_status contract(joiner *j, bool contiguous, uint32_t *spare, dv_contraction *out)
{
    if (!join_groups(j))
        return no_memory();
    DV_TRY(list_edges(j));
    if (!contiguous) {
        j->edge_count = 0;
        memset(j->after, 0, ((size_t)j->problem->unit_count + 1) * sizeof *j->after);
    }
    while (!number_pieces(j))
        join_cycle(j, spare, spare + j->problem->unit_count);
    while (!dv_limits_bind(j->problem) && join_leaves(j))
        ;
    number_pieces(j);
    return build(j, out);
}

dv_status dv_contract(const dv_problem *problem, bool contiguous, dv_contraction *out)
{
    *out = (dv_contraction){0};
    size_t units = (size_t)problem->unit_count + 1;
    uint32_t *rows = calloc(units * 7, sizeof *rows);
    if (!rows)
        return no_memory();
    joiner j = {.problem = problem,
                .parent = rows,
                .missing = rows + units,
                .queue = rows + 2 * units,
                .head = rows + 3 * units,
                .next = rows + 4 * units};
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        j.parent[u] = u;
    dv_status status = contract(&j, contiguous, rows + 5 * units, out);
    free(j.edge);
    free(j.after);
    free(rows);
    return status;
}

void dv_contraction_free(dv_contraction *contraction)
{
    dv_problem_destroy(contraction->pieces);
    free(contraction->piece);
    *contraction = (dv_contraction){0};
}
