// load: a file of weights → whether its reader takes it.
#include <nlohmann/json.hpp>

#include "common/base/status_macros.h"
#include "common/text/base64.h"
#include "tools/checker/kinds/kind.h"
#include "tools/checker/question/fields.h"
#include "worker/weights/safetensors/safetensors.h"

namespace atl::tools {
namespace {

class Load : public Kind {
 public:
  absl::Status Answer(const Json& in, const std::string&, Json& out) override {
    ATOLL_ASSIGN_OR_RETURN(const std::string format, StringField(in, "format"));
    if (format == "gguf") return Unimplemented("format: gguf files are not read yet");
    if (format != "safetensors") {
      return InvalidArgument("format: expected \"safetensors\" or \"gguf\"");
    }
    ATOLL_ASSIGN_OR_RETURN(const std::string text, StringField(in, "base64"));
    const auto bytes = DecodeBase64(text);
    if (!bytes.ok()) return Annotate(bytes.status(), "base64");
    const auto file = worker::SafetensorsFile::FromBytes(bytes->data(), bytes->size(), "the file");
    out["accepted"] = file.ok();
    out["reason"] = file.ok() ? "" : MessageOf(file.status());
    return absl::OkStatus();
  }
};

}  // namespace

absl::StatusOr<std::unique_ptr<Kind>> MakeLoad(const CheckFlags&) {
  return std::make_unique<Load>();
}

}  // namespace atl::tools
