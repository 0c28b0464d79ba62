#pragma once

#include <set>
#include <string>

#include "base/status.h"
#include "delta/actions.h"

namespace arrow {
class Schema;
}

namespace tarn::delta {

/// Whether this program can read a table of this protocol and metadata. Unsupported names the feature; Corruption for a
/// protocol that contradicts itself.
Status CheckReadable(const Protocol& protocol, const Metadata& metadata, const arrow::Schema& schema);

/// Whether it can write to it; implies CheckReadable.
Status CheckWritable(const Protocol& protocol, const Metadata& metadata, const arrow::Schema& schema);

/// The lowest protocol for a new table: (1,2) unless a property asks for a feature, which then is listed with those
/// that (1,2) implies.
Protocol LowestProtocol(const Metadata& metadata);

/// The features that a protocol lists, or whose place its version stands for.
std::set<std::string> FeaturesOf(const Protocol& protocol);

/// PermissionDenied when rows may only be added (`delta.appendOnly`).
Status CheckMayDelete(const Metadata& metadata);

/// The value of a boolean table property; false when absent.
bool PropertyIsTrue(const Metadata& metadata, const std::string& key);

}  // namespace tarn::delta
