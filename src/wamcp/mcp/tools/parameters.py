"""The parameters of the tools, each with the words that explain it to a model."""

from typing import Annotated, Literal

from pydantic import Field

from wamcp.vocabulary import DocumentState

ConversationId = Annotated[str, Field(max_length=40, description="Short id from list_conversations, such as c123.")]
Around = Annotated[
    str | None, Field(max_length=40, description="Centre the page on this message, such as m48210 from a search.")
]
MessageId = Annotated[
    str, Field(max_length=1000, description="Short id such as m48210 from other tools, or WhatsApp's wamid.")
]
DocumentId = Annotated[str, Field(max_length=40, description="Short id from list_documents or a search, such as d12.")]
FromPage = Annotated[int | None, Field(ge=1, le=1023, description="The page to begin at.")]
WithImage = Annotated[
    bool, Field(description="Also show the picture itself, when the file is a small JPEG, PNG or WebP and allowed.")
]
InFileName = Annotated[
    str | None, Field(max_length=200, description="Letters in the file's name; for words inside, use search_messages.")
]
OnlyInvoices = Annotated[Literal["invoice"] | None, Field(description="invoice: only invoices and receipts.")]
FileType = Annotated[
    str | None,
    Field(max_length=100, description="Only this type: pdf, image, audio, docx, xlsx, pptx, or a whole MIME type."),
]
OnlyState = Annotated[
    DocumentState | None, Field(description="Only those in this state: done has text, pending waits to be read.")
]
OnlyIn = Annotated[str | None, Field(max_length=40, description="Only in this conversation, such as c123.")]
Contact = Annotated[
    str | None, Field(max_length=200, description="Part of the contact's name, username or phone number.")
]
BusinessNumber = Annotated[
    str | None, Field(max_length=50, description="Only this number of the business; get_status names them.")
]
After = Annotated[
    str | None, Field(max_length=40, description="Only from this ISO 8601 date or time on (UTC), e.g. 2026-11-01.")
]
Before = Annotated[
    str | None,
    Field(max_length=40, description="Only before this ISO 8601 date or time (UTC), e.g. 2026-11-20T12:00Z."),
]
ActiveAfter = Annotated[
    str | None, Field(max_length=40, description="Only with a message since this ISO 8601 date or time (UTC).")
]
Unanswered = Annotated[bool, Field(description="Only where the last word is the customer's.")]
Order = Annotated[Literal["newest", "oldest"], Field(description="Which end to begin at.")]
Sort = Annotated[Literal["newest"], Field(description="Newest first is the only order.")]
Words = Annotated[
    str, Field(min_length=1, max_length=200, description="Words that people typed, not concepts; all must occur.")
]
OnlyDirection = Annotated[
    Literal["inbound", "outbound"] | None, Field(description="inbound: from customers; outbound: from the business.")
]
OnlyType = Annotated[
    str | None, Field(max_length=40, description="Only this WhatsApp type, such as text, image, document.")
]
SearchedIn = Annotated[
    Literal["all", "messages", "documents"],
    Field(description="messages: what was written; documents: the text of files sent along; all: both."),
]
UpTo100 = Annotated[int | None, Field(ge=1, le=100, description="Rows per page, 1 to 100.")]
UpTo50 = Annotated[int | None, Field(ge=1, le=50, description="Hits per page, 1 to 50.")]
UpTo200 = Annotated[int | None, Field(ge=1, le=200, description="Rows at most, 1 to 200.")]
GroupedBy = Annotated[
    Literal["day", "conversation", "direction", "type", "status"], Field(description="What each row stands for.")
]
Format = Annotated[
    Literal["concise", "detailed"],
    Field(description="concise: rows of text under their days. detailed: objects with type, status, flags, links."),
]
Cursor = Annotated[
    str | None,
    Field(max_length=400, description="next_cursor of the page before; keep the other parameters as they were."),
]
