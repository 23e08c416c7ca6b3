/* fuzz_platform.c - platform/1, to the plan of a small network on it. */
#include "costmodel/costmodel.h"
#include "tests/fuzz/fuzz.h"

int dv_fuzz_platform(const uint8_t *data, size_t size)
{
    dv_buffer *buffer = dv_fuzz_buffer(data, size);
    dv_platform *platform = NULL;
    if (dv_fuzz_accepted(dv_platform_parse("platform.json", (const char *)dv_buffer_data(buffer),
                                           size, &platform))) {
        dv_problem *problem = NULL;
        if (dv_fuzz_accepted(
                dv_problem_build(dv_fuzz_network(), platform, dv_cost_model_at(0), &problem)))
            dv_fuzz_solve(problem, dv_fuzz_network(), platform);
        dv_problem_destroy(problem);
        dv_platform_destroy(platform);
    }
    dv_fuzz_free(buffer);
    return 0;
}
