/* parse.c - argv becomes a dv_cli: verb, options as the table allows them, arguments. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* What words of the command line are, besides options. */
static dv_status find_verb(const char *name, dv_verb_id *out)
{
    const char *names[DV_VERB_COUNT];
    for (int v = 0; v < DV_VERB_COUNT; v++) {
        names[v] = dv_verbs[v].name;
        if (strcmp(name, names[v]) == 0) {
            *out = (dv_verb_id)v;
            return DV_OK;
        }
    }
    const char *nearest = dv_nearest_name(name, names, DV_VERB_COUNT);
    if (nearest)
        return dv_fail(DV_BAD_PARAMETER, "unknown verb '%s'; did you mean '%s'?", name, nearest);
    return dv_fail(DV_BAD_PARAMETER, "unknown verb '%s'; 'divvy help' lists them", name);
}

static bool applies(const dv_option *option, dv_verb_id verb)
{
    return option->verbs & (1u << verb);
}

static dv_status unknown_option(dv_verb_id verb, const char *word, const char *name)
{
    const char *names[DV_OPTION_COUNT];
    size_t count = 0;
    for (int o = 0; o < DV_OPTION_COUNT; o++)
        if (applies(&dv_options[o], verb))
            names[count++] = dv_options[o].name;
    const char *nearest = dv_nearest_name(name, names, count);
    if (nearest)
        return dv_fail(DV_BAD_PARAMETER, "%s: unknown option '%s'; did you mean '--%s'?",
                       dv_verbs[verb].name, word, nearest);
    return dv_fail(DV_BAD_PARAMETER, "%s: unknown option '%s'; 'divvy %s --help' lists them",
                   dv_verbs[verb].name, word, dv_verbs[verb].name);
}

static dv_status check_choice(dv_verb_id verb, const dv_option *option, const char *value)
{
    if (!dv_option_is_choice(option))
        return DV_OK;
    size_t length = strlen(value);
    for (const char *at = option->argument; at; at = strchr(at, '|')) {
        at += *at == '|';
        size_t choice = strcspn(at, "|");
        if (choice == length && memcmp(at, value, length) == 0)
            return DV_OK;
    }
    return dv_fail(DV_BAD_PARAMETER, "%s: --%s '%s': must be one of %s", dv_verbs[verb].name,
                   option->name, value, option->argument);
}

static dv_status take(dv_cli *cli, dv_option_id id, const char *value)
{
    const dv_option *option = &dv_options[id];
    DV_TRY(check_choice(cli->verb, option, value));
    if (!option->many && option->argument && dv_cli_has(cli, id))
        return dv_fail(DV_BAD_PARAMETER, "%s: --%s is given twice", dv_verbs[cli->verb].name,
                       option->name);
    cli->given[cli->given_count++] = (dv_given){id, value};
    return DV_OK;
}

/* An option that stands at argv[*at]; takes its value from the same or the next word. */
static dv_status parse_option(dv_cli *cli, int argc, char **argv, int *at)
{
    char *word = argv[*at];
    bool is_long = word[1] == '-';
    char *name = word + (is_long ? 2 : 1);
    char *equals = is_long ? strchr(name, '=') : NULL;
    size_t length = equals ? (size_t)(equals - name) : strlen(name);

    dv_option_id id = DV_OPTION_COUNT;
    for (int o = 0; o < DV_OPTION_COUNT && id == DV_OPTION_COUNT; o++) {
        const dv_option *option = &dv_options[o];
        if (!applies(option, cli->verb))
            continue;
        if (is_long ? strlen(option->name) == length && memcmp(option->name, name, length) == 0
                    : option->letter == name[0])
            id = (dv_option_id)o;
    }
    if (id == DV_OPTION_COUNT) {
        if (equals)
            *equals = '\0';
        return unknown_option(cli->verb, word, name);
    }
    const char *value = equals ? equals + 1 : !is_long && name[1] ? name + 1 : NULL;
    if (!dv_options[id].argument) {
        if (value)
            return dv_fail(DV_BAD_PARAMETER, "%s: --%s takes no value", dv_verbs[cli->verb].name,
                           dv_options[id].name);
        return take(cli, id, "");
    }
    if (!value && *at + 1 >= argc)
        return dv_fail(DV_BAD_PARAMETER, "%s: --%s needs a value: %s", dv_verbs[cli->verb].name,
                       dv_options[id].name, dv_options[id].argument);
    return take(cli, id, value ? value : argv[++*at]);
}

