/* build.c - a graph on a platform becomes a problem. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "costmodel/costmodel.h"
#include "costmodel/roofline.h"

typedef struct builder {
    const dv_graph *graph;
    const dv_platform *platform;
    const dv_cost_model *model;
    dv_problem *p;
    dv_arena *arena;
} builder;

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "cost model: out of memory");
}

static const char **copy_names(builder *b, size_t count)
{
    return dv_arena_array(b->arena, count, sizeof(const char *));
}

static dv_status build_devices(builder *b)
{
    const dv_platform *platform = b->platform;
    dv_problem *p = b->p;
    uint32_t count = platform->device_count;
    const char **names = copy_names(b, count);
    double *dispatch = dv_arena_array(b->arena, count, sizeof *dispatch);
    double *session = dv_arena_array(b->arena, count, sizeof *session);
    double *capacity = dv_arena_array(b->arena, count, sizeof *capacity);
    if (!names || !dispatch || !session || !capacity)
        return no_memory();
    for (dv_device_id d = 0; d < count; d++) {
        const dv_device *device = &platform->devices[d];
        names[d] = dv_arena_copy(b->arena, device->name);
        if (!names[d])
            return no_memory();
        dispatch[d] = device->dispatch_us.value;
        session[d] = device->session_us.value;
        capacity[d] = device->memory_bytes.value;
    }
    p->device_count = count;
    p->device_name = names;
    p->dispatch_us = dispatch;
    p->session_us = session;
    p->capacity_bytes = capacity;
    return DV_OK;
}

/* Time to move one tensor: a fixed part, and a part for each byte in the precision it starts in. */
typedef struct move {
    double latency_us, us_per_byte;
} move;

static double us_per_byte(double gbs)
{
    return 1.0 / (gbs * 1e3);
}

/* Reading a byte of precision a and writing its share in precision b. */
static move convert(const dv_platform *platform, const dv_target *a, const dv_target *b)
{
    if (a->precision == b->precision)
        return (move){0.0, 0.0};
    double ratio = (double)dv_dtype_bytes(b->precision) / (double)dv_dtype_bytes(a->precision);
    const dv_family_cost *row = dv_roofline_row(b, DV_FAMILY_ELEMENTWISE);
    return (move){row->launch_us.value, (1.0 + ratio) * us_per_byte(platform->convert_gbs.value)};
}

static move over(const dv_link *link)
{
    return (move){link->latency_us.value, us_per_byte(link->gbs.value)};
}

static move move_between(const dv_platform *platform, dv_target_id from, dv_target_id to)
{
    const dv_target *a = &platform->targets[from], *b = &platform->targets[to];
    move total = convert(platform, a, b);
    if (a->device == b->device)
        return total;
    const dv_link *direct = dv_platform_link(platform, a->device, b->device);
    dv_device_id host = platform->targets[platform->host].device;
    const dv_link *path[2] = {direct, NULL};
    if (!direct) { /* reading a platform has made sure that the host is linked with all */
        path[0] = dv_platform_link(platform, a->device, host);
        path[1] = dv_platform_link(platform, host, b->device);
    }
    for (int i = 0; i < 2; i++)
        if (path[i]) {
            total.latency_us += over(path[i]).latency_us;
            total.us_per_byte += over(path[i]).us_per_byte;
        }
    return total;
}

static dv_status build_targets(builder *b)
{
    const dv_platform *platform = b->platform;
    dv_problem *p = b->p;
    uint32_t count = platform->target_count;
    const char **names = copy_names(b, count);
    dv_device_id *device = dv_arena_array(b->arena, count, sizeof *device);
    double *latency = dv_arena_array(b->arena, (size_t)count * count, sizeof *latency);
    double *per_byte = dv_arena_array(b->arena, (size_t)count * count, sizeof *per_byte);
    if (!names || !device || !latency || !per_byte)
        return no_memory();
    for (dv_target_id a = 0; a < count; a++) {
        names[a] = dv_arena_copy(b->arena, platform->targets[a].name);
        if (!names[a])
            return no_memory();
        device[a] = platform->targets[a].device;
        for (dv_target_id c = 0; c < count; c++) {
            if (a == c)
                continue;
            move cost = move_between(platform, a, c);
            latency[(size_t)a * count + c] = cost.latency_us;
            per_byte[(size_t)a * count + c] = cost.us_per_byte;
        }
    }
    p->target_count = count;
    p->target_name = names;
    p->device = device;
    p->host = platform->host;
    p->move_latency_us = latency;
    p->move_us_per_byte = per_byte;
    return DV_OK;
}

