#include "server/lake_place.h"

#include <filesystem>
#include <utility>

#include "base/uri.h"
#include "storage/stores.h"

namespace tarn::server {

namespace {

namespace fs = std::filesystem;

Result<std::string> AbsolutePath(const std::string& path, const std::string& shown) {
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  if (error) return Status::InvalidArgument("'" + shown + "': " + error.message());
  return absolute.lexically_normal().string();
}

/// Of a path or a file URI.
Result<std::string> FolderOf(const std::string& uri) {
  TARN_ASSIGN_OR_RETURN(const std::string path, storage::LocalPathOf(uri));
  return AbsolutePath(path, uri);
}

/// Empty when nothing says where it is.
Result<std::string> StateDirectory(const std::string& configured, const Environment& environment) {
  if (!configured.empty()) return AbsolutePath(configured, configured);
  // The standard has relative paths ignored.
  const std::string_view state_home = ValueOf(environment, "XDG_STATE_HOME");
  if (state_home.starts_with('/')) return JoinPath(state_home, "tarn");
  const std::string_view home = ValueOf(environment, "HOME");
  return home.starts_with('/') ? JoinPath(home, ".local/state/tarn") : std::string();
}

Result<LakePlace> FindLocalLake(const std::string& uri, LakeAccess access) {
  LakePlace place;
  TARN_ASSIGN_OR_RETURN(place.folder, FolderOf(uri));
  std::error_code error;
  if (access == LakeAccess::kRead && !fs::is_directory(place.folder, error)) {
    return Status::NotFound("there is no lake at '" + place.folder + "'");
  }
  TARN_ASSIGN_OR_RETURN(place.store, storage::OpenLocalStore(place.folder));
  place.wal_root = JoinPath(place.folder, "_tarn/wal");
  place.temp_root = JoinPath(place.folder, "_tarn/tmp");
  return place;
}

}  // namespace

Result<LakePlace> FindLake(const std::string& uri, const RemoteSettings& settings, const Environment& environment,
                           LakeAccess access) {
  if (!storage::IsRemoteUri(uri)) return FindLocalLake(uri, access);
  if (!uri.starts_with("s3://") && !uri.starts_with("s3a://")) {
    return Status::Unsupported("'" + uri +
                               "': lakes are in local folders and in S3 (s3://); a Delta table on a web server is read "
                               "as one, as in tarn sql -t t=https://host/path");
  }
  LakePlace place;
  TARN_ASSIGN_OR_RETURN(place.store, delta::OpenTableStore(uri, settings.entries, environment));
  TARN_ASSIGN_OR_RETURN(const std::string state, StateDirectory(settings.state_directory, environment));
  if (!state.empty()) {
    place.wal_root = JoinPath(state, "wal");
    place.temp_root = JoinPath(state, "tmp");
  } else if (access == LakeAccess::kWrite) {
    return Status::InvalidArgument(
        "the write-ahead log of '" + uri +
        "' needs a local folder: set state_directory (TARN_STATE_DIRECTORY), since HOME is not set");
  }
  return place;
}

}  // namespace tarn::server