static dv_status check_arguments(const dv_cli *cli)
{
    const dv_verb *verb = &dv_verbs[cli->verb];
    if (dv_cli_has(cli, DV_OPTION_HELP) || dv_cli_has(cli, DV_OPTION_VERSION))
        return DV_OK;
    if (cli->argument_count < verb->least)
        return dv_fail(DV_BAD_PARAMETER, "%s: %s is missing; usage: divvy %s [options] %s",
                       verb->name, verb->arguments, verb->name, verb->arguments);
    if (cli->argument_count > verb->most)
        return dv_fail(DV_BAD_PARAMETER,
                       "%s: superfluous argument '%s'; usage: divvy %s [options] %s", verb->name,
                       cli->arguments[verb->most], verb->name, verb->arguments);
    return DV_OK;
}

/* The verb is the first word that is no option; before it only --help and --version make sense. */
static dv_status choose_verb(int argc, char **argv, dv_cli *cli, int *first)
{
    cli->verb = DV_VERB_HELP;
    *first = 1;
    if (argc < 2 || argv[1][0] == '-')
        return DV_OK;
    *first = 2;
    return find_verb(argv[1], &cli->verb);
}

dv_status dv_cli_parse(int argc, char **argv, dv_cli *cli)
{
    *cli = (dv_cli){.program = argc > 0 ? argv[0] : "divvy"};
    cli->given = calloc((size_t)argc + 1, sizeof *cli->given);
    cli->arguments = calloc((size_t)argc + 1, sizeof *cli->arguments);
    if (!cli->given || !cli->arguments)
        return dv_fail(DV_NO_MEMORY, "no memory for the command line");

    int at;
    DV_TRY(choose_verb(argc, argv, cli, &at));
    bool only_arguments = false;
    for (; at < argc; at++) {
        const char *word = argv[at];
        if (!only_arguments && strcmp(word, "--") == 0)
            only_arguments = true;
        else if (!only_arguments && word[0] == '-' && word[1])
            DV_TRY(parse_option(cli, argc, argv, &at));
        else
            cli->arguments[cli->argument_count++] = word;
    }
    cli->quiet = dv_cli_has(cli, DV_OPTION_QUIET);
    cli->json = dv_cli_has(cli, DV_OPTION_JSON);
    return check_arguments(cli);
}

void dv_cli_free(dv_cli *cli)
{
    free(cli->given);
    free(cli->arguments);
    dv_text_free(&cli->out);
    *cli = (dv_cli){0};
}

const char *dv_cli_value(const dv_cli *cli, dv_option_id id)
{
    for (size_t i = cli->given_count; i-- > 0;)
        if (cli->given[i].id == id)
            return cli->given[i].value;
    return NULL;
}

bool dv_cli_has(const dv_cli *cli, dv_option_id id)
{
    return dv_cli_value(cli, id) != NULL;
}

const char *dv_cli_nth(const dv_cli *cli, dv_option_id id, size_t i)
{
    for (size_t g = 0; g < cli->given_count; g++)
        if (cli->given[g].id == id && i-- == 0)
            return cli->given[g].value;
    return NULL;
}

dv_status dv_cli_integer(const dv_cli *cli, dv_option_id id, int64_t low, int64_t high,
                         int64_t preset, int64_t *out)
{
    const char *value = dv_cli_value(cli, id);
    *out = preset;
    if (value && !dv_parse_integer(value, low, high, out))
        return dv_fail(DV_BAD_PARAMETER, "%s: --%s '%s': must be a whole number from %lld to %lld",
                       dv_verbs[cli->verb].name, dv_options[id].name, value, (long long)low,
                       (long long)high);
    return DV_OK;
}

dv_status dv_cli_assignment(dv_option_id id, const char *text, char **name, const char **value)
{
    const char *equals = strrchr(text, '=');
    if (!equals || equals == text || !equals[1])
        return dv_fail(DV_BAD_PARAMETER, "--%s '%s': must be %s", dv_options[id].name, text,
                       dv_options[id].argument);
    *name = strndup(text, (size_t)(equals - text));
    *value = equals + 1;
    return *name ? DV_OK : dv_fail(DV_NO_MEMORY, "no memory for an option");
}

dv_status dv_cli_check_stop(const dv_cli *cli)
{
    if (dv_progress_stopped(cli->progress))
        return dv_fail(DV_INTERRUPTED, "stopped");
    return DV_OK;
}
