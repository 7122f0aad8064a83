"""Compares ids of every file in some folders: Atoll's beside Hugging Face's `tokenizers`.

    build/tokenizer-venv/bin/python tools/tokenizer/compare_files.py build/bench/bin/atoll-tokenizer-bench FOLDER...

What is no UTF-8 becomes U+FFFD first. A text that comes twice is compared once. Exits 1 on a difference.
"""

import argparse
import collections
import hashlib
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import time

import record
import tokenizers

RANKS = record.DATA / "qwen3.6-ranks-248044.tiktoken"
TEXT_BYTES_MAX = 32 << 20  # Atoll's bound; longer files are compared as pieces
BATCH_BYTES = 4 << 20


def texts_of(folders, counts):
    seen = set()
    for folder in folders:
        for path in sorted(pathlib.Path(folder).rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            raw = path.read_bytes()
            counts["files"] += 1
            counts["bytes"] += len(raw)
            digest = hashlib.sha256(raw).digest()
            if digest in seen:
                counts["twice"] += 1
                continue
            seen.add(digest)
            text = raw.decode(errors="replace")
            counts["repaired"] += "\ufffd" in text
            step = TEXT_BYTES_MAX // 4
            for begin in range(0, max(len(text), 1), step):
                yield path, text[begin : begin + step]


def frames_of(file):
    while size := file.read(8):
        yield file.read(struct.unpack("<Q", size)[0])


def batches(texts):
    batch, size = [], 0
    for item in texts:
        batch.append(item)
        size += len(item[1])
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="atoll-tokenizer-bench")
    parser.add_argument("folders", nargs="+")
    args = parser.parse_args()
    counts = collections.Counter()
    file = {**record.qwen36_json(), "added_tokens": []}
    oracle = tokenizers.Tokenizer.from_str(json.dumps(file))
    seconds = collections.Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        paths = []
        with open(folder / "texts", "wb") as out:
            for path, text in texts_of(args.folders, counts):
                encoded = text.encode()
                out.write(struct.pack("<Q", len(encoded)) + encoded)
                paths.append(path)
        began = time.monotonic()
        with open(folder / "texts", "rb") as source, open(folder / "ids", "wb") as out:
            subprocess.run([args.program, RANKS, "ids"], stdin=source, stdout=out, check=True)
        seconds["Atoll"] = time.monotonic() - began
        began = time.monotonic()
        with open(folder / "texts", "rb") as source, open(folder / "ids", "rb") as ids:
            texts = ((path, frame.decode()) for path, frame in zip(paths, frames_of(source)))
            answers = frames_of(ids)
            for batch in batches(texts):
                for (path, _), encoding in zip(batch, oracle.encode_batch_fast([t for _, t in batch])):
                    expected = encoding.ids
                    counts["tokens"] += len(expected)
                    if next(answers, None) != struct.pack(f"<{len(expected)}i", *expected):
                        counts["different"] += 1
                        print(f"  {path}: other ids")
            if next(answers, None) is not None:
                sys.exit("  more answers than texts")
        seconds["tokenizers"] = time.monotonic() - began
    print(
        f"  {counts['files']} files, {counts['bytes']} bytes ({counts['twice']} of them copies, "
        f"{counts['repaired']} with U+FFFD), {counts['tokens']} tokens: {counts['different']} differ; "
        f"Atoll {seconds['Atoll']:.0f} s on one thread, tokenizers {seconds['tokenizers']:.0f} s on {os.cpu_count()}"
    )
    sys.exit(1 if counts["different"] or not counts["tokens"] else 0)


if __name__ == "__main__":
    main()
