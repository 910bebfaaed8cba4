"""Tasks built by hand: what is refused, what is made anew, and the cell that does the same."""

from __future__ import annotations

from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from wfnb.building import Building
from wfnb.cells import Source, Wish
from wfnb.draft import Draft
from wfnb.errors import CallError, GraphError, OptionError, WfnbError
from wfnb.expressions import MOST_CHARACTERS, parsed, with_added
from wfnb.language import task
from wfnb.notebook import CellWatch
from wfnb.recipes import parameters_of
from wfnb.tasks import MapTask, Task


@task
def load(path: str, rows: int = 5) -> list:
    return [path] * rows


@task
def merge(parts: list) -> list:
    return [row for part in parts for row in part]


@task
def pack(*things: Any, label: str = "", **options: Any) -> dict:
    return {"things": things, "label": label, **options}


@task
def placed(first, second=2, /, third=3, *, fourth=4):
    return first, second, third, fourth


class Bench:
    """A notebook whose cells are run by hand."""

    def __init__(self, **names: Any) -> None:
        functions = {"load": load, "merge": merge, "pack": pack, "placed": placed}
        self.names: dict[str, Any] = {**functions, **names}
        self.draft = Draft()
        self.watch = CellWatch(self.names, self.draft)
        self.building = Building(self.names, self.draft)
        self._count = 0

    def run(self, cell: str, **bound: Any) -> None:
        """A cell that binds these, and is done at once."""
        self.begin()
        self.names.update(bound)
        self.end(cell)

    def begin(self) -> None:
        self.watch.begin()

    def end(self, cell: str) -> None:
        self._count += 1
        info = SimpleNamespace(silent=False, cell_id=cell)
        self.watch.end(SimpleNamespace(info=info, execution_count=self._count, success=True))

    def cell_task(self, cell: str, code: str, **wish: Any) -> Any:
        self.begin()
        made = self.watch.define(Source(text=code, cell=cell, is_lasting=True), Wish(**wish))
        self.end(cell)
        return made

    def two(self) -> Building:
        self.building.add("a", "load", {"path": '"x"'})
        self.building.add("b", "load", {"path": '"y"', "rows": "2"})
        self.building.add("merged", "merge", {"parts": "[a, b]"})
        return self.building

    def same(self) -> dict[str, Task]:
        """What the exported cell makes."""
        names = dict(self.names)
        exec(self.building.code(), names)
        return {one.name: names[one.name] for one in self.building.built if not one.trouble}


# Adding


def test_a_built_task_is_a_variable_and_is_in_the_draft():
    bench = Bench()
    merged = bench.two().built[2].task
    assert bench.names["merged"] is merged
    assert bench.draft.names == ("a", "b", "merged")
    assert bench.draft.freeze().ids == ("load-0", "load-1", "merge-0")


def test_what_was_built_is_written_as_a_cell():
    assert Bench().two().code() == (
        'a = load("x")\nb = load("y", rows=2)\nmerged = merge([a, b])\n'
    )


@pytest.mark.parametrize(
    ("function", "arguments", "mapped", "line"),
    [
        ("load", {"path": "'it''s'"}, 0, 'r = load("its")'),
        ("load", {"path": "'x'", "rows": " 3 "}, 0, 'r = load("x", rows=3)'),
        ("load", {"path": "names"}, 1, "r = load.map(names)"),
        ("load", {"path": "names", "rows": "7"}, 1, "r = load.map(names, rows=7)"),
        ("load", {"path": "names", "rows": "counts"}, 2, "r = load.map(names, counts)"),
        ("merge", {"parts": "[*names, names[0]]"}, 0, "r = merge([*names, names[0]])"),
        ("merge", {"parts": "{'a': (1,), 'b': -2.5}"}, 0, 'r = merge({"a": (1,), "b": -2.5})'),
        ("merge", {"parts": "{1, 2}"}, 0, "r = merge({1, 2})"),
        ("merge", {"parts": "1 + 2j"}, 0, "r = merge(1 + 2j)"),
        ("merge", {"parts": "lines['a']"}, 0, 'r = merge(lines["a"])'),
        ("merge", {"parts": "1  # one"}, 0, "r = merge(1)"),
        ("pack", {}, 0, "r = pack()"),
        ("pack", {"things": "1, names", "options": "x=1, y=2"}, 0, "r = pack(1, names, x=1, y=2)"),
        ("pack", {"things": "*names", "label": "''"}, 0, 'r = pack(*names, label="")'),
        ("placed", {"first": "1", "third": "2"}, 0, "r = placed(1, third=2)"),
        ("placed", {"first": "1", "second": "2", "fourth": "3"}, 0, "r = placed(1, 2, fourth=3)"),
    ],
)  # fmt: skip
def test_any_call_that_can_be_built_gives_the_same_task_as_its_code(
    function: str, arguments: dict[str, str], mapped: int, line: str
):
    bench = Bench(names=["x", "y"], counts=[1, 2], lines={"a": 1})
    made = bench.building.add("r", function, arguments, mapped=mapped).task
    assert bench.building.code() == f"{line}\n"
    again = bench.same()["r"]
    assert (again.function, again.inputs) == (made.function, made.inputs)
    assert isinstance(again, MapTask) == bool(mapped)
    if mapped:
        assert again.call == made.call
    assert again.arguments == made.arguments


