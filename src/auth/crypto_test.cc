#include "auth/crypto.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "auth/password.h"
#include "base/encoding.h"

namespace restitch::auth {
namespace {

class KeyFile : public ::testing::Test {
 protected:
  KeyFile() : directory_(std::filesystem::temp_directory_path() / ("restitch-key-" + to_hex(random_bytes(8)))) {
    std::filesystem::create_directories(directory_);
  }
  ~KeyFile() override { std::filesystem::remove_all(directory_); }

  std::string path() const { return (directory_ / "secret.key").string(); }

  std::filesystem::path directory_;
};

TEST(Crypto, hashes_give_the_published_values) {
  EXPECT_EQ(to_hex(hmac_sha1(std::string(20, '\x0b'), "Hi There")), "b617318655057264e28bc0b6fb378c8ef146be00");
  EXPECT_EQ(to_base64(hmac_sha256("super-secret", "hello!")), "SUXd6PRMaTXXgBGaGsIHzaDWgTSa6C3D44lRGrvRak0=");
  EXPECT_EQ(to_base64(sha256("hello!")), "zgYJL7lI2f+sfRo3bkBLJrdXW8wR7gWkYV/vT+w6MIs=");
}

TEST(Crypto, random_text_uses_every_letter_and_no_other) {
  const std::string text = random_text(4000, "abcdefghijklmnopqrstuvwxyz");
  EXPECT_EQ(std::set<char>(text.begin(), text.end()).size(), 26U);
}

TEST_F(KeyFile, key_file_is_private_and_is_found_again) {
  const auto first = SecretBox::open(path());
  ASSERT_TRUE(first);
  struct stat info {};
  ASSERT_EQ(::stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  const auto second = SecretBox::open(path());
  ASSERT_TRUE(second);
  const auto opened = second->open_sealed(first->seal("key", "purpose"), "purpose");
  ASSERT_TRUE(opened);
  EXPECT_EQ(*opened, "key");
}

TEST_F(KeyFile, sealed_bytes_are_bound_to_key_purpose_and_content) {
  const auto box = SecretBox::open(path());
  ASSERT_TRUE(box);
  std::string sealed = box->seal("secret", "a");
  EXPECT_FALSE(box->open_sealed(sealed, "b"));
  sealed[sealed.size() / 2] = static_cast<char>(sealed[sealed.size() / 2] ^ 1);
  EXPECT_FALSE(box->open_sealed(sealed, "a"));
  EXPECT_FALSE(box->open_sealed("short", "a"));
}

TEST_F(KeyFile, truncated_key_file_is_an_error) {
  std::ofstream(path()) << "too short";
  EXPECT_FALSE(SecretBox::open(path()));
}

TEST(Password, only_the_right_password_verifies_and_salts_differ) {
  const PasswordCost cheap{256, 1, 1};
  const std::string hash = hash_password("corr3ct-horse", cheap);
  EXPECT_TRUE(hash.starts_with("$argon2id$")) << hash;
  EXPECT_TRUE(verify_password("corr3ct-horse", hash));
  EXPECT_FALSE(verify_password("corr3ct-horsf", hash));
  EXPECT_NE(hash, hash_password("corr3ct-horse", cheap));
}

}  // namespace
}  // namespace restitch::auth
