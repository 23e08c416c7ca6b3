/* portable.c - the reference backend: every operator by its portable kernel, one after another.

   It shares no step, layout choice or fusion with the fast backends, because it judges them. */
#include "runtime/portable/portable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "runtime/layout.h"
#include "runtime/memplan.h"

/* Where a tensor of the segment lies. */
typedef enum place {
    PLACE_NOWHERE,
    PLACE_CONSTANT, /* memory[] is set when compiled */
    PLACE_ARENA,    /* index: of items */
    PLACE_INPUT,    /* index: of the border inputs; memory comes with bind */
    PLACE_OUTPUT,
} place;

typedef struct slot {
    place place;
    uint32_t index;
    dv_tensor_id tensor;
    void *memory;
    void *owned; /* of a constant that had to be made */
} slot;

/* A border tensor that the neighbours want channels-last: its plain twin is in the arena. */
typedef struct conversion {
    const dv_tensor *tensor;
    uint32_t border; /* of inputs or outputs */
    uint32_t slot;
} conversion;

struct dv_executable {
    const dv_graph *graph;
    uint32_t op_count, slot_count, item_count, before_count, after_count;
    const dv_op_id *ids; /* copy of the spec's */
    dv_portable_op **ops;
    slot *slots;
    dv_memplan_item *items;
    conversion *before, *after; /* of inputs, of outputs */
    void *memory;               /* the arena of intermediate tensors */
    uint32_t *slot_of;          /* per tensor of the graph; DV_NONE: not in this segment */
    const void **inputs;        /* for one operator's bind */
    void **outputs;
    void **border_inputs, **border_outputs; /* of the last bind */
};

size_t dv_portable_found(const dv_executable *executable, uint32_t i)
{
    return dv_portable_op_found(executable->ops[i]);
}

static bool probe(char *why, size_t size)
{
    (void)why;
    (void)size;
    return true;
}

static void destroy(dv_executable *e)
{
    if (!e)
        return;
    for (uint32_t i = 0; e->ops && i < e->op_count; i++)
        dv_portable_op_destroy(e->ops[i]);
    for (uint32_t i = 0; i < e->slot_count; i++)
        free(e->slots[i].owned);
    free((void *)e->ids);
    free(e->ops);
    free(e->slots);
    free(e->items);
    free(e->before);
    free(e->after);
    free(e->memory);
    free(e->slot_of);
    free(e->inputs);
    free(e->outputs);
    free(e->border_inputs);
    free(e->border_outputs);
    free(e);
}

static uint32_t add_slot(dv_executable *e, dv_tensor_id tensor, place where, uint32_t index)
{
    e->slots[e->slot_count] = (slot){.place = where, .index = index, .tensor = tensor};
    e->slot_of[tensor] = e->slot_count;
    return e->slot_count++;
}

/* Steps are numbered 0: conversions of inputs, 1 + i: operator i, op_count + 1: conversions of
   outputs. */
static uint32_t add_item(dv_executable *e, dv_tensor_id tensor, uint32_t step)
{
    size_t bytes = 0;
    (void)dv_tensor_bytes(&e->graph->tensors[tensor], &bytes); /* the kernels' checks asked */
    e->items[e->item_count] = (dv_memplan_item){.bytes = bytes, .first = step, .last = step};
    return e->item_count++;
}

static dv_status add_constant(dv_executable *e, dv_tensor_id tensor)
{
    slot *s = &e->slots[add_slot(e, tensor, PLACE_CONSTANT, 0)];
    const void *data;
    DV_TRY(dv_portable_constant(&e->graph->tensors[tensor], &data, &s->owned));
    memcpy(&s->memory, &data, sizeof s->memory); /* only read; the slot's pointer is for all */
    return DV_OK;
}

static dv_status add_border_inputs(dv_executable *e, const dv_segment_spec *spec)
{
    for (uint32_t i = 0; i < spec->input_count; i++) {
        dv_tensor_id id = spec->inputs[i];
        const dv_tensor *tensor = &e->graph->tensors[id];
        if (e->slot_of[id] != DV_NONE)
            continue;
        if (spec->input_layout[i] == DV_LAYOUT_PLAIN) {
            add_slot(e, id, PLACE_INPUT, i);
            continue;
        }
        if (!dv_layout_may_be_channels_last(tensor->dtype, &tensor->shape))
            return dv_fail(DV_BAD_INPUT, "tensor '%s' cannot be channels-last", tensor->name);
        uint32_t s = add_slot(e, id, PLACE_ARENA, add_item(e, id, 0));
        e->before[e->before_count++] = (conversion){tensor, i, s};
    }
    return DV_OK;
}

