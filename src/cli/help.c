/* help.c - the tables of verbs and options as text for people and as a manual page. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "load/load.h"

static const char *const synopsis = "divvy VERB [options] ARGUMENT...";

static const char *const models =
    "MODEL is a model file, zoo:NAME for a built-in network, a problem file, or - for standard "
    "input.";

/* "-p, --platform NAME|FILE" */
static void option_text(const dv_option *option, char *text, size_t size)
{
    char letter[8] = "    ";
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(text, size, "%s--%s%s%s", letter, option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
}

static bool common(const dv_option *option)
{
    return option->verbs == (1u << DV_VERB_COUNT) - 1;
}

void dv_help_program(dv_text *out)
{
    dv_text_append(out, "divvy decides which operator of a neural network runs on which "
                        "processor.\n\n");
    dv_text_append(out, "usage: %s\n\n%s\n\nverbs:\n", synopsis, models);
    for (int v = 0; v < DV_VERB_COUNT; v++)
        dv_text_append(out, "  %-11s %s\n", dv_verbs[v].name, dv_verbs[v].summary);
    dv_text_append(out, "\noptions of every verb:\n");
    for (int o = 0; o < DV_OPTION_COUNT; o++) {
        char text[96];
        option_text(&dv_options[o], text, sizeof text);
        if (common(&dv_options[o]))
            dv_text_append(out, "  %-30s %s\n", text, dv_options[o].summary);
    }
    dv_text_append(out, "\nformats that can be read:\n");
    const dv_loader *loader;
    for (size_t i = 0; (loader = dv_loader_at(i)); i++)
        dv_text_append(out, "  %-11s %s\n", loader->extension, loader->summary);
    dv_text_append(out, "\n'divvy VERB --help' tells more. A first look: divvy demo\n");
}

void dv_help_verb(dv_text *out, dv_verb_id id)
{
    const dv_verb *verb = &dv_verbs[id];
    dv_text_append(out, "divvy %s - %s\n\nusage: divvy %s [options]%s%s\n", verb->name,
                   verb->summary, verb->name, *verb->arguments ? " " : "", verb->arguments);
    if (strncmp(verb->arguments, "MODEL", 5) == 0)
        dv_text_append(out, "\n%s\n", models);
    dv_text_append(out, "\noptions:\n");
    char text[96];
    size_t width = 0;
    for (int o = 0; o < DV_OPTION_COUNT; o++) {
        option_text(&dv_options[o], text, sizeof text);
        if ((dv_options[o].verbs & (1u << id)) && strlen(text) > width)
            width = strlen(text);
    }
    for (int o = 0; o < DV_OPTION_COUNT; o++) {
        option_text(&dv_options[o], text, sizeof text);
        if (dv_options[o].verbs & (1u << id))
            dv_text_append(out, "  %-*s  %s\n", (int)width, text, dv_options[o].summary);
    }
}

/* Troff text: a hyphen that is to be typed, and no line that begins with a request. */
static void troff(dv_text *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        dv_text_append(out, "\\&");
    for (; *text; text++) {
        if (*text == '-')
            dv_text_append(out, "\\-");
        else if (*text == '\\')
            dv_text_append(out, "\\e");
        else
            dv_text_append_n(out, text, 1);
    }
}

static void manual_options(dv_text *out)
{
    dv_text_append(out, ".SH OPTIONS\n");
    for (int o = 0; o < DV_OPTION_COUNT; o++) {
        char text[96];
        option_text(&dv_options[o], text, sizeof text);
        const char *shown = text + strspn(text, " ");
        dv_text_append(out, ".TP\n.B ");
        troff(out, shown);
        dv_text_append(out, "\n");
        troff(out, dv_options[o].summary);
        dv_text_append(out, ".\n");
        if (common(&dv_options[o]))
            continue;
        dv_text_append(out, "Verbs:");
        for (int v = 0; v < DV_VERB_COUNT; v++)
            if (dv_options[o].verbs & (1u << v))
                dv_text_append(out, " %s", dv_verbs[v].name);
        dv_text_append(out, ".\n");
    }
}

void dv_help_manual(dv_text *out)
{
    dv_text_append(out, ".TH DIVVY 1 \"\" \"divvy %s\" \"User Commands\"\n", DV_VERSION);
    dv_text_append(out, ".SH NAME\ndivvy \\- decides which operator of a neural network runs on "
                        "which processor\n");
    dv_text_append(out, ".SH SYNOPSIS\n.B divvy\n.I VERB\n[options]\n.IR ARGUMENT ...\n");
    dv_text_append(out, ".SH DESCRIPTION\n");
    troff(out, models);
    dv_text_append(out, "\n.SH VERBS\n");
    for (int v = 0; v < DV_VERB_COUNT; v++) {
        dv_text_append(out, ".TP\n.B %s\n", dv_verbs[v].name);
        if (*dv_verbs[v].arguments) {
            dv_text_append(out, ".I ");
            troff(out, dv_verbs[v].arguments);
            dv_text_append(out, "\n.br\n");
        }
        troff(out, dv_verbs[v].summary);
        dv_text_append(out, ".\n");
    }
    manual_options(out);
    dv_text_append(
        out, ".SH EXIT STATUS\n"
             ".TP\n0\ndone\n.TP\n1\ndone, but the answer is no: infeasible, or a check failed\n"
             ".TP\n2\nbad use or bad input\n.TP\n3\na fault of the program, or no memory\n"
             ".TP\n130\nstopped by the user\n"
             ".SH ENVIRONMENT\n"
             ".TP\n.B NO_COLOR\nif set and not empty, no colours unless \\-\\-color always\n"
             ".TP\n.B DIVVY_PLATFORMS\nfolder of the user's own platforms; else "
             "$XDG_CONFIG_HOME/divvy/platforms, else ~/.config/divvy/platforms\n");
}

dv_status dv_cmd_help(dv_cli *cli)
{
    if (dv_cli_has(cli, DV_OPTION_MAN)) {
        dv_help_manual(&cli->out);
        return DV_OK;
    }
    if (cli->argument_count == 0) {
        dv_help_program(&cli->out);
        return DV_OK;
    }
    const char *names[DV_VERB_COUNT];
    for (int v = 0; v < DV_VERB_COUNT; v++) {
        names[v] = dv_verbs[v].name;
        if (strcmp(cli->arguments[0], names[v]) == 0) {
            dv_help_verb(&cli->out, (dv_verb_id)v);
            return DV_OK;
        }
    }
    const char *nearest = dv_nearest_name(cli->arguments[0], names, DV_VERB_COUNT);
    return dv_fail(DV_BAD_PARAMETER, "help: unknown verb '%s'%s%s%s", cli->arguments[0],
                   nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}
