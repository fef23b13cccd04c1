"""The controller of the server: single decisions, and whole days of traffic in simulated time."""

import math
import random

import pytest

from pbatch.serve._controller import Costs, Decision, Policy, State, decide, keeps
from pbatch.serve._rate import Rate
from pbatch.serve.simulate import (
    between,
    fixed,
    heavy_tailed,
    percentile,
    poisson,
    simulate,
)

# Seconds of a run of a network whose 8-bit run takes 25 ms and in which a second item of a batch
# costs 0.7 of the first; a bit takes about an eighth of the time.
COSTS = Costs(
    {w: {b: 0.025 * (0.16 + 0.105 * w) * (0.3 + 0.7 * b) for b in (1, 4, 16)} for w in (1, 2, 4, 8)}
)
POLICY = Policy(target=0.15, floor=1, ceiling=8)


def choose(deadlines, rate=0.0, state=None, policy=POLICY, now=0.0):
    return decide(now, deadlines, rate, COSTS, policy, state or State(policy.ceiling))


def test_times_between_measured_batches_lie_between():
    costs = Costs({4: {1: 1.0, 4: 2.5}, 8: {2: 3.0}})
    assert costs.seconds(4, 1) == 1.0
    assert costs.seconds(4, 2) == 1.5
    assert costs.seconds(4, 6) == 3.5
    assert costs.seconds(8, 1) == 3.0
    assert costs.seconds(8, 4) == 6.0
    assert costs.capacity(4, 4) == pytest.approx(1.6)


def test_measurements_move_the_times():
    costs = COSTS
    for _ in range(100):
        costs = costs.updated(8, 4, 0.2)
    assert costs.seconds(8, 4) == pytest.approx(0.2, rel=1e-3)
    assert costs.seconds(8, 1) == COSTS.seconds(8, 1)
    assert costs.seconds(4, 4) == COSTS.seconds(4, 4)


def test_one_request_without_hurry_gets_the_ceiling():
    decision, state = choose([0.15])
    assert decision == Decision(8, 1)
    assert state.width == 8


def test_a_close_deadline_narrows_that_run():
    assert choose([0.02])[0] == Decision(4, 1)
    assert choose([0.008])[0].width == 1
    assert choose([0.001])[0].width == 1  # which is late, and answered all the same


def test_a_batch_is_no_larger_than_its_first_deadline_allows():
    costs = Costs({8: {1: 0.025, 16: 0.4}})
    policy = Policy(target=1, floor=8, ceiling=8)
    decision, _ = decide(0.0, [0.06] + [1.0] * 9, 0.0, costs, policy, State(8))
    assert decision == Decision(8, 2)


def test_a_queue_narrows_as_far_as_it_must():
    widths = [choose([0.15] * n)[0].width for n in range(1, 60)]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] == 8 and widths[-1] == 1
    for n, width in enumerate(widths, 1):
        assert width == 1 or keeps(0.0, [0.15] * n, 0.0, width, COSTS, POLICY)


def test_arrivals_narrow_before_a_queue_is_there():
    assert choose([0.15], rate=0.9 * COSTS.capacity(8, 16))[0].width == 4
    assert choose([0.15], rate=0.8 * COSTS.capacity(8, 16))[0].width == 8


@pytest.mark.parametrize("floor", [1, 2, 4])
def test_the_floor_holds_whatever_comes(floor):
    policy = Policy(target=0.15, floor=floor, ceiling=8)
    chance = random.Random(floor)
    state = State(8)
    for _ in range(500):
        deadlines = sorted(chance.uniform(-1, 0.5) for _ in range(chance.randint(1, 200)))
        decision, state = choose(deadlines, chance.uniform(0, 1e4), state, policy)
        assert floor <= decision.width <= 8
        assert 1 <= decision.batch <= min(16, len(deadlines))


def test_widening_waits_and_goes_step_by_step():
    _, state = choose([0.15] * 60)
    assert state.width == 1
    seen = []
    for i in range(60):
        decision, state = choose([0.1 * i + 0.15], 1.0, state, now=0.1 * i)
        seen.append(decision.width)
    assert seen == [1] * 10 + [2] * 11 + [4] * 11 + [8] * 28
    # One hurry in between, and the wait begins anew.
    state = State(1, 0.0)
    _, state = choose([0.9 + 0.15] * 60, 1.0, state, now=0.9)
    assert choose([1.05 + 0.15], 1.0, state, now=1.05)[1] == State(1, 1.05)


