/* graphjson.h - graph/1: a graph as JSON, for examples, tests and people (doc/formats.md). */
#ifndef DV_LOAD_GRAPHJSON_H
#define DV_LOAD_GRAPHJSON_H

#include "core/graph.h"
#include "core/text.h"

/* Appends the graph to out; what is written loads back equal, except that units are left out and
   that bounds beyond 2^53 become 2^53 ("to the end" either way). Constants of up to 64 elements
   are written as numbers, larger ones as base64. DV_NO_MEMORY; DV_BAD_INPUT for
   what JSON or the reader cannot take: names that are not UTF-8, a graph without outputs. */
DV_MUST_USE dv_status dv_graph_write_json(const dv_graph *graph, dv_text *out);

#endif
