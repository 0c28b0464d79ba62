#include "ingest/testing/random_body.h"

#include <array>
#include <charconv>
#include <string_view>
#include <vector>

namespace tarn::ingest::testing {
namespace {

template <size_t N>
std::string Pick(Random& random, const std::array<std::string_view, N>& from) {
  return std::string(from[random.Below(N)]);
}

std::string RandomKey(Random& random) {
  static constexpr std::array<std::string_view, 16> kKeys = {
      "a",     "b",           "c",        "A",    "host", "Host",  "k\\ 1", "k\\,2",
      "k\\=3", "back\\slash", "\xc3\xa9", "time", "t#",   "\"q\"", "value", "x\\\\\\ y"};
  return Pick(random, kKeys);
}

std::string RandomDigits(Random& random, uint64_t max) {
  std::string digits;
  for (uint64_t i = random.Below(max) + 1; i > 0; --i) digits += static_cast<char>('0' + random.Below(10));
  return digits;
}

std::string RandomNumber(Random& random) {
  std::string number = random.Below(3) == 0 ? "-" : "";
  switch (random.Below(8)) {
    case 0:
      return number + RandomDigits(random, 21) + "i";
    case 1:
      return number + RandomDigits(random, 22) + "u";
    case 2:
      return number + RandomDigits(random, 4);
    case 3:
      return number + RandomDigits(random, 20) + "." + RandomDigits(random, 20);
    case 4:
      return number + "." + RandomDigits(random, 6);
    case 5:
      return number + RandomDigits(random, 5) + ".";
    case 6:
      return number + RandomDigits(random, 30) + "." + RandomDigits(random, 30) + "e-" + RandomDigits(random, 3);
    default:
      return number + RandomDigits(random, 3) + "." + RandomDigits(random, 3) + "E" + RandomDigits(random, 3);
  }
}

std::string RandomValue(Random& random, const std::string& key) {
  static constexpr std::array<std::string_view, 10> kStrings = {
      "\"\"",           "\"text\"",      "\"two words, a=1\"", "\"q\\\"uote\"", "\"back\\\\\"",
      "\"line\nfeed\"", "\"\\n\\t\\x\"", "\"caf\xc3\xa9\"",    "\"open",        "\"a\nm v=1\""};
  static constexpr std::array<std::string_view, 13> kBooleans = {"t",     "T",     "true",  "True", "TRUE", "f", "F",
                                                                 "false", "False", "FALSE", "tRUE", "yes",  ""};
  // Most keys keep one type, or nearly every line would clash with an earlier one.
  const uint64_t choice = random.Below(4) == 0 ? random.Below(3) : key.size() % 3;
  if (choice == 0) return Pick(random, kStrings);
  if (choice == 1) return RandomNumber(random);
  return Pick(random, kBooleans);
}

std::string RandomLine(Random& random) {
  static constexpr std::array<std::string_view, 6> kMeasurements = {"m", "cpu", "CPU", "m\\ 1", "a\\,b", "e=q"};
  static constexpr std::array<std::string_view, 6> kTagValues = {"v", "w\\ x", "\"quoted\"", "a\\=b", "\\", "\xc3\xa9"};
  std::string line = random.Below(8) == 0 ? " " : "";
  line += Pick(random, kMeasurements);
  for (uint64_t i = random.Below(3); i > 0; --i) line += "," + RandomKey(random) + "=" + Pick(random, kTagValues);
  line += random.Below(10) == 0 ? "  " : " ";
  for (uint64_t i = 0, n = random.Below(3) + 1; i < n; ++i) {
    const std::string key = RandomKey(random);
    line += (i == 0 ? "" : ",") + key + "=" + RandomValue(random, key);
  }
  if (random.Below(2) == 0) line += " " + std::string(random.Below(4) == 0 ? "-" : "") + RandomDigits(random, 20);
  if (random.Below(8) == 0) line += " ";
  return line;
}

void Mutate(Random& random, std::string& line) {
  static constexpr std::string_view kBytes = ",= \"\\\n\r\t#-.eiu0\x01\x7f\xff";
  if (line.empty()) return;
  const size_t at = random.Below(line.size());
  if (random.Below(2) == 0) {
    line.erase(at, 1);
  } else {
    line.insert(at, 1, kBytes[random.Below(kBytes.size())]);
  }
}

void AppendFixed(std::string& out, double value, int decimals) {
  std::array<char, 64> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, decimals).ptr;
  out.append(text.data(), end);
}

}  // namespace

