/*
 * A network link in user space, for kernels without sch_netem: two network namespaces, each with one TUN device, and a
 * thread for each direction that carries the packets with a rate, a delay, a queue that drops its tail, and a loss.
 *
 *   link MBIT_PER_SECOND ONE_WAY_MICROSECONDS MTU LOSS_PER_MILLION QUEUE_MILLISECONDS WINDOW_BYTES
 *
 * Prints the path of the server's namespace and that of the client's, a line each, for `nsenter --net=PATH`. The server
 * is 10.77.0.1, the client 10.77.0.2, and there is no way out. Packets are lost at random only on their way to the
 * client. TCP is cubic in both, whatever this machine's default. The client takes at most WINDOW_BYTES of a connection in
 * a round trip, as from a server that gives each connection so much and no more; 0: as much as TCP finds. Ends when its
 * standard input does, and the namespaces with it. Needs root, /dev/net/tun and iproute2.
 *
 * The model: a packet that arrives at t begins to be sent when the link is free, takes its bits / the rate, and comes
 * out one delay later. A packet that would wait longer than the queue holds is dropped. A lost packet has used its time.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PACKET = 9216, QUEUE_PACKETS = 16384, MAX_BATCH = 256, ETHERNET_BYTES = 14, HIGH_PRIORITY = -15 };
/* Packets that are due within this time go together: fewer wake-ups, for a jitter nobody on such links can see. */
enum { BATCH_NS = 50000 };

struct end {
  const char *address;
  int mtu, window;
  int tun;
  char namespace[64];
  pthread_barrier_t ready;
};

struct packet {
  int64_t due;
  int length;
  char bytes[MAX_PACKET];
};

struct direction {
  int from, to;
  double loss;
  double ns_per_byte;
  int64_t delay_ns, queue_ns;
};

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* ---- the two ends ---- */

/* By route: a container may not be allowed to set its default. */
static void set_tcp(const struct end *end) {
  char line[160];
  snprintf(line, sizeof line, "ip route replace 10.77.0.0/30 dev link src %s congctl cubic window %d", end->address,
           end->window);
  if (system(line) != 0) {
    fprintf(stderr, "wanted iproute2 to set TCP's congestion control and window, found that this failed: %s\n", line);
    exit(1);
  }
}

static int open_tun(void) {
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  strcpy(request.ifr_name, "link");
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) fail("/dev/net/tun");
  return fd;
}

static void set_address(struct ifreq *request, const char *text) {
  struct sockaddr_in *address = (struct sockaddr_in *)&request->ifr_addr;
  memset(address, 0, sizeof *address);
  address->sin_family = AF_INET;
  inet_pton(AF_INET, text, &address->sin_addr);
}

static void bring_up(int control, const char *device, const char *address, int mtu) {
  struct ifreq request = {0};
  strcpy(request.ifr_name, device);
  if (address) {
    set_address(&request, address);
    if (ioctl(control, SIOCSIFADDR, &request) != 0) fail("SIOCSIFADDR");
    set_address(&request, "255.255.255.252");
    if (ioctl(control, SIOCSIFNETMASK, &request) != 0) fail("SIOCSIFNETMASK");
    request.ifr_mtu = mtu;
    if (ioctl(control, SIOCSIFMTU, &request) != 0) fail("SIOCSIFMTU");
  }
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(control, SIOCSIFFLAGS, &request) != 0) fail("SIOCSIFFLAGS");
}

/* A thread with a network namespace of its own, which lives as long as the thread. */
static _Noreturn void *hold_end(void *argument) {
  struct end *end = argument;
  if (unshare(CLONE_NEWNET) != 0) fail("a network namespace");
  end->tun = open_tun();
  int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  bring_up(control, "lo", NULL, 0);
  bring_up(control, "link", end->address, end->mtu);
  close(control);
  set_tcp(end);
  snprintf(end->namespace, sizeof end->namespace, "/proc/%d/task/%ld/ns/net", getpid(), syscall(SYS_gettid));
  pthread_barrier_wait(&end->ready);
  for (;;) pause();
}

