/* cmd_generate.c - a seeded problem of the size and shape asked for. */
#include "cli/cli.h"
#include "core/file.h"
#include "solver/generate.h"

enum { MOST_UNITS = 1000000, MOST_WIDTH = 1000, MOST_TARGETS = 64 };

static dv_status read_spec(const dv_cli *cli, dv_random_spec *spec)
{
    const char *family = cli->arguments[0];
    int64_t units, width, targets, seed;
    if (!dv_random_shape_from_name(family, &spec->shape))
        return dv_fail(DV_BAD_PARAMETER,
                       "generate: '%s' is no family; there are chain, resnet, transformer, random",
                       family);
    if (dv_cli_has(cli, DV_OPTION_WIDTH) && spec->shape != DV_RANDOM_DAG)
        return dv_fail(DV_BAD_PARAMETER, "--width %s: only 'generate random' has one",
                       dv_cli_value(cli, DV_OPTION_WIDTH));
    DV_TRY(dv_cli_integer(cli, DV_OPTION_UNITS, 1, MOST_UNITS, 100, &units));
    DV_TRY(dv_cli_integer(cli, DV_OPTION_WIDTH, 1, MOST_WIDTH, 6, &width));
    DV_TRY(dv_cli_integer(cli, DV_OPTION_TARGETS, 1, MOST_TARGETS, 4, &targets));
    DV_TRY(dv_cli_integer(cli, DV_OPTION_SEED, 0, INT64_MAX, 1, &seed));
    spec->units = (uint32_t)units;
    spec->width = (uint32_t)width;
    spec->targets = (uint32_t)targets;
    spec->seed = (uint64_t)seed;
    return DV_OK;
}

static dv_status write_out(dv_cli *cli, const dv_problem *problem)
{
    const char *path = dv_cli_value(cli, DV_OPTION_OUTPUT);
    if (!path)
        return dv_problem_write(problem, &cli->out);
    dv_text text = {0};
    dv_status status = dv_problem_write(problem, &text);
    if (status == DV_OK)
        status = dv_file_write(path, dv_text_string(&text), text.length);
    dv_text_free(&text);
    return status;
}

dv_status dv_cmd_generate(dv_cli *cli)
{
    dv_random_spec spec = {0};
    dv_problem *problem = NULL;
    DV_TRY(read_spec(cli, &spec));
    DV_TRY(dv_generate(&spec, &problem));
    const char *name =
        spec.shape == DV_RANDOM_DAG
            ? dv_arena_printf(problem->arena, "%s-%u-width%u-targets%u-seed%llu", cli->arguments[0],
                              spec.units, spec.width, spec.targets, (unsigned long long)spec.seed)
            : dv_arena_printf(problem->arena, "%s-%u-targets%u-seed%llu", cli->arguments[0],
                              spec.units, spec.targets, (unsigned long long)spec.seed);
    problem->name = name ? name : "generated";
    dv_status status = write_out(cli, problem);
    dv_problem_destroy(problem);
    return status;
}
