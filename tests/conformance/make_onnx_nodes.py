#!/usr/bin/env python3
"""Writes the node tests of the installed Python package onnx, newer than Debian's libonnx-testdata.

    python3 -m venv VENV && VENV/bin/pip install onnx
    VENV/bin/python tests/conformance/make_onnx_nodes.py FOLDER
    DIVVY_ONNX_NODES=FOLDER build/tests/run conformance_onnx_nodes
"""
import os
import sys

import onnx
from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases


def message_of(value, info):
    """The value as the kind of message that its type in the graph asks for."""
    if isinstance(value, TensorProto):
        return value
    for field, convert in (
        ("sequence_type", numpy_helper.from_list),
        ("optional_type", numpy_helper.from_optional),
        ("map_type", numpy_helper.from_dict),
    ):
        if info.type.HasField(field):
            return convert(value, info.name)
    return numpy_helper.from_array(value, info.name)


def write(path, message):
    with open(path, "wb") as file:
        file.write(message.SerializeToString())


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    written = 0
    for case in collect_testcases(None):
        folder = os.path.join(sys.argv[1], "node", case.name)
        data = os.path.join(folder, "test_data_set_0")
        os.makedirs(data, exist_ok=True)
        inputs, outputs = case.data_sets[0]
        graph = case.model.graph
        try:
            for kind, values, infos in (
                ("input", inputs, graph.input),
                ("output", outputs, graph.output),
            ):
                for i, value in enumerate(values):
                    write(f"{data}/{kind}_{i}.pb", message_of(value, infos[i]))
        except (TypeError, ValueError, NotImplementedError) as error:
            print(f"{case.name}: not written: {error}", file=sys.stderr)
            continue
        write(f"{folder}/model.onnx", case.model)
        written += 1
    print(f"onnx {onnx.__version__}: {written} tests")


if __name__ == "__main__":
    main()
