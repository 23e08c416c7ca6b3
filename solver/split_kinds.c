/* split_kinds.c - see split_kinds.h. */
#include "solver/split_kinds.h"

#include <math.h>

enum { COMBINATIONS_MAX = 4096 };

bool dv_split_alike(const dv_problem *p, dv_target_id a, dv_target_id b)
{
    dv_device_id d = p->device[a], e = p->device[b];
    bool host_a = d == p->device[p->host], host_b = e == p->device[p->host];
    size_t to_a = (size_t)p->host * p->target_count + a,
           to_b = (size_t)p->host * p->target_count + b;
    size_t of_a = (size_t)a * p->target_count + p->host,
           of_b = (size_t)b * p->target_count + p->host;
    bool ways = p->move_latency_us[to_a] == p->move_latency_us[to_b] &&
                p->move_us_per_byte[to_a] == p->move_us_per_byte[to_b] &&
                p->move_latency_us[of_a] == p->move_latency_us[of_b] &&
                p->move_us_per_byte[of_a] == p->move_us_per_byte[of_b];
    if ((host_a || host_b) && d != e) /* the host's ways are free: others' must be too */
        ways = ways && p->move_latency_us[to_a] == 0.0 && p->move_us_per_byte[to_a] == 0.0 &&
               p->move_latency_us[of_a] == 0.0 && p->move_us_per_byte[of_a] == 0.0;
    if (!ways || p->dispatch_us[d] != p->dispatch_us[e] || p->session_us[d] != p->session_us[e] ||
        p->capacity_bytes[d] != p->capacity_bytes[e])
        return false;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        size_t row = (size_t)u * p->target_count;
        if (p->time_us[row + a] != p->time_us[row + b] ||
            (p->memory_bytes && p->memory_bytes[row + a] != p->memory_bytes[row + b]))
            return false;
    }
    for (uint32_t t = 0; t < p->tensor_count; t++)
        if (p->bytes[(size_t)t * p->target_count + a] != p->bytes[(size_t)t * p->target_count + b])
            return false;
    return true;
}

bool dv_split_find_kinds(const dv_problem *p, dv_split_kind *kinds, uint32_t *count,
                         uint32_t *combinations)
{
    *count = 0;
    for (dv_target_id a = 0; a < p->target_count; a++) {
        uint32_t k = 0;
        while (k < *count && !dv_split_alike(p, kinds[k].first, a))
            k++;
        if (k == DV_SPLIT_KINDS_MAX)
            return false;
        if (k == *count)
            kinds[(*count)++] = (dv_split_kind){.first = a};
        kinds[k].count++;
    }
    *combinations = 1;
    for (uint32_t k = 0; k < *count; k++) {
        kinds[k].stride = *combinations;
        if (kinds[k].count >= COMBINATIONS_MAX)
            return false;
        *combinations *= kinds[k].count + 1;
        if (*combinations > COMBINATIONS_MAX)
            return false;
    }
    return true;
}

double dv_split_exchange_rate(const dv_problem *p, dv_target_id r, dv_target_id c)
{
    double most = 0.0;
    for (dv_unit_id u = 0; u < p->unit_count; u++) {
        double here = dv_problem_time_us(p, u, c), there = dv_problem_time_us(p, u, r);
        if (isfinite(here) && there > 0.0)
            most = fmax(most, here > 0.0 ? there / here : INFINITY);
    }
    return most;
}

void dv_split_rates(const dv_problem *p, const dv_split_kind *kinds, uint32_t count, double *all_us,
                    double *rate)
{
    for (uint32_t k = 0; k < count; k++) {
        all_us[k] = 0.0;
        for (dv_unit_id u = 0; u < p->unit_count; u++)
            all_us[k] += dv_problem_time_us(p, u, kinds[k].first);
        for (uint32_t c = 0; c < count; c++)
            rate[k * count + c] = dv_split_exchange_rate(p, kinds[k].first, kinds[c].first);
    }
}
