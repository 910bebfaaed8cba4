"""What runs in a container, as a local process: its letter, its life, its surroundings."""

from __future__ import annotations

import stat
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from tests.boxed import folder_and_what_is_there, length, linger, plus_one, produce
from tests.boxes import PATIENCE_SECONDS, letter_for, local_box, raw_box, shown, started
from tests.waiting import wait_until
from wfnb import task
from wfnb.errors import SerialisationError, TaskError
from wfnb.events import START
from wfnb.storage.stores import connect_store

LABEL = "container 0123456789ab"


@pytest.fixture
def store(redis_server):
    store = connect_store(redis_server.url)
    yield store
    store.close()


@pytest.fixture
def box(redis_server, tmp_path):
    box = local_box(letter_for(redis_server), tmp_path)
    yield box
    assert box.end() == 0, box.said


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Writes modules of the user's, where only the client finds them."""
    folder = tmp_path / "client"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)

    def forget() -> None:
        for name in set(sys.modules) - before:
            if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]

    def write(texts: dict[str, str]) -> Path:
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        forget()
        return folder

    yield write
    forget()


def as_in_a_notebook(text: str):
    """A task of __main__, as a cell defines it."""
    namespace = {"__name__": "__main__", "task": task}
    exec(textwrap.dedent(text), namespace)
    return namespace


def test_a_letter_makes_a_worker_that_serves_runs_and_shows_itself(box, store):
    run = started(store, plus_one(plus_one(1)))
    assert run.result(PATIENCE_SECONDS) == 3
    about = shown(store, LABEL)
    assert about["entry"] == "container"
    assert about["container"] == "0123456789ab"
    assert about["image"] == "wfnb-worker:test"
    assert float(about["cold_seconds"]) >= 0
    wait_until(lambda: shown(store, LABEL)["calls"] == "2", description="calls are counted")
    assert shown(store, LABEL)["joins"] == "1"
    entries = [entry for _, entry in store.events(run.id, START)]
    assert any(LABEL.encode() in entry for entry in entries)


def test_its_key_is_a_private_file_and_in_no_environment(box, redis_server, store):
    shown(store, LABEL)
    (key,) = box.folder.glob("wfnb-*/key")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    family = [psutil.Process(box.process.pid)]
    family += family[0].children(recursive=True)
    assert len(family) == 3
    secret = letter_for(redis_server).key
    assert secret == key.read_bytes().hex()
    for process in family:
        assert secret not in str(process.environ())
        assert secret not in str(process.cmdline())


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"no letter\n", "is no letter"),
        (b'{"store_url": "unix:///x"}\n', "is no letter"),
        (b"x" * 70_000, "longer than"),
    ],
)
def test_another_first_line_is_refused_in_words(tmp_path, line, told):
    box = raw_box(line, tmp_path)
    assert box.process.wait(PATIENCE_SECONDS) == 1
    assert told in box.said
    assert "Traceback" not in box.said
    box.end()


def test_an_ended_input_is_refused_in_words(tmp_path):
    box = raw_box(b"", tmp_path)
    box.process.stdin.close()
    assert box.process.wait(PATIENCE_SECONDS) == 1
    assert "has ended before a letter came" in box.said


def test_sigterm_gives_its_claims_back_uncounted(redis_server, store, tmp_path):
    mark = tmp_path / "mark"

    (tmp_path / "a").mkdir()
    first = local_box(letter_for(redis_server), tmp_path / "a")
    run = started(store, linger(str(mark)))
    wait_until(mark.exists, timeout_seconds=PATIENCE_SECONDS, description="the task runs")
    assert first.end() == 0
    assert LABEL not in store.pools()
    assert store.snapshot(run.id).states["linger-0"] == "queued"
    assert not run.errors
    run.cancel()


def test_it_begins_anew_without_another_letter(box, store):
    assert started(store, plus_one(1)).result(PATIENCE_SECONDS) == 2
    template, worker = psutil.Process(box.process.pid).children(recursive=True)
    template.kill()
    wait_until(lambda: not worker.is_running(), description="the worker has gone with it")
    wait_until(lambda: "starts again" in box.said, description="it begins anew")
    assert started(store, plus_one(2)).result(PATIENCE_SECONDS) == 3


def test_a_planned_worker_without_work_waits_and_one_without_a_run_is_idle(
    redis_server, store, tmp_path
):
    mark = tmp_path / "mark"

    box = local_box(letter_for(redis_server), tmp_path)
    assert shown(store, LABEL)["state"] == "idle"
    run = started(store, linger(str(mark)), worker="alice")
    wait_until(mark.exists, timeout_seconds=PATIENCE_SECONDS, description="the task runs")
    wait_until(lambda: shown(store, LABEL)["state"] == "busy", description="it is seen busy")
    assert shown(store, LABEL)["run"] == run.id
    run.cancel()
    wait_until(lambda: shown(store, LABEL)["state"] == "idle", description="it is seen idle")
    box.end()


