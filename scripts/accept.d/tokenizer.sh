# Sourced by the rows about the tokenizer: the bench program and the tokenizers to compare it with.
readonly oracles=build/tokenizer-venv/bin bench=build/bench/bin/atoll-tokenizer-bench

if ! "$oracles/python" -c 'import tiktoken, tokenizers' 2> /dev/null || ! "$oracles/pip" show -q bpe-qwen; then
  python3 -m venv build/tokenizer-venv > "$work/venv.log" 2>&1 &&
    "$oracles/pip" install --quiet bpe-qwen==0.1.5 tiktoken==0.14.0 tokenizers==0.23.3 >> "$work/venv.log" 2>&1 ||
    { tail -n 3 "$work/venv.log"; fail "the tokenizers to compare with cannot be installed"; }
fi
cmake --preset release -B build/bench -DATOLL_BENCH=ON > "$work/build.log" 2>&1 &&
  ninja -C build/bench atoll-tokenizer-bench >> "$work/build.log" 2>&1 ||
  { tail -n 5 "$work/build.log"; fail "the bench program does not build"; }
