/* pt2_build.h - the state of loading one torch.export archive, shared by what reads the container,
   the weights, and the nodes. */
#ifndef DV_LOAD_PT2_BUILD_H
#define DV_LOAD_PT2_BUILD_H

#include "core/graph.h"
#include "core/json.h"
#include "load/aten.h"
#include "load/checkpoint.h"
#include "load/known.h"
#include "load/load.h"
#include "load/names.h"
#include "load/pt2_symbols.h"
#include "load/zip.h"

/* A name that nodes refer to. Values that share memory (a view and what it is taken from) hang
   together by `view_of`; writing to one changes the version of the root of them all. */
typedef struct dv_pt2_value {
    const char *name;
    dv_dtype dtype; /* as recorded; NONE, and an unknown rank, if it is not */
    dv_shape shape;
    bool is_complex;     /* of such parts; the shape's last dim is 2 */
    dv_tensor_id id;     /* what holds it now; DV_NONE: a weight that nobody has read yet */
    const char *weight;  /* a weight's name in the module, else NULL */
    bool is_constant;    /* a weight among the archive's constants */
    dv_tensor_id state;  /* of a weight that is written to: what held it at first */
    uint32_t view_of;    /* the value, DV_NONE if it has memory of its own */
    const dv_json *made; /* the node that made a view; NULL: it is all of view_of */
    uint32_t output;     /* which of that node's outputs it is */
    uint32_t version;
} dv_pt2_value;

/* One node on its way to operators. */
typedef struct dv_pt2_node {
    const dv_json_at *at;
    const char *target; /* "aten.conv2d.default": without "torch.ops." */
    const char *name;   /* as in the exported program */
    const char *space, *op, *overload;
    const char **outputs; /* names of values; NULL: none, or no tensor */
    uint32_t output_count;
    uint32_t first; /* the value of its first argument, DV_NONE if that is no tensor */
} dv_pt2_node;

/* The names of one graph; those of a graph inside a node are its own. */
typedef struct dv_pt2_scope {
    const char *prefix; /* of its nodes' names; NULL: none */
    dv_json_at graph;
    dv_names names; /* to values */
    int depth;
} dv_pt2_scope;

/* One of the archive's two lists of tensors. */
typedef struct dv_pt2_list {
    dv_json *document;
    dv_names entries;          /* name in the module to index */
    const dv_json **items;     /* the entry's object */
    dv_checkpoint *checkpoint; /* what torch 2.8 and older have instead of these, else NULL */
    const char *folder;        /* "data/weights/", behind the archive's root */
} dv_pt2_list;

typedef struct dv_pt2 {
    dv_zip *zip;
    dv_buffer *buffer;
    const dv_load_options *options;
    dv_arena *arena;
    dv_graph *graph;
    const char *root;  /* "name/" in front of every entry, or "" */
    const char *model; /* "model", of models/model.json */
    dv_json *document; /* the exported program */
    dv_pt2_list weights, constants;
    bool has_lists;     /* else the archive was stripped of its weights */
    bool has_stand_ins; /* some weight that was read is not what the file has */
    dv_pt2_symbols symbols;
    uint64_t bound;       /* bit i: option i named a symbol or a dimension */
    dv_pt2_value *values; /* malloc'ed */
    size_t value_count, value_capacity;
    dv_pt2_scope *scope;
    int64_t handle;      /* index of the main graph's node being read */
    size_t made_bytes;   /* of weights that were copied */
    size_t unrolled;     /* nodes that loops were turned into */
    dv_known known;      /* numbers that follow from constants */
    bool names_nodes;    /* the file says how nodes are called */
    dv_names node_names; /* names given to nodes that have none in the file: how often */
} dv_pt2;

/* ---- pt2_values.c ---- */

/* A whole number, held to the range of int64_t: torch writes "to the end" as its largest. */
DV_MUST_USE dv_status dv_pt2_integer(const dv_json_at *at, int64_t *out);

/* Sizes: {"as_int": n} or {"as_expr": {...}}. false if it has no value; the failure's message is
   set then. */
DV_MUST_USE dv_status dv_pt2_size(dv_pt2 *b, const dv_json_at *at, int64_t *out);

/* Collects the symbols of the graph's dimensions, and binds those that options name. */
DV_MUST_USE dv_status dv_pt2_bind(dv_pt2 *b, const dv_json_at *program);

