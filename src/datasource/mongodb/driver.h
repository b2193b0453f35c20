#pragma once

// libmongoc's objects as owned C++ values. Included by this folder's .cc files only.
#include <mongoc/mongoc.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bson/document.h"

namespace restitch::datasource::mongodb {

template <auto Destroy>
struct Destroyer {
  template <typename T>
  void operator()(T* object) const {
    Destroy(object);
  }
};

using UriPtr = std::unique_ptr<mongoc_uri_t, Destroyer<mongoc_uri_destroy>>;
using PoolPtr = std::unique_ptr<mongoc_client_pool_t, Destroyer<mongoc_client_pool_destroy>>;
using SessionPtr =
    std::unique_ptr<mongoc_client_session_t, Destroyer<mongoc_client_session_destroy>>;
using ReadPrefsPtr = std::unique_ptr<mongoc_read_prefs_t, Destroyer<mongoc_read_prefs_destroy>>;
using ServerPtr =
    std::unique_ptr<mongoc_server_description_t, Destroyer<mongoc_server_description_destroy>>;

// Makes the library ready, once for the process; its messages go to our log.
void start_driver();

// A client of a pool, given back when dropped.
class Lease {
 public:
  Lease(mongoc_client_pool_t* pool, mongoc_client_t* client) : client_(client, Return{pool}) {}
  mongoc_client_t* get() const { return client_.get(); }

 private:
  struct Return {
    mongoc_client_pool_t* pool;
    void operator()(mongoc_client_t* client) const { mongoc_client_pool_push(pool, client); }
  };
  std::unique_ptr<mongoc_client_t, Return> client_;
};

// libbson's view of a document: valid while `view`'s bytes are.
class Borrowed {
 public:
  explicit Borrowed(bson::View view) {
    const std::string_view bytes = view.bytes();
    bson_init_static(&bson_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  }
  const bson_t* get() const { return &bson_; }

 private:
  bson_t bson_;
};

// A document that the library fills in.
class Owned {
 public:
  Owned() { bson_init(&bson_); }
  ~Owned() { bson_destroy(&bson_); }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;

  bson_t* get() { return &bson_; }
  // For functions that initialise their output: what it holds is dropped first.
  bson_t* reset() {
    bson_destroy(&bson_);
    return &bson_;
  }
  std::string_view bytes() const {
    return {reinterpret_cast<const char*>(bson_get_data(&bson_)), bson_.len};
  }

 private:
  bson_t bson_;
};

}  // namespace restitch::datasource::mongodb
