/*
 * The physical limit: what this machine and this server allow, with no S3 library, no signature, no listing and no
 * temporary name between the socket and the file; and with no hash, or with the hashes that prove every byte.
 *
 *   wire-limit get ADDRESS PORT THREADS PART_BYTES [OPTION]...   standard input, a line each: SIZE <tab> PATH <tab> FILE
 *   wire-limit put ADDRESS PORT THREADS [OPTION]...              a line each: OFFSET <tab> LENGTH <tab> PATH <tab> FILE
 *
 * Contracts: PATH is sent as it is, so it must be encoded, and the server must let anybody in. The folders of FILE
 * exist. A part shorter than its file is asked for as a range. `put` prints the ETags, one a line, in the order of the
 * input, in which the parts of a file follow each other. Plain HTTP/1.1 with Content-Length on connections that are
 * kept; anything else ends the program with 1.
 *
 * With `prove`, the last name of FILE is the SHA-256 of its content, and nothing else is taken. A small file is hashed
 * as it comes. Of a large one, a further thread reads and hashes from front to back: what has been written, for `get`;
 * for `put`, a part before it is sent, and its MD5 too, which goes with it for the server to check.
 * With `ca=FILE`, `get` speaks TLS to a server whose certificate, made for ADDRESS, FILE vouches for.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sendfile.h>
#include <time.h>
#include <unistd.h>

#include "connection.h"
#include "digest.h"
#include "fail.h"

enum {
  BUFFER_BYTES = 1 << 20,
  HASHED_BYTES = 1 << 19,
  HEAD_BYTES = 1 << 16,
  SENDFILE_BYTES = 4 << 20,
  MAX_THREADS = 256,
};

struct part {
  const char *path, *file;
  long offset, length;
  bool is_whole_file;
  char etag[80];
  /* Of `get`: so many bytes are in the file. */
  atomic_long ready;
  /* Of `put`: it may be sent, with this. */
  atomic_bool is_hashed;
  char content_md5[32];
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
static bool is_put, proves;
static const char *address;
static int port;

static void refuse_other_content(struct digest *digest, const char *file) {
  unsigned char bytes[SHA256_BYTES];
  char found[2 * SHA256_BYTES + 1];
  end_digest(digest, bytes);
  for (int index = 0; index < SHA256_BYTES; index++) sprintf(found + 2 * index, "%02x", bytes[index]);
  const char *name = strrchr(file, '/');
  if (!name || strcmp(name + 1, found) != 0) fail("%s holds %s", file, found);
}

static void send_request(struct connection to, const struct part *part) {
  char text[HEAD_BYTES];
  int length = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: %s:%d\r\n", is_put ? "PUT" : "GET", part->path,
                        address, port);
  if (is_put)
    length += snprintf(text + length, sizeof text - length, "Content-Length: %ld\r\n", part->length);
  else if (!part->is_whole_file)
    length += snprintf(text + length, sizeof text - length, "Range: bytes=%ld-%ld\r\n", part->offset,
                       part->offset + part->length - 1);
  if (is_put && proves)
    length += snprintf(text + length, sizeof text - length, "Content-MD5: %s\r\n", part->content_md5);
  length += snprintf(text + length, sizeof text - length, "\r\n");
  send_all(to, text, length);
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

