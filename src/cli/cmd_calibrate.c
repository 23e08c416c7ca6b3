/* cmd_calibrate.c - this machine measured and written down as a platform. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/host_platform.h"
#include "cli/table.h"
#include "core/file.h"
#include "core/json.h"
#include "core/platform.h"

/* Makes the folders above path. */
static dv_status make_parents(const char *path)
{
    char folder[4096];
    if (strlen(path) >= sizeof folder)
        return dv_fail(DV_IO, "%s: the path is too long", path);
    strcpy(folder, path);
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(folder, 0777) != 0 && errno != EEXIST)
            return dv_fail(DV_IO, "%s: %s", folder, strerror(errno));
        *slash = '/';
    }
    return DV_OK;
}

dv_status dv_host_calibrate(const dv_cli *cli, const char *name, bool quick, const char *path,
                            dv_calibration *calibration)
{
    dv_calibrate_options options = {.quick = quick, .name = name, .progress = cli->progress};
    dv_text text = {0};
    dv_status status = dv_calibrate(&options, &text, calibration);
    if (status == DV_OK)
        status = make_parents(path);
    if (status == DV_OK)
        status = dv_file_write(path, dv_text_string(&text), text.length);
    dv_text_free(&text);
    return status;
}

void dv_host_print(const dv_cli *cli, const dv_calibration *calibration, dv_text *out)
{
    dv_table *table = dv_table_create("<backend", "<precision", "<family", ">samples",
                                      ">median error", ">p90 error", NULL);
    for (uint32_t f = 0; f < calibration->family_count; f++) {
        const dv_calibration_family *family = &calibration->families[f];
        dv_table_row(table);
        dv_table_cell(table, "%s", family->backend);
        dv_table_cell(table, "%s", family->precision);
        dv_table_cell(table, "%s", family->family);
        dv_table_cell(table, "%u", family->samples);
        dv_table_cell(table, "%.1f %%", 100 * family->median_error);
        dv_table_cell(table, "%.1f %%", 100 * family->p90_error);
    }
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
}

static void print_json(const char *path, const dv_calibration *calibration, dv_text *out)
{
    dv_json_writer json = dv_json_writer_on(out);
    dv_json_begin_object(&json, NULL);
    dv_json_put_string(&json, "platform", path);
    dv_json_put_number(&json, "seconds", calibration->seconds);
    dv_json_begin_array(&json, "families");
    for (uint32_t f = 0; f < calibration->family_count; f++) {
        const dv_calibration_family *family = &calibration->families[f];
        dv_json_begin_line(&json, NULL, '{');
        dv_json_put_string(&json, "backend", family->backend);
        dv_json_put_string(&json, "precision", family->precision);
        dv_json_put_string(&json, "family", family->family);
        dv_json_put_integer(&json, "samples", family->samples);
        dv_json_put_number(&json, "median_error", family->median_error);
        dv_json_put_number(&json, "p90_error", family->p90_error);
        dv_json_end(&json, '}');
    }
    dv_json_end(&json, ']');
    dv_json_end(&json, '}');
}

dv_status dv_cmd_calibrate(dv_cli *cli)
{
    const char *name = dv_cli_value(cli, DV_OPTION_NAME);
    const char *path = dv_cli_value(cli, DV_OPTION_OUTPUT);
    char user_path[4096];
    if (name && (!*name || strchr(name, '/')))
        return dv_fail(DV_BAD_PARAMETER, "calibrate: --name '%s': a name without '/'", name);
    name = name ? name : "host";
    if (!path) {
        dv_platform_user_path(name, user_path);
        path = user_path;
    }
    dv_calibration calibration = {0};
    bool quick = dv_cli_has(cli, DV_OPTION_QUICK);
    dv_status status = dv_host_calibrate(cli, name, quick, path, &calibration);
    if (status == DV_OK && cli->json) {
        print_json(path, &calibration, &cli->out);
    } else if (status == DV_OK) {
        dv_text_append(&cli->out, "measured this machine in %.1f s: ", calibration.seconds);
        dv_cli_append_safe(&cli->out, path);
        dv_text_append(&cli->out, "\n\n");
        dv_host_print(cli, &calibration, &cli->out);
    }
    dv_calibration_free(&calibration);
    return status;
}
