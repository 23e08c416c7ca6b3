/* bench_load.c - opening, parsing and lowering ONNX files, beside protobuf-c's reader of them.

   Two files are made in a temporary folder: ResNet-50 with its 102 MB of weights, and 100,000 small
   operators. Each way of reading runs in a process of its own, in turn, RUNS times, with the file
   in the page cache; medians, and the peak of memory that is not the mapped file. The last column
   is the ratio to protobuf-c's unpacking, which copies all weights and knows no operator.

     bench/bench_load [FILE.onnx...]     default: the two files */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "datasets/zoo/zoo.h"
#include "load/load.h"
#include "load/onnx_write.h"
#include "lower/lower.h"
#include "tests/onnx.pb-c.h"

enum { RUNS = 9, OPERATORS = 100000, CHANNELS = 4, SIDE = 4 };

/* ---- the file of many operators ---- */

typedef struct growth {
    dv_graph *graph;
    dv_status status;
    uint64_t seed;
} growth;

static dv_tensor_id constant(growth *g, dv_shape shape, double shift)
{
    char name[32];
    dv_tensor_id id = DV_NONE;
    snprintf(name, sizeof name, "c%llu", (unsigned long long)++g->seed);
    dv_tensor tensor = {
        .name = name,
        .dtype = DV_DTYPE_F32,
        .shape = shape,
        .role = DV_ROLE_CONSTANT,
        .data = {.storage = DV_STORAGE_GENERATED, .seed = g->seed, .scale = 0.25, .shift = shift}};
    if (g->status == DV_OK)
        g->status = dv_graph_add_tensor(g->graph, &tensor, &id);
    return id;
}

static dv_tensor_id append(growth *g, dv_op op, const dv_tensor_id *inputs, uint32_t count)
{
    char name[32];
    dv_tensor_id output = DV_NONE;
    dv_op_id ignored;
    snprintf(name, sizeof name, "op%u", g->graph->op_count);
    dv_tensor tensor = {.name = name, .dtype = DV_DTYPE_F32};
    tensor.shape = (dv_shape){.rank = 4, .dim = {1, CHANNELS, SIDE, SIDE}};
    if (g->status == DV_OK)
        g->status = dv_graph_add_tensor(g->graph, &tensor, &output);
    op.name = name;
    op.inputs = inputs;
    op.input_count = count;
    op.outputs = &output;
    op.output_count = 1;
    if (g->status == DV_OK)
        g->status = dv_graph_add_op(g->graph, &op, &ignored);
    return output;
}

/* Convolution and batch norm. */
static dv_tensor_id layer(growth *g, dv_tensor_id x)
{
    dv_op conv = {.kind = DV_OP_CONVOLUTION,
                  .params.conv = {.spatial = 2,
                                  .groups = 1,
                                  .stride = {1, 1},
                                  .dilation = {1, 1},
                                  .pad_begin = {1, 1},
                                  .pad_end = {1, 1}}};
    dv_shape filter = {.rank = 4, .dim = {CHANNELS, CHANNELS, 3, 3}};
    dv_shape vector = {.rank = 1, .dim = {CHANNELS}};
    dv_tensor_id weights[] = {x, constant(g, filter, 0)};
    x = append(g, conv, weights, 2);
    dv_op norm = {.kind = DV_OP_BATCH_NORM, .params.norm = {.eps = 1e-5}};
    dv_tensor_id parameters[] = {x, constant(g, vector, 1), constant(g, vector, 0),
                                 constant(g, vector, 0), constant(g, vector, 1)};
    return append(g, norm, parameters, 5);
}

/* The residual blocks of ResNet (He et al. 2016), seven operators each, as many as are wanted. */
static dv_status many_operators(dv_graph **out)
{
    growth g = {.graph = dv_graph_create("many", "bench")};
    if (!g.graph)
        return dv_fail(DV_NO_MEMORY, "no memory for a graph");
    dv_tensor image = {.name = "image", .dtype = DV_DTYPE_F32, .role = DV_ROLE_INPUT};
    image.shape = (dv_shape){.rank = 4, .dim = {1, CHANNELS, SIDE, SIDE}};
    dv_tensor_id x;
    g.status = dv_graph_add_tensor(g.graph, &image, &x);
    while (g.status == DV_OK && g.graph->op_count < OPERATORS) {
        dv_tensor_id y = layer(&g, x);
        y = layer(&g, append(&g, (dv_op){.kind = DV_OP_RELU}, &y, 1));
        y = append(&g, (dv_op){.kind = DV_OP_ADD}, (dv_tensor_id[]){x, y}, 2);
        x = append(&g, (dv_op){.kind = DV_OP_RELU}, &y, 1);
    }
    if (g.status == DV_OK)
        g.status = dv_graph_add_output(g.graph, x);
    if (g.status == DV_OK)
        g.status = dv_graph_finish(g.graph);
    if (g.status == DV_OK)
        *out = g.graph;
    else
        dv_graph_destroy(g.graph);
    return g.status;
}

static dv_status write_resnet50(const char *path)
{
    dv_graph *graph;
    DV_TRY(dv_zoo_build("resnet50", &graph));
    dv_status status = dv_onnx_write(graph, path, DV_WEIGHTS_INSIDE);
    dv_graph_destroy(graph);
    return status;
}

static dv_status write_many(const char *path)
{
    dv_graph *graph;
    DV_TRY(many_operators(&graph));
    dv_status status = dv_onnx_write(graph, path, DV_WEIGHTS_INSIDE);
    dv_graph_destroy(graph);
    return status;
}

/* ---- the ways of reading a file ---- */

