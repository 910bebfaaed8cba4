"""SVG as a tree of elements, so that data is always text and never markup.

No ids, no style sheet, no script, no reference: several pictures can stand in one page, a picture
can stand in an <img>, and nothing leaks from one into another. Attributes say it all.
"""

from __future__ import annotations

import unicodedata
from xml.etree import ElementTree as ET

Element = ET.Element

FONT = "system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"

_JOINERS = "\u200c\u200d"
_NARROW = frozenset("iljtfrI.,:;|!'`()[]{}/\\-")
_BROAD = frozenset("mwMW@%&…")


def element(parent: Element | None, tag: str, /, **attributes: object) -> Element:
    """Make an element, in `parent` if there is one; `stroke_width=1` becomes stroke-width="1"."""
    named = {name.replace("_", "-"): _plain(value) for name, value in attributes.items()}
    if parent is None:
        return ET.Element(tag, named)
    return ET.SubElement(parent, tag, named)


def words(parent: Element, tag: str, text: str, /, **attributes: object) -> Element:
    """Make an element that holds text: a label, a title, a description."""
    made = element(parent, tag, **attributes)
    made.text = clean(text)
    return made


def written(root: Element) -> str:
    return ET.tostring(root, encoding="unicode")


def clean(text: str) -> str:
    """Replace what XML forbids, terminals obey, or readers are deceived by."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_seen(character) for character in text)


def shorten(text: str, *, width: float, size: float) -> str:
    """Clean the text and leave its middle out when it is wider than `width` pixels."""
    text = clean(text if len(text) < 400 else f"{text[:200]}…{text[-199:]}")
    if text_width(text, size=size) <= width:
        return text
    keep = len(text)
    while keep > 2:
        keep -= 1
        short = f"{text[: (keep + 1) // 2]}…{text[len(text) - keep // 2 :]}"
        if text_width(short, size=size) <= width:
            return short
    return "…"


def text_width(text: str, *, size: float) -> float:
    """Estimate pixels, rather too many than too few: the reader's font is not known here."""
    return size * sum(_ems(character) for character in text)


def number(value: float) -> str:
    """Write as few digits as a picture needs, and always the same."""
    return f"{value:.1f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"


def _plain(value: object) -> str:
    return number(value) if isinstance(value, (int, float)) else clean(str(value))


def _seen(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Cc", "Zl", "Zp"}:
        return " "
    hidden = category in {"Cf", "Cs", "Co"} and character not in _JOINERS
    return "\ufffd" if hidden or character in "\ufffe\uffff" else character


def _ems(character: str) -> float:
    if character in _NARROW:
        return 0.4
    if character in _BROAD:
        return 1.0
    if character.isascii():
        return 0.73 if character.isupper() else 0.64
    if unicodedata.combining(character):
        return 0.0
    return 1.1 if unicodedata.east_asian_width(character) in "WF" else 0.8
