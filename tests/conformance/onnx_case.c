/* onnx_case.c - loading, lowering and running one test folder. */
#include "tests/conformance/onnx_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load/load.h"
#include "lower/lower.h"
#include "tests/conformance/onnx_data.h"

static onnx_verdict say(onnx_case *test, onnx_verdict verdict, const char *why)
{
    snprintf(test->why, sizeof test->why, "%s", why);
    return verdict;
}

/* What is malformed or not supported is a plain no; any other status is a fault of ours. */
static onnx_verdict verdict_of(onnx_case *test, dv_status status)
{
    return say(test, status == DV_BAD_INPUT ? ONNX_UNSUPPORTED : ONNX_FAILED, dv_message());
}

/* --- the data set ------------------------------------------------------------------------------
 */

/* The stored tensor of a graph's i-th input: by name, else by place. */
static const dv_tensor *stored(const onnx_case *test, const dv_graph *graph, uint32_t i)
{
    const char *name = graph->tensors[graph->inputs[i]].name;
    for (uint32_t k = 0; k < test->given_count; k++)
        if (strcmp(test->given[k].name, name) == 0)
            return &test->given[k];
    return i < test->given_count ? &test->given[i] : NULL;
}

/* The data sets store bf16 as u16, having no numpy type for it. */
static void retype(dv_tensor *value, dv_dtype dtype)
{
    if (dtype == DV_DTYPE_BF16 && value->dtype == DV_DTYPE_U16)
        value->dtype = DV_DTYPE_BF16;
}

static void retype_data_set(onnx_case *test)
{
    const dv_graph *graph = test->source;
    for (uint32_t i = 0; i < graph->input_count; i++)
        for (uint32_t k = 0; k < test->given_count; k++)
            if (stored(test, graph, i) == &test->given[k])
                retype(&test->given[k], graph->tensors[graph->inputs[i]].dtype);
    for (uint32_t i = 0; i < graph->output_count && i < test->expected_count; i++)
        retype(&test->expected[i], graph->tensors[graph->outputs[i]].dtype);
}

/* --- binding inputs as constants ----------------------------------------------------------------
 */

typedef enum binding {
    BIND_NOTHING,
    BIND_INTEGERS,
    BIND_ALL_BUT_FIRST,
    BIND_ALL,
    BINDINGS
} binding;

static bool is_bound(const dv_graph *graph, uint32_t i, binding how)
{
    if (how == BIND_INTEGERS)
        return !dv_dtype_is_float(graph->tensors[graph->inputs[i]].dtype);
    return how == BIND_ALL || (how == BIND_ALL_BUT_FIRST && i > 0);
}

/* rows: of results whose length the values decide; 0: as many as there can be. */
static dv_status copy_ops(const dv_graph *from, int64_t rows, dv_graph *to)
{
    for (dv_op_id o = 0; o < from->op_count; o++) {
        dv_op_id ignored;
        dv_op op = from->ops[o];
        if (dv_op_rows(&op))
            dv_op_set_rows(&op, rows);
        DV_TRY(dv_graph_add_op(to, &op, &ignored));
    }
    for (uint32_t i = 0; i < from->output_count; i++)
        DV_TRY(dv_graph_add_output(to, from->outputs[i]));
    return dv_graph_finish(to);
}

/* The loaded graph with some of its inputs turned into constants. */
static dv_status bind_inputs(const onnx_case *test, binding how, int64_t rows, dv_graph **out)
{
    const dv_graph *from = test->source;
    dv_graph *to = dv_graph_create(from->name, from->format);
    if (!to)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    dv_status status = DV_OK;
    for (dv_tensor_id id = 0; id < from->tensor_count && status == DV_OK; id++) {
        dv_tensor tensor = from->tensors[id];
        tensor.is_output = false;
        for (uint32_t i = 0; i < from->input_count; i++) {
            const dv_tensor *value = stored(test, from, i);
            if (from->inputs[i] == id && is_bound(from, i, how) && value) {
                tensor.role = DV_ROLE_CONSTANT;
                tensor.dtype = value->dtype;
                tensor.shape = value->shape;
                tensor.data = value->data;
            }
        }
        dv_tensor_id same;
        status = dv_graph_add_tensor(to, &tensor, &same);
    }
    if (status == DV_OK)
        status = copy_ops(from, rows, to);
    if (status != DV_OK) {
        dv_graph_destroy(to);
        return status;
    }
    *out = to;
    return DV_OK;
}

/* --- opening ------------------------------------------------------------------------------------
 */

