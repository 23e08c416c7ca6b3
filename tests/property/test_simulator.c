/* test_simulator.c - simulated executors against the evaluator and against what any schedule must
   obey, on seeded problems with random placements and random topological orders. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/rng.h"
#include "sim/simulate.h"
#include "solver/evaluate.h"
#include "tests/random_problem.h"
#include "tests/suite.h"

static dv_random_spec spec_of(uint64_t seed)
{
    return (dv_random_spec){.seed = seed,
                            .shape = (dv_random_shape)(seed % 5),
                            .units = 1 + (uint32_t)(seed * 11 % 50),
                            .targets = 1 + (uint32_t)(seed % 5),
                            .devices_shared = seed % 3 != 0,
                            .sessions = seed % 2 == 0,
                            .ties = seed % 4 == 1};
}

/* Any unit whose producers have run may be next. */
static void shuffle_order(const dv_problem *p, dv_rng *rng, dv_unit_id *order)
{
    uint32_t missing[64], ready[64], count = 0;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        missing[u] = p->previous_start[u + 1] - p->previous_start[u];
        if (missing[u] == 0)
            ready[count++] = u;
    }
    for (uint32_t k = 0; k < p->unit_count; k++) {
        uint32_t i = (uint32_t)dv_rng_below(rng, count);
        dv_unit_id u = order[k] = ready[i];
        ready[i] = ready[--count];
        for (uint32_t n = p->next_start[u]; n < p->next_start[u + 1]; n++)
            if (--missing[p->next[n]] == 0)
                ready[count++] = p->next[n];
    }
}

static dv_plan *random_plan(const dv_problem *problem, uint64_t seed)
{
    dv_rng rng = dv_rng_seeded(seed ^ 0x5eed);
    dv_plan *plan = NULL;
    if (dv_plan_create(problem, &plan) != DV_OK)
        abort();
    for (dv_unit_id u = 0; u < problem->unit_count; u++)
        do
            plan->target[u] = (dv_target_id)dv_rng_below(&rng, problem->target_count);
        while (!dv_problem_allows(problem, u, plan->target[u]));
    shuffle_order(problem, &rng, plan->order);
    return plan;
}

static dv_trace *simulated(const dv_problem *problem, const dv_plan *plan,
                           dv_executor_model executor, uint32_t inferences)
{
    dv_trace *trace = NULL;
    dv_simulate_options options = {executor, inferences};
    dv_status status = dv_simulate(problem, plan, &options, &trace);
    CU_ASSERT_EQUAL(status, DV_OK);
    if (status != DV_OK) {
        fprintf(stderr, "\n    %s", dv_message());
        abort();
    }
    return trace;
}

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

static double sum_of(const dv_trace *trace, dv_event_kind kind)
{
    double sum = 0.0;
    for (size_t i = 0; i < trace->event_count; i++)
        if (trace->events[i].kind == kind)
            sum += trace->events[i].end_us - trace->events[i].start_us;
    return sum;
}

static void sequential_latency_is_the_evaluated_cost(void)
{
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        dv_random_spec spec = spec_of(seed);
        dv_problem *problem = dv_random_problem(&spec);
        dv_plan *plan = random_plan(problem, seed);
        CU_ASSERT_TRUE_FATAL(dv_evaluate(problem, plan));
        uint32_t inferences = 1 + (uint32_t)(seed % 3);
        dv_trace *trace = simulated(problem, plan, DV_EXECUTOR_SEQUENTIAL, inferences);
        bool ok = near(trace->latency_us, inferences * plan->cost.total_us) &&
                  near(sum_of(trace, DV_EVENT_COMPUTE), inferences * plan->cost.compute_us) &&
                  near(sum_of(trace, DV_EVENT_MOVE), inferences * plan->cost.move_us) &&
                  near(sum_of(trace, DV_EVENT_SWITCH), inferences * plan->cost.dispatch_us) &&
                  near(sum_of(trace, DV_EVENT_SESSION), inferences * plan->cost.session_us);
        CU_ASSERT_TRUE(ok);
        if (!ok)
            fprintf(stderr, "\n    seed %llu: %.17g, expected %.17g", (unsigned long long)seed,
                    trace->latency_us, inferences * plan->cost.total_us);
        dv_trace_destroy(trace);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
}

/* Events of one resource follow each other; they come sorted by start. */
static bool resources_do_one_thing_at_a_time(const dv_trace *trace)
{
    for (uint32_t r = 0; r < trace->resource_count; r++) {
        double busy_until = 0.0;
        for (size_t i = 0; i < trace->event_count; i++) {
            const dv_event *event = &trace->events[i];
            if (event->resource != r)
                continue;
            /* Equal times of zero-length events may be sorted either way. */
            if (event->start_us < busy_until - 1e-9 * busy_until && event->end_us > event->start_us)
                return false;
            busy_until = fmax(busy_until, event->end_us);
        }
    }
    return true;
}

