/* fuzz_plan.c - plan/1, for the problem that a small network poses. */
#include "core/plan.h"
#include "costmodel/costmodel.h"
#include "solver/certify.h"
#include "solver/evaluate.h"
#include "tests/fuzz/fuzz.h"

static const dv_problem *posed(void)
{
    static dv_problem *problem;
    if (!problem)
        dv_fuzz_expect(dv_problem_build(dv_fuzz_network(), dv_fuzz_host(), dv_cost_model_at(0),
                                        &problem) == DV_OK,
                       "the small network poses a problem");
    return problem;
}

int dv_fuzz_plan(const uint8_t *data, size_t size)
{
    const dv_problem *problem = posed();
    dv_buffer *buffer = dv_fuzz_buffer(data, size);
    dv_plan *plan = NULL;
    if (dv_fuzz_accepted(dv_plan_parse("plan.json", (const char *)dv_buffer_data(buffer), size,
                                       problem, &plan))) {
        bool legal = dv_evaluate(problem, plan);
        dv_certificate certificate = dv_certify(problem, plan);
        dv_fuzz_expect(legal || !certificate.ok, "an illegal plan has no certificate");
        dv_text text = {0};
        dv_fuzz_expect(dv_plan_write(problem, plan, dv_fuzz_network(), dv_fuzz_host(), &text) ==
                           DV_OK,
                       "a plan that was read can be written");
        dv_text_free(&text);
        dv_plan_destroy(plan);
    }
    dv_fuzz_free(buffer);
    return 0;
}
