"""Settings: canonical names win, legacy names and files work, and production refuses what is unsafe."""

from pathlib import Path

import pytest

from wamcp import safety, settings
from wamcp.db.logins import reader_url
from wamcp.errors import Misconfigured

LEGACY = {
    "WHATSAPP_ACCESS_TOKEN": ["WHATSAPP_API_TOKEN", "WHATSAPP_API_KEY", "WHATSAPP_TOKEN"],
    "WHATSAPP_VERIFY_TOKEN": ["WHATSAPP_WEBHOOK_VERIFY_TOKEN", "WHATSAPP_VERIFY"],
    "WHATSAPP_APP_SECRET": ["WHATSAPP_SECRET", "APP_SECRET"],
    "VERIFY_WEBHOOK_SIGNATURE": ["VERIFY_WEBHOOK", "VERIFY_SIGNATURE"],
    "WHATSAPP_PHONE_NUMBER_ID": ["PHONE_NUMBER_ID"],
    "WHATSAPP_WABA_ID": ["WHATSAPP_BUSINESS_ACCOUNT_ID", "WABA_ID"],
    "MINIO_BUCKET": ["MINIO_BUCKET_DOCUMENTS"],
}
SAFE = {"WHATSAPP_VERIFY_TOKEN": "k3y", "ADMIN_API_KEY": "0f" * 16, "WHATSAPP_APP_SECRET": "5e" * 16}


def field_of(canonical: str) -> str:
    return next(field for field in settings.Settings.model_fields if settings.env_names(field)[0] == canonical)


def plain(value: object) -> str:
    return value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)


@pytest.mark.parametrize(("canonical", "alias"), [(name, alias) for name, all_ in LEGACY.items() for alias in all_])
def test_a_legacy_name_is_read_and_the_canonical_one_wins(canonical: str, alias: str) -> None:
    old, new = ("false", "true") if canonical.startswith("VERIFY") else ("old", "new")
    field = field_of(canonical)
    assert plain(getattr(settings.load({alias: old}), field)).lower() == old
    assert plain(getattr(settings.load({alias: old, canonical: new}), field)).lower() == new


def test_an_empty_variable_counts_as_unset() -> None:
    assert plain(settings.load({"WHATSAPP_ACCESS_TOKEN": " ", "WHATSAPP_TOKEN": "t"}).access_token) == "t"


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("from-a-file\n")
    assert plain(settings.load({"ADMIN_API_KEY_FILE": str(path)}).admin_api_key) == "from-a-file"


def test_a_file_that_cannot_be_read_is_named() -> None:
    with pytest.raises(Misconfigured, match="ADMIN_API_KEY_FILE points to /nowhere/key"):
        settings.load({"ADMIN_API_KEY_FILE": "/nowhere/key"})


def test_the_environment_wins_over_the_dotenv_file(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("WAMCP_PORT=9000\nMINIO_BUCKET=paper\n")
    loaded = settings.load({"WAMCP_PORT": "9100"}, dotenv=path)
    assert (loaded.port, loaded.minio_bucket) == (9100, "paper")


def test_a_bad_value_is_named_by_its_variable() -> None:
    with pytest.raises(Misconfigured, match="WAMCP_PORT is not valid"):
        settings.load({"WAMCP_PORT": "eighty"})


def test_production_accepts_secrets_of_your_own() -> None:
    assert safety.refusals(settings.load(SAFE)) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"ADMIN_API_KEY": "admin123"}, "ADMIN_API_KEY is still a placeholder"),
        ({"WHATSAPP_VERIFY_TOKEN": "dev-verify-token"}, "WHATSAPP_VERIFY_TOKEN is still a placeholder"),
        ({"WHATSAPP_APP_SECRET": ""}, "WHATSAPP_APP_SECRET is missing"),
        ({"VERIFY_WEBHOOK_SIGNATURE": "false"}, "VERIFY_WEBHOOK_SIGNATURE=false is refused"),
        ({"DEBUG_ECHO_MODE": "true"}, "DEBUG_ECHO_MODE=true is refused"),
    ],
)
def test_production_refuses_what_is_unsafe_and_development_allows_it(change: dict[str, str], sentence: str) -> None:
    environ = SAFE | change
    with pytest.raises(Misconfigured, match=sentence):
        safety.require_safe(settings.load(environ))
    safety.require_safe(settings.load(environ | {"WAMCP_ENV": "development"}))


def test_several_app_secrets_are_accepted_while_rotating() -> None:
    assert settings.load({"WHATSAPP_APP_SECRET": "new, old"}).app_secrets() == (b"new", b"old")


def test_a_missing_app_secret_is_generated_into_the_dotenv_file_in_development(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("WAMCP_ENV=development\nWHATSAPP_APP_SECRET=\n")
    made = safety.generate_app_secret(path, settings.load({}, dotenv=path))
    again = settings.load({}, dotenv=path)
    assert made.app_secrets() == again.app_secrets() != ()
    assert safety.generate_app_secret(path, again) is again


def test_secrets_do_not_show_in_the_representation() -> None:
    assert "5e5e" not in repr(settings.load(SAFE))


def test_an_empty_file_of_a_secret_counts_as_unset(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "legacy").write_text("a token\n")
    given = {"WHATSAPP_ACCESS_TOKEN_FILE": str(tmp_path / "empty")}
    assert settings.load(given).access_token is None
    found = settings.load(given | {"WHATSAPP_API_TOKEN_FILE": str(tmp_path / "legacy")}).access_token
    assert found is not None and found.get_secret_value() == "a token"


def test_an_address_of_the_database_is_a_url_and_may_name_several_hosts() -> None:
    several = "postgresql://wamcp:pass-word@one:5432,other:5433/archive?target_session_attrs=read-write"
    reader = reader_url(settings.load({"DATABASE_URL": several}))
    # The reader's sessions are read-only, so "read-write" would find nobody for it.
    assert reader.startswith("postgresql://archive_reader:")
    assert reader.endswith("@one:5432,other:5433/archive?target_session_attrs=primary")
    with pytest.raises(Misconfigured, match=r"^DATABASE_URL is not valid: .*postgresql://user:password@host") as told:
        settings.load({"DATABASE_URL": "host=one,other password=pass-word target_session_attrs=read-write"})
    assert "pass-word" not in str(told.value)


def test_a_way_past_the_pooler_says_that_there_may_be_one() -> None:
    url = {"DATABASE_URL": "postgresql://pooler/archive"}
    assert not settings.load(url).is_pooled()
    assert settings.load(url | {"DATABASE_DIRECT_URL": "postgresql://server/archive"}).is_pooled()
