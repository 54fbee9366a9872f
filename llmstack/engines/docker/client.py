"""docker-py's low-level client, with a finite time-out on every request. Importing this module imports docker-py."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import docker
import docker.errors
import docker.tls
from docker import auth
from docker.types.daemon import CancellableStream
from docker.utils import parse_repository_tag

from llmstack.engines.docker.address import Address

NOT_MODIFIED = 304
FROZEN = ("paused", "must be in Created or Stopped state")
"""How Docker and Podman refuse what they cannot do with a paused container."""
KNOCK_S = 5.0
READ_S = 600.0
"""For requests that docker-py sends without any time-out (pull, import): the longest silence between two reads."""


def knock(path: str) -> None:
    """Connect and leave. Raises OSError when nobody is there: docker-py would leave a socket open then."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.settimeout(KNOCK_S)
        door.connect(path)


class Client(docker.APIClient):
    """`APIClient` as a transport: nothing from the environment (proxies, CA bundles) changes where it connects.

    `refused` and `not_found` are docker-py's errors, for callers that must not import docker-py.
    """

    refused = docker.errors.APIError
    not_found = docker.errors.NotFound
    timeout: Any
    podman = False
    _version: str
    _stream: CancellableStream[Any] | None = None

    def __init__(self, address: Address, version: str) -> None:
        tls = address.tls
        config = tls and docker.tls.TLSConfig(
            client_cert=(str(tls.cert), str(tls.key)), ca_cert=str(tls.ca), verify=True
        )
        super().__init__(base_url=address.url, version=version, tls=config or False)
        self.trust_env = False
        self._socket = address.socket

    def send(self, request: Any, **kwargs: Any) -> Any:
        """As requests does, but None as time-out means READ_S."""
        if self._socket:
            knock(self._socket)
        kwargs["timeout"] = kwargs.get("timeout") or READ_S
        return super().send(request, **kwargs)

    def speak(self, version: str) -> None:
        """Use this API version from now on."""
        self._version = version

    def raw(self, method: str, path: str, *parts: str, versioned: bool = True, **options: Any) -> Any:
        """The response to one request, with `parts` quoted into `path`. Raises `refused`."""
        url = self._url(path, *parts, versioned_api=versioned)  # type: ignore[attr-defined]
        response = self.request(method, url, **{"timeout": self.timeout, **options})
        self._raise_for_status(response)
        return response

    def newest(self, image: str) -> Any:
        """What its registry has under that name now; the same login goes along."""
        return self.raw("GET", "/distribution/{0}/json", image, headers=self._login(image)).json()

    def pulling(self, image: str) -> Any:
        """The response that tells of a pull; the login of Docker's own command line for the registry goes along."""
        repository, tag = parse_repository_tag(image)
        params = {"fromImage": repository, "tag": tag or "latest"}
        headers = self._login(image)
        return self.raw("POST", "/images/create", params=params, headers=headers, stream=True, timeout=None)

    def _login(self, image: str) -> dict[str, Any]:
        registry, _ = auth.resolve_repository_name(parse_repository_tag(image)[0])
        login = auth.get_config_header(self, registry)
        return {"X-Registry-Auth": login} if login else {}

    def values(self, response: Any) -> Iterator[Any]:
        """The JSON values of a streamed answer as they come."""
        return self._stream_helper(response, decode=True)  # type: ignore[attr-defined,no-any-return]

    def said(self, job: str) -> bytes:
        """What a command inside says, to its end. docker-py's own way loses what comes together with the head."""
        begin = {"Detach": False, "Tty": False}
        response = self.raw("POST", "/exec/{0}/start", job, json=begin, timeout=(self.timeout, None))
        return b"".join(self._multiplexed_buffer_helper(response))  # type: ignore[attr-defined]

    def listen(self, path: str, params: dict[str, str]) -> CancellableStream[Any]:
        """The JSON values of an answer without end; `close` ends it, whichever thread waits for more."""
        response = self.raw("GET", path, params=params, stream=True)
        self._stream = CancellableStream(self.values(response), response)
        return self._stream

    def close(self) -> None:
        """Close every connection, the one that is listened to first."""
        if self._stream:
            self._stream.close()
        super().close()

    def _raise_for_status(self, response: Any) -> None:
        """As docker-py; but what went away between two steps of Podman's own is no mistake of Podman's."""
        try:
            super()._raise_for_status(response)  # type: ignore[misc]
        except docker.errors.APIError as error:
            if error.status_code == 500 and "no such container" in str(error.explanation):
                raise docker.errors.NotFound(str(error), response, error.explanation) from error
            raise

    def make(self, body: dict[str, Any], name: str) -> str:
        """Create a container of a raw body; returns its id.

        Podman leaves out the labels of a volume that is made with a container, so there it is made before.
        """
        for mount in body["HostConfig"]["Mounts"] if self.podman else ():
            if labels := mount.get("VolumeOptions", {}).get("Labels"):
                self.create_volume(mount["Source"], labels=labels)
        return str(self.create_container_from_config(body, name)["Id"])  # type: ignore[no-untyped-call]

    def halt(self, name: str, grace_s: int) -> bool:
        """Stop a container; whether it ran. docker-py's own way does not tell."""
        how: dict[str, Any] = {"params": {"t": grace_s}, "timeout": self.timeout + grace_s}
        response = self.thawed(name, lambda: self.raw("POST", "/containers/{0}/stop", name, **how))
        return bool(response.status_code != NOT_MODIFIED)

    def thawed(self, name: str, work: Callable[[], Any]) -> Any:
        """What `work` comes to; a container that is refused because it is paused goes on first."""
        try:
            return work()
        except self.refused as error:
            if not any(words in str(error.explanation) for words in FROZEN):
                raise
            self.unpause(name)
            return work()
