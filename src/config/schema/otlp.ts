import { quote } from "../../model/quote.ts";
import { boolean, choice, field, list, section, text, type Report, type ValueOf } from "./config-type.ts";

export const TRANSLATION_STRATEGIES = [
  "UnderscoreEscapingWithSuffixes",
  "UnderscoreEscapingWithoutSuffixes",
  "NoUTF8EscapingWithSuffixes",
  "NoTranslation",
] as const;
export type TranslationStrategy = (typeof TRANSLATION_STRATEGIES)[number];

export const otlpConfig = section(
  "config.plain",
  {
    promoteAllResourceAttributes: field(boolean, false),
    promoteResourceAttributes: field(list(text), []),
    ignoreResourceAttributes: field(list(text), []),
    translationStrategy: field(
      choice(TRANSLATION_STRATEGIES, (value) => `unsupported OTLP translation strategy ${quote(value)}`),
      "UnderscoreEscapingWithSuffixes",
    ),
    keepIdentifyingResourceAttributes: field(boolean, false),
    convertHistogramsToNhcb: field(boolean, false),
    promoteScopeMetadata: field(boolean, false),
    labelNameUnderscoreSanitization: field(boolean, true),
    labelNamePreserveMultipleUnderscores: field(boolean, true),
  },
  (otlp, report) => {
    const { ignoreResourceAttributes, promoteAllResourceAttributes, promoteResourceAttributes } = otlp;
    if (promoteAllResourceAttributes && promoteResourceAttributes.length > 0) {
      report(
        "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured simultaneously",
      );
    }
    if (!promoteAllResourceAttributes && ignoreResourceAttributes.length > 0) {
      report(
        "'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true",
      );
    }
    checkAttributes("promote_resource_attributes", "promoted", promoteResourceAttributes, report);
    checkAttributes("ignore_resource_attributes", "ignored", ignoreResourceAttributes, report);
  },
);

function checkAttributes(key: string, verb: string, names: readonly string[], report: Report): void {
  const seen = new Set<string>();
  for (const [i, name] of names.entries()) {
    const trimmed = name.trim();
    if (trimmed === "") report(`invalid '${key}': empty ${verb} OTel resource attribute`, [key, i]);
    else if (seen.has(trimmed)) {
      report(`invalid '${key}': duplicated ${verb} OTel resource attribute ${quote(trimmed)}`, [key, i]);
    }
    seen.add(trimmed);
  }
}

export type OtlpConfig = ValueOf<typeof otlpConfig>;
