// What UCX itself takes: two processes swap messages of the given sizes, one each way at a time,
// and poll without pause. Nothing of Atoll's is in here. Prints "bytes min p50 p99", the last three
// in microseconds.
//
//   UCX_TLS=posix,cma,self atoll-raw-ucx-bench 4208 66128
#include <sys/socket.h>
#include <sys/wait.h>
#include <ucp/api/ucp.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

constexpr int kWarmUps = 100;

void Check(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "raw_ucx: %s failed\n", what);
  std::exit(1);
}

ucp_worker_h OpenWorker() {
  ucp_params_t params = {};
  params.field_mask = UCP_PARAM_FIELD_FEATURES;
  params.features = UCP_FEATURE_TAG;
  ucp_context_h context;
  Check(ucp_init(&params, nullptr, &context) == UCS_OK, "ucp_init");
  ucp_worker_params_t worker_params = {};
  worker_params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  worker_params.thread_mode = UCS_THREAD_MODE_SINGLE;
  ucp_worker_h worker;
  Check(ucp_worker_create(context, &worker_params, &worker) == UCS_OK, "ucp_worker_create");
  return worker;
}

// Gives the other process this one's address and connects to the other's.
ucp_ep_h Connect(ucp_worker_h worker, int socket) {
  ucp_address_t* address;
  size_t size = 0;
  Check(ucp_worker_get_address(worker, &address, &size) == UCS_OK, "ucp_worker_get_address");
  Check(send(socket, &size, sizeof size, 0) == sizeof size, "send");
  Check(send(socket, address, size, 0) == static_cast<ssize_t>(size), "send");
  ucp_worker_release_address(worker, address);
  Check(recv(socket, &size, sizeof size, MSG_WAITALL) == sizeof size, "recv");
  std::vector<char> other(size);
  Check(recv(socket, other.data(), size, MSG_WAITALL) == static_cast<ssize_t>(size), "recv");
  ucp_ep_params_t params = {};
  params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS;
  params.address = reinterpret_cast<const ucp_address_t*>(other.data());
  ucp_ep_h endpoint;
  Check(ucp_ep_create(worker, &params, &endpoint) == UCS_OK, "ucp_ep_create");
  return endpoint;
}

void Finish(ucp_worker_h worker, ucs_status_ptr_t request) {
  if (request == nullptr) return;
  Check(!UCS_PTR_IS_ERR(request), "a request");
  while (ucp_request_check_status(request) == UCS_INPROGRESS) ucp_worker_progress(worker);
  ucp_request_free(request);
}

void RunRank(int rank, int socket, const std::vector<size_t>& sizes) {
  ucp_worker_h worker = OpenWorker();
  ucp_ep_h endpoint = Connect(worker, socket);
  const ucp_request_param_t param = {};
  for (const size_t size : sizes) {
    const int rounds = size < 100'000 ? 5000 : 1000;
    std::vector<char> out(size, 1), in(size);
    std::vector<double> micros;
    for (int round = -kWarmUps; round < rounds; ++round) {
      const auto begin = std::chrono::steady_clock::now();
      const ucp_tag_t tag = static_cast<ucp_tag_t>(round + kWarmUps);
      void* receiving = ucp_tag_recv_nbx(worker, in.data(), size, tag, ~ucp_tag_t{0}, &param);
      void* sending = ucp_tag_send_nbx(endpoint, out.data(), size, tag, &param);
      Finish(worker, receiving);
      Finish(worker, sending);
      const std::chrono::duration<double, std::micro> took =
          std::chrono::steady_clock::now() - begin;
      if (round >= 0) micros.push_back(took.count());
    }
    if (rank != 0) continue;
    std::sort(micros.begin(), micros.end());
    std::printf("%zu %.2f %.2f %.2f\n", size, micros.front(), micros[micros.size() / 2],
                micros[micros.size() * 99 / 100]);
  }
  Finish(worker, ucp_ep_flush_nbx(endpoint, &param));
  char done = 0;  // neither leaves before the other has all
  Check(send(socket, &done, 1, 0) == 1 && recv(socket, &done, 1, 0) == 1, "the farewell");
}

}  // namespace

int main(int num_arguments, char** arguments) {
  std::vector<size_t> sizes;
  for (int i = 1; i < num_arguments; ++i) sizes.push_back(std::strtoull(arguments[i], nullptr, 10));
  int ends[2];
  Check(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
  const pid_t child = fork();
  Check(child >= 0, "fork");
  RunRank(child == 0, ends[child == 0], sizes);
  if (child == 0) return 0;
  int status = 0;
  Check(waitpid(child, &status, 0) == child && status == 0, "the other process");
  return 0;
}
