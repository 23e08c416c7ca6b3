/* fuzz_problem.c - problem/1 and instances of the device-placement paper, to plans. */
#include "tests/fuzz/fuzz.h"

/* What is written must be accepted again. */
static void write_and_read(const dv_problem *problem)
{
    dv_text text = {0};
    dv_fuzz_expect(dv_problem_write(problem, &text) == DV_OK, "a problem can be written");
    dv_problem *again = NULL;
    dv_status status = dv_problem_parse("written.json", text.data, text.length, &again);
    dv_fuzz_expect(status == DV_OK, "a problem that was written can be read");
    dv_fuzz_expect(again->unit_count == problem->unit_count, "all units are written");
    dv_problem_destroy(again);
    dv_text_free(&text);
}

int dv_fuzz_problem(const uint8_t *data, size_t size)
{
    dv_buffer *buffer = dv_fuzz_buffer(data, size);
    dv_problem *problem = NULL;
    if (dv_fuzz_accepted(dv_problem_parse("problem.json", (const char *)dv_buffer_data(buffer),
                                          size, &problem))) {
        write_and_read(problem);
        dv_fuzz_solve(problem, NULL, NULL);
        dv_problem_destroy(problem);
    }
    dv_fuzz_free(buffer);
    return 0;
}
