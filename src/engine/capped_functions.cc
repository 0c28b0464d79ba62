#include "engine/capped_functions.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "duckdb/catalog/catalog_entry/scalar_function_catalog_entry.hpp"
#include "duckdb/common/types/data_chunk.hpp"
#include "duckdb/common/types/interval.hpp"
#include "duckdb/common/types/vector.hpp"
#include "duckdb/main/database.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "engine/bounded_allocator.h"
#include "engine/call_slices.h"
#include "engine/exception_barrier.h"

namespace tarn::engine {
namespace {

/// Sizes are estimated in floating point, where nothing overflows.
using Size = double;

/// The arguments of one call, row by row.
class Arguments {
 public:
  explicit Arguments(duckdb::DataChunk& args) : formats_(args.ColumnCount()) {
    rows_ = args.AllConstant() ? 1 : args.size();
    for (duckdb::idx_t i = 0; i < args.ColumnCount(); ++i) {
      args.data[i].ToUnifiedFormat(args.size(), formats_[i]);
      types_.push_back(args.data[i].GetType());
    }
  }

  size_t count() const { return types_.size(); }
  duckdb::idx_t rows() const { return rows_; }
  bool IsNull(size_t argument, duckdb::idx_t row) const {
    return !formats_[argument].validity.RowIsValid(formats_[argument].sel->get_index(row));
  }
  duckdb::PhysicalType type(size_t argument) const { return types_[argument].InternalType(); }

  std::string_view Text(size_t argument, duckdb::idx_t row) const {
    const duckdb::string_t& text = At<duckdb::string_t>(argument, row);
    return {text.GetData(), text.GetSize()};
  }

  /// 0 when the argument is no number.
  Size Number(size_t argument, duckdb::idx_t row) const {
    switch (type(argument)) {
      case duckdb::PhysicalType::INT8:
        return At<int8_t>(argument, row);
      case duckdb::PhysicalType::INT16:
        return At<int16_t>(argument, row);
      case duckdb::PhysicalType::INT32:
        return At<int32_t>(argument, row);
      case duckdb::PhysicalType::INT64:
        return static_cast<Size>(At<int64_t>(argument, row));
      case duckdb::PhysicalType::UINT8:
        return At<uint8_t>(argument, row);
      case duckdb::PhysicalType::UINT16:
        return At<uint16_t>(argument, row);
      case duckdb::PhysicalType::UINT32:
        return At<uint32_t>(argument, row);
      case duckdb::PhysicalType::UINT64:
        return static_cast<Size>(At<uint64_t>(argument, row));
      case duckdb::PhysicalType::INT128:
        return duckdb::Hugeint::Cast<double>(At<duckdb::hugeint_t>(argument, row));
      default:
        return 0;
    }
  }

  Size IntervalMicros(size_t argument, duckdb::idx_t row) const {
    const auto& interval = At<duckdb::interval_t>(argument, row);
    return static_cast<Size>(interval.micros) + static_cast<Size>(duckdb::Interval::MICROS_PER_DAY) * interval.days +
           static_cast<Size>(duckdb::Interval::MICROS_PER_MONTH) * interval.months;
  }

  /// Bytes of a string, or of a list's elements without what they point to.
  Size Bytes(size_t argument, duckdb::idx_t row) const {
    if (type(argument) == duckdb::PhysicalType::VARCHAR) return static_cast<Size>(Text(argument, row).size());
    if (type(argument) == duckdb::PhysicalType::LIST) {
      return static_cast<Size>(At<duckdb::list_entry_t>(argument, row).length) * ElementBytes(argument);
    }
    return 0;
  }

