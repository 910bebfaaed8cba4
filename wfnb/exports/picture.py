"""A graph as an SVG file."""

from __future__ import annotations

from typing import Any

from wfnb.draft import Draft
from wfnb.exports.subject import subject_of
from wfnb.widgets.graph_svg import graph_svg


def text_of(thing: Any, draft: Draft | None = None) -> str:
    subject = subject_of(thing)
    return f"{graph_svg(subject.graph, subject.timeline).rstrip()}\n"
