"""Debian's `docker-registry` on a host of the rig, on its loopback: there its engine trusts it without TLS."""

from __future__ import annotations

import secrets
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tests.rig import images
from tests.rig.host import RigHost

PROGRAM = "/usr/local/bin/docker-registry"
CONFIG = """version: 0.1
storage: {{filesystem: {{rootdirectory: /srv/registry}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
{more}"""
LOGIN = "auth: {htpasswd: {realm: rig, path: /srv/registry-users}}\n"


def program() -> Path:
    """The registry's program, unpacked once from its package. Skips the test where it cannot be had."""
    target = images.cache() / "docker-registry"
    with images.only_one("docker-registry"):
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=images.cache()) as name:
                _unpack(Path(name)).rename(target)
    return target


def _unpack(folder: Path) -> Path:
    get = ["apt-get", "-o", "APT::Sandbox::User=root", "download", "docker-registry"]
    try:
        subprocess.run(get, cwd=folder, check=True, capture_output=True, timeout=300)
        (package,) = folder.glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True, capture_output=True, timeout=300)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"needs Debian's docker-registry: {error}")
    return folder / "usr" / "bin" / "docker-registry"


class Registry:
    """One registry on `host`; with `login` it lets nobody in."""

    def __init__(self, host: RigHost, port: int, *, login: bool = False) -> None:
        self.host, self.port = host, port
        config = CONFIG.format(port=port, more=LOGIN if login else "")
        host.put({PROGRAM: program()})
        host.run("sh", "-c", f"mkdir -p /srv; : > /srv/registry-users; printf '%s' '{config}' > /srv/{port}.yml")
        self.start()

    def image(self, name: str) -> str:
        """The name of an image in it."""
        return f"127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        line = f"{PROGRAM} serve /srv/{self.port}.yml >>/srv/{self.port}.log 2>&1 & echo $! > /srv/{self.port}.pid"
        self.host.run("sh", "-c", f"setsid sh -c '{line}'")
        end = time.monotonic() + 40
        while time.monotonic() < end:
            if self.host.run("ss", "-Hltn", f"sport = :{self.port}"):
                return
            time.sleep(0.05)
        raise AssertionError(self.host.run("cat", f"/srv/{self.port}.log"))

    def signal(self, word: str) -> None:
        """Send it STOP, CONT or KILL; no error when it is gone."""
        self.host.run("sh", "-c", f"kill -{word} $(cat /srv/{self.port}.pid) 2>/dev/null; true")

    def push(self, name: str, megabytes: int) -> str:
        """Have an image with so much noise in it here and no longer on the host; returns its name."""
        image, made = self.image(name), f"test/{name}"
        with tempfile.NamedTemporaryFile() as file:
            file.write(secrets.token_bytes(megabytes * 1024 * 1024))
            file.flush()
            self.host.image_with(made, self.host.busybox(), {"/noise": Path(file.name)}, {"Cmd": ["sh"]})
        repository, _, tag = image.rpartition(":")
        self.host.api.tag(made, repository, tag)
        for line in self.host.api.push(image, stream=True, decode=True):
            assert "error" not in line, line
        for known in (image, made):
            self.host.forget(known)
        return image
