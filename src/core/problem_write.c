/* problem_write.c - a problem becomes problem/1 JSON; units are meant by index, names may repeat.
 */
#include <math.h>

#include "core/json.h"
#include "core/problem.h"

static void put_row(dv_json_writer *w, const char *key, const double *row, size_t count)
{
    dv_json_begin_line(w, key, '[');
    for (size_t i = 0; i < count; i++)
        if (isinf(row[i]))
            dv_json_put_string(w, NULL, NULL);
        else
            dv_json_put_number(w, NULL, row[i]);
    dv_json_end(w, ']');
}

static void put_units(const dv_problem *p, dv_json_writer *w)
{
    dv_json_begin_array(w, "units");
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        size_t first = (size_t)u * p->target_count;
        dv_json_begin_line(w, NULL, '{');
        dv_json_put_string(w, "name", p->unit_name[u]);
        put_row(w, "time_us", p->time_us + first, p->target_count);
        if (p->memory_bytes)
            put_row(w, "memory_bytes", p->memory_bytes + first, p->target_count);
        if (p->energy_uj)
            put_row(w, "energy_uj", p->energy_uj + first, p->target_count);
        if (p->loss)
            put_row(w, "loss", p->loss + first, p->target_count);
        if (p->pin && p->pin[u] != DV_NONE)
            dv_json_put_string(w, "pin", p->target_name[p->pin[u]]);
        if (p->group && p->group[u] != DV_NONE)
            dv_json_put_integer(w, "group", p->group[u]);
        if (p->backward && p->backward[u])
            dv_json_put_bool(w, "backward", true);
        dv_json_end(w, '}');
    }
    dv_json_end(w, ']');
}

static void put_tensors(const dv_problem *p, dv_json_writer *w)
{
    dv_json_begin_array(w, "tensors");
    for (uint32_t t = 0; t < p->tensor_count; t++) {
        dv_json_begin_line(w, NULL, '{');
        dv_json_put_string(w, "name", p->tensor_name[t]);
        if (p->producer[t] != DV_NONE)
            dv_json_put_integer(w, "from", p->producer[t]);
        dv_json_begin_line(w, "to", '[');
        for (uint32_t i = p->consumer_start[t]; i < p->consumer_start[t + 1]; i++)
            dv_json_put_integer(w, NULL, p->consumers[i]);
        dv_json_end(w, ']');
        if (p->host_needs[t])
            dv_json_put_bool(w, "output", true);
        put_row(w, "bytes", p->bytes + (size_t)t * p->target_count, p->target_count);
        dv_json_end(w, '}');
    }
    dv_json_end(w, ']');
}

static void put_machine(const dv_problem *p, dv_json_writer *w)
{
    dv_json_begin_array(w, "devices");
    for (dv_device_id d = 0; d < p->device_count; d++) {
        dv_json_begin_line(w, NULL, '{');
        dv_json_put_string(w, "name", p->device_name[d]);
        dv_json_put_number(w, "dispatch_us", p->dispatch_us[d]);
        dv_json_put_number(w, "session_us", p->session_us[d]);
        dv_json_put_number(w, "capacity_bytes", p->capacity_bytes[d]);
        dv_json_end(w, '}');
    }
    dv_json_end(w, ']');
    dv_json_begin_array(w, "targets");
    for (dv_target_id a = 0; a < p->target_count; a++) {
        dv_json_begin_line(w, NULL, '{');
        dv_json_put_string(w, "name", p->target_name[a]);
        dv_json_put_string(w, "device", p->device_name[p->device[a]]);
        dv_json_end(w, '}');
    }
    dv_json_end(w, ']');
    dv_json_put_string(w, "host", p->target_name[p->host]);
}

static void put_matrix(const dv_problem *p, dv_json_writer *w, const char *key,
                       const double *matrix)
{
    dv_json_begin_array(w, key);
    for (dv_target_id a = 0; a < p->target_count; a++)
        put_row(w, NULL, matrix + (size_t)a * p->target_count, p->target_count);
    dv_json_end(w, ']');
}

static void put_limits(const dv_problem *p, dv_json_writer *w)
{
    bool none =
        p->max_segments == UINT32_MAX && isinf(p->energy_budget_uj) && isinf(p->loss_budget);
    if (none)
        return;
    dv_json_begin_line(w, "limits", '{');
    if (p->max_segments != UINT32_MAX)
        dv_json_put_integer(w, "max_segments", p->max_segments);
    if (!isinf(p->energy_budget_uj))
        dv_json_put_number(w, "energy_uj", p->energy_budget_uj);
    if (!isinf(p->loss_budget))
        dv_json_put_number(w, "loss", p->loss_budget);
    dv_json_end(w, '}');
}

dv_status dv_problem_write(const dv_problem *problem, dv_text *out)
{
    dv_json_writer w = dv_json_writer_on(out);
    dv_json_begin_object(&w, NULL);
    dv_json_put_string(&w, "divvy", "problem/1");
    dv_json_put_string(&w, "name", problem->name);
    dv_json_put_string(&w, "model_sha256", problem->model_sha256);
    dv_json_put_string(&w, "platform_sha256", problem->platform_sha256);
    put_machine(problem, &w);
    put_matrix(problem, &w, "move_latency_us", problem->move_latency_us);
    put_matrix(problem, &w, "move_us_per_byte", problem->move_us_per_byte);
    put_limits(problem, &w);
    if (problem->subgraphs_per_device)
        dv_json_put_integer(&w, "subgraphs_per_device", problem->subgraphs_per_device);
    put_units(problem, &w);
    put_tensors(problem, &w);
    dv_json_end(&w, '}');
    return out->failed ? dv_fail(DV_NO_MEMORY, "problem: out of memory") : DV_OK;
}
