#include "delta/table_state.h"

namespace tarn::delta {

namespace {

/// Two chunks may become one when the older is not much larger, so that each file is copied O(log n) times.
bool WorthMerging(const ChunkView& older, const ChunkView& newer) {
  return older.chunk->holds_statistics() && newer.chunk->holds_statistics() && older.live <= 2 * newer.live &&
         older.live + newer.live <= FileChunk::kMaxFiles / 2;
}

ChunkView Merge(const ChunkView& older, const ChunkView& newer) {
  FileChunkBuilder builder;
  for (const ChunkView* view : {&older, &newer}) {
    for (size_t slot = 0; slot < view->chunk->size(); ++slot) {
      if (view->IsLive(slot)) builder.Copy(*view->chunk, slot);
    }
  }
  return ChunkView::Of(builder.Finish(), nullptr);
}

}  // namespace

ChunkView ChunkView::Of(std::shared_ptr<const FileChunk> chunk, std::shared_ptr<const DeadFiles> dead) {
  ChunkView view{std::move(chunk), std::move(dead), 0, 0};
  for (size_t slot = 0; slot < view.chunk->size(); ++slot) {
    if (!view.IsLive(slot)) continue;
    ++view.live;
    view.live_bytes += view.chunk->record(slot).size_bytes;
  }
  return view;
}

void AppendChunk(std::vector<ChunkView>& chunks, ChunkView added) {
  if (added.live == 0) return;
  while (!chunks.empty() && WorthMerging(chunks.back(), added)) {
    added = Merge(chunks.back(), added);
    chunks.pop_back();
  }
  chunks.push_back(std::move(added));
}

std::optional<std::pair<size_t, uint32_t>> FindLive(const std::vector<ChunkView>& chunks, uint64_t hash,
                                                    std::string_view canonical_path,
                                                    std::string_view deletion_vector_id, std::string_view table_uri) {
  for (size_t i = chunks.size(); i-- > 0;) {
    const auto slot = chunks[i].chunk->Find(hash, canonical_path, deletion_vector_id, table_uri);
    if (slot.has_value() && chunks[i].IsLive(*slot)) return std::pair(i, *slot);
  }
  return std::nullopt;
}

}  // namespace tarn::delta
