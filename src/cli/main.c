/* main.c - the program: reads the command line, runs the verb, says what went wrong in one line. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/progress_bar.h"
#include "cli/signals.h"

/* A closed standard stream must not become the number of a file that we open. */
static void hold_standard_streams(void)
{
    for (int stream = 0; stream <= 2; stream++)
        if (fcntl(stream, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY);
}

static bool wants_colour(const dv_cli *cli)
{
    const char *colour = dv_cli_value(cli, DV_OPTION_COLOR);
    if (colour && strcmp(colour, "auto") != 0)
        return strcmp(colour, "always") == 0;
    const char *refused = getenv("NO_COLOR"); /* no-color.org: set and not empty */
    const char *terminal = getenv("TERM");
    return !(refused && *refused) && isatty(STDOUT_FILENO) && terminal &&
           strcmp(terminal, "dumb") != 0;
}

static dv_status run(dv_cli *cli)
{
    if (dv_cli_has(cli, DV_OPTION_VERSION)) {
        dv_text_append(&cli->out, "divvy %s\n", DV_VERSION);
        return DV_OK;
    }
    if (dv_cli_has(cli, DV_OPTION_HELP)) {
        if (cli->verb == DV_VERB_HELP && cli->argument_count == 0)
            dv_help_program(&cli->out);
        else
            dv_help_verb(&cli->out, cli->verb);
        return DV_OK;
    }
    return dv_verbs[cli->verb].run(cli);
}

static void report(dv_status status)
{
    dv_text line = {0};
    const char *message = dv_message();
    dv_cli_append_safe(&line, *message ? message : dv_status_text(status));
    fprintf(stderr, "divvy: %s\n", dv_text_string(&line));
    dv_text_free(&line);
}

int main(int argc, char **argv)
{
    hold_standard_streams();
    const volatile int *stop = dv_signals_install();

    dv_cli cli;
    dv_status status = dv_cli_parse(argc, argv, &cli);
    if (status == DV_OK) {
        cli.progress = dv_progress_bar(isatty(STDERR_FILENO) && !cli.quiet, stop);
        cli.colour = wants_colour(&cli);
        status = run(&cli);
        dv_progress_bar_clear();
    }
    if (status != DV_OK)
        report(status);
    /* What a verb gathered before its answer turned out to be no is still worth seeing. */
    if (status == DV_OK || status == DV_NEGATIVE) {
        dv_status written = dv_cli_flush(&cli);
        if (written != DV_OK)
            report(status = written);
    }
    dv_cli_free(&cli);
    return dv_status_exit(status);
}
