#pragma once

#include <string>

namespace tarn::storage::testing {

/// A fresh folder below $TMPDIR (or /tmp), removed with all it holds on destruction.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace tarn::storage::testing
