#pragma once

#include <stddef.h>

enum { MD5_BYTES = 16, SHA256_BYTES = 32 };

struct digest;

/* Before any digest is begun. */
void load_digests(void);
struct digest *begin_md5(void);
struct digest *begin_sha256(void);
void update_digest(struct digest *digest, const char *bytes, size_t count);
/* Frees it, too. */
void end_digest(struct digest *digest, unsigned char *bytes);
/* `text` has room for four characters for each three bytes, and the end of a string. */
void encode_base64(char *text, const unsigned char *bytes, int count);