def test_a_long_call_is_written_in_several_lines():
    bench = Bench(things=1)
    bench.building.add("r", "load", {"path": repr("x" * 80), "rows": "things"})
    assert bench.building.code().splitlines()[0] == "r = load("
    bench.building.add("wide", "pack", {"things": ", ".join(["things"] * 20)})
    assert set(bench.same()) == {"r", "wide"}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({}, r"load\(path: .*does not fit this call: missing a required argument: 'path'"),
        ({"path": "1", "more": "2"}, "got an unexpected keyword argument 'more'"),
        ({"path": "hello world"}, "path of load: `hello world` is no Python"),
        (
            {"path": "hello"},
            "path of load: there is no variable or task hello: pick another; text is",
        ),
        ({"path": "open('x')"}, "`open.'x'.` is neither a literal nor a name: put it into"),
        ({"path": "f'{x}'"}, "neither a literal nor a name"),
        ({"path": "[i for i in x]"}, "neither a literal nor a name"),
        ({"path": "x.y"}, "neither a literal nor a name"),
        ({"path": "(lambda: 1)"}, "neither a literal nor a name"),
        ({"path": "1)(2"}, "is no Python: mend its parentheses"),
        ({"path": "1) + f(2"}, "is no Python: mend its parentheses"),
        ({"path": "1, 2"}, r"path of load: it takes one value: write \[ and \]"),
        ({"path": "*names"}, "it takes one value"),
        ({"path": "x=1"}, "write the value alone"),
        ({"path": "**names"}, r"write the names and values that \*\* would give"),
        ({"path": "{[]}"}, "unhashable type: 'list': use a list"),
        ({"path": "{[]: 1}"}, "unhashable type"),
        ({"path": "names[7]"}, r"there is no names\[7\] .list index out of range.: pick another"),
        ({"path": "names['a']"}, "there is no names"),
        ({"path": "number[0]"}, r"number\[0\] is a part of a int, which has none to pick"),
        ({"path": "(" * 300 + ")" * 300}, "is no Python"),
        ({"path": "'" + "x" * MOST_CHARACTERS + "'"}, "characters are too many: put it into a"),
        ({"path": "'\0'"}, "is no Python"),
        ({"path": "[*number]"}, "takes a list apart, and this is a int"),
    ],
)
def test_what_fits_no_call_is_refused_and_nothing_has_changed(
    arguments: dict[str, str], complaint: str
):
    bench = Bench(names=["x"], number=1)
    with pytest.raises(CallError, match=complaint) as refused:
        bench.building.add("r", "load", arguments)
    assert "\n" not in str(refused.value)
    assert bench.building.built == ()
    assert "r" not in bench.names
    assert bench.draft.names == ()


