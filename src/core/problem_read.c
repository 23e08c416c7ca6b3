/* problem_read.c - problem/1 JSON becomes a problem. Rows of costs are in the order of the targets;
   null is "not supported". A tensor may name its units or give their indices. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/problem.h"
#include "core/problem_msr.h"

enum { MAX_TARGETS = 256 };

typedef struct reader {
    dv_problem *p;
    dv_arena *arena;
    const char **unit_name, **target_name, **device_name;
    double *time, *memory, *energy, *loss; /* [unit][target]; the last three NULL until given */
    dv_target_id *pin;
    uint32_t *group;
    bool *backward;        /* NULL until a unit has the key */
    const char ***by_name; /* pointers into unit_name, sorted by name */
} reader;

static dv_status no_memory(const dv_json_at *at)
{
    return dv_fail(DV_NO_MEMORY, "%s: out of memory", at->file);
}

static dv_status read_name(reader *to, const dv_json_at *at, const char *key, const char **out)
{
    dv_json_at member = dv_json_member(at, key);
    const char *text = NULL;
    DV_TRY(dv_json_string(&member, &text));
    *out = dv_arena_copy(to->arena, text);
    return *out ? DV_OK : no_memory(at);
}

static dv_status read_cost(const dv_json_at *at, const char *key, double otherwise, double *out)
{
    dv_json_at member = dv_json_member(at, key);
    *out = otherwise;
    if (!dv_json_present(&member))
        return DV_OK;
    DV_TRY(dv_json_number_or_inf(&member, out));
    return *out >= 0.0 ? DV_OK : dv_json_fail(&member, "must not be negative");
}

/* count numbers of an array into row; null and "inf" are INFINITY where that has a meaning. */
static dv_status read_row(const dv_json_at *at, size_t count, bool infinite, double *row)
{
    DV_TRY(dv_json_array(at));
    if (dv_json_count(at) != count)
        return dv_json_fail(at, "%zu numbers, one a target, are needed; there are %zu", count,
                            dv_json_count(at));
    size_t i = 0;
    for (dv_json_at item = dv_json_first(at); item.node; item = dv_json_next(&item), i++) {
        if (infinite)
            DV_TRY(dv_json_number_or_inf(&item, &row[i]));
        else
            DV_TRY(dv_json_number(&item, &row[i]));
        if (row[i] < 0.0)
            return dv_json_fail(&item, "must not be negative");
    }
    return DV_OK;
}

static dv_status find_name(const dv_json_at *at, const char *const *names, uint32_t count,
                           const char *what, uint32_t *out)
{
    const char *name = NULL;
    DV_TRY(dv_json_string(at, &name));
    for (*out = 0; *out < count; (*out)++)
        if (strcmp(names[*out], name) == 0)
            return DV_OK;
    return dv_json_fail(at, "there is no %s \"%.100s\"", what, name);
}

static dv_status read_devices(reader *to, const dv_json_at *root)
{
    static const char *const keys[] = {"name", "dispatch_us", "session_us", "capacity_bytes", NULL};
    dv_problem *p = to->p;
    dv_json_at list = dv_json_member(root, "devices");
    DV_TRY(dv_json_array(&list));
    size_t count = dv_json_count(&list);
    if (count > MAX_TARGETS)
        return dv_json_fail(&list, "more than %d devices", MAX_TARGETS);
    to->device_name = dv_arena_array(to->arena, count, sizeof *to->device_name);
    double *dispatch = dv_arena_array(to->arena, count, sizeof *dispatch);
    double *session = dv_arena_array(to->arena, count, sizeof *session);
    double *capacity = dv_arena_array(to->arena, count, sizeof *capacity);
    if (!to->device_name || !dispatch || !session || !capacity)
        return no_memory(root);
    for (dv_json_at item = dv_json_first(&list); item.node; item = dv_json_next(&item)) {
        uint32_t d = p->device_count++;
        DV_TRY(dv_json_only(&item, keys));
        DV_TRY(read_name(to, &item, "name", &to->device_name[d]));
        DV_TRY(read_cost(&item, "dispatch_us", 0.0, &dispatch[d]));
        DV_TRY(read_cost(&item, "session_us", 0.0, &session[d]));
        DV_TRY(read_cost(&item, "capacity_bytes", INFINITY, &capacity[d]));
    }
    p->device_name = to->device_name;
    p->dispatch_us = dispatch;
    p->session_us = session;
    p->capacity_bytes = capacity;
    return DV_OK;
}

