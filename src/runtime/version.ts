/** What this server calls itself. Clients that choose by Prometheus's version see the one it is compatible with. */
export const version = {
  narthex: "0.1.0",
  prometheus: "3.14.0",
  revision: "narthex-0.1.0",
} as const;
