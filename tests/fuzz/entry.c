/* entry.c - what libFuzzer calls; DV_FUZZ_TARGET, given by run.sh, is one of targets.def. */
#include "tests/fuzz/fuzz.h"

#ifdef DV_FUZZ_TARGET
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dv_fuzz_memory_begin(dv_fuzz_allowance(size));
    int result = DV_FUZZ_TARGET(data, size);
    dv_fuzz_memory_end();
    return result;
}
#endif
