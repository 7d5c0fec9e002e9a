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
