"""A server that answers like the recorded Ollama: standard library alone, so that it runs in a bare container.

    python3 servers/ollama_replay.py --recordings recordings/ollama [--speed 1] [--models-dir DIR] [--only FILE.json]

It keeps state (what was pulled, what is loaded) and takes every body from a recording. The last part of a model's name
picks a script: see PULLS, LOADS and the words in `Handler.answer`; any other name is a model that simply works.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

if __package__:
    from tests.servers.ollama_state import State, compact, naming, naming_words, script, seconds, shown, stamp
    from tests.servers.wire import Cut, Recorded, Wire, text_of
else:  # run as a script, with its neighbours beside it
    from ollama_state import State, compact, naming, naming_words, script, seconds, shown, stamp
    from wire import Cut, Recorded, Wire, text_of

PULLS = {  # name: recording of the first pull, and of the next ones
    "nosuch": ["pull-unknown-model"],
    "stall": ["pull-stall-then-recover"],
    "silent": ["pull-silent-registry"],
    "blob-dies": ["pull-blob-host-dies", "pull-after-blob-host-died"],
    "resets": ["pull-blob-host-resets"],
    "digest-mismatch": ["pull-digest-mismatch", "pull-after-digest-mismatch"],
    "disk-full": ["pull-disk-full", "pull-disk-full-again"],
    "poisoned": ["pull-server-stopped-2", "pull-server-stopped-3"],
    "cut": ["pull-server-killed-1", "pull-server-killed-2"],
    "offline": ["pull-default-registry-offline"],
    "nodns": ["pull-unresolvable-registry"],
    "refused": ["pull-refused-port"],
    "unreachable": ["pull-unreachable-registry"],
    "no-redirect": ["pull-registry-without-redirect"],
    "hang": ["pull-blob-host-dies"],  # its standing line for ever, never the error
    "slow": ["pull-ok"],  # 20 s, whatever the speed
}
LOADS = {"oom": "generate-memory-150m", "broken": "generate-truncated-blob", "gone": "generate-blob-gone"}
LOADS |= {"busy": "generate-queue-full-reload", "load-timeout": "generate-load-timeout"}
ROUTES = {
    "/": "GET, HEAD", "/api/version": "GET, HEAD", "/api/tags": "HEAD, GET", "/api/ps": "GET", "/api/show": "POST",
    "/api/pull": "POST", "/api/delete": "DELETE", "/api/generate": "POST", "/api/chat": "POST", "/api/embed": "POST",
    "/v1/models": "GET", "/v1/chat/completions": "POST", "/v1/embeddings": "POST",
}  # fmt: skip
LONG_PROMPT = 16_000


class Replay(Recorded):
    """The server; port 0 takes a free one."""

    def __init__(self, *args: Any, models_dir: str | Path | None = None, load_s: float = 0.0, **kwargs: Any) -> None:
        super().__init__(*args, handler=Handler, **kwargs)
        self.load_s = load_s
        self.state = State(Path(models_dir) if models_dir else None)


class Handler(Wire):
    server: Replay

    def route(self, path: str) -> None:
        if path.startswith("/v1/models/"):
            name = path[len("/v1/models/") :]
            found = self.known(name)
            return self.play("v1-models-one" if found else "v1-models-unknown", words=naming_words(name))
        if path not in ROUTES:
            return self.play("unknown-path")
        if self.command not in ROUTES[path]:
            return self.replay(self.server.take("wrong-method"), headers={"Allow": ROUTES[path]})
        if self.command in ("GET", "HEAD"):
            return self.lists(path)
        try:
            body = json.loads(self.body_text) if self.body_text else None
        except ValueError:
            return self.play("v1-chat-bad-json" if path.startswith("/v1") else "pull-invalid-json")
        if body is None:
            return self.play("pull-no-body")
        name = body.get("model", body.get("name", ""))
        if not isinstance(name, str):
            return self.play("pull-wrong-type")
        take = {"/api/pull": self.pull, "/api/show": self.show, "/api/delete": self.delete}.get(path, self.answer)
        return take(path, name, body)

    def known(self, name: str) -> str | None:
        return self.server.state.find(name)

    def lists(self, path: str) -> None:
        plain = {"/": "root", "/api/version": "version"}
        if path in plain:
            return self.play(plain[path])
        state, loaded = self.server.state, self.server.state.loaded()
        if path == "/api/ps":
            base = self.item("ps-loaded")
            items = [base | naming(name) | {"expires_at": stamp(at)} for name, at in loaded.items()]
            return self.play("ps-empty", '{"models":' + compact(items) + "}")
        newest = sorted(state.pulled.items(), key=lambda pair: -pair[1])
        if path == "/v1/models" and newest:
            first = json.loads(text_of(self.server.take("v1-models")))["data"][0]
            items = [first | {"id": name, "created": int(at)} for name, at in newest]
            return self.play("v1-models", '{"object":"list","data":' + compact(items) + "}\n")
        if path == "/v1/models":
            return self.play("v1-models-empty")
        base = self.item("tags-after-pull")
        items = [base | naming(name) | {"modified_at": stamp(at)} for name, at in newest]
        return self.play("tags-empty", '{"models":' + compact(items) + "}")

    def item(self, recording: str) -> dict[str, Any]:
        return json.loads(text_of(self.server.take(recording)))["models"][0]

    def show(self, path: str, name: str, body: dict[str, Any]) -> None:
        if not name:
            return self.play("show-no-name")
        return self.play("show") if self.known(name) else self.play("show-unknown", words=naming_words(name))

    def delete(self, path: str, name: str, body: dict[str, Any]) -> None:
        if not name:
            return self.play("delete-empty-name")
        found = self.known(name)
        if not found:
            return self.play("delete-unknown", words={"smollm2b": name})
        self.server.state.keep(found, there=False)
        return self.play("delete-ok")

    def pull(self, path: str, name: str, body: dict[str, Any]) -> None:
        state, word, stream = self.server.state, script(name), body.get("stream", True)
        if not re.fullmatch(r"(https?://)?([\w.:-]+/){0,2}\w[\w.-]*(:\w[\w.-]*)?", name):
            self.play("pull-invalid-name")
            return
        if name.startswith("http://") and not body.get("insecure"):
            chosen = ["pull-http-name-no-insecure"]
        else:
            chosen = ["pull-present"] if self.known(name) else PULLS.get(word, ["pull-ok", "pull-cut-by-client-2"])
        if word == "poisoned" and state.cured():
            chosen = ["pull-ok"]
        recording = self.server.take(chosen[min(state.pulls[name], len(chosen) - 1)])
        state.pulls[name] += 1
        last = text_of(recording).splitlines()[-1]

        def done() -> None:
            state.pulls[name] = 0
            state.keep(self.known(name) or shown(name), there=True)

        before_last = done if '"success"' in last else None
        if stream:
            pace = 1.0 if word == "slow" else None
            self.replay(recording, speed=pace, hang=word == "hang", before_last=before_last)
        elif before_last:
            done()
            self.play("pull-ok-nostream")
        else:
            self.replay(self.server.take("pull-unknown-model-nostream"), text=last)

    def answer(self, path: str, name: str, body: dict[str, Any]) -> None:
        """Generate, chat and embed, native and OpenAI's; `crash` loses its runner, `endless` never stops."""
        v1, state, found = path.startswith("/v1"), self.server.state, self.known(name)
        if not found:
            missing = {"/api/embed": "embed-missing-model", "/v1/embeddings": "v1-embeddings-missing-model"}.get(path)
            return self.play(
                missing or ("v1-chat-missing-model" if v1 else "generate-missing-model"), words=naming_words(name)
            )
        try:
            keep_s = seconds(
                body.get("keep_alive") or body.get("keep_alive", os.environ.get("OLLAMA_KEEP_ALIVE") or "5m")
            )
        except ValueError as error:
            return self.play("generate-bad-keep-alive", words={"abc": str(error)})
        talks = "input" in body or body.get("prompt") or body.get("messages")
        if not talks and keep_s == 0:
            with state.lock:
                state.expires = {key: time.time() if key == found else at for key, at in state.expires.items()}
            return self.play("generate-unload", words=naming_words(name))
        again = found in state.loaded()
        if not again and not self.load(found):
            return self.play(LOADS[script(name)], words=naming_words(name))
        with state.lock:
            state.running[found] += 1
            state.expires[found] = time.time() + keep_s
        try:
            if not talks:
                kind = "chat-empty-load" if path == "/api/chat" else "generate-load"
                return self.play(kind, words=naming_words(name))
            return self.say(path, name, body)
        finally:
            with state.lock:
                state.running[found] -= 1
                if state.expires[found] > time.time():
                    state.expires[found] = time.time() + keep_s

    def load(self, found: str) -> bool:
        """False when it fails. A client that goes away stops it; `slow-load` never ends otherwise."""
        try:
            self.pause(self.server.load_s)
            if script(found) == "slow-load":
                self.hold()
        except Cut:
            words = "client connection closed before llama-server finished loading, aborting load"
            self.server.log(f'level=WARN source=llama_server.go:1301 msg="{words}"')
            raise
        return script(found) not in LOADS

    def say(self, path: str, name: str, body: dict[str, Any]) -> None:
        stream = body.get("stream", not path.startswith("/v1"))
        if "embed" in path:
            return self.play("v1-embeddings" if path.startswith("/v1") else "embed")
        kind = {"/api/chat": "chat", "/api/generate": "generate"}.get(path, "v1-chat")
        if len(self.body_text) > LONG_PROMPT and kind == "chat":
            return self.play("chat-too-long", words=naming_words(name))
        killed = script(name) == "crash"
        if killed and not stream:
            return self.play("generate-runner-killed-nostream")
        if killed or script(name) == "endless":
            return self.play(f"{kind}-runner-killed", words=naming_words(name), hang=not killed)
        usage = "-usage" if kind == "v1-chat" and body.get("stream_options") else ""
        return self.play(f"{kind}-stream{usage}" if stream else kind, words=naming_words(name))

    def play(
        self, recording: str, text: str | None = None, words: dict[str, str] | None = None, *, hang: bool = False
    ) -> None:
        """A recording by its name, with `text` as body, or with `words` of its body replaced."""
        self.replay(self.server.take(recording), text=text, words=words, hang=hang)


