/* test_decoding.c - a text decoder that takes its tokens one by one, with what it keeps in its
   states, says what it says of all of them at once. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "datasets/zoo/llama.h"
#include "tests/execution.h"

enum { MOST_TOKENS = 6, VOCABULARY = 37 };

/* Networks of the family that differ in what matters: groups of queries, one head, an own head. */
static const dv_llama sizes[] = {
    {2, 24, 4, 2, 6, 40, VOCABULARY, true, 32},
    {1, 16, 2, 2, 8, 20, VOCABULARY, false, 8},
    {3, 12, 3, 1, 4, 16, VOCABULARY, true, 1},
};

static dv_graph *llama(const dv_llama *variant, const char *form, int64_t tokens)
{
    char options[32];
    dv_zoo_entry entry = {.name = "small_llama", .citation = "ours", .variant = variant};
    dv_graph *graph = NULL;
    snprintf(options, sizeof options, "%s=%d", form, (int)tokens);
    CU_ASSERT_EQUAL_FATAL(dv_llama_build(&entry, options, &graph), DV_OK);
    return graph;
}

static dv_status start(execution *e, uint64_t plan)
{
    if (plan > 0)
        execution_scatter(e, plan);
    return execution_start(e, 1);
}

static void *input_named(execution *e, const char *name)
{
    for (uint32_t i = 0; i < e->graph->input_count; i++)
        if (strcmp(e->graph->tensors[e->graph->inputs[i]].name, name) == 0)
            return dv_executor_input(e->executor, i);
    CU_ASSERT_TRUE_FATAL(false);
    return NULL;
}

/* rms(a - b) / rms(b) */
static double error_of(const float *a, const float *b, size_t count)
{
    double difference = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        difference += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    return sqrt(difference / size);
}

static const float *state_named(execution *e, const char *name, size_t *count)
{
    for (dv_tensor_id t = 0; t < e->graph->tensor_count; t++) {
        const dv_tensor *tensor = &e->graph->tensors[t];
        if (tensor->role == DV_ROLE_STATE && strcmp(tensor->name, name) == 0 &&
            dv_shape_elements(&tensor->shape, count))
            return dv_executor_state(e->executor, t);
    }
    return NULL;
}

/* The largest error of the logits and of the caches. */
static double decoded_against_prefilled(const dv_llama *variant, const execution_device *devices,
                                        size_t device_count, uint64_t seed)
{
    int64_t tokens = 1 + (int64_t)(dv_rng_at(seed, 1) % MOST_TOKENS), text[MOST_TOKENS];
    for (int64_t i = 0; i < tokens; i++)
        text[i] = (int64_t)(dv_rng_at(seed, 2 + (uint64_t)i) % VOCABULARY);
    execution whole = execution_of(llama(variant, "prefill", tokens), devices, device_count);
    execution steps = execution_of(llama(variant, "decode", tokens), devices, device_count);
    CU_ASSERT_EQUAL_FATAL(start(&whole, seed), DV_OK);
    CU_ASSERT_EQUAL_FATAL(start(&steps, seed), DV_OK);
    memcpy(input_named(&whole, "input_ids"), text, (size_t)tokens * sizeof *text);
    CU_ASSERT_EQUAL(dv_executor_run(whole.executor), DV_OK);
    for (int64_t i = 0; i < tokens; i++) {
        memcpy(input_named(&steps, "input_ids"), &text[i], sizeof *text);
        memcpy(input_named(&steps, "position"), &i, sizeof i);
        CU_ASSERT_EQUAL(dv_executor_run(steps.executor), DV_OK);
    }
    double worst = error_of(dv_executor_output(steps.executor, 0),
                            dv_executor_output(whole.executor, 0), VOCABULARY);
    for (int layer = 0; layer < variant->layers; layer++)
        for (int i = 0; i < 2; i++) {
            char name[32];
            size_t count = 0, same = 0;
            snprintf(name, sizeof name, "layers.%d.%s", layer, i ? "values" : "keys");
            const float *a = state_named(&steps, name, &count);
            const float *b = state_named(&whole, name, &same);
            CU_ASSERT_TRUE_FATAL(a && b && count == same && count > 0);
            worst = fmax(worst, error_of(a, b, count));
        }
    execution_end(&whole);
    execution_end(&steps);
    return worst;
}

static void test_steps_of_decoding_equal_one_prefill_on_every_backend(void)
{
    for (size_t b = 0; execution_backend(b); b++)
        for (uint64_t seed = 1; seed <= 9; seed++) {
            const execution_device device = {.name = "cpu", .backend = execution_backend(b)};
            double error = decoded_against_prefilled(&sizes[seed % 3], &device, 1, seed);
            if (!(error < 1e-4))
                fprintf(stderr, "\n    %s, seed %llu: error %g\n", execution_backend(b),
                        (unsigned long long)seed, error);
            CU_ASSERT_TRUE(error < 1e-4);
        }
}

static void test_steps_of_decoding_equal_one_prefill_over_devices(void)
{
    for (uint64_t seed = 1; seed <= 9; seed++) {
        const char *other = execution_backend(seed % 3);
        const execution_device devices[] = {
            {.name = "cpu", .backend = "portable"},
            {.name = "npu", .backend = "worker", .inner = other ? other : "portable", .core = -1}};
        double error = decoded_against_prefilled(&sizes[seed % 3], devices, 2, seed);
        if (!(error < 1e-4))
            fprintf(stderr, "\n    seed %llu: error %g\n", (unsigned long long)seed, error);
        CU_ASSERT_TRUE(error < 1e-4);
    }
}

/* The token at a position must not depend on rows of the cache that later positions wrote. */
static void test_what_lies_after_the_position_is_not_seen(void)
{
    const execution_device device = {.name = "cpu", .backend = "portable"};
    execution e = execution_of(llama(&sizes[0], "decode", 4), &device, 1);
    CU_ASSERT_EQUAL_FATAL(execution_start(&e, 1), DV_OK);
    float first[VOCABULARY];
    for (int64_t run = 0; run < 3; run++) {
        int64_t token = run == 1 ? 5 : 7, position = run == 1 ? 2 : 0;
        memcpy(input_named(&e, "input_ids"), &token, sizeof token);
        memcpy(input_named(&e, "position"), &position, sizeof position);
        CU_ASSERT_EQUAL(dv_executor_run(e.executor), DV_OK);
        if (run == 0)
            memcpy(first, dv_executor_output(e.executor, 0), sizeof first);
    }
    CU_ASSERT_EQUAL(memcmp(first, dv_executor_output(e.executor, 0), sizeof first), 0);
    execution_end(&e);
}

DV_SUITE(property_decoding, DV_TEST(test_steps_of_decoding_equal_one_prefill_on_every_backend),
         DV_TEST(test_steps_of_decoding_equal_one_prefill_over_devices),
         DV_TEST(test_what_lies_after_the_position_is_not_seen));
