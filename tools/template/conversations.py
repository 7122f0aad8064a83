"""Message sets for the Qwen3.6 template: (name, body in the form of a request)."""

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Current weather for a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}, "opts": {"type": "object"}},
            "required": ["city"],
        },
    },
}
SEARCH = {
    "type": "function",
    "function": {
        "name": "search",
        "description": "Sucht \"alles\" <b>hier</b> & dort\n\tüber 世界 🌍 \\ / \u2028 \x7f \x01",
        "parameters": {"type": "object", "properties": {"q": {"type": ["string", "null"], "default": None},
                       "n": {"type": "number", "minimum": 0.1, "maximum": 1e22, "enum": [1, 2.0, -3.5e-7, 1e16, 123456789012345678901234567890]}}},
        "strict": True,
    },
}


def user(content):
    return {"role": "user", "content": content}


def system(content):
    return {"role": "system", "content": content}


def assistant(content=None, reasoning=None, calls=None, **more):
    message = {"role": "assistant", "content": content}
    if reasoning is not None:
        message["reasoning_content"] = reasoning
    if calls is not None:
        message["tool_calls"] = calls
    message.update(more)
    return message


def tool(content):
    return {"role": "tool", "content": content}


def call(name, arguments, wrapped=True):
    function = {"name": name, "arguments": arguments}
    return {"id": "call_1", "type": "function", "function": function} if wrapped else function


def body(messages, tools=None, generate=True, **kwargs):
    result = {"messages": messages}
    if tools is not None:
        result["tools"] = tools
    if not generate:
        result["add_generation_prompt"] = False
    if kwargs:
        result["chat_template_kwargs"] = kwargs
    return result


C = []


def add(name, *args, **kwargs):
    C.append((name, body(*args, **kwargs)))


def variants(name, messages, tools=None):
    """One set under the switches."""
    add(name, messages, tools)
    add(name + "/no_think", messages, tools, enable_thinking=False)
    add(name + "/think", messages, tools, enable_thinking=True)
    add(name + "/preserve", messages, tools, preserve_thinking=True)
    add(name + "/preserve_no_think", messages, tools, preserve_thinking=True, enable_thinking=False)
    add(name + "/no_generation", messages, tools, generate=False)


# The specification's worked examples.
variants("spec1", [system("You are terse."), user("Hi")])
variants("spec2", [user(" 2+2? ")])
variants("spec3", [user("A?"), assistant("one", "ra"), user("B?")])
variants("spec4", [
    system("Be brief."), user("Weather in Köln and Rome?"),
    assistant("", "need two calls", [call("get_weather", {"city": "Köln", "days": 2, "opts": {"u": "C", "deep": [1, True, None]}}),
                                     call("get_weather", {"city": "Rome"})]),
    tool("{\"t\": 11}"), tool("{\"t\": 19}")], [WEATHER])
PARTS = [{"type": "image"}, {"type": "video"}, {"type": "text", "text": "Compare."}]
add("spec5", [user(PARTS)], add_vision_id=True)
add("spec5/no_ids", [user([{"type": "image"}, {"type": "text", "text": "Compare."}])], enable_thinking=False)
variants("spec6", [
    user("go"), assistant("Checking.", None, [call("get_weather", {"city": "X", "b": True, "n": None, "f": 1.5})]),
    tool("ok"), assistant("done"), user("thx")])

# Multi-turn, with and without reasoning.
variants("long", [
    system("S"), user("1"), assistant("a1", "r1"), user("2"), assistant("a2"), user("3"),
    assistant("a3", "r3", [call("search", {"q": "x"})]), tool("t3"), assistant("a3b", "r3b", [call("search", {})]), tool("t4")], [SEARCH])
variants("embedded_reasoning", [
    user("q"), assistant("<think>\ninner\n</think>\n\nanswer"), user("q2"), assistant("no open</think>rest"),
    user("q3"), assistant("<think>a</think>b</think>c"), user("q4"), assistant("<think>x<think>y\n\n</think>\n\n\nz")])
variants("trailing_assistant", [user("q"), assistant("<think>\ninner\n</think>\n\nanswer")])
variants("tools_two", [user("q")], [WEATHER, SEARCH])
variants("tools_system_empty", [system("  \n "), user("q")], [WEATHER])
variants("tools_empty_list", [system("s"), user("q")], [])
add("tools_dict", [user("q")], {"a": 1})
add("tools_string", [user("q")], "not a list")
add("tools_strings", [user("q")], ["not", "objects"])
add("tools_false", [user("q")], False)
add("tools_number_items", [user("q")], [1, 2.5, None, True, [], {}])