/* Bytes of the constants that a unit reads, each once, in a precision. */
static double constant_bytes(const dv_graph *graph, const dv_unit *unit, dv_dtype precision)
{
    double bytes = 0.0;
    for (uint32_t k = 0; k < unit->op_count; k++) {
        const dv_op *op = &graph->ops[unit->ops[k]];
        for (uint32_t i = 0; i < op->input_count; i++) {
            dv_tensor_id t = op->inputs[i];
            if (t == DV_NONE || graph->tensors[t].role != DV_ROLE_CONSTANT)
                continue;
            bool repeated = false;
            for (uint32_t m = 0; m <= k && !repeated; m++) {
                const dv_op *other = &graph->ops[unit->ops[m]];
                for (uint32_t j = 0; j < (m == k ? i : other->input_count) && !repeated; j++)
                    repeated = other->inputs[j] == t;
            }
            if (!repeated)
                bytes += dv_bytes_in(&graph->tensors[t], precision);
        }
    }
    return bytes;
}

/* Energy is known only if every device's power is. */
static bool power_known(const dv_platform *platform)
{
    for (dv_device_id d = 0; d < platform->device_count; d++)
        if (isnan(platform->devices[d].power_w.value))
            return false;
    return true;
}

static dv_status build_units(builder *b)
{
    const dv_graph *graph = b->graph;
    const dv_platform *platform = b->platform;
    size_t units = graph->unit_count, targets = platform->target_count;
    const char **names = copy_names(b, units);
    bool energetic = power_known(platform);
    double *time = dv_arena_array(b->arena, units * targets, sizeof *time);
    double *memory = dv_arena_array(b->arena, units * targets, sizeof *memory);
    double *energy = energetic ? dv_arena_array(b->arena, units * targets, sizeof *energy) : NULL;
    if (!names || !time || !memory || (energetic && !energy))
        return no_memory();
    for (dv_unit_id u = 0; u < units; u++) {
        names[u] = dv_arena_copy(b->arena, graph->units[u].name);
        if (!names[u])
            return no_memory();
        for (dv_target_id a = 0; a < targets; a++) {
            size_t cell = u * targets + a;
            const dv_target *target = &platform->targets[a];
            time[cell] = b->model->unit_time_us(graph, u, platform, a);
            memory[cell] = constant_bytes(graph, &graph->units[u], target->precision);
            if (energetic && isfinite(time[cell])) /* watts times microseconds */
                energy[cell] = platform->devices[target->device].power_w.value * time[cell];
        }
    }
    b->p->unit_count = graph->unit_count;
    b->p->unit_name = names;
    b->p->time_us = time;
    b->p->memory_bytes = memory;
    b->p->energy_uj = energy;
    return DV_OK;
}

/* Its kind; of an operator that is not understood its own name, and why. */
static void name_operator(dv_text *text, const dv_op *op, bool behind)
{
    if (op->kind == DV_OP_OPAQUE && op->source_type && op->reason)
        dv_text_append(text, "%s%.80s: %.120s", behind ? " " : "", op->source_type, op->reason);
    else
        dv_text_append(text, "%s%s", behind ? " " : "", dv_op_info_of(op->kind)->name);
}

