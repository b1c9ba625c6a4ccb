"""What the doctor says without asking anybody: of versions and days, and never what is secret."""

from datetime import date

import pytest

from wamcp.doctor import meta, run
from wamcp.doctor.finding import Finding, Status, clean, plain_url, secrets_of
from wamcp.settings import load

TODAY = date(2026, 11, 26)


@pytest.mark.parametrize(
    ("version", "status", "words"),
    [
        (meta.NEWEST, Status.OK, "the newest known here"),
        ("v25.0", Status.OK, "lasts until 2028-07-29; v26.0 is the newest"),
        ("v21.0", Status.WARNING, "ends on 2027-01-21"),
        ("v20.0", Status.WARNING, "ended on 2026-09-24"),
        ("v99.0", Status.WARNING, "no version that this release knows"),
    ],
)
def test_a_version_is_judged_by_its_last_day(version: str, status: Status, words: str) -> None:
    said = meta.judge_version(version, TODAY)
    assert said.status is status and words in said.said
    assert (said.fix is None) == (status is Status.OK)


def test_the_version_that_is_set_by_default_lasts() -> None:
    assert meta.judge_version(load({}).api_version, TODAY).status is Status.OK


def test_secrets_are_struck_out_wherever_they_come_from() -> None:
    settings = load(
        {
            "WHATSAPP_ACCESS_TOKEN": "token-of-somebody",
            "WHATSAPP_APP_SECRET": "first-of-two,second-of-two",
            "DATABASE_URL": "postgresql://me:pass-word-of-it@127.0.0.1/wamcp",
            "ADMIN_API_KEY": "password",
        }
    )
    said = "token-of-somebody second-of-two pass-word-of-it\x1b[2J\u202e password " + "x" * 1000
    shown = clean(Finding("any", Status.FAILED, said, "use first-of-two"), secrets_of(settings))
    assert shown.said.startswith("[secret] [secret] [secret] [2J password xxx") and len(shown.said) == 600
    assert shown.fix == "use [secret]"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:secret@a.example:8443/hook?code=hidden#x", "https://a.example:8443/hook"),
        ("http://[::1]:8000/hook", "http://[::1]:8000/hook"),
        ("https://a.example:port/", "an address that cannot be read"),
    ],
)
def test_of_addresses_only_what_is_no_secret_is_shown(url: str, shown: str) -> None:
    assert plain_url(url) == shown


def test_every_check_comes_after_those_it_needs() -> None:
    for at, check in enumerate(run.CHECKS):
        assert {*check.needs, *check.waits} <= set(run.NAMES[:at])
