"""Published ports of a host on this machine's own loopback, for a user who may not enter the host's network."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import docker

LOOK_AGAIN_S, CHUNK = 0.05, 65536


@contextmanager
def relayed(published: Callable[[], set[int]], door: Path) -> Iterator[None]:
    """Until the block ends, each port of `published()` is open on 127.0.0.1.

    `door` is a socket of the host: who writes a port's number and a new line is connected to the host's 127.0.0.1:PORT.
    """
    done = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_follow(published, door, done)))
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


async def _follow(published: Callable[[], set[int]], door: Path, done: threading.Event) -> None:
    """Open and close listeners as containers come and go; an engine that does not answer changes nothing."""
    servers: dict[int, asyncio.Server] = {}
    wanted: set[int] = set()
    while not done.is_set():
        with contextlib.suppress(OSError, docker.errors.DockerException):
            wanted = await asyncio.to_thread(published)
        for port in servers.keys() - wanted:
            servers.pop(port).close()
        for port in wanted - servers.keys():
            servers[port] = await asyncio.start_server(partial(_through, door, port), "127.0.0.1", port)
        await asyncio.sleep(LOOK_AGAIN_S)
    for server in servers.values():
        server.close()


async def _through(door: Path, port: int, reader: StreamReader, writer: StreamWriter) -> None:
    with contextlib.closing(writer):
        far_reader, far_writer = await asyncio.open_unix_connection(door)
        with contextlib.closing(far_writer):
            far_writer.write(f"{port}\n".encode())
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(_pump(reader, far_writer))
                    both.create_task(_pump(far_reader, writer))
            except* OSError:
                pass


async def _pump(source: StreamReader, target: StreamWriter) -> None:
    while chunk := await source.read(CHUNK):
        target.write(chunk)
        await target.drain()
    target.write_eof()
