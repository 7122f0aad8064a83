"""Records what Hugging Face's `tokenizers` makes of many texts and id lists.

It is the oracle of tests/common/tokenizer; tests only read what this wrote. Run from the repository
root, after `pip install tokenizers==0.23.3`:

    python3 tools/tokenizer/record.py

Writes, in tests/data/tokenizer, lines of JSON through gzip:
encode.jsonl.gz: {"text", "qwen36": {"parse", "text", "raw"}} and of every fourth text "nano" as well:
ids with added tokens searched for, not, and not without NFC either; the last two only where they
differ from the one before;
decode.jsonl.gz: {"tokenizer", "ids", "skip", "show"}, texts without and with special tokens, the second
only where it differs.
"nano" is tools/nano/checkpoint; "qwen36" is built from the ranks file, whose merges are derived here
(they are the published ones, byte by byte).
"""

import base64
import gzip
import hashlib
import json
import pathlib
import random

import texts
import tokenizers

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "tokenizer"
NANO = ROOT / "tools" / "nano" / "checkpoint"

# Of the merges.txt that was published with the model (247,587 merges).
MERGES_SHA256 = "a9d356d7bdf1ef4949e3e748e95b8e10ad9d4e2e838eddc38a0a7b6b94d1db8d"

# llama.cpp's text for telling tokenizers apart, and the sha256 of its ids by which it knows this one ("qwen35").
LLAMA_TEXT = (
    "\n \n\n \n\n\n \t \t\t \t\n  \n   \n    \n     \n\U0001f680 (normal) \U0001f636"
    "\u200d\U0001f32b\ufe0f (multiple emojis concatenated) \u2705 \U0001f999\U0001f999 "
    "3 33 333 3333 33333 333333 3333333 33333333 3.3 3..3 3...3 \u1780\u17b6\u1793\u17cb"
    "\u178f\u17c2\u1796\u17b7\u179f\u17c1\u179f\u17a2\u17b6\u1785\U0001f601 ?\u6211\u60f3"
    "\u5728apple\u5de5\u4f5c1314151\u5929\uff5e ------======= \u043d\u0435\u0449\u043e \u043d"
    "\u0430 \u0411\u044a\u043b\u0433\u0430\u0440\u0441\u043a\u0438 ''''''```````\"\"\"\"....."
    ".!!!!!!?????? I've been 'told he's there, 'RE you sure? 'M not sure I'll make it, 'D you"
    " like some tea? We'Ve a'lL"
)
LLAMA_SHA256 = "d30d75d9059f1aa2c19359de71047b3ae408c70875e8a3ccf8c5fba56c9d8af4"

NUM_ID_LISTS = 3000  # of each tokenizer

SPECIAL_LITERALS = [
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "<|vision_start|><|image_pad|><|vision_end|>",
    "<tts_text_bos>",
    "<tts_text_bos_single>",
    "<|audio_pad|>",
    "<|fim_prefix|>",
]

