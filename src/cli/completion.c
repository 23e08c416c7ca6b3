/* completion.c - completion scripts for bash and zsh, made from the tables that the parser reads.
 */
#include <string.h>

#include "cli/cli.h"
#include "core/platform.h"
#include "costmodel/costmodel.h"
#include "datasets/zoo/zoo.h"
#include "lower/lower.h"
#include "solver/strategy.h"

static bool names_file(const dv_option *option)
{
    const char *argument = option->argument;
    size_t length = argument ? strlen(argument) : 0;
    return length >= 4 && strcmp(argument + length - 4, "FILE") == 0;
}

static void put_platforms(dv_text *out)
{
    char name[256];
    for (size_t i = 0; dv_platform_name(i, name); i++)
        dv_text_append(out, " %s", name);
}

/* The name; for a model also its variants, up to where their number begins. */
static void put_network(dv_text *out, const char *prefix, const dv_zoo_entry *entry)
{
    dv_text_append(out, " %s%s", prefix, entry->name);
    for (const char *at = *prefix && entry->variants ? entry->variants : ""; *at;) {
        size_t word = strcspn(at, " "), key = strcspn(at, " =");
        dv_text_append(out, " %s%s:%.*s%s", prefix, entry->name, (int)key, at,
                       key < word ? "=" : "");
        at += word + (at[word] == ' ');
    }
}

static void put_networks(dv_text *out, const char *prefix)
{
    const dv_zoo_entry *entry;
    for (size_t i = 0; (entry = dv_zoo_at(i)); i++)
        put_network(out, prefix, entry);
}

/* The words that an option's value may be, each with a blank before it; nothing if any text goes.
 */
static void put_values(dv_text *out, dv_option_id id)
{
    const dv_option *option = &dv_options[id];
    const dv_strategy *strategy;
    const dv_cost_model *model;
    const dv_pass *pass;
    if (dv_option_is_choice(option)) {
        for (const char *at = option->argument; *at; at++) {
            if (at == option->argument)
                dv_text_append(out, " ");
            dv_text_append(out, "%c", *at == '|' ? ' ' : *at);
        }
    } else if (id == DV_OPTION_PLATFORM) {
        put_platforms(out);
    } else if (id == DV_OPTION_STRATEGY) {
        for (size_t i = 0; (strategy = dv_strategy_at(i)); i++)
            dv_text_append(out, " %s", strategy->name);
    } else if (id == DV_OPTION_COST_MODEL) {
        for (size_t i = 0; (model = dv_cost_model_at(i)); i++)
            dv_text_append(out, " %s", model->name);
    } else if (id == DV_OPTION_DUMP_AFTER) {
        dv_text_append(out, " all");
        for (size_t i = 0; (pass = dv_pass_at(i)); i++)
            dv_text_append(out, " %s", pass->name);
    }
}

/* The words that a verb's arguments may be. */
static void put_arguments(dv_text *out, dv_verb_id id)
{
    if (strncmp(dv_verbs[id].arguments, "MODEL", 5) == 0) {
        put_networks(out, "zoo:");
    } else if (id == DV_VERB_ZOO) {
        put_networks(out, "");
    } else if (id == DV_VERB_DEVICES) {
        put_platforms(out);
    } else if (id == DV_VERB_COMPLETION) {
        dv_text_append(out, " bash zsh");
    } else if (id == DV_VERB_HELP) {
        for (int v = 0; v < DV_VERB_COUNT; v++)
            dv_text_append(out, " %s", dv_verbs[v].name);
    }
}

static void bash_values(dv_text *out)
{
    dv_text_append(out, "    case $previous in\n");
    for (int o = 0; o < DV_OPTION_COUNT; o++) {
        const dv_option *option = &dv_options[o];
        if (!option->argument)
            continue;
        dv_text_append(out, "    --%s", option->name);
        if (option->letter)
            dv_text_append(out, " | -%c", option->letter);
        dv_text_append(out, ")\n        COMPREPLY=($(compgen%s -W \"",
                       names_file(option) ? " -f" : "");
        put_values(out, (dv_option_id)o);
        dv_text_append(out, "\" -- \"$word\"))\n        return\n        ;;\n");
    }
    dv_text_append(out, "    esac\n");
}

static void bash_verbs(dv_text *out)
{
    dv_text_append(out, "    case $verb in\n");
    for (int v = 0; v < DV_VERB_COUNT; v++) {
        dv_text_append(out, "    %s)\n        options=\"", dv_verbs[v].name);
        for (int o = 0; o < DV_OPTION_COUNT; o++)
            if (dv_options[o].verbs & (1u << v))
                dv_text_append(out, " --%s", dv_options[o].name);
        dv_text_append(out, "\"\n        arguments=\"");
        put_arguments(out, (dv_verb_id)v);
        dv_text_append(out, "\"\n        ;;\n");
    }
    dv_text_append(out, "    esac\n");
}

