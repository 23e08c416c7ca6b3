/* problem_msr.c - the JSON of the device-placement paper becomes a problem.

   Tarnawski, Phanishayee, Devanur, Mahajan, Nina Paravecino, "Efficient Algorithms for Device
   Placement of DNN Graph Operators", NeurIPS 2020; files of github.com/msr-fiddle/dnn-partitioning.

   Each accelerator and each CPU is a device with one target. An edge's cost is the time between an
   accelerator and the host's memory: one move to or from a CPU, two between accelerators. */
#include "core/problem_msr.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_DEVICES = 256 };

typedef struct node {
    int64_t id;
    uint32_t place;   /* in the file */
    uint32_t missing; /* producers that have no number yet */
    uint32_t unit;    /* its number: topological, otherwise as in the file */
    double out_us;    /* dearest of its edges; they ought to be equal */
    const char *name;
    double cpu_us, accelerator_us, bytes;
    uint32_t group;
    bool backward;
} node;

typedef struct edge {
    uint32_t from, to; /* nodes by place; units once they are numbered */
} edge;

typedef struct reader {
    dv_problem *p;
    node *node;
    node **by_id;
    edge *edge;
    size_t edge_count;
    uint32_t accelerators, cpus;
} reader;

static dv_status no_memory(const dv_json_at *at)
{
    return dv_fail(DV_NO_MEMORY, "%s: out of memory", at->file);
}

/* A bool, or the 0 or 1 that some files have in its place; false where it is left out. */
static dv_status read_flag(const dv_json_at *at, const char *key, bool *out)
{
    dv_json_at member = dv_json_member(at, key);
    *out = false;
    if (!dv_json_present(&member))
        return DV_OK;
    if (!dv_json_is_number(&member))
        return dv_json_bool(&member, out);
    int64_t value;
    DV_TRY(dv_json_integer(&member, 0, 1, &value));
    *out = value == 1;
    return DV_OK;
}

static dv_status read_cost(const dv_json_at *at, const char *key, bool required, double *out)
{
    dv_json_at member = dv_json_member(at, key);
    *out = 0.0;
    if (!required && !dv_json_present(&member))
        return DV_OK;
    DV_TRY(dv_json_number(&member, out));
    return *out >= 0.0 ? DV_OK : dv_json_fail(&member, "must not be negative");
}

static dv_status read_node(reader *r, const dv_json_at *at, node *out)
{
    dv_json_at id = dv_json_member(at, "id"), name = dv_json_member(at, "name");
    dv_json_at colour = dv_json_member(at, "colorClass");
    bool supported;
    int64_t group = DV_NONE;
    DV_TRY(dv_json_integer(&id, INT32_MIN, INT32_MAX, &out->id));
    DV_TRY(read_flag(at, "supportedOnFpga", &supported));
    DV_TRY(read_flag(at, "isBackwardNode", &out->backward));
    DV_TRY(read_cost(at, "cpuLatency", true, &out->cpu_us));
    DV_TRY(read_cost(at, "fpgaLatency", supported, &out->accelerator_us));
    if (!supported)
        out->accelerator_us = INFINITY;
    DV_TRY(read_cost(at, "size", false, &out->bytes));
    if (dv_json_present(&colour))
        DV_TRY(dv_json_integer(&colour, 0, UINT32_MAX - 1, &group));
    out->group = (uint32_t)group;
    const char *text = NULL;
    if (dv_json_is_string(&name))
        DV_TRY(dv_json_string(&name, &text));
    out->name = text ? dv_arena_copy(r->p->arena, text)
                     : dv_arena_printf(r->p->arena, "node%lld", (long long)out->id);
    return out->name ? DV_OK : no_memory(at);
}

static int by_id(const void *a, const void *b)
{
    int64_t x = (*(node *const *)a)->id, y = (*(node *const *)b)->id;
    return x < y ? -1 : x > y;
}