def log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def address(host: str | None, port: int | None) -> tuple[str, int]:
    """Flags win over OLLAMA_HOST, which wins over 127.0.0.1:11434."""
    env = os.environ.get("OLLAMA_HOST", "").split("://")[-1].rstrip("/")
    env_host, _, env_port = env.partition(":")
    return host or env_host or "127.0.0.1", int(env_port or 11434) if port is None else port


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--recordings", default=Path(__file__).parent.parent / "recordings" / "ollama")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--speed", type=float, default=float(os.environ.get("REPLAY_SPEED", "0")))
    parser.add_argument("--models-dir", default=os.environ.get("OLLAMA_MODELS"))
    parser.add_argument("--load-s", type=float, default=0.0, help="how long a load takes")
    parser.add_argument("--only", help="replay this one exchange for every request")
    args = vars(parser.parse_args())
    args["host"], args["port"] = address(args["host"], args["port"])
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        server = Replay(**args, log=log)
    except OSError as error:
        log(f"Error: listen tcp {args['host']}:{args['port']}: bind: {error.strerror.lower()}")
        sys.exit(1)
    now = stamp(time.time())[:23] + "Z"
    log(
        'time={} level=INFO source=routes.go:2008 msg="Listening on {}:{} (version 0.0.0)"'.format(
            now, *server.server_address[:2]
        )
    )
    server.serve_forever()


if __name__ == "__main__":
    main()
