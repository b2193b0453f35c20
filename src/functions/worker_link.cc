#include "functions/worker_link.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <cstring>

#include "bson/validate.h"
#include "functions/frames.h"

namespace restitch::functions {

namespace {

constexpr std::size_t kReadBytes = 64UL << 10U;
constexpr std::size_t kKeptBytes = 1UL << 20U;
constexpr int kMaxFrameDepth = 200;
constexpr std::size_t kMaxBuffersAWrite = 64;

}  // namespace

WorkerLink::WorkerLink(asio::any_io_executor executor, OwnedDescriptor socket,
                       std::function<void(bson::View)> on_frame,
                       std::function<void(std::string)> on_end)
    : executor_(executor),
      socket_(executor, asio::local::stream_protocol(), socket.release()),
      on_frame_(std::move(on_frame)),
      on_end_(std::move(on_end)) {
  input_.resize(kReadBytes);
}

void WorkerLink::start() { read(); }

void WorkerLink::read() {
  if (has_ended_) return;
  socket_.async_read_some(
      asio::buffer(input_.data() + end_, input_.size() - end_),
      [self = shared_from_this()](boost::system::error_code error, std::size_t n) {
        if (error) {
          self->end(std::string());
          return;
        }
        self->on_bytes(n);
      });
}

void WorkerLink::on_bytes(std::size_t count) {
  end_ += count;
  if (!cut_frames()) return;
  if (begin_ == end_) {
    begin_ = end_ = 0;
    if (input_.size() > kKeptBytes) {
      input_.resize(kReadBytes);
      input_.shrink_to_fit();
    }
  } else if (begin_ > 0) {
    std::memmove(input_.data(), input_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (input_.size() - end_ < kReadBytes)
    input_.resize(std::max(input_.size() * 2, end_ + kReadBytes));
  read();
}

// False when the stream is over.
bool WorkerLink::cut_frames() {
  while (end_ - begin_ >= 4) {
    std::int32_t length = 0;
    std::memcpy(&length, input_.data() + begin_, sizeof length);
    if (length < 5 || static_cast<std::size_t>(length) > kMaxFrameBytes) {
      end("a frame of an impossible length");
      return false;
    }
    const auto size = static_cast<std::size_t>(length);
    if (end_ - begin_ < size) return true;
    const std::string_view bytes(input_.data() + begin_, size);
    const Status valid = bson::validate(bytes, {kMaxFrameBytes, kMaxFrameDepth});
    if (!valid) {
      end("an invalid frame: " + valid.error().message());
      return false;
    }
    begin_ += size;
    on_frame_(bson::View(reinterpret_cast<const std::uint8_t*>(bytes.data())));
    if (has_ended_) return false;
  }
  return true;
}

void WorkerLink::send(std::string frame) {
  if (has_ended_) return;
  waiting_.push_back(std::move(frame));
  schedule_write();
}

void WorkerLink::schedule_write() {
  if (is_writing_ || is_scheduled_) return;
  is_scheduled_ = true;
  asio::post(executor_, [self = shared_from_this()] {
    self->is_scheduled_ = false;
    self->write();
  });
}

void WorkerLink::write() {
  if (has_ended_ || is_writing_ || waiting_.empty()) return;
  is_writing_ = true;
  leaving_.clear();
  leaving_.swap(waiting_);
  std::vector<asio::const_buffer> buffers;
  buffers.reserve(leaving_.size());
  if (leaving_.size() <= kMaxBuffersAWrite) {
    for (const std::string& frame : leaving_) buffers.push_back(asio::buffer(frame));
  } else {
    std::string joined;
    for (const std::string& frame : leaving_) joined += frame;
    leaving_.assign(1, std::move(joined));
    buffers.push_back(asio::buffer(leaving_.front()));
  }
  asio::async_write(socket_, buffers,
                    [self = shared_from_this()](boost::system::error_code error, std::size_t) {
                      self->is_writing_ = false;
                      if (error) {
                        self->end(std::string());
                        return;
                      }
                      self->write();
                    });
}

void WorkerLink::close() {
  has_ended_ = true;
  boost::system::error_code ignored;
  socket_.close(ignored);
  on_frame_ = nullptr;
  on_end_ = nullptr;
}

void WorkerLink::end(std::string reason) {
  if (has_ended_) return;
  has_ended_ = true;
  boost::system::error_code ignored;
  socket_.close(ignored);
  if (on_end_) on_end_(std::move(reason));
}

}  // namespace restitch::functions