# fmt: off
TEXTS = [
    "", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\r\n\r\n x", "\t", "\t\tx", " \n", "\n ",
    " \n \n  x", "a  b", "a   b  ", "Hello world", "hello, World!", "The capital of France is",
    "Here's a thinking process:\n\n1.  **Analyze User Input:**",
    "I'm you're he'll we'd they've it's can't", "I'M YOU'RE HE'LL WE'D THEY'VE IT'S CAN'T",
    "'s't're've'm'll'd", "'S'T'RE'VE'M'LL'D", "'sabc 'tx 'rex 'vex 'mx 'llx 'dx",
    "it'\u017f x'\u017f\u017fabc", "''s '' 's ' s", "'\u2019s \u2019s \u2019S", "'l 'r 'v 're",
    "0123456789", "3.14159e-10", "1,000,000.00", "\u00b2\u00b3\u2167\u00bd\u0663\u0664\u0e53",
    "x1y22z333", "a\u00b2b\u2460c", "2024-06-30T12:34:56Z", "It'S 2024, na\u00efve\n\n  x",
    "\u0915\u094d\u0937 ok",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e", "e\u0301",
    "re\u0301sume\u0301", "a\u0300" * 20, "Vi\u1ec7t Nam ti\u1ebfng Vi\u1ec7t",
    "Vie\u0323\u0302t Nam tie\u0302\u0301ng", "Ti\u00ea\u0301ng", "q\u0323\u0307 q\u0307\u0323",
    "\u1e9b\u0323", "\u212b \u2126 \u212a", "\u0344 \u0387 \u0374 \u037e",
    "\ufb01n \ufb03 \uff21\uff22", "\u1100\u1161\u11a8 \uac00\u11a8 \uac01",
    "\ud55c\uad6d\uc5b4 \ud14c\uc2a4\ud2b8", "\u1112\u1161\u11ab\u1100\u116e\u11a8",
    "\u65e5\u672c\u8a9e\u306e\u30c6\u30b9\u30c8\u3001\u304c\u304e\u3050\u3002",
    "\u304b\u3099\u304d\u3099 \u30cf\u309a", "\u4f60\u597d\uff0c\u4e16\u754c\uff01",
    "\u6211\u4eec\u57282024\u5e74\u5b66\u4e60\u4e86\u5f88\u591a\u4e1c\u897f\u3002",
    "\U00020000\U0002a6d6 \u9fff", "\uf900 \uf967 \U0002f800",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0439 \u0438\u0306 \u0451 \u0435\u0308",
    "\u0393\u03b5\u03b9\u03ac \u03c3\u03bf\u03c5 \u039a\u03cc\u03c3\u03bc\u03b5 \u03ac\u1f71",
    "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd \u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 \u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01 \u0e01\u0e33",
    "\u0bb5\u0ba3\u0b95\u0bcd\u0b95\u0bae\u0bcd \u0b95\u0bca",
    "\u09ac\u09be\u0982\u09b2\u09be \u09cb \u09c7\u09be",
    "\u1019\u103c\u1014\u103a\u1019\u102c\u1018\u102c\u101e\u102c",
    "\u0f56\u0f7c\u0f51\u0f0b\u0f61\u0f72\u0f42 \u0f43 \u0f77",
    "\u1230\u120b\u121d \u12a0\u1208\u121d",
    "\u10d2\u10d0\u10db\u10d0\u10e0\u10ef\u10dd\u10d1\u10d0", "\u0531\u0532 \u0587",
    "\u13a3\u13b3\u13a9", "\U0001f600\U0001f603 \U0001f44d\U0001f3fd",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\U0001f3f3\ufe0f\u200d\U0001f308 \u2764\ufe0f \U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7",
    "1\ufe0f\u20e3 #\ufe0f\u20e3", "\u200b\u200c\u200d\u2060\ufeff", "a\u200db a\u00adb",
    "\u00a0x \u00a0\u00a0y\u3000z\u3000\u3000", "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\x1fh",
    "\u1680\u2000\u2001x \u180e\u202f\u205f", "\x00\x01\x02 \x7f\x80\x9f", "\u0301", " \u0301",
    "  \u0301x", "\u0301\u0301\u0301", "\n\u0301a", "1\u03012", "!\u0301!", "-\u0301a",
    " !\u0301 \u0301!", "a\u0301b\u0300", "\u20dd\u20dda", "x\u20d7 y\u0338=z\u0338",
    "def f(x):\n    return x**2  # square\n\n\nclass A:\n\tpass\n",
    "#include <vector>\r\nint main() {\r\n  return 0;\r\n}\r\n",
    "for (int i=0;i<10;++i){sum+=a[i];}",
    "{\"name\": \"get_weather\", \"arguments\": {\"city\": \"K\u00f6ln\", \"n\": [1, 2.5, null]}}",
    "<html><body class=\"x\">&nbsp;</body></html>", "SELECT * FROM t WHERE a='b' AND c<>\"d\";",
    "https://example.org/a/b?c=d&e=%20#f", "user@example.org", "C:\\Users\\x\\y.txt",
    "$\\frac{a}{b}\\le\\infty$", "```python\nprint('hi')\n```\n", "x" * 60, "ab" * 40, " " * 100,
    "\n" * 70, " \n" * 30, "\t" * 33, "!" * 80, "=" * 64 + "\n", "-" * 49, "0" * 50,
    "\U0001f600" * 20, "\u0e01" * 40, "\u0301" * 50, "aaaaaaaaab" * 12, "\r", "\r\r\n",
    "a\rb\r\nc\nd", "x \r\n y", "x  \n\n  y  ", "...\n\n...", " ?!\r\n\r\nx", ".\n", ". \n",
    "\n.\n", "  leading", "trailing  ", "\u2026\u2014\u2013\u201cq\u201d\u2018r\u2019",
    "<|im_start|>user\nThe capital of France is<|im_end|>\n<|im_start|>assistant\n<think>\n",
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
    "<|im_start|>assistant\n<tool_call>\n<function=f>\n<parameter=x>\n1\n</parameter>\n</function>\n</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\nok\n</tool_response><|im_end|>\n",
    "<tts_text_bos_single>", "<tts_text_bos_single", "<tts_text_bos>_single>", "<<think>>",
    "<think", "<thi<think>nk>", "<|im_end|", "<|im_<|im_end|>end|>", "<|IM_END|>", "< think >",
    "a<think>b", "e<think>\u0301", "e\u0301<think>\u0301e", " <|im_end|> ", "\n<|im_end|>\n\n",
    "<|im_end|><|im_end|>", "x<|vision_start|><|image_pad|><|vision_end|>y", "<|endoftext|>" * 3,
    "<s></s><unk>[INST]", "\ufffd\uffff\U0010ffff", "\ue000\uf8ff", "\u0378\u0379",
    "\U0001d15f \U0001d400 \U00010400", "\U000110ab\U000110a5\U000110ba",
    "\u0958\u0959 \u0929 \u0928\u093c", "\ufb1d \ufb4e \u05d9\u05b4", "\u2adc \u2add\u0338",
    "\u0340\u0341\u0343\u0958", "a\u0315\u0300\u05ae\u0062",
    "\u0061\u0f39\u0315\u0300\u05ae\u0062", "\u00c5\u0301 A\u030a\u0301 \u212b\u0301",
    "\u01d5 \u00dc\u0304 U\u0308\u0304 U\u0304\u0308",
]

