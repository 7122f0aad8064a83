# Sourced by the other scripts: what this process may use of the machine. A container's quota counts,
# not the machine's size.

# One clone's objects serve another: ccache sees paths relative to the clone.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1

# CPUs of the affinity mask, or of the lowest quota of the control groups, rounded up; at least 1.
machine_cpus() {
  local cpus folder quota period group line
  cpus=$(nproc)
  local folders=(/sys/fs/cgroup /sys/fs/cgroup/cpu /sys/fs/cgroup/cpu,cpuacct)
  while IFS= read -r line; do
    group=${line#*:*:}
    while [[ -n $group && $group != / ]]; do
      for folder in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/cpu /sys/fs/cgroup/cpu,cpuacct; do
        [[ -d $folder$group ]] && folders+=("$folder$group")
      done
      group=${group%/*}
    done
  done < <(cat /proc/self/cgroup 2> /dev/null)
  for folder in "${folders[@]}"; do
    quota='' period=''
    if [[ -r $folder/cpu.max ]]; then
      read -r quota period < "$folder/cpu.max"
    elif [[ -r $folder/cpu.cfs_quota_us ]]; then
      read -r quota < "$folder/cpu.cfs_quota_us"
      read -r period < "$folder/cpu.cfs_period_us"
    fi
    if [[ $quota =~ ^[0-9]+$ && $period =~ ^[0-9]+$ && $quota -gt 0 && $period -gt 0 ]]; then
      quota=$(((quota + period - 1) / period))
      ((quota < cpus)) && cpus=$quota
    fi
  done
  echo $((cpus < 1 ? 1 : cpus))
}

# Compilers that may run at once: one a CPU, and 1 GiB of free memory each (the largest file takes 0.8).
build_jobs() {
  local jobs free_kib
  jobs=$(machine_cpus)
  free_kib=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
  [[ -n $free_kib ]] && ((free_kib / 1048576 < jobs)) && jobs=$((free_kib / 1048576))
  echo $((jobs < 1 ? 1 : jobs))
}
