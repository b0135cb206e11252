// libc by FFI: the only importer of koffi. Each function is libc's own, numbers in, number out, -1 and errno on failure.
// Addresses are passed as numbers; koffi has no ssize_t, so `long` stands for it. Synchronous calls only.

import koffi from "koffi";

const libc = koffi.load("libc.so.6");
// koffi types its functions loosely; each is given its real shape here.
const bindFunction = <F>(signature: string): F => libc.func(signature) as unknown as F;

type N = number;

export const c = {
  accept4: bindFunction<(fd: N, address: N, length: N, flags: N) => N>("int accept4(int, intptr_t, intptr_t, int)"),
  bind: bindFunction<(fd: N, address: Uint8Array, length: N) => N>("int bind(int, void *, uint32)"),
  chmod: bindFunction<(path: string, mode: N) => N>("int chmod(const char *, uint32)"),
  chroot: bindFunction<(path: string) => N>("int chroot(const char *)"),
  clockGettime: bindFunction<(clock: N, address: N) => N>("int clock_gettime(int, intptr_t)"),
  close: bindFunction<(fd: N) => N>("int close(int)"),
  connect: bindFunction<(fd: N, address: N, length: N) => N>("int connect(int, intptr_t, uint32)"),
  epollCreate1: bindFunction<(flags: N) => N>("int epoll_create1(int)"),
  epollCtl: bindFunction<(poll: N, op: N, fd: N, event: N) => N>("int epoll_ctl(int, int, int, intptr_t)"),
  epollWait: bindFunction<(poll: N, events: N, count: N, timeout: N) => N>("int epoll_wait(int, intptr_t, int, int)"),
  eventfd: bindFunction<(value: N, flags: N) => N>("int eventfd(uint32, int)"),
  exitNow: bindFunction<(code: N) => void>("void _exit(int)"),
  fcntl: bindFunction<(fd: N, command: N, argument: N) => N>("int fcntl(int, int, int)"),
  getpriority: bindFunction<(which: N, who: N) => N>("int getpriority(int, uint32)"),
  getrlimit: bindFunction<(resource: N, limits: BigUint64Array) => N>("int getrlimit(int, void *)"),
  getsockname: bindFunction<(fd: N, address: N, length: N) => N>("int getsockname(int, intptr_t, intptr_t)"),
  getpeername: bindFunction<(fd: N, address: N, length: N) => N>("int getpeername(int, intptr_t, intptr_t)"),
  getsockopt: bindFunction<(fd: N, level: N, name: N, value: N, length: N) => N>(
    "int getsockopt(int, int, int, intptr_t, intptr_t)",
  ),
  ioctl: bindFunction<(fd: N, request: N, address: N) => N>("int ioctl(int, unsigned long, intptr_t)"),
  listen: bindFunction<(fd: N, backlog: N) => N>("int listen(int, int)"),
  /** Copies nothing: returns the address of its first argument, which is how a view's address is learned. */
  memmoveAddress: bindFunction<(to: ArrayBufferView, from: ArrayBufferView, length: N) => N>(
    "intptr_t memmove(void *, void *, size_t)",
  ),
  pipe2: bindFunction<(ends: N, flags: N) => N>("int pipe2(intptr_t, int)"),
  read: bindFunction<(fd: N, address: N, length: N) => N>("long read(int, intptr_t, size_t)"),
  recvmsg: bindFunction<(fd: N, message: N, flags: N) => N>("long recvmsg(int, intptr_t, int)"),
  recv: bindFunction<(fd: N, address: N, length: N, flags: N) => N>("long recv(int, intptr_t, size_t, int)"),
  sendmsg: bindFunction<(fd: N, message: N, flags: N) => N>("long sendmsg(int, intptr_t, int)"),
  send: bindFunction<(fd: N, address: N, length: N, flags: N) => N>("long send(int, intptr_t, size_t, int)"),
  schedGetscheduler: bindFunction<(tid: N) => N>("int sched_getscheduler(int)"),
  /** sched_setattr, for which libc may have no function: its number, the thread (0: this one), the structure, flags. */
  schedSetattr: bindFunction<(number: N, thread: N, attributes: Uint8Array, flags: N) => N>(
    "long syscall(long, long, void *, long)",
  ),
  schedYield: bindFunction<() => N>("int sched_yield()"),
  sendtoBytes: bindFunction<(fd: N, bytes: Uint8Array, length: N, flags: N, address: Uint8Array, size: N) => N>(
    "long sendto(int, void *, size_t, int, void *, uint32)",
  ),
  setrlimit: bindFunction<(resource: N, limits: BigUint64Array) => N>("int setrlimit(int, void *)"),
  setsockopt: bindFunction<(fd: N, level: N, name: N, value: N, length: N) => N>(
    "int setsockopt(int, int, int, intptr_t, uint32)",
  ),
  flock: bindFunction<(fd: N, operation: N) => N>("int flock(int, int)"),
  shutdown: bindFunction<(fd: N, how: N) => N>("int shutdown(int, int)"),
  socket: bindFunction<(family: N, type: N, protocol: N) => N>("int socket(int, int, int)"),
  splice: bindFunction<(from: N, fromOffset: N, to: N, toOffset: N, length: N, flags: N) => N>(
    "long splice(int, intptr_t, int, intptr_t, size_t, uint32)",
  ),
  write: bindFunction<(fd: N, address: N, length: N) => N>("long write(int, intptr_t, size_t)"),
} as const;

// Where this thread keeps its errno: a look there costs a tenth of a call.
const errnoWord = new Int32Array(koffi.view(bindFunction<() => bigint>("void *__errno_location(void)")(), 4));
/** errno of this thread's last failed call. */
export const errno = (): number => errnoWord[0];

const strerrorOf = bindFunction<(code: N) => string>("const char *strerror(int)");
/** The system's sentence for an errno, e.g. "Connection refused". */
export const errorText = (code: number): string => strerrorOf(code);

const names = new Map<number, string>(Object.entries(koffi.os.errno).map(([name, code]) => [code as number, name]));
/** The errno of a name; undefined for what is none of the kernel's. */
export const errorNumber = (name: string): number | undefined => (koffi.os.errno as Record<string, number>)[name];
/** An errno's name, e.g. "ECONNREFUSED". */
export const errorName = (code: number): string => names.get(code) ?? `errno ${code}`;
