/** What the main thread asks of the configuration thread, and its only answer. */
import type { ConfigProblem } from "../config/config-error.ts";
import type { LoadOptions } from "../config/load.ts";

export type ConfigRequest = Pick<LoadOptions, "fileName" | "extraScrapeMetrics" | "protobufFirst">;

export interface ConfigWarning {
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
}

export type FromConfigThread = { readonly warnings: readonly ConfigWarning[] } & (
  | {
      readonly type: "loaded";
      /** See `toPlain`. */
      readonly plainConfig: unknown;
      readonly text: string;
      readonly jobTexts: ReadonlyMap<string, string>;
    }
  | { readonly type: "faulty"; readonly problems: readonly ConfigProblem[] }
);
