/* program.c - from a segment to steps over values. */
#include "runtime/program.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/layout.h"
#include "runtime/memplan.h"
#include "runtime/portable/portable.h"
#include "runtime/program_parts.h"

static dv_status no_memory(void)
{
    return dv_fail(DV_NO_MEMORY, "no memory to compile a segment");
}

void *dv_program_context(const dv_program *program)
{
    return program->context;
}

const dv_graph *dv_program_graph(const dv_program *program)
{
    return program->spec.graph;
}

const dv_op *dv_program_op(const dv_program *program, uint32_t at)
{
    return &program->spec.graph->ops[program->spec.ops[at]];
}

uint32_t dv_program_threads(const dv_program *program)
{
    return program->spec.threads > 0 ? program->spec.threads : 1;
}

dv_program_helper *dv_program_helper_of(dv_program *program)
{
    return &program->helper;
}

static const dv_tensor *tensor_of(const dv_program *program, dv_tensor_id tensor)
{
    return &program->spec.graph->tensors[tensor];
}

dv_status dv_program_add_memory(dv_program *program, program_memory row, dv_value *out)
{
    void *items = program->memory;
    if (!dv_grow(&items, &program->memory_capacity, program->memory_count + 1, sizeof row)) {
        free(row.owned);
        return no_memory();
    }
    program->memory = items;
    row.first = DV_NONE;
    *out = (dv_value)program->memory_count;
    program->memory[program->memory_count++] = row;
    return DV_OK;
}

static dv_status layout_bytes(const dv_program *program, dv_tensor_id tensor, uint32_t layout,
                              size_t *bytes)
{
    const dv_tensor *t = tensor_of(program, tensor);
    bool ok = layout < DV_LAYOUT_OWN || dv_program_is_bytes(t)
                  ? dv_tensor_bytes(t, bytes)
                  : program->rules->own_bytes(program, t, bytes);
    return ok ? DV_OK : dv_fail(DV_BAD_INPUT, "tensor '%s' has no size that fits memory", t->name);
}

/* Two standard layouts in which this tensor's bytes are the same. */
static bool same_bytes(const dv_tensor *tensor, uint32_t a, uint32_t b)
{
    return a == b || (a < DV_LAYOUT_OWN && b < DV_LAYOUT_OWN && tensor->shape.rank == 4 &&
                      dv_layout_same_bytes(&tensor->shape));
}

unsigned dv_program_layouts(const dv_program *program, dv_tensor_id tensor)
{
    if (tensor_of(program, tensor)->role == DV_ROLE_CONSTANT)
        return (1u << DV_LAYOUT_COUNT) - 1;
    if (dv_program_stands(program, tensor))
        return dv_program_number_layouts(program, tensor);
    unsigned mask = 0;
    for (uint32_t layout = 0; layout < DV_LAYOUT_COUNT; layout++)
        if (program->slots[tensor][layout] != DV_NONE)
            mask |= 1u << layout;
    return mask;
}

bool dv_program_has(const dv_program *program, dv_tensor_id tensor)
{
    return dv_program_layouts(program, tensor) != 0;
}

/* Copies a constant's elements into padded memory, plain. */
static dv_status copy_constant(dv_program *program, dv_tensor_id tensor, void **out)
{
    const dv_tensor *t = tensor_of(program, tensor);
    size_t bytes = 0, elements = 0;
    DV_TRY(layout_bytes(program, tensor, DV_LAYOUT_PLAIN, &bytes));
    *out = dv_memplan_allocate(bytes);
    if (!*out)
        return no_memory();
    if (dv_shape_elements(&t->shape, &elements) && elements > 0)
        dv_tensor_read(t, 0, elements, *out);
    return DV_OK;
}

