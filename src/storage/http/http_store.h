#pragma once

#include <memory>
#include <string_view>

#include "storage/http/http_client.h"
#include "storage/object_store.h"

namespace tarn::storage {

/// The files below an http:// or https:// URL, for reading only: whatever writes, and List, is Unsupported. Redirects
/// are followed. Spaces and letters beyond ASCII in the URL's path are sent encoded; what is encoded in it stays so. A
/// file that arrives at less than 4 KiB/s, a minute aside, is Unavailable. InvalidArgument for a URL without a host, or
/// with a user, a query or a fragment.
Result<std::shared_ptr<ObjectStore>> MakeHttpStore(std::string_view url, std::shared_ptr<HttpClient> client);

}  // namespace tarn::storage
