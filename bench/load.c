// The upstreams and the loads of the benchmark, one mode a run; a result is one line of JSON on stdout.
//   load echo|discard|http                              upstream on a port of the kernel's choice: {"port":N}
//   load pp    port= seconds= warmup= connections= size= [rate= pids= upstream=]   round trips, one outstanding each; with rate= so
//                                                       many a second, each measured from when its time had come
//   load cr    port= seconds= warmup= connections= size= [pids= upstream=]    connect, echo, abortive close
//   load bulk  port= seconds= warmup= connections= [pids= upstream=]          one-way streams
//   load hold  port= connections= [burst=1]             opens sessions, says so, keeps them until stdin ends
//   load knock port= rate=                              that many connections a second, each reset at once, until killed
// `pids` are the balancer's processes and `upstream` the upstream's: their CPU time over the window is reported.
#include "bench.h"
#include <sys/mman.h>
#include <sys/sendfile.h>

#define BULK_STEP 262144     // bytes handed to the kernel at once
#define HISTOGRAM_US 1000000 // one bucket a microsecond; what is slower counts as one second

static unsigned histogram[HISTOGRAM_US];
static double started[MAX_FDS]; // when the message or connection in flight began
static int missing[MAX_FDS];    // bytes of the answer still to come
static unsigned char connecting[MAX_FDS];

// The measured window: a warm-up that is thrown away, then `seconds`.
static struct {
  int port, connections, size;
  double seconds, warmup, begin, end, cpu, load_cpu;
  const char *pids, *upstream;
  int measuring;
  double count;
  long errors;
} window;

static void window_read(int argc, char **argv) {
  window.port = (int)arg_number(argc, argv, "port", NULL, 1, 65535);
  window.seconds = arg_number(argc, argv, "seconds", "4", 0.05, 3600);
  window.warmup = arg_number(argc, argv, "warmup", "1", 0, 600);
  window.connections = (int)arg_number(argc, argv, "connections", "50", 1, MAX_FDS / 2);
  window.size = (int)arg_number(argc, argv, "size", "64", 1, MAX_SIZE);
  window.pids = arg_text(argc, argv, "pids", "");
  window.upstream = arg_text(argc, argv, "upstream", "");
}

static void window_start(void) {
  window.begin = now_s() + window.warmup;
  window.end = window.begin + window.seconds;
}

// False once the window is over. Throws the warm-up away when it ends.
static int window_goes_on(void) {
  double now = now_s();
  if (!window.measuring && now >= window.begin) {
    window.measuring = 1;
    window.count = 0;
    window.errors = 0;
    memset(histogram, 0, sizeof histogram);
    window.cpu = cpu_seconds(window.pids);
    window.load_cpu = cpu_seconds(window.upstream) + own_cpu_seconds();
    window.begin = now_s();
    window.end = window.begin + window.seconds;
  }
  return now < window.end;
}

static void note_latency(double since) {
  double us = (now_s() - since) * 1e6;
  histogram[us < HISTOGRAM_US ? (int)us : HISTOGRAM_US - 1]++;
}

// The latency under which `share` of the samples lie, in microseconds.
static int percentile(double share) {
  double seen = 0;
  for (int us = 0; us < HISTOGRAM_US; us++) {
    seen += histogram[us];
    if (seen > 0 && seen >= window.count * share) return us;
  }
  return HISTOGRAM_US - 1;
}

static void window_report(const char *mode) {
  double elapsed = now_s() - window.begin;
  double cpu = cpu_seconds(window.pids) - window.cpu;
  double load_cpu = cpu_seconds(window.upstream) + own_cpu_seconds() - window.load_cpu;
  if (window.count <= 0) die("%s: nothing came through in %.1f s (%ld errors)", mode, elapsed, window.errors);
  printf("{\"mode\":\"%s\",\"connections\":%d,\"size\":%d,\"seconds\":%.4f,\"count\":%.0f,\"errors\":%ld,"
         "\"perSecond\":%.2f,\"balancerCpuSeconds\":%.3f,\"loadCpuSeconds\":%.3f",
         mode, window.connections, window.size, elapsed, window.count, window.errors, window.count / elapsed, cpu, load_cpu);
  if (strcmp(mode, "bulk"))
    printf(",\"p50Us\":%d,\"p99Us\":%d,\"p999Us\":%d,\"maxUs\":%d", percentile(0.5), percentile(0.99), percentile(0.999),
           percentile(1));
  printf("}\n");
}

