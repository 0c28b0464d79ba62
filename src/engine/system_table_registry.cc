#include "engine/lake_catalog.h"

namespace tarn::engine {
namespace {

std::string LowerCase(const std::string& name) {
  std::string lower = name;
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

}  // namespace

Status SystemTableRegistry::Add(const std::string& name, std::shared_ptr<SystemTable> table) {
  MutexLock lock(mutex_);
  if (!tables_.emplace(LowerCase(name), std::move(table)).second) {
    return Status::AlreadyExists("system table " + name + " is registered twice");
  }
  return Status::Ok();
}

std::shared_ptr<SystemTable> SystemTableRegistry::Find(const std::string& name) const {
  MutexLock lock(mutex_);
  auto found = tables_.find(LowerCase(name));
  return found == tables_.end() ? nullptr : found->second;
}

std::vector<std::string> SystemTableRegistry::Names() const {
  MutexLock lock(mutex_);
  std::vector<std::string> names;
  names.reserve(tables_.size());
  for (const auto& [name, table] : tables_) names.push_back(name);
  return names;
}

}  // namespace tarn::engine
