// What the load generators share: arguments as key=value, a clock, checked sockets, CPU time of other processes.
// Single-threaded programs; every failure ends the program with a sentence on stderr and exit code 1.
#ifndef HEADGATE_BENCH_H
#define HEADGATE_BENCH_H
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MAX_FDS 65536
#define MAX_SIZE (1 << 20) // largest message and largest single send or receive
#define BATCH 256          // events taken from the kernel in one epoll_wait

static char payload[MAX_SIZE]; // what is sent; its content does not matter
static char scratch[MAX_SIZE]; // what is received goes here and is not looked at

static __attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...) {
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
  exit(1);
}

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// The value of `key=...` among the arguments, or `fallback` (NULL: the key is required).
static const char *arg_text(int argc, char **argv, const char *key, const char *fallback) {
  size_t length = strlen(key);
  for (int i = 1; i < argc; i++)
    if (!strncmp(argv[i], key, length) && argv[i][length] == '=') return argv[i] + length + 1;
  if (!fallback) die("missing argument %s=", key);
  return fallback;
}

static double arg_number(int argc, char **argv, const char *key, const char *fallback, double min, double max) {
  const char *text = arg_text(argc, argv, key, fallback);
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end || !(value >= min && value <= max)) die("%s=%s: expected %g to %g", key, text, min, max);
  return value;
}

// As many descriptors as the hard limit gives; ends with the runner when that is killed.
static void setup_process(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit)) die("getrlimit: %s", strerror(errno));
  limit.rlim_cur = limit.rlim_max < MAX_FDS ? limit.rlim_max : MAX_FDS;
  if (setrlimit(RLIMIT_NOFILE, &limit)) die("setrlimit: %s", strerror(errno));
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGPIPE, SIG_IGN);
}

static int epoll_new(void) {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) die("epoll_create1: %s", strerror(errno));
  return epoll;
}

static inline void watch(int epoll, int operation, int fd, unsigned events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  if (epoll_ctl(epoll, operation, fd, &event)) die("epoll_ctl: %s", strerror(errno));
}

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A connection to 127.0.0.1:port, or -1 with errno set; with SOCK_NONBLOCK it may still be under way.
static int dial(int port, int flags) {
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (fd < 0) return -1;
  if (fd >= MAX_FDS) die("more than %d descriptors", MAX_FDS);
  struct sockaddr_in address = loopback(port);
  if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one)) die("TCP_NODELAY: %s", strerror(errno));
  if (connect(fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) {
    int error = errno;
    close(fd);
    errno = error;
    return -1;
  }
  return fd;
}

// Sends all of `size` bytes, waiting for room at most five seconds at a time. 0, or -1 with errno set.
static int send_all(int fd, const char *bytes, size_t size) {
  while (size > 0) {
    ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      bytes += sent;
      size -= (size_t)sent;
    } else if (errno == EAGAIN) {
      struct pollfd room = {.fd = fd, .events = POLLOUT};
      if (poll(&room, 1, 5000) <= 0) return -1;
    } else if (errno != EINTR) {
      return -1;
    }
  }
  return 0;
}

// One byte there and back: the session exists from end to end.
static inline void echo_once(int fd) {
  struct timeval patience = {.tv_sec = 10};
  char byte;
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (send_all(fd, "x", 1)) die("send: %s", strerror(errno));
  ssize_t got = recv(fd, &byte, 1, 0);
  if (got != 1) die("no echo: %s", got == 0 ? "closed" : strerror(errno));
}

// User and system CPU seconds of the processes in `pids` ("12,34"), all their threads, from /proc/PID/stat.
static inline double cpu_seconds(const char *pids) {
  double ticks = 0;
  while (*pids) {
    char path[64], text[1024];
    long pid = strtol(pids, (char **)&pids, 10);
    if (*pids == ',') pids++;
    else if (*pids) die("bad list of process ids");
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file) die("process %ld is gone", pid);
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    char *after_name = strrchr(text, ')'); // the name may hold spaces and parentheses
    unsigned long user, system;
    if (!after_name || sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
      die("cannot read %s", path);
    ticks += (double)(user + system);
  }
  return ticks / (double)sysconf(_SC_CLK_TCK);
}

static inline double own_cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}
#endif
