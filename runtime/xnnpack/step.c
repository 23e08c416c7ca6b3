/* step.c - the life of one XNNPACK operator inside a program, and what lowerings share. */
#include <math.h>
#include <stdlib.h>

#include <pthreadpool.h>

#include "runtime/memplan.h"
#include "runtime/xnnpack/ops.h"

static const char *status_text(enum xnn_status status)
{
    switch (status) {
    case xnn_status_invalid_parameter:
        return "a parameter is invalid";
    case xnn_status_unsupported_parameter:
        return "a parameter is not supported";
    case xnn_status_unsupported_hardware:
        return "the processor is not supported";
    case xnn_status_out_of_memory:
        return "out of memory";
    default:
        return "internal error";
    }
}

static dv_status failed(const char *doing, enum xnn_status status)
{
    return dv_fail(status == xnn_status_out_of_memory ? DV_NO_MEMORY : DV_INTERNAL,
                   "XNNPACK could not %s: %s", doing, status_text(status));
}

static dv_status bind_step(void *object, void *const *memory)
{
    dv_xnn_step *step = object;
    enum xnn_status status = step->setup(step, memory);
    return status == xnn_status_success ? DV_OK : failed("set up an operator", status);
}

static dv_status run_step(void *object)
{
    dv_xnn_step *step = object;
    enum xnn_status status = xnn_run_operator(step->op, step->pool);
    return status == xnn_status_success ? DV_OK : failed("run an operator", status);
}

void dv_xnn_step_destroy(void *object)
{
    dv_xnn_step *step = object;
    if (step->op)
        xnn_delete_operator(step->op);
    free(step->constant);
    free(step);
}

static const dv_step_code step_code = {bind_step, run_step, dv_xnn_step_destroy};

static void do_nothing(void *context, size_t i)
{
    (void)context;
    (void)i;
}

/* The pool's threads go on spinning for milliseconds after their last task, on cores that the next
   device needs, unless that task told them to sleep. */
static void rest(void *pool)
{
    pthreadpool_parallelize_1d(pool, do_nothing, NULL, pthreadpool_get_threads_count(pool),
                               PTHREADPOOL_FLAG_YIELD_WORKERS);
}

static void destroy_pool(void *pool)
{
    pthreadpool_destroy(pool);
}

/* The program's pool, made when first asked for; NULL: this thread alone. */
static bool pool_of(dv_program *program, pthreadpool_t *pool)
{
    dv_program_helper *helper = dv_program_helper_of(program);
    uint32_t threads = dv_program_threads(program);
    if (threads > 1 && !helper->object) {
        helper->after_run = rest;
        helper->destroy = destroy_pool;
        helper->object = pthreadpool_create(threads);
        if (!helper->object) {
            dv_fail(DV_NO_MEMORY, "XNNPACK could not start %u threads", threads);
            return false;
        }
    }
    *pool = helper->object;
    return true;
}

dv_xnn_step *dv_xnn_step_create(dv_program *program,
                                enum xnn_status (*setup)(dv_xnn_step *, void *const *))
{
    dv_xnn_step *step = calloc(1, sizeof *step);
    if (!step) {
        dv_fail(DV_NO_MEMORY, "no memory for a step");
        return NULL;
    }
    if (!pool_of(program, &step->pool)) {
        free(step);
        return NULL;
    }
    step->setup = setup;
    step->batch = 1;
    return step;
}

dv_status dv_xnn_add(dv_program *program, dv_xnn_step *step, enum xnn_status status,
                     const dv_value *values, uint32_t count)
{
    if (status != xnn_status_success) {
        dv_xnn_step_destroy(step);
        return failed("create an operator", status);
    }
    return dv_program_step(program, &step_code, step, values, count);
}

enum xnn_status dv_xnn_setup_unary(dv_xnn_step *step, void *const *memory)
{
    const char *input = memory[0];
    char *output = memory[1];
    return step->unary(step->op, step->batch, (const float *)(input + step->input_offset),
                       (float *)(output + step->output_offset), step->pool);
}

enum xnn_status dv_xnn_setup_binary(dv_xnn_step *step, void *const *memory)
{
    const float *a = memory[0], *b = step->constant ? step->constant : memory[1];
    float *output = step->constant ? memory[1] : memory[2];
    return step->binary(step->op, step->rank_a, step->shape_a, step->rank_b, step->shape_b, a, b,
                        output, step->pool);
}

bool dv_xnn_is_constant(const dv_graph *graph, dv_tensor_id tensor)
{
    return tensor != DV_NONE && graph->tensors[tensor].role == DV_ROLE_CONSTANT;
}

void *dv_xnn_read_constant(const dv_tensor *tensor)
{
    size_t elements = 0, bytes = 0;
    if (!dv_shape_elements(&tensor->shape, &elements) || !dv_tensor_bytes(tensor, &bytes))
        return NULL;
    void *data = dv_memplan_allocate(bytes);
    if (data)
        dv_tensor_read(tensor, 0, elements, data);
    return data;
}

float *dv_xnn_read_floats(const dv_tensor *tensor)
{
    size_t elements = 0, bytes = 0;
    if (tensor->quant.count == 0)
        return dv_xnn_read_constant(tensor);
    if (!dv_shape_elements(&tensor->shape, &elements) ||
        !dv_mul_size(elements, sizeof(float), &bytes))
        return NULL;
    float *data = dv_memplan_allocate(bytes);
    if (data)
        (void)dv_tensor_read_numbers(tensor, 0, elements, data); /* integers have numbers */
    return data;
}

void dv_xnn_fuse_clamp(dv_program *program, uint32_t at, float *low, float *high,
                       dv_tensor_id *output)
{
    *low = -INFINITY;
    *high = INFINITY;
    *output = dv_program_op(program, at)->outputs[0];
    uint32_t next = dv_program_follower(program, at);
    if (next == DV_NONE)
        return;
    const dv_op *op = dv_program_op(program, next);
    if (op->kind == DV_OP_RELU) {
        *low = 0.0f;
    } else if (op->kind == DV_OP_CLAMP &&
               (float)op->params.clamp.min < (float)op->params.clamp.max) {
        *low = (float)op->params.clamp.min;
        *high = (float)op->params.clamp.max;
    } else {
        return;
    }
    *output = op->outputs[0];
    dv_program_take(program, next);
}

enum xnn_status dv_xnn_initialise(void)
{
    static enum xnn_status status = xnn_status_uninitialized;
    if (status != xnn_status_success)
        status = xnn_initialize(NULL);
    return status;
}
