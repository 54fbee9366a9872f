"""llama.cpp's server out of the wheel `xllamacpp`, with llama-server's own flags.

`python -m llmstack.embedded.llama_server -m FILE --port P`. Its log goes to stderr as llama-server's does. Unlike that
one it does not answer 503 while it loads (nothing listens before the model is there), and it ends at once on SIGTERM,
also in the middle of an answer.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

MAGIC = b"GGUF"
API_KEY_ENV = "LLAMA_API_KEY"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT (0); 1 when the model cannot be served, 2 (by argparse) for bad arguments."""
    options = _parser().parse_args(arguments)
    problem = model_problem(options.model)
    if problem is None:
        problem = _serve(options)
    print(f"error: {problem}", file=sys.stderr)  # noqa: T201 - a server's log
    return 1


def model_problem(path: Path) -> str | None:
    """Why `path` is no model file, in one sentence with llama.cpp's own words; None when it may be one."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(MAGIC))
    except OSError as error:
        return f"failed to open GGUF file '{path}' ({error.strerror})"
    if not magic:
        return f"failed to read magic: '{path}' is empty"
    return None if magic == MAGIC else f"invalid magic characters in '{path}': {magic!r}, expected 'GGUF'"


def _serve(options: argparse.Namespace) -> str:
    """Does not return while the server can serve; else says why it cannot."""
    try:
        from xllamacpp import CommonParams, Server
    except ImportError as error:
        return f"xllamacpp cannot be loaded ({error}); python -m pip install xllamacpp"
    try:
        server = Server(_params(CommonParams(), options))
    except (RuntimeError, OverflowError) as error:
        return f"cannot serve '{options.model}' on {options.host}:{options.port}: {error}"
    return _await_signal(server)


def _params(params: Any, options: argparse.Namespace) -> Any:
    params.model.path = str(options.model)
    params.hostnames = [options.host]
    params.port = options.port
    params.n_ctx = options.ctx_size
    params.n_gpu_layers = options.n_gpu_layers
    if options.threads is not None:
        params.cpuparams.n_threads = options.threads
    if options.alias is not None:
        params.model_alias = {options.alias}  # a set: a bare string would become its letters
    if key := os.environ.get(API_KEY_ENV):
        params.api_keys = [key]
    return params


def _await_signal(_server: object) -> NoReturn:
    """Sleep while the server's own threads work (they end with `_server`).

    The signal comes as a byte in a pipe, whichever thread the kernel gives it to. The process ends without tidying up:
    the server would wait for the answers it is writing. While the model loads the wheel holds the interpreter, so there
    SIGTERM keeps its plain effect.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    print("serving; ends on SIGTERM", file=sys.stderr, flush=True)  # noqa: T201 - a server's log
    os.read(reader, 1)
    os._exit(0)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise argparse.ArgumentTypeError(f"'{text}' is no port from 1 to 65535")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="llama_server", description="llama.cpp's server.", allow_abbrev=False)
    parser.add_argument("-m", "--model", type=Path, required=True, metavar="FILE", help="a GGUF file")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=_port, default=8080, help="port to listen on")
    parser.add_argument("-c", "--ctx-size", type=int, default=0, help="context in tokens; 0 is the model's own")
    parser.add_argument("-a", "--alias", help="name of the model in answers")
    parser.add_argument("-t", "--threads", type=int, help="CPU threads")
    parser.add_argument(
        "-ngl", "--n-gpu-layers", type=int, default=-1, help="layers to put on the GPU; -1 is automatic"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
