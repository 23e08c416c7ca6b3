"""Holds ONNX files against ONNX Runtime: python3 onnx_runtime.py FOLDER

For every FOLDER/NAME.onnx the inputs are NAME.in0, NAME.in1 ... (raw elements in the shapes that the
file declares) and the outputs NAME.out0, ... . Prints a line a file, and ends with status 1 if any
output differs by more than 1e-3 of the output's root mean square."""
import glob
import os
import sys

try:
    import numpy
    import onnxruntime
except ImportError as missing:
    print(missing)
    sys.exit(77)

TYPES = {"tensor(float)": "f4", "tensor(int64)": "i8", "tensor(int32)": "i4", "tensor(bool)": "?",
         "tensor(uint8)": "u1", "tensor(int8)": "i1", "tensor(double)": "f8", "tensor(float16)": "f2"}


def check(path):
    base = path[:-len(".onnx")]
    session = onnxruntime.InferenceSession(path)
    feed = {}
    for i, given in enumerate(session.get_inputs()):
        data = numpy.fromfile(f"{base}.in{i}", dtype=TYPES[given.type], count=-1)
        count = int(numpy.prod(given.shape))
        feed[given.name] = data[:count].reshape(given.shape)
    worst = 0.0
    for i, got in enumerate(session.run(None, feed)):
        want = numpy.fromfile(f"{base}.out{i}", dtype=got.dtype)[:got.size].reshape(got.shape)
        if got.dtype.kind != "f":
            worst = max(worst, 0.0 if (got == want).all() else 1.0)
        elif got.size:
            want = want.astype("f8")
            rms = numpy.sqrt(numpy.mean(want * want)) + 1e-30
            worst = max(worst, float(numpy.max(numpy.abs(got - want)) / rms))
    return worst


def main(folder):
    onnxruntime.set_default_logger_severity(4)
    failed = 0
    for path in sorted(glob.glob(os.path.join(folder, "*.onnx"))):
        try:
            worst = check(path)
            good = worst <= 1e-3
            text = f"{worst:.2e}"
        except Exception as fault:  # whatever the runtime says, the test shall show it
            good, text = False, str(fault).replace("\n", " ")[:300]
        print(f"    {'' if good else 'FAILED '}{os.path.basename(path)}: {text}")
        failed += not good
    return 1 if failed else 0


sys.exit(main(sys.argv[1]))
