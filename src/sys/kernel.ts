// All that a relay thread asks of the outside world. The real one is `linux-kernel.ts`; `test/sim` has a simulated one, so
// everything a relay does can be replayed from a seed. Calls never block, except `wait`. They return a number, or -errno.

export interface Kernel {
  /** Its first element: the monotonic clock in ms, with a fraction, as `readClock` found it last. */
  readonly clock: Float64Array;
  /** Reads the clock. It returns nothing, because V8 would box the number once a turn. */
  readClock(): void;
  /** Wall clock in ms since 1970. */
  wallMs(): number;
  /** The address by which the calls below name memory. The view must stay referenced. */
  addressOf(view: ArrayBufferView): number;

  /**
   * Takes a connection (non-blocking, close-on-exec). Writes the peer's sockaddr at `address`, at most as many bytes as the word
   * at `addressLength` says, and its length there.
   */
  accept(listener: number, address: number, addressLength: number): number;
  /** A non-blocking stream socket. */
  streamSocket(family: number): number;
  /** Small segments leave at once (TCP_NODELAY). Without effect on a unix socket. */
  setNoDelay(fd: number): void;
  connect(fd: number, address: number, length: number): number;
  /** Bytes read, 0 at the end of the stream. */
  receive(fd: number, address: number, length: number): number;
  /** 1 if a byte waits, 0 at the end of the stream; takes nothing. */
  peek(fd: number): number;
  /** As `receive`, but what was read stays where it is. */
  copyWaiting(fd: number, address: number, length: number): number;
  /** Takes up to `length` bytes off the socket for nobody. The memory at `address` may be written over. */
  discard(fd: number, address: number, length: number): number;
  send(fd: number, address: number, length: number): number;
  /** Moves bytes from a socket into a pipe, and from a pipe into a socket. */
  spliceIn(fd: number, pipe: number, length: number): number;
  spliceOut(pipe: number, fd: number, length: number): number;
  /** Opens a pipe: its ends are in pipeRead and pipeWrite afterwards. */
  openPipe(): number;
  readonly pipeRead: number;
  readonly pipeWrite: number;
  /** Sends FIN. */
  shutdownWrite(fd: number): number;
  close(fd: number): number;
  /** Closes with a reset: what is queued for the peer is discarded (SO_LINGER 0). */
  closeAbortively(fd: number): number;
  setKeepalive(fd: number): number;
  /** Bytes sent on a TCP socket that the peer's kernel has not acknowledged (SIOCOUTQ); a FIN counts as one. */
  unacknowledged(fd: number): number;
  /** The pending error of a socket as a positive errno, 0 if none. */
  socketError(fd: number): number;
  /** The local port of an IP socket. */
  localPort(fd: number): number;
  /** Writes the first 28 bytes of a socket's own sockaddr; of its peer's, which it has once it is connected. 0 or -errno. */
  localAddress(fd: number, address: number): number;
  peerAddress(fd: number, address: number): number;

  /** Watches a session's socket, edge-triggered in both directions; events carry `low` and `high`. */
  watch(poll: number, fd: number, low: number, high: number): number;
  /** Watches for reading, level-triggered; `exclusive` wakes one of several threads. */
  watchReadable(poll: number, fd: number, low: number, high: number, exclusive: boolean): number;
  unwatch(poll: number, fd: number): number;
  openPoll(): number;
  /** Waits for events at most `timeoutMs` (-1: without end), and returns how many there are. */
  wait(poll: number, timeoutMs: number): number;
  /** The n-th event of the last wait: EPOLL bits and its tag. */
  eventBits(index: number): number;
  eventLow(index: number): number;
  eventHigh(index: number): number;

  /** Opens a wake-up descriptor; wakes another thread by its descriptor; takes the wake-ups that came. */
  openWake(): number;
  wake(fd: number): number;
  takeWake(fd: number): number;
}
