"""Which language a text is in: by its script, or by little words and those of bills."""

import re
import unicodedata
from collections import Counter

_LETTERS = 4000
_WORD = re.compile(r"[^\W\d_]+")
_ENOUGH_WORDS = 3
"""Fewer little words than this prove nothing."""
_LEAD = 1.2
"""How much more of them the best language must have than the second."""
_SCRIPTS = {
    "ARABIC": "ar", "HEBREW": "he", "DEVANAGARI": "hi", "THAI": "th", "HANGUL": "ko", "HIRAGANA": "ja",
    "KATAKANA": "ja", "GREEK": "el", "BENGALI": "bn", "TAMIL": "ta", "CJK": "zh", "CYRILLIC": "ru", "LATIN": "",
    "ARMENIAN": "hy", "GEORGIAN": "ka", "TELUGU": "te", "GUJARATI": "gu",
}  # fmt: skip
_LITTLE_WORDS = {
    "en": "the and of to in is for on with this that are be at as by from or your you it not have we will was our "
    "invoice date amount payment order due tax price",
    "pt": "o de que e do da em um para com não uma os no se na por mais as dos ao das foi seu sua ou pelo à são você "
    "fatura nota data valor pagamento pedido preço fiscal",
    "es": "el la de que y en los del se las por un para con no una su al lo como más este ha o sus sobre le usted son "
    "factura fecha importe pago pedido precio iva cliente",
    "fr": "le la de et les des en un une du est que dans pour qui sur au par pas plus ce ne se sont avec vous nous "
    "facture montant paiement commande prix tva client ttc",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus wir "
    "rechnung datum betrag zahlung bestellung preis mwst kunde menge",
    "it": "il di che e la per un in del è da con non della sono le al si dei una come più alla nel gli i lo ha delle "
    "fattura data importo pagamento ordine prezzo iva cliente",
    "nl": "de het een van en in is dat op te zijn met voor niet aan er om ook als bij door naar uw wij u we deze of "
    "factuur datum bedrag betaling bestelling prijs btw klant aantal",
    "la": "et in non est sed ad ut cum ex qui quod per ab aut enim sit quae ac nec atque ipsum",
    "id": "dan yang di untuk dengan ini dari pada tidak dalam itu akan adalah ke oleh anda kami sudah atau saya",
    "tr": "ve bir bu için ile da de olarak çok daha en gibi olan ne var kadar sonra mi değil veya",
    "pl": "i w na z się nie do to że jest o po za od przez dla oraz jak są ale lub",
    "sv": "och att det som en på är av för med till den har inte om ett från eller vi kan",
    "vi": "và của là có cho không được các một trong người với này để những đã",
}
_CYRILLIC = {
    "ru": "и в не на что с по для как это от к из или за мы вы ваш при до",
    "uk": "і в не на що з та для як це від до із або за ми ви ваш при є",
}
_ARABIC_FA = "پچژگکی"


def language_of(text: str) -> str | None:
    """The ISO 639-1 code of the language of ``text``, None where it is too short or too mixed to tell."""
    scripts = _scripts(text)
    if not scripts:
        return None
    script, count = scripts.most_common(1)[0]
    if scripts["ja"] and scripts["ja"] >= 0.1 * (scripts["ja"] + scripts["zh"]) and script in ("ja", "zh"):
        return "ja"
    if count < 10 and script == "":
        return None
    if script == "":
        return _by_words(text, _LITTLE_WORDS)
    if script == "ru":
        return _by_words(text, _CYRILLIC)
    if script == "ar":
        return "fa" if sum(text.count(letter) for letter in _ARABIC_FA[:4]) > 0.01 * count else "ar"
    return script


def _scripts(text: str) -> Counter[str]:
    """Letters by the language that their script stands for ("" is Latin), from the beginning of the text."""
    found: Counter[str] = Counter()
    for character in filter(str.isalpha, text[: 4 * _LETTERS]):
        if character.isascii():
            found[""] += 1
            continue
        name = unicodedata.name(character, "").split(" ")[0]
        if name in _SCRIPTS:
            found[_SCRIPTS[name]] += 1
    return found


def known_words(text: str) -> int:
    """How many words of ``text`` are little words of the one language that has most of them."""
    return max(max(_scores(text, languages).values()) for languages in (_LITTLE_WORDS, _CYRILLIC))


def _scores(text: str, languages: dict[str, str]) -> dict[str, int]:
    words = Counter(_WORD.findall(text[: 20 * _LETTERS].lower()))
    return {code: sum(words[word] for word in little.split()) for code, little in languages.items()}


def _by_words(text: str, languages: dict[str, str]) -> str | None:
    scores = _scores(text, languages)
    ranked = sorted(scores, key=lambda code: scores[code], reverse=True)
    best, second = scores[ranked[0]], scores[ranked[1]]
    return ranked[0] if best >= _ENOUGH_WORDS and best >= _LEAD * second else None
