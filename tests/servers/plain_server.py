"""A model server's stand-in: answers GET, talks on its log, and misbehaves as told.

`plain_server.py --port N [--host H] [--deaf] [--child] [--say TEXT] [--lines N] [--exit CODE]`
"""

from __future__ import annotations

import argparse
import http.server
import os
import signal
import subprocess
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = os.environ.get(self.path.removeprefix("/env/"), "ok").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        print(str(args[0]) % args[1:], flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--deaf", action="store_true", help="ignore SIGTERM")
    parser.add_argument("--child", action="store_true", help="start a child that never ends by itself")
    parser.add_argument("--escape", action="store_true", help="the child leaves the session")
    parser.add_argument("--say", help="a line for the log")
    parser.add_argument("--lines", type=int, default=0, help="so many lines of 100 bytes")
    parser.add_argument("--exit", type=int, help="end at once with this code")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.SIG_IGN if options.deaf else lambda *_: os._exit(0))
    if options.child:
        child = "import time; time.sleep(3600)"
        pid = subprocess.Popen([sys.executable, "-c", child], start_new_session=options.escape).pid
        print(f"child {pid}", flush=True)
    if options.say:
        print(options.say, flush=True)
    for number in range(options.lines):
        print(f"line {number} ".ljust(99, "."), flush=True)
    if options.exit is not None:
        sys.exit(options.exit)
    server = http.server.HTTPServer((options.host, options.port), Handler)
    print("listening", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
