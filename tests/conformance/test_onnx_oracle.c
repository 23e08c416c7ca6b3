/* test_onnx_oracle.c - our reader of ONNX files against protobuf-c's, made from the standard's own
   schema: every node, name, attribute, shape and element of Debian's libonnx-testdata. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/load.h"
#include "load/onnx_read.h"
#include "load/onnx_tensor.h"
#include "tests/onnx_writer.h"
#include "tests/suite.h"

#if __has_include("tests/onnx.pb-c.h")
#include "tests/onnx.pb-c.h"

typedef struct comparison {
    const char *path;
    const uint8_t *file;
    dv_onnx_files files;
    dv_arena *arena;
    size_t nodes, attributes, tensors, differences;
} comparison;

static void expect(comparison *c, bool same, const char *what)
{
    if (same)
        return;
    if (c->differences++ < 5)
        fprintf(stderr, "\n    %s: %s differs", c->path, what);
}

static bool same_text(dv_span ours, const char *theirs)
{
    return dv_span_is(ours, theirs ? theirs : "");
}

static bool same_bytes(dv_span ours, ProtobufCBinaryData theirs)
{
    return dv_span_equal(ours, (dv_span){theirs.data, theirs.len});
}

static bool same_names(const dv_onnx_spans *ours, size_t count, char *const *theirs)
{
    if (ours->count != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!same_text(ours->items[i], theirs[i]))
            return false;
    return true;
}

/* Element i of a tensor as the standard stores it, from whichever field has it. */
static uint64_t element_bits(const Onnx__TensorProto *t, size_t i)
{
    uint64_t bits = 0;
    switch (t->data_type) {
    case ONNX_FLOAT:
        memcpy(&bits, &t->float_data[i], 4);
        return bits;
    case ONNX_DOUBLE:
        memcpy(&bits, &t->double_data[i], 8);
        return bits;
    case ONNX_INT64:
        return (uint64_t)t->int64_data[i];
    case 12: /* UINT32, UINT64 */
    case 13:
        return t->uint64_data[i];
    default:
        return (uint64_t)(int64_t)t->int32_data[i];
    }
}

static size_t typed_count(const Onnx__TensorProto *t)
{
    return t->data_type == ONNX_FLOAT                 ? t->n_float_data
           : t->data_type == ONNX_DOUBLE              ? t->n_double_data
           : t->data_type == ONNX_INT64               ? t->n_int64_data
           : t->data_type == 12 || t->data_type == 13 ? t->n_uint64_data
                                                      : t->n_int32_data;
}

static bool same_elements(const dv_tensor *ours, const Onnx__TensorProto *theirs)
{
    size_t bytes, width = dv_dtype_bytes(ours->dtype);
    if (!dv_tensor_bytes(ours, &bytes))
        return false;
    const uint8_t *raw = dv_tensor_raw(ours);
    if (theirs->has_raw_data)
        return theirs->raw_data.len == bytes &&
               (bytes == 0 || memcmp(raw, theirs->raw_data.data, bytes) == 0);
    if (typed_count(theirs) * width != bytes)
        return false;
    for (size_t i = 0; i < bytes / width; i++) {
        uint64_t bits = element_bits(theirs, i);
        if (memcmp(raw + i * width, &bits, width) != 0)
            return false;
    }
    return true;
}

static void compare_tensor(comparison *c, dv_span bytes, const Onnx__TensorProto *theirs)
{
    dv_onnx_tensor view;
    c->tensors++;
    expect(c, dv_onnx_read_tensor(bytes, c->file, &view) == DV_OK, "a tensor that is read");
    bool same = same_text(view.name, theirs->name) && view.rank == theirs->n_dims &&
                view.type == (uint32_t)theirs->data_type;
    for (uint32_t i = 0; same && i < view.rank; i++)
        same = view.dims[i] == theirs->dims[i];
    expect(c, same, "a tensor's name, type or shape");
    dv_tensor tensor = {0};
    bool read = dv_onnx_tensor_data(&c->files, &view, &tensor) == DV_OK;
    expect(c, read, "a tensor whose data is read");
    if (read && tensor.data.storage == DV_STORAGE_BUFFER)
        expect(c, same_elements(&tensor, theirs), "a tensor's elements");
    dv_buffer_release(tensor.data.buffer);
}

