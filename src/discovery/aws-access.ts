import { readFileSync } from "node:fs";
import { join } from "node:path";
import { httpClientOptions } from "../config/http-client-options.ts";
import type { HttpClientConfig } from "../config/schema/http-client.ts";
import type { Secret } from "../config/secret.ts";
import { signAwsRequest, type AwsCredentials } from "../http-client/aws-signature.ts";
import type { HttpClient } from "../http-client/index.ts";
import { AwsRole, awsUrl } from "./aws-role.ts";
import { MAX_ANSWER_BYTES } from "./http.ts";
import type { DiscoverySurroundings } from "./mechanism.ts";

type AwsConfig = HttpClientConfig & {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: Secret;
  readonly profile: string;
  readonly roleArn: string;
  readonly externalId: string;
  readonly refreshInterval: number;
};

/** One of Amazon's services in a region, with the right to ask it. */
export class AwsService {
  readonly client: HttpClient;
  readonly region: string;
  private readonly url: string;
  private readonly role: AwsRole | null;

  /** @throws Error where the region isn't known */
  constructor(
    private readonly service: string,
    private readonly config: AwsConfig,
    private readonly surroundings: DiscoverySurroundings,
  ) {
    const { environment } = surroundings;
    this.region =
      config.region ||
      environment["AWS_REGION"] ||
      environment["AWS_DEFAULT_REGION"] ||
      sharedSettings(environment, "AWS_CONFIG_FILE", "config", config.profile)["region"] ||
      "";
    if (this.region === "") throw new Error(`${service} discovery needs a region`);
    this.url = config.endpoint || awsUrl(service, this.region);
    this.client = surroundings.createHttpClient(httpClientOptions(config, surroundings.userAgent));
    const { externalId, roleArn } = config;
    const endpoint = environment["AWS_ENDPOINT_URL_STS"] ?? "";
    this.role =
      roleArn === ""
        ? null
        : new AwsRole({ roleArn, externalId, region: this.region, endpoint }, this.client, surroundings.now);
  }

  /** Posts a signed request and gives the text of the answer. @throws Error for another status than 200 */
  async post(body: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<string> {
    const url = new URL(this.url).href;
    const request = { method: "POST", url, headers, body, region: this.region, service: this.service };
    const own = this.ownCredentials();
    const credentials = this.role === null ? own : await this.role.credentials(own, signal);
    const signed = signAwsRequest(request, credentials, this.surroundings.now());
    const response = await this.client.request(url, {
      method: "POST",
      body,
      headers: signed,
      signal,
      timeoutMs: this.config.refreshInterval,
    });
    const text = (await response.read(MAX_ANSWER_BYTES)).toString();
    if (response.status !== 200) {
      throw new Error(`server returned HTTP status ${response.statusLine}: ${text.slice(0, 300)}`);
    }
    return text;
  }

  /** Looked up anew for every request: keys in files and the environment of a container change. */
  private ownCredentials(): AwsCredentials {
    const { accessKey, profile, secretKey } = this.config;
    const { environment } = this.surroundings;
    if (accessKey !== "") return { accessKey, secretKey: secretKey.reveal(), sessionToken: "" };
    const fromEnvironment = environment["AWS_ACCESS_KEY_ID"];
    if (profile === "" && fromEnvironment) {
      return {
        accessKey: fromEnvironment,
        secretKey: environment["AWS_SECRET_ACCESS_KEY"] ?? "",
        sessionToken: environment["AWS_SESSION_TOKEN"] ?? "",
      };
    }
    const shared = sharedSettings(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials", profile);
    const sharedKey = shared["aws_access_key_id"];
    if (sharedKey === undefined)
      throw new Error("no AWS credentials: none configured, in the environment or in the shared file");
    return {
      accessKey: sharedKey,
      secretKey: shared["aws_secret_access_key"] ?? "",
      sessionToken: shared["aws_session_token"] ?? "",
    };
  }
}

/** The settings of a profile in one of Amazon's two shared files; nothing where there is no such file. */
function sharedSettings(
  environment: Readonly<Record<string, string | undefined>>,
  variable: string,
  fileName: string,
  profile: string,
): Readonly<Record<string, string>> {
  const path = environment[variable] ?? join(environment["HOME"] ?? "", ".aws", fileName);
  const wanted = profile || environment["AWS_PROFILE"] || "default";
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return {};
  }
  const settings: Record<string, string> = {};
  let current = "";
  for (const line of text.split("\n")) {
    const heading = /^\s*\[(?:profile\s+)?([^\]]+)\]/.exec(line)?.[1];
    if (heading !== undefined) current = heading.trim();
    const setting = /^\s*([a-z_]+)\s*=\s*(.*?)\s*$/.exec(line);
    if (current === wanted && setting !== null) settings[setting[1]!] = setting[2]!;
  }
  return settings;
}
