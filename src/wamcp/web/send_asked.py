"""What people post to be sent, and how each of it becomes Meta's JSON."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from wamcp.errors import NotSendable
from wamcp.whatsapp.outgoing import envelope, interactive, media, recipient
from wamcp.whatsapp.outgoing.contacts import contacts_part
from wamcp.whatsapp.outgoing.location import location_part
from wamcp.whatsapp.outgoing.media import MediaType
from wamcp.whatsapp.outgoing.reaction import reaction_part
from wamcp.whatsapp.outgoing.recipient import To
from wamcp.whatsapp.outgoing.template import template_part
from wamcp.whatsapp.outgoing.text import text_part

Part = dict[str, Any] | list[Any]
MessageId = Annotated[str, Field(min_length=1, max_length=400, description="A wamid, or `m123`.")]
OurNumber = Annotated[
    str | None,
    Field(
        alias="from", max_length=60, description="Our number: Meta's id of it, or the number. None for the only one."
    ),
]
Named = {"type": "object", "additionalProperties": {"type": "string"}}
Parameters = Annotated[
    list[Any] | dict[str, Any],
    WithJsonSchema({"anyOf": [{"type": "array", "items": {"anyOf": [{"type": "string"}, Named]}}, Named]}),
]


class Strict(BaseModel):
    """A body that refuses keys it does not know, so that no misspelt one goes unnoticed."""

    model_config = ConfigDict(extra="forbid")


class ToGroup(Strict):
    """A group, by Meta's id of it."""

    group: str = Field(max_length=400)


class SendCommon(Strict):
    """What every message has."""

    to: str | ToGroup = Field(
        description="A phone number with its country code, a BSUID exactly as Meta wrote it, or a group id.",
        examples=["15555550100"],
    )
    recipient_type: Literal["individual", "group"] | None = Field(None, description="`group` when `to` is a group id.")
    sender: OurNumber = None
    require_open_window: bool = Field(False, description="Refuse it when the 24-hour window is known to be closed.")

    @property
    def kind(self) -> str:
        """Meta's word for the type of message."""
        raise NotImplementedError

    @property
    def refers_to(self) -> str | None:
        """The message that this one is about, as it was written: a wamid or ``m123``."""
        return None

    def address(self) -> To:
        """Whom ``to`` names. Raises :class:`NotSendable`."""
        if isinstance(self.to, ToGroup):
            if self.recipient_type == "individual":
                raise NotSendable("recipient_type", "is individual, but to names a group; leave it out")
            return recipient.group(self.to.group)
        if self.recipient_type == "group":
            return recipient.group(self.to)
        return recipient.person(self.to)

    def our_number(self) -> str | None:
        """Our number as digits. Raises :class:`NotSendable`."""
        return recipient.our_number(self.sender) if self.sender is not None else None

    def part(self) -> Part:
        """Meta's part for the type. Raises :class:`NotSendable`."""
        raise NotImplementedError

    def body(self, wamid: str | None) -> dict[str, Any]:
        """Meta's whole JSON; ``wamid`` is that of :attr:`refers_to`. Raises :class:`NotSendable`."""
        return envelope.message(self.address(), self.kind, self.part(), wamid)


class SendReplying(SendCommon):
    """What may quote another message."""

    reply_to: MessageId | None = None

    @property
    def refers_to(self) -> str | None:
        """The message that is quoted."""
        return self.reply_to


class SendText(SendReplying):
    """Plain text of at most 4,096 characters; `preview_url` shows what its first link leads to."""

    body_: str = Field(alias="body")
    preview_url: bool = False

    @property
    def kind(self) -> str:
        """Meta's word."""
        return "text"

    def part(self) -> Part:
        """Meta's part."""
        return text_part(self.body_, self.preview_url)


class MediaHeader(Strict):
    """An image, a video or a document above the text, by https link or by Meta's id."""

    media_type: Literal["image", "video", "document"]
    media_url: str | None = None
    media_id: str | None = None
    filename: str | None = None

    def part(self) -> dict[str, Any]:
        """Meta's header. Raises :class:`NotSendable`."""
        return media.header_of(self.media_type, media.source_of(self.media_url, self.media_id), self.filename)


class SendTemplate(SendReplying):
    """A template as approved by Meta, and what fills in its variables."""

    template_name: str
    language_code: str = Field(description="Exactly as approved: `en` and `en_US` are different.", examples=["en_US"])
    parameters: Parameters | None = Field(None, description="For the body: strings by position, or an object by name.")
    header: MediaHeader | None = None
    components: list[dict[str, Any]] | None = Field(None, description="Meta's own, instead of parameters and header.")

    @property
    def kind(self) -> str:
        """Meta's word."""
        return "template"

    def part(self) -> Part:
        """Meta's part."""
        return template_part(
            self.template_name,
            self.language_code,
            parameters=self.parameters,
            components=self.components,
            header=self.header.part() if self.header is not None else None,
        )