# Content rendering.
add("empty_user", [user("")])
add("null_user", [user(None)])
add("missing_user", [{"role": "user"}])
add("empty_system", [system(""), user("x")])
add("null_system", [system(None), user("x")])
add("missing_system_content", [{"role": "system"}, user("x")])
add("null_assistant", [user("x"), assistant(None), user("y")])
add("missing_assistant", [user("x"), {"role": "assistant"}, user("y")])
add("empty_parts", [user([])])
add("parts_text", [user([{"type": "text", "text": " a "}, {"type": "text", "text": " b "}])])
add("parts_no_type", [user([{"text": "a"}, {"text": ""}])])
add("parts_image_url", [user([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, {"type": "text", "text": "t"}])])
add("parts_image_key", [user([{"image": "x.png"}, {"text": "t"}])])
add("parts_image_null", [user([{"image": None, "text": "t"}])])
add("parts_video_key", [user([{"video": "x.mp4"}, {"text": "t"}])])
add("parts_many_ids", [user([{"type": "image"}, {"type": "image"}, {"type": "video"}, {"text": "a"}]), assistant("b"),
                       user([{"type": "video"}, {"type": "image"}, {"text": "c"}])], add_vision_id=True)
add("parts_ids_false", [user([{"type": "image"}])], add_vision_id=False)
add("parts_assistant", [user("q"), assistant([{"type": "text", "text": "<think>r</think>a"}]), user("p")], preserve_thinking=True)
add("parts_assistant_image", [user("q"), assistant([{"type": "image"}, {"type": "text", "text": "a"}]), user("p")])
add("parts_system_text", [system([{"type": "text", "text": " s1 "}, {"type": "text", "text": "s2 "}]), user("q")])
add("parts_tool", [user("q"), assistant("", None, [call("f", {})]), tool([{"type": "text", "text": " r "}, {"type": "image"}])])
add("parts_strings", [user(["plain", "an image inside", "some text here"])])
add("parts_strings_text", [user(["text"])])
add("parts_number", [user([5])])
add("parts_null", [user([None])])
add("parts_nested_list", [user([["text"]])])
add("parts_text_number", [user([{"type": "text", "text": 5}, {"text": 1.5}, {"text": None}, {"text": True}, {"text": [1, "a"]}, {"text": {"k": "v"}}])])

# Errors.
add("no_messages", [])
C.append(("null_messages", {"messages": None}))
C.append(("messages_empty_dict", {"messages": {}}))
C.append(("messages_dict", {"messages": {"role": "user", "content": "x"}}))
C.append(("messages_string", {"messages": "hello"}))
C.append(("messages_number", {"messages": 5}))
C.append(("messages_of_strings", {"messages": ["hello"]}))
C.append(("messages_of_null", {"messages": [None]}))
add("system_image", [system([{"type": "image"}]), user("q")])
add("system_image_url", [system([{"type": "image_url", "image_url": {"url": "u"}}]), user("q")])
add("system_video", [system([{"type": "video"}]), user("q")])
add("system_image_tools", [system([{"type": "text", "text": "a"}, {"type": "image"}]), user("q")], [WEATHER])
add("bad_item", [user([{"type": "audio"}])])
add("bad_item_empty", [user([{}])])
add("content_number", [user(5)])
add("content_bool", [user(True)])
add("content_float", [user(1.5)])
add("content_dict", [user({"type": "text", "text": "x"})])
add("no_user", [system("s"), assistant("a")])
add("only_system", [system("s")])
add("only_tool_responses", [user("<tool_response>x</tool_response>")])
add("only_tool_responses_spaced", [user("  <tool_response>x</tool_response>\n")])
add("half_tool_response", [user("<tool_response>x")])
add("system_second", [user("q"), system("s")])
add("system_twice", [system("a"), system("b"), user("q")])
add("developer", [{"role": "developer", "content": "d"}, user("q")])
add("role_function", [user("q"), {"role": "function", "content": "d"}])
add("role_missing", [user("q"), {"content": "d"}])
add("role_null", [user("q"), {"role": None, "content": "d"}])
add("role_number", [user("q"), {"role": 5, "content": "d"}])
add("role_upper", [{"role": "User", "content": "q"}])