static dv_status read_targets(reader *to, const dv_json_at *root)
{
    static const char *const keys[] = {"name", "device", NULL};
    dv_problem *p = to->p;
    dv_json_at list = dv_json_member(root, "targets");
    DV_TRY(dv_json_array(&list));
    size_t count = dv_json_count(&list);
    if (count > MAX_TARGETS)
        return dv_json_fail(&list, "more than %d targets", MAX_TARGETS);
    to->target_name = dv_arena_array(to->arena, count, sizeof *to->target_name);
    dv_device_id *device = dv_arena_array(to->arena, count, sizeof *device);
    if (!to->target_name || !device)
        return no_memory(root);
    for (dv_json_at item = dv_json_first(&list); item.node; item = dv_json_next(&item)) {
        uint32_t a = p->target_count++;
        DV_TRY(dv_json_only(&item, keys));
        DV_TRY(read_name(to, &item, "name", &to->target_name[a]));
        dv_json_at at = dv_json_member(&item, "device");
        DV_TRY(find_name(&at, to->device_name, p->device_count, "device", &device[a]));
    }
    p->target_name = to->target_name;
    p->device = device;
    dv_json_at host = dv_json_member(root, "host");
    return find_name(&host, to->target_name, p->target_count, "target", &p->host);
}

/* One of the optional tables [unit][target]; made when the first unit has it. */
static dv_status read_table(reader *to, const dv_json_at *unit, const char *key, uint32_t u,
                            double **table)
{
    dv_json_at at = dv_json_member(unit, key);
    if (!dv_json_present(&at))
        return DV_OK;
    size_t targets = to->p->target_count;
    if (!*table)
        *table = dv_arena_array(to->arena, to->p->unit_count * targets, sizeof **table);
    if (!*table)
        return no_memory(unit);
    return read_row(&at, targets, false, *table + u * targets);
}

static dv_status read_constraints(reader *to, const dv_json_at *unit, uint32_t u)
{
    dv_json_at pin = dv_json_member(unit, "pin"), group = dv_json_member(unit, "group");
    if (dv_json_present(&pin))
        DV_TRY(find_name(&pin, to->target_name, to->p->target_count, "target", &to->pin[u]));
    if (dv_json_present(&group)) {
        int64_t number;
        DV_TRY(dv_json_integer(&group, 0, INT32_MAX, &number));
        to->group[u] = (uint32_t)number;
    }
    dv_json_at backward = dv_json_member(unit, "backward");
    if (!dv_json_present(&backward))
        return DV_OK;
    if (!to->backward)
        to->backward = dv_arena_array(to->arena, to->p->unit_count, sizeof *to->backward);
    if (!to->backward)
        return no_memory(unit);
    DV_TRY(dv_json_bool(&backward, &to->backward[u]));
    return DV_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(**(const char **const *)a, **(const char **const *)b);
}