static void name_operators(onnx_case *test)
{
    const char *name = "not loaded";
    if (test->source)
        name = test->source->op_count == 1 ? test->source->ops[0].source_type : "several";
    snprintf(test->operators, sizeof test->operators, "%s", name);
}

/* How many rows the test expects where the lowered graph assumes others; 0: as many. */
static int64_t expected_rows(const onnx_case *test)
{
    const dv_graph *graph = test->lowered;
    bool assumes = false;
    for (dv_op_id op = 0; op < graph->op_count; op++)
        assumes |= dv_op_rows(&graph->ops[op]) != NULL;
    for (uint32_t i = 0; assumes && i < graph->output_count && i < test->expected_count; i++) {
        const dv_shape *ours = &graph->tensors[graph->outputs[i]].shape;
        const dv_shape *theirs = &test->expected[i].shape;
        for (uint8_t d = 0; d < ours->rank && d < theirs->rank; d++)
            if (ours->dim[d] != theirs->dim[d])
                return theirs->dim[d];
    }
    return 0;
}

/* Lowers with as many rows as the test expects, as one would say with --dim. */
static dv_status lower_bound(onnx_case *test, binding how, dv_graph **bound)
{
    DV_TRY(bind_inputs(test, how, 0, bound));
    DV_TRY(dv_lower(*bound, NULL, &test->lowered));
    int64_t rows = expected_rows(test);
    if (rows == 0)
        return DV_OK;
    dv_graph_destroy(test->lowered);
    dv_graph_destroy(*bound);
    test->lowered = *bound = NULL;
    DV_TRY(bind_inputs(test, how, rows, bound));
    return dv_lower(*bound, NULL, &test->lowered);
}

static onnx_verdict lower(onnx_case *test)
{
    for (binding how = BIND_NOTHING; how < BINDINGS; how++) {
        dv_graph *bound = NULL;
        dv_status status = lower_bound(test, how, &bound);
        if (status == DV_OK) {
            test->bound = bound;
            return ONNX_PASSED;
        }
        dv_graph_destroy(bound);
        onnx_verdict verdict = verdict_of(test, status);
        if (verdict == ONNX_FAILED)
            return verdict;
    }
    return ONNX_UNSUPPORTED;
}

static const dv_op *first_opaque(const dv_graph *graph)
{
    for (dv_op_id op = 0; op < graph->op_count; op++)
        if (graph->ops[op].kind == DV_OP_OPAQUE)
            return &graph->ops[op];
    return NULL;
}

onnx_verdict onnx_case_open(onnx_case *test, const char *folder)
{
    char path[512];
    memset(test, 0, sizeof *test);
    test->folder = folder;
    snprintf(path, sizeof path, "%s/model.onnx", folder);
    onnx_settings settings;
    bool read = onnx_data_read(test, &settings);
    dv_load_options options = {
        .dims = settings.dims, .dim_count = settings.dim_count, .infer = dv_lower_known};
    dv_status status = dv_load(path, &options, &test->source);
    if (status == DV_OK && first_opaque(test->source)) {
        /* a number of turns may be an input, as one would say with --set */
        dv_graph_destroy(test->source);
        test->source = NULL;
        options.values = settings.values;
        options.value_count = settings.value_count;
        status = dv_load(path, &options, &test->source);
    }
    name_operators(test);
    if (status != DV_OK)
        return verdict_of(test, status);
    const dv_op *opaque = first_opaque(test->source);
    if (opaque)
        return say(test, ONNX_UNSUPPORTED, opaque->reason);
    if (!read)
        return say(test, ONNX_UNSUPPORTED, "the data set holds more than tensors of numbers");
    retype_data_set(test);
    return lower(test);
}

void onnx_case_close(onnx_case *test)
{
    for (uint32_t i = 0; i < test->given_count; i++)
        dv_buffer_release(test->given[i].data.buffer);
    for (uint32_t i = 0; i < test->expected_count; i++)
        dv_buffer_release(test->expected[i].data.buffer);
    dv_graph_destroy(test->source);
    dv_graph_destroy(test->bound);
    dv_graph_destroy(test->lowered);
    memset(test, 0, sizeof *test);
}

/* --- comparing ----------------------------------------------------------------------------------
 */

/* Stored halves were rounded after every step: two units in their last place are as good. */
static double tolerance_of(dv_dtype dtype)
{
    return dtype == DV_DTYPE_F16 ? 0x1p-9 : dtype == DV_DTYPE_BF16 ? 0x1p-6 : 1e-3;
}

