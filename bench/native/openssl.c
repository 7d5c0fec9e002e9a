#include "openssl.h"

#include <dlfcn.h>
#include <stdio.h>

#include "fail.h"

void *openssl_function(const char *library, const char *name) {
  char file[32];
  snprintf(file, sizeof file, "%s.so.3", library);
  void *opened = dlopen(file, RTLD_NOW), *function = opened ? dlsym(opened, name) : NULL;
  if (!function) fail("wanted %s of OpenSSL 3: %s", name, dlerror());
  return function;
}
