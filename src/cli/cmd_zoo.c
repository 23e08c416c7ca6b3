/* cmd_zoo.c - the networks that need no file. */
#include <string.h>

#include "cli/cli.h"
#include "cli/table.h"
#include "core/json.h"
#include "datasets/zoo/zoo.h"

static dv_status find(const char *name, const dv_zoo_entry **out)
{
    const char *names[256];
    size_t count = 0;
    const dv_zoo_entry *entry;
    for (; count < 256 && (entry = dv_zoo_at(count)); count++) {
        names[count] = entry->name;
        if (strcmp(entry->name, name) == 0) {
            *out = entry;
            return DV_OK;
        }
    }
    const char *nearest = dv_nearest_name(name, names, count);
    return dv_fail(DV_BAD_PARAMETER, "zoo: no network is called '%s'%s%s%s", name,
                   nearest ? "; did you mean '" : "; 'divvy zoo' lists them",
                   nearest ? nearest : "", nearest ? "'?" : "");
}

static void json_entry(dv_json_writer *json, const dv_zoo_entry *entry)
{
    dv_json_begin_object(json, NULL);
    dv_json_put_string(json, "name", entry->name);
    dv_json_put_string(json, "summary", entry->summary);
    dv_json_put_string(json, "citation", entry->citation);
    if (entry->variants)
        dv_json_put_string(json, "variants", entry->variants);
    dv_json_put_number(json, "parameters", entry->parameters);
    dv_json_put_number(json, "multiply_adds", entry->multiply_adds);
    dv_json_end(json, '}');
}

static void table_entry(dv_table *table, const dv_zoo_entry *entry)
{
    dv_table_row(table);
    dv_table_cell(table, "zoo:%s", entry->name);
    dv_table_style(table, DV_STYLE_BOLD);
    dv_table_cell_count(table, entry->parameters);
    dv_table_cell_count(table, entry->multiply_adds);
    dv_table_cell(table, "%s", entry->summary);
    dv_table_cell(table, "%s", entry->citation);
}

/* The i-th network of the command line, or of all there are; NULL past the last. */
static dv_status nth_entry(const dv_cli *cli, size_t i, const dv_zoo_entry **out)
{
    *out = NULL;
    if (cli->argument_count == 0)
        *out = dv_zoo_at(i);
    else if (i < (size_t)cli->argument_count)
        return find(cli->arguments[i], out);
    return DV_OK;
}

dv_status dv_cmd_zoo(dv_cli *cli)
{
    dv_json_writer json = dv_json_writer_on(&cli->out);
    dv_table *table =
        dv_table_create("<network", ">parameters", ">multiply-adds", "<what", "<source", NULL);
    if (cli->json) {
        dv_json_begin_object(&json, NULL);
        dv_json_begin_array(&json, "networks");
    }
    const dv_zoo_entry *entry;
    dv_status status = nth_entry(cli, 0, &entry);
    for (size_t i = 1; status == DV_OK && entry; i++) {
        if (cli->json)
            json_entry(&json, entry);
        else
            table_entry(table, entry);
        status = nth_entry(cli, i, &entry);
    }
    if (cli->json) {
        dv_json_end(&json, ']');
        dv_json_end(&json, '}');
    } else {
        dv_table_print(table, cli->colour, &cli->out);
    }
    dv_table_destroy(table);
    return status;
}
