"""Holes in arguments: put in for tasks, filled with outputs, at any depth, nothing shared."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, namedtuple
from dataclasses import FrozenInstanceError, dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfnb.arguments import (
    Capture,
    Constant,
    Nested,
    Part,
    constants_of,
    fill,
    is_frozen,
    output_at,
)
from wfnb.errors import CallError, GraphError
from wfnb.nesting import replace_deep

Pair = namedtuple("Pair", "left right")


class Point(NamedTuple):
    x: Any
    y: Any = 0


class Mark:
    """What is replaced in these tests, as a task is in a graph."""

    def __init__(self, position: int = 0) -> None:
        self.position = position


@dataclass
class Box:
    content: Any
    label: str = "box"


@dataclass(frozen=True, slots=True)
class FrozenBox:
    content: Any
    label: str = "box"


@dataclass
class Derived:
    content: Any
    length: int = field(init=False)
    unset: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.length = len(self.content)


class Tagged(list):
    """A list whose constructor takes something else."""

    def __init__(self, tag: str) -> None:
        super().__init__()
        self.tag = tag


class Version(tuple):
    """A tuple whose constructor takes its parts one by one."""

    note: str

    def __new__(cls, *parts: Any) -> Version:
        return super().__new__(cls, parts)


def round_trip(value: Any, *outputs: Any) -> Any:
    """Mark -> hole -> output, as an argument that is captured here and filled on a worker."""
    capture = Capture({Mark: lambda mark: (mark, None)})
    captured = capture.of(value)
    marked = [outputs[mark.position] for mark in capture.inputs]
    (filled,), _ = fill(((captured,),), marked, {})
    return filled


def captured(value: Any) -> Any:
    return Capture({Mark: lambda mark: (mark, None)}).of(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Mark(), "out"),
        ([1, Mark(), [Mark()]], [1, "out", ["out"]]),
        ((Mark(),), ("out",)),
        ({"a": Mark(), Mark(): "b"}, {"a": "out", "out": "b"}),
        ({1, Mark()}, {1, "out"}),
        (frozenset({Mark(), 2}), frozenset({"out", 2})),
        (Pair(Mark(), [Mark()]), Pair("out", ["out"])),
        (Point(Mark()), Point("out")),
        (Box(Mark()), Box("out")),
        (FrozenBox((Mark(), 1)), FrozenBox(("out", 1))),
        (OrderedDict(b=Mark(), a=1), OrderedDict(b="out", a=1)),
        (Counter({Mark(): 3, "other": 1}), Counter({"out": 3, "other": 1})),
        (
            {FrozenBox(Mark()): [Box({"deep": (Mark(),)})]},
            {FrozenBox("out"): [Box({"deep": ("out",)})]},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_outputs_arrive_in_every_kind_of_container(value: Any, expected: Any) -> None:
    filled = round_trip(value, "out")
    assert filled == expected
    assert type(filled) is type(expected)


def test_a_default_dict_keeps_its_default() -> None:
    filled = round_trip(defaultdict(list, a=Mark()), 5)
    assert filled == {"a": 5}
    assert filled["missing"] == []


def test_an_ordered_dict_keeps_its_order() -> None:
    assert list(round_trip(OrderedDict([("z", Mark()), ("a", 1)]), 5)) == ["z", "a"]


def test_fields_without_init_are_kept_and_unset_ones_stay_unset() -> None:
    filled = round_trip(Derived([Mark(), 2]), 1)
    assert (filled.content, filled.length) == ([1, 2], 2)
    assert not hasattr(filled, "unset")


def test_a_frozen_dataclass_is_still_frozen() -> None:
    filled = round_trip(FrozenBox(Mark()), 1)
    with pytest.raises(FrozenInstanceError):
        filled.content = 2


def test_what_is_met_twice_is_one_object_as_in_plain_python() -> None:
    inner = [Mark()]
    filled = round_trip({"a": inner, "b": (inner, inner)}, 1)
    assert filled["a"] is filled["b"][0] is filled["b"][1]


def test_what_is_shared_a_million_times_is_looked_at_once() -> None:
    value: Any = [Mark()]
    for _ in range(40):
        value = [value, value]
    filled = round_trip(value, 1)
    assert filled[0][0] is filled[1][1]


def test_parts_without_a_hole_are_handed_on_uncopied() -> None:
    array = np.zeros(10)
    assert round_trip([array, Mark()], 1)[0] is array


def test_an_array_beside_a_task_is_never_compared_with_it() -> None:
    taken = captured([np.arange(3), Mark()])
    assert isinstance(taken, Nested)


@pytest.mark.parametrize("value", [[1, 2], {"a": [1]}, {1}, ([1],), []])
def test_lists_dicts_and_sets_are_copied_when_they_are_captured(value: Any) -> None:
    taken = captured(value)
    assert taken == value
    mutable = [(value, taken)]
    while mutable:
        one, other = mutable.pop()
        if isinstance(one, (list, dict, set)):
            assert one is not other
        sides = [side.values() if isinstance(side, dict) else side for side in (one, other)]
        inside = zip(*sides, strict=True)
        mutable += [pair for pair in inside if isinstance(pair[0], (list, dict, set, tuple))]


def test_a_long_list_is_taken_as_it_is() -> None:
    numbers = list(range(5_000))
    assert captured(numbers) is numbers


def test_a_list_that_holds_itself_is_a_constant_like_any_other() -> None:
    value: list[Any] = [1]
    value.append([value])
    assert captured(value) is value


def test_a_task_in_a_list_that_holds_itself_is_refused() -> None:
    value: list[Any] = [Mark()]
    value.append([value])
    with pytest.raises(CallError, match="list that holds a task also holds itself"):
        captured(value)


def test_a_task_beside_something_very_deep_is_refused_with_a_remedy() -> None:
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(GraphError, match="shallower"):
        captured([Mark(), deep])
    assert captured(deep) is deep


def test_an_output_that_does_not_fit_names_the_container() -> None:
    with pytest.raises(CallError, match=r"a set cannot be made anew.*unhashable type: 'list'"):
        round_trip({Mark()}, [1])
    with pytest.raises(CallError, match="a dict cannot be made anew"):
        round_trip({Mark(): 1}, {})


def test_containers_with_a_constructor_of_their_own_keep_their_class_and_attributes() -> None:
    tagged = Tagged("x")
    tagged.append(Mark())
    version = Version(1, Mark())
    version.note = "kept"
    filled = round_trip([tagged, version], 7)
    assert (type(filled[0]), list(filled[0]), filled[0].tag) == (Tagged, [7], "x")
    assert (type(filled[1]), tuple(filled[1]), filled[1].note) == (Version, (1, 7), "kept")


def test_outputs_are_the_arguments_themselves_where_nothing_else_is() -> None:
    outputs = ["a", "b"]
    assert fill((), outputs, {}) == (outputs, {})


def test_keyword_arguments_are_filled_too() -> None:
    arguments = ((1,), {"a": output_at(0), "b": Nested({"c": Constant("x")})})
    assert fill(arguments, ["out"], {"x": "big"}) == ([1], {"a": "out", "b": {"c": "big"}})


def test_constants_are_found_at_any_depth_each_once() -> None:
    arguments = (
        (Constant("x"), Nested([Constant("y"), {"a": Constant("x")}]), 1),
        {"k": Nested(Box(Constant("z")))},
    )
    assert constants_of(arguments) == ["x", "y", "z"]
    assert constants_of(()) == []


@pytest.mark.parametrize("value", [1, "a", None, b"", (1, "a"), output_at(0), Constant("x")])
def test_what_nobody_can_change_is_handed_on_as_it_is(value: Any) -> None:
    assert is_frozen(((value,),))


@pytest.mark.parametrize("value", [[1], {}, ([],), np.zeros(1), Box(1), Nested([output_at(0), []])])
def test_what_a_task_could_change_is_handed_out_anew(value: Any) -> None:
    assert not is_frozen(((value,),))
    assert not is_frozen(((1,), {"a": value}))


def test_there_is_one_output_object_for_each_position() -> None:
    assert output_at(100_000) is output_at(100_000)
    assert output_at(100_000).position == 100_000


VALUES = st.recursive(
    st.integers() | st.text(max_size=3) | st.none() | st.builds(Mark, st.integers(0, 3)),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=2), inner, max_size=3)
        | st.builds(Box, inner)
        | st.builds(Pair, inner, inner)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_filling_is_the_same_as_writing_the_outputs_there(value: Any) -> None:
    outputs = [10, [20], "thirty", None]
    expected = replace_deep(value, lambda p: outputs[p.position] if type(p) is Mark else p)
    assert round_trip(value, *outputs) == expected


@pytest.mark.parametrize("output", [{"a": 1}, [1], None, object()])
def test_a_part_that_is_not_there_is_told_by_name(output: Any) -> None:
    with pytest.raises(CallError, match=r"has no \['b'\].*: mend the name"):
        fill(((Part(0, "b"),),), [output], {})
