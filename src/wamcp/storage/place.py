"""Where the objects lie: the one place that chooses between the drivers of the store."""

from pathlib import Path
from typing import Protocol


class Chosen(Protocol):
    """The settings that are needed here; Claude's side may not import the others."""

    @property
    def object_dir(self) -> str: ...


def place_of(settings: Chosen) -> Path:
    """The directory of the objects, absolute. There is one driver, the directory, so MINIO_* chooses nothing yet."""
    return Path(settings.object_dir).absolute()
