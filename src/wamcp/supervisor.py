"""``wamcp up``: Postgres, Valkey and WAMCP's own processes on one machine, started in order and kept alive."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from wamcp import log, settings
from wamcp.embedded import postgres, process, programs, state, valkey
from wamcp.embedded.children import Child, Family, Signals
from wamcp.embedded.process import Launch
from wamcp.errors import CannotStart
from wamcp.safety import require_safe
from wamcp.simulator.bodies import SHOP, WABA_ID

DATABASE = "wamcp"
WEBHOOK = "/webhooks/whatsapp"
READY_SECONDS = 90.0
MIGRATE_SECONDS = 3600.0
SERVICE_STOP_SECONDS = 15.0

_PASSED_ON = (
    *("env", "verify_token", "access_token", "app_secret", "verify_webhook_signature", "phone_number_id", "waba_id"),
    *("api_version", "base_url", "debug_echo_mode", "debug_echo_allowlist", "debug_echo_rate_limit_seconds"),
    *(
        "debug_echo_group_fallback",
        "sends_per_second",
        "max_document_bytes",
        "whisper_model_dir",
        "admin_api_key",
        "public_base_url",
        "public_host",
    ),
    *("public_paths", "substring_index", "log_level", "pg_bin", "run_as", "worker_metrics_port"),
    *("max_connections", "trusted_proxies", "admin_rate", "mcp_rate", "extractors", "otel_endpoint", "sentry_dsn"),
    *("ocr_languages", "ocr_engine", "ocr_max_pages"),
    *("keep_raw_days", "keep_media_days", "keep_messages_days", "keep_audit_days"),
)
"""Settings that are taken from the environment; the others are ours to fill in."""
_MACHINE = (
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "TZ",
    "TMPDIR",
    "VIRTUAL_ENV",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "TESSDATA_PREFIX",
)
_MACHINE_PREFIXES = ("LC_", "PYTHON", "WAMCP_")


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for: the state directory, the full port and the public one (0 for any, None for none)."""

    state: Path
    port: int = 8000
    public_port: int | None = None
    demo: bool = False
    """Play Meta as well: the Graph simulator, with an invented account in place of a real one."""


@dataclass(frozen=True, slots=True)
class Commands:
    """WAMCP's own processes: two that end, and the services in the order of their start (the last ends first)."""

    migrate: tuple[str, ...]
    token: tuple[str, ...]
    services: tuple[tuple[str, tuple[str, ...]], ...]


_WAMCP = (sys.executable, "-m", "wamcp.cli.main")
COMMANDS = Commands(
    migrate=(*_WAMCP, "migrate"),
    token=(*_WAMCP, "token", "ensure", "--label", "local"),
    services=(
        ("normalizer", (*_WAMCP, "worker", "--only", "normalizer")),
        ("worker", (*_WAMCP, "worker", "--only", "celery")),
        ("api", (*_WAMCP, "api")),
    ),
)


@dataclass(frozen=True, slots=True)
class _Runtime:
    """Everything that is known once the servers' programs, ports and secrets are."""

    directory: Path
    ports: state.Ports
    secrets: state.Secrets
    cluster: postgres.Cluster
    broker: valkey.Broker
    env: Mapping[str, str]


def run(request: Request, environ: Mapping[str, str], commands: Commands | None = None) -> None:
    """Runs until SIGTERM, SIGINT or SIGHUP. Standard output gets one line, ``ready http://127.0.0.1:N``.

    Raises :class:`CannotStart`, or ``Misconfigured``, with what to do; nothing is left running then.
    """
    with Signals() as signals:
        try:
            with state.owned(request.state) as directory:
                _live(_gather(directory, request, environ), commands or COMMANDS, signals)
        except KeyboardInterrupt:
            _say("stopped before it was ready")


def _live(runtime: _Runtime, commands: Commands, signals: Signals) -> None:
    process.adopt_orphans()
    family = Family()
    family.changed = partial(_write_runtime_file, runtime, family)
    try:
        _start_servers(runtime, family)
        _start_services(runtime, family, commands)
        signals.interrupts = False
        sys.stdout.write(f"ready {_url(runtime.ports.api)}\n")
        sys.stdout.flush()
        while not signals.received:
            signals.wait(family.tend())
            process.reap_strangers(family.pids())
    finally:
        signals.interrupts = False
        with _step("stopped"):
            family.close()


