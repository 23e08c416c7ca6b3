/* load.h - a model file becomes a graph.

   One loader a format, listed in loaders.def, found by magic bytes and then by extension. */
#ifndef DV_LOAD_LOAD_H
#define DV_LOAD_LOAD_H

#include "core/graph.h"

typedef struct dv_binding { /* --dim NAME=N */
    const char *name;
    int64_t value;
} dv_binding;

typedef struct dv_setting { /* --set INPUT=VALUE */
    const char *name;
    double value;
} dv_setting;

typedef struct dv_load_options {
    const dv_binding *dims; /* borrowed */
    size_t dim_count;
    const dv_setting *values; /* borrowed; of inputs that the caller turns into constants */
    size_t value_count;
    /* The rules of shapes (dv_lower_known), for nodes that can only be built once a shape or a
       value is known: loops, sequences, some transpositions. NULL: such a node stays opaque unless
       the file itself says enough. */
    dv_status (*infer)(const dv_graph *graph, dv_graph **out);
    const char *method; /* of a program that has several; NULL: forward, or the first */
} dv_load_options;

typedef struct dv_loader {
    const char *name;      /* "onnx" */
    const char *summary;   /* for --help */
    const char *extension; /* ".onnx" */
    /* Could these first bytes be this format? path is for the extension. */
    bool (*recognise)(const uint8_t *bytes, size_t size, const char *path);
    /* Fills a finished graph in source form. An operator that is not understood becomes OPAQUE with
       its reason, so that the rest can still be shown; lowering refuses it. */
    dv_status (*load)(const char *path, dv_buffer *buffer, const dv_load_options *options,
                      dv_graph **out);
} dv_loader;

/* Loads a model file; "-" is standard input. options may be NULL. DV_BAD_INPUT with
   "file: where: what"; the graph's source is the file. */
DV_MUST_USE dv_status dv_load(const char *path, const dv_load_options *options, dv_graph **out);

/* The same for bytes that were read already; path is for the extension, files beside the model, and
   messages. buffer stays the caller's (the graph retains it where it needs to). */
DV_MUST_USE dv_status dv_load_buffer(const char *path, dv_buffer *buffer,
                                     const dv_load_options *options, dv_graph **out);

/* The i-th loader, NULL past the last. */
const dv_loader *dv_loader_at(size_t i);

#endif
