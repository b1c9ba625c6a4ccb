"""The checks of this machine: settings, the api that runs here, its secret, and the place of the objects."""

import shutil
import time
from pathlib import Path

from wamcp.doctor.case import Case
from wamcp.doctor.finding import Said, failed, ok, skipped, warning
from wamcp.doctor.http import Answer, look
from wamcp.doctor.place import WEBHOOK
from wamcp.errors import Misconfigured
from wamcp.safety import PLACEHOLDERS, echo_list, refusals
from wamcp.settings import env_names
from wamcp.storage.write import open_store, probe
from wamcp.whatsapp.signature import sign

NEEDED = ("access_token", "app_secret", "waba_id", "phone_number_id", "verify_token", "admin_api_key")
EMPTY_EVENT = b'{"object":"whatsapp_business_account","entry":[]}'
STARTING_S = 30.0
DISK_WARN, DISK_FAIL = 0.10, 0.02
_SETUP = "run `wamcp setup`: it asks for what only you know, makes the rest, and writes .env"


def settings(case: Case) -> Said:
    """Everything is set that is needed to receive and to send, and nothing that production refuses."""
    chosen = case.settings
    missing, placeholders = [], []
    for field in NEEDED:
        value = getattr(chosen, field)
        text = value if isinstance(value, str) else value.get_secret_value() if value is not None else ""
        if not text:
            missing.append(env_names(field)[0])
        elif text.lower() in PLACEHOLDERS:
            placeholders.append(env_names(field)[0])
    named = (*missing, *placeholders)
    others = (
        [sentence for sentence in refusals(chosen) if not sentence.startswith(named)] if named else refusals(chosen)
    )
    if others:
        return failed(others[0].partition(": ")[0], " ".join(other.partition(": ")[2] for other in others))
    if missing:
        return failed(f"not set: {', '.join(missing)}", _SETUP)
    if placeholders:
        said = f"still a placeholder: {', '.join(placeholders)}"
        return failed(said, _SETUP) if chosen.env == "production" else warning(said, _SETUP)
    if not chosen.verify_webhook_signature:
        return warning(
            "signatures are not checked: whoever knows the address can write into the archive",
            "remove VERIFY_WEBHOOK_SIGNATURE and restart",
        )
    return ok(f"complete, for {chosen.env}")


def echo(case: Case) -> Said:
    """The debug echo answers nobody by mistake."""
    chosen = case.settings
    if not chosen.debug_echo_mode:
        return ok("off")
    if chosen.env == "production":
        return failed(
            "DEBUG_ECHO_MODE=true is refused in production", "set it to false, or set WAMCP_ENV=development; restart"
        )
    try:
        listed = echo_list(chosen)
    except Misconfigured:
        return failed(
            "DEBUG_ECHO_ALLOWLIST_E164 names something that is neither a whole phone number nor a BSUID",
            "write each number with its country code, like +1 555 010 0001, separated by commas",
        )
    count = len(listed.phones) + len(listed.bsuids)
    if count == 0:
        return warning(
            "it is on, but DEBUG_ECHO_ALLOWLIST_E164 names nobody",
            "name who may be echoed, or set DEBUG_ECHO_MODE=false",
        )
    return ok(f"on, for {count} people")


def api(case: Case) -> Said:
    """The api runs here. While it starts it is waited for."""
    given_up = time.monotonic() + STARTING_S
    while _is_starting(answer := look("GET", f"{case.place.api_url}/healthz", here=True)):
        if time.monotonic() > given_up:
            return failed(
                f"it has been starting for {STARTING_S:.0f} s and answers webhooks alone",
                "see in its log what it waits for",
            )
        time.sleep(0.2)
    if answer.status == 200 and '"status"' in answer.text:
        return ok(f"answers at {case.place.api_url}")
    if answer.status == 0:
        return failed(
            f"nothing answers at {case.place.api_url} ({answer.text})",
            f"{case.place.restart}; if it listens elsewhere, set WAMCP_PORT",
        )
    return failed(
        f"what answers at {case.place.api_url} is not WAMCP (HTTP {answer.status})",
        "set WAMCP_PORT to the port of WAMCP, or stop the other program and start WAMCP",
    )


def _is_starting(answer: Answer) -> bool:
    """Whether it is an api that takes webhooks and will soon answer the rest, too."""
    return answer.status == 503 and '"starting"' in answer.text


def signature(case: Case) -> Said:
    """A webhook without content, signed with our secret, is taken by the api that runs here."""
    secrets = case.settings.app_secrets()
    if not secrets:
        return skipped("WHATSAPP_APP_SECRET is not set")
    headers = {"X-Hub-Signature-256": sign(EMPTY_EVENT, secrets[0]), "Content-Type": "application/json"}
    answer = look("POST", f"{case.place.api_url}{WEBHOOK}", content=EMPTY_EVENT, headers=headers, here=True)
    if answer.status == 200:
        return ok("a signed webhook is taken")
    if answer.status == 401:
        return failed("the api that runs here has another WHATSAPP_APP_SECRET", case.place.restart)
    if answer.status == 404:
        return failed("the api that runs here takes no webhooks", "start `wamcp api` without `--only answers`")
    what = f"HTTP {answer.status}" if answer.status else answer.text
    return failed(f"the api that runs here does not take a webhook ({what})", "see the checks `database` and `schema`")


def objects(case: Case) -> Said:
    """A few bytes can be put into the object store, and read again."""
    store = open_store(case.settings)
    is_new = case.settings.minio_endpoint is None and not Path(store.place()).exists()
    wrong = store.trouble() if is_new else probe(store)
    if is_new and wrong is None:
        return ok(f"{store.place()} will be made with the first file")
    if wrong is None:
        return ok(f"{store.place()} can be written to")
    return failed(wrong, "see the sentence before; WAMCP_OBJECT_DIR, or MINIO_ENDPOINT, says where the objects lie")


def disk(case: Case) -> Said:
    """There is room for what comes."""
    place = Path(case.settings.object_dir).absolute()
    existing = next(path for path in (place, *place.parents) if path.exists())
    usage = shutil.disk_usage(existing)
    return judge_disk(str(existing), usage.free, usage.free + usage.used)


def judge_disk(place: str, free: int, total: int) -> Said:
    """What ``free`` of ``total`` bytes mean for the disk of ``place``; other users' reserve is not counted."""
    share = free / total if total else 0.0
    said = f"{share:.0%} of the disk of {place} is free ({free / 1e9:.1f} GB)"
    fix = "make room, or move WAMCP_OBJECT_DIR and the database to a larger disk"
    if share < DISK_FAIL:
        return failed(said, fix)
    return warning(said, fix) if share < DISK_WARN else ok(said)
