/* op.c - the table of operators. */
#include "core/op.h"

#include <string.h>

static const dv_op_info rows[] = {
#define OP(kind, name, family, least, most, params, shape, work) \
    [DV_OP_##kind] = {DV_OP_##kind, name, DV_FAMILY_##family, least, most},
#include "core/ops.def"
#undef OP
};

static const char *const family_names[] = {
#define ROW(name, text) [DV_FAMILY_##name] = text,
    DV_FAMILY_LIST(ROW)
#undef ROW
};

const dv_op_info *dv_op_info_of(dv_op_kind kind)
{
    return &rows[kind];
}

dv_op_kind dv_op_kind_of(const char *name)
{
    for (int i = 0; i < DV_OP_COUNT; i++)
        if (strcmp(name, rows[i].name) == 0)
            return (dv_op_kind)i;
    return DV_OP_COUNT;
}

const char *dv_family_name(dv_family family)
{
    return family_names[family];
}

bool dv_family_from_name(const char *name, dv_family *out)
{
    for (int i = 0; i < DV_FAMILY_COUNT; i++)
        if (strcmp(name, family_names[i]) == 0) {
            *out = (dv_family)i;
            return true;
        }
    return false;
}