@pytest.mark.parametrize(
    ("function", "arguments", "mapped", "complaint"),
    [
        ("pack", {"things": "x=1"}, 0, "write values alone"),
        ("pack", {"options": "1"}, 0, "write name=value"),
        ("pack", {"things": "names"}, 1, "a map cannot give it"),
        ("load", {}, 1, "path of load: give what the map goes over"),
        (
            "load",
            {"path": "names", "rows": "1"},
            3,
            "argument 3 of load: give what the map goes over",
        ),
        ("load", {"rows": "1"}, 1, "path of load: give what"),
        ("placed", {"second": "1"}, 0, "give first, too"),
        ("placed", {"first": "names", "second": "1"}, 1, "does not fit this call"),
        ("nothing", {}, 0, "r calls nothing, which is no @task function here"),
        ("names", {}, 0, "which is no @task function here"),
    ],
)
def test_what_no_function_or_map_takes_is_refused(
    function: str, arguments: dict[str, str], mapped: int, complaint: str
):
    bench = Bench(names=["x"])
    with pytest.raises(CallError, match=complaint):
        bench.building.add("r", function, arguments, mapped=mapped)


def test_a_constant_that_a_map_would_take_for_its_own_is_refused():
    @task
    def dig(hole, depth):
        return hole, depth

    with pytest.raises(CallError, match=r"dig\.map takes depth for itself"):
        Bench(dig=dig).building.add("r", "dig", {"hole": "[1]", "depth": "2"}, mapped=1)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "'' is no name"),
        ("2x", "'2x' is no name for a variable: use letters"),
        ("a b", "is no name"),
        ("class", "is no name"),
        ("_", "is for IPython"),
        ("In", "is for IPython"),
        ("list", "is a function of Python"),
        ("merge", "is the function itself"),
        ("data", "data is taken: choose another name, or replace it"),
        ("a", "a is taken"),
    ],
)
def test_a_name_that_is_none_or_taken_is_refused(name: str, complaint: str):
    bench = Bench(data=1)
    bench.two()
    with pytest.raises(OptionError, match=complaint):
        bench.building.add(name, "merge", {"parts": "[a]"})


def test_a_name_is_taken_as_python_takes_it():
    bench = Bench()
    bench.building.add(" ﬁne ", "load", {"path": "1"})
    assert bench.building.built[0].name == "fine"


def test_a_suggested_name_is_free():
    bench = Bench(load_0=1)
    assert bench.building.suggested("load") == "load_1"
    bench.building.add("load_1", "load", {"path": "1"})
    assert bench.building.suggested("load") == "load_2"


# What there is to pick


def test_functions_are_found_anew():
    bench = Bench()
    assert list(bench.building.functions) == ["load", "merge", "pack", "placed"]
    bench.run("one", tidy=task(len), _hidden=load)
    del bench.names["pack"]
    assert list(bench.building.functions) == ["load", "merge", "placed", "tidy"]


def test_parameters_tell_annotation_and_default():
    def told(function: Any) -> list[tuple[str, str]]:
        return [(each.label, each.hint) for each in parameters_of(function)]

    assert told(load) == [("path", "str, needed"), ("rows", "int, default 5")]
    assert told(pack)[0] == ("*things", "Any, any number")
    assert told(pack)[2] == ("**options", "Any, any number")
    assert told(task(print))[0][0] == "*args"
    assert told(task(type)) == [("*args", ""), ("**kwargs", "")]


def test_a_default_that_cannot_be_shown_is_no_trouble():
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError

    hostile = Hostile()

    def function(a=hostile, b: Hostile | list[int] = "x" * 100):
        return a, b

    first, second = parameters_of(task(function))
    assert first.hint.startswith("default <Hostile instance")
    assert len(second.hint) < 120


def test_picks_are_tasks_and_variables_and_no_code():
    bench = Bench(number=1, SimpleNamespace=SimpleNamespace, len=len, _private=1, In=[])
    bench.run("one", single=load("x"), several=[load("x"), load("y")], by_name={"k": load("z")})
    bench.cell_task("two", "left = number + 1\nright = 2", name="both")
    bench.building.add("mine", "load", {"path": "1"})
    assert [str(pick) for pick in bench.building.picks()] == [
        "mine · built",
        "left · cell both",
        "right · cell both",
        "single · task load",
        "several · 2 tasks",
        "several[0] · task load",
        "several[1] · task load",
        "by_name · 1 tasks",
        'by_name["k"] · task load',
        "number · int",
    ]


def test_every_pick_can_be_connected():
    bench = Bench(number=1)
    bench.run("one", single=load("x"), several=[load("x"), load("y")], by_name={"k": load("z")})
    bench.cell_task("two", "left = number + 1\nright = 2", name="both")
    for pick in bench.building.picks():
        bench.building.add("r", "merge", {"parts": pick.text}, replaces=True)
    assert bench.same()["r"].arguments == ((1,),)


