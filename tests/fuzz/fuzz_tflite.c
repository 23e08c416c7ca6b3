/* fuzz_tflite.c - TFLite models, from load to plan. */
#include "tests/fuzz/fuzz.h"

int dv_fuzz_tflite(const uint8_t *data, size_t size)
{
    return dv_fuzz_model("model.tflite", data, size);
}
