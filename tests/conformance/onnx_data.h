/* onnx_data.h - the stored inputs and outputs of one of the ONNX project's tests. */
#ifndef DV_TESTS_ONNX_DATA_H
#define DV_TESTS_ONNX_DATA_H

#include "load/load.h"
#include "tests/conformance/onnx_case.h"

/* What a person would type so that the model takes this data: the lengths of sequences and the
   shapes of their tensors, which optionals are there, and the values of inputs of one element. */
typedef struct onnx_settings {
    dv_binding dims[ONNX_CASE_TENSORS];
    dv_setting values[ONNX_CASE_TENSORS];
    size_t dim_count, value_count;
    char names[2 * ONNX_CASE_TENSORS][160];
    size_t name_count;
} onnx_settings;

/* Reads input_0.pb ... and output_0.pb ... of test->folder into test->given and test->expected, the
   tensors of a sequence one by one under the names that loading gives them. False if something of
   it is no tensor of numbers. */
bool onnx_data_read(onnx_case *test, onnx_settings *settings);

#endif