static dv_status read_constant(dv_program *program, dv_tensor_id tensor, uint32_t layout,
                               dv_value *out)
{
    const dv_tensor *t = tensor_of(program, tensor);
    size_t bytes = 0;
    void *plain = NULL;
    DV_TRY(layout_bytes(program, tensor, DV_LAYOUT_PLAIN, &bytes));
    DV_TRY(copy_constant(program, tensor, &plain));
    if (layout == DV_LAYOUT_CHANNELS_LAST && !same_bytes(t, layout, DV_LAYOUT_PLAIN)) {
        void *last = dv_memplan_allocate(bytes);
        if (!last) {
            free(plain);
            return no_memory();
        }
        dv_layout_convert(t->dtype, &t->shape, plain, DV_LAYOUT_PLAIN, last,
                          DV_LAYOUT_CHANNELS_LAST);
        free(plain);
        plain = last;
    }
    program_memory row = {
        .place = PLACE_CONSTANT, .bytes = bytes, .address = plain, .owned = plain};
    return dv_program_add_memory(program, row, out);
}

dv_status dv_program_read_raw(dv_program *program, dv_tensor_id tensor, dv_value *out)
{
    uint32_t *slot = &program->slots[tensor][SLOT_RAW];
    if (*slot == DV_NONE) {
        const void *data = NULL;
        void *owned = NULL;
        DV_TRY(dv_portable_constant(tensor_of(program, tensor), &data, &owned));
        program_memory row = {.place = PLACE_CONSTANT, .address = (void *)(uintptr_t)data};
        row.owned = owned;
        DV_TRY(dv_program_add_memory(program, row, slot));
    }
    *out = *slot;
    return DV_OK;
}

/* Makes a layout of a tensor from another that is at hand. */
static dv_status read_converted(dv_program *program, dv_tensor_id tensor, uint32_t layout,
                                dv_value *out)
{
    const dv_tensor *t = tensor_of(program, tensor);
    uint32_t *slots = program->slots[tensor], from = DV_LAYOUT_COUNT;
    for (uint32_t other = 0; other < DV_LAYOUT_COUNT; other++) {
        if (slots[other] == DV_NONE)
            continue;
        if (same_bytes(t, other, layout)) {
            *out = slots[layout] = slots[other];
            return DV_OK;
        }
        from = other;
    }
    if (from == DV_LAYOUT_COUNT)
        return dv_fail(DV_INTERNAL, "tensor '%s' is read before it is made", t->name);
    program_memory row = {.place = PLACE_ARENA};
    DV_TRY(layout_bytes(program, tensor, layout, &row.bytes));
    dv_value source = slots[from];
    DV_TRY(dv_program_add_memory(program, row, out));
    DV_TRY(dv_program_add_convert(program, t, source, from, *out, layout));
    slots[layout] = *out;
    return DV_OK;
}

dv_status dv_program_read(dv_program *program, dv_tensor_id tensor, uint32_t layout, dv_value *out)
{
    const dv_tensor *t = tensor_of(program, tensor);
    uint32_t *slots = program->slots[tensor];
    if (dv_program_stands(program, tensor))
        return dv_program_read_numbers(program, tensor, layout, out);
    if (slots[layout] == DV_NONE) {
        dv_value value = DV_NONE;
        if (t->role == DV_ROLE_CONSTANT && layout < DV_LAYOUT_OWN)
            DV_TRY(read_constant(program, tensor, layout, &value));
        else if (t->role == DV_ROLE_CONSTANT && slots[DV_LAYOUT_PLAIN] == DV_NONE)
            DV_TRY(read_constant(program, tensor, DV_LAYOUT_PLAIN, &slots[DV_LAYOUT_PLAIN]));
        if (value == DV_NONE)
            DV_TRY(read_converted(program, tensor, layout, &value));
        slots[layout] = value;
    }
    *out = slots[layout];
    return DV_OK;
}

dv_status dv_program_write(dv_program *program, dv_tensor_id tensor, uint32_t layout, dv_value *out)
{
    program_memory row = {.place = PLACE_ARENA};
    if (dv_program_stands(program, tensor))
        return dv_program_write_numbers(program, tensor, layout, out);
    DV_TRY(layout_bytes(program, tensor, layout, &row.bytes));
    uint32_t border = program->output_of[tensor];
    if (border != DV_NONE &&
        same_bytes(tensor_of(program, tensor), layout, program->spec.output_layout[border])) {
        row.place = PLACE_OUTPUT;
        row.border = border;
        program->output_written[border] = true;
    }
    DV_TRY(dv_program_add_memory(program, row, out));
    program->slots[tensor][layout] = *out;
    return DV_OK;
}

