// Bytes of a request through Beast's parser, the router and the handlers, in front of fakes.
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/check.h"
#include "base/random.h"
#include "frontends/http/http_service.h"
#include "frontends/http/negotiation.h"
#include "frontends/http/request_body.h"
#include "frontends/testing/http_fixture.h"

namespace tarn::frontends {
namespace {

struct Fixture {
  FakeQueryService queries{[](const engine::QueryRequest& request) -> Result<FakeStream::Script> {
    // A stream that waits or is large would only cost time.
    if (request.sql == "slow" || request.sql == "big") return Status::NotFound("no");
    return AnswerSql(request);
  }};
  Random random{1};
  HttpService service{{.version = "1", .commit = "c", .max_body_bytes = 1 << 16}, random};
  MemoryBudget memory{"requests", 1 << 20};
  Fixture() {
    service.Attach({.queries = &queries,
                    .write_lines = [](const std::string&, std::string_view body, const ingest::WriteOptions&) {
                      return AnswerWrite(body);
                    }});
  }
};

void Handle(Fixture& fixture, HttpRequest& request) {
  HttpResponse response = fixture.service.Handle(request);
  TARN_CHECK(response.status >= 200 && response.status < 600);
  TARN_CHECK(response.status != 500);
  ByteBuffer out;
  while (response.source != nullptr) {
    const Result<bool> more = response.source->Fill(1 << 16, out);
    if (!more.ok() || !*more) break;
    out.Clear();
  }
  NegotiateCoding(request.Header("accept-encoding"));
}

void Run(Fixture& fixture, std::string_view bytes) {
  boost::beast::http::request_parser<RequestBody> parser;
  parser.header_limit(16 << 10);
  parser.body_limit(boost::none);
  parser.eager(true);
  parser.get().body().budget = &fixture.memory;
  parser.get().body().max_bytes = 1 << 16;
  while (!bytes.empty() && !parser.is_done()) {
    boost::beast::error_code error;
    const size_t used = parser.put(boost::asio::buffer(bytes), error);
    if (error || used == 0) return;
    bytes.remove_prefix(used);
  }
  if (!parser.is_done()) return;
  auto& message = parser.get();
  HttpRequest request;
  request.method = std::string(message.method_string());
  for (const auto& field : message) {
    std::string name(field.name_string());
    for (char& c : name) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    }
    request.headers[name] = std::string(field.value());
  }
  if (!ParseTarget({message.target().data(), message.target().size()}, request).ok()) return;
  request.body = std::move(message.body().text);
  request.memory = std::move(message.body().memory);
  request.budget = &fixture.memory;
  Handle(fixture, request);
}

}  // namespace
}  // namespace tarn::frontends

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static auto* const kFixture = std::make_unique<tarn::frontends::Fixture>().release();
  tarn::frontends::Run(*kFixture, {reinterpret_cast<const char*>(data), size});
  TARN_CHECK(kFixture->memory.used_bytes() == 0);
  return 0;
}
