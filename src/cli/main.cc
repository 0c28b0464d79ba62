#include "cli/command_line.h"

int main(int argc, char** argv) { return tarn::cli::Main(argc, argv); }
