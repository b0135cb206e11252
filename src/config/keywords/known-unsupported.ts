// Words that HAProxy knows and Headgate does not: refused by name, so that nobody takes them for typing mistakes or for obeyed.
// Control thread. The names are HAProxy's (3.x, all builds); the hints are ours.

function wordSet(text: string): ReadonlySet<string> {
  return new Set(text.split(/\s+/).filter((word) => word !== ""));
}

/** Sections that begin with these words. */
export const UNSUPPORTED_SECTIONS: ReadonlySet<string> = wordSet(`
acme cache crt-store fcgi-app healthcheck http-errors log-forward log-profile mailers namespace_list peers program
ring traces userlist
`);

/** The `global` section, but for `tune.*`. */
const GLOBAL_WORDS: ReadonlySet<string> = wordSet(`
51degrees-data-file anonkey busy-polling close-spread-time cluster-secret cpu-affinity cpu-map
cpu-policy cpu-set debug default-path description deviceatlas-json-file dns-accept-family
expose-deprecated-directives expose-experimental-directives force-cfg-parser-pause
h1-accept-payload-with-any-method h1-case-adjust h1-case-adjust-file h1-do-not-close-on-insecure-transfer-encoding
harden.reject-privileged-ports.quic harden.reject-privileged-ports.tcp http-err-codes http-fail-codes
httpclient.resolvers.disabled httpclient.resolvers.id httpclient.resolvers.prefer httpclient.retries
httpclient.timeout.connect insecure-fork-wanted insecure-setuid-wanted issuers-chain-path key-base limited-quic
localpeer lua-load lua-load-per-thread lua-prepend-path max-spread-checks
max-threads-per-group maxcompcpuusage maxcomprate maxconnrate maxpipes maxsessrate maxsslconn maxsslrate maxzlibmem
nbproc no-memory-trimming node noepoll noevports nogetaddrinfo nokqueue noktls nopoll
noreuseport nosplice numa-cpu-mapping pp2-never-send-local prealloc-fd presetenv profiling.memory
profiling.tasks quiet resetenv set-dumpable set-var set-var-fmt setcap setenv
shm-stats-file shm-stats-file-max-objects ssl-default-bind-client-sigalgs ssl-default-bind-curves ssl-default-bind-sigalgs
ssl-default-server-client-sigalgs
ssl-default-server-curves ssl-default-server-sigalgs ssl-engine
ssl-load-extra-del-ext ssl-load-extra-files ssl-mode-async ssl-passphrase-cmd ssl-propquery ssl-provider
ssl-provider-path ssl-security-level ssl-server-verify ssl-skip-self-issued-ca stats-file stress-level strict-limits
thread-group thread-groups thread-hard-limit unix-bind unsetenv warn-blocked-traffic-after
wurfl-data-file zero-warning
`);

