/* fuzz_pte.c - ExecuTorch programs, from load to plan. */
#include "tests/fuzz/fuzz.h"

int dv_fuzz_pte(const uint8_t *data, size_t size)
{
    return dv_fuzz_model("model.pte", data, size);
}