static dv_status allocate_units(reader *to, const dv_json_at *list)
{
    dv_problem *p = to->p;
    size_t count = dv_json_count(list), cells;
    if (count >= DV_NONE || !dv_mul_size(count, p->target_count, &cells))
        return no_memory(list);
    p->unit_count = (uint32_t)count;
    to->unit_name = dv_arena_array(to->arena, count, sizeof *to->unit_name);
    to->by_name = dv_arena_array(to->arena, count, sizeof *to->by_name);
    to->time = dv_arena_array(to->arena, cells, sizeof *to->time);
    to->pin = dv_arena_array(to->arena, count, sizeof *to->pin);
    to->group = dv_arena_array(to->arena, count, sizeof *to->group);
    if (!to->unit_name || !to->by_name || !to->time || !to->pin || !to->group)
        return no_memory(list);
    return DV_OK;
}

static dv_status read_units(reader *to, const dv_json_at *root)
{
    static const char *const keys[] = {"name", "time_us", "memory_bytes", "energy_uj", "loss",
                                       "pin",  "group",   "backward",     NULL};
    dv_problem *p = to->p;
    dv_json_at list = dv_json_member(root, "units");
    DV_TRY(dv_json_array(&list));
    DV_TRY(allocate_units(to, &list));
    uint32_t u = 0;
    for (dv_json_at item = dv_json_first(&list); item.node; item = dv_json_next(&item), u++) {
        DV_TRY(dv_json_only(&item, keys));
        DV_TRY(read_name(to, &item, "name", &to->unit_name[u]));
        dv_json_at time = dv_json_member(&item, "time_us");
        DV_TRY(read_row(&time, p->target_count, true, to->time + (size_t)u * p->target_count));
        DV_TRY(read_table(to, &item, "memory_bytes", u, &to->memory));
        DV_TRY(read_table(to, &item, "energy_uj", u, &to->energy));
        DV_TRY(read_table(to, &item, "loss", u, &to->loss));
        to->pin[u] = to->group[u] = DV_NONE;
        DV_TRY(read_constraints(to, &item, u));
        to->by_name[u] = &to->unit_name[u];
    }
    if (p->unit_count)
        qsort(to->by_name, p->unit_count, sizeof *to->by_name, compare_names);
    p->unit_name = to->unit_name;
    p->time_us = to->time;
    p->memory_bytes = to->memory;
    p->energy_uj = to->energy;
    p->loss = to->loss;
    p->pin = to->pin;
    p->group = to->group;
    p->backward = to->backward;
    return DV_OK;
}

/* A unit by index or by name. O(log units). */
static dv_status find_unit(const reader *to, const dv_json_at *at, dv_unit_id *out)
{
    uint32_t units = to->p->unit_count;
    if (dv_json_is_number(at)) {
        int64_t index;
        DV_TRY(dv_json_integer(at, 0, (int64_t)units - 1, &index));
        *out = (dv_unit_id)index;
        return DV_OK;
    }
    const char *name = NULL;
    DV_TRY(dv_json_string(at, &name));
    uint32_t low = 0, high = units;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(*to->by_name[middle], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == units || strcmp(*to->by_name[low], name) != 0)
        return dv_json_fail(at, "there is no unit \"%.100s\"", name);
    if (low + 1 < units && strcmp(*to->by_name[low + 1], name) == 0)
        return dv_json_fail(at, "several units are called \"%.100s\"; use the index", name);
    *out = (dv_unit_id)(to->by_name[low] - to->unit_name);
    return DV_OK;
}

static int compare_ids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* The arrays of the tensors while they are read. */
typedef struct tensor_rows {
    const char **name;
    dv_unit_id *producer;
    uint32_t *start, *consumers;
    bool *host_needs;
    double *bytes;
} tensor_rows;

