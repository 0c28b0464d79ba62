#pragma once

#include <set>
#include <string>
#include <vector>

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

/// The features that properties or columns make use of: the protocol must have them.
std::set<std::string> FeaturesInUse(const Metadata& metadata, const arrow::Schema& schema);

/// The lowest protocol that has what `protocol` has and these features: itself when it has them; else a version without
/// lists where one stands for them all; else lists, which name every feature that the old version implied. Unsupported
/// for a feature that is not known or not built.
Result<Protocol> RaiseFor(const Protocol& protocol, const std::set<std::string>& features);

/// `protocol` with the versions raised to these: lists name what the old version implied, and nothing is added to them.
/// InvalidArgument for a pair that does not exist, or is lower.
Result<Protocol> UpgradeTo(const Protocol& protocol, int reader_version, int writer_version);

/// The name of a feature as the protocol spells it, whatever its case; as it is where it is not known.
std::string FeatureName(const std::string& name);

/// The features that a protocol lists, or whose place its version stands for.
std::set<std::string> FeaturesOf(const Protocol& protocol);

/// Those among them that whoever only reads the table must know.
std::vector<std::string> ReaderFeaturesOf(const Protocol& protocol);

/// PermissionDenied when rows may only be added (`delta.appendOnly`).
Status CheckMayDelete(const Metadata& metadata);

/// The value of a boolean table property; false when absent.
bool PropertyIsTrue(const Metadata& metadata, const std::string& key);

/// The value of a table property that is a whole number; `otherwise` when absent, or none that it may have.
int64_t PropertyNumber(const Metadata& metadata, const std::string& key, int64_t otherwise);

}  // namespace tarn::delta