dv_status dv_program_alias(dv_program *program, dv_tensor_id from, uint32_t from_layout,
                           dv_tensor_id to, uint32_t to_layout)
{
    dv_value value = DV_NONE;
    DV_TRY(dv_program_read(program, from, from_layout, &value));
    program->slots[to][to_layout] = value;
    return DV_OK;
}

dv_status dv_program_scratch(dv_program *program, size_t bytes, dv_value *out)
{
    program_memory row = {.place = PLACE_ARENA, .bytes = bytes};
    return dv_program_add_memory(program, row, out);
}

dv_status dv_program_step(dv_program *program, const dv_step_code *code, void *object,
                          const dv_value *values, uint32_t count)
{
    void *steps = program->steps, *list = program->step_values;
    bool grown =
        dv_grow(&steps, &program->step_capacity, program->step_count + 1, sizeof *program->steps);
    program->steps = steps;
    grown = grown && dv_grow(&list, &program->value_capacity, program->value_count + count,
                             sizeof *program->step_values);
    program->step_values = list;
    if (!grown) {
        code->destroy(object);
        return no_memory();
    }
    uint32_t index = (uint32_t)program->step_count++;
    program->steps[index] = (program_step){.code = code,
                                           .object = object,
                                           .at = program->at,
                                           .first_value = (uint32_t)program->value_count,
                                           .value_count = count};
    for (uint32_t i = 0; i < count; i++) {
        program->step_values[program->value_count++] = values[i];
        if (values[i] == DV_NONE)
            continue;
        program_memory *memory = &program->memory[values[i]];
        if (memory->first == DV_NONE)
            memory->first = index;
        memory->last = index;
    }
    return DV_OK;
}

uint32_t dv_program_follower(const dv_program *program, uint32_t at)
{
    const dv_graph *graph = program->spec.graph;
    const dv_op *op = dv_program_op(program, at);
    if (op->output_count != 1 || op->outputs[0] == DV_NONE)
        return DV_NONE;
    dv_tensor_id tensor = op->outputs[0];
    uint32_t first = graph->consumer_start[tensor];
    if (graph->consumer_start[tensor + 1] - first != 1 || graph->tensors[tensor].is_output ||
        graph->tensors[tensor].is_kept || program->output_of[tensor] != DV_NONE)
        return DV_NONE;
    uint32_t next = program->index_of[graph->consumers[first]];
    if (next == DV_NONE || next <= at || program->done[next])
        return DV_NONE;
    if (program->asked == ASK_FLOATS && !dv_program_all_f32(graph, dv_program_op(program, next)))
        return DV_NONE;
    /* what is rounded in between has to be */
    return program->asked == ASK_NUMBERS && dv_program_stands(program, tensor) ? DV_NONE : next;
}

void dv_program_take(dv_program *program, uint32_t at)
{
    program->done[at] = true;
}

/* Puts a border output where the outside wants it, unless its step wrote it there already. */
static dv_status deliver(dv_program *program, uint32_t border)
{
    if (program->output_written[border])
        return DV_OK;
    dv_tensor_id tensor = program->spec.outputs[border];
    const dv_tensor *t = tensor_of(program, tensor);
    uint32_t layout = program->spec.output_layout[border], from = DV_LAYOUT_COUNT;
    if (t->role == DV_ROLE_CONSTANT) {
        dv_value ignored;
        DV_TRY(dv_program_read(program, tensor, DV_LAYOUT_PLAIN, &ignored));
    }
    for (uint32_t other = 0; other < DV_LAYOUT_COUNT; other++)
        if (program->slots[tensor][other] != DV_NONE)
            from = from < DV_LAYOUT_COUNT && same_bytes(t, from, layout) ? from : other;
    if (from == DV_LAYOUT_COUNT)
        return dv_fail(DV_INTERNAL, "tensor '%s' is delivered but not made", t->name);
    program_memory row = {.place = PLACE_OUTPUT, .border = border};
    dv_value source = program->slots[tensor][from], to = DV_NONE;
    DV_TRY(layout_bytes(program, tensor, layout, &row.bytes));
    DV_TRY(dv_program_add_memory(program, row, &to));
    program->output_written[border] = true;
    if (same_bytes(t, from, layout))
        return dv_program_add_copy(program, row.bytes, source, to);
    program->slots[tensor][layout] = to;
    return dv_program_add_convert(program, t, source, from, to, layout);
}

