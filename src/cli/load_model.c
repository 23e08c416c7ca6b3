/* load_model.c - the word MODEL becomes a graph in source and in lowered form, or a problem. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/pin_input.h"
#include "cli/pipeline.h"
#include "core/json.h"
#include "core/problem_msr.h"
#include "datasets/zoo/zoo.h"
#include "load/load.h"
#include "lower/lower.h"

/* Does the text begin like JSON, and is it a problem, of ours or of the device-placement paper? */
static dv_status is_problem(const char *path, const dv_buffer *buffer, bool *yes)
{
    *yes = false;
    const char *text = (const char *)dv_buffer_data(buffer);
    size_t size = dv_buffer_size(buffer);
    size_t at = 0;
    while (at < size && strchr(" \t\r\n", text[at]) && text[at])
        at++;
    if (at == size || text[at] != '{')
        return DV_OK;
    dv_json *json = NULL;
    DV_TRY(dv_json_parse(path, text, size, &json));
    dv_json_at root = dv_json_root(json, path);
    dv_json_at noun = dv_json_member(&root, "divvy");
    const char *name;
    if (dv_json_is_string(&noun) && dv_json_string(&noun, &name) == DV_OK)
        *yes = strncmp(name, "problem/", 8) == 0;
    else
        *yes = dv_problem_is_msr(&root);
    dv_json_destroy(json);
    return DV_OK;
}

static dv_status bind_dims(const dv_cli *cli, dv_binding **dims, size_t *count)
{
    *count = 0;
    *dims = calloc(cli->given_count + 1, sizeof **dims);
    if (!*dims)
        return dv_fail(DV_NO_MEMORY, "no memory for options");
    const char *text;
    for (size_t i = 0; (text = dv_cli_nth(cli, DV_OPTION_DIM, i)); i++) {
        char *name;
        const char *value;
        DV_TRY(dv_cli_assignment(DV_OPTION_DIM, text, &name, &value));
        dv_binding *dim = &(*dims)[(*count)++];
        dim->name = name;
        if (!dv_parse_integer(value, 0, INT32_MAX, &dim->value))
            return dv_fail(DV_BAD_PARAMETER, "--dim %s: '%s' is not a whole number from 0 to %d",
                           name, value, INT32_MAX);
    }
    return DV_OK;
}

static void free_settings(dv_setting *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((char *)values[i].name);
    free(values);
}

/* What --set says; free with free_settings, also after a failure. */
static dv_status read_settings(const dv_cli *cli, dv_setting **values, size_t *count)
{
    *count = 0;
    *values = calloc(cli->given_count + 1, sizeof **values);
    if (!*values)
        return dv_fail(DV_NO_MEMORY, "no memory for options");
    const char *text;
    for (size_t i = 0; (text = dv_cli_nth(cli, DV_OPTION_SET, i)); i++) {
        char *name, *end;
        const char *value;
        DV_TRY(dv_cli_assignment(DV_OPTION_SET, text, &name, &value));
        double number = strtod(value, &end);
        (*values)[(*count)++] = (dv_setting){name, number};
        if (*end || end == value || !isfinite(number))
            return dv_fail(DV_BAD_PARAMETER, "--set %s: '%s' is not a number", name, value);
    }
    return DV_OK;
}

static dv_status load_file(const dv_cli *cli, const char *path, dv_session *session)
{
    dv_buffer *buffer = NULL;
    DV_TRY(dv_buffer_map(path, &buffer));
    bool problem;
    dv_binding *dims = NULL;
    dv_setting *values = NULL;
    size_t dim_count = 0, value_count = 0;
    const char *shown = strcmp(path, "-") == 0 ? "standard input" : path;
    dv_status status = is_problem(shown, buffer, &problem);
    if (status != DV_OK)
        goto done;
    if (problem) {
        status = dv_problem_parse(shown, (const char *)dv_buffer_data(buffer),
                                  dv_buffer_size(buffer), &session->problem);
        goto done;
    }
    status = bind_dims(cli, &dims, &dim_count);
    if (status != DV_OK)
        goto done;
    status = read_settings(cli, &values, &value_count);
    if (status != DV_OK)
        goto done;
    dv_load_options options = {.dims = dims,
                               .dim_count = dim_count,
                               .values = values,
                               .value_count = value_count,
                               .infer = dv_lower_known,
                               .method = dv_cli_value(cli, DV_OPTION_METHOD)};
    status = dv_load_buffer(path, buffer, &options, &session->source);
done:
    free_settings(values, value_count);
    for (size_t i = 0; i < dim_count; i++)
        free((char *)dims[i].name);
    free(dims);
    dv_buffer_release(buffer);
    return status;
}

