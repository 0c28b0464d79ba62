#include "base/testing/source_tree.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace tarn {

namespace fs = std::filesystem;

namespace {

bool IsSet(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && std::string_view(value) == "1";
}

}  // namespace

fs::path SourceRoot() {
  fs::path folder = fs::canonical("/proc/self/exe").parent_path();
  while (folder.has_relative_path() && !fs::exists(folder / "tests" / "fixtures")) folder = folder.parent_path();
  return folder;
}

std::optional<fs::path> SharedFixture(std::string_view name) {
  const char* const shared = std::getenv("TARN_SHARED");
  const fs::path root = shared != nullptr ? fs::path(shared) : SourceRoot().parent_path() / "shared";
  fs::path path = root / "fixtures" / name;
  if (fs::exists(path)) return path;
  if (IsSet("TARN_REQUIRE_SHARED")) ADD_FAILURE() << path << " is missing";
  return std::nullopt;
}

std::string FileContent(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

void ExpectGolden(std::string_view name, std::string_view bytes) {
  const fs::path path = SourceRoot() / "tests" / "fixtures" / name;
  if (IsSet("TARN_UPDATE_GOLDEN")) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
  }
  EXPECT_TRUE(FileContent(path) == bytes) << path << " is not what is written today";
}

}  // namespace tarn
