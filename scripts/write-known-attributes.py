#!/usr/bin/env python3
"""Prints src/graph/known_attributes.inc: the attributes of ONNX's own operators up to an opset.

    scripts/write-known-attributes.py 23 > src/graph/known_attributes.inc      # needs onnx, of that opset or later
"""
import sys

from onnx import defs

# What pbatch reads of later opsets.
LATER = {"Swish": {"alpha"}}

newest = int(sys.argv[1])
known = {}
for schema in defs.get_all_schemas_with_history():
    if schema.domain == "" and schema.since_version <= newest:
        known.setdefault(schema.name, set()).update(schema.attributes)
for name, attributes in LATER.items():
    known.setdefault(name, set()).update(attributes)
print("// Written by scripts/write-known-attributes.py:")
print(f"// ONNX's operators, opsets 1 to {newest}, and their attributes.")
for name, attributes in sorted(known.items()):
    print(f'PBATCH_ATTRIBUTES("{name}", "{" ".join(sorted(attributes))}")')