  /// The sum over all rows and the largest of them, fast.
  std::pair<Size, Size> TotalAndLargest(size_t argument) const {
    Size total = 0;
    Size largest = 0;
    if (type(argument) == duckdb::PhysicalType::VARCHAR) {
      const auto& format = formats_[argument];
      const auto* strings = duckdb::UnifiedVectorFormat::GetData<duckdb::string_t>(format);
      uint64_t sum = 0;
      uint32_t max = 0;
      const bool all_valid = !format.validity.IsMaskSet();
      for (duckdb::idx_t row = 0; row < rows_; ++row) {
        const duckdb::idx_t index = format.sel->get_index(row);
        if (!all_valid && !format.validity.RowIsValid(index)) continue;
        const uint32_t size = strings[index].GetSize();
        sum += size;
        max = std::max(max, size);
      }
      return {static_cast<Size>(sum), static_cast<Size>(max)};
    }
    for (duckdb::idx_t row = 0; row < rows_; ++row) {
      if (IsNull(argument, row)) continue;
      const Size bytes = Bytes(argument, row);
      total += bytes;
      largest = std::max(largest, bytes);
    }
    return {total, largest};
  }

  Size ElementBytes(size_t list_argument) const {
    const auto child = duckdb::ListType::GetChildType(types_[list_argument]).InternalType();
    return duckdb::TypeIsConstantSize(child) ? static_cast<Size>(duckdb::GetTypeIdSize(child))
                                             : static_cast<Size>(sizeof(duckdb::string_t));
  }

 private:
  template <typename T>
  const T& At(size_t argument, duckdb::idx_t row) const {
    const auto& format = formats_[argument];
    return duckdb::UnifiedVectorFormat::GetData<T>(format)[format.sel->get_index(row)];
  }