def test_tasks_find_a_folder_of_their_own_and_big_outputs_travel_by_the_store(box, store):
    here = folder_and_what_is_there
    first = started(store, here(0)).result(PATIENCE_SECONDS)
    assert first[0].startswith(str(box.folder))
    assert first[1] == []
    assert started(store, here(1)).result(PATIENCE_SECONDS) == first
    run = started(store, length(produce(1)))
    assert run.result(PATIENCE_SECONDS) == 1 << 20
    assert not list(Path("/dev/shm").glob(f"wfnb*/*{run.id}*"))


def test_a_module_of_the_users_travels_with_what_it_imports(box, store, modules):
    modules(
        {
            "helper_a.py": "import helper_b\ndef double(x):\n    return helper_b.FACTOR * x\n",
            "helper_b.py": "FACTOR = 2\n",
        }
    )
    cell = as_in_a_notebook(
        """
        import helper_a
        @task
        def by_global(x):
            return helper_a.double(x)
        """
    )
    assert started(store, cell["by_global"](3)).result(PATIENCE_SECONDS) == 6


def test_a_module_that_only_a_tasks_body_imports_travels(box, store, modules):
    modules({"helper_c.py": "VALUE = 7\n"})
    cell = as_in_a_notebook(
        """
        @task
        def inner():
            import helper_c
            return helper_c.VALUE
        """
    )
    assert "helper_c" not in sys.modules
    assert started(store, cell["inner"]()).result(PATIENCE_SECONDS) == 7


def test_a_package_travels_with_its_submodules_and_data(box, store, modules):
    folder = modules(
        {
            "parcel/__init__.py": "",
            "parcel/deep/__init__.py": "from parcel.other import NAME\n",
            "parcel/other.py": "NAME = 'other'\n",
            "parcel/reading.py": """
            from pathlib import Path
            from .deep import NAME
            def read():
                return NAME + (Path(__file__).parent / "data.txt").read_text()
        """,
        }
    )
    (folder / "parcel" / "data.txt").write_text(" data")
    cell = as_in_a_notebook(
        """
        from parcel.reading import read
        @task
        def told():
            return read()
        """
    )
    assert started(store, cell["told"]()).result(PATIENCE_SECONDS) == "other data"


def test_an_edited_module_is_used_by_the_next_run(box, store, modules):
    text = "@task\ndef version():\n    import helper_d\n    return helper_d.VERSION\n"
    modules({"helper_d.py": "VERSION = 1\n"})
    assert started(store, as_in_a_notebook(text)["version"]()).result(PATIENCE_SECONDS) == 1
    modules({"helper_d.py": "VERSION = 2\n"})
    assert started(store, as_in_a_notebook(text)["version"]()).result(PATIENCE_SECONDS) == 2


def test_an_argument_of_the_users_class_takes_its_module_along(box, store, modules):
    modules({"helper_e.py": "class Point:\n    def __init__(self, x):\n        self.x = x\n"})
    cell = as_in_a_notebook(
        """
        from helper_e import Point
        @task
        def x_of(point):
            return point.x
        """
    )
    large = [cell["Point"](n) for n in range(20_000)]
    assert started(store, cell["x_of"](cell["Point"](5))).result(PATIENCE_SECONDS) == 5

    first = as_in_a_notebook("@task\ndef first(points):\n    return points[9].x\n")["first"]
    assert started(store, first(large)).result(PATIENCE_SECONDS) == 9


def test_a_module_that_the_image_lacks_is_named_with_its_remedy(box, store):
    cell = as_in_a_notebook(
        """
        @task
        def inner():
            import no_such_module.inner
        """
    )
    run = started(store, cell["inner"]())
    with pytest.raises(TaskError, match=r'requirements=\["no_such_module"\]'):
        run.result(PATIENCE_SECONDS)
    assert run.errors[0].type == "ModuleNotFoundError"


def test_too_much_code_is_refused_and_the_largest_file_is_named(store, modules):
    folder = modules({"heavy/__init__.py": ""})
    with (folder / "heavy" / "blob.bin").open("wb") as file:
        file.truncate(20 << 20)
    cell = as_in_a_notebook("import heavy\n@task\ndef use():\n    return heavy.__name__\n")
    with pytest.raises(SerialisationError, match=r"heavy/blob\.bin \(21\.0 MB\)"):
        started(store, cell["use"]())
    assert not store.runs()
