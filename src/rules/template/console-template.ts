/** Console pages: templates that give HTML, escaped by its places, with libraries of templates they can call. */
import { quote } from "../../model/quote.ts";
import type { Labels } from "../../model/labels.ts";
import { executeTemplate, newBudget } from "./execute.ts";
import { templateFunctions, type FunctionContext, type TemplateFunction } from "./functions.ts";
import { HtmlEscaper } from "./html-escaper.ts";
import { isEmptyTree, parseTemplate, type Tree } from "./parse.ts";
import type { QueryMemo, QueryResults } from "./query-memo.ts";
import { HtmlValue, ListValue, MapValue, StructValue, type Value } from "./value.ts";

export interface ConsolePage {
  /** As error messages call it. */
  readonly name: string;
  readonly text: string;
  /** The files whose templates the page can call, by file name. */
  readonly libraries: readonly { readonly name: string; readonly text: string }[];
  /** The path of the page below the console folder. */
  readonly path: string;
  readonly params: URLSearchParams;
  readonly externalLabels: Labels;
}

export interface ConsoleContext {
  readonly timeMs: number;
  readonly externalUrl: string;
  readonly queries: QueryMemo;
}

/** Short names for the data, in front of every page. */
const DEFINITIONS =
  "{{$rawParams := .RawParams }}{{$params := .Params}}{{$path := .Path}}{{$externalLabels := .ExternalLabels}}";

const DATA_TYPE =
  "struct { RawParams url.Values; Params map[string]string; Path string; ExternalLabels map[string]string }";

/** How deep templates may call each other through `tmpl`. */
const MAX_TMPL_DEPTH = 50;

/** The page as HTML. @throws Error with what is wrong in the page or its libraries */
export async function renderConsole(page: ConsolePage, context: ConsoleContext): Promise<string> {
  const name = `__console_${page.name}`;
  const trees = parsePage(name, page);
  const data = dataOf(page);
  try {
    return await context.queries.run((queries) => execute(name, data, trees, { ...context, queries }));
  } catch (cause) {
    throw new Error(`error executing template ${name}: ${messageOf(cause)}`, { cause });
  }
}

function execute(
  name: string,
  data: Value,
  trees: ReadonlyMap<string, Tree>,
  context: FunctionContext & { readonly queries: QueryResults },
): string {
  const budget = newBudget();
  let depth = 0;
  const render = (templateName: string, templateData: Value): string =>
    executeTemplate(templateName, templateData, {
      trees,
      functions,
      context,
      budget,
      escaper: new HtmlEscaper(),
    });
  const tmpl: TemplateFunction = {
    parameters: ["string", "interface {}"],
    isVariadic: false,
    call([templateName, templateData]) {
      const name = templateName as string;
      if (!trees.has(name)) throw new Error(`html/template: ${quote(name)} is undefined`);
      if (depth === MAX_TMPL_DEPTH) throw new Error(`exceeded maximum template depth (${MAX_TMPL_DEPTH})`);
      depth++;
      const text = render(name, templateData);
      depth--;
      return new HtmlValue(text);
    },
  };
  const functions = new Map([...templateFunctions, ["tmpl", tmpl] as const]);
  return render(name, data);
}

function parsePage(name: string, { text, libraries }: ConsolePage): ReadonlyMap<string, Tree> {
  const hasFunction = (functionName: string) =>
    functionName === "tmpl" || templateFunctions.has(functionName);
  const parse = (treeName: string, treeText: string, failure: string) => {
    try {
      return parseTemplate(treeName, treeText, hasFunction);
    } catch (cause) {
      throw new Error(`${failure}: ${messageOf(cause)}`, { cause });
    }
  };
  const trees = new Map(parse(name, DEFINITIONS + text, `error parsing template ${name}`));
  for (const library of libraries) {
    const failure = `error parsing template files for ${name}`;
    for (const [treeName, tree] of parse(library.name, library.text, failure)) {
      // A later file's template takes the place of an earlier one, unless there is nothing in it.
      if (!isEmptyTree(tree) || !trees.has(treeName)) trees.set(treeName, tree);
    }
  }
  return trees;
}

function dataOf({ params, path, externalLabels }: ConsolePage): Value {
  const names = [...new Set(params.keys())];
  const rawParams = names.map((name) => [name, new ListValue(params.getAll(name), "[]string")] as const);
  const firstParams = names.map((name) => [name, params.get(name) ?? ""] as const);
  const fields = new Map<string, Value>([
    ["RawParams", MapValue.of(rawParams, "url.Values")],
    ["Params", MapValue.of(firstParams, "map[string]string")],
    ["Path", path],
    ["ExternalLabels", MapValue.ofLabels(externalLabels)],
  ]);
  return new StructValue(fields, DATA_TYPE, false);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
