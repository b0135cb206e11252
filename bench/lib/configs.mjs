// The same service in each balancer's own words. Pure: settings in, text of a configuration file out.

/**
 * @typedef {object} Settings
 * @property {number} port           where clients connect, on 127.0.0.1
 * @property {number} upstreamPort   the one server, on 127.0.0.1
 * @property {string} socket         path of the stats socket (HAProxy, Headgate)
 * @property {string} folder         for what else the balancer writes
 * @property {number} maxconn
 * @property {number} threads
 * @property {boolean} splice
 * @property {{port: number, upstreamPort: number}} [other]  a second frontend with a backend and a server of its own
 * @property {{servers: number, http: boolean}} [checks]  servers beside the one that takes sessions, checked every second
 */

/** For Headgate and HAProxy alike. @param {Settings} s */
export function haproxyConfig(s) {
  return `global
  maxconn ${s.maxconn}
  nbthread ${s.threads}
  stats socket ${s.socket} level admin

defaults
  mode tcp
  maxconn ${s.maxconn}
  timeout connect 60s
  timeout client 60s
  timeout server 60s
${s.splice ? "  option splice-auto\n" : ""}
frontend f
  bind 127.0.0.1:${s.port}
  default_backend b

backend b
  server s 127.0.0.1:${s.upstreamPort}
${s.other ? otherService(s.other) : ""}${s.checks ? checkedBackend(s, s.checks) : ""}`;
}

/** @param {{port: number, upstreamPort: number}} other */
function otherService({ port, upstreamPort }) {
  return `
frontend g
  bind 127.0.0.1:${port}
  default_backend c

backend c
  server t 127.0.0.1:${upstreamPort}
`;
}

/** @param {Settings} s @param {{servers: number, http: boolean}} checks */
function checkedBackend(s, { servers, http }) {
  const lines = Array.from({ length: servers }, (_, i) => `  server s${i} 127.0.0.1:${s.upstreamPort}`);
  return `
backend checked
${http ? "  option httpchk GET /\n" : ""}  default-server check inter 1s
${lines.join("\n")}
`;
}

/** A worker process takes the place of a thread. @param {Settings} s @param {string | undefined} streamModule path, if it is loaded at run time */
export function nginxConfig(s, streamModule) {
  return `${streamModule ? `load_module ${streamModule};\n` : ""}${process.getuid?.() === 0 ? "user root;\n" : ""}daemon off;
worker_processes ${s.threads};
worker_rlimit_nofile ${s.maxconn * 2 + 1000};
pid ${s.folder}/nginx.pid;
error_log stderr crit;
events {
  worker_connections ${s.maxconn * 2 + 500};
}
stream {
  server {
    listen 127.0.0.1:${s.port} backlog=4096${s.threads > 1 ? " reuseport" : ""};
    proxy_pass 127.0.0.1:${s.upstreamPort};
    proxy_connect_timeout 60s;
    proxy_timeout 60s;
  }
}
`;
}
