#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tarn::storage::internal {

/// An element of an answer of S3: text, or elements.
struct XmlElement {
  /// Without namespace prefix.
  std::string name;
  /// With entities decoded; the text around and between child elements included.
  std::string text;
  std::vector<XmlElement> children;

  /// The first child of that name; nullptr without one.
  const XmlElement* Child(std::string_view child_name) const;
  /// The text of that child, empty without one.
  std::string_view ChildText(std::string_view child_name) const;
};

/// The root element of a document of the kind that S3 and its relatives send. Corruption for anything that is not
/// well-formed, and for what they never send: document types, CDATA, more than 32 levels.
Result<XmlElement> ParseXml(std::string_view text);

}  // namespace tarn::storage::internal
