// JSON that a test knows to be right, as a tree.
#pragma once

#include <gtest/gtest.h>

#include <string_view>
#include <utility>
#include <variant>

#include "common/text/json_tree.h"

namespace atl::testing {

// Null and a failed test where it is wrong.
inline JsonNode NodeOf(std::string_view text) {
  auto read = ReadJsonTree(text, {});
  if (auto* node = std::get_if<JsonNode>(&read)) return std::move(*node);
  ADD_FAILURE() << "no JSON: " << text.substr(0, 100);
  return JsonNode();
}

}  // namespace atl::testing
