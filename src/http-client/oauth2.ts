import { createSign, randomUUID } from "node:crypto";
import { basicCredentials, inlineOrFile } from "./credentials.ts";
import type { HttpClient } from "./http-client.ts";
import type { OAuth2Options } from "./options.ts";

/** A token is renewed this long before it ends, so that it does not end on the way. */
const RENEW_EARLY_MS = 10_000;
/** Many requests may wait for one token, so it has a deadline of its own; each waits for its own at the most. */
const TOKEN_TIMEOUT_MS = 30_000;
const TOKEN_ANSWER_LIMIT_BYTES = 1 << 20;
const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/** Fetches and keeps an access token; one token request at a time however many requests wait for it. */
export class OAuth2TokenSource {
  private header = "";
  private expiresAtMs = 0;
  private secretInUse = "";
  private inFlight: Promise<string> | null = null;
  /** Found out with the first token: whether the server wants id and secret in the form instead of a header. */
  private sendsSecretInForm: boolean | undefined;

  constructor(
    private readonly options: OAuth2Options,
    private readonly client: HttpClient,
    private readonly now: () => number,
  ) {}

  /**
   * The value of the Authorization header.
   * @throws Error when no token can be had, or none before the signal aborts
   */
  async authorizationHeader(signal?: AbortSignal): Promise<string> {
    const secret = await this.readSecret();
    if (this.header !== "" && secret === this.secretInUse && this.now() < this.expiresAtMs - RENEW_EARLY_MS) {
      return this.header;
    }
    this.inFlight ??= this.renew(secret).finally(() => (this.inFlight = null));
    return signal ? unlessAborted(this.inFlight, signal) : this.inFlight;
  }

  private async readSecret(): Promise<string> {
    const { options } = this;
    return options.grantType === JWT_BEARER
      ? inlineOrFile(
          options.clientCertificateKey,
          options.clientCertificateKeyFile,
          "oauth2 client certificate key",
        )
      : inlineOrFile(options.clientSecret, options.clientSecretFile, "oauth2 client secret");
  }

  private async renew(secret: string): Promise<string> {
    const answer =
      this.options.grantType === JWT_BEARER
        ? await this.post(this.jwtForm(secret), null)
        : await this.requestWithSecret(secret);
    const token = answer["access_token"];
    if (typeof token !== "string" || token === "")
      throw new Error("oauth2: server response missing access_token");
    const seconds = Number(answer["expires_in"] ?? 0);
    this.expiresAtMs = seconds > 0 ? this.now() + seconds * 1000 : Infinity;
    this.secretInUse = secret;
    this.header = `${tokenType(answer["token_type"])} ${token}`;
    return this.header;
  }

  /** Servers differ in where they look for the secret: the header is tried first, then the form, as Go does. */
  private async requestWithSecret(secret: string): Promise<TokenAnswer> {
    const { clientId } = this.options;
    const form = (): URLSearchParams => {
      const parameters = new URLSearchParams({ grant_type: "client_credentials" });
      if (this.options.scopes?.length) parameters.set("scope", this.options.scopes.join(" "));
      for (const [name, value] of Object.entries(this.options.endpointParams ?? {})) {
        // Some servers want another grant type; nothing else may be said twice.
        if (name !== "grant_type" && parameters.has(name))
          throw new Error(`oauth2: cannot overwrite parameter ${JSON.stringify(name)}`);
        parameters.set(name, value);
      }
      return parameters;
    };
    const inForm = (): URLSearchParams => {
      const parameters = form();
      parameters.set("client_id", clientId);
      if (secret !== "") parameters.set("client_secret", secret);
      return parameters;
    };
    const basic = basicCredentials(encodeURIComponent(clientId), encodeURIComponent(secret));
    if (this.sendsSecretInForm !== undefined) {
      return this.sendsSecretInForm ? this.post(inForm(), null) : this.post(form(), basic);
    }
    try {
      const answer = await this.post(form(), basic);
      this.sendsSecretInForm = false;
      return answer;
    } catch {
      const answer = await this.post(inForm(), null);
      this.sendsSecretInForm = true;
      return answer;
    }
  }

  private jwtForm(key: string): URLSearchParams {
    const { options } = this;
    const algorithm = options.signatureAlgorithm || "RS256";
    const issuedAt = Math.floor(this.now() / 1000);
    const header: Record<string, unknown> = { alg: algorithm, typ: "JWT" };
    if (options.clientCertificateKeyId) header["kid"] = options.clientCertificateKeyId;
    const claims: Record<string, unknown> = {
      iss: options.issuer || options.clientId,
      sub: options.clientId,
      aud: options.audience || options.tokenUrl,
      jti: randomUUID(),
      iat: issuedAt,
      exp: issuedAt + 3600,
      ...(options.scopes?.length ? { scope: options.scopes.join(" ") } : {}),
      ...options.claims,
    };
    const signed = `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(claims))}`;
    const signature = createSign(`RSA-SHA${algorithm.slice(2)}`)
      .update(signed)
      .sign(key, "base64url");
    const parameters = new URLSearchParams({ grant_type: JWT_BEARER, assertion: `${signed}.${signature}` });
    for (const [name, value] of Object.entries(options.endpointParams ?? {})) parameters.set(name, value);
    return parameters;
  }

  private async post(form: URLSearchParams, authorization: string | null): Promise<TokenAnswer> {
    const response = await this.client.request(this.options.tokenUrl, {
      method: "POST",
      body: form.toString(),
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        ...(authorization === null ? {} : { authorization }),
      },
      timeoutMs: TOKEN_TIMEOUT_MS,
    });
    const body = (await response.read(TOKEN_ANSWER_LIMIT_BYTES)).toString("utf8");
    if (response.status < 200 || response.status > 299) {
      throw new Error(`oauth2: cannot fetch token: ${response.statusLine}\nResponse: ${body}`);
    }
    return parseAnswer(body, String(response.headers["content-type"] ?? ""));
  }
}

/** Waits for a promise that others wait for too, and no longer than the signal allows. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let giveUp = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    giveUp = () => reject(new Error("oauth2: no token in time"));
    if (signal.aborted) giveUp();
    else signal.addEventListener("abort", giveUp, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

type TokenAnswer = Readonly<Record<string, unknown>>;

function parseAnswer(body: string, contentType: string): TokenAnswer {
  if (
    /^(application\/x-www-form-urlencoded|text\/plain)/.test(contentType) &&
    !body.trimStart().startsWith("{")
  ) {
    return Object.fromEntries(new URLSearchParams(body));
  }
  try {
    const answer: unknown = JSON.parse(body);
    if (typeof answer === "object" && answer !== null) return answer as TokenAnswer;
  } catch (cause) {
    throw new Error("oauth2: cannot parse json", { cause });
  }
  throw new Error("oauth2: cannot parse json: not an object");
}

function tokenType(type: unknown): string {
  if (typeof type !== "string" || type === "") return "Bearer";
  const known: Record<string, string> = { bearer: "Bearer", mac: "MAC", basic: "Basic" };
  return known[type.toLowerCase()] ?? type;
}

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url");
}