# What random texts are made of; only characters that Unicode 14 knows, so that all oracles mean the same.
NASTY = list("aZs'tTdmlrve09 .,!?-_<|>{}\"\\/\n\r\t") + [
    " ", " ", "\n", "'", "\u017f", "\u0130", "\u0131", "\u00df", "\u00e9", "\u0301", "\u0300", "\u0323", "\u0308", "\u0345", "\u093c", "\u094d", "\u0903", "\u0915", "\u0940",
    "\u1100", "\u1161", "\u11a8", "\uac00", "\u3042", "\u3099", "\u4e2d", "\u0660", "\u2167", "\u00bd", "\u00a0", "\u0085", "\u2003", "\u2028", "\u3000", "\u200b", "\u200d",
    "\ufe0f", "\u20e3", "\U0001f600", "\U0001f3fd", "\U0001f1e9", "\U0001d7ce", "\U00010400", "\U00020000", "\u05d0", "\u05b8", "\u0627", "\u0651", "\u0e01", "\u0e33", "\u0e48", "\x00", "\x1c",
] + SPECIAL_LITERALS
# fmt: on


def split_in_two(ranks, token):
    """The pair that BPE joins into the token in the end; None where it never gets there (201 entries)."""
    parts = [bytes([b]) for b in token]
    while len(parts) > 2:
        best = min(
            range(len(parts) - 1), key=lambda i: ranks.get(parts[i] + parts[i + 1], len(ranks))
        )
        if parts[best] + parts[best + 1] not in ranks:
            return None
        parts[best : best + 2] = [parts[best] + parts[best + 1]]
    return parts if len(parts) == 2 else None


def byte_alphabet():
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {b: chr(b) for b in own}
    for i, b in enumerate(b for b in range(256) if b not in table):
        table[b] = chr(256 + i)
    return table


def qwen36_json():
    """tokenizer.json of the real vocabulary: nano's pipeline around the real model."""
    alphabet = byte_alphabet()
    ranks = {}
    for line in (DATA / "qwen3.6-ranks-248044.tiktoken").read_bytes().splitlines():
        word, rank = line.split()
        ranks[base64.b64decode(word)] = int(rank)
    spell = {token: "".join(alphabet[b] for b in token) for token in ranks}
    merges = []
    for token in sorted(ranks, key=ranks.get):
        parts = split_in_two(ranks, token)
        if parts:
            merges.append([spell[parts[0]], spell[parts[1]]])
    text = "".join(f"{left} {right}\n" for left, right in merges)
    assert (
        hashlib.sha256(text.encode()).hexdigest() == MERGES_SHA256
    ), "not the published merges.txt"
    result = json.loads((NANO / "tokenizer.json").read_text())
    result["model"]["vocab"] = {spell[token]: rank for token, rank in ranks.items()}
    result["model"]["merges"] = merges
    shift = len(ranks) - result["added_tokens"][0]["id"]
    for token in result["added_tokens"]:
        token["id"] += shift
    print(f"qwen36: {len(ranks)} entries, {len(merges)} merges")
    return result


