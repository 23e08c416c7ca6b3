/* platform_read.c - platform/1 JSON becomes a platform. Every figure is {"value", "source"}. */
#include <math.h>
#include <string.h>

#include "core/file.h"
#include "core/platform_internal.h"

enum { MAX_DEVICES = 64 };

/* What a platform is read into, before it is handed over as constant. */
typedef struct reader {
    dv_platform *platform;
    dv_arena *arena;
    dv_device *devices;
    dv_target *targets;
    dv_link *links;
} reader;

static dv_status no_memory(const dv_json_at *at)
{
    return dv_fail(DV_NO_MEMORY, "%s: out of memory", at->file);
}

static dv_status read_text(dv_arena *arena, const dv_json_at *at, const char *key, bool required,
                           const char **out)
{
    dv_json_at member = dv_json_member(at, key);
    if (!required && !dv_json_present(&member))
        return DV_OK;
    const char *text = NULL;
    DV_TRY(dv_json_string(&member, &text));
    if (!*text)
        return dv_json_fail(&member, "must not be empty");
    *out = dv_arena_copy(arena, text);
    return *out ? DV_OK : no_memory(at);
}

/* Names appear in "device:precision" lists on the command line. */
static dv_status read_name(dv_arena *arena, const dv_json_at *at, const char *key, const char **out)
{
    DV_TRY(read_text(arena, at, key, true, out));
    dv_json_at member = dv_json_member(at, key);
    for (const char *c = *out; *c; c++) {
        bool fine = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                    (*c >= '0' && *c <= '9') || *c == '_' || *c == '-' || *c == '.';
        if (!fine)
            return dv_json_fail(&member, "a name is made of letters, digits, '_', '-' and '.'");
    }
    return DV_OK;
}

/* What values a figure may take. */
typedef enum figure_kind {
    FIGURE_COST, /* >= 0 */
    FIGURE_RATE, /* > 0 */
    FIGURE_RATE_OR_INF,
} figure_kind;

static dv_status read_figure(dv_arena *arena, const dv_json_at *at, figure_kind kind,
                             dv_figure *out)
{
    static const char *const keys[] = {"value", "source", NULL};
    DV_TRY(dv_json_only(at, keys));
    dv_json_at value = dv_json_member(at, "value");
    if (kind == FIGURE_RATE_OR_INF && value.node)
        DV_TRY(dv_json_number_or_inf(&value, &out->value));
    else
        DV_TRY(dv_json_number(&value, &out->value));
    if (out->value < 0.0)
        return dv_json_fail(&value, "must not be negative");
    if (kind != FIGURE_COST && out->value <= 0.0)
        return dv_json_fail(&value, "must be greater than 0");
    return read_text(arena, at, "source", true, &out->source);
}

/* The figure under key; if it is left out, otherwise (whose source says so). */
static dv_status read_optional(dv_arena *arena, const dv_json_at *at, const char *key,
                               figure_kind kind, double otherwise, dv_figure *out)
{
    dv_json_at member = dv_json_member(at, key);
    if (dv_json_present(&member))
        return read_figure(arena, &member, kind, out);
    *out = (dv_figure){otherwise, "not given"};
    return DV_OK;
}

static dv_status read_cost_row(reader *to, const dv_json_at *at, const dv_target *target,
                               dv_family_cost *cost)
{
    static const char *const keys[] = {"launch_us", "gmacs", "weight_gbs", "activation_gbs", NULL};
    DV_TRY(dv_json_only(at, keys));
    dv_json_at launch = dv_json_member(at, "launch_us");
    cost->given = true;
    DV_TRY(read_figure(to->arena, &launch, FIGURE_COST, &cost->launch_us));
    DV_TRY(read_optional(to->arena, at, "gmacs", FIGURE_RATE_OR_INF, INFINITY, &cost->gmacs));
    cost->weight_gbs = target->weight_gbs;
    cost->activation_gbs = target->activation_gbs;
    dv_json_at weights = dv_json_member(at, "weight_gbs");
    dv_json_at activations = dv_json_member(at, "activation_gbs");
    if (dv_json_present(&weights))
        DV_TRY(read_figure(to->arena, &weights, FIGURE_RATE, &cost->weight_gbs));
    if (dv_json_present(&activations))
        DV_TRY(read_figure(to->arena, &activations, FIGURE_RATE, &cost->activation_gbs));
    return DV_OK;
}

