"""Search: what is found, in any language, and what is not."""

from datetime import timedelta

import pytest

from tests.factories import ADMIN, NOON, Archive, grant, minutes
from wamcp.archive import substring
from wamcp.archive.asking import asking
from wamcp.archive.search import SearchQuery, search
from wamcp.archive.searched import MESSAGES
from wamcp.archive.views import SearchPage
from wamcp.db.session import Pool
from wamcp.errors import BadCursor, NotVisible, Rejected, TooSlow

TEXTS = [
    "Your invoice INV-2026-000123 over 1.234,56 EUR is attached",
    "the purchase order was sent to ana@example.com yesterday",
    "order the purchase, call +1 555 0100",
    "café crème pour l'École",
    "السَّلامُ عليكم، أين الفاتورة رقم ١٢٣؟",
    "שָׁלוֹם עולם",
    "हिन्दी में चालान भेजिए",
    "我爱中国的iPhone手机",
    "ありがとうございます。",
    "สวัสดีครับ ขอใบเสร็จ",
    "100% sure, a_b \\ c",
    "👍",
    "it's O'Neill's \"quoted\" thing",
    "Привет, Алёна",
]


@pytest.fixture
def filled(archive: Archive) -> Archive:
    conversation = archive.conversation()
    for n, text in enumerate(TEXTS):
        archive.message(conversation, text, NOON + minutes(n))
    return archive


def asked(reader: Pool, text: str, **filters: object) -> SearchPage:
    with asking(reader) as connection:
        return search(connection, ADMIN, SearchQuery(text, **filters))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("invoice", [0]),
        ("INVOICE attached", [0]),
        ("INV-2026-000123", [0]),
        ("000123", [0]),
        ("1.234,56", [0]),
        ("invo*", [0]),
        ("inv-2026*", [0]),
        ("purchase order", [2, 1]),
        ('"purchase order"', [1]),
        ("ana@example.com", [1]),
        ("+1 555 0100", [2]),
        ("ecole CAFE", [3]),
        ("السلام", [4]),
        ("الفاتوره 123", [4]),
        ("שלום", [5]),
        ("हिन्दी", [6]),
        ("中国", [7]),
        ("爱中国", [7]),
        ("国", [7]),
        ("机", [7]),
        ("iphone手机", [7]),
        ("ありがとう", [8]),
        ("ございます", [8]),
        ("ใบเสร็จ", [9]),
        ("ครับ", [9]),
        ("o'neill", [12]),
        ("алена", [13]),
    ],
)
def test_words_are_found(filled: Archive, reader: Pool, text: str, places: list[int]) -> None:
    found = asked(reader, text)
    assert [item.text for item in found.items] == [TEXTS[place] for place in places]
    assert found.matched_by == "words"
    assert found.covered is None


@pytest.mark.parametrize("text", ["中人", "ัส"])
def test_characters_in_another_order_are_no_match(filled: Archive, reader: Pool, text: str) -> None:
    assert all(text in item.text for item in asked(reader, text).items)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("nvoic", [0]),
        ("FÉ CRÈ", [3]),
        ("👍", [11]),
        ("100%", [10]),
        ("%", [10]),
        ("a_", [10]),
        ("\\", [10]),
        ("urchas rde", [2, 1]),
        ("zzz", []),
        ("\u0301", []),
        ("n_oice", []),
        ("inv%ice", []),
    ],
)
def test_letters_are_found_when_words_are_not(filled: Archive, reader: Pool, text: str, places: list[int]) -> None:
    found = asked(reader, text)
    if found.matched_by == "substring":
        assert found.covered is not None
        assert "every message and document" in found.covered
    assert [item.text for item in found.items] == [TEXTS[place] for place in places]


