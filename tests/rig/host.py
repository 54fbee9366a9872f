"""A whole Docker host as one container of this machine's engine, reached by a shared Unix socket.

Its published ports lie on its own loopback. `inside()` takes the calling thread (and the threads and processes it
starts) into the host's network, so that 127.0.0.1 means the host's there. Only root may do that; for anybody else the
published ports are relayed to this machine's 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import shutil
import tarfile
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import docker
import pytest

from llmstack.engines.docker.address import Address, resolve
from llmstack.engines.docker.client import Client
from llmstack.engines.docker.rows import published
from llmstack.engines.docker.wire import Wire
from llmstack.errors import LlmstackError
from tests import room
from tests.rig import images
from tests.rig.kinds import DEFAULT, KINDS, Kind
from tests.rig.relay import relayed

LABEL = "llmstack-test-rig"
CLONE_NEWNET = 0x40000000
CAP_SYS_RESOURCE = 24
CALM_S = 60.0
THEIRS = ("bridge", "host", "none", "podman")
"""Networks that an engine has by itself."""

HOOK = """\
cat > /usr/local/bin/nvidia-container-runtime-hook <<'X'
#!/bin/sh
[ -f /tmp/gpu-broken ] && { echo "nvidia-container-cli: nvml error: driver not loaded" >&2; exit 1; }; exit 0
X
chmod +x /usr/local/bin/nvidia-container-runtime-hook; mkdir -p /etc/cdi; cat > /etc/cdi/fake.json <<'X'
{"cdiVersion": "0.6.0", "kind": "fake.com/gpu", "devices": [{"name": "0", "containerEdits": {"env": ["FAKE_GPU=0"]}}]}
X
"""
"""A program by which dockerd gives GPUs to containers, told to fail by a file, and a device by CDI."""


def outer() -> Client:
    """The engine that the user's own docker speaks to. Skips the test without one."""
    try:
        with Wire(resolve(None, room.ORIGINAL), "this machine").doing("ask", timeout_s=CALM_S) as api:
            return api
    except LlmstackError as error:
        pytest.skip(f"needs Docker: {error}; {error.hint}")


