/* piece_order.c - see piece_order.h. */
#include "solver/piece_order.h"

void dv_piece_order_late(const dv_problem *pieces, dv_unit_id *order, uint32_t *missing)
{
    uint32_t n = pieces->unit_count, at = n;
    for (uint32_t q = 0; q < n; q++)
        missing[q] = pieces->next_start[q + 1] - pieces->next_start[q];
    while (at > 0) { /* the ready one that became ready last: depth first, backward */
        uint32_t best = DV_NONE;
        for (uint32_t q = 0; q < n; q++)
            if (missing[q] == 0)
                best = q;
        for (uint32_t k = at; k < n; k++) {
            bool done = false;
            for (uint32_t i = pieces->previous_start[order[k]];
                 i < pieces->previous_start[order[k] + 1]; i++)
                if (missing[pieces->previous[i]] == 0) {
                    best = pieces->previous[i];
                    done = true;
                }
            if (done)
                break;
        }
        order[--at] = best;
        missing[best] = UINT32_MAX;
        for (uint32_t i = pieces->previous_start[best]; i < pieces->previous_start[best + 1]; i++)
            missing[pieces->previous[i]]--;
    }
}

void dv_piece_order_disturb(const dv_problem *pieces, dv_rng *rng, dv_unit_id *order)
{
    uint32_t n = pieces->unit_count, from = (uint32_t)dv_rng_below(rng, n), low = from, high = from;
    dv_unit_id q = order[from];
    for (bool blocked = false; low > 0; low--) {
        for (uint32_t i = pieces->previous_start[q]; i < pieces->previous_start[q + 1]; i++)
            blocked = blocked || pieces->previous[i] == order[low - 1];
        if (blocked)
            break;
    }
    for (bool blocked = false; high + 1 < n; high++) {
        for (uint32_t i = pieces->next_start[q]; i < pieces->next_start[q + 1]; i++)
            blocked = blocked || pieces->next[i] == order[high + 1];
        if (blocked)
            break;
    }
    uint32_t to = low + (uint32_t)dv_rng_below(rng, high - low + 1);
    for (; from < to; from++)
        order[from] = order[from + 1];
    for (; from > to; from--)
        order[from] = order[from - 1];
    order[to] = q;
}