static dv_status read_tensor(reader *to, const dv_json_at *at, uint32_t t, tensor_rows *rows)
{
    static const char *const keys[] = {"name", "from", "to", "output", "bytes", NULL};
    dv_problem *p = to->p;
    DV_TRY(dv_json_only(at, keys));
    DV_TRY(read_name(to, at, "name", &rows->name[t]));
    dv_json_at from = dv_json_member(at, "from"), readers = dv_json_member(at, "to");
    dv_json_at output = dv_json_member(at, "output"), bytes = dv_json_member(at, "bytes");
    rows->producer[t] = DV_NONE;
    if (dv_json_present(&from))
        DV_TRY(find_unit(to, &from, &rows->producer[t]));
    uint32_t end = rows->start[t];
    if (dv_json_present(&readers)) {
        DV_TRY(dv_json_array(&readers));
        for (dv_json_at item = dv_json_first(&readers); item.node; item = dv_json_next(&item))
            DV_TRY(find_unit(to, &item, &rows->consumers[end++]));
    }
    qsort(rows->consumers + rows->start[t], end - rows->start[t], sizeof *rows->consumers,
          compare_ids);
    rows->start[t + 1] = end;
    if (dv_json_present(&output))
        DV_TRY(dv_json_bool(&output, &rows->host_needs[t]));
    double *row = rows->bytes + (size_t)t * p->target_count;
    if (!dv_json_is_number(&bytes))
        return read_row(&bytes, p->target_count, false, row);
    DV_TRY(dv_json_number(&bytes, &row[0])); /* the same on every target */
    for (dv_target_id a = 1; a < p->target_count; a++)
        row[a] = row[0];
    return row[0] >= 0.0 ? DV_OK : dv_json_fail(&bytes, "must not be negative");
}

static dv_status read_tensors(reader *to, const dv_json_at *root)
{
    dv_problem *p = to->p;
    dv_json_at list = dv_json_member(root, "tensors");
    DV_TRY(dv_json_array(&list));
    size_t count = dv_json_count(&list), reads = 0, cells;
    for (dv_json_at item = dv_json_first(&list); item.node; item = dv_json_next(&item)) {
        dv_json_at readers = dv_json_member(&item, "to");
        reads += dv_json_count(&readers);
    }
    if (count >= DV_NONE || reads >= DV_NONE || !dv_mul_size(count, p->target_count, &cells))
        return no_memory(root);
    p->tensor_count = (uint32_t)count;
    tensor_rows rows = {
        .name = dv_arena_array(to->arena, count, sizeof *rows.name),
        .producer = dv_arena_array(to->arena, count, sizeof *rows.producer),
        .start = dv_arena_array(to->arena, count + 1, sizeof *rows.start),
        .consumers = dv_arena_array(to->arena, reads, sizeof *rows.consumers),
        .host_needs = dv_arena_array(to->arena, count, sizeof *rows.host_needs),
        .bytes = dv_arena_array(to->arena, cells, sizeof *rows.bytes),
    };
    if (!rows.name || !rows.producer || !rows.start || !rows.consumers || !rows.host_needs ||
        !rows.bytes)
        return no_memory(root);
    uint32_t t = 0;
    for (dv_json_at item = dv_json_first(&list); item.node; item = dv_json_next(&item), t++)
        DV_TRY(read_tensor(to, &item, t, &rows));
    p->tensor_name = rows.name;
    p->producer = rows.producer;
    p->consumer_start = rows.start;
    p->consumers = rows.consumers;
    p->host_needs = rows.host_needs;
    p->bytes = rows.bytes;
    return DV_OK;
}

static dv_status read_matrix(reader *to, const dv_json_at *root, const char *key,
                             const double **out)
{
    size_t targets = to->p->target_count;
    dv_json_at at = dv_json_member(root, key);
    DV_TRY(dv_json_array(&at));
    if (dv_json_count(&at) != targets)
        return dv_json_fail(&at, "%zu rows, one a target, are needed", targets);
    double *matrix = dv_arena_array(to->arena, targets * targets, sizeof *matrix);
    if (!matrix)
        return no_memory(root);
    size_t row = 0;
    for (dv_json_at item = dv_json_first(&at); item.node; item = dv_json_next(&item), row++)
        DV_TRY(read_row(&item, targets, false, matrix + row * targets));
    *out = matrix;
    return DV_OK;
}