/* The value of that name in the scope, added if it is new there. Valid until the next is added. */
DV_MUST_USE dv_status dv_pt2_value_of(dv_pt2 *b, const char *name, uint32_t *index);

/* Reads dtype and shape of the scope's values. */
DV_MUST_USE dv_status dv_pt2_open_scope(dv_pt2 *b, dv_pt2_scope *scope);

/* The tensor that holds the value now: a weight is added when it is first read, a view taken anew
   when what it is taken from was written to. */
DV_MUST_USE dv_status dv_pt2_read(dv_pt2 *b, uint32_t index, dv_tensor_id *id);

/* Adds a tensor of the value's type and shape, for an operator to make. */
DV_MUST_USE dv_status dv_pt2_add_output(dv_pt2 *b, uint32_t index, dv_tensor_id *id);

/* An element type of torch.export: a number, or its name. NONE if we have none like it. */
dv_dtype dv_pt2_dtype(const dv_json_at *at);

/* The same as c10::ScalarType, -1 if it is unknown. */
int64_t dv_pt2_scalar_type(const dv_json_at *at);

/* ---- pt2_weights.c ---- */

/* Reads the archive's lists of weights and constants, where it has them. */
DV_MUST_USE dv_status dv_pt2_open_lists(dv_pt2 *b);
void dv_pt2_close_lists(dv_pt2 *b);

/* Adds the weight that the value stands for. */
DV_MUST_USE dv_status dv_pt2_add_weight(dv_pt2 *b, uint32_t index, dv_tensor_id *id);

/* ---- pt2_nodes.c ---- */

/* Adds all operators of the scope. */
DV_MUST_USE dv_status dv_pt2_add_nodes(dv_pt2 *b);

/* Adds the operators of one node. again: only to take views anew. */
DV_MUST_USE dv_status dv_pt2_add_node(dv_pt2 *b, const dv_json_at *node, bool again);

/* The value of an argument that is one tensor, else DV_NONE. */
DV_MUST_USE dv_status dv_pt2_argument_value(dv_pt2 *b, const dv_json_at *input, uint32_t *index);

/* ---- pt2_regions.c ---- */

/* A node that only runs a graph in some mode of autograd's or autocast's: the graph's operators
   take its place, and its values become theirs. *done tells whether it is such a node. */
DV_MUST_USE dv_status dv_pt2_add_wrapped(dv_pt2 *b, const dv_pt2_node *n, bool *done);

/* cond, while_loop, scan and map: a branch that is known is taken, one that is not becomes a choice
   between both, and a loop whose number of turns is known becomes that many bodies. Otherwise
   *done is false and *reason, if it is set, says why. */
DV_MUST_USE dv_status dv_pt2_add_region(dv_pt2 *b, const dv_pt2_node *n,
                                        const dv_tensor_id *outputs, bool *done,
                                        const char **reason);

/* ---- pt2_args.c ---- */

/* A node's argument as ATen takes it. DV_BAD_INPUT naming what it is not. */
DV_MUST_USE dv_status dv_pt2_argument(dv_pt2 *b, const dv_json_at *arg, dv_aten_value *out);

/* The names of the tensors that a node gives, in order; NULL for one without a name. */
DV_MUST_USE dv_status dv_pt2_outputs(dv_pt2 *b, const dv_json_at *node, const char ***names,
                                     uint32_t *count, bool *all_tensors);

/* The only member of an object that holds one thing under the name of its kind. */
DV_MUST_USE dv_status dv_pt2_kind(const dv_json_at *at, dv_json_at *inner);

/* ---- pt2_alias.c ---- */

/* Does the operator's result share memory with its first argument? */
bool dv_pt2_is_view(const char *name);

/* Does the result of such a node? What makes elements contiguous, or reshapes them, copies them
   where memory does not have them in that order. */
bool dv_pt2_shares_memory(dv_pt2 *b, const dv_pt2_node *n);

/* Does the operator write to its first argument ("add_")? */
bool dv_pt2_writes(const char *name);

/* Value index holds id from now on, and so does everything that shares its memory. */
DV_MUST_USE dv_status dv_pt2_write(dv_pt2 *b, uint32_t index, dv_tensor_id id, const char *node);

/* Is the value a view of something that was written to since? */
bool dv_pt2_is_stale(const dv_pt2 *b, uint32_t index);

/* Marks the value, just made, as being up to date. */
void dv_pt2_refresh(dv_pt2 *b, uint32_t index);

#endif
