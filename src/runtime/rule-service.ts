import type { Registry } from "prom-client";
import type { RuleGroupBody } from "../api/types.ts";
import type { Config } from "../config/effective-config.ts";
import { Labels } from "../model/labels.ts";
import type { ParserOptions } from "../promql/parse/ast.ts";
import type { Alert } from "../rules/alert.ts";
import type { RuleStorage } from "../rules/ports.ts";
import { RuleManager } from "../rules/rule-manager.ts";
import { alertTemplateError } from "../rules/template/alert-template.ts";
import type { Logger } from "../telemetry/logger.ts";
import { ruleGroupBody } from "./rule-bodies.ts";
import { systemClock } from "./system-clock.ts";

export interface RuleServiceOptions {
  readonly storage: RuleStorage;
  readonly parserOptions: ParserOptions;
  readonly registry: Registry;
  readonly log: Logger;
  readonly sendAlerts: (alerts: readonly Alert[]) => void;
  readonly externalUrl: string;
  readonly outageToleranceMs: number;
  readonly gracePeriodMs: number;
  readonly resendDelayMs: number;
  /** 0: rules of a group run one after the other. */
  readonly maxConcurrentEvaluations: number;
}

/**
 * The rules of the configuration, running. The parsers, which only rules need on this thread, are loaded with the first
 * configuration that has any; that a configuration without rules came before is told to the manager all the same, for
 * it treats the first one of a server's life with care.
 */
export class RuleService {
  private manager: RuleManager | null = null;
  private isStarted = false;
  private hadEmptyConfig = false;

  constructor(private readonly options: RuleServiceOptions) {}

  /** Loads the rule files and replaces the groups. @throws Error with all that is wrong; the old groups then stay */
  async apply(config: Config): Promise<void> {
    if (this.manager === null && config.ruleFiles.length === 0) {
      this.hadEmptyConfig = true;
      return;
    }
    const [{ parseExpr, printExpr }, { loadRuleGroups }] = await Promise.all([
      import("../promql/parse/index.ts"),
      import("./rule-files.ts"),
    ]);
    const { parserOptions } = this.options;
    const groups = loadRuleGroups(config, {
      expression: (text) => void parseExpr(text, parserOptions),
      template: (text, alertName) => {
        const error = alertTemplateError(alertName, text);
        if (error !== null) throw new Error(error);
      },
    });
    if (this.manager === null) {
      this.manager = new RuleManager({
        clock: systemClock,
        storage: this.options.storage,
        parse: (text) => {
          const expr = parseExpr(text, parserOptions);
          return { text: printExpr(expr), expr };
        },
        sendAlerts: this.options.sendAlerts,
        registry: this.options.registry,
        log: this.options.log,
        resendDelayMs: this.options.resendDelayMs,
        outageToleranceMs: this.options.outageToleranceMs,
        gracePeriodMs: this.options.gracePeriodMs,
        maxConcurrentEvaluations: this.options.maxConcurrentEvaluations,
      });
    }
    const context = {
      externalLabels: Labels.fromRecord(config.global.externalLabels),
      externalUrl: this.options.externalUrl,
    };
    if (this.hadEmptyConfig) await this.manager.update([], context);
    this.hadEmptyConfig = false;
    await this.manager.update(groups, context);
    if (this.isStarted) this.manager.start();
  }

  /** Groups run from now on, those that come later too. */
  start(): void {
    this.isStarted = true;
    this.manager?.start();
  }

  groups(): RuleGroupBody[] {
    return this.manager?.groups.map(ruleGroupBody) ?? [];
  }

  async stop(): Promise<void> {
    await this.manager?.stop();
  }
}