static dv_status read_limits(reader *to, const dv_json_at *root)
{
    static const char *const keys[] = {"max_segments", "energy_uj", "loss", NULL};
    dv_json_at limits = dv_json_member(root, "limits");
    if (!dv_json_present(&limits))
        return DV_OK;
    DV_TRY(dv_json_only(&limits, keys));
    dv_json_at segments = dv_json_member(&limits, "max_segments");
    if (dv_json_present(&segments)) {
        int64_t most;
        DV_TRY(dv_json_integer(&segments, 1, INT32_MAX, &most));
        to->p->max_segments = (uint32_t)most;
    }
    DV_TRY(read_cost(&limits, "energy_uj", INFINITY, &to->p->energy_budget_uj));
    return read_cost(&limits, "loss", INFINITY, &to->p->loss_budget);
}

static dv_status read_subgraphs(reader *to, const dv_json_at *root)
{
    dv_json_at at = dv_json_member(root, "subgraphs_per_device");
    int64_t number;
    if (!dv_json_present(&at))
        return DV_OK;
    DV_TRY(dv_json_integer(&at, 1, 1000000, &number));
    to->p->subgraphs_per_device = (uint32_t)number;
    return DV_OK;
}

static dv_status read_sha256(const dv_json_at *root, const char *key, char out[65])
{
    dv_json_at at = dv_json_member(root, key);
    if (!dv_json_present(&at))
        return DV_OK;
    const char *text = NULL;
    DV_TRY(dv_json_string(&at, &text));
    if (*text && (strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64))
        return dv_json_fail(&at, "a SHA-256 has 64 digits of 0-9 and a-f");
    memcpy(out, text, strlen(text) + 1);
    return DV_OK;
}

static dv_status read_document(reader *to, const dv_json_at *root)
{
    static const char *const keys[] = {"divvy",
                                       "name",
                                       "model_sha256",
                                       "platform_sha256",
                                       "devices",
                                       "targets",
                                       "host",
                                       "units",
                                       "tensors",
                                       "move_latency_us",
                                       "move_us_per_byte",
                                       "limits",
                                       "subgraphs_per_device",
                                       NULL};
    DV_TRY(dv_json_expect_noun(root, "problem/1"));
    DV_TRY(dv_json_only(root, keys));
    DV_TRY(read_name(to, root, "name", &to->p->name));
    DV_TRY(read_sha256(root, "model_sha256", to->p->model_sha256));
    DV_TRY(read_sha256(root, "platform_sha256", to->p->platform_sha256));
    DV_TRY(read_devices(to, root));
    DV_TRY(read_targets(to, root));
    DV_TRY(read_units(to, root));
    DV_TRY(read_tensors(to, root));
    DV_TRY(read_matrix(to, root, "move_latency_us", &to->p->move_latency_us));
    DV_TRY(read_matrix(to, root, "move_us_per_byte", &to->p->move_us_per_byte));
    DV_TRY(read_subgraphs(to, root));
    return read_limits(to, root);
}

dv_status dv_problem_parse(const char *file, const char *text, size_t size, dv_problem **out)
{
    *out = NULL;
    dv_json *json = NULL;
    DV_TRY(dv_json_parse(file, text, size, &json));
    dv_problem *problem = dv_problem_create();
    dv_status status;
    if (!problem) {
        status = dv_fail(DV_NO_MEMORY, "%s: out of memory", file);
    } else {
        reader to = {.p = problem, .arena = problem->arena};
        dv_json_at root = dv_json_root(json, file);
        status = dv_problem_is_msr(&root) ? dv_problem_read_msr(&root, problem)
                                          : read_document(&to, &root);
        if (status == DV_OK)
            status = dv_within(dv_problem_finish(problem), "%s", file);
    }
    dv_json_destroy(json);
    if (status == DV_OK)
        *out = problem;
    else
        dv_problem_destroy(problem);
    return status;
}
