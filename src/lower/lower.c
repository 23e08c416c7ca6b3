/* lower.c - runs the passes of passes.def over a graph. */
#include "lower/lower.h"

#include <string.h>

#include "lower/passes.h"

static const dv_pass passes[] = {
#define PASS(name, repeat, summary) {#name, summary, dv_pass_##name},
#include "lower/passes.def"
#undef PASS
};

static const bool repeats[] = {
#define PASS(name, repeat, summary) repeat,
#include "lower/passes.def"
#undef PASS
};

enum { PASS_COUNT = sizeof passes / sizeof passes[0] };

/* Every round removes or simplifies an operator, so few are needed; the limit guards against two
   passes that undo each other. */
enum { MOST_ROUNDS = 16 };

const dv_pass *dv_pass_at(size_t i)
{
    return i < PASS_COUNT ? &passes[i] : NULL;
}

/* The graph on its way: the first one is the caller's. */
typedef struct progress {
    const dv_graph *current;
    dv_graph *owned; /* NULL while current is the caller's */
    bool changed;
} progress;

static dv_status run_pass(size_t p, const dv_lower_options *options, progress *at)
{
    dv_graph *next = NULL;
    DV_TRY(passes[p].run(at->current, options, &next));
    if (next) {
        dv_graph_destroy(at->owned);
        at->owned = next;
        at->current = next;
        at->changed = true;
    }
    if (options && options->dump && options->dump_after &&
        (strcmp(options->dump_after, "all") == 0 ||
         strcmp(options->dump_after, passes[p].name) == 0))
        options->dump(options->context, passes[p].name, at->current);
    return DV_OK;
}

dv_status dv_lower(const dv_graph *graph, const dv_lower_options *options, dv_graph **out)
{
    progress at = {.current = graph};
    dv_status status = DV_OK;
    for (size_t p = 0; status == DV_OK && p < PASS_COUNT;) {
        size_t end = p + 1;
        while (repeats[p] && end < PASS_COUNT && repeats[end])
            end++;
        int round = 0;
        do {
            at.changed = false;
            for (size_t i = p; status == DV_OK && i < end; i++)
                status = run_pass(i, options, &at);
        } while (status == DV_OK && repeats[p] && at.changed && ++round < MOST_ROUNDS);
        p = end;
    }
    if (status == DV_OK)
        status = dv_lower_tell_merged(graph, at.owned);
    if (status != DV_OK) {
        dv_graph_destroy(at.owned);
        return status;
    }
    *out = at.owned;
    return DV_OK;
}
