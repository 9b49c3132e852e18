#include "Streams.h"

#include "Execution.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <list>
#include <map>
#include <mutex>
#include <new>
#include <string_view>
#include <vector>

namespace vn::emulation {

struct Event::Point {
  Stream *stream;
  bool happened = false;
  std::chrono::steady_clock::time_point when{};

  void happen() {
    happened = true;
    when = std::chrono::steady_clock::now();
  }
};

namespace {

// A copy from or to pinned memory that has not been done.
struct HostCopy {
  const std::byte *begin;
  size_t bytes;
  bool reads;

  bool touches(const std::byte *from, const std::byte *to) const {
    return begin < to && from < begin + bytes;
  }
};

struct Pinned {
  std::mutex mutex;
  std::map<const std::byte *, std::pair<std::unique_ptr<std::byte[]>, size_t>> blocks; // by their start
  std::list<HostCopy> copies;
};
Pinned &pinned() {
  static Pinned pinned;
  return pinned;
}

bool isPinned(const void *memory, size_t bytes) {
  const auto *const begin = static_cast<const std::byte *>(memory);
  const std::lock_guard lock(pinned().mutex);
  auto after = pinned().blocks.upper_bound(begin);
  return after != pinned().blocks.begin() && begin + bytes <= (--after)->first + after->second.second;
}

// Stands among the copies as long as the work that holds it has not been done.
std::shared_ptr<void> underWay(const void *host, size_t bytes, bool reads) {
  Pinned &known = pinned();
  const std::lock_guard lock(known.mutex);
  known.copies.push_front({static_cast<const std::byte *>(host), bytes, reads});
  const auto copy = known.copies.begin();
  return {nullptr, [copy](void *) {
            const std::lock_guard lock(pinned().mutex);
            pinned().copies.erase(copy);
          }};
}

[[noreturn]] void failOnHost(FaultKind kind, const std::string &what) {
  Report report;
  report.kind = kind;
  report.what = what;
  throw Fault(report);
}

// What a copy will write to pinned memory is not there before; what another, which comes first, still reads
// is left to it.
void poison(std::byte *host, size_t bytes) {
  Pinned &known = pinned();
  const std::lock_guard lock(known.mutex);
  std::vector<const HostCopy *> reads;
  for (const HostCopy &copy : known.copies)
    if (copy.reads && copy.touches(host, host + bytes))
      reads.push_back(&copy);
  for (std::byte *word = host; word + 4 <= host + bytes; word += 4)
    if (std::ranges::none_of(reads, [&](const HostCopy *copy) { return copy->touches(word, word + 4); }))
      std::memcpy(word, &kCopyInFlight, 4);
}

size_t digest(const void *memory, size_t bytes) {
  return std::hash<std::string_view>()({static_cast<const char *>(memory), bytes});
}

bool isEarly() {
  static std::atomic<uint64_t> copies = 0;
  return drawn(copies++) & 1;
}

} // namespace

void *allocatePinned(size_t bytes) {
  auto memory = std::make_unique<std::byte[]>(bytes + 1);
  std::byte *const begin = memory.get();
  const std::lock_guard lock(pinned().mutex);
  pinned().blocks[begin] = {std::move(memory), bytes};
  return begin;
}

void releasePinned(void *memory) {
  if (!memory)
    return;
  Pinned &known = pinned();
  const std::lock_guard lock(known.mutex);
  const auto found = known.blocks.find(static_cast<std::byte *>(memory));
  if (found == known.blocks.end())
    failOnHost(FaultKind::OutOfBounds, "releases what is no start of pinned memory");
  for (const HostCopy &copy : known.copies)
    if (copy.touches(found->first, found->first + found->second.second))
      failOnHost(FaultKind::CopyInFlight, std::string("releases pinned memory that a copy still ") +
                                              (copy.reads ? "reads" : "writes"));
  known.blocks.erase(found);
}

// --- events

void Event::record(Stream &stream) {
  captured = stream.captured;
  after = stream.after;
  last = nullptr;
  if (captured)
    return;
  last = std::make_shared<Point>(&stream);
  stream.put({.work = {}, .needs = {}, .marks = last}, stream.queue.empty());
}

void Event::synchronize() const {
  if (captured)
    failOnHost(FaultKind::Launch, "waits for an event of a graph that is captured");
  if (last && !last->happened)
    last->stream->advanceTo(*last);
}

double Event::secondsSince(const Event &earlier) const {
  return std::chrono::duration<double>(last->when - earlier.last->when).count();
}

// --- streams

Stream::~Stream() {
  try {
    synchronize();
  } catch (...) { // nobody waits for it any more
  }
}

void Stream::launch(Work work) { put({.work = std::move(work), .needs = {}, .marks = {}}, queue.empty()); }

void Stream::follow(const Event &event) {
  if (event.captured) {
    if (!captured) {
      captured = event.captured;
      captured->streams.push_back(this);
    }
    after.insert(after.end(), event.after.begin(), event.after.end());
    return;
  }
  if (event.last && !event.last->happened)
    put({.work = {}, .needs = event.last, .marks = {}}, false);
}

void Stream::synchronize() {
  Event end;
  end.record(*this);
  end.synchronize();
}

void Stream::copyToDevice(void *device, const void *host, size_t bytes) {
  checkDeviceMemory("copies to", device, bytes);
  if (!isPinned(host, bytes)) {
    const auto *const begin = static_cast<const std::byte *>(host);
    launch([device, values = std::vector<std::byte>(begin, begin + bytes)] {
      emulation::copyToDevice(device, values.data(), values.size());
    });
    return;
  }
  put({.work =
           [=, before = digest(host, bytes), copy = underWay(host, bytes, true)] {
             if (digest(host, bytes) != before)
               failOnHost(FaultKind::CopyInFlight,
                          "pinned memory was changed before the copy that reads it had been waited for");
             emulation::copyToDevice(device, host, bytes);
           },
       .needs = {},
       .marks = {}},
      isEarly());
}

void Stream::copyToHost(void *host, const void *device, size_t bytes) {
  checkDeviceMemory("copies", device, bytes);
  if (!isPinned(host, bytes)) {
    launch([=] { emulation::copyToHost(host, device, bytes); });
    synchronize();
    return;
  }
  poison(static_cast<std::byte *>(host), bytes);
  put({.work = [=, copy = underWay(host, bytes, false)] { emulation::copyToHost(host, device, bytes); },
       .needs = {},
       .marks = {}},
      isEarly());
}

void Stream::copyOnDevice(void *to, const void *from, size_t bytes) {
  checkDeviceMemory("copies to", to, bytes);
  checkDeviceMemory("copies", from, bytes);
  put({.work = [=] { emulation::copyOnDevice(to, from, bytes); }, .needs = {}, .marks = {}}, isEarly());
}

void Stream::put(Item item, bool early) {
  if (captured) {
    addNode(std::move(item.work));
    return;
  }
  queue.push_back(std::move(item));
  if (early)
    goOn();
}

/// Of which all that it needs has happened.
void Stream::doFirst() {
  const Item first = std::move(queue.front());
  queue.pop_front();
  if (first.marks)
    first.marks->happen();
  if (!first.work)
    return;
  try {
    first.work();
  } catch (...) {
    abandon();
    throw;
  }
}

void Stream::goOn() {
  while (!queue.empty() && !(queue.front().needs && !queue.front().needs->happened))
    doFirst();
}

void Stream::advanceTo(const Event::Point &point) {
  while (!point.happened) {
    if (const auto needed = queue.front().needs; needed && !needed->happened) {
      try {
        needed->stream->advanceTo(*needed);
      } catch (...) {
        abandon();
        throw;
      }
    }
    doFirst();
  }
}

void Stream::addNode(Work work) {
  captured->nodes.push_back({std::move(work), std::move(after)});
  after = {captured->nodes.size() - 1};
}

void Stream::beginCapture() {
  captured = std::make_shared<Graph>();
  captured->streams.push_back(this);
}

std::shared_ptr<const Graph> Stream::endCapture() {
  const std::shared_ptr<Graph> graph = captured;
  std::vector<bool> followed(graph->nodes.size());
  for (size_t node : after)
    followed[node] = true;
  for (size_t node = graph->nodes.size(); node-- > 0;)
    if (followed[node])
      for (size_t before : graph->nodes[node].after)
        followed[before] = true;
  for (Stream *stream : std::exchange(graph->streams, {})) {
    stream->captured = nullptr;
    stream->after.clear();
  }
  if (std::find(followed.begin(), followed.end(), false) != followed.end())
    failOnHost(FaultKind::Launch, "a graph ends before work of another stream that nothing waits for");
  return graph;
}

void Graph::run() const {
  static std::atomic<uint64_t> picks = 0;
  std::vector<size_t> missing, ready;
  std::vector<std::vector<size_t>> behind(nodes.size());
  for (size_t node = 0; node < nodes.size(); ++node) {
    missing.push_back(nodes[node].after.size());
    for (size_t before : nodes[node].after)
      behind[before].push_back(node);
    if (missing[node] == 0)
      ready.push_back(node);
  }
  while (!ready.empty()) {
    const size_t pick = drawn(picks++) % ready.size(), node = ready[pick];
    ready.erase(ready.begin() + ptrdiff_t(pick));
    nodes[node].work();
    for (size_t next : behind[node])
      if (--missing[next] == 0)
        ready.push_back(next);
  }
}

/// Waits for it end, too.
void Stream::abandon() {
  for (const Item &item : std::exchange(queue, {}))
    if (item.marks)
      item.marks->happen();
}

} // namespace vn::emulation
