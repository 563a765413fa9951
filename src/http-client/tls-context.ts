import { readFileSync, statSync } from "node:fs";
import type { SecureVersion } from "node:tls";
import type { TlsOptions } from "./options.ts";

const VERSIONS: Readonly<Record<string, SecureVersion>> = {
  TLS10: "TLSv1",
  TLS11: "TLSv1.1",
  TLS12: "TLSv1.2",
  TLS13: "TLSv1.3",
};

export interface TlsContext {
  minVersion: SecureVersion;
  maxVersion?: SecureVersion;
  rejectUnauthorized: boolean;
  servername?: string;
  ca?: string;
  cert?: string;
  key?: string;
}

/** What Node's TLS wants, out of the options and the files they name. @throws Error naming the file that cannot be read */
export function readTlsContext(options: TlsOptions): TlsContext {
  const context: TlsContext = {
    minVersion: VERSIONS[options.minVersion ?? ""] ?? "TLSv1.2",
    rejectUnauthorized: !options.insecureSkipVerify,
  };
  const maxVersion = VERSIONS[options.maxVersion ?? ""];
  if (maxVersion) context.maxVersion = maxVersion;
  if (options.serverName) context.servername = options.serverName;
  const ca = options.ca || readPem("CA cert", options.caFile);
  const cert = options.cert || readPem("client cert", options.certFile);
  const key = options.key || readPem("client key", options.keyFile);
  if (ca) context.ca = ca;
  if (cert) context.cert = cert;
  if (key) context.key = key;
  return context;
}

function readPem(what: string, path: string | undefined): string | undefined {
  if (!path) return undefined;
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new Error(`unable to use specified ${what} ${path}: ${describeFileError(cause)}`, { cause });
  }
}

/** Changes whenever one of the files behind the options does: compare before a request, rebuild when it differs. */
export function tlsFilesVersion(options: TlsOptions | undefined): string {
  if (!options || !(options.caFile || options.certFile || options.keyFile)) return "";
  return [options.caFile, options.certFile, options.keyFile]
    .map((path) => {
      if (!path) return "";
      const status = statSync(path, { throwIfNoEntry: false });
      return status ? `${status.mtimeMs}/${status.size}/${status.ino}` : "absent";
    })
    .join(" ");
}

/** `open /x: no such file or directory`, the way the operating system puts it. */
export function describeFileError(error: unknown): string {
  const { code, path } = error as NodeJS.ErrnoException;
  const reason =
    code === "ENOENT"
      ? "no such file or directory"
      : code === "EACCES"
        ? "permission denied"
        : code === "EISDIR"
          ? "is a directory"
          : (error as Error).message;
  return path ? `open ${path}: ${reason}` : reason;
}
