/* problem_text.c - see problem_text.h. */
#include "tests/problem_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UNITS = 64, TARGETS = 8, READS = 16 };

typedef struct unit {
    char name[32];
    double time[TARGETS], memory[TARGETS], energy[TARGETS], loss[TARGETS];
    int reads[READS]; /* units; -1: the input */
    int read_count;
    uint32_t pin, group;
} unit;

typedef struct text_problem {
    char target[TARGETS][32];
    char device[TARGETS][32];
    uint32_t device_of[TARGETS];
    int targets, devices, units;
    double move, move_same, per_byte, bytes, dispatch[TARGETS], session[TARGETS], capacity[TARGETS];
    uint32_t segments;
    double energy_budget, loss_budget;
    unit unit[UNITS];
} text_problem;

static void die(const char *what, const char *word)
{
    fprintf(stderr, "problem_of: %s '%s'\n", what, word ? word : "");
    abort();
}

static void need(bool ok, const char *what)
{
    if (!ok)
        die(what, dv_message());
}

static void read_targets(text_problem *p, const char *targets)
{
    char copy[256], *save = NULL;
    snprintf(copy, sizeof copy, "%s", targets);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        need(p->targets < TARGETS, "too many targets");
        snprintf(p->target[p->targets], sizeof p->target[0], "%s", word);
        word[strcspn(word, ":")] = '\0';
        int d = 0;
        while (d < p->devices && strcmp(p->device[d], word) != 0)
            d++;
        if (d == p->devices)
            snprintf(p->device[p->devices++], sizeof p->device[0], "%s", word);
        p->device_of[p->targets++] = (uint32_t)d;
    }
}

static double number(const char *word)
{
    char *end = NULL;
    if (!word)
        die("a number is missing", "");
    if (strcmp(word, "-") == 0)
        return INFINITY;
    double value = strtod(word, &end);
    if (*end)
        die("not a number", word);
    return value;
}

static int unit_named(const text_problem *p, const char *name)
{
    if (strcmp(name, "in") == 0)
        return -1;
    for (int u = 0; u < p->units; u++)
        if (strcmp(p->unit[u].name, name) == 0)
            return u;
    die("no such unit above", name);
    return -1;
}

static void read_unit(text_problem *p, const char *name, char **save)
{
    need(p->units < UNITS, "too many units");
    unit *u = &p->unit[p->units];
    *u = (unit){.pin = DV_NONE, .group = DV_NONE};
    snprintf(u->name, sizeof u->name, "%s", name);
    for (int a = 0; a < p->targets; a++)
        u->time[a] = number(strtok_r(NULL, " ", save));
    u->reads[0] = p->units - 1; /* the unit before, or the input */
    u->read_count = 1;
    double *table = NULL;
    char mode = 0;
    int column = 0;
    for (char *word = strtok_r(NULL, " ", save); word; word = strtok_r(NULL, " ", save)) {
        if (strchr("<@#!~$", word[0]) && !word[1]) {
            mode = word[0];
            column = 0;
            table = mode == '!' ? u->memory : mode == '~' ? u->energy : u->loss;
            if (mode == '<')
                u->read_count = 0;
        } else if (mode == '<') {
            u->reads[u->read_count++] = unit_named(p, word);
        } else if (mode == '#') {
            u->group = (uint32_t)number(word);
        } else if (mode == '@') {
            for (int a = 0; a < p->targets; a++)
                if (strcmp(p->target[a], word) == 0)
                    u->pin = (uint32_t)a;
            need(u->pin != DV_NONE, "no such target to pin to");
        } else {
            need(mode && column < p->targets, "too many figures");
            table[column++] = number(word);
        }
    }
    p->units++;
}

static void read_devices(const text_problem *p, double *table, char **save)
{
    for (int d = 0; d < p->devices; d++)
        table[d] = number(strtok_r(NULL, " ", save));
}

static void read_line(text_problem *p, char *line)
{
    char *save = NULL, *word = strtok_r(line, " ", &save);
    const struct {
        const char *name;
        double *value;
    } single[] = {{"move", &p->move},   {"move_same", &p->move_same},  {"per_byte", &p->per_byte},
                  {"bytes", &p->bytes}, {"energy", &p->energy_budget}, {"loss", &p->loss_budget}},
      many[] = {{"dispatch", p->dispatch}, {"session", p->session}, {"capacity", p->capacity}};
    if (!word)
        return;
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++)
        if (strcmp(word, single[i].name) == 0) {
            *single[i].value = number(strtok_r(NULL, " ", &save));
            return;
        }
    for (size_t i = 0; i < sizeof many / sizeof many[0]; i++)
        if (strcmp(word, many[i].name) == 0) {
            read_devices(p, many[i].value, &save);
            return;
        }
    if (strcmp(word, "segments") == 0)
        p->segments = (uint32_t)number(strtok_r(NULL, " ", &save));
    else
        read_unit(p, word, &save);
}

static void *array(dv_problem *problem, size_t count, size_t size)
{
    void *items = dv_arena_array(problem->arena, count, size);
    need(items != NULL, "out of memory");
    return items;
}

static const char *const *names(dv_problem *problem, const void *first, size_t stride, size_t count)
{
    const char **list = array(problem, count, sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] = dv_arena_copy(problem->arena, (const char *)first + i * stride);
    return list;
}

static const double *copied(dv_problem *problem, const double *values, size_t count)
{
    double *list = array(problem, count, sizeof *list);
    if (count)
        memcpy(list, values, count * sizeof *list);
    return list;
}

