// Loaded into a program by LD_PRELOAD: before the INTERRUPT_AT-th call that changes a file below INTERRUPT_BELOW, it
// says on stderr which that is and sends the process INTERRUPT_SIGNAL.

#include <dlfcn.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

std::string PathOf(int fd) {
  char path[PATH_MAX];
  const ssize_t length = readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof(path));
  return length < 0 ? "" : std::string(path, static_cast<size_t>(length));
}

void Step(const char* call, const std::string& path) {
  static const std::string below = getenv("INTERRUPT_BELOW");
  static const int at = atoi(getenv("INTERRUPT_AT"));
  static std::atomic<int> steps = 0;
  if (!path.starts_with(below) || ++steps != at) return;
  dprintf(STDERR_FILENO, "%s %s\n", call, path.c_str() + below.size());
  kill(getpid(), atoi(getenv("INTERRUPT_SIGNAL")));
}

template <typename Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* bytes, size_t size) {
  // What Step itself writes is below no table.
  if (fd != STDERR_FILENO) Step("write", PathOf(fd));
  return Next<decltype(write)>("write")(fd, bytes, size);
}

ssize_t writev(int fd, const iovec* pieces, int count) {
  Step("write", PathOf(fd));
  return Next<decltype(writev)>("writev")(fd, pieces, count);
}

int fsync(int fd) {
  Step("fsync", PathOf(fd));
  return Next<decltype(fsync)>("fsync")(fd);
}

int linkat(int from_folder, const char* from, int folder, const char* name, int flags) noexcept {
  Step("linkat", PathOf(folder) + "/" + name);
  return Next<decltype(linkat)>("linkat")(from_folder, from, folder, name, flags);
}
}