// Waits for events at most a tenth of a second, so that the window ends on time whatever happens.
static int next_events(int epoll, struct epoll_event *events) {
  int n = epoll_wait(epoll, events, BATCH, 100);
  if (n < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
  return n < 0 ? 0 : n;
}

static void accept_all(int epoll, int listener) {
  int one = 1;
  for (int i = 0; i < 64; i++) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EMFILE || errno == ENFILE) die("accept: %s", strerror(errno));
      return; // EAGAIN, or a connection that was reset before it was taken
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN);
  }
}

// An upstream. `discard` drops in the kernel (MSG_TRUNC), so that the load's core is not what limits a bulk run; `http` answers
// whatever comes with a status, and closes.
static void serve(int discard, int http) {
  static const char status[] = "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n";
  struct sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  struct epoll_event events[BATCH];
  int epoll = epoll_new(), listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) || listen(listener, 65535) ||
      getsockname(listener, (struct sockaddr *)&address, &length))
    die("listen: %s", strerror(errno));
  watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN);
  printf("{\"port\":%d}\n", ntohs(address.sin_port));
  fflush(stdout);
  for (;;) {
    int n = epoll_wait(epoll, events, BATCH, -1);
    if (n < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        accept_all(epoll, listener);
        continue;
      }
      ssize_t got = recv(fd, scratch, discard ? sizeof scratch : 65536, discard ? MSG_TRUNC : 0);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (got > 0 && http) {
        send_all(fd, status, sizeof status - 1);
        got = 0;
      }
      if (got <= 0 || (!discard && send_all(fd, scratch, (size_t)got))) close(fd);
    }
  }
}

static void begin_round_trip(int fd, double since) {
  missing[fd] = window.size;
  started[fd] = since;
  if (send_all(fd, payload, (size_t)window.size)) die("send: %s", strerror(errno));
}

// Begins what is due by now; gives the time of the next one. One that finds its connection busy is begun, and late, when that is free.
static double begin_due(const int *fds, int rate, double since, long *begun) {
  double due;
  while ((due = since + (double)*begun / rate) <= now_s()) {
    int fd = fds[*begun % window.connections];
    if (missing[fd] > 0) return 0;
    begin_round_trip(fd, due);
    (*begun)++;
  }
  return due;
}

// Until an event or that time (0: none), a tenth of a second at most.
static void wait_until(int epoll, double due) {
  double wait = due > 0 ? due - now_s() : 0.1;
  struct timespec most = {.tv_nsec = wait > 0.1 ? 100000000 : wait > 0 ? (long)(wait * 1e9) : 0};
  struct pollfd any = {.fd = epoll, .events = POLLIN};
  ppoll(&any, 1, &most, NULL);
}

static void round_trips(int rate) {
  static int fds[MAX_FDS];
  struct epoll_event events[BATCH];
  int epoll = epoll_new();
  for (int i = 0; i < window.connections; i++) {
    int fd = fds[i] = dial(window.port, 0);
    if (fd < 0) die("connect: %s", strerror(errno));
    watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN);
    if (rate == 0) begin_round_trip(fd, now_s());
  }
  double since = now_s();
  long begun = 0;
  window_start();
  while (window_goes_on()) {
    if (rate > 0) wait_until(epoll, begin_due(fds, rate, since, &begun));
    int n = rate > 0 ? epoll_wait(epoll, events, BATCH, 0) : next_events(epoll, events);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      ssize_t got = recv(fd, scratch, sizeof scratch, MSG_DONTWAIT);
      if (got < 0 && errno == EAGAIN) continue;
      if (got <= 0) die("a session ended under load: %s", got ? strerror(errno) : "closed");
      missing[fd] -= (int)got;
      if (missing[fd] > 0) continue;
      if (missing[fd] < 0) die("more bytes came back than were sent");
      note_latency(started[fd]);
      window.count++;
      if (rate == 0) begin_round_trip(fd, now_s());
    }
  }
  window_report("pp");
}

static void begin_connection(int epoll) {
  int fd;
  while ((fd = dial(window.port, SOCK_NONBLOCK)) < 0)
    if (++window.errors > 10000) die("connect: %s", strerror(errno));
  started[fd] = now_s();
  missing[fd] = window.size;
  connecting[fd] = 1;
  watch(epoll, EPOLL_CTL_ADD, fd, EPOLLOUT);
}

