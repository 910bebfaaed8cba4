"""Every test session, the notebooks' too, has a home of its own and leaves nothing behind."""

from __future__ import annotations

pytest_plugins = ["tests.isolation", "tests.needy"]