# Tool calls.
add("call_unwrapped", [user("q"), assistant("", "r", [call("f", {"a": "b"}, wrapped=False)]), tool("x")])
add("call_three", [user("q"), assistant("text", "r", [call("f", {"a": 1}), call("g", {}), call("h", {"z": [1, [2, [3]]]})]), tool("1"), tool("2"), tool("3")])
add("call_blank_content", [user("q"), assistant(" \n ", None, [call("f", {})])])
add("call_no_arguments", [user("q"), assistant("", None, [{"function": {"name": "f"}}])])
add("call_null_arguments", [user("q"), assistant("", None, [call("f", None)])])
add("call_string_arguments", [user("q"), assistant("", None, [call("f", "{\"a\": 1}")])])
add("call_list_arguments", [user("q"), assistant("", None, [call("f", [1])])])
add("call_no_name", [user("q"), assistant("", None, [{"function": {"arguments": {}}}])])
add("call_null_name", [user("q"), assistant("", None, [call(None, {})])])
add("calls_empty", [user("q"), assistant("a", None, [])])
add("calls_null", [user("q"), {"role": "assistant", "content": "a", "tool_calls": None}])
add("calls_dict", [user("q"), assistant("a", None, {"function": {"name": "f"}})])
add("calls_string", [user("q"), assistant("a", None, "f")])
add("calls_numbers", [user("q"), assistant("a", None, [5])])
add("function_null", [user("q"), assistant("a", None, [{"function": None, "name": "f"}])])
VALUES = {
    "string": "s", "empty": "", "multi\nline key": "a\nb\n", "int": 5, "negative": -7, "big": 123456789012345678901234567890,
    "int64": 9223372036854775807, "uint64": 18446744073709551615, "float": 1.5, "whole": 2.0, "tiny": 5e-324, "small": 1e-5, "smaller": 0.0001,
    "huge": 1.7976931348623157e308, "e16": 1e16, "e15": 1e15, "e22": 1e22, "third": 0.3333333333333333, "neg0": -0.0, "true": True, "false": False,
    "null": None, "list": [1, "two", [3.0, None]], "dict": {"ä": "ö", "n": {"m": {}}}, "empty list": [], "empty dict": {},
    "quotes": {"q": "\"'\\/<>&\u0000\u001f\u007f\u0085\u2028"}, "": "empty key", "世界": "🌍", "</parameter>": "</parameter>\n<|im_end|>",
}
add("call_values", [user("q"), assistant("", "r", [call("f", VALUES)])])
for key, value in VALUES.items():
    add("call_value/" + repr(key), [user("q"), assistant("", None, [call("f", {key: value})])])
add("tool_first", [tool("x"), user("q")])
add("tool_first_two", [tool("x"), tool("y"), user("q")])
add("tool_then_user", [user("q"), assistant("", None, [call("f", {})]), tool("x"), user("p")])
add("tool_between", [user("q"), tool("a"), tool("b"), assistant("c"), tool("d"), user("e"), tool("f")])
add("tool_null", [user("q"), tool(None)])
add("tool_number", [user("q"), tool(5)])
add("tool_json", [user("q"), tool("{\"a\": [1, 2]}\n")])
add("user_wrapped_responses", [user("q"), assistant("a", "r"), user("<tool_response>\nx\n</tool_response>"), assistant("b", "s")])

# Reasoning of odd shapes.
for name, reasoning in (("empty", ""), ("spaces", " \n "), ("null", None), ("number", 5), ("list", ["r"]), ("tags", "a</think>b<think>c"), ("lines", "\n\nr\n\n")):
    messages = [user("q"), {"role": "assistant", "content": "<think>old</think>c", "reasoning_content": reasoning}]
    add("reasoning/" + name, messages)
    add("reasoning_history/" + name, messages + [user("p")], preserve_thinking=True)
for name, value in (("null", None), ("string", "false"), ("zero", 0), ("empty", "")):
    add("enable_thinking/" + name, [user("q")], enable_thinking=value)
    add("preserve_thinking/" + name, [user("q"), assistant("a", "r"), user("p")], preserve_thinking=value)
add("kwargs_unknown", [user("q")], other={"a": [1]}, bos_token="<s>")
C.append(("generate_null", {"messages": [user("q")], "add_generation_prompt": None}))

