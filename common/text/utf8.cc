#include "common/text/utf8.h"

#include <bit>
#include <cstring>

namespace atl {
namespace {

// The first continuation byte has its own range after some lead bytes (Unicode, table 3-7).
struct Lead {
  uint8_t size;  // 0: no lead byte
  uint8_t second_min;
  uint8_t second_max;
};

Lead LeadOf(uint8_t byte) {
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

}  // namespace

Utf8Step DecodeUtf8(std::string_view text, size_t offset) {
  const auto byte_at = [&](size_t i) { return static_cast<uint8_t>(text[offset + i]); };
  const uint8_t first = byte_at(0);
  if (first < 0x80) return {.code_point = first, .size = 1, .valid = true};
  const Lead lead = LeadOf(first);
  if (lead.size == 0) return {.size = 1};
  char32_t code_point = first & (0xFF >> (lead.size + 1));
  for (uint8_t i = 1; i < lead.size; ++i) {
    if (offset + i == text.size()) return {.size = i, .cut_short = true};
    const uint8_t byte = byte_at(i);
    const uint8_t min = i == 1 ? lead.second_min : 0x80;
    const uint8_t max = i == 1 ? lead.second_max : 0xBF;
    if (byte < min || byte > max) return {.size = i};
    code_point = code_point << 6 | (byte & 0x3F);
  }
  return {.code_point = code_point, .size = lead.size, .valid = true};
}

size_t AsciiEnd(std::string_view text, size_t offset) {
  static_assert(std::endian::native == std::endian::little);
  constexpr uint64_t kHighBits = 0x8080808080808080;
  for (; offset + sizeof(uint64_t) <= text.size(); offset += sizeof(uint64_t)) {
    uint64_t bytes;
    std::memcpy(&bytes, text.data() + offset, sizeof(bytes));
    if ((bytes & kHighBits) != 0) {
      return offset + static_cast<size_t>(std::countr_zero(bytes & kHighBits)) / 8;
    }
  }
  while (offset < text.size() && static_cast<uint8_t>(text[offset]) < 0x80) ++offset;
  return offset;
}

size_t FirstInvalidUtf8(std::string_view text) {
  size_t offset = AsciiEnd(text, 0);
  while (offset < text.size()) {
    const Utf8Step step = DecodeUtf8(text, offset);
    if (!step.valid) return offset;
    offset = AsciiEnd(text, offset + step.size);
  }
  return offset;
}

void AppendUtf8(char32_t code_point, std::string* out) {
  const auto put = [out](char32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3F));
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

size_t PreviousOffset(std::string_view text, size_t offset) {
  --offset;
  while (offset > 0 && (static_cast<unsigned char>(text[offset]) & 0xC0) == 0x80) --offset;
  return offset;
}

size_t CountCodePoints(std::string_view text) {
  size_t count = 0;
  for (const char byte : text) count += (static_cast<unsigned char>(byte) & 0xC0) != 0x80;
  return count;
}

std::vector<size_t> CodePointOffsets(std::string_view text) {
  std::vector<size_t> offsets;
  offsets.reserve(text.size() + 1);
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) offsets.push_back(i);
  }
  offsets.push_back(text.size());
  return offsets;
}

void Utf8Repairer::Append(std::string_view bytes, std::string* out) {
  std::string joined;
  if (!waiting_.empty()) {
    joined = waiting_;
    joined.append(bytes);
    waiting_.clear();
    bytes = joined;
  }
  size_t offset = 0;
  while (offset < bytes.size()) {
    const Utf8Step step = DecodeUtf8(bytes, offset);
    if (step.valid) {
      out->append(bytes, offset, step.size);
    } else if (step.cut_short) {
      waiting_.assign(bytes, offset, step.size);
    } else {
      AppendUtf8(U'\uFFFD', out);
    }
    offset += step.size;
  }
}

void Utf8Repairer::Finish(std::string* out) {
  if (!waiting_.empty()) AppendUtf8(U'\uFFFD', out);
  waiting_.clear();
}

}  // namespace atl
