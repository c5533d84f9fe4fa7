#include "chaos/program.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "chaos/explore/mark.h"
#include "chaos/listens.h"

namespace gort::chaos {

namespace {

// In the symbol table of every program that has the runtime.
constexpr char kRuntimeMark[] = "gort_systemstack";

constexpr char kExplorable[] = "build it with gort_binary(..., mode = \"explore\")";
constexpr char kStormable[] =
    "build it with gort_binary(..., points = True) and //chaos:from_environment";

// Why the file cannot be run at all, "" if it can.
std::string WhyNotRun(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return path + ": " + std::strerror(errno);
  if (!S_ISREG(info.st_mode) || access(path.c_str(), X_OK) != 0) return path + " is not a program";
  return "";
}

}  // namespace

std::string Resolved(const std::string& path) {
  const char* folder = std::getenv("BUILD_WORKING_DIRECTORY");
  if (path.empty() || path.front() == '/' || folder == nullptr) return path;
  return std::string(folder) + "/" + path;
}

std::string ProgramPath(const std::string& path) {
  const std::string resolved = Resolved(path);
  return resolved.find('/') == std::string::npos ? "./" + resolved : resolved;
}

bool FileHas(const std::string& path, std::string_view text) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  struct stat info;
  const bool regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0;
  const std::size_t size = regular ? static_cast<std::size_t>(info.st_size) : 0;
  void* data = regular ? mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
  close(fd);
  if (data == MAP_FAILED) return false;
  const bool has = memmem(data, size, text.data(), text.size()) != nullptr;
  munmap(data, size);
  return has;
}

std::string WhyNotStormed(const std::string& program) {
  if (std::string problem = WhyNotRun(program); !problem.empty()) return problem;
  if (FileHas(program, kExploreMark))
    return program + " is of mode \"explore\", for chaos explore: storms want mode plain or tsan";
  if (FileHas(program, GORT_CHAOS_LISTENS)) return "";
  if (!FileHas(program, kRuntimeMark)) return program + " is not a program of gort: " + kStormable;
  return program + ": no points in this program: " + kStormable;
}

std::string WhyNotExplored(const std::string& program) {
  if (std::string problem = WhyNotRun(program); !problem.empty()) return problem;
  if (FileHas(program, kExploreMark)) return "";
  if (FileHas(program, kRuntimeMark)) return program + " is of another mode: " + kExplorable;
  return program + " is not a program of gort: " + kExplorable;
}

std::string WhyNotWritten(const std::string& path) {
  struct stat info;
  const bool exists = stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) return path + " is a folder";
  // A device or a pipe is written to as it stands, a file is replaced by a new one.
  if (exists && !S_ISREG(info.st_mode))
    return access(path.c_str(), W_OK) == 0 ? "" : path + ": " + std::strerror(errno);
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (stat(folder.c_str(), &info) != 0) return folder + ": " + std::strerror(errno);
  if (!S_ISDIR(info.st_mode)) return folder + " is not a folder";
  if (access(folder.c_str(), W_OK | X_OK) != 0) return folder + ": " + std::strerror(errno);
  return "";
}

}  // namespace gort::chaos
