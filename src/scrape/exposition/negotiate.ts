import { quote } from "../../model/quote.ts";

export type ScrapeProtocol =
  | "PrometheusProto"
  | "OpenMetricsText1.0.0"
  | "OpenMetricsText0.0.1"
  | "PrometheusText1.0.0"
  | "PrometheusText0.0.4";

export type ExpositionFormat = "text" | "openmetrics" | "protobuf";

export type EscapingScheme = "allow-utf-8" | "underscores" | "dots" | "values";

const MEDIA: Readonly<Record<ScrapeProtocol, string>> = {
  PrometheusProto:
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
  "OpenMetricsText1.0.0": "application/openmetrics-text;version=1.0.0",
  "OpenMetricsText0.0.1": "application/openmetrics-text;version=0.0.1",
  "PrometheusText1.0.0": "text/plain;version=1.0.0",
  "PrometheusText0.0.4": "text/plain;version=0.0.4",
};

const FORMATS: Readonly<Record<ScrapeProtocol, ExpositionFormat>> = {
  PrometheusProto: "protobuf",
  "OpenMetricsText1.0.0": "openmetrics",
  "OpenMetricsText0.0.1": "openmetrics",
  "PrometheusText1.0.0": "text",
  "PrometheusText0.0.4": "text",
};

/** The Accept header: what we would rather have first, anything else last. */
export function acceptHeader(protocols: readonly ScrapeProtocol[], escaping: EscapingScheme): string {
  // The weights count down from the number of protocols there are, and one for anything.
  let weight = Object.keys(MEDIA).length + 1;
  const accepted = protocols.map((protocol) => {
    const scheme = protocol.endsWith("1.0.0") ? `;escaping=${escaping}` : "";
    return `${MEDIA[protocol]}${scheme};q=0.${weight--}`;
  });
  return [...accepted, `*/*;q=0.${weight}`].join(",");
}

/**
 * The format of a page, by the media type the target names, or the configured one where it names none we know.
 *
 * @throws Error in the words a target's status shows
 */
export function chooseFormat(
  contentType: string | undefined,
  fallback: ScrapeProtocol | undefined,
): ExpositionFormat {
  if (!contentType) {
    if (fallback) return FORMATS[fallback];
    throw new Error(
      "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target",
    );
  }
  const media = mediaType(contentType);
  switch (media) {
    case "text/plain":
      return "text";
    case "application/openmetrics-text":
      return "openmetrics";
    case "application/vnd.google.protobuf":
      return "protobuf";
  }
  if (fallback) return FORMATS[fallback];
  throw new Error(
    media === null
      ? `cannot parse Content-Type ${quote(contentType)} and no fallback_scrape_protocol for target`
      : `received unsupported Content-Type ${quote(contentType)} and no fallback_scrape_protocol specified for target`,
  );
}

/** Type and subtype in lower case; null for what is no media type at all. */
function mediaType(contentType: string): string | null {
  const [media = "", ...parameters] = contentType.split(";").map((part) => part.trim());
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+(\/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?$/.test(media)) return null;
  const areParametersGood = parameters.every(
    (part) => part === "" || /^[^=\s]+\s*=\s*("[^"]*"|[^"\s]+)$/.test(part),
  );
  return areParametersGood ? media.toLowerCase() : null;
}
