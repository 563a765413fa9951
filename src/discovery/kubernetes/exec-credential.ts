import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A helper program has this long, and may say this much. */
const TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 1 << 20;
/** A token is renewed before it ends, so that none ends on its way. */
const RENEWAL_MARGIN_MS = 10_000;

/** The helper program of a kubeconfig's user. */
export interface ExecConfig {
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Beside those of this process. */
  readonly environment: Readonly<Record<string, string>>;
  /** The cluster it is for, where the program wants to know; undefined where not. */
  readonly cluster: Readonly<Record<string, string | boolean | undefined>> | undefined;
}

interface Answer {
  readonly status?: { readonly token?: string; readonly expirationTimestamp?: string };
}

/**
 * Tokens that a helper program gives, as cloud providers' clusters want them. One is used until it ends, or until the
 * cluster refuses it.
 */
export class ExecCredential {
  private current: { readonly token: string; readonly endsMs: number } | null = null;
  private running: Promise<string> | null = null;

  constructor(
    private readonly config: ExecConfig,
    private readonly environment: Readonly<Record<string, string | undefined>>,
    private readonly now: () => number,
  ) {}

  /** @throws Error where the program fails or gives no token */
  async token(): Promise<string> {
    if (this.current && this.now() < this.current.endsMs - RENEWAL_MARGIN_MS) return this.current.token;
    // Whoever comes meanwhile waits for the same run.
    this.running ??= this.ask().finally(() => (this.running = null));
    return this.running;
  }

  /** The cluster has refused the token: the next is asked for anew. */
  refused(): void {
    this.current = null;
  }

  private async ask(): Promise<string> {
    const { apiVersion, args, cluster, command, environment } = this.config;
    const info = { apiVersion, kind: "ExecCredential", spec: { interactive: false, cluster } };
    try {
      const { stdout } = await run(command, args, {
        env: { ...this.environment, ...environment, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
        timeout: TIMEOUT_MS,
        maxBuffer: MAX_OUTPUT_BYTES,
      });
      const { status } = JSON.parse(stdout) as Answer;
      if (!status?.token) throw new Error("it gave no token");
      const endsMs = status.expirationTimestamp ? Date.parse(status.expirationTimestamp) : Infinity;
      this.current = { token: status.token, endsMs: Number.isNaN(endsMs) ? 0 : endsMs };
      return status.token;
    } catch (cause) {
      throw new Error(`cannot get credentials from ${command}: ${(cause as Error).message}`, { cause });
    }
  }
}
