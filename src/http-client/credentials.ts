import { readFile } from "node:fs/promises";
import type { AuthorizationOptions, BasicAuthOptions, HeaderOptions } from "./options.ts";
import { describeFileError } from "./tls-context.ts";

/** The value of the Authorization header, read at the time of the request so that rotated secrets are taken up. */
export async function basicAuthHeader(options: BasicAuthOptions): Promise<string> {
  const username = await inlineOrFile(options.username, options.usernameFile, "basic auth username");
  const password = await inlineOrFile(options.password, options.passwordFile, "basic auth password");
  return basicCredentials(username.trim(), password.trim());
}

/** What a URL says before its host, as the value of a header; null where it says nothing. */
export function credentialsOf({ username, password }: URL): string | null {
  return username === ""
    ? null
    : basicCredentials(decodeURIComponent(username), decodeURIComponent(password));
}

/** Name and password as the value of an Authorization header; neither may hold what would have to be escaped. */
export function basicCredentials(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

export async function authorizationHeader(options: AuthorizationOptions): Promise<string> {
  const credentials = await inlineOrFile(
    options.credentials,
    options.credentialsFile,
    "authorization credentials",
  );
  return `${options.type || "Bearer"} ${credentials}`;
}

/** Values, secrets and the contents of files of each configured header, in that order. */
export async function extraHeaders(
  headers: Readonly<Record<string, HeaderOptions>>,
): Promise<Record<string, string[]>> {
  const result: Record<string, string[]> = {};
  for (const [name, header] of Object.entries(headers)) {
    const values = [...(header.values ?? []), ...(header.secrets ?? [])];
    for (const path of header.files ?? []) values.push(await secretFromFile(path, `header ${name}`));
    result[name] = values;
  }
  return result;
}

export async function inlineOrFile(
  inline: string | undefined,
  path: string | undefined,
  what: string,
): Promise<string> {
  return path ? secretFromFile(path, what) : (inline ?? "");
}

async function secretFromFile(path: string, what: string): Promise<string> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (cause) {
    throw new Error(`unable to read ${what} file ${path}: ${describeFileError(cause)}`, { cause });
  }
}
