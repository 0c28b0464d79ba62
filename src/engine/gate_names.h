#pragma once

#include <string>
#include <string_view>
#include <unordered_set>

/// The names by which the gate's layers let functions through or refuse them (sql_gate.h).
namespace tarn::engine {

using GateNames = std::unordered_set<std::string_view>;

/// What a session may read from. The lake's own scans are added by name, since users cannot call them: layer 2 does
/// not list them.
const GateNames& AllowedTableFunctions();
/// Table macros, which layer 3 sees only as what they expand to.
const GateNames& AllowedTableMacros();
/// What SessionPolicy::local_files adds.
const GateNames& LocalFileFunctions();
/// Functions of the lake's catalog, reached through table names only.
const GateNames& CatalogScans();
/// Scalar functions that read the process's surroundings, keep state, wait, or carry SQL in a string.
const GateNames& DeniedFunctions();

/// Throws PermissionDenied.
[[noreturn]] void Deny(const std::string& what);

}  // namespace tarn::engine
