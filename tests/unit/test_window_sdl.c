/* test_window_sdl.c - the window, under SDL's dummy video driver. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tests/problem_text.h"
#include "tests/suite.h"
#include "viz/view.h"

static dv_status open_window(const char *driver, unsigned frames)
{
    dv_problem *problem = problem_of("cpu npu", "a 10 1\nb 5 -\nc 10 1\n");
    dv_solve_options options = dv_solve_options_default();
    dv_plan *plan = NULL;
    dv_outcome outcome;
    dv_view *view = NULL;
    CU_ASSERT_EQUAL_FATAL(dv_solve(problem, "cheapest", &options, &plan, &outcome), DV_OK);
    dv_view_input input = {.problem = problem, .plan = plan, .strategy = "cheapest"};
    CU_ASSERT_EQUAL_FATAL(dv_view_create(&input, 1280, 800, &view), DV_OK);
    setenv("SDL_VIDEODRIVER", driver, 1);
    dv_status status = dv_view_window(view, "divvy", frames);
    unsetenv("SDL_VIDEODRIVER");
    dv_view_destroy(view);
    dv_plan_destroy(plan);
    dv_problem_destroy(problem);
    return status;
}

static void a_window_shows_frames_or_says_why_it_cannot(void)
{
#ifdef HAVE_SDL2
    CU_ASSERT_EQUAL(open_window("dummy", 3), DV_OK);
#else
    CU_ASSERT_EQUAL(open_window("dummy", 3), DV_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "SDL2"));
#endif
}

static void without_a_display_the_message_points_to_pictures(void)
{
    CU_ASSERT_EQUAL(open_window("no_such_driver", 3), DV_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "--shot"));
    /* nobody could close a window that is shown nowhere */
    CU_ASSERT_EQUAL(open_window("dummy", 0), DV_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(dv_message(), "--shot"));
}

static void handler_of_the_program(int number)
{
    (void)number;
}

static void a_window_leaves_the_programs_signal_handlers_as_they_were(void)
{
    struct sigaction own = {.sa_handler = handler_of_the_program}, before, after;
    sigemptyset(&own.sa_mask);
    sigaction(SIGINT, &own, &before);
    (void)!open_window("dummy", 1);
    sigaction(SIGINT, &before, &after);
    CU_ASSERT_TRUE(after.sa_handler == handler_of_the_program);
}

DV_SUITE(viz_window, DV_TEST(a_window_leaves_the_programs_signal_handlers_as_they_were),
         DV_TEST(a_window_shows_frames_or_says_why_it_cannot),
         DV_TEST(without_a_display_the_message_points_to_pictures));
