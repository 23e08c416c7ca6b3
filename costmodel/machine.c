/* machine.c - what this machine has, and how it is written down. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/json.h"
#include "costmodel/machine.h"
#include "runtime/backend.h"

/* The first of names that is built in and works; NULL if none does. */
static const char *first_working(const char *const *names)
{
    char why[160];
    for (; *names; names++) {
        const dv_backend *backend = dv_backend_find(*names);
        if (backend && backend->probe(why, sizeof why))
            return *names;
    }
    return NULL;
}

static void guess_rows(dv_machine_device *device)
{
    static const dv_family all[] = {DV_FAMILY_CONV, DV_FAMILY_ELEMENTWISE};
    dv_machine_rows *rows = &device->rows[DV_KERNELS_FLOATS];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        rows->family_known[all[i]] = true;
        rows->family[all[i]] = (dv_fit){1.0, 20.0, 10.0, 10.0};
    }
}

static void read_processor(char *out, size_t size)
{
    snprintf(out, size, "unknown processor");
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(out, size, "%.100s", colon + 1 + strspn(colon + 1, " "));
        break;
    }
    if (file)
        fclose(file);
}

dv_status dv_machine_guess(const char *name, dv_machine *machine)
{
    static const char *const fastest[] = {"onednn", "xnnpack", "portable", NULL};
    static const char *const other[] = {"xnnpack", "portable", NULL};
    *machine = (dv_machine){.name = name, .to_us = 5, .to_gbs = 5, .from_us = 5, .from_gbs = 5};
    machine->convert_gbs = 5;
    const char *cpu = first_working(fastest), *inner = first_working(other);
    if (!cpu || !inner)
        return dv_fail(DV_UNAVAILABLE, "calibrate: no backend of this build works here");
    read_processor(machine->processor, sizeof machine->processor);
    time_t now = time(NULL);
    struct tm when;
    if (!gmtime_r(&now, &when) ||
        strftime(machine->date, sizeof machine->date, "%Y-%m-%d", &when) == 0)
        snprintf(machine->date, sizeof machine->date, "unknown date");

    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    dv_machine_device *device = machine->devices;
    *device = (dv_machine_device){.name = "cpu",
                                  .title = machine->processor,
                                  .kind = DV_DEVICE_CPU,
                                  .real = {cpu, NULL, -1, 1}};
    guess_rows(device);
    machine->device_count = 1;
    if (cores < 2)
        return DV_OK;
    *++device = (dv_machine_device){.name = "worker",
                                    .title = "a process of its own on one core",
                                    .kind = DV_DEVICE_NPU,
                                    .real = {"worker", inner, 1, 1},
                                    .dispatch_us = 10};
    guess_rows(device);
    machine->device_count = 2;
    return DV_OK;
}

/* Figures of calibration carry three digits: more would be noise. */
static double rounded(double value)
{
    char text[40];
    double back = value;
    snprintf(text, sizeof text, "%.3g", value);
    return sscanf(text, "%lf", &back) == 1 ? back : value;
}

static void put_figure(dv_json_writer *w, const char *key, double value, const char *source)
{
    dv_json_begin_line(w, key, '{');
    dv_json_put_number(w, "value", rounded(value));
    dv_json_put_string(w, "source", source);
    dv_json_end(w, '}');
}

static void put_row(dv_json_writer *w, const char *key, const dv_fit *row, const char *source)
{
    dv_json_begin_object(w, key);
    put_figure(w, "launch_us", row->launch_us, source);
    if (isfinite(row->gmacs))
        put_figure(w, "gmacs", row->gmacs, source);
    put_figure(w, "weight_gbs", row->weight_gbs, source);
    put_figure(w, "activation_gbs", row->activation_gbs, source);
    dv_json_end(w, '}');
}

static void put_rows(dv_json_writer *w, const dv_machine_rows *rows, const char *source)
{
    char text[400];
    dv_json_begin_object(w, "families");
    for (int f = 0; f < DV_FAMILY_COUNT; f++) {
        snprintf(text, sizeof text, "%.300s; %u samples", source, rows->family_samples[f]);
        if (rows->family_known[f])
            put_row(w, dv_family_name((dv_family)f), &rows->family[f], text);
    }
    dv_json_end(w, '}');
    dv_json_begin_object(w, "operators");
    for (int kind = 0; kind < DV_OP_COUNT; kind++) {
        snprintf(text, sizeof text, "%.300s; %u samples", source, rows->op_samples[kind]);
        if (rows->op_known[kind])
            put_row(w, dv_op_info_of((dv_op_kind)kind)->name, &rows->op[kind], text);
    }
    dv_json_end(w, '}');
}

