#pragma once

#include <arrow/type_fwd.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace tarn::delta {

/// A column, or by further names a struct member in it. What a list holds is called "element", what a map holds "key"
/// and "value".
using ColumnPath = std::vector<std::string>;

/// "a" or "a.b"; a name with a dot in it stands in backquotes (`a.b`), where two of them mean one. InvalidArgument for
/// anything else.
Result<ColumnPath> ParseColumnPath(std::string_view text);

/// The inverse, quoting what needs it.
std::string ColumnPathText(const ColumnPath& path);

/// Place of the field of this name, whatever its case; -1 when there is none.
int FindField(const arrow::FieldVector& fields, std::string_view name);

/// What a schema says of a column in words; empty when it says nothing.
std::string CommentOf(const arrow::Field& field);

/// Changes the fields of a schema, or of the struct in it that `record` leads to.
using FieldsEdit = std::function<Status(arrow::FieldVector& fields)>;

/// The schema with one edit made; everything beside it stays as it is, metadata included. NotFound names a column that
/// `record` does not find, InvalidArgument one that has no members; errors of the edit pass through.
Result<std::shared_ptr<arrow::Schema>> EditFields(const arrow::Schema& schema, const ColumnPath& record,
                                                  const FieldsEdit& edit);

/// The same for the one field that `path` leads to; `at` is its place among `fields`. NotFound when there is none.
using FieldEdit = std::function<Status(arrow::FieldVector& fields, size_t at)>;
Result<std::shared_ptr<arrow::Schema>> EditField(const arrow::Schema& schema, const ColumnPath& path,
                                                 const FieldEdit& edit);

/// Whether an SQL expression of others may be about a column of this name: it has the name as a word, not counting
/// 'texts' where it is certain what they are.
bool MayMention(std::string_view expression, std::string_view name);

}  // namespace tarn::delta
