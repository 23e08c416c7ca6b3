/* platform_restrict.c - a platform with fewer targets. */
#include <stdio.h>
#include <string.h>

#include "core/platform.h"
#include "core/text.h"

/* Copies into another arena; *failed is set without memory, so one check at the end is enough. */
typedef struct copier {
    dv_arena *arena;
    bool failed;
} copier;

static const char *copy_text(copier *to, const char *text)
{
    char *copy = dv_arena_copy(to->arena, text);
    to->failed |= text && !copy;
    return copy;
}

static dv_figure copy_figure(copier *to, dv_figure figure)
{
    return (dv_figure){figure.value, copy_text(to, figure.source)};
}

static dv_device copy_device(copier *to, const dv_device *from)
{
    dv_device device = *from;
    device.name = copy_text(to, from->name);
    device.title = copy_text(to, from->title);
    device.delegate = copy_text(to, from->delegate);
    device.dispatch_us = copy_figure(to, from->dispatch_us);
    device.session_us = copy_figure(to, from->session_us);
    device.memory_bytes = copy_figure(to, from->memory_bytes);
    device.power_w = copy_figure(to, from->power_w);
    device.support_source = copy_text(to, from->support_source);
    device.realisation.backend = copy_text(to, from->realisation.backend);
    device.realisation.inner = copy_text(to, from->realisation.inner);
    bool *supports = dv_arena_array(to->arena, DV_OP_COUNT, sizeof *supports);
    if (supports)
        memcpy(supports, from->supports, DV_OP_COUNT * sizeof *supports);
    to->failed |= !supports;
    device.supports = supports;
    const char **named = dv_arena_array(to->arena, from->named_count, sizeof *named);
    to->failed |= !named;
    for (uint32_t i = 0; named && i < from->named_count; i++)
        named[i] = copy_text(to, from->named[i]);
    device.named = named;
    return device;
}

static dv_family_cost copy_cost(copier *to, dv_family_cost cost)
{
    cost.launch_us = copy_figure(to, cost.launch_us);
    cost.gmacs = copy_figure(to, cost.gmacs);
    cost.weight_gbs = copy_figure(to, cost.weight_gbs);
    cost.activation_gbs = copy_figure(to, cost.activation_gbs);
    return cost;
}

/* NULL of NULL. */
static const dv_family_cost *copy_operators(copier *to, const dv_family_cost *from)
{
    if (!from)
        return NULL;
    dv_family_cost *rows = dv_arena_array(to->arena, DV_OP_COUNT, sizeof *rows);
    for (int kind = 0; rows && kind < DV_OP_COUNT; kind++)
        rows[kind] = copy_cost(to, from[kind]);
    to->failed |= !rows;
    return rows;
}

static const dv_cost_rows *copy_rows(copier *to, const dv_cost_rows *from)
{
    if (!from)
        return NULL;
    dv_cost_rows *rows = dv_arena_array(to->arena, 1, sizeof *rows);
    to->failed |= !rows;
    for (int f = 0; rows && f < DV_FAMILY_COUNT; f++)
        rows->family[f] = copy_cost(to, from->family[f]);
    if (rows)
        rows->operators = copy_operators(to, from->operators);
    return rows;
}

static dv_target copy_target(copier *to, const dv_target *from)
{
    dv_target target = *from;
    target.name = copy_text(to, from->name);
    target.weight_gbs = copy_figure(to, from->weight_gbs);
    target.activation_gbs = copy_figure(to, from->activation_gbs);
    for (int f = 0; f < DV_FAMILY_COUNT; f++)
        target.family[f] = copy_cost(to, from->family[f]);
    target.operators = copy_operators(to, from->operators);
    target.integers = copy_rows(to, from->integers);
    target.converted = copy_rows(to, from->converted);
    return target;
}

/* Marks the targets that one item of the list names. */
static dv_status mark(const dv_platform *platform, const char *item, bool *keep)
{
    bool found = false;
    for (dv_target_id t = 0; t < platform->target_count; t++) {
        const dv_target *target = &platform->targets[t];
        if (strcmp(target->name, item) == 0 ||
            strcmp(platform->devices[target->device].name, item) == 0)
            keep[t] = found = true;
    }
    if (found)
        return DV_OK;
    dv_text known = {0};
    for (dv_target_id t = 0; t < platform->target_count; t++)
        dv_text_append(&known, "%s%s", t ? ", " : "", platform->targets[t].name);
    dv_status status = dv_fail(DV_BAD_PARAMETER, "platform '%s' has no target '%s'; it has %s",
                               platform->name, item, dv_text_string(&known));
    dv_text_free(&known);
    return status;
}

