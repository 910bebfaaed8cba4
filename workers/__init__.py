"""What executes tasks, and where."""

from __future__ import annotations
