"""Sends rubbish to every endpoint while other clients stream. Usage: bad_input.py URL

Each bad request must get a 4xx in OpenAI's error shape, with the field at fault as `param` where one is, and a sentence
that tells nothing of the inside; no stream may change by a byte. Standard library only. Closes with `N passed, N failed`.
"""

import http.client
import itertools
import json
import re
import sys
import threading
import urllib.parse

URL = urllib.parse.urlparse(sys.argv[1])
CHAT, COMPLETIONS, TOKENIZE, DETOKENIZE = "/v1/chat/completions", "/v1/completions", "/tokenize", "/detokenize"
STREAMS = 8
# What belongs to a machine, a library or a language, never to a sentence for a client.
INSIDE = re.compile(
    r"0x[0-9a-f]{5,}|/(home|root|usr|work|tmp|build|etc)/|nlohmann|json\.exception|boost|asio|absl::|std::|grpc|"
    r"protobuf|terminate|\bcc:\d|\.cc\b|\.h:\d|bad_alloc|segmentation|errno|CHECK failed",
    re.IGNORECASE,
)
GOOD = {
    CHAT: {"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 4},
    COMPLETIONS: {"prompt": "Hello!", "max_tokens": 4},
    TOKENIZE: {"prompt": "Hello!"},
    DETOKENIZE: {"tokens": [1, 2, 3]},
}
GENERATING = (CHAT, COMPLETIONS)

passed, failures = 0, []


def connect():
    return http.client.HTTPConnection(URL.hostname, URL.port, timeout=60)


def ask(method, path, body=None, headers=None):
    connection = connect()
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def judge(title, status, body, param=None, statuses=range(400, 500), sent=""):
    """param: the expected one, or None where any will do; sent: what the message may repeat."""
    global passed
    mistakes = []
    if status not in statuses:
        mistakes.append(f"status {status}")
    try:
        error = json.loads(body)["error"]
        if set(error) != {"message", "type", "param", "code"}:
            mistakes.append(f"fields {sorted(error)}")
        if not error["message"].strip():
            mistakes.append("no message")
        if INSIDE.search(error["message"].replace(sent, "") if sent else error["message"]):
            mistakes.append(f"tells of the inside: {error['message'][:200]}")
        if len(error["message"]) > 1000:
            mistakes.append(f"a message of {len(error['message'])} characters")
        if param is not None and not str(error["param"] or "").startswith(param):
            mistakes.append(f"param {error['param']!r}, expected {param!r}: {error['message'][:120]}")
    except (ValueError, KeyError, TypeError):
        mistakes.append(f"not an error of OpenAI's shape: {body[:120]!r}")
    if mistakes:
        failures.append(f"{title}: {'; '.join(mistakes)}")
    else:
        passed += 1


def post(path, body, title, param=None, headers=None, statuses=range(400, 500)):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        status, text = ask("POST", path, raw, {"Content-Type": "application/json", **(headers or {})})
    except (OSError, http.client.HTTPException) as error:
        failures.append(f"{path} {title}: no answer ({error!r})")
        return
    judge(f"{path} {title}", status, text, param, statuses)


def bodies():
    yield "nothing", b""
    yield "no JSON", b"Hello!"
    yield "half of it", b'{"model": "x", '
    yield "a list", b"[]"
    yield "a string", b'"x"'
    yield "a number", b"17"
    yield "null", b"null"
    yield "two objects", b"{}{}"
    yield "an empty object", b"{}"
    yield "no UTF-8", b'{"messages": [{"role": "user", "content": "\xff\xfe"}], "prompt": "\xff", "tokens": "\xff"}'
    yield "half a surrogate pair", b'{"messages": [{"role": "user", "content": "\\ud800"}], "prompt": "\\ud800", "tokens": "\\udc00"}'
    yield "deep", b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    yield "deep objects", b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    yield "a million values", b'{"messages": [' + b"0," * 1_100_000 + b"0]}"
    yield "NUL bytes", b"\0" * 1000
    yield "a byte-order mark alone", b"\xef\xbb\xbf"
    yield "numbers without end", b'{"prompt": ' + b"9" * 100_000 + b', "messages": 1, "tokens": 1}'


NOT_A_NUMBER = ["x", [], {}, True, "1"]
NOT_AN_INTEGER = [*NOT_A_NUMBER, 1.5]
NOT_A_BOOL = ["true", 1, [], {}]
FIELDS = {  # field: values that no generating endpoint takes
    "temperature": [*NOT_A_NUMBER, -0.1, 2.5, 1e300],
    "top_p": [*NOT_A_NUMBER, 0, -1, 1.1],
    "top_k": [*NOT_AN_INTEGER, -2, 1 << 40],
    "min_p": [*NOT_A_NUMBER, -0.1, 1.1],
    "presence_penalty": [*NOT_A_NUMBER, -2.1, 2.1],
    "frequency_penalty": [*NOT_A_NUMBER, -2.1, 2.1],
    "repetition_penalty": [*NOT_A_NUMBER, 0, -1],
    "logit_bias": ["x", 1, [1], {"x": 1}, {"-1": 1}, {"1": "x"}, {"1": 101}, {"1": -101}, {"99999999": 1}],
    "seed": ["x", [], {}, 1.5, True, 1 << 70],
    "stop": [1, {}, [1], [""], "", ["x"] * 100, ["x" * 5000]],
    "stop_token_ids": ["x", 1, {}, ["x"], [-1], [99999999], [1.5], [1] * 5000],
    "max_tokens": [*NOT_AN_INTEGER, 0, -1, 1 << 50],
    "min_tokens": [*NOT_AN_INTEGER, -1, 5, 1 << 50],
    "ignore_eos": NOT_A_BOOL,
    "skip_special_tokens": NOT_A_BOOL,
    "include_stop_str_in_output": NOT_A_BOOL,
    "n": [*NOT_AN_INTEGER, 0, -1, 1000],
    "priority": [*NOT_AN_INTEGER, 1 << 40],
    "stream": NOT_A_BOOL,
    "stream_options": ["x", 1, [], {"include_usage": "x"}],
    "model": [1, [], {}, True],
    "best_of": [2, "x"],
    "response_format": [{"type": "json_object"}, "x", 1],
}
OWN_FIELDS = {
    CHAT: {
        "messages": [None, "x", 1, {}, [], [1], ["x"], [{}], [{"role": 1, "content": "x"}], [{"role": "user", "content": 1}],
                     [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://x/y.png"}}]}],
                     [{"role": "user", "content": [1]}]],
        "logprobs": ["x", 1, []],
        "top_logprobs": ["x", -1, 21, 1.5],
        "tools": ["x", 1, {}, [1], [{}], [{"type": "function"}]],
        "tool_choice": [1, "x", {"type": "function"}],
        "chat_template_kwargs": ["x", 1, []],
        "functions": [[{"name": "f"}]],
    },
    COMPLETIONS: {
        "prompt": [None, 1, {}, [], True, [[]], [1.5], [-1], [99999999], ["x", 1], [[1], "x"], [["x"]]],
        "logprobs": ["x", -1, 21, True, 1.5],
        "echo": NOT_A_BOOL,
        "suffix": ["x", 1],
    },
    TOKENIZE: {"prompt": [1, {}, [], True], "messages": [1, "x", [1]], "model": [1, []]},
    DETOKENIZE: {"tokens": [None, "x", 1, {}, ["x"], [-1], [99999999], [1.5], [[1]]], "model": [1, []]},
}


def fields_of(path):
    yield from OWN_FIELDS[path].items()
    if path in GENERATING:
        yield from FIELDS.items()


def send_rubbish(max_model_len):
    for path in GOOD:
        for title, body in bodies():
            post(path, body, title)
        for field, values in fields_of(path):
            for value in values:
                body = {**GOOD[path], field: value}
                if path == TOKENIZE and field == "messages":
                    body.pop("prompt")
                # Which of several fields is named is free where one contradicts another.
                param = None if field in ("min_tokens", "top_logprobs", "suffix", "best_of") else field
                post(path, body, f"{field} = {json.dumps(value)[:40]}", param)
        post(path, {**GOOD[path], "model": "no-such-model"}, "another model", "model", statuses=[404])
        good = json.dumps(GOOD[path]).encode()
        post(path, good, "compressed", headers={"Content-Encoding": "gzip"})
        for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS"):
            status, text = ask(method, path)
            judge(f"{method} {path}", status, text, statuses=[405])
    for path in ("/", "/v1", "/v1/chat", "/v1/completions/", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/x" * 3000,
                 "/v1/models/none", "/v1/models/../../x", "/v1/embeddings", "/metrics/x"):
        status, text = ask("GET", path)
        judge(f"GET {path[:40]}", status, text, sent=path)
    words = "word " * (2 * max_model_len)
    post(CHAT, {"messages": [{"role": "user", "content": words}]}, "a prompt that can never fit", "messages")
    post(COMPLETIONS, {"prompt": words}, "a prompt that can never fit", "prompt")
    post(CHAT, {**GOOD[CHAT], "max_tokens": max_model_len}, "an answer that can never fit", "max_tokens")
    post(CHAT, b'{"messages": "' + b"x" * (20 << 20) + b'"}', "20 MB", statuses=[413])
    for token in itertools.islice(itertools.cycle(["a", "\\", '"', "{", "\u2028"]), 50):
        post(CHAT, (json.dumps(GOOD[CHAT])[:-1] + token).encode(), f"spoiled by {token!r}")


def stream_text(number):
    connection = connect()
    body = {**GOOD[CHAT], "messages": [{"role": "user", "content": f"Count to {number}."}], "temperature": 0,
            "max_tokens": 64, "ignore_eos": True, "stream": True}
    connection.request("POST", CHAT, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200, (answer.status, answer.read())
    text, ended = "", False
    for line in answer:
        if not line.startswith(b"data: "):
            continue
        if line.startswith(b"data: [DONE]"):
            ended = True
            break
        delta = json.loads(line[6:])["choices"][0]["delta"]
        text += (delta.get("reasoning_content") or "") + (delta.get("content") or "")
    connection.close()
    assert ended, "no [DONE]"
    return text


def stream_on(number, expected, stop, counts):
    while not stop.is_set():
        try:
            if stream_text(number) != expected:
                failures.append(f"stream {number}: another text")
        except Exception as error:  # whatever a client may meet
            failures.append(f"stream {number}: {error!r}")
            return
        counts[number] += 1


def main():
    status, text = ask("GET", "/v1/models")
    model = json.loads(text)["data"][0]
    expected = [stream_text(number) for number in range(STREAMS)]
    stop, counts = threading.Event(), [0] * STREAMS
    threads = [threading.Thread(target=stream_on, args=(number, expected[number], stop, counts)) for number in range(STREAMS)]
    for thread in threads:
        thread.start()
    send_rubbish(model["max_model_len"])
    stop.set()
    for thread in threads:
        thread.join()
    page = ask("GET", "/metrics")[1].decode()
    for line in page.splitlines():
        # /ready says 503 until the workers are there.
        if re.match(r'atoll_http_requests_total\{code="5\d\d",endpoint="(?!ready)', line) and not line.endswith(" 0"):
            failures.append(f"a 5xx was answered: {line}")
    for failure in failures[:40]:
        print(f"FAIL {failure}")
    print(f"{sum(counts)} answers streamed meanwhile, each as alone")
    print(f"{passed} passed, {len(failures)} failed")
    sys.exit(bool(failures) or min(counts) == 0)


main()