// One step of a connection: 1 when its echo is complete, -1 when it failed, 0 when there is more to come.
static int step_connection(int epoll, int fd, unsigned happened) {
  if (happened & (EPOLLERR | EPOLLHUP)) return -1;
  if (connecting[fd]) {
    connecting[fd] = 0;
    if (send_all(fd, payload, (size_t)window.size)) return -1;
    watch(epoll, EPOLL_CTL_MOD, fd, EPOLLIN);
    return 0;
  }
  ssize_t got = recv(fd, scratch, sizeof scratch, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return 0;
  if (got <= 0) return -1;
  missing[fd] -= (int)got;
  return missing[fd] <= 0;
}

// Closed by reset, so that no TIME_WAIT is left on the client's side and ports do not run out.
static void connection_rate(void) {
  struct epoll_event events[BATCH];
  struct linger abortive = {.l_onoff = 1, .l_linger = 0};
  int epoll = epoll_new();
  for (int i = 0; i < window.connections; i++) begin_connection(epoll);
  window_start();
  while (window_goes_on()) {
    int n = next_events(epoll, events);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd, outcome = step_connection(epoll, fd, events[i].events);
      if (outcome == 0) continue;
      if (outcome > 0) {
        note_latency(started[fd]);
        window.count++;
      } else if (++window.errors > 10000) {
        die("more than 10000 failed connections");
      }
      setsockopt(fd, SOL_SOCKET, SO_LINGER, &abortive, sizeof abortive);
      close(fd);
      begin_connection(epoll);
    }
  }
  window_report("cr");
}

// Sends out of a file in memory: without copying, so that the balancer's core is what limits the run, not the load's.
static void bulk(void) {
  struct epoll_event events[BATCH];
  int epoll = epoll_new(), file = memfd_create("payload", MFD_CLOEXEC);
  if (file < 0 || write(file, payload, BULK_STEP) != BULK_STEP) die("memfd: %s", strerror(errno));
  for (int i = 0; i < window.connections; i++) {
    int fd = dial(window.port, SOCK_NONBLOCK);
    if (fd < 0) die("connect: %s", strerror(errno));
    watch(epoll, EPOLL_CTL_ADD, fd, EPOLLOUT);
  }
  window_start();
  while (window_goes_on()) {
    int n = next_events(epoll, events);
    for (int i = 0; i < n; i++) {
      off_t from = 0;
      ssize_t sent = sendfile(events[i].data.fd, file, &from, BULK_STEP);
      if (sent > 0) window.count += (double)sent;
      else if (errno != EAGAIN) die("a stream ended under load: %s", strerror(errno));
    }
  }
  window_report("bulk");
}

// `burst`: all connections are made before the first byte is sent, so that the balancer finds a queue of them.
static void hold(int burst) {
  static int fds[MAX_FDS];
  char byte;
  for (int i = 0; i < window.connections; i++) {
    fds[i] = dial(window.port, 0);
    if (fds[i] < 0) die("connect: %s", strerror(errno));
    if (!burst) echo_once(fds[i]);
  }
  for (int i = 0; burst && i < window.connections; i++) echo_once(fds[i]);
  printf("{\"open\":%d}\n", window.connections);
  fflush(stdout);
  while (read(STDIN_FILENO, &byte, 1) > 0) continue;
}

// What checks ask of the kernel, in the least time that a program can do it: connections begun evenly, a few each millisecond, and
// reset as soon as they stand. The handshake's last ACK is held back, so that the upstream does not hear of them, as of checks.
static void knock(int rate) {
  struct epoll_event events[BATCH];
  struct linger abortive = {.l_onoff = 1, .l_linger = 0};
  struct sockaddr_in address = loopback(window.port);
  int epoll = epoll_new();
  double begin = now_s();
  printf("{\"rate\":%d}\n", rate);
  fflush(stdout);
  for (long begun = 0;;) {
    for (long due = (long)((now_s() - begin) * rate); begun < due; begun++) {
      int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), zero = 0;
      setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &zero, sizeof zero);
      if (connect(fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS) die("connect: %s", strerror(errno));
      watch(epoll, EPOLL_CTL_ADD, fd, EPOLLOUT);
    }
    int n = epoll_wait(epoll, events, BATCH, 1);
    if (n < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
      setsockopt(events[i].data.fd, SOL_SOCKET, SO_LINGER, &abortive, sizeof abortive);
      close(events[i].data.fd);
    }
    // Nothing is due before the next millisecond.
    if (n > 0) usleep(1000);
  }
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "";
  setup_process();
  if (!strcmp(mode, "echo") || !strcmp(mode, "discard") || !strcmp(mode, "http")) serve(mode[0] == 'd', mode[0] == 'h');
  window_read(argc, argv);
  if (!strcmp(mode, "pp")) round_trips((int)arg_number(argc, argv, "rate", "0", 0, 1e6));
  else if (!strcmp(mode, "cr")) connection_rate();
  else if (!strcmp(mode, "bulk")) bulk();
  else if (!strcmp(mode, "hold")) hold(arg_number(argc, argv, "burst", "0", 0, 1) > 0);
  else if (!strcmp(mode, "knock")) knock((int)arg_number(argc, argv, "rate", NULL, 1, 1e6));
  else die("usage: load echo|discard|http|pp|cr|bulk|hold|knock key=value...");
  return 0;
}
