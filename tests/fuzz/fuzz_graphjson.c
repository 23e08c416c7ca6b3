/* fuzz_graphjson.c - divvy's own graph/1, from load to plan. */
#include "tests/fuzz/fuzz.h"

int dv_fuzz_graphjson(const uint8_t *data, size_t size)
{
    return dv_fuzz_model("model.json", data, size);
}