/* One inference: a unit starts after its producers, and after the tensor's move to its target. */
static bool data_arrives_before_use(const dv_problem *p, const dv_plan *plan, const dv_trace *trace)
{
    double start[64], end[64];
    for (size_t i = 0; i < trace->event_count; i++)
        if (trace->events[i].kind == DV_EVENT_COMPUTE) {
            start[trace->events[i].item] = trace->events[i].start_us;
            end[trace->events[i].item] = trace->events[i].end_us;
        }
    for (uint32_t t = 0; t < p->tensor_count; t++) {
        dv_unit_id maker = p->producer[t];
        double made = maker == DV_NONE ? 0.0 : end[maker];
        dv_target_id from = maker == DV_NONE ? p->host : plan->target[maker];
        for (size_t i = 0; i < trace->event_count; i++)
            if (trace->events[i].kind == DV_EVENT_MOVE && trace->events[i].item == t &&
                trace->events[i].start_us < made * (1 - 1e-12))
                return false;
        for (uint32_t c = p->consumer_start[t]; c < p->consumer_start[t + 1]; c++) {
            dv_unit_id u = p->consumers[c];
            double move = dv_problem_move_us(p, t, from, plan->target[u]);
            if (start[u] < (made + move) * (1 - 1e-12))
                return false;
        }
    }
    return true;
}

static void overlapped_schedules_are_valid_and_as_long_as_the_makespan(void)
{
    for (uint64_t seed = 1; seed <= 1500; seed++) {
        dv_random_spec spec = spec_of(seed);
        dv_problem *problem = dv_random_problem(&spec);
        dv_plan *plan = random_plan(problem, seed);
        CU_ASSERT_TRUE_FATAL(dv_evaluate(problem, plan));
        dv_trace *trace = simulated(problem, plan, DV_EXECUTOR_OVERLAPPED, 1);
        double busiest = 0.0;
        for (uint32_t r = 0; r < trace->resource_count; r++)
            busiest = fmax(busiest, dv_trace_busy_us(trace, r));
        bool ok = resources_do_one_thing_at_a_time(trace) &&
                  data_arrives_before_use(problem, plan, trace) &&
                  trace->latency_us == dv_evaluate_makespan_us(problem, plan) &&
                  trace->latency_us <= plan->cost.total_us * (1 + 1e-9) &&
                  trace->latency_us >= busiest * (1 - 1e-9) &&
                  near(sum_of(trace, DV_EVENT_MOVE), plan->cost.move_us);
        CU_ASSERT_TRUE(ok);
        if (!ok)
            fprintf(stderr, "\n    seed %llu", (unsigned long long)seed);
        dv_trace_destroy(trace);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
}

static void pipelined_inferences_share_the_resources(void)
{
    for (uint64_t seed = 1; seed <= 500; seed++) {
        dv_random_spec spec = spec_of(seed);
        dv_problem *problem = dv_random_problem(&spec);
        dv_plan *plan = random_plan(problem, seed);
        CU_ASSERT_TRUE_FATAL(dv_evaluate(problem, plan));
        dv_trace *one = simulated(problem, plan, DV_EXECUTOR_OVERLAPPED, 1);
        dv_trace *many = simulated(problem, plan, DV_EXECUTOR_OVERLAPPED, 5);
        double busiest = 0.0;
        for (uint32_t r = 0; r < many->resource_count; r++)
            busiest = fmax(busiest, dv_trace_busy_us(many, r));
        bool ok = resources_do_one_thing_at_a_time(many) &&
                  many->latency_us >= busiest * (1 - 1e-9) &&
                  many->latency_us >= one->latency_us * (1 - 1e-9) &&
                  many->latency_us <= 5 * plan->cost.total_us * (1 + 1e-9) &&
                  near(sum_of(many, DV_EVENT_COMPUTE), 5 * plan->cost.compute_us);
        CU_ASSERT_TRUE(ok);
        if (!ok)
            fprintf(stderr, "\n    seed %llu", (unsigned long long)seed);
        dv_trace_destroy(one);
        dv_trace_destroy(many);
        dv_plan_destroy(plan);
        dv_problem_destroy(problem);
    }
}

DV_SUITE(property_simulator, DV_TEST(sequential_latency_is_the_evaluated_cost),
         DV_TEST(overlapped_schedules_are_valid_and_as_long_as_the_makespan),
         DV_TEST(pipelined_inferences_share_the_resources));
