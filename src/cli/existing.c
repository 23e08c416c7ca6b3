/* existing.c - the placement that an ExecuTorch program has already, as a plan.

   The chain of partitioners that lowered the program decided on it; evaluated on a platform, and
   beside the optimum there, it shows what they left on the table. */
#include "cli/existing.h"

#include <math.h>
#include <string.h>

#include "cli/table.h"
#include "load/pte.h"
#include "load/xnnblob.h"
#include "solver/certify.h"
#include "solver/evaluate.h"

/* Where the operators of one instruction are. */
typedef struct place {
    dv_device_id device; /* DV_NONE: the platform has none such */
    bool integers;       /* it computes in quantised numbers */
    const char *backend; /* NULL: a portable kernel */
} place;

typedef struct finder {
    const dv_cli *cli;
    const dv_session *session;
    dv_pte pte;
    place *places;    /* per call */
    uint32_t on_host; /* units that the platform's device does not run */
} finder;

/* ---- devices ---- */

/* Core ML's compute units are an option of the delegate, so one backend may be two devices. */
static bool specs_fit(dv_device_kind kind, const char *specs)
{
    if (strstr(specs, "compute_units=cpu_and_gpu"))
        return kind == DV_DEVICE_GPU;
    if (strstr(specs, "compute_units=cpu_only"))
        return kind == DV_DEVICE_CPU;
    if (strstr(specs, "compute_units="))
        return kind == DV_DEVICE_ANE;
    return true;
}

static dv_device_id device_of(const dv_platform *platform, const char *backend, const char *specs)
{
    dv_device_id host = platform->targets[platform->host].device, found = DV_NONE;
    if (!backend)
        return host;
    for (dv_device_id d = 0; d < platform->device_count; d++) {
        const dv_device *device = &platform->devices[d];
        if (!device->delegate || strcmp(device->delegate, backend) != 0)
            continue;
        bool better = found == DV_NONE || device->kind == DV_DEVICE_ANE;
        if (specs_fit(device->kind, specs) && better)
            found = d;
    }
    /* XNNPACK runs on every CPU, also where the platform does not say so */
    return found == DV_NONE && strcmp(backend, "XnnpackBackend") == 0 ? host : found;
}

static dv_status is_quantised(const dv_pte_delegate *delegate, dv_arena *arena, bool *yes)
{
    dv_blob_line *lines;
    uint32_t count = 0;
    *yes = false;
    if (delegate->ops < 0)
        return DV_OK;
    DV_TRY(dv_blob_lines(delegate, arena, &lines, &count));
    for (uint32_t i = 0; i < count; i++)
        *yes |=
            strncmp(lines[i].dtype, "qint8", 5) == 0 || strncmp(lines[i].dtype, "qcint8", 6) == 0;
    return DV_OK;
}

/* Names the platforms that have a device for a backend. */
static void append_platforms(const char *backend, dv_text *out)
{
    char name[256];
    for (size_t i = 0; dv_platform_name(i, name); i++) {
        dv_platform *platform;
        if (dv_platform_open(name, &platform) != DV_OK)
            continue;
        if (device_of(platform, backend, "") != DV_NONE)
            dv_text_append(out, "%s%s", out->length ? ", " : "", name);
        dv_platform_destroy(platform);
    }
}

static void describe_missing(const dv_session *session, const char *backend, dv_text *out)
{
    dv_text names = {0};
    append_platforms(backend, &names);
    dv_text_append(out, "none of the devices of %s is %s's%s%s", dv_session_platform_name(session),
                   backend, names.length ? "; there is one on " : "", dv_text_string(&names));
    dv_text_free(&names);
}

static void note_missing(const finder *f, const char *backend)
{
    dv_text why = {0};
    describe_missing(f->session, backend, &why);
    dv_cli_note(f->cli, "%s: no existing placement: %s", f->session->model, dv_text_string(&why));
    dv_text_free(&why);
}

static dv_status find_places(finder *f, bool *all)
{
    const dv_pte *pte = &f->pte;
    *all = true;
    f->places = dv_arena_array(pte->arena, pte->call_count, sizeof *f->places);
    bool *quantised = dv_arena_array(pte->arena, pte->delegate_count, sizeof *quantised);
    if (!f->places || !quantised)
        return dv_fail(DV_NO_MEMORY, "out of memory");
    for (uint32_t d = 0; d < pte->delegate_count; d++)
        DV_TRY(is_quantised(&pte->delegates[d], pte->arena, &quantised[d]));
    for (uint32_t c = 0; c < pte->call_count && *all; c++) {
        const dv_pte_call *call = &pte->calls[c];
        const char *specs = call->delegate == DV_NONE ? "" : pte->delegates[call->delegate].specs;
        f->places[c] = (place){.device = device_of(f->session->platform, call->backend, specs),
                               .integers = call->delegate != DV_NONE && quantised[call->delegate],
                               .backend = call->backend};
        if (f->places[c].device == DV_NONE) {
            note_missing(f, call->backend);
            *all = false;
        }
    }
    return DV_OK;
}

/* ---- units ---- */

