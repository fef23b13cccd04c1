#!/usr/bin/env python3
"""One integer LSTM, 10^6 steps, on every instruction set of this machine and in the exported C: checksums.

    PYTHON bench/integer_bits.py [--steps 1000000]

Two layers of 48 units, 8 and 4 weight bits, 8 and 16 activation bits; each run of 1,000 steps gets the states
that the one before left. A checksum counts every output of every step. The exported C is compiled for this
machine, and with a hundredth of the steps by other compilers, also for machines that are emulated, where
compiler and emulator are installed.
Exits with 1 if two checksums of as many steps differ. Needs numpy, onnx and onnxruntime (for bench/integer.py).
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import integer

CHUNK, UNITS, INPUTS = 1000, 48, 24
ISAS = ("generic", "avx2", "avxvnni", "avx512", "neon", "neon_dot")
STATES = ("h0", "c0", "h1", "c1")
PORTS = ("y", *(f"n_{s}" for s in STATES))
# Where it runs, how it is compiled, by what it is emulated, and whether all steps are worth their time.
TARGETS = (("C, gcc -O3 -march=native", "cc -O3 -march=native", "", True), ("C, gcc -O2", "cc -O2", "", False),
           ("C, clang -O2", "clang-14 -O2", "", False),
           ("C, ARM 64 bits", "aarch64-linux-gnu-gcc -O2 -static", "qemu-aarch64", False),
           ("C, RISC-V", "riscv64-linux-gnu-gcc -O2 -static", "qemu-riscv64", False),
           ("C, PowerPC, big-endian", "powerpc64-linux-gnu-gcc -O2 -static", "qemu-ppc64", False),
           ("C, s390x, big-endian", "s390x-linux-gnu-gcc -O2 -static", "qemu-s390x", False))

# The same stream as run_library's. Cell states pass through floats there, between runs.
HARNESS = """#include <stdio.h>
#include <stdlib.h>
#include "net.h"
static int32_t x[%(x)d], y[%(y)d], state[4][%(units)d], next[4][%(units)d];
int main(int argc, char** argv) {
  const long chunks = argc > 1 ? atol(argv[1]) : 1;
  uint64_t sum = 0, at = 0, random = 1;
  long k; int i, s;
  for (k = 0; k < chunks; ++k) {
    for (i = 0; i < %(x)d; ++i) {
      random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
      x[i] = (int32_t)((random >> 33) %% %(codes)d) - %(most)d;
    }
    net_run(x, state[0], state[1], state[2], state[3], y, next[0], next[1], next[2], next[3]);
    for (s = 0; s < 4; ++s) {
      for (i = 0; i < %(units)d; ++i) state[s][i] = s %% 2 ? (int32_t)(float)next[s][i] : next[s][i];
    }
    for (i = 0; i < %(y)d; ++i) sum += (uint32_t)y[i] * (2 * (at++ * UINT64_C(2654435761)) + 1);
  }
  printf("%%016llx\\n", (unsigned long long)sum);
  return 0;
}
"""


def make(path):
    random = np.random.default_rng(7)
    constants, nodes, source = {}, [], "x"
    for layer, inputs in enumerate((INPUTS, UNITS)):
        constants[f"W{layer}"] = random.standard_normal((1, 4 * UNITS, inputs)).astype(np.float32) / 3
        constants[f"R{layer}"] = random.standard_normal((1, 4 * UNITS, UNITS)).astype(np.float32) / 3
        y = f"y{layer}"
        nodes.append(helper.make_node("LSTM", [source, f"W{layer}", f"R{layer}", "", "", f"h{layer}", f"c{layer}"],
                                      [y, f"n_h{layer}", f"n_c{layer}"], hidden_size=UNITS, name=f"lstm{layer}"))
        source = "s" if layer == 0 else "y"
        constants["axis"] = np.array([1], np.int64)
        nodes.append(helper.make_node("Squeeze", [y, "axis"], [source]))
    value = lambda n, s: helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
    state = [1, 1, UNITS]
    graph = helper.make_graph(
        nodes, "g", [value("x", [CHUNK, 1, INPUTS]), *(value(s, state) for s in STATES)],
        [value("y", [CHUNK, 1, UNITS]), *(value(f"n_{s}", state) for s in STATES)],
        [numpy_helper.from_array(v, n) for n, v in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8), path)


class Codes:
    """The C harness's random numbers, a run at a time."""

    def __init__(self, count, most):
        a, c = 6364136223846793005, 1442695040888963407
        multipliers, sums, m, s = [], [], 1, 0
        for _ in range(count):
            m, s = m * a % 2**64, (s * a + c) % 2**64
            multipliers.append(m)
            sums.append(s)
        self.multipliers, self.sums = np.array(multipliers, np.uint64), np.array(sums, np.uint64)
        self.state, self.most = np.uint64(1), most

    def next(self):
        drawn = self.multipliers * self.state + self.sums
        self.state = drawn[-1]
        return ((drawn >> np.uint64(33)) % np.uint64(2 * self.most + 1)).astype(np.int64) - self.most


