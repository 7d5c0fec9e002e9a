#pragma once

struct connection {
  int fd;
  /* NULL: plain. */
  void *tls;
};

/* From now on, connections speak TLS to servers whose certificates, made for their address, this file vouches for. */
void use_tls(const char *authorities);
struct connection connect_to(const char *address, int port);
void send_all(struct connection to, const char *bytes, long count);
/* What is there, at least a byte. */
long receive(struct connection from, char *buffer, long room);
void receive_all(struct connection from, char *buffer, long count);
