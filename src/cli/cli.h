/* cli.h - a command line taken apart: the verb, its options, its arguments; and how verbs answer.
 */
#ifndef DV_CLI_CLI_H
#define DV_CLI_CLI_H

#include "core/op.h"
#include "core/progress.h"
#include "core/text.h"

typedef enum dv_verb_id {
#define VERB(id, name, arguments, least, most, summary) DV_VERB_##id,
#include "cli/verbs.def"
#undef VERB
    DV_VERB_COUNT
} dv_verb_id;

typedef enum dv_option_id {
#define OPTION(id, name, letter, argument, many, verbs, summary) DV_OPTION_##id,
#include "cli/options.def"
#undef OPTION
    DV_OPTION_COUNT
} dv_option_id;

typedef struct dv_cli dv_cli;

typedef struct dv_verb {
    const char *name, *arguments, *summary;
    int least, most;
    dv_status (*run)(dv_cli *cli);
} dv_verb;

typedef struct dv_option {
    const char *name;
    char letter;
    const char *argument; /* NULL: a flag */
    bool many;
    unsigned verbs; /* bit dv_verb_id */
    const char *summary;
} dv_option;

extern const dv_verb dv_verbs[DV_VERB_COUNT];
extern const dv_option dv_options[DV_OPTION_COUNT];

/* Is argument a choice such as "auto|always|never"? */
bool dv_option_is_choice(const dv_option *option);

typedef struct dv_given { /* an option as it was written */
    dv_option_id id;
    const char *value; /* "" for a flag */
} dv_given;

struct dv_cli {
    dv_verb_id verb;
    size_t given_count;
    dv_given *given; /* in the order of the command line */
    int argument_count;
    const char **arguments;
    bool colour; /* on standard output */
    bool quiet, json;
    dv_progress *progress; /* the bar; hears Ctrl-C even where nothing is drawn */
    dv_text out;           /* what standard output gets when the verb is done */
    const char *program;   /* argv[0] */
};

/* Reads argv (of which strings are borrowed). DV_BAD_PARAMETER with the nearest name for an unknown
   verb or option, a missing or superfluous argument. No verb at all is DV_VERB_HELP. */
DV_MUST_USE dv_status dv_cli_parse(int argc, char **argv, dv_cli *cli);
void dv_cli_free(dv_cli *cli);

/* The value last given for the option, NULL if it was not. A flag's value is "". */
const char *dv_cli_value(const dv_cli *cli, dv_option_id id);
bool dv_cli_has(const dv_cli *cli, dv_option_id id);

/* The i-th value of an option that may be given several times; NULL past the last. */
const char *dv_cli_nth(const dv_cli *cli, dv_option_id id, size_t i);

/* *out = the whole number given for the option, or preset. DV_BAD_PARAMETER naming the option. */
DV_MUST_USE dv_status dv_cli_integer(const dv_cli *cli, dv_option_id id, int64_t low, int64_t high,
                                     int64_t preset, int64_t *out);

/* Splits "NAME=VALUE" at its last '=' (names of tensors may hold some) into *name (malloc'ed) and
 *value. DV_BAD_PARAMETER naming the option. */
DV_MUST_USE dv_status dv_cli_assignment(dv_option_id id, const char *text, char **name,
                                        const char **value);

/* DV_INTERRUPTED once the user has pressed Ctrl-C. */
DV_MUST_USE dv_status dv_cli_check_stop(const dv_cli *cli);

/* A note for people on standard error, not with --quiet. */
void dv_cli_note(const dv_cli *cli, const char *format, ...) DV_PRINTF(2, 3);

/* Appends text that may hold any bytes: control characters and broken UTF-8 are escaped. */
void dv_cli_append_safe(dv_text *out, const char *text);

/* Writes all that was gathered in cli->out. DV_IO if standard output cannot take it. */
DV_MUST_USE dv_status dv_cli_flush(dv_cli *cli);

/* Help: of the program, of one verb; the manual page in troff. */
void dv_help_program(dv_text *out);
void dv_help_verb(dv_text *out, dv_verb_id verb);
void dv_help_manual(dv_text *out);

/* Completion scripts from the same tables. */
void dv_completion_bash(dv_text *out);
void dv_completion_zsh(dv_text *out);

#define VERB(id, name, arguments, least, most, summary) \
    DV_MUST_USE dv_status dv_cmd_##name(dv_cli *cli);
#include "cli/verbs.def"
#undef VERB

#endif
