/* tflite_branches.c - IF without a branch: both subgraphs are built in place, and a choice is made
   between their results; or the one alone that a constant condition takes. */
#include "load/tflite_build.h"

enum { MOST_NESTING = 16 };

/* The choice hands the inputs over as they are; both forms, so that nothing is permuted twice. */
static dv_status give_inputs(dv_tfl_at *at, dv_tfl_scope *inner)
{
    dv_fb_vector names = dv_fb_list(&inner->subgraph, 1, 4);
    if (names.count + 1 != at->inputs.count)
        return dv_fail(DV_BAD_INPUT, "its branch takes %u inputs, not %u", names.count,
                       at->inputs.count - 1);
    for (uint32_t i = 0; i < names.count; i++) {
        int32_t index = dv_fb_i32_at(&names, i);
        if (index < 0 || (uint32_t)index >= inner->tensors.count)
            return dv_fail(DV_BAD_INPUT, "its branch's input %u is tensor %d of %u", i, index,
                           inner->tensors.count);
        dv_tensor_id id;
        dv_tfl_slot *slot = &inner->slots[index];
        if (slot->plain != DV_NONE || slot->constant != DV_NONE)
            return dv_fail(DV_BAD_INPUT, "its branch's input %u is given twice", i);
        DV_TRY(dv_tfl_plain_input(at, i + 1, &id));
        slot->plain = id;
        slot->planar = at->b->scope->slots[dv_tfl_slot_of(at, i + 1)].planar;
    }
    return DV_OK;
}

static dv_status build_inside(dv_tfl_at *at, dv_tensor_id *results)
{
    dv_tfl_builder *b = at->b;
    dv_fb_vector names = dv_fb_list(&b->scope->subgraph, 2, 4);
    DV_TRY(dv_tfl_add_operators(b));
    if (names.count != at->outputs.count)
        return dv_fail(DV_BAD_INPUT, "its branch gives %u results, not %u", names.count,
                       at->outputs.count);
    for (uint32_t i = 0; i < names.count; i++) {
        int32_t index = dv_fb_i32_at(&names, i);
        if (index < 0 || (uint32_t)index >= b->scope->tensors.count)
            return dv_fail(DV_BAD_INPUT, "its branch's result %u is tensor %d of %u", i, index,
                           b->scope->tensors.count);
        DV_TRY(dv_tfl_plain(b, (uint32_t)index, &results[i]));
    }
    return DV_OK;
}

static dv_status build_branch(dv_tfl_at *at, int32_t subgraph, dv_tensor_id *results)
{
    dv_tfl_builder *b = at->b;
    dv_tfl_scope inner, *outer = b->scope;
    DV_TRY(dv_tfl_open_scope(b, (uint32_t)subgraph, &inner));
    DV_TRY(give_inputs(at, &inner));
    b->scope = &inner;
    b->depth++;
    dv_status status = build_inside(at, results);
    b->depth--;
    b->scope = outer;
    return status;
}

/* 0 then, 1 else; 2 if the condition is not a constant of the file. */
static dv_status branch_taken(const dv_tfl_at *at, size_t *taken)
{
    int64_t truth;
    int count;
    DV_TRY(dv_tfl_ints(at, 0, 1, &truth, &count));
    *taken = count != 1 ? 2 : truth ? 0 : 1;
    return DV_OK;
}

dv_status dv_tfl_op_branch(dv_tfl_at *at)
{
    const int32_t subgraphs[] = {dv_fb_i32(&at->options, 0, 0), dv_fb_i32(&at->options, 1, 0)};
    size_t taken;
    if (at->b->depth >= MOST_NESTING)
        return dv_fail(DV_BAD_INPUT, "its branches are nested more than %d deep", MOST_NESTING);
    DV_TRY(branch_taken(at, &taken));
    dv_tensor_id *results[2], condition;
    for (size_t i = 0; i < 2; i++) {
        if (subgraphs[i] < 0 || (uint32_t)subgraphs[i] >= at->b->subgraphs.count)
            return dv_fail(DV_BAD_INPUT, "its branch is subgraph %d of %u", subgraphs[i],
                           at->b->subgraphs.count);
        results[i] = dv_arena_array(at->b->arena, at->outputs.count, sizeof **results);
        if (!results[i])
            return dv_fail(DV_NO_MEMORY, "out of memory");
        if (taken == 2 || taken == i)
            DV_TRY(build_branch(at, subgraphs[i], results[i]));
    }
    DV_TRY(dv_tfl_plain_input(at, 0, &condition));
    for (uint32_t i = 0; i < at->outputs.count; i++) {
        dv_tensor_id id;
        dv_op_params choice = {.flag = {.on = true}};
        const dv_tensor_id both[] = {condition, results[0][i], results[1][i]};
        DV_TRY(taken == 2 ? dv_tfl_emit(at, DV_OP_WHERE, &choice, both, 3, &id)
                          : dv_tfl_emit1(at, DV_OP_IDENTITY, NULL, results[taken][i], &id));
        DV_TRY(dv_tfl_result(at, i, id, false));
    }
    return DV_OK;
}
