/* priority.c - which accelerator is asked first. */
#include "solver/priority.h"

#include <stdlib.h>
#include <string.h>

#include "solver/place.h"

dv_status dv_priority_create(const dv_problem *problem, dv_priority *list)
{
    *list = (dv_priority){malloc(((size_t)problem->device_count + 1) * sizeof *list->device), 0};
    return list->device ? DV_OK : dv_fail(DV_NO_MEMORY, "no memory for a list of devices");
}

void dv_priority_free(dv_priority *list)
{
    free(list->device);
    *list = (dv_priority){0};
}

dv_status dv_priority_read(const dv_problem *problem, const char *strategy, const char *key,
                           const char *text, dv_priority *list)
{
    list->count = 0;
    for (const char *at = text;;) {
        size_t length = strcspn(at, "+");
        dv_device_id d = 0;
        while (d < problem->device_count && (strlen(problem->device_name[d]) != length ||
                                             strncmp(problem->device_name[d], at, length) != 0))
            d++;
        if (d == problem->device_count)
            return dv_fail(DV_BAD_PARAMETER, "strategy %s: %s=%s: no device '%.*s' here", strategy,
                           key, text, (int)length, at);
        for (uint32_t i = 0; i < list->count; i++)
            if (list->device[i] == d)
                return dv_fail(DV_BAD_PARAMETER, "strategy %s: %s=%s: '%.*s' comes twice", strategy,
                               key, text, (int)length, at);
        list->device[list->count++] = d;
        if (!at[length])
            return DV_OK;
        at += length + 1;
    }
}

/* The units' time if device d alone took what it supports. */
static double time_with_us(const dv_problem *problem, dv_device_id d)
{
    double sum = 0.0;
    for (dv_unit_id u = 0; u < problem->unit_count; u++) {
        dv_target_id a = dv_place_fastest(problem, u, d);
        sum += dv_problem_time_us(problem, u, a != DV_NONE ? a : dv_place_fallback(problem, u));
    }
    return sum;
}

void dv_priority_by_speed(const dv_problem *problem, dv_priority *list)
{
    list->count = 0;
    for (dv_device_id d = 0; d < problem->device_count; d++) {
        if (d == problem->device[problem->host])
            continue;
        double us = time_with_us(problem, d);
        uint32_t at = list->count++;
        for (; at > 0 && us < time_with_us(problem, list->device[at - 1]); at--)
            list->device[at] = list->device[at - 1];
        list->device[at] = d;
    }
}

dv_status dv_priority_choose(const dv_problem *problem, const char *strategy, const char *key,
                             const char *text, dv_priority *list)
{
    if (strcmp(text, "best") != 0 && strcmp(text, "speed") != 0)
        return dv_priority_read(problem, strategy, key, text, list);
    dv_priority_by_speed(problem, list);
    return DV_OK;
}
