"""``media_placeholder``: a file of the history, whose content comes later under the same wamid."""

from typing import Any

from wamcp.vocabulary import Standing
from wamcp.whatsapp.payload.lines import Said, failures, line

SHAPE: dict[str, None] = {}


def parse(item: dict[str, Any]) -> Said:
    """A place that the file will take."""
    return Said(line("media", ["not here yet", *failures(item)]), {}, None, Standing.PLACEHOLDER.value)
