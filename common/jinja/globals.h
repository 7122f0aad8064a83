// The functions that every template has.
#pragma once

#include <string_view>

#include "common/jinja/values/value.h"

namespace atl::jinja {

// range, namespace, dict, raise_exception, ...; undefined for an unknown name.
Value FindGlobal(std::string_view name);

}  // namespace atl::jinja