static dv_status unpack(const char *path)
{
    dv_buffer *buffer;
    DV_TRY(dv_buffer_map(path, &buffer));
    Onnx__ModelProto *model =
        onnx__model_proto__unpack(NULL, dv_buffer_size(buffer), dv_buffer_data(buffer));
    dv_buffer_release(buffer);
    if (!model)
        return dv_fail(DV_BAD_INPUT, "%s: protobuf-c cannot unpack it", path);
    onnx__model_proto__free_unpacked(model, NULL);
    return DV_OK;
}

static dv_status load(const char *path)
{
    dv_graph *graph;
    DV_TRY(dv_load(path, &(dv_load_options){0}, &graph));
    dv_graph_destroy(graph);
    return DV_OK;
}

static dv_status load_and_lower(const char *path)
{
    dv_graph *source, *graph = NULL;
    DV_TRY(dv_load(path, &(dv_load_options){0}, &source));
    dv_status status = dv_lower(source, NULL, &graph);
    dv_graph_destroy(graph);
    dv_graph_destroy(source);
    return status;
}

static const struct {
    const char *name;
    dv_status (*read)(const char *path);
} ways[] = {
    {"protobuf-c unpack", unpack},
    {"divvy load", load},
    {"divvy load and lower", load_and_lower},
};

enum { WAYS = sizeof ways / sizeof ways[0] };

typedef struct sample {
    double ms, peak_mb;
    dv_status status;
} sample;

/* A figure of /proc/self/status in MB. */
static double memory_mb(const char *key)
{
    char line[256];
    double kb = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            kb = strtod(line + strlen(key), NULL);
    if (file)
        fclose(file);
    return kb * 1024 / 1e6;
}

/* Processor time, which other programs disturb least; and the most address space that was taken at
   once, without what there was before and the mapped file. */
static sample take(dv_status (*work)(const char *path), const char *path, double file_mb)
{
    struct timespec start, end;
    double before_mb = memory_mb("VmSize:");
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    sample result = {.status = work(path)};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    result.ms =
        1e3 * (double)(end.tv_sec - start.tv_sec) + 1e-6 * (double)(end.tv_nsec - start.tv_nsec);
    result.peak_mb = memory_mb("VmPeak:") - before_mb - file_mb;
    if (result.status != DV_OK)
        fprintf(stderr, "bench_load: %s\n", dv_message());
    return result;
}

/* In a process of its own, whose memory nothing else has touched. */
static dv_status in_a_process(dv_status (*work)(const char *path), const char *path, double file_mb,
                              sample *out)
{
    int ends[2];
    if (pipe(ends) != 0)
        return dv_fail(DV_IO, "no pipe");
    pid_t child = fork();
    if (child == 0) {
        sample result = take(work, path, file_mb);
        _exit(write(ends[1], &result, sizeof result) == sizeof result ? 0 : 1);
    }
    close(ends[1]);
    bool got = child > 0 && read(ends[0], out, sizeof *out) == sizeof *out;
    close(ends[0]);
    if (child > 0)
        waitpid(child, &(int){0}, 0);
    if (!got)
        return dv_fail(DV_IO, "%s: the process that worked on it ended early", path);
    return out->status == DV_OK ? DV_OK : dv_fail(out->status, "%s: see above", path);
}

static int by_time(const void *left, const void *right)
{
    double a = ((const sample *)left)->ms, b = ((const sample *)right)->ms;
    return (a > b) - (a < b);
}

static dv_status measure(const char *name, const char *path)
{
    sample samples[WAYS][RUNS];
    dv_buffer *buffer;
    DV_TRY(dv_buffer_map(path, &buffer));
    (void)dv_buffer_sha256(buffer); /* reads it all: the runs find it in the page cache */
    double file_mb = (double)dv_buffer_size(buffer) / 1e6;
    dv_buffer_release(buffer);
    for (int run = 0; run < RUNS; run++)
        for (size_t way = 0; way < WAYS; way++)
            DV_TRY(in_a_process(ways[way].read, path, file_mb, &samples[way][run]));
    double reference = 0;
    for (size_t way = 0; way < WAYS; way++) {
        qsort(samples[way], RUNS, sizeof(sample), by_time);
        const sample *median = &samples[way][RUNS / 2];
        if (way == 0)
            reference = median->ms;
        printf("%-20s %8.1f %-22s %9.1f %9.1f %8.3f\n", name, file_mb, ways[way].name, median->ms,
               median->peak_mb, median->ms / reference);
    }
    return DV_OK;
}

static dv_status measure_made_files(void)
{
    char folder[] = "/tmp/bench_load.XXXXXX", resnet[64], many[64];
    if (!mkdtemp(folder))
        return dv_fail(DV_IO, "%s: no temporary folder", folder);
    snprintf(resnet, sizeof resnet, "%s/resnet50.onnx", folder);
    snprintf(many, sizeof many, "%s/many.onnx", folder);
    sample ignored;
    dv_status status = in_a_process(write_resnet50, resnet, 0, &ignored);
    if (status == DV_OK)
        status = in_a_process(write_many, many, 0, &ignored);
    if (status == DV_OK)
        status = measure("resnet50", resnet);
    if (status == DV_OK)
        status = measure("100,000 operators", many);
    unlink(resnet);
    unlink(many);
    rmdir(folder);
    return status;
}

int main(int argc, char **argv)
{
    printf("medians of %d runs; processor time; memory beyond the mapped file\n\n", RUNS);
    printf("%-20s %8s %-22s %9s %9s %8s\n", "file", "MB", "read by", "ms", "peak MB", "ratio");
    dv_status status = DV_OK;
    for (int i = 1; status == DV_OK && i < argc; i++)
        status = measure(argv[i], argv[i]);
    if (argc < 2)
        status = measure_made_files();
    if (status != DV_OK)
        fprintf(stderr, "bench_load: %s\n", dv_message());
    return dv_status_exit(status);
}