static dv_status read_family(reader *to, const dv_json_at *at, const dv_target *target,
                             dv_family_cost *families)
{
    const char *names[DV_FAMILY_COUNT];
    for (int f = 0; f < DV_FAMILY_COUNT; f++)
        names[f] = dv_family_name((dv_family)f);
    dv_family family;
    if (!dv_family_from_name(at->key, &family)) {
        const char *near = dv_nearest_name(at->key, names, DV_FAMILY_COUNT);
        return dv_json_fail(at, "unknown family of operators%s%s%s",
                            near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    return read_cost_row(to, at, target, &families[family]);
}

/* Kinds of operators that cost something else than the rest of their family. */
static dv_status read_operators(reader *to, const dv_json_at *at, const dv_target *target,
                                const dv_family_cost **out)
{
    dv_json_at operators = dv_json_member(at, "operators");
    if (!dv_json_present(&operators))
        return DV_OK;
    DV_TRY(dv_json_object(&operators));
    dv_family_cost *rows = dv_arena_array(to->arena, DV_OP_COUNT, sizeof *rows);
    if (!rows)
        return no_memory(at);
    *out = rows;
    for (dv_json_at child = dv_json_first(&operators); child.node; child = dv_json_next(&child)) {
        dv_op_kind kind = dv_platform_read_kind(&child, child.key);
        if (kind == DV_OP_COUNT)
            return DV_BAD_INPUT;
        DV_TRY(read_cost_row(to, &child, target, &rows[kind]));
    }
    return DV_OK;
}

static dv_status read_families(reader *to, const dv_json_at *at, const dv_target *target,
                               dv_family_cost *rows)
{
    dv_json_at families = dv_json_member(at, "families");
    DV_TRY(dv_json_object(&families));
    for (dv_json_at child = dv_json_first(&families); child.node; child = dv_json_next(&child))
        DV_TRY(read_family(to, &child, target, rows));
    /* what every other family can be estimated from */
    static const dv_family needed[] = {DV_FAMILY_CONV, DV_FAMILY_ELEMENTWISE};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!rows[needed[i]].given)
            return dv_json_fail(&families, "the family \"%s\" is missing; every target needs it",
                                dv_family_name(needed[i]));
    return DV_OK;
}

/* Prices of operators on 8-bit integers, under key; *out stays NULL if they are not given. */
static dv_status read_rows(reader *to, const dv_json_at *at, const char *key,
                           const dv_target *target, const dv_cost_rows **out)
{
    static const char *const keys[] = {"families", "operators", NULL};
    dv_json_at member = dv_json_member(at, key);
    if (!dv_json_present(&member))
        return DV_OK;
    DV_TRY(dv_json_only(&member, keys));
    dv_cost_rows *rows = dv_arena_array(to->arena, 1, sizeof *rows);
    if (!rows)
        return no_memory(at);
    *out = rows;
    DV_TRY(read_families(to, &member, target, rows->family));
    return read_operators(to, &member, target, &rows->operators);
}

static dv_status read_precision(reader *to, const dv_json_at *at, dv_device_id device)
{
    static const char *const keys[] = {
        "precision", "channel_multiple", "weight_gbs", "activation_gbs", "relative_error",
        "families",  "operators",        "integers",   "converted",      NULL};
    DV_TRY(dv_json_only(at, keys));
    dv_target *target = &to->targets[to->platform->target_count];
    dv_json_at name = dv_json_member(at, "precision");
    const char *precision = NULL;
    DV_TRY(dv_json_string(&name, &precision));
    bool known = dv_dtype_from_name(precision, &target->precision) &&
                 (target->precision == DV_DTYPE_F32 || target->precision == DV_DTYPE_F16 ||
                  target->precision == DV_DTYPE_BF16 || target->precision == DV_DTYPE_I8);
    if (!known)
        return dv_json_fail(&name, "a precision is f32, f16, bf16 or i8, not \"%.40s\"", precision);
    target->device = device;
    target->name = dv_arena_printf(to->arena, "%s:%s", to->devices[device].name, precision);
    if (!target->name)
        return no_memory(at);
    if (dv_platform_target(to->platform, target->name) != UINT32_MAX)
        return dv_json_fail(&name, "the device has this precision already");

    dv_json_at weights = dv_json_member(at, "weight_gbs");
    dv_json_at activations = dv_json_member(at, "activation_gbs");
    dv_figure multiple = {0}, error = {0};
    DV_TRY(read_figure(to->arena, &weights, FIGURE_RATE, &target->weight_gbs));
    DV_TRY(read_figure(to->arena, &activations, FIGURE_RATE, &target->activation_gbs));
    DV_TRY(read_optional(to->arena, at, "relative_error", FIGURE_COST, 0.0, &error));
    DV_TRY(read_optional(to->arena, at, "channel_multiple", FIGURE_RATE, 1.0, &multiple));
    dv_json_at at_multiple = dv_json_member(at, "channel_multiple");
    if (multiple.value != floor(multiple.value) || multiple.value > 1024.0)
        return dv_json_fail(&at_multiple, "must be a whole number from 1 to 1024");
    target->channel_multiple = (uint32_t)multiple.value;
    target->relative_error = error.value;
    DV_TRY(read_families(to, at, target, target->family));
    DV_TRY(read_operators(to, at, target, &target->operators));
    DV_TRY(read_rows(to, at, "integers", target, &target->integers));
    DV_TRY(read_rows(to, at, "converted", target, &target->converted));
    to->platform->target_count++;
    return DV_OK;
}

static dv_status read_realisation(reader *to, const dv_json_at *at, dv_realisation *out)
{
    static const char *const keys[] = {"backend", "inner", "core", "threads", NULL};
    out->core = -1;
    if (!dv_json_present(at))
        return DV_OK;
    DV_TRY(dv_json_only(at, keys));
    DV_TRY(read_name(to->arena, at, "backend", &out->backend));
    dv_json_at inner = dv_json_member(at, "inner");
    bool worker = strcmp(out->backend, "worker") == 0;
    if (worker != dv_json_present(&inner))
        return dv_json_fail(&inner, worker ? "a worker needs the name of the backend that it runs"
                                           : "only the backend \"worker\" has an inner one");
    if (worker)
        DV_TRY(read_name(to->arena, at, "inner", &out->inner));
    int64_t core = -1, threads = 1;
    dv_json_at at_core = dv_json_member(at, "core");
    dv_json_at at_threads = dv_json_member(at, "threads");
    if (dv_json_present(&at_core))
        DV_TRY(dv_json_integer(&at_core, -1, 4095, &core));
    if (dv_json_present(&at_threads))
        DV_TRY(dv_json_integer(&at_threads, 1, 4096, &threads));
    out->core = (int32_t)core;
    out->threads = (uint32_t)threads;
    return DV_OK;
}

static dv_status read_kind(const dv_json_at *at, dv_device_kind *out)
{
    const char *name = NULL;
    DV_TRY(dv_json_string(at, &name));
    for (int kind = 0; kind < DV_DEVICE_KIND_COUNT; kind++)
        if (strcmp(name, dv_device_kind_name((dv_device_kind)kind)) == 0) {
            *out = (dv_device_kind)kind;
            return DV_OK;
        }
    return dv_json_fail(at, "a kind of device is cpu, gpu, npu, ane or dsp, not \"%.40s\"", name);
}

static dv_status read_device(reader *to, const dv_json_at *at)
{
    static const char *const keys[] = {"name",        "title",      "kind",         "delegate",
                                       "dispatch_us", "session_us", "memory_bytes", "power_w",
                                       "support",     "precisions", "realisation",  NULL};
    DV_TRY(dv_json_only(at, keys));
    dv_device_id id = to->platform->device_count;
    dv_device *device = &to->devices[id];
    DV_TRY(read_name(to->arena, at, "name", &device->name));
    dv_json_at name = dv_json_member(at, "name");
    if (dv_platform_device(to->platform, device->name) != UINT32_MAX)
        return dv_json_fail(&name, "there is a device \"%s\" already", device->name);
    device->title = device->name;
    DV_TRY(read_text(to->arena, at, "title", false, &device->title));
    DV_TRY(read_text(to->arena, at, "delegate", false, &device->delegate));
    dv_json_at kind = dv_json_member(at, "kind");
    DV_TRY(read_kind(&kind, &device->kind));
    dv_json_at dispatch = dv_json_member(at, "dispatch_us");
    DV_TRY(read_figure(to->arena, &dispatch, FIGURE_COST, &device->dispatch_us));
    DV_TRY(read_optional(to->arena, at, "session_us", FIGURE_COST, 0.0, &device->session_us));
    DV_TRY(read_optional(to->arena, at, "memory_bytes", FIGURE_RATE_OR_INF, INFINITY,
                         &device->memory_bytes));
    DV_TRY(read_optional(to->arena, at, "power_w", FIGURE_COST, NAN, &device->power_w));

    bool *supports = dv_arena_array(to->arena, DV_OP_COUNT, sizeof *supports);
    if (!supports)
        return no_memory(at);
    dv_json_at support = dv_json_member(at, "support");
    DV_TRY(dv_json_object(&support));
    DV_TRY(dv_platform_read_support(&support, to->arena, supports, device));
    device->supports = supports;
    dv_json_at realisation = dv_json_member(at, "realisation");
    DV_TRY(read_realisation(to, &realisation, &device->realisation));
    to->platform->device_count++;

    dv_json_at precisions = dv_json_member(at, "precisions");
    DV_TRY(dv_json_array(&precisions));
    if (dv_json_count(&precisions) == 0)
        return dv_json_fail(&precisions, "a device needs at least one precision");
    for (dv_json_at item = dv_json_first(&precisions); item.node; item = dv_json_next(&item))
        DV_TRY(read_precision(to, &item, id));
    return DV_OK;
}

static dv_status read_end(reader *to, const dv_json_at *at, const char *key, dv_device_id *out)
{
    dv_json_at member = dv_json_member(at, key);
    const char *name = NULL;
    DV_TRY(dv_json_string(&member, &name));
    *out = dv_platform_device(to->platform, name);
    if (*out == UINT32_MAX)
        return dv_json_fail(&member, "there is no device \"%.60s\"", name);
    return DV_OK;
}

static dv_status add_link(reader *to, const dv_json_at *at, dv_link link)
{
    if (dv_platform_link(to->platform, link.from, link.to))
        return dv_json_fail(at, "these two devices have a link in this direction already");
    to->links[to->platform->link_count++] = link;
    return DV_OK;
}

static dv_status read_link(reader *to, const dv_json_at *at)
{
    static const char *const keys[] = {"from", "to", "both_ways", "latency_us", "gbs", NULL};
    DV_TRY(dv_json_only(at, keys));
    dv_link link = {0};
    DV_TRY(read_end(to, at, "from", &link.from));
    DV_TRY(read_end(to, at, "to", &link.to));
    if (link.from == link.to)
        return dv_json_fail(at, "a link joins two different devices");
    dv_json_at latency = dv_json_member(at, "latency_us");
    dv_json_at gbs = dv_json_member(at, "gbs");
    DV_TRY(read_figure(to->arena, &latency, FIGURE_COST, &link.latency_us));
    DV_TRY(read_figure(to->arena, &gbs, FIGURE_RATE, &link.gbs));
    dv_json_at both = dv_json_member(at, "both_ways");
    bool both_ways = false;
    if (dv_json_present(&both))
        DV_TRY(dv_json_bool(&both, &both_ways));
    DV_TRY(add_link(to, at, link));
    if (!both_ways)
        return DV_OK;
    dv_device_id from = link.from;
    link.from = link.to;
    link.to = from;
    return add_link(to, at, link);
}

/* Every device but the host's must be reachable, else no plan could move a tensor. */
static dv_status check_links(const reader *to, const dv_json_at *links)
{
    const dv_platform *platform = to->platform;
    dv_device_id host = to->targets[platform->host].device;
    for (dv_device_id d = 0; d < platform->device_count; d++) {
        if (d == host)
            continue;
        if (!dv_platform_link(platform, host, d) || !dv_platform_link(platform, d, host))
            return dv_json_fail(links, "the host's device \"%s\" and \"%s\" need a link each way",
                                to->devices[host].name, to->devices[d].name);
    }
    return DV_OK;
}

static dv_status read_document(reader *to, const dv_json_at *root)
{
    static const char *const keys[] = {"divvy",       "name",    "title", "about", "host",
                                       "convert_gbs", "devices", "links", NULL};
    dv_platform *platform = to->platform;
    DV_TRY(dv_json_expect_noun(root, "platform/1"));
    DV_TRY(dv_json_only(root, keys));
    DV_TRY(read_name(to->arena, root, "name", &platform->name));
    platform->title = platform->name;
    DV_TRY(read_text(to->arena, root, "title", false, &platform->title));
    DV_TRY(read_text(to->arena, root, "about", false, &platform->about));
    dv_json_at convert = dv_json_member(root, "convert_gbs");
    DV_TRY(read_figure(to->arena, &convert, FIGURE_RATE, &platform->convert_gbs));

    dv_json_at devices = dv_json_member(root, "devices");
    DV_TRY(dv_json_array(&devices));
    size_t count = dv_json_count(&devices);
    if (count < 1 || count > MAX_DEVICES)
        return dv_json_fail(&devices, "a platform has 1 to %d devices, not %zu", MAX_DEVICES,
                            count);
    size_t target_count = 0;
    for (dv_json_at item = dv_json_first(&devices); item.node; item = dv_json_next(&item)) {
        dv_json_at precisions = dv_json_member(&item, "precisions");
        target_count += dv_json_count(&precisions);
    }
    platform->devices = to->devices = dv_arena_array(to->arena, count, sizeof *to->devices);
    platform->targets = to->targets = dv_arena_array(to->arena, target_count, sizeof *to->targets);
    if (!to->devices || !to->targets)
        return no_memory(root);
    for (dv_json_at item = dv_json_first(&devices); item.node; item = dv_json_next(&item))
        DV_TRY(read_device(to, &item));

    dv_json_at host = dv_json_member(root, "host");
    const char *host_name = NULL;
    DV_TRY(dv_json_string(&host, &host_name));
    platform->host = dv_platform_target(platform, host_name);
    if (platform->host == UINT32_MAX)
        return dv_json_fail(&host, "there is no target \"%.60s\"; write it as device:precision",
                            host_name);

    dv_json_at links = dv_json_member(root, "links");
    if (dv_json_present(&links))
        DV_TRY(dv_json_array(&links));
    platform->links = to->links =
        dv_arena_array(to->arena, 2 * dv_json_count(&links), sizeof *to->links);
    if (!to->links)
        return no_memory(root);
    for (dv_json_at item = dv_json_first(&links); item.node; item = dv_json_next(&item))
        DV_TRY(read_link(to, &item));
    return check_links(to, &links);
}

dv_status dv_platform_parse(const char *file, const char *text, size_t size, dv_platform **out)
{
    *out = NULL;
    dv_json *json = NULL;
    DV_TRY(dv_json_parse(file, text, size, &json));
    reader to = {.arena = dv_arena_create()};
    dv_status status;
    to.platform = to.arena ? dv_arena_alloc(to.arena, sizeof *to.platform) : NULL;
    if (!to.platform) {
        status = dv_fail(DV_NO_MEMORY, "%s: out of memory", file);
        goto done;
    }
    to.platform->arena = to.arena;
    to.platform->file = dv_arena_copy(to.arena, file);
    dv_sha256_hex(text, size, to.platform->sha256);
    dv_json_at root = dv_json_root(json, file);
    status = read_document(&to, &root);
done:
    dv_json_destroy(json);
    if (status == DV_OK)
        *out = to.platform;
    else
        dv_arena_destroy(to.arena);
    return status;
}
