/*
 * The physical limit: what this machine and this server allow, with no S3 library, no signature, no listing, no hash
 * and no temporary name between the socket and the file.
 *
 *   wire-limit get ADDRESS PORT THREADS PART_BYTES   standard input, a line each: SIZE <tab> PATH <tab> FILE
 *   wire-limit put ADDRESS PORT THREADS              a line each: OFFSET <tab> LENGTH <tab> PATH <tab> FILE
 *
 * Contracts: PATH is sent as it is, so it must be encoded, and the server must let anybody in. The folders of FILE
 * exist. A part shorter than its file is asked for as a range. `put` prints the ETags, one a line, in the order of the
 * input. Plain HTTP/1.1 with Content-Length on connections that are kept; anything else ends the program with 1.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 20, HEAD_BYTES = 1 << 16, SENDFILE_BYTES = 4 << 20, MAX_THREADS = 256 };

struct part {
  const char *path, *file;
  long offset, length;
  bool is_whole_file;
  char etag[80];
};

struct head {
  int status;
  long content_length;
  /* What came of the body together with the head; it lies in the buffer that was given. */
  char *body;
  long body_bytes;
};

static struct part *parts;
static long part_count;
static atomic_long next_part;
static bool is_put;
static const char *address;
static int port;

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fprintf(stderr, " (%s)\n", strerror(errno));
  exit(1);
}

static int connect_to_server(void) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
  struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (inet_pton(AF_INET, address, &server.sin_addr) != 1) fail("no IPv4 address: %s", address);
  if (connect(fd, (struct sockaddr *)&server, sizeof server) != 0) fail("connect to %s:%d", address, port);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static void send_all(int fd, const char *bytes, long count) {
  while (count > 0) {
    ssize_t sent = write(fd, bytes, count);
    if (sent <= 0) fail("send");
    bytes += sent;
    count -= sent;
  }
}

static void send_request(int fd, const struct part *part) {
  char text[HEAD_BYTES];
  int length = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: %s:%d\r\n", is_put ? "PUT" : "GET", part->path,
                        address, port);
  if (is_put)
    length += snprintf(text + length, sizeof text - length, "Content-Length: %ld\r\n", part->length);
  else if (!part->is_whole_file)
    length += snprintf(text + length, sizeof text - length, "Range: bytes=%ld-%ld\r\n", part->offset,
                       part->offset + part->length - 1);
  length += snprintf(text + length, sizeof text - length, "\r\n");
  send_all(fd, text, length);
}

/* A copy of the field's value, without leading blanks; empty when there is no such field. */
static void copy_field(const char *head, const char *name, char *value, size_t size) {
  const char *found = strcasestr(head, name);
  value[0] = '\0';
  if (!found) return;
  found += strlen(name);
  found += strspn(found, " ");
  size_t length = strcspn(found, "\r\n");
  snprintf(value, size, "%.*s", (int)length, found);
}

static struct head receive_head(int fd, char *buffer, char *etag, size_t etag_size) {
  long got = 0;
  char *end = NULL;
  while (!end) {
    ssize_t received = recv(fd, buffer + got, HEAD_BYTES - got, 0);
    if (received <= 0) fail("no whole response head after %ld bytes", got);
    got += received;
    end = memmem(buffer, got, "\r\n\r\n", 4);
  }
  *end = '\0';
  struct head head = {.body = end + 4, .body_bytes = got - (end + 4 - buffer)};
  char length[32];
  copy_field(buffer, "\ncontent-length:", length, sizeof length);
  if (etag) copy_field(buffer, "\netag:", etag, etag_size);
  if (sscanf(buffer, "HTTP/1.1 %d", &head.status) != 1 || head.status < 200 || head.status > 206)
    fail("wanted 200 or 206, found: %s", buffer);
  head.content_length = atol(length);
  return head;
}

static void write_at(int fd, const char *bytes, long count, long position) {
  if (count > 0 && pwrite(fd, bytes, count, position) != count) fail("write %ld bytes", count);
}