  duckdb::idx_t rows_ = 0;
  duckdb::vector<duckdb::UnifiedVectorFormat> formats_;
  duckdb::vector<duckdb::LogicalType> types_;
};

using Estimate = Size (*)(const Arguments&, duckdb::idx_t row);

Size RepeatBytes(const Arguments& args, duckdb::idx_t row) { return args.Bytes(0, row) * args.Number(1, row); }

/// A character has up to four bytes.
Size PadBytes(const Arguments& args, duckdb::idx_t row) { return 4 * args.Number(1, row); }

Size BitstringBytes(const Arguments& args, duckdb::idx_t row) { return args.Number(1, row) / 8; }

Size ResizeBytes(const Arguments& args, duckdb::idx_t row) { return args.ElementBytes(0) * args.Number(1, row); }

/// Series of numbers, and of timestamps by an interval.
Size SeriesBytes(const Arguments& args, duckdb::idx_t row) {
  if (args.count() == 1) return sizeof(int64_t) * args.Number(0, row);
  const Size span = args.Number(1, row) - args.Number(0, row);
  if (args.count() == 2) return sizeof(int64_t) * span;
  const Size step = args.type(2) == duckdb::PhysicalType::INTERVAL ? args.IntervalMicros(2, row) : args.Number(2, row);
  return step == 0 ? 0 : sizeof(int64_t) * (span / step);
}

/// Reads the number at `position` and moves past it.
Size TakeNumber(std::string_view text, size_t& position) {
  Size number = 0;
  for (; position < text.size() && std::isdigit(static_cast<unsigned char>(text[position])); ++position) {
    number = 10 * number + (text[position] - '0');
  }
  return number;
}

/// The text of a number, without a width.
constexpr Size kNumberBytes = 320;

/// The largest text of one argument of a format; with `as_width`, also where it is taken for a width.
Size ArgumentBytes(const Arguments& args, size_t argument, duckdb::idx_t row, bool as_width) {
  if (argument == 0 || argument >= args.count() || args.IsNull(argument, row)) return 0;
  return std::max(args.Bytes(argument, row), kNumberBytes) +
         (as_width ? std::max<Size>(0, args.Number(argument, row)) : 0);
}

/// What the directives of a format that begin with `kOpen` ("%10s", "{0:>10}") may make: every width and precision
/// written in them and the argument of each, or all arguments where widths are taken from those ("%*d", "{:{}}").
template <char kOpen>
Size FormatBytes(const Arguments& args, duckdb::idx_t row) {
  constexpr bool kBraces = kOpen == '{';
  const std::string_view format = args.Text(0, row);
  auto bytes = static_cast<Size>(format.size());
  Size directives = 0;
  size_t next = 1;
  bool widths_from_arguments = false;
  for (size_t i = 0; i < format.size();) {
    if (format[i++] != kOpen) continue;
    if (i < format.size() && format[i] == kOpen) {
      ++i;
      continue;
    }
    const size_t begin = i;
    size_t argument = 0;
    for (; i < format.size(); ++i) {
      const auto c = static_cast<unsigned char>(format[i]);
      if (std::isdigit(c)) {
        const bool first = i == begin;
        const Size number = TakeNumber(format, i);
        const bool is_index = first && (kBraces || (i < format.size() && format[i] == '$'));
        if (is_index) argument = static_cast<size_t>(std::min<Size>(number + (kBraces ? 1 : 0), 1e9));
        if (!is_index) bytes += number;
        --i;
      } else if (kBraces ? c == '}' : std::isalpha(c) != 0) {
        break;
      }
      widths_from_arguments = widths_from_arguments || c == (kBraces ? '{' : '*');
    }
    ++directives;
    bytes += ArgumentBytes(args, argument == 0 ? next++ : argument, row, false);
  }
  for (size_t i = 1; widths_from_arguments && i < args.count(); ++i) {
    bytes += directives * ArgumentBytes(args, i, row, true);
  }
  return bytes;
}

/// Each byte becomes so many.
template <int kFactor>
Size MultipliedBytes(const Arguments& args, duckdb::idx_t row) {
  return kFactor * args.Bytes(0, row);
}

/// A directive of two bytes makes 32 at most, as the name of a zone. The format is the first argument or the second.
Size TimeFormatBytes(const Arguments& args, duckdb::idx_t row) {
  return 16 * std::max(args.Bytes(0, row), args.Bytes(1, row));
}

Size ConcatBytes(const Arguments& args, duckdb::idx_t row) {
  Size bytes = 0;
  for (size_t i = 0; i < args.count(); ++i) {
    if (!args.IsNull(i, row)) bytes += args.Bytes(i, row);
  }
  return bytes;
}

/// The separator stands between the others.
Size ConcatWithSeparatorBytes(const Arguments& args, duckdb::idx_t row) {
  const Size separators = static_cast<Size>(args.count()) - 2;
  return ConcatBytes(args, row) + std::max<Size>(0, separators - 1) * args.Bytes(0, row);
}

/// Exact, but looks into the text only when the most there can be would matter.
Size ReplaceBytes(const Arguments& args, duckdb::idx_t row) {
  const std::string_view text = args.Text(0, row);
  const std::string_view from = args.Text(1, row);
  const Size growth = args.Bytes(2, row) - args.Bytes(1, row);
  const auto size = static_cast<Size>(text.size());
  if (from.empty() || growth <= 0) return size;
  const Size most = size + size / static_cast<Size>(from.size()) * growth;
  if (most <= static_cast<Size>(kMaxConstantBytes)) return most;
  Size matches = 0;
  for (size_t at = text.find(from); at != std::string_view::npos; at = text.find(from, at + from.size())) ++matches;
  return size + matches * growth;
}

/// A bound: every position matches, and each reference to a group (`\1`) takes the whole text.
Size RegexpReplaceBytes(const Arguments& args, duckdb::idx_t row) {
  const std::string_view replacement = args.Text(2, row);
  const Size size = args.Bytes(0, row);
  const bool every_match = args.count() > 3 && args.Text(3, row).find('g') != std::string_view::npos;
  const auto references = static_cast<Size>(std::count(replacement.begin(), replacement.end(), '\\'));
  return size * (1 + references) + (every_match ? size + 1 : 1) * static_cast<Size>(replacement.size());
}

/// What compares every character with every other works on a matrix of this many bytes, and nothing interrupts it.
Size MatrixBytes(const Arguments& args, duckdb::idx_t row) { return args.Bytes(0, row) * args.Bytes(1, row); }

Size WideMatrixBytes(const Arguments& args, duckdb::idx_t row) { return sizeof(int64_t) * MatrixBytes(args, row); }

/// What looks for a text at every position compares all of it there in the worst case.
Size SearchBytes(const Arguments& args, duckdb::idx_t row) {
  if (args.type(0) != duckdb::PhysicalType::VARCHAR) return 0;
  const Size needle = args.Bytes(1, row);
  return needle <= static_cast<Size>(kMaxShortNeedleBytes) ? 4 * args.Bytes(0, row) : MatrixBytes(args, row);
}

/// A bound: every byte ends a part.
Size SplitBytes(const Arguments& args, duckdb::idx_t row) { return sizeof(duckdb::string_t) * args.Bytes(0, row); }

/// The most that the state of an aggregate takes of one element, as a node of a tree or of a hash table, outside
/// DuckDB's memory; and about as many nanoseconds.
constexpr Size kElementStateBytes = 64;

Size Elements(const Arguments& args, duckdb::idx_t row) { return args.Bytes(0, row) / args.ElementBytes(0); }

Size ListStateBytes(const Arguments& args, duckdb::idx_t row) { return kElementStateBytes * Elements(args, row); }

/// Aggregates whose state does not grow with the list.
constexpr std::string_view kSmallAggregates[] = {
    "sum",    "sum_no_overflow", "fsum",        "avg",      "mean",      "count",   "min",      "max",     "first",
    "last",   "product",         "bit_or",      "bit_and",  "bit_xor",   "bool_or", "bool_and", "var_pop", "var_samp",
    "stddev", "stddev_pop",      "stddev_samp", "variance", "any_value",
};

Size SortBytes(const Arguments& args, duckdb::idx_t row) { return 2 * sizeof(int64_t) * Elements(args, row); }

Size ListAggregateBytes(const Arguments& args, duckdb::idx_t row) {
  const bool is_small = std::ranges::find(kSmallAggregates, args.Text(1, row)) != std::end(kSmallAggregates);
  return (is_small ? sizeof(int64_t) : kElementStateBytes) * Elements(args, row);
}

/// The largest count of a repetition in a pattern ("a{2,100}"), at least 1.
Size LargestRepetition(std::string_view pattern) {
  Size largest = 1;
  for (size_t open = pattern.find('{'); open != std::string_view::npos; open = pattern.find('{', open + 1)) {
    for (size_t i = open + 1; i < pattern.size() && pattern[i] != '}'; ++i) {
      if (std::isdigit(static_cast<unsigned char>(pattern[i]))) {
        largest = std::max(largest, TakeNumber(pattern, i));
        --i;
      }
    }
  }
  return largest;
}

/// In the worst case each byte of the text is held against all of the pattern, with its repetitions written out. Most
/// patterns need much less.
Size RegexpBytes(const Arguments& args, duckdb::idx_t row) {
  if (args.type(1) != duckdb::PhysicalType::VARCHAR) return 0;
  return args.Bytes(0, row) * args.Bytes(1, row) * LargestRepetition(args.Text(1, row)) / 8;
}

/// What looks the elements of one list up in another needs microseconds for each, and nothing interrupts it: as many as
/// this many bytes of set nodes.
Size SetBytes(const Arguments& args, duckdb::idx_t row) { return 32 * (args.Bytes(0, row) + args.Bytes(1, row)); }

enum class Nulls {
  /// A null argument makes the result null.
  kSpread,
  /// Only a null first argument does.
  kSpreadFromFirst,
  /// They count as empty.
  kEmpty,
};

struct CappedFunction {
  const char* name;
  Estimate estimate;
  Nulls nulls = Nulls::kSpread;
  /// The estimate is no larger than the sum of all arguments, so small arguments need no look at each row.
  bool is_sum = false;
  /// The estimate is of the work, far above what comes of usual arguments.
  bool is_work = false;
};

bool ResultIsNull(const Arguments& args, duckdb::idx_t row, Nulls nulls) {
  if (nulls == Nulls::kEmpty) return false;
  if (nulls == Nulls::kSpreadFromFirst) return args.IsNull(0, row);
  for (size_t i = 0; i < args.count(); ++i) {
    if (args.IsNull(i, row)) return true;
  }
  return false;
}

/// True when all arguments together are below the caps.
bool SumFits(const Arguments& args, Size max_value) {
  Size total = 0;
  Size largest = 0;
  for (size_t i = 0; i < args.count(); ++i) {
    const auto [argument_total, argument_largest] = args.TotalAndLargest(i);
    total += argument_total;
    largest += argument_largest;
  }
  return largest <= max_value && total <= static_cast<Size>(kMaxVectorBytes);
}

void CheckSizes(const Arguments& args, const CappedFunction& function) {
  const auto max_value = static_cast<Size>(PlanningScope::active() ? kMaxConstantBytes
                                           : function.is_work      ? kMaxWorkBytes
                                                                   : kMaxValueBytes);
  if (function.is_sum && SumFits(args, max_value)) return;
  Size total = 0;
  for (duckdb::idx_t row = 0; row < args.rows(); ++row) {
    if (ResultIsNull(args, row, function.nulls)) continue;
    const Size bytes = std::max<Size>(0, function.estimate(args, row));
    total += bytes;
    if (bytes > max_value || (!function.is_work && total > static_cast<Size>(kMaxVectorBytes))) {
      ThrowStatus(Status::ResourceExhausted(
          std::string(function.name) +
          (function.is_work ? " would work too long on one value" : " would make a value that is too large")));
    }
  }
}

constexpr CappedFunction kCappedFunctions[] = {
    {"repeat", RepeatBytes},
    {"lpad", PadBytes},
    {"rpad", PadBytes},
    {"bitstring", BitstringBytes},
    {"range", SeriesBytes},
    {"generate_series", SeriesBytes},
    {"list_resize", ResizeBytes},
    {"array_resize", ResizeBytes},
    {"printf", FormatBytes<'%'>, Nulls::kSpreadFromFirst},
    {"format", FormatBytes<'{'>, Nulls::kSpreadFromFirst},
    {"strftime", TimeFormatBytes},
    {"hex", MultipliedBytes<2>},
    {"to_hex", MultipliedBytes<2>},
    {"bin", MultipliedBytes<8>},
    {"to_binary", MultipliedBytes<8>},
    {"url_encode", MultipliedBytes<3>},
    {"translate", MultipliedBytes<4>},
    {"||", ConcatBytes, Nulls::kSpread, true},
    {"concat", ConcatBytes, Nulls::kEmpty, true},
    {"list_concat", ConcatBytes, Nulls::kEmpty, true},
    {"list_cat", ConcatBytes, Nulls::kEmpty, true},
    {"array_concat", ConcatBytes, Nulls::kEmpty, true},
    {"array_cat", ConcatBytes, Nulls::kEmpty, true},
    {"concat_ws", ConcatWithSeparatorBytes, Nulls::kSpreadFromFirst},
    {"replace", ReplaceBytes},
    {"regexp_replace", RegexpReplaceBytes, Nulls::kSpread, false, true},
    {"levenshtein", MatrixBytes, Nulls::kSpread, false, true},
    {"editdist3", MatrixBytes, Nulls::kSpread, false, true},
    {"damerau_levenshtein", WideMatrixBytes, Nulls::kSpread, false, true},
    {"instr", SearchBytes, Nulls::kSpread, false, true},
    {"strpos", SearchBytes, Nulls::kSpread, false, true},
    {"position", SearchBytes, Nulls::kSpread, false, true},
    {"contains", SearchBytes, Nulls::kSpread, false, true},
    {"replace", SearchBytes, Nulls::kSpread, false, true},
    {"string_split", SearchBytes, Nulls::kSpread, false, true},
    {"str_split", SearchBytes, Nulls::kSpread, false, true},
    {"split", SearchBytes, Nulls::kSpread, false, true},
    {"string_to_array", SearchBytes, Nulls::kSpread, false, true},
    {"jaro_similarity", MatrixBytes, Nulls::kSpread, false, true},
    {"jaro_winkler_similarity", MatrixBytes, Nulls::kSpread, false, true},
    {"regexp_matches", RegexpBytes, Nulls::kSpread, false, true},
    {"regexp_full_match", RegexpBytes, Nulls::kSpread, false, true},
    {"regexp_extract", RegexpBytes, Nulls::kSpread, false, true},
    {"regexp_extract_all", RegexpBytes, Nulls::kSpread, false, true},
    {"regexp_replace", RegexpBytes, Nulls::kSpread, false, true},
    {"regexp_split_to_array", RegexpBytes, Nulls::kSpread, false, true},
    {"str_split_regex", RegexpBytes, Nulls::kSpread, false, true},
    {"string_split_regex", RegexpBytes, Nulls::kSpread, false, true},
    {"list_aggregate", ListAggregateBytes, Nulls::kSpread, false, true},
    {"list_aggr", ListAggregateBytes, Nulls::kSpread, false, true},
    {"array_aggregate", ListAggregateBytes, Nulls::kSpread, false, true},
    {"array_aggr", ListAggregateBytes, Nulls::kSpread, false, true},
    {"aggregate", ListAggregateBytes, Nulls::kSpread, false, true},
    {"list_distinct", ListStateBytes, Nulls::kSpread, false, true},
    {"array_distinct", ListStateBytes, Nulls::kSpread, false, true},
    {"list_sort", SortBytes, Nulls::kSpreadFromFirst, false, true},
    {"array_sort", SortBytes, Nulls::kSpreadFromFirst, false, true},
    {"list_reverse_sort", SortBytes, Nulls::kSpreadFromFirst, false, true},
    {"array_reverse_sort", SortBytes, Nulls::kSpreadFromFirst, false, true},
    {"list_unique", ListStateBytes, Nulls::kSpread, false, true},
    {"array_unique", ListStateBytes, Nulls::kSpread, false, true},
    {"string_split", SplitBytes, Nulls::kSpread, false, true},
    {"str_split", SplitBytes, Nulls::kSpread, false, true},
    {"split", SplitBytes, Nulls::kSpread, false, true},
    {"string_to_array", SplitBytes, Nulls::kSpread, false, true},
    {"regexp_extract_all", SplitBytes, Nulls::kSpread, false, true},
    {"regexp_split_to_array", SplitBytes, Nulls::kSpread, false, true},
    {"str_split_regex", SplitBytes, Nulls::kSpread, false, true},
    {"string_split_regex", SplitBytes, Nulls::kSpread, false, true},
    {"list_intersect", SetBytes, Nulls::kSpread, false, true},
    {"array_intersect", SetBytes, Nulls::kSpread, false, true},
    {"list_has_all", SetBytes, Nulls::kSpread, false, true},
    {"array_has_all", SetBytes, Nulls::kSpread, false, true},
    {"list_has_any", SetBytes, Nulls::kSpread, false, true},
    {"array_has_any", SetBytes, Nulls::kSpread, false, true},
    {"@>", SetBytes, Nulls::kSpread, false, true},
    {"<@", SetBytes, Nulls::kSpread, false, true},
    {"&&", SetBytes, Nulls::kSpread, false, true},
};

void CallCapped(const CappedFunction& capped, const duckdb::scalar_function_t& original, duckdb::DataChunk& args,
                duckdb::ExpressionState& state, duckdb::Vector& result) {
  ThrowIfInterrupted();
  const Arguments arguments(args);
  CheckSizes(arguments, capped);
  if (!capped.is_work) return original(args, state, result);
  CallInSlices(original, args, state, result, [&](duckdb::idx_t row) {
    return ResultIsNull(arguments, row, capped.nulls) ? 0 : capped.estimate(arguments, row);
  });
}

void Cap(duckdb::ExtensionLoader& loader, const CappedFunction& capped) {
  auto& entry = loader.GetFunction(capped.name).Cast<duckdb::ScalarFunctionCatalogEntry>();
  for (duckdb::ScalarFunction& function : entry.functions.functions) {
    function.SetFunctionCallback([capped, original = function.GetFunctionCallback()](
                                     duckdb::DataChunk& args, duckdb::ExpressionState& state, duckdb::Vector& result) {
      CallCapped(capped, original, args, state, result);
    });
    // It may put another function in the place of this one, as that of instr does.
    function.SetStatisticsCallback(nullptr);
  }
}

}  // namespace

void CapFunctions(duckdb::DatabaseInstance& instance) {
  duckdb::ExtensionLoader loader(instance, "tarn");
  for (const CappedFunction& capped : kCappedFunctions) Cap(loader, capped);
}

}  // namespace tarn::engine