static void compare_graph(comparison *c, dv_span bytes, const Onnx__GraphProto *theirs);

static bool same_lists(comparison *c, const dv_onnx_attribute *ours,
                       const Onnx__AttributeProto *theirs)
{
    size_t most = ours->body.size + 1, count;
    int64_t *ints = dv_arena_array(c->arena, most, sizeof *ints);
    float *floats = dv_arena_array(c->arena, most, sizeof *floats);
    if (dv_onnx_read_ints(ours, c->file, most, ints, &count) != DV_OK || count != theirs->n_ints ||
        (count && memcmp(ints, theirs->ints, count * sizeof *ints) != 0))
        return false;
    return dv_onnx_read_floats(ours, c->file, most, floats, &count) == DV_OK &&
           count == theirs->n_floats &&
           (!count || memcmp(floats, theirs->floats, count * sizeof *floats) == 0);
}

static void compare_attribute(comparison *c, const dv_onnx_attribute *ours,
                              const Onnx__AttributeProto *theirs)
{
    c->attributes++;
    expect(c, same_text(ours->name, theirs->name), "an attribute's name");
    expect(c, ours->type == (uint32_t)theirs->type, "an attribute's type");
    if (theirs->has_f)
        expect(c, memcmp(&ours->f, &theirs->f, sizeof ours->f) == 0, "a number");
    if (theirs->has_i)
        expect(c, ours->i == theirs->i, "an integer");
    if (theirs->has_s)
        expect(c, same_bytes(ours->s, theirs->s), "a text");
    expect(c, same_lists(c, ours, theirs), "a list");
    if (theirs->t)
        compare_tensor(c, ours->t, theirs->t);
    if (theirs->g)
        compare_graph(c, ours->g, theirs->g);
}

static void compare_node(comparison *c, dv_span bytes, const Onnx__NodeProto *theirs)
{
    dv_onnx_node ours;
    c->nodes++;
    bool read = dv_onnx_read_node(bytes, c->file, c->arena, &ours) == DV_OK;
    expect(c, read, "a node that is read");
    if (!read)
        return;
    expect(c,
           same_text(ours.name, theirs->name) && same_text(ours.op_type, theirs->op_type) &&
               same_text(ours.domain, theirs->domain),
           "a node's name, type or domain");
    expect(c, same_names(&ours.inputs, theirs->n_input, theirs->input), "a node's inputs");
    expect(c, same_names(&ours.outputs, theirs->n_output, theirs->output), "a node's outputs");
    expect(c, ours.attribute_count == theirs->n_attribute, "a node's count of attributes");
    for (uint32_t i = 0; i < ours.attribute_count && i < theirs->n_attribute; i++)
        compare_attribute(c, &ours.attributes[i], theirs->attribute[i]);
}

static void compare_value(comparison *c, dv_span bytes, const Onnx__ValueInfoProto *theirs)
{
    dv_onnx_value ours;
    bool read = dv_onnx_read_value(bytes, c->file, &ours) == DV_OK;
    expect(c, read, "an input that is read");
    if (!read)
        return;
    expect(c, same_text(ours.name, theirs->name), "an input's name");
    const Onnx__TypeProto__Tensor *type =
        theirs->type && theirs->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE
            ? theirs->type->tensor_type
            : NULL;
    expect(c, ours.is_tensor == (type != NULL), "an input's being a tensor");
    if (!type)
        return;
    expect(c, ours.type == (uint32_t)type->elem_type, "an input's element type");
    expect(c, ours.has_shape == (type->shape != NULL), "an input's having a shape");
    expect(c, ours.rank == (type->shape ? type->shape->n_dim : 0), "an input's rank");
    for (uint32_t i = 0; type->shape && i < ours.rank && i < type->shape->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = type->shape->dim[i];
        bool named = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        bool known = dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        expect(c, ours.dims[i].known == known, "a dimension's being known");
        expect(c, !known || ours.dims[i].value == dim->dim_value, "a dimension");
        expect(c, same_text(ours.dims[i].symbol, named ? dim->dim_param : ""), "a symbol");
    }
}