def _gather(directory: Path, request: Request, environ: Mapping[str, str]) -> _Runtime:
    given = taken_from(environ)
    chosen = settings.load(given)
    log.configure(chosen.log_level)
    _say_what_is_ignored(environ)
    account = process.choose_account(chosen.run_as)
    wheels = [programs.postgres_program(chosen.pg_bin), programs.valkey_program()]
    home = state.servers_home(directory, account, wheels)
    secrets = _with_given(state.load_secrets(directory), chosen)
    ports = state.choose_ports(directory, request.port, request.public_port, graph=request.demo)
    bin_directory = programs.postgres_bin(chosen.pg_bin, account, home / "bin")
    cluster = postgres.Cluster(
        bin=bin_directory,
        home=home,
        port=ports.postgres,
        password=secrets.db_password,
        account=account,
        major=programs.postgres_major(bin_directory),
    )
    broker = valkey.Broker(
        program=programs.valkey_server(account, home / "bin"),
        home=home,
        port=ports.valkey,
        password=secrets.redis_password,
        account=account,
    )
    env = environment(environ) | {
        "WHATSAPP_VERIFY_TOKEN": secrets.verify_token,
        "WHATSAPP_APP_SECRET": secrets.app_secret,
        "ADMIN_API_KEY": secrets.admin_api_key,
        "DATABASE_URL": cluster.url(DATABASE),
        "REDIS_URL": broker.url,
        "WAMCP_OBJECT_DIR": str(directory / "objects"),
        "WAMCP_HOST": "127.0.0.1",
        "WAMCP_PORT": str(ports.api),
        "WAMCP_MIGRATE_ON_START": "false",
        "WAMCP_RUNTIME_FILE": str(directory / "runtime.json"),
    }
    if ports.public is not None:
        env["WAMCP_PUBLIC_PORT"] = str(ports.public)
    if ports.graph is not None:
        env |= _invented_account(ports.graph, secrets)
    require_safe(settings.load(env))
    return _Runtime(directory, ports, secrets, cluster, broker, env)


def _invented_account(port: int, secrets: state.Secrets) -> dict[str, str]:
    """The account that the Graph simulator plays, in place of whatever the environment says."""
    return {
        "WHATSAPP_BASE_URL": _url(port),
        "WHATSAPP_ACCESS_TOKEN": secrets.demo_token,
        "WHATSAPP_PHONE_NUMBER_ID": SHOP.phone_number_id,
        "WHATSAPP_WABA_ID": WABA_ID,
    }


def _start_servers(runtime: _Runtime, family: Family) -> None:
    cluster, broker = runtime.cluster, runtime.broker
    if not (cluster.data / "PG_VERSION").is_file():
        with _step(f"made a Postgres {cluster.major} cluster in {cluster.data}"):
            postgres.prepare(cluster)
    with _step(f"Postgres answers on 127.0.0.1:{cluster.port}"):
        postgres.check_owner(cluster)
        family.start(_postgres_child(cluster))
        postgres.wait_until_ready(cluster, partial(_postgres_holds, family, cluster))
        postgres.ensure_database(cluster, DATABASE)
    with _step(f"Valkey answers on 127.0.0.1:{broker.port}"):
        valkey.prepare(broker)
        family.start(Child("valkey", valkey.launch(broker)))
        valkey.wait_until_ready(broker, family.pid("valkey"), lambda: family.is_alive("valkey"))


def _start_services(runtime: _Runtime, family: Family, commands: Commands) -> None:
    with _step("the tables are up to date"):
        _run_to_end(runtime, commands.migrate, "wamcp migrate", runtime.env)
    with _step("Claude's token is known"):
        ensure_mcp_token(runtime, commands)
    services = list(commands.services)
    if runtime.ports.graph is not None:
        services.insert(0, ("graph", _graph_command(runtime, runtime.ports.graph)))
    for name, argv in services:
        launch = Launch(argv=argv, env=runtime.env, cwd=runtime.directory)
        family.start(Child(name, launch, stop=((signal.SIGTERM, SERVICE_STOP_SECONDS),)))
    with _step(f"WAMCP takes webhooks and answers MCP on {_url(runtime.ports.api)}"):
        _wait_until_ready(runtime, family, [name for name, _ in services])


def _graph_command(runtime: _Runtime, port: int) -> tuple[str, ...]:
    return (
        *(*_WAMCP, "simulate-graph", "--port", str(port), "--webhook-url", f"{_url(runtime.ports.api)}{WEBHOOK}"),
        *("--display-phone-number", SHOP.display, "--wire-log", str(runtime.directory / "graph.jsonl")),
    )


def ensure_mcp_token(runtime: _Runtime, commands: Commands) -> None:
    """Makes the token of ``secrets.json`` valid; the command succeeds when it already is."""
    _run_to_end(
        runtime, commands.token, "wamcp token ensure", {**runtime.env, "WAMCP_TOKEN": runtime.secrets.mcp_token}
    )


def _run_to_end(runtime: _Runtime, argv: tuple[str, ...], title: str, env: Mapping[str, str]) -> None:
    command = process.spawn(Launch(argv=argv, env=env, cwd=runtime.directory))
    try:
        exit_code = command.wait(MIGRATE_SECONDS)
    except subprocess.TimeoutExpired:
        raise CannotStart(f"{title} did not end within {MIGRATE_SECONDS:.0f} s.") from None
    finally:
        command.kill()
        command.wait()
    if exit_code != 0:
        raise CannotStart(f"{title} failed (exit code {exit_code}); what it said stands above.")


