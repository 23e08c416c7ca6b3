/* program_run.c - a compiled program: bind its memory, run its steps, free it. */
#include <stdlib.h>

#include "core/clock.h"
#include "runtime/program_parts.h"

dv_status dv_program_bind(dv_executable *executable, void *const *inputs, void *const *outputs)
{
    dv_program *program = (dv_program *)executable;
    program->bound = false;
    for (size_t i = 0; i < program->memory_count; i++) {
        program_memory *row = &program->memory[i];
        if (row->place == PLACE_INPUT)
            row->address = inputs[row->border];
        else if (row->place == PLACE_OUTPUT)
            row->address = outputs[row->border];
    }
    for (size_t s = 0; s < program->step_count; s++) {
        const program_step *step = &program->steps[s];
        for (uint32_t i = 0; i < step->value_count; i++) {
            dv_value value = program->step_values[step->first_value + i];
            program->addresses[i] = value == DV_NONE ? NULL : program->memory[value].address;
        }
        DV_TRY(dv_within(step->code->bind(step->object, program->addresses), "operator '%s'",
                         dv_program_op(program, step->at)->name));
    }
    program->bound = true;
    return DV_OK;
}

static dv_status run_step(const dv_program *program, const program_step *step)
{
    dv_status status = step->code->run(step->object);
    if (status != DV_OK)
        return dv_within(status, "operator '%s'", dv_program_op(program, step->at)->name);
    return DV_OK;
}

static dv_status run_steps(const dv_program *program, uint64_t *op_end_ns)
{
    if (!op_end_ns) {
        for (size_t s = 0; s < program->step_count; s++)
            DV_TRY(run_step(program, &program->steps[s]));
        return DV_OK;
    }
    uint64_t now = dv_clock_ns();
    uint32_t at = 0; /* operators before it have their stamp */
    for (size_t s = 0; s < program->step_count; s++) {
        for (; at < program->steps[s].at; at++)
            op_end_ns[at] = now;
        DV_TRY(run_step(program, &program->steps[s]));
        now = dv_clock_ns();
    }
    for (; at < program->spec.op_count; at++)
        op_end_ns[at] = now;
    return DV_OK;
}

dv_status dv_program_run(dv_executable *executable, uint64_t *op_end_ns)
{
    const dv_program *program = (const dv_program *)executable;
    if (!program->bound)
        return dv_fail(DV_INTERNAL, "a segment is run before it is bound");
    dv_status status = run_steps(program, op_end_ns);
    if (program->helper.object)
        program->helper.after_run(program->helper.object);
    return status;
}

void dv_program_destroy(dv_executable *executable)
{
    dv_program *program = (dv_program *)executable;
    if (!program)
        return;
    for (size_t s = 0; s < program->step_count; s++)
        program->steps[s].code->destroy(program->steps[s].object);
    for (size_t i = 0; i < program->memory_count; i++)
        free(program->memory[i].owned);
    if (program->helper.object)
        program->helper.destroy(program->helper.object);
    if (program->rules->destroy)
        program->rules->destroy(program->context);
    dv_program_forget_lowering(program);
    free(program->memory);
    free(program->steps);
    free(program->step_values);
    free(program->arena);
    free(program->addresses);
    free((void *)(uintptr_t)program->spec.ops);
    free((void *)(uintptr_t)program->spec.inputs);
    free((void *)(uintptr_t)program->spec.outputs);
    free((void *)(uintptr_t)program->spec.input_layout);
    free((void *)(uintptr_t)program->spec.output_layout);
    free(program);
}
