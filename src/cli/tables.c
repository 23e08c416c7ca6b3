/* tables.c - the verbs and options of verbs.def and options.def as rows of constants. */
#include <ctype.h>
#include <string.h>

#include "cli/cli.h"

const dv_verb dv_verbs[DV_VERB_COUNT] = {
#define VERB(id, name, arguments, least, most, summary) \
    [DV_VERB_##id] = {#name, arguments, summary, least, most, dv_cmd_##name},
#include "cli/verbs.def"
#undef VERB
};

#define ON(verb) (1u << DV_VERB_##verb)
#define ON_ALL   ((1u << DV_VERB_COUNT) - 1)

const dv_option dv_options[DV_OPTION_COUNT] = {
#define OPTION(id, name, letter, argument, many, verbs, summary) \
    [DV_OPTION_##id] = {name, letter, argument, many, verbs, summary},
#include "cli/options.def"
#undef OPTION
};

bool dv_option_is_choice(const dv_option *option)
{
    const char *argument = option->argument;
    return argument && islower((unsigned char)argument[0]) && strchr(argument, '|');
}