/** What follows `tune.` in the `global` section. */
const TUNE_WORDS: ReadonlySet<string> = wordSet(`
applet.zero-copy-forwarding buffers.limit buffers.reserve bufsize bufsize.large bufsize.small chksize
cli.max-payload-size comp.maxlevel defaults.purge disable-fast-forward disable-zero-copy-forwarding
epoll.mask-events events.max-events-at-once fail-alloc fd.edge-triggered fd.tables glitches.kill.cpu-usage
h1.be.glitches-threshold h1.fe.glitches-threshold h1.zero-copy-fwd-recv h1.zero-copy-fwd-send
h2.be.glitches-threshold h2.be.initial-window-size h2.be.max-concurrent-streams h2.be.max-frames-at-once h2.be.rxbuf
h2.fe.glitches-threshold h2.fe.initial-window-size h2.fe.max-concurrent-streams h2.fe.max-frames-at-once
h2.fe.max-rst-at-once h2.fe.max-total-streams h2.fe.rxbuf h2.header-table-size h2.initial-window-size h2.log-errors
h2.max-concurrent-streams h2.max-frame-size h2.zero-copy-fwd-send http.cookielen http.logurilen http.maxhdr
idle-pool.shared idletimer listener.default-shards listener.multi-queue lua.maxmem max-checks-per-thread
max-rules-at-once maxaccept maxpollevents maxrewrite memory.hot-size notsent-lowat.client notsent-lowat.server
pattern.cache-size peers.max-updates-at-once pipesize pool-high-fd-ratio pool-low-fd-ratio pt.zero-copy-forwarding
quic.be.cc.cubic-min-losses quic.be.cc.hystart quic.be.cc.max-frame-loss quic.be.cc.max-win-size
quic.be.cc.reorder-ratio quic.be.max-idle-timeout quic.be.sec.glitches-threshold quic.be.stream.data-ratio
quic.be.stream.max-concurrent quic.be.stream.rxbuf quic.be.tx.pacing quic.be.tx.udp-gso quic.fe.cc.cubic-min-losses
quic.fe.cc.hystart quic.fe.cc.max-frame-loss quic.fe.cc.max-win-size quic.fe.cc.reorder-ratio
quic.fe.max-idle-timeout quic.fe.sec.glitches-threshold quic.fe.sec.retry-threshold quic.fe.sock-per-conn
quic.fe.stream.data-ratio quic.fe.stream.max-concurrent quic.fe.stream.max-total quic.fe.stream.rxbuf
quic.fe.tx.pacing quic.fe.tx.udp-gso quic.listen quic.mem.tx-max quic.zero-copy-fwd-send rcvbuf.backend
rcvbuf.client rcvbuf.frontend rcvbuf.server recv_enough renice.runtime renice.startup ring.queues runqueue-depth
sched.low-latency sndbuf.backend sndbuf.client sndbuf.frontend sndbuf.server ssl.cachesize ssl.capture-buffer-size
ssl.capture-cipherlist-size ssl.certificate-compression ssl.force-private-cache
ssl.hard-maxrecord ssl.keylog ssl.keyupdate-rate-limit ssl.lifetime ssl.maxrecord ssl.ssl-ctx-cache-size
stick-counters streams-elasticity takeover-other-tg-connections vars.check-max-size vars.global-max-size
vars.proc-max-size vars.reqres-max-size vars.sess-max-size vars.txn-max-size
`);

/** Proxy sections: first words. */
const PROXY_WORDS: ReadonlySet<string> = wordSet(`
acl appsession be-unpublished bind-process block capture clitcpka-cnt clitcpka-idle clitcpka-intvl clitimeout
compression contimeout cookie declare default dispatch dynamic-cookie-key email-alert error-log-format errorfile
errorfiles errorloc errorloc302 errorloc303 filter filter-sequence force-be-switch force-persist grace guid
hash-balance-factor hash-preserve-affinity hash-type http-after-response http-error http-request http-response
http-reuse http-send-name-header ignore-persist log-steps
max-keep-alive-queue max-session-srv-conns monitor monitor-net monitor-uri persist rate-limit redirect
redispatch reqadd reqirep retry-on rspadd source srvtcpka-cnt srvtcpka-idle
srvtcpka-intvl srvtimeout stats stick stick-table tcp-request tcp-response transparent unique-id-format
unique-id-header use-fcgi-app use-server use_backend usesrc
`);

/** Proxy sections: what follows `option`. */
const OPTION_WORDS: ReadonlySet<string> = wordSet(`
abortonclose accept-invalid-http-request accept-invalid-http-response accept-unsafe-violations-in-http-request
accept-unsafe-violations-in-http-response checkcache contstats disable-h2-upgrade
forceclose forwarded forwardfor h1-case-adjust-bogus-client h1-case-adjust-bogus-server http-buffer-request
http-drop-request-trailers http-drop-response-trailers http-ignore-probes http-keep-alive http-no-delay
http-pretend-keepalive http-restrict-req-hdr-names http-server-close http-tunnel http-use-htx http-use-proxy-header
http_proxy httpclose httplog httpslog idle-close-on-response independent-streams logasap
nolinger original-to persist prefer-last-server socket-stats spop-check
transparent use-small-buffers
`);

/** Proxy sections: what follows `timeout`. */
const TIMEOUT_WORDS: ReadonlySet<string> = wordSet(`
client-hs http-keep-alive http-request tarpit
`);