static void fill_units(const text_problem *p, dv_problem *problem)
{
    size_t units = (size_t)p->units, targets = (size_t)p->targets, cells = units * targets;
    double *time = array(problem, cells, sizeof *time),
           *memory = array(problem, cells, sizeof *time);
    double *energy = array(problem, cells, sizeof *time),
           *loss = array(problem, cells, sizeof *time);
    uint32_t *pin = array(problem, units, sizeof *pin), *group = array(problem, units, sizeof *pin);
    for (size_t u = 0; u < units; u++) {
        memcpy(time + u * targets, p->unit[u].time, targets * sizeof *time);
        memcpy(memory + u * targets, p->unit[u].memory, targets * sizeof *time);
        memcpy(energy + u * targets, p->unit[u].energy, targets * sizeof *time);
        memcpy(loss + u * targets, p->unit[u].loss, targets * sizeof *time);
        pin[u] = p->unit[u].pin;
        group[u] = p->unit[u].group;
    }
    problem->time_us = time;
    problem->memory_bytes = memory;
    problem->energy_uj = energy;
    problem->loss = loss;
    problem->pin = pin;
    problem->group = group;
    problem->unit_name = names(problem, p->unit, sizeof p->unit[0], units);
}

static void fill_targets(const text_problem *p, dv_problem *problem)
{
    size_t targets = (size_t)p->targets, devices = (size_t)p->devices;
    dv_device_id *device = array(problem, targets, sizeof *device);
    double *latency = array(problem, targets * targets, sizeof *latency);
    double *per_byte = array(problem, targets * targets, sizeof *per_byte);
    for (size_t a = 0; a < targets; a++) {
        device[a] = p->device_of[a];
        for (size_t b = 0; b < targets; b++) {
            bool same = p->device_of[a] == p->device_of[b] && p->move_same >= 0.0;
            latency[a * targets + b] = a == b ? 0.0 : same ? p->move_same : p->move;
            per_byte[a * targets + b] = a == b ? 0.0 : p->per_byte;
        }
    }
    problem->device = device;
    problem->move_latency_us = latency;
    problem->move_us_per_byte = per_byte;
    problem->dispatch_us = copied(problem, p->dispatch, devices);
    problem->session_us = copied(problem, p->session, devices);
    problem->capacity_bytes = copied(problem, p->capacity, devices);
    problem->target_name = names(problem, p->target, sizeof p->target[0], targets);
    problem->device_name = names(problem, p->device, sizeof p->device[0], devices);
}

/* Tensor 0 is the input, tensor 1 + u what unit u makes. */
static void fill_tensors(const text_problem *p, dv_problem *problem)
{
    size_t tensors = (size_t)p->units + 1, targets = (size_t)p->targets;
    dv_unit_id *producer = array(problem, tensors, sizeof *producer);
    uint32_t *start = array(problem, tensors + 1, sizeof *start);
    dv_unit_id *consumers = array(problem, (size_t)p->units * READS, sizeof *consumers);
    bool *host_needs = array(problem, tensors, sizeof *host_needs);
    double *bytes = array(problem, tensors * targets, sizeof *bytes);
    const char **name = array(problem, tensors, sizeof *name);
    uint32_t count = 0;
    for (size_t t = 0; t < tensors; t++) {
        producer[t] = t == 0 ? DV_NONE : (dv_unit_id)(t - 1);
        name[t] = t == 0 ? "in" : problem->unit_name[t - 1];
        start[t] = count;
        for (int u = 0; u < p->units; u++)
            for (int r = 0; r < p->unit[u].read_count; r++)
                if (p->unit[u].reads[r] + 1 == (int)t)
                    consumers[count++] = (dv_unit_id)u;
        host_needs[t] = t > 0 && start[t] == count;
        for (size_t a = 0; a < targets; a++)
            bytes[t * targets + a] = p->bytes;
    }
    start[tensors] = count;
    problem->producer = producer;
    problem->consumer_start = start;
    problem->consumers = consumers;
    problem->host_needs = host_needs;
    problem->bytes = bytes;
    problem->tensor_name = name;
}

dv_problem *problem_of(const char *targets, const char *text)
{
    static text_problem p;
    p = (text_problem){.move_same = -1.0, .segments = UINT32_MAX};
    p.energy_budget = p.loss_budget = INFINITY;
    for (int d = 0; d < TARGETS; d++)
        p.capacity[d] = INFINITY;
    read_targets(&p, targets);
    char copy[8192], *save = NULL;
    need(strlen(text) < sizeof copy, "text too long");
    strcpy(copy, text);
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        read_line(&p, line);

    dv_problem *problem = dv_problem_create();
    need(problem != NULL, "out of memory");
    problem->name = "text";
    problem->unit_count = (uint32_t)p.units;
    problem->target_count = (uint32_t)p.targets;
    problem->device_count = (uint32_t)p.devices;
    problem->tensor_count = (uint32_t)p.units + 1;
    problem->max_segments = p.segments;
    problem->energy_budget_uj = p.energy_budget;
    problem->loss_budget = p.loss_budget;
    fill_units(&p, problem);
    fill_targets(&p, problem);
    fill_tensors(&p, problem);
    need(dv_problem_finish(problem) == DV_OK, "not a problem");
    return problem;
}

dv_plan *solve_with(const char *strategy, const dv_problem *problem)
{
    dv_plan *plan = NULL;
    dv_outcome outcome;
    need(dv_solve(problem, strategy, NULL, &plan, &outcome) == DV_OK, strategy);
    return plan;
}
