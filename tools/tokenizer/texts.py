"""The texts that record.py has tokenised: many scripts and everything that splits or joins characters.

A pure function of its seed, but for the pieces of the repository's own files.
"""

import pathlib
import unicodedata

ROOT = pathlib.Path(__file__).resolve().parents[2]
NUM_TEXTS = 10_000

# fmt: off
# First and last code point of the blocks that texts are drawn from; of them only what this Python knows.
BLOCKS = {
    "Latin": (0x41, 0x24F), "IPA": (0x250, 0x2FF), "Greek": (0x370, 0x3FF), "Cyrillic": (0x400, 0x52F),
    "Armenian": (0x530, 0x58F), "Hebrew": (0x590, 0x5FF), "Arabic": (0x600, 0x6FF), "Syriac": (0x700, 0x74F),
    "Thaana": (0x780, 0x7BF), "NKo": (0x7C0, 0x7FF), "Samaritan": (0x800, 0x83F), "Mandaic": (0x840, 0x85F),
    "Arabic extended": (0x870, 0x8FF), "Devanagari": (0x900, 0x97F), "Bengali": (0x980, 0x9FF),
    "Gurmukhi": (0xA00, 0xA7F), "Gujarati": (0xA80, 0xAFF), "Oriya": (0xB00, 0xB7F), "Tamil": (0xB80, 0xBFF),
    "Telugu": (0xC00, 0xC7F), "Kannada": (0xC80, 0xCFF), "Malayalam": (0xD00, 0xD7F), "Sinhala": (0xD80, 0xDFF),
    "Thai": (0xE00, 0xE7F), "Lao": (0xE80, 0xEFF), "Tibetan": (0xF00, 0xFFF), "Myanmar": (0x1000, 0x109F),
    "Georgian": (0x10A0, 0x10FF), "Jamo": (0x1100, 0x11FF), "Ethiopic": (0x1200, 0x139F),
    "Cherokee": (0x13A0, 0x13FF), "Syllabics": (0x1400, 0x167F), "Ogham": (0x1680, 0x169F),
    "Runic": (0x16A0, 0x16FF), "Philippine": (0x1700, 0x177F), "Khmer": (0x1780, 0x17FF),
    "Mongolian": (0x1800, 0x18AF), "Limbu": (0x1900, 0x194F), "Tai": (0x1950, 0x19DF),
    "Buginese": (0x1A00, 0x1A1F), "Lanna": (0x1A20, 0x1AAF), "Marks extended": (0x1AB0, 0x1AFF),
    "Balinese": (0x1B00, 0x1B7F), "Sundanese": (0x1B80, 0x1BFF), "Lepcha": (0x1C00, 0x1C7F),
    "Vedic": (0x1CD0, 0x1CFF), "Phonetic": (0x1D00, 0x1DBF), "Marks supplement": (0x1DC0, 0x1DFF),
    "Latin additional": (0x1E00, 0x1EFF), "Greek extended": (0x1F00, 0x1FFF), "Punctuation": (0x2000, 0x206F),
    "Superscripts": (0x2070, 0x209F), "Currency": (0x20A0, 0x20CF), "Marks for symbols": (0x20D0, 0x20FF),
    "Letterlike": (0x2100, 0x214F), "Number forms": (0x2150, 0x218F), "Arrows": (0x2190, 0x21FF),
    "Operators": (0x2200, 0x22FF), "Technical": (0x2300, 0x23FF), "Enclosed": (0x2460, 0x24FF),
    "Boxes": (0x2500, 0x25FF), "Symbols": (0x2600, 0x27BF), "Braille": (0x2800, 0x28FF),
    "Glagolitic": (0x2C00, 0x2C5F), "Coptic": (0x2C80, 0x2CFF), "Tifinagh": (0x2D30, 0x2D7F),
    "Radicals": (0x2E80, 0x2FDF), "CJK signs": (0x3000, 0x303F), "Hiragana": (0x3040, 0x309F),
    "Katakana": (0x30A0, 0x30FF), "Bopomofo": (0x3100, 0x312F), "CJK enclosed": (0x3200, 0x33FF),
    "CJK A": (0x3400, 0x4DBF), "CJK": (0x4E00, 0x9FFF), "Yi": (0xA000, 0xA4CF), "Vai": (0xA500, 0xA63F),
    "Bamum": (0xA6A0, 0xA6FF), "Saurashtra": (0xA880, 0xA8DF), "Javanese": (0xA980, 0xA9DF),
    "Cham": (0xAA00, 0xAA5F), "Meetei": (0xAAE0, 0xABFF), "Hangul": (0xAC00, 0xD7A3),
    "CJK compatibility": (0xF900, 0xFAFF), "Presentation": (0xFB00, 0xFDFF), "Half marks": (0xFE20, 0xFE2F),
    "Half and full width": (0xFF00, 0xFFEF), "Linear B": (0x10000, 0x100FF), "Gothic": (0x10330, 0x1034F),
    "Deseret": (0x10400, 0x1044F), "Cypriot": (0x10800, 0x1083F), "Brahmi": (0x11000, 0x1107F),
    "Kaithi": (0x11080, 0x110CF), "Chakma": (0x11100, 0x1114F), "Sharada": (0x11180, 0x111DF),
    "Grantha": (0x11300, 0x1137F), "Tirhuta": (0x11480, 0x114DF), "Cuneiform": (0x12000, 0x123FF),
    "Hieroglyphs": (0x13000, 0x1342F), "Music": (0x1D100, 0x1D1FF), "Mathematics": (0x1D400, 0x1D7FF),
    "Adlam": (0x1E900, 0x1E95F), "Emoji": (0x1F300, 0x1F64F), "Transport": (0x1F680, 0x1F6FF),
    "Pictographs": (0x1F900, 0x1F9FF), "CJK B": (0x20000, 0x2A6DF), "CJK supplement": (0x2F800, 0x2FA1F),
}