def write_lines(name, records):
    """The same records give the same bytes: no time and no name in the header."""
    with open(DATA / name, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as out:
        for record in records:
            line = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
            out.write(line.encode() + b"\n")
    print(f"{name}: {len(records)} records, {(DATA / name).stat().st_size} bytes")


def encode_records(all_texts, files):
    def oracle(file, **changes):
        return tokenizers.Tokenizer.from_str(json.dumps({**file, **changes}))

    ways = {
        name: {
            "parse": oracle(file),
            "text": oracle(file, added_tokens=[]),
            "raw": oracle(file, added_tokens=[], normalizer=None),
        }
        for name, file in files.items()
    }
    ids = ways["qwen36"]["parse"].encode(LLAMA_TEXT).ids
    assert (
        hashlib.sha256(str(ids).encode()).hexdigest() == LLAMA_SHA256
    ), "not the tokenizer that llama.cpp knows"
    records = []
    for i, text in enumerate(all_texts):
        record = {"text": text}
        for name in ("qwen36", "nano") if i % 4 == 0 else ("qwen36",):
            record[name] = {}
            last = None
            for way, tokenizer in ways[name].items():
                ids = tokenizer.encode(text).ids
                if ids != last:
                    record[name][way] = ids
                last = ids
        records.append(record)
    return records


def id_lists(rng, tokenizer, fragments, all_texts):
    """Ids as they come from a model gone astray: lost, doubled and single bytes, added tokens anywhere."""
    end = tokenizer.get_vocab_size()
    for i in range(NUM_ID_LISTS):
        if i % 3 == 0:
            ids = tokenizer.encode(rng.choice(all_texts)).ids[:40]
            for _ in range(rng.randint(0, 3)):
                at = rng.randint(0, len(ids))
                ids[at : at + rng.randint(0, 2)] = rng.choices(fragments, k=rng.randint(0, 2))
        else:
            # Single bytes (the first 256 ids, in both) are what breaks characters.
            kinds = (
                lambda: rng.randrange(256),
                lambda: rng.randrange(128, 256),
                lambda: rng.choice(fragments),
                lambda: rng.randrange(end),
                lambda: rng.randrange(end - 40, end + 3),
            )
            ids = [rng.choice(kinds)() for _ in range(rng.randint(1, 24))]
        yield ids


def decode_records(rng, all_texts, files):
    unspell = {char: byte for byte, char in byte_alphabet().items()}
    records = []
    for name, file in files.items():
        tokenizer = tokenizers.Tokenizer.from_str(json.dumps(file))
        fragments = []
        for spelled, token_id in file["model"]["vocab"].items():
            try:
                bytes(unspell[char] for char in spelled).decode()
            except UnicodeDecodeError:
                fragments.append(token_id)
        for ids in id_lists(rng, tokenizer, fragments, all_texts):
            record = {"tokenizer": name, "ids": ids}
            record["skip"] = tokenizer.decode(ids, skip_special_tokens=True)
            show = tokenizer.decode(ids, skip_special_tokens=False)
            if show != record["skip"]:
                record["show"] = show
            records.append(record)
        print(f"{name}: {len(fragments)} entries are no whole characters")
    return records


def main():
    rng = random.Random(20260301)
    files = {"nano": json.loads((NANO / "tokenizer.json").read_text()), "qwen36": qwen36_json()}
    all_texts = texts.generate(rng, [LLAMA_TEXT] + TEXTS, NASTY, SPECIAL_LITERALS)
    write_lines("encode.jsonl.gz", encode_records(all_texts, files))
    write_lines("decode.jsonl.gz", decode_records(rng, all_texts, files))
    print(f"tokenizers {tokenizers.__version__}")


if __name__ == "__main__":
    main()
