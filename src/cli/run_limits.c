/* run_limits.c - refuses a run that would fill the memory or not end in sight.

   A model of a few hundred bytes may describe any amount of work. It can be planned and simulated,
   which takes neither; to run it, the tensors must fit and somebody must wait. */
#include "cli/run_limits.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "runtime/portable/portable.h"

static const double patience_us = 600e6; /* of an inference or the reference run, unless given */

dv_run_needs dv_run_needs_of(const dv_session *session)
{
    const dv_graph *graph = session->graph;
    dv_graph_totals totals = dv_graph_count(graph);
    dv_run_needs needs = {.bytes = totals.weight_bytes + 2 * totals.peak_activation_bytes,
                          .inference_us = session->plan->cost.total_us};
    for (dv_op_id o = 0; o < graph->op_count; o++)
        needs.reference_us += dv_portable_ns(graph, o) / 1000;
    return needs;
}

/* Memory that the system can give without swapping (proc(5)), else all there is. */
static double free_bytes(void)
{
    char line[160];
    double kilobytes = 0;
    FILE *file = fopen("/proc/meminfo", "r");
    while (file && kilobytes == 0 && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %lf kB", &kilobytes) != 1)
            kilobytes = 0;
    if (file)
        fclose(file);
    if (kilobytes > 0)
        return kilobytes * 1024;
    double pages = (double)sysconf(_SC_PHYS_PAGES), page = (double)sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? pages * page : INFINITY;
}

static dv_status check_memory(const dv_cli *cli, const dv_session *session,
                              const dv_run_needs *needs)
{
    const char *given = dv_cli_value(cli, DV_OPTION_MEMORY);
    double most;
    if (!given || !dv_parse_bytes(given, &most))
        most = free_bytes();
    if (needs->bytes <= most)
        return DV_OK;
    char need[DV_FIGURE_MAX], have[DV_FIGURE_MAX];
    return dv_fail(
        DV_NEGATIVE,
        "%s: a run needs %s for its tensors, and %s %s; give smaller inputs (--dim), %s, "
        "or plan without running it (partition, simulate)",
        session->model, dv_format_bytes(need, needs->bytes),
        given ? "--memory allows" : "this machine has free", dv_format_bytes(have, most),
        given ? "a larger --memory" : "a larger machine");
}

static dv_status check_time(const dv_cli *cli, const dv_session *session, const dv_run_needs *needs)
{
    const char *given = dv_cli_value(cli, DV_OPTION_PATIENCE);
    double most = patience_us;
    if (given && !dv_parse_us(given, &most))
        return dv_fail(DV_BAD_PARAMETER, "--patience '%s': must be a time, as in 90s or 3600s",
                       given);
    if (needs->inference_us <= most && needs->reference_us <= most)
        return DV_OK;
    char macs[DV_FIGURE_MAX], once[DV_FIGURE_MAX], reference[DV_FIGURE_MAX], wait[DV_FIGURE_MAX];
    double longest = fmax(needs->inference_us, needs->reference_us);
    return dv_fail(
        DV_NEGATIVE,
        "%s: an inference of %s multiply-adds is predicted to take %s, and the reference "
        "run that checks it about %s; at most %s are waited for: give smaller inputs "
        "(--dim), plan without running it (partition, simulate), or wait with "
        "--patience %.0fs",
        session->model, dv_format_count(macs, dv_graph_count(session->graph).macs),
        dv_format_us(once, needs->inference_us), dv_format_us(reference, needs->reference_us),
        dv_format_us(wait, most), ceil(longest / 1e6));
}

dv_status dv_run_check_needs(const dv_cli *cli, const dv_session *session)
{
    dv_run_needs needs = dv_run_needs_of(session);
    DV_TRY(check_memory(cli, session, &needs));
    return check_time(cli, session, &needs);
}