static dv_status mark_all(const dv_platform *platform, const char *targets, bool *keep)
{
    keep[platform->host] = true;
    for (const char *at = targets;; at++) {
        char item[256];
        size_t length = strcspn(at, ",");
        snprintf(item, sizeof item, "%.*s", (int)(length < 255 ? length : 255), at);
        DV_TRY(mark(platform, item, keep));
        at += length;
        if (!*at)
            return DV_OK;
    }
}

/* Fills *to, whose arrays hold as many as from's, with what keep lets through. */
static void copy_kept(copier *with, const dv_platform *from, const bool *keep, dv_platform *to,
                      dv_device *devices, dv_target *targets, dv_link *links,
                      dv_device_id *new_device)
{
    for (dv_device_id d = 0; d < from->device_count; d++) {
        bool used = false;
        for (dv_target_id t = 0; t < from->target_count; t++)
            used |= keep[t] && from->targets[t].device == d;
        new_device[d] = used ? to->device_count : UINT32_MAX;
        if (used)
            devices[to->device_count++] = copy_device(with, &from->devices[d]);
    }
    for (dv_target_id t = 0; t < from->target_count; t++) {
        if (!keep[t])
            continue;
        if (t == from->host)
            to->host = to->target_count;
        dv_target *target = &targets[to->target_count++];
        *target = copy_target(with, &from->targets[t]);
        target->device = new_device[from->targets[t].device];
    }
    for (uint32_t i = 0; i < from->link_count; i++) {
        const dv_link *link = &from->links[i];
        if (new_device[link->from] == UINT32_MAX || new_device[link->to] == UINT32_MAX)
            continue;
        links[to->link_count++] =
            (dv_link){new_device[link->from], new_device[link->to],
                      copy_figure(with, link->latency_us), copy_figure(with, link->gbs)};
    }
}

dv_status dv_platform_restrict(const dv_platform *platform, const char *targets, dv_platform **out)
{
    *out = NULL;
    copier with = {.arena = dv_arena_create()};
    if (!with.arena)
        return dv_fail(DV_NO_MEMORY, "platform '%s': out of memory", platform->name);
    dv_platform *to = dv_arena_alloc(with.arena, sizeof *to);
    bool *keep = dv_arena_array(with.arena, platform->target_count, sizeof *keep);
    dv_device_id *map = dv_arena_array(with.arena, platform->device_count, sizeof *map);
    dv_device *devices = dv_arena_array(with.arena, platform->device_count, sizeof *devices);
    dv_target *kept = dv_arena_array(with.arena, platform->target_count, sizeof *kept);
    dv_link *links = dv_arena_array(with.arena, platform->link_count, sizeof *links);
    dv_status status = DV_OK;
    if (!to || !keep || !map || !devices || !kept || !links) {
        status = dv_fail(DV_NO_MEMORY, "platform '%s': out of memory", platform->name);
        goto done;
    }
    status = mark_all(platform, targets, keep);
    if (status != DV_OK)
        goto done;
    to->name = copy_text(&with, platform->name);
    to->title = copy_text(&with, platform->title);
    to->about = copy_text(&with, platform->about);
    to->file = copy_text(&with, platform->file);
    memcpy(to->sha256, platform->sha256, sizeof to->sha256);
    to->convert_gbs = copy_figure(&with, platform->convert_gbs);
    to->devices = devices;
    to->targets = kept;
    to->links = links;
    to->arena = with.arena;
    copy_kept(&with, platform, keep, to, devices, kept, links, map);
    if (with.failed)
        status = dv_fail(DV_NO_MEMORY, "platform '%s': out of memory", platform->name);
done:
    if (status == DV_OK)
        *out = to;
    else
        dv_arena_destroy(with.arena);
    return status;
}

void dv_platform_set_threads(dv_platform *platform, uint32_t threads)
{
    /* the devices are in this platform's own arena */
    dv_device *devices = (dv_device *)platform->devices;
    for (dv_device_id d = 0; d < platform->device_count; d++) {
        dv_realisation *real = &devices[d].realisation;
        if (real->backend && strcmp(real->backend, "worker") != 0)
            real->threads = threads;
    }
}

void dv_platform_allow(dv_platform *platform, dv_device_id device, dv_op_kind kind)
{
    bool *supports = (bool *)platform->devices[device].supports; /* of this platform's own arena */
    supports[kind] = true;
}