dv_lower_fn dv_program_lowering(const dv_program_rules *rules, dv_op_kind kind)
{
    for (size_t i = 0; i < rules->lowering_count; i++)
        if (rules->lowerings[i].kind == kind)
            return rules->lowerings[i].lower;
    return NULL;
}

static dv_status lower_by_rules(dv_program *program, uint32_t at, bool *done)
{
    const dv_op *op = dv_program_op(program, at);
    dv_lower_fn lower = dv_program_lowering(program->rules, op->kind);
    const dv_graph *graph = program->spec.graph;
    dv_lower_fn integers = program->rules->integers;
    program->asked = ASK_FLOATS;
    if (lower && dv_program_all_f32(graph, op))
        return lower(program, at, done);
    if (!dv_op_is_quantised(graph, op) && !dv_op_is_raw(op->kind))
        return DV_OK;
    if (integers && dv_program_some_bytes(graph, op)) {
        program->asked = ASK_INTEGERS;
        DV_TRY(integers(program, at, done));
        program->asked = ASK_FLOATS;
    }
    if (!*done && lower && dv_program_is_of_numbers(graph, op))
        return dv_program_lower_numbers(program, lower, at, done);
    return DV_OK;
}

static dv_status lower_one(dv_program *program, uint32_t at)
{
    bool done = program->done[at];
    const dv_op *op = dv_program_op(program, at);
    program->at = at;
    if (!done)
        DV_TRY(dv_program_add_view(program, at, &done));
    if (!done)
        DV_TRY(lower_by_rules(program, at, &done));
    if (!done)
        DV_TRY(dv_program_add_portable(program, at));
    program->done[at] = true;
    for (uint32_t i = 0; i < op->output_count; i++)
        if (op->outputs[i] != DV_NONE && program->output_of[op->outputs[i]] != DV_NONE)
            DV_TRY(deliver(program, program->output_of[op->outputs[i]]));
    return DV_OK;
}

static dv_status lower_all(dv_program *program)
{
    const dv_segment_spec *spec = &program->spec;
    for (uint32_t i = 0; i < spec->input_count; i++) {
        program_memory row = {.place = PLACE_INPUT, .border = i};
        dv_value value = DV_NONE;
        DV_TRY(dv_program_add_memory(program, row, &value));
        program->slots[spec->inputs[i]][spec->input_layout[i]] = value;
    }
    for (uint32_t at = 0; at < spec->op_count; at++)
        DV_TRY(
            dv_within(lower_one(program, at), "operator '%s'", dv_program_op(program, at)->name));
    for (uint32_t i = 0; i < spec->output_count; i++)
        DV_TRY(deliver(program, i));
    return DV_OK;
}

/* Gives every intermediate its place in the arena. */
static dv_status plan_arena(dv_program *program)
{
    dv_memplan_item *items = calloc(program->memory_count + 1, sizeof *items);
    size_t total = 0;
    uint32_t count = 0, widest = 1;
    if (!items)
        return no_memory();
    for (size_t i = 0; i < program->memory_count; i++) {
        const program_memory *row = &program->memory[i];
        if (row->place == PLACE_ARENA && row->first != DV_NONE)
            items[count++] = (dv_memplan_item){row->bytes, row->first, row->last, 0};
    }
    for (size_t i = 0; i < program->step_count; i++)
        if (program->steps[i].value_count > widest)
            widest = program->steps[i].value_count;
    dv_status status = dv_memplan(items, count, &total);
    program->addresses = calloc(widest, sizeof *program->addresses);
    program->arena = dv_memplan_allocate(total);
    if (status == DV_OK && (!program->addresses || !program->arena))
        status = no_memory();
    count = 0;
    for (size_t i = 0; status == DV_OK && i < program->memory_count; i++) {
        program_memory *row = &program->memory[i];
        if (row->place == PLACE_ARENA && row->first != DV_NONE)
            row->address = (char *)program->arena + items[count++].offset;
    }
    free(items);
    return status;
}