static dv_status read_nodes(reader *r, const dv_json_at *root)
{
    dv_json_at list = dv_json_member(root, "nodes");
    DV_TRY(dv_json_array(&list));
    size_t count = dv_json_count(&list);
    if (count == 0 || count >= DV_NONE)
        return dv_json_fail(&list, "there must be nodes");
    r->p->unit_count = (uint32_t)count;
    r->node = calloc(count, sizeof *r->node);
    r->by_id = calloc(count, sizeof(node *));
    if (!r->node || !r->by_id)
        return no_memory(root);
    uint32_t place = 0;
    for (dv_json_at item = dv_json_first(&list); item.node; item = dv_json_next(&item), place++) {
        r->node[place].place = place;
        r->by_id[place] = &r->node[place];
        DV_TRY(read_node(r, &item, &r->node[place]));
    }
    qsort(r->by_id, count, sizeof(node *), by_id);
    for (size_t i = 1; i < count; i++)
        if (r->by_id[i]->id == r->by_id[i - 1]->id)
            return dv_json_fail(&list, "two nodes have the id %lld", (long long)r->by_id[i]->id);
    return DV_OK;
}

static dv_status find_node(const reader *r, const dv_json_at *edge_at, const char *key,
                           uint32_t *out)
{
    node wanted, *pointer = &wanted;
    dv_json_at at = dv_json_member(edge_at, key);
    DV_TRY(dv_json_integer(&at, INT32_MIN, INT32_MAX, &wanted.id));
    node **found = bsearch(&pointer, r->by_id, r->p->unit_count, sizeof(node *), by_id);
    if (!found)
        return dv_json_fail(&at, "there is no node %lld", (long long)wanted.id);
    *out = (*found)->place;
    return DV_OK;
}

static int by_ends(const void *a, const void *b)
{
    const edge *x = a, *y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->to < y->to ? -1 : x->to > y->to;
}

static dv_status read_edges(reader *r, const dv_json_at *root)
{
    dv_json_at list = dv_json_member(root, "edges");
    DV_TRY(dv_json_array(&list));
    r->edge = calloc(dv_json_count(&list) + 1, sizeof *r->edge);
    if (!r->edge || dv_json_count(&list) >= DV_NONE)
        return no_memory(root);
    for (dv_json_at item = dv_json_first(&list); item.node; item = dv_json_next(&item)) {
        edge *e = &r->edge[r->edge_count];
        double cost;
        DV_TRY(find_node(r, &item, "sourceId", &e->from));
        DV_TRY(find_node(r, &item, "destId", &e->to));
        DV_TRY(read_cost(&item, "cost", true, &cost));
        if (e->from == e->to)
            return dv_json_fail(&item, "an edge from node %lld to itself",
                                (long long)r->node[e->from].id);
        r->node[e->from].out_us = fmax(r->node[e->from].out_us, cost);
        r->edge_count++;
    }
    qsort(r->edge, r->edge_count, sizeof *r->edge, by_ends);
    size_t distinct = 0;
    for (size_t i = 0; i < r->edge_count; i++)
        if (distinct == 0 || by_ends(&r->edge[distinct - 1], &r->edge[i]) != 0)
            r->edge[distinct++] = r->edge[i];
    r->edge_count = distinct;
    return DV_OK;
}

/* Numbers what is ready, and what becomes ready by that; backward nodes only if asked to. */
static void number_ready(reader *r, const size_t *start, bool backward, uint32_t *queue,
                         uint32_t *numbered)
{
    uint32_t head = *numbered, tail = head;
    for (uint32_t n = 0; n < r->p->unit_count; n++)
        if (r->node[n].missing == 0 && r->node[n].backward == backward)
            queue[tail++] = n;
    for (; head < tail; head++) {
        uint32_t n = queue[head];
        r->node[n].unit = head;
        for (size_t i = start[n]; i < start[n + 1]; i++) {
            node *to = &r->node[r->edge[i].to];
            if (--to->missing == 0 && (backward || !to->backward))
                queue[tail++] = r->edge[i].to;
        }
    }
    *numbered = tail;
}

/* Numbers the nodes so that producers come first, and the backward pass last; edges then speak of
   units. start: per place, its first edge; queue: unit_count entries. */
