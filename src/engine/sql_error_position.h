#pragma once

namespace tarn::engine {

/// How the barrier writes a position into a message, for SqlErrorPosition to find: " (at byte 12)".
inline constexpr char kPositionPrefix[] = " (at byte ";

}  // namespace tarn::engine
