/* certify_makespan.c - a makespan worked out in the other direction.

   evaluate.c's way asks, unit by unit, what has arrived. Here all transfers are listed and put in
   order first, what a unit holds its device for is summed up first, and then everything that ends
   pushes forward what waits for it. */
#include "solver/certify_makespan.h"

#include <math.h>
#include <stdlib.h>

typedef struct transfer {
    uint32_t made; /* its maker's place in the order, from 1; 0: an input */
    uint32_t reader, tensor;
    dv_target_id from, to;
} transfer;

typedef struct work {
    const dv_problem *p;
    const dv_plan *plan;
    uint32_t *rank;      /* per unit, from 1 */
    long double *busy;   /* per unit: how long it holds its device */
    long double *ready;  /* per unit: when the last of what it reads arrived */
    long double *device; /* per device: free from */
    long double *link;   /* per pair of devices */
    transfer *list;
    size_t count;
} work;

static long double move_us(const dv_problem *p, uint32_t t, dv_target_id a, dv_target_id b)
{
    size_t pair = (size_t)a * p->target_count + b;
    return p->move_latency_us[pair] +
           (long double)p->bytes[(size_t)t * p->target_count + a] * p->move_us_per_byte[pair];
}

/* The first place in the order where t is read on target b, from 1; 0: nowhere. */
static uint32_t first_reader(const work *w, uint32_t t, dv_target_id b)
{
    uint32_t first = 0;
    for (uint32_t i = w->p->consumer_start[t]; i < w->p->consumer_start[t + 1]; i++) {
        dv_unit_id u = w->p->consumers[i];
        if (w->plan->target[u] == b && (first == 0 || w->rank[u] < first))
            first = w->rank[u];
    }
    return first;
}

/* Tensor t in the form of target b: a transfer, or time of the device. */
static void need(work *w, uint32_t t, dv_target_id b)
{
    const dv_problem *p = w->p;
    dv_unit_id maker = p->producer[t];
    dv_target_id from = maker == DV_NONE ? p->host : w->plan->target[maker];
    uint32_t reader = first_reader(w, t, b);
    bool host = b == p->host && p->host_needs[t];
    if (b == from || (reader == 0 && !host))
        return;
    if (p->device[from] != p->device[b]) {
        w->list[w->count++] = (transfer){maker == DV_NONE ? 0 : w->rank[maker],
                                         reader ? reader : UINT32_MAX, t, from, b};
        return;
    }
    dv_unit_id payer = host && maker != DV_NONE ? maker : DV_NONE;
    if (payer == DV_NONE && reader)
        payer = w->plan->order[reader - 1];
    if (payer != DV_NONE)
        w->busy[payer] += move_us(p, t, from, b);
}

