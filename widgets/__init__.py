"""Panels: they only ever read Drafts, Plans and Timelines."""

from __future__ import annotations

from wfnb.widgets.folding import Fold, Folded, fold
from wfnb.widgets.graph_svg import graph_svg
from wfnb.widgets.graph_text import graph_text
from wfnb.widgets.layout import Place, layout, levels
from wfnb.widgets.palette import LOOKS, Look
from wfnb.widgets.progress_line import progress_line, progress_summary

__all__ = [
    "LOOKS",
    "Fold",
    "Folded",
    "Look",
    "Place",
    "fold",
    "graph_svg",
    "graph_text",
    "layout",
    "levels",
    "progress_line",
    "progress_summary",
]
