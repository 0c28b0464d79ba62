#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/optional.hpp>

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/memory_budget.h"

namespace tarn::frontends {

/// A Beast body that is accounted before it is held, and bounded.
struct RequestBody {
  enum class Fault : uint8_t { kNone, kTooLarge, kNoMemory };

  struct value_type {
    std::string text;
    MemoryBudget* budget = nullptr;
    MemoryBudget::Reservation memory;
    size_t max_bytes = 0;
    Fault fault = Fault::kNone;

    /// Makes room for `bytes` in all; false, with `fault` set, when that is too much.
    bool Admit(uint64_t bytes) {
      if (bytes > max_bytes) {
        fault = Fault::kTooLarge;
        return false;
      }
      if (bytes <= memory.bytes()) return true;
      const size_t wanted = bytes - memory.bytes();
      if (memory.bytes() > 0) {
        if (memory.TryGrow(wanted)) return true;
      } else if (auto reserved = budget->TryReserve(wanted)) {
        memory = std::move(*reserved);
        return true;
      }
      fault = Fault::kNoMemory;
      return false;
    }
  };

  class reader {
   public:
    template <bool IsRequest, class Fields>
    reader(boost::beast::http::header<IsRequest, Fields>&, value_type& body) : body_(body) {}

    void init(const boost::optional<std::uint64_t>& length, boost::beast::error_code& error) {
      error = {};
      if (!length.has_value()) return;
      if (!body_.Admit(*length)) {
        error = boost::beast::http::error::body_limit;
        return;
      }
      body_.text.reserve(*length);
    }

    template <class Buffers>
    size_t put(const Buffers& buffers, boost::beast::error_code& error) {
      error = {};
      size_t taken = 0;
      for (const auto buffer : boost::beast::buffers_range_ref(buffers)) {
        const size_t needed = body_.text.size() + buffer.size();
        // Of a body of unknown length ever larger steps are reserved, as the string grows.
        const size_t step = needed <= body_.memory.bytes() ? needed : std::min(body_.max_bytes, needed * 2);
        if (!body_.Admit(std::max(needed, step))) {
          error = boost::beast::http::error::body_limit;
          return taken;
        }
        body_.text.append(static_cast<const char*>(buffer.data()), buffer.size());
        taken += buffer.size();
      }
      return taken;
    }

    void finish(boost::beast::error_code& error) { error = {}; }

   private:
    value_type& body_;
  };
};

}  // namespace tarn::frontends
