"""``wamcp setup``: from four values of Meta's to the first message that arrives."""

import os
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from wamcp.doctor.case import Case
    from wamcp.doctor.finding import Said
    from wamcp.doctor.place import Place
    from wamcp.doctor.values import Trial, Value

TRY_EVERY_S = 1.0
DOTENV = Path(".env")
_GO_ON = (
    "Go on whenever you like: `wamcp doctor` says how things stand, `wamcp setup` waits again and asks nothing twice."
)

Token = Annotated[str | None, typer.Option(help="Meta's access token, of a system user.")]
Number = Annotated[str | None, typer.Option(help="Meta's id of the number.")]
Waba = Annotated[str | None, typer.Option(help="Meta's id of the WhatsApp Business Account.")]
Secret = Annotated[str | None, typer.Option(help="The app secret.")]
Base = Annotated[str | None, typer.Option(help="How the internet reaches WAMCP, like https://wamcp.example.com.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait for anything, neither WAMCP nor a message.")]
Wait = Annotated[int, typer.Option(min=1, help="How long to wait for WAMCP, and then for a message, in seconds.")]


def setup(  # noqa: PLR0913 - one argument for each option of the command
    access_token: Token = None,
    phone_number_id: Number = None,
    waba_id: Waba = None,
    app_secret: Secret = None,
    public_base_url: Base = None,
    no_wait: NoWait = False,
    wait_seconds: Wait = 600,
) -> None:  # fmt: skip
    """Connect a number: ask for Meta's four values, write .env, subscribe at Meta, and wait for the first message."""
    from wamcp import log

    log.configure("error")
    options = {
        "access_token": access_token, "phone_number_id": phone_number_id, "waba_id": waba_id,
        "app_secret": app_secret, "public_base_url": public_base_url,
    }  # fmt: skip
    try:
        sys.exit(_set_up({name: value.strip() for name, value in options.items() if value}, no_wait, wait_seconds))
    except KeyboardInterrupt:
        typer.echo(f"\nStopped. {_GO_ON}")


def _set_up(options: dict[str, str], no_wait: bool, wait_seconds: int) -> int:
    from wamcp.cli.doctor import tell
    from wamcp.doctor.place import find
    from wamcp.doctor.run import examine, has_failed
    from wamcp.doctor.values import Trial
    from wamcp.settings import env_names

    environ = dict(os.environ)
    environ |= {env_names(field)[0]: text for field, text in options.items()}
    place = find(environ, DOTENV)
    trial = Trial(place)
    try:
        values = _gather(trial, place)
        values |= _made(place) | _public(place)
        environ |= _write(values)
        place = find(environ, DOTENV)
        trial.case.place = place
        fine = _connect(trial.case, 0 if no_wait else wait_seconds)
        place = find(environ, DOTENV)  # by now another WAMCP may run here
        typer.echo("\nHow it stands:\n")
        findings = examine(place)
        tell(findings)
        if no_wait:
            return 0 if fine and not has_failed(findings) else 1
        return _await_message(trial.case, lambda: find(environ, DOTENV), wait_seconds)
    finally:
        trial.close()


def _gather(trial: "Trial", place: "Place") -> dict[str, str]:
    """The four values by their fields, each tried at Meta."""
    from wamcp.doctor.values import VALUES, given
    from wamcp.settings import env_names

    missing = [value for value in VALUES if given(place, value.field) is None or value.field in place.borrowed]
    if missing and not sys.stdin.isatty():
        names = ", ".join(f"--{value.field.replace('_', '-')}" for value in missing)
        typer.echo(f"Nobody can be asked here: give {names}, or the variables of the same names.", err=True)
        raise typer.Exit(2)
    found = {}
    for value in VALUES:
        text = None if value in missing else given(place, value.field)
        found[value.field] = _one(trial, value, text)
        typer.echo(f"ok  {env_names(value.field)[0]}")
    return found


def _one(trial: "Trial", value: "Value", text: str | None) -> str:
    """A value that Meta accepts: ``text`` if it is one, else what is answered, as often as needed."""
    if text is None:
        typer.echo(f"\nTo be found in {value.where}.")
    while True:
        if text is None:
            text = _ask(trial, value)
        wrong = trial.take(value, text)
        if wrong is None:
            return text
        _say(wrong)
        if not sys.stdin.isatty():
            raise typer.Exit(1)
        text = None


def _ask(trial: "Trial", value: "Value") -> str:
    from wamcp.settings import is_secret

    hidden = is_secret(value.field)
    answer: str = typer.prompt(value.question, hide_input=hidden, default=trial.suggestion(value))
    return answer.strip()


def _made(place: "Place") -> dict[str, str]:
    """The secrets that need nobody's answer: as they are, else of the ``wamcp up`` that runs here, else new."""
    from wamcp.doctor.values import given

    return {
        "verify_token": given(place, "verify_token") or secrets.token_urlsafe(24),
        "admin_api_key": given(place, "admin_api_key") or secrets.token_hex(32),
    }


