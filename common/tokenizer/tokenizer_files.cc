#include "common/tokenizer/tokenizer_files.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include "common/base/status.h"
#include "common/base/status_macros.h"

namespace atl {
namespace {

struct FamilyToken {
  const char* content;
  bool is_special;
};

// The published order; the first 26 are those of Qwen3 too.
constexpr size_t kNumQwen3Tokens = 26;
constexpr FamilyToken kFamilyTokens[] = {
    {"<|endoftext|>", true},      {"<|im_start|>", true},
    {"<|im_end|>", true},         {"<|object_ref_start|>", true},
    {"<|object_ref_end|>", true}, {"<|box_start|>", true},
    {"<|box_end|>", true},        {"<|quad_start|>", true},
    {"<|quad_end|>", true},       {"<|vision_start|>", true},
    {"<|vision_end|>", true},     {"<|vision_pad|>", true},
    {"<|image_pad|>", true},      {"<|video_pad|>", true},
    {"<tool_call>", false},       {"</tool_call>", false},
    {"<|fim_prefix|>", false},    {"<|fim_middle|>", false},
    {"<|fim_suffix|>", false},    {"<|fim_pad|>", false},
    {"<|repo_name|>", false},     {"<|file_sep|>", false},
    {"<tool_response>", false},   {"</tool_response>", false},
    {"<think>", false},           {"</think>", false},
    {"<|audio_start|>", true},    {"<|audio_end|>", true},
    {"<tts_pad>", true},          {"<tts_text_bos>", true},
    {"<tts_text_eod>", true},     {"<tts_text_bos_single>", true},
    {"<|audio_pad|>", true},
};

int SextetOf(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

// Strict base64 with padding.
bool DecodeBase64(std::string_view text, std::string* bytes) {
  bytes->clear();
  if (text.empty() || text.size() % 4 != 0) return false;
  size_t num_padding = 0;
  while (num_padding < 2 && text.ends_with('=')) {
    text.remove_suffix(1);
    ++num_padding;
  }
  uint32_t bits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const int sextet = SextetOf(text[i]);
    if (sextet < 0) return false;
    bits = bits << 6 | static_cast<uint32_t>(sextet);
    if (i % 4 == 0) continue;
    bytes->push_back(static_cast<char>(bits >> (6 - 2 * (i % 4))));
  }
  return true;
}

}  // namespace

absl::StatusOr<std::string> ReadTokenizerFile(const std::string& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) return NotFound("{}: no such file", path);
  if (!std::filesystem::is_regular_file(status)) return InvalidArgument("{}: no plain file", path);
  const uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return InvalidArgument("{}: {}", path, error.message());
  if (size > kTokenizerFileBytesMax) {
    return InvalidArgument("{}: {} bytes; at most {} are read", path, size, kTokenizerFileBytesMax);
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return InvalidArgument("{}: cannot be opened for reading", path);
  std::string bytes(size, '\0');
  if (!file.read(bytes.data(), static_cast<std::streamsize>(size))) {
    return DataLoss("{}: could not be read whole", path);
  }
  return bytes;
}

absl::StatusOr<TokenizerParts> ReadTiktoken(const std::string& path, Pattern pattern) {
  ATOLL_ASSIGN_OR_RETURN(const std::string file, ReadTokenizerFile(path));
  TokenizerParts parts;
  parts.pattern = pattern;
  const auto num_lines = std::count(file.begin(), file.end(), '\n') + 1;
  parts.vocabulary.Reserve(static_cast<size_t>(num_lines), file.size() / 2);
  std::string bytes;
  size_t line_number = 0;
  for (std::string_view rest = file; !rest.empty();) {
    const size_t newline = rest.find('\n');
    std::string_view line = rest.substr(0, newline);
    rest.remove_prefix(newline == std::string_view::npos ? rest.size() : newline + 1);
    ++line_number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const size_t space = line.find(' ');
    int32_t rank = -1;
    const char* const end = line.data() + line.size();
    if (space == std::string_view::npos || !DecodeBase64(line.substr(0, space), &bytes) ||
        std::from_chars(line.data() + space + 1, end, rank).ptr != end) {
      return InvalidArgument("{}: line {}: expected \"base64 rank\"", path, line_number);
    }
    const absl::Status added = parts.vocabulary.Add(TokenId{rank}, bytes);
    if (!added.ok()) return Annotate(added, fmt::format("{}: line {}", path, line_number));
  }
  const auto num_ranks = static_cast<int64_t>(parts.vocabulary.num_entries());
  if (parts.vocabulary.id_end() != num_ranks) {
    return InvalidArgument("{}: {} ranks, but the highest is {}; ranks must be without a gap", path,
                           num_ranks, parts.vocabulary.id_end() - 1);
  }
  auto id = static_cast<int32_t>(num_ranks);
  for (const FamilyToken& token : kFamilyTokens) {
    if (pattern == Pattern::kQwen2 && parts.added.size() == kNumQwen3Tokens) break;
    parts.added.push_back({TokenId{id++}, token.content, token.is_special});
  }
  return parts;
}

}  // namespace atl
