"""What only a browser shows of the builder: its keyboard, its width, and the cell it puts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.conftest import Open
from tests.browser.jupyter import Notebook

if TYPE_CHECKING:
    from playwright.sync_api import Locator

BEGIN = """
import wfnb
from functools import partial
from wfnb.building import Building
from wfnb.draft import Draft
from wfnb.widgets.builder import Builder

@wfnb.task
def load(path: str, rows: int = 5) -> list:
    return [path] * rows

@wfnb.task
def merge(parts: list) -> list:
    return parts

draft = Draft()
put = partial(get_ipython().set_next_input, replace=False)
builder = Builder(Building(globals(), draft), put=put)
display(builder)
"""
CANARY = "$\\href{javascript:window.__fired=1}{x}$ <img src=x onerror=window.__fired=1>"
BLOCKING = "import time\nwhile 'merged' not in globals(): time.sleep(0.05)\nprint(merged)"
BOUND = "print([name for held in draft.cells.values() for name in held], merged)"


SOURCES = """() => jupyterapp.shell.currentWidget.content.widgets
    .map(each => each.model.sharedModel.source.trim())"""
STICKING_OUT = """el => [...el.querySelectorAll("input, select, button, textarea, .wfnb-said")]
    .filter(each => each.getBoundingClientRect().right > el.getBoundingClientRect().right)
    .map(each => each.outerHTML.slice(0, 80))"""


class Hand:
    """Finds controls by their labels, as somebody does who hears the page."""

    def __init__(self, page: Notebook) -> None:
        self.page = page
        self.root = page.page.locator(".wfnb-builder").first
        self.root.wait_for()

    def field(self, label: str) -> Locator:
        return self.root.get_by_label(label, exact=True)

    def press(self, words: str) -> None:
        self.root.get_by_role("button", name=words, exact=True).click()

    def see(self, text: str) -> None:
        self.root.get_by_text(text).first.wait_for()

    def load(self, name: str) -> None:
        self.field("name").fill(name)
        self.field("path").fill(f'"{name}"')
        self.press("add")
        self.see(f"added {name}")

    def merge(self) -> None:
        self.field("function").select_option("merge")
        named = self.field("name")
        self.page.eventually(lambda: named.input_value() == "merge_0", "a name is suggested")
        self.field("name").fill("merged")
        self.field("to").select_option("a · built")
        self.press("set")
        self.field("to").select_option("b · built")
        self.press("add to list")
        picked = self.field("parts")
        self.page.eventually(lambda: picked.input_value() == "[a, b]", "both are picked")
        self.press("add")
        self.see("added merged")

    def photograph(self, path: Path) -> None:
        self.root.scroll_into_view_if_needed()
        path.write_bytes(self.root.screenshot())


def test_a_workflow_is_built_by_hand_and_becomes_a_cell(
    notebook: Open, screenshots: Path, front_end: str
):
    page = notebook(BEGIN, BLOCKING, BOUND)
    page.run(0)
    hand = Hand(page)
    hand.load("a")
    hand.load("b")
    page.run(1, wait=False)
    page.eventually(lambda: page.is_busy(1), "a cell blocks")
    hand.merge()
    page.eventually(lambda: not page.is_busy(1), "it saw the task that was built meanwhile")
    assert page.text(1).strip() == "<task merge>"
    code = 'a = load("a")\nb = load("b")\nmerged = merge([a, b])'
    source = hand.field("as a cell")
    page.eventually(lambda: source.input_value().strip() == code, "shown as a cell")
    hand.photograph(screenshots / f"builder_{front_end}.png")
    hand.press("put into a new cell")
    hand.see("it comes below the next cell")
    page.run(2)
    assert page.text(2).strip() == "['a', 'b', 'merged'] <task merge>"
    page.eventually(lambda: code in page.page.evaluate(SOURCES), "put into a cell")


def test_it_is_used_by_keyboard_on_a_narrow_page_and_shows_text_as_text(
    notebook: Open, screenshots: Path, front_end: str
):
    page = notebook(BEGIN)
    page.run(0)
    hand, keys = Hand(page), page.page.keyboard
    hand.field("name").focus()
    keys.press("Control+a")
    keys.type("a")
    keys.press("Tab")
    keys.press("Tab")
    keys.type(CANARY)
    keys.press("Tab")
    hand.see("is no Python")
    hand.field("path").focus()
    keys.press("Control+a")
    keys.type('"x"')
    keys.press("Tab")
    hand.root.get_by_role("button", name="add", exact=True).focus()
    keys.press("Enter")
    hand.see("added a")
    hand.load("b")
    hand.merge()
    hand.field("task").select_option("a")
    hand.press("remove")
    hand.see("broken without it: merged")
    hand.field("task").select_option("✗ merged (broken)")
    page.page.set_viewport_size({"width": 400, "height": 1400})
    if front_end == "lab":
        page.command("application:toggle-left-area")
    page.eventually(lambda: hand.root.bounding_box()["width"] < 400, "narrow")
    page.eventually(lambda: hand.root.evaluate(STICKING_OUT) == [], "nothing sticks out")
    hand.photograph(screenshots / f"builder_narrow_{front_end}.png")
    assert page.page.evaluate("window.__fired") is None
