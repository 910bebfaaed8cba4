"""Workers in containers."""

from __future__ import annotations
