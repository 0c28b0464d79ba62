#pragma once

#include <cstdint>
#include <string>

#include "base/random.h"

namespace tarn::ingest::testing {

/// A body of up to a few dozen lines, most of them right, some broken on purpose or by mutation: few names, so that
/// keys repeat, clash and change type, and many escapes, quotes and number forms.
std::string RandomBody(Random& random);

/// `lines` lines as the TSBS generator writes them for its cpu-only case: 10 tags and 10 fields, in series order.
/// Integer fields end in `i`; otherwise they are floats with many digits.
std::string TsbsCpuBody(int64_t lines, int64_t hosts, bool integers);

/// `lines` lines as Telegraf's default inputs write them: several measurements, mixed types, strings.
std::string TelegrafBody(int64_t lines, int64_t hosts);

}  // namespace tarn::ingest::testing
