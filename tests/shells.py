"""An IPython in this process, with wfnb loaded on a memory store: for tests of magics."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.testing.globalipapp import start_ipython

from wfnb import extension
from wfnb.choices import Choices
from wfnb.session import Session


@pytest.fixture(scope="module")
def the_shell() -> Iterator[InteractiveShell]:
    shell = start_ipython() or InteractiveShell.instance()
    # With a history, a reset collects garbage each time: 0.2 s a test in a process with many tests.
    shell.displayhook.do_full_cache = False
    yield shell
    shell.history_manager.end_session()


@pytest.fixture
def session() -> Iterator[Session]:
    session = Session(Choices(store="memory", backend="inline"))
    yield session
    session.close()


@pytest.fixture
def shell(the_shell: InteractiveShell, session: Session) -> Iterator[InteractiveShell]:
    extension.install(the_shell, session)
    yield the_shell
    extension.uninstall(the_shell)
    the_shell.reset(new_session=False)