def test_the_task_of_a_cell_is_meant_even_when_its_value_has_been_bound():
    bench = Bench()
    cell = bench.cell_task("one", "x = 1", name="one")
    bench.draft.bind(bench.names, cell, {"x": 1})
    assert bench.building.add("r", "merge", {"parts": "[x]"}).task.inputs == (cell.task,)
    bench.run("two", x=5)
    bench.building.refresh()
    assert bench.building.built[0].task.inputs == ()


@pytest.mark.parametrize(
    ("text", "more", "whole"),
    [
        ("", "a", "[a]"),
        ("  ", "a", "[a]"),
        ("a", "b", "[a, b]"),
        ("[a]", "b", "[a, b]"),
        ("[]", "b", "[b]"),
        ("(a, b)", "c", "[(a, b), c]"),
        ("a, b", "c[0]", "a, b, c[0]"),
    ],
)
def test_something_is_added_to_a_list(text: str, more: str, whole: str):
    assert with_added(text, more) == whole


def test_names_in_an_argument_are_found_and_written_anew():
    found = parsed("[a, b[0], *c], {'a': a}, k=d")
    assert sorted(found.reads) == ["a", "b", "c", "d"]
    assert found.written({"a": "z", "d": "y"}) == '[z, b[0], *c], {"a": z}, k=y'


def test_an_argument_can_be_checked_before_there_is_a_task():
    bench = Bench(number=1)
    bench.cell_task("two", "left = number", name="one")
    building = bench.two()
    assert building.checked("[a,number, left, 'x']") == '[a, number, left, "x"]'
    with pytest.raises(CallError, match="there is no variable or task aa: did you mean"):
        building.checked("aa")
    with pytest.raises(CallError, match=r'there is no variable or task hello.*"hello"'):
        building.checked("hello")


# Connecting anew


def test_connecting_makes_anew_what_is_built_on_it_and_nothing_else():
    bench = Bench()
    building = bench.two()
    a, b, merged = (one.task for one in building.built)
    building.connect("a", "path", "'z'")
    after = bench.names
    assert after["b"] is b
    assert after["a"] is not a
    assert after["merged"] is not merged
    assert after["merged"].inputs == (after["a"], b)
    assert bench.draft.sinks == (after["merged"],)


def test_an_input_is_left_out_by_an_empty_text():
    bench = Bench()
    building = bench.two()
    building.connect("b", "rows", "")
    assert 'b = load("y")' in building.code()


def test_cycles_are_refused_in_the_words_of_the_language():
    bench = Bench()
    building = bench.two()
    before = [one.task for one in building.built]
    with pytest.raises(GraphError, match=r"tasks wait on each other: .*: take one of them out"):
        building.connect("a", "path", "merged")
    with pytest.raises(GraphError, match="tasks wait on each other: merged -> merged"):
        building.connect("merged", "parts", "[merged]")
    assert [one.task for one in building.built] == before


def test_a_longer_cycle_is_told_in_the_direction_of_the_data():
    bench = Bench()
    building = bench.building
    building.add("a", "merge", {"parts": "1"})
    building.add("b", "merge", {"parts": "a"})
    building.add("c", "merge", {"parts": "b"})
    with pytest.raises(GraphError) as refused:
        building.connect("a", "parts", "c")
    told = str(refused.value).split(": ")[1]
    assert told in ("a -> b -> c -> a", "b -> c -> a -> b", "c -> a -> b -> c")


def test_replacing_a_task_keeps_its_name_and_its_readers():
    bench = Bench()
    building = bench.two()
    building.add("a", "pack", {"label": "'new'"}, replaces=True)
    assert bench.names["merged"].inputs[0].function.name == "pack"
    assert building.code().splitlines()[0] == 'a = pack(label="new")'


def test_a_variable_of_a_cell_can_be_replaced():
    bench = Bench()
    bench.run("one", data=load("x"))
    bench.building.add("data", "load", {"path": "'y'"}, replaces=True)
    assert bench.draft.tasks == (bench.names["data"],)


