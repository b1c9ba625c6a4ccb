"""Only what Meta signed with one of our secrets comes in."""

import pytest

from wamcp.whatsapp.signature import is_valid, sign

SECRET = b"test_app_secret"
BODY = b'{"object":"whatsapp_business_account","entry":[]}'
HEX = b"dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756"


def test_the_documented_vectors_verify() -> None:
    spaced = b'{"object": "whatsapp_business_account", "entry": []}'
    assert is_valid([b"sha256=" + HEX], BODY, [SECRET])
    assert is_valid([b"sha256=56cbbaf4961c6cfdae48b7f116c047e5eb513d2c931baae63a2bc1afd26f803a"], spaced, [SECRET])
    assert is_valid(
        [b"sha256=769b03d8c2ae6498f2d1e1f7299c0ba55448c69d741e7b0bb243d852d8a8d8c7"], BODY, [b"otro_secreto"]
    )


def test_any_of_several_secrets_will_do_while_one_is_replaced() -> None:
    header = [sign(BODY, b"old").encode()]
    assert is_valid(header, BODY, [b"new", b"old"])
    assert not is_valid(header, BODY, [b"new"])


def test_without_a_secret_nothing_is_valid() -> None:
    assert not is_valid([b"sha256=" + HEX], BODY, [])
    assert not is_valid([sign(BODY, b"").encode()], BODY, [b""])


def test_one_changed_byte_of_the_body_is_refused() -> None:
    assert not is_valid([b"sha256=" + HEX], BODY + b" ", [SECRET])


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [b""],
        [HEX],
        [b"sha1=" + HEX],
        [b"SHA256=" + HEX],
        [b"sha256=" + HEX[:-1]],
        [b"sha256=" + HEX + b"0"],
        [b"sha256=" + HEX + b"\n"],
        [b" sha256=" + HEX],
        [b"sha256=" + HEX[:-2] + "é".encode()],
        [b"sha256=" + "٣".encode() * 32],
        [b"sha256=" + HEX, b"sha256=" + HEX],
    ],
)
def test_a_header_of_another_form_is_refused_without_an_error(headers: list[bytes]) -> None:
    assert not is_valid(headers, BODY, [SECRET])
