/* cmd_devices.c - the platforms, and what each is made of: devices, targets, links, and for every
   figure where it comes from. */
#include <math.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "core/json.h"
#include "core/platform.h"

static void json_figure(dv_json_writer *json, const char *key, dv_figure figure)
{
    dv_json_begin_line(json, key, '{');
    dv_json_put_number(json, "value", figure.value);
    dv_json_put_string(json, "source", figure.source);
    dv_json_end(json, '}');
}

static void json_devices(dv_json_writer *json, const dv_platform *platform)
{
    dv_json_begin_array(json, "devices");
    for (dv_device_id d = 0; d < platform->device_count; d++) {
        const dv_device *device = &platform->devices[d];
        dv_json_begin_object(json, NULL);
        dv_json_put_string(json, "name", device->name);
        dv_json_put_string(json, "title", device->title);
        dv_json_put_string(json, "kind", dv_device_kind_name(device->kind));
        dv_json_put_string(json, "delegate", device->delegate);
        dv_json_put_string(json, "backend", device->realisation.backend);
        json_figure(json, "dispatch_us", device->dispatch_us);
        json_figure(json, "session_us", device->session_us);
        json_figure(json, "memory_bytes", device->memory_bytes);
        dv_json_end(json, '}');
    }
    dv_json_end(json, ']');
}

static void json_platform(dv_json_writer *json, const dv_platform *platform)
{
    dv_json_begin_object(json, NULL);
    dv_json_put_string(json, "name", platform->name);
    dv_json_put_string(json, "title", platform->title);
    dv_json_put_string(json, "file", platform->file);
    dv_json_put_string(json, "sha256", platform->sha256);
    json_devices(json, platform);
    dv_json_begin_line(json, "targets", '[');
    for (dv_target_id a = 0; a < platform->target_count; a++)
        dv_json_put_string(json, NULL, platform->targets[a].name);
    dv_json_end(json, ']');
    dv_json_put_string(json, "host", platform->targets[platform->host].name);
    dv_json_begin_array(json, "links");
    for (uint32_t l = 0; l < platform->link_count; l++) {
        const dv_link *link = &platform->links[l];
        dv_json_begin_object(json, NULL);
        dv_json_put_string(json, "from", platform->devices[link->from].name);
        dv_json_put_string(json, "to", platform->devices[link->to].name);
        json_figure(json, "latency_us", link->latency_us);
        json_figure(json, "gbs", link->gbs);
        dv_json_end(json, '}');
    }
    dv_json_end(json, ']');
    dv_json_end(json, '}');
}

static void print_devices(dv_cli *cli, const dv_platform *platform)
{
    dv_table *table = dv_table_create("<device", "<kind", ">dispatch", ">session", ">memory",
                                      ">operators", "<runs here on", "<delegate", "<what", NULL);
    for (dv_device_id d = 0; d < platform->device_count; d++) {
        const dv_device *device = &platform->devices[d];
        unsigned supported = 0;
        for (int k = 0; k < DV_OP_COUNT; k++)
            supported += device->supports[k];
        dv_table_row(table);
        dv_table_cell(table, "%s", device->name);
        dv_table_style(table, DV_STYLE_BOLD);
        dv_table_cell(table, "%s", dv_device_kind_name(device->kind));
        dv_table_cell_us(table, device->dispatch_us.value);
        dv_table_cell_us(table, device->session_us.value);
        dv_table_cell_bytes(table, device->memory_bytes.value);
        dv_table_cell(table, "%u/%d", supported, DV_OP_COUNT);
        const dv_realisation *here = &device->realisation;
        dv_table_cell(table, "%s%s%s", here->backend ? here->backend : "-", here->inner ? " " : "",
                      here->inner ? here->inner : "");
        dv_table_cell(table, "%s", device->delegate ? device->delegate : "-");
        dv_table_cell(table, "%s", device->title ? device->title : "");
    }
    dv_table_print(table, cli->colour, &cli->out);
    dv_table_destroy(table);
}

static void cell_figure(dv_table *table, double value)
{
    if (isfinite(value))
        dv_table_cell(table, "%.4g", value);
    else
        dv_table_cell(table, "-");
}

static void print_families(dv_table *table, const dv_family_cost *families, const char *kernels)
{
    for (int f = 0; f < DV_FAMILY_COUNT; f++) {
        const dv_family_cost *cost = &families[f];
        if (!cost->given)
            continue;
        dv_table_row(table);
        dv_table_cell(table, "%s", "");
        dv_table_cell(table, "%s%s", dv_family_name((dv_family)f), kernels);
        cell_figure(table, cost->launch_us.value);
        cell_figure(table, cost->gmacs.value);
        cell_figure(table, cost->weight_gbs.value);
        cell_figure(table, cost->activation_gbs.value);
        const char *source = cost->gmacs.source ? cost->gmacs.source : cost->launch_us.source;
        dv_table_cell(table, "%s", source ? source : "");
    }
}

