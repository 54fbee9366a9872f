"""tcp:// with certificates on both sides, against a server that insists on them."""

from __future__ import annotations

import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmstack.engines.docker import DockerEngine
from llmstack.errors import UnreachableError
from tests.unit.engines.docker.stub import Handler, Stub

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")


class TlsServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    stub: Stub
    context: ssl.SSLContext

    def finish_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        try:
            with self.context.wrap_socket(request, server_side=True) as safe:
                Handler(safe, client_address, self)  # type: ignore[arg-type]
        except OSError:
            return


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def certificates(folder: Path, ca: Path | None = None) -> Path:
    """ca.pem, and cert.pem with key.pem signed by it (or by the one in `ca`)."""
    folder.mkdir()
    if ca is None:
        openssl(folder, "req", "-x509", *KEY, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca")
    else:
        for name in ("ca.key", "ca.pem"):
            shutil.copy(ca / name, folder)
    openssl(folder, "req", *KEY, "-keyout", "key.pem", "-out", "csr.pem", "-subj", "/CN=me")
    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1\n")
    signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "ext", "-days", "2")
    openssl(folder, "x509", "-req", "-in", "csr.pem", *signing, "-out", "cert.pem")
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TlsServer]:
    if not shutil.which("openssl"):
        pytest.skip("needs the program openssl")
    files = certificates(tmp_path / "server")
    with TlsServer(("127.0.0.1", 0), Handler) as made:
        made.stub = Stub(tmp_path)
        made.stub.on("/version", 200, {"Version": "28.5.2"})
        made.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(files / "ca.pem"))
        made.context.verify_mode = ssl.CERT_REQUIRED
        made.context.load_cert_chain(files / "cert.pem", files / "key.pem")
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def engine(server: TlsServer, files: Path, monkeypatch: pytest.MonkeyPatch) -> DockerEngine:
    monkeypatch.setenv("DOCKER_CERT_PATH", str(files))
    return DockerEngine("gpu01", f"tcp://127.0.0.1:{server.server_address[1]}")


def test_both_sides_prove_who_they_are_whatever_ca_the_environment_names(
    server: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = certificates(tmp_path / "other")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other / "ca.pem"))
    made = engine(server, certificates(tmp_path / "client", ca=tmp_path / "server"), monkeypatch)
    assert made.describe() == "docker 28.5.2"
    made.close()


def test_a_server_of_another_ca_is_refused(server: TlsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = engine(server, certificates(tmp_path / "stranger"), monkeypatch)
    with pytest.raises(UnreachableError, match="do not agree on TLS") as raised:
        made.describe()
    assert "CERTIFICATE_VERIFY_FAILED" in str(raised.value.data["cause"])
    made.close()
