import { randomUUID } from "node:crypto";
import { signAwsRequest, type AwsCredentials } from "../http-client/aws-signature.ts";
import type { HttpClient } from "../http-client/index.ts";
import { queryString } from "./fetch-json.ts";
import { child, childText, parseXml } from "./xml.ts";

const API_VERSION = "2011-06-15";
/** How long a role's keys are asked for. */
const SESSION_SECONDS = 900;
/** Keys are renewed this long before they end. */
const RENEW_EARLY_MS = 60_000;
const ANSWER_LIMIT_BYTES = 1 << 20;
const TIMEOUT_MS = 30_000;

export interface AwsRoleOptions {
  readonly roleArn: string;
  /** What the role's owner agreed on with whoever takes it; "" for nothing. */
  readonly externalId: string;
  readonly region: string;
  /** Where tokens are given out; "" for Amazon's own address in the region. */
  readonly endpoint: string;
}

/** Where a service of Amazon's answers; China has its own domain. */
export function awsUrl(service: string, region: string): string {
  return `https://${service}.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;
}

/** A role taken with keys of one's own: gives keys that last some minutes, and renews them. */
export class AwsRole {
  private current: { readonly credentials: AwsCredentials; readonly endsMs: number } | null = null;

  constructor(
    private readonly options: AwsRoleOptions,
    private readonly client: HttpClient,
    private readonly now: () => number,
  ) {}

  /** @throws Error where the role is not given, with what the service says */
  async credentials(own: AwsCredentials, signal: AbortSignal): Promise<AwsCredentials> {
    if (this.current === null || this.now() >= this.current.endsMs - RENEW_EARLY_MS)
      this.current = await this.assume(own, signal);
    return this.current.credentials;
  }

  private async assume(own: AwsCredentials, signal: AbortSignal) {
    const { endpoint, externalId, region, roleArn } = this.options;
    const parameters: [string, string][] = [
      ["Action", "AssumeRole"],
      ["Version", API_VERSION],
      ["RoleArn", roleArn],
      ["RoleSessionName", `narthex-${randomUUID()}`],
      ["DurationSeconds", String(SESSION_SECONDS)],
    ];
    if (externalId !== "") parameters.push(["ExternalId", externalId]);
    const body = queryString(parameters).slice(1);
    const url = new URL(endpoint || awsUrl("sts", region)).href;
    const headers = { "content-type": "application/x-www-form-urlencoded; charset=utf-8" };
    const request = { method: "POST", url, headers, body, region, service: "sts" } as const;
    const signed = signAwsRequest(request, own, this.now());
    const response = await this.client.request(url, {
      method: "POST",
      body,
      headers: signed,
      signal,
      timeoutMs: TIMEOUT_MS,
    });
    const text = (await response.read(ANSWER_LIMIT_BYTES)).toString();
    if (response.status !== 200) {
      throw new Error(
        `cannot take role ${roleArn}: server returned HTTP status ${response.statusLine}: ${text.slice(0, 300)}`,
      );
    }
    const keys = child(child(parseXml(text), "AssumeRoleResult"), "Credentials");
    const credentials = {
      accessKey: childText(keys, "AccessKeyId"),
      secretKey: childText(keys, "SecretAccessKey"),
      sessionToken: childText(keys, "SessionToken"),
    };
    const endsMs = Date.parse(childText(keys, "Expiration"));
    if (credentials.accessKey === "" || Number.isNaN(endsMs))
      throw new Error(`cannot take role ${roleArn}: the answer holds no keys`);
    return { credentials, endsMs };
  }
}
