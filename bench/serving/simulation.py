#!/usr/bin/env python3
"""Draws what the controller does in a burst, in simulated time, beside fixed widths.

    bench/serving/simulation.py IMAGE [--run-ms 25]

The network's 8-bit run takes --run-ms; a bit takes about an eighth of it, a second item of a batch 0.7
of the first. Arrivals are Poisson: a calm minute, a minute at 0.8 of what the floor can do, a calm one.
Prints the percentiles as JSON. The ending of IMAGE tells its format. Needs the package pbatch, and
matplotlib.
"""

import argparse
import json
import pathlib
import sys

from pbatch.serve import simulate as sim

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
import pages  # noqa: E402
from pages import INK  # noqa: E402

WIDTHS = (1, 2, 3, 4, 6, 8)
OURS, FIXED = "#0b5fa5", "#b5482f"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image")
    parser.add_argument("--run-ms", type=float, default=25.0)
    args = parser.parse_args()

    one = args.run_ms / 1000
    costs = sim.Costs(
        {w: {b: one * (0.16 + 0.105 * w) * (0.3 + 0.7 * b) for b in (1, 4, 16)} for w in WIDTHS}
    )
    policy = sim.Policy(target=6 * one, floor=1, ceiling=8)
    calm, high = 0.3 * costs.capacity(8, 16), 0.8 * costs.capacity(1, 16)
    arrivals = sim.poisson(lambda t: high if 60 <= t < 120 else calm, high, 180, 1)
    runs = {
        "by the controller": sim.simulate(arrivals, costs, policy),
        "8 bits": sim.simulate(arrivals, costs, sim.fixed(8, policy)),
    }
    said = {"calm_per_second": calm, "burst_per_second": high,
            "burst_over_8_bits": high / costs.capacity(8, 16)}
    for name, answers in runs.items():
        for part, begin, end in (("before", 5, 60), ("burst", 60, 120), ("after", 130, 180)):
            latencies = [a.latency for a in sim.between(answers, begin, end)]
            said[f"{name}, {part}"] = {
                "requests": len(latencies),
                **{f"p{p}_ms": 1000 * sim.percentile(latencies, p / 100) for p in (50, 99)},
            }
    print(json.dumps(said, indent=2))

    figure, (top, bottom) = pages.pyplot().subplots(2, 1, sharex=True, figsize=(9, 5.4))
    for (name, answers), colour in zip(runs.items(), (OURS, FIXED), strict=True):
        bottom.plot([a.arrived for a in answers], [1000 * a.latency for a in answers], ",",
                    color=colour, rasterized=True)
        bottom.plot([], [], "o", color=colour, label=name)
    ours = runs["by the controller"]
    top.plot([a.began for a in ours], [a.width for a in ours], color=OURS, linewidth=1)
    top.set_ylabel("width, bits")
    top.set_yticks(WIDTHS)
    bottom.set_yscale("log")
    bottom.axhline(1000 * policy.target, color=INK, linewidth=0.8, linestyle=":")
    bottom.text(1, 1000 * policy.target * 1.15, "target", color=INK, fontsize=8)
    bottom.set_ylabel("latency, ms")
    bottom.set_xlabel("seconds")
    bottom.legend(loc="upper left", bbox_to_anchor=(0.0, 0.95), frameon=False)
    for axes in (top, bottom):
        pages.quiet(axes)
        axes.axvspan(60, 120, color="#f1f1f1", zorder=0)
    figure.tight_layout()
    figure.savefig(args.image, dpi=110)


if __name__ == "__main__":
    main()