static void get(int socket, struct part *part, char *buffer) {
  send_request(socket, part);
  int file = open(part->file, O_WRONLY | O_CREAT, 0644);
  if (file < 0) fail("open %s", part->file);
  struct head head = receive_head(socket, buffer, NULL, 0);
  if (head.content_length != part->length) fail("%ld bytes instead of %ld", head.content_length, part->length);
  write_at(file, head.body, head.body_bytes, part->offset);
  for (long done = head.body_bytes; done < part->length;) {
    long left = part->length - done;
    ssize_t received = recv(socket, buffer, left < BUFFER_BYTES ? left : BUFFER_BYTES, MSG_WAITALL);
    if (received <= 0) fail("the body ended after %ld bytes", done);
    write_at(file, buffer, received, part->offset + done);
    done += received;
  }
  close(file);
}

static void put(int socket, struct part *part, char *buffer) {
  send_request(socket, part);
  int file = open(part->file, O_RDONLY);
  if (file < 0) fail("open %s", part->file);
  off_t position = part->offset;
  for (long left = part->length; left > 0;) {
    ssize_t sent = sendfile(socket, file, &position, left < SENDFILE_BYTES ? left : SENDFILE_BYTES);
    if (sent <= 0) fail("sendfile");
    left -= sent;
  }
  close(file);
  struct head head = receive_head(socket, buffer, part->etag, sizeof part->etag);
  for (long left = head.content_length - head.body_bytes; left > 0;) {
    ssize_t received = recv(socket, buffer, BUFFER_BYTES, 0);
    if (received <= 0) fail("the answer ended early");
    left -= received;
  }
}

static void *work(void *unused) {
  int socket = connect_to_server();
  char *buffer = malloc(BUFFER_BYTES);
  for (long index; (index = atomic_fetch_add(&next_part, 1)) < part_count;)
    (is_put ? put : get)(socket, parts + index, buffer);
  free(buffer);
  close(socket);
  return unused;
}

static void add_part(struct part part) {
  static long room;
  if (part_count == room) {
    room = room ? room * 2 : 1024;
    parts = realloc(parts, room * sizeof *parts);
    if (!parts) fail("memory for %ld parts", room);
  }
  parts[part_count++] = part;
}

static void cut(long size, const char *path, const char *file, long part_bytes) {
  for (long offset = 0; offset < size; offset += part_bytes) {
    long length = size - offset < part_bytes ? size - offset : part_bytes;
    add_part((struct part){path, file, offset, length, .is_whole_file = length == size});
  }
}

/* The fields stay in memory until the program ends: the parts point to them. */
static void read_jobs(long part_bytes) {
  char *line = NULL;
  size_t room = 0;
  for (ssize_t length; (length = getline(&line, &room, stdin)) > 0;) {
    char *rest = strdup(line), *fields[4] = {NULL};
    rest[strcspn(rest, "\n")] = '\0';
    for (int count = 0; count < 4; count++) fields[count] = strsep(&rest, "\t");
    if (!fields[2] || (is_put && !fields[3])) fail("not a job: %s", line);
    if (is_put)
      add_part((struct part){
          .path = fields[2], .file = fields[3], .offset = atol(fields[0]), .length = atol(fields[1])});
    else
      cut(atol(fields[0]), fields[1], fields[2], part_bytes);
  }
  free(line);
}

int main(int count, char **argv) {
  is_put = count == 5 && strcmp(argv[1], "put") == 0;
  if (!is_put && !(count == 6 && strcmp(argv[1], "get") == 0)) fail("wanted get or put, see the source");
  address = argv[2];
  port = atoi(argv[3]);
  long wanted = atol(argv[4]);
  read_jobs(is_put ? 0 : atol(argv[5]));

  long threads = wanted < part_count ? wanted : part_count;
  if (threads > MAX_THREADS) threads = MAX_THREADS;
  pthread_t workers[MAX_THREADS];
  for (long index = 0; index < threads; index++)
    if (pthread_create(workers + index, NULL, work, NULL) != 0) fail("thread");
  for (long index = 0; index < threads; index++) pthread_join(workers[index], NULL);
  if (is_put)
    for (long index = 0; index < part_count; index++) puts(parts[index].etag);
  return 0;
}
