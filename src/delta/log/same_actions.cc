#include "delta/log/same_actions.h"

#include <simdjson.h>

#include <map>
#include <set>
#include <string_view>

#include "delta/log/commit_json.h"

namespace tarn::delta {
namespace {

/// The value with every object's members sorted: equal for texts that differ in order and spaces.
void AppendCanonical(const simdjson::dom::element& value, std::string& out) {
  if (value.is_object()) {
    std::map<std::string_view, simdjson::dom::element> members;
    for (const auto& [key, member] : simdjson::dom::object(value)) {
      if (!member.is_null()) members[key] = member;
    }
    out += '{';
    for (const auto& [key, member] : members) {
      AppendJsonString(out, key);
      out += ':';
      AppendCanonical(member, out);
      out += ',';
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    for (const simdjson::dom::element element : simdjson::dom::array(value)) {
      AppendCanonical(element, out);
      out += ',';
    }
    out += ']';
  } else {
    out += simdjson::minify(value);
  }
}

std::multiset<std::string> Sorted(const std::optional<std::vector<std::string>>& features) {
  return features.has_value() ? std::multiset<std::string>(features->begin(), features->end())
                              : std::multiset<std::string>();
}

}  // namespace

std::string CanonicalJson(const std::string& text) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(text).get(root) != simdjson::SUCCESS) return text;
  std::string canonical;
  AppendCanonical(root, canonical);
  return canonical;
}

bool SameProtocol(const Protocol& left, const Protocol& right) {
  return left.min_reader_version == right.min_reader_version && left.min_writer_version == right.min_writer_version &&
         Sorted(left.reader_features) == Sorted(right.reader_features) &&
         Sorted(left.writer_features) == Sorted(right.writer_features);
}

bool SameMetadata(const Metadata& left, const Metadata& right) {
  Metadata copy = left;
  copy.schema_string = right.schema_string;
  return copy == right && CanonicalJson(left.schema_string) == CanonicalJson(right.schema_string);
}

}  // namespace tarn::delta
