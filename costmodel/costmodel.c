/* costmodel.c - the registry of cost models. */
#include <string.h>

#include "costmodel/costmodel.h"

#define MODEL(variable) extern const dv_cost_model variable;
#include "costmodel/models.def"
#undef MODEL

static const dv_cost_model *const models[] = {
#define MODEL(variable) &variable,
#include "costmodel/models.def"
#undef MODEL
};

const dv_cost_model *dv_cost_model_at(size_t i)
{
    return i < sizeof models / sizeof *models ? models[i] : NULL;
}

const dv_cost_model *dv_cost_model_find(const char *name)
{
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (strcmp(models[i]->name, name) == 0)
            return models[i];
    return NULL;
}
