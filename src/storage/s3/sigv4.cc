#include "storage/s3/sigv4.h"

#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/check.h"
#include "storage/http/time_text.h"

namespace tarn::storage::internal {

namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kRequestType = "aws4_request";
constexpr size_t kDateLength = 8;
using Digest = std::array<unsigned char, 32>;

std::string Hex(const Digest& digest) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(2 * digest.size());
  for (const unsigned char byte : digest) {
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

/// The functions of OpenSSL that we use. libcurl brings OpenSSL along, and is itself loaded when first used; linked, it
/// would be mistaken for the copy that libparquet has inside.
struct CryptoLibrary {
  decltype(&EVP_sha256) sha256 = nullptr;
  decltype(&EVP_Digest) digest = nullptr;
  decltype(&HMAC) hmac = nullptr;
};

template <typename Function>
bool Find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

Result<CryptoLibrary> OpenCrypto() {
  constexpr char kFile[] = "libcrypto.so.3";
  void* const library = dlopen(kFile, RTLD_NOW | RTLD_LOCAL);
  CryptoLibrary crypto;
  if (library == nullptr || !Find(library, "EVP_sha256", crypto.sha256) ||
      !Find(library, "EVP_Digest", crypto.digest) || !Find(library, "HMAC", crypto.hmac)) {
    return Status::Unavailable(std::string("signing requests needs ") + kFile + ": " + dlerror());
  }
  return crypto;
}

const Result<CryptoLibrary>& LoadedCrypto() {
  static const Result<CryptoLibrary> kLibrary = OpenCrypto();
  return kLibrary;
}

Digest Hmac(std::string_view key, std::string_view text) {
  const CryptoLibrary& crypto = *LoadedCrypto();
  Digest digest;
  unsigned int size = digest.size();
  const unsigned char* const made =
      crypto.hmac(crypto.sha256(), key.data(), static_cast<int>(key.size()),
                  reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  TARN_CHECK(made != nullptr && size == digest.size());
  return digest;
}

std::string_view KeyOf(const Digest& digest) { return {reinterpret_cast<const char*>(digest.data()), digest.size()}; }

void AppendEncoded(std::string& out, std::string_view text, bool keep_slash) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : text) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || c == '.' || c == '~' || (c == '/' && keep_slash);
    if (plain) {
      out += c;
      continue;
    }
    out += '%';
    out += kHex[static_cast<unsigned char>(c) >> 4];
    out += kHex[static_cast<unsigned char>(c) & 15];
  }
}

Digest SigningKey(std::string_view secret, std::string_view date, const SigningScope& scope) {
  const Digest of_date = Hmac("AWS4" + std::string(secret), date);
  const Digest of_region = Hmac(KeyOf(of_date), scope.region);
  const Digest of_service = Hmac(KeyOf(of_region), scope.service);
  return Hmac(KeyOf(of_service), kRequestType);
}

}  // namespace

Status LoadCrypto() { return LoadedCrypto().status(); }

std::string Sha256Hex(ByteSpan bytes) {
  const CryptoLibrary& crypto = *LoadedCrypto();
  Digest digest;
  unsigned int size = digest.size();
  TARN_CHECK(crypto.digest(bytes.data(), bytes.size(), digest.data(), &size, crypto.sha256(), nullptr) == 1);
  return Hex(digest);
}

std::string EncodeQuery(const QueryParameters& parameters) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : parameters) {
    std::string part;
    AppendEncoded(part, name, false);
    part += '=';
    AppendEncoded(part, value, false);
    parts.push_back(std::move(part));
  }
  std::sort(parts.begin(), parts.end());
  std::string query;
  for (const std::string& part : parts) query += (query.empty() ? "" : "&") + part;
  return query;
}

std::string EncodeS3Path(std::string_view path) {
  std::string out;
  AppendEncoded(out, path, true);
  return out;
}

std::string Authorization(const SigningRequest& request, const SigningScope& scope, const Credentials& credentials) {
  std::vector<HttpHeader> headers = request.headers;
  std::sort(headers.begin(), headers.end(),
            [](const HttpHeader& left, const HttpHeader& right) { return left.name < right.name; });
  std::string names;
  std::string canonical =
      std::string(request.method) + '\n' + std::string(request.path) + '\n' + std::string(request.query) + '\n';
  std::string_view time;
  for (const HttpHeader& header : headers) {
    names += (names.empty() ? "" : ";") + header.name;
    canonical += header.name + ':' + header.value + '\n';
    if (header.name == "x-amz-date") time = header.value;
  }
  TARN_CHECK(time.size() > kDateLength);
  canonical += '\n' + names + '\n' + std::string(request.payload_hash);
  const std::string_view date = time.substr(0, kDateLength);
  const std::string scope_text = std::string(date) + '/' + std::string(scope.region) + '/' +
                                 std::string(scope.service) + '/' + std::string(kRequestType);
  const std::string to_sign =
      std::string(kAlgorithm) + '\n' + std::string(time) + '\n' + scope_text + '\n' + Sha256Hex(AsBytes(canonical));
  const Digest signature = Hmac(KeyOf(SigningKey(credentials.secret_access_key, date, scope)), to_sign);
  return std::string(kAlgorithm) + " Credential=" + credentials.access_key_id + '/' + scope_text +
         ", SignedHeaders=" + names + ", Signature=" + Hex(signature);
}

std::vector<HttpHeader> SignedHeaders(SigningRequest request, const SigningScope& scope, const Credentials& credentials,
                                      int64_t now_seconds) {
  request.headers.push_back({"x-amz-content-sha256", std::string(request.payload_hash)});
  request.headers.push_back({"x-amz-date", FormatAmzDate(now_seconds)});
  if (!credentials.session_token.empty()) {
    request.headers.push_back({"x-amz-security-token", credentials.session_token});
  }
  std::string authorization = Authorization(request, scope, credentials);
  request.headers.push_back({"Authorization", std::move(authorization)});
  return std::move(request.headers);
}

}  // namespace tarn::storage::internal
