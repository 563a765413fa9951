import { createSocket, type Socket } from "node:dgram";
import type { AddressInfo } from "node:net";

export type FakeRecord =
  | { readonly type: "A"; readonly address: string }
  | { readonly type: "AAAA"; readonly address: readonly number[] }
  | { readonly type: "SRV"; readonly target: string; readonly port: number }
  | { readonly type: "MX"; readonly target: string }
  | { readonly type: "NS"; readonly target: string };

const TYPE_CODES = { A: 1, NS: 2, MX: 15, AAAA: 28, SRV: 33 };
const NAME_ERROR = 3;
const SERVER_FAILURE = 2;

/** A name server on a free UDP port. Names it doesn't know don't exist; those in `failing` fail. */
export class FakeDnsServer {
  readonly questions: string[] = [];
  readonly failing = new Set<string>();

  private constructor(
    private readonly socket: Socket,
    readonly address: string,
    readonly records: Map<string, FakeRecord[]>,
  ) {}

  static async start(records: Record<string, FakeRecord[]>): Promise<FakeDnsServer> {
    const socket = createSocket("udp4");
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    const { port } = socket.address() as AddressInfo;
    const server = new FakeDnsServer(socket, `127.0.0.1:${port}`, new Map(Object.entries(records)));
    socket.on("message", (query, from) => socket.send(server.answer(query), from.port, from.address));
    return server;
  }

  stop(): Promise<void> {
    return new Promise((resolve) => this.socket.close(resolve));
  }

  private answer(query: Buffer): Buffer {
    let end = 12;
    const labels: string[] = [];
    while (query[end] !== 0) {
      labels.push(query.subarray(end + 1, end + 1 + query[end]!).toString());
      end += query[end]! + 1;
    }
    const question = query.subarray(12, end + 5);
    const name = labels.join(".").toLowerCase();
    this.questions.push(name);
    const type = query.readUInt16BE(end + 1);
    const known = this.records.get(name);
    const matching = (known ?? []).filter((record) => TYPE_CODES[record.type] === type);
    const code = this.failing.has(name) ? SERVER_FAILURE : known === undefined ? NAME_ERROR : 0;
    const header = Buffer.alloc(12);
    query.copy(header, 0, 0, 2);
    header.writeUInt16BE(0x8180 | code, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(code === 0 ? matching.length : 0, 6);
    return Buffer.concat([header, question, ...(code === 0 ? matching.map(encodeRecord) : [])]);
  }
}

function encodeRecord(record: FakeRecord): Buffer {
  const data = encodeData(record);
  const head = Buffer.alloc(12);
  // The name is that of the question, which stands at byte 12.
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(TYPE_CODES[record.type], 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(60, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function encodeData(record: FakeRecord): Buffer {
  switch (record.type) {
    case "A":
      return Buffer.from(record.address.split(".").map(Number));
    case "AAAA":
      return Buffer.from(record.address);
    case "SRV":
      return Buffer.concat([
        Buffer.from([0, 0, 0, 0, record.port >> 8, record.port & 255]),
        encodeName(record.target),
      ]);
    case "MX":
      return Buffer.concat([Buffer.from([0, 10]), encodeName(record.target)]);
    case "NS":
      return encodeName(record.target);
  }
}

function encodeName(name: string): Buffer {
  const labels = name
    .split(".")
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}
