#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "fuzz.h"

// Offered by the sanitizers' runtime.
extern "C" void __sanitizer_set_death_callback(void (*callback)());

// The main program of a fuzz target without libFuzzer: replays every file and directory named, then
// tries random variations of what they hold: `-runs=N` of them, or for `-max_total_time=S` seconds
// (`-seed=N` chooses them). An input that makes the target fail or takes ten seconds is written
// beside the program, as crash-<target>.
namespace {

using Inputs = std::vector<std::string>;

constexpr unsigned kMaxSeconds = 10;  // of one input

const std::string* current_input = nullptr;
std::string crash_file;

// May run in a signal's handler.
void keep_current_input() {
  if (current_input == nullptr) return;
  if (std::FILE* file = std::fopen(crash_file.c_str(), "wb")) {
    std::fwrite(current_input->data(), 1, current_input->size(), file);
    std::fclose(file);
    std::fprintf(stderr, "the input is in %s\n", crash_file.c_str());
  }
}

void take_too_long(int) {
  std::fprintf(stderr, "an input takes longer than %u s\n", kMaxSeconds);
  keep_current_input();
  ::_exit(1);
}

void load(const std::filesystem::path& path, Inputs& inputs) {
  if (std::filesystem::is_directory(path)) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
      if (entry.is_regular_file()) load(entry.path(), inputs);
    }
    return;
  }
  std::ifstream file(path, std::ios::binary);
  inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

// A copy of exactly the input's size on the heap, so that an address sanitizer sees every read
// beyond it.
void run(const std::string& input) {
  const auto copy = std::make_unique<std::uint8_t[]>(input.size());
  std::memcpy(copy.get(), input.data(), input.size());
  current_input = &input;
  ::alarm(kMaxSeconds);
  LLVMFuzzerTestOneInput(copy.get(), input.size());
  ::alarm(0);
  current_input = nullptr;
}

class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {}

  std::string vary(const Inputs& inputs) {
    std::string out = inputs[below(inputs.size())];
    for (std::size_t i = 1 + below(4); i > 0; --i) step(out, inputs);
    return out;
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  char interesting_byte() {
    constexpr char kBytes[] = {0,    1,      2,      3,      4,   5,   0x10, 0x20,
                               0x7F, '\x80', '\xFE', '\xFF', '"', '$', '{',  '}'};
    return below(2) == 0 ? kBytes[below(sizeof(kBytes))] : static_cast<char>(below(256));
  }

  void step(std::string& out, const Inputs& inputs) {
    const std::size_t at = below(out.size());
    switch (below(5)) {
      case 0:
        if (!out.empty()) out[at] = interesting_byte();
        return;
      case 1:
        out.insert(at, 1, interesting_byte());
        return;
      case 2:
        out.erase(at, 1 + below(4));
        return;
      case 3:
        out.insert(at, out.substr(below(out.size()), below(32)));
        return;
      default: {
        const std::string& other = inputs[below(inputs.size())];
        out.resize(at);
        out.append(other, below(other.size()), std::string::npos);
      }
    }
  }

  std::mt19937_64 random_;
};

}  // namespace

int main(int argc, char** argv) {
  Inputs inputs;
  std::uint64_t runs = 0;
  std::uint64_t seed = 1;
  std::uint64_t seconds = 0;
  crash_file = std::string(argv[0]).insert(std::string(argv[0]).rfind('/') + 1, "crash-");
  __sanitizer_set_death_callback(keep_current_input);
  std::signal(SIGALRM, take_too_long);
  for (int i = 1; i < argc; ++i) {
    if (std::sscanf(argv[i], "-runs=%lu", &runs) == 1) continue;
    if (std::sscanf(argv[i], "-seed=%lu", &seed) == 1) continue;
    if (std::sscanf(argv[i], "-max_total_time=%lu", &seconds) == 1) continue;
    load(argv[i], inputs);
  }
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  for (const std::string& input : inputs) run(input);
  if (inputs.empty()) inputs.emplace_back();
  Mutator mutator(seed);
  std::uint64_t done = 0;
  while (done < runs || (seconds > 0 && std::chrono::steady_clock::now() < until)) {
    run(mutator.vary(inputs));
    ++done;
  }
  std::printf("replayed %zu inputs and %lu variations\n", inputs.size(), done);
}
