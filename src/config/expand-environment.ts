/**
 * Replaces `$NAME` and `${NAME}` by the environment's values, as a shell would; `$$` is a dollar. A variable that is
 * unset or empty gives nothing and is told to `onEmpty`.
 */
export function expandEnvironment(
  text: string,
  environment: Readonly<Record<string, string | undefined>>,
  onEmpty: (name: string) => void,
): string {
  return text.replace(
    REFERENCE,
    (whole: string, braced: string | undefined, open: string | undefined, name: string | undefined) => {
      // `${}` and a brace that is never closed are swallowed, a lone dollar stays.
      if (open !== undefined && braced === undefined) return "";
      const variable = braced ?? name;
      if (variable === undefined) return whole;
      if (variable === "") return "";
      if (variable === "$") return "$";
      const value = environment[variable] ?? "";
      if (value === "") onEmpty(variable);
      return value;
    },
  );
}

const REFERENCE = /\$(?:\{([^}]*)\}|(\{)|([*#$@!?0-9-]|[A-Za-z_][A-Za-z0-9_]*))?/g;