/* Units that no target runs, with the operators at fault. */
static dv_status check_support(const builder *b)
{
    enum { SHOWN = 5 };
    const dv_graph *graph = b->graph;
    dv_text faults = {0};
    uint32_t count = 0;
    for (dv_unit_id u = 0; u < graph->unit_count; u++) {
        bool some = false;
        for (dv_target_id a = 0; a < b->platform->target_count && !some; a++)
            some = isfinite(dv_problem_time_us(b->p, u, a));
        if (some || count++ >= SHOWN)
            continue;
        dv_text_append(&faults, "%s'%s' (", count > 1 ? ", " : "", graph->units[u].name);
        for (uint32_t k = 0; k < graph->units[u].op_count; k++)
            name_operator(&faults, &graph->ops[graph->units[u].ops[k]], k > 0);
        dv_text_append(&faults, ")");
    }
    dv_status status = DV_OK;
    if (count)
        status = dv_fail(DV_BAD_INPUT,
                         "platform '%s': no target runs %s%s; allow more targets or add the "
                         "operator to a device's support",
                         b->platform->name, dv_text_string(&faults), count > SHOWN ? ", ..." : "");
    dv_text_free(&faults);
    return status;
}

/* Distinct units other than the producer that read a tensor, ascending, into units (as long as the
   tensor's list of consumers); their number. Units ascend with operators, so a single pass does. */
static uint32_t reading_units(const dv_graph *graph, dv_tensor_id t, dv_unit_id producer,
                              dv_unit_id *units)
{
    uint32_t count = 0;
    for (uint32_t c = graph->consumer_start[t]; c < graph->consumer_start[t + 1]; c++) {
        dv_unit_id u = graph->unit_of[graph->consumers[c]];
        if (u != producer && (count == 0 || units[count - 1] != u))
            units[count++] = u;
    }
    return count;
}

/* The arrays of the problem's tensors while they are filled. */
typedef struct rows {
    const char **name;
    dv_unit_id *producer;
    uint32_t *start, *consumers;
    bool *host_needs;
    double *bytes;
} rows;

static dv_status add_tensor(builder *b, dv_tensor_id t, rows *to)
{
    const dv_graph *graph = b->graph;
    const dv_tensor *tensor = &graph->tensors[t];
    dv_op_id maker = graph->producer[t];
    bool made = tensor->role == DV_ROLE_ACTIVATION && maker != DV_NONE;
    bool given = tensor->role == DV_ROLE_INPUT;
    if (!made && !given)
        return DV_OK;
    dv_unit_id producer = made ? graph->unit_of[maker] : DV_NONE;
    uint32_t n = b->p->tensor_count;
    uint32_t readers = reading_units(graph, t, producer, to->consumers + to->start[n]);
    if (readers == 0 && !(made && tensor->is_output))
        return DV_OK;
    to->name[n] = dv_arena_copy(b->arena, tensor->name);
    if (!to->name[n])
        return no_memory();
    to->producer[n] = producer;
    to->start[n + 1] = to->start[n] + readers;
    to->host_needs[n] = tensor->is_output && made;
    const dv_platform *platform = b->platform;
    for (dv_target_id a = 0; a < platform->target_count; a++) {
        dv_target_id at = made ? a : platform->host;
        to->bytes[(size_t)n * platform->target_count + a] =
            dv_bytes_in(tensor, platform->targets[at].precision);
    }
    b->p->tensor_count++;
    return DV_OK;
}

static dv_status build_tensors(builder *b)
{
    const dv_graph *graph = b->graph;
    size_t count = graph->tensor_count, targets = b->platform->target_count, cells;
    size_t reads = graph->consumer_start[count];
    if (!dv_mul_size(count, targets, &cells))
        return no_memory();
    rows to = {
        .name = dv_arena_array(b->arena, count, sizeof *to.name),
        .producer = dv_arena_array(b->arena, count, sizeof *to.producer),
        .start = dv_arena_array(b->arena, count + 1, sizeof *to.start),
        .consumers = dv_arena_array(b->arena, reads, sizeof *to.consumers),
        .host_needs = dv_arena_array(b->arena, count, sizeof *to.host_needs),
        .bytes = dv_arena_array(b->arena, cells, sizeof *to.bytes),
    };
    if (!to.name || !to.producer || !to.start || !to.consumers || !to.host_needs || !to.bytes)
        return no_memory();
    for (dv_tensor_id t = 0; t < count; t++)
        DV_TRY(add_tensor(b, t, &to));
    b->p->tensor_name = to.name;
    b->p->producer = to.producer;
    b->p->consumer_start = to.start;
    b->p->consumers = to.consumers;
    b->p->host_needs = to.host_needs;
    b->p->bytes = to.bytes;
    return DV_OK;
}

