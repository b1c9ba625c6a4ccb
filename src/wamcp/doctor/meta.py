"""The checks of the way to Meta: the Graph API and its version, the clock, the access token and the app secret."""

import re
import time
from datetime import date, timedelta
from email.utils import parsedate_to_datetime

from wamcp.doctor.case import CALL_S, GONE_VERSION, UNKNOWN_PATH, Case, complaint, day
from wamcp.doctor.finding import Said, failed, ok, plain_url, skipped, warning
from wamcp.whatsapp.graph import Reached, Reply
from wamcp.whatsapp.payload.scalars import string

ENDS = {
    "v17.0": date(2025, 9, 12),
    "v18.0": date(2026, 1, 26),
    "v19.0": date(2026, 5, 21),
    "v20.0": date(2026, 9, 24),
    "v21.0": date(2027, 1, 21),
    "v22.0": date(2027, 5, 20),
    "v23.0": date(2027, 10, 8),
    "v24.0": date(2028, 2, 18),
    "v25.0": date(2028, 7, 29),
    "v26.0": None,
}
"""Until when Meta answers each version: developers.facebook.com/docs/graph-api/changelog/versions, 2026-11."""
NEWEST = "v26.0"
OLD_BEFORE = timedelta(days=90)

SCOPES = ("whatsapp_business_messaging", "whatsapp_business_management")
EXPIRES_SOON_S = 7 * 86_400
SKEW_WARN_S, SKEW_FAIL_S = 30.0, 300.0
HOW_TO_RENEW = (
    "make a new token in Meta's Business settings > Users > System users > Generate token (never expires, with "
    "whatsapp_business_messaging and whatsapp_business_management), set WHATSAPP_ACCESS_TOKEN and restart"
)


def graph(case: Case) -> Said:
    """The Graph API answers, in a version that lasts."""
    token = case.settings.access_token
    if case.graph is None or token is None:
        return skipped("WHATSAPP_ACCESS_TOKEN is not set, so Meta cannot be asked anything")
    version = case.settings.api_version
    reply = case.token_reply = case.ask("debug_token", input_token=token.get_secret_value())
    if reply.reached is not Reached.ANSWERED:
        return failed(
            f"nobody answers at {plain_url(case.settings.base_url)} ({reply.reason})",
            "check that this machine reaches the internet, the proxy if there is one, and WHATSAPP_BASE_URL",
        )
    if reply.error is not None and reply.error.code == GONE_VERSION:
        return failed(f"Meta no longer answers {version}", _set_version())
    if reply.data is None or (reply.error is not None and reply.error.code == UNKNOWN_PATH):
        return failed(
            f"{plain_url(case.settings.base_url)} answers HTTP {reply.status}, but not as {version} of the Graph API",
            f"{_set_version()}, and check WHATSAPP_BASE_URL (https://graph.facebook.com)",
        )
    return judge_version(version, date.today())


def judge_version(version: str, today: date) -> Said:
    """What is to be said of a version that Meta answered on a day."""
    if version not in ENDS:
        return warning(f"{version} is no version that this release knows", _set_version())
    end = ENDS[version]
    newest = "" if version == NEWEST else f"; {NEWEST} is the newest known here"
    if end is None:
        return ok(f"answers in {version}, the newest known here")
    if end <= today:
        return warning(f"{version} ended on {end}, so Meta answers in another one", _set_version())
    if end - today <= OLD_BEFORE:
        return warning(f"{version} ends on {end}", _set_version())
    return ok(f"answers in {version}, which lasts until {end}{newest}")


def _set_version() -> str:
    return f"set WHATSAPP_API_VERSION={NEWEST} and restart"


def clock(case: Case) -> Said:
    """This machine's clock agrees with Meta's."""
    began = time.time()
    reply = case.ask("debug_token", input_token="-")  # noqa: S106 - of no use; any answer has a date
    here = (began + time.time()) / 2
    try:
        there = parsedate_to_datetime(reply.date or "").timestamp() + 0.5  # the header's fraction is cut off
    except ValueError:
        return skipped("Meta's answer has no date to compare with")
    skew = here - there
    way = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} Meta's"
    fix = "switch on time synchronisation: timedatectl set-ntp true"
    if abs(skew) > SKEW_FAIL_S:
        return failed(f"this machine's clock is {way}", fix)
    if abs(skew) > SKEW_WARN_S:
        return warning(f"this machine's clock is {way}", fix)
    return ok("agrees with Meta's")


def token(case: Case) -> Said:
    """The access token is valid, and stays so for a while."""
    reply = case.token_reply
    assert reply is not None
    facts = (reply.data or {}).get("data")
    if reply.error is not None or not isinstance(facts, dict):
        if reply.error is not None and reply.error.code == 190:
            return failed(f"Meta refuses the token: {reply.error.message}", HOW_TO_RENEW)
        return complaint(reply, "the token")
    ends = [_seconds(facts.get(name)) for name in ("expires_at", "data_access_expires_at")]
    end = min((each for each in ends if each > 0), default=0)
    if 0 < end <= time.time():
        return failed(f"it expired on {day(end)}", HOW_TO_RENEW)
    if facts.get("is_valid") is not True:
        inner = facts.get("error")
        why = string(inner.get("message")) if isinstance(inner, dict) else None
        return failed(f"it is not valid: {why or 'Meta does not say why'}", HOW_TO_RENEW)
    case.token, case.app_id = facts, string(facts.get("app_id")) or ""
    of_app = f"of app {case.app_id} ({string(facts.get('application')) or 'without a name'})"
    if end == 0:
        return ok(f"valid, never expires, {of_app}")
    if end - time.time() < EXPIRES_SOON_S:
        return warning(f"valid, but it expires on {day(end)}, {of_app}", HOW_TO_RENEW)
    return ok(f"valid until {day(end)}, {of_app}")


def scopes(case: Case) -> Said:
    """The token may do what WAMCP needs."""
    given = case.token.get("scopes")
    missing = [scope for scope in SCOPES if not isinstance(given, list) or scope not in given]
    if missing:
        return failed(f"the token lacks {' and '.join(missing)}", HOW_TO_RENEW)
    return ok(f"has {' and '.join(SCOPES)}")


def app_secret(case: Case) -> Said:
    """The app secret is that of the app to which the token belongs, so its webhooks are signed with it."""
    fix = (
        f"copy it from Meta's App Dashboard > app {case.app_id} > App settings > Basic > App secret, set "
        "WHATSAPP_APP_SECRET and restart"
    )
    secrets = [secret.decode() for secret in case.settings.app_secrets()]
    if not secrets:
        return failed("WHATSAPP_APP_SECRET is not set, so every webhook is refused with 401", fix)
    if not re.fullmatch(r"\d+", case.app_id):
        return skipped("Meta does not tell to which app the token belongs")
    reply = Reply(Reached.NOT_SENT)
    for secret in secrets:
        reply = _ask_as_app(case, secret)
        if reply.is_fine:
            case.app_secret = secret
            return ok(f"is that of app {case.app_id}")
        if reply.error is None or reply.error.code not in (190, 101, 1, 102):
            return complaint(reply, "the app secret")
    return failed(f"it is not the secret of app {case.app_id}, to which the token belongs", fix)


def _ask_as_app(case: Case, secret: str) -> Reply:
    assert case.settings.access_token is not None
    with case.as_app(secret) as client:
        return client.get("debug_token", deadline_s=CALL_S, input_token=case.settings.access_token.get_secret_value())


def _seconds(value: object) -> float:
    """Unix seconds as Meta gives them; 0 for never, and for what is no number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
