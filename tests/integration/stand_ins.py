"""Runs ``wamcp up`` with real servers and small stand-ins for WAMCP's own processes: ``stand_ins.py up DIR PORT``."""

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

_ME = (sys.executable, str(Path(__file__).absolute()))


class _Api(BaseHTTPRequestHandler):
    """Ready, and answers a ping with the right token; GET /env tells its environment, GET /child makes a grandchild."""

    def do_GET(self) -> None:
        if self.path == "/child":
            grandchild = subprocess.Popen(["sleep", "600"])
            self._answer(grandchild.pid)
        else:
            self._answer({**os.environ, "cwd": str(Path.cwd())} if self.path == "/env" else {"ready": True})

    def do_POST(self) -> None:
        wanted = f"Bearer {Path('token').read_text()}"
        self._answer({"result": {}}, 200 if self.headers["Authorization"] == wanted else 401)

    def log_message(self, *_: object) -> None:
        return

    def _answer(self, value: object, status: int = 200) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())


def _wait_for_the_end(name: str) -> None:
    def leave(_number: int, _frame: object) -> None:
        sys.stderr.write(f"stand-in {name} leaves\n")
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
    if name == "api":
        HTTPServer(("127.0.0.1", int(os.environ["WAMCP_PORT"])), _Api).serve_forever()
    while True:
        time.sleep(60)


def main(role: str, *arguments: str) -> None:
    if role == "up":
        from wamcp import supervisor
        from wamcp.cli import up

        supervisor.COMMANDS = supervisor.Commands(
            migrate=(*_ME, "migrate"),
            token=(*_ME, "token"),
            services=(("normalizer", (*_ME, "normalizer")), ("api", (*_ME, "api"))),
        )
        import typer

        sys.argv = ["up", "--state-dir", arguments[0], "--port", *arguments[1:]]
        typer.run(up.up)
    elif role == "migrate":
        sys.stdout.write("this goes to standard error\n")
        sys.exit(3 if os.environ.get("WAMCP_TEST_BROKEN") else 0)
    elif role == "token":
        Path("token").write_text(os.environ["WAMCP_TOKEN"])
    else:
        _wait_for_the_end(role)


if __name__ == "__main__":
    main(*sys.argv[1:])
