/* front.c - latency against energy, memory, segments or loss. */
#include "cli/front.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/picture.h"
#include "cli/table.h"
#include "core/file.h"
#include "viz/front_plot.h"

enum { STEPS = 20 };

static dv_pareto_axis axis_of(const dv_cli *cli)
{
    dv_pareto_axis axis = DV_PARETO_SEGMENTS; /* the name is one of the option's choices */
    (void)dv_pareto_axis_from_name(dv_cli_value(cli, DV_OPTION_PARETO), &axis);
    return axis;
}

dv_status dv_front_find(const dv_cli *cli, const dv_session *session,
                        const dv_solve_options *options, dv_pareto *front)
{
    return dv_within(dv_pareto_find(session->problem, axis_of(cli), STEPS, options, front),
                     "%s: --pareto %s", session->model, dv_cli_value(cli, DV_OPTION_PARETO));
}

void dv_front_print(const dv_cli *cli, const dv_pareto *front, dv_text *out)
{
    dv_pareto_axis axis = axis_of(cli);
    dv_text_append(out, "\nThe least latency in the given order, by %s:\n",
                   dv_cli_value(cli, DV_OPTION_PARETO));
    dv_table *table = dv_table_create(axis == DV_PARETO_ENERGY ? ">energy (uJ)" : ">at most",
                                      ">latency", ">segments", ">moved", "<proof", NULL);
    for (uint32_t i = 0; i < front->count; i++) {
        const dv_pareto_point *point = &front->points[i];
        dv_table_row(table);
        if (axis == DV_PARETO_MEMORY)
            dv_table_cell_bytes(table, point->amount);
        else
            dv_table_cell(table, "%.6g", point->amount);
        dv_table_cell_us(table, point->plan->cost.total_us);
        dv_table_cell(table, "%u", point->plan->cost.segments);
        dv_table_cell_bytes(table, point->plan->cost.moved_bytes);
        double gap = dv_plan_gap(point->plan);
        if (point->proven || !isfinite(gap))
            dv_table_cell(table, "%s", point->proven ? "optimal" : "-");
        else
            dv_table_cell(table, "at most %.2g %% above", 100 * gap / (1 - fmin(gap, 0.99)));
    }
    dv_table_print(table, cli->colour, out);
    dv_table_destroy(table);
}

void dv_front_json(const dv_cli *cli, const dv_problem *problem, const dv_pareto *front,
                   dv_json_writer *json)
{
    dv_json_put_string(json, "pareto_axis", dv_cli_value(cli, DV_OPTION_PARETO));
    dv_json_begin_array(json, "pareto");
    for (uint32_t i = 0; i < front->count; i++) {
        const dv_pareto_point *point = &front->points[i];
        dv_json_begin_object(json, NULL);
        dv_json_put_number(json, "amount", point->amount);
        dv_json_put_number(json, "latency_us", point->plan->cost.total_us);
        dv_json_put_number(json, "bound_us",
                           isfinite(point->plan->bound_us) ? point->plan->bound_us : NAN);
        dv_json_put_integer(json, "segments", point->plan->cost.segments);
        dv_json_put_bool(json, "proven", point->proven);
        dv_json_begin_object(json, "placement");
        for (dv_unit_id u = 0; u < problem->unit_count; u++)
            dv_json_put_string(json, problem->unit_name[u],
                               problem->target_name[point->plan->target[u]]);
        dv_json_end(json, '}');
        dv_json_end(json, '}');
    }
    dv_json_end(json, ']');
}

/* The fewest digits that read back equal. */
static void csv_number(double value, dv_text *out)
{
    char digits[40];
    for (int precision = 9; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    dv_text_append(out, "%s,", digits);
}

static dv_status write_csv(const dv_cli *cli, const dv_pareto *front, const char *path)
{
    dv_text text = {0};
    dv_text_append(&text, "%s,latency_us,segments,moved_bytes,proven\r\n",
                   dv_cli_value(cli, DV_OPTION_PARETO));
    for (uint32_t i = 0; i < front->count; i++) {
        const dv_pareto_point *point = &front->points[i];
        csv_number(point->amount, &text);
        csv_number(point->plan->cost.total_us, &text);
        dv_text_append(&text, "%u,", point->plan->cost.segments);
        csv_number(point->plan->cost.moved_bytes, &text);
        dv_text_append(&text, "%s\r\n", point->proven ? "true" : "false");
    }
    dv_status status = dv_file_write(path, dv_text_string(&text), text.length);
    dv_text_free(&text);
    return status;
}

static dv_status draw(const dv_cli *cli, const dv_session *session, const dv_pareto *front,
                      const char *png, const char *svg)
{
    char title[256];
    int width, height;
    DV_TRY(dv_picture_size(cli, &width, &height));
    snprintf(title, sizeof title, "%s on %s", session->model, dv_session_platform_name(session));
    dv_front_plot plot = {.front = front, .axis = axis_of(cli), .title = title};
    dv_scene *scene = dv_scene_create(width, height, 0xffffff);
    if (!scene)
        return dv_fail(DV_NO_MEMORY, "no memory for a picture");
    dv_status status = dv_front_draw(&plot, scene);
    if (status == DV_OK)
        status = dv_picture_write_scene(scene, png, svg);
    dv_scene_destroy(scene);
    return status;
}

dv_status dv_front_check_files(const dv_cli *cli)
{
    static const dv_option_id ids[] = {DV_OPTION_CSV, DV_OPTION_SVG, DV_OPTION_SHOT,
                                       DV_OPTION_SIZE};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        if (dv_cli_has(cli, ids[i]) && !dv_cli_has(cli, DV_OPTION_PARETO))
            return dv_fail(DV_BAD_PARAMETER,
                           "partition: --%s is of the front; ask for it: --pareto",
                           dv_options[ids[i]].name);
    return DV_OK;
}

dv_status dv_front_write_files(const dv_cli *cli, const dv_session *session, const dv_pareto *front)
{
    const char *csv = dv_cli_value(cli, DV_OPTION_CSV);
    const char *png = dv_cli_value(cli, DV_OPTION_SHOT), *svg = dv_cli_value(cli, DV_OPTION_SVG);
    if (csv)
        DV_TRY(write_csv(cli, front, csv));
    return png || svg ? draw(cli, session, front, png, svg) : DV_OK;
}
