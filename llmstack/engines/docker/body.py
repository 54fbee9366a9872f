"""The body of a create call: a spec in the words of the Docker API. Pure.

A raw body and not docker-py's keywords, which lose fields of newer engines in silence (StartInterval, NanoCpus).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import llmstack
from llmstack.domain import codec
from llmstack.domain.instance import InstanceSpec, Mount
from llmstack.domain.secret import Sealed
from llmstack.engines.labels import PREFIX, STACK, labels_of
from llmstack.errors import LlmstackError, PreflightError

WEIGHTS_VOLUME = "llmstack-weights"
WEIGHTS_PATH = "/llmstack/weights"
VOLUME = PREFIX + "volume"
GRACE_S = 30
"""Between SIGTERM and SIGKILL when someone else stops it (`docker stop`, a shutdown)."""

LOG = {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
COMPOSE = "com.docker.compose."


def project(stack: str) -> str:
    """The stack's name for Compose and for its network; Compose knows lower case only."""
    return f"llmstack-{stack}".lower()


def container_body(spec: InstanceSpec, *, podman: bool = False) -> dict[str, Any]:
    """Everything the engine must know. Raises PreflightError without an image, SecretError for an unreadable secret."""
    weights = f"{WEIGHTS_PATH}/{spec.weights.volume_path}" if spec.weights else ""
    command, env = spec.settled(port=str(inner_port(spec) or ""), listen="0.0.0.0", weights=weights)
    network = project(spec.stack)
    port = f"{inner_port(spec)}/tcp"
    return {
        "Image": image_of(spec),
        "Cmd": list(command) or None,
        "Env": [f"{name}={value}" for name, value in {**env, **_revealed(spec)}.items()],
        "Labels": {**labels_of(spec), **(compose_labels(spec) if spec.compose_labels else {})},
        "StopTimeout": GRACE_S,
        "ExposedPorts": {port: {}} if inner_port(spec) else {},
        "HostConfig": {
            "NetworkMode": network,
            "PortBindings": {port: [{"HostIp": spec.bind, "HostPort": str(spec.host_port)}]} if spec.host_port else {},
            "Mounts": _mounts(spec),
            "LogConfig": LOG,
            "Init": True,
            "RestartPolicy": restart_policy(spec.restart),
            **_limits(spec, podman=podman),
        },
        "NetworkingConfig": {"EndpointsConfig": {network: {"Aliases": [spec.service]}}},
    }


def image_of(spec: InstanceSpec) -> str:
    """Its image, by digest where that was decided. Raises PreflightError without one."""
    if not spec.image:
        raise PreflightError(f"{spec.target} has no image", hint=f"set services.{spec.service}.image")
    return spec.decided.get("image", spec.image)


def inner_port(spec: InstanceSpec) -> int | None:
    """The port inside the container: the type's own, or the same as outside."""
    return spec.container_port or spec.host_port


def restart_policy(text: str) -> dict[str, object]:
    """`on-failure:3` in the API's words."""
    name, _, limit = text.partition(":")
    return {"Name": name, "MaximumRetryCount": int(limit) if limit else 0}


def compose_labels(spec: InstanceSpec) -> dict[str, str]:
    """What lets `docker compose -p llmstack-<stack>` see the container as one of its own, without a compose file."""
    inventory = PurePath(spec.inventory or "inventory.yaml")
    plain = codec.dumps(replace(spec, secrets={}))
    return {
        COMPOSE + "project": project(spec.stack),
        COMPOSE + "service": spec.service,
        COMPOSE + "config-hash": hashlib.sha256(plain.encode()).hexdigest(),
        COMPOSE + "oneoff": "False",
        COMPOSE + "container-number": "1",
        COMPOSE + "project.config_files": str(inventory),
        COMPOSE + "project.working_dir": str(inventory.parent),
        COMPOSE + "version": llmstack.__version__,
        COMPOSE + "depends_on": ",".join(f"{name}:service_started:false" for name in spec.depends_on),
    }


def _revealed(spec: InstanceSpec) -> dict[str, str]:
    values = {}
    for name, secret in spec.secrets.items():
        if isinstance(secret, Sealed):
            raise LlmstackError(
                f"the value of secret {name} of {spec.target} is not known here", hint="run `invoke up`"
            )
        values[name] = secret.reveal()
    return values


def weights_mount(*, read_only: bool) -> dict[str, object]:
    """The volume of all model files. Its labels are ours alone: `docker compose down -v` must not delete gigabytes."""
    mount = _mount("volume", WEIGHTS_VOLUME, WEIGHTS_PATH, read_only)
    return {**mount, "VolumeOptions": {"Labels": {VOLUME: "weights"}}}


def _mounts(spec: InstanceSpec) -> list[dict[str, object]]:
    mounts = [_volume(spec, each) if each.volume else _bind(each) for each in spec.mounts]
    return [*mounts, weights_mount(read_only=True)] if spec.weights else mounts


def _bind(mount: Mount) -> dict[str, object]:
    return _mount("bind", mount.source, mount.target, mount.read_only)


def _volume(spec: InstanceSpec, mount: Mount) -> dict[str, object]:
    """One that is there keeps its own labels. A copy starts empty: what the image has at that path may have been
    deleted from the volume that is copied."""
    name = spec.volume_name(mount)
    options = {"Labels": {STACK: spec.stack, VOLUME: spec.service}, "NoCopy": name != mount.source}
    return {**_mount("volume", name, mount.target, mount.read_only), "VolumeOptions": options}


def _mount(kind: str, source: str, target: str, read_only: bool) -> dict[str, object]:
    return {"Type": kind, "Source": source, "Target": target, "ReadOnly": read_only}


def _limits(spec: InstanceSpec, *, podman: bool) -> dict[str, object]:
    want = spec.limits
    limits: dict[str, object | None] = {
        "Memory": want.memory_bytes,
        "MemorySwap": want.memory_bytes,  # the same: no swap; left out, Docker adds as much swap again
        "NanoCpus": round(float(want.cpus) * 1e9) if want.cpus else None,
        "ShmSize": want.shm_bytes,
        "PidsLimit": want.pids,
        "DeviceRequests": [gpu_request(want.gpus, podman=podman)] if want.gpus else None,
    }
    return {name: value for name, value in limits.items() if value is not None}


def gpu_request(gpus: tuple[str, ...], *, podman: bool = False) -> dict[str, object]:
    """`all`, a count, or device ids; an id such as `nvidia.com/gpu=0` is asked for by CDI.

    Podman ignores requests by capability and starts without a GPU, so there everything goes by CDI, which fails aloud.
    """
    count = int(gpus[0]) if len(gpus) == 1 and gpus[0].isdigit() else None
    if podman and not any("=" in gpu for gpu in gpus):
        gpus = tuple(f"nvidia.com/gpu={gpu}" for gpu in (gpus if count is None else range(count)))
    if any("=" in gpu for gpu in gpus):
        return {"Driver": "cdi", "DeviceIDs": list(gpus)}
    if gpus == ("all",) or count:
        return {"Count": count or -1, "Capabilities": [["gpu"]]}
    return {"DeviceIDs": list(gpus), "Capabilities": [["gpu"]]}
