/* test_frontier.c - the dynamic program and its states. */
#include "solver/frontier.h"

#include <math.h>
#include <string.h>

#include "solver/frontier_states.h"
#include "solver/strategy.h"
#include "tests/problem_text.h"
#include "tests/random_problem.h"
#include "tests/suite.h"

static void equal_states_are_merged_at_the_lower_cost(void)
{
    dv_states states = {0};
    dv_states_reset(&states, 2, 0, 0);
    double need[] = {1.0, 2.0}, other[] = {1.0, 3.0};
    dv_state a = {.cost = 5.0, .last = 1, .need = need, .parent = 7};
    dv_state b = {.cost = 4.0, .last = 1, .need = need, .parent = 8};
    dv_state c = {.cost = 9.0, .last = 1, .need = other, .parent = 9};
    CU_ASSERT_TRUE(dv_states_add(&states, &a));
    CU_ASSERT_TRUE(dv_states_add(&states, &b));
    CU_ASSERT_TRUE(dv_states_add(&states, &c));
    CU_ASSERT_EQUAL(states.count, 2);
    CU_ASSERT_EQUAL(states.cost[0], 4.0);
    CU_ASSERT_EQUAL(states.parent[0], 8);
    dv_states_free(&states);
}

static void a_state_goes_if_another_can_imitate_it_for_the_difference(void)
{
    static const double dispatch[] = {10, 20}, session[] = {0, 0};
    static const bool single[] = {false};
    dv_layer_costs costs = {.slots = 1,
                            .targets = 2,
                            .single = single,
                            .dispatch_us = dispatch,
                            .session_us = session,
                            .device_count = 2};
    /* b has the tensor on both targets: a would pay 5 more for it, and 20 to enter device 1 */
    double need_a[] = {0.0, 5.0}, need_b[] = {0.0, 0.0}, dropped = INFINITY;
    for (int apart = 24; apart <= 26; apart++) {
        dv_states states = {0};
        dv_states_reset(&states, 2, 0, 0);
        dv_state a = {.cost = 100.0, .last = 0, .need = need_a};
        dv_state b = {.cost = 100.0 + apart, .last = 1, .need = need_b};
        CU_ASSERT_TRUE(dv_states_add(&states, &b) && dv_states_add(&states, &a));
        CU_ASSERT_TRUE(dv_states_thin(&states, &costs, 100, &dropped));
        CU_ASSERT_EQUAL(states.count, apart >= 25 ? 1 : 2);
        CU_ASSERT_EQUAL(states.cost[0], 100.0);
        dv_states_free(&states);
    }
    CU_ASSERT_EQUAL(dropped, INFINITY);
}

static void what_is_dropped_for_room_is_accounted_for(void)
{
    static const double dispatch[] = {50, 50}, session[] = {0, 0};
    dv_layer_costs costs = {
        .targets = 2, .dispatch_us = dispatch, .session_us = session, .device_count = 2};
    dv_states states = {0};
    dv_states_reset(&states, 0, 0, 0);
    dv_state a = {.cost = 1.0, .last = 0}, b = {.cost = 2.0, .last = 1};
    double dropped = INFINITY;
    CU_ASSERT_TRUE(dv_states_add(&states, &b) && dv_states_add(&states, &a));
    CU_ASSERT_TRUE(dv_states_thin(&states, &costs, 1, &dropped));
    CU_ASSERT_EQUAL(states.count, 1);
    CU_ASSERT_EQUAL(states.last[0], 0);
    CU_ASSERT_EQUAL(dropped, 2.0);
    dv_states_free(&states);
}

static void groups_and_sessions_are_held_in_the_state(void)
{
    dv_problem *problem = problem_of("cpu npu", "session 0 30\nmove 1\n"
                                                "a 20 1 # 5\nb 1 9\nc 3 25 # 5\nd 9 1\n");
    dv_plan *plan = solve_with("frontier", problem);
    dv_plan *other = solve_with("ilp", problem);
    CU_ASSERT_EQUAL(plan->outcome, DV_OUTCOME_OPTIMAL);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, other->cost.total_us, 1e-9);
    CU_ASSERT_EQUAL(plan->target[0], plan->target[2]);
    dv_plan_destroy(plan);
    dv_plan_destroy(other);
    dv_problem_destroy(problem);
}

static void a_limit_on_segments_is_kept(void)
{
    dv_problem *problem = problem_of("cpu npu", "segments 1\na 9 1\nb 1 7\n");
    CU_ASSERT_FALSE(dv_frontier_serves(problem));
    dv_plan *plan = NULL;
    dv_outcome outcome;
    CU_ASSERT_EQUAL(dv_solve(problem, "frontier", NULL, &plan, &outcome), DV_OK);
    CU_ASSERT_EQUAL(outcome, DV_OUTCOME_OPTIMAL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
    CU_ASSERT_DOUBLE_EQUAL(plan->cost.total_us, 8, 1e-9);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
}

static void more_devices_than_bits_are_refused_with_the_way_out(void)
{
    dv_random_spec spec = {.seed = 1, .shape = DV_RANDOM_CHAIN, .units = 3, .targets = 65};
    dv_problem *problem = dv_random_problem(&spec);
    dv_plan *plan = NULL;
    dv_outcome outcome;
    static const char *const strategies[] = {"frontier", "ideal"};
    for (size_t i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(dv_solve(problem, strategies[i], NULL, &plan, &outcome), DV_BAD_PARAMETER);
        CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "ilp"));
    }
    dv_problem_destroy(problem);
}

static void a_stop_still_gives_a_plan_with_an_honest_bound(void)
{
    dv_random_spec spec = {.seed = 2, .shape = DV_RANDOM_DAG, .units = 300, .targets = 5};
    dv_problem *problem = dv_random_problem(&spec);
    volatile int stop = 1;
    dv_progress progress = {.stop = &stop};
    dv_solve_options options = dv_solve_options_default();
    options.progress = &progress;
    dv_plan *plan = NULL, *best = solve_with("frontier", problem);
    dv_outcome outcome;
    CU_ASSERT_EQUAL(dv_solve(problem, "frontier", &options, &plan, &outcome), DV_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(plan);
    CU_ASSERT_TRUE(plan->bound_us <= best->cost.total_us * (1 + 1e-9));
    dv_plan_destroy(plan);
    dv_plan_destroy(best);
    dv_problem_destroy(problem);
}

DV_SUITE(solver_frontier, DV_TEST(equal_states_are_merged_at_the_lower_cost),
         DV_TEST(a_state_goes_if_another_can_imitate_it_for_the_difference),
         DV_TEST(what_is_dropped_for_room_is_accounted_for),
         DV_TEST(groups_and_sessions_are_held_in_the_state), DV_TEST(a_limit_on_segments_is_kept),
         DV_TEST(more_devices_than_bits_are_refused_with_the_way_out),
         DV_TEST(a_stop_still_gives_a_plan_with_an_honest_bound));