/* bash splits words at ':', so "zoo:" is put back and taken off by hand. */
void dv_completion_bash(dv_text *out)
{
    dv_text_append(out,
                   "# bash completion of divvy, made by divvy completion bash\n"
                   "_divvy()\n{\n"
                   "    local line=${COMP_LINE:0:COMP_POINT} word previous verb options arguments\n"
                   "    word=${line##*[[:space:]]}\n"
                   "    previous=${line%%\"$word\"}\n"
                   "    previous=${previous%%\"${previous##*[![:space:]]}\"}\n"
                   "    previous=${previous##*[[:space:]]}\n"
                   "    verb=${COMP_WORDS[1]}\n"
                   "    COMPREPLY=()\n");
    bash_values(out);
    bash_verbs(out);
    dv_text_append(out, "    if [[ $COMP_CWORD -le 1 ]]; then\n"
                        "        COMPREPLY=($(compgen -W \"");
    for (int v = 0; v < DV_VERB_COUNT; v++)
        dv_text_append(out, "%s ", dv_verbs[v].name);
    dv_text_append(out, "--help --version\" -- \"$word\"))\n"
                        "    elif [[ $word == -* ]]; then\n"
                        "        COMPREPLY=($(compgen -W \"$options\" -- \"$word\"))\n"
                        "    else\n"
                        "        COMPREPLY=($(compgen -f -W \"$arguments\" -- \"$word\"))\n"
                        "        local colon=${word%%\"${word##*:}\"}\n"
                        "        [[ $COMP_WORDBREAKS == *:* ]] && "
                        "COMPREPLY=(\"${COMPREPLY[@]#\"$colon\"}\")\n"
                        "    fi\n}\n"
                        "complete -o filenames -F _divvy divvy\n");
}

/* Text inside a zsh option description: brackets, colons and quotes have a meaning there. */
static void zsh_text(dv_text *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            dv_text_append(out, "'\\''");
        else if (strchr("[]:", *text))
            dv_text_append(out, "\\%c", *text);
        else
            dv_text_append_n(out, text, 1);
    }
}

static void zsh_option(dv_text *out, dv_option_id id)
{
    const dv_option *option = &dv_options[id];
    for (int form = 0; form < 2; form++) {
        if (form == 1 && !option->letter)
            return;
        dv_text_append(out, "            '%s", option->many ? "*" : "");
        if (form == 0)
            dv_text_append(out, "--%s", option->name);
        else
            dv_text_append(out, "-%c", option->letter);
        dv_text_append(out, "[");
        zsh_text(out, option->summary);
        dv_text_append(out, "]");
        if (option->argument) {
            dv_text_append(out, ":");
            zsh_text(out, option->argument);
            dv_text values = {0};
            put_values(&values, id);
            if (values.length > 0 && !names_file(option))
                dv_text_append(out, ":(%s)", dv_text_string(&values) + 1);
            else if (names_file(option))
                dv_text_append(out, ":_files");
            else
                dv_text_append(out, ": ");
            dv_text_free(&values);
        }
        dv_text_append(out, "' \\\n");
    }
}

void dv_completion_zsh(dv_text *out)
{
    dv_text_append(out, "#compdef divvy\n# zsh completion of divvy, made by divvy completion zsh\n"
                        "_divvy() {\n    local -a verbs\n    verbs=(\n");
    for (int v = 0; v < DV_VERB_COUNT; v++) {
        dv_text_append(out, "        '%s:", dv_verbs[v].name);
        zsh_text(out, dv_verbs[v].summary);
        dv_text_append(out, "'\n");
    }
    dv_text_append(out, "    )\n    if (( CURRENT == 2 )); then\n"
                        "        _describe verb verbs\n        return\n    fi\n"
                        "    local verb=$words[2]\n    shift words\n    (( CURRENT-- ))\n"
                        "    case $verb in\n");
    for (int v = 0; v < DV_VERB_COUNT; v++) {
        dv_text_append(out, "    %s)\n        _arguments -s \\\n", dv_verbs[v].name);
        for (int o = 0; o < DV_OPTION_COUNT; o++)
            if (dv_options[o].verbs & (1u << v))
                zsh_option(out, (dv_option_id)o);
        dv_text words = {0};
        put_arguments(&words, (dv_verb_id)v);
        if (words.length > 0)
            dv_text_append(out,
                           "            '*:argument:_alternative \"words:word:(%s)\""
                           " \"files:file:_files\"'\n",
                           dv_text_string(&words) + 1);
        else
            dv_text_append(out, "            '*:argument:_files'\n");
        dv_text_free(&words);
        dv_text_append(out, "        ;;\n");
    }
    dv_text_append(out, "    esac\n}\n_divvy \"$@\"\n");
}

dv_status dv_cmd_completion(dv_cli *cli)
{
    const char *shell = cli->arguments[0];
    if (strcmp(shell, "bash") == 0)
        dv_completion_bash(&cli->out);
    else if (strcmp(shell, "zsh") == 0)
        dv_completion_zsh(&cli->out);
    else
        return dv_fail(DV_BAD_PARAMETER, "completion: '%s': there are bash and zsh", shell);
    return DV_OK;
}
