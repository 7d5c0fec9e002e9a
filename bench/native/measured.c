/*
 * Runs one command and writes down what it took.
 *
 *   measured REPORT TIME_LIMIT_MS COMMAND [ARGUMENT...]
 *
 * REPORT gets one line of JSON: seconds until the command ended, processor seconds of it and of every process that
 * it left behind, the peak resident KiB of the largest of them, its exit code, and whether the time limit ended it.
 *
 * Why a program of its own: a child's peak memory starts at that of the process it was forked from, so a launcher
 * must be smaller than anything that is measured; and only the process above can wait for what is left behind.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How long what a command left behind may take to end by itself; then it is killed, and does not count. */
enum { LEFTOVERS_MS = 2000 };

static volatile sig_atomic_t out_of_time;
static pid_t command;

static void die(const char *what) {
  perror(what);
  exit(125);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static double seconds(struct timeval t) { return t.tv_sec + t.tv_usec / 1e6; }

static void end_group(int signal) {
  (void)signal;
  out_of_time = 1;
  kill(-command, SIGKILL);
}

static void alarm_in(long ms) {
  struct itimerval timer = {.it_value = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000}};
  setitimer(ITIMER_REAL, &timer, NULL);
}

static pid_t start(char **argv) {
  pid_t pid = fork();
  if (pid < 0) die("fork");
  if (pid > 0) return pid;
  setpgid(0, 0);
  execvp(argv[0], argv);
  perror(argv[0]);
  _exit(127);
}

static int wait_for(pid_t pid) {
  int status;
  for (;;) {
    pid_t ended = waitpid(-1, &status, 0);
    if (ended == pid) return status;
    if (ended < 0 && errno != EINTR) die("waitpid");
  }
}

static void wait_for_leftovers(void) {
  out_of_time = 0;
  alarm_in(LEFTOVERS_MS);
  while (!out_of_time && (waitpid(-1, NULL, 0) > 0 || errno == EINTR)) continue;
  alarm_in(0);
}

int main(int count, char **argv) {
  if (count < 4) {
    fputs("measured REPORT TIME_LIMIT_MS COMMAND [ARGUMENT...]\n", stderr);
    return 2;
  }
  struct sigaction at_alarm = {.sa_handler = end_group};
  sigaction(SIGALRM, &at_alarm, NULL);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_PDEATHSIG, SIGKILL);

  double began = now();
  command = start(argv + 3);
  setpgid(command, command);
  alarm_in(atol(argv[2]));
  int status = wait_for(command);
  double wall = now() - began;
  int was_stopped = out_of_time;
  wait_for_leftovers();

  struct rusage used;
  getrusage(RUSAGE_CHILDREN, &used);
  FILE *report = fopen(argv[1], "w");
  if (!report) die(argv[1]);
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  fprintf(report, "{\"wall\":%.6f,\"cpu\":%.6f,\"peakKiB\":%ld,\"code\":%d,\"timedOut\":%s}\n", wall,
          seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss, code, was_stopped ? "true" : "false");
  return fclose(report) == 0 ? 0 : 125;
}
