#include "ingest/line_protocol.h"

#include <arrow/record_batch.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <utility>

#include "ingest/measurement.h"
#include "ingest/numbers.h"
#include "ingest/series_memo.h"
#include "ingest/text_scan.h"

namespace tarn::ingest {
namespace {

constexpr size_t kMaxNameBytes = 64 << 10;
constexpr size_t kMaxStringBytes = 64 << 10;
constexpr size_t kMaxMeasurements = 10'000;
constexpr size_t kMaxExcerptBytes = 512;
constexpr ptrdiff_t kLongestBoolean = 5;
// A row takes room in every column of its measurement. The bound keeps a small body of sparse lines from becoming a
// huge batch; a body with one value in a hundred bytes and every fiftieth cell filled is well below it.
constexpr int64_t kCellsPerByte = 4;
constexpr int64_t kMinMaxCells = 1 << 20;

struct StagedTag {
  Column* column;
  /// With its '='; empty when it was predicted.
  std::string_view raw_key;
  std::string_view raw_value;
  bool escaped;
};

struct StagedField {
  Column* column;
  /// With its '='.
  std::string_view raw_key;
  Number number;
  bool truth;
  bool escaped;
  std::string_view raw_text;
};

/// Reads one body. A line is first parsed into `tags_`, `fields_` and `nanos_`, then committed as a whole.
class BodyParser {
 public:
  BodyParser(std::string_view body, const LineProtocolOptions& options)
      : options_(options),
        begin_(body.data()),
        end_(body.data() + body.size()),
        utf8_valid_(simdjson::validate_utf8(body.data(), body.size())),
        has_control_characters_(HasControlCharacterWithinLines(body)),
        max_cells_(std::max(kMinMaxCells, kCellsPerByte * static_cast<int64_t>(body.size()))),
        string_escapes_(options.expand_string_controls ? Escapes::kStringWithControls : Escapes::kString),
        default_nanos_(TruncateNanos(options.now_nanos, options.precision)),
        memo_(body.size()),
        counted_to_(begin_) {}

  ParsedLines Run();

 private:
  bool Fail(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }
  bool AtLineEnd(const char* at) const {
    return at == end_ || *at == '\n' || (*at == '\r' && (at + 1 == end_ || at[1] == '\n'));
  }
  std::string_view Text(const char* from, const char* to) const { return {from, static_cast<size_t>(to - from)}; }

  // Each reads its part of a line at `at_` and moves on; false with `reason_` set when it is wrong.
  bool ParseLine();
  bool ParseSeries();
  bool ParseMeasurement();
  bool ParseTag(size_t& next);
  bool ParseTagValue(StagedTag& tag, const std::string& key);
  bool ParseFields();
  bool ParseKey(std::string_view what, std::string& key, std::string_view& raw_with_equals);
  bool ParseValue(StagedField& field, ValueKind& kind);
  bool ParseString(StagedField& field);
  bool ParseTimestamp();
  bool CheckLine(const char* line_begin);
  bool HasRequiredColumns();
  bool IsRefused(const char* line_begin);

  bool UseMeasurement(std::string name);
  void CommitLine(const char* line_begin);
  void CommitField(const StagedField& field, int64_t row);
  void AddError(const char* line_begin, const char* line_end);

  const LineProtocolOptions& options_;
  const char* const begin_;
  const char* const end_;
  const bool utf8_valid_;
  const bool has_control_characters_;
  const int64_t max_cells_;
  const Escapes string_escapes_;
  const int64_t default_nanos_;
  int64_t cells_ = 0;

  /// By name as spelled; ordered for the reason given in Measurement.
  std::map<std::string, std::unique_ptr<Measurement>, std::less<>> measurements_;
  std::vector<Measurement*> order_;
  SeriesMemo memo_;

  // The line being read.
  const char* at_ = nullptr;
  int64_t line_serial_ = 0;
  std::string reason_;
  Measurement* measurement_ = nullptr;
  const SeriesMemo::Entry* known_series_ = nullptr;
  std::string_view series_text_;
  std::vector<StagedTag> tags_;
  std::vector<SeriesTag> series_tags_;
  std::vector<StagedField> fields_;
  int64_t nanos_ = 0;

