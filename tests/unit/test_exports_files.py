from __future__ import annotations

import os
import stat
from xml.etree import ElementTree as ET

import pytest

from wfnb.draft import Draft
from wfnb.errors import ExportError, GraphError, OptionError
from wfnb.exports import FORMATS, export
from wfnb.exports.names import safe_names
from wfnb.freezing import freeze
from wfnb.language import task


@task
def one():
    return 1


@task
def add(*values):
    return sum(values)


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_is_written_from_a_task_a_list_and_a_graph(tmp_path, suffix):
    total = add(one(), one())
    for thing in (total, [total], freeze([total])):
        path = export(thing, tmp_path / f"flow{suffix}")
        assert path.read_text().endswith("\n")
    assert [path.name for path in tmp_path.iterdir()] == [f"flow{suffix}"]


def test_the_picture_is_an_svg(tmp_path):
    root = ET.fromstring(export(add(one()), tmp_path / "flow.SVG").read_text())
    assert root.tag.endswith("svg")


@pytest.mark.parametrize("name", ["flow", "flow.dot", "flow.json.gz"])
def test_an_unknown_suffix_is_refused_with_those_that_are_known(tmp_path, name):
    with pytest.raises(OptionError, match=r"\.json .*\.mmd .*\.py .*\.svg"):
        export(one(), tmp_path / name)


def test_what_is_no_task_is_refused(tmp_path):
    with pytest.raises(GraphError, match="not a task"):
        export(3, tmp_path / "flow.mmd")
    with pytest.raises(GraphError, match="holds no task"):
        export(Draft(), tmp_path / "flow.py")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_and_keeps_its_mode(tmp_path):
    path = tmp_path / "flow.mmd"
    path.write_text("old")
    path.chmod(0o640)
    export(one(), path)
    assert path.read_text().startswith("flowchart")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_new_file_is_readable_as_the_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        path = export(one(), tmp_path / "flow.mmd")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_nothing_is_written_through_a_link(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("kept")
    link = tmp_path / "flow.mmd"
    link.symlink_to(secret)
    with pytest.raises(ExportError, match="is a link"):
        export(one(), link)
    assert secret.read_text() == "kept"
    link.unlink()
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ExportError, match="is a link"):
        export(one(), link)


def test_where_no_file_can_be_is_told(tmp_path):
    (tmp_path / "folder.mmd").mkdir()
    with pytest.raises(ExportError, match="is no file: give another name"):
        export(one(), tmp_path / "folder.mmd")
    with pytest.raises(ExportError, match=r"there is no folder .*missing"):
        export(one(), tmp_path / "missing" / "flow.mmd")
    with pytest.raises(ExportError, match="zero byte"):
        export(one(), tmp_path / "a\0b.mmd")


def test_a_tilde_is_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert export(one(), "~/flow.mmd") == tmp_path / "flow.mmd"


def test_names_are_made_safe_and_stay_apart():
    safe = safe_names(["a b", "a/b", "a_b", "f[3]", "", "x" * 500])
    assert safe["a_b"] == "a_b"
    assert safe["f[3]"] == "f_3"
    assert len(set(safe.values())) == len(safe)
    assert all(len(name) <= 128 for name in safe.values())
