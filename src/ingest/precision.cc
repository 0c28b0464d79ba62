#include "ingest/precision.h"

#include <array>
#include <string>
#include <utility>

#include "ingest/text_scan.h"

namespace tarn::ingest {
namespace {

constexpr size_t kMaxShownBytes = 32;
// "µ" is the micro sign, "μ" the Greek letter; both are in use.
constexpr std::array<std::pair<std::string_view, Precision>, 16> kNames = {{
    {"ns", Precision::kNanoseconds},
    {"n", Precision::kNanoseconds},
    {"nanosecond", Precision::kNanoseconds},
    {"nanoseconds", Precision::kNanoseconds},
    {"us", Precision::kMicroseconds},
    {"u", Precision::kMicroseconds},
    {"\u00b5", Precision::kMicroseconds},
    {"\u03bc", Precision::kMicroseconds},
    {"microsecond", Precision::kMicroseconds},
    {"microseconds", Precision::kMicroseconds},
    {"ms", Precision::kMilliseconds},
    {"millisecond", Precision::kMilliseconds},
    {"milliseconds", Precision::kMilliseconds},
    {"s", Precision::kSeconds},
    {"second", Precision::kSeconds},
    {"seconds", Precision::kSeconds},
}};

}  // namespace

Result<Precision> ParsePrecision(std::string_view text, WriteApi api) {
  const bool knows_auto = api == WriteApi::kV3;
  if (text.empty()) return knows_auto ? Precision::kAuto : Precision::kNanoseconds;
  if (knows_auto && text == "auto") return Precision::kAuto;
  for (const auto& [name, precision] : kNames) {
    if (text == name) return precision;
  }
  const bool knows_minutes = api == WriteApi::kV1;
  if (knows_minutes && text == "m") return Precision::kMinutes;
  if (knows_minutes && text == "h") return Precision::kHours;
  return Status::InvalidArgument("precision '" + Excerpt(text, kMaxShownBytes) + "' is none of ns, us, ms, s" +
                                 (knows_auto      ? ", auto"
                                  : knows_minutes ? ", m, h"
                                                  : ""));
}

}  // namespace tarn::ingest
