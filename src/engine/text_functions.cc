#include "engine/text_functions.h"

#include <optional>
#include <string>
#include <string_view>

#include "duckdb/catalog/catalog_entry/scalar_function_catalog_entry.hpp"
#include "duckdb/common/exception.hpp"
#include "duckdb/common/exception/parser_exception.hpp"
#include "duckdb/common/vector_operations/binary_executor.hpp"
#include "duckdb/common/vector_operations/ternary_executor.hpp"
#include "duckdb/execution/expression_executor.hpp"
#include "duckdb/main/database.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/optimizer/optimizer_extension.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "duckdb/planner/logical_operator_visitor.hpp"
#include "engine/bounded_allocator.h"
#include "engine/capped_functions.h"
#include "engine/exception_barrier.h"
#include "engine/text_match.h"

// As in duckdb/function/scalar/string_common.hpp, which includes a header that DuckDB does not install.
namespace duckdb {
bool IsAscii(const char* input, idx_t n);
idx_t LowerLength(const char* input_data, idx_t input_length);
void LowerCase(const char* input_data, idx_t input_length, char* result_data);
}  // namespace duckdb

namespace tarn::engine {
namespace {

using duckdb::string_t;

std::string_view View(const string_t& text) { return {text.GetData(), text.GetSize()}; }

[[noreturn]] void EscapeAtEnd() { throw duckdb::SyntaxException("Like pattern must not end with escape character!"); }

char EscapeByte(const string_t& escape) {
  if (escape.GetSize() > 1) {
    throw duckdb::SyntaxException("Invalid escape string. Escape string must be empty or one character.");
  }
  return escape.GetSize() == 0 ? '\0' : *escape.GetData();
}

bool IsAscii(const string_t& text) { return duckdb::IsAscii(text.GetData(), text.GetSize()); }

std::string Lower(std::string_view text) {
  std::string lower(duckdb::LowerLength(text.data(), text.size()), '\0');
  duckdb::LowerCase(text.data(), text.size(), lower.data());
  return lower;
}

bool Like(const string_t& text, const string_t& pattern, std::optional<char> escape, MatchSteps& steps) {
  return MatchesLike(View(text), View(pattern), {.escape = escape, .escape_at_end = EscapeAtEnd}, steps);
}

/// Without an ESCAPE the byte 0 escapes, as in DuckDB's ILIKE.
bool ILike(const string_t& text, const string_t& pattern, std::optional<char> escape, MatchSteps& steps) {
  LikeOptions options{.escape = escape.value_or('\0'), .escape_at_end = EscapeAtEnd};
  if (IsAscii(text) && IsAscii(pattern)) {
    options.fold_ascii = true;
    return MatchesLike(View(text), View(pattern), options, steps);
  }
  return MatchesLike(Lower(View(text)), Lower(View(pattern)), options, steps);
}

bool Glob(const string_t& text, const string_t& pattern, std::optional<char>, MatchSteps& steps) {
  return MatchesGlob(View(text), View(pattern), steps);
}

using Matcher = bool (*)(const string_t& text, const string_t& pattern, std::optional<char> escape, MatchSteps& steps);

/// What takes long is left to the run of the query, where it can be stopped.
void LeaveToTheRun() {
  ThrowStatus(Status::ResourceExhausted("a match of these texts takes too long while the statement is planned"));
}

template <Matcher kMatcher, bool kNot>
void MatchVectors(duckdb::DataChunk& args, duckdb::ExpressionState&, duckdb::Vector& result) {
  MatchSteps steps(PlanningScope::active() ? LeaveToTheRun : ThrowIfInterrupted);
  if (args.ColumnCount() == 2) {
    duckdb::BinaryExecutor::Execute<string_t, string_t, bool>(
        args.data[0], args.data[1], result, args.size(), [&](const string_t& text, const string_t& pattern) {
          return kMatcher(text, pattern, std::nullopt, steps) != kNot;
        });
    return;
  }
  duckdb::TernaryExecutor::Execute<string_t, string_t, string_t, bool>(
      args.data[0], args.data[1], args.data[2], result, args.size(),
      [&](const string_t& text, const string_t& pattern, const string_t& escape) {
        return kMatcher(text, pattern, EscapeByte(escape), steps) != kNot;
      });
}

struct Replacement {
  const char* name;
  duckdb::scalar_function_t function;
};

/// DuckDB prepares a short constant pattern without `_` and looks for its parts one after the other.
duckdb::scalar_function_t UnlessPrepared(duckdb::scalar_function_t original, duckdb::scalar_function_t ours) {
  return [original = std::move(original), ours = std::move(ours)](
             duckdb::DataChunk& args, duckdb::ExpressionState& state, duckdb::Vector& result) {
    const auto& expression = state.expr.Cast<duckdb::BoundFunctionExpression>();
    const bool prepared = expression.bind_info && args.data[1].GetVectorType() == duckdb::VectorType::CONSTANT_VECTOR &&
                          !duckdb::ConstantVector::IsNull(args.data[1]) &&
                          duckdb::ConstantVector::GetData<string_t>(args.data[1])->GetSize() <= kMaxShortNeedleBytes;
    (prepared ? original : ours)(args, state, result);
  };
}

/// Whether a regular expression has a `.` that stands for any character.
bool HasDot(std::string_view regexp) {
  for (size_t i = 0; i < regexp.size(); ++i) {
    if (regexp[i] == '\\') {
      ++i;
    } else if (regexp[i] == '.') {
      return true;
    }
  }
  return false;
}

/// DuckDB's optimizer makes other functions of LIKE and of regular expressions with a constant pattern, which it finds
/// by their names: a search that takes long with long patterns, and LIKE in its own implementation when there is a `.`.
/// Under another name they stay what they are.
class OptimizationGuard : public duckdb::LogicalOperatorVisitor {
 public:
  explicit OptimizationGuard(duckdb::ClientContext& context) : context_(context) {}

