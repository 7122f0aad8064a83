# Sourced by the rows of scripts/accept: a server to ask, and ways to ask it. A row exits 0 only after it has
# seen what it claims.
set -uo pipefail

readonly nano=tools/nano/checkpoint
readonly ready_limit_s=600  # the first start builds
work=$(mktemp -d) server='' url=''
trap 'stop_server > /dev/null 2>&1; rm -rf "$work"' EXIT

fail() {
  echo "  $*"
  exit 1
}

# start_server [flags of scripts/serve]: sets server and url, or ends the row with the log.
start_server() {
  url=''
  : > "$work/serve.log"
  scripts/serve --port 0 "$@" >> "$work/serve.log" 2>&1 &
  server=$!
  local deadline=$((SECONDS + ready_limit_s))
  while kill -0 "$server" 2> /dev/null && ((SECONDS < deadline)); do
    url=$(sed -n 's/^atoll: ready .* at //p' "$work/serve.log")
    [[ -n $url ]] && return
    sleep 0.1
  done
  tail -n 20 "$work/serve.log"
  fail "the server did not become ready"
}

# stop_server [SIGNAL]: its exit status.
stop_server() {
  [[ -n $server ]] || return 0
  kill -"${1:-TERM}" "$server" 2> /dev/null
  wait "$server"
  local status=$?
  server=
  return "$status"
}

ask() { curl --silent --show-error --noproxy '*' --max-time 120 "$@"; }

status_of() { ask -o /dev/null -w '%{http_code}' "$url$1"; }

# chat FILE JSON_FIELDS: one chat request; the answer goes to FILE.
chat() {
  ask -N -o "$1" "$url/v1/chat/completions" -H 'Content-Type: application/json' -d "{\"model\": \"$(model_name)\", $2}"
}

model_name() { ask "$url/v1/models" | grep -o '"id": *"[^"]*"' | head -n 1 | cut -d '"' -f 4; }

user() { printf '"messages": [{"role": "user", "content": "%s"}]' "$1"; }

# metric NAME [LABELS]: the sum of the series of that name whose labels hold the text LABELS.
metric() {
  ask "$url/metrics" | awk -v name="$1" -v labels="${2:-}" '
    /^#/ { next }
    { series = $1; sub(/\{.*/, "", series) }
    series == name && (labels == "" || index($1, labels)) { sum += $2; seen = 1 }
    END { if (seen) printf "%.6g\n", sum; else print "absent" }'
}

workers_of() { pgrep -P "$server" -x atoll-worker; }

# prompt_ids N: the ids of the N-th recorded dialogue of the nano model, as a JSON list.
prompt_ids() { sed -n "$1p" "$nano/dialogues.jsonl" | grep -o '"prompt_ids": *\[[^]]*\]' | sed 's/^[^[]*//'; }

# logits OUT FLAGS...: bytes of atoll-check for the lines of $work/in.
logits() {
  local out=$1
  shift
  build/bin/atoll-check logits --model "$nano" "$@" < "$work/in" > "$out" 2> "$out.log" || {
    tail -n 5 "$out.log"
    fail "atoll-check logits $* ended with an error"
  }
  if grep -q '"error"' "$out" || ! grep -q '"logits"' "$out"; then
    head -c 400 "$out"
    fail "atoll-check logits $* gave no logits"
  fi
}

# logits_lines: three prompts of different length, with tokens to generate.
logits_lines() {
  local line
  for line in 1 40 120; do
    printf '{"id": %d, "ids": %s, "generate": 8}\n' "$line" "$(prompt_ids "$line")"
  done
}

same_bytes() {  # A B TITLE
  if ! cmp -s "$1" "$2"; then fail "$3: bytes differ: $(cmp "$1" "$2" 2>&1 | head -n 1)"; fi
  echo "  $3: $(wc -c < "$2") bytes, sha256 $(sha256sum < "$2" | cut -c 1-16), equal"
}

build_programs() { scripts/build > "$work/build.log" 2>&1 || { tail -n 5 "$work/build.log"; fail "the build failed"; }; }

build_bench() { scripts/build atoll-bench > "$work/build.log" 2>&1 || { tail -n 5 "$work/build.log"; fail "the build failed"; }; }

# build_test NAME: the test program in build/tests.
build_test() {
  mkdir -p build
  { flock build/.lock cmake --preset release -DATOLL_TESTS=ON && scripts/build "$1"; } > "$work/build.log" 2>&1 || {
    tail -n 5 "$work/build.log"
    fail "the build failed"
  }
}
