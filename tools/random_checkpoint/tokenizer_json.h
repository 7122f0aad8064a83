// tokenizer.json and tokenizer_config.json of a tiktoken file of ranks, as Hugging Face spells
// them.
#pragma once

#include <string>

#include "common/tokenizer/tokenizer_files.h"

namespace atl::tools {

struct TokenizerTexts {
  std::string tokenizer_json;
  std::string tokenizer_config_json;
};

// `parts` of ReadTiktoken with the pattern kQwen35. As published, tokenizer.json has the added
// tokens up to </think>, and the configuration has them all. An entry's merge is the pair that the
// merges of lower rank leave of its bytes; 201 entries of the real ranks are never reached and have
// none.
TokenizerTexts MakeTokenizerTexts(const TokenizerParts& parts);

}  // namespace atl::tools