/* Marks what the operator at a step reads as needed until then. */
static dv_status add_reads(dv_executable *e, const dv_op *op, uint32_t step)
{
    for (uint32_t i = 0; i < op->input_count; i++) {
        dv_tensor_id id = op->inputs[i];
        if (id == DV_NONE)
            continue;
        const dv_tensor *tensor = &e->graph->tensors[id];
        if (e->slot_of[id] == DV_NONE) {
            if (tensor->role != DV_ROLE_CONSTANT)
                return dv_fail(DV_BAD_INPUT,
                               "operator '%s' reads tensor '%s', which the segment neither makes "
                               "nor is given",
                               op->name, tensor->name);
            DV_TRY(add_constant(e, id));
        }
        const slot *s = &e->slots[e->slot_of[id]];
        if (s->place == PLACE_ARENA)
            e->items[s->index].last = step;
    }
    return DV_OK;
}

static void add_writes(dv_executable *e, const dv_op *op, uint32_t step)
{
    for (uint32_t i = 0; i < op->output_count; i++)
        if (op->outputs[i] != DV_NONE && e->slot_of[op->outputs[i]] == DV_NONE)
            add_slot(e, op->outputs[i], PLACE_ARENA, add_item(e, op->outputs[i], step));
}

/* An output that is plain lies in border memory at once; else in the arena until converted. */
static dv_status add_border_outputs(dv_executable *e, const dv_segment_spec *spec)
{
    for (uint32_t i = 0; i < spec->output_count; i++) {
        const dv_tensor *tensor = &e->graph->tensors[spec->outputs[i]];
        uint32_t at = e->slot_of[spec->outputs[i]];
        if (at == DV_NONE || e->slots[at].place != PLACE_ARENA)
            return dv_fail(DV_BAD_INPUT, "the segment does not make its output '%s'", tensor->name);
        slot *s = &e->slots[at];
        if (spec->output_layout[i] == DV_LAYOUT_PLAIN) {
            e->items[s->index].bytes = 0;
            *s = (slot){.place = PLACE_OUTPUT, .index = i, .tensor = spec->outputs[i]};
            continue;
        }
        if (!dv_layout_may_be_channels_last(tensor->dtype, &tensor->shape))
            return dv_fail(DV_BAD_INPUT, "tensor '%s' cannot be channels-last", tensor->name);
        e->items[s->index].last = e->op_count + 1;
        e->after[e->after_count++] = (conversion){tensor, i, at};
    }
    return DV_OK;
}

static dv_status place_arena(dv_executable *e)
{
    size_t total;
    DV_TRY(dv_memplan(e->items, e->item_count, &total));
    e->memory = dv_memplan_allocate(total);
    if (!e->memory)
        return dv_fail(DV_NO_MEMORY, "no memory for %zu bytes of intermediate tensors", total);
    for (uint32_t i = 0; i < e->slot_count; i++)
        if (e->slots[i].place == PLACE_ARENA)
            e->slots[i].memory = (char *)e->memory + e->items[e->slots[i].index].offset;
    return DV_OK;
}

/* Arrays as large as the segment can need. */
static bool allocate_parts(dv_executable *e, const dv_segment_spec *spec)
{
    size_t most = 1, all = (size_t)spec->input_count + 1;
    for (uint32_t i = 0; i < spec->op_count; i++) {
        const dv_op *op = &spec->graph->ops[spec->ops[i]];
        most = op->input_count > most ? op->input_count : most;
        most = op->output_count > most ? op->output_count : most;
        all += (size_t)op->input_count + op->output_count;
    }
    dv_op_id *ids = calloc((size_t)spec->op_count + 1, sizeof *ids);
    e->ids = ids;
    e->ops = calloc((size_t)spec->op_count + 1, sizeof(dv_portable_op *));
    e->slots = calloc(all, sizeof *e->slots);
    e->items = calloc(all, sizeof *e->items);
    e->before = calloc((size_t)spec->input_count + 1, sizeof *e->before);
    e->after = calloc((size_t)spec->output_count + 1, sizeof *e->after);
    e->slot_of = malloc(((size_t)spec->graph->tensor_count + 1) * sizeof *e->slot_of);
    e->inputs = calloc(most, sizeof *e->inputs);
    e->outputs = calloc(most, sizeof *e->outputs);
    e->border_inputs = calloc((size_t)spec->input_count + 1, sizeof *e->border_inputs);
    e->border_outputs = calloc((size_t)spec->output_count + 1, sizeof *e->border_outputs);
    if (!ids || !e->ops || !e->slots || !e->items || !e->before || !e->after || !e->slot_of ||
        !e->inputs || !e->outputs || !e->border_inputs || !e->border_outputs)
        return false;
    memset(e->slot_of, 0xff, ((size_t)spec->graph->tensor_count + 1) * sizeof *e->slot_of);
    if (spec->op_count > 0)
        memcpy(ids, spec->ops, spec->op_count * sizeof *ids);
    return true;
}

