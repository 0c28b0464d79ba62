#include "storage/http/curl_library.h"

#include <dlfcn.h>

#include <string>

namespace tarn::storage {
namespace {

constexpr char kFile[] = "libcurl.so.4";

template <typename Function>
bool Find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

Result<CurlLibrary> Open() {
  void* const library = dlopen(kFile, RTLD_NOW | RTLD_LOCAL);
  CurlLibrary curl;
  decltype(&curl_global_init) global_init = nullptr;
  const bool complete =
      library != nullptr && Find(library, "curl_easy_init", curl.easy_init) &&
      Find(library, "curl_easy_cleanup", curl.easy_cleanup) && Find(library, "curl_easy_reset", curl.easy_reset) &&
      Find(library, "curl_easy_setopt", curl.easy_setopt) && Find(library, "curl_easy_perform", curl.easy_perform) &&
      Find(library, "curl_easy_getinfo", curl.easy_getinfo) && Find(library, "curl_easy_header", curl.easy_header) &&
      Find(library, "curl_easy_strerror", curl.easy_strerror) &&
      Find(library, "curl_slist_append", curl.slist_append) &&
      Find(library, "curl_slist_free_all", curl.slist_free_all) && Find(library, "curl_global_init", global_init);
  if (!complete) return Status::Unavailable(std::string("talking to a server needs ") + kFile + ": " + dlerror());
  if (const CURLcode code = global_init(CURL_GLOBAL_DEFAULT); code != CURLE_OK) {
    return Status::Unavailable(std::string(kFile) + " does not start: " + curl.easy_strerror(code));
  }
  return curl;
}

}  // namespace

Result<const CurlLibrary*> CurlLibrary::Load() {
  static const Result<CurlLibrary> kLibrary = Open();
  if (!kLibrary.ok()) return kLibrary.status();
  return &*kLibrary;
}

}  // namespace tarn::storage
