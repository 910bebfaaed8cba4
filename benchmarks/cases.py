"""What is measured, in which unit, and what wfnb must reach (issue 2, section Speed)."""

from __future__ import annotations

from dataclasses import dataclass

#: In this order: the memory-hungry ones last, so that the peak memory of the others is their own.
CASES = (
    "import",
    "startup",
    "submit_latency",
    "noop_fanout_1k",
    "noop_fanout_10k",
    "chain_200",
    "tree_reduction_1024",
    "fan_in_out_10x100",
    "payload_1mib",
    "gemm_1024",
    "build_10k",
    "payload_10mib",
    "build_100k",
)


@dataclass(frozen=True, slots=True)
class Target:
    """A bound in the metric's unit, or a factor on what another engine reached in the same run."""

    bound: float
    times_engine: str | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    case: str
    field: str
    title: str
    unit: str
    is_higher_better: bool = False
    targets: tuple[Target, ...] = ()


METRICS = (
    Metric(
        "noop_fanout_10k",
        "tasks_per_s",
        "10,000 no-op fan-out + sink",
        "tasks/s",
        is_higher_better=True,
        targets=(Target(2, "process_pool"), Target(40, "dask")),
    ),
    Metric(
        "noop_fanout_1k",
        "tasks_per_s",
        "1,000 no-op fan-out + sink",
        "tasks/s",
        is_higher_better=True,
    ),
    Metric("chain_200", "per_task_ms", "chain of 200 no-ops", "ms/hop", targets=(Target(0.10),)),
    Metric(
        "tree_reduction_1024",
        "tasks_per_s",
        "tree reduction, 2,047 tasks",
        "tasks/s",
        is_higher_better=True,
        targets=(Target(15_000),),
    ),
    Metric(
        "fan_in_out_10x100",
        "tasks_per_s",
        "10 layers x 100 tasks, 3 inputs each",
        "tasks/s",
        is_higher_better=True,
        targets=(Target(12_000),),
    ),
    Metric(
        "payload_1mib",
        "mib_per_s",
        "64 x 1 MiB arrays, reduced",
        "MiB/s",
        is_higher_better=True,
        targets=(Target(1_000),),
    ),
    Metric(
        "payload_10mib",
        "mib_per_s",
        "64 x 10 MiB arrays, reduced",
        "MiB/s",
        is_higher_better=True,
        targets=(Target(2_000),),
    ),
    Metric("gemm_1024", "seconds", "1024 x 1024 product in blocks", "s"),
    Metric("submit_latency", "per_task_ms", "one no-op, warm", "ms", targets=(Target(1.0),)),
    Metric("startup", "seconds", "cold start to first result", "s", targets=(Target(0.4),)),
    Metric("build_10k", "seconds", "build 10,000 tasks", "s"),
    Metric("build_100k", "seconds", "build 100,000 tasks", "s", targets=(Target(0.5),)),
    Metric(
        "noop_fanout_10k",
        "client_peak_rss_mib",
        "client peak memory, 10,000 tasks",
        "MiB",
        targets=(Target(90),),
    ),
    Metric("import", "per_task_ms", "import of the library", "ms", targets=(Target(100),)),
)