 protected:
  duckdb::unique_ptr<duckdb::Expression> VisitReplace(duckdb::BoundFunctionExpression& function,
                                                      duckdb::unique_ptr<duckdb::Expression>*) override {
    std::string& name = function.function.name;
    const bool is_regexp = name == "regexp_matches";
    if ((is_regexp || name == "~~" || name == "!~~") && !MayBeOptimized(*function.children[1], is_regexp)) {
      name = is_regexp ? "regexp_search" : name == "~~" ? "like" : "not_like";
    }
    return nullptr;
  }

 private:
  bool MayBeOptimized(const duckdb::Expression& pattern, bool is_regexp) {
    duckdb::Value value;
    if (!pattern.IsFoldable() || !duckdb::ExpressionExecutor::TryEvaluateScalar(context_, pattern, value)) return false;
    if (value.IsNull() || value.type().id() != duckdb::LogicalTypeId::VARCHAR) return true;
    const std::string& text = duckdb::StringValue::Get(value);
    return text.size() <= kMaxShortNeedleBytes && !(is_regexp && HasDot(text));
  }

  duckdb::ClientContext& context_;
};

void GuardOptimizations(duckdb::OptimizerExtensionInput& input, duckdb::unique_ptr<duckdb::LogicalOperator>& plan) {
  OptimizationGuard(input.context).VisitOperator(*plan);
}

}  // namespace

void ReplaceTextMatching(duckdb::DatabaseInstance& instance) {
  const Replacement replacements[] = {
      {"~~", MatchVectors<Like, false>},
      {"!~~", MatchVectors<Like, true>},
      {"like_escape", MatchVectors<Like, false>},
      {"not_like_escape", MatchVectors<Like, true>},
      {"~~*", MatchVectors<ILike, false>},
      {"!~~*", MatchVectors<ILike, true>},
      {"ilike_escape", MatchVectors<ILike, false>},
      {"not_ilike_escape", MatchVectors<ILike, true>},
      {"~~~", MatchVectors<Glob, false>},
  };
  duckdb::ExtensionLoader loader(instance, "tarn");
  for (const Replacement& replacement : replacements) {
    auto& entry = loader.GetFunction(replacement.name).Cast<duckdb::ScalarFunctionCatalogEntry>();
    for (duckdb::ScalarFunction& function : entry.functions.functions) {
      function.SetFunctionCallback(function.HasBindCallback()
                                       ? UnlessPrepared(function.GetFunctionCallback(), replacement.function)
                                       : replacement.function);
      // ILIKE's puts another function in the place of this one.
      function.SetStatisticsCallback(nullptr);
    }
  }
  duckdb::OptimizerExtension extension;
  extension.pre_optimize_function = GuardOptimizations;
  duckdb::OptimizerExtension::Register(duckdb::DBConfig::GetConfig(instance), extension);
}

}  // namespace tarn::engine
