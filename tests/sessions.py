"""Sessions for tests: on the embedded Redis of this test session, with its pool of two workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from wfnb.choices import Choices
from wfnb.session import Session

PATIENCE_SECONDS = 30.0


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session(Choices(workers=2))
    yield session
    session.close()
