"""The draft: what cells bound, and what becomes of it when they run again."""

from __future__ import annotations

from typing import Any

import pytest

from wfnb.draft import Draft
from wfnb.errors import GraphError
from wfnb.language import task
from wfnb.lineage import tasks_in


@task
def one(*inputs: Any) -> int:
    return len(inputs)


def test_an_empty_draft_says_how_to_fill_it() -> None:
    with pytest.raises(GraphError, match="call a @task function"):
        Draft().freeze()


def test_temporaries_come_in_as_ancestors() -> None:
    draft = Draft()
    draft.write("cell", {"total": [one(one(), one())]})
    assert draft.freeze().ids == ("one-0", "one-1", "one-2")


def test_running_a_cell_again_replaces_what_it_bound() -> None:
    draft = Draft()
    draft.write("cell", {"a": [one()], "b": [one()]})
    again = one()
    draft.write("cell", {"a": [again]})
    assert draft.tasks == (again,)


def test_a_name_bound_in_another_cell_moves_there() -> None:
    draft = Draft()
    draft.write("first", {"a": [one()], "b": [one()]})
    moved = one()
    draft.write("second", {"a": [moved]})
    assert draft.names == ("b", "a")
    assert moved in draft.tasks
    assert len(draft.tasks) == 2


def test_a_cell_that_binds_no_task_any_more_leaves_nothing() -> None:
    draft = Draft()
    draft.write("cell", {"a": [one()]})
    draft.write("cell", {})
    assert draft.cells == {}


def test_a_name_that_is_gone_is_forgotten() -> None:
    draft = Draft()
    draft.write("cell", {"a": [one()], "b": [one()]})
    draft.keep(["b", "unrelated"])
    assert draft.names == ("b",)
    assert draft.drop("b")
    assert not draft.drop("b")
    assert draft.cells == {}


def test_sinks_are_read_by_no_other_task_of_the_draft() -> None:
    draft = Draft()
    first = one()
    hidden = one(first)
    last = one(hidden)
    aside = one()
    draft.write("cell", {"first": [first], "last": [last], "aside": [aside]})
    assert draft.sinks == (last, aside)


def test_the_sinks_of_a_long_chain_are_found_without_recursion() -> None:
    end = one()
    for _ in range(5_000):
        end = one(end)
    draft = Draft()
    draft.write("cell", {"end": [end]})
    assert draft.sinks == (end,)


def test_a_task_under_two_names_is_there_once() -> None:
    draft = Draft()
    same = one()
    draft.write("cell", {"a": [same], "b": [same]})
    assert draft.freeze().ids == ("one-0",)


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset])
def test_tasks_are_seen_one_container_deep(kind: Any) -> None:
    task = one()
    assert tasks_in(kind([task])) == (task,)
    assert tasks_in({"key": task}) == (task,)
    assert tasks_in([kind([task])]) == ()


def test_data_holds_no_tasks() -> None:
    assert tasks_in("text") == tasks_in(range(10)) == tasks_in(None) == tasks_in([1, 2]) == ()
