#!/usr/bin/python3
"""Asks atoll-check for the prompts of qwen3_6.jsonl and compares them: ask.py RECORDING ATOLL_CHECK."""
import json
import subprocess
import sys

# atoll-check takes OpenAI's form, which the bare template does not: a first role "developer", arguments as a string.
OPENAI_ONLY = {"developer", "call_string_arguments"}


def main():
    recording, program = sys.argv[1:]
    with open(recording, encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    asked = [{"add_generation_prompt": True, **record["input"], "id": i} for i, record in enumerate(records)]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in asked)
    answers = subprocess.run([program, "template"], input=text.encode(), capture_output=True).stdout.decode()
    equal = failed = 0
    for record, line in zip(records, answers.split("\n")[:-1], strict=True):
        prompt = json.loads(line).get("prompt")
        if record["name"] in OPENAI_ONLY:
            continue
        if prompt != record.get("output"):
            sys.exit("%s: %r, not %r" % (record["name"], prompt, record.get("output")))
        equal += prompt is not None
        failed += prompt is None
    print("  atoll-check template: %d prompts equal, %d fail in both" % (equal, failed))


if __name__ == "__main__":
    main()
