"""What a set-up changes at Meta: the app gets the account's webhooks, and its callback and fields lead here."""

from wamcp.doctor.account import MESSAGE_FIELDS, OBJECT, names_of
from wamcp.doctor.case import Case, complaint, rows_of
from wamcp.doctor.finding import Said, failed, ok, plain_url, warning
from wamcp.whatsapp.graph import Graph
from wamcp.whatsapp.payload.scalars import string

DEADLINE_S = 20.0
"""Meta calls the callback before it answers."""
CALLBACK_REFUSED, BAD_PARAMETER = 2200, 100


def subscribe_app(case: Case) -> Said:
    """Subscribes the token's app to the account, unless it is: doing it again would remove an override."""
    assert case.graph is not None
    path = f"{case.settings.waba_id}/subscribed_apps"
    reply = case.ask(path)
    if not reply.is_fine:
        return complaint(reply, "the subscribed apps")
    abouts = [row.get("whatsapp_business_api_data") for row in rows_of(reply)]
    if case.app_id in [string(about.get("id")) for about in abouts if isinstance(about, dict)]:
        return ok(f"app {case.app_id} is subscribed to account {case.settings.waba_id} already")
    done = case.graph.post(path, deadline_s=DEADLINE_S)
    if not done.is_fine:
        return complaint(done, "a subscription to the account")
    return ok(f"app {case.app_id} is now subscribed to account {case.settings.waba_id}")


def callback_now(case: Case) -> str | None:
    """The app's callback as it stands, None where there is none or Meta does not tell; notes the fields."""
    with case.as_app(case.app_secret) as client:
        reply = client.get(f"{case.app_id}/subscriptions")
    row = next((row for row in rows_of(reply) if row.get("object") == OBJECT), None)
    case.fields = names_of(row.get("fields")) if row is not None else []
    return string(row.get("callback_url")) if row is not None else None


def set_callback(case: Case, url: str, verify_token: str) -> Said:
    """Sets the app's callback to ``url``, which Meta verifies at once, with the fields about messages and those before.

    Where Meta does not know one of the fields, ``messages`` alone is added.
    """
    before = case.fields or []
    with case.as_app(case.app_secret) as client:
        refused = _set(case, client, url, verify_token, [*MESSAGE_FIELDS, *before])
        if refused is None:
            return ok(f"Meta verified {plain_url(url)} and sends {len(MESSAGE_FIELDS)} fields about messages to it")
        if refused[0] == BAD_PARAMETER and _set(case, client, url, verify_token, ["messages", *before]) is None:
            return warning(
                f"Meta verified {plain_url(url)}, but does not let all fields be subscribed; `messages` is",
                "subscribe to the others in Meta's App Dashboard > WhatsApp > Configuration > Webhook fields",
            )
    return refused[1]


def _set(case: Case, client: Graph, url: str, verify_token: str, fields: list[str]) -> tuple[int, Said] | None:
    """None when it is done, else Meta's code and the sentence."""
    body = {
        "object": OBJECT,
        "callback_url": url,
        "verify_token": verify_token,
        "fields": ",".join(dict.fromkeys(fields)),
    }
    reply = client.post(f"{case.app_id}/subscriptions", body, deadline_s=DEADLINE_S)
    if reply.is_fine:
        return None
    code = reply.error.code if reply.error is not None else 0
    if code == CALLBACK_REFUSED:
        return code, failed(
            f"Meta could not verify {plain_url(url)}",
            "see `wamcp doctor --only callback,verify`; when both are fine, run `wamcp setup` again",
        )
    return code, complaint(reply, "the app's callback")
