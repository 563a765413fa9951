import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** A SOCKS 5 proxy on loopback, for which every host is this one. */
export class SocksProxy {
  /** `host:port`, in the order they came. */
  readonly asked: string[] = [];
  /** The code of its answer; 0 connects. */
  reply = 0;

  private constructor(
    private readonly server: Server,
    readonly login: readonly [name: string, password: string] | null,
  ) {}

  static async start(login: SocksProxy["login"]): Promise<SocksProxy> {
    const server = createServer((socket) => {
      socket.on("error", () => {});
      void proxy.serve(socket).catch(() => socket.destroy());
    });
    const proxy = new SocksProxy(server, login);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  close(): void {
    this.server.close();
  }

  private async serve(socket: Socket): Promise<void> {
    const [, methodCount] = await take(socket, 2);
    const methods = await take(socket, methodCount!);
    const method = this.login === null ? 0 : 2;
    if (!methods.includes(method)) return void socket.end(Buffer.from([5, 255]));
    socket.write(Buffer.from([5, method]));
    if (this.login !== null) {
      await take(socket, 1);
      const name = (await take(socket, (await take(socket, 1))[0]!)).toString();
      const password = (await take(socket, (await take(socket, 1))[0]!)).toString();
      const isRight = name === this.login[0] && password === this.login[1];
      socket.write(Buffer.from([1, Number(!isRight)]));
      if (!isRight) return void socket.end();
    }
    const kind = (await take(socket, 4))[3]!;
    const host = await this.host(socket, kind);
    const port = (await take(socket, 2)).readUInt16BE();
    if (this.reply !== 0) return void socket.end(Buffer.from([5, this.reply, 0, 1, 0, 0, 0, 0, 0, 0]));
    this.asked.push(`${host}:${port}`);
    const upstream = connect(port, "127.0.0.1", () => {
      // The address it connects from, as a name.
      socket.write(Buffer.from([5, 0, 0, 3, 2, 0x6d, 0x65, 0, 1]));
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on("error", () => socket.destroy());
  }

  private async host(socket: Socket, kind: number): Promise<string> {
    if (kind === 1) return [...(await take(socket, 4))].join(".");
    if (kind === 3) return (await take(socket, (await take(socket, 1))[0]!)).toString();
    const bytes = await take(socket, 16);
    return Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16)).join(":");
  }
}

async function take(socket: Socket, size: number): Promise<Buffer> {
  for (;;) {
    const bytes = socket.read(size) as Buffer | null;
    if (bytes !== null) return bytes;
    if (socket.readableEnded || socket.destroyed) throw new Error("the client hung up");
    await new Promise((resolve) => socket.once("readable", resolve));
  }
}
