"""The stack of a copy of this repository, in the engine that the tests were given: what a user does, step by step."""

import json
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROJECT = os.environ.get("COMPOSE_PROJECT_NAME", "wamcp-test")
HEALTHY_S = 300.0


class Stack:
    """A copy of the repository in ``directory``, and the containers that run from it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def run(
        self, *command: str, given: bytes = b"", check: bool = True, **env: str
    ) -> "subprocess.CompletedProcess[str]":
        """Runs a command in the copy; its output is shown when it fails."""
        done = subprocess.run(
            command,
            cwd=self.directory,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if check:
            assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done

    def make(self, *words: str, check: bool = True, **env: str) -> "subprocess.CompletedProcess[str]":
        """``make`` as a user calls it."""
        return self.run("make", "--no-print-directory", *words, check=check, **env)

    def compose(self, *words: str, check: bool = True) -> str:
        """``docker compose``; its standard output."""
        return self.run("docker", "compose", *words, check=check).stdout

    def inside(self, service: str, *command: str) -> str:
        """The output of a command in the running container of ``service``."""
        return self.compose("exec", "-T", service, *command)

    def sql(self, statement: str) -> str:
        """What Postgres answers, bare."""
        return self.inside("db", "psql", "-U", "wamcp", "-d", "wamcp", "-Atc", statement).strip()

    def container(self, service: str, index: int = 1) -> dict[str, Any]:
        """What the engine knows of a container."""
        found = json.loads(self.run("docker", "inspect", f"{PROJECT}-{service}-{index}").stdout)
        return dict(found[0])

    def health(self, service: str) -> str:
        """``healthy``, ``unhealthy`` or ``starting``."""
        return str(self.container(service)["State"]["Health"]["Status"])

    def becomes(self, service: str, state: str, within_s: float = HEALTHY_S) -> float:
        """Waits until the health of ``service`` is ``state``; the seconds that it took."""
        return until(lambda: self.health(service) == state, within_s, f"{service} did not become {state}")

    def freeze(self, service: str, words: str = "") -> list[str]:
        """Stops the processes of ``service``, or those whose command line holds ``words``; their ids on the host."""
        lines = self.run("docker", "top", f"{PROJECT}-{service}-1", "-eo", "pid,args").stdout.splitlines()[1:]
        found = [line.split()[0] for line in lines if words in line]
        assert found, (words, lines)
        self.run("kill", "-STOP", *found)
        return found

    def cut(self, service: str) -> None:
        """Takes ``service`` off the network of the data, its only one, without a word to those who talk with it."""
        self.run("docker", "network", "disconnect", f"{PROJECT}_back", f"{PROJECT}-{service}-1")

    def mend(self, service: str) -> None:
        """Puts ``service`` back on that network, under its name."""
        self.run("docker", "network", "connect", "--alias", service, f"{PROJECT}_back", f"{PROJECT}-{service}-1")

    def address(self, service: str) -> str:
        """Where ``service`` is in the network of the data."""
        return str(self.container(service)["NetworkSettings"]["Networks"][f"{PROJECT}_back"]["IPAddress"])

    def mend_elsewhere(self, service: str, address: str) -> None:
        """The same, but at another address than ``address``, at which there is nobody any more."""
        stranger = f"{PROJECT}-stranger"
        command = ("docker", "run", "-d", "--rm", "--name", stranger, "--network", f"{PROJECT}_back")
        self.run(*command, "wamcp-api", "sleep", "600")  # which gets the first address that is free
        self.mend(service)
        self.run("docker", "rm", "-f", stranger)
        assert self.address(service) != address

    def unwell(self, service: str, part: str) -> str:
        """What the health check of ``service`` says of ``part`` at this moment; nothing when all is well."""
        command = ("docker", "compose", "exec", "-T", service, "python", "/opt/wamcp/healthy.py", part)
        found = self.run(*command, check=False)
        return "" if found.returncode == 0 else found.stderr or "no answer"

    def asked_by_operator(self, path: str) -> str:
        """What the admin API answers to the key in .env."""
        key = re.findall(r"^ADMIN_API_KEY=(.+)$", (self.directory / ".env").read_text(), re.MULTILINE)[-1]
        url = f"http://{self.compose('port', 'api', '8000').strip()}{path}"
        with urllib.request.urlopen(
            urllib.request.Request(url, headers={"X-Admin-Api-Key": key}), timeout=20
        ) as answer:
            return str(answer.read().decode())


def until(condition: Callable[[], bool], within_s: float, otherwise: str) -> float:
    """Waits for ``condition``; returns the seconds that it took, and fails with ``otherwise`` after ``within_s``."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within_s, otherwise
        time.sleep(0.3)
    return time.monotonic() - began
