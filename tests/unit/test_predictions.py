"""Predictions: which model wins, what may never be, and what is said where little is known."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wfnb import power, task
from wfnb.errors import OptionError
from wfnb.freezing import freeze
from wfnb.graph import Graph
from wfnb.history import History, Move, Past, Taken
from wfnb.predictions import Known, forecast_of
from wfnb.predictions.functions import FunctionHistory
from wfnb.predictions.links import line_of, site_of
from wfnb.predictions.robust import median, quantile, rising, slope, tame
from wfnb.predictions.scaling import Observed, factor
from wfnb.resources import Resources
from wfnb.storage import Start
from wfnb.storage.history_memory import bucket_of

ONE = Resources()
SITE = site_of({}, [], sla="mean", workers=2)
FEW = settings(max_examples=40, deadline=None)
LEVELS = ["p5", "p25", "p50", "p75", "p90", "p95", "p99"]


@task
def load(n: int) -> bytes:
    return bytes(n)


@task
def fit(content: bytes) -> int:
    return len(content)


@task(io="linear", duration=3)
def copy(content: bytes) -> bytes:
    return content


@task
def total(numbers: list[int]) -> int:
    return sum(numbers)


def past(run: int, seconds: float, size: int = 0, **about: float) -> Past:
    words = {
        "weight": 1.0,
        "at_seconds": float(run),
        "output_bytes": 100,
        "cpu_seconds": seconds,
        "load_seconds": 0.0,
        "save_seconds": 0.0,
        "queue_seconds": 0.0,
        "is_cold": False,
    }
    return Past(f"run-{run}", call_seconds=seconds, input_bytes=size, **(words | about))


def history(samples: Sequence[Past], io: str | None = None) -> FunctionHistory:
    """Of samples as they were taken."""
    return FunctionHistory([Taken(ONE, samples[::-1], {})], io=io)


def seconds_of(samples: Sequence[Past], size: float = 0) -> float:
    return math.exp(history(samples).model(ONE).log_seconds(size))


def chosen(samples: Sequence[Past]) -> str:
    return history(samples).model(ONE).chosen.name


def noisy(rng: random.Random, sigma: float) -> float:
    return math.exp(rng.gauss(0, sigma))


def forecast(graph: Graph, functions: dict[int, Sequence[Past]], **about: object) -> Known:
    taken = {at: [Taken(ONE, its[::-1], {})] for at, its in functions.items()}
    return forecast_of(graph, History(taken, **about), site=SITE)


# Robust figures


def test_a_quantile_lies_between_values_by_their_weight():
    assert median([(1, 1), (2, 1), (3, 1)]) == 2
    assert median([(1, 1), (2, 1)]) == 1.5
    assert median([(1, 100), (2, 1)]) == pytest.approx(1, abs=0.02)
    assert quantile([(1, 1), (2, 1)], 0) == 1
    assert quantile([(1, 1), (2, 1)], 1) == 2


def test_wild_values_are_left_out():
    values = [(1.0 + n / 100, 1.0) for n in range(20)]
    assert tame([*values, (9.0, 1.0)]) == values


def test_a_slope_is_not_moved_by_a_wild_point():
    line = [(float(x), 2.0 * x, 1.0) for x in range(12)]
    assert slope([*line[:-1], (11.0, 500.0, 1.0)]) == pytest.approx(2)


def test_a_rising_sequence_is_the_nearest_one():
    assert rising([(1, 1), (3, 1), (2, 1), (5, 1)]) == [1, 2.5, 2.5, 5]


# Which model


def test_a_function_that_reads_nothing_takes_what_it_took():
    samples = [past(run, 0.2) for run in range(5) for _ in range(4)]
    assert seconds_of(samples) == pytest.approx(0.2)


def test_recent_runs_count_most():
    samples = [past(run, 1.0) for run in range(5)] + [past(9, 2.0)] * 3
    assert seconds_of(samples) > 1.4


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.7])
def test_a_power_law_is_learnt_from_runs_with_inputs_of_several_sizes(exponent: float):
    rng = random.Random(1)
    sizes = [100_000, 200_000, 400_000, 800_000]
    samples = [
        past(run, 1e-7 * size**exponent * noisy(rng, 0.03), size)
        for run in range(5)
        for size in sizes
    ]
    assert chosen(samples) == "power law"
    for size in (150_000, 3_200_000):
        assert seconds_of(samples, size) == pytest.approx(1e-7 * size**exponent, rel=0.15)


def test_one_run_is_enough_to_learn_that_more_bytes_take_longer():
    samples = [past(0, 1e-6 * size, size) for size in range(100_000, 1_100_000, 100_000)]
    assert seconds_of(samples, 2_000_000) == pytest.approx(2, rel=0.1)


def test_steps_are_learnt_from_calls_that_read_about_as_much():
    sizes = [1000, 2000, 3000, 50_000, 60_000, 70_000, 80_000]
    samples = [past(run, 0.1 if s < 10_000 else 5.0, s) for run in range(5) for s in sizes]
    assert chosen(samples) == "nearest"
    assert seconds_of(samples, 2500) == pytest.approx(0.1, rel=0.1)
    assert seconds_of(samples, 65_000) == pytest.approx(5, rel=0.1)


def test_a_declared_relation_needs_no_five_samples():
    samples = [past(0, 0.5, 1000, output_bytes=1000), past(1, 0.5, 1000, output_bytes=1000)]
    for io, expected in (("linear", 4000), ("constant", 1000), ("power:2", 16_000)):
        output = history(samples, io).output
        assert output.name in ("power law", "last run", "median")
        grown = math.exp(history(samples[:1], io).output.curve.at(4000)) - 1
        assert grown in (pytest.approx(1000, rel=0.01), pytest.approx(expected, rel=0.01))


def test_one_wild_call_moves_the_mean_little_and_the_high_percentiles_much():
    rng = random.Random(2)
    calm = [past(run, 0.1 * noisy(rng, 0.05)) for run in range(6) for _ in range(8)]
    wild = [
        one._replace(call_seconds=5.0, cpu_seconds=5.0) if n % 12 == 3 else one
        for n, one in enumerate(calm)
    ]
    one, other = history(calm).model(ONE), history(wild).model(ONE)
    assert other.spread.log_at("mean") == pytest.approx(one.spread.log_at("mean"), abs=0.05)
    assert other.spread.log_at("p99") > one.spread.log_at("p99") + 0.5


def test_what_is_only_counted_of_runs_long_ago_is_known_to_high_percentiles():
    samples = [past(run, 0.1 * (1 + 0.01 * n)) for run in range(5) for n in range(8)]
    rare = {bucket_of(0.1): 95.0, bucket_of(2.0): 5.0}
    one = FunctionHistory([Taken(ONE, samples, {})]).model(ONE).spread
    other = FunctionHistory([Taken(ONE, samples, rare)]).model(ONE).spread
    assert other.log_at("p99") > one.log_at("p99") + 0.5
    assert other.log_at("p50") == pytest.approx(one.log_at("p50"), abs=0.05)


def test_first_calls_are_left_out_where_there_are_others():
    samples = [past(run, 3.0, is_cold=True) for run in range(3)]
    samples += [past(run, 0.1) for run in range(3) for _ in range(2)]
    assert seconds_of(samples) == pytest.approx(0.1)
    assert seconds_of(samples[:3]) == pytest.approx(3)


def test_what_computes_is_told_by_its_cpu_time():
    rng = random.Random(3)
    samples = [
        past(run, 0.1 * noisy(rng, 0.3), cpu_seconds=0.08) for run in range(5) for _ in range(5)
    ]
    model = history(samples).model(ONE)
    assert math.exp(model.chosen.curve.at(0)) == pytest.approx(0.08)
    assert math.exp(model.log_seconds(0)) == pytest.approx(0.1, rel=0.15)


def test_what_waits_is_told_by_its_wall_time():
    samples = [past(run, 0.5, cpu_seconds=0.001) for run in range(4)]
    graph = freeze([load(1)])
    known = forecast(graph, {0: samples})
    assert known.call_seconds(0, ONE) == pytest.approx(0.5, rel=0.01)
    assert known.cpu_seconds(0, ONE) == pytest.approx(0.001, rel=0.01)


# What may never be

samples_of_any = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.floats(1e-6, 1e3),
        st.integers(0, 10**9),
        st.floats(0, 1),
        st.floats(1, 100),
    ),
    min_size=1,
    max_size=40,
)


def any_history(rows: list[tuple[int, float, int, float, float]]) -> FunctionHistory:
    samples = [
        past(run, seconds, size, cpu_seconds=seconds * busy, weight=weight)
        for run, seconds, size, busy, weight in sorted(rows)
    ]
    return history(samples)


@FEW
@given(samples_of_any, st.lists(st.integers(0, 10**10), min_size=2, max_size=6))
def test_more_bytes_are_never_faster(rows: list, sizes: list[int]):
    model = any_history(rows).model(ONE)
    times = [model.log_seconds(size) for size in sorted(sizes)]
    assert all(late >= early - 1e-9 for early, late in pairwise(times))


@FEW
@given(samples_of_any)
def test_a_higher_percentile_is_never_shorter(rows: list):
    spread = any_history(rows).model(ONE).spread
    added = [spread.log_at(level) for level in LEVELS]
    assert added == sorted(added)
    low, high = spread.log_interval
    assert low < high


@FEW
@given(samples_of_any, st.lists(st.floats(0.1, 64), min_size=2, max_size=5))
def test_more_cpus_are_never_slower(rows: list, cpus: list[float]):
    function = any_history(rows)
    times = [function.model(Resources(one)).log_seconds(1000) for one in sorted(cpus, reverse=True)]
    assert all(slow >= fast - 1e-9 for fast, slow in pairwise(times))


@FEW
@given(
    st.lists(st.tuples(st.integers(1, 10**8), st.floats(1e-6, 100)), min_size=1, max_size=30),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
)
def test_moving_more_is_never_faster_nor_at_a_higher_percentile(rows: list, one: int, other: int):
    moves = [Move(size, seconds, 0.0) for size, seconds in rows]
    times = []
    for level in LEVELS:
        latency, each = line_of(moves, "up", level)
        assert latency >= 0
        assert each > 0
        assert latency + each * max(one, other) >= latency + each * min(one, other)
        times.append(latency + each * one)
    assert times == sorted(times)


def test_nine_of_ten_calls_of_later_runs_lie_in_the_interval():
    inside: list[bool] = []
    for seed in range(12):
        rng = random.Random(seed)
        runs = [
            [
                (size := rng.choice([1, 2, 4, 8]))
                and past(run, size * shift * noisy(rng, 0.1), size)
                for shift in [noisy(rng, 0.04)]
                for _ in range(10)
            ]
            for run in range(12)
        ]
        model = history([one for run in runs[:6] for one in run]).model(ONE)
        low, high = model.spread.log_interval
        for one in (one for run in runs[6:] for one in run):
            off = math.log(one.call_seconds) - model.log_seconds(one.input_bytes)
            inside.append(low <= off <= high)
    assert 0.86 <= fmean(inside) <= 0.98


@pytest.mark.parametrize("sla", ["p0", "p100", "90", "fast", "", "pp"])
def test_a_level_of_caution_that_is_none_is_refused(sla: str):
    with pytest.raises(OptionError, match="choose 'mean', or a percentile"):
        forecast_of(freeze([load(1)]), History(), site=SITE, sla=sla)


# Sizes of workers


def test_one_thread_gains_nothing_from_more_cpus_and_is_slower_with_less_than_one():
    assert factor(1.0, 1, 4) == pytest.approx(1)
    assert factor(1.0, 1, 0.5) == pytest.approx(2)
    assert factor(0.1, 1, 0.5) == pytest.approx(1.1)


def test_parallel_work_gains_from_more_cpus():
    assert factor(3.6, 4, 8) < 0.75
    assert factor(3.6, 4, 1) > 2.5


def test_what_was_seen_of_a_function_outweighs_what_is_usual():
    alone = factor(1.0, 1, 4)
    seen = factor(1.0, 1, 4, [Observed(1.0, 16.0)])
    assert alone == pytest.approx(1)
    assert seen == pytest.approx(0.27, rel=0.1)


def test_the_exact_size_is_taken_before_the_nearest():
    slow = [past(run, 4.0) for run in range(3)]
    fast = [past(run, 1.0) for run in range(3)]
    function = FunctionHistory([Taken(ONE, slow, {}), Taken(Resources(8), fast, {})])
    assert math.exp(function.model(ONE).log_seconds(0)) == pytest.approx(4)
    assert math.exp(function.model(Resources(8)).log_seconds(0)) == pytest.approx(1)
    assert 1 < math.exp(function.model(Resources(4)).log_seconds(0)) < 4


# Whole graphs


def test_bytes_flow_along_the_graph():
    graph = freeze([fit(load(5))])
    rng = random.Random(4)
    loads = [past(run, 0.01, output_bytes=1_000_000) for run in range(5)]
    fits = [
        past(run, 1e-6 * size * noisy(rng, 0.01), size)
        for run in range(5)
        for size in (100_000, 1_000_000, 2_000_000)
    ]
    known = forecast(graph, {0: loads, 1: fits})
    assert known.output_bytes(0) == pytest.approx(1_000_000, rel=0.01)
    assert known.input_bytes(1) == pytest.approx(1_000_000, rel=0.01)
    assert known.call_seconds(1, ONE) == pytest.approx(1.0, rel=0.1)


def test_what_a_call_is_given_counts_as_what_it_reads():
    known = forecast(freeze([fit(bytes(50_000)), fit(b"")]), {})
    assert [known.input_bytes(at) for at in (0, 1)] == [50_000, 0]


def test_without_history_declared_durations_and_guesses_are_flagged_as_such():
    known = forecast(freeze([fit(copy(bytes(5000)))]), {})
    assert [known.is_guess(at) for at in (0, 1)] == [True, True]
    assert known.call_seconds(0, ONE) == pytest.approx(3)
    assert known.output_bytes(0) == 5000
    assert known.notes == (
        "copy: never run, their declared durations are taken",
        "fit: never run, a guess of 0.1 s each",
    )
    assert "a guess: copy has never run, its author says so" in str(
        known.explain(known.graph.ids[0])
    )


def test_edited_code_is_predicted_from_before_with_wider_intervals():
    graph = freeze([load(1)])
    samples = [past(run, 0.5) for run in range(5) for _ in range(3)]
    own = forecast_of(graph, History({0: [Taken(ONE, samples, {})]}), site=SITE)
    before = forecast_of(graph, History({0: [Taken(ONE, samples, {}, is_prior=True)]}), site=SITE)
    assert before.call_seconds(0, ONE) == pytest.approx(0.5)
    assert not before.is_guess(0)
    assert before.notes == ("load: edited, and predicted from runs before that",)
    assert before.interval(0, ONE)[1] > own.interval(0, ONE)[1]


def test_a_few_calls_of_edited_code_outweigh_all_before():
    before = [past(run, 1.0) for run in range(9) for _ in range(6)]
    function = FunctionHistory(
        [Taken(ONE, [past(9, 3.0), past(9, 3.1)], {}), Taken(ONE, before, {}, is_prior=True)]
    )
    assert math.exp(function.model(ONE).log_seconds(0)) > 2.5


def test_an_explanation_says_samples_model_and_number():
    graph = freeze([load(1)])
    known = forecast(graph, {0: [past(run, 0.5) for run in range(5)]})
    explanation = known.explain(graph.ids[0], Resources(0.5))
    text = str(explanation)
    assert "load-0: 1 s (mean)" in text
    assert "from 5 samples of 5 runs by" in text
    assert "measured with 1 cpu; x 2 for 0.5 cpus" in text
    assert len(explanation.samples) == 5
    assert explanation.model in explanation.scores


def test_items_of_maps_are_counted_where_they_are_written_down():
    known = forecast(freeze([total(load.map([1, 2, 3]))]), {})
    (splitter,) = known.graph.maps_of
    assert known.items(splitter) == 3
    assert not any("items" in note for note in known.notes)


def test_items_of_maps_are_as_many_as_in_the_last_run_else_as_expected():
    graph = freeze([total(fit.map(load(3), expected=40))])
    (splitter,) = graph.maps_of
    function = graph.maps[graph.maps_of[splitter][0]].function
    guessed = forecast(graph, {})
    assert guessed.items(splitter) == 40
    assert "how many items 1 of its maps will have is a guess" in guessed.notes
    counted = forecast(graph, {}, items={function: [("r2", 7), ("r1", 90)]})
    assert counted.items(splitter) == 7


def test_of_a_map_each_item_is_predicted_and_its_list_has_them_all():
    graph = freeze([total(fit.map([bytes(10)] * 5))])
    function = next(iter(graph.maps.values())).function
    samples = [past(run, 0.25, output_bytes=1000) for run in range(3)]
    known = forecast(graph, {function: samples})
    (gather,) = graph.maps
    assert known.call_seconds(gather, ONE) == pytest.approx(0.25)
    assert not known.is_guess(gather)
    assert known.output_bytes(gather) == pytest.approx(1000, rel=0.01)
    reader = graph.readers_at[gather][0]
    assert known.input_bytes(reader) == pytest.approx(5000, rel=0.01)


def test_a_run_corrects_its_own_functions_and_a_little_the_others():
    graph = freeze([total([fit(load(n)) for n in range(12)])])
    at_of = {
        name: [at for at, t in enumerate(graph) if t.startswith(name)] for name in ("load", "fit")
    }
    functions = {
        graph.function_at[its[0]]: [past(run, 1.0) for run in range(4)] for its in at_of.values()
    }
    known = forecast(graph, functions)
    measured = dict.fromkeys(at_of["load"], 2.0)
    corrected = known.corrected(measured, ONE)
    assert known.bias(measured, ONE) == pytest.approx(2, rel=0.02)
    assert corrected.call_seconds(at_of["load"][0], ONE) == pytest.approx(1.85, rel=0.07)
    assert 1.05 < corrected.call_seconds(at_of["fit"][0], ONE) < 1.5
    assert known.call_seconds(at_of["load"][0], ONE) == pytest.approx(1, rel=0.02)
    again = corrected.corrected(measured, ONE)
    assert again.call_seconds(at_of["load"][0], ONE) == pytest.approx(
        corrected.call_seconds(at_of["load"][0], ONE)
    )


def test_power_is_an_exponent_of_outputs():
    @task(io=power(2))
    def outer(content: bytes) -> bytes:
        return content

    known = forecast(freeze([outer(bytes(300))]), {})
    assert known.output_bytes(0) == pytest.approx(90_000)


# Transfers and starts


def test_latency_and_bandwidth_are_told_apart():
    rng = random.Random(5)
    sizes = [1, 4096, 65_536, 1 << 20, 4 << 20]
    moves = [
        Move(size, (0.0005 + size / 2e8) * noisy(rng, 0.1), 0.0) for size in sizes for _ in range(8)
    ]
    moves += [Move(1 << 20, 3.0, 0.0)]  # somebody else was at it
    latency, each = line_of(moves, "up", "p50")
    assert latency == pytest.approx(0.0005, rel=0.15)
    assert 1 / each == pytest.approx(2e8, rel=0.15)


def test_a_link_of_which_one_size_is_known_is_right_at_that_size():
    moves = [Move(1 << 20, 0.02, 0.0)] * 5
    latency, each = line_of(moves, "down", "p50")
    assert latency + each * (1 << 20) == pytest.approx(0.02, rel=0.02)


def test_a_site_says_what_starts_take_cold_and_warm():
    starts = [
        Start(waited_seconds=s, is_cold=s > 0.5, at_seconds=0) for s in (0.01, 0.02, 1.0, 1.2)
    ]
    site = site_of({}, starts, sla="p50", workers=3)
    assert (site.warm_seconds, site.cold_seconds) == (pytest.approx(0.015), pytest.approx(1.1))
    careful = site_of({}, starts, sla="p90", workers=3)
    assert careful.cold_seconds > site.cold_seconds
    assert site.workers == 3
