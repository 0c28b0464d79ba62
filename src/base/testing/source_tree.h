#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace tarn {

/// The checkout whose build folder this program lies in: fixtures, golden files and pages are found from here, wherever
/// the program is started.
std::filesystem::path SourceRoot();

/// Test data of others that may lie beside the checkout: `name` below $TARN_SHARED/fixtures or ../shared/fixtures.
/// Nothing when it is not there; then the test ends with GTEST_SKIP, having failed here if TARN_REQUIRE_SHARED=1.
std::optional<std::filesystem::path> SharedFixture(std::string_view name);

/// The bytes of a file; a failure of the test when it cannot be read.
std::string FileContent(const std::filesystem::path& path);

/// Compares `bytes` with the golden file `name` below tests/fixtures; with TARN_UPDATE_GOLDEN=1, as `./dev golden` sets
/// it, writes the file instead.
void ExpectGolden(std::string_view name, std::string_view bytes);

}  // namespace tarn
