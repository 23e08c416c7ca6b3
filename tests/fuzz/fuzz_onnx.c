/* fuzz_onnx.c - ONNX models, from load to plan. */
#include "tests/fuzz/fuzz.h"

int dv_fuzz_onnx(const uint8_t *data, size_t size)
{
    return dv_fuzz_model("model.onnx", data, size);
}