/* The index of an instruction's call; calls are in their order. DV_NONE if there is none. */
static uint32_t call_of(const dv_pte *pte, int64_t instruction)
{
    uint32_t low = 0, high = pte->call_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if ((int64_t)pte->calls[middle].instruction < instruction)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < pte->call_count && (int64_t)pte->calls[low].instruction == instruction;
    return found ? low : DV_NONE;
}

static const place *place_of(const finder *f, int64_t instruction)
{
    uint32_t call = call_of(&f->pte, instruction);
    return call == DV_NONE ? NULL : &f->places[call];
}

/* The device's target in the precision of the program, else the fastest that runs the unit; DV_NONE
   if none does. */
static dv_target_id target_on(const dv_session *session, dv_unit_id u, dv_device_id device,
                              bool integers)
{
    const dv_platform *platform = session->platform;
    dv_target_id best = DV_NONE;
    for (dv_target_id a = 0; a < platform->target_count; a++) {
        double us = dv_problem_time_us(session->problem, u, a);
        if (platform->targets[a].device != device || !isfinite(us))
            continue;
        if (platform->targets[a].precision == (integers ? DV_DTYPE_I8 : DV_DTYPE_F32))
            return a;
        if (best == DV_NONE || us < dv_problem_time_us(session->problem, u, best))
            best = a;
    }
    return best;
}

/* A unit is where its first operator is that a call of the program runs. */
static dv_status place_unit(finder *f, dv_unit_id u, dv_plan *plan)
{
    const dv_session *session = f->session;
    const dv_unit *unit = &session->graph->units[u];
    const place *found = NULL;
    for (uint32_t k = 0; k < unit->op_count && !found; k++)
        found = place_of(f, session->graph->ops[unit->ops[k]].debug_handle);
    dv_device_id host = session->platform->targets[session->platform->host].device;
    dv_device_id device = found ? found->device : host;
    dv_target_id target = target_on(session, u, device, found && found->integers);
    if (target == DV_NONE && device != host) {
        target = target_on(session, u, host, false);
        f->on_host++;
    }
    plan->target[u] = target;
    return target != DV_NONE
               ? DV_OK
               : dv_fail(DV_BAD_INPUT, "%s: no target of %s runs '%s'", session->model,
                         session->platform->name, session->problem->unit_name[u]);
}

static dv_status fill(finder *f, dv_plan *plan, bool *legal)
{
    const dv_session *session = f->session;
    for (dv_unit_id u = 0; u < session->problem->unit_count; u++) {
        plan->order[u] = u; /* units are in the order of the program */
        DV_TRY(place_unit(f, u, plan));
    }
    memcpy(plan->strategy, "existing", sizeof "existing");
    plan->outcome = DV_OUTCOME_FEASIBLE;
    plan->bound_us = -INFINITY;
    *legal = dv_evaluate(session->problem, plan);
    dv_certificate certificate = dv_certify(session->problem, plan);
    *legal &= certificate.ok;
    if (!*legal)
        dv_cli_note(f->cli, "%s: its existing placement breaks a limit on %s: %s", session->model,
                    session->platform->name,
                    *certificate.reason ? certificate.reason : "a pin or a capacity");
    if (f->on_host)
        dv_cli_note(f->cli,
                    "%s: %u of %u units of its existing placement are counted on the host: %s does "
                    "not list them for the delegate's device",
                    session->model, f->on_host, session->problem->unit_count,
                    session->platform->name);
    return DV_OK;
}

/* ---- the plan ---- */

static dv_status find(finder *f, dv_plan **out)
{
    bool all, legal;
    dv_plan *plan = NULL;
    DV_TRY(find_places(f, &all));
    if (!all)
        return DV_OK;
    DV_TRY(dv_plan_create(f->session->problem, &plan));
    dv_status status = fill(f, plan, &legal);
    if (status == DV_OK && legal)
        *out = plan;
    else
        dv_plan_destroy(plan);
    return status;
}

static bool is_program(const dv_session *session)
{
    return session->source && strcmp(session->source->format, "pte") == 0 &&
           strcmp(session->model, "standard input") != 0;
}

static dv_status open_program(finder *f)
{
    dv_buffer *buffer;
    DV_TRY(dv_buffer_map(f->session->model, &buffer));
    dv_status status =
        dv_pte_read(buffer, f->session->model, dv_cli_value(f->cli, DV_OPTION_METHOD), &f->pte);
    dv_buffer_release(buffer);
    return dv_within(status, "%s", f->session->model);
}

dv_status dv_existing_plan(const dv_cli *cli, const dv_session *session, dv_plan **plan)
{
    finder f = {.cli = cli, .session = session};
    *plan = NULL;
    if (!is_program(session))
        return DV_OK;
    dv_status status = open_program(&f);
    if (status == DV_OK)
        status = find(&f, plan);
    dv_pte_free(&f.pte);
    return status;
}

/* ---- what is closed ---- */

