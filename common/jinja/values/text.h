// A string that knows who wrote each of its bytes, so that a prompt can tell the template's control
// tokens from what a user typed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace atl::jinja {

enum class Origin : uint8_t {
  kTemplate,  // written by the template's author: may become control tokens
  kUser,      // came with the request, or was computed from it
};

// UTF-8 bytes and the origin of each stretch of them. Offsets are bytes.
// **Limits**: appending is amortised constant time a byte; a text of one origin carries no list of
// runs.
class Text {
 public:
  // `end` is where the stretch stops; neighbours differ in origin and the last end is size().
  struct Run {
    size_t end;
    Origin origin;
    bool operator==(const Run&) const = default;
  };

  Text() = default;
  Text(std::string bytes, Origin origin) : bytes_(std::move(bytes)), origin_(origin) {}

  const std::string& bytes() const { return bytes_; }
  std::string_view view() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }

  void Append(std::string_view bytes, Origin origin);
  void Append(const Text& other);
  // The bytes [begin, end) of `other`, with their origins.
  void Append(const Text& other, size_t begin, size_t end);
  Text Slice(size_t begin, size_t end) const;

  // The origin of the byte at `offset`; past the end, of the last one.
  Origin OriginAt(size_t offset) const;
  // The runs in order; none for an empty text.
  std::vector<Run> Runs() const;

 private:
  void Mark(size_t length, Origin origin);

  std::string bytes_;
  std::vector<Run> runs_;          // empty while all bytes have one origin
  Origin origin_ = Origin::kUser;  // of all bytes while runs_ is empty
};

}  // namespace atl::jinja