class RigHost:
    """One running host. `small_disk_mb` puts its data on a tmpfs of that size. Skips the test where none can run."""

    def __init__(self, kind: Kind = KINDS[DEFAULT], *, small_disk_mb: int | None = None) -> None:
        self._outer = outer()
        self._folder = Path(tempfile.mkdtemp(prefix="llmstack-rig-"))
        self._loaded: set[str] = set()
        self.id = ""
        self._wire = Wire(Address(self.address, "the rig"), "the rig")
        self.api: Client
        try:
            self.id = self._start(kind, small_disk_mb)
            self.wait_until_up()
        except (AssertionError, docker.errors.APIError) as error:
            self.close()
            pytest.skip(f"needs an engine that can run a whole Docker host in a container: {error}")
        except BaseException:
            self.close()
            raise

    @property
    def address(self) -> str:
        """For `DockerEngine(docker_host=...)`."""
        return f"unix://{self._folder}/docker.sock"

    @property
    def socket(self) -> Path:
        """The engine's socket on this machine."""
        return self._folder / "docker.sock"

    @property
    def ip(self) -> str:
        """Its address as seen from this machine."""
        networks = self._outer.inspect_container(self.id)["NetworkSettings"]["Networks"]
        return str(networks["bridge"]["IPAddress"])

    def image(self, recipe: images.Recipe) -> str:
        """Have the image of `recipe` in this host; returns its name."""
        return self._import(recipe.image, lambda: images.root_tar(recipe).open("rb"), list(recipe.changes))

    def busybox(self) -> str:
        """Have the image of one static busybox in this host; it needs a command."""
        return self._import(images.BUSYBOX, lambda: io.BytesIO(images.busybox_tar(self._program())), ["ENV PATH=/bin"])

    def ollama_replay(self) -> str:
        """Have an image that answers like the recorded Ollama, and ignores its command as `serve`."""
        files = {"/replay/servers": images.TESTS / "servers", "/replay/recordings": images.TESTS / "recordings"}
        run = ["/bin/sh", "-c", "exec python3 /replay/servers/ollama_replay.py", "ollama"]
        conf = {"Entrypoint": run, "Env": ["OLLAMA_HOST=0.0.0.0:11434"]}
        return self.image_with("test/ollama-replay:1", self.image(images.PYTHON), files, conf)

    def image_with(self, tag: str, base: str, files: dict[str, Path], conf: dict[str, object]) -> str:
        """Have image `tag`: `base` with host files or folders put at absolute paths, and `conf` as its Config."""
        if tag not in self._loaded:
            made = self.api.create_container(base, command=["-"])["Id"]
            self.api.put_archive(made, "/", _tar_of(files))
            name, _, version = tag.rpartition(":")
            self.api.commit(made, name, version, conf=conf)
            self.api.remove_container(made)
            self._loaded.add(tag)
        return tag

    def forget(self, image: str) -> None:
        """Remove an image."""
        self.api.remove_image(image, force=True)
        self._loaded.discard(image)

    def put(self, files: dict[str, Path]) -> None:
        """Put files of this machine on the host itself, at absolute paths."""
        self._outer.put_archive(self.id, "/", _tar_of(files))

    @contextmanager
    def slowed(self, megabits_per_s: int) -> Iterator[None]:
        """Its loopback brings no more than that. Skips the test where the kernel cannot do so."""
        rate = f"{megabits_per_s}mbit"
        try:
            self.run("tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", rate, "burst", "1mb", "latency", "400ms")
        except AssertionError as error:
            pytest.skip(f"needs the kernel's token bucket filter: {error}")
        try:
            yield
        finally:
            self.run("tc", "qdisc", "del", "dev", "lo", "root")

    def run(self, *command: str) -> str:
        """Run a program on the host itself; returns what it printed. Raises AssertionError when it fails."""
        job = self._outer.exec_create(self.id, list(command))
        output = self._outer.exec_start(job["Id"]).decode()
        assert self._outer.exec_inspect(job["Id"])["ExitCode"] == 0, output
        return str(output)

    def pause(self) -> None:
        """Freeze the whole host: nothing answers."""
        self._outer.pause(self.id)

    def unpause(self) -> None:
        """Let it go on."""
        self._outer.unpause(self.id)

    def kill_engine(self) -> None:
        """`kill -9` of the engine; containers live on."""
        self.run("sh", "-c", "kill -9 $(cat /run/engine.pid)")

    def give_gpus(self) -> None:
        """Let the engine give GPUs that are not there; `/tmp/gpu-broken` makes its driver fail."""
        self.run("sh", "-c", HOOK)
        self.kill_engine()
        self.start_engine()

    def start_engine(self) -> None:
        """Start the engine again and wait for it."""
        self.run("start-engine")
        self.wait_until_up()

    def wait_until_up(self, deadline_s: float = 40.0) -> None:
        """Return when the engine answers. Raises AssertionError with its log when it does not."""
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            with contextlib.suppress(LlmstackError), self._wire.doing("ping", timeout_s=CALM_S) as self.api:
                self.api.ping()
                return
            time.sleep(0.05)
        raise AssertionError(f"the rig host did not come up: {self.run('cat', '/var/log/engine.log')}")

    def clean(self) -> None:
        """Remove every container, network and volume that a test left."""
        for one in self.api.containers(all=True):
            with contextlib.suppress(docker.errors.APIError):
                self.api.kill(one["Id"])  # Podman's forced removal is patient
            with contextlib.suppress(docker.errors.NotFound):
                self.api.remove_container(one["Id"], force=True, v=True)
        for network in self.networks():
            self.api.remove_network(network)
        for volume in self.api.volumes()["Volumes"] or []:
            self.api.remove_volume(volume["Name"], force=True)

    def networks(self) -> dict[str, str]:
        """Id -> name of the networks that somebody made."""
        return {one["Id"]: one["Name"] for one in self.api.networks() if one["Name"] not in THEIRS}

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The calling thread is in the host's network until the block ends, or at least reaches its ports."""
        if os.geteuid() != 0:
            with self.relayed():
                yield
            return
        pid = self._outer.inspect_container(self.id)["State"]["Pid"]
        with Path("/proc/thread-self/ns/net").open("rb") as home, Path(f"/proc/{pid}/ns/net").open("rb") as away:
            _enter(away.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    @contextmanager
    def relayed(self) -> Iterator[None]:
        """The host's published ports are open on this machine's 127.0.0.1 until the block ends."""
        watch = Client(Address(self.address, "the rig"), "1.41")
        with (
            contextlib.closing(watch),
            relayed(lambda: set().union(*map(published, watch.containers())), self._folder / "loopback.sock"),
        ):
            yield

    def close(self) -> None:
        """Remove the host and all that is in it."""
        if self.id:
            with contextlib.suppress(docker.errors.APIError):
                self._outer.remove_container(self.id, force=True, v=True)
        self._outer.close()
        self._wire.close()
        shutil.rmtree(self._folder)

    def _start(self, kind: Kind, small_disk_mb: int | None) -> str:
        body = {
            "Image": _host_image(self._outer, kind.recipe),
            "Cmd": ["sh", "-c", kind.init],
            "Hostname": "rig",
            "Labels": {LABEL: str(os.getpid())},
            "HostConfig": {
                **_rights(),
                "Init": True,
                "CgroupnsMode": "private",
                "DeviceCgroupRules": ["a *:* rwm"],
                "Mounts": [
                    {"Type": "bind", "Source": str(self._folder), "Target": "/rig"},
                    _data_mount(kind.data, small_disk_mb),
                ],
            },
        }
        made = self._outer.create_container_from_config(body, f"llmstack-rig-{uuid.uuid4().hex[:12]}")["Id"]
        self._outer.start(made)
        return str(made)

    def _program(self) -> bytes:
        """The host's own busybox."""
        chunks, _ = self._outer.get_archive(self.id, "/bin/busybox")
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            file = tar.extractfile("busybox")
            assert file is not None
            return file.read()

    def _import(self, tag: str, root: Callable[[], IO[bytes]], changes: list[str]) -> str:
        if tag not in self._loaded:
            name, _, version = tag.rpartition(":")
            with root() as file:
                self.api.import_image_from_data(file, repository=name, tag=version, changes=changes)
            self.api.inspect_image(tag)
            self._loaded.add(tag)
        return tag


def _rights() -> dict[str, object]:
    """`--privileged`, or the same by hand where this machine's bounding set is not complete."""
    status = Path("/proc/self/status").read_text()
    bounding = int(next(line for line in status.splitlines() if line.startswith("CapBnd")).split()[1], 16)
    if bounding >> CAP_SYS_RESOURCE & 1:
        return {"Privileged": True}
    return {
        "CapAdd": ["ALL"],
        "CapDrop": ["SYS_RESOURCE"],
        "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
        "MaskedPaths": [],
        "ReadonlyPaths": [],
    }


def _data_mount(folder: str, small_disk_mb: int | None) -> dict[str, object]:
    if small_disk_mb is None:
        return {"Type": "volume", "Target": folder}
    size = {"SizeBytes": small_disk_mb * 1024 * 1024}
    return {"Type": "tmpfs", "Target": folder, "TmpfsOptions": size}


def _host_image(api: Client, recipe: images.Recipe) -> str:
    """The host's image on this machine's engine, imported once and kept for the next runs."""
    name, tag = f"llmstack-{recipe.name}", recipe.key
    with images.only_one("host-image"):
        try:
            api.inspect_image(f"{name}:{tag}")
        except docker.errors.ImageNotFound:
            with images.root_tar(recipe).open("rb") as root:
                api.import_image_from_data(root, repository=name, tag=tag)
    return f"{name}:{tag}"


def _tar_of(files: dict[str, Path]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for target, source in files.items():
            tar.add(source, arcname=target.lstrip("/"))
    return out.getvalue()


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}")
