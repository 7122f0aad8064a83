"""Times Atoll's tokenizer beside bpe-qwen, tiktoken and Hugging Face's on one text, in turn, on one core.

    python3 -m venv build/tokenizer-venv
    build/tokenizer-venv/bin/pip install bpe-qwen==0.1.5 tiktoken==0.14.0 tokenizers==0.23.3
    build/tokenizer-venv/bin/python bench/tokenizer/compare.py build/bench/bin/atoll-tokenizer-bench

Prints tables: least of the rounds, and the ratio to each; --hostile adds the texts that tempt a
tokenizer. Exits 1 when ids differ, or when --ratio-max is given and the ratio to bpe-qwen is above it.
"""

import argparse
import base64
import hashlib
import importlib.machinery
import importlib.util
import json
import os
import pathlib
import struct
import subprocess
import sys
import sysconfig
import tempfile
import time

import tiktoken
import tokenizers

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools" / "tokenizer"))
import record  # noqa: E402

RANKS = ROOT / "tests" / "data" / "tokenizer" / "qwen3.6-ranks-248044.tiktoken"
NUM_TOKENS = 1_000_000


def read_ranks():
    lines = (line.split() for line in RANKS.read_bytes().splitlines())
    return {base64.b64decode(word): int(rank) for word, rank in lines}


def documents():
    """The sources of Python's library, in the order of their names, as far as they are UTF-8."""
    folder = pathlib.Path(sysconfig.get_path("stdlib"))
    for path in sorted(folder.rglob("*.py")):
        if "site-packages" in path.parts or "dist-packages" in path.parts:
            continue
        try:
            yield path.read_bytes().decode()
        except UnicodeDecodeError:
            continue


def write_frames(path, texts):
    with open(path, "wb") as out:
        for text in texts:
            encoded = text.encode()
            out.write(struct.pack("<Q", len(encoded)) + encoded)


class Atoll:
    """The bench program, asked over pipes for times."""

    def __init__(self, program):
        command = [program, RANKS, "time"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, bufsize=1
        )

    def time(self, threads, frames):
        self.process.stdin.write(f"{threads} {frames}\n")
        return [float(seconds) for seconds in self.process.stdout.readline().split()[1:]]

    def close(self):
        """What it said of its start."""
        return self.process.communicate()[1].strip()


def atoll_ids(program, frames):
    with open(frames, "rb") as file:
        out = subprocess.run(
            [program, RANKS, "ids"], stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ).stdout
    return list(struct.unpack(f"<{(len(out) - 8) // 4}i", out[8:]))


def hugging_face():
    tokenizer = tokenizers.Tokenizer.from_str(
        json.dumps({**record.qwen36_json(), "added_tokens": []})
    )
    return lambda text: tokenizer.encode(text).ids


def tiktoken_encode(ranks):
    regex = json.loads((record.NANO / "tokenizer.json").read_text())
    pattern = regex["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    encoding = tiktoken.Encoding(
        "qwen3.6", pat_str=pattern, mergeable_ranks=ranks, special_tokens={}
    )
    return encoding.encode_ordinary


def bpe_qwen(ranks, folder):
    """Without the entries that are not made of two earlier ones, on which it panics; and the true ids of its own."""
    splits = {token: record.split_in_two(ranks, token) for token in ranks if len(token) > 1}
    dropped, size = set(), -1
    while len(dropped) != size:
        size = len(dropped)
        for token, parts in splits.items():
            late = parts is None or max(ranks[part] for part in parts) > ranks[token]
            if late or not dropped.isdisjoint(parts):
                dropped.add(token)
    kept = [token for token in sorted(ranks, key=ranks.get) if token not in dropped]
    alphabet = record.byte_alphabet()
    spell = {token: "".join(alphabet[b] for b in token) for token in kept}
    vocab = {spell[token]: i for i, token in enumerate(kept)}
    (folder / "vocab.json").write_text(json.dumps(vocab))
    merges = [f"{spell[splits[t][0]]} {spell[splits[t][1]]}\n" for t in kept if len(t) > 1]
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(merges))
    # The package's own __init__ wants transformers; its library alone does not.
    library = next(pathlib.Path(sysconfig.get_path("platlib"), "bpe_qwen").glob("*.so"))
    loader = importlib.machinery.ExtensionFileLoader("bpe_qwen", str(library))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("bpe_qwen", loader))
    loader.exec_module(module)
    print(f"bpe-qwen: {len(dropped)} entries left out", flush=True)
    return module.QwenTokenizer(str(folder)).encode, [ranks[token] for token in kept]