static int by_turn(const void *a, const void *b)
{
    const transfer *x = a, *y = b;
    const uint32_t left[] = {x->made, x->reader, x->tensor, x->to};
    const uint32_t right[] = {y->made, y->reader, y->tensor, y->to};
    for (int i = 0; i < 4; i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}

static void list_work(work *w)
{
    const dv_problem *p = w->p;
    for (uint32_t k = 0; k < p->unit_count; k++)
        w->rank[w->plan->order[k]] = k + 1;
    for (uint32_t k = 0; k < p->unit_count; k++) {
        dv_unit_id u = w->plan->order[k];
        dv_target_id a = w->plan->target[u];
        dv_device_id d = p->device[a];
        w->busy[u] = p->time_us[(size_t)u * p->target_count + a];
        if (k == 0 || p->device[w->plan->target[w->plan->order[k - 1]]] != d)
            w->busy[u] += p->dispatch_us[d];
        if (w->device[d] == 0) /* a mark until the schedule begins */
            w->busy[u] += p->session_us[d];
        w->device[d] = 1;
    }
    for (uint32_t t = 0; t < p->tensor_count; t++)
        for (dv_target_id b = 0; b < p->target_count; b++)
            need(w, t, b);
    qsort(w->list, w->count, sizeof *w->list, by_turn);
}

/* Sends it, and pushes those who read it there. Returns its arrival. */
static long double send(work *w, const transfer *item, long double made_us)
{
    const dv_problem *p = w->p;
    long double *link =
        &w->link[(size_t)p->device[item->from] * p->device_count + p->device[item->to]];
    long double start = *link > made_us ? *link : made_us;
    *link = start + move_us(p, item->tensor, item->from, item->to);
    for (uint32_t i = p->consumer_start[item->tensor]; i < p->consumer_start[item->tensor + 1];
         i++) {
        dv_unit_id u = p->consumers[i];
        if (w->plan->target[u] == item->to && w->ready[u] < *link)
            w->ready[u] = *link;
    }
    return *link;
}

static double play(work *w)
{
    const dv_problem *p = w->p;
    long double last = 0;
    size_t next = 0;
    for (dv_device_id d = 0; d < p->device_count; d++)
        w->device[d] = 0;
    for (uint32_t k = 0; k <= p->unit_count; k++) {
        long double end = 0;
        if (k > 0) {
            dv_unit_id u = w->plan->order[k - 1];
            long double *device = &w->device[p->device[w->plan->target[u]]];
            end = (*device > w->ready[u] ? *device : w->ready[u]) + w->busy[u];
            *device = end;
        }
        last = end > last ? end : last;
        for (; next < w->count && w->list[next].made == k; next++) {
            long double arrival = send(w, &w->list[next], end);
            last = arrival > last ? arrival : last;
        }
    }
    return (double)last;
}

/* Is device d where the host's memory is: every way between them free? */
static bool is_beside_host(const dv_problem *p, dv_device_id d)
{
    for (dv_target_id a = 0; a < p->target_count; a++)
        if (p->device[a] == d)
            for (int way = 0; way < 2; way++) {
                dv_target_id from = way ? a : p->host, to = way ? p->host : a;
                size_t pair = (size_t)from * p->target_count + to;
                if (p->move_latency_us[pair] != 0 || p->move_us_per_byte[pair] != 0)
                    return false;
            }
    return true;
}

/* Calls: subgraphs, and each unit beside the host. What tensors cost is added to the calls at both
   their ends first; rank becomes each unit's call, ready each call's end. */
typedef struct calls {
    work *w;
    uint32_t count;
    uint32_t *first; /* per call: a unit of it */
    bool *remote;    /* per call */
} calls;

static void list_calls(calls *c)
{
    const dv_problem *p = c->w->p;
    const dv_plan *plan = c->w->plan;
    for (uint32_t k = 0; k < p->unit_count; k++) {
        dv_unit_id u = plan->order[k];
        dv_device_id d = p->device[plan->target[u]];
        bool remote = !is_beside_host(p, d);
        bool goes_on = remote && k > 0 && p->device[plan->target[plan->order[k - 1]]] == d;
        if (!goes_on) {
            c->first[c->count] = u;
            c->remote[c->count] = remote;
            c->w->busy[c->count] = remote ? p->dispatch_us[d] : 0;
            if (remote && c->w->device[d]++ == 0)
                c->w->busy[c->count] += p->session_us[d];
            c->count++;
        }
        c->w->rank[u] = c->count - 1;
        c->w->busy[c->count - 1] += p->time_us[(size_t)u * p->target_count + plan->target[u]];
    }
}

/* Charges tensor t to the calls that fetch it, each once, and to the one that leaves it. */
static void charge(calls *c, uint32_t t)
{
    const dv_problem *p = c->w->p;
    dv_unit_id maker = p->producer[t];
    uint32_t home = maker == DV_NONE ? UINT32_MAX : c->w->rank[maker];
    bool leaves = p->host_needs[t];
    for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++) {
        uint32_t call = c->w->rank[p->consumers[i]];
        bool again = false;
        for (uint32_t k = p->consumer_start[t]; k < i; k++)
            again = again || c->w->rank[p->consumers[k]] == call;
        if (call == home || again)
            continue;
        leaves = true;
        if (c->remote[call])
            c->w->busy[call] += move_us(p, t, p->host, c->w->plan->target[p->consumers[i]]);
    }
    if (home != UINT32_MAX && leaves && c->remote[home])
        c->w->busy[home] += move_us(p, t, c->w->plan->target[maker], p->host);
}

static double play_calls(calls *c)
{
    const dv_problem *p = c->w->p;
    long double last = 0, *end = c->w->ready;
    for (dv_device_id d = 0; d < p->device_count; d++) {
        if (c->w->device[d] > p->subgraphs_per_device)
            return INFINITY;
        c->w->device[d] = 0;
    }
    for (uint32_t i = 0; i < c->count; i++) {
        long double *device = &c->w->device[p->device[c->w->plan->target[c->first[i]]]];
        long double start = c->remote[i] ? *device : 0;
        for (dv_unit_id u = 0; u < p->unit_count; u++)
            for (uint32_t k = p->previous_start[u];
                 c->w->rank[u] == i && k < p->previous_start[u + 1]; k++) {
                uint32_t before = c->w->rank[p->previous[k]];
                start = before != i && end[before] > start ? end[before] : start;
            }
        end[i] = start + c->w->busy[i];
        *device = c->remote[i] ? end[i] : 0;
        last = end[i] > last ? end[i] : last;
    }
    return (double)last;
}

static bool work_out_calls(work *w, double *us)
{
    size_t units = (size_t)w->p->unit_count + 1;
    calls c = {.w = w};
    c.first = calloc(units, sizeof *c.first);
    c.remote = calloc(units, sizeof *c.remote);
    bool ok = c.first && c.remote;
    if (ok) {
        list_calls(&c);
        for (uint32_t t = 0; t < w->p->tensor_count; t++)
            charge(&c, t);
        *us = play_calls(&c);
    }
    free(c.first);
    free(c.remote);
    return ok;
}

bool dv_certify_makespan_us(const dv_problem *problem, const dv_plan *plan, double *us)
{
    size_t units = (size_t)problem->unit_count + 1, devices = problem->device_count;
    work w = {.p = problem, .plan = plan};
    w.rank = calloc(units, sizeof *w.rank);
    w.busy = calloc(units, sizeof *w.busy);
    w.ready = calloc(units, sizeof *w.ready);
    w.device = calloc(devices + 1, sizeof *w.device);
    w.link = calloc(devices * devices + 1, sizeof *w.link);
    w.list = calloc((size_t)problem->tensor_count * problem->target_count + 1, sizeof *w.list);
    bool ok = w.rank && w.busy && w.ready && w.device && w.link && w.list;
    if (ok && problem->subgraphs_per_device) {
        ok = work_out_calls(&w, us);
    } else if (ok) {
        list_work(&w);
        *us = play(&w);
    }
    free(w.rank);
    free(w.busy);
    free(w.ready);
    free(w.device);
    free(w.link);
    free(w.list);
    return ok;
}