def _public(place: "Place") -> dict[str, str]:
    """The public address: as given; asked for where somebody can answer, who may leave it out."""
    from wamcp.errors import Misconfigured
    from wamcp.settings import load

    base = place.settings.public_base_url
    while base is None and sys.stdin.isatty():
        typer.echo("\nPublic address: how the internet reaches WAMCP's public port, by a tunnel or proxy of yours")
        text = typer.prompt("Public address (https://..., Enter for later)", default="", show_default=False).strip()
        if not text:
            break
        try:
            base = load({"PUBLIC_BASE_URL": text}).public_base_url
        except Misconfigured as error:
            typer.echo(str(error))
    return {"public_base_url": base} if base else {}


def _write(values: dict[str, str]) -> dict[str, str]:
    """Writes ``.env`` and returns the variables; those that a file of their own holds stay there."""
    from wamcp.doctor import env_file
    from wamcp.settings import env_names, is_secret

    variables = {env_names(field)[0]: text for field, text in values.items()}
    kept = {
        env_names(field)[0]
        for field in values
        if is_secret(field) and any(os.environ.get(f"{name}_FILE") for name in env_names(field))
    }
    changed = env_file.write(DOTENV, {name: text for name, text in variables.items() if name not in kept})
    where = f"{DOTENV.resolve()}"
    typer.echo(f"\n{'Written to' if changed else 'Nothing to change in'} {where}, which only you can read.")
    for name, text in variables.items():
        if os.environ.get(name, text).strip() != text:
            typer.echo(f"note: {name} in this shell's environment is another one and wins over .env: unset it.")
    return variables


def _connect(case: "Case", seconds: float) -> bool:
    """Subscribes the app to the account and sets its callback; whether all of that went well."""
    from wamcp.doctor.finding import Status
    from wamcp.doctor.subscribe import set_callback, subscribe_app

    done = subscribe_app(case)
    _say(done)
    url, token = case.place.callback, case.settings.require("verify_token")
    if url is None:
        typer.echo(
            f"Start WAMCP: {case.place.start}\nThen make its public port reachable over https, and run "
            "`wamcp setup --public-base-url https://...`: nothing arrives before that."
        )
        return done.status is not Status.FAILED
    if not _may_take_over(case, url):
        return False
    _await_callback(case, url, token, seconds)
    set_now = set_callback(case, url, token)
    _say(set_now)
    return Status.FAILED not in (done.status, set_now.status)


def _may_take_over(case: "Case", url: str) -> bool:
    """An app has one callback: whoever is called now will be called no more."""
    from wamcp.doctor.account import same
    from wamcp.doctor.finding import plain_url, printable
    from wamcp.doctor.subscribe import callback_now

    now = callback_now(case)
    if now is None or same(now, url):
        return True
    shown = printable(plain_url(now))
    if not sys.stdin.isatty():
        typer.echo(f"note: the app's webhooks went to {shown} until now.")
        return True
    if typer.confirm(f"The app's webhooks go to {shown} now, and to one address only. Send them here instead?"):
        return True
    typer.echo("Left as it is: nothing arrives here.")
    return False


def _await_callback(case: "Case", url: str, verify_token: str, seconds: float) -> None:
    """Waits until the callback answers as Meta wants it, or the time is up; says once what is missing."""
    from wamcp.doctor.finding import plain_url
    from wamcp.doctor.outside import challenge, what_came

    end, said = time.monotonic() + seconds, False
    while (answer := challenge(url, verify_token)) is not None and time.monotonic() < end:
        if not said:
            why = "it has another verify token" if answer.status == 403 else what_came(answer)
            typer.echo(
                f"{plain_url(url)} does not answer as Meta wants it ({why}).\n"
                f"Let WAMCP take the new values now, in another terminal: {case.place.restart}\nWaiting for it ..."
            )
            said = True
        time.sleep(TRY_EVERY_S)


def _await_message(case: "Case", find: Callable[[], "Place"], seconds: int) -> int:
    from wamcp.doctor.finding import printable
    from wamcp.doctor.first_message import Waiting, described

    shown = printable(str(case.number.get("display_phone_number", "")))
    shown = shown if shown.startswith("+") else f"+{shown}"
    waiting = Waiting(case.settings.phone_number_id or "")
    typer.echo(f"\nSend a WhatsApp message to {shown} now, from any phone. Waiting for it; Ctrl-C ends that.")
    message = waiting.wait(find, seconds)
    if message is None:
        why = "Nothing arrived" if waiting.reached else f"No database of WAMCP answered (start it: {case.place.start})"
        typer.echo(f"{why} within {seconds} s. Do what `wamcp doctor` says, then run `wamcp setup` again.")
        return 1
    typer.echo(
        f"\nIt works. {described(message)}\n\nNext:\n"
        "  wamcp mcp config --client claude-desktop   what to paste so that Claude can read it\n"
        '  wamcp send NUMBER "Hello"                   answers, while Meta\'s 24 hours are open\n'
        "  wamcp doctor                               says what is wrong, whenever something is"
    )
    return 0


def _say(said: "Said") -> None:
    from wamcp.doctor.finding import Status, printable

    typer.echo(f"{said.status:<7}  {printable(said.said)}")
    if said.fix and said.status is not Status.OK:
        typer.echo(f"{'':<7}  fix: {printable(said.fix)}")