static void compare_graph(comparison *c, dv_span bytes, const Onnx__GraphProto *theirs)
{
    dv_onnx_graph ours;
    bool read = dv_onnx_read_graph(bytes, c->file, c->arena, &ours) == DV_OK;
    expect(c, read, "a graph that is read");
    if (!read)
        return;
    expect(c, same_text(ours.name, theirs->name), "a graph's name");
    bool same = ours.nodes.count == theirs->n_node && ours.inputs.count == theirs->n_input &&
                ours.outputs.count == theirs->n_output &&
                ours.initialisers.count == theirs->n_initializer;
    expect(c, same, "a graph's counts");
    for (uint32_t i = 0; same && i < ours.nodes.count; i++)
        compare_node(c, ours.nodes.items[i], theirs->node[i]);
    for (uint32_t i = 0; same && i < ours.initialisers.count; i++)
        compare_tensor(c, ours.initialisers.items[i], theirs->initializer[i]);
    for (uint32_t i = 0; same && i < ours.inputs.count; i++)
        compare_value(c, ours.inputs.items[i], theirs->input[i]);
    for (uint32_t i = 0; same && i < ours.outputs.count; i++)
        compare_value(c, ours.outputs.items[i], theirs->output[i]);
}

/* The loaded graph holds every node but Constants, by index and type, and every initialiser. */
static void compare_loaded(comparison *c, const Onnx__GraphProto *theirs)
{
    dv_graph *graph = NULL;
    bool loaded = dv_load(c->path, NULL, &graph) == DV_OK;
    if (!loaded && strstr(dv_message(), "--dim"))
        return; /* a sequence from outside, whose length only a person can say */
    expect(c, loaded, "a model that loads");
    if (!loaded) {
        fprintf(stderr, " (%s)", dv_message());
        return;
    }
    bool *seen = dv_arena_array(c->arena, theirs->n_node, sizeof *seen);
    for (dv_op_id o = 0; o < graph->op_count; o++) {
        const dv_op *op = &graph->ops[o];
        bool inside = op->debug_handle >= 0 && (size_t)op->debug_handle < theirs->n_node;
        expect(c, inside, "an operator's origin");
        if (!inside)
            continue;
        seen[op->debug_handle] = true;
        const char *type = theirs->node[op->debug_handle]->op_type;
        /* these stand for the operators inside them */
        bool inner =
            strcmp(type, "If") == 0 || strcmp(type, "Loop") == 0 || strcmp(type, "Scan") == 0;
        expect(c, inner || strcmp(op->source_type, type) == 0, "an operator's type");
    }
    for (size_t i = 0; i < theirs->n_node; i++) {
        const char *type = theirs->node[i]->op_type;
        bool leaves_none = strstr(type, "Sequence") || strstr(type, "Optional");
        expect(c, leaves_none || seen[i] != (strcmp(type, "Constant") == 0), "the set of nodes");
    }
    dv_tensor_id t = 0;
    for (size_t i = 0; i < theirs->n_initializer; i++, t++) {
        bool found = t < graph->tensor_count &&
                     strcmp(graph->tensors[t].name, theirs->initializer[i]->name) == 0;
        expect(c, found, "an initialiser's place");
        if (found && graph->tensors[t].data.storage == DV_STORAGE_BUFFER)
            expect(c, same_elements(&graph->tensors[t], theirs->initializer[i]),
                   "an initialiser's elements");
    }
    dv_graph_destroy(graph);
}

static void compare_file(comparison *c, const char *path)
{
    dv_buffer *buffer;
    CU_ASSERT_EQUAL_FATAL(dv_buffer_map(path, &buffer), DV_OK);
    c->path = path;
    c->file = dv_buffer_data(buffer);
    c->files = (dv_onnx_files){.path = path, .model = buffer};
    c->arena = dv_arena_create();
    Onnx__ModelProto *theirs =
        onnx__model_proto__unpack(NULL, dv_buffer_size(buffer), dv_buffer_data(buffer));
    dv_onnx_model ours;
    bool read =
        dv_onnx_read_model((dv_span){c->file, dv_buffer_size(buffer)}, c->file, &ours) == DV_OK;
    expect(c, theirs && theirs->graph && read, "a model that both read");
    if (theirs && theirs->graph && read) {
        expect(c,
               ours.ir_version == theirs->ir_version &&
                   same_text(ours.producer, theirs->producer_name) &&
                   same_text(ours.producer_version, theirs->producer_version),
               "the version or producer");
        expect(c, ours.opset_count == theirs->n_opset_import, "the count of operator sets");
        for (uint32_t i = 0; i < ours.opset_count && i < theirs->n_opset_import; i++)
            expect(c,
                   same_text(ours.opsets[i].domain, theirs->opset_import[i]->domain) &&
                       ours.opsets[i].version == theirs->opset_import[i]->version,
                   "an operator set");
        compare_graph(c, ours.graph, theirs->graph);
        compare_loaded(c, theirs->graph);
    }
    if (theirs)
        onnx__model_proto__free_unpacked(theirs, NULL);
    dv_onnx_files_close(&c->files);
    dv_arena_destroy(c->arena);
    dv_buffer_release(buffer);
}