static void print_targets(dv_cli *cli, const dv_platform *platform)
{
    dv_table *table = dv_table_create("<target", "<family", ">launch us", ">G mult-adds/s",
                                      ">weights GB/s", ">activations GB/s", "<source", NULL);
    for (dv_target_id a = 0; a < platform->target_count; a++) {
        const dv_target *target = &platform->targets[a];
        dv_table_row(table);
        dv_table_cell(table, "%s", target->name);
        dv_table_style(table, DV_STYLE_BOLD);
        dv_table_cell(table, "all");
        dv_table_cell(table, "%s", "");
        dv_table_cell(table, "%s", "");
        cell_figure(table, target->weight_gbs.value);
        cell_figure(table, target->activation_gbs.value);
        dv_table_cell(table, "%s",
                      target->activation_gbs.source ? target->activation_gbs.source : "");
        print_families(table, target->family, "");
        if (target->integers)
            print_families(table, target->integers->family, ", integers");
        if (target->converted)
            print_families(table, target->converted->family, ", converted");
    }
    dv_table_print(table, cli->colour, &cli->out);
    dv_table_destroy(table);
}

static void print_links(dv_cli *cli, const dv_platform *platform)
{
    dv_table *table = dv_table_create("<link", ">latency", ">GB/s", "<source", NULL);
    for (uint32_t l = 0; l < platform->link_count; l++) {
        const dv_link *link = &platform->links[l];
        dv_table_row(table);
        dv_table_cell(table, "%s > %s", platform->devices[link->from].name,
                      platform->devices[link->to].name);
        dv_table_cell_us(table, link->latency_us.value);
        cell_figure(table, link->gbs.value);
        dv_table_cell(table, "%s", link->latency_us.source ? link->latency_us.source : "");
    }
    dv_table_print(table, cli->colour, &cli->out);
    dv_table_destroy(table);
}

static void print_sources(dv_cli *cli, const dv_platform *platform)
{
    dv_text *out = &cli->out;
    dv_table *table = dv_table_create("<device", "<dispatch from", "<operators from", NULL);
    for (dv_device_id d = 0; d < platform->device_count; d++) {
        const dv_device *device = &platform->devices[d];
        dv_table_row(table);
        dv_table_cell(table, "%s", device->name);
        dv_table_cell(table, "%s", device->dispatch_us.source ? device->dispatch_us.source : "");
        dv_table_cell(table, "%s", device->support_source ? device->support_source : "");
    }
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
}

static void print_platform(dv_cli *cli, const dv_platform *platform)
{
    dv_text *out = &cli->out;
    dv_styled(out, cli->colour, DV_STYLE_BOLD, "%s", platform->name);
    dv_text_append(out, ": ");
    dv_cli_append_safe(out, platform->title ? platform->title : "");
    dv_text_append(out, "\n");
    if (platform->about) {
        dv_text_append(out, "  ");
        dv_cli_append_safe(out, platform->about);
        dv_text_append(out, "\n");
    }
    dv_text_append(out, "  host: %s\n\n", platform->targets[platform->host].name);
    print_devices(cli, platform);
    dv_text_append(out, "\n");
    print_targets(cli, platform);
    dv_text_append(out, "\n");
    print_links(cli, platform);
    dv_text_append(out, "\n");
    print_sources(cli, platform);
}

static void list_row(dv_table *table, const dv_platform *platform)
{
    dv_text targets = {0};
    for (dv_target_id a = 0; a < platform->target_count; a++)
        dv_text_append(&targets, "%s%s", a ? " " : "", platform->targets[a].name);
    dv_table_row(table);
    dv_table_cell(table, "%s", platform->name);
    dv_table_style(table, DV_STYLE_BOLD);
    dv_table_cell(table, "%s", dv_text_string(&targets));
    dv_table_cell(table, "%s", platform->title ? platform->title : "");
    dv_text_free(&targets);
}

/* The i-th platform of the command line, or of all there are; false past the last. */
static bool next_platform(const dv_cli *cli, size_t i, char name[256], const char **out)
{
    *out = name;
    if (cli->argument_count == 0)
        return dv_platform_name(i, name);
    if (i >= (size_t)cli->argument_count)
        return false;
    *out = cli->arguments[i];
    return true;
}

dv_status dv_cmd_devices(dv_cli *cli)
{
    dv_table *list = dv_table_create("<platform", "<targets", "<what", NULL);
    dv_json_writer json = dv_json_writer_on(&cli->out);
    if (cli->json) {
        dv_json_begin_object(&json, NULL);
        dv_json_begin_array(&json, "platforms");
    }
    char buffer[256];
    const char *name;
    dv_status status = DV_OK;
    for (size_t i = 0; status == DV_OK && next_platform(cli, i, buffer, &name); i++) {
        dv_platform *platform = NULL;
        status = dv_platform_open(name, &platform);
        if (status == DV_OK && cli->json)
            json_platform(&json, platform);
        else if (status == DV_OK && cli->argument_count > 0)
            print_platform(cli, platform);
        else if (status == DV_OK)
            list_row(list, platform);
        dv_platform_destroy(platform);
    }
    if (cli->json) {
        dv_json_end(&json, ']');
        dv_json_end(&json, '}');
    } else if (cli->argument_count == 0) {
        dv_table_print(list, cli->colour, &cli->out);
    }
    dv_table_destroy(list);
    return status;
}
