# Sourced by the scenarios of this folder: a server of their own, atoll-bench against it, figures out of its table.
# shellcheck shell=bash
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
source scripts/accept.d/row.sh
missed=0

build_bench() { scripts/build atoll-bench > "$work/build.log" 2>&1 || { tail -n 5 "$work/build.log"; fail "the build failed"; }; }

# The kernel keeps 15 letters of a name.
coordinator_pid() { pgrep -P "$server" -x atoll-coordinat; }
cluster_pids() { { coordinator_pid; workers_of; } | paste -s -d ,; }

# load NAME FLAGS...: one run; its table is shown and kept in $work/NAME.
load() {
  local name=$1 status=0
  shift
  echo "$name: atoll-bench serve $*"
  build/bin/atoll-bench serve --url "$url" "$@" > "$work/$name" 2> "$work/$name.log" || status=$?
  sed 's/^/  /' "$work/$name"
  [[ $status -eq 0 ]] || { tail -n 3 "$work/$name.log"; fail "atoll-bench ended with status $status"; }
}

# percentile NAME METRIC p50|p90|p95|p99|max: of the table, in the metric's unit.
percentile() {
  awk -v metric="$2" -v wanted="$3" '
    BEGIN { split("count p50 p90 p95 p99 p99.9 max", names, " ") }
    index($0, metric " ") == 1 {
      words = split(metric, unused, " ")
      for (i in names) if (names[i] == wanted) print $(words + i)
      exit
    }' "$work/$1"
}

goodput() { awk '/^goodput/ { print $2 }' "$work/$1"; }

# cores NAME PID: mean use of a watched process.
cores() { awk -v pid="$2" '$1 == "process" && $2 == pid { for (i = 3; i < NF; ++i) if ($(i + 1) == "cores") print $i }' "$work/$1"; }

calculate() { awk "BEGIN { printf \"%.2f\", $1 }"; }

# aim WHAT VALUE RELATION LIMIT: says whether it holds; what is missed shows in the exit status.
aim() {
  if [[ -n $2 ]] && awk "BEGIN { exit !($2 $3 $4) }"; then
    echo "good    $1: $2 (aim $3 $4)"
  else
    echo "MISSED  $1: ${2:-nothing measured} (aim $3 $4)"
    missed=1
  fi
}

finish() {
  stop_server || fail "the server ended with status $?"
  exit "$missed"
}