def seconds_of(encode, text):
    """By the clock and of the processor, which does not count what others run meanwhile."""
    began, cpu_began = time.perf_counter(), time.process_time()
    ids = encode(text)
    return [time.perf_counter() - began, time.process_time() - cpu_began], ids


def smaller(a, b):
    return [min(pair) for pair in zip(a, b)]


def cpu_model():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return "unknown"


def choose_text(program, folder):
    """Documents of about NUM_TOKENS tokens together."""
    frames = folder / "probe"
    chosen = []
    for text in documents():
        chosen.append(text)
        if sum(map(len, chosen)) < 4 * NUM_TOKENS * 0.7:
            continue
        write_frames(frames, ["".join(chosen)])
        if len(atoll_ids(program, frames)) >= NUM_TOKENS:
            break
    return chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="atoll-tokenizer-bench")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--hostile", action="store_true")
    parser.add_argument("--ratio-max", type=float)
    args = parser.parse_args()
    cpus = sorted(os.sched_getaffinity(0))
    many = Atoll(args.program)  # on all cores
    os.sched_setaffinity(0, cpus[-1:])
    with tempfile.TemporaryDirectory() as name:
        status = compare(args, pathlib.Path(name), many)
    if args.hostile:
        print("\n| text | tokens of 1 MB | 1 MB, CPU ms | 2 MB, CPU ms | ratio |\n|---|---|---|---|---|", flush=True)
        subprocess.run([args.program, RANKS, "hostile"], stderr=subprocess.DEVNULL, check=True)
    sys.exit(status)


def compare(args, folder, many):
    texts = choose_text(args.program, folder)
    text = "".join(texts)
    one, split = folder / "one", folder / "documents"
    write_frames(one, [text])
    write_frames(split, texts)
    expected = atoll_ids(args.program, one)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    print(
        f"{cpu_model()}; Python {sys.version.split()[0]} library, {len(texts)} files, "
        f"{len(text.encode())} bytes, {len(expected)} tokens, sha256 {digest}"
    )
    ranks = read_ranks()
    qwen_encode, qwen_ids = bpe_qwen(ranks, folder)
    others = {
        "bpe-qwen": qwen_encode,
        "tiktoken": tiktoken_encode(ranks),
        "tokenizers": hugging_face(),
    }
    atoll = Atoll(args.program)
    names = ["Atoll", *others, "documents, 1 thread", "documents, 2 threads"]
    least = {name: [1e9, 1e9] for name in names}
    same = True
    for _ in range(args.rounds):
        least["Atoll"] = smaller(least["Atoll"], atoll.time(1, one))
        for name, encode in others.items():
            seconds, ids = seconds_of(encode, text)
            least[name] = smaller(least[name], seconds)
            if name == "bpe-qwen":
                ids = [qwen_ids[i] for i in ids]
            if ids != expected:
                print(f"{name}: other ids")
                same = False
        for threads in (1, 2):
            title = f"documents, {threads} thread{'s' * (threads > 1)}"
            least[title] = smaller(least[title], many.time(threads, split))
    print(f"Atoll {atoll.close()}; ids of all equal: {same}\n")
    many.close()
    print(f"| what | seconds, least of {args.rounds} | of CPU | Atoll's CPU time is |\n|---|---|---|---|")
    for name, (seconds, cpu) in least.items():
        ratio = f"{least['Atoll'][1] / cpu:.3f} of it" if name in others else ""
        print(f"| {name} | {seconds:.4f} | {cpu:.4f} | {ratio} |")
    too_slow = args.ratio_max and least["Atoll"][1] > args.ratio_max * least["bpe-qwen"][1]
    return 1 if too_slow or not same else 0


if __name__ == "__main__":
    main()