static void *copy_array(const void *from, size_t count, size_t size)
{
    void *to = calloc(count + 1, size);
    if (to && count > 0)
        memcpy(to, from, count * size);
    return to;
}

static bool copy_spec(dv_program *program, const dv_segment_spec *spec)
{
    dv_segment_spec *own = &program->spec;
    *own = *spec;
    own->ops = copy_array(spec->ops, spec->op_count, sizeof *spec->ops);
    own->inputs = copy_array(spec->inputs, spec->input_count, sizeof *spec->inputs);
    own->outputs = copy_array(spec->outputs, spec->output_count, sizeof *spec->outputs);
    own->input_layout =
        copy_array(spec->input_layout, spec->input_count, sizeof *spec->input_layout);
    own->output_layout =
        copy_array(spec->output_layout, spec->output_count, sizeof *spec->output_layout);
    return own->ops && own->inputs && own->outputs && own->input_layout && own->output_layout;
}

static bool prepare(dv_program *program)
{
    const dv_segment_spec *spec = &program->spec;
    const dv_graph *graph = spec->graph;
    program->done = calloc((size_t)spec->op_count + 1, sizeof *program->done);
    program->slots = malloc(((size_t)graph->tensor_count + 1) * sizeof *program->slots);
    program->number_slots =
        malloc(((size_t)graph->tensor_count + 1) * sizeof *program->number_slots);
    program->output_of = malloc(((size_t)graph->tensor_count + 1) * sizeof(uint32_t));
    program->index_of = malloc(((size_t)graph->op_count + 1) * sizeof(uint32_t));
    program->output_written = calloc((size_t)spec->output_count + 1, sizeof(bool));
    if (!program->done || !program->slots || !program->number_slots || !program->output_of ||
        !program->index_of || !program->output_written)
        return false;
    memset(program->slots, 0xff, graph->tensor_count * sizeof *program->slots);
    memset(program->number_slots, 0xff, graph->tensor_count * sizeof *program->number_slots);
    memset(program->output_of, 0xff, graph->tensor_count * sizeof(uint32_t));
    memset(program->index_of, 0xff, graph->op_count * sizeof(uint32_t));
    for (uint32_t i = 0; i < spec->output_count; i++)
        program->output_of[spec->outputs[i]] = i;
    for (uint32_t at = 0; at < spec->op_count; at++)
        program->index_of[spec->ops[at]] = at;
    return true;
}

void dv_program_forget_lowering(dv_program *program)
{
    free(program->done);
    free(program->slots);
    free(program->number_slots);
    free(program->output_of);
    free(program->index_of);
    free(program->output_written);
    program->done = program->output_written = NULL;
    program->slots = NULL;
    program->number_slots = NULL;
    program->output_of = program->index_of = NULL;
}

dv_status dv_program_compile(const dv_segment_spec *spec, const dv_program_rules *rules,
                             void *context, dv_program **out)
{
    dv_program *program = calloc(1, sizeof *program);
    *out = NULL;
    if (!program) {
        if (rules->destroy)
            rules->destroy(context);
        return no_memory();
    }
    program->rules = rules;
    program->context = context;
    dv_status status = DV_OK;
    if (spec->precision != DV_DTYPE_F32)
        status = dv_fail(DV_BAD_INPUT, "precision %s does not run on this machine, only f32",
                         dv_dtype_name(spec->precision));
    else if (!copy_spec(program, spec) || !prepare(program))
        status = no_memory();
    if (status == DV_OK)
        status = lower_all(program);
    if (status == DV_OK)
        status = plan_arena(program);
    dv_program_forget_lowering(program);
    if (status != DV_OK) {
        dv_program_destroy((dv_executable *)program);
        return status;
    }
    *out = program;
    return DV_OK;
}
