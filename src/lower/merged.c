/* merged.c - what became of the source's operators that lowering left no operator of that name.

   A plan goes back to a compiler by the names of the source, so each of them needs a place. An
   operator that was recognised as part of a larger one goes where that is computed; one that was
   folded into what made its input (a batch norm, a dropout, a view) goes there; one computed from
   constants goes to its first reader. O(operators log operators + edges). */
#include <stdlib.h>
#include <string.h>

#include "lower/passes.h"

typedef struct named {
    const char *name;
    dv_op_id first, last; /* of the lowered operators of that name */
} named;

typedef struct places {
    named *names; /* sorted */
    size_t count;
    dv_op_id *made;  /* per source operator: whose unit has its result; DV_NONE: not known */
    dv_op_id *read;  /* the same: the first operator that stands for it */
    bool *kept;      /* is it in the lowered graph by its own name? */
    bool *as_before; /* per lowered operator: is it of the kind that its name had? */
} places;

static int by_name(const void *a, const void *b)
{
    const named *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->first > y->first) - (x->first < y->first);
}

static const named *find(const places *p, const char *name)
{
    named key = {.name = name};
    size_t low = 0, high = p->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(p->names[middle].name, key.name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < p->count && strcmp(p->names[low].name, name) == 0 ? &p->names[low] : NULL;
}

static void collect(const dv_graph *graph, places *p)
{
    for (dv_op_id o = 0; o < graph->op_count; o++)
        p->names[o] = (named){graph->ops[o].name, o, o};
    qsort(p->names, graph->op_count, sizeof *p->names, by_name);
    for (dv_op_id o = 0; o < graph->op_count; o++) {
        if (p->count > 0 && strcmp(p->names[p->count - 1].name, p->names[o].name) == 0)
            p->names[p->count - 1].last = p->names[o].last;
        else
            p->names[p->count++] = p->names[o];
    }
}

/* The latest of those that make its inputs. */
static dv_op_id behind_inputs(const dv_graph *source, const dv_op *op, const dv_op_id *made)
{
    dv_op_id latest = DV_NONE;
    for (uint32_t i = 0; i < op->input_count; i++) {
        dv_op_id maker = op->inputs[i] == DV_NONE ? DV_NONE : source->producer[op->inputs[i]];
        dv_op_id at = maker == DV_NONE ? DV_NONE : made[maker];
        if (at != DV_NONE && (latest == DV_NONE || at > latest))
            latest = at;
    }
    return latest;
}

/* The earliest of those that read its results; *only if it is the only one. */
static dv_op_id before_readers(const dv_graph *source, const dv_op *op, const dv_op_id *read,
                               bool *only)
{
    dv_op_id earliest = DV_NONE;
    *only = true;
    for (uint32_t i = 0; i < op->output_count; i++) {
        dv_tensor_id t = op->outputs[i];
        if (t == DV_NONE)
            continue;
        *only &= !source->tensors[t].is_output;
        for (uint32_t c = source->consumer_start[t]; c < source->consumer_start[t + 1]; c++) {
            dv_op_id at = read[source->consumers[c]];
            if (at == DV_NONE)
                continue;
            *only &= earliest == DV_NONE || at == earliest;
            earliest = earliest == DV_NONE || at < earliest ? at : earliest;
        }
    }
    return earliest;
}

/* First forwards: where results are made. Then backwards: a part of something recognised goes to
   its only reader, if that has become another kind of operator under its name. */
static void place(const dv_graph *source, const dv_graph *graph, places *p)
{
    for (dv_op_id o = 0; o < source->op_count; o++) {
        const named *own = find(p, source->ops[o].name);
        p->kept[o] = own != NULL;
        p->made[o] = own ? own->last : behind_inputs(source, &source->ops[o], p->made);
        p->read[o] = own ? own->first : DV_NONE;
        for (dv_op_id k = 0; own && k < 2; k++) {
            dv_op_id at = k == 0 ? own->first : own->last;
            p->as_before[at] |= graph->ops[at].kind == source->ops[o].kind;
        }
    }
    for (dv_op_id o = source->op_count; o-- > 0;) {
        bool only;
        if (p->kept[o])
            continue;
        p->read[o] = before_readers(source, &source->ops[o], p->read, &only);
        bool part = p->read[o] != DV_NONE && only && !p->as_before[p->read[o]];
        if (part || p->made[o] == DV_NONE)
            p->made[o] = p->read[o];
    }
}

/* A name that several operators of the source share is told once. */
static bool is_told(const dv_graph *source, const places *p, dv_op_id o)
{
    const char *name = source->ops[o].name;
    return !p->kept[o] && (o == 0 || p->kept[o - 1] || strcmp(source->ops[o - 1].name, name) != 0);
}

/* In the order of what they were merged into, those that nothing stands for at the end. */
static dv_status tell(const dv_graph *source, const places *p, dv_graph *graph)
{
    uint32_t *start = calloc((size_t)graph->op_count + 2, sizeof *start), count = 0;
    dv_merged *merged = calloc((size_t)source->op_count + 1, sizeof *merged);
    dv_status status = start && merged ? DV_OK : dv_fail(DV_NO_MEMORY, "out of memory");
    for (dv_op_id o = 0; status == DV_OK && o < source->op_count; o++)
        if (is_told(source, p, o)) {
            start[(p->made[o] == DV_NONE ? graph->op_count : p->made[o]) + 1]++;
            count++;
        }
    for (dv_op_id o = 0; status == DV_OK && o <= graph->op_count; o++)
        start[o + 1] += start[o];
    for (dv_op_id o = 0; status == DV_OK && o < source->op_count; o++) {
        const dv_op *op = &source->ops[o];
        if (is_told(source, p, o))
            merged[start[p->made[o] == DV_NONE ? graph->op_count : p->made[o]]++] =
                (dv_merged){op->name, op->source_type, op->kind, op->debug_handle, p->made[o]};
    }
    if (status == DV_OK)
        status = dv_graph_set_merged(graph, merged, count);
    free(start);
    free(merged);
    return status;
}

dv_status dv_lower_tell_merged(const dv_graph *source, dv_graph *graph)
{
    places p = {.names = calloc((size_t)graph->op_count + 1, sizeof *p.names),
                .made = calloc((size_t)source->op_count + 1, sizeof *p.made),
                .read = calloc((size_t)source->op_count + 1, sizeof *p.read),
                .kept = calloc((size_t)source->op_count + 1, sizeof *p.kept),
                .as_before = calloc((size_t)graph->op_count + 1, sizeof *p.as_before)};
    dv_status status = DV_OK;
    if (!p.names || !p.made || !p.read || !p.kept || !p.as_before) {
        status = dv_fail(DV_NO_MEMORY, "out of memory");
    } else {
        collect(graph, &p);
        place(source, graph, &p);
        status = tell(source, &p, graph);
    }
    free(p.names);
    free(p.made);
    free(p.read);
    free(p.kept);
    free(p.as_before);
    return status;
}
