#include "auth/password.h"

#include <gtest/gtest.h>

namespace restitch::auth {
namespace {

constexpr PasswordCost kCheap{64, 1, 1};

// Made by passlib's, Django's and crypt(3)'s rules from "corr3ct-horse".
const std::string foreign_hashes[] = {
    "$pbkdf2-sha256$1000$c2FsdHNhbHQ$DqIP.o0o9DFbhWjI80q2YYwROdqpgTvgpVvsGLuFwlo",
    "pbkdf2_sha256$1000$saltsalt$DqIP+o0o9DFbhWjI80q2YYwROdqpgTvgpVvsGLuFwlo=",
    "$pbkdf2$1000$c2FsdHNhbHQ$LnAEohalSXlLhJVHe8kphdwuVxs",
    "$scrypt$ln=4,r=8,p=1$c2FsdHNhbHQ$BmeTOudtNMbNGjq5SkdCWlGAwHcwiFwuIkxUhFZqC1Q",
    "$2b$04$abcdefghijklmnopqrstuuHDQDzQjtFwmp/W7rhIxgmELZ.3.jVtO",
    "$6$rounds=1000$saltsalt$/6x/"
    "3DVUf2dzhw6eqp8uAjHuD79sUSbfGzdQSb7WH6vUUTUUC2quM9O6BZpdNEby.IjqYx9oKUyECfBmutaI10",
    "$5$saltsalt$js1x77ccYBShTIoeClifQAefYN19is2/64cPEQulHh4",
    "$7$2/..../....saltsalt$lRIWT2JR/xm1KOH5QrBdy6B5wrcRcIt0WnCeZpIeO51",
    "$y$j75$saltsalt$X4kRMCPoaX9dBmamU18Uxj.8jrLjM6enlKFJEHVkAm4",
};

TEST(Password, own_hashes_verify_and_differ_by_their_salt) {
  const std::string hash = hash_password("corr3ct-horse", kCheap);
  EXPECT_TRUE(verify_password("corr3ct-horse", hash));
  EXPECT_FALSE(verify_password("corr3ct-horsf", hash));
  EXPECT_NE(hash, hash_password("corr3ct-horse", kCheap));
}

TEST(Password, hashes_of_other_systems_verify) {
  for (const std::string& hash : foreign_hashes) {
    EXPECT_TRUE(check_password_hash(hash)) << hash;
    EXPECT_TRUE(verify_password("corr3ct-horse", hash)) << hash;
    EXPECT_FALSE(verify_password("corr3ct-horsf", hash)) << hash;
    EXPECT_FALSE(verify_password("", hash)) << hash;
    EXPECT_FALSE(verify_password(std::string_view("corr3ct-horse\0x", 15), hash)) << hash;
    EXPECT_TRUE(is_outdated(hash, kCheap)) << hash;
  }
}

TEST(Password, a_hash_is_outdated_when_the_cost_has_changed) {
  const std::string hash = hash_password("secret", kCheap);
  EXPECT_FALSE(is_outdated(hash, kCheap));
  EXPECT_TRUE(is_outdated(hash, {128, 1, 1}));
  EXPECT_FALSE(is_outdated(kNoPassword, kCheap));
}

TEST(Password, without_a_hash_no_password_is_right) {
  EXPECT_TRUE(check_password_hash(std::string(kNoPassword)));
  for (const char* password : {"", "!", "secret"})
    EXPECT_FALSE(verify_password(password, std::string(kNoPassword)));
}

TEST(Password, malformed_and_too_costly_hashes_are_refused) {
  for (const char* hash : {"",
                           "x",
                           "plain-password",
                           "$",
                           "$$$$",
                           "$argon2id$",
                           "$argon2id$v=19$m=x,t=1,p=1$YQ$YQ",
                           "$argon2id$v=19$m=4194304,t=1,p=1$c2FsdHNhbHQ$YQ",
                           "$argon2id$v=19$m=64,t=9999,p=1$c2FsdHNhbHQ$YQ",
                           "$2b$04$short",
                           "$2b$31$abcdefghijklmnopqrstuuHDQDzQjtFwmp/W7rhIxgmELZ.3.jVtO",
                           "$pbkdf2-sha256$999999999$c2FsdA$YWJj",
                           "$pbkdf2-md5$10$c2FsdA$YWJj",
                           "pbkdf2_sha256$0$salt$YWJj",
                           "$scrypt$ln=24,r=8,p=1$c2FsdA$YWJj",
                           "$scrypt$ln=0,r=8,p=1$c2FsdA$YWJj",
                           "$scrypt$r=8,p=1$c2FsdA$YWJj",
                           "$6$rounds=999999999$salt$abc",
                           "$7$z/..../....salt$abc",
                           "$y$jzT$salt$abc",
                           "$1$salt$abc"}) {
    const Status checked = check_password_hash(hash);
    ASSERT_FALSE(checked) << hash;
    EXPECT_EQ(checked.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_FALSE(
        verify_password("x", hash == std::string("") ? "" : std::string(hash).substr(0, 3)))
        << hash;
  }
}

}  // namespace
}  // namespace restitch::auth
