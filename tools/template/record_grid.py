#!/usr/bin/python3
"""Records what Jinja makes of the table in grid.py, for tests/common/jinja/grid_test.cc.

Run from the repository root with Debian's python3-jinja2 (3.1.2):
  /usr/bin/python3 tools/template/record_grid.py [FOLDER]
Writes grid.jsonl to FOLDER, tests/data/template without one; the same bytes every time. The first line holds the
values; each other one a template and its results in the order of the values: a text; null where Jinja or Python
raises; false where the text holds an address and so is never the same.
"""
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(__file__))
from grid import SIDES, VALUES, sources  # noqa: E402
from record import environment  # noqa: E402

UNDEFINED = "undefined"


def bind(**names):
    return {name: VALUES[value] for name, value in names.items() if value != UNDEFINED}


CONTEXTS = {
    "none": [{}],
    "values": [bind(v=name) for name in [*VALUES, UNDEFINED]],
    "sides": [bind(v=v, w=w) for v in SIDES for w in SIDES],
}


def render(template, context):
    if template is None:
        return None
    try:
        text = template.render(**json.loads(json.dumps(context)))
    except Exception:  # whatever Jinja and Python raise
        return None
    return False if re.search(r" at 0x[0-9a-f]+", text) else text


def compiled(env, source):
    try:
        return env.from_string(source)
    except Exception:
        return None


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else "tests/data/template"
    env = environment()
    counts = {"texts": 0, "failures": 0, "addresses": 0}
    with open(os.path.join(folder, "grid.jsonl"), "w", encoding="utf-8") as out:
        out.write(json.dumps({"values": VALUES, "sides": SIDES}, ensure_ascii=False) + "\n")
        for source, over in sources():
            template = compiled(env, source)
            results = [render(template, context) for context in CONTEXTS[over]]
            counts["failures"] += results.count(None)
            counts["addresses"] += sum(r is False for r in results)
            counts["texts"] += sum(isinstance(r, str) for r in results)
            if all(r is None for r in results):
                results = None
            out.write(json.dumps({"template": source, "over": over, "results": results}, ensure_ascii=False, separators=(",", ":")) + "\n")
    print("grid.jsonl", sum(counts.values()), counts)


if __name__ == "__main__":
    main()