def _postgres_child(cluster: postgres.Cluster) -> Child:
    return Child(
        "postgres",
        postgres.launch(cluster),
        stop=((signal.SIGINT, 30), (signal.SIGQUIT, 7)),
        orphan_seconds=6,
        clear=partial(postgres.evict, cluster),
        is_passing=partial(postgres.shares_memory_with_the_dead, cluster),
        is_stuck=postgres.has_given_up,
    )


def _postgres_holds(family: Family, cluster: postgres.Cluster) -> bool:
    family.tend()
    return family.is_alive("postgres") or postgres.shares_memory_with_the_dead(cluster)


def _wait_until_ready(runtime: _Runtime, family: Family, services: list[str]) -> None:
    answer = "no answer"

    def settled() -> bool:
        nonlocal answer
        for name in ("postgres", "valkey", *services):
            if not family.is_alive(name):
                raise CannotStart(f"{name} ended before WAMCP was ready; what it said stands above.")
        answer = _what_is_missing(runtime)
        return not answer

    if not process.wait_for(settled, READY_SECONDS, every=0.05):
        raise CannotStart(f"WAMCP did not become ready within {READY_SECONDS:.0f} s: {answer}.")


def _what_is_missing(runtime: _Runtime) -> str:
    """Empty when webhooks are taken and MCP answers a ping (revision 2025-11-25, which needs no session)."""
    connection = http.client.HTTPConnection("127.0.0.1", runtime.ports.api, timeout=5)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        body = response.read(2000)
        # A database that answers and merely cannot keep webhooks, its disk being full, is nothing to give up for.
        if response.status != 200 and b'"migrations_current":true' not in body:
            return f"GET /readyz answers {response.status} {body.decode('utf-8', 'replace')}"
        connection.request("POST", "/mcp", json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}), _ping(runtime))
        response = connection.getresponse()
        body = response.read(2000)
        if response.status != 200 or b'"result"' not in body:
            return f"POST /mcp answers {response.status} {body.decode('utf-8', 'replace')}"
    except (OSError, http.client.HTTPException) as error:
        return f"port {runtime.ports.api} does not answer ({error})"
    finally:
        connection.close()
    return ""


def _ping(runtime: _Runtime) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {runtime.secrets.mcp_token}",
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2025-11-25",
    }


def _write_runtime_file(runtime: _Runtime, family: Family) -> None:
    ports, secrets = runtime.ports, runtime.secrets
    children = ("postgres", "valkey", "api", "normalizer", "worker", *(("graph",) if ports.graph else ()))
    state.write_json(
        runtime.directory / "runtime.json",
        {
            "api_url": _url(ports.api),
            "public_url": None if ports.public is None else _url(ports.public),
            "mcp_url": f"{_url(ports.api)}/mcp",
            "graph_url": None if ports.graph is None else _url(ports.graph),
            "mcp_token": secrets.mcp_token,
            "admin_api_key": secrets.admin_api_key,
            "verify_token": secrets.verify_token,
            "app_secret": secrets.app_secret,
            "database_url": runtime.cluster.url(DATABASE),
            "redis_url": runtime.broker.url,
            "pids": {"supervisor": os.getpid(), **{name: family.pid(name) for name in children}},
        },
    )


def _with_given(secrets: state.Secrets, chosen: settings.Settings) -> state.Secrets:
    for name in ("verify_token", "app_secret", "admin_api_key"):
        given = getattr(chosen, name)
        if given is not None:
            secrets = replace(secrets, **{name: given.get_secret_value()})
    return secrets


def taken_from(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of the settings that are passed on; paths of secret files made absolute, since we move."""
    names = [name for field in _PASSED_ON for name in settings.env_names(field)]
    files = {
        f"{name}_FILE": str(Path(environ[f"{name}_FILE"]).absolute()) for name in names if environ.get(f"{name}_FILE")
    }
    return {name: environ[name] for name in names if environ.get(name)} | files


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    ours = {"WAMCP_TOKEN", *(name for field in settings.Settings.model_fields for name in settings.env_names(field))}
    env = {
        name: value
        for name, value in environ.items()
        if (name in _MACHINE or name.startswith(_MACHINE_PREFIXES)) and name.removesuffix("_FILE") not in ours
    }
    if paths := env.get("PYTHONPATH"):
        env["PYTHONPATH"] = os.pathsep.join(str(Path(path).absolute()) for path in paths.split(os.pathsep))
    return env | taken_from(environ)


def _say_what_is_ignored(environ: Mapping[str, str]) -> None:
    fields = [
        name
        for name in settings.Settings.model_fields
        if name not in _PASSED_ON and name not in ("port", "public_port")
    ]
    names = [name for field in fields for name in settings.env_names(field)]
    found = [name for name in names if environ.get(name) or environ.get(f"{name}_FILE")]
    if Path(".env").is_file():
        found.append("the file .env")
    if found:
        _say(f"not used, since wamcp up runs its own servers: {', '.join(found)}")


@contextmanager
def _step(done: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    _say(f"{time.monotonic() - began:6.2f} s  {done}")


def _say(line: str) -> None:
    sys.stderr.write(f"wamcp up: {line}\n")
    sys.stderr.flush()


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"
