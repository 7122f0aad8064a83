"""Opens 10,000 connections that do nothing while 16 streams run. Usage: idle_connections.py URL COORDINATOR_PID [NUMBER]

No stream may slow down, every connection must answer /health afterwards, and their memory must be little. Standard
library only; on Linux.
"""

import http.client
import json
import multiprocessing
import resource
import socket
import sys
import time
import urllib.parse

URL, PID = urllib.parse.urlparse(sys.argv[1]), int(sys.argv[2])
NUMBER = int(sys.argv[3]) if len(sys.argv) > 3 else 10_000
STREAMS, TOKENS = 16, 300
GAP_GROWTH_MS_MAX, TIME_GROWTH_MAX, KIB_EACH_MAX = 50, 1.25, 4
REQUEST = f"GET /health HTTP/1.1\r\nHost: {URL.netloc}\r\n\r\n".encode()


def stream(results):
    """Puts (seconds in all, the gaps between events in ms) of one stream."""
    connection = http.client.HTTPConnection(URL.hostname, URL.port, timeout=120)
    body = {"messages": [{"role": "user", "content": "story"}], "max_tokens": TOKENS, "ignore_eos": True, "stream": True}
    began = last = time.monotonic()
    gaps = []
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    for line in answer:
        if line.startswith(b"data: {"):
            now = time.monotonic()
            gaps.append((now - last) * 1e3)
            last = now
    results.put((last - began, gaps[1:]))


def begin_streams():
    results = multiprocessing.Queue()
    processes = [multiprocessing.Process(target=stream, args=(results,)) for _ in range(STREAMS)]
    for process in processes:
        process.start()
    return processes, results


def end_streams(processes, results):
    """(longest time in s, p99 of all gaps in ms)"""
    measured = [results.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    gaps = sorted(gap for _, gaps in measured for gap in gaps)
    return max(seconds for seconds, _ in measured), gaps[len(gaps) * 99 // 100]


def resident_kib():
    with open(f"/proc/{PID}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


def main():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    alone_s, alone_ms = end_streams(*begin_streams())
    print(f"  {STREAMS} streams alone: {alone_s:.2f} s, p99 of the gaps {alone_ms:.1f} ms")

    before = resident_kib()
    streams = begin_streams()
    began = time.monotonic()
    idle = [socket.create_connection((URL.hostname, URL.port), timeout=60) for _ in range(NUMBER)]
    opened_s = time.monotonic() - began
    beside_s, beside_ms = end_streams(*streams)
    kib_each = (resident_kib() - before) / NUMBER
    print(f"  beside {NUMBER} idle connections, opened in {opened_s:.2f} s: {beside_s:.2f} s, p99 {beside_ms:.1f} ms")
    print(f"  resident memory of the coordinator: {before} KiB before, {kib_each:.2f} KiB more for each connection")

    answered = 0
    for connection in idle:
        connection.sendall(REQUEST)
        answered += connection.recv(4096).startswith(b"HTTP/1.1 200 ")
    print(f"  {answered} of them answer /health afterwards")
    return (
        beside_ms <= alone_ms + GAP_GROWTH_MS_MAX
        and beside_s <= alone_s * TIME_GROWTH_MAX
        and kib_each <= KIB_EACH_MAX
        and answered == NUMBER
    )


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
