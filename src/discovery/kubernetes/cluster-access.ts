import { readFileSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { parse } from "yaml";
import type { DiscoveryConfigOf } from "../../config/schema/discovery.ts";
import { httpClientOptions } from "../../config/http-client-options.ts";
import type { HttpClientOptions } from "../../http-client/index.ts";
import type { DiscoverySurroundings } from "../mechanism.ts";
import { ExecCredential } from "./exec-credential.ts";

/** Where a cluster's API answers and who asks. */
export interface ClusterAccess {
  readonly baseUrl: string;
  readonly http: HttpClientOptions;
  /** Gives a token for each request, where neither `http` nor the configuration has credentials of their own. */
  readonly credential: ExecCredential | null;
  /** The namespace that whoever asks belongs to; "" where that isn't known. */
  readonly ownNamespace: string;
}

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * By the configured server, by a kubeconfig file, or else by the service account of the pod we run in.
 *
 * @throws Error where none of these can be used
 */
export function clusterAccess(
  config: DiscoveryConfigOf<"kubernetes">,
  surroundings: DiscoverySurroundings,
  serviceAccount = SERVICE_ACCOUNT,
): ClusterAccess {
  const { environment, userAgent } = surroundings;
  if (config.apiServer !== "") {
    const baseUrl = config.apiServer.replace(/\/$/, "");
    return { baseUrl, http: httpClientOptions(config, userAgent), credential: null, ownNamespace: "" };
  }
  if (config.kubeconfigFile !== "") return kubeconfigAccess(config.kubeconfigFile, surroundings);
  const host = environment["KUBERNETES_SERVICE_HOST"];
  const port = environment["KUBERNETES_SERVICE_PORT"];
  if (!host || !port) {
    throw new Error(
      "unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined",
    );
  }
  return {
    baseUrl: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    // The token is renewed in its file from time to time, and read from there for every request.
    http: {
      authorization: { type: "Bearer", credentialsFile: `${serviceAccount}/token` },
      tls: { caFile: `${serviceAccount}/ca.crt` },
      userAgent,
    },
    credential: null,
    ownNamespace: config.namespaces.ownNamespace
      ? readFileSync(`${serviceAccount}/namespace`, "utf8").trim()
      : "",
  };
}

interface Kubeconfig {
  readonly "current-context"?: string;
  readonly contexts?: readonly Named<"context", { cluster: string; user?: string; namespace?: string }>[];
  readonly clusters?: readonly Named<"cluster", Readonly<Record<string, string>>>[];
  readonly users?: readonly Named<"user", Readonly<Record<string, string>> & { exec?: HelperProgram }>[];
}

interface HelperProgram {
  readonly apiVersion?: string;
  readonly command?: string;
  readonly args?: readonly string[] | null;
  readonly provideClusterInfo?: string;
  readonly env?: readonly { readonly name: string; readonly value: string }[] | null;
}

type Named<K extends string, T> = { readonly name: string } & Readonly<Record<K, T>>;

function kubeconfigAccess(path: string, surroundings: DiscoverySurroundings): ClusterAccess {
  const { userAgent } = surroundings;
  const file = parse(readFileSync(path, "utf8"), { schema: "failsafe" }) as Kubeconfig | null;
  const contextName = file?.["current-context"] ?? "";
  const find = <T extends { readonly name: string }>(
    what: string,
    list: readonly T[] | undefined,
    name: string,
  ): T => {
    const found = list?.find((entry) => entry.name === name);
    if (found === undefined)
      throw new Error(`cannot use kubeconfig ${path}: there is no ${what} ${JSON.stringify(name)}`);
    return found;
  };
  const { context } = find("context", file?.contexts, contextName);
  const { cluster } = find("cluster", file?.clusters, context.cluster);
  const user: Partial<NonNullable<Kubeconfig["users"]>[number]["user"]> = context.user
    ? find("user", file?.users, context.user).user
    : {};
  if (user["auth-provider"] !== undefined)
    throw new Error(`cannot use kubeconfig ${path}: it names an auth-provider, where exec must stand`);
  const server = cluster["server"];
  if (server === undefined) throw new Error(`cannot use kubeconfig ${path}: the cluster has no server`);
  const fromFolder = (file: string | undefined) =>
    file === undefined || isAbsolute(file) ? file : join(dirname(path), file);
  const decoded = (data: string | undefined) =>
    data === undefined ? undefined : Buffer.from(data, "base64").toString();
  const hasToken = user["token"] !== undefined || user["tokenFile"] !== undefined;
  return {
    baseUrl: server.replace(/\/$/, ""),
    credential: helperProgram(user.exec, cluster, path, surroundings),
    http: {
      tls: {
        ca: decoded(cluster["certificate-authority-data"]),
        caFile: fromFolder(cluster["certificate-authority"]),
        cert: decoded(user["client-certificate-data"]),
        certFile: fromFolder(user["client-certificate"]),
        key: decoded(user["client-key-data"]),
        keyFile: fromFolder(user["client-key"]),
        serverName: cluster["tls-server-name"],
        insecureSkipVerify: cluster["insecure-skip-tls-verify"] === "true",
      },
      basicAuth:
        user["username"] === undefined
          ? undefined
          : { username: user["username"], password: user["password"] },
      authorization: hasToken
        ? { type: "Bearer", credentials: user["token"], credentialsFile: fromFolder(user["tokenFile"]) }
        : undefined,
      userAgent,
    },
    ownNamespace: context.namespace ?? "default",
  };
}

function helperProgram(
  exec: HelperProgram | undefined,
  cluster: Readonly<Record<string, string>>,
  path: string,
  { environment, now }: DiscoverySurroundings,
): ExecCredential | null {
  if (exec === undefined) return null;
  const { apiVersion = "", args, command = "", env } = exec;
  if (command === "") throw new Error(`cannot use kubeconfig ${path}: exec has no command`);
  // A bare name is looked up in the PATH; anything else is taken from the file's folder.
  const program = command.includes("/") && !isAbsolute(command) ? join(dirname(path), command) : command;
  const variables = Object.fromEntries((env ?? []).map(({ name, value }) => [name, value]));
  const told = {
    server: cluster["server"],
    "tls-server-name": cluster["tls-server-name"],
    "insecure-skip-tls-verify": cluster["insecure-skip-tls-verify"] === "true" ? true : undefined,
    "certificate-authority-data": cluster["certificate-authority-data"],
  };
  return new ExecCredential(
    {
      apiVersion,
      command: program,
      args: args ?? [],
      environment: variables,
      cluster: exec.provideClusterInfo === "true" ? told : undefined,
    },
    environment,
    now,
  );
}