static struct head receive_head(struct connection from, char *buffer, char *etag, size_t etag_size) {
  long got = 0;
  char *end = NULL;
  while (!end) {
    got += receive(from, buffer + got, HEAD_BYTES - got);
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

/* `digest` is that of a file which comes whole; NULL: somebody else hashes it, or nobody. */
static void take(int file, struct part *part, const char *bytes, long count, struct digest *digest) {
  if (count == 0) return;
  if (pwrite(file, bytes, count, part->offset + part->ready) != count) fail("write %ld bytes", count);
  if (digest) update_digest(digest, bytes, count);
  part->ready += count;
}

static void get(struct connection from, struct part *part, char *buffer) {
  send_request(from, part);
  int file = open(part->file, O_WRONLY | O_CREAT, 0644);
  if (file < 0) fail("open %s", part->file);
  struct head head = receive_head(from, buffer, NULL, 0);
  if (head.content_length != part->length) fail("%ld bytes instead of %ld", head.content_length, part->length);
  struct digest *digest = proves && part->is_whole_file ? begin_sha256() : NULL;
  take(file, part, head.body, head.body_bytes, digest);
  while (part->ready < part->length) {
    long left = part->length - part->ready, count = left < BUFFER_BYTES ? left : BUFFER_BYTES;
    receive_all(from, buffer, count);
    take(file, part, buffer, count, digest);
  }
  if (digest) refuse_other_content(digest, part->file);
  close(file);
}

static void wait_a_moment(void) {
  nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

static void put(struct connection to, struct part *part, char *buffer) {
  while (proves && !part->is_hashed) wait_a_moment();
  send_request(to, part);
  int file = open(part->file, O_RDONLY);
  if (file < 0) fail("open %s", part->file);
  off_t position = part->offset;
  for (long left = part->length; left > 0;) {
    ssize_t sent = sendfile(to.fd, file, &position, left < SENDFILE_BYTES ? left : SENDFILE_BYTES);
    if (sent <= 0) fail("sendfile");
    left -= sent;
  }
  close(file);
  struct head head = receive_head(to, buffer, part->etag, sizeof part->etag);
  for (long left = head.content_length - head.body_bytes; left > 0;) left -= receive(to, buffer, BUFFER_BYTES);
}

static void *work(void *unused) {
  struct connection server = connect_to(address, port);
  char *buffer = malloc(BUFFER_BYTES);
  for (long index; (index = atomic_fetch_add(&next_part, 1)) < part_count;)
    (is_put ? put : get)(server, parts + index, buffer);
  free(buffer);
  close(server.fd);
  return unused;
}

static void read_at(int file, char *buffer, long count, long position) {
  if (pread(file, buffer, count, position) != count) fail("read %ld bytes", count);
}

/* Of `get`: what is written is hashed as soon as it is. */
static void follow(int file, struct part *part, char *buffer, struct digest *sha256) {
  for (long done = 0; done < part->length;) {
    long there = part->ready;
    if (there == done) wait_a_moment();
    for (long count; done < there; done += count) {
      count = there - done < HASHED_BYTES ? there - done : HASHED_BYTES;
      read_at(file, buffer, count, part->offset + done);
      update_digest(sha256, buffer, count);
    }
  }
}

/* Of `put`: a part may be sent when its MD5 is known. */
static void precede(int file, struct part *part, char *buffer, struct digest *sha256) {
  unsigned char bytes[MD5_BYTES];
  struct digest *md5 = begin_md5();
  for (long done = 0, count; done < part->length; done += count) {
    count = part->length - done < HASHED_BYTES ? part->length - done : HASHED_BYTES;
    read_at(file, buffer, count, part->offset + done);
    update_digest(sha256, buffer, count);
    update_digest(md5, buffer, count);
  }
  end_digest(md5, bytes);
  encode_base64(part->content_md5, bytes, sizeof bytes);
  part->is_hashed = true;
}

/* Hashes all files but those that are hashed as they come, one after the other. */
static void *prove(void *unused) {
  char *buffer = malloc(HASHED_BYTES);
  for (struct part *part = parts, *end = parts + part_count; part < end;) {
    if (!is_put && part->is_whole_file) {
      part++;
      continue;
    }
    const char *name = part->file;
    struct digest *sha256 = begin_sha256();
    while (!is_put && part->ready == 0) wait_a_moment();
    int file = open(name, O_RDONLY);
    if (file < 0) fail("open %s", name);
    for (; part < end && strcmp(part->file, name) == 0; part++)
      (is_put ? precede : follow)(file, part, buffer, sha256);
    close(file);
    refuse_other_content(sha256, name);
  }
  free(buffer);
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
  const char *authorities = NULL;
  for (; count > 1; count--) {
    if (strcmp(argv[count - 1], "prove") == 0)
      proves = true;
    else if (strncmp(argv[count - 1], "ca=", 3) == 0)
      authorities = argv[count - 1] + 3;
    else
      break;
  }
  is_put = count == 5 && strcmp(argv[1], "put") == 0;
  if (!is_put && !(count == 6 && strcmp(argv[1], "get") == 0)) fail("wanted get or put, see the source");
  if (proves) load_digests();
  if (authorities && is_put) fail("put speaks no TLS");
  if (authorities) use_tls(authorities);
  address = argv[2];
  port = atoi(argv[3]);
  long wanted = atol(argv[4]);
  read_jobs(is_put ? 0 : atol(argv[5]));

  long threads = wanted < part_count ? wanted : part_count;
  if (threads > MAX_THREADS) threads = MAX_THREADS;
  pthread_t workers[MAX_THREADS], prover;
  if (proves && pthread_create(&prover, NULL, prove, NULL) != 0) fail("thread");
  for (long index = 0; index < threads; index++)
    if (pthread_create(workers + index, NULL, work, NULL) != 0) fail("thread");
  for (long index = 0; index < threads; index++) pthread_join(workers[index], NULL);
  if (proves) pthread_join(prover, NULL);
  if (is_put)
    for (long index = 0; index < part_count; index++) puts(parts[index].etag);
  return 0;
}