static void every_model_of_the_standard_reads_as_protobuf_c_reads_it(void)
{
    glob_t found;
    if (glob("/usr/share/libonnx-testdata/data/*/*/model.onnx", 0, NULL, &found) != 0) {
        dv_skip(__func__, "Debian's libonnx-testdata is not installed");
        return;
    }
    comparison c = {0};
    for (size_t i = 0; i < found.gl_pathc; i++)
        compare_file(&c, found.gl_pathv[i]);
    CU_ASSERT_EQUAL(c.differences, 0);
    CU_ASSERT_TRUE(found.gl_pathc > 1000 && c.nodes > 2000 && c.attributes > 1000 &&
                   c.tensors > 200);
    printf("%zu models, %zu nodes, %zu attributes, %zu tensors ... ", found.gl_pathc, c.nodes,
           c.attributes, c.tensors);
    globfree(&found);
}

/* Typed lists of every element type, packed or not, as no model of the set has them all. */
static void typed_tensors_read_as_protobuf_c_reads_them(void)
{
    static const struct {
        int type;
        unsigned field;
    } types[] = {{ONNX_INT8, 5},  {ONNX_UINT8, 5},   {5, 5},           {4, 5},   {ONNX_INT32, 5},
                 {ONNX_BOOL, 5},  {ONNX_FLOAT16, 5}, {16, 5},          {12, 11}, {13, 11},
                 {ONNX_INT64, 7}, {ONNX_FLOAT, 4},   {ONNX_DOUBLE, 10}};
    char path[256];
    snprintf(path, sizeof path, "%s/typed.onnx", dv_test_folder());
    onnx_writer w = onnx_begin(13);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        dv_text tensor = {0}, packed = {0};
        char name[8];
        snprintf(name, sizeof name, "t%zu", i);
        pb_int(&tensor, 1, 3);
        pb_int(&tensor, 2, types[i].type);
        pb_string(&tensor, 8, name);
        for (int64_t k = 0; k < 3; k++) {
            double number = 1.5 * (double)k;
            if (types[i].field == 4)
                pb_float(&tensor, 4, (float)number);
            else if (types[i].field == 10)
                dv_text_append_n(&packed, (const char *)&number, sizeof number);
            else
                pb_varint(&packed, (uint64_t)(types[i].type == ONNX_BOOL ? k & 1 : 100 * k));
        }
        if (packed.length)
            pb_message(&tensor, types[i].field, &packed);
        onnx_graph_field(&w, 5, &tensor);
        dv_text_free(&tensor);
        dv_text_free(&packed);
    }
    onnx_node(&w, "Identity", "t0", "y");
    onnx_output(&w, "y", ONNX_INT8, NULL);
    CU_ASSERT_TRUE(onnx_save(&w, path));
    onnx_free(&w);
    comparison c = {0};
    compare_file(&c, path);
    CU_ASSERT_EQUAL(c.differences, 0);
    CU_ASSERT_EQUAL(c.tensors, sizeof types / sizeof types[0]);
}

#else

static void every_model_of_the_standard_reads_as_protobuf_c_reads_it(void)
{
    dv_skip(__func__, "built without protobuf-c's code for onnx.proto");
}

static void typed_tensors_read_as_protobuf_c_reads_them(void)
{
    dv_skip(__func__, "built without protobuf-c's code for onnx.proto");
}

#endif

DV_SUITE(conformance_onnx_oracle, DV_TEST(every_model_of_the_standard_reads_as_protobuf_c_reads_it),
         DV_TEST(typed_tensors_read_as_protobuf_c_reads_them));