static void make_end(struct end *end) {
  pthread_t thread;
  pthread_barrier_init(&end->ready, NULL, 2);
  if (pthread_create(&thread, NULL, hold_end, end) != 0) fail("thread");
  pthread_barrier_wait(&end->ready);
}

/* ---- what is between them ---- */

static double next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return (*state >> 11) / (double)(INT64_C(1) << 53);
}

static void wait_for_work(int from, int has_queued, int64_t due) {
  struct pollfd input = {.fd = from, .events = POLLIN};
  if (!has_queued) {
    poll(&input, 1, -1);
    return;
  }
  int64_t pause_ns = due - now();
  if (pause_ns < BATCH_NS) pause_ns = BATCH_NS;
  struct timespec until = {pause_ns / 1000000000, pause_ns % 1000000000};
  struct timespec batch = {0, BATCH_NS};
  if (ppoll(&input, 1, &until, NULL) > 0) nanosleep(&batch, NULL);
}

static _Noreturn void *carry(void *argument) {
  const struct direction *way = argument;
  struct packet *queue = malloc(sizeof *queue * QUEUE_PACKETS), surplus;
  if (!queue) fail("memory for the queue");
  uint64_t first = 0, end = 0, random = 0x9e3779b97f4a7c15;
  int64_t free_at = 0;
  prctl(PR_SET_TIMERSLACK, 1);
  setpriority(PRIO_PROCESS, 0, HIGH_PRIORITY);
  for (;;) {
    for (int64_t time = now(); first != end && queue[first % QUEUE_PACKETS].due <= time; first++) {
      struct packet *packet = &queue[first % QUEUE_PACKETS];
      /* A full device drops the packet, as a full receiver does. */
      if (write(way->to, packet->bytes, packet->length) < 0 && errno != EAGAIN && errno != ENOBUFS) fail("write");
    }
    for (int count = 0; count < MAX_BATCH; count++) {
      struct packet *packet = end - first < QUEUE_PACKETS ? &queue[end % QUEUE_PACKETS] : &surplus;
      packet->length = read(way->from, packet->bytes, MAX_PACKET);
      if (packet->length < 0) break;
      int64_t arrived = now();
      if (free_at < arrived) free_at = arrived;
      if (packet == &surplus || free_at - arrived > way->queue_ns) continue;
      free_at += (int64_t)((packet->length + ETHERNET_BYTES) * way->ns_per_byte);
      if (way->loss > 0 && next_random(&random) < way->loss) continue;
      packet->due = free_at + way->delay_ns;
      end++;
    }
    wait_for_work(way->from, first != end, queue[first % QUEUE_PACKETS].due);
  }
}

static void start_carrying(struct direction *way) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, carry, way) != 0) fail("thread");
}

int main(int count, char **argv) {
  if (count != 7) {
    fputs("link MBIT_PER_SECOND ONE_WAY_MICROSECONDS MTU LOSS_PER_MILLION QUEUE_MILLISECONDS WINDOW_BYTES\n", stderr);
    return 2;
  }
  static struct end server = {.address = "10.77.0.1"}, client = {.address = "10.77.0.2"};
  server.mtu = client.mtu = atoi(argv[3]);
  client.window = atoi(argv[6]);
  make_end(&server);
  make_end(&client);
  static struct direction down, up;
  down = (struct direction){server.tun, client.tun, atof(argv[4]) / 1e6, 8000.0 / atof(argv[1]),
                            atoll(argv[2]) * 1000, atoll(argv[5]) * 1000000};
  up = down;
  up.from = client.tun;
  up.to = server.tun;
  up.loss = 0;
  start_carrying(&down);
  start_carrying(&up);
  printf("%s\n%s\n", server.namespace, client.namespace);
  fflush(stdout);
  for (char byte; read(STDIN_FILENO, &byte, 1) > 0;) continue;
  return 0;
}
