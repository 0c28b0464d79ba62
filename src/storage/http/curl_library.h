#pragma once

#include <curl/curl.h>

#include "base/status.h"

namespace tarn::storage {

/// The functions of libcurl that we use, loaded when something first talks to a server. Linked, Debian's libcurl brings
/// twenty further libraries into every process, servers of a local lake among them: 4 MB of memory and a part of their
/// start.
struct CurlLibrary {
  decltype(&curl_easy_init) easy_init;
  decltype(&curl_easy_cleanup) easy_cleanup;
  decltype(&curl_easy_reset) easy_reset;
  decltype(&::curl_easy_setopt) easy_setopt;
  decltype(&curl_easy_perform) easy_perform;
  decltype(&::curl_easy_getinfo) easy_getinfo;
  decltype(&curl_easy_header) easy_header;
  decltype(&curl_easy_strerror) easy_strerror;
  decltype(&curl_slist_append) slist_append;
  decltype(&curl_slist_free_all) slist_free_all;

  /// The library, ready for use for as long as the process lives. Unavailable when it is not installed. Thread-safe.
  static Result<const CurlLibrary*> Load();
};

}  // namespace tarn::storage
