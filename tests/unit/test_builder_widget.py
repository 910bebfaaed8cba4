"""The builder as a person uses it, without a page: values are set, and buttons clicked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ipywidgets.widgets import widget as ipywidget

from wfnb.building import Building
from wfnb.draft import Draft
from wfnb.errors import GraphError
from wfnb.language import task
from wfnb.widgets.builder import Builder
from wfnb.widgets.builder_fields import plain


@task
def load(path: str, rows: int = 5) -> list:
    return [path] * rows


@task
def merge(parts: list) -> list:
    return parts


class Person:
    """Fills in the form of a builder, and clicks."""

    def __init__(self, **names: Any) -> None:
        self.names = {"load": load, "merge": merge, **names}
        self.draft = Draft()
        self.changes = 0
        self.put: list[str] = []
        self.builder = Builder(
            Building(self.names, self.draft), changed=self._changed, put=self.put.append
        )

    def _changed(self) -> None:
        self.changes += 1

    def add(self, function: str, name: str = "", how: int = 0, **arguments: str) -> None:
        form = self.builder.form
        form.function.value = function
        if name:
            form.name.value = name
        form.calls.value = how
        self.write(**arguments)
        self.builder.add.click()

    def write(self, **arguments: str) -> None:
        for field in self.builder.form.fields:
            if field.name in arguments:
                field.entry.value = arguments[field.name]

    def open(self, name: str) -> None:
        self.builder.task.value = name

    def press(self, words: str) -> None:
        (found,) = [each for each in self.buttons if each.description == words]
        assert not found.disabled
        found.click()

    @property
    def buttons(self) -> list[Any]:
        return [each for each in walk(self.builder.widget) if hasattr(each, "click")]

    @property
    def said(self) -> str:
        return self.builder.said.text

    @property
    def texts(self) -> list[str]:
        return [field.text for field in self.builder.form.fields]

    @property
    def complaints(self) -> list[str]:
        return [field.said.text for field in self.builder.form.fields]

    @property
    def code(self) -> str:
        return self.builder.source.value


def walk(widget: Any) -> Iterator[Any]:
    yield widget
    for child in getattr(widget, "children", ()):
        yield from walk(child)


@pytest.fixture
def person() -> Iterator[Any]:
    before = set(ipywidget._instances)
    made: list[Person] = []

    def meet(**names: Any) -> Person:
        made.append(Person(**names))
        return made[-1]

    yield meet
    for each in made:
        each.builder.close()
    assert set(ipywidget._instances) == before


def test_a_task_is_added_and_shown_as_a_cell(person):
    her = person()
    her.add("load", "a", path='"x"')
    assert her.said == "added a"
    assert her.code == 'a = load("x")\n'
    assert her.draft.names == ("a",)
    assert her.changes == 1
    assert her.builder.code() == her.code == repr(her.builder)


def test_the_form_is_empty_again_for_the_next_task_of_the_same_function(person):
    her = person()
    her.add("merge", parts="[1]")
    assert her.builder.form.function.value == "merge"
    assert her.texts == [""]
    assert her.builder.form.name.value == "merge_1"
    assert her.builder.add.description == "add"


def test_a_name_is_suggested_until_one_is_written(person):
    form = person().builder.form
    assert (form.function.value, form.name.value) == ("load", "load_0")
    form.function.value = "merge"
    assert form.name.value == "merge_0"
    form.name.value = "mine"
    form.function.value = "load"
    assert form.name.value == "mine"


def test_fields_tell_what_they_are_for(person):
    fields = person().builder.form.fields
    told = [(each.entry.description, each.entry.placeholder) for each in fields]
    assert told == [("path", "str, needed"), ("rows", "int, default 5")]


def test_every_control_has_a_label(person):
    her = person()
    her.add("load", "a", path='"x"')
    controls = [w for w in walk(her.builder.widget) if hasattr(w, "description")]
    unlabelled = [w for w in controls if not w.description and "Label" not in type(w).__name__]
    assert [type(w).__name__ for w in unlabelled] == ["HTML"]


def test_outputs_are_connected_by_picking_them(person):
    her = person()
    her.add("load", "a", path='"x"')
    her.add("load", "b", path='"y"')
    form = her.builder.form
    form.function.value, form.name.value = "merge", "merged"
    assert [label for label, _ in form.source.options][:2] == ["a · built", "b · built"]
    form.source.value = "a"
    her.press("set")
    assert her.texts == ["a"]
    form.source.value = "b"
    her.press("add to list")
    assert her.texts == ["[a, b]"]
    her.press("add")
    assert her.code.endswith("merged = merge([a, b])\n")
    assert her.names["merged"].inputs == (her.names["a"], her.names["b"])


def test_an_input_of_a_built_task_is_connected_anew(person):
    her = person()
    her.add("load", "a", path='"x"')
    her.add("load", "b", path='"y"')
    her.add("merge", "merged", parts="a")
    her.open("merged")
    assert her.texts == ["a"]
    her.builder.form.source.value = "b"
    her.press("set")
    her.press("apply")
    assert her.said == "changed merged"
    assert her.names["merged"].inputs == (her.names["b"],)
    assert her.builder.task.value == "merged"


def test_a_map_is_chosen_by_what_it_goes_over(person):
    her = person(names=["x"], counts=[1])
    form = her.builder.form
    assert [label for label, _ in form.calls.options] == [
        *("call it once", "map over path", "map over path, rows"),
    ]
    her.add("load", "each", how=1, path="names")
    her.add("load", "both", how=2, path="names", rows="counts")
    assert her.code == "each = load.map(names)\nboth = load.map(names, counts)\n"
    her.open("both")
    assert form.calls.value == 2


def test_a_task_is_renamed_with_its_readers(person):
    her = person()
    her.add("load", "a", path='"x"')
    her.add("merge", "merged", parts="[a]")
    her.open("a")
    her.builder.form.name.value = "first"
    her.press("apply")
    assert her.said == "changed a, now first"
    assert her.code == 'first = load("x")\nmerged = merge([first])\n'
    assert her.builder.task.value == "first"


def test_a_rename_with_a_bad_input_changes_nothing(person):
    her = person()
    her.add("load", "a", path='"x"')
    her.open("a")
    her.builder.form.name.value = "first"
    her.write(rows="no such")
    her.press("apply")
    assert her.said.startswith("✗ rows of load: `no such` is no Python")
    assert her.code == 'a = load("x")\n'
    assert her.builder.form.name.value == "first"
    assert her.texts[1] == "no such"
    assert her.builder.task.value == "a"


def test_what_is_wrong_is_told_below_the_field_at_once(person):
    her = person()
    her.write(path="hello world", rows="many")
    assert her.complaints[0].startswith("✗ `hello world` is no Python")
    assert her.complaints[1].startswith("✗ there is no variable or task many")
    her.write(path='"hello"', rows="2")
    assert her.complaints == ["", ""]
    assert all("\n" not in each for each in her.complaints)


def test_what_is_missing_is_told_by_the_language(person):
    her = person()
    her.add("load", "a")
    assert "does not fit this call: missing a required argument: 'path'" in her.said
    assert her.code == ""
    her.add("load", "load", path="1")
    assert her.said == "✗ load is the function itself: choose another name"
    her.add("load", "two words", path="1")
    assert "is no name for a variable" in her.said


def test_a_cycle_is_refused_and_the_form_stays(person):
    her = person()
    her.add("merge", "a", parts="[1]")
    her.add("merge", "b", parts="[a]")
    her.open("a")
    her.write(parts="[b]")
    her.press("apply")
    assert her.said.startswith("✗ tasks wait on each other")
    assert her.texts == ["[b]"]
    assert her.code == "a = merge([1])\nb = merge([a])\n"


def test_removing_says_what_breaks_and_how_to_mend_it(person):
    her = person()
    her.add("load", "a", path='"x"')
    her.add("merge", "merged", parts="[a]")
    her.open("a")
    her.press("remove")
    assert her.said.startswith("removed a; broken without it: merged")
    broken = her.builder.broken
    assert broken.text.startswith("✗ broken: merged: parts of merge: there is no variable or task")
    assert [label for label, _ in her.builder.task.options] == ["new task", "✗ merged (broken)"]
    her.open("merged")
    assert her.complaints[0].startswith("✗ there is no variable or task a")
    her.write(parts="[1]")
    her.press("apply")
    assert broken.text == ""
    assert broken.widget.layout.display == "none"


def test_readers_are_removed_too_when_that_is_asked(person):
    her = person()
    her.add("load", "a", path='"x"')
    her.add("merge", "merged", parts="[a]")
    her.open("merged")
    assert her.builder.prune.disabled
    her.open("a")
    her.press("remove with readers")
    assert her.said == "removed a, merged"
    assert her.code == ""
    assert her.builder.remove.disabled
    assert her.builder.task.value == ""


def test_the_cell_is_put_where_the_caller_wants_it(person):
    her = person()
    assert her.builder.insert.disabled
    her.add("load", "a", path='"x"')
    her.press("put into a new cell")
    assert her.put == [her.code]
    assert "below the next cell that you run" in her.said


def test_functions_and_variables_are_found_anew_and_what_is_written_stays(person):
    her = person()
    her.builder.form.function.value = "merge"
    her.write(parts="later")
    assert her.complaints[0]
    her.names["later"] = load("x")
    her.names["tidy"] = task(len)
    her.draft.ran("one", {"later": her.names["later"]})
    her.press("refresh")
    form = her.builder.form
    assert [name for name, _ in form.function.options] == ["load", "merge", "tidy"]
    assert (form.function.value, her.texts) == ("merge", ["later"])
    assert her.complaints == [""]
    assert "later" in form.fields[0].entry.options


def test_a_task_that_a_cell_took_over_is_no_longer_open(person):
    her = person()
    her.add("load", "a", path='"x"')
    her.open("a")
    her.names["a"] = load("from a cell")
    her.draft.ran("one", {"a": her.names["a"]})
    her.builder.refresh()
    assert her.builder.task.value == ""
    assert her.builder.add.description == "add"
    assert her.changes == 2


def test_a_notebook_without_functions_says_what_to_do(person):
    her = person()
    for name in ("load", "merge"):
        del her.names[name]
    her.builder.refresh()
    her.open("")
    other = Builder(Building({}, Draft()))
    assert other.said.text.startswith("no function with @task is here yet")
    assert other.add.disabled
    other._building._names["load"] = load
    other.refresh()
    assert (other.said.text, other.add.disabled) == ("", False)
    other.close()


def test_a_broken_function_of_an_open_task_stays_chosen(person):
    her = person()
    her.add("merge", "a", parts="[1]")
    her.open("a")
    del her.names["merge"]
    her.press("refresh")
    assert her.builder.form.function.value == "merge"
    assert "which is no @task function here" in her.builder.broken.text
    her.open("")
    assert her.builder.form.function.value == "load"


def test_many_choices_leave_no_widgets_behind(person):
    her = person()
    form = her.builder.form
    for _ in range(3):
        form.function.value = "merge"
        form.function.value = "load"
    count = len(ipywidget._instances)
    for _ in range(10):
        form.function.value = "merge"
        form.function.value = "load"
    assert len(ipywidget._instances) == count


def test_after_closing_nothing_is_done_any_more(person):
    her = person()
    her.add("load", "a", path='"x"')
    her.builder.close()
    her.builder.add.click()
    her.builder.refresh()
    assert her.names["a"].function is load.described
    assert her.draft.names == ("a",)


def test_whoever_draws_the_draft_may_complain(person):
    her = person()

    def complain() -> None:
        raise GraphError("it cannot be drawn")

    her.builder._changed = complain
    her.add("load", "a", path='"x"')
    assert her.said == "✗ it cannot be drawn"
    assert her.code == 'a = load("x")\n'


def test_a_label_shows_no_formula_and_no_control_character():
    assert "$" not in plain(r"$\href{javascript:alert(1)}{x}$")
    assert "\\href" not in plain(r"$\href{javascript:alert(1)}{x}$")
    assert "\x1b" not in plain("\x1b[2J")
    assert "\n" not in plain("a\nb")


def test_for_others_it_is_the_cell(person):
    her = person()
    her.add("load", "a", path='"x"')
    bundle = her.builder._repr_mimebundle_()
    assert bundle["text/plain"] == her.code
    assert "application/vnd.jupyter.widget-view+json" in bundle
