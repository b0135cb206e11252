// Opens idle and busy sessions through a balancer, gives one Runtime API command, and counts at the moment of its
// answer which sessions are still open at the client. One line of JSON on stdout.
//   cut port= idle= busy= socket=PATH command="shutdown sessions server b/s" [settle=1] [patience=20] [perSecond=N] [ask=1]
// `perSecond`: how many sessions were to end each second; the worst deviation over any ten seconds is reported.
// `ask`: says {"open":N} on stdout once the sessions are there, and gives the order when it reads something on stdin.
#include "bench.h"

static struct {
  int *fd, total, idle, left;
  long fin, rst, round_trips;
  double last_close, *closed; // when each of those that ended did, in order
} sessions;

static struct {
  int fd, open_at_answer;
  double sent, answered;
  char text[256];
  size_t length;
} order = {.fd = -1};

static void open_sessions(int epoll, int port, int idle, int busy) {
  sessions.idle = idle;
  sessions.total = sessions.left = idle + busy;
  sessions.fd = calloc((size_t)sessions.total, sizeof *sessions.fd);
  sessions.closed = calloc((size_t)sessions.total, sizeof *sessions.closed);
  if (!sessions.fd || !sessions.closed) die("out of memory");
  for (int i = 0; i < sessions.total; i++) {
    sessions.fd[i] = dial(port, 0);
    if (sessions.fd[i] < 0) die("connect: %s", strerror(errno));
    echo_once(sessions.fd[i]);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.u32 = (unsigned)i};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, sessions.fd[i], &event)) die("epoll_ctl: %s", strerror(errno));
  }
  for (int i = idle; i < sessions.total; i++)
    if (send_all(sessions.fd[i], payload, 64)) die("send: %s", strerror(errno));
}

// Takes what one session has for us. 1 while it is open. A busy one answers, unless this is the final count.
static int look_at(int i, int answering) {
  ssize_t got = recv(sessions.fd[i], scratch, 65536, MSG_DONTWAIT);
  if (got > 0) {
    sessions.round_trips++;
    if (answering && i >= sessions.idle) send(sessions.fd[i], payload, 64, MSG_NOSIGNAL | MSG_DONTWAIT);
    return answering ? 1 : look_at(i, 0);
  }
  if (got < 0 && errno == EAGAIN) return 1;
  if (got == 0) sessions.fin++;
  else sessions.rst++;
  close(sessions.fd[i]);
  sessions.fd[i] = -1;
  sessions.last_close = now_s();
  sessions.closed[sessions.total - sessions.left--] = sessions.last_close;
  return 0;
}

static void give_order(int epoll, const char *path, const char *command) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) die("socket path too long");
  strcpy(address.sun_path, path);
  order.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (order.fd < 0 || connect(order.fd, (struct sockaddr *)&address, sizeof address))
    die("stats socket: %s", strerror(errno));
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = UINT32_MAX};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, order.fd, &event)) die("epoll_ctl: %s", strerror(errno));
  order.sent = now_s();
  if (dprintf(order.fd, "%s\n", command) < 0) die("stats socket: %s", strerror(errno));
}

// The first byte (or the end) of the answer is the answer: from here on no session may be open.
static void take_answer(int epoll) {
  char chunk[256];
  ssize_t got = recv(order.fd, chunk, sizeof chunk, MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  for (ssize_t i = 0; i < got && order.length < sizeof order.text - 1; i++)
    if (chunk[i] >= ' ' && chunk[i] != '"' && chunk[i] != '\\') order.text[order.length++] = chunk[i];
  if (got <= 0) epoll_ctl(epoll, EPOLL_CTL_DEL, order.fd, NULL);
  if (order.answered > 0) return;
  order.answered = now_s();
  for (int i = 0; i < sessions.total; i++)
    if (sessions.fd[i] >= 0) order.open_at_answer += look_at(i, 0);
}

// The worst share by which the sessions that ended in any ten seconds between the order and the last end (`at`, in order) were
// too many or too few, in percent. Windows begin at each tenth of a second. -1 if it took less than ten seconds.
static double pace_error(double per_second, const double *at, int count) {
  const double span = 10;
  double worst = -1;
  for (int step = 0; count > 0 && order.sent + step * 0.1 + span <= at[count - 1]; step++) {
    double from = order.sent + step * 0.1, due = per_second * span;
    int ended = 0;
    for (int i = 0; i < count; i++) ended += at[i] >= from && at[i] < from + span;
    double error = (ended > due ? ended - due : due - ended) / due * 100;
    if (error > worst) worst = error;
  }
  return worst;
}

// Waits for whoever started us to say when.
static void ask(void) {
  char byte;
  printf("{\"open\":%d}\n", sessions.total);
  fflush(stdout);
  if (read(STDIN_FILENO, &byte, 1) != 1) die("nobody gave the order");
}

int main(int argc, char **argv) {
  struct epoll_event events[BATCH];
  setup_process();
  int port = (int)arg_number(argc, argv, "port", NULL, 1, 65535);
  int idle = (int)arg_number(argc, argv, "idle", NULL, 0, MAX_FDS / 2);
  int busy = (int)arg_number(argc, argv, "busy", NULL, 0, MAX_FDS / 2);
  double settle = arg_number(argc, argv, "settle", "1", 0, 60), patience = arg_number(argc, argv, "patience", "20", 1, 600);
  const char *path = arg_text(argc, argv, "socket", NULL), *command = arg_text(argc, argv, "command", NULL);
  double per_second = arg_number(argc, argv, "perSecond", "0", 0, 1e6);
  int epoll = epoll_new(), asks = arg_number(argc, argv, "ask", "0", 0, 1) > 0;
  open_sessions(epoll, port, idle, busy);
  if (asks) ask();
  double start = now_s();
  while ((sessions.left > 0 || order.answered == 0) && now_s() - start < settle + patience) {
    if (order.fd < 0 && now_s() - start >= settle) {
      if (sessions.left < sessions.total) die("%d sessions ended before the order", sessions.total - sessions.left);
      give_order(epoll, path, command);
    }
    int n = epoll_wait(epoll, events, BATCH, 20), answer = 0;
    if (n < 0 && errno != EINTR) die("epoll_wait: %s", strerror(errno));
    for (int i = 0; i < n; i++) answer |= events[i].data.u32 == UINT32_MAX;
    if (answer) take_answer(epoll); // before the rest of the batch: the count is as of the answer
    for (int i = 0; i < n; i++) {
      unsigned k = events[i].data.u32;
      if (k != UINT32_MAX && sessions.fd[k] >= 0) look_at((int)k, 1);
    }
  }
  if (order.answered == 0) die("no answer to the command");
  printf("{\"sessions\":%d,\"busy\":%d,\"openAtAnswer\":%d,\"answerMs\":%.3f,\"lastCloseMs\":%.3f,\"neverClosed\":%d,"
         "\"fin\":%ld,\"rst\":%ld,\"roundTrips\":%ld,\"paceErrorPercent\":%.2f,\"answer\":\"%s\"}\n",
         sessions.total, busy, order.open_at_answer, (order.answered - order.sent) * 1e3,
         sessions.last_close > 0 ? (sessions.last_close - order.sent) * 1e3 : -1, sessions.left, sessions.fin, sessions.rst,
         sessions.round_trips, per_second > 0 ? pace_error(per_second, sessions.closed, sessions.total - sessions.left) : -1,
         order.text);
  return 0;
}
