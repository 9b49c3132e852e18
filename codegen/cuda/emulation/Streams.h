// Streams and events of the emulation. What is put into a stream is done in its order, and apart from that
// when it hurts most: a kernel at its launch, where nothing before it in the stream waits; a copy either as
// early as the stream allows or not before something needs it, as the seed has it. Something needs it that
// waits: the host for a stream or an event, or another stream for an event when it is needed itself. So a
// wait that is missing shows, whichever of two streams would have been the faster.
//
// Copies from and to pinned memory go on while the host does: until the copy has been waited for, what it
// reads must not change, and what it writes is NaN.
#ifndef VERNIER_CUDA_EMULATION_STREAMS_H
#define VERNIER_CUDA_EMULATION_STREAMS_H

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

namespace vn::emulation {

class Stream;

// What was put into a stream that captured, and into those that followed its events meanwhile.
class Graph {
public:
  // Each piece of work comes after what it has to follow, and apart from that in any order, as the seed has
  // it.
  void run() const;

private:
  friend class Stream;
  friend class Event;
  struct Node {
    std::function<void()> work;
    std::vector<size_t> after; // earlier nodes
  };
  std::vector<Node> nodes;
  std::vector<Stream *> streams; // that are captured
};

// A place in a stream.
class Event {
public:
  void record(Stream &stream);
  // Returns when all that was in the stream before the last record is done. Of an event that was never
  // recorded: at once.
  void synchronize() const;
  // Between two that have happened, by the host's clock.
  double secondsSince(const Event &earlier) const;

private:
  friend class Stream;
  struct Point;
  std::shared_ptr<Point> last;
  // Recorded by a stream that captured: behind these nodes.
  std::shared_ptr<Graph> captured;
  std::vector<size_t> after;
};

// Everything throws what the work does that it makes the host wait for. What comes behind such work in its
// stream is never done.
class Stream {
public:
  using Work = std::function<void()>;

  ~Stream();
  void launch(Work work);
  // What is put into this stream from now on comes after the event's last record.
  void follow(const Event &event);
  void synchronize();

  // What is put into it in between becomes a graph, and is not done; so does what is put into streams that
  // follow its events. Throws a Fault where something in these is not followed by this stream in the end.
  void beginCapture();
  std::shared_ptr<const Graph> endCapture();

  // Throw a Fault at once where device memory is out of bounds, and when they are done where the host has
  // changed what was being copied. Of memory that is not pinned the first reads it at once, the second
  // returns when it is done, as on a GPU.
  void copyToDevice(void *device, const void *host, std::size_t bytes);
  void copyToHost(void *host, const void *device, std::size_t bytes);
  void copyOnDevice(void *to, const void *from, std::size_t bytes);

private:
  friend class Event;
  struct Item {
    Work work;                           // or
    std::shared_ptr<Event::Point> needs; // to have happened, or
    std::shared_ptr<Event::Point> marks; // as happened
  };
  void put(Item item, bool early);
  void doFirst();
  void goOn();
  void advanceTo(const Event::Point &point);
  void abandon();
  void addNode(Work work);

  std::deque<Item> queue;
  std::shared_ptr<Graph> captured;
  std::vector<size_t> after; // what the next node comes behind
};

// Of the host. Throws std::bad_alloc.
void *allocatePinned(std::size_t bytes);
// Throws a Fault where a copy that has not been waited for reads or writes there, and for what was not
// allocated. Of null: nothing.
void releasePinned(void *memory);

} // namespace vn::emulation

#endif
