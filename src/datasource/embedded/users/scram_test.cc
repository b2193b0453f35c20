#include "datasource/embedded/users/scram.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace restitch::datasource::embedded {
namespace {

template <typename T>
int code_of(const Result<T>& result) {
  return result ? 0 : result.error().mongo_code();
}

// The example of RFC 7677, section 3.
class Rfc7677 : public ::testing::Test {
 protected:
  Rfc7677() {
    credentials_ = *derive_credentials(ScramHash::kSha256, "user", "pencil",
                                       *from_base64("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096);
  }

  ScramCredentials credentials_;
  ScramExchange exchange_{ScramHash::kSha256};
  const std::string first_ = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
  const std::string nonce_ = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  const std::string last_ =
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
      "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
};

TEST_F(Rfc7677, the_exchange_ends_in_the_servers_signature) {
  ASSERT_TRUE(exchange_.read_first(first_));
  EXPECT_EQ(exchange_.user(), "user");
  EXPECT_EQ(exchange_.answer_first(credentials_, nonce_),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
  const auto last = exchange_.finish(last_);
  ASSERT_TRUE(last);
  EXPECT_EQ(*last, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST_F(Rfc7677, every_changed_byte_of_the_proof_is_refused) {
  for (std::size_t at = 0; at < last_.size(); ++at) {
    ScramExchange exchange(ScramHash::kSha256);
    ASSERT_TRUE(exchange.read_first(first_));
    static_cast<void>(exchange.answer_first(credentials_, nonce_));
    std::string changed = last_;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_EQ(code_of(exchange.finish(changed)), 18) << at;
  }
}

TEST_F(Rfc7677, the_keys_of_somebody_else_are_refused) {
  ASSERT_TRUE(exchange_.read_first(first_));
  static_cast<void>(
      exchange_.answer_first(fake_credentials(ScramHash::kSha256, "secret", "db.user"), nonce_));
  EXPECT_EQ(code_of(exchange_.finish(last_)), 18);
}

// The example of RFC 5802, section 5, with MongoDB's digest of the password in its place.
TEST(Scram, the_older_hash_takes_the_digest_of_user_and_password) {
  const auto made = derive_credentials(ScramHash::kSha1, "user", "pencil",
                                       *from_base64("QSXCR+Q6sek8bf92"), 4096);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->stored_key.size(), 20U);
  EXPECT_TRUE(is_password_of(*made, ScramHash::kSha1, "user", "pencil"));
  EXPECT_FALSE(is_password_of(*made, ScramHash::kSha1, "User", "pencil"));
  EXPECT_FALSE(is_password_of(*made, ScramHash::kSha1, "user", "Pencil"));
}

TEST(Scram, names_are_unescaped) {
  const auto user_of = [](const std::string& payload) {
    ScramExchange exchange(ScramHash::kSha1);
    return exchange.read_first(payload) ? exchange.user() : std::string("refused");
  };
  EXPECT_EQ(user_of("n,,n=a=2Cb=3Dc,r=x"), "a,b=c");
  EXPECT_EQ(user_of("y,,n=a,r=x,ext=1"), "a");
  EXPECT_EQ(user_of("n,a=other,n=a,r=x"), "a");
  for (const char* bad :
       {"", "n", "n,", "n,,", "n,,n=,r=x", "n,,n=a", "n,,n=a,r=", "n,,r=x,n=a", "n,,n=a=2c,r=x",
        "n,,n=a=,r=x", "p=tls-unique,,n=a,r=x", "n,,n=\xff,r=x", "n,,m=1,n=a,r=x"}) {
    EXPECT_EQ(user_of(bad), "refused") << bad;
  }
  EXPECT_EQ(user_of("n,,n=" + std::string(5000, 'a') + ",r=x"), "refused");
}

TEST(Scram, an_unknown_user_always_has_the_same_salt) {
  const auto salt = [](std::string_view secret, std::string_view name) {
    return fake_credentials(ScramHash::kSha256, secret, name).salt;
  };
  EXPECT_EQ(salt("s", "db.a"), salt("s", "db.a"));
  EXPECT_NE(salt("s", "db.a"), salt("s", "db.b"));
  EXPECT_NE(salt("s", "db.a"), salt("t", "db.a"));
  EXPECT_EQ(salt("s", "db.a").size(), 28U);
}

TEST(Scram, credentials_are_stored_and_read) {
  const auto made = make_credentials(ScramHash::kSha256, "user", "pencil");
  ASSERT_TRUE(made);
  const auto read = ScramCredentials::from_document(made->to_document());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->iterations, 15000);
  EXPECT_EQ(read->salt, made->salt);
  EXPECT_EQ(read->stored_key, made->stored_key);
  EXPECT_EQ(read->server_key, made->server_key);
  EXPECT_FALSE(ScramCredentials::from_document(bson::Document()));
}

// The examples of RFC 4013, section 3.
TEST(Scram, passwords_are_prepared) {
  EXPECT_EQ(*prepared_password("I\xc2\xadX"), "IX");
  EXPECT_EQ(*prepared_password("user"), "user");
  EXPECT_EQ(*prepared_password("USER"), "USER");
  EXPECT_EQ(*prepared_password("\xc2\xaa"), "a");
  EXPECT_EQ(*prepared_password("\xe2\x85\xa8"), "IX");
  EXPECT_EQ(code_of(prepared_password("\x07")), 50692);
  EXPECT_EQ(code_of(prepared_password(std::string_view("a\0b", 3))), 50692);
  EXPECT_EQ(code_of(prepared_password("\xd8\xa7\x31")), 50692);
  EXPECT_EQ(code_of(prepared_password("")), 50687);
  EXPECT_EQ(code_of(prepared_password("\xff")), 50687);
}

}  // namespace
}  // namespace restitch::datasource::embedded
