import { isIP } from "node:net";
import type { Ask } from "./proxy-connector.ts";

const VERSION = 5;
const NO_CREDENTIALS = 0;
const NAME_AND_PASSWORD = 2;
const CONNECT = 1;
const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;

/** What went wrong, by the reply's code (RFC 1928). */
const REPLIES: readonly string[] = [
  "succeeded",
  "general SOCKS server failure",
  "connection not allowed by ruleset",
  "network unreachable",
  "host unreachable",
  "connection refused",
  "TTL expired",
  "command not supported",
  "address type not supported",
];

/**
 * Has a SOCKS 5 proxy connect to a host, which it looks up itself (RFC 1928, and 1929 for the name and password that
 * the proxy's URL may hold).
 *
 * @throws Error for a refusal
 */
export async function socksHandshake(ask: Ask, proxy: URL, host: string, port: number): Promise<void> {
  const hasCredentials = proxy.username !== "";
  const offered = hasCredentials ? [NO_CREDENTIALS, NAME_AND_PASSWORD] : [NO_CREDENTIALS];
  const chosen = await ask(Buffer.from([VERSION, offered.length, ...offered]), exactly(2));
  if (chosen[0] !== VERSION) throw new Error(`socks: unexpected protocol version ${chosen[0]}`);
  if (!offered.includes(chosen[1]!)) throw new Error("socks: no acceptable authentication methods");
  if (chosen[1] === NAME_AND_PASSWORD) {
    const name = counted(decodeURIComponent(proxy.username));
    const password = counted(decodeURIComponent(proxy.password));
    const answer = await ask(Buffer.concat([Buffer.from([1]), name, password]), exactly(2));
    if (answer[1] !== 0) throw new Error("socks: username/password authentication failed");
  }
  const request = [
    Buffer.from([VERSION, CONNECT, 0]),
    addressOf(host),
    Buffer.from([port >> 8, port & 0xff]),
  ];
  const reply = await ask(Buffer.concat(request), replyEnd);
  if (reply[1] !== 0) throw new Error(`socks: ${REPLIES[reply[1]!] ?? `unknown code ${reply[1]}`}`);
}

function exactly(size: number): (answer: Buffer) => number {
  return (answer) => (answer.length >= size ? size : 0);
}

/** The address that a reply holds says how long it is. */
function replyEnd(answer: Buffer): number {
  if (answer.length < 5) return 0;
  const kind = answer[3];
  const size = kind === IPV4 ? 4 : kind === IPV6 ? 16 : 1 + answer[4]!;
  return answer.length >= 6 + size ? 6 + size : 0;
}

function addressOf(host: string): Buffer {
  switch (isIP(host)) {
    case 4:
      return Buffer.from([IPV4, ...host.split(".").map(Number)]);
    case 6:
      return Buffer.from([IPV6, ...ipv6Bytes(host)]);
    default:
      return Buffer.concat([Buffer.from([NAME]), counted(host)]);
  }
}

function ipv6Bytes(address: string): number[] {
  // A URL's host is in the shortest form: groups of hex digits, and `::` for the longest run of zeros.
  const groupsOf = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const [before = "", after] = address.split("::");
  const left = groupsOf(before);
  const right = groupsOf(after ?? "");
  const groups = [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
  return groups.flatMap((group) => [group >> 8, group & 0xff]);
}

function counted(text: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > 255) throw new Error(`socks: a text of ${bytes.length} bytes is too long`);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}
