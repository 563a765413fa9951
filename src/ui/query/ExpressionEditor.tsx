import {
  autocompletion,
  closeBrackets,
  closeBracketsKeymap,
  completionKeymap,
} from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, insertNewlineAndIndent } from "@codemirror/commands";
import { bracketMatching, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { lintKeymap } from "@codemirror/lint";
import { Compartment, EditorState, Prec } from "@codemirror/state";
import { EditorView, keymap, placeholder } from "@codemirror/view";
import { tagHighlighter, tags } from "@lezer/highlight";
import {
  newCompleteStrategy,
  PromQLExtension,
  type CompleteStrategy,
} from "@prometheus-io/codemirror-promql";
import { useEffect, useImperativeHandle, useRef, type Ref } from "react";
import { PATH_PREFIX } from "../path-prefix.ts";
import { useSettings } from "../settings.tsx";
import { readQueryHistory } from "./query-history.ts";

export interface EditorHandle {
  /** Puts text where the cursor is, in place of what is selected, and moves the focus there. */
  readonly insert: (text: string) => void;
  readonly focus: () => void;
}

export interface ExpressionEditorProps {
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly onExecute: () => void;
  readonly ref?: Ref<EditorHandle>;
}

const highlighter = tagHighlighter([
  { tag: tags.variableName, class: "tok-metric" },
  { tag: tags.function(tags.variableName), class: "tok-function" },
  { tag: tags.labelName, class: "tok-label" },
  { tag: tags.string, class: "tok-string" },
  { tag: tags.number, class: "tok-number" },
  { tag: [tags.operatorKeyword, tags.modifier, tags.logicOperator], class: "tok-keyword" },
  { tag: tags.comment, class: "tok-comment" },
]);

/** Completes from the server and, where a completion replaces the whole text, from the queries run before. */
function withHistory(strategy: CompleteStrategy): CompleteStrategy {
  return {
    destroy: () => strategy.destroy?.(),
    promQL: async (context) => {
      const result = await strategy.promQL(context);
      const text = context.state.doc.toString();
      const past = readQueryHistory().filter((entry) => entry !== text && entry.includes(text));
      if (past.length === 0 || (result && result.from !== 0)) return result;
      const options = past.slice(0, 30).map((label) => ({
        label: label.length > 90 ? `${label.slice(0, 90)}…` : label,
        apply: label,
        detail: "run before",
        type: "history",
        boost: -50,
      }));
      if (!result) return text === "" || context.explicit ? { from: 0, options } : null;
      return { ...result, options: [...result.options, ...options] };
    },
  };
}

/** The editor of a PromQL expression: Enter runs it, Shift+Enter begins a new line. */
export default function ExpressionEditor({ value, onChange, onExecute, ref }: ExpressionEditorProps) {
  const { settings } = useSettings();
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | null>(null);
  // The editor lives longer than a render: it calls what is current then.
  const callbacks = useRef({ onChange, onExecute });
  callbacks.current = { onChange, onExecute };
  const firstValue = useRef(value);
  const language = useRef(new Compartment());

  useEffect(() => {
    if (!host.current) return;
    const execute = () => {
      callbacks.current.onExecute();
      return true;
    };
    const editor = new EditorView({
      parent: host.current,
      state: EditorState.create({
        doc: firstValue.current,
        extensions: [
          language.current.of([]),
          history(),
          bracketMatching(),
          closeBrackets(),
          indentOnInput(),
          EditorView.lineWrapping,
          placeholder("Type an expression; Shift+Enter for a new line"),
          EditorView.contentAttributes.of({
            "aria-label": "PromQL expression",
            "aria-multiline": "true",
            autocapitalize: "off",
            autocorrect: "off",
            spellcheck: "false",
          }),
          keymap.of([...closeBracketsKeymap, ...completionKeymap, ...lintKeymap, ...historyKeymap]),
          // After the keys of an open completion, before the plain ones of the editor.
          keymap.of([
            { key: "Enter", run: execute },
            { key: "Mod-Enter", run: execute },
            { key: "Shift-Enter", run: insertNewlineAndIndent },
          ]),
          keymap.of(defaultKeymap),
          EditorView.updateListener.of((update) => {
            if (update.docChanged) callbacks.current.onChange(update.state.doc.toString());
          }),
        ],
      }),
    });
    view.current = editor;
    // Who opens an empty panel is about to type.
    if (firstValue.current === "") editor.focus();
    return () => {
      view.current = null;
      firstValue.current = editor.state.doc.toString();
      editor.destroy();
    };
  }, []);

  useEffect(() => {
    const promql = new PromQLExtension()
      .activateCompletion(settings.completion)
      .activateLinter(settings.linter);
    const server = newCompleteStrategy({
      remote: { url: window.location.origin + PATH_PREFIX.replace(/\/$/, ""), httpMethod: "POST" },
    });
    promql.setComplete({ completeStrategy: settings.history ? withHistory(server) : server });
    view.current?.dispatch({
      effects: language.current.reconfigure([
        promql.asExtension(),
        autocompletion({ activateOnTyping: settings.completion, icons: false, maxRenderedOptions: 100 }),
        settings.highlighting ? Prec.highest(syntaxHighlighting(highlighter)) : [],
      ]),
    });
    return () => promql.destroy();
  }, [settings.completion, settings.linter, settings.highlighting, settings.history]);

  useEffect(() => {
    const editor = view.current;
    if (!editor || editor.state.doc.toString() === value) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);

  useImperativeHandle(ref, () => ({
    insert: (text) => {
      const editor = view.current;
      if (!editor) return;
      editor.dispatch(editor.state.replaceSelection(text));
      editor.focus();
    },
    focus: () => view.current?.focus(),
  }));

  return <div ref={host} className="expression-editor" />;
}
