import { readFileSync, statSync } from "node:fs";
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { checkServerIdentity, DEFAULT_CIPHERS, type PeerCertificate, type SecureVersion } from "node:tls";
import type { TlsOptions } from "./options.ts";

const VERSIONS: Readonly<Record<string, SecureVersion>> = {
  TLS10: "TLSv1",
  TLS11: "TLSv1.1",
  TLS12: "TLSv1.2",
  TLS13: "TLSv1.3",
};

const OLD_VERSIONS: ReadonlySet<SecureVersion> = new Set(["TLSv1", "TLSv1.1"]);

export interface TlsContext {
  minVersion: SecureVersion;
  maxVersion?: SecureVersion;
  rejectUnauthorized: boolean;
  servername?: string;
  ciphers?: string;
  checkServerIdentity(host: string, certificate: PeerCertificate): Error | undefined;
  ca?: string;
  cert?: string;
  key?: string;
}

/** What Node's TLS wants, out of the options and the files they name. @throws Error naming the file that cannot be read */
export function readTlsContext(options: TlsOptions): TlsContext {
  const context: TlsContext = {
    minVersion: VERSIONS[options.minVersion ?? ""] ?? "TLSv1.2",
    rejectUnauthorized: !options.insecureSkipVerify,
    checkServerIdentity: (host, certificate) => identityFault(options.serverName || host, certificate),
  };
  const maxVersion = VERSIONS[options.maxVersion ?? ""];
  if (maxVersion) context.maxVersion = maxVersion;
  // An address is looked for in the certificate; it is no name to ask for.
  if (options.serverName && isIP(options.serverName) === 0) context.servername = options.serverName;
  // Whoever asks for the old versions means their ciphers and signatures too.
  if (OLD_VERSIONS.has(context.minVersion)) context.ciphers = `${DEFAULT_CIPHERS}:@SECLEVEL=0`;
  const ca = options.ca || readPem("CA cert", options.caFile);
  if (ca !== undefined && !holdsCertificate(ca))
    throw new Error(`unable to use specified CA cert ${options.caFile || "<inline>"}`);
  const cert = options.cert || readPem("client cert", options.certFile);
  const key = options.key || readPem("client key", options.keyFile);
  if (ca) context.ca = ca;
  if (cert) context.cert = cert;
  if (key) context.key = key;
  return context;
}

/** An authority without a certificate would leave the system's own in its place. */
function holdsCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

/** As Node checks it; but a star may also stand before a name of one part, as in `*.local`. */
function identityFault(host: string, certificate: PeerCertificate): Error | undefined {
  const fault = checkServerIdentity(host, certificate);
  const { subjectaltname = "" } = certificate;
  const domain = /^[a-z0-9_-]+\.([a-z0-9_-]+)\.?$/i.exec(host)?.[1]?.toLowerCase();
  // What is quoted holds what might be taken for another name.
  if (fault === undefined || domain === undefined || subjectaltname.includes('"')) return fault;
  return subjectaltname.toLowerCase().split(", ").includes(`dns:*.${domain}`) ? undefined : fault;
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
