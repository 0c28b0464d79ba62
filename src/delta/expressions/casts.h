#pragma once

#include <optional>

#include "delta/expressions/node.h"

namespace tarn::delta {

/// What CAST does between two types that differ; null where Spark has no such cast, or spells values (floating numbers,
/// timestamps) in ways that are not built. Where a value has none of the other type the function is InvalidArgument:
/// Spark then fails or gives null or another number, as its settings say. Timestamps without zone are UTC.
UnaryFunction CastBetween(const TypePtr& from, const TypePtr& to);

/// The type to which Spark casts operands of two types that are compared or chosen between; null when there is none
/// here. Void goes with everything.
TypePtr CommonType(const TypePtr& left, const TypePtr& right);

}  // namespace tarn::delta