static bool near(double got, double want, double tolerance)
{
    if (isnan(got) || isnan(want))
        return isnan(got) && isnan(want);
    if (isinf(got) || isinf(want))
        return got == want;
    return fabs(got - want) <= 1e-7 + tolerance * fabs(want);
}

static double bf16_of(const uint8_t *bytes)
{
    uint16_t half;
    float value;
    memcpy(&half, bytes, sizeof half);
    uint32_t bits = (uint32_t)half << 16;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

static onnx_verdict compare(onnx_case *test, uint32_t output, const dv_tensor *tensor,
                            const void *data)
{
    const dv_tensor *want = &test->expected[output];
    char got_shape[DV_SHAPE_TEXT], want_shape[DV_SHAPE_TEXT], text[256];
    size_t count, size = dv_dtype_bytes(tensor->dtype);
    if (tensor->dtype != want->dtype || !dv_shape_equal(&tensor->shape, &want->shape) ||
        !dv_shape_elements(&tensor->shape, &count)) {
        snprintf(text, sizeof text, "output %u is %s[%s], not %s[%s]", output,
                 dv_dtype_name(tensor->dtype), dv_shape_text(&tensor->shape, got_shape),
                 dv_dtype_name(want->dtype), dv_shape_text(&want->shape, want_shape));
        return say(test, ONNX_FAILED, text);
    }
    uint8_t *stored_bytes = malloc(count * size + 1);
    dv_tensor_read(want, 0, count, stored_bytes);
    onnx_verdict verdict = ONNX_PASSED;
    for (size_t i = 0; i < count && verdict == ONNX_PASSED; i++) {
        const uint8_t *a = (const uint8_t *)data + i * size, *b = stored_bytes + i * size;
        double got = 0, wanted = 0;
        bool same = memcmp(a, b, size) == 0;
        if (tensor->dtype == DV_DTYPE_F32) {
            got = (double)*(const float *)(const void *)a;
            wanted = (double)*(const float *)(const void *)b;
        } else if (tensor->dtype == DV_DTYPE_F64) {
            got = *(const double *)(const void *)a;
            wanted = *(const double *)(const void *)b;
        } else if (tensor->dtype == DV_DTYPE_F16) {
            got = (double)dv_f16_to_f32(*(const uint16_t *)(const void *)a);
            wanted = (double)dv_f16_to_f32(*(const uint16_t *)(const void *)b);
        } else if (tensor->dtype == DV_DTYPE_BF16) {
            got = bf16_of(a);
            wanted = bf16_of(b);
        }
        if (same ||
            (dv_dtype_is_float(tensor->dtype) && near(got, wanted, tolerance_of(tensor->dtype))))
            continue;
        snprintf(text, sizeof text, "output %u, element %zu of %zu: %.9g, not %.9g", output, i,
                 count, got, wanted);
        verdict = say(test, ONNX_FAILED, text);
    }
    free(stored_bytes);
    return verdict;
}

/* --- running ------------------------------------------------------------------------------------
 */

/* Border memory of a run, of exactly the size that backends are promised. */
typedef struct borders {
    dv_tensor_id inputs[ONNX_CASE_TENSORS], outputs[ONNX_CASE_TENSORS];
    void *input_data[ONNX_CASE_TENSORS], *output_data[ONNX_CASE_TENSORS];
    dv_layout plain[ONNX_CASE_TENSORS];
    uint32_t input_count, output_count;
} borders;

static void *tensor_memory(const dv_tensor *tensor)
{
    size_t bytes = 0;
    void *memory = NULL;
    if (!dv_tensor_bytes(tensor, &bytes) ||
        posix_memalign(&memory, DV_TENSOR_ALIGN, bytes + DV_TENSOR_PADDING) != 0)
        abort();
    memset(memory, 0xee, bytes + DV_TENSOR_PADDING);
    return memory;
}

static const char *fill_borders(const onnx_case *test, borders *b)
{
    const dv_graph *graph = test->lowered;
    memset(b, 0, sizeof *b);
    if (graph->input_count > ONNX_CASE_TENSORS || graph->output_count != test->expected_count)
        return "the lowered graph has other inputs or outputs than the data set";
    for (uint32_t i = 0; i < graph->input_count; i++) {
        const dv_tensor *tensor = &graph->tensors[graph->inputs[i]];
        const dv_tensor *value = stored(test, graph, i);
        size_t count;
        if (graph->consumer_start[graph->inputs[i]] ==
                graph->consumer_start[graph->inputs[i] + 1] &&
            !tensor->is_output)
            continue; /* CastLike's second input: only its type counts */
        if (!value || value->dtype != tensor->dtype ||
            !dv_shape_equal(&value->shape, &tensor->shape))
            return "an input of the lowered graph is not that of the data set";
        b->inputs[b->input_count] = graph->inputs[i];
        b->input_data[b->input_count] = tensor_memory(tensor);
        dv_shape_elements(&value->shape, &count);
        dv_tensor_read(value, 0, count, b->input_data[b->input_count++]);
    }
    for (uint32_t i = 0; i < graph->output_count; i++) {
        dv_tensor_id id = graph->outputs[i];
        bool made = graph->producer[id] != DV_NONE;
        for (uint32_t k = 0; k < b->output_count; k++)
            made = made && b->outputs[k] != id;
        if (!made)
            continue;
        b->outputs[b->output_count] = id;
        b->output_data[b->output_count++] = tensor_memory(&graph->tensors[id]);
    }
    return NULL;
}

static void free_borders(borders *b)
{
    for (uint32_t i = 0; i < b->input_count; i++)
        free(b->input_data[i]);
    for (uint32_t i = 0; i < b->output_count; i++)
        free(b->output_data[i]);
}

static dv_status execute(const onnx_case *test, const dv_backend *backend, borders *b)
{
    const dv_graph *graph = test->lowered;
    dv_op_id *ops = malloc((graph->op_count + 1) * sizeof *ops);
    uint64_t *stamps = calloc(graph->op_count + 1, sizeof *stamps);
    for (dv_op_id op = 0; op < graph->op_count; op++)
        ops[op] = op;
    dv_segment_spec spec = {.graph = graph,
                            .op_count = graph->op_count,
                            .ops = ops,
                            .input_count = b->input_count,
                            .output_count = b->output_count,
                            .inputs = b->inputs,
                            .outputs = b->outputs,
                            .input_layout = b->plain,
                            .output_layout = b->plain,
                            .precision = DV_DTYPE_F32,
                            .threads = 1};
    dv_executable *executable = NULL;
    dv_status status = backend->compile(&spec, &executable);
    if (status == DV_OK)
        status = backend->bind(executable, b->input_data, b->output_data);
    if (status == DV_OK)
        status = backend->run(executable, stamps);
    if (status == DV_OK) /* a second run gives the same: nothing is left over from the first */
        status = backend->run(executable, NULL);
    backend->destroy(executable);
    free(stamps);
    free(ops);
    return status;
}

/* An output is what the run made, or an input or a constant that goes straight through. */
static onnx_verdict compare_outputs(onnx_case *test, const borders *b)
{
    const dv_graph *graph = test->lowered;
    for (uint32_t i = 0; i < graph->output_count; i++) {
        const dv_tensor *tensor = &graph->tensors[graph->outputs[i]];
        void *constant = NULL;
        const void *data = NULL;
        for (uint32_t k = 0; k < b->output_count; k++)
            data = b->outputs[k] == graph->outputs[i] ? b->output_data[k] : data;
        for (uint32_t k = 0; k < b->input_count; k++)
            data = b->inputs[k] == graph->outputs[i] ? b->input_data[k] : data;
        if (tensor->role == DV_ROLE_CONSTANT) {
            size_t count = 0;
            dv_shape_elements(&tensor->shape, &count);
            data = constant = tensor_memory(tensor);
            dv_tensor_read(tensor, 0, count, constant);
        }
        onnx_verdict verdict = compare(test, i, tensor, data);
        free(constant);
        if (verdict != ONNX_PASSED)
            return verdict;
    }
    return graph->op_count == 0 ? ONNX_FOLDED : ONNX_PASSED;
}

onnx_verdict onnx_case_run(onnx_case *test, const dv_backend *backend)
{
    const dv_graph *graph = test->lowered;
    for (dv_op_id op = 0; op < graph->op_count; op++)
        if (!backend->supports(graph, op, DV_DTYPE_F32, test->why, sizeof test->why))
            return ONNX_UNSUPPORTED;
    borders b;
    const char *fault = fill_borders(test, &b);
    onnx_verdict verdict = fault ? say(test, ONNX_FAILED, fault) : ONNX_PASSED;
    if (!fault && graph->op_count > 0) {
        dv_status status = execute(test, backend, &b);
        if (status != DV_OK)
            verdict = say(test, ONNX_FAILED, dv_message()); /* supports said yes */
    }
    if (verdict == ONNX_PASSED)
        verdict = compare_outputs(test, &b);
    free_borders(&b);
    return verdict;
}
