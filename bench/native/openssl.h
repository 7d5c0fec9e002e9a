#pragma once

/* A function of OpenSSL 3, by its name: its headers need not be here. `library` is libcrypto or libssl. */
void *openssl_function(const char *library, const char *name);
