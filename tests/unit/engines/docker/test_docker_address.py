from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from llmstack.engines.docker.address import DEFAULT, resolve
from llmstack.errors import ConfigError


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A docker config folder with a context `lab` (and no config.json)."""
    context(tmp_path, "lab", "tcp://10.0.0.7:2376")
    return tmp_path


def context(folder: Path, name: str, host: str, *, tls: bool = False) -> None:
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / key
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))
    if tls:
        pem(folder / "contexts" / "tls" / key / "docker")


def pem(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (folder / name).touch()
    return folder


def environ(folder: Path, **more: str) -> dict[str, str]:
    return {"DOCKER_CONFIG": str(folder), **more}


def test_without_anything_it_is_the_default_socket(tmp_path: Path) -> None:
    address = resolve(None, {"HOME": str(tmp_path)})
    assert (address.url, address.local, address.host) == (DEFAULT, True, None)


def test_the_given_address_wins_over_all_others(config: Path) -> None:
    env = environ(config, DOCKER_HOST="unix:///b.sock", DOCKER_CONTEXT="lab")
    assert resolve("unix:///a.sock", env).url == "unix:///a.sock"
    assert resolve(None, env).url == "unix:///b.sock"


def test_a_context_is_found_without_a_config_json(config: Path) -> None:
    address = resolve(None, environ(config, DOCKER_CONTEXT="lab"))
    assert (address.url, address.local, address.host) == ("tcp://10.0.0.7:2376", False, "10.0.0.7")


def test_the_current_context_counts_after_the_environment(config: Path) -> None:
    context(config, "other", "unix:///other.sock")
    (config / "config.json").write_text('{"currentContext": "other"}')
    assert resolve(None, environ(config)).url == "unix:///other.sock"
    assert resolve(None, environ(config, DOCKER_CONTEXT="lab")).url == "tcp://10.0.0.7:2376"
    assert resolve(None, environ(config, DOCKER_CONTEXT="default")).url == "unix:///other.sock"


def test_an_unknown_context_is_an_error_that_names_the_known_ones(config: Path) -> None:
    with pytest.raises(ConfigError, match="'labb'") as raised:
        resolve(None, environ(config, DOCKER_CONTEXT="labb"))
    assert "lab, default" in (raised.value.hint or "")


def test_a_broken_config_is_an_error_that_names_the_file(config: Path) -> None:
    (config / "config.json").write_text("{")
    with pytest.raises(ConfigError, match=r"config\.json"):
        resolve(None, environ(config))


@pytest.mark.parametrize("text", ["[]", "{}", '{"currentContext": 7}'])
def test_a_config_without_a_context_means_the_default(config: Path, text: str) -> None:
    (config / "config.json").write_text(text)
    assert resolve(None, environ(config)).url == DEFAULT


def test_a_context_with_certificates_speaks_tls(tmp_path: Path) -> None:
    context(tmp_path, "safe", "tcp://10.0.0.8:2376", tls=True)
    address = resolve(None, environ(tmp_path, DOCKER_CONTEXT="safe"))
    assert address.tls is not None
    assert address.tls.ca.is_file()


@pytest.mark.parametrize("name", ["DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"])
def test_either_variable_asks_for_tls_and_it_is_always_verified(tmp_path: Path, name: str) -> None:
    folder = pem(tmp_path / "certs")
    value = str(folder) if name == "DOCKER_CERT_PATH" else "1"
    address = resolve("tcp://h:2376", environ(folder, **{name: value}))
    assert address.tls is not None
    assert address.tls.key == folder / "key.pem"
    assert resolve("unix:///a.sock", environ(folder, **{name: value})).tls is None


def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ca\.pem"):
        resolve("tcp://h:2376", environ(tmp_path, DOCKER_TLS_VERIFY="1"))


def test_ssh_names_the_tunnel_that_works(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ssh://ops@gpu01 is not supported yet") as raised:
        resolve("ssh://ops@gpu01", environ(tmp_path))
    assert "ssh -N -L /tmp/docker-ops@gpu01.sock:/var/run/docker.sock ops@gpu01" in (raised.value.hint or "")


@pytest.mark.parametrize(
    "url", ["npipe:////./pipe/docker", "http://h", "tcp://", "tcp://h", "tcp://h:x", "unix://", "docker.sock"]
)
def test_an_address_of_another_kind_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="cannot speak"):
        resolve(url, environ(tmp_path))


@pytest.mark.parametrize(("url", "local"), [("tcp://127.0.0.1:1", True), ("tcp://[::1]:1", True), ("tcp://h:1", False)])
def test_only_loopback_is_this_machine(tmp_path: Path, url: str, local: bool) -> None:
    assert resolve(url, environ(tmp_path)).local is local
