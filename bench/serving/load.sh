# Sourced by overload and soak, after scenario.sh: a model of 32 slots, half a second an answer, and its peak.
# shellcheck shell=bash
readonly slots=32
readonly request=(--prompt-tokens uniform:20,200 --answer-tokens uniform:10,40 --ttft-limit-ms 1000)

start_loaded_server() {
  echo '{"say": "word ", "then": "length", "token_ms": 20, "prefill_us_per_token": 5}' > "$work/model.jsonl"
  start_server --model "scripted:$work/model.jsonl" --max-num-seqs "$slots" --max-queue "$slots"
}

# find_peak SECONDS: sets peak, good requests a second of as many clients as keep every slot busy.
find_peak() {
  load peak --concurrency $((slots * 3 / 2)) --duration "$1" --warmup 2 "${request[@]}"
  peak=$(goodput peak)
}
