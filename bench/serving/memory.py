#!/usr/bin/env python3
"""What a process holds of a model: its own memory (USS) beyond what it had before, after runs at more and more bits.

    bench/serving/memory.py MODEL [--bits 1,2,4,8] [--abits 16]

Inputs are random numbers, with one item. Needs the package pbatch and psutil.
"""

import argparse
import json

import numpy as np
import psutil

import pbatch


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--bits", default="1,2,4,8")
    parser.add_argument("--abits", type=int, default=16)
    args = parser.parse_args()
    process = psutil.Process()
    before = process.memory_full_info().uss
    session = pbatch.InferenceSession(args.model, threads=1)
    random = np.random.default_rng(1)
    feed = {p.name: random.standard_normal([d or 1 for d in p.shape]).astype(p.dtype)
            for p in session.get_inputs() if not p.optional}  # fmt: skip
    options = pbatch.RunOptions()
    options.add_run_config_entry("pbatch.exact", "1")
    rows = []
    for bits in map(int, args.bits.split(",")):
        session.run(None, feed, options, bits=bits, abits=args.abits)
        own = process.memory_full_info().uss - before
        rows.append({"bits": bits, "own_mb": round(own / 2**20, 1),
                     "prepared_mb": round(pbatch.weight_memory().bytes / 2**20, 1)})  # fmt: skip
    print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
