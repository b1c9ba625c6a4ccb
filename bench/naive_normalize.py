"""The baseline of bench.normalize: what one would write first, an ORM that takes one event and one commit at a time."""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, ForeignKey, Text, UniqueConstraint, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    """The naive tables."""


class Participant(Base):
    """A person, by phone."""

    __tablename__ = "naive_participants"
    id: Mapped[int] = mapped_column(primary_key=True)
    wa_id: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str | None] = mapped_column(Text)


class Conversation(Base):
    """A thread, by number and person."""

    __tablename__ = "naive_conversations"
    __table_args__ = (UniqueConstraint("phone_number_id", "participant_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    phone_number_id: Mapped[str] = mapped_column(Text)
    participant_id: Mapped[int] = mapped_column(ForeignKey("naive_participants.id"))
    last_message_at: Mapped[datetime | None]


class Message(Base):
    """A message, by wamid."""

    __tablename__ = "naive_messages"
    id: Mapped[int] = mapped_column(primary_key=True)
    wamid: Mapped[str] = mapped_column(Text, unique=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("naive_conversations.id"), index=True)
    type: Mapped[str] = mapped_column(Text)
    text: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime]


class Status(Base):
    """A status, by wamid and name."""

    __tablename__ = "naive_statuses"
    __table_args__ = (UniqueConstraint("wamid", "status"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    wamid: Mapped[str] = mapped_column(Text, index=True)
    status: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


def normalize(engine: Engine, body: bytes) -> None:
    """Reads one event and stores what it says in one transaction."""
    with Session(engine) as session:
        for entry in json.loads(body)["entry"]:
            for change in entry["changes"]:
                value = change["value"]
                if "metadata" in value:
                    _store(session, value)
        try:
            session.commit()
        except IntegrityError:
            session.rollback()


def _store(session: Session, value: dict[str, Any]) -> None:
    names = {c.get("wa_id"): c.get("profile", {}).get("name") for c in value.get("contacts", [])}
    for item in value.get("messages", []):
        if session.scalar(select(Message).where(Message.wamid == item["id"])) is not None:
            continue
        who = item.get("from") or item.get("from_user_id") or "unknown"
        participant = session.scalar(select(Participant).where(Participant.wa_id == who))
        if participant is None:
            participant = Participant(wa_id=who, name=names.get(who))
            session.add(participant)
            session.flush()
        phone_number_id = value["metadata"]["phone_number_id"]
        conversation = session.scalar(
            select(Conversation).where(
                Conversation.phone_number_id == phone_number_id, Conversation.participant_id == participant.id
            )
        )
        if conversation is None:
            conversation = Conversation(phone_number_id=phone_number_id, participant_id=participant.id)
            session.add(conversation)
            session.flush()
        sent_at = datetime.fromtimestamp(int(item["timestamp"]), UTC).replace(tzinfo=None)
        conversation.last_message_at = max(conversation.last_message_at or sent_at, sent_at)
        text = item.get("text", {}).get("body")
        session.add(
            Message(wamid=item["id"], conversation_id=conversation.id, type=item["type"], text=text, sent_at=sent_at)
        )
    for item in value.get("statuses", []):
        known = select(Status).where(Status.wamid == item["id"], Status.status == item["status"])
        if session.scalar(known) is None:
            at = datetime.fromtimestamp(int(item["timestamp"]), UTC).replace(tzinfo=None)
            session.add(Status(wamid=item["id"], status=item["status"], at=at))