static dv_status number_nodes(reader *r, const dv_json_at *root, size_t *start, uint32_t *queue)
{
    uint32_t numbered = 0, units = r->p->unit_count;
    for (size_t i = 0; i < r->edge_count; i++) {
        r->node[r->edge[i].to].missing++;
        start[r->edge[i].from + 1]++;
    }
    for (uint32_t n = 0; n < units; n++)
        start[n + 1] += start[n];
    number_ready(r, start, false, queue, &numbered);
    number_ready(r, start, true, queue, &numbered);
    for (uint32_t n = 0; numbered < units && n < units; n++)
        if (r->node[n].missing > 0)
            return dv_fail(DV_BAD_INPUT, "%s: edges: node %lld is on a cycle, or behind one",
                           root->file, (long long)r->node[n].id);
    for (size_t i = 0; i < r->edge_count; i++)
        r->edge[i] = (edge){r->node[r->edge[i].from].unit, r->node[r->edge[i].to].unit};
    qsort(r->edge, r->edge_count, sizeof *r->edge, by_ends);
    return DV_OK;
}

static dv_status sort_nodes(reader *r, const dv_json_at *root)
{
    size_t *start = calloc((size_t)r->p->unit_count + 1, sizeof *start);
    uint32_t *queue = calloc(r->p->unit_count, sizeof *queue);
    dv_status status = start && queue ? number_nodes(r, root, start, queue) : no_memory(root);
    free(start);
    free(queue);
    return status;
}

/* CPUs first; without any, a host that runs nothing. */
static dv_status read_machine(reader *r, const dv_json_at *root)
{
    dv_problem *p = r->p;
    dv_json_at accelerators = dv_json_member(root, "maxFPGAs");
    dv_json_at cpus = dv_json_member(root, "maxCPUs");
    int64_t accelerator_count, cpu_count;
    double capacity;
    DV_TRY(dv_json_integer(&accelerators, 0, MAX_DEVICES / 2, &accelerator_count));
    DV_TRY(dv_json_integer(&cpus, 0, MAX_DEVICES / 2, &cpu_count));
    DV_TRY(read_cost(root, "maxSizePerFPGA", true, &capacity));
    r->accelerators = (uint32_t)accelerator_count;
    r->cpus = (uint32_t)cpu_count;
    uint32_t hosts = r->cpus ? r->cpus : 1, count = hosts + r->accelerators;
    p->target_count = p->device_count = count;
    const char **name = dv_arena_array(p->arena, count, sizeof *name);
    dv_device_id *device = dv_arena_array(p->arena, count, sizeof *device);
    double *zero = dv_arena_array(p->arena, (size_t)count * count, sizeof *zero);
    double *per_unit = dv_arena_array(p->arena, (size_t)count * count, sizeof *per_unit);
    double *bytes = dv_arena_array(p->arena, count, sizeof *bytes);
    if (!name || !device || !zero || !per_unit || !bytes)
        return no_memory(root);
    for (uint32_t d = 0; d < count; d++) {
        bool cpu = d < hosts;
        name[d] = r->cpus == 0 && cpu ? "host"
                                      : dv_arena_printf(p->arena, "%s%u", cpu ? "cpu" : "acc",
                                                        (cpu ? d : d - hosts) + 1);
        if (!name[d])
            return no_memory(root);
        device[d] = d;
        bytes[d] = cpu ? INFINITY : capacity;
        for (uint32_t e = 0; e < count; e++)
            per_unit[(size_t)d * count + e] = d == e ? 0.0 : (d >= hosts) + (e >= hosts);
    }
    p->device_name = p->target_name = name;
    p->device = device;
    p->move_latency_us = zero;
    p->move_us_per_byte = per_unit;
    p->dispatch_us = p->session_us = zero;
    p->capacity_bytes = bytes;
    return DV_OK;
}