std::string RandomBody(Random& random) {
  std::string body;
  std::vector<std::string> earlier;
  for (uint64_t i = random.Below(30); i > 0; --i) {
    // Repeated lines take the paths that remember.
    std::string line = !earlier.empty() && random.Below(3) == 0 ? earlier[random.Below(earlier.size())]
                       : random.Below(15) == 0                  ? "# comment \"\n"
                                                                : RandomLine(random);
    earlier.push_back(line);
    if (random.Below(5) == 0) Mutate(random, line);
    body += line + (random.Below(6) == 0 ? "\r\n" : "\n");
  }
  if (!body.empty() && random.Below(3) == 0) body.pop_back();
  return body;
}

std::string TsbsCpuBody(int64_t lines, int64_t hosts, bool integers) {
  static constexpr std::array<std::string_view, 10> kFields = {
      "usage_user", "usage_system",  "usage_idle",  "usage_nice",  "usage_iowait",
      "usage_irq",  "usage_softirq", "usage_steal", "usage_guest", "usage_guest_nice"};
  Random random(1);
  std::string body;
  for (int64_t i = 0; i < lines; ++i) {
    const std::string host = std::to_string(i % hosts);
    body += "cpu,hostname=host_" + host +
            ",region=eu-central-1,datacenter=eu-central-1a,rack=" + std::to_string(i % hosts % 97) +
            ",os=Ubuntu15.10,arch=x86,team=SF,service=" + std::to_string(i % hosts % 19) +
            ",service_version=1,service_environment=test ";
    for (size_t k = 0; k < kFields.size(); ++k) {
      if (k > 0) body += ',';
      body.append(kFields[k]);
      body += '=';
      if (integers) {
        body += std::to_string(random.Below(100)) + "i";
      } else {
        AppendFixed(body, random.NextDouble() * 100, 15);
      }
    }
    body += ' ' + std::to_string(1'451'606'400'000'000'000 + i / hosts * 10'000'000'000) + '\n';
  }
  return body;
}

std::string TelegrafBody(int64_t lines, int64_t hosts) {
  Random random(2);
  std::string body;
  for (int64_t i = 0; i < lines; ++i) {
    const std::string host = ",host=web-" + std::to_string(i / 4 % hosts);
    switch (i % 4) {
      case 0:
        body += "cpu,cpu=cpu" + std::to_string(random.Below(8)) + host + " usage_user=";
        AppendFixed(body, random.NextDouble() * 100, 10);
        body += ",usage_system=";
        AppendFixed(body, random.NextDouble() * 100, 10);
        body += ",usage_idle=";
        AppendFixed(body, random.NextDouble() * 100, 10);
        break;
      case 1:
        body += "mem" + host + " total=16777216000i,available=" + std::to_string(random.Below(16'777'216'000)) +
                "i,used_percent=";
        AppendFixed(body, random.NextDouble() * 100, 4);
        break;
      case 2:
        body += "disk,device=nvme0n1p1,fstype=ext4" + host +
                ",mode=rw,path=/ free=" + std::to_string(random.Below(1'000'000'000'000)) +
                "i,inodes_free=" + std::to_string(random.Below(100'000'000)) + "i,read_only=false";
        break;
      default:
        body += "system" + host + " load1=";
        AppendFixed(body, random.NextDouble() * 8, 2);
        body += ",n_users=" + std::to_string(random.Below(8)) + "i,uptime_format=\"" +
                std::to_string(random.Below(400)) + " days, \\\"" + std::to_string(random.Below(24)) + ":05\\\"\"";
        break;
    }
    body += ' ' + std::to_string(1'700'000'000'000'000'000 + i / 4 / hosts * 10'000'000'000) + '\n';
  }
  return body;
}

}  // namespace tarn::ingest::testing
