"""Images of the rig, built once from Debian packages and kept in a cache folder under a hash of their recipe.

`python -m tests.rig.images` builds all of them ahead (three to five minutes the first time, nothing after that).
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
SUITE = "forky"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
APPLETS = ("cat", "date", "dd", "echo", "env", "false", "httpd", "ls", "mkdir", "nc", "sh", "sleep", "true", "wget")


@dataclass(frozen=True)
class Recipe:
    """A root file system of Debian packages, imported as image `name` with Dockerfile-like `changes`."""

    name: str
    packages: tuple[str, ...]
    changes: tuple[str, ...] = ()
    suite: str = SUITE

    @property
    def image(self) -> str:
        """The image's name in a host."""
        return f"{self.name}:1"

    @property
    def key(self) -> str:
        """Changes whenever the recipe does."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]


BASE = ("iproute2", "ca-certificates", "procps", "busybox-static", "socat")
HOST = Recipe("rig-host", ("docker.io", "containerd", "runc", "kmod", "iptables", *BASE))
OLD_HOST = Recipe("rig-host-old", ("docker.io", "containerd", "runc", "iptables", *BASE), suite="bookworm")
PODMAN_HOST = Recipe(
    "rig-host-podman", ("podman", "conmon", "crun", "netavark", "aardvark-dns", "nftables", "catatonit", *BASE)
)
LLAMA = Recipe(
    "test/llama-server",
    ("ca-certificates", "llama.cpp-tools"),
    ('ENTRYPOINT ["/usr/bin/llama-server"]', "ENV LLAMA_ARG_HOST=0.0.0.0"),
)
PYTHON = Recipe("test/python", ("python3",), ('ENTRYPOINT ["/usr/bin/python3"]',))
BUSYBOX = "test/busybox:1"
INSTALL = "sudo apt install mmdebstrap uidmap debian-archive-keyring"


def cache() -> Path:
    """The folder that keeps what was built; LLMSTACK_TEST_CACHE moves it."""
    folder = Path(os.environ.get("LLMSTACK_TEST_CACHE") or Path.home() / ".cache" / "llmstack-tests")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def only_one(name: str) -> Iterator[None]:
    """Let one process at a time build `name`; the others wait and then find it done."""
    with (cache() / f"{name.replace('/', '-')}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def root_tar(recipe: Recipe) -> Path:
    """The root file system of `recipe` as a tar file, built if the cache lacks it. Skips the test if it cannot."""
    stem = f"{recipe.name.replace('/', '-')}-{recipe.key}"
    target = cache() / f"{stem}.tar"
    with only_one(stem):
        if not target.exists():
            part = target.with_suffix(".part.tar")
            _run(_mmdebstrap(recipe, part))
            part.rename(target)
    return target


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
    except FileNotFoundError:
        pytest.skip(f"needs {command[0]} to build images: {INSTALL}")
    except subprocess.CalledProcessError as error:
        last = " ".join(error.stderr.split("\n")[-2:]).strip()
        pytest.skip(f"needs an image that {command[0]} could not build: {last} ({INSTALL})")


def _mmdebstrap(recipe: Recipe, target: Path) -> list[str]:
    options = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale")]
    options += ['--aptopt=Acquire::Check-Valid-Until "false"', '--aptopt=Apt::Install-Recommends "false"']
    include = "--include=" + ",".join(recipe.packages)
    head = ["mmdebstrap", "--variant=minbase", f"--keyring={KEYRING}", *options, include]
    return [*head, recipe.suite, str(target), mirror()]


def mirror(etc: Path = Path("/etc/apt")) -> str:
    """The Debian mirror that this machine already uses. Skips the test without one."""
    for source in sorted((etc / "sources.list.d").glob("*.sources")):
        found = re.search(r"^URIs:\s*(\S+)", source.read_text(), re.MULTILINE)
        if found:
            return found[1]
    plain = etc / "sources.list"
    found = re.search(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)", plain.read_text() if plain.exists() else "", re.MULTILINE)
    if not found:
        pytest.skip(f"needs a Debian mirror to build images, and none is named in {etc}")
    return found[1]


def busybox_tar(program: bytes) -> bytes:
    """A root file system of that one static busybox."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("bin/busybox")
        info.size, info.mode = len(program), 0o755
        tar.addfile(info, io.BytesIO(program))
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return out.getvalue()


def main() -> None:
    """Build everything ahead."""
    for recipe in (HOST, OLD_HOST, PODMAN_HOST, LLAMA, PYTHON):
        print(recipe.name, root_tar(recipe), flush=True)


if __name__ == "__main__":
    main()