# One or two characters of each class of the grapheme rules.
GRAPHEME = [
    "\r", "\n", "\x01", "\u200e", "\u0300", "\u0308", "\u200d", "\U0001f1e6", "\U0001f1ff", "\u0600", "\U000110bd",
    "\u0903", "\u0940", "\u1100", "\u1160", "\u11a8", "\uac00", "\uac01", "\u231a", "\U0001f469", "\U0001f3fe",
    "\ufe0f", "\u0378", "\u0020", "a", "\u094d", "\u0915",
]
SPACES = [
    " ", " ", " ", "  ", "\t", "\n", "\n", "\r\n", "\r", "\x0b", "\x0c", "\u0085", "\u00a0", "\u1680", "\u2003", "\u2028",
    "\u2029", "\u202f", "\u205f", "\u3000", "\u200b", "\x1c", "\u180e", "\ufeff",
]
CONTRACTIONS = ["s", "S", "t", "T", "re", "RE", "rE", "ve", "Ve", "m", "M", "ll", "LL", "lL", "d", "D", "\u017f", "l", "r", "v", "x"]
APOSTROPHES = ["'", "'", "'", "\u2019", "`", "''", "\u02bc", "\uff07"]
ODD = [
    "\ufffd", "\ufffe", "\uffff", "\U0001fffe", "\U0010ffff", "\ufdd0", "\ue000", "\uf8ff", "\U000f0000", "\ufeff", "\x00", "\x1b",
    "\x7f", "\x80", "\x9f", "\xad", "\u061c", "\u2066", "\u2069", "\u202e", "\ufff9", "\U000e0001", "\U000e0041", "\U000e007f",
    "\ufe00", "\U000e0100",
]
# What came with Unicode 10 to 16: normaliser and expressions know different versions.
YOUNG = [
    "\u07fd", "\u0898", "\u08d3", "\u0c3c", "\u1abf", "\u1dfa", "\U00010f46", "\U0001e4ec", "\U00010efd", "\U00011938",
    "\U00011935\U00011930", "\U00011f41", "\U0001e08f", "\ua7cb", "\u0897", "\u1c89", "\U0002ebf0", "\U00016130", "\U0001611e",
    "\U00010d40", "\U000113b8", "\U0001e5f1", "\U0001faeb", "\U00013460",
]
# fmt: on


def assigned(first, last):
    chars = map(chr, range(first, last + 1))
    return [c for c in chars if unicodedata.category(c) not in ("Cn", "Cs", "Co")]


def of_category(first):
    return [c for c in assigned(0, 0x2FFFF) if unicodedata.category(c).startswith(first)]


def scripts(rng, count):
    """Words, mostly of one block, with spaces and signs of everywhere between."""
    pools = [assigned(*block) for block in BLOCKS.values()]
    for i in range(count):
        pool = pools[i % len(pools)]
        words = []
        for _ in range(rng.randint(1, 6)):
            words.append("".join(rng.choice(pool) for _ in range(rng.randint(1, 9))))
            words.append(rng.choice((" ", " ", " ", ", ", ". ", "-", "\n", "", "1", "\u3000")))
        yield "".join(words)


def emoji(rng, count):
    people = [chr(c) for c in (0x1F468, 0x1F469, 0x1F9D1, 0x1F466, 0x1F467, 0x1F44D, 0x270B)]
    signs = [chr(c) for c in (0x2764, 0x2642, 0x2640, 0x1F308, 0x1F4BB, 0x1F680, 0x2708, 0x1F525)]
    tones = [chr(c) for c in range(0x1F3FB, 0x1F400)]
    flags = [chr(c) for c in range(0x1F1E6, 0x1F200)]
    tags = "\U0001f3f4" + "".join(chr(0xE0000 + ord(c)) for c in "gbsct") + "\U000e007f"
    kinds = (
        lambda: rng.choice(people) + rng.choice(tones),
        lambda: "\u200d".join(rng.choice(people + signs) for _ in range(rng.randint(2, 4))),
        lambda: rng.choice(flags) + rng.choice(flags),
        lambda: rng.choice("0123456789#*") + rng.choice(("\ufe0f\u20e3", "\u20e3")),
        lambda: rng.choice(signs) + rng.choice(("\ufe0f", "\ufe0e", "")),
        lambda: tags,
        lambda: rng.choice(assigned(0x1F300, 0x1F64F)),
        lambda: rng.choice((" ", "\n", "ok", "!", "\u200d")),
    )
    for _ in range(count):
        yield "".join(rng.choice(kinds)() for _ in range(rng.randint(1, 8)))


