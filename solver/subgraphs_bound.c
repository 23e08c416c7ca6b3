/* subgraphs_bound.c - long paths, shared out under the memory of the devices. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solver/subgraphs.h"

enum { PATHS = 24 };

typedef struct sharing {
    const dv_problem *p;
    dv_target_id accelerator; /* any; they are alike */
    uint32_t count;           /* subgraphs in all */
    double *weight, *ahead;   /* per unit: for finding paths */
    bool *after, *before; /* [length * units]: follows from the path's i-th unit, or leads to it;
                             that unit does both */
    dv_unit_id *path;
    double *rest; /* as in dv_subgraphs_path */
    uint32_t length;
} sharing;

static double time_of(const dv_problem *p, dv_unit_id u, dv_target_id a)
{
    return dv_problem_allows(p, u, a) ? dv_problem_time_us(p, u, a) : INFINITY;
}

static double host_us(const sharing *s, dv_unit_id u)
{
    double best = INFINITY;
    for (dv_target_id a = 0; a < s->p->target_count; a++)
        if (dv_subgraphs_is_host(s->p, s->p->device[a]))
            best = fmin(best, time_of(s->p, u, a));
    return best;
}

/* The path that is heaviest from its last unit on, by weights. */
static void find_path(sharing *s)
{
    const dv_problem *p = s->p;
    dv_unit_id at = p->unit_count - 1;
    s->ahead[at] = 0.0;
    for (dv_unit_id u = p->unit_count; u-- > 0;) {
        double rest = 0.0;
        for (uint32_t i = p->next_start[u]; i < p->next_start[u + 1]; i++)
            rest = fmax(rest, s->ahead[p->next[i]]);
        s->ahead[u] = s->weight[u] + rest;
        if (s->ahead[u] >= s->ahead[at])
            at = u;
    }
    for (s->length = 0;;) {
        s->path[s->length++] = at;
        dv_unit_id next = DV_NONE;
        for (uint32_t i = p->next_start[at]; i < p->next_start[at + 1]; i++)
            if (next == DV_NONE || s->ahead[p->next[i]] > s->ahead[next])
                next = p->next[i];
        if (next == DV_NONE)
            return;
        at = next;
    }
}

static void mark(const sharing *s)
{
    const dv_problem *p = s->p;
    memset(s->before, 0, (size_t)s->length * p->unit_count * sizeof *s->before);
    memset(s->after, 0, (size_t)s->length * p->unit_count * sizeof *s->after);
    for (uint32_t i = 0; i < s->length; i++) {
        bool *before = s->before + (size_t)i * p->unit_count;
        bool *after = s->after + (size_t)i * p->unit_count;
        before[s->path[i]] = after[s->path[i]] = true;
        for (dv_unit_id u = s->path[i] + 1; u-- > 0;)
            for (uint32_t k = p->next_start[u]; k < p->next_start[u + 1]; k++)
                before[u] = before[u] || before[p->next[k]];
        for (dv_unit_id u = s->path[i]; u < p->unit_count; u++)
            for (uint32_t k = p->previous_start[u]; k < p->previous_start[u + 1]; k++)
                after[u] = after[u] || after[p->previous[k]];
    }
}

/* Tensors that unit u, in the stretch from i to j, exchanges with what cannot be in its subgraph:
   what leads to the path's unit before i, which is outside, would take that unit in if it were
   inside, and likewise what follows from the one after j. A tensor that enters is charged to its
   first reader in the stretch alone. */
static double exchange_us(const sharing *s, dv_unit_id u, uint32_t i, uint32_t j)
{
    const dv_problem *p = s->p;
    size_t n = p->unit_count;
    double us = 0.0;
    for (uint32_t k = p->unit_tensor_start[u]; i > 0 && k < p->unit_tensor_start[u + 1]; k++) {
        uint32_t t = p->unit_tensors[k], r = p->consumer_start[t];
        if (p->producer[t] == DV_NONE || !s->before[(i - 1) * n + p->producer[t]])
            continue;
        while (!s->after[i * n + p->consumers[r]] || !s->before[j * n + p->consumers[r]])
            r++;
        us += p->consumers[r] == u ? dv_problem_move_us(p, t, p->host, s->accelerator) : 0.0;
    }
    for (uint32_t k = p->unit_output_start[u]; k < p->unit_output_start[u + 1]; k++) {
        uint32_t t = p->unit_outputs[k];
        bool leaves = p->host_needs[t];
        for (uint32_t r = p->consumer_start[t]; j + 1 < s->length && r < p->consumer_start[t + 1];
             r++)
            leaves = leaves || s->after[(j + 1) * n + p->consumers[r]];
        us += leaves ? dv_problem_move_us(p, t, s->accelerator, p->host) : 0.0;
    }
    return us;
}

/* A subgraph that takes the path's units from i to j takes all that lies between them. False if it
   does not fit. */
