/* cmd_convert.c - a model as ONNX, as graph/1 for divvy, or as DOT for Graphviz. */
#include <string.h>

#include "cli/cli.h"
#include "cli/pipeline.h"
#include "core/file.h"
#include "load/graphjson.h"
#include "load/onnx_write.h"
#include "lower/lower.h"

/* ---- DOT ---- */

/* Soft colours, one a family, in the order of DV_FAMILY_LIST. */
static const char *const colours[DV_FAMILY_COUNT] = {
    [DV_FAMILY_CONV] = "#a6cee3",        [DV_FAMILY_GROUPED] = "#8ab8d8",
    [DV_FAMILY_DEPTHWISE] = "#6fa3cc",   [DV_FAMILY_MATMUL] = "#b2df8a",
    [DV_FAMILY_ELEMENTWISE] = "#fddbc7", [DV_FAMILY_POOL] = "#cab2d6",
    [DV_FAMILY_REDUCE] = "#d9c3e8",      [DV_FAMILY_NORM] = "#fdbf6f",
    [DV_FAMILY_SOFTMAX] = "#fb9a99",     [DV_FAMILY_MOVE] = "#ffffb3",
    [DV_FAMILY_GATHER] = "#e6d8ad",      [DV_FAMILY_VIEW] = "#f2f2f2",
    [DV_FAMILY_PLUMBING] = "#d9d9d9",    [DV_FAMILY_OTHER] = "#ffffff",
};

/* Inside double quotes: a model's names may hold any bytes. */
static void append_quoted(dv_text *out, const char *text)
{
    dv_text safe = {0};
    dv_cli_append_safe(&safe, text);
    for (const char *at = dv_text_string(&safe); *at; at++) {
        if (*at == '"' || *at == '\\')
            dv_text_append(out, "\\");
        dv_text_append_n(out, at, 1);
    }
    out->failed |= safe.failed;
    dv_text_free(&safe);
}

static void append_node(dv_text *out, const dv_graph *graph, dv_op_id id)
{
    const dv_op *op = &graph->ops[id];
    const dv_op_info *info = dv_op_info_of(op->kind);
    dv_text_append(out, "  o%u [label=\"", id);
    append_quoted(out, op->name);
    dv_text_append(out, "\\n");
    append_quoted(out, op->kind == DV_OP_OPAQUE && op->source_type ? op->source_type : info->name);
    dv_text_append(out, "\", fillcolor=\"%s\"];\n", colours[info->family]);
}

static void append_shape(dv_text *out, const dv_tensor *tensor)
{
    char shape[DV_SHAPE_TEXT];
    bool known = tensor->shape.rank != DV_RANK_UNKNOWN && tensor->dtype != DV_DTYPE_NONE;
    if (known)
        dv_text_append(out, " [label=\"%s %s\"]", dv_dtype_name(tensor->dtype),
                       dv_shape_text(&tensor->shape, shape));
    dv_text_append(out, ";\n");
}

/* Constants are left out: they would be most of the picture. */
static void append_edges(dv_text *out, const dv_graph *graph, dv_op_id id)
{
    const dv_op *op = &graph->ops[id];
    for (uint32_t i = 0; i < op->input_count; i++) {
        dv_tensor_id t = op->inputs[i];
        if (t == DV_NONE || graph->tensors[t].role == DV_ROLE_CONSTANT)
            continue;
        if (graph->producer[t] != DV_NONE)
            dv_text_append(out, "  o%u -> o%u", graph->producer[t], id);
        else
            dv_text_append(out, "  t%u -> o%u", t, id);
        append_shape(out, &graph->tensors[t]);
    }
}

static void append_border(dv_text *out, const dv_graph *graph, const char *prefix, dv_tensor_id t)
{
    dv_text_append(out, "  %s%u [shape=oval, fillcolor=\"#ffffff\", label=\"", prefix, t);
    append_quoted(out, graph->tensors[t].name);
    dv_text_append(out, "\"];\n");
}

