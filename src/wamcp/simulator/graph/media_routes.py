"""Media over HTTP: upload, metadata, download and deletion, and the ways in which they go wrong."""

import json
from typing import Any

from starlette.responses import Response

from wamcp.simulator.graph.call import MESSAGING, Call
from wamcp.simulator.graph.media import Media, bare, check_upload, hash_of
from wamcp.simulator.graph.trouble import Trouble, missing, no_object, trouble

TRUNCATED = "truncated"


async def upload(call: Call) -> dict[str, Any]:
    """``POST /{number}/media``: keeps the file of a multipart form, answers its id."""
    call.authorize(MESSAGING)
    account = call.world.account
    if call.node not in account.numbers:
        raise no_object(call.node)
    if call.parameter("messaging_product") != "whatsapp":
        raise Trouble(100, "The parameter messaging_product is required.")
    if call.file is None:
        raise Trouble(100, "The parameter file is required.")
    stated = str(call.parameter("type") or call.file.mime)
    if call.file.mime and bare(stated) != bare(call.file.mime):
        raise trouble(131053, f"type is {stated}, but the part of the form says {call.file.mime}.")
    check_upload(stated, len(call.file.content))
    media = call.world.media.add(call.file.content, stated, call.node, account.media_seconds)
    return {"id": media.id}


async def describe(call: Call) -> dict[str, Any]:
    """``GET /{media}``: the type, size and hash, and a URL that is good for five minutes."""
    call.authorize(MESSAGING)
    media = _found(call)
    account = call.world.account
    seconds = 0 if call.spoil == "expired" else account.media_url_seconds
    return {
        "messaging_product": "whatsapp",
        "url": call.base_url + call.world.media.link(media, seconds),
        "mime_type": media.mime,
        "sha256": hash_of(media, account.media_sha256, wrong=call.spoil == "wrong_hash"),
        "file_size": len(media.content),
        "id": media.id,
    }


async def remove(call: Call) -> dict[str, Any]:
    """``DELETE /{media}``."""
    call.authorize(MESSAGING)
    call.world.media.remove(_found(call).id)
    return {"success": True}


async def download(call: Call) -> Response:
    """``GET /_media/{name}``: the bytes; 401 without the token, 404 when the URL has expired."""
    if call.token_state() != "valid":
        return _plain(401, "The download needs the access token.")
    media = call.world.media.at(call.node)
    if media is None or call.spoil == "expired":
        return _plain(404, "This URL has expired.")
    content = media.content
    if call.spoil == "wrong_hash" and content:
        content = bytes([content[0] ^ 1]) + content[1:]
    return Response(content, media_type=media.mime)


async def put_in(call: Call) -> dict[str, Any]:
    """``POST /_simulator/media``: keeps raw bytes as if a customer had sent them; answers what a webhook says.

    ``id`` names the file as a webhook does that is told elsewhere.
    """
    mime = call.query.get("mime") or "application/octet-stream"
    if not isinstance(call.body, bytes):
        raise missing("body")
    seconds = call.world.account.inbound_media_seconds
    media = call.world.media.add(call.body, mime, None, seconds, media_id=call.query.get("id") or None)
    return {"id": media.id, "mime_type": mime, "sha256": hash_of(media, "base64")}


def _found(call: Call) -> Media:
    media = call.world.media.find(call.node)
    wanted = call.query.get("phone_number_id")
    if media is None or (wanted is not None and media.number not in (None, wanted)):
        raise no_object(call.node, call.method)
    return media


def _plain(status: int, words: str) -> Response:
    return Response(json.dumps({"error": words}), status, media_type="application/json")