static dv_status load_network(const dv_cli *cli, const char *name, dv_session *session)
{
    if (dv_cli_has(cli, DV_OPTION_DIM))
        return dv_fail(DV_BAD_PARAMETER,
                       "--dim %s: the networks of the zoo have no open dimensions; their options "
                       "follow the name, as 'divvy zoo' shows",
                       dv_cli_value(cli, DV_OPTION_DIM));
    return dv_zoo_build(name, &session->source);
}

static dv_status set_inputs(const dv_cli *cli, dv_session *session)
{
    dv_setting *values;
    size_t count;
    dv_status status = read_settings(cli, &values, &count);
    for (size_t i = 0; status == DV_OK && i < count; i++) {
        dv_graph *pinned = NULL;
        status = dv_pin_input(session->source, values[i].name, values[i].value, &pinned);
        if (status == DV_OK) {
            dv_graph_destroy(session->source);
            session->source = pinned;
        }
    }
    free_settings(values, count);
    return status;
}

static void dump(void *context, const char *pass, const dv_graph *graph)
{
    dv_text *out = context;
    dv_text lines = {0};
    dv_text_append(out, "after %s: %u operators, %u tensors\n", pass, graph->op_count,
                   graph->tensor_count);
    if (dv_graph_print(graph, &lines) == DV_OK)
        dv_text_append(out, "%s", dv_text_string(&lines));
    else
        out->failed = true;
    dv_text_free(&lines);
}

static dv_status check_pass(const char *name)
{
    const char *names[64] = {"all"};
    size_t count = 1;
    const dv_pass *pass;
    for (size_t i = 0; (pass = dv_pass_at(i)) && count < 64; i++)
        names[count++] = pass->name;
    dv_text known = {0};
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0) {
            dv_text_free(&known);
            return DV_OK;
        }
        dv_text_append(&known, "%s%s", i ? ", " : "", names[i]);
    }
    dv_status status =
        dv_fail(DV_BAD_PARAMETER, "--dump-after '%s': there are %s", name, dv_text_string(&known));
    dv_text_free(&known);
    return status;
}

static dv_status lower(const dv_cli *cli, bool keep_opaque, dv_session *session)
{
    dv_lower_options options = {
        .keep_opaque = keep_opaque,
        .dump_after = dv_cli_value(cli, DV_OPTION_DUMP_AFTER),
        .dump = dump,
        .context = (void *)&cli->out,
    };
    if (options.dump_after)
        DV_TRY(check_pass(options.dump_after));
    return dv_within(dv_lower(session->source, &options, &session->graph), "%s", session->model);
}

dv_status dv_session_load(const dv_cli *cli, const char *model, bool keep_opaque,
                          dv_session *session)
{
    *session = (dv_session){.model = strcmp(model, "-") == 0 ? "standard input" : model};
    DV_TRY(dv_cli_check_stop(cli));
    if (strncmp(model, "zoo:", 4) == 0)
        DV_TRY(load_network(cli, model + 4, session));
    else
        DV_TRY(load_file(cli, model, session));
    if (session->problem)
        return DV_OK;
    DV_TRY(set_inputs(cli, session));
    /* what a compiled program runs behind a closed door still has its shapes and its device */
    bool compiled = strcmp(session->source->format, "pte") == 0;
    return lower(cli, keep_opaque || compiled, session);
}
