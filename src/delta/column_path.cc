#include "delta/column_path.h"

#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>

#include "delta/letter_case.h"

namespace tarn::delta {
namespace {

Status NoSuchColumn(const ColumnPath& path, size_t length) {
  return Status::NotFound("there is no column " + ColumnPathText({path.begin(), path.begin() + length}));
}

/// Edits the struct that the names behind the first `depth` ones lead to.
class Editor {
 public:
  Editor(const ColumnPath& record, const FieldsEdit& edit) : record_(record), edit_(edit) {}

  Result<std::shared_ptr<arrow::DataType>> Type(const std::shared_ptr<arrow::DataType>& type, size_t depth) const {
    switch (type->id()) {
      case arrow::Type::STRUCT: {
        arrow::FieldVector fields = type->fields();
        TARN_RETURN_NOT_OK(Struct(fields, depth));
        return arrow::struct_(std::move(fields));
      }
      case arrow::Type::LIST: {
        if (!IsNext(depth, "element")) break;
        TARN_ASSIGN_OR_RETURN(auto element, Field(type->field(0), depth + 1));
        return arrow::list(std::move(element));
      }
      case arrow::Type::MAP: {
        const auto& map = static_cast<const arrow::MapType&>(*type);
        auto key = map.key_field();
        auto value = map.item_field();
        if (!IsNext(depth, "key") && !IsNext(depth, "value")) break;
        auto& chosen = IsNext(depth, "key") ? key : value;
        TARN_ASSIGN_OR_RETURN(chosen, Field(chosen, depth + 1));
        return std::make_shared<arrow::MapType>(std::move(key), std::move(value), map.keys_sorted());
      }
      default:
        break;
    }
    if (depth < record_.size() && type->num_fields() > 0) return NoSuchColumn(record_, depth + 1);
    return Status::InvalidArgument("the column " + ColumnPathText({record_.begin(), record_.begin() + depth}) +
                                   " is no struct");
  }

  Status Struct(arrow::FieldVector& fields, size_t depth) const {
    if (depth == record_.size()) return edit_(fields);
    const int found = FindField(fields, record_[depth]);
    if (found < 0) return NoSuchColumn(record_, depth + 1);
    auto& field = fields[static_cast<size_t>(found)];
    TARN_ASSIGN_OR_RETURN(field, Field(field, depth + 1));
    return Status::Ok();
  }

 private:
  bool IsNext(size_t depth, std::string_view name) const {
    return depth < record_.size() && SameButForCase(record_[depth], name);
  }

  Result<std::shared_ptr<arrow::Field>> Field(const std::shared_ptr<arrow::Field>& field, size_t depth) const {
    TARN_ASSIGN_OR_RETURN(auto type, Type(field->type(), depth));
    return field->WithType(std::move(type));
  }

  const ColumnPath& record_;
  const FieldsEdit& edit_;
};

bool IsWord(char c) {
  const char lower = LowerCase(c);
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

Result<ColumnPath> ParseColumnPath(std::string_view text) {
  const auto refuse = [&] { return Status::InvalidArgument("'" + std::string(text) + "' is no name of a column"); };
  ColumnPath path(1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '.') {
      if (path.back().empty()) return refuse();
      path.emplace_back();
    } else if (text[i] == '`' && path.back().empty()) {
      while (++i < text.size() && (text[i] != '`' || (i + 1 < text.size() && text[i + 1] == '`'))) {
        if (text[i] == '`') ++i;
        path.back() += text[i];
      }
      const bool ends = i < text.size() && (i + 1 == text.size() || text[i + 1] == '.');
      if (!ends) return refuse();
    } else {
      path.back() += text[i];
    }
  }
  if (path.back().empty()) return refuse();
  return path;
}

std::string ColumnPathText(const ColumnPath& path) {
  std::string text;
  for (const std::string& name : path) {
    if (!text.empty()) text += '.';
    if (name.find_first_of(".`") == std::string::npos) {
      text += name;
      continue;
    }
    text += '`';
    for (const char c : name) text.append(c == '`' ? 2 : 1, c);
    text += '`';
  }
  return text;
}

std::string CommentOf(const arrow::Field& field) {
  if (!field.HasMetadata()) return {};
  return field.metadata()->Get("comment").ValueOr({});
}

int FindField(const arrow::FieldVector& fields, std::string_view name) {
  for (size_t i = 0; i < fields.size(); ++i) {
    if (SameButForCase(fields[i]->name(), name)) return static_cast<int>(i);
  }
  return -1;
}

Result<std::shared_ptr<arrow::Schema>> EditFields(const arrow::Schema& schema, const ColumnPath& record,
                                                  const FieldsEdit& edit) {
  arrow::FieldVector fields = schema.fields();
  TARN_RETURN_NOT_OK(Editor(record, edit).Struct(fields, 0));
  return arrow::schema(std::move(fields), schema.metadata());
}

Result<std::shared_ptr<arrow::Schema>> EditField(const arrow::Schema& schema, const ColumnPath& path,
                                                 const FieldEdit& edit) {
  if (path.empty()) return Status::InvalidArgument("a column has no name");
  const ColumnPath record(path.begin(), path.end() - 1);
  return EditFields(schema, record, [&](arrow::FieldVector& fields) -> Status {
    const int at = FindField(fields, path.back());
    if (at < 0) return NoSuchColumn(path, path.size());
    return edit(fields, static_cast<size_t>(at));
  });
}

bool MayMention(std::string_view expression, std::string_view name) {
  // Dialects differ in what these mean within and around a text.
  const bool knows_texts = expression.find_first_of("\\\"") == std::string_view::npos;
  for (size_t i = 0; i < expression.size();) {
    if (knows_texts && expression[i] == '\'') {
      const size_t end = expression.find('\'', i + 1);
      if (end == std::string_view::npos) return true;
      i = end + 1;
      continue;
    }
    const bool begins = i == 0 || !IsWord(expression[i - 1]) || !IsWord(name.front());
    const std::string_view here = expression.substr(i, name.size());
    const size_t behind = i + name.size();
    const bool ends = behind >= expression.size() || !IsWord(expression[behind]) || !IsWord(name.back());
    if (begins && ends && SameButForCase(here, name)) return true;
    ++i;
  }
  return false;
}

}  // namespace tarn::delta
