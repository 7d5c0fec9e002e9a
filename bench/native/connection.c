#include "connection.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fail.h"
#include "openssl.h"

static struct {
  void *context;
  void *(*new)(void *context);
  int (*set_fd)(void *tls, int fd);
  int (*connect)(void *tls);
  int (*read)(void *tls, void *bytes, int count);
  int (*write)(void *tls, const void *bytes, int count);
  void *(*parameters)(void *tls);
  int (*for_address)(void *parameters, const char *address);
} ssl;

void use_tls(const char *authorities) {
  /* SSL_VERIFY_PEER */
  enum { VERIFY_PEER = 1 };
  const void *(*method)(void) = openssl_function("libssl", "TLS_client_method");
  void *(*new_context)(const void *) = openssl_function("libssl", "SSL_CTX_new");
  int (*trust)(void *, const char *, const char *) = openssl_function("libssl", "SSL_CTX_load_verify_locations");
  void (*set_verify)(void *, int, void *) = openssl_function("libssl", "SSL_CTX_set_verify");
  ssl.new = openssl_function("libssl", "SSL_new");
  ssl.set_fd = openssl_function("libssl", "SSL_set_fd");
  ssl.connect = openssl_function("libssl", "SSL_connect");
  ssl.read = openssl_function("libssl", "SSL_read");
  ssl.write = openssl_function("libssl", "SSL_write");
  ssl.parameters = openssl_function("libssl", "SSL_get0_param");
  ssl.for_address = openssl_function("libcrypto", "X509_VERIFY_PARAM_set1_ip_asc");
  ssl.context = new_context(method());
  if (!ssl.context || trust(ssl.context, authorities, NULL) != 1) fail("read certificates of %s", authorities);
  set_verify(ssl.context, VERIFY_PEER, NULL);
}

struct connection connect_to(const char *address, int port) {
  struct connection made = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
  int on = 1;
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (inet_pton(AF_INET, address, &server.sin_addr) != 1) fail("no IPv4 address: %s", address);
  if (connect(made.fd, (struct sockaddr *)&server, sizeof server) != 0) fail("connect to %s:%d", address, port);
  setsockopt(made.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (!ssl.context) return made;
  made.tls = ssl.new(ssl.context);
  if (!made.tls || ssl.for_address(ssl.parameters(made.tls), address) != 1 || ssl.set_fd(made.tls, made.fd) != 1 ||
      ssl.connect(made.tls) != 1)
    fail("TLS with %s:%d", address, port);
  return made;
}

void send_all(struct connection to, const char *bytes, long count) {
  while (count > 0) {
    ssize_t sent = to.tls ? ssl.write(to.tls, bytes, count) : write(to.fd, bytes, count);
    if (sent <= 0) fail("send");
    bytes += sent;
    count -= sent;
  }
}

long receive(struct connection from, char *buffer, long room) {
  long received = from.tls ? ssl.read(from.tls, buffer, room) : recv(from.fd, buffer, room, 0);
  if (received <= 0) fail("the answer ended early");
  return received;
}

void receive_all(struct connection from, char *buffer, long count) {
  for (long got = 0; got < count;) {
    if (from.tls)
      got += receive(from, buffer + got, count - got);
    else {
      ssize_t received = recv(from.fd, buffer + got, count - got, MSG_WAITALL);
      if (received <= 0) fail("the body ended early");
      got += received;
    }
  }
}