def test_a_rate_is_that_of_the_last_second():
    rate = Rate()
    assert rate.at(5.0) == 0
    for i in range(300):
        rate.add(i / 100)
    assert rate.at(3.0) == pytest.approx(100, rel=0.02)
    assert rate.at(3.5) == pytest.approx(50, rel=0.05)
    assert rate.at(9.0) == 0


def burst(seed):
    """Calm, then 0.8 of the floor's capacity, then calm again; 20 seconds each."""
    calm = 0.3 * COSTS.capacity(8, 16)
    high = 0.8 * COSTS.capacity(1, 16)
    assert high > 1.7 * COSTS.capacity(8, 16)
    return poisson(lambda t: high if 20 <= t < 40 else calm, high, 60, seed)


@pytest.mark.parametrize("seed", range(3))
def test_a_burst_costs_bits_and_no_request(seed):
    arrivals = burst(seed)
    answers = simulate(arrivals, COSTS, POLICY)
    assert sorted(a.arrived for a in answers) == arrivals
    before = percentile([a.latency for a in between(answers, 2, 20)], 0.99)
    during = percentile([a.latency for a in between(answers, 20, 40)], 0.99)
    assert during <= 2 * before
    assert {a.width for a in between(answers, 2, 20)} == {8}
    assert min(a.width for a in answers) == 1
    assert {a.width for a in between(answers, 46, 60)} == {8}  # and it comes back
    behind = simulate(arrivals, COSTS, fixed(8, POLICY))
    assert percentile([a.latency for a in between(behind, 20, 40)], 0.99) > 5


def test_a_ramp_takes_width_after_width():
    top = 0.8 * COSTS.capacity(1, 16)
    arrivals = poisson(lambda t: top * min(t, 60 - t) / 30, top, 60, 1)
    answers = simulate(arrivals, COSTS, POLICY)
    mean = [
        sum(a.width for a in part) / len(part)
        for part in (list(between(answers, t, t + 5)) for t in range(0, 60, 5))
    ]
    assert mean[0] > 7.5 and min(mean) < 2.5 and mean[-1] > 7
    assert all(b <= a + 0.3 for a, b in zip(mean[:6], mean[1:6], strict=False))
    late = sum(a.latency > POLICY.target for a in answers)
    assert late / len(answers) < 0.02


@pytest.mark.parametrize("shape", [1.2, 1.5, 2.5])
def test_clumps_with_heavy_tails(shape):
    arrivals = heavy_tailed(0.5 * COSTS.capacity(2, 16), shape, 200, 4)
    chance = random.Random(9)
    policy = Policy(target=0.15, floor=2, ceiling=8)
    answers = simulate(arrivals, COSTS, policy, noise=lambda: math.exp(chance.gauss(0, 0.2)))
    assert len(answers) == len(arrivals)
    assert min(a.width for a in answers) == 2
    # Changes of the width: no more than hysteresis lets through.
    widths = [a.width for a in answers]
    wider = sum(b > a for a, b in zip(widths, widths[1:], strict=False))
    assert wider <= 200 / policy.hold
    # Clumps may be more than the floor can do; then it is as good as a server of the floor alone.
    floor = simulate(arrivals, COSTS, fixed(2, policy))
    floor_latency = percentile([a.latency for a in floor], 0.95)
    assert percentile([a.latency for a in answers], 0.95) <= max(policy.target, 1.5 * floor_latency)


def test_wrong_times_are_learnt():
    """The machine turns out to be half as fast as was measured."""
    slow = Costs({w: {b: 2 * t for b, t in row.items()} for w, row in COSTS.times.items()})
    arrivals = poisson(lambda t: 0.7 * slow.capacity(1, 16), 1e3, 30, 6)
    answers = simulate(arrivals, COSTS, POLICY, true_costs=slow)
    late = sum(a.latency > POLICY.target for a in between(answers, 5, 30))
    assert late / len(arrivals) < 0.05
