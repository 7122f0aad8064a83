// tokenize: text → ids and the words that they were made of.
#include <nlohmann/json.hpp>
#include <utility>

#include "common/base/status_macros.h"
#include "tools/checker/kinds/kind.h"
#include "tools/checker/question/fields.h"
#include "tools/checker/question/named_files.h"

namespace atl::tools {
namespace {

class Tokenize : public Kind {
 public:
  explicit Tokenize(std::unique_ptr<const Tokenizer> tokenizer)
      : tokenizer_(std::move(tokenizer)) {}

  absl::Status Answer(const Json& in, const std::string&, Json& out) override {
    ATOLL_ASSIGN_OR_RETURN(const std::string text, StringField(in, "text"));
    ATOLL_ASSIGN_OR_RETURN(const bool parse_special, BoolField(in, "parse_special", false));
    ATOLL_ASSIGN_OR_RETURN(const bool nfc, BoolField(in, "nfc", true));
    const EncodeOptions options = {
        .special = parse_special ? EncodeOptions::Special::kParse : EncodeOptions::Special::kText,
        .nfc = nfc ? EncodeOptions::Nfc::kOn : EncodeOptions::Nfc::kOff};
    ATOLL_ASSIGN_OR_RETURN(const auto ids, tokenizer_->Encode(text, options));
    ATOLL_ASSIGN_OR_RETURN(const auto pieces, tokenizer_->Words(text, options));
    out["ids"] = IdsJson(ids);
    out["pieces"] = pieces;
    return absl::OkStatus();
  }

 private:
  const std::unique_ptr<const Tokenizer> tokenizer_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Kind>> MakeTokenize(const CheckFlags& flags) {
  ATOLL_ASSIGN_OR_RETURN(auto tokenizer, LoadChosenTokenizer(flags));
  return std::make_unique<Tokenize>(std::move(tokenizer));
}

}  // namespace atl::tools