def test_only_built_tasks_can_be_connected_renamed_and_removed():
    bench = Bench(data=1)
    for act in (
        lambda: bench.building.connect("data", "x", "1"),
        lambda: bench.building.rename("data", "x"),
        lambda: bench.building.remove("data"),
    ):
        with pytest.raises(
            OptionError, match="no task named data was built here; there is nothing"
        ):
            act()


# Renaming


def test_renaming_keeps_every_task_and_makes_nothing_stale():
    bench = Bench()
    building = bench.two()
    tasks = [one.task for one in building.built]
    begun = bench.draft.begin(bench.draft.freeze(), bench.draft.sinks)
    bench.draft.end(begun, bench.draft.freeze())
    building.rename("a", "first")
    assert [one.task for one in building.built] == tasks
    assert bench.names["first"] is tasks[0]
    assert "a" not in bench.names
    assert building.code().splitlines() == [
        *('first = load("x")', 'b = load("y", rows=2)', "merged = merge([first, b])"),
    ]
    assert bench.draft.stale == frozenset()
    building.connect("first", "path", "'changed'")
    assert bench.names["merged"].inputs[0] is bench.names["first"]


def test_a_rename_to_what_is_taken_is_refused():
    bench = Bench()
    building = bench.two()
    with pytest.raises(OptionError, match="b is taken"):
        building.rename("a", "b")
    assert [one.name for one in building.built] == ["a", "b", "merged"]


def test_a_broken_task_can_be_renamed():
    bench = Bench()
    building = bench.two()
    building.remove("a")
    building.rename("merged", "total")
    assert building.built[-1].trouble.startswith("parts of merge: there is no variable or task a")


# Removing


def test_removing_breaks_what_is_built_on_it_and_says_so():
    bench = Bench()
    building = bench.two()
    building.add("last", "merge", {"parts": "merged"})
    told = str(building.remove("a"))
    assert told == (
        "removed a; broken without it: merged, last: connect another input or remove them, too"
    )
    troubles = {one.name: one.trouble for one in building.built}
    assert troubles["b"] == ""
    assert troubles["merged"].startswith("parts of merge: there is no variable or task a")
    assert troubles["last"].startswith("parts of merge: merged is broken: mend that first")
    assert bench.draft.names == ("b",)
    assert not {"a", "merged", "last"} & bench.names.keys()


def test_a_broken_task_is_whole_again_when_it_is_connected():
    bench = Bench()
    building = bench.two()
    building.add("last", "merge", {"parts": "merged"})
    building.remove("a")
    building.connect("merged", "parts", "[b]")
    assert [one.trouble for one in building.built] == ["", "", ""]
    assert bench.names["last"].inputs == (bench.names["merged"],)


def test_a_broken_task_is_whole_again_when_its_input_comes_back():
    bench = Bench()
    building = bench.two()
    building.remove("a")
    building.add("a", "load", {"path": "'new'"})
    assert bench.names["merged"].inputs[0] is bench.names["a"]
    building.remove("b")
    bench.run("one", b=load("from a cell"))
    assert building.refresh()
    assert bench.names["merged"].inputs[1] is bench.names["b"]


def test_readers_go_as_well_when_that_is_asked():
    bench = Bench()
    building = bench.two()
    building.add("last", "merge", {"parts": "merged"})
    assert building.readers("a") == ("merged", "last")
    removed = building.remove("a", with_readers=True)
    assert removed.names == ("a", "merged", "last")
    assert str(removed) == "removed a, merged, last"
    assert building.code() == 'b = load("y", rows=2)\n'


def test_what_a_cell_has_made_of_it_stays_and_is_told():
    bench = Bench()
    building = bench.two()
    bench.run("one", mine=merge([bench.names["a"]]))
    cell = bench.cell_task("two", "x = len(b)", name="counted")
    assert "those that need it: mine" in str(building.remove("a"))
    assert "those that need it: counted" in str(building.remove("b"))
    assert bench.draft.freeze([cell.task]).ids == ("load-0", "counted")


def test_a_broken_task_is_a_comment_in_the_cell():
    bench = Bench()
    building = bench.two()
    building.remove("a")
    assert building.code().splitlines()[1].startswith("# merged = merge([a, b])")
    assert (
        building.code()
        .splitlines()[2]
        .startswith("# parts of merge: there is no variable or task a")
    )
    assert list(bench.same()) == ["b"]


# What cells do meanwhile


