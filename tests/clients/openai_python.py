"""Drives a running server with the official Python client: openai_python.py URL

One line a check; the last line is `N passed, N failed`; exits 1 if one failed. What the model says
is free: only its form is asked for, and that a greedy question has the same answer every way.
"""

import concurrent.futures
import sys
import traceback

import openai

QUESTION = [{"role": "user", "content": "Hello, please introduce yourself."}]
WEATHER = [{"role": "user", "content": "Tell me the weather in Beijing."}]


def tool(name, description, parameter):
    schema = {
        "type": "object",
        "properties": {parameter: {"type": "string"}},
        "required": [parameter],
    }
    function = {"name": name, "description": description, "parameters": schema}
    return {"type": "function", "function": function}


TOOLS = [  # as in a recorded dialogue of nano, which knows this task
    tool("time_lookup", "Get the local time in a location", "location"),
    tool("fetch_weather", "Get the weather for a city", "city"),
]
STREAMS = 8


class Checks:
    """Every method whose name begins with check_ is one check."""

    def __init__(self, url):
        self.client = openai.OpenAI(
            base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=300
        )
        self.model = self.client.models.list().data[0].id

    def create(self, messages=QUESTION, thinking=True, **more):
        more.setdefault("max_tokens", 64)
        more.setdefault("temperature", 0)
        more.setdefault("model", self.model)
        extra = {"chat_template_kwargs": {"enable_thinking": thinking}}
        return self.client.chat.completions.create(messages=messages, extra_body=extra, **more)

    def streamed(self, **more):
        """(reasoning, content, finish reasons, usages) of a whole stream."""
        reasoning, content, finishes, usages = "", "", [], []
        for chunk in self.create(stream=True, **more):
            assert chunk.object == "chat.completion.chunk", chunk
            if chunk.usage is not None:
                usages.append(chunk.usage)
            for choice in chunk.choices:
                assert not finishes, "a delta after the finish reason"
                reasoning += getattr(choice.delta, "reasoning_content", None) or ""
                content += choice.delta.content or ""
                if choice.finish_reason:
                    finishes.append(choice.finish_reason)
        return reasoning, content, finishes, usages

    def whole(self, **more):
        choice = self.create(**more).choices[0]
        reasoning = getattr(choice.message, "reasoning_content", None) or ""
        return reasoning, choice.message.content or "", [choice.finish_reason]

    def check_models_list(self):
        models = self.client.models.list().data
        assert models and all(m.object == "model" and m.id for m in models), models
        assert models[0].max_model_len > 0, models[0]

    def check_whole_chat(self):
        reply = self.create()
        assert reply.object == "chat.completion" and len(reply.choices) == 1, reply
        choice, usage = reply.choices[0], reply.usage
        assert choice.message.role == "assistant", choice
        assert choice.finish_reason in ("stop", "length"), choice
        assert choice.message.content or choice.finish_reason == "length", choice
        assert usage.prompt_tokens > 0 and 0 < usage.completion_tokens <= 64, usage
        assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, usage

    def check_reasoning_content(self):
        thought, content, _ = self.whole()
        assert thought and "</think>" not in thought + content, (thought, content)
        unthought, content, _ = self.whole(thinking=False)
        assert not unthought and content, (unthought, content)

    def check_streaming_chat(self):
        whole, streamed = self.whole(), self.streamed()
        assert streamed[:3] == whole, (streamed, whole)
        assert not streamed[3], "usage without being asked for"

    def check_usage_with_stream_options(self):
        usages = self.streamed(stream_options={"include_usage": True})[3]
        assert len(usages) == 1, usages
        whole = self.create().usage
        for field in ("prompt_tokens", "completion_tokens", "total_tokens"):
            assert getattr(usages[0], field) == getattr(whole, field), (usages, whole)

    def check_length_limit(self):
        reply = self.create(max_tokens=1)
        assert reply.choices[0].finish_reason == "length", reply
        assert reply.usage.completion_tokens == 1, reply

    def check_same_seed_same_answer(self):
        first, second = (self.whole(temperature=1.0, seed=7) for _ in range(2))
        assert first == second, (first, second)

    def check_tools_are_shown_to_the_model(self):
        """The call comes back as the text that the model wrote: parsing it is not there yet."""
        choice = self.create(WEATHER, tools=TOOLS).choices[0]
        assert choice.finish_reason == "stop", choice
        assert "<function=fetch_weather>" in choice.message.content, choice
        assert not choice.message.tool_calls, choice

    def check_unknown_model(self):
        error = self.refused(openai.NotFoundError, model="no-such-model")
        assert error.status_code == 404 and "no-such-model" in str(error), error

    def check_bad_type(self):
        error = self.refused(openai.BadRequestError, max_tokens="many")
        assert error.status_code == 400 and "max_tokens" in str(error), error

    def check_bad_message(self):
        self.refused(openai.BadRequestError, messages=[{"role": "nobody", "content": 7}])

    def refused(self, kind, **wrong):
        try:
            reply = self.create(**wrong)
        except kind as error:
            assert isinstance(error.body, dict) and error.body["message"], error.body
            return error
        raise AssertionError(f"accepted: {reply}")

    def check_cancel_in_mid_stream(self):
        before = self.whole()
        stream = self.create(stream=True, max_tokens=1000)
        for _, _chunk in zip(range(2), stream):
            pass
        stream.close()
        assert self.whole() == before, "another answer after a cancelled stream"

    def check_parallel_streams(self):
        alone = self.streamed()
        with concurrent.futures.ThreadPoolExecutor(STREAMS) as pool:
            together = list(pool.map(lambda _: self.streamed(), range(STREAMS)))
        assert all(answer == alone for answer in together), (alone, together)


def main(url):
    passed = failed = 0
    checks = Checks(url)
    for name in [name for name in dir(checks) if name.startswith("check_")]:
        title = f"openai {openai.__version__} for Python: {name[6:].replace('_', ' ')}"
        try:
            getattr(checks, name)()
            passed += 1
            print(f"ok   {title}", flush=True)
        except Exception as error:  # a failed check must not hide the next
            failed += 1
            line = traceback.extract_tb(error.__traceback__)[-1].lineno
            print(f"FAIL {title}: {type(error).__name__} (line {line}): {error}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].rstrip("/")))