static uint32_t find_root(uint32_t *parent, uint32_t u)
{
    while (parent[u] != u)
        u = parent[u] = parent[parent[u]];
    return u;
}

static void join(const dv_graph *graph, uint32_t *parent, dv_tensor_id state, uint32_t *first)
{
    for (uint32_t c = graph->consumer_start[state]; c < graph->consumer_start[state + 1]; c++) {
        uint32_t u = graph->unit_of[graph->consumers[c]];
        if (*first == DV_NONE)
            *first = u;
        parent[find_root(parent, u)] = find_root(parent, *first);
    }
}

/* Units that touch the same state stay on one device: a delegate may own a mutable buffer only if
   all its users, and the maker of its next value, are inside. */
static dv_status build_groups(builder *b)
{
    const dv_graph *graph = b->graph;
    uint32_t units = graph->unit_count;
    uint32_t *parent = NULL;
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++) {
        if (graph->tensors[t].role != DV_ROLE_STATE)
            continue;
        if (!parent) {
            parent = dv_arena_array(b->arena, units, sizeof *parent);
            if (!parent)
                return no_memory();
            for (uint32_t u = 0; u < units; u++)
                parent[u] = u;
        }
        uint32_t first = DV_NONE;
        for (uint32_t i = 0; i < graph->state_count; i++)
            if (graph->states[i].tensor == t)
                first = graph->unit_of[graph->producer[graph->states[i].next]];
        join(graph, parent, t, &first);
    }
    if (!parent)
        return DV_OK;
    uint32_t *group = dv_arena_array(b->arena, units, sizeof *group);
    uint32_t *size = calloc(units ? units : 1, sizeof *size);
    if (!group || !size) {
        free(size);
        return no_memory();
    }
    for (uint32_t u = 0; u < units; u++)
        size[find_root(parent, u)]++;
    bool some = false; /* groups of one are none: they would only make solving harder */
    for (uint32_t u = 0; u < units; u++) {
        uint32_t root = find_root(parent, u);
        group[u] = size[root] > 1 ? root : DV_NONE;
        some |= size[root] > 1;
    }
    free(size);
    b->p->group = some ? group : NULL;
    return DV_OK;
}

static dv_status build_all(builder *b)
{
    DV_TRY(build_devices(b));
    DV_TRY(build_targets(b));
    DV_TRY(build_units(b));
    DV_TRY(check_support(b));
    DV_TRY(build_tensors(b));
    DV_TRY(build_groups(b));
    b->p->name = dv_arena_copy(b->arena, b->graph->name);
    if (!b->p->name)
        return no_memory();
    strcpy(b->p->model_sha256, dv_graph_sha256(b->graph));
    memcpy(b->p->platform_sha256, b->platform->sha256, sizeof b->p->platform_sha256);
    return dv_problem_finish(b->p);
}

dv_status dv_problem_build(const dv_graph *graph, const dv_platform *platform,
                           const dv_cost_model *model, dv_problem **out)
{
    *out = NULL;
    if (graph->unit_count == 0)
        return dv_fail(DV_BAD_INPUT, "model '%s' has no operators to place", graph->name);
    dv_problem *problem = dv_problem_create();
    if (!problem)
        return no_memory();
    builder b = {graph, platform, model, problem, problem->arena};
    dv_status status = build_all(&b);
    if (status == DV_OK)
        *out = problem;
    else
        dv_problem_destroy(problem);
    return status;
}