def test_looking_for_letters_goes_on_beyond_its_bound(
    filled: Archive, reader: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(substring.NEWEST_ROWS, MESSAGES, 5)
    seen, cursor = [], None
    for _ in range(4):
        found = asked(reader, "nvoic", cursor=cursor)
        seen += [item.text for item in found.items]
        cursor = found.next_cursor
        if cursor is None:
            break
        assert found.covered is not None
        assert "next_cursor" in found.covered
    assert seen == [TEXTS[0]]
    assert cursor is None


def test_an_index_makes_letters_cover_everything(
    filled: Archive, reader: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.connection.execute(
        "CREATE INDEX messages_substring ON messages USING gin (public.wa_norm(text) public.gin_trgm_ops)"
    )
    monkeypatch.setitem(substring.NEWEST_ROWS, MESSAGES, 5)
    found = asked(reader, "nvoic")
    assert [item.text for item in found.items] == [TEXTS[0]]
    assert found.next_cursor is None


def test_words_are_found_inside_documents(archive: Archive, reader: Pool) -> None:
    conversation = archive.conversation()
    before, carrier, after = (
        archive.message(conversation, text, NOON + minutes(n), kind=kind)
        for n, (text, kind) in enumerate([("the parcel", "text"), ("scan.pdf", "document"), ("parcel again", "text")])
    )
    pages = ["nothing here", "where is the Parcel?", *["parcel"] * 12, ""]
    document = archive.document(carrier, pages, confidence=0.75)
    items = asked(reader, "parcel").items
    assert [item.id for item in items] == [after, carrier, before]
    hit = items[1].document
    assert hit is not None and items[0].document is items[2].document is None
    assert (hit.id, hit.file_name, hit.mime_type) == (document, "scan.pdf", "application/pdf")
    assert (hit.pages, hit.page_count) == (tuple(range(2, 12)), 13)
    assert hit.snippet == "where is the Parcel?" and hit.confidence == 0.75
    assert [item.id for item in asked(reader, "parcel", search_in="messages").items] == [after, before]
    assert [item.id for item in asked(reader, "parcel", search_in="documents").items] == [carrier]
    letters = asked(reader, "arce")
    assert letters.matched_by == "substring" and letters.items == items
    assert letters.covered is not None and "message and document" in letters.covered
    assert asked(reader, "nothing parcel", search_in="documents").items == [], "the words stand on different pages"


def test_a_message_is_not_told_beside_its_document(archive: Archive, reader: Pool) -> None:
    conversation = archive.conversation()
    carrier = archive.message(conversation, "parcel.pdf the parcel list", kind="document")
    lone = archive.message(conversation, "parcel.pdf", NOON + minutes(1), kind="document")
    archive.document(lone, ["something else"])
    documents = [archive.document(carrier, ["parcel 1"]), archive.document(carrier, ["parcel 2"])]
    found = [(item.id, item.document and item.document.id) for item in asked(reader, "parcel").items]
    assert found == [(lone, None), (carrier, documents[1]), (carrier, documents[0])]
    cursor, seen = None, []
    while True:
        page = asked(reader, "parcel", limit=1, cursor=cursor)
        seen += [(item.id, item.document and item.document.id) for item in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert seen == found


def test_who_may_not_see_documents_learns_of_none(archive: Archive, reader: Pool) -> None:
    conversation = archive.conversation()
    carrier = archive.message(conversation, "look at this", kind="document")
    archive.message(conversation, "a word", NOON + minutes(1))
    bearer = grant(documents=False)
    questions = [
        SearchQuery(text, search_in=search_in)
        for text in ("secret", "ecre", "word")
        for search_in in ("all", "documents", "messages")
    ]

    def answers() -> list[SearchPage]:
        with asking(reader) as connection:
            return [search(connection, bearer, query) for query in questions]

    without = answers()
    archive.document(carrier, ["the secret word"])
    assert answers() == without
    with asking(reader) as connection:
        assert search(connection, grant(since=NOON + minutes(1)), SearchQuery("secret")).items == []
        assert search(connection, grant(numbers=frozenset()), SearchQuery("secret")).items == []
        assert search(connection, grant(), SearchQuery("secret")).items[0].document is not None


def test_the_snippet_of_a_long_page_is_around_the_match(archive: Archive, reader: Pool) -> None:
    carrier = archive.message(archive.conversation(), "long", kind="document")
    filler = "lorem ipsum dolor " * 1_000
    archive.document(carrier, [f"{filler}the Été invoice {filler}"])
    for text in ("invoice", "ete", "nvoic"):
        found = asked(reader, text)
        assert found.items[0].document is not None
        snippet = found.items[0].document.snippet
        assert "Été invoice" in snippet and len(snippet) <= 1_200 and snippet.startswith(("lorem", "ipsum", "dolor"))


def test_reading_pages_for_letters_is_bounded_by_bytes(
    archive: Archive, reader: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = archive.conversation()
    for n in range(4):
        carrier = archive.message(conversation, "x", NOON + minutes(n), kind="document")
        archive.document(carrier, ["first " * 100, "the invoice"])
    monkeypatch.setattr(substring, "NEWEST_BYTES", 700)
    cursor, seen, pages = None, [], 0
    while pages < 10:
        found = asked(reader, "nvoic", cursor=cursor)
        seen += [item.document.id for item in found.items if item.document]
        pages += 1
        if (cursor := found.next_cursor) is None:
            break
        assert found.covered is not None and "back to" in found.covered
    assert len(seen) == len(set(seen)) == 4 and 2 <= pages < 10
    archive.connection.execute(
        "CREATE INDEX document_pages_substring ON document_pages USING gin (public.wa_norm(text) public.gin_trgm_ops)"
    )
    found = asked(reader, "nvoic")
    assert len(found.items) == 4 and found.next_cursor is None


def test_filters_narrow_what_is_found(archive: Archive, reader: Pool) -> None:
    first, second = (
        archive.conversation(archive.number("111", "+1 555 0111")),
        archive.conversation(archive.number("222")),
    )
    a = archive.message(first, "ok", NOON)
    b = archive.message(first, "ok", NOON + minutes(1), outbound=True)
    c = archive.message(second, "ok", NOON + timedelta(days=3), kind="image")

    def ids(**filters: object) -> list[int]:
        return [item.id for item in asked(reader, "ok", **filters).items]

    assert ids() == [c, b, a]
    assert ids(conversation_id=first) == [b, a]
    assert ids(number="222") == [c]
    assert ids(direction="outbound") == [b]
    assert ids(type="image") == [c]
    assert ids(after=NOON + minutes(1)) == [c, b]
    assert ids(before=NOON + minutes(1)) == [a]
    assert ids(number="222", before=NOON) == []
    with pytest.raises(Rejected, match="inbound or outbound"):
        ids(direction="sideways")
    with pytest.raises(NotVisible):
        ids(conversation_id=10**12)


def test_a_type_of_any_length_and_spelling_is_kept_and_found(archive: Archive, reader: Pool) -> None:
    conversation = archive.conversation()
    kinds = ["it's \\ a:b & 'c'", "", "x" * 3000, "x" * 3001, "漢" * 3000, "Image", "image"]
    made = {kind: archive.message(conversation, "ok", NOON + minutes(n), kind=kind) for n, kind in enumerate(kinds)}
    for kind, row_id in made.items():
        found = asked(reader, "ok", type=kind)
        assert [item.id for item in found.items] == ([row_id] if kind else list(made.values())[::-1])


@pytest.mark.parametrize("text", ["image", "imag*", "/imag*", "/image", '"/image"', "\u2044image", "\uff0fimage", "*"])
def test_the_type_is_no_word_of_a_message(archive: Archive, reader: Pool, text: str) -> None:
    archive.message(archive.conversation(), "ok", kind="image")
    for kind in (None, "image"):
        assert asked(reader, text, type=kind).items == []


def test_the_type_leaves_the_words_in_their_places(archive: Archive, reader: Pool) -> None:
    made = archive.message(archive.conversation(), "the purchase order was sent", kind="image")
    assert archive.connection.execute("SELECT tsv::text FROM messages").fetchone() == (
        "'/image' 'order':3 'purchase':2 'sent':5 'the':1 'was':4",
    )
    assert [item.id for item in asked(reader, '"purchase order" "was sent"', type="image").items] == [made]
    assert asked(reader, '"purchase was"', type="image").items == []


def test_no_character_becomes_a_slash_in_a_word(archive: Archive) -> None:
    found = archive.connection.execute(
        "SELECT n FROM generate_series(1, 1114111) AS n WHERE n NOT BETWEEN 55296 AND 57343"
        " AND public.unaccent(chr(n)) LIKE '%/%' AND public.wa_tsv(chr(n) || 'image')::text LIKE '%''/%'"
    ).fetchall()
    assert found == []


def test_a_search_is_read_page_by_page(archive: Archive, reader: Pool) -> None:
    conversation = archive.conversation()
    made = [archive.message(conversation, "ok", NOON + minutes(n // 3)) for n in range(10)]
    seen: list[int] = []
    cursor = None
    while True:
        found = asked(reader, "ok", limit=3, cursor=cursor)
        seen += [item.id for item in found.items]
        cursor = found.next_cursor
        if cursor is None:
            break
    assert seen == made[::-1]
    first = asked(reader, "ok", limit=3).next_cursor
    with pytest.raises(BadCursor):
        asked(reader, "thx", cursor=first)


def test_a_bearer_finds_only_what_it_may_see(archive: Archive, reader: Pool) -> None:
    mine, theirs = archive.conversation(archive.number("111")), archive.conversation(archive.number("222"))
    archive.message(mine, "secret word", NOON - timedelta(days=1))
    visible = archive.message(mine, "secret word", NOON)
    archive.message(theirs, "secret word", NOON + minutes(1))
    bearer = grant(numbers=frozenset({"111"}), since=NOON)
    with asking(reader) as connection:
        for text in ("secret", "ecre"):
            assert [item.id for item in search(connection, bearer, SearchQuery(text)).items] == [visible]
        with pytest.raises(NotVisible):
            search(connection, bearer, SearchQuery("secret", conversation_id=theirs))
        with pytest.raises(NotVisible):
            search(connection, bearer, SearchQuery("secret", number="222"))
        assert search(connection, grant(numbers=frozenset()), SearchQuery("ecre")).items == []


def test_a_search_that_takes_too_long_says_how_to_narrow_it(reader: Pool) -> None:
    with pytest.raises(TooSlow, match="narrow"), asking(reader) as connection:
        connection.execute("SET LOCAL statement_timeout = 20")
        connection.execute("SELECT pg_sleep(5)")


def test_the_reader_cannot_write_and_reads_one_snapshot(archive: Archive, reader: Pool) -> None:
    with asking(reader) as connection:
        before = connection.execute("SELECT count(*) FROM conversations").fetchone()
        archive.conversation()
        assert connection.execute("SELECT count(*) FROM conversations").fetchone() == before
        shown = [connection.execute(f"SHOW {name}").fetchone() for name in ("transaction_read_only", "plan_cache_mode")]
    assert shown == [("on",), ("force_custom_plan",)]
