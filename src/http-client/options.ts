/**
 * How to reach an HTTP server: authentication, TLS, proxies, headers. Plain data, so that it can cross a thread
 * boundary; secrets are in the clear. Checking that fields do not contradict each other is the configuration's task.
 */
export interface HttpClientOptions {
  readonly basicAuth?: BasicAuthOptions | undefined;
  readonly authorization?: AuthorizationOptions | undefined;
  readonly oauth2?: OAuth2Options | undefined;
  readonly tls?: TlsOptions | undefined;
  readonly proxy?: ProxyOptions | undefined;
  /** Otherwise a 3xx answer is the result. Default true. */
  readonly followRedirects?: boolean | undefined;
  /** Offer HTTP/2 to TLS servers. Default true. */
  readonly enableHttp2?: boolean | undefined;
  readonly headers?: Readonly<Record<string, HeaderOptions>> | undefined;
  readonly userAgent?: string | undefined;
}

/** Files are read anew for every request, their content trimmed. */
export interface BasicAuthOptions {
  readonly username?: string | undefined;
  readonly usernameFile?: string | undefined;
  readonly password?: string | undefined;
  readonly passwordFile?: string | undefined;
}

export interface AuthorizationOptions {
  /** Default `Bearer`. */
  readonly type?: string | undefined;
  readonly credentials?: string | undefined;
  readonly credentialsFile?: string | undefined;
}

export interface OAuth2Options {
  readonly clientId: string;
  readonly clientSecret?: string | undefined;
  readonly clientSecretFile?: string | undefined;
  /** `client_credentials` (the default) or `urn:ietf:params:oauth:grant-type:jwt-bearer`. */
  readonly grantType?: string | undefined;
  /** PEM of the key that signs JWTs. */
  readonly clientCertificateKey?: string | undefined;
  readonly clientCertificateKeyFile?: string | undefined;
  readonly clientCertificateKeyId?: string | undefined;
  /** RS256 (the default), RS384 or RS512. */
  readonly signatureAlgorithm?: string | undefined;
  readonly issuer?: string | undefined;
  readonly audience?: string | undefined;
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly tokenUrl: string;
  readonly endpointParams?: Readonly<Record<string, string>> | undefined;
  readonly tls?: TlsOptions | undefined;
  readonly proxy?: ProxyOptions | undefined;
}

export interface TlsOptions {
  /** PEM texts, or files that hold them; a changed file is noticed by the next request. */
  readonly ca?: string | undefined;
  readonly caFile?: string | undefined;
  readonly cert?: string | undefined;
  readonly certFile?: string | undefined;
  readonly key?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly serverName?: string | undefined;
  readonly insecureSkipVerify?: boolean | undefined;
  /** TLS10 … TLS13 */
  readonly minVersion?: string | undefined;
  readonly maxVersion?: string | undefined;
}

export interface ProxyOptions {
  readonly url?: string | undefined;
  readonly noProxy?: string | undefined;
  readonly fromEnvironment?: boolean | undefined;
  /** Sent with CONNECT only. */
  readonly connectHeaders?: Readonly<Record<string, readonly string[]>> | undefined;
}

export interface HeaderOptions {
  readonly values?: readonly string[] | undefined;
  readonly secrets?: readonly string[] | undefined;
  readonly files?: readonly string[] | undefined;
}