def graphemes():
    for a in GRAPHEME:
        for b in GRAPHEME:
            yield a + b + "\u0308" + a


def spaces(rng, count):
    for _ in range(count):
        parts = [rng.choice(SPACES) * rng.choice((1, 1, 1, 2, 3, 8)) for _ in range(rng.randint(1, 8))]
        yield "".join(part + rng.choice(("", "", "x", "a b", "7", "!", "'s", "\u00e9")) for part in parts)


def contractions(rng, count):
    for _ in range(count):
        yield "".join(
            rng.choice(("I", "we", "X", "", " ", "\u00e9", "7", "\n", "_", "a\u0301"))
            + rng.choice(APOSTROPHES)
            + rng.choice(CONTRACTIONS)
            + rng.choice(("", " ", " ", "x", "'", "1", "\u0301"))
            for _ in range(rng.randint(1, 6))
        )


def numbers(rng, count):
    pool = of_category("N")
    for _ in range(count):
        foreign = "".join(rng.choice(pool) for _ in range(rng.randint(1, 5)))
        own = str(rng.randrange(10 ** rng.randint(1, 12)))
        yield rng.choice(("", "v", "$", "-", " ")) + foreign + rng.choice((".", ",", " ", "e", "")) + own


def combining(rng, count):
    """Letters under up to six marks, in any order and of any class."""
    marks = [c for c in assigned(0, 0x2FFFF) if unicodedata.combining(c)]
    common = [chr(c) for c in range(0x300, 0x346)]
    composed = [c for c in assigned(0xC0, 0x1FFF) if unicodedata.decomposition(c)[:1] not in ("", "<")]
    for _ in range(count):
        text = ""
        for _ in range(rng.randint(1, 6)):
            text += rng.choice((rng.choice("aeiouAEIOUnszq "), rng.choice(composed)))
            text += "".join(rng.choice(rng.choice((marks, common))) for _ in range(rng.randint(0, 6)))
        yield rng.choice((text, unicodedata.normalize("NFD", text)))


def young(rng, count):
    around = list("ae1 .\n'") + ["\u0301", "\u0323", "\u0334", "\u0345", "\u00e9", "\u1ea1", "\u0915"]
    for _ in range(count):
        yield "".join(rng.choice(rng.choice((YOUNG, around))) for _ in range(rng.randint(2, 14)))


def odd(rng, count):
    for i in range(count):
        text = "".join(rng.choice((rng.choice(ODD), rng.choice("ab 1\n.'"))) for _ in range(rng.randint(1, 12)))
        # Every other one as it looks after UTF-8 was taken for Latin-1.
        yield text if i % 2 else text.encode().decode("latin-1")


def dialogues(rng, count, literals, pieces):
    for _ in range(count):
        yield "".join(
            rng.choice((rng.choice(literals), rng.choice(pieces)[:40], "\n", "user\n", "e\u0301", " "))
            for _ in range(rng.randint(2, 10))
        )


def own_files(rng, count):
    """Pieces of the repository's own texts."""
    files = [
        path
        for folder in ("common", "coordinator", "docs", "kernels", "scripts", "tools", "worker")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".cc", ".h", ".md", ".py", ".txt", ".cmake", "")
        and path.is_file()
        and "__pycache__" not in path.parts
    ]
    for _ in range(count):
        text = rng.choice(files).read_text(encoding="utf-8", errors="replace")
        begin = rng.randrange(max(len(text) - 100, 1))
        yield text[begin : begin + rng.randint(5, 300)]


def anything(rng, count, nasty):
    known = assigned(0, 0x2FFFF)
    for i in range(count):
        pool = nasty if i % 3 else known
        yield "".join(
            rng.choice(pool) * rng.choice((1, 1, 1, 2, 5)) for _ in range(rng.randint(1, 30))
        )


def generate(rng, fixed, nasty, literals):
    """NUM_TEXTS texts, all different: the fixed ones first."""
    pieces = list(own_files(rng, 1200))
    kinds = [
        fixed,
        scripts(rng, 3000),
        emoji(rng, 500),
        graphemes(),
        spaces(rng, 700),
        contractions(rng, 500),
        numbers(rng, 400),
        combining(rng, 900),
        young(rng, 300),
        odd(rng, 400),
        dialogues(rng, 600, literals, pieces),
        pieces,
        anything(rng, NUM_TEXTS, nasty),
    ]
    texts = list(dict.fromkeys(text for kind in kinds for text in kind))
    return texts[:NUM_TEXTS]