def test_cells_that_read_a_built_task_take_it_anew():
    bench = Bench()
    building = bench.two()
    cell = bench.cell_task("one", "x = len(merged)", name="counted")
    assert cell.task.inputs == (bench.names["merged"],)
    building.connect("a", "path", "'z'")
    assert cell.task.inputs == (bench.names["merged"],)


def test_what_a_cell_binds_anew_is_followed():
    bench = Bench()
    bench.run("one", source=load("x"), size=3)
    building = bench.building
    building.add("r", "merge", {"parts": "[source, size]"})
    before = bench.names["r"]
    assert not building.refresh()
    bench.run("one", source=load("y"), size=3)
    assert building.refresh()
    assert bench.names["r"] is not before
    assert bench.names["r"].inputs == (bench.names["source"],)


def test_a_function_that_is_defined_anew_is_followed():
    bench = Bench()
    building = bench.two()

    @task
    def load(path, encoding="utf-8"):
        return path, encoding

    bench.run("one", load=load)
    assert building.refresh()
    assert bench.names["a"].function is load.described
    (trouble,) = (one.trouble for one in building.built if one.name == "b")
    assert "got an unexpected keyword argument 'rows'" in trouble
    assert building.code().count("# ") == 4


def test_a_function_that_is_gone_breaks_what_calls_it():
    bench = Bench()
    building = bench.two()
    del bench.names["merge"]
    building.refresh()
    assert "merged calls merge, which is no @task function here" in building.built[2].trouble
    assert building.code().splitlines()[2] == "# merged = merge(parts=[a, b])"


def test_a_name_that_a_cell_binds_belongs_to_the_cell():
    bench = Bench()
    building = bench.two()
    bench.run("one", a=load("from a cell"))
    building.refresh()
    assert [one.name for one in building.built] == ["b", "merged"]
    assert bench.names["merged"].inputs[0] is bench.names["a"]


def test_the_exported_cell_takes_over_when_it_is_run():
    bench = Bench()
    building = bench.two()
    bench.begin()
    exec(building.code(), bench.names)
    bench.end("exported")
    building.refresh()
    assert building.built == ()
    assert set(bench.draft.cells) == {"exported"}
    assert bench.draft.names == ("a", "b", "merged")


def test_a_deleted_variable_is_no_task_any_more():
    bench = Bench()
    building = bench.two()
    bench.begin()
    del bench.names["merged"]
    bench.end("one")
    building.refresh()
    assert [one.name for one in building.built] == ["a", "b"]


def test_what_is_dropped_from_the_draft_stays_dropped():
    bench = Bench()
    building = bench.two()
    bench.watch.drop("merged")
    building.refresh()
    assert [one.name for one in building.built] == ["a", "b"]
    assert bench.draft.names == ("a", "b")


def test_what_is_built_while_a_cell_runs_does_not_become_its_own():
    bench = Bench()
    bench.begin()
    bench.building.add("a", "load", {"path": "'x'"})
    bench.names["own"] = load("y")
    bench.end("busy")
    bench.building.refresh()
    assert [one.name for one in bench.building.built] == ["a"]
    bench.run("busy", own=load("z"))
    assert bench.draft.names == ("a", "own")


def test_a_built_task_survives_the_cells_that_follow():
    bench = Bench()
    building = bench.two()
    for at in range(3):
        bench.run(f"cell-{at}", unrelated=at)
    assert not building.refresh()
    assert bench.draft.names == ("a", "b", "merged")


def test_what_has_run_is_stale_when_its_input_is_another():
    bench = Bench()
    building = bench.two()
    bench.draft.end(
        bench.draft.begin(bench.draft.freeze(), bench.draft.sinks), bench.draft.freeze()
    )
    building.refresh()
    assert bench.draft.stale == frozenset()


def test_many_threads_build_at_once():
    bench = Bench()
    refused: list[WfnbError] = []

    def build(worker: int) -> None:
        for at in range(8):
            try:
                bench.building.add(f"t{worker}_{at}", "load", {"path": str(at)})
                bench.building.add("shared", "merge", {"parts": f"t{worker}_{at}"}, replaces=True)
            except WfnbError as error:
                refused.append(error)

    threads = [Thread(target=build, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == []
    assert len(bench.building.built) == 33
    assert len(bench.draft.freeze()) == 33
