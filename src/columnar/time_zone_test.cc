#include "columnar/time_zone.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/clock.h"
#include "base/testing/source_tree.h"
#include "columnar/time_text.h"

namespace tarn::columnar {
namespace {

/// What a wall clock there showed, in UTC.
std::string InUtc(const TimeZone& zone, const std::string& wall) {
  const auto micros = zone.UtcMicros(ParseTimestamp(wall)->micros);
  if (!micros.has_value()) return "none";
  std::string text;
  AppendTimestamp(text, *micros, TimestampStyle::kZonelessPartition);
  return text;
}

std::string InUtc(const std::string& zone, const std::string& wall) {
  const auto found = TimeZone::Find(zone);
  return found.ok() ? InUtc(*found, wall) : found.status().ToString();
}

std::string LosAngelesFile() { return FileContent("/usr/share/zoneinfo/America/Los_Angeles"); }

/// Los Angeles with another rule for the time behind its last change.
Result<TimeZone> WithRule(const std::string& rule) {
  const std::string file = LosAngelesFile();
  const size_t at = file.rfind("PST8PDT,M3.2.0,M11.1.0");
  if (at == std::string::npos) return Status::Internal("the file has another rule than this test knows");
  return TimeZone::Parse("z", file.substr(0, at) + rule + "\n");
}

TEST(TimeZone, FollowsTheZonesHistory) {
  EXPECT_EQ(InUtc(TimeZone(), "2021-07-01 12:00:00.5"), "2021-07-01 12:00:00.500000");
  EXPECT_EQ(TimeZone().name(), "UTC");
  EXPECT_EQ(InUtc("America/Los_Angeles", "2021-01-01 12:00:00"), "2021-01-01 20:00:00");
  EXPECT_EQ(InUtc("America/Los_Angeles", "2021-07-01 12:00:00.000001"), "2021-07-01 19:00:00.000001");
  EXPECT_EQ(InUtc("America/Los_Angeles", "1943-01-01 12:00:00"), "1943-01-01 19:00:00");
  EXPECT_EQ(InUtc("America/Los_Angeles", "1800-01-01 00:00:00"), "1800-01-01 07:52:58");
  EXPECT_EQ(InUtc("Asia/Kathmandu", "2000-01-01 00:00:00"), "1999-12-31 18:15:00");
  EXPECT_EQ(InUtc("Etc/GMT+5", "2000-01-01 00:00:00"), "2000-01-01 05:00:00");
}

TEST(TimeZone, GoesOnAfterTheLastChangeThatIsListed) {
  EXPECT_EQ(InUtc("America/Los_Angeles", "2100-01-01 12:00:00"), "2100-01-01 20:00:00");
  EXPECT_EQ(InUtc("America/Los_Angeles", "2100-07-01 12:00:00"), "2100-07-01 19:00:00");
  EXPECT_EQ(InUtc("Australia/Sydney", "2100-01-01 12:00:00"), "2100-01-01 01:00:00");
  EXPECT_EQ(InUtc("Australia/Sydney", "2100-07-01 12:00:00"), "2100-07-01 02:00:00");
  EXPECT_EQ(InUtc("Europe/Dublin", "2100-01-01 12:00:00"), "2100-01-01 12:00:00");
  EXPECT_EQ(InUtc("Europe/Dublin", "2100-07-01 12:00:00"), "2100-07-01 11:00:00");
}

TEST(TimeZone, TimesInGapsAndOverlapsAreThoseOfJava) {
  EXPECT_EQ(InUtc("America/Los_Angeles", "2021-03-14 01:59:59"), "2021-03-14 09:59:59");
  EXPECT_EQ(InUtc("America/Los_Angeles", "2021-03-14 02:30:00"), "2021-03-14 10:30:00");
  EXPECT_EQ(InUtc("America/Los_Angeles", "2021-03-14 03:00:00"), "2021-03-14 10:00:00");
  EXPECT_EQ(InUtc("America/Los_Angeles", "2021-11-07 01:30:00"), "2021-11-07 08:30:00");
  EXPECT_EQ(InUtc("America/Los_Angeles", "2021-11-07 02:00:00"), "2021-11-07 10:00:00");
  EXPECT_EQ(InUtc("America/Los_Angeles", "2100-03-14 02:30:00"), "2100-03-14 10:30:00");
  EXPECT_EQ(InUtc("America/Los_Angeles", "2100-11-07 01:30:00"), "2100-11-07 08:30:00");
  // Samoa had no 2011-12-30.
  EXPECT_EQ(InUtc("Pacific/Apia", "2011-12-30 12:00:00"), "2011-12-30 22:00:00");
}

TEST(TimeZone, NamesThatTheDatabaseLacksAreNamed) {
  for (const char* name : {"", "Nowhere/City", "america/los_angeles", "America", "../../../etc/passwd", "/etc/passwd",
                           "zone.tab", "zone1970.tab", "+01:00"}) {
    const auto found = TimeZone::Find(name);
    EXPECT_EQ(found.status().code(), StatusCode::kInvalidArgument) << name;
    EXPECT_NE(found.status().message().find("'" + std::string(name) + "'"), std::string::npos);
  }
}

TEST(TimeZone, MalformedFilesAreCorruption) {
  const std::string file = LosAngelesFile();
  ASSERT_TRUE(TimeZone::Parse("z", file).ok());
  for (size_t size = 0; size < file.size(); ++size) {
    const auto cut = TimeZone::Parse("z", std::string_view(file).substr(0, size));
    EXPECT_EQ(cut.status().code(), StatusCode::kCorruption) << size;
  }
  for (const char* bad : {"8", "PST", "PST8PDT", "PST8PDT,M3.2.0", "PST8PDT,M13.2.0,M11.1.0", "PST8PDT,M3.2.0,M11.1.0,",
                          "PST99", "<PST8", "PST8PDT,J0,J1", "PST8PDT,M3.2.0/200,M11.1.0"}) {
    EXPECT_EQ(WithRule(bad).status().code(), StatusCode::kCorruption) << bad;
  }
}

TEST(TimeZone, RulesAreThoseOfPosix) {
  const auto in_utc = [](const std::string& rule, const std::string& wall) {
    const auto zone = WithRule(rule);
    return zone.ok() ? InUtc(*zone, wall) : zone.status().ToString();
  };
  EXPECT_EQ(in_utc("", "2100-07-01 00:00:00"), "2100-07-01 08:00:00");
  EXPECT_EQ(in_utc("<+0530>-5:30", "2100-07-01 05:30:00"), "2100-07-01 00:00:00");
  EXPECT_EQ(in_utc("A0B-2,J60/0,J300", "2104-03-01 01:00:00"), "2104-03-01 01:00:00");
  EXPECT_EQ(in_utc("A0B-2,J60/0,J300", "2104-03-01 02:00:00"), "2104-03-01 00:00:00");
  EXPECT_EQ(in_utc("A0B-2,59/0,300", "2104-02-28 23:00:00"), "2104-02-28 23:00:00");
  EXPECT_EQ(in_utc("A0B-2,59/0,300", "2104-02-29 03:00:00"), "2104-02-29 01:00:00");
  EXPECT_EQ(in_utc("A0B,M3.5.0/-1,M10.5.0/167", "2100-03-27 23:30:00"), "2100-03-27 23:30:00");
  EXPECT_EQ(in_utc("A0B,M3.5.0/-1,M10.5.0/167", "2100-03-28 00:00:00"), "2100-03-27 23:00:00");
}

}  // namespace
}  // namespace tarn::columnar
