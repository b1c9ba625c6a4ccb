"""What a command knows about the installation it is called in."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wamcp.settings import Settings


def settings_here() -> "Settings":
    """Settings of the environment and ``.env``; without a DATABASE_URL, database and objects of the ``wamcp up`` here.

    In development a missing app secret is generated into ``.env``. Raises ``Misconfigured``.
    """
    from pydantic import SecretStr

    from wamcp import log
    from wamcp.mcp.bridge import read_runtime, runtime_path
    from wamcp.safety import generate_app_secret
    from wamcp.settings import load

    dotenv = Path(".env")
    settings = generate_app_secret(dotenv, load(dotenv=dotenv))
    log.configure(settings.log_level)
    if settings.database_url is None and (url := read_runtime().get("database_url")):
        objects = str(Path(runtime_path()).absolute().parent / "objects")
        theirs = {"database_url": SecretStr(str(url)), "object_dir": objects, "minio_endpoint": None}
        settings = settings.model_copy(update=theirs)
    return settings
