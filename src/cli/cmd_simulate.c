/* cmd_simulate.c - a plan played on the modelled machine. */
#include <math.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/pipeline.h"
#include "cli/trace_report.h"
#include "core/json.h"
#include "sim/simulate.h"

static void print_json(const dv_trace *trace, double latency_us, double throughput, dv_text *out)
{
    dv_json_writer json = dv_json_writer_on(out);
    dv_json_begin_object(&json, NULL);
    dv_json_put_number(&json, "latency_us", latency_us);
    dv_json_put_number(&json, "throughput_per_s", throughput);
    dv_json_put_integer(&json, "events", (int64_t)trace->event_count);
    dv_json_begin_array(&json, "resources");
    for (uint32_t r = 0; r < trace->resource_count; r++) {
        double busy = dv_trace_busy_us(trace, r);
        dv_json_begin_line(&json, NULL, '{');
        dv_json_put_string(&json, "name", trace->resource_name[r]);
        dv_json_put_number(&json, "busy_us", busy);
        dv_json_put_number(&json, "share", trace->latency_us > 0 ? busy / trace->latency_us : 0);
        dv_json_end(&json, '}');
    }
    dv_json_end(&json, ']');
    dv_json_end(&json, '}');
}

/* One inference gives the latency, all of them the throughput. */
static dv_status simulate(dv_cli *cli, dv_session *session, dv_trace **one, dv_trace **all)
{
    DV_TRY(dv_session_plan(cli, session));
    dv_simulate_options options = {.executor = DV_EXECUTOR_SEQUENTIAL, .inferences = 1};
    const char *executor = dv_cli_value(cli, DV_OPTION_EXECUTOR);
    bool overlapped = !isnan(session->plan->makespan_us); /* what the plan was made for */
    if (executor ? strcmp(executor, "overlapped") == 0 : overlapped)
        options.executor = DV_EXECUTOR_OVERLAPPED;
    int64_t inferences;
    DV_TRY(dv_cli_integer(cli, DV_OPTION_INFERENCES, 1, 100000, 1, &inferences));
    DV_TRY(dv_simulate(session->problem, session->plan, &options, one));
    options.inferences = (uint32_t)inferences;
    DV_TRY(dv_simulate(session->problem, session->plan, &options, all));
    DV_TRY(dv_trace_write_files(cli, session, (const dv_trace *const *)all, 1));

    double latency = (*one)->latency_us, length = (*all)->latency_us;
    double throughput = length > 0 ? 1e6 * (double)inferences / length : 0;
    if (cli->json) {
        print_json(*all, latency, throughput, &cli->out);
        return DV_OK;
    }
    char figure[DV_FIGURE_MAX];
    dv_cli_append_safe(&cli->out, session->model);
    dv_text_append(&cli->out, " on %s, plan by %s: latency %s, %.*f inferences a second\n",
                   dv_session_platform_name(session), session->plan->strategy,
                   dv_format_us(figure, latency), throughput < 100 ? 1 : 0, throughput);
    dv_text_append(&cli->out, "  %zu events\n\n", (*all)->event_count);
    dv_trace_print(cli, *all, &cli->out);
    return DV_OK;
}

dv_status dv_cmd_simulate(dv_cli *cli)
{
    dv_session session = {0};
    dv_trace *one = NULL, *all = NULL;
    dv_status status = simulate(cli, &session, &one, &all);
    dv_trace_destroy(one);
    dv_trace_destroy(all);
    dv_session_free(&session);
    return status;
}
