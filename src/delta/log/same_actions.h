#pragma once

#include <string>

#include "delta/actions.h"

namespace tarn::delta {

// Whether what a log, its checkpoints and its checksums say is the same, however their writers spell it.

/// Equal for JSON texts that differ in the order of members, in spaces and in members that are null; text that is no
/// JSON as it is.
std::string CanonicalJson(const std::string& text);

bool SameProtocol(const Protocol& left, const Protocol& right);
bool SameMetadata(const Metadata& left, const Metadata& right);

}  // namespace tarn::delta
