// TransferPool: a transport's Transfer objects, made once and used again, because the layer loop
// allocates nothing.
#pragma once

#include <deque>
#include <utility>
#include <vector>

namespace atl::worker {

// T derives from Transfer and gives itself back to its pool in a destroying operator delete, so the
// unique_ptr that AllToAll hands out needs no deleter of its own. One thread.
template <typename T>
class TransferPool {
 public:
  // A Transfer that nobody holds; makes one with `args` when there is none.
  template <typename... Args>
  T* Take(Args&&... args) {
    if (free_.empty()) {
      T* made = &all_.emplace_back(std::forward<Args>(args)...);
      free_.reserve(all_.size());
      return made;
    }
    T* taken = free_.back();
    free_.pop_back();
    return taken;
  }
  void GiveBack(T* transfer) { free_.push_back(transfer); }

  bool AllGivenBack() const { return free_.size() == all_.size(); }
  // Those made so far, whether held or not.
  std::deque<T>& all() { return all_; }
  // Only when all were given back.
  void Clear() {
    free_.clear();
    all_.clear();
  }

 private:
  std::deque<T> all_;
  std::vector<T*> free_;
};

}  // namespace atl::worker
