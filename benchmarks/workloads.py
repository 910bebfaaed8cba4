"""Task graphs that know no engine: the functions, the graphs, the answer each must give.

Node i is called as `fn(*args, *values of its inputs)`; the last node is the sink.  Every sink
returns (answer, stamp), the stamp being the earliest `monotonic()` taken inside a task: that clock
is one for all processes of a machine, so the time to the first finished task is known without
disturbing the run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np

Stamped = tuple[Any, float]


@dataclass(slots=True)
class Node:
    fn: Callable[..., Any]
    args: tuple[Any, ...] = ()
    deps: tuple[int, ...] = ()


@dataclass(slots=True)
class Graph:
    workload: str
    nodes: list[Node]
    bytes_moved: int = 0
    """What the consuming tasks read; 0 where that is not the point."""

    def __len__(self) -> int:
        return len(self.nodes)

    def evaluate(self) -> Any:
        """Return the answer by plain calls in this process: the reference for every engine."""
        values: list[Any] = []
        for node in self.nodes:
            values.append(node.fn(*node.args, *(values[d] for d in node.deps)))
        return values[-1]


def stamp(i: int) -> float:
    return monotonic()


def count_stamps(*stamps: float) -> Stamped:
    return len(stamps), min(stamps)


def leaf(i: int) -> Stamped:
    return i, monotonic()


def first_hop(i: int) -> Stamped:
    return 1, monotonic()


def hop(i: int, before: Stamped) -> Stamped:
    return before[0] + 1, before[1]


def add(a: Stamped, b: Stamped) -> Stamped:
    return a[0] + b[0], min(a[1], b[1])


def mix(j: int, *parts: Stamped) -> Stamped:
    return (sum(p[0] for p in parts) + j) % 1_000_003, min(p[1] for p in parts)


def total(*parts: Stamped) -> Stamped:
    return sum(p[0] for p in parts), min(p[1] for p in parts)


def make_array(i: int, nbytes: int) -> Any:
    array = np.full(nbytes // 8, float(i))
    array[0] = monotonic()
    return array


def add_arrays(a: Any, b: Any) -> Any:
    out = a + b
    out[0] = min(a[0], b[0])
    return out


def array_summary(a: Any) -> Stamped:
    return float(a[1:].sum()), float(a[0])


def random_block(seed: int, side: int) -> Stamped:
    return np.random.default_rng(seed).random((side, side)), monotonic()


def multiply_blocks(a: Stamped, b: Stamped) -> Stamped:
    return a[0] @ b[0], min(a[1], b[1])


def sum_blocks(*parts: Stamped) -> Stamped:
    return sum(p[0] for p in parts), min(p[1] for p in parts)


def assemble(k: int, *blocks: Stamped) -> Stamped:
    rows = [[b[0] for b in blocks[r * k : (r + 1) * k]] for r in range(k)]
    return np.block(rows), min(b[1] for b in blocks)


def single() -> Graph:
    return Graph("submit_latency", [Node(leaf, (0,))])


def noop_fanout(n: int) -> Graph:
    nodes = [Node(stamp, (i,)) for i in range(n)]
    return Graph("noop_fanout", [*nodes, Node(count_stamps, (), tuple(range(n)))])


def chain(n: int) -> Graph:
    hops = [Node(hop, (i,), (i - 1,)) for i in range(1, n)]
    return Graph("chain", [Node(first_hop, (0,)), *hops])


def tree_reduction(n: int) -> Graph:
    return Graph("tree_reduction", _pairwise([Node(leaf, (i,)) for i in range(n)], add))


def layers(n: int, *, width: int) -> Graph:
    nodes = [Node(leaf, (j,)) for j in range(width)]
    for start in range(0, n - width, width):
        for j in range(width):
            picks = (j, (j + 1) % width, (j + 37) % width)
            nodes.append(Node(mix, (j,), tuple(start + p for p in picks)))
    nodes.append(Node(total, (), tuple(range(len(nodes) - width, len(nodes)))))
    return Graph("fan_in_out", nodes)


def payload(n: int, *, mebibytes: int) -> Graph:
    nbytes = mebibytes << 20
    nodes = _pairwise([Node(make_array, (i, nbytes)) for i in range(n)], add_arrays)
    nodes.append(Node(array_summary, (), (len(nodes) - 1,)))
    return Graph("payload", nodes, bytes_moved=(2 * (n - 1) + 1) * nbytes)


def gemm(n: int, *, block: int) -> Graph:
    k = n // block
    nodes = [Node(random_block, (seed, block)) for seed in range(2 * k * k)]
    sums = []
    for row in range(k):
        for column in range(k):
            first = len(nodes)
            pairs = ((row * k + m, k * k + m * k + column) for m in range(k))
            nodes += [Node(multiply_blocks, (), pair) for pair in pairs]
            nodes.append(Node(sum_blocks, (), tuple(range(first, first + k))))
            sums.append(len(nodes) - 1)
    nodes.append(Node(assemble, (k,), tuple(sums)))
    return Graph("gemm", nodes)


def _pairwise(nodes: list[Node], combine: Callable[..., Any]) -> list[Node]:
    level = list(range(len(nodes)))
    while len(level) > 1:
        pairs = []
        for a, b in zip(level[::2], level[1::2], strict=False):
            nodes.append(Node(combine, (), (a, b)))
            pairs.append(len(nodes) - 1)
        level = pairs + level[len(level) // 2 * 2 :]
    return nodes


CASES: dict[str, Callable[[], Graph]] = {
    "noop_fanout_1k": lambda: noop_fanout(1000),
    "noop_fanout_10k": lambda: noop_fanout(10_000),
    "chain_200": lambda: chain(200),
    "tree_reduction_1024": lambda: tree_reduction(1024),
    "fan_in_out_10x100": lambda: layers(1000, width=100),
    "payload_1mib": lambda: payload(64, mebibytes=1),
    "payload_10mib": lambda: payload(64, mebibytes=10),
    "gemm_1024": lambda: gemm(1024, block=256),
}
BUILD_CASES: dict[str, Callable[[], Graph]] = {
    "build_10k": lambda: layers(10_000, width=100),
    "build_100k": lambda: layers(100_000, width=100),
}


def same_answer(got: Stamped, expected: Stamped) -> bool:
    """Compare answers, not stamps: those differ from run to run."""
    return bool(np.allclose(got[0], expected[0]))