/** `bind` and `stats socket` lines. */
export const UNSUPPORTED_BIND_WORDS: ReadonlySet<string> = wordSet(`
accept-netscaler-cip accept-proxy allow-0rtt alpn ca-file ca-ignore-err ca-sign-file ca-sign-pass ca-verify-file cc
ciphers ciphersuites client-sigalgs crl-file crt crt-ignore-err crt-list curves default-crt defer-accept ecdhe
expose-fd force-sslv3 force-tlsv10 force-tlsv11 force-tlsv12 force-tlsv13 generate-certificates guid-prefix
idle-ping interface ktls label level mss namespace nbconn nice no-alpn no-ca-names no-sslv3 no-strict-sni
no-tls-tickets no-tlsv10 no-tlsv11 no-tlsv12 no-tlsv13 npn prefer-client-ciphers process proto quic-cc-algo
quic-force-retry quic-socket severity-output shards sigalgs ssl ssl-max-ver ssl-min-ver strict-sni tcp-md5sig tcp-ss
tcp-ut tfo thread tls-ticket-keys tls-tickets transparent verify
`);

/** `server` and `default-server` lines. */
export const UNSUPPORTED_SERVER_WORDS: ReadonlySet<string> = wordSet(`
allow-0rtt alpn cc check-pool-conn-name check-proto check-reuse-pool check-sni-auto check-via-socks4 ciphers ciphersuites
client-sigalgs cookie crl-file curves force-sslv3 force-tlsv10 force-tlsv11 force-tlsv12 force-tlsv13 guid
hash-key healthcheck idle-ping ktls log-bufsize log-proto max-reuse maxqueue minconn namespace
no-check-reuse-pool no-check-sni-auto no-renegotiate no-send-proxy no-send-proxy-v2 no-send-proxy-v2-ssl
no-send-proxy-v2-ssl-cn no-sni-auto no-ssl no-ssl-reuse no-sslv3 no-tfo no-tls-tickets no-tlsv10 no-tlsv11 no-tlsv12
no-tlsv13 non-stick npn pool-conn-name pool-low-conn pool-max-conn pool-purge-delay proto proxy-v2-options redir
renegotiate send-proxy send-proxy-v2 send-proxy-v2-ssl
send-proxy-v2-ssl-cn set-proxy-v2-tlv-fmt shard sigalgs sni sni-auto socks4 source ssl ssl-max-ver ssl-min-ver
ssl-reuse stick strict-maxconn tcp-md5sig tcp-ut tfo tls-tickets usesrc ws
`);

const prefixed = (prefix: string, words: ReadonlySet<string>): string[] => [...words].map((word) => prefix + word);

/** Whole names, as the tables have them: "nbproc", "tune.bufsize", "stats bind-process". */
export const UNSUPPORTED_GLOBAL_WORDS: ReadonlySet<string> = new Set([
  ...GLOBAL_WORDS,
  ...prefixed("tune.", TUNE_WORDS),
  "stats bind-process",
  "stats calculate-max-counters",
]);

/** Whole names, as the tables have them: "acl", "option nolinger", "timeout tarpit". */
export const UNSUPPORTED_PROXY_WORDS: ReadonlySet<string> = new Set([
  ...PROXY_WORDS,
  ...prefixed("option ", OPTION_WORDS),
  ...prefixed("timeout ", TIMEOUT_WORDS),
]);

type Hints = Readonly<Record<string, string>>;

export const GLOBAL_HINTS: Hints = {
  "insecure-fork-wanted": "'external-check' is enough: remove the line",
  "master-worker": "there is one process, without a master: remove the line",
  nbproc: "there is one process: use 'nbthread'",
};

export const PROXY_HINTS: Hints = {
  "email-alert": "log lines say the same: let what reads the log send the mail",
  dispatch: "use a 'server' line",
  contimeout: "use 'timeout connect'",
  clitimeout: "use 'timeout client'",
  srvtimeout: "use 'timeout server'",
  redispatch: "use 'option redispatch'",
  use_backend: "use 'default_backend': one frontend for each backend",
  "option httplog": "in mode tcp it is 'option tcplog'",
};

export const BIND_HINTS: Hints = {
  "expose-fd": "it belongs on the 'stats socket' line, for all listening sockets: remove the word",
  process: "every relay thread serves every address: remove the word",
  ssl: "TLS passes through as it is: let the servers terminate it",
};

export const SERVER_HINTS: Hints = {
  ssl: "TLS passes through as it is, from the client to the server; 'check-ssl' is for checks",
  sni: "for checks it is 'check-sni'",
  alpn: "for checks it is 'check-alpn'",
  "check-proto": "checks over HTTP use HTTP/1: remove the word",
  cookie: "cookies need mode http",
};
