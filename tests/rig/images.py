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


HOST = Recipe(
    "rig-host",
    ("docker.io", "containerd", "runc", "kmod", "iptables", "iproute2", "ca-certificates", "procps", "busybox-static"),
)
LLAMA = Recipe(
    "test/llama-server",
    ("ca-certificates", "llama.cpp-tools"),
    ('ENTRYPOINT ["/usr/bin/llama-server"]', "ENV LLAMA_ARG_HOST=0.0.0.0"),
)
PYTHON = Recipe("test/python", ("python3",), ('ENTRYPOINT ["/usr/bin/python3"]',))
BUSYBOX = "test/busybox:1"


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
    """The root file system of `recipe` as a tar file, built when it is not in the cache."""
    stem = f"{recipe.name.replace('/', '-')}-{recipe.key}"
    target = cache() / f"{stem}.tar"
    with only_one(stem):
        if not target.exists():
            part = target.with_suffix(".part.tar")
            subprocess.run(_mmdebstrap(recipe, part), check=True, capture_output=True, text=True, timeout=900)
            part.rename(target)
    return target


def _mmdebstrap(recipe: Recipe, target: Path) -> list[str]:
    options = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale")]
    options += ['--aptopt=Acquire::Check-Valid-Until "false"', '--aptopt=Apt::Install-Recommends "false"']
    include = "--include=" + ",".join(recipe.packages)
    head = ["mmdebstrap", "--variant=minbase", "--mode=root", f"--keyring={KEYRING}", *options, include]
    return [*head, recipe.suite, str(target), mirror()]


def mirror(etc: Path = Path("/etc/apt")) -> str:
    """The Debian mirror that this machine already uses. Raises LookupError without one."""
    for source in sorted((etc / "sources.list.d").glob("*.sources")):
        found = re.search(r"^URIs:\s*(\S+)", source.read_text(), re.MULTILINE)
        if found:
            return found[1]
    plain = etc / "sources.list"
    found = re.search(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)", plain.read_text() if plain.exists() else "", re.MULTILINE)
    if not found:
        raise LookupError(f"no Debian mirror is named in {etc}")
    return found[1]


def busybox_tar() -> bytes:
    """A root file system of one static busybox, taken from the host image."""
    with tarfile.open(root_tar(HOST)) as host:
        member = next(m for m in host if re.fullmatch(r"\.?/?(usr/)?bin/busybox", m.name) and m.isfile())
        file = host.extractfile(member)
        assert file is not None
        program = file.read()
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
    for recipe in (HOST, LLAMA, PYTHON):
        print(recipe.name, root_tar(recipe), flush=True)


if __name__ == "__main__":
    main()