static dv_status build(dv_executable *e, const dv_segment_spec *spec)
{
    if (spec->precision != DV_DTYPE_F32)
        return dv_fail(DV_BAD_INPUT, "portable computes in f32 only");
    e->graph = spec->graph;
    if (!allocate_parts(e, spec))
        return dv_fail(DV_NO_MEMORY, "out of memory");
    e->op_count = spec->op_count;
    for (uint32_t i = 0; i < spec->op_count; i++)
        DV_TRY(dv_portable_op_create(spec->graph, spec->ops[i], &e->ops[i]));
    DV_TRY(add_border_inputs(e, spec));
    for (uint32_t i = 0; i < spec->op_count; i++) {
        DV_TRY(add_reads(e, &spec->graph->ops[spec->ops[i]], i + 1));
        add_writes(e, &spec->graph->ops[spec->ops[i]], i + 1);
    }
    DV_TRY(add_border_outputs(e, spec));
    return place_arena(e);
}

static dv_status compile(const dv_segment_spec *spec, dv_executable **out)
{
    *out = NULL;
    dv_executable *e = calloc(1, sizeof *e);
    if (!e)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    dv_status status = build(e, spec);
    if (status != DV_OK) {
        destroy(e);
        return status;
    }
    *out = e;
    return DV_OK;
}

static void *memory_of(const dv_executable *e, dv_tensor_id tensor)
{
    return tensor == DV_NONE ? NULL : e->slots[e->slot_of[tensor]].memory;
}

static dv_status bind(dv_executable *e, void *const *inputs, void *const *outputs)
{
    for (uint32_t i = 0; i < e->slot_count; i++) {
        slot *s = &e->slots[i];
        if (s->place == PLACE_INPUT)
            s->memory = inputs[s->index];
        else if (s->place == PLACE_OUTPUT)
            s->memory = outputs[s->index];
    }
    for (uint32_t i = 0; i < e->before_count; i++)
        e->border_inputs[e->before[i].border] = inputs[e->before[i].border];
    for (uint32_t i = 0; i < e->after_count; i++)
        e->border_outputs[e->after[i].border] = outputs[e->after[i].border];
    for (uint32_t i = 0; i < e->op_count; i++) {
        const dv_op *op = &e->graph->ops[e->ids[i]];
        for (uint32_t k = 0; k < op->input_count; k++)
            e->inputs[k] = memory_of(e, op->inputs[k]);
        for (uint32_t k = 0; k < op->output_count; k++)
            e->outputs[k] = memory_of(e, op->outputs[k]);
        dv_portable_op_bind(e->ops[i], e->inputs, e->outputs);
    }
    return DV_OK;
}

static dv_status run(dv_executable *e, uint64_t *op_end_ns)
{
    for (uint32_t i = 0; i < e->before_count; i++) {
        const conversion *c = &e->before[i];
        dv_layout_convert(c->tensor->dtype, &c->tensor->shape, e->border_inputs[c->border],
                          DV_LAYOUT_CHANNELS_LAST, e->slots[c->slot].memory, DV_LAYOUT_PLAIN);
    }
    for (uint32_t i = 0; i < e->op_count; i++) {
        DV_TRY(dv_portable_op_run(e->ops[i]));
        if (op_end_ns)
            op_end_ns[i] = dv_clock_ns();
    }
    for (uint32_t i = 0; i < e->after_count; i++) {
        const conversion *c = &e->after[i];
        dv_layout_convert(c->tensor->dtype, &c->tensor->shape, e->slots[c->slot].memory,
                          DV_LAYOUT_PLAIN, e->border_outputs[c->border], DV_LAYOUT_CHANNELS_LAST);
    }
    return DV_OK;
}

const dv_backend dv_backend_portable = {
    .name = "portable",
    .summary = "plain C in double precision: slow, and the reference for all others",
    .prefers_channels_last = false,
    .probe = probe,
    .supports = dv_portable_supports,
    .compile = compile,
    .bind = bind,
    .run = run,
    .destroy = destroy,
};