def run_library(library, model, weight, activation, chunks):
    """Checksums after one chunk, after a hundredth of the chunks and after all."""
    scale = 4.0 / (127 if activation == 8 else 32767)
    inputs = {"x": np.zeros((CHUNK, 1, INPUTS), np.float32)}
    inputs.update({s: np.zeros((1, 1, UNITS), np.float32) for s in STATES})
    session = integer.Pbatch(library, model, inputs, 1)
    codes = Codes(CHUNK * INPUTS, 127 if activation == 8 else 32767)
    factors = np.arange(CHUNK * UNITS, dtype=np.uint64)
    total, at, marks = 0, 0, {}
    _, answers = session.runner(weight, activation, True)
    for chunk in range(1, chunks + 1):
        inputs["x"].reshape(-1)[:] = codes.next() * scale
        y, *states = answers()
        for name, state in zip(STATES, states):
            inputs[name].reshape(-1)[:] = state
        made = np.rint(np.float64(y) * 32768).astype(np.int64).astype(np.uint32).astype(np.uint64)
        index = (factors + np.uint64(at)) * np.uint64(2654435761)
        total = (total + int((made * (np.uint64(2) * index + np.uint64(1))).sum())) % 2**64
        at += CHUNK * UNITS
        if chunk in (max(1, chunks // 100), chunks):
            marks[chunk] = f"{total:016x}"
    return marks


def compiled(folder, compiler, emulator, activation):
    if shutil.which(compiler.split()[0]) is None or (emulator and shutil.which(emulator) is None):
        return None
    most = 127 if activation == 8 else 32767
    (folder / "main.c").write_text(HARNESS % {"x": CHUNK * INPUTS, "y": CHUNK * UNITS, "units": UNITS,
                                              "codes": 2 * most + 1, "most": most})
    program = folder / "stream"
    subprocess.run([*compiler.split(), "-std=c99", "-fno-strict-aliasing", "-o", program, folder / "main.c",
                    folder / "net.c"], check=True)
    return [*([emulator] if emulator else []), str(program)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--pbatch", default=str(integer.ROOT / "build/release/cli/pbatch"))
    parser.add_argument("--library", default=str(integer.ROOT / "build/release/libpbatch.so"))
    parser.add_argument("--steps", type=int, default=1000000)
    parser.add_argument("--bits", default="8,8 4,8 8,16", help="weight and activation bits")
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    chunks = options.steps // CHUNK
    if options.worker:
        model, weight, activation, count = options.worker
        for chunk, mark in run_library(options.library, model, int(weight), int(activation), int(count)).items():
            print(chunk, mark)
        return 0
    few, equal = max(1, chunks // 100), True
    print(f"| bits | where | steps | checksum |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        make(folder / "net.onnx")
        ranges = [a for n in ("x", *STATES) for a in ("--input-range", f"{n}=-{4 if n == 'x' else 1}:{4 if n == 'x' else 1}")]
        subprocess.run([options.pbatch, "quantize", folder / "net.onnx", "-o", folder / "q.onnx", "--scheme", "plain",
                        "--min-elements", "1", "--no-advice", *ranges], check=True, capture_output=True)
        for weight, activation in (map(int, pair.split(",")) for pair in options.bits.split()):
            seen = {}

            def report(where, chunk, mark):
                nonlocal equal
                same = seen.setdefault(chunk, mark) == mark
                equal = equal and same
                print(f"| w{weight}/A{activation} | {where} | {chunk * CHUNK:,} | {mark}{'' if same else ', DIFFERS'} |",
                      flush=True)

            for isa in ISAS:
                made = subprocess.run([sys.executable, __file__, "--library", options.library, "--worker",
                                       folder / "q.onnx", str(weight), str(activation), str(chunks)],
                                      env={**os.environ, "PBATCH_ISA": isa}, capture_output=True, text=True)
                if made.returncode != 0:
                    print(f"{isa}: not here", file=sys.stderr)
                    continue
                for line in made.stdout.splitlines():
                    chunk, mark = line.split()
                    report(isa, int(chunk), mark)
            out = folder / f"c{weight}{activation}"
            subprocess.run([options.pbatch, "export-c", folder / "q.onnx", "-o", out, "--name", "net", "--bits",
                            f"{weight},{activation}"], check=True, capture_output=True)
            for name, compiler, emulator, all_steps in TARGETS:
                command = compiled(out, compiler, emulator, activation)
                if command is None:
                    print(f"{name}: not here", file=sys.stderr)
                    continue
                count = chunks if all_steps else few
                made = subprocess.run([*command, str(count)], check=True, capture_output=True, text=True)
                report(name, count, made.stdout.strip())
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