  /// Refused lines that were met.
  size_t refused_ = 0;
  // Lines are only counted up to the errors.
  const char* counted_to_;
  int64_t lines_counted_ = 0;
  ParsedLines result_;
};

ParsedLines BodyParser::Run() {
  at_ = begin_;
  while (at_ < end_) {
    const char* const line_begin = at_;
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\t')) ++at_;
    if (at_ < end_ && *at_ == '#') {
      at_ = FindLineEnd(at_, end_);
    } else if (!AtLineEnd(at_)) {
      ++line_serial_;
      if (ParseLine() && CheckLine(line_begin)) {
        CommitLine(line_begin);
      } else {
        if (measurement_ != nullptr) measurement_->Rollback();
        at_ = FindLineEnd(line_begin, end_);
        AddError(line_begin, at_);
      }
    }
    if (at_ < end_ && *at_ == '\r') ++at_;
    if (at_ < end_) ++at_;
  }
  for (Measurement* measurement : order_) {
    result_.measurements.push_back({measurement->name(), measurement->Finish(), measurement->TakeLines()});
  }
  return std::move(result_);
}

bool BodyParser::ParseLine() {
  measurement_ = nullptr;
  tags_.clear();
  fields_.clear();
  known_series_ = memo_.Find(Text(at_, end_));
  if (known_series_ != nullptr) {
    measurement_ = known_series_->measurement;
    at_ += known_series_->prefix.size();
  } else if (!ParseSeries()) {
    return false;
  }
  while (at_ < end_ && *at_ == ' ') ++at_;
  if (AtLineEnd(at_)) return Fail("there is no field");
  return ParseFields() && ParseTimestamp();
}

bool BodyParser::ParseSeries() {
  const char* const begin = at_;
  if (!ParseMeasurement()) return false;
  size_t next = 0;
  while (at_ < end_ && *at_ == ',') {
    ++at_;
    if (!ParseTag(next)) return false;
  }
  series_text_ = Text(begin, at_);
  if (at_ == end_ || *at_ != ' ') return Fail("there is no field");
  return true;
}

bool BodyParser::ParseMeasurement() {
  bool escaped = false;
  const char* const name_end = FindNameEnd(at_, end_, false, escaped);
  std::string_view raw = Text(at_, name_end);
  if (!raw.empty() && raw.back() == '\r' && AtLineEnd(name_end - 1)) raw.remove_suffix(1);
  if (raw.empty()) return Fail("there is no measurement");
  if (raw.size() > kMaxNameBytes) return Fail("the measurement is longer than 64 KiB");
  if (has_control_characters_ && HasControlCharacter(raw)) return Fail("the measurement has a control character");
  at_ += raw.size();
  return UseMeasurement(escaped ? Unescape(raw, Escapes::kMeasurement) : std::string(raw));
}

bool BodyParser::UseMeasurement(std::string name) {
  const auto known = measurements_.find(name);
  if (known != measurements_.end()) {
    measurement_ = known->second.get();
  } else {
    if (options_.check_measurement != nullptr) {
      if (const Status status = options_.check_measurement(name); !status.ok()) return Fail(status.message());
    }
    if (measurements_.size() >= kMaxMeasurements) {
      return Fail("there are more than " + std::to_string(kMaxMeasurements) + " measurements in one body");
    }
    Result<std::shared_ptr<arrow::Schema>> schema = std::shared_ptr<arrow::Schema>();
    if (options_.schema_of != nullptr) schema = options_.schema_of(name);
    auto measurement = std::make_unique<Measurement>(name, schema.ok() ? schema->get() : nullptr);
    if (!schema.ok()) measurement->Refuse(schema.status().message());
    measurement_ = measurement.get();
    measurements_.emplace(std::move(name), std::move(measurement));
  }
  return measurement_->refusal().empty() || Fail(measurement_->refusal());
}

bool BodyParser::ParseKey(std::string_view what, std::string& key, std::string_view& raw_with_equals) {
  bool escaped = false;
  const char* const key_end = FindNameEnd(at_, end_, true, escaped);
  const std::string_view raw = Text(at_, key_end);
  if (raw.empty() || (key_end != end_ && *key_end != '=' && AtLineEnd(at_))) {
    return Fail("a " + std::string(what) + " key is empty");
  }
  if (key_end == end_ || *key_end != '=') {
    return Fail(std::string(what) + " " + Quoted(raw) + " has no value");
  }
  if (raw.size() > kMaxNameBytes) return Fail("a " + std::string(what) + " key is longer than 64 KiB");
  if (has_control_characters_ && HasControlCharacter(raw))
    return Fail(std::string(what) + " key " + Quoted(raw) + " has a control character");
  key = escaped ? Unescape(raw, Escapes::kKey) : std::string(raw);
  raw_with_equals = Text(at_, key_end + 1);
  at_ = key_end + 1;
  return true;
}

bool BodyParser::ParseTag(size_t& next) {
  StagedTag& tag = tags_.emplace_back();
  tag.column = measurement_->TagAt(next);
  if (tag.column != nullptr && tag.column->StartsWithKey(Text(at_, end_))) {
    at_ += tag.column->raw_key().size();
    ++next;
    return ParseTagValue(tag, tag.column->name()) &&
           measurement_->Claim(*tag.column, ColumnRole::kTag, ValueKind::kString, line_serial_, reason_);
  }
  std::string key;
  if (!ParseKey("tag", key, tag.raw_key) || !ParseTagValue(tag, key)) return false;
  tag.column = measurement_->Resolve(key, ColumnRole::kTag, ValueKind::kString, line_serial_, reason_);
  if (tag.column == nullptr) return false;
  if (tag.column->used()) next = tag.column->place + 1;
  return true;
}

bool BodyParser::ParseTagValue(StagedTag& tag, const std::string& key) {
  const char* const value_end = FindNameEnd(at_, end_, true, tag.escaped);
  const std::string_view raw = Text(at_, value_end);
  if (value_end < end_ && *value_end == '=') return Fail("the value of tag " + Quoted(key) + " has an unescaped '='");
  if (raw.empty()) return Fail("tag " + Quoted(key) + " has no value");
  if (raw.size() > kMaxStringBytes) return Fail("the value of tag " + Quoted(key) + " is longer than 64 KiB");
  if (has_control_characters_ && HasControlCharacter(raw)) {
    return Fail("the value of tag " + Quoted(key) + " has a control character");
  }
  tag.raw_value = raw;
  at_ = value_end;
  return true;
}

bool BodyParser::ParseFields() {
  size_t next = 0;
  while (true) {
    StagedField& field = fields_.emplace_back();
    ValueKind kind = ValueKind::kFloat;
    Column* const predicted = measurement_->FieldAt(next);
    if (predicted != nullptr && predicted->StartsWithKey(Text(at_, end_))) {
      field.column = predicted;
      at_ += predicted->raw_key().size();
      if (!ParseValue(field, kind)) return false;
      if (!measurement_->Claim(*predicted, ColumnRole::kField, kind, line_serial_, reason_)) return false;
      ++next;
    } else {
      std::string key;
      if (!ParseKey("field", key, field.raw_key) || !ParseValue(field, kind)) return false;
      field.column = measurement_->Resolve(key, ColumnRole::kField, kind, line_serial_, reason_);
      if (field.column == nullptr) return false;
      if (field.column->used()) next = field.column->place + 1;
    }
    if (at_ == end_ || *at_ != ',') return true;
    ++at_;
  }
}

bool BodyParser::ParseValue(StagedField& field, ValueKind& kind) {
  const auto name = [&] {
    return Quoted(field.column != nullptr ? std::string_view(field.column->name())
                                          : field.raw_key.substr(0, field.raw_key.size() - 1));
  };
  if (AtLineEnd(at_)) return Fail("field " + name() + " has no value");
  if (*at_ == '"') {
    kind = ValueKind::kString;
    if (!ParseString(field)) return Fail("the string of field " + name() + " " + reason_);
  } else if ((*at_ >= '0' && *at_ <= '9') || *at_ == '-' || *at_ == '.') {
    const char* reason = nullptr;
    const char* const after = ParseNumber(at_, end_, field.number, reason);
    if (after == nullptr) return Fail("the value of field " + name() + " " + reason);
    kind = field.number.kind;
    at_ = after;
  } else {
    const char* const limit = end_ - at_ > kLongestBoolean + 1 ? at_ + kLongestBoolean + 1 : end_;
    const std::string_view word = Text(at_, FindFirstOf<',', ' ', '\n'>(at_, limit));
    kind = ValueKind::kBoolean;
    size_t length = word.size();
    if (length > 0 && word.back() == '\r' && AtLineEnd(at_ + length - 1)) --length;
    const std::string_view bare = word.substr(0, length);
    if (bare == "t" || bare == "T" || bare == "true" || bare == "True" || bare == "TRUE") {
      field.truth = true;
    } else if (bare == "f" || bare == "F" || bare == "false" || bare == "False" || bare == "FALSE") {
      field.truth = false;
    } else {
      return Fail("the value of field " + name() + " is neither a number nor a boolean nor a quoted string");
    }
    at_ += length;
  }
  if (AtLineEnd(at_) || *at_ == ',' || *at_ == ' ') return true;
  return Fail("the value of field " + name() + " is followed by something else than ',', a space or the line's end");
}

bool BodyParser::ParseString(StagedField& field) {
  const char* const text = at_ + 1;
  field.escaped = false;
  const char* const close = FindClosingQuote(text, end_, field.escaped);
  if (close == nullptr) return Fail("has no closing quote");
  field.raw_text = Text(text, close);
  if (field.raw_text.size() > kMaxStringBytes) return Fail("is longer than 64 KiB");
  at_ = close + 1;
  return true;
}

bool BodyParser::ParseTimestamp() {
  nanos_ = default_nanos_;
  while (at_ < end_ && *at_ == ' ') ++at_;
  if (AtLineEnd(at_)) return true;
  const char* digits = at_ + (*at_ == '-' ? 1 : 0);
  uint64_t magnitude = 0;
  bool overflow = false;
  const char* at = digits;
  for (; at < end_ && *at >= '0' && *at <= '9'; ++at) {
    overflow |= __builtin_mul_overflow(magnitude, 10, &magnitude);
    overflow |= __builtin_add_overflow(magnitude, static_cast<uint64_t>(*at - '0'), &magnitude);
  }
  if (at == digits) return Fail("the timestamp is not an integer");
  const bool negative = *at_ == '-';
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  if (overflow || magnitude > kMax + (negative ? 1 : 0) ||
      !ToNanos(static_cast<int64_t>(negative ? 0 - magnitude : magnitude), options_.precision, nanos_)) {
    return Fail("the timestamp is out of range");
  }
  while (at < end_ && *at == ' ') ++at;
  if (!AtLineEnd(at)) return Fail("there is text after the timestamp");
  at_ = at;
  return true;
}

bool BodyParser::HasRequiredColumns() {
  if (known_series_ != nullptr) {
    // Their keys were not looked at again.
    const SeriesTag* const tags = memo_.TagsOf(*known_series_);
    for (size_t i = 0; i < known_series_->tag_count; ++i) tags[i].column->last_line = line_serial_;
  }
  const Column* const missing = measurement_->MissingColumn(line_serial_);
  return missing == nullptr ||
         Fail("column " + Quoted(missing->name()) + " of the table must not be null, and the line has no value for it");
}

bool BodyParser::IsRefused(const char* line_begin) {
  const auto place = static_cast<size_t>(line_begin - begin_);
  const std::vector<RefusedLine>& refused = options_.refused_lines;
  while (refused_ < refused.size() && refused[refused_].place < place) ++refused_;
  return refused_ < refused.size() && refused[refused_].place == place;
}

bool BodyParser::CheckLine(const char* line_begin) {
  if (IsRefused(line_begin)) return Fail(std::string(options_.refused_lines[refused_].reason));
  const auto length = static_cast<size_t>(at_ - line_begin);
  if (length > options_.max_line_bytes) {
    return Fail("the line is longer than " + std::to_string(options_.max_line_bytes) + " bytes");
  }
  if (!utf8_valid_ && !simdjson::validate_utf8(line_begin, length)) return Fail("the line is not valid UTF-8");
  if (measurement_->has_required_columns() && !HasRequiredColumns()) return false;
  int64_t first_uses = 0;
  for (const StagedTag& tag : tags_) first_uses += tag.column->used() ? 0 : 1;
  for (const StagedField& field : fields_) first_uses += field.column->used() ? 0 : 1;
  const int64_t added = measurement_->used_columns() + first_uses * (measurement_->rows() + 1);
  if (cells_ + added > max_cells_) {
    return Fail("the lines of this body are too sparse: most columns of " + Quoted(measurement_->name()) +
                " have no value in most lines; send fewer lines at once");
  }
  cells_ += added;
  return true;
}

void BodyParser::CommitLine(const char* line_begin) {
  const int64_t row = measurement_->rows();
  if (row == 0) order_.push_back(measurement_);
  if (known_series_ != nullptr) {
    const SeriesTag* const tags = memo_.TagsOf(*known_series_);
    for (size_t i = 0; i < known_series_->tag_count; ++i) tags[i].column->AppendText(row, tags[i].value);
  } else {
    series_tags_.clear();
    for (const StagedTag& tag : tags_) {
      if (!tag.column->used()) {
        measurement_->NoteFirstUse(*tag.column, ColumnRole::kTag);
        tag.column->set_raw_key(tag.raw_key);
      }
      const std::string_view value = tag.escaped ? memo_.Keep(Unescape(tag.raw_value, Escapes::kKey)) : tag.raw_value;
      tag.column->AppendText(row, value);
      series_tags_.push_back({tag.column, value});
    }
    memo_.Insert(series_text_, measurement_, series_tags_);
  }
  for (const StagedField& field : fields_) CommitField(field, row);
  measurement_->CommitRow(nanos_, static_cast<size_t>(line_begin - begin_));
  ++result_.lines_kept;
  result_.values_kept += static_cast<int64_t>(fields_.size());
}

void BodyParser::CommitField(const StagedField& field, int64_t row) {
  Column& column = *field.column;
  if (!column.used()) {
    measurement_->NoteFirstUse(column, ColumnRole::kField);
    column.set_raw_key(field.raw_key);
  }
  switch (column.kind()) {
    case ValueKind::kFloat:
      return column.AppendFloat(row, field.number.real);
    case ValueKind::kInteger:
      return column.AppendInteger(row, field.number.integer);
    case ValueKind::kUnsigned:
      return column.AppendUnsigned(row, field.number.natural);
    case ValueKind::kBoolean:
      return column.AppendBoolean(row, field.truth);
    case ValueKind::kString:
      return field.escaped ? column.AppendEscaped(row, field.raw_text, string_escapes_)
                           : column.AppendText(row, field.raw_text);
  }
}

void BodyParser::AddError(const char* line_begin, const char* line_end) {
  ++result_.error_count;
  if (result_.errors.size() >= options_.max_errors) return;
  lines_counted_ += std::count(counted_to_, line_begin, '\n');
  counted_to_ = line_begin;
  const char* text_end = line_end;
  if (text_end > line_begin && text_end[-1] == '\r') --text_end;
  result_.errors.push_back({.line_number = lines_counted_ + 1,
                            .reason = std::move(reason_),
                            .original_line = Excerpt(Text(line_begin, text_end), kMaxExcerptBytes)});
}

}  // namespace

ParsedLines ParseLineProtocol(std::string_view body, const LineProtocolOptions& options) {
  // Text columns have 32-bit offsets, and no column holds more than the body does.
  if (body.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    ParsedLines refused;
    refused.error_count = 1;
    refused.errors.push_back({.line_number = 1, .reason = "the body is longer than 2 GiB", .original_line = ""});
    return refused;
  }
  // Editors on some systems begin a file with a byte order mark; it is no part of the first measurement.
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (body.starts_with(kByteOrderMark)) body.remove_prefix(kByteOrderMark.size());
  return BodyParser(body, options).Run();
}

}  // namespace tarn::ingest
