import { readFileSync } from "node:fs";
import { ConfigError, type ConfigProblem } from "../config/config-error.ts";
import { readAs } from "../config/load.ts";
import { targetListFile } from "../config/schema/discovery.ts";
import { YamlSource } from "../config/yaml-source.ts";
import { parseTargetList, type TargetListEntry } from "./target-list.ts";

/** The entries of a JSON or YAML file of targets. @throws Error saying what is wrong with the file */
export function readTargetFile(path: string): readonly TargetListEntry[] {
  const text = readFileSync(path, "utf8");
  if (/\.json$/i.test(path)) return parseTargetList(text);
  const problems: ConfigProblem[] = [];
  const source = new YamlSource(text, path);
  if (source.root === null) return [];
  const entries = readAs(targetListFile, source, problems);
  if (entries === null) throw new ConfigError(problems);
  return entries;
}
