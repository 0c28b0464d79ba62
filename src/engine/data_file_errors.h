#pragma once

#include <exception>
#include <string>
#include <utility>

#include "engine/scan_source.h"

namespace tarn::engine {

/// What the file system of scans says of a data file begins so.
inline constexpr char kDataFilePrefix[] = "data file ";

/// Rethrows the exception being handled, which came from a scan of `path` (empty when that is not known): bytes that do
/// not decode are a Corruption of the table, whoever asked. To be called inside a catch block only.
[[noreturn]] void RethrowOfScan(const std::exception& exception, const ScanSource& source, const std::string& path);

/// The same for the opening of `path`: a file that is gone, or whose name leads nowhere, is a Corruption too, but a
/// gone one is NotFound where a past version was asked for, whose files VACUUM may have removed. One that this process
/// may not read is Unavailable.
[[noreturn]] void RethrowOfOpening(const std::exception& exception, const ScanSource& source, const std::string& path);

/// The same for the status of reading what belongs to the data file `path`, a deletion vector.
Status FaultOfTable(const Status& status, const ScanSource& source, const std::string& path);

/// Runs `body`, which opens `path`.
template <typename Body>
auto OpeningDataFile(const ScanSource& source, const std::string& path, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (const std::exception& error) {
    RethrowOfOpening(error, source, path);
  }
}

}  // namespace tarn::engine