/* Left out where too little of them was measured to stand for the rest. */
static void put_integers(dv_json_writer *w, const char *key, const dv_machine_rows *rows,
                         const char *source)
{
    if (!rows->family_known[DV_FAMILY_CONV] || !rows->family_known[DV_FAMILY_ELEMENTWISE])
        return;
    dv_json_begin_object(w, key);
    put_rows(w, rows, source);
    dv_json_end(w, '}');
}

static void put_realisation(dv_json_writer *w, const dv_realisation *real)
{
    dv_json_begin_line(w, "realisation", '{');
    dv_json_put_string(w, "backend", real->backend);
    if (real->inner)
        dv_json_put_string(w, "inner", real->inner);
    dv_json_put_integer(w, "core", real->core);
    dv_json_put_integer(w, "threads", real->threads);
    dv_json_end(w, '}');
}

static void put_device(dv_json_writer *w, const dv_machine_device *device, const char *source)
{
    const dv_machine_rows *floats = &device->rows[DV_KERNELS_FLOATS];
    const dv_fit *streaming = &floats->family[DV_FAMILY_CONV];
    dv_json_begin_object(w, NULL);
    dv_json_put_string(w, "name", device->name);
    dv_json_put_string(w, "title", device->title);
    dv_json_put_string(w, "kind", dv_device_kind_name(device->kind));
    put_figure(w, "dispatch_us", device->dispatch_us, source);
    dv_json_begin_line(w, "support", '{');
    dv_json_put_bool(w, "all", true);
    dv_json_end(w, '}');
    dv_json_begin_array(w, "precisions");
    dv_json_begin_object(w, NULL);
    dv_json_put_string(w, "precision", "f32");
    put_figure(w, "weight_gbs", streaming->weight_gbs, source);
    put_figure(w, "activation_gbs", streaming->activation_gbs, source);
    put_figure(w, "relative_error", device->relative_error, source);
    put_rows(w, floats, source);
    put_integers(w, "integers", &device->rows[DV_KERNELS_INTEGERS], source);
    put_integers(w, "converted", &device->rows[DV_KERNELS_CONVERTED], source);
    dv_json_end(w, '}');
    dv_json_end(w, ']');
    put_realisation(w, &device->real);
    dv_json_end(w, '}');
}

static void put_link(dv_json_writer *w, const char *from, const char *to, double us, double gbs,
                     const char *source)
{
    dv_json_begin_object(w, NULL);
    dv_json_put_string(w, "from", from);
    dv_json_put_string(w, "to", to);
    put_figure(w, "latency_us", us, source);
    put_figure(w, "gbs", gbs, source);
    dv_json_end(w, '}');
}

dv_status dv_machine_write(const dv_machine *m, dv_text *out)
{
    char source[300], about[400];
    snprintf(source, sizeof source, "measured here on %s (%s)", m->date, m->processor);
    snprintf(about, sizeof about,
             "Measured by divvy calibrate on %s. The device \"worker\" is another process, so that "
             "hand-overs are real.",
             m->date);
    dv_json_writer w = dv_json_writer_on(out);
    dv_json_begin_object(&w, NULL);
    dv_json_put_string(&w, "divvy", "platform/1");
    dv_json_put_string(&w, "name", m->name);
    dv_json_put_string(&w, "title", m->processor);
    dv_json_put_string(&w, "about", about);
    dv_json_put_string(&w, "host", "cpu:f32");
    put_figure(&w, "convert_gbs", m->convert_gbs, source);
    dv_json_begin_array(&w, "devices");
    for (uint32_t d = 0; d < m->device_count; d++)
        put_device(&w, &m->devices[d], source);
    dv_json_end(&w, ']');
    dv_json_begin_array(&w, "links");
    if (m->device_count > 1) {
        put_link(&w, "cpu", "worker", m->to_us, m->to_gbs, source);
        put_link(&w, "worker", "cpu", m->from_us, m->from_gbs, source);
    }
    dv_json_end(&w, ']');
    dv_json_end(&w, '}');
    return out->failed ? dv_fail(DV_NO_MEMORY, "calibrate: out of memory") : DV_OK;
}