static dv_status fill_units(reader *r, const dv_json_at *root)
{
    dv_problem *p = r->p;
    uint32_t hosts = p->target_count - r->accelerators;
    size_t cells;
    if (!dv_mul_size(p->unit_count, p->target_count, &cells))
        return no_memory(root);
    const char **name = dv_arena_array(p->arena, p->unit_count, sizeof *name);
    double *time = dv_arena_array(p->arena, cells, sizeof *time);
    double *memory = dv_arena_array(p->arena, cells, sizeof *memory);
    uint32_t *group = dv_arena_array(p->arena, p->unit_count, sizeof *group);
    bool *backward = dv_arena_array(p->arena, p->unit_count, sizeof *backward);
    bool training = false;
    if (!name || !time || !memory || !group || !backward)
        return no_memory(root);
    for (uint32_t n = 0; n < p->unit_count; n++) {
        const node *from = &r->node[n];
        name[from->unit] = from->name;
        group[from->unit] = from->group;
        backward[from->unit] = from->backward;
        training = training || from->backward;
        for (dv_target_id a = 0; a < p->target_count; a++) {
            size_t cell = (size_t)from->unit * p->target_count + a;
            double cpu_us = r->cpus ? from->cpu_us : INFINITY;
            time[cell] = a < hosts ? cpu_us : from->accelerator_us;
            memory[cell] = a < hosts ? 0.0 : from->bytes;
        }
    }
    p->unit_name = name;
    p->time_us = time;
    p->memory_bytes = memory;
    p->group = group;
    p->backward = training ? backward : NULL;
    return DV_OK;
}

/* One tensor for each node; its "bytes" are its cost, at 1 us each. */
static dv_status fill_tensors(reader *r, const dv_json_at *root)
{
    dv_problem *p = r->p;
    uint32_t count = p->unit_count;
    const char **name = dv_arena_array(p->arena, count, sizeof *name);
    dv_unit_id *producer = dv_arena_array(p->arena, count, sizeof *producer);
    uint32_t *start = dv_arena_array(p->arena, (size_t)count + 1, sizeof *start);
    dv_unit_id *consumers = dv_arena_array(p->arena, r->edge_count, sizeof *consumers);
    bool *host_needs = dv_arena_array(p->arena, count, sizeof *host_needs);
    double *bytes = dv_arena_array(p->arena, (size_t)count * p->target_count, sizeof *bytes);
    if (!name || !producer || !start || !consumers || !host_needs || !bytes)
        return no_memory(root);
    for (uint32_t n = 0; n < count; n++) {
        uint32_t unit = r->node[n].unit;
        name[unit] = r->node[n].name;
        producer[unit] = unit;
        for (dv_target_id a = 0; a < p->target_count; a++)
            bytes[(size_t)unit * p->target_count + a] = r->node[n].out_us;
    }
    for (size_t i = 0; i < r->edge_count; i++) {
        start[r->edge[i].from + 1]++;
        consumers[i] = r->edge[i].to;
    }
    for (uint32_t t = 0; t < count; t++)
        start[t + 1] += start[t];
    p->tensor_count = count;
    p->tensor_name = name;
    p->producer = producer;
    p->consumer_start = start;
    p->consumers = consumers;
    p->host_needs = host_needs;
    p->bytes = bytes;
    return DV_OK;
}

static dv_status read_document(reader *r, const dv_json_at *root)
{
    DV_TRY(read_machine(r, root));
    DV_TRY(read_nodes(r, root));
    DV_TRY(read_edges(r, root));
    DV_TRY(sort_nodes(r, root));
    DV_TRY(fill_units(r, root));
    return fill_tensors(r, root);
}

bool dv_problem_is_msr(const dv_json_at *root)
{
    dv_json_at noun = dv_json_member(root, "divvy"), nodes = dv_json_member(root, "nodes");
    dv_json_at edges = dv_json_member(root, "edges"), most = dv_json_member(root, "maxFPGAs");
    return !dv_json_present(&noun) && dv_json_present(&nodes) && dv_json_present(&edges) &&
           dv_json_present(&most);
}

dv_status dv_problem_read_msr(const dv_json_at *root, dv_problem *problem)
{
    reader r = {.p = problem};
    problem->name = "device-placement instance";
    problem->subgraphs_per_device = 1;
    dv_status status = read_document(&r, root);
    free(r.node);
    free(r.by_id);
    free(r.edge);
    return status;
}