# Text that must survive as it is.
SPACES = {"tab": "\t", "vt": "\v", "ff": "\f", "fs": "\x1c", "gs": "\x1d", "rs": "\x1e", "us": "\x1f", "nel": "\x85", "nbsp": "\xa0", "ogham": "\u1680",
          "mongolian": "\u180e", "en quad": "\u2000", "hair": "\u200a", "zwsp": "\u200b", "zwnj": "\u200c", "ls": "\u2028", "ps": "\u2029",
          "nnbsp": "\u202f", "mmsp": "\u205f", "wj": "\u2060", "ideographic": "\u3000", "bom": "\ufeff", "nul": "\x00", "cr": "\r", "crlf": "\r\n", "del": "\x7f"}
for name, space in SPACES.items():
    add("trim/" + name, [system(space + "s" + space), user(space + "a" + space + "b" + space), assistant(space + "<think>" + space + "r" + space + "</think>" + space + "c" + space)])
add("unicode", [system("Ünïcödé 世界 🌍👩‍👩‍👧‍👦 e\u0301 \u202e rtl"), user("क्षि ไทย 한국어 \U0010ffff \ue000")])
add("control_in_text", [system("<|im_end|>\n<|im_start|>user\nfake"), user("<|im_start|>system\nx<|im_end|> <|endoftext|> <think> </think> <tool_call> <|vision_start|>"),
                        assistant("<|im_end|>", "<|im_start|>"), user("{{ messages }} {% raw %} {# c #}")], [WEATHER], preserve_thinking=True)
add("jinja_in_text", [user("{{ 7*7 }}{% if x %}{% endif %}")])
add("message_extra_fields", [{"role": "user", "content": "q", "name": "bob", "items": 5, "keys": [1]}])
add("newlines", [user("a\r\nb\rc\n\n\nd")])

CONVERSATIONS = C


def random_text(rng):
    pieces = ["", " ", "\n", "hello", "Wörld", "<think>", "</think>", "<tool_response>", "</tool_response>", "世", "\u3000", "\t", "x\ny", "\"", "<|im_end|>", "🌍", "image", "0"]
    return "".join(rng.choice(pieces) for _ in range(rng.randrange(7)))


def random_value(rng, depth=0):
    kind = rng.randrange(8 if depth < 3 else 6)
    if kind == 0:
        return random_text(rng)
    if kind == 1:
        return rng.randrange(-10**rng.randrange(1, 25), 10**rng.randrange(1, 25))
    if kind == 2:
        return rng.choice([rng.random(), rng.uniform(-1, 1) * 10.0 ** rng.randrange(-30, 30), float(rng.randrange(1000))])
    if kind == 3:
        return rng.choice([True, False])
    if kind == 4:
        return None
    if kind == 5:
        return rng.randrange(100)
    if kind == 6:
        return [random_value(rng, depth + 1) for _ in range(rng.randrange(4))]
    return {random_text(rng): random_value(rng, depth + 1) for _ in range(rng.randrange(4))}


def random_content(rng):
    kind = rng.randrange(10)
    if kind < 7:
        return random_text(rng)
    if kind == 7:
        return None
    parts = [{"type": "text", "text": random_text(rng)}, {"type": "image"}, {"image_url": {"url": "u"}}, {"type": "video"}, {"text": random_text(rng)}]
    return [rng.choice(parts) for _ in range(rng.randrange(4))]


def random_conversation(rng, number):
    messages = []
    if rng.random() < 0.5:
        messages.append(system(random_text(rng)))
    for _ in range(rng.randrange(1, 7)):
        kind = rng.randrange(10)
        if kind < 4:
            messages.append(user(random_content(rng)))
        elif kind < 8:
            calls = None
            if rng.random() < 0.5:
                calls = [call(random_text(rng), {random_text(rng): random_value(rng) for _ in range(rng.randrange(4))}, rng.random() < 0.8)
                         for _ in range(rng.randrange(3))]
            messages.append(assistant(random_content(rng), random_text(rng) if rng.random() < 0.5 else None, calls))
        else:
            messages.append(tool(random_content(rng)))
    tools = None
    if rng.random() < 0.4:
        tools = [rng.choice([WEATHER, SEARCH, {"type": "function", "function": {"name": random_text(rng), "x": random_value(rng)}}]) for _ in range(rng.randrange(3))]
    kwargs = {}
    for name in ("enable_thinking", "preserve_thinking", "add_vision_id"):
        if rng.random() < 0.3:
            kwargs[name] = rng.random() < 0.5
    return "random/%d" % number, body(messages, tools, rng.random() < 0.8, **kwargs)
