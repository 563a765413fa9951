import type { HttpClientOptions, ProxyOptions, TlsOptions } from "../http-client/options.ts";
import type { HttpClientConfig, ProxyConfig, TlsConfig } from "./schema/http-client.ts";
import { Secret } from "./secret.ts";

/** The options as the HTTP client takes them: plain data, secrets in the clear. */
export function httpClientOptions(config: HttpClientConfig, userAgent: string): HttpClientOptions {
  const { authorization, basicAuth, oauth2 } = config;
  return {
    basicAuth: basicAuth && {
      username: orUndefined(basicAuth.username),
      usernameFile: orUndefined(basicAuth.usernameFile),
      password: revealed(basicAuth.password),
      passwordFile: orUndefined(basicAuth.passwordFile),
    },
    authorization: authorization && {
      type: authorization.type,
      credentials: revealed(authorization.credentials),
      credentialsFile: orUndefined(authorization.credentialsFile),
    },
    oauth2: oauth2 && {
      clientId: oauth2.clientId,
      clientSecret: revealed(oauth2.clientSecret),
      clientSecretFile: orUndefined(oauth2.clientSecretFile),
      grantType: orUndefined(oauth2.grantType),
      clientCertificateKey: revealed(oauth2.clientCertificateKey),
      clientCertificateKeyFile: orUndefined(oauth2.clientCertificateKeyFile),
      clientCertificateKeyId: orUndefined(oauth2.clientCertificateKeyId),
      signatureAlgorithm: orUndefined(oauth2.signatureAlgorithm),
      issuer: orUndefined(oauth2.iss),
      audience: orUndefined(oauth2.audience),
      claims: oauth2.claims,
      scopes: oauth2.scopes,
      tokenUrl: oauth2.tokenUrl,
      endpointParams: oauth2.endpointParams,
      tls: tlsOptions(oauth2.tlsConfig),
      proxy: proxyOptions(oauth2),
    },
    tls: tlsOptions(config.tlsConfig),
    proxy: proxyOptions(config),
    followRedirects: config.followRedirects,
    enableHttp2: config.enableHttp2,
    headers: Object.fromEntries(
      Object.entries(config.httpHeaders).map(([name, { values, secrets, files }]) => [
        name,
        { values, secrets: secrets.map((item) => item.reveal()), files },
      ]),
    ),
    userAgent,
  };
}

/** TLS settings as the HTTP client takes them. */
export function tlsOptions(tls: TlsConfig): TlsOptions | undefined {
  const isSet = (value: string | boolean | Secret) =>
    value instanceof Secret ? !value.isEmpty : Boolean(value);
  if (!Object.values(tls).some(isSet)) return undefined;
  return {
    ca: orUndefined(tls.ca),
    caFile: orUndefined(tls.caFile),
    cert: orUndefined(tls.cert),
    certFile: orUndefined(tls.certFile),
    key: revealed(tls.key),
    keyFile: orUndefined(tls.keyFile),
    serverName: orUndefined(tls.serverName),
    insecureSkipVerify: tls.insecureSkipVerify,
    minVersion: orUndefined(tls.minVersion),
    maxVersion: orUndefined(tls.maxVersion),
  };
}

function proxyOptions(proxy: ProxyConfig): ProxyOptions | undefined {
  if (proxy.proxyUrl === "" && !proxy.proxyFromEnvironment) return undefined;
  return {
    url: orUndefined(proxy.proxyUrl),
    noProxy: orUndefined(proxy.noProxy),
    fromEnvironment: proxy.proxyFromEnvironment,
    connectHeaders: Object.fromEntries(
      Object.entries(proxy.proxyConnectHeader).map(([name, values]) => [
        name,
        values.map((item) => item.reveal()),
      ]),
    ),
  };
}

function orUndefined(value: string): string | undefined {
  return value === "" ? undefined : value;
}

function revealed(value: Secret): string | undefined {
  return value.isEmpty ? undefined : value.reveal();
}
