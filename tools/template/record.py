#!/usr/bin/python3
"""Records what Jinja makes of the Qwen3.6 template and of small templates, for tests/coordinator/prompt.

Run from the repository root with Debian's python3-jinja2 (3.1.2):
  /usr/bin/python3 tools/template/record.py [FOLDER]
Writes qwen3_6.jsonl and constructs.jsonl to FOLDER, tests/data/template without one; the same bytes every time.
The environment is that of transformers' apply_chat_template: immutable sandbox, trim_blocks, lstrip_blocks, loop controls,
json.dumps(ensure_ascii=False) as tojson.
"""
import json
import os
import random
import sys

import jinja2
import jinja2.ext
import jinja2.sandbox

sys.path.insert(0, os.path.dirname(__file__))
from constructs import CONSTRUCTS, VARIABLES  # noqa: E402
from conversations import CONVERSATIONS, random_conversation  # noqa: E402

DATA = "tests/data/template"


class Raised(Exception):
    pass


def raise_exception(message):
    raise Raised(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


class Generation(jinja2.ext.Extension):
    """`{% generation %}` prints its body, as in inference."""

    tags = {"generation"}

    def parse(self, parser):
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.Scope(body, lineno=lineno)


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols, Generation]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    return env


def render(template, variables):
    """{"output"}, or {"raised"} for the template's own error, {"undefined"} and {"error"} for Jinja's and Python's."""
    try:
        return {"output": template.render(**variables)}
    except Raised as error:
        return {"raised": str(error)}
    except jinja2.exceptions.UndefinedError as error:
        return {"undefined": str(error)}
    except Exception as error:  # whatever Python raises on odd types
        return {"error": type(error).__name__ + ": " + str(error)}


def write(name, records, heads=()):
    folder = sys.argv[1] if len(sys.argv) > 1 else DATA
    with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
        for record in [*heads, *records]:
            out.write(json.dumps(record, ensure_ascii=False) + "\n")
    kinds = [next(k for k in ("output", "raised", "undefined", "error") if k in r) for r in records]
    print(name, len(records), {k: kinds.count(k) for k in sorted(set(kinds))})


def main():
    env = environment()
    with open(os.path.join(DATA, "qwen3_6.jinja"), encoding="utf-8", newline="") as source:
        qwen = env.from_string(source.read())
    rng = random.Random(36)
    cases = CONVERSATIONS + [random_conversation(rng, i) for i in range(200)]
    records = []
    for name, body in cases:
        variables = {"documents": None, "messages": body.get("messages"), "tools": body.get("tools")}
        variables["add_generation_prompt"] = body.get("add_generation_prompt", True)
        variables.update(body.get("chat_template_kwargs") or {})
        records.append({"name": name, "input": body, **render(qwen, variables)})
    assert len({r["name"] for r in records}) == len(records), "names are unique"
    write("qwen3_6.jsonl", records)

    records = []
    for name, source, variables in CONSTRUCTS:
        record = {"name": name, "template": source, **({"variables": variables} if variables else {})}
        try:
            template = env.from_string(source)
        except jinja2.exceptions.TemplateSyntaxError as error:
            records.append({**record, "error": "TemplateSyntaxError: " + str(error), "line": error.lineno})
            continue
        except SyntaxError as error:  # of the Python that Jinja made
            records.append({**record, "error": "SyntaxError: " + str(error)})
            continue
        records.append({**record, **render(template, {**VARIABLES, **variables})})
    assert len({r["name"] for r in records}) == len(records), "names are unique"
    write("constructs.jsonl", records, [{"variables": VARIABLES}])


if __name__ == "__main__":
    main()
