#include "base/process_memory.h"
#include "cli/command_line.h"

int main(int argc, char** argv) {
  tarn::UseOneAllocator();
  return tarn::cli::Main(argc, argv);
}
