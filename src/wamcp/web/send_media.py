"""Sending files over HTTP: by link or id as JSON, or the file itself in a multipart form."""

from collections.abc import AsyncIterator
from pathlib import PurePosixPath
from typing import Any, TypeVar, cast

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from wamcp.errors import TooLarge
from wamcp.sending.told import SendAnswer
from wamcp.web.form import Form, FormFile
from wamcp.web.send import Key
from wamcp.web.send_asked import SendMedia, SendUpload
from wamcp.web.send_work import FORM, JSON, Kept, SendRoute, content_type, documented, hand_over, in_thread
from wamcp.whatsapp.outgoing.media import MAX_FILENAME, MediaType
from wamcp.whatsapp.outgoing.uploads import FIRST_BYTES, MAX_UPLOAD, Upload, check_upload

MAX_FORM = MAX_UPLOAD + 1024 * 1024
BLOCK = 1024 * 1024
"""Bytes that are written to disk at once, in a thread."""

_schema = SendMedia.model_json_schema(ref_template="#/components/schemas/{model}")
# What only this route uses is in no other part of the contract.
_schema["properties"]["media_type"] = _schema.pop("$defs")["MediaType"]
_form = {**_schema, "properties": {**_schema["properties"], "file": {"type": "string", "format": "binary"}}}
_content = {JSON: {"schema": _schema}, FORM: {"schema": _form}}

_Model = TypeVar("_Model", bound=SendMedia)

router = APIRouter(prefix="/send", tags=["send"], route_class=SendRoute, **documented)


@router.post("/media", openapi_extra={"requestBody": {"required": True, "content": _content}})
async def send_media(request: Request, response: Response, key: Key = None) -> SendAnswer:
    """Send an image, video, audio, document or sticker: by link, by Meta's id, or uploaded in a form."""
    if content_type(request) == JSON:
        return await hand_over(request, response, _read(SendMedia, await request.body()), key)
    stated = request.headers.get("content-length", "")
    _refuse_above(int(stated) if stated.isascii() and stated.isdecimal() else 0)
    with Form(request.headers["content-type"]) as form:
        async for block in _blocks(request):
            await in_thread(request, form.feed, block)
        if form.file is None:
            return await hand_over(request, response, _read(SendMedia, form.fields), key)
        given = _read(SendUpload, form.fields)
        if given.media_type == MediaType.DOCUMENT and given.filename is None:
            given.filename = _name_of(form.file)
        upload = await in_thread(request, _checked, given, form.file)
        return await hand_over(request, response, given, key, upload)


def _checked(given: SendMedia, sent: FormFile) -> Kept:
    """The file, where Meta takes it for this message. Raises :class:`NotSendable`."""
    given.part()
    first_bytes = sent.file.read(FIRST_BYTES)
    sent.file.seek(0)
    upload = Upload(sent.mime_type, sent.filename, sent.size, first_bytes)
    return Kept(cast(Any, sent.file), check_upload(given.media_type, upload, voice=given.voice), _name_of(sent))


def _name_of(sent: FormFile) -> str | None:
    """The name without the folders that some clients put before it; the end of one that is too long."""
    name = PurePosixPath((sent.filename or "").replace("\\", "/")).name
    return "".join(letter for letter in name if ord(letter) >= 32)[-MAX_FILENAME:].strip() or None


def _read(model: type[_Model], given: bytes | dict[str, str]) -> _Model:
    try:
        return model.model_validate_json(given) if isinstance(given, bytes) else model.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in found]) from None


async def _blocks(request: Request) -> AsyncIterator[bytes]:
    """The body in pieces of about a megabyte. Raises :class:`TooLarge` as soon as it is."""
    block, size = bytearray(), 0
    async for part in request.stream():
        size += len(part)
        _refuse_above(size)
        block += part
        if len(block) >= BLOCK:
            yield bytes(block)
            block.clear()
    yield bytes(block)


def _refuse_above(size: int) -> None:
    if size > MAX_FORM:
        raise TooLarge(f"The form is larger than {MAX_UPLOAD // 1024 // 1024} MB, which is the most that Meta takes.")