static void append_dot(dv_text *out, const dv_graph *graph)
{
    dv_text_append(out, "digraph \"");
    append_quoted(out, graph->name);
    dv_text_append(out, "\" {\n  node [shape=box, style=filled, fontname=\"sans-serif\"];\n"
                        "  edge [fontname=\"sans-serif\", fontsize=9];\n");
    for (dv_tensor_id t = 0; t < graph->tensor_count; t++)
        if (graph->tensors[t].role == DV_ROLE_INPUT || graph->tensors[t].role == DV_ROLE_STATE)
            append_border(out, graph, "t", t);
    for (dv_op_id o = 0; o < graph->op_count; o++)
        append_node(out, graph, o);
    for (dv_op_id o = 0; o < graph->op_count; o++)
        append_edges(out, graph, o);
    for (uint32_t i = 0; i < graph->output_count; i++) {
        dv_tensor_id t = graph->outputs[i];
        if (graph->producer[t] == DV_NONE)
            continue;
        append_border(out, graph, "y", t);
        dv_text_append(out, "  o%u -> y%u", graph->producer[t], t);
        append_shape(out, &graph->tensors[t]);
    }
    dv_text_append(out, "}\n");
}

/* ---- the verb ---- */

static bool ends_with(const char *path, const char *ending)
{
    size_t length = strlen(path), tail = strlen(ending);
    return length > tail && strcmp(path + length - tail, ending) == 0;
}

static dv_onnx_weights weights_of(const dv_cli *cli)
{
    static const char *const names[] = {"auto", "inside", "beside", "none"};
    const char *given = dv_cli_value(cli, DV_OPTION_WEIGHTS);
    for (size_t i = 0; given && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(given, names[i]) == 0)
            return (dv_onnx_weights)i;
    return DV_WEIGHTS_AUTO;
}

static dv_status write_as(const dv_cli *cli, const char *path, const dv_graph *graph)
{
    if (ends_with(path, ".onnx")) {
        dv_graph *spelt = NULL; /* ONNX has no quantised operators of its own that all tools read */
        dv_status status = dv_spell_quantisation(graph, &spelt);
        if (status == DV_OK)
            status = dv_onnx_write(spelt, path, weights_of(cli));
        dv_graph_destroy(spelt);
        return status == DV_IO ? status : dv_within(status, "%s", cli->arguments[0]);
    }

    dv_text text = {0};
    dv_status status = DV_OK;
    if (ends_with(path, ".dot"))
        append_dot(&text, graph);
    else
        status = dv_graph_write_json(graph, &text);
    if (status == DV_OK && text.failed)
        status = dv_fail(DV_NO_MEMORY, "out of memory while writing a graph");
    if (status == DV_OK)
        status = dv_file_write(path, dv_text_string(&text), text.length);
    dv_text_free(&text);
    return status;
}

dv_status dv_cmd_convert(dv_cli *cli)
{
    const char *path = dv_cli_value(cli, DV_OPTION_OUTPUT);
    if (!path)
        return dv_fail(DV_BAD_PARAMETER, "convert: --output FILE is missing");
    bool onnx = ends_with(path, ".onnx");
    if (!onnx && !ends_with(path, ".json") && !ends_with(path, ".dot"))
        return dv_fail(DV_BAD_PARAMETER,
                       "convert: '%s' is none of the formats that can be written: .onnx, .json "
                       "(graph/1) or .dot (Graphviz)",
                       path);
    if (!onnx && dv_cli_has(cli, DV_OPTION_WEIGHTS))
        return dv_fail(DV_BAD_PARAMETER, "convert: --weights is of .onnx files only");
    dv_session session = {0};
    /* the source form of one format has no meaning in another */
    bool lowered = onnx || dv_cli_has(cli, DV_OPTION_LOWERED);
    dv_status status = dv_session_load(cli, cli->arguments[0], !lowered, &session);
    if (status == DV_OK && !session.source)
        status =
            dv_fail(DV_BAD_INPUT, "%s: a problem has no network to convert", cli->arguments[0]);
    if (status == DV_OK)
        status = write_as(cli, path, lowered ? session.graph : session.source);
    if (status == DV_OK) {
        const dv_graph *graph = lowered ? session.graph : session.source;
        dv_cli_note(cli, "%s: %u operators, %u tensors", path, graph->op_count,
                    graph->tensor_count);
    }
    dv_session_free(&session);
    return status;
}