static bool stretch_us(const sharing *s, uint32_t i, uint32_t j, double *us)
{
    const dv_problem *p = s->p;
    const bool *before = s->before + (size_t)j * p->unit_count;
    const bool *after = s->after + (size_t)i * p->unit_count;
    dv_device_id d = p->device[s->accelerator];
    double bytes = 0.0;
    *us = p->dispatch_us[d];
    for (dv_unit_id u = s->path[i]; u <= s->path[j]; u++) {
        if (!before[u] || !after[u])
            continue;
        *us += time_of(p, u, s->accelerator) + exchange_us(s, u, i, j);
        if (p->memory_bytes)
            bytes += p->memory_bytes[(size_t)u * p->target_count + s->accelerator];
    }
    return bytes <= p->capacity_bytes[d] * (1 + 1e-9) && isfinite(*us);
}

/* From its end backward; returns what it all takes. */
static double share_path(const sharing *s)
{
    uint32_t width = s->count + 1;
    mark(s);
    for (uint32_t k = 0; k < width; k++)
        s->rest[(size_t)s->length * width + k] = 0.0;
    for (uint32_t i = s->length; i-- > 0;) {
        double *row = s->rest + (size_t)i * width, us = host_us(s, s->path[i]);
        for (uint32_t k = 0; k < width; k++)
            row[k] = row[width + k] + us;
        for (uint32_t j = i; j < s->length; j++) {
            if (!stretch_us(s, i, j, &us))
                break; /* nor does more fit */
            const double *after = s->rest + ((size_t)j + 1) * width;
            for (uint32_t k = 0; k + 1 < width; k++)
                row[k] = fmin(row[k], us + after[k + 1]);
        }
    }
    return s->rest[0];
}

/* Some paths: by work on the accelerator, by bytes, by both; each then with what it has gone
   through weighing less. */
static void try_paths(sharing *s, dv_subgraphs_path *best)
{
    const dv_problem *p = s->p;
    size_t cells = ((size_t)p->unit_count + 1) * best->width;
    for (int round = 0; round < PATHS; round++) {
        for (dv_unit_id u = 0; round % 8 == 0 && u < p->unit_count; u++) {
            double work = fmin(time_of(p, u, s->accelerator), host_us(s, u)), out = 0.0;
            for (uint32_t i = p->unit_output_start[u]; i < p->unit_output_start[u + 1]; i++)
                out += dv_problem_move_us(p, p->unit_outputs[i], s->accelerator, p->host);
            s->weight[u] = work +
                           (round / 8 == 0   ? 0.0
                            : round / 8 == 1 ? out
                                             : 0.1 * out) +
                           1e-9; /* a longer path is never worse */
        }
        find_path(s);
        if (share_path(s) > best->rest_us[0]) {
            memcpy(best->unit, s->path, s->length * sizeof *best->unit);
            memcpy(best->rest_us, s->rest, cells * sizeof *best->rest_us);
            best->length = s->length;
        }
        for (uint32_t i = 0; i < s->length; i++)
            s->weight[s->path[i]] *= 0.7;
    }
}

dv_status dv_subgraphs_path_find(const dv_problem *problem, dv_subgraphs_path *path)
{
    const dv_problem *p = problem;
    size_t units = (size_t)p->unit_count + 1;
    sharing s = {.p = p, .accelerator = DV_NONE};
    for (dv_target_id a = 0; a < p->target_count; a++)
        if (!dv_subgraphs_is_host(p, p->device[a])) {
            s.accelerator = a;
            s.count += p->subgraphs_per_device;
        }
    s.count = s.count > p->unit_count ? p->unit_count : s.count;
    *path = (dv_subgraphs_path){.width = s.count + 1};
    path->unit = calloc(units, sizeof *path->unit);
    path->rest_us = calloc(units * path->width, sizeof *path->rest_us);
    s.weight = calloc(units, sizeof *s.weight);
    s.ahead = calloc(units, sizeof *s.ahead);
    s.after = calloc(units * units, sizeof *s.after);
    s.before = calloc(units * units, sizeof *s.before);
    s.path = calloc(units, sizeof *s.path);
    s.rest = calloc(units * path->width, sizeof *s.rest);
    bool ok = s.weight && s.ahead && s.after && s.before && s.path && s.rest && path->unit &&
              path->rest_us;
    if (ok && p->unit_count > 0)
        try_paths(&s, path);
    free(s.weight);
    free(s.ahead);
    free(s.after);
    free(s.before);
    free(s.path);
    free(s.rest);
    return ok ? DV_OK : dv_fail(DV_NO_MEMORY, "subgraphs: out of memory");
}

void dv_subgraphs_path_free(dv_subgraphs_path *path)
{
    free(path->unit);
    free(path->rest_us);
    *path = (dv_subgraphs_path){0};
}
