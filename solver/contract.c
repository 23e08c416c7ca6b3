/* contract.c - union-find over units, cycles joined until none is left, and the smaller problem. */
#include "solver/contract.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/groups.h"
#include "solver/labels.h"

typedef struct joiner {
    const dv_problem *problem;
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
    for (dv_unit_id u = 0; u < p->unit_count; u++)
        for (uint32_t i = p->next_start[u]; i < p->next_start[u + 1]; i++)
            if (find(j, p->next[i]) != find(j, u))
                j->missing[find(j, p->next[i])]++;
    uint32_t tail = 0, pieces = 0;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        pieces += find(j, u) == u;
        if (find(j, u) == u && j->missing[u] == 0)
            j->queue[tail++] = u;
    }
    for (uint32_t head = 0; head < tail; head++)
        for (uint32_t u = j->head[j->queue[head]]; u != DV_NONE; u = j->next[u])
            for (uint32_t i = p->next_start[u]; i < p->next_start[u + 1]; i++) {
                uint32_t r = find(j, p->next[i]);
                if (r != find(j, u) && --j->missing[r] == 0)
                    j->queue[tail++] = r;
            }
    j->numbered = tail;
    return tail == pieces;
}

/* A producer's piece that has no number either. */
static uint32_t unnumbered_before(joiner *j, uint32_t r)
{
    const dv_problem *p = j->problem;
    for (uint32_t u = j->head[r]; u != DV_NONE; u = j->next[u])
        for (uint32_t i = p->previous_start[u]; i < p->previous_start[u + 1]; i++) {
            uint32_t q = find(j, p->previous[i]);
            if (q != r && j->missing[q] > 0)
                return q;
        }
    return r;
}

/* Joins the pieces of one cycle: walking back from a piece without a number ends in one. */
static void join_cycle(joiner *j, uint32_t *seen)
{
    const dv_problem *p = j->problem;
    memset(seen, 0, p->unit_count * sizeof *seen);
    uint32_t at = 0;
    while (find(j, at) != at || j->missing[at] == 0)
        at++;
    for (; !seen[at]; at = unnumbered_before(j, at))
        seen[at] = 1;
    /* The walk's links were found before anything is joined. */
    uint32_t count = 0, first = at;
    do {
        j->queue[count++] = at;
        at = unnumbered_before(j, at);
    } while (at != first);
    for (uint32_t i = 1; i < count; i++)
        join(j, j->queue[0], j->queue[i]);
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

static dv_status sum_units(const dv_problem *p, const uint32_t *piece, dv_problem *to)
{
    size_t cells = (size_t)to->unit_count * p->target_count;
    double *time = dv_arena_array(to->arena, cells, sizeof *time);
    double *memory = dv_arena_array(to->arena, cells, sizeof *memory);
    const char **name = dv_arena_array(to->arena, to->unit_count, sizeof *name);
    if (!time || !memory || !name)
        return no_memory();
    for (dv_unit_id u = p->unit_count; u-- > 0;) {
        name[piece[u]] = p->unit_name[u];
        for (dv_target_id a = 0; a < p->target_count; a++) {
            size_t from = (size_t)u * p->target_count + a;
            size_t cell = (size_t)piece[u] * p->target_count + a;
            time[cell] += dv_problem_allows(p, u, a) ? p->time_us[from] : INFINITY;
            memory[cell] += p->memory_bytes ? p->memory_bytes[from] : 0.0;
        }
    }
    to->unit_name = name;
    to->time_us = time;
    to->memory_bytes = memory;
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
    to->bytes = p->bytes;
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
    to->target_count = p->target_count;
    to->device_count = p->device_count;
    to->host = p->host;
    to->target_name = p->target_name;
    to->device_name = p->device_name;
    to->device = p->device;
    to->move_latency_us = p->move_latency_us;
    to->move_us_per_byte = p->move_us_per_byte;
    to->dispatch_us = p->dispatch_us;
    to->session_us = p->session_us;
    to->capacity_bytes = p->capacity_bytes;
    DV_TRY(sum_units(p, out->piece, to));
    DV_TRY(join_tensors(p, out->piece, to));
    return dv_problem_finish(to);
}

dv_status dv_contract(const dv_problem *problem, dv_contraction *out)
{
    *out = (dv_contraction){0};
    size_t units = (size_t)problem->unit_count + 1;
    uint32_t *rows = calloc(units * 6, sizeof *rows);
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
    if (!join_groups(&j)) {
        free(rows);
        return no_memory();
    }
    while (!number_pieces(&j))
        join_cycle(&j, rows + 5 * units);
    while (!dv_limits_bind(problem) && join_leaves(&j))
        ;
    number_pieces(&j);
    dv_status status = build(&j, out);
    free(rows);
    return status;
}

void dv_contraction_free(dv_contraction *contraction)
{
    dv_problem_destroy(contraction->pieces);
    free(contraction->piece);
    *contraction = (dv_contraction){0};
}
