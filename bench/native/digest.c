#include "digest.h"

#include "fail.h"
#include "openssl.h"

static struct {
  struct digest *(*new)(void);
  const void *(*md5)(void);
  const void *(*sha256)(void);
  int (*init)(struct digest *digest, const void *kind, void *engine);
  int (*update)(struct digest *digest, const void *bytes, size_t count);
  int (*final)(struct digest *digest, unsigned char *bytes, unsigned *count);
  void (*free)(struct digest *digest);
  int (*encode)(unsigned char *text, const unsigned char *bytes, int count);
} crypto;

void load_digests(void) {
  crypto.new = openssl_function("libcrypto", "EVP_MD_CTX_new");
  crypto.md5 = openssl_function("libcrypto", "EVP_md5");
  crypto.sha256 = openssl_function("libcrypto", "EVP_sha256");
  crypto.init = openssl_function("libcrypto", "EVP_DigestInit_ex");
  crypto.update = openssl_function("libcrypto", "EVP_DigestUpdate");
  crypto.final = openssl_function("libcrypto", "EVP_DigestFinal_ex");
  crypto.free = openssl_function("libcrypto", "EVP_MD_CTX_free");
  crypto.encode = openssl_function("libcrypto", "EVP_EncodeBlock");
}

static struct digest *begin(const void *kind) {
  struct digest *digest = crypto.new();
  if (!digest || crypto.init(digest, kind, NULL) != 1) fail("begin a digest");
  return digest;
}

struct digest *begin_md5(void) { return begin(crypto.md5()); }

struct digest *begin_sha256(void) { return begin(crypto.sha256()); }

void update_digest(struct digest *digest, const char *bytes, size_t count) {
  if (crypto.update(digest, bytes, count) != 1) fail("update a digest");
}

void end_digest(struct digest *digest, unsigned char *bytes) {
  unsigned count;
  if (crypto.final(digest, bytes, &count) != 1) fail("end a digest");
  crypto.free(digest);
}

void encode_base64(char *text, const unsigned char *bytes, int count) {
  crypto.encode((unsigned char *)text, bytes, count);
}