/* The device of an operator that is closed. */
static dv_status device_of_closed(const finder *f, const dv_op *op, dv_device_id *out)
{
    uint32_t c = call_of(&f->pte, op->debug_handle);
    const dv_pte_call *call = c == DV_NONE ? NULL : &f->pte.calls[c];
    const char *backend = call ? call->backend : NULL;
    const char *specs = backend ? f->pte.delegates[call->delegate].specs : "";
    *out = device_of(f->session->platform, backend, specs);
    if (*out != DV_NONE)
        return DV_OK;
    dv_text why = {0};
    describe_missing(f->session, backend, &why);
    dv_status status = dv_fail(DV_BAD_INPUT, "%s: call '%s' can run on no device: %s",
                               f->session->model, op->name, dv_text_string(&why));
    dv_text_free(&why);
    return status;
}

static uint32_t closed_count(const dv_graph *graph)
{
    uint32_t count = 0;
    for (dv_op_id o = 0; o < graph->op_count; o++)
        count += graph->ops[o].kind == DV_OP_OPAQUE;
    return count;
}

/* Calls visit for every closed operator, with its device. */
static dv_status each_closed(const dv_cli *cli, dv_session *session,
                             dv_status (*visit)(dv_session *session, dv_op_id op,
                                                dv_device_id device))
{
    finder f = {.cli = cli, .session = session};
    bool program = is_program(session);
    if (!session->source || closed_count(session->graph) == 0)
        return DV_OK;
    dv_status status = program ? open_program(&f) : DV_OK;
    for (dv_op_id o = 0; status == DV_OK && o < session->graph->op_count; o++) {
        const dv_platform *platform = session->platform;
        dv_device_id device = platform->targets[platform->host].device;
        if (session->graph->ops[o].kind != DV_OP_OPAQUE)
            continue;
        if (program)
            status = device_of_closed(&f, &session->graph->ops[o], &device);
        if (status == DV_OK)
            status = visit(session, o, device);
    }
    dv_pte_free(&f.pte);
    return status;
}

static dv_status allow(dv_session *session, dv_op_id o, dv_device_id device)
{
    const dv_op *op = &session->graph->ops[o];
    bool known = op->reason && !strstr(op->reason, "has branches");
    for (uint32_t i = 0; known && i < op->output_count; i++)
        known = op->outputs[i] == DV_NONE ||
                dv_shape_known(&session->graph->tensors[op->outputs[i]].shape);
    if (!known)
        return dv_fail(DV_BAD_INPUT, "%s: node '%s': %s", session->model, op->name,
                       op->reason ? op->reason : "what it makes is not known");
    dv_platform_allow(session->platform, device, DV_OP_OPAQUE);
    return DV_OK;
}

static dv_status pin(dv_session *session, dv_op_id op, dv_device_id device)
{
    dv_problem *problem = session->problem;
    if (!problem->pin) {
        dv_target_id *all = dv_arena_array(problem->arena, problem->unit_count, sizeof *all);
        if (!all)
            return dv_fail(DV_NO_MEMORY, "no memory for pins");
        for (dv_unit_id u = 0; u < problem->unit_count; u++)
            all[u] = DV_NONE;
        problem->pin = all;
    }
    dv_unit_id u = session->graph->unit_of[op];
    ((dv_target_id *)problem->pin)[u] = target_on(session, u, device, false);
    return DV_OK;
}

dv_status dv_existing_allow_closed(const dv_cli *cli, dv_session *session)
{
    uint32_t count = session->source ? closed_count(session->graph) : 0;
    const char *many = is_program(session)
                           ? "s cannot be looked into; they stay where they are and are counted by "
                             "the bytes they move alone"
                           : "s cannot be looked into; they stay on the host, which has to know "
                             "them, and are counted by the bytes they move alone";
    const char *one = is_program(session)
                          ? " cannot be looked into; it stays where it is and is counted by the "
                            "bytes it moves alone"
                          : " cannot be looked into; it stays on the host, which has to know it, "
                            "and is counted by the bytes it moves alone";
    if (count > 0)
        dv_cli_note(cli, "%s: %u operator%s", session->model, count, count == 1 ? one : many);
    return each_closed(cli, session, allow);
}

dv_status dv_existing_pin_closed(const dv_cli *cli, dv_session *session)
{
    return each_closed(cli, session, pin);
}

dv_status dv_existing_print(const dv_cli *cli, const dv_session *session, dv_text *out)
{
    dv_plan *plan;
    char figure[2][DV_FIGURE_MAX];
    bool latency = isnan(session->plan->load_us) && isnan(session->plan->makespan_us) &&
                   session->plan->cost.total_us > 0;
    if (!latency)
        return DV_OK;
    DV_TRY(dv_existing_plan(cli, session, &plan));
    if (!plan)
        return DV_OK;
    double existing = plan->cost.total_us, best = session->plan->cost.total_us;
    dv_text_append(out,
                   "\n  the program's own placement takes %s in %u segments, %.2f times this plan: "
                   "%s are left on the table\n",
                   dv_format_us(figure[0], existing), plan->cost.segments, existing / best,
                   dv_format_us(figure[1], existing - best));
    dv_plan_destroy(plan);
    return DV_OK;
}