class SendMedia(SendReplying):
    """A file by https link, which Meta fetches, or by Meta's id; in a multipart form also the file itself."""

    media_type: MediaType
    media_url: str | None = Field(None, description="A public https link.")
    media_id: str | None = Field(None, description="Meta's id of an upload.")
    caption: str | None = Field(None, description="At most 1,024 characters; not for audio and stickers.")
    filename: str | None = Field(None, description="Under which a document is shown.")
    voice: bool = Field(False, description="Show audio as a voice message; it has to be Ogg with Opus.")

    @property
    def kind(self) -> str:
        """Meta's word."""
        return self.media_type.value

    def part(self) -> Part:
        """Meta's part."""
        return self._part(is_uploaded=False)

    def _part(self, *, is_uploaded: bool) -> dict[str, Any]:
        source = media.source_of(self.media_url, self.media_id, is_uploaded=is_uploaded)
        return media.media_part(self.media_type, source, caption=self.caption, filename=self.filename, voice=self.voice)


class SendUpload(SendMedia):
    """The same with a file beside it; Meta's id of it comes into the part when it is uploaded."""

    def part(self) -> Part:
        """Meta's part, without id or link."""
        return self._part(is_uploaded=True)


class SendLocation(SendReplying):
    """A place: degrees, and what is written under the pin."""

    latitude: float
    longitude: float
    name: str | None = None
    address_: str | None = Field(None, alias="address")

    @property
    def kind(self) -> str:
        """Meta's word."""
        return "location"

    def part(self) -> Part:
        """Meta's part."""
        return location_part(self.latitude, self.longitude, self.name, self.address_)


class SendContacts(SendReplying):
    """Contact cards: Meta's, or short ones like `{"name": "Ana Prado", "phones": ["+1 555 010 0001"]}`."""

    contacts: list[dict[str, Any]]

    @property
    def kind(self) -> str:
        """Meta's word."""
        return "contacts"

    def part(self) -> Part:
        """Meta's part."""
        return contacts_part(self.contacts)


class SendReaction(SendCommon):
    """One emoji under a message; an empty one takes it back."""

    message_id: MessageId
    emoji: str = Field(max_length=40)

    @property
    def kind(self) -> str:
        """Meta's word."""
        return "reaction"

    @property
    def refers_to(self) -> str | None:
        """The message that gets the emoji."""
        return self.message_id

    def body(self, wamid: str | None) -> dict[str, Any]:
        """Meta's JSON; reactions quote nothing."""
        return envelope.message(self.address(), self.kind, reaction_part(wamid or self.message_id, self.emoji))


class SendTappable(SendReplying):
    """What every kind of interactive message has around what is tapped."""

    body_: str = Field(alias="body")
    header: str | MediaHeader | None = None
    footer: str | None = Field(None, description="At most 60 characters.")

    @property
    def kind(self) -> str:
        """Meta's word."""
        return "interactive"

    def around(self) -> interactive.Around:
        """The same as the builders take it. Raises :class:`NotSendable`."""
        header = self.header.part() if isinstance(self.header, MediaHeader) else self.header
        return interactive.Around(self.body_, header, self.footer)


class ReplyButton(Strict):
    """A button; `id` comes back in the webhook."""

    id: str
    title: str


class SendButtons(SendTappable):
    """Up to three buttons under at most 1,024 characters."""

    interactive_type: Literal["buttons"]
    buttons: list[ReplyButton]

    def part(self) -> Part:
        """Meta's part."""
        buttons = [interactive.Button(button.id, button.title) for button in self.buttons]
        return interactive.buttons_part(self.around(), buttons)


class ListRow(Strict):
    """An entry of a list; `id` comes back in the webhook."""

    id: str
    title: str
    description: str | None = None


class ListSection(Strict):
    """Rows under a title."""

    title: str | None = None
    rows: list[ListRow]


class SendList(SendTappable):
    """A button that opens up to ten rows."""

    interactive_type: Literal["list"]
    button: str
    sections: list[ListSection]

    def part(self) -> Part:
        """Meta's part."""
        sections = [
            interactive.Section(
                [interactive.Row(row.id, row.title, row.description) for row in section.rows], section.title
            )
            for section in self.sections
        ]
        return interactive.list_part(self.around(), self.button, sections)


class SendLink(SendTappable):
    """A button that opens a web address."""

    interactive_type: Literal["cta_url"]
    display_text: str
    url: str

    def part(self) -> Part:
        """Meta's part."""
        return interactive.link_part(self.around(), self.display_text, self.url)


SendInteractive = Annotated[SendButtons | SendList | SendLink, Field(discriminator="interactive_type")]


class MarkRead(Strict):
    """A message that was read, and whether somebody writes an answer."""

    message_id: MessageId
    typing: bool = False
    sender: OurNumber = None

    def our_number(self) -> str | None:
        """Our number as digits. Raises :class:`NotSendable`."""
        return recipient.our_number(self.sender) if self.sender is not None else None


class MarkedRead(BaseModel):
    """What was marked, as it was asked for."""

    message_id: str
    typing: bool
