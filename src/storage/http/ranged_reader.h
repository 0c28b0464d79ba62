#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/http/http_client.h"
#include "storage/object_store.h"

namespace tarn::storage::internal {

/// A GET of one object with these headers, repeated as its store repeats reads. Statuses 416 and from 200 to 299 come
/// back as answers, all others as the store's errors: Conflict for 412.
using RangeFetch = std::function<Result<HttpResponse>(std::vector<HttpHeader> headers, MutableByteSpan into)>;
/// What Head says of the same object.
using HeadFetch = std::function<Result<ObjectInfo>()>;

/// Size, time and tag out of an answer's headers; `size_bytes` is 0 where they do not say.
ObjectInfo InfoOfAnswer(std::string key, const HttpResponse& answer);

/// Opens an object with one request, which brings its first 64 KiB along; what is smaller is not asked for again.
/// Later parts are read by ranges that name the tag of the first answer, so that an object that changed meanwhile is
/// Conflict, never a mixture. `shown` names the object in messages. Unsupported when a larger object has neither tag
/// nor time, or its server does not serve ranges.
Result<std::unique_ptr<ObjectReader>> OpenByRanges(std::string key, std::string shown, RangeFetch fetch,
                                                   const HeadFetch& head);

/// The same for an object of known size, without a request: the first read finds out what it is.
std::unique_ptr<ObjectReader> OpenKnownByRanges(std::string key, int64_t size_bytes, std::string shown,
                                                RangeFetch fetch);

}  // namespace tarn::storage::internal
