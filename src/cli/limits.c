/* limits.c - what a plan may take at most, as the command line says. */
#include "cli/limits.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static dv_status apply_capacities(const dv_cli *cli, dv_problem *problem)
{
    if (!dv_cli_has(cli, DV_OPTION_CAPACITY))
        return DV_OK;
    if (!problem->memory_bytes)
        return dv_fail(DV_BAD_PARAMETER, "--capacity: the problem states no memory of its units");
    double *capacity = dv_arena_array(problem->arena, problem->device_count, sizeof *capacity);
    if (!capacity)
        return dv_fail(DV_NO_MEMORY, "no memory for capacities");
    memcpy(capacity, problem->capacity_bytes, problem->device_count * sizeof *capacity);
    const char *text;
    for (size_t i = 0; (text = dv_cli_nth(cli, DV_OPTION_CAPACITY, i)); i++) {
        char *name;
        const char *size;
        DV_TRY(dv_cli_assignment(DV_OPTION_CAPACITY, text, &name, &size));
        dv_device_id d = 0;
        while (d < problem->device_count && strcmp(problem->device_name[d], name) != 0)
            d++;
        free(name);
        if (d == problem->device_count) {
            dv_text known = {0};
            for (d = 0; d < problem->device_count; d++)
                dv_text_append(&known, "%s%s", d ? ", " : "", problem->device_name[d]);
            dv_status status = dv_fail(DV_BAD_PARAMETER, "--capacity '%s': the devices are %s",
                                       text, dv_text_string(&known));
            dv_text_free(&known);
            return status;
        }
        if (!dv_parse_bytes(size, &capacity[d]))
            return dv_fail(DV_BAD_PARAMETER,
                           "--capacity '%s': must be a size, as in 500KB, 8MB or 2GB", text);
    }
    problem->capacity_bytes = capacity;
    return DV_OK;
}

static dv_status apply_budgets(const dv_cli *cli, dv_problem *problem)
{
    const char *energy = dv_cli_value(cli, DV_OPTION_ENERGY_BUDGET);
    const char *loss = dv_cli_value(cli, DV_OPTION_LOSS_BUDGET);
    if (energy && !problem->energy_uj)
        return dv_fail(DV_BAD_PARAMETER,
                       "--energy-budget: the problem states no energy of its units (a platform "
                       "does where a device has a power figure)");
    if (loss && !problem->loss)
        return dv_fail(DV_BAD_PARAMETER, "--loss-budget: the problem states no loss of its units");
    if (energy && !dv_parse_uj(energy, &problem->energy_budget_uj))
        return dv_fail(DV_BAD_PARAMETER,
                       "--energy-budget '%s': must be an energy, as in 800uJ, 2.5mJ or 1J", energy);
    if (loss && !dv_parse_number(loss, &problem->loss_budget))
        return dv_fail(DV_BAD_PARAMETER, "--loss-budget '%s': must be a number, 0 or more", loss);
    int64_t most = problem->max_segments;
    DV_TRY(dv_cli_integer(cli, DV_OPTION_MAX_SEGMENTS, 1, INT32_MAX, most, &most));
    problem->max_segments = (uint32_t)most;
    return DV_OK;
}

dv_status dv_limits_apply(const dv_cli *cli, dv_problem *problem)
{
    DV_TRY(apply_capacities(cli, problem));
    return apply_budgets(cli, problem);
}

void dv_limits_copy(const dv_problem *from, dv_problem *to)
{
    to->pin = from->pin;
    to->capacity_bytes = from->capacity_bytes;
    to->max_segments = from->max_segments;
    to->energy_budget_uj = from->energy_budget_uj;
    to->loss_budget = from->loss_budget;
}
