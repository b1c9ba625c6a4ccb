"""A place to send to that only writes down what it is asked, for tests of the routes before it."""

from datetime import UTC, datetime
from typing import BinaryIO

from wamcp.errors import NotVisible
from wamcp.sending.told import SendAnswer, SendError
from wamcp.sending.wanted import Wanted
from wamcp.vocabulary import SendState

ASKED_AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class Recorder:
    """Stands at ``app.state.sending``. ``state`` and ``replayed`` are what the next answers say."""

    def __init__(self) -> None:
        self.state = SendState.SENT
        self.replayed = False
        self.wanted: list[Wanted] = []
        self.kept: list[tuple[bytes, str, str | None, str | None]] = []
        self.read: list[tuple[str | None, str, bool]] = []

    def send(self, wanted: Wanted) -> SendAnswer:
        self.wanted.append(wanted)
        failed = self.state == SendState.FAILED
        return SendAnswer(
            send_id=f"s{len(self.wanted)}",
            state=self.state,
            wamid="wamid.made" if self.state == SendState.SENT else None,
            to=wanted.recipient.value,
            recipient_kind=wanted.recipient.kind,
            type=wanted.type,
            from_phone_number_id=wanted.sender or "106540352240001",
            asked_at=ASKED_AT,
            error=SendError(code=131047, meaning="too late", advice="send a template") if failed else None,
            replayed=self.replayed,
        )

    def keep_upload(self, file: BinaryIO, mime_type: str, filename: str | None, sender: str | None) -> int:
        self.kept.append((file.read(), mime_type, filename, sender))
        return 70 + len(self.kept)

    def mark_read(self, sender: str | None, message_id: str, typing: bool) -> None:
        self.read.append((sender, message_id, typing))

    def wamid(self, written: str, sender: str | None) -> str:
        if written == "m404":
            raise NotVisible("There is no message m404.")
        return f"wamid.of.{written}" if written.startswith("m") else written
