"""What instances of the contract suite run: `program.py SERVE|DEAF|EXIT:CODE LISTEN PORT`; standard library only."""

import http.server
import os
import signal
import sys

does, listen, port = sys.argv[1:]
print("first line", flush=True)
print("zweite Zeile: größer", file=sys.stderr, flush=True)
print("last line", flush=True)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/die":
            os._exit(7)
        body = f"hello, {os.environ.get('TOKEN', 'nobody')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def end(number: int, frame: object) -> None:
    raise SystemExit(0)


if does.startswith("exit:"):
    sys.exit(int(does.removeprefix("exit:")))
signal.signal(signal.SIGTERM, signal.SIG_IGN if does == "deaf" else end)
http.server.ThreadingHTTPServer((listen, int(port)), Handler).serve_forever()
