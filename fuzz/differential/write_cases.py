#!/usr/bin/env python3
"""Prints the cases of cases.py with ONNX Runtime's answers, one item a line, for
tests/op/beside_onnxruntime_test.cc, which says what the lines mean.

    python3 fuzz/differential/write_cases.py > tests/op/beside_onnxruntime.txt
"""
import onnx
from onnx import AttributeProto as A
from onnx import numpy_helper

from beside import onnxruntime_outputs
from cases import all_cases


def tensor(kind, name, array):
    dims = ",".join(map(str, array.shape)) or "-"
    values = " ".join(f"{v:.9g}" if array.dtype.kind == "f" else str(int(v))
                      for v in array.ravel())
    return f"{kind} {name} {array.dtype} {dims} {values}".rstrip()


def attribute(a):
    value = onnx.helper.get_attribute_value(a)
    if a.type == A.STRING:
        return f"{a.name}=s:{value.decode()}"
    if a.type in (A.INTS, A.FLOATS):
        return f"{a.name}={'is' if a.type == A.INTS else 'fs'}:" + ",".join(f"{v:.9g}" for v in value)
    return f"{a.name}={'i' if a.type == A.INT else 'f'}:{value:.9g}"


def main():
    print("# Written by fuzz/differential/write_cases.py; the outputs are ONNX Runtime's.")
    for name, model, feeds, tolerance in all_cases():
        print(f"\ncase {name}\ntolerance {tolerance}\nopset {model.opset_import[0].version}")
        for constant in model.graph.initializer:
            print(tensor("constant", constant.name, numpy_helper.to_array(constant)))
        for key, value in feeds.items():
            print(tensor("input", key, value))
        for n in model.graph.node:
            parts = [n.domain or "-", n.op_type, ",".join(n.input), ",".join(n.output)]
            print("node", *parts, *[attribute(a) for a in n.attribute])
        for output, value in zip(model.graph.output, onnxruntime_outputs(model, feeds)):
            print(tensor("output", output.name, value))


main()
